//! The data directory: its layout, its permissions, and the lock of the one service that has it.
//!
//! Folders have mode 0700 and files 0600, as they hold secrets and everybody's objects. A directory that exists already
//! keeps its mode: it may be somebody's home.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::Error;

/// A data directory that this process has until the value is dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    path: PathBuf,
    lock: File,
}

impl DataDirectory {
    /// Makes the directory where there is none, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        create_folder(path)?;
        let lock = lock(path)?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Lets go of the directory, of which nothing is used any more.
    pub(crate) fn unlock(&self) {
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, path = %self.path.display(), "the data directory could not be unlocked");
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// The lock goes with the open file, so that nothing of a killed process keeps it.
fn lock(folder: &Path) -> Result<File, Error> {
    let path = folder.join("lock");
    let mut file = private_file().read(true).open(&path).map_err(Error::file("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // What cannot be read is only missing in the message.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim().parse::<u32>().map_or_else(|_| String::new(), |id| format!(" (process {id})"));
            return Err(Error::InUse { path: folder.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => return Err(Error::File { action: "lock", path, source }),
    }
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::file("write", &path))?;
    Ok(file)
}

/// Opens for writing, making the file where there is none.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Makes a folder and those it is in, where they are missing.
pub(crate) fn create_folder(path: &Path) -> Result<(), Error> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(Error::file("create", path))
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(Error::file("sync", path))
}

/// Writes a new file that is there whole or not at all. False if there is one already.
pub(crate) fn write_new_file(path: &Path, content: &[u8]) -> Result<bool, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let temporary = path.with_extension("new");
    let mut file = private_file().truncate(true).open(&temporary).map_err(Error::file("create", &temporary))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(Error::file("write", &temporary))?;
    let linked = std::fs::hard_link(&temporary, path);
    std::fs::remove_file(&temporary).map_err(Error::file("remove", &temporary))?;
    match linked {
        Ok(()) => sync_folder(folder).map(|()| true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(Error::file("create", path)(error)),
    }
}
