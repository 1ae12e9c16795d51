//! The distinct values of a column: how many there are decides what a column is, and they are facets, groups and categories.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Column, Values};

/// In place of a code: the cell is missing.
pub(crate) const MISSING: u32 = u32::MAX;

/// Which of its distinct values each row of a column has.
#[derive(Debug)]
pub(crate) struct Distinct {
    /// Codes from 0 in order of first appearance; [`MISSING`] where there is no value.
    pub(crate) codes: Vec<u32>,
    /// The first row that has each value.
    pub(crate) first_rows: Vec<usize>,
}

impl Distinct {
    /// The values of a column.
    pub(crate) fn of(column: &Column) -> Self {
        Self::at_most(usize::MAX, column).expect("there is no limit to exceed")
    }

    /// The values of a column, or None where there are more than so many.
    pub(crate) fn at_most(limit: usize, column: &Column) -> Option<Self> {
        match &column.values {
            Values::Integer(values) => from_keys(limit, values.iter().map(|value| Some(*value as u64))),
            Values::Float(values) => from_keys(limit, values.iter().map(|value| float_key(*value))),
            Values::Boolean(values) => from_keys(limit, values.iter().map(|value| value.map(u64::from))),
            Values::Text(texts) => from_keys(limit, texts.codes.iter().map(|code| code.map(u64::from))),
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.first_rows.len()
    }
}

/// Equal numbers have equal keys: zero has two representations.
fn float_key(value: f64) -> Option<u64> {
    if value.is_nan() {
        return None;
    }
    Some(if value == 0.0 { 0 } else { value.to_bits() })
}

fn from_keys(limit: usize, keys: impl Iterator<Item = Option<u64>>) -> Option<Distinct> {
    let mut known = HashMap::<u64, u32, BuildHasherDefault<KeyHasher>>::default();
    let mut distinct = Distinct { codes: Vec::with_capacity(keys.size_hint().0), first_rows: Vec::new() };
    for (row, key) in keys.enumerate() {
        let Some(key) = key else {
            distinct.codes.push(MISSING);
            continue;
        };
        let code = *known.entry(key).or_insert_with(|| {
            distinct.first_rows.push(row);
            (distinct.first_rows.len() - 1) as u32
        });
        if distinct.len() > limit {
            return None;
        }
        distinct.codes.push(code);
    }
    Some(distinct)
}

/// Spreads the bits of one number (the finaliser of `MurmurHash3`): keys are no secret and come by the million.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 ^ u64::from(*byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        let mut hash = key;
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.0 = hash ^ hash >> 33;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
