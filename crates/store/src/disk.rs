//! The disk of the data directory: what stays free on it, and how much of it objects may take.
//!
//! A database whose disk is full cannot even delete. So whatever clients can make grow is refused while there is still
//! room for the database: objects and parts, log lines, copies for jobs. Deletions, and changes of documents, go on.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::statvfs::statvfs;

use crate::Error;

/// The log says at most this often that something was refused.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Bytes that go to a file at once. The more there are, the larger the pieces of free memory that Linux takes to hold them, and large
/// ones have often lain idle for long: of a virtual machine the host may have to give each anew, which takes longer than copying.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Writes much to a file, in pieces.
///
/// # Errors
/// As for [`std::io::Write::write_all`].
pub fn write_in_pieces(file: &mut File, bytes: &[u8]) -> std::io::Result<()> {
    bytes.chunks(WRITTEN_AT_ONCE).try_for_each(|piece| file.write_all(piece))
}

/// The disk of a data directory, and what may be taken of it.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    reserve: u64,
    quota: u64,
    warned: Mutex<Option<Instant>>,
}

impl Disk {
    /// The disk of a folder. So many bytes stay free on it, and objects may take up so many; 0 means no limit.
    pub(crate) fn new(folder: &Path, reserve: u64, quota: u64) -> Self {
        Self { folder: folder.to_owned(), reserve, quota, warned: Mutex::default() }
    }

    /// Bytes that this process may still write; none where the disk does not say.
    fn free(&self) -> Option<u64> {
        let disk = statvfs(&self.folder).ok()?;
        Some(disk.blocks_available().saturating_mul(disk.fragment_size()))
    }

    /// The most bytes of all objects; 0: no limit.
    pub(crate) fn quota(&self) -> u64 {
        self.quota
    }

    /// Refuses what would leave less than the reserve.
    ///
    /// # Errors
    /// [`Error::DiskFull`].
    pub(crate) fn check(&self, bytes: u64) -> Result<(), Error> {
        // What the disk does not say the write itself will.
        let Some(free) = self.free().filter(|_| self.reserve > 0) else { return Ok(()) };
        if free >= self.reserve.saturating_add(bytes) {
            return Ok(());
        }
        self.refuse(Error::DiskFull { free, wanted: bytes, reserve: self.reserve })
    }

    /// Refuses objects that have more bytes together than the quota.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`].
    pub(crate) fn check_quota(&self, used: u64) -> Result<(), Error> {
        if self.quota == 0 || used <= self.quota {
            return Ok(());
        }
        self.refuse(Error::QuotaExceeded { wanted: used, quota: self.quota })
    }

    fn refuse(&self, error: Error) -> Result<(), Error> {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
            *warned = Some(Instant::now());
            tracing::warn!(%error, folder = %self.folder.display(), "writes are refused");
        }
        Err(error)
    }
}
