//! The inputs of a job as files below `/opt/ml`, for each of its instances.
//!
//! First everything is planned (which objects, for which instance, under which path) and refused where it cannot be, then
//! the files are made: links to the stored bodies where programs cannot write to them, else copies.

mod inputs;
mod layout;
mod space;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use watchkeeper_aws::generated::sagemaker::CreateProcessingJobRequest;
use watchkeeper_store::objects::{Objects, Staging};

use self::inputs::Object;
use self::layout::Layout;
pub(super) use self::layout::local_path;
use self::space::{GivesUp, Space};
use super::Failure;
use crate::program::folder;

/// Files that are made at the same time.
const AT_ONCE: usize = 16;
const GIB: u64 = 1 << 30;
/// Folders of the contract that are always there.
const FOLDERS: [&str; 4] = ["opt/ml/config", "opt/ml/output/metrics/cloudwatch", "opt/ml/processing", "opt/ml/tmp"];

/// What was staged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Staged {
    /// Objects of all inputs.
    pub(super) objects: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Folders of inputs, as paths of the contract.
    pub(super) read_only: Vec<String>,
    /// Folders of outputs, as paths of the contract.
    pub(super) writable: Vec<String>,
    /// Whether files may be links to stored bodies.
    pub(super) linked: bool,
}

/// Stages the inputs below these roots, one for each instance, and makes the folders of outputs. `may_link` says that
/// programs cannot write to folders of inputs.
pub(super) async fn stage(
    objects: &dyn Objects,
    request: &CreateProcessingJobRequest,
    region: &str,
    roots: &[PathBuf],
    may_link: bool,
) -> Result<Staged, Failure> {
    let mut staged = Staged::default();
    let mut plans: Vec<(Layout, Vec<Object>)> = roots.iter().map(|_| Default::default()).collect();
    for input in request.processing_inputs.iter().flatten() {
        let Some((folder, found)) = inputs::objects_of(objects, input, &request.role_arn, region).await? else {
            continue;
        };
        staged.objects += found.len() as u64;
        staged.bytes += found.iter().map(|object| object.size).sum::<u64>();
        let sharded = inputs::is_sharded(input);
        for (host, (layout, files)) in plans.iter_mut().enumerate() {
            layout.add_folder(&folder)?;
            let of_host = found.iter().enumerate().filter(|(number, _)| !sharded || number % roots.len() == host);
            for (_, object) in of_host {
                layout.add(&object.path, &object.uri())?;
                files.push(object.clone());
            }
        }
        staged.read_only.push(format!("/{}", folder.display()));
    }
    let outputs = request.processing_output_config.iter().flat_map(|config| &config.outputs);
    for output in outputs {
        let Some(path) = output.s3_output.as_ref().and_then(|output| output.local_path.as_deref()) else { continue };
        let folder = local_path(path, &format!("output `{}`", output.output_name))?;
        for (layout, _) in &mut plans {
            layout.add_folder(&folder)?;
        }
        staged.writable.push(format!("/{}", folder.display()));
    }
    let volume = volume_bytes(request);
    // What is written to an output must not go through a link that lies in it.
    let is_below = |output: &String| staged.read_only.iter().any(|input| Path::new(output).starts_with(input));
    staged.linked = may_link && !staged.writable.iter().any(is_below);
    let staging = if staged.linked { Staging::Link } else { Staging::Copy };
    for ((layout, files), root) in plans.iter().zip(roots) {
        refuse_more_than(volume, files.iter().map(|object| object.size).sum())?;
        make_folders(root, layout).await?;
        make_files(objects, files, root, staging, volume).await?;
    }
    Ok(staged)
}

/// `VolumeSizeInGB`, in bytes.
pub(super) fn volume_bytes(request: &CreateProcessingJobRequest) -> u64 {
    u64::try_from(request.processing_resources.cluster_config.volume_size_in_gb).unwrap_or(0) * GIB
}

fn refuse_more_than(volume: u64, bytes: u64) -> Result<(), Failure> {
    if bytes > volume {
        return Err(Failure(format!(
            "the inputs are {bytes} bytes, more than VolumeSizeInGB {} holds: ask for a larger volume",
            volume / GIB
        )));
    }
    Ok(())
}

async fn make_folders(root: &Path, layout: &Layout) -> Result<(), Failure> {
    let folders: Vec<PathBuf> =
        FOLDERS.iter().map(Path::new).chain(layout.folders()).map(|path| root.join(path)).collect();
    let root = root.to_owned();
    let is_wanted = Arc::new(());
    let wanted = Arc::downgrade(&is_wanted);
    let made = blocking(move || {
        folder::make(&root).map_err(|error| Failure::of_file(&root, &error))?;
        let made = folders
            .iter()
            .try_for_each(|folder| std::fs::create_dir_all(folder).map_err(|error| Failure::of_file(folder, &error)));
        // Whoever waited for it has given the job up, and may have removed the folder before this was done.
        if wanted.strong_count() == 0 {
            if let Err(error) = folder::remove_all(&root) {
                tracing::warn!(folder = %root.display(), %error, "the folder of a job could not be removed");
            }
            // That of all instances, unless another is still there.
            let _ = root.parent().map(std::fs::remove_dir);
        }
        made
    })
    .await;
    drop(is_wanted);
    made
}

