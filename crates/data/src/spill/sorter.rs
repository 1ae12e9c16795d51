//! Records in the order of their bytes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::file::{BLOCK_BYTES, SpillFile, records_in};
use crate::Error;

/// Sorted runs that are merged at once: each has a block in memory.
const MOST_RUNS: usize = 128;

/// Records in the order of their bytes.
///
/// What fits into the budget is sorted in memory; else it is sorted piece by piece, and the pieces are merged when they are read.
pub struct Sorter<const N: usize> {
    scratch: PathBuf,
    most_in_memory: usize,
    /// Not sorted before [`Self::sort`]; empty after it when there are runs.
    records: Vec<[u8; N]>,
    runs: Option<Runs<N>>,
}

/// Sorted runs of records, one behind the other in a file.
struct Runs<const N: usize> {
    file: SpillFile<N>,
    places: Vec<Range<u64>>,
}

impl<const N: usize> Sorter<N> {
    /// Nothing yet; `budget` bytes stay in memory.
    pub fn new(scratch: &Path, budget: usize) -> Self {
        let most_in_memory = records_in::<N>(budget);
        Self { scratch: scratch.to_owned(), most_in_memory, records: Vec::new(), runs: None }
    }

    /// Adds a record.
    ///
    /// # Errors
    /// The scratch folder takes no more.
    #[inline]
    pub fn push(&mut self, record: [u8; N]) -> Result<(), Error> {
        if self.records.len() >= self.most_in_memory {
            self.spill()?;
        }
        self.records.push(record);
        Ok(())
    }

    /// Sorts the records in memory and makes a run of them.
    fn spill(&mut self) -> Result<(), Error> {
        sort_records(&mut self.records);
        let runs = match &mut self.runs {
            Some(runs) => runs,
            empty => empty.insert(Runs { file: SpillFile::create(&self.scratch)?, places: Vec::new() }),
        };
        runs.append(&self.records)?;
        self.records.clear();
        Ok(())
    }

    /// Sorts what there is; nothing may be added after it.
    ///
    /// # Errors
    /// The scratch folder takes no more.
    pub fn sort(&mut self) -> Result<(), Error> {
        if self.runs.is_none() {
            sort_records(&mut self.records);
            return Ok(());
        }
        if !self.records.is_empty() {
            self.spill()?;
        }
        self.records = Vec::new();
        while let Some(runs) = self.runs.take_if(|runs| runs.places.len() > MOST_RUNS) {
            self.runs = Some(runs.merged(&self.scratch, self.most_in_memory)?);
        }
        Ok(())
    }

    /// Calls `take` with every record from the smallest to the largest; may be called again.
    ///
    /// # Errors
    /// The scratch folder cannot be read, or `take` fails.
    pub fn for_each(&mut self, take: &mut dyn FnMut([u8; N]) -> Result<(), Error>) -> Result<(), Error> {
        match &self.runs {
            None => self.records.iter().try_for_each(|&record| take(record)),
            Some(runs) => runs.merge(&runs.places, self.most_in_memory, take),
        }
    }
}

impl<const N: usize> Runs<N> {
    fn append(&mut self, records: &[[u8; N]]) -> Result<(), Error> {
        let start = self.file.count();
        self.file.append(records)?;
        self.places.push(start..self.file.count());
        Ok(())
    }

    /// Fewer and longer runs of the same records.
    fn merged(self, scratch: &Path, most_in_memory: usize) -> Result<Self, Error> {
        let mut file = SpillFile::create(scratch)?;
        let mut places = Vec::new();
        let mut block = Vec::new();
        for group in self.places.chunks(MOST_RUNS) {
            let start = file.count();
            self.merge(group, most_in_memory, &mut |record| {
                block.push(record);
                if block.len() >= records_in::<N>(BLOCK_BYTES) {
                    file.append(&block)?;
                    block.clear();
                }
                Ok(())
            })?;
            file.append(&block)?;
            block.clear();
            places.push(start..file.count());
        }
        Ok(Self { file, places })
    }

    /// Calls `take` with the records of some runs in their order.
    fn merge(
        &self,
        places: &[Range<u64>],
        most_in_memory: usize,
        take: &mut dyn FnMut([u8; N]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let most = (most_in_memory / places.len().max(1)).clamp(1, records_in::<N>(BLOCK_BYTES));
        let mut cursors: Vec<Cursor<N>> = places.iter().map(|place| Cursor::new(place.clone(), most)).collect();
        let mut heads = BinaryHeap::with_capacity(cursors.len());
        for (index, cursor) in cursors.iter_mut().enumerate() {
            if let Some(record) = cursor.next(&self.file)? {
                heads.push(Reverse((record, index)));
            }
        }
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((record, index)) = *head;
            take(record)?;
            match cursors[index].next(&self.file)? {
                Some(record) => *head = Reverse((record, index)),
                None => drop(PeekMut::pop(head)),
            }
        }
        Ok(())
    }
}

/// Where the reading of a run stands.
struct Cursor<const N: usize> {
    rest: Range<u64>,
    most: usize,
    block: Vec<[u8; N]>,
    at: usize,
}

impl<const N: usize> Cursor<N> {
    fn new(rest: Range<u64>, most: usize) -> Self {
        Self { rest, most, block: Vec::new(), at: 0 }
    }

    fn next(&mut self, file: &SpillFile<N>) -> Result<Option<[u8; N]>, Error> {
        if self.at == self.block.len() {
            if self.rest.is_empty() {
                return Ok(None);
            }
            file.read(&mut self.rest, self.most, &mut self.block)?;
            self.at = 0;
        }
        self.at += 1;
        Ok(Some(self.block[self.at - 1]))
    }
}

/// Sorts by bytes. The first sixteen are compared as one number, which is several times faster than byte by byte.
fn sort_records<const N: usize>(records: &mut [[u8; N]]) {
    if N > size_of::<u128>() {
        records.sort_unstable();
        return;
    }
    records.sort_unstable_by_key(|record| {
        let mut bytes = [0; size_of::<u128>()];
        bytes[..N].copy_from_slice(record);
        u128::from_be_bytes(bytes)
    });
}
