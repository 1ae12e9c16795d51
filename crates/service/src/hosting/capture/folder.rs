//! Folders that are there after a crash of the machine too.

use std::fs::{self, File};
use std::io::{ErrorKind, Result};
use std::path::Path;

use nix::sys::statvfs::statvfs;

/// Makes a folder and those above it that are missing. A file in it is only as safe as they are: each is synced into its
/// parent.
pub(super) fn make(folder: &Path) -> Result<()> {
    let parent = folder.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    match (fs::create_dir(folder), parent) {
        (Ok(()), Some(parent)) => sync(parent),
        (Err(error), Some(parent)) if error.kind() == ErrorKind::NotFound => {
            make(parent)?;
            make(folder)
        }
        (Err(error), _) if error.kind() == ErrorKind::AlreadyExists && fs::metadata(folder)?.is_dir() => Ok(()),
        (other, _) => other,
    }
}

/// Makes what was made, renamed or deleted in a folder last.
pub(super) fn sync(folder: &Path) -> Result<()> {
    File::open(folder)?.sync_all()
}

/// Bytes that journals leave free on their disk, or a sixteenth of a small one: a database may be on it.
const LEFT_FREE: u64 = 64 << 20;

/// Whether a folder's disk has no room for so many bytes more.
pub(super) fn is_nearly_full(folder: &Path, bytes: u64) -> bool {
    // What the disk does not say the write itself will.
    statvfs(folder).is_ok_and(|disk| {
        let of = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
        of(disk.blocks_available()) < LEFT_FREE.min(of(disk.blocks()) / 16).saturating_add(bytes)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn all_above_are_made_and_what_is_no_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        make(&deep).unwrap();
        make(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        assert_eq!(make(&deep.join("file")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(make(&deep.join("file/d")).unwrap_err().kind(), ErrorKind::NotADirectory);
        std::os::unix::fs::symlink("nowhere", deep.join("link")).unwrap();
        assert!(make(&deep.join("link/d")).is_err());
    }
}
