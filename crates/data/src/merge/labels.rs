//! Labels in memory: seventeen bytes an id, whatever its length, and the label's text once where equal ones are near each other.
//!
//! An id is known by 96 bits of its hash, of which a table keeps 64 and its place says most of the others. That two of ten million
//! captures and ten million labels meet by chance has a probability of 10^-11; keeping the ids themselves would take four times the
//! memory.
//!
//! Labels are gathered as they come, apart by hash, and made into tables when all are there: so a table is as large as it has to be
//! and never grows. A look-up costs one wait for memory: the places where an id may be share a line of the cache, and only one id
//! in ten has to be looked for in the next. And many are looked up together, so that they wait together.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// Upper bits of a hash that tell the table: few, as labels are gathered at as many places at once, and enough for all threads.
const TABLE_BITS: u32 = 6;

/// What stands for an id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

    /// One of 2^`bits` parts of equal size; equal ids are in the same, and ids of one part are in all tables.
    #[inline]
    pub(super) fn part_on_disk(self, bits: u32) -> usize {
        (self.low >> (32 - bits)) as usize
    }

    #[inline]
    fn table(self) -> usize {
        (self.high >> (64 - TABLE_BITS)) as usize
    }

    /// The bits that tell ids of one place of a table from each other; never zero, which a free place has.
    #[inline]
    pub(super) fn kept(self) -> u64 {
        (self.high << 32 | u64::from(self.low)).max(1)
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
    /// Of each table.
    gathered: Vec<Vec<Entry>>,
    count: usize,
    texts: Texts,
}

impl Default for Labels {
    fn default() -> Self {
        Self { gathered: vec![Vec::new(); 1 << TABLE_BITS], count: 0, texts: Texts::default() }
    }
}

impl Labels {
    /// Adds a label; false where there is no room for its text.
    #[inline]
    pub(super) fn add(&mut self, id: IdHash, label: Label<'_>) -> bool {
        let Some(label) = self.texts.add(label) else { return false };
        self.gathered[id.table()].push(Entry { hash_high: id.high, hash_low: id.low, label });
        self.count += 1;
        true
    }

    /// Bytes that their index takes.
    pub(super) fn size(&self) -> usize {
        buckets_for(self.count) * size_of::<Bucket>() + self.texts.bytes.len()
    }

    /// All of them, those of one id in the order in which they were added.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IdHash, Label<'_>)> {
        self.gathered.iter().flatten().map(|entry| (entry.hash(), self.texts.get(entry.label)))
    }

    /// The last label of every id, to be looked up.
    pub(super) fn into_index(self, threads: usize) -> LabelIndex {
        let texts = self.texts;
        let tables: Vec<_> = self.gathered.into_iter().map(|entries| Mutex::new((entries, Table::default()))).collect();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..threads.max(1) {
                scope.spawn(|| {
                    while let Some(table) = tables.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
                        let entries = std::mem::take(&mut table.0);
                        table.1 = Table::new(&entries, &texts);
                    }
                });
            }
        });
        let table = |table: Mutex<(_, Table)>| table.into_inner().unwrap_or_else(PoisonError::into_inner).1;
        LabelIndex { tables: tables.into_iter().map(table).collect(), texts }
    }
}

/// The labels of ids.
pub(super) struct LabelIndex {
    tables: Vec<Table>,
    texts: Texts,
}

/// Ids that are looked up together.
#[derive(Default)]
pub(super) struct LookUps<'a> {
    look_ups: Vec<LookUp<'a>>,
    /// Those that are not found yet.
    open: Vec<u32>,
}

