//! Exact counts of the texts of a column with few different ones, and the order in which AWS writes them.

use super::hyperloglog::hash;
use crate::encoding::{DecodeError, Reader, Writer};

const VERSION: u8 = 1;

/// Slots of the first table; it doubles before it is more than half full.
const FIRST_SLOTS: usize = 16;

#[derive(Debug, Clone)]
struct Category {
    hash: u64,
    /// Where the text starts in the texts.
    start: usize,
    length: usize,
    count: u64,
}

/// How often each text occurs, in order of first appearance.
///
/// An open hash table over one buffer with all texts: finding a text allocates nothing. The table has no limit of its
/// own; whoever folds a column stops counting when [`super::HyperLogLog::exceeds_category_limit`] says so.
#[derive(Debug, Clone, Default)]
pub struct Categories {
    entries: Vec<Category>,
    texts: Vec<u8>,
    /// Index into the entries plus one, 0 where there is none. The length is a power of two, or 0.
    slots: Vec<u32>,
}

impl Categories {
    /// The counts of no texts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one `text`. `hash` must be its [`hash`].
    #[inline]
    pub fn add(&mut self, hash: u64, text: &[u8]) {
        self.add_many(hash, text, 1);
    }

    #[inline]
    fn add_many(&mut self, hash: u64, text: &[u8], count: u64) {
        match self.find(hash, text) {
            Some(index) => self.entries[index].count += count,
            None => self.insert(hash, text, count),
        }
    }

    /// Whether a text has been counted. `hash` must be its [`hash`].
    #[inline]
    pub fn contains(&self, hash: u64, text: &[u8]) -> bool {
        self.find(hash, text).is_some()
    }

    #[inline]
    fn find(&self, hash: u64, text: &[u8]) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash as usize & mask;
        while let Some(index) = (self.slots[slot] as usize).checked_sub(1) {
            let category = &self.entries[index];
            if category.hash == hash && self.texts[category.start..category.start + category.length] == *text {
                return Some(index);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    #[cold]
    #[inline(never)]
    fn insert(&mut self, hash: u64, text: &[u8], count: u64) {
        let start = self.texts.len();
        self.texts.extend_from_slice(text);
        self.entries.push(Category { hash, start, length: text.len(), count });
        if self.entries.len() * 2 > self.slots.len() {
            let slots = (self.slots.len() * 2).max(FIRST_SLOTS);
            self.slots.clear();
            self.slots.resize(slots, 0);
            for index in 0..self.entries.len() {
                self.occupy_slot(index);
            }
        } else {
            self.occupy_slot(self.entries.len() - 1);
        }
    }

    fn occupy_slot(&mut self, index: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = self.entries[index].hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = u32::try_from(index + 1).expect("four thousand million categories do not fit in memory");
    }

    /// Takes in the counts of `other`, whose texts come after those of `self`.
    pub fn merge(&mut self, other: &Self) {
        for category in &other.entries {
            self.add_many(category.hash, other.text(category), category.count);
        }
    }

    fn text(&self, category: &Category) -> &[u8] {
        &self.texts[category.start..category.start + category.length]
    }

    /// The texts in order of first appearance, each with the number of its occurrences.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], u64)> {
        self.entries.iter().map(|category| (self.text(category), category.count))
    }

    /// The number of different texts.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no texts.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Appends the state.
    pub fn encode(&self, writer: &mut Writer) {
        writer.u8(VERSION);
        writer.length(self.len());
        for (text, count) in self.iter() {
            writer.u64(count);
            writer.bytes(text);
        }
    }

    /// Reads a state from the front of what is left.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.version("categories", VERSION)?;
        let length = reader.length(2 * size_of::<u64>())?;
        let mut categories = Self::new();
        let mut total = 0_u64;
        for index in 0..length {
            let count = reader.u64()?;
            total = total.saturating_add(count);
            // Keeps sums of counts away from an overflow; no fold gets so far.
            if total > 1 << 53 {
                return Err(DecodeError::new("a categories state counts more than 2^53 values"));
            }
            let text = reader.bytes()?;
            categories.add_many(hash(text), text, count);
            if categories.len() == index {
                return Err(DecodeError::new("a text occurs twice in a categories state"));
            }
        }
        Ok(categories)
    }
}

/// Equal texts in the same order with equal counts.
impl PartialEq for Categories {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Puts the categories of a feature into the order of a statistics file's buckets and a constraints file's domains.
///
/// It is that of Scala 2.12's immutable hash maps: up to four categories come out of a map with (feature, value)
/// pairs, more of them out of one with the values alone. Categories of equal key stay as they are.
pub fn category_order(feature_name: &str, values: &mut [(String, u64)]) {
    if values.len() > 4 {
        values.sort_by_cached_key(|(value, _)| trie_key(java_hash(value)));
    } else {
        let feature = java_hash(feature_name);
        values.sort_by_cached_key(|(value, _)| trie_key(scala_pair_hash(feature, java_hash(value))));
    }
}

/// What `String.hashCode` gives in Java.
fn java_hash(text: &str) -> u32 {
    text.encode_utf16().fold(0, |hash: u32, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)))
}

/// The hash code of a pair in Scala 2.12: `MurmurHash3` (32 bits) over the hash codes of its members.
fn scala_pair_hash(first: u32, second: u32) -> u32 {
    let mix = |hash: u32, code: u32| {
        let code = code.wrapping_mul(0xCC9E_2D51).rotate_left(15).wrapping_mul(0x1B87_3593);
        (hash ^ code).rotate_left(13).wrapping_mul(5).wrapping_add(0xE654_6B64)
    };
    let mut hash = mix(mix(0xCAFE_BABE, first), second) ^ 2;
    hash = (hash ^ (hash >> 16)).wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 13)).wrapping_mul(0xC2B2_AE35);
    hash ^ (hash >> 16)
}

/// The place of a hash code in a walk through Scala 2.12's hash trie: its improved bits in groups of five, the lowest
/// group deciding first.
fn trie_key(hash: u32) -> u64 {
    let mut improved = hash.wrapping_add(!(hash << 9));
    improved ^= improved >> 14;
    improved = improved.wrapping_add(improved << 4);
    improved ^= improved >> 10;
    (0..7).fold(0, |key, group| (key << 5) | u64::from((improved >> (5 * group)) & 31))
}
