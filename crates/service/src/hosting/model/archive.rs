//! A model's files: the archive or the objects that a request names, as files of one folder.
//!
//! An archive is anybody's. What is unpacked lies below the folder: no member has an absolute path or one with `..`, links
//! are made when all else is there, so that nothing is written through one, and lead to members alone; devices, pipes and
//! sockets are refused, and so are more bytes, members or headers than there should be. All of it is there, or nothing: the
//! folder gets its name at the end.

use std::cell::Cell;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{OpenOptionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};
use watchkeeper_aws::generated::sagemaker::{
    ContainerDefinition, ModelCompressionType, S3ModelDataSource, S3ModelDataType,
};
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{ListObjects, Objects, Staging};

/// What a model's files may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The most bytes of all files.
    pub(super) bytes: u64,
    /// The most members of an archive, or objects, and folders that are made for them.
    pub(super) members: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 << 30, members: 100_000 }
    }
}

/// The most bytes of headers before one member, and behind the last one.
const HEADER_BYTES: u64 = 1 << 20;
/// Archives are made of blocks of this size.
const BLOCK: u64 = 512;
/// Objects of one page of a listing.
const PAGE: usize = 1000;
/// The first bytes of what gzip made.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Where a model's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// An object that is a compressed archive.
    Archive(S3Uri),
    /// An object that is the only file.
    File(S3Uri),
    /// All objects below a prefix.
    Prefix(S3Uri),
}

/// Makes the folder `model` with the files that a container names; an empty one where it names none. What is half done lies
/// beside it. `may_link` says that the files will not be written to. An error is for the person whose model it is.
pub(super) async fn fetch(
    objects: &dyn Objects,
    container: &ContainerDefinition,
    model: &Path,
    may_link: bool,
    limits: Limits,
) -> Result<(), String> {
    let partial = model.with_extension("partial");
    fs::create_dir_all(&partial).map_err(|error| format!("{}: {error}", partial.display()))?;
    match place(container)? {
        None => {}
        Some(Place::Archive(uri)) => {
            let archive = model.with_extension("archive");
            stage(objects, &uri, &archive, Staging::Link).await?;
            unpack_file(archive, partial.clone(), limits).await.map_err(|reason| format!("{uri}: {reason}"))?;
        }
        Some(Place::File(uri)) => {
            let name = uri.key.rsplit('/').next().unwrap_or_default();
            let path = member_path(Path::new(name)).map_err(|reason| format!("{uri}: {reason}"))?;
            stage(objects, &uri, &partial.join(path), staging(may_link)).await?;
        }
        Some(Place::Prefix(uri)) => prefix(objects, &uri, &partial, staging(may_link), limits).await?,
    }
    fs::rename(&partial, model).map_err(|error| format!("{}: {error}", model.display()))
}

fn staging(may_link: bool) -> Staging {
    if may_link { Staging::Link } else { Staging::Copy }
}

/// Where the files of a container come from; none where it names no place.
fn place(container: &ContainerDefinition) -> Result<Option<Place>, String> {
    let parse = |text: &str, what: &str| text.parse::<S3Uri>().map_err(|error| format!("{what}: {error}"));
    let source = container.model_data_source.as_ref().and_then(|source| source.s3_data_source.as_ref());
    if let Some(S3ModelDataSource { s3_uri, s3_data_type, compression_type, .. }) = source {
        let uri = parse(s3_uri, "ModelDataSource")?;
        return match (s3_data_type, compression_type) {
            (S3ModelDataType::S3Object, ModelCompressionType::Gzip) => Ok(Some(Place::Archive(uri))),
            (S3ModelDataType::S3Object, ModelCompressionType::None) => Ok(Some(Place::File(uri))),
            (S3ModelDataType::S3Prefix, ModelCompressionType::None) => Ok(Some(Place::Prefix(uri))),
            (S3ModelDataType::S3Prefix, ModelCompressionType::Gzip) => Err(format!(
                "ModelDataSource {uri}: an archive is an S3Object, and S3Prefix takes CompressionType None"
            )),
        };
    }
    let url = container.model_data_url.as_deref().filter(|url| !url.is_empty());
    url.map(|url| parse(url, "ModelDataUrl").map(Place::Archive)).transpose()
}

