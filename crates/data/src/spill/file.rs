//! The unnamed file that records go to.

use std::fs::File;
use std::io::{Read, Seek as _, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Error;

/// Bytes written and read at a time.
pub(super) const BLOCK_BYTES: usize = 1024 * 1024;

/// Records one behind the other in a file without a name.
pub(super) struct SpillFile<const N: usize> {
    scratch: PathBuf,
    file: File,
    count: u64,
}

impl<const N: usize> SpillFile<N> {
    pub(super) fn create(scratch: &Path) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(scratch).map_err(|error| Error::io(scratch, error))?;
        Ok(Self { scratch: scratch.to_owned(), file, count: 0 })
    }

    /// Records written.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Writes records behind those that are there.
    pub(super) fn append(&mut self, records: &[[u8; N]]) -> Result<(), Error> {
        let place = SeekFrom::Start(self.count * N as u64);
        let written = self.file.seek(place).and_then(|_| self.file.write_all(records.as_flattened()));
        written.map_err(|error| refused(&self.scratch, &error))?;
        self.count += records.len() as u64;
        Ok(())
    }

    /// Puts records into `block`, in place of what it held: the next of `range`, as many as `most`.
    pub(super) fn read(
        &self,
        range: &mut std::ops::Range<u64>,
        most: usize,
        block: &mut Vec<[u8; N]>,
    ) -> Result<(), Error> {
        let count = (range.end - range.start).min(most as u64) as usize;
        block.resize(count, [0; N]);
        let mut file = &self.file;
        let place = SeekFrom::Start(range.start * N as u64);
        let read = file.seek(place).and_then(|_| file.read_exact(block.as_flattened_mut()));
        read.map_err(|error| refused(&self.scratch, &error))?;
        range.start += count as u64;
        Ok(())
    }
}

/// The folder is none that the user has named: what it was to be used for is said.
fn refused(scratch: &Path, error: &std::io::Error) -> Error {
    let problem = format!("records that do not fit into memory cannot be kept there for the time being: {error}");
    Error::File { path: scratch.to_owned(), problem }
}

/// Records that take so many bytes, one at least.
pub(super) fn records_in<const N: usize>(bytes: usize) -> usize {
    (bytes / N.max(1)).max(1)
}
