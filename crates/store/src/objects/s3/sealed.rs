//! Sealed bodies as the outside has them: segments, each with its number before it.
//!
//! ```text
//! number (8 bytes) | up to 64 KiB, encrypted | tag (16 bytes)
//! number (8 bytes) | ...
//! ```
//!
//! A segment's number is its nonce. Of an upload one data key encrypts every part, also one that is sent twice, and nobody knows
//! before the end which parts the object will have: so a number is made of the part's number, 32 random bits for this sending of
//! it, the segment's place in the part, and a bit that says that it is the part's last. Numbers of what is read must go up in
//! that order, so that segments cannot be exchanged, left out of a part, or taken from another sending. A body without bytes is
//! one empty segment.
//!
//! As every segment but the last of a part is full, and every part but the last of an object must end with a full segment,
//! places and sizes follow from each other without a table, which could not be written: metadata of an upload is given before
//! its parts.

use bytes::Bytes;
use uuid::Uuid;

use crate::Error;
use crate::keys::{DataKey, SEGMENT_BYTES, TAG_BYTES};
use crate::objects::{MAX_PART_NUMBER, MAX_PUT_BYTES};

const NUMBER_BYTES: usize = 8;
const OVERHEAD: usize = NUMBER_BYTES + TAG_BYTES;
/// Bytes of a full segment there.
pub(super) const SEALED_SEGMENT: u64 = (SEGMENT_BYTES + OVERHEAD) as u64;
const SEGMENT: u64 = SEGMENT_BYTES as u64;

/// Bits of a segment's place within its part, and of what differs between two sendings; the lowest bit is that of the last.
const PLACE_BITS: u32 = 17;
const RANDOM_BITS: u32 = 32;
const LAST: u64 = 1;
const _: () = assert!(MAX_PUT_BYTES / SEGMENT < 1 << PLACE_BITS);
const _: () = assert!((MAX_PART_NUMBER as u64) < 1 << (u64::BITS - 1 - PLACE_BITS - RANDOM_BITS));

/// Bytes of the body of which so many are there; none where no body has so many.
pub(super) fn plain_size(sealed: u64) -> Option<u64> {
    let (full, rest) = (sealed / SEALED_SEGMENT, sealed % SEALED_SEGMENT);
    match (full, rest) {
        (1.., 0) => Some(full * SEGMENT),
        _ => Some(full * SEGMENT + rest.checked_sub(OVERHEAD as u64)?),
    }
}

/// The bytes there that hold a range of the body (first byte, number of bytes, at least one): the first and the number.
pub(super) fn sealed_range((first, length): (u64, u64), sealed: u64) -> (u64, u64) {
    let start = first / SEGMENT * SEALED_SEGMENT;
    let end = ((first + length).div_ceil(SEGMENT) * SEALED_SEGMENT).min(sealed);
    (start, end - start)
}

/// The number of what is sealed beside a body: no part has so high a one.
const BESIDE: u64 = u64::MAX;

/// Seals a text that goes beside a body, once for a data key.
pub(super) fn seal_text(data_key: &DataKey, text: &str) -> Vec<u8> {
    let mut sealed = text.as_bytes().to_vec();
    data_key.seal(BESIDE, &mut sealed);
    sealed
}

/// Opens it again.
pub(super) fn open_text(data_key: &DataKey, sealed: &[u8]) -> Result<String, Error> {
    let mut text = sealed.to_vec();
    data_key.open(BESIDE, &mut text)?;
    String::from_utf8(text).map_err(|_| damaged())
}

/// Seals a body.
pub(super) struct Sealer {
    data_key: DataKey,
    /// Of the segment that is being filled.
    number: u64,
    segment: Vec<u8>,
}

impl Sealer {
    /// For a part; 0 for a body that is put at once.
    pub(super) fn new(data_key: DataKey, part: u32) -> Self {
        let random = u32::from_be_bytes(Uuid::new_v4().as_bytes()[12..].try_into().expect("an id has sixteen bytes"));
        let sending = u64::from(part) << RANDOM_BITS | u64::from(random);
        let number = sending << (PLACE_BITS + 1);
        Self { data_key, number, segment: Vec::with_capacity(SEGMENT_BYTES + TAG_BYTES) }
    }

