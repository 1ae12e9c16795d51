//! The part of a job's volume that decompressed inputs may fill.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The bytes that all files of one root may still take together, asked for before they are written.
pub(super) struct Space {
    left: AtomicU64,
    given_up: AtomicBool,
}

impl Space {
    pub(super) fn new(bytes: u64) -> Self {
        Self { left: AtomicU64::new(bytes), given_up: AtomicBool::new(false) }
    }

    /// Takes bytes; fails when there are not as many, or when nobody waits for the files any more.
    pub(super) fn take(&self, bytes: u64) -> io::Result<()> {
        if self.given_up.load(Ordering::Relaxed) {
            return Err(io::Error::other("the staging was given up"));
        }
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        match taken {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("the inputs are larger than the volume; ask for a larger VolumeSizeInGB")),
        }
    }
}

/// Gives the space up when it is dropped: work with files on threads of its own does not end with the future that waits
/// for it.
pub(super) struct GivesUp(pub(super) Arc<Space>);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.given_up.store(true, Ordering::Relaxed);
    }
}
