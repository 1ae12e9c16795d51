//! Quantile sketch of the numbers of a column: the KLL sketch of Karnin, Lang and Liberty ("Optimal Quantile
//! Approximation in Streams", 2016) as Deequ has it, with k = 2048, c = 0.64 and alternating instead of random offsets.
//!
//! It promises the very items of Deequ's sketch in the same order, for any sequence of values and merges, because
//! they are written into the statistics file and buckets and drift are computed from them. Hence one rule that a sketch
//! could do without: -0.0 is sorted before 0.0.
//!
//! Nothing is allocated ahead: data sets of 20,000 columns have a sketch each.

mod ranks;
mod sort;

use watchkeeper_formats::KllBucket;

pub use self::ranks::Ranks;
use crate::encoding::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;
/// What a level takes at least: compactions, number of items.
const LEVEL_BYTES: usize = 9;

/// Levels that a sketch from outside may have; 2,050 values at the last one stand for 10^15.
const MAX_LEVELS: usize = 40;
/// Values that a sketch from outside may stand for: all counts are exact as doubles.
const MAX_COUNT: u64 = 1 << 53;
/// The number of buckets of a distribution.
const BUCKETS: u32 = 10;

/// The items that stand for 2^h values each, at the index h of the sketch's levels.
#[derive(Debug, Clone, Default, PartialEq)]
struct Level {
    /// In order of arrival at the lowest level, above it sorted runs one behind the other.
    items: Vec<f64>,
    /// How often it has been compacted, modulo 4: after that the offsets repeat.
    compactions: u8,
}

impl Level {
    /// Moves half of the items, every second one in sorted order, to `above`; of an odd number the last one stays.
    fn compact_into(&mut self, above: &mut Vec<f64>) {
        // Deequ turns the offset round before every other compaction: first, second, second, first, first, ...
        let keep_second = matches!(self.compactions, 1 | 2);
        self.compactions = (self.compactions + 1) % 4;
        let even_length = self.items.len() & !1;
        sort::append_every_second(&self.items[..even_length], keep_second, above);
        self.items.drain(..even_length);
    }
}

/// A quantile sketch, see the module's comment. Equality is that of the whole state: equal sketches stay equal when
/// they are given the same values.
#[derive(Debug, Clone, PartialEq)]
pub struct Kll {
    /// Lowest first, never empty.
    levels: Vec<Level>,
    /// Items in all levels.
    stored: usize,
    /// Sum of the capacities of the levels.
    capacity: usize,
}

impl Default for Kll {
    fn default() -> Self {
        Self::new()
    }
}

impl Kll {
    /// Deequ's `sketchSize`, which decides how many items are kept.
    pub const K: u32 = 2048;
    /// Deequ's `shrinkingFactor`, by which the capacity of each level is smaller than that of the level below.
    pub const C: f64 = 0.64;

    /// The sketch of no values.
    pub fn new() -> Self {
        Self { levels: vec![Level::default()], stored: 0, capacity: level_capacity(0) }
    }

    /// Rebuilds a sketch from the `data` of a statistics file: the items of each level, lowest level first. How often
    /// the levels have been compacted is not in the file and starts at 0.
    ///
    /// `None` when no fold can have made the levels: there are more than 40, they stand for more than 2^53 values, or
    /// there is a NaN among them.
    pub fn from_levels(levels: Vec<Vec<f64>>) -> Option<Self> {
        let levels = levels.into_iter().map(|items| Level { items, ..Level::default() }).collect();
        Self::checked(levels).ok()
    }

    fn checked(mut levels: Vec<Level>) -> Result<Self, DecodeError> {
        let invalid = |reason: &str| Err(DecodeError::new(format!("a quantile state {reason}")));
        if levels.len() > MAX_LEVELS {
            return invalid("has more than 40 levels");
        }
        if levels.iter().any(|level| level.items.iter().any(|item| item.is_nan())) {
            return invalid("holds an item that is not a number");
        }
        let weight = |(height, level): (usize, &Level)| (level.items.len() as u64).checked_mul(1 << height);
        let count = levels.iter().enumerate().try_fold(0_u64, |sum, level| sum.checked_add(weight(level)?));
        if count.is_none_or(|count| count > MAX_COUNT) {
            return invalid("stands for more than 2^53 values");
        }
        if levels.is_empty() {
            levels.push(Level::default());
        }
        let stored = levels.iter().map(|level| level.items.len()).sum();
        let capacity = (0..levels.len()).map(level_capacity).sum();
        Ok(Self { levels, stored, capacity })
    }

    /// Takes in the next value. NaN is no value of a column and must not be given.
    #[inline]
    pub fn add(&mut self, value: f64) {
        debug_assert!(!value.is_nan(), "a NaN cannot be sorted");
        self.levels[0].items.push(value);
        self.stored += 1;
        if self.stored > self.capacity {
            self.condense();
        }
    }

