//! Labels in memory: sixteen bytes an id, whatever its length, and the label's text once where equal ones are near each other.
//!
//! An id is known by 96 bits of its hash. That two of ten million captures and ten million labels meet by chance has a
//! probability of 10^-15; keeping the ids themselves would take three times the memory. Decided against a hash table too: it is
//! half empty after it has grown, and twice as large while it grows.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Of the upper bits of a hash: entries are kept apart by them, so that each part is sorted in cache and by itself.
const PART_BITS: u32 = 8;

/// Ids to a bucket of the table of a part, about.
const BUCKET_IDS: usize = 4;

/// What stands for an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct IdHash {
    pub(super) high: u64,
    pub(super) low: u32,
}

impl IdHash {
    #[inline]
    pub(super) fn of(id: &[u8]) -> Self {
        let hash = xxh3_128(id);
        Self { high: (hash >> 64) as u64, low: hash as u32 }
    }

    /// One of 2^`bits` parts of equal size; equal ids are in the same.
    #[inline]
    pub(super) fn part(self, bits: u32) -> usize {
        (self.high >> (64 - bits)) as usize
    }
}

/// How a label's JSON is made of what is kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LabelKind {
    /// `{"data":…,"encoding":"CSV"}`.
    Csv,
    /// `{"data":…,"encoding":"JSON"}`.
    Json,
}

impl LabelKind {
    fn ending(self) -> &'static [u8] {
        match self {
            Self::Csv => br#","encoding":"CSV"}"#,
            Self::Json => br#","encoding":"JSON"}"#,
        }
    }
}

const LABEL_BEGINNING: &[u8] = br#"{"data":"#;

/// A label: the text of `data` as it was uploaded, with its quotes, and the encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label<'a> {
    pub(super) kind: LabelKind,
    pub(super) data: &'a [u8],
}

impl<'a> Label<'a> {
    /// The label whose JSON, in one line and with `encoding` last, this is.
    pub(super) fn of_json(json: &'a str) -> Option<Self> {
        let rest = json.as_bytes().strip_prefix(LABEL_BEGINNING)?;
        [LabelKind::Csv, LabelKind::Json]
            .into_iter()
            .find_map(|kind| Some(Self { kind, data: rest.strip_suffix(kind.ending())? }))
    }

    /// Appends the JSON.
    #[inline]
    pub(super) fn write(self, to: &mut Vec<u8>) {
        to.extend_from_slice(LABEL_BEGINNING);
        to.extend_from_slice(self.data);
        to.extend_from_slice(self.kind.ending());
    }
}

#[derive(Clone, Copy)]
struct Entry {
    hash_high: u64,
    hash_low: u32,
    /// Where in the texts its label stands.
    label: u32,
}

impl Entry {
    fn hash(self) -> IdHash {
        IdHash { high: self.hash_high, low: self.hash_low }
    }
}

/// Labels as they are read.
pub(super) struct Labels {
    parts: Vec<Vec<Entry>>,
    entries: usize,
    texts: Texts,
}

impl Default for Labels {
    fn default() -> Self {
        Self { parts: vec![Vec::new(); 1 << PART_BITS], entries: 0, texts: Texts::default() }
    }
}

impl Labels {
    /// Adds a label; false where there is no room for its text.
    #[inline]
    pub(super) fn add(&mut self, id: IdHash, label: Label<'_>) -> bool {
        let Some(label) = self.texts.add(label) else { return false };
        self.parts[id.part(PART_BITS)].push(Entry { hash_high: id.high, hash_low: id.low, label });
        self.entries += 1;
        true
    }

    /// Bytes that they take.
    pub(super) fn size(&self) -> usize {
        self.entries * size_of::<Entry>() + self.texts.bytes.len()
    }

    /// All of them, those of one id in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IdHash, Label<'_>)> {
        self.parts.iter().flatten().map(|entry| (entry.hash(), self.texts.get(entry.label)))
    }

    /// The last label of every id, to be looked up.
    pub(super) fn into_index(self, threads: usize) -> LabelIndex {
        let texts = self.texts;
        let parts: Vec<Mutex<IndexPart>> =
            self.parts.into_iter().map(|entries| Mutex::new(IndexPart { entries, ..IndexPart::default() })).collect();
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                        part.lock().unwrap_or_else(PoisonError::into_inner).sort(&texts);
                    }
                });
            }
        });
        let parts = parts.into_iter().map(|part| part.into_inner().unwrap_or_else(PoisonError::into_inner)).collect();
        LabelIndex { parts, texts }
    }
}