struct LookUp<'a> {
    id: IdHash,
    /// Where it is, unless that is full.
    bucket: &'a Bucket,
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
        Some(self.texts.get(ask(self.tables[id.table()].find(id)?)))
    }

    /// What [`LabelIndex::take`] says of many ids.
    pub(super) fn take_all<'a>(&'a self, ids: impl Iterator<Item = IdHash>, to: &mut LookUps<'a>) {
        let LookUps { look_ups, open } = to;
        look_ups.clear();
        let bucket = |id: IdHash, step| self.tables[id.table()].bucket(id, step);
        look_ups.extend(ids.map(|id| LookUp { id, bucket: bucket(id, 0), label: NO_LABEL }));
        open.clear();
        open.extend(0..look_ups.len() as u32);
        for step in 1.. {
            if open.is_empty() {
                break;
            }
            load_together(open.iter().map(|&number| look_ups[number as usize].bucket));
            open.retain(|&number| {
                let look_up = &mut look_ups[number as usize];
                let hits = look_up.bucket.hits(look_up.id);
                if let Some(label) = look_up.bucket.labels.get(hits.trailing_zeros() as usize) {
                    look_up.label = ask(label);
                    return false;
                }
                let goes_on = look_up.bucket.is_full();
                if goes_on {
                    look_up.bucket = bucket(look_up.id, step);
                }
                goes_on
            });
        }
    }

    /// The labels that were found for the ids of [`LabelIndex::take_all`], in their order.
    pub(super) fn labels(&self, of: &LookUps<'_>) -> impl Iterator<Item = Option<Label<'_>>> {
        of.look_ups.iter().map(|look_up| (look_up.label != NO_LABEL).then(|| self.texts.get(look_up.label)))
    }

    /// Whether nobody has asked for an id, and whether it had several labels that differ.
    pub(super) fn about(&self, id: IdHash) -> (bool, bool) {
        let table = &self.tables[id.table()];
        let (bucket, at) = table.place(id);
        let label = load(&table.buckets[bucket].labels[at]);
        (label != NO_LABEL && label & ASKED_FOR == 0, table.differing.has(place_number(bucket, at)))
    }

    pub(super) fn counts(&self) -> IndexCounts {
        let mut counts = IndexCounts::default();
        for table in &self.tables {
            counts.unmatched += table.used().filter(|(.., label)| label & ASKED_FOR == 0).count() as u64;
            counts.replaced += table.replaced;
            counts.with_other_value += table.with_other_value;
        }
        counts
    }

    /// What is kept of ids, and what [`LabelIndex::about`] says of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = (u64, (bool, bool))> {
        let about = |table: &Table, number, label| (label & ASKED_FOR == 0, table.differing.has(number));
        self.tables
            .iter()
            .flat_map(move |table| table.used().map(move |(number, kept, label)| (kept, about(table, number, label))))
    }
}

/// What a free place of a table has for a label.
const NO_LABEL: u32 = u32::MAX >> 1;

/// The bit of a place's label that says that somebody has asked for its id. It is noted where threads have just been: a set beside
/// the table would be one more wait for memory.
const ASKED_FOR: u32 = 1 << 31;

/// A place's label, and whether its id was asked for.
#[inline]
fn load(label: &AtomicU32) -> u32 {
    label.load(Ordering::Relaxed)
}

/// The label of a place whose id is asked for from now on.
#[inline]
fn ask(label: &AtomicU32) -> u32 {
    let found = load(label) & !ASKED_FOR;
    // Whichever thread writes last, it writes the same.
    label.store(found | ASKED_FOR, Ordering::Relaxed);
    found
}

/// Places of a bucket: as many as a line of the cache holds.
const BUCKET_PLACES: usize = 5;

/// Places that are used from the first one on.
#[repr(align(64))]
struct Bucket {
    /// What is kept of ids.
    kept: [u64; BUCKET_PLACES],
    labels: [AtomicU32; BUCKET_PLACES],
}

impl Bucket {
    fn free() -> Self {
        Self { kept: [0; BUCKET_PLACES], labels: [const { AtomicU32::new(NO_LABEL) }; BUCKET_PLACES] }
    }

    /// The place that has an id, as a bit.
    #[inline]
    fn hits(&self, id: IdHash) -> u32 {
        let kept = id.kept();
        let hit = |at: usize| u32::from(self.kept[at] == kept) << at;
        hit(0) | hit(1) | hit(2) | hit(3) | hit(4)
    }

    #[inline]
    fn is_free(&self, at: usize) -> bool {
        load(&self.labels[at]) == NO_LABEL
    }