    /// Takes in the values of `other`, which come after those of `self`.
    pub fn merge(&mut self, other: &Self) {
        while self.levels.len() < other.levels.len() {
            self.add_level();
        }
        for (own, others) in self.levels.iter_mut().zip(&other.levels) {
            own.items.extend_from_slice(&others.items);
        }
        self.stored += other.stored;
        while self.stored >= self.capacity {
            self.condense();
        }
    }

    /// Compacts the lowest level that is full. There is one whenever the stored items reach the capacity.
    #[cold]
    #[inline(never)]
    fn condense(&mut self) {
        let full = |&height: &usize| self.levels[height].items.len() >= level_capacity(height);
        let Some(height) = (0..self.levels.len()).find(full) else { return };
        if height + 1 == self.levels.len() {
            self.add_level();
        }
        let (lower, upper) = self.levels.split_at_mut(height + 1);
        let before = lower[height].items.len();
        lower[height].compact_into(&mut upper[0].items);
        self.stored -= (before - lower[height].items.len()) / 2;
    }

    fn add_level(&mut self) {
        self.capacity += level_capacity(self.levels.len());
        self.levels.push(Level::default());
    }

    /// The items of each level in buffer order, lowest level first: the `data` of a statistics file. An item at index
    /// h stands for 2^h values.
    pub fn levels(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.levels.iter().map(|level| level.items.as_slice())
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.stored == 0
    }

    /// The number of values the sketch stands for.
    pub fn count(&self) -> u64 {
        self.levels().enumerate().map(|(height, items)| (items.len() as u64) << height).sum()
    }

    /// All items with their weights: by value with -0.0 before 0.0, equal ones with the lowest level first.
    pub(crate) fn sorted_items(&self) -> Vec<(f64, u64)> {
        let mut items = Vec::with_capacity(self.stored);
        for (height, level) in self.levels().enumerate() {
            items.extend(level.iter().map(|&item| (item, 1 << height)));
        }
        items.sort_by(|left: &(f64, u64), right| left.0.total_cmp(&right.0));
        items
    }

    /// The distribution function of the sketch, for as many questions as one likes.
    pub fn ranks(&self) -> Ranks {
        Ranks::from_sorted(self.sorted_items())
    }

    /// Ten buckets of equal width from `min` to `max`, the extremes of the column, with the number of values that the
    /// sketch puts into each. All bounds are exclusive above but the last.
    pub fn buckets(&self, min: f64, max: f64) -> Vec<KllBucket> {
        let ranks = self.ranks();
        let buckets = f64::from(BUCKETS);
        let bucket = |index: u32| {
            let lower_bound = min + (max - min) * f64::from(index) / buckets;
            let upper_bound = min + (max - min) * f64::from(index + 1) / buckets;
            let last = index + 1 == BUCKETS;
            let to = if last { ranks.inclusive(upper_bound) } else { ranks.exclusive(upper_bound) };
            let from = ranks.exclusive(lower_bound);
            KllBucket { lower_bound, upper_bound, count: to as f64 - from as f64 }
        };
        (0..BUCKETS).map(bucket).collect()
    }

    /// Appends the state.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(VERSION);
        writer.length(self.levels.len());
        for level in &self.levels {
            writer.u8(level.compactions);
            writer.length(level.items.len());
            for &item in &level.items {
                writer.f64(item);
            }
        }
    }

    /// Reads a state from the front of what is left.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("quantile", VERSION)?;
        let count = reader.length(LEVEL_BYTES)?;
        if count == 0 {
            return Err(DecodeError::new("a quantile state has no level"));
        }
        Self::checked((0..count).map(|_| decode_level(reader)).collect::<Result<_, _>>()?)
    }
}

fn decode_level(reader: &mut Reader<'_>) -> Result<Level, DecodeError> {
    let compactions = reader.u8()?;
    if compactions > 3 {
        return Err(DecodeError::new("the number of compactions of a quantile state is not modulo 4"));
    }
    let length = reader.length(size_of::<f64>())?;
    let (items, _) = reader.raw(length * size_of::<f64>())?.as_chunks();
    let items = items.iter().map(|&item| f64::from_le_bytes(item)).collect();
    Ok(Level { items, compactions })
}

/// 2 * (ceil(k * c^height / 2) + 1) with k = 2048, c = 0.64: 2,050, 1,314, 842, ... and in the end 4.
const fn level_capacity(height: usize) -> usize {
    let mut half = Kll::K as f64 / 2.0;
    let mut level = 0;
    while level < height {
        half *= Kll::C;
        level += 1;
    }
    2 * (half.ceil() as usize + 1)
}