/// The labels of ids.
pub(super) struct LabelIndex {
    parts: Vec<IndexPart>,
    texts: Texts,
}

/// An id that is looked up: first the range of entries that it may be among; then, with `begin` the place of its label's text, whether it was
/// found, which is said by an `end` that is not zero.
pub(super) struct Candidates {
    id: IdHash,
    part: u32,
    begin: u32,
    end: u32,
}

/// How many labels there were of an index's ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexCounts {
    /// Ids that no capture has asked for.
    pub(super) unmatched: u64,
    /// Labels that were replaced by a later one.
    pub(super) replaced: u64,
    /// Of these, those that differ from the one which replaced them.
    pub(super) with_other_value: u64,
}

impl LabelIndex {
    /// The label of an id, which is from now on one that was asked for.
    #[inline]
    pub(super) fn take(&self, id: IdHash) -> Option<Label<'_>> {
        let part = &self.parts[id.part(PART_BITS)];
        let at = part.find(id)?;
        part.matched.set(at);
        Some(self.texts.get(part.entries[at].label))
    }

    /// What [`LabelIndex::take`] says of many ids, into `found`.
    ///
    /// Each step of a look-up waits for memory; taken one step at a time for all ids, the waits overlap.
    pub(super) fn find_all(&self, ids: impl Iterator<Item = IdHash>, found: &mut Vec<Candidates>) {
        found.clear();
        found.extend(ids.map(|id| {
            let part = id.part(PART_BITS);
            let (begin, end) = self.parts[part].candidates(id);
            Candidates { id, part: part as u32, begin, end }
        }));
        for candidates in found {
            let part = &self.parts[candidates.part as usize];
            match part.find_among(candidates.id, candidates.begin, candidates.end) {
                Some(at) => {
                    part.matched.set(at);
                    candidates.begin = part.entries[at].label;
                }
                None => candidates.end = 0,
            }
        }
    }

    /// The label that was found for an id of [`LabelIndex::find_all`].
    #[inline]
    pub(super) fn label(&self, found: &Candidates) -> Option<Label<'_>> {
        (found.end > 0).then(|| self.texts.get(found.begin))
    }

    /// Whether nobody has asked for an id, and whether it had several labels that differ.
    pub(super) fn about(&self, id: IdHash) -> (bool, bool) {
        let part = &self.parts[id.part(PART_BITS)];
        part.find(id).map_or((false, false), |at| (!part.matched.has(at), part.differing.has(at)))
    }

    pub(super) fn counts(&self) -> IndexCounts {
        let mut counts = IndexCounts::default();
        for part in &self.parts {
            counts.unmatched += part.entries.len() as u64 - part.matched.count();
            counts.replaced += part.replaced;
            counts.with_other_value += part.with_other_value;
        }
        counts
    }

    /// Ids, and what [`LabelIndex::about`] says of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = (IdHash, (bool, bool))> {
        self.parts.iter().flat_map(|part| {
            let about = |(at, entry): (usize, &Entry)| (entry.hash(), (!part.matched.has(at), part.differing.has(at)));
            part.entries.iter().enumerate().map(about)
        })
    }
}

/// The ids whose hashes begin with the same [`PART_BITS`] bits.
#[derive(Default)]
struct IndexPart {
    /// In the order of their hashes.
    entries: Vec<Entry>,
    /// Where the entries of each bucket begin, and where the last ends.
    buckets: Vec<u32>,
    bucket_bits: u32,
    matched: Bits,
    /// Ids whose labels differ.
    differing: Bits,
    replaced: u64,
    with_other_value: u64,
}