    /// Adds bytes of the body; what is ready goes to the end of `sealed`.
    pub(super) fn push(&mut self, mut bytes: &[u8], sealed: &mut Vec<u8>) {
        while !bytes.is_empty() {
            // A full one waits, as it may be the last.
            if self.segment.len() == SEGMENT_BYTES {
                self.seal(self.number, sealed);
                self.number += LAST + 1;
            }
            let (now, later) = bytes.split_at(bytes.len().min(SEGMENT_BYTES - self.segment.len()));
            self.segment.extend_from_slice(now);
            bytes = later;
        }
    }

    /// Ends the body.
    pub(super) fn end(mut self, sealed: &mut Vec<u8>) {
        self.seal(self.number | LAST, sealed);
    }

    fn seal(&mut self, number: u64, sealed: &mut Vec<u8>) {
        self.data_key.seal(number, &mut self.segment);
        sealed.extend_from_slice(&number.to_be_bytes());
        sealed.extend_from_slice(&self.segment);
        self.segment.clear();
    }
}

/// Opens what is read.
pub(super) struct Opener {
    data_key: DataKey,
    buffer: Vec<u8>,
    last: Option<u64>,
    /// Bytes before those that are wanted, and how many are wanted.
    skipped: u64,
    wanted: u64,
    /// Whether what is read begins with the body, and whether it ends with it.
    from_start: bool,
    to_end: bool,
}

impl Opener {
    /// For a range (first byte, number of bytes) of a body of so many bytes, from the bytes that [`sealed_range`] names.
    pub(super) fn new(data_key: DataKey, (first, length): (u64, u64), size: u64) -> Self {
        let (skipped, from_start, to_end) = (first % SEGMENT, first < SEGMENT, first + length == size);
        Self { data_key, buffer: Vec::new(), last: None, skipped, wanted: length, from_start, to_end }
    }

    /// Adds what was read; gives what is wanted of it.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Bytes, Error> {
        self.buffer.extend_from_slice(bytes);
        let whole = self.buffer.len() / SEALED_SEGMENT as usize * SEALED_SEGMENT as usize;
        let rest = self.buffer.split_off(whole);
        let full = std::mem::replace(&mut self.buffer, rest);
        let mut plain = Vec::with_capacity(full.len());
        for segment in full.chunks(SEALED_SEGMENT as usize) {
            self.open(segment, &mut plain)?;
        }
        Ok(plain.into())
    }

    /// What is wanted of the last segment, which need not be full.
    pub(super) fn end(&mut self) -> Result<Bytes, Error> {
        let rest = std::mem::take(&mut self.buffer);
        let mut plain = Vec::with_capacity(rest.len());
        if !rest.is_empty() {
            self.open(&rest, &mut plain)?;
        }
        let ends = self.last.is_some_and(|last| last & LAST != 0);
        if self.wanted > 0 || self.to_end && !ends {
            return Err(damaged());
        }
        Ok(plain.into())
    }

    fn open(&mut self, segment: &[u8], plain: &mut Vec<u8>) -> Result<(), Error> {
        let (number, text) = segment.split_first_chunk::<NUMBER_BYTES>().ok_or_else(damaged)?;
        let number = u64::from_be_bytes(*number);
        if !self.follows(number) {
            return Err(damaged());
        }
        self.last = Some(number);
        let mut text = text.to_vec();
        self.data_key.open(number, &mut text)?;
        let skipped = self.skipped.min(text.len() as u64);
        self.skipped -= skipped;
        let wanted = &text[skipped as usize..];
        let wanted = &wanted[..wanted.len().min(usize::try_from(self.wanted).unwrap_or(usize::MAX))];
        self.wanted -= wanted.len() as u64;
        plain.extend_from_slice(wanted);
        Ok(())
    }

    /// Whether a segment of this number may come next.
    fn follows(&self, number: u64) -> bool {
        let sending = |number: u64| number >> (PLACE_BITS + 1);
        let place = |number: u64| number >> 1 & ((1 << PLACE_BITS) - 1);
        let part = |number: u64| sending(number) >> RANDOM_BITS;
        match self.last {
            None => !self.from_start || place(number) == 0,
            Some(last) if last & LAST != 0 => place(number) == 0 && part(last) < part(number),
            Some(last) => sending(last) == sending(number) && place(last) + 1 == place(number),
        }
    }
}

fn damaged() -> Error {
    Error::Damaged("an encrypted object".to_owned())
}
