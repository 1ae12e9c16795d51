//! Results appear whole or not at all.
//!
//! Everything is written to temporary files in the folder it belongs to; only when all of it is there are they given
//! their names. A run that fails or is stopped before leaves the folder as it was.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::Error;

/// Files of one folder that are to appear together.
pub struct Output {
    folder: PathBuf,
    written: Vec<(NamedTempFile, PathBuf)>,
    obsolete: Vec<PathBuf>,
}

impl Output {
    /// Begins a set of files in a folder, which is made where it is missing.
    pub fn new(folder: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|source| failed(folder, source))?;
        Ok(Self { folder: folder.to_owned(), written: Vec::new(), obsolete: Vec::new() })
    }

    /// Adds a file.
    pub fn add(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let path = self.folder.join(name);
        let file = self.temporary(content).map_err(|source| failed(&path, source))?;
        self.written.push((file, path));
        Ok(())
    }

    /// A file of an earlier run that would tell of it wrongly; it goes when the new ones come.
    pub fn remove(&mut self, name: &str) {
        self.obsolete.push(self.folder.join(name));
    }

    /// Gives all files their names.
    pub fn finish(self) -> Result<(), Error> {
        for path in self.obsolete {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(&path, error)),
                _ => {}
            }
        }
        for (file, path) in self.written {
            file.persist(&path).map_err(|error| failed(&path, error.error))?;
        }
        Ok(())
    }

    fn temporary(&self, content: &[u8]) -> std::io::Result<NamedTempFile> {
        let mut builder = Builder::new();
        builder.prefix(".watchkeeper-");
        // As any other file: the user's mask decides who may read it.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(&self.folder)?;
        file.write_all(content)?;
        file.as_file().sync_all()?;
        Ok(file)
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Output { path: path.to_owned(), source }
}

/// Writes one file, whole or not at all. What is no file (a terminal, a pipe) is written to as it is.
pub fn write(path: &Path, content: &[u8]) -> Result<(), Error> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir()) {
        return std::fs::write(path, content).map_err(|source| failed(path, source));
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut output = Output::new(folder)?;
    output.add(&name, content)?;
    output.finish()
}
