//! A join that does not fit into memory: ids of both sides parted by hash into unnamed files of the scratch folder, joined part by
//! part.
//!
//! A label's record is its hash, kind, length and text; a capture's its number and hash; a match is the capture's number, the low
//! half of its hash and the label. Captures are numbered in the order in which they are read, so that matches of every part are
//! in that order too, and reading all parts side by side gives the matches of all captures in their order.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::labels::{IdHash, IndexCounts, Label, LabelIndex, LabelKind, Labels};
use crate::Error;

/// Upper bits of a hash that tell the part.
const PART_BITS: u32 = 6;
const PARTS: usize = 1 << PART_BITS;

/// Bytes of a file's buffer; there are up to three for each part.
const BUFFER_BYTES: usize = 32 * 1024;

/// Files of records, one for each part.
struct PartFiles {
    scratch: PathBuf,
    files: Vec<BufWriter<File>>,
}

impl PartFiles {
    fn new(scratch: &Path) -> Result<Self, Error> {
        let file = || Ok(BufWriter::with_capacity(BUFFER_BYTES, tempfile::tempfile_in(scratch)?));
        let files: std::io::Result<Vec<_>> = (0..PARTS).map(|_| file()).collect();
        Ok(Self { scratch: scratch.to_owned(), files: files.map_err(|source| failed(scratch, source))? })
    }

    fn write(&mut self, part: usize, pieces: &[&[u8]]) -> Result<(), Error> {
        let file = &mut self.files[part];
        let mut write = || pieces.iter().try_for_each(|piece| file.write_all(piece));
        write().map_err(|source| failed(&self.scratch, source))
    }

    /// The same files, to be read from their beginnings.
    fn into_readers(self) -> Result<Vec<RecordReader>, Error> {
        let scratch = self.scratch;
        let reader = |file: BufWriter<File>| {
            let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(RecordReader { scratch: scratch.clone(), file: BufReader::with_capacity(BUFFER_BYTES, file) })
        };
        let readers: std::io::Result<Vec<_>> = self.files.into_iter().map(reader).collect();
        readers.map_err(|source| failed(&scratch, source))
    }
}

/// Reads records of one part.
struct RecordReader {
    scratch: PathBuf,
    file: BufReader<File>,
}

impl RecordReader {
    /// The next bytes, None at the end of the file.
    fn next<const N: usize>(&mut self) -> Result<Option<[u8; N]>, Error> {
        let mut bytes = [0; N];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Ok(Some(bytes)),
            // Records are written whole: this is the end.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(None),
            Err(source) => Err(failed(&self.scratch, source)),
        }
    }

    /// A label behind its kind and length.
    fn label(&mut self, kind_and_length: [u8; 5], data: &mut Vec<u8>) -> Result<LabelKind, Error> {
        let [kind, length @ ..] = kind_and_length;
        data.resize(u32::from_le_bytes(length) as usize, 0);
        self.file.read_exact(data).map_err(|source| failed(&self.scratch, source))?;
        Ok(LabelKind::of_byte(kind))
    }
}

fn failed(scratch: &Path, source: std::io::Error) -> Error {
    Error::Scratch { path: scratch.to_owned(), source }
}

fn hash_bytes(id: IdHash) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&id.high.to_le_bytes());
    bytes[8..].copy_from_slice(&id.low.to_le_bytes());
    bytes
}

fn hash_of(bytes: [u8; 12]) -> IdHash {
    let [high @ .., l0, l1, l2, l3] = bytes;
    IdHash { high: u64::from_le_bytes(high), low: u32::from_le_bytes([l0, l1, l2, l3]) }
}

fn kind_and_length(label: Label<'_>) -> [u8; 5] {
    let mut bytes = [0; 5];
    bytes[0] = label.kind.to_byte();
    bytes[1..].copy_from_slice(&(label.data.len() as u32).to_le_bytes());
    bytes
}

/// Labels and captures, parted.
pub(super) struct PartedJoin {
    labels: PartFiles,
    captures: PartFiles,
    numbered: u64,
}

impl PartedJoin {
    pub(super) fn new(scratch: &Path) -> Result<Self, Error> {
        Ok(Self { labels: PartFiles::new(scratch)?, captures: PartFiles::new(scratch)?, numbered: 0 })
    }

    pub(super) fn add_label(&mut self, id: IdHash, label: Label<'_>) -> Result<(), Error> {
        self.labels.write(id.part_on_disk(PART_BITS), &[&hash_bytes(id), &kind_and_length(label), label.data])
    }

