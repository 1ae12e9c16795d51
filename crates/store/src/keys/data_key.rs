//! Data keys: each encrypts one body, in segments.

use ring::aead::{Aad, LessSafeKey, NONCE_LEN, Nonce};

use super::master_key::{KEY_BYTES, aead_key, random_bytes};
use crate::Error;

/// Bytes of a segment before it is encrypted; the last of a body may have fewer.
pub(crate) const SEGMENT_BYTES: usize = 64 << 10;
/// Bytes that encryption adds to a segment.
pub(crate) const TAG_BYTES: usize = 16;

/// A key that encrypts one body, or whatever else comes in numbered segments. As it encrypts nothing else, a segment's number serves as its nonce, which keeps
/// segments in their places as well.
#[derive(Clone)]
pub struct DataKey(LessSafeKey);

impl DataKey {
    /// A new key, and its bytes, which are to be wrapped and forgotten.
    pub(super) fn generate() -> Result<(Self, [u8; KEY_BYTES]), Error> {
        let bytes = random_bytes()?;
        Ok((Self(aead_key(&bytes)), bytes))
    }

    pub(super) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Self {
        Self(aead_key(bytes))
    }

    /// Encrypts a segment in place; its tag is put behind it. A number is used once.
    pub fn seal(&self, number: u64, segment: &mut Vec<u8>) {
        self.0
            .seal_in_place_append_tag(nonce(number), Aad::empty(), segment)
            .expect("a segment is shorter than what AES-GCM can encrypt");
    }

    /// Decrypts a segment in place and takes its tag off.
    ///
    /// # Errors
    /// [`Error::Undecipherable`] where it was changed, or has another number or key.
    pub fn open(&self, number: u64, segment: &mut Vec<u8>) -> Result<(), Error> {
        let length = self
            .0
            .open_in_place(nonce(number), Aad::empty(), segment)
            .map_err(|_| Error::Undecipherable(format!("segment {number} of an object")))?
            .len();
        segment.truncate(length);
        Ok(())
    }
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[NONCE_LEN - 8..].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

/// Bytes of a body when it is encrypted.
pub(crate) fn sealed_size(size: u64) -> u64 {
    size + size.div_ceil(SEGMENT_BYTES as u64) * TAG_BYTES as u64
}
