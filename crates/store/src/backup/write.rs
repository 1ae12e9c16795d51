//! Taking a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::mpsc;

use super::{
    CHECKSUMS, JOURNAL, JOURNAL_FOLDERS, LOGS, MANIFEST, METADATA, Manifest, MasterKeyPlace, Running, STAGING,
    body_name, open_copy, remove_staging,
};
use crate::Error;
use crate::data_directory::create_folder;
use crate::objects::Body;
use crate::objects::embedded::HeldBlobs;

/// Bytes of a piece of the archive.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for a slow reader.
const WAITING_PIECES: usize = 8;

/// A backup whose content is fixed. Dropped, it ends.
pub struct Backup {
    manifest: Manifest,
    files: Vec<Source>,
    /// Keeps the bodies that are in it; before the end of the backup as a whole.
    held: Option<HeldBlobs>,
    running: Running,
}

/// A file that is going to be in the archive.
struct Source {
    name: String,
    path: PathBuf,
    /// Bytes of it that are copied; the whole file without a number.
    length: Option<u64>,
}

impl Backup {
    pub(super) async fn begin(running: Running, manifest: Manifest, with_secrets: bool) -> Result<Self, Error> {
        let backups = running.0.clone();
        let mut files = secrets(&backups, &manifest, with_secrets)?;
        let staging = backups.file(STAGING);
        let root = backups.0.directory.path().to_owned();
        let journals = {
            let staging = staging.clone();
            tokio::task::spawn_blocking(move || {
                remove_staging(&staging)?;
                create_folder(&staging)?;
                link_journals(&root, &staging)
            })
            .await??
        };
        files.extend(journals);
        // From here on no body is removed: those that the copy of the rows will name stay.
        let held = backups.0.objects.as_ref().map(crate::objects::embedded::EmbeddedObjects::hold);
        for name in [METADATA, LOGS] {
            let path = backups.file(name);
            let Ok(size) = std::fs::metadata(&path).map(|metadata| metadata.len()) else { continue };
            backups.0.disk.check(size)?;
            let copy = staging.join(name);
            copy_database(&path, &copy).await?;
            files.push(Source { name: name.to_owned(), path: copy, length: None });
        }
        if backups.0.objects.is_some() {
            for blob in blobs_of(&staging.join(METADATA)).await? {
                let name = body_name(&blob);
                files.push(Source { path: backups.file(&name), name, length: None });
            }
        }
        Ok(Self { manifest, files, held, running })
    }

    /// The archive, as it is read. An error of the stream means that it is not complete.
    pub fn into_body(self) -> Body {
        let (sender, receiver) = mpsc::channel(WAITING_PIECES);
        tokio::task::spawn_blocking(move || {
            let Self { manifest, files, held, running } = self;
            let mut pieces = Pieces { sender, buffer: Vec::with_capacity(PIECE_BYTES) };
            if let Err(error) = write_archive(&manifest, files, &mut pieces) {
                // Whoever has gone away needs no message.
                let _ = pieces.sender.blocking_send(Err(error));
            }
            drop(held);
            drop(running);
        });
        futures::stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?, receiver)) })
            .boxed()
    }
}

fn secrets(backups: &super::Backups, manifest: &Manifest, with_secrets: bool) -> Result<Vec<Source>, Error> {
    let mut files = Vec::new();
    for name in super::SECRETS {
        let is_key = name == super::MASTER_KEY_FILE;
        if !with_secrets || is_key && manifest.master_key != MasterKeyPlace::Included {
            continue;
        }
        let path = backups.file(name);
        if is_key || path.try_exists().map_err(Error::file("look for", &path))? {
            files.push(Source { name: name.to_owned(), path, length: None });
        }
    }
    Ok(files)
}

/// Journals go once their records are in objects: links keep them, as long as they are now.
fn link_journals(root: &Path, staging: &Path) -> Result<Vec<Source>, Error> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = JOURNAL_FOLDERS.iter().map(PathBuf::from).collect();
    while let Some(folder) = folders.pop() {
        let from = root.join(&folder);
        let entries = match std::fs::read_dir(&from) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::file("list", &from)(error)),
        };
        create_folder(&staging.join(&folder))?;
        for entry in entries {
            let entry = entry.map_err(Error::file("list", &from))?;
            let name = folder.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(name);
                continue;
            }
            let Some(text) = name.to_str().filter(|text| kind.is_file() && text.ends_with(JOURNAL)) else { continue };
            let path = staging.join(text);
            match std::fs::hard_link(entry.path(), &path) {
                Ok(()) => {}
                // Its records are in objects now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(_) => drop(std::fs::copy(entry.path(), &path).map_err(Error::file("copy", &path))?),
            }
            let length = std::fs::metadata(&path).map_err(Error::file("read", &path))?.len();
            files.push(Source { name: text.to_owned(), path, length: Some(length) });
        }
    }
    Ok(files)
}

/// A copy of a database as it is at one moment, while it is written to.
async fn copy_database(path: &Path, copy: &Path) -> Result<(), Error> {
    let target = copy.to_str().ok_or_else(|| {
        Error::file("write", copy)(io::Error::new(io::ErrorKind::InvalidFilename, "the path is not UTF-8"))
    })?;
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
    let mut connection = options.disable_statement_logging().connect().await?;
    sqlx::query("VACUUM INTO ?1").bind(target).execute(&mut connection).await?;
    connection.close().await?;
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(copy, permissions).map_err(Error::file("set the permissions of", copy))
}

async fn blobs_of(metadata: &Path) -> Result<Vec<String>, Error> {
    let mut connection = open_copy(metadata).await?;
    let blobs = sqlx::query_scalar(include_str!("../objects/sql/all_blobs.sql")).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(blobs)
}

fn write_archive(manifest: &Manifest, files: Vec<Source>, out: &mut Pieces) -> io::Result<()> {
    let mut archive = tar::Builder::new(out);
    let mut checksums = BTreeMap::new();
    let seconds = manifest.created.parse::<jiff::Timestamp>().map_or(0, |moment| moment.as_second().unsigned_abs());
    let header = |size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        header.set_size(size);
        header
    };
    let text = json(manifest);
    checksums.insert(MANIFEST.to_owned(), hex::encode(Sha256::digest(&text)));
    archive.append_data(&mut header(text.len() as u64), MANIFEST, text.as_slice())?;
    for Source { name, path, length } in files {
        let in_file = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let file = File::open(&path).map_err(in_file)?;
        let size = length.map_or_else(|| file.metadata().map(|metadata| metadata.len()), Ok).map_err(in_file)?;
        // What a journal has lost meanwhile was never acknowledged, and nulls are no record.
        let fill: Box<dyn Read> = if length.is_some() { Box::new(io::repeat(0)) } else { Box::new(io::empty()) };
        let mut content = Hashing { source: file.chain(fill).take(size), hash: Sha256::new() };
        archive.append_data(&mut header(size), &name, &mut content)?;
        if content.source.limit() > 0 {
            return Err(in_file(io::ErrorKind::UnexpectedEof.into()));
        }
        checksums.insert(name, hex::encode(content.hash.finalize()));
    }
    let text = json(&checksums);
    archive.append_data(&mut header(text.len() as u64), CHECKSUMS, text.as_slice())?;
    archive.into_inner()?.flush()
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("structs and maps of texts are JSON");
    text.push(b'\n');
    text
}

struct Hashing<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.source.read(buffer)?;
        self.hash.update(&buffer[..length]);
        Ok(length)
    }
}

/// Sends what is written in pieces; blocks while none is taken.
struct Pieces {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