async fn stage(objects: &dyn Objects, uri: &S3Uri, path: &Path, staging: Staging) -> Result<(), String> {
    let S3Uri { bucket, key } = uri;
    objects.stage(bucket, key, path, staging).await.map_err(|error| match error {
        Error::NoSuchBucket(_) => format!("there is no model data at {uri}: there is no bucket `{bucket}`"),
        Error::NoSuchKey { .. } => format!("there is no model data at {uri}: bucket `{bucket}` has no key `{key}`"),
        error => format!("the model data at {uri} could not be read: {error}"),
    })
}

/// Makes files of all objects below a prefix, which is a folder with or without the slash at its end.
async fn prefix(
    objects: &dyn Objects,
    uri: &S3Uri,
    folder: &Path,
    staging: Staging,
    limits: Limits,
) -> Result<(), String> {
    let slash = if uri.key.is_empty() || uri.key.ends_with('/') { "" } else { "/" };
    let prefix = format!("{}{slash}", uri.key);
    let mut list =
        ListObjects { bucket: uri.bucket.clone(), prefix: prefix.clone(), limit: PAGE, ..ListObjects::default() };
    let mut members = Members::new(limits);
    loop {
        let page = match objects.list(&list).await {
            Err(Error::NoSuchBucket(_)) => {
                return Err(format!("there is no model data at {uri}: there is no bucket `{}`", uri.bucket));
            }
            other => other.map_err(|error| format!("{uri} could not be listed: {error}"))?,
        };
        // A key with a slash at its end is how consoles make a folder.
        for object in page.objects.into_iter().filter(|object| !object.key.ends_with('/')) {
            let object_uri = S3Uri { bucket: uri.bucket.clone(), key: object.key };
            let refused = |reason: String| format!("{object_uri} cannot become a file: {reason}");
            let path = member_path(Path::new(&object_uri.key[prefix.len()..])).map_err(refused)?;
            members.add(object.size).map_err(|reason| format!("{uri}: {reason}"))?;
            let path = folder.join(path);
            members.make_parents(folder, &path).map_err(refused)?;
            stage(objects, &object_uri, &path, staging).await?;
        }
        match page.next {
            Some(next) => list.start_after = Some(next),
            None => break,
        }
    }
    if members.number == 0 {
        return Err(format!("there is no model data at {uri}: bucket `{}` has no key below `{prefix}`", uri.bucket));
    }
    Ok(())
}

/// Unpacks an archive's file, and removes it. Dropping what this returns makes it end early.
async fn unpack_file(archive: PathBuf, folder: PathBuf, limits: Limits) -> Result<(), String> {
    /// Tells the thread that unpacks that nobody waits any more.
    struct GivesUp(Arc<AtomicBool>);
    impl Drop for GivesUp {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let given_up = Arc::new(AtomicBool::new(false));
    let _when_dropped = GivesUp(Arc::clone(&given_up));
    let unpacked = tokio::task::spawn_blocking(move || {
        let file = File::open(&archive).map_err(|error| error.to_string())?;
        let unpacked = unpack(file, &folder, limits, &given_up);
        let _ = fs::remove_file(&archive);
        unpacked
    });
    unpacked.await.map_err(|error| error.to_string())?
}

/// What is counted of a model's files.
struct Members {
    limits: Limits,
    number: usize,
    bytes: u64,
}

impl Members {
    fn new(limits: Limits) -> Self {
        Self { limits, number: 0, bytes: 0 }
    }

    fn add(&mut self, bytes: u64) -> Result<(), String> {
        self.number += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        let Limits { bytes, members } = self.limits;
        if self.number > members {
            return Err(format!("the model has more than {members} files and folders"));
        }
        if self.bytes > bytes {
            return Err(format!("the model's files have more than {bytes} bytes"));
        }
        Ok(())
    }

    /// Makes the folders above a path below a folder.
    fn make_parents(&mut self, folder: &Path, path: &Path) -> Result<(), String> {
        let parent = path.parent().filter(|parent| parent.starts_with(folder)).ok_or("has no name")?;
        self.make_folder(folder, parent)
    }

    /// Makes a folder below a folder, and those between. Each counts: a name may have thousands of parts.
    fn make_folder(&mut self, folder: &Path, path: &Path) -> Result<(), String> {
        let mut made = folder.to_owned();
        for part in path.strip_prefix(folder).unwrap_or(path) {
            made.push(part);
            match fs::create_dir(&made) {
                Ok(()) => self.add(0).map_err(|reason| format!("is too much: {reason}"))?,
                Err(_) if made.symlink_metadata().is_ok_and(|found| found.is_dir()) => {}
                Err(error) => return Err(format!("could not be made: {error}")),
            }
        }
        Ok(())
    }
}

/// A reader that gives no more than it is allowed to.
struct Allowed<'a, R> {
    reader: R,
    allowance: Rc<Cell<u64>>,
    given_up: &'a AtomicBool,
}

