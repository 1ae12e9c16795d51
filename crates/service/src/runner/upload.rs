//! The outputs of a job as objects.
//!
//! Continuous outputs are looked through once in a while: a file that was not uploaded as it is now, and has not changed
//! since the last look, is uploaded. When the program has ended, everything that is not there yet follows. Only files are
//! results: a link could lead anywhere, and a pipe or socket has no content; the log names what was left out.

use std::collections::HashMap;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use watchkeeper_aws::generated::sagemaker::{CreateProcessingJobRequest, ProcessingS3UploadMode};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{Body, CompletedPart, ObjectAttributes, Objects, Precondition};

use super::Failure;
use super::stage::{blocking, local_path};
use crate::program::folder;
use crate::telemetry::program_log::ProgramLog;

/// Files that are uploaded at the same time.
const AT_ONCE: usize = 8;
/// Bytes that are read at once.
const PIECE: usize = 256 << 10;
/// A larger file is uploaded in parts of this size.
const PART: u64 = 1 << 30;

/// The outputs of one instance.
pub(super) struct Uploads {
    objects: Arc<dyn Objects>,
    outputs: Vec<Output>,
    kms_key_id: Option<String>,
    log: ProgramLog,
}

struct Output {
    name: String,
    /// The job's root, and the output's folder below it.
    root: PathBuf,
    folder: PathBuf,
    uri: S3Uri,
    continuous: bool,
    /// Files as they were when they were uploaded.
    uploaded: HashMap<PathBuf, Fingerprint>,
    /// Files as the last look saw them.
    seen: HashMap<PathBuf, Fingerprint>,
}

/// What changes when a file does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Uploads {
    /// Of the instance with this root.
    pub(super) fn new(
        objects: Arc<dyn Objects>,
        request: &CreateProcessingJobRequest,
        root: &Path,
        kms_key_id: Option<String>,
        log: ProgramLog,
    ) -> Result<Self, Failure> {
        let mut outputs = Vec::new();
        for output in request.processing_output_config.iter().flat_map(|config| &config.outputs) {
            let name = &output.output_name;
            let Some(target) = output.s3_output.as_ref().filter(|_| output.app_managed != Some(true)) else { continue };
            let Some(path) = target.local_path.as_deref() else {
                return Err(Failure(format!("output `{name}`: LocalPath is needed unless AppManaged is true")));
            };
            let uri = target.s3_uri.parse().map_err(|error| Failure(format!("output `{name}`: {error}")))?;
            outputs.push(Output {
                name: name.clone(),
                root: root.to_owned(),
                folder: local_path(path, &format!("output `{name}`"))?,
                uri,
                continuous: target.s3_upload_mode == ProcessingS3UploadMode::Continuous,
                uploaded: HashMap::new(),
                seen: HashMap::new(),
            });
        }
        Ok(Self { objects, outputs, kms_key_id, log })
    }

    /// Whether there is something to upload while the program runs.
    pub(super) fn are_continuous(&self) -> bool {
        self.outputs.iter().any(|output| output.continuous)
    }

    /// One look through the continuous outputs. What fails is tried again at the next.
    pub(super) async fn look(&mut self) {
        for output in self.outputs.iter_mut().filter(|output| output.continuous) {
            let Ok((files, _)) = files_of(output).await else { continue };
            for (path, fingerprint) in &files {
                let is_quiet = output.seen.get(path) == Some(fingerprint);
                if !is_quiet || output.uploaded.get(path) == Some(fingerprint) {
                    continue;
                }
                match put(&*self.objects, output, path, self.kms_key_id.as_deref()).await {
                    Ok(()) => _ = output.uploaded.insert(path.clone(), *fingerprint),
                    Err(Failure(reason)) => tracing::debug!(reason, "a file will be uploaded later"),
                }
            }
            output.seen = files.into_iter().collect();
        }
    }

    /// Uploads what is not there yet; with `all` false of the continuous outputs alone.
    pub(super) async fn finish(&self, all: bool) -> Result<(), Failure> {
        for output in self.outputs.iter().filter(|output| all || output.continuous) {
            let (files, left_out) = files_of(output).await?;
            for path in left_out {
                let path = path.display();
                self.log.say(&format!("output `{}`: {path} is no file and was not uploaded", output.name)).await;
            }
            let mut waiting = files.iter().filter(|(path, now)| output.uploaded.get(path) != Some(now));
            let mut begun = FuturesUnordered::new();
            loop {
                for (path, _) in waiting.by_ref().take(AT_ONCE - begun.len()) {
                    begun.push(put(&*self.objects, output, path, self.kms_key_id.as_deref()));
                }
                match begun.next().await {
                    Some(stored) => stored?,
                    None => break,
                }
            }
        }
        Ok(())
    }
}