    /// Adds the next capture.
    pub(super) fn add_capture(&mut self, id: IdHash) -> Result<(), Error> {
        self.captures.write(id.part_on_disk(PART_BITS), &[&self.numbered.to_le_bytes(), &hash_bytes(id)])?;
        self.numbered += 1;
        Ok(())
    }

    /// Joins; `look` sees the index of each part when all captures have asked for their labels.
    pub(super) fn join(
        self,
        threads: usize,
        look: &mut dyn FnMut(&LabelIndex),
    ) -> Result<(Matches, IndexCounts), Error> {
        let mut matches = PartFiles::new(&self.labels.scratch)?;
        let mut counts = IndexCounts::default();
        let parts = self.labels.into_readers()?.into_iter().zip(self.captures.into_readers()?);
        for (part, (mut labels, mut captures)) in parts.enumerate() {
            let index = read_part(&mut labels)?.into_index(threads);
            while let Some(record) = captures.next::<20>()? {
                let (number, hash) = record.split_at(8);
                let id = hash_of(hash.try_into().expect("twenty less eight bytes"));
                if let Some(label) = index.take(id) {
                    matches.write(part, &[number, &id.low.to_le_bytes(), &kind_and_length(label), label.data])?;
                }
            }
            let of_part = index.counts();
            counts.unmatched += of_part.unmatched;
            counts.replaced += of_part.replaced;
            counts.with_other_value += of_part.with_other_value;
            look(&index);
        }
        Ok((Matches::new(matches.into_readers()?)?, counts))
    }
}

fn read_part(labels: &mut RecordReader) -> Result<Labels, Error> {
    let mut part = Labels::default();
    let mut data = Vec::new();
    while let Some(hash) = labels.next::<12>()? {
        let Some(kind_and_length) = labels.next::<5>()? else { break };
        let kind = labels.label(kind_and_length, &mut data)?;
        if !part.add(hash_of(hash), Label { kind, data: &data }) {
            let full = std::io::Error::other("the labels of a sixty-fourth of the ids take more than 4 GiB");
            return Err(failed(&labels.scratch, full));
        }
    }
    Ok(part)
}

/// Labels of captures, in the captures' order.
pub(super) struct Matches {
    readers: Vec<RecordReader>,
    /// The next match of each part, and which one comes first.
    heads: Vec<Head>,
    order: BinaryHeap<Reverse<(u64, usize)>>,
}

struct Head {
    hash_low: u32,
    kind: LabelKind,
    data: Vec<u8>,
}

impl Matches {
    fn new(readers: Vec<RecordReader>) -> Result<Self, Error> {
        let heads = readers.iter().map(|_| Head { hash_low: 0, kind: LabelKind::Csv, data: Vec::new() }).collect();
        let mut matches = Self { readers, heads, order: BinaryHeap::new() };
        for part in 0..matches.readers.len() {
            matches.advance(part)?;
        }
        Ok(matches)
    }

    fn advance(&mut self, part: usize) -> Result<(), Error> {
        let (reader, head) = (&mut self.readers[part], &mut self.heads[part]);
        let Some(number) = reader.next::<8>()? else { return Ok(()) };
        let (Some(hash_low), Some(kind_and_length)) = (reader.next::<4>()?, reader.next::<5>()?) else { return Ok(()) };
        head.hash_low = u32::from_le_bytes(hash_low);
        head.kind = reader.label(kind_and_length, &mut head.data)?;
        self.order.push(Reverse((u64::from_le_bytes(number), part)));
        Ok(())
    }

    /// Gives `write` the label of the capture of this number, if it has one. Numbers are asked for in their order.
    pub(super) fn take(&mut self, number: u64, id: IdHash, write: impl FnOnce(Label<'_>)) -> Result<Found, Error> {
        let Some(&Reverse((next, part))) = self.order.peek() else { return Ok(Found::No) };
        if next != number {
            return Ok(Found::No);
        }
        self.order.pop();
        let head = &self.heads[part];
        if head.hash_low != id.low {
            return Ok(Found::Changed);
        }
        write(Label { kind: head.kind, data: &head.data });
        self.advance(part)?;
        Ok(Found::Yes)
    }

    /// Whether there is a match that was not asked for.
    pub(super) fn is_over(&self) -> bool {
        self.order.is_empty()
    }
}

/// Whether a capture has a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Yes,
    No,
    /// The capture is another one than when it was numbered.
    Changed,
}
