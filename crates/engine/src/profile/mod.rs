//! Data quality: what a dataset looks like, which constraints describe it, and whether another one obeys them.
//!
//! Data flows one way: batches are folded into [`ColumnProfile`]s, those make a [`Profile`], a profile makes the
//! statistics and the suggested constraints, and those are judged against a baseline's. Everything here follows the
//! specification of AWS's analyzer as observed in its output; sections named in comments are those of that
//! specification.

mod checks;
mod column_profile;
mod comparison;
mod drift;
mod merge_tree;
mod numeric;
mod statistics;
mod suggestion;
mod value;

pub use checks::{Judgement, Rules, compare_distributions, judge};
pub use column_profile::ColumnProfile;
pub use comparison::{Distance, DriftComparison, DriftMethod, DriftOutcome, DriftSkip};
pub use drift::rank_map;
pub use merge_tree::MergeTree;
pub use value::{Integer, Value};

use crate::encoding::{DecodeError, Reader, Writer};

/// A dataset, folded: the number of its records and its columns in dataset order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    /// Records, each one row.
    pub records: u64,
    /// Columns in dataset order, with their names.
    pub columns: Vec<(String, ColumnProfile)>,
}

/// Version of the bytes of [`Profile::to_bytes`].
const ENCODING_VERSION: u8 = 1;

impl Profile {
    /// Puts the profile of a later part of the dataset behind this one. Columns meet by name; one that only the later
    /// part has comes after those of this one.
    ///
    /// The result depends on which parts are merged in which order, and on nothing else: it has the same bytes
    /// whatever number of threads folded the parts.
    pub fn merge(&mut self, later: Self) {
        self.records += later.records;
        let same_columns = self.columns.len() == later.columns.len()
            && self.columns.iter().zip(&later.columns).all(|((mine, _), (theirs, _))| mine == theirs);
        if same_columns {
            for ((_, mine), (_, theirs)) in self.columns.iter_mut().zip(&later.columns) {
                mine.merge(theirs);
            }
            return;
        }
        // Names may repeat (a header with the same name twice): the n-th of a name meets the n-th.
        let mut places: std::collections::HashMap<(String, usize), usize> = std::collections::HashMap::new();
        let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for (index, (name, _)) in self.columns.iter().enumerate() {
            let nth = seen.entry(name.clone()).or_default();
            places.insert((name.clone(), *nth), index);
            *nth += 1;
        }
        seen.clear();
        for (name, theirs) in later.columns {
            let nth = seen.entry(name.clone()).or_default();
            if let Some(&index) = places.get(&(name.clone(), *nth)) {
                self.columns[index].1.merge(&theirs);
            } else {
                self.columns.push((name.clone(), theirs));
            }
            *nth += 1;
        }
    }

    /// The state as bytes, for another process to merge.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.u8(ENCODING_VERSION);
        out.u64(self.records);
        out.u64(self.columns.len() as u64);
        for (name, column) in &self.columns {
            out.bytes(name.as_bytes());
            column.encode(&mut out);
        }
        out.finish()
    }

    /// The state that [`Self::to_bytes`] wrote.
    ///
    /// # Errors
    /// When the bytes are of another version, end early, or lie about a length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut from = Reader::new(bytes);
        let version = from.u8()?;
        if version != ENCODING_VERSION {
            return Err(DecodeError::new(format!("version {version} of a profile, expected {ENCODING_VERSION}")));
        }
        let records = from.u64()?;
        let count = from.u64()?;
        let mut columns = Vec::new();
        for _ in 0..count {
            let name = String::from_utf8(from.bytes()?.to_vec())
                .map_err(|_| DecodeError::new("a column's name is not UTF-8".to_owned()))?;
            columns.push((name, ColumnProfile::decode(&mut from)?));
        }
        from.finish()?;
        Ok(Self { records, columns })
    }
}
