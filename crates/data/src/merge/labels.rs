//! Labels in memory: twenty-four bytes an id, whatever its length, and the label's text once where equal ones are near each other.
//!
//! An id is known by 96 bits of its hash. That two of ten million captures and ten million labels meet by chance has a
//! probability of 10^-15; keeping the ids themselves would take three times the memory.
//!
//! Labels are gathered as they come, in parts by hash, and made into tables part by part when all are there: so a table is as large as it
//! has to be and never grows, and is filled while it fits into the cache. A look-up costs one wait for memory; sorted entries with
//! an index over them, which take a third less, cost two.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Upper bits of a hash that tell the part.
const PART_BITS: u32 = 8;

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
    /// A byte that stands for it.
    #[inline]
    pub(super) fn to_byte(self) -> u8 {
        u8::from(self == Self::Json)
    }

    /// The reverse of [`Self::to_byte`].
    #[inline]
    pub(super) fn of_byte(byte: u8) -> Self {
        if byte == 1 { Self::Json } else { Self::Csv }
    }

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

    /// Bytes that their index takes.
    pub(super) fn size(&self) -> usize {
        slots_for(self.entries) * size_of::<Entry>() + self.texts.bytes.len()
    }

    /// All of them, those of one id in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IdHash, Label<'_>)> {
        self.parts.iter().flatten().map(|entry| (entry.hash(), self.texts.get(entry.label)))
    }

    /// The last label of every id, to be looked up.
    pub(super) fn into_index(self, threads: usize) -> LabelIndex {
        let texts = self.texts;
        let gathered: Vec<_> = self.parts.into_iter().map(|entries| Mutex::new((entries, Table::default()))).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while let Some(part) = gathered.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                        let entries = std::mem::take(&mut part.0);
                        part.1 = Table::new(&entries, &texts);
                    }
                });
            }
        });
        let table = |part: Mutex<(_, Table)>| part.into_inner().unwrap_or_else(PoisonError::into_inner).1;
        LabelIndex { parts: gathered.into_iter().map(table).collect(), texts }
    }
}

/// The labels of ids.
pub(super) struct LabelIndex {
    parts: Vec<Table>,
    texts: Texts,
}

/// An id that is looked up.
pub(super) struct LookUp {
    id: IdHash,
    part: u32,
    /// Where its entry is, if it is at its first place.
    at: u32,
    /// Where its label's text is, or [`NO_LABEL`].
    label: u32,
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
    pub(super) fn take(&self, id: IdHash) -> Option<Label<'_>> {
        let part = &self.parts[id.part(PART_BITS)];
        let at = part.find(id)?;
        Some(self.texts.get(part.slots[at].ask()))
    }

    /// What [`LabelIndex::take`] says of many ids, into `look_ups`.
    pub(super) fn take_all(&self, ids: impl Iterator<Item = IdHash>, look_ups: &mut Vec<LookUp>) {
        look_ups.clear();
        look_ups.extend(ids.map(|id| {
            let part = id.part(PART_BITS);
            LookUp { id, part: part as u32, at: self.parts[part].first_place(id) as u32, label: NO_LABEL }
        }));
        // Loads that nothing waits for, so that they are under way together; a branch on what one of them brings would be
        // mispredicted often, and begin the others anew.
        let mut loaded = 0;
        for look_up in &*look_ups {
            loaded ^= self.parts[look_up.part as usize].slots[look_up.at as usize].hash_low;
        }
        std::hint::black_box(loaded);
        for look_up in look_ups {
            let table = &self.parts[look_up.part as usize];
            if let Some(at) = table.find_from(look_up.at as usize, look_up.id) {
                look_up.label = table.slots[at].ask();
            }
        }
    }

    /// The label that was found for an id of [`LabelIndex::take_all`].
    #[inline]
    pub(super) fn label(&self, look_up: &LookUp) -> Option<Label<'_>> {
        (look_up.label != NO_LABEL).then(|| self.texts.get(look_up.label))
    }

    /// Whether nobody has asked for an id, and whether it had several labels that differ.
    pub(super) fn about(&self, id: IdHash) -> (bool, bool) {
        let part = &self.parts[id.part(PART_BITS)];
        part.find(id).map_or((false, false), |at| (!part.slots[at].is_asked_for(), part.differing.has(at)))
    }

    pub(super) fn counts(&self) -> IndexCounts {
        let mut counts = IndexCounts::default();
        for part in &self.parts {
            counts.unmatched += part.slots.iter().filter(|slot| !slot.is_free() && !slot.is_asked_for()).count() as u64;
            counts.replaced += part.replaced;
            counts.with_other_value += part.with_other_value;
        }
        counts
    }

    /// Ids, and what [`LabelIndex::about`] says of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = (IdHash, (bool, bool))> {
        self.parts.iter().flat_map(|part| {
            let ids = part.slots.iter().enumerate().filter(|(_, slot)| !slot.is_free());
            ids.map(|(at, slot)| (slot.hash(), (!slot.is_asked_for(), part.differing.has(at))))
        })
    }
}

