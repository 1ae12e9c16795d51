//! Records in the order in which they came.

use std::path::{Path, PathBuf};

use super::file::{BLOCK_BYTES, SpillFile, records_in};
use crate::Error;

/// Records in the order in which they were added.
///
/// The first ones stay in memory, those beyond the budget go to the scratch folder.
pub struct RecordLog<const N: usize> {
    scratch: PathBuf,
    most_in_memory: usize,
    first: Vec<[u8; N]>,
    file: Option<SpillFile<N>>,
    /// Records behind those in the file.
    last: Vec<[u8; N]>,
}

impl<const N: usize> RecordLog<N> {
    /// Nothing yet; `budget` bytes stay in memory.
    pub fn new(scratch: &Path, budget: usize) -> Self {
        let most_in_memory = records_in::<N>(budget);
        Self { scratch: scratch.to_owned(), most_in_memory, first: Vec::new(), file: None, last: Vec::new() }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The scratch folder takes no more.
    #[inline]
    pub fn push(&mut self, record: [u8; N]) -> Result<(), Error> {
        if self.first.len() < self.most_in_memory {
            self.first.push(record);
            return Ok(());
        }
        self.last.push(record);
        if self.last.len() >= records_in::<N>(BLOCK_BYTES) { self.spill() } else { Ok(()) }
    }

    fn spill(&mut self) -> Result<(), Error> {
        let file = match &mut self.file {
            Some(file) => file,
            empty => empty.insert(SpillFile::create(&self.scratch)?),
        };
        file.append(&self.last)?;
        self.last.clear();
        Ok(())
    }

    /// Calls `take` with every record, in order.
    ///
    /// # Errors
    /// The scratch folder cannot be read, or `take` fails.
    pub fn for_each(&mut self, take: &mut dyn FnMut([u8; N]) -> Result<(), Error>) -> Result<(), Error> {
        self.first.iter().try_for_each(|&record| take(record))?;
        if let Some(file) = &self.file {
            let mut rest = 0..file.count();
            let mut block = Vec::new();
            while !rest.is_empty() {
                file.read(&mut rest, records_in::<N>(BLOCK_BYTES), &mut block)?;
                block.iter().try_for_each(|&record| take(record))?;
            }
        }
        self.last.iter().try_for_each(|&record| take(record))
    }
}