impl<R: Read> Read for Allowed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let allowance = self.allowance.get();
        if allowance == 0 {
            return Err(io::Error::other(format!("a member has more than {HEADER_BYTES} bytes of headers")));
        }
        let most = usize::try_from(allowance).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.reader.read(&mut buffer[..most])?;
        self.allowance.set(allowance - read as u64);
        Ok(read)
    }
}

/// Unpacks a compressed archive into an empty folder.
fn unpack(mut file: File, folder: &Path, limits: Limits, given_up: &AtomicBool) -> Result<(), String> {
    let mut start = [0; 2];
    file.read_exact(&mut start).map_err(|_| not_gzip())?;
    if start != GZIP {
        return Err(not_gzip());
    }
    let allowance = Rc::new(Cell::new(0));
    let reader = MultiGzDecoder::new(io::BufReader::with_capacity(64 << 10, start.chain(file)));
    let mut archive = Archive::new(Allowed { reader, allowance: Rc::clone(&allowance), given_up });
    let mut unpacking = Unpacking { folder, members: Members::new(limits), links: Vec::new() };
    let failed = |error: io::Error| format!("the archive cannot be read: {error}");
    // Headers are read into memory, so they get no more than this; a member's content gets what the member says.
    allowance.set(HEADER_BYTES);
    for entry in archive.entries().map_err(failed)? {
        let mut entry = entry.map_err(failed)?;
        let size = entry.size();
        allowance.set(size.saturating_add(BLOCK));
        unpacking.member(&mut entry).map_err(|reason| {
            format!("member `{}` of the archive {reason}", String::from_utf8_lossy(&entry.path_bytes()))
        })?;
        // What was not read of a member is read when the next is looked for.
        io::copy(&mut entry, &mut io::sink()).map_err(failed)?;
        allowance.set(HEADER_BYTES);
    }
    // The checksum is behind the end of the archive.
    allowance.set(HEADER_BYTES);
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(failed)?;
    unpacking.make_links()
}

fn not_gzip() -> String {
    "it is no gzip-compressed tar archive (model.tar.gz), as ModelDataUrl has to name".to_owned()
}

struct Unpacking<'a> {
    folder: &'a Path,
    members: Members,
    /// Paths of symbolic links below the folder, and where they lead.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Unpacking<'_> {
    /// Unpacks a member. The reason of an error follows the member's name.
    fn member(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), String> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            return Ok(());
        }
        let relative = member_path(Path::new(OsStr::from_bytes(&entry.path_bytes())))
            .map_err(|reason| format!("cannot become a file: {reason}"))?;
        self.members.add(entry.size()).map_err(|reason| format!("is too much: {reason}"))?;
        let path = self.folder.join(&relative);
        match kind {
            EntryType::Directory => self.members.make_folder(self.folder, &path),
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                self.members.make_parents(self.folder, &path)?;
                make_file(entry, &path).map_err(|error| format!("could not be unpacked: {error}"))
            }
            EntryType::Link => {
                self.members.make_parents(self.folder, &path)?;
                self.hard_link(&link_target(entry)?, &path)
            }
            EntryType::Symlink => {
                self.members.make_parents(self.folder, &path)?;
                self.links.push((path, link_target(entry)?));
                Ok(())
            }
            EntryType::Char | EntryType::Block => Err("is a device, which a model cannot have".to_owned()),
            EntryType::Fifo => Err("is a pipe, which a model cannot have".to_owned()),
            other => Err(format!("is of a kind that a model cannot have ({:?})", char::from(other.as_byte()))),
        }
    }

    /// A hard link to a file that was unpacked before.
    fn hard_link(&self, target: &Path, path: &Path) -> Result<(), String> {
        let refused = |reason: String| format!("is a link to `{}`: {reason}", target.display());
        let before = self.folder.join(member_path(target).map_err(refused)?);
        // There are no symbolic links yet, so this is the member itself.
        if !before.symlink_metadata().is_ok_and(|found| found.is_file()) {
            return Err(refused("no file of this name comes before it".to_owned()));
        }
        if before == path {
            return Ok(());
        }
        remove_file(path).and_then(|()| fs::hard_link(&before, path)).map_err(|error| refused(error.to_string()))
    }

    /// Makes the symbolic links, and refuses those that lead nowhere or out of the folder.
    fn make_links(self) -> Result<(), String> {
        let canonical = fs::canonicalize(self.folder).map_err(|error| error.to_string())?;
        let refused = |path: &Path, target: &Path, reason: &str| {
            let member = path.strip_prefix(self.folder).unwrap_or(path);
            format!("member `{}` of the archive is a link to `{}`, {reason}", member.display(), target.display())
        };
        let mut made = HashSet::new();
        for (path, target) in &self.links {
            if target.is_absolute() {
                return Err(refused(path, target, "an absolute path"));
            }
            if !made.insert(path) {
                return Err(refused(path, target, "and there is another member of this name"));
            }
            symlink(target, path)
                .map_err(|error| refused(path, target, &format!("which could not be made: {error}")))?;
        }
        for (path, target) in &self.links {
            match fs::canonicalize(path) {
                Ok(found) if found.starts_with(&canonical) => {}
                Ok(_) => return Err(refused(path, target, "which is outside of the model's folder")),
                Err(_) => return Err(refused(path, target, "where nothing is")),
            }
        }
        Ok(())
    }
}

