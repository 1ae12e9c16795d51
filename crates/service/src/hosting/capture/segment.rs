//! A segment of the journal: a file of whole records, and the objects that are made of it.
//!
//! A file is the magic, then frames: length of the payload (4 bytes, little-endian), its XXH64 (8 bytes) with half of
//! the segment's id as the seed, payload. A payload is a kind (1 byte), the number of a stream in this file (4 bytes), and
//! either the stream itself as JSON, or a record: its moment (milliseconds, 8 bytes) and its line. Records of a stream
//! under a KMS key are encrypted: their number among those of the file (8 bytes), and moment and line under the file's data
//! key, which a frame before them has, wrapped by the master key. Reading ends at the first frame that is not whole:
//! behind it nothing was acknowledged.
//!
//! The objects follow from the file alone, their names too: one for each stream and hour in the order in which they
//! first appear, with the id of the segment, changed by their number in that order.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watchkeeper_store::keys::{DataKey, KmsKeys};
use xxhash_rust::xxh64::xxh64;

use super::{CaptureObject, CapturePlan, hour_of};

/// The first bytes of a segment; the digit is the version of its form.
pub(super) const MAGIC: &[u8; 8] = b"wkcapt1\n";
/// Bytes of a frame before its payload.
const FRAME_HEAD: usize = 12;
const STREAM: u8 = 0;
const RECORD: u8 = 1;
const DATA_KEY: u8 = 2;
const SEALED_RECORD: u8 = 3;
/// A segment counts as so many bytes at least, so that the number of files has a bound too.
const LEAST_BYTES: u64 = 256 << 10;

/// A segment that nothing is added to any more.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) id: Uuid,
    pub(super) path: PathBuf,
    /// Bytes of the file.
    pub(super) length: u64,
}

/// The stream that records of a segment belong to.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StreamOfRecords {
    destination: String,
    endpoint: String,
    variant: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<String>,
}

/// An object of a segment.
pub(super) struct SegmentObject {
    pub(super) endpoint: String,
    pub(super) variant: String,
    pub(super) records: u64,
    pub(super) object: CaptureObject,
}

/// Segments that an earlier process left in a folder, in the order they were made.
pub(super) fn left_in(folder: &Path) -> std::io::Result<Vec<Segment>> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".journal")).and_then(|id| id.parse().ok());
        let Some(id) = id else { continue };
        left.push(Segment { id, path: entry.path(), length: entry.metadata()?.len() });
    }
    // Version 7 has the time first.
    left.sort_by_key(|segment| segment.id);
    Ok(left)
}

impl Segment {
    /// A new one in a folder; its file is not made yet.
    pub(super) fn new(folder: &Path) -> Self {
        let id = Uuid::now_v7();
        Self { id, path: folder.join(format!("{id}.journal")), length: 0 }
    }

    /// Bytes of the journals' room that it takes.
    pub(super) fn charge(&self) -> u64 {
        self.length.max(LEAST_BYTES)
    }

    /// Adds the frame that gives a stream its number.
    pub(super) fn write_stream(&self, out: &mut Vec<u8>, number: u32, plan: &CapturePlan) {
        let stream = StreamOfRecords {
            destination: plan.destination.clone(),
            endpoint: plan.endpoint.clone(),
            variant: plan.variant.clone(),
            kms_key_id: plan.kms_key_id.clone(),
        };
        self.write_frame(out, STREAM, number, |out| {
            serde_json::to_writer(out, &stream).expect("texts are written to memory");
        });
    }

    /// Adds the frame of a record.
    pub(super) fn write_record(
        &self,
        out: &mut Vec<u8>,
        number: u32,
        time: Timestamp,
        line: impl FnOnce(&mut Vec<u8>),
    ) {
        self.write_frame(out, RECORD, number, |out| {
            out.extend_from_slice(&time.as_millisecond().to_le_bytes());
            line(out);
        });
    }

    /// Adds the frame of a data key.
    pub(super) fn write_data_key(&self, out: &mut Vec<u8>, wrapped: &[u8]) {
        self.write_frame(out, DATA_KEY, 0, |out| out.extend_from_slice(wrapped));
    }

    /// Adds the frame of a record that is encrypted as one of its file's.
    pub(super) fn write_sealed_record(
        &self,
        out: &mut Vec<u8>,
        number: u32,
        time: Timestamp,
        (data_key, record): (&DataKey, u64),
        line: impl FnOnce(&mut Vec<u8>),
    ) {
        let mut text = time.as_millisecond().to_le_bytes().to_vec();
        line(&mut text);
        data_key.seal(record, &mut text);
        self.write_frame(out, SEALED_RECORD, number, |out| {
            out.extend_from_slice(&record.to_le_bytes());
            out.extend_from_slice(&text);
        });
    }

    /// What its data key is bound to.
    pub(super) fn key_context(&self) -> String {
        format!("a journal of captures {}", self.id)
    }

    fn write_frame(&self, out: &mut Vec<u8>, kind: u8, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        out.extend_from_slice(&[0; FRAME_HEAD]);
        out.push(kind);
        out.extend_from_slice(&number.to_le_bytes());
        write(out);
        let (head, payload) = out[start..].split_at_mut(FRAME_HEAD);
        let length = u32::try_from(payload.len()).expect("a record is smaller than the memory for records");
        head[..4].copy_from_slice(&length.to_le_bytes());
        head[4..].copy_from_slice(&xxh64(payload, self.seed()).to_le_bytes());
    }

