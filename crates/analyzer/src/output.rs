//! Results appear whole or not at all.
//!
//! Everything is written to temporary files in the folder it belongs to; only when all of it is there are they given
//! their names. A run that fails or is stopped before leaves the folder as it was, and one that was made for it is gone
//! again. A process that a signal ends waits for that ([`exit`]).
//!
//! Decided against: files without a name (`O_TMPFILE`), which would vanish even when the process is killed, but can
//! replace no file and are not to be had on every file system.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use tempfile::{Builder, NamedTempFile};

use crate::Error;

/// Held for reading while there are temporary files.
static WRITING: RwLock<()> = RwLock::new(());

/// Ends the process at once, from whichever thread, but not while results are being written.
#[expect(clippy::disallowed_methods, reason = "this is what waits for half-written files")]
pub fn exit(status: i32) -> ! {
    let _nobody_writes = WRITING.write().unwrap_or_else(PoisonError::into_inner);
    std::process::exit(status)
}

/// Bytes that go to a file at once. For more of them Linux takes larger pieces of free memory, which have often lain idle for long: of
/// a virtual machine the host may have to give each anew, which takes longer than copying.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Files that are to appear together.
pub struct Output {
    // Dropped in this order: files, the folders they are in, the lock.
    written: Vec<(NamedTempFile, PathBuf)>,
    obsolete: Vec<PathBuf>,
    folders: NewFolders,
    _writing: RwLockReadGuard<'static, ()>,
}

impl Default for Output {
    fn default() -> Self {
        Self {
            written: Vec::new(),
            obsolete: Vec::new(),
            folders: NewFolders::default(),
            _writing: WRITING.read().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Output {
    /// Adds a file; its folder is made where it is missing.
    pub fn add(&mut self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let mut file = self.temporary(path)?;
        let written = write_in_pieces(&mut file, content).and_then(|()| file.as_file().sync_all());
        written.map_err(|source| failed(path, source))?;
        self.written.push((file, path.to_owned()));
        Ok(())
    }

    /// Begins a file that is too large to be held; [`Output::append`] adds to it until the next one is added or begun. What is
    /// appended is not forced to the disk: a job that the machine's end cuts short is run again.
    pub fn begin(&mut self, path: &Path) -> Result<(), Error> {
        let file = self.temporary(path)?;
        self.written.push((file, path.to_owned()));
        Ok(())
    }

    fn temporary(&mut self, path: &Path) -> Result<NamedTempFile, Error> {
        let folder = folder_of(path);
        self.folders.make(folder).map_err(|source| failed(folder, source))?;
        temporary(folder).map_err(|source| failed(path, source))
    }

    /// Adds to the file that was begun last.
    pub fn append(&mut self, content: &[u8]) -> Result<(), Error> {
        let Some((file, path)) = self.written.last_mut() else { return Ok(()) };
        write_in_pieces(file, content).map_err(|source| failed(path, source))
    }

    /// Adds a file, where there is one; else one of an earlier run goes.
    pub(crate) fn add_or_remove(&mut self, path: &Path, content: Option<&str>) -> Result<(), Error> {
        if let Some(content) = content {
            return self.add(path, content.as_bytes());
        }
        self.remove(path);
        Ok(())
    }

    /// A file of an earlier run that would tell of it wrongly; it goes when the new ones come.
    pub fn remove(&mut self, path: &Path) {
        self.obsolete.push(path.to_owned());
    }

    /// Gives all files their names.
    pub fn finish(mut self) -> Result<(), Error> {
        // The one reason for a name to be refused that can be known before the first is given.
        let mut paths = self.written.iter().map(|(_, path)| path).chain(&self.obsolete);
        if let Some(path) = paths.find(|path| is_folder(path)) {
            return Err(failed(path, std::io::ErrorKind::IsADirectory.into()));
        }
        for path in &self.obsolete {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(path, error)),
                _ => {}
            }
        }
        for (file, path) in self.written.drain(..) {
            file.persist(&path).map_err(|error| failed(&path, error.error))?;
            self.folders.keep();
        }
        Ok(())
    }
}

/// Folders that were made for files; they go again unless they are kept.
#[derive(Default)]
struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    fn make(&mut self, folder: &Path) -> std::io::Result<()> {
        let is_missing = |path: &&Path| matches!(path.try_exists(), Ok(false));
        let missing: Vec<&Path> = folder.ancestors().take_while(is_missing).collect();
        // One that is named and empty is the current folder.
        for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
            match std::fs::create_dir(folder) {
                Ok(()) => self.0.push(folder.to_owned()),
                // Somebody else made it meanwhile.
                Err(_) if is_folder(folder) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for NewFolders {
    fn drop(&mut self) {
        for folder in self.0.iter().rev() {
            // Whoever has put something there meanwhile keeps it.
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Finds out, before a long run, whether files can be written to a folder that may not be there yet. Leaves no trace.
pub fn check_folder(folder: &Path) -> Result<(), Error> {
    let mut output = Output::default();
    output.folders.make(folder).and_then(|()| temporary(folder).map(drop)).map_err(|source| failed(folder, source))
}

/// Where goes what does not fit into memory: to the disk that results go to, as there is room for them, but not among them; else
/// where the system has temporary files.
pub(crate) fn scratch_folder(output: &Path) -> PathBuf {
    let parents = output.ancestors().skip(1);
    let mut named = parents.map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder });
    let nearest = named.find(|folder| is_folder(folder));
    let writable = nearest.filter(|folder| tempfile::tempfile_in(folder).is_ok());
    writable.map_or_else(std::env::temp_dir, Path::to_owned)
}

fn temporary(folder: &Path) -> std::io::Result<NamedTempFile> {
    // The library adds the temporary name to an error, which says nothing to anybody.
    let mut refusal = None;
    let create = |path: &Path| {
        // As any other file: the user's mask decides who may read it.
        let file = File::options().write(true).create_new(true).open(path);
        file.inspect_err(|error| refusal = error.raw_os_error())
    };
    let file = Builder::new().prefix(".watchkeeper-").make_in(folder, create);
    file.map_err(|error| refusal.map_or(error, std::io::Error::from_raw_os_error))
}

fn write_in_pieces(file: &mut NamedTempFile, content: &[u8]) -> std::io::Result<()> {
    content.chunks(WRITTEN_AT_ONCE).try_for_each(|piece| file.as_file_mut().write_all(piece))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn is_folder(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Output { path: path.to_owned(), source }
}

/// Writes one file, whole or not at all. What is no file (a terminal, a pipe) is written to as it is.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return std::fs::write(path, content).map_err(|source| failed(path, source));
    }
    let mut output = Output::default();
    output.add(path, content)?;
    output.finish()
}
