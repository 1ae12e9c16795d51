//! The folders of programs, of jobs and of models: what is read in them, and how they go.
//!
//! A program can put anything in the place of its files and folders. What is read here is not a link, nor below one, so
//! that nothing outside becomes a result; and nothing that has to be waited for, as a pipe.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Error, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;

/// How often a folder is removed to which something is added at the same time.
const MOST_REMOVALS: u32 = 100;

/// Makes the folder of a program, which nobody else gets into. What the program is has a user of its own, perhaps, and gets it
/// then.
pub(crate) fn make(folder: &Path) -> std::io::Result<()> {
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent)?;
    }
    DirBuilder::new().mode(0o700).create(folder)
}

/// Refuses a path below a folder when a part of it is a link.
pub(crate) fn refuse_links(folder: &Path, relative: &Path) -> std::io::Result<()> {
    let mut path = folder.to_owned();
    for part in relative {
        path.push(part);
        if path.symlink_metadata()?.is_symlink() {
            return Err(Error::other(format!("{} is a link", path.display())));
        }
    }
    Ok(())
}

/// Opens a file below a folder for reading.
pub(crate) fn open(folder: &Path, relative: &Path) -> std::io::Result<File> {
    refuse_links(folder, relative)?;
    let flags = (OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(folder.join(relative))?;
    if !file.metadata()?.is_file() {
        return Err(Error::other("it is no file"));
    }
    Ok(file)
}

/// Removes a folder and all below, also what its program made inaccessible.
pub(crate) async fn remove(folder: &Path) {
    let path = folder.to_owned();
    let removed = tokio::task::spawn_blocking(move || remove_all(&path)).await;
    match removed {
        Ok(Ok(())) | Err(_) => {}
        Ok(Err(error)) => {
            tracing::warn!(folder = %folder.display(), %error, "the folder of a program could not be removed");
        }
    }
}

pub(crate) fn remove_all(folder: &Path) -> std::io::Result<()> {
    let mut left = MOST_REMOVALS;
    loop {
        left -= 1;
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied && left > 0 => open_up(folder)?,
            // A file that somebody was about to write has come.
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && left > 0 => {}
            other => return other,
        }
    }
}

/// Lets this process into every folder below. Links are not followed, and files are not touched: they may be links to
/// stored bodies.
fn open_up(folder: &Path) -> std::io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_up(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes the folders that an earlier process left.
pub(crate) async fn sweep(jobs: &Path) {
    let Ok(mut entries) = tokio::fs::read_dir(jobs).await else { return };
    while let Ok(Some(entry)) = entries.next_entry().await {
        remove(&entry.path()).await;
    }
}
