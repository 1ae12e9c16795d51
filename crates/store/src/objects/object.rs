//! Objects and what is asked of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::MAX_METADATA_BYTES;
use crate::Error;

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// Where it was made.
    pub region: String,
    /// When it was made.
    pub created: Timestamp,
    /// Texts that are kept with it, by name (tagging, policy, ...).
    pub settings: BTreeMap<String, String>,
}

/// What is known of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectInfo {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// Its `ETag` without quotes.
    pub etag: String,
    /// When it was put, in whole milliseconds.
    pub modified: Timestamp,
    /// What was put with it.
    pub attributes: ObjectAttributes,
}

/// What is put with an object and returned with it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ObjectAttributes {
    /// Header `Content-Type`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Header `Content-Encoding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// Header `Cache-Control`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// Header `Content-Disposition`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// Header `Content-Language`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_language: Option<String>,
    /// Header `Expires`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// The user's metadata: names without their prefix.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// Checksums by algorithm, as the client wrote them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, String>,
    /// Header `x-amz-server-side-encryption`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_side_encryption: Option<String>,
    /// The KMS key that encrypts the body: its id, or its ARN, of which the text behind the last slash is the id.
    /// Aliases are the caller's to resolve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// The object's tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl ObjectAttributes {
    /// Refuses too much user metadata.
    pub(super) fn check(&self) -> Result<(), Error> {
        let size = self.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        if size > MAX_METADATA_BYTES {
            return Err(Error::MetadataTooLarge { size, limit: MAX_METADATA_BYTES });
        }
        Ok(())
    }
}

/// What must be so, at the moment of the commit, for a put to take place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// There is no object with this key.
    Absent,
    /// There is an object with this `ETag` (without quotes).
    Etag(String),
}

/// Gives checksums (algorithm to value) once the body has ended, and so checks the body: an error refuses the put, as
/// [`Error::Body`].
pub type Trailer = Box<dyn FnOnce() -> Result<BTreeMap<String, String>, std::io::Error> + Send>;

/// A trailer without checksums.
pub fn no_trailer() -> Trailer {
    Box::new(|| Ok(BTreeMap::new()))
}

/// A range of bytes, as in a `Range` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// From the first to the last byte, both included, or to the end.
    From {
        /// The first byte.
        first: u64,
        /// The last byte.
        last: Option<u64>,
    },
    /// So many bytes at the end.
    Last(u64),
}

impl ByteRange {
    /// The first byte and the number of bytes, of a body of `size` bytes; none where the range holds no byte of it.
    pub fn resolve(self, size: u64) -> Option<(u64, u64)> {
        let (first, end) = match self {
            Self::From { first, last } => {
                (first, last.map_or(size, |last| last.checked_add(1).map_or(size, |end| end.min(size))))
            }
            Self::Last(length) => (size.saturating_sub(length), size),
        };
        (first < end).then(|| (first, end - first))
    }
}

/// How an object becomes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// A hard link to the stored body where that is possible, else as `Copy`. Whoever can write to it could change the
    /// stored object: it must be below a read-only mount.
    Link,
    /// A file of its own (its blocks shared where the file system can do so).
    Copy,
}