impl IndexPart {
    /// Makes ready for look-ups.
    fn sort(&mut self, texts: &Texts) {
        // A stable sort: the last label of an id stays the last.
        self.entries.sort_by_key(|entry| (entry.hash_high, entry.hash_low));
        self.differing = Bits::new(self.entries.len());
        let mut kept: usize = 0;
        for at in 0..self.entries.len() {
            let entry = self.entries[at];
            match kept.checked_sub(1).map(|last| self.entries[last]) {
                Some(last) if last.hash() == entry.hash() => {
                    self.replaced += 1;
                    if texts.get(last.label) != texts.get(entry.label) {
                        self.with_other_value += 1;
                        self.differing.set(kept - 1);
                    }
                    self.entries[kept - 1] = entry;
                }
                _ => {
                    self.entries[kept] = entry;
                    kept += 1;
                }
            }
        }
        self.entries.truncate(kept);
        self.matched = Bits::new(kept);
        self.bucket_bits = (kept / BUCKET_IDS).max(1).next_power_of_two().trailing_zeros();
        let mut begins = vec![0_u32; (1 << self.bucket_bits) + 1];
        for entry in &self.entries {
            begins[bucket(entry.hash_high, self.bucket_bits) + 1] += 1;
        }
        for bucket in 1..begins.len() {
            begins[bucket] += begins[bucket - 1];
        }
        self.buckets = begins;
    }

    /// The range of entries that an id may be among.
    #[inline]
    fn candidates(&self, id: IdHash) -> (u32, u32) {
        let bucket = bucket(id.high, self.bucket_bits);
        (self.buckets[bucket], self.buckets[bucket + 1])
    }

    #[inline]
    fn find_among(&self, id: IdHash, begin: u32, end: u32) -> Option<usize> {
        let (begin, end) = (begin as usize, end as usize);
        self.entries[begin..end].iter().position(|entry| entry.hash() == id).map(|at| begin + at)
    }

    fn find(&self, id: IdHash) -> Option<usize> {
        let (begin, end) = self.candidates(id);
        self.find_among(id, begin, end)
    }
}

/// The bits of a hash behind those of its part.
#[inline]
fn bucket(hash_high: u64, bits: u32) -> usize {
    ((hash_high << PART_BITS) >> 32 >> (32 - bits)) as usize
}

/// A set of small numbers, which threads share.
#[derive(Default)]
struct Bits(Vec<AtomicU64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    fn set(&self, at: usize) {
        // Most are set once only; one that is set needs no exclusive hold of the cache line.
        if !self.has(at) {
            self.0[at / 64].fetch_or(1 << (at % 64), Ordering::Relaxed);
        }
    }

    #[inline]
    fn has(&self, at: usize) -> bool {
        self.0[at / 64].load(Ordering::Relaxed) >> (at % 64) & 1 == 1
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }
}

/// Texts of labels, one behind the other: a byte for the kind, the length, the text.
struct Texts {
    bytes: Vec<u8>,
    /// By hash, where a text was last put; labels of classes are few texts many times over.
    recent: Vec<u32>,
}

/// Places in [`Texts::recent`].
const RECENT: usize = 4096;

impl Default for Texts {
    fn default() -> Self {
        Self { bytes: Vec::new(), recent: vec![u32::MAX; RECENT] }
    }
}

impl Texts {
    #[inline]
    fn add(&mut self, label: Label<'_>) -> Option<u32> {
        let slot = xxh3_64(label.data) as usize % RECENT;
        let known = self.recent[slot];
        if known != u32::MAX && self.get(known) == label {
            return Some(known);
        }
        let at = u32::try_from(self.bytes.len()).ok().filter(|&at| at != u32::MAX)?;
        self.bytes.push(u8::from(label.kind == LabelKind::Json));
        let mut length = label.data.len();
        while length >= 0x80 {
            self.bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.bytes.push(length as u8);
        self.bytes.extend_from_slice(label.data);
        self.recent[slot] = at;
        Some(at)
    }

    #[inline]
    fn get(&self, at: u32) -> Label<'_> {
        let mut at = at as usize;
        let kind = if self.bytes[at] == 1 { LabelKind::Json } else { LabelKind::Csv };
        let (mut length, mut shift) = (0, 0);
        loop {
            at += 1;
            let byte = self.bytes[at];
            length |= usize::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
        }
        Label { kind, data: &self.bytes[at + 1..at + 1 + length] }
    }
}