async fn make_files(
    objects: &dyn Objects,
    files: &[Object],
    root: &Path,
    staging: Staging,
    volume: u64,
) -> Result<(), Failure> {
    let as_they_are = files.iter().filter(|object| !object.compressed).map(|object| object.size).sum();
    let space = Arc::new(Space::new(volume.saturating_sub(as_they_are)));
    let _given_up_when_dropped = GivesUp(Arc::clone(&space));
    let mut waiting = files.iter().enumerate();
    let mut begun = FuturesUnordered::new();
    loop {
        for (number, object) in waiting.by_ref().take(AT_ONCE - begun.len()) {
            begun.push(make_file(objects, object, root, number, staging, &space));
        }
        match begun.next().await {
            Some(made) => made?,
            None => return Ok(()),
        }
    }
}

/// Makes one file; what is decompressed takes its bytes from the space.
async fn make_file(
    objects: &dyn Objects,
    object: &Object,
    root: &Path,
    number: usize,
    staging: Staging,
    space: &Arc<Space>,
) -> Result<(), Failure> {
    let path = root.join(&object.path);
    let failed =
        |error: watchkeeper_store::Error| Failure(format!("object {} could not be read: {error}", object.uri()));
    if !object.compressed {
        objects.stage(&object.bucket, &object.key, &path, staging).await.map_err(failed)?;
        return Ok(());
    }
    let compressed = root.join(format!("compressed-{number}"));
    objects.stage(&object.bucket, &object.key, &compressed, Staging::Copy).await.map_err(failed)?;
    let uri = object.uri();
    let space = Arc::clone(space);
    blocking(move || {
        decompress(&compressed, &path, &space)
            .map_err(|error| Failure(format!("object {uri} could not be decompressed: {error}")))?;
        std::fs::remove_file(&compressed).map_err(|error| Failure::of_file(&compressed, &error))
    })
    .await
}

fn decompress(from: &Path, to: &Path, space: &Space) -> std::io::Result<()> {
    let mut decoder = MultiGzDecoder::new(std::io::BufReader::new(File::open(from)?));
    let mut file = File::create_new(to)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        let length = decoder.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        space.take(length as u64)?;
        file.write_all(&buffer[..length])?;
    }
}

/// Work with files, off the threads of requests.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Err(Failure("the service stopped".to_owned())),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// A compressed file of this many zeros.
    fn compressed(folder: &Path, bytes: u64) -> PathBuf {
        let path = folder.join("compressed");
        let mut encoder = GzEncoder::new(File::create(&path).unwrap(), Compression::default());
        std::io::copy(&mut std::io::repeat(0).take(bytes), &mut encoder).unwrap();
        encoder.finish().unwrap();
        path
    }

    #[test]
    fn what_is_decompressed_shares_one_volume() {
        let folder = tempfile::tempdir().unwrap();
        let from = compressed(folder.path(), MIB);
        let space = Space::new(2 * MIB + MIB / 2);
        let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
        let made = std::thread::scope(|scope| {
            let making = paths.each_ref().map(|path| scope.spawn(|| decompress(&from, path, &space)));
            making.map(|thread| thread.join().unwrap())
        });
        let refusals: Vec<String> = made.into_iter().filter_map(Result::err).map(|error| error.to_string()).collect();
        assert!(!refusals.is_empty());
        assert!(refusals.iter().all(|refusal| refusal.contains("ask for a larger VolumeSizeInGB")), "{refusals:?}");
        let written: u64 = paths.iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(written <= 2 * MIB + MIB / 2, "{written}");
    }

    #[test]
    fn what_fills_the_volume_to_its_last_byte_is_decompressed() {
        let folder = tempfile::tempdir().unwrap();
        let from = compressed(folder.path(), MIB);
        let to = folder.path().join("to");
        decompress(&from, &to, &Space::new(MIB)).unwrap();
        assert_eq!(to.metadata().unwrap().len(), MIB);
    }

    #[test]
    fn decompression_ends_when_the_staging_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let from = compressed(folder.path(), MIB);
        let to = folder.path().join("to");
        let space = Arc::new(Space::new(MIB));
        drop(GivesUp(Arc::clone(&space)));
        assert_eq!(decompress(&from, &to, &space).unwrap_err().to_string(), "the staging was given up");
        assert_eq!(to.metadata().unwrap().len(), 0);
    }
}