type Files = (Vec<(PathBuf, Fingerprint)>, Vec<PathBuf>);

/// The files of an output, relative to its folder and in their order, and what is neither file nor folder.
async fn files_of(output: &Output) -> Result<Files, Failure> {
    let (name, root, folder) = (output.name.clone(), output.root.clone(), output.folder.clone());
    blocking(move || {
        let failed = |error: std::io::Error| Failure(format!("output `{name}` could not be read: {error}"));
        match folder::refuse_links(&root, &folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Files::default()),
            other => other.map_err(failed)?,
        }
        let root = root.join(folder);
        let (mut files, mut left_out) = (Vec::new(), Vec::new());
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            let entries = match std::fs::read_dir(&folder) {
                // The program may remove what it made.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(failed)?,
            };
            for entry in entries {
                let entry = entry.map_err(failed)?;
                let Ok(metadata) = entry.metadata() else { continue };
                let path = entry.path();
                if metadata.is_dir() {
                    folders.push(path);
                    continue;
                }
                let relative = path.strip_prefix(&root).expect("what was found in a folder is below it").to_owned();
                if metadata.is_file() {
                    files.push((relative, Fingerprint::of(&metadata)));
                } else {
                    left_out.push(relative);
                }
            }
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok((files, left_out))
    })
    .await
}

impl Fingerprint {
    fn of(metadata: &Metadata) -> Self {
        Self { inode: metadata.ino(), size: metadata.size(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

async fn put(objects: &dyn Objects, output: &Output, path: &Path, kms_key_id: Option<&str>) -> Result<(), Failure> {
    let failed = |reason: &str| {
        Failure(format!("output `{}`: {} could not be stored at {}: {reason}", output.name, path.display(), output.uri))
    };
    let Some(name) = path.to_str() else { return Err(failed("its name is not UTF-8")) };
    let target = output.uri.join(name);
    let attributes = ObjectAttributes {
        content_type: Some(content_type(name).to_owned()),
        server_side_encryption: kms_key_id.map(|_| "aws:kms".to_owned()),
        kms_key_id: kms_key_id.map(str::to_owned),
        ..ObjectAttributes::default()
    };
    let file = folder::open(&output.root, &output.folder.join(path)).map_err(|error| failed(&error.to_string()))?;
    let size = file.metadata().map_err(|error| failed(&error.to_string()))?.len();
    let stored = if size > PART {
        put_in_parts(objects, &target, attributes, file, size).await
    } else {
        let body = body_of(tokio::fs::File::from_std(file), u64::MAX);
        objects.put(&target.bucket, &target.key, attributes, body, Precondition::None).await.map(|_| ())
    };
    stored.map_err(|error| match error {
        Error::NoSuchBucket(bucket) => failed(&format!("there is no bucket `{bucket}`, create it first")),
        other => failed(&other.to_string()),
    })
}

async fn put_in_parts(
    objects: &dyn Objects,
    target: &S3Uri,
    attributes: ObjectAttributes,
    file: std::fs::File,
    size: u64,
) -> Result<(), Error> {
    let S3Uri { bucket, key } = target;
    let upload = objects.create_upload(bucket, key, attributes).await?;
    let stored = async {
        let mut parts = Vec::new();
        for (number, start) in (1..).zip((0..size).step_by(PART as usize)) {
            let mut file = tokio::fs::File::from_std(file.try_clone().map_err(Error::Body)?);
            file.seek(std::io::SeekFrom::Start(start)).await.map_err(Error::Body)?;
            let part = objects.put_part(bucket, key, &upload, number, body_of(file, PART)).await?;
            parts.push(CompletedPart { number, etag: part.etag });
        }
        let checksums = std::collections::BTreeMap::new();
        objects.complete_upload(bucket, key, &upload, &parts, checksums, Precondition::None).await
    };
    match stored.await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = objects.abort_upload(bucket, key, &upload).await;
            Err(error)
        }
    }
}

/// Up to `limit` bytes of a file, from where it stands.
fn body_of(file: tokio::fs::File, limit: u64) -> Body {
    futures::stream::try_unfold(file.take(limit), |mut file| async move {
        let mut piece = Vec::with_capacity(PIECE);
        // Reads of files come in pieces of the runtime's choice; objects are stored faster from larger ones.
        while piece.len() < PIECE && file.read_buf(&mut piece).await? > 0 {}
        Ok((!piece.is_empty()).then(|| (Bytes::from(piece), file)))
    })
    .boxed()
}

/// What browsers show, by the file's name.
fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("json") => "application/json",
        Some("html") => "text/html; charset=utf-8",
        Some("csv") => "text/csv",
        Some("txt") => "text/plain",
        Some("pdf") => "application/pdf",
        _ => "application/octet-stream",
    }
}
