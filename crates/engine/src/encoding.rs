//! How states are written down, so that one process can fold and another can merge: little endian, without padding,
//! every state with a version of its own in front.
//!
//! Reading trusts nothing: a length is compared with what is left before anything of that length is allocated, and
//! what stands after the end is an error. Whatever the bytes, decoding answers with a state or a [`DecodeError`].
//! Decided against a general serialiser: the states are few, and their layout must not follow a crate's version.

/// Why bytes are not a state, in a message for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    message: String,
}

impl DecodeError {
    /// An error with this message: lower case, without a full stop.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// Collects encoded values.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// A writer that holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// Appends a yes or no.
    pub fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends sixteen bytes.
    pub fn i128(&mut self, value: i128) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// Appends the eight bytes of a double, its sign of zero included.
    pub fn f64(&mut self, value: f64) {
        self.u64(value.to_bits());
    }

    /// Appends a number of items, for [`Reader::length`].
    pub fn length(&mut self, items: usize) {
        self.u64(items as u64);
    }

    /// Appends a length and that many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// Appends bytes whose number the reader knows.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Everything that was appended.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes encoded values from the front of some bytes.
#[derive(Debug)]
pub struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some((array, left)) = self.left.split_first_chunk() else {
            return Err(self.too_short(N as u64));
        };
        self.left = left;
        Ok(*array)
    }

    /// Takes one byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    /// Takes a yes or no.
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::new(format!("{other} found where a state has 0 or 1"))),
        }
    }

    /// Takes eight bytes.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// Takes sixteen bytes.
    pub fn i128(&mut self) -> Result<i128, DecodeError> {
        Ok(i128::from_le_bytes(self.array()?))
    }

    /// Takes the eight bytes of a double.
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        Ok(f64::from_bits(self.u64()?))
    }

    /// Takes a number of items that need at least `item_bytes` each, and makes sure that so many bytes are left: what
    /// is allocated after it is never larger than a multiple of the input.
    pub fn length(&mut self, item_bytes: usize) -> Result<usize, DecodeError> {
        let items = self.u64()?;
        let wanted = items.saturating_mul(item_bytes as u64);
        if wanted > self.left.len() as u64 {
            return Err(self.too_short(wanted));
        }
        Ok(items as usize)
    }

    /// Takes a length and that many bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.length(1)?;
        self.raw(length)
    }

    /// Takes `length` bytes.
    pub fn raw(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let Some((bytes, left)) = self.left.split_at_checked(length) else {
            return Err(self.too_short(length as u64));
        };
        self.left = left;
        Ok(bytes)
    }

    /// Takes a version and compares it with the only one that `state` has so far.
    pub fn version(&mut self, state: &'static str, known: u8) -> Result<(), DecodeError> {
        let found = self.u8()?;
        if found == known {
            return Ok(());
        }
        Err(DecodeError::new(format!("the {state} state has version {found}, this program reads version {known}")))
    }

    /// Makes sure that nothing is left.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.left.is_empty() {
            return Ok(());
        }
        Err(DecodeError::new(format!("{} bytes follow the end of the state", self.left.len())))
    }

    fn too_short(&self, wanted: u64) -> DecodeError {
        DecodeError::new(format!("the state ends too early: {wanted} bytes expected, {} left", self.left.len()))
    }
}