    /// Bytes of another file in this one's place are no frames of it.
    fn seed(&self) -> u64 {
        self.id.as_u128() as u64
    }

    /// The objects of its records.
    pub(super) async fn objects(&self, keys: Option<&KmsKeys>) -> Result<Vec<SegmentObject>, String> {
        let (segment, keys) = (self.clone(), keys.cloned());
        tokio::task::spawn_blocking(move || segment.read(keys.as_ref())).await.map_err(|error| error.to_string())?
    }

    fn read(&self, keys: Option<&KmsKeys>) -> Result<Vec<SegmentObject>, String> {
        let failed = |reason: &str| format!("{}: {reason}", self.path.display());
        let bytes = std::fs::read(&self.path).map_err(|error| failed(&error.to_string()))?;
        // Killed before its first record was there.
        if bytes.len() < MAGIC.len() {
            return Ok(Vec::new());
        }
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            return Err(failed(
                "it is no journal of this version; start the version that wrote it, or move the file away",
            ));
        };
        let mut objects = Objects::default();
        while let Some((payload, after)) = self.frame(rest) {
            if let Some(wrapped) = payload.strip_prefix(&DATA_KEY_HEAD) {
                let keys = keys.ok_or_else(|| failed("it is encrypted: start the service that wrote it"))?;
                let data_key = keys.data_key(wrapped, &self.key_context());
                objects.data_key = Some(data_key.map_err(|error| failed(&error.to_string()))?);
            } else if payload.first() == Some(&SEALED_RECORD) {
                // It was acknowledged: what cannot be opened is not what was never written.
                objects.add_sealed(payload).ok_or_else(|| failed("a record in it cannot be decrypted"))?;
            } else if !objects.add(payload) {
                break;
            }
            rest = after;
        }
        if !rest.is_empty() {
            tracing::debug!(path = %self.path.display(), bytes = rest.len(), "what was never acknowledged is dropped");
        }
        Ok(objects.finish(self.id))
    }

    fn frame<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let (length, bytes) = bytes.split_first_chunk()?;
        let (checksum, bytes) = bytes.split_first_chunk()?;
        let (payload, rest) = bytes.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        (xxh64(payload, self.seed()) == u64::from_le_bytes(*checksum)).then_some((payload, rest))
    }

    /// Deletes the file. One that cannot be deleted is stored once more at the next start, in the same objects.
    pub(super) async fn remove(&self) {
        if let Err(error) = tokio::fs::remove_file(&self.path).await {
            tracing::warn!(%error, path = %self.path.display(), "a journal could not be deleted");
        }
    }
}

/// Kind and number of a frame of a data key.
const DATA_KEY_HEAD: [u8; 5] = [DATA_KEY, 0, 0, 0, 0];

/// Records, sorted into objects.
#[derive(Default)]
struct Objects {
    data_key: Option<DataKey>,
    streams: HashMap<u32, StreamOfRecords>,
    numbers: HashMap<(u32, i64), usize>,
    found: Vec<Gathered>,
}

struct Gathered {
    stream: u32,
    first: Timestamp,
    lines: Vec<u8>,
    records: u64,
}

impl Objects {
    /// Takes a payload; false where it is none.
    fn add(&mut self, payload: &[u8]) -> bool {
        self.try_add(payload).is_some()
    }

    fn try_add(&mut self, payload: &[u8]) -> Option<()> {
        let (&kind, payload) = payload.split_first()?;
        let (number, payload) = payload.split_first_chunk()?;
        let stream = u32::from_le_bytes(*number);
        match kind {
            STREAM => {
                self.streams.insert(stream, serde_json::from_slice(payload).ok()?);
            }
            RECORD => self.add_record(stream, payload)?,
            _ => return None,
        }
        Some(())
    }

    /// Takes the payload of an encrypted record; None where it is none that this file's key has encrypted.
    fn add_sealed(&mut self, payload: &[u8]) -> Option<()> {
        let (_, payload) = payload.split_first()?;
        let (stream, payload) = payload.split_first_chunk()?;
        let (record, sealed) = payload.split_first_chunk()?;
        let mut text = sealed.to_vec();
        self.data_key.as_ref()?.open(u64::from_le_bytes(*record), &mut text).ok()?;
        self.add_record(u32::from_le_bytes(*stream), &text)
    }

    fn add_record(&mut self, stream: u32, record: &[u8]) -> Option<()> {
        let (time, line) = record.split_first_chunk()?;
        let time = Timestamp::from_millisecond(i64::from_le_bytes(*time)).ok()?;
        self.streams.get(&stream)?;
        let next = self.found.len();
        let number = *self.numbers.entry((stream, hour_of(time))).or_insert(next);
        if number == next {
            self.found.push(Gathered { stream, first: time, lines: Vec::new(), records: 0 });
        }
        let gathered = &mut self.found[number];
        gathered.lines.extend_from_slice(line);
        gathered.records += 1;
        Some(())
    }

    fn finish(self, segment: Uuid) -> Vec<SegmentObject> {
        let object = |(number, gathered): (usize, Gathered)| {
            let StreamOfRecords { destination, endpoint, variant, kms_key_id } = self.streams[&gathered.stream].clone();
            let id = Uuid::from_u128(segment.as_u128() ^ number as u128);
            let path = CaptureObject::path_of(&endpoint, &variant, gathered.first, id);
            let object = CaptureObject { destination, path, kms_key_id, lines: Bytes::from(gathered.lines) };
            SegmentObject { endpoint, variant, records: gathered.records, object }
        };
        self.found.into_iter().enumerate().map(object).collect()
    }
}