/// What a free place of a table has for a label.
const NO_LABEL: u32 = u32::MAX >> 1;

/// The bit of a place's label that says that somebody has asked for its id.
const ASKED_FOR: u32 = 1 << 31;

/// A place of a table. That its id was asked for is noted where threads have just been: a set beside the table would be one more
/// wait for memory.
struct Slot {
    hash_high: u64,
    hash_low: u32,
    label: AtomicU32,
}

impl Slot {
    fn new(entry: Entry) -> Self {
        Self { hash_high: entry.hash_high, hash_low: entry.hash_low, label: AtomicU32::new(entry.label) }
    }

    fn hash(&self) -> IdHash {
        IdHash { high: self.hash_high, low: self.hash_low }
    }

    /// Its label, asked for or not.
    #[inline]
    fn label(&self) -> u32 {
        self.label.load(Ordering::Relaxed) & !ASKED_FOR
    }

    #[inline]
    fn is_free(&self) -> bool {
        self.label() == NO_LABEL
    }

    fn is_asked_for(&self) -> bool {
        self.label.load(Ordering::Relaxed) & ASKED_FOR != 0
    }

    /// Its label, whose id is asked for from now on.
    #[inline]
    fn ask(&self) -> u32 {
        let label = self.label();
        // Whichever thread writes last, it writes the same.
        self.label.store(label | ASKED_FOR, Ordering::Relaxed);
        label
    }
}

/// Places of a table of so many ids: at two thirds of them used, an id is found at its second place on average.
fn slots_for(ids: usize) -> usize {
    ids + ids / 2 + 1
}

/// The ids whose hashes begin with the same [`PART_BITS`] bits: each at the place that its hash says, or the next free one.
struct Table {
    slots: Vec<Slot>,
    /// Places of ids whose labels differ.
    differing: Bits,
    replaced: u64,
    with_other_value: u64,
}

impl Default for Table {
    fn default() -> Self {
        Self::new(&[], &Texts::default())
    }
}

impl Table {
    /// Of entries of one id the last one stays.
    fn new(entries: &[Entry], texts: &Texts) -> Self {
        let count = slots_for(entries.len());
        let free = Entry { hash_high: 0, hash_low: 0, label: NO_LABEL };
        let mut table = Self {
            slots: (0..count).map(|_| Slot::new(free)).collect(),
            differing: Bits::new(count),
            replaced: 0,
            with_other_value: 0,
        };
        for entry in entries {
            let at = table.place(entry.hash());
            let replaced = std::mem::replace(&mut table.slots[at], Slot::new(*entry));
            if replaced.is_free() {
                continue;
            }
            table.replaced += 1;
            if texts.get(replaced.label()) != texts.get(entry.label) {
                table.with_other_value += 1;
                table.differing.set(at);
            }
        }
        table
    }

    #[inline]
    fn first_place(&self, id: IdHash) -> usize {
        // The bits behind those of the part, as a share of the places.
        let bits = (id.high << PART_BITS) >> 32;
        ((bits * self.slots.len() as u64) >> 32) as usize
    }

    /// Where an id is, or the free place where it would be: there is always one.
    #[inline]
    fn place(&self, id: IdHash) -> usize {
        self.place_from(self.first_place(id), id)
    }

    #[inline]
    fn place_from(&self, first: usize, id: IdHash) -> usize {
        let mut at = first;
        while !self.slots[at].is_free() && self.slots[at].hash() != id {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }

    fn find(&self, id: IdHash) -> Option<usize> {
        self.find_from(self.first_place(id), id)
    }

    #[inline]
    fn find_from(&self, first: usize, id: IdHash) -> Option<usize> {
        let at = self.place_from(first, id);
        (!self.slots[at].is_free()).then_some(at)
    }
}

/// A set of small numbers.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn set(&mut self, at: usize) {
        self.0[at / 64] |= 1 << (at % 64);
    }

    fn has(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
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
        Self { bytes: Vec::new(), recent: vec![NO_LABEL; RECENT] }
    }
}

impl Texts {
    #[inline]
    fn add(&mut self, label: Label<'_>) -> Option<u32> {
        let slot = xxh3_64(label.data) as usize % RECENT;
        let known = self.recent[slot];
        if known != NO_LABEL && self.get(known) == label {
            return Some(known);
        }
        let at = u32::try_from(self.bytes.len()).ok().filter(|&at| at < NO_LABEL)?;
        self.bytes.push(label.kind.to_byte());
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
        let kind = LabelKind::of_byte(self.bytes[at]);
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