/// Where a member that is a link leads.
fn link_target(entry: &Entry<'_, impl Read>) -> Result<PathBuf, String> {
    let target = entry.link_name_bytes().filter(|target| !target.is_empty()).ok_or("is a link to nothing")?;
    Ok(PathBuf::from(OsStr::from_bytes(&target)))
}

/// A member's name as a path below a folder; it is empty for the folder itself.
fn member_path(name: &Path) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    for component in name.components() {
        match component {
            Component::Normal(part) if part.as_bytes().contains(&0) => {
                return Err("its name has a zero character".to_owned());
            }
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir => return Err("its name has a part `..`".to_owned()),
            Component::RootDir | Component::Prefix(_) => return Err("its name is an absolute path".to_owned()),
        }
    }
    Ok(path)
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a file of a member, in place of an earlier one. Whether it is a program stays, nothing else of its mode.
fn make_file(entry: &mut Entry<'_, impl Read>, path: &Path) -> io::Result<()> {
    remove_file(path)?;
    let is_program = entry.header().mode().unwrap_or(0) & 0o111 != 0;
    let mode = if is_program { 0o755 } else { 0o644 };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    io::copy(entry, &mut file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// Unpacks an archive of so many files of so many bytes.
    fn unpacked(files: usize, bytes: usize, limits: Limits, given_up: bool) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let mut archive = tar::Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        for number in 0..files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes as u64);
            archive.append_data(&mut header, format!("file-{number}"), io::repeat(b'x').take(bytes as u64)).unwrap();
        }
        archive.into_inner().unwrap().finish().unwrap().flush().unwrap();
        let model = folder.path().join("model");
        fs::create_dir(&model).unwrap();
        unpack(File::open(&path).unwrap(), &model, limits, &AtomicBool::new(given_up))
    }

    #[test]
    fn there_is_a_most_of_files_and_of_their_bytes() {
        let limits = Limits { bytes: 10_000, members: 10 };
        assert_eq!(unpacked(10, 1000, limits, false), Ok(()));
        let reason = unpacked(11, 10, limits, false).unwrap_err();
        assert!(reason.contains("`file-10`") && reason.contains("more than 10 files"), "{reason}");
        let reason = unpacked(2, 5001, limits, false).unwrap_err();
        assert!(reason.contains("`file-1`") && reason.contains("more than 10000 bytes"), "{reason}");
    }

    #[test]
    fn folders_between_count_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("archive");
        let mut archive = tar::Builder::new(GzEncoder::new(File::create(&path).unwrap(), Compression::fast()));
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        archive.append_data(&mut header, format!("{}file", "a/".repeat(20)), io::empty()).unwrap();
        archive.into_inner().unwrap().finish().unwrap();
        let unpack_at = |name: &str, members| {
            let model = folder.path().join(name);
            fs::create_dir(&model).unwrap();
            unpack(File::open(&path).unwrap(), &model, Limits { bytes: 1, members }, &AtomicBool::new(false))
        };
        assert_eq!(unpack_at("enough", 21), Ok(()));
        let reason = unpack_at("few", 20).unwrap_err();
        assert!(reason.contains("is too much") && reason.contains("more than 20 files and folders"), "{reason}");
    }

    #[test]
    fn it_ends_early_when_nobody_waits() {
        let reason = unpacked(1, 10, Limits::default(), true).unwrap_err();
        assert!(reason.contains("nobody waits"), "{reason}");
    }
}