    /// How many places are used.
    #[inline]
    fn used(&self) -> usize {
        (0..BUCKET_PLACES).map(|at| usize::from(!self.is_free(at))).sum()
    }

    #[inline]
    fn is_full(&self) -> bool {
        !self.is_free(BUCKET_PLACES - 1)
    }
}

/// Brings buckets into the cache by loads that nothing waits for, with hardly anything between them, so that as many as can be
/// are under way together.
#[inline]
fn load_together<'a>(buckets: impl Iterator<Item = &'a Bucket>) {
    std::hint::black_box(buckets.fold(0, |loaded, bucket| loaded ^ bucket.kept[0]));
}

/// Buckets of a table of so many ids: with three quarters of their places used, nine ids of ten are in the first one of theirs.
fn buckets_for(ids: usize) -> usize {
    (ids + ids / 3) / BUCKET_PLACES + 1
}

/// Entries that are put into a table together.
const FILLED_TOGETHER: usize = 256;

/// The ids whose hashes begin with the same [`TABLE_BITS`] bits: each in the bucket that its hash says, or in the next one that
/// has a place left.
struct Table {
    buckets: Vec<Bucket>,
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
        let count = buckets_for(entries.len());
        let buckets = (0..count).map(|_| Bucket::free()).collect();
        let mut table = Self { buckets, differing: Bits::new(count * BUCKET_PLACES), replaced: 0, with_other_value: 0 };
        for entries in entries.chunks(FILLED_TOGETHER) {
            load_together(entries.iter().map(|entry| table.bucket(entry.hash(), 0)));
            for entry in entries {
                table.put(*entry, texts);
            }
        }
        table
    }

    fn put(&mut self, entry: Entry, texts: &Texts) {
        let (number, at) = self.place(entry.hash());
        let bucket = &mut self.buckets[number];
        bucket.kept[at] = entry.hash().kept();
        let replaced = std::mem::replace(bucket.labels[at].get_mut(), entry.label);
        if replaced == NO_LABEL {
            return;
        }
        self.replaced += 1;
        if texts.get(replaced) != texts.get(entry.label) {
            self.with_other_value += 1;
            self.differing.set(place_number(number, at));
        }
    }

    /// Where the bucket is that comes so many steps behind the first one of an id.
    #[inline]
    fn bucket_number(&self, id: IdHash, step: usize) -> usize {
        // The bits behind those of the table, as a share of the buckets.
        let bits = (id.high << TABLE_BITS) >> 32;
        let at = ((bits * self.buckets.len() as u64) >> 32) as usize + step;
        if at < self.buckets.len() { at } else { at - self.buckets.len() }
    }

    #[inline]
    fn bucket(&self, id: IdHash, step: usize) -> &Bucket {
        &self.buckets[self.bucket_number(id, step)]
    }

    /// Bucket and place where an id is, or the free place where it would be: there is always one.
    #[inline]
    fn place(&self, id: IdHash) -> (usize, usize) {
        let mut step = 0;
        loop {
            let bucket = self.bucket_number(id, step);
            let here = &self.buckets[bucket];
            let (used, hit) = (here.used(), here.hits(id).trailing_zeros() as usize);
            let at = used.min(hit);
            if at < BUCKET_PLACES {
                return (bucket, at);
            }
            step += 1;
        }
    }

    /// The label of an id, and whether it was asked for.
    fn find(&self, id: IdHash) -> Option<&AtomicU32> {
        let (bucket, at) = self.place(id);
        Some(&self.buckets[bucket].labels[at]).filter(|label| load(label) != NO_LABEL)
    }

    /// Places that are used: their numbers, what is kept of their ids, and their labels.
    fn used(&self) -> impl Iterator<Item = (usize, u64, u32)> {
        let places = self.buckets.iter().flat_map(|bucket| bucket.kept.into_iter().zip(bucket.labels.iter().map(load)));
        places.enumerate().map(|(number, (kept, label))| (number, kept, label)).filter(|(.., label)| *label != NO_LABEL)
    }
}

fn place_number(bucket: usize, at: usize) -> usize {
    bucket * BUCKET_PLACES + at
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
