//! Uploads in parts.

use std::collections::BTreeMap;

use jiff::Timestamp;
use md5::{Digest as _, Md5};

use super::{MIN_PART_BYTES, ObjectAttributes};
use crate::Error;

/// An upload that was not completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadInfo {
    /// The key that the object will have.
    pub key: String,
    /// The upload's id.
    pub upload: String,
    /// When it was begun.
    pub initiated: Timestamp,
    /// What the object will have.
    pub attributes: ObjectAttributes,
}

/// A part that was put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartInfo {
    /// Its number, from 1.
    pub number: u32,
    /// Its bytes.
    pub size: u64,
    /// Its `ETag` without quotes.
    pub etag: String,
    /// When it was put.
    pub modified: Timestamp,
    /// Checksums by algorithm.
    pub checksums: BTreeMap<String, String>,
}

/// A part that a completion names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub number: u32,
    /// Its `ETag` without quotes.
    pub etag: String,
}

/// A page of parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartListing {
    /// The upload.
    pub upload: UploadInfo,
    /// The parts in the order of their numbers.
    pub parts: Vec<PartInfo>,
    /// The last number of this page, where there are more: give it as `after`.
    pub next: Option<u32>,
}

/// What uploads to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListUploads {
    /// The bucket.
    pub bucket: String,
    /// What keys begin with; may be empty.
    pub prefix: String,
    /// Only uploads behind this key and upload id; without an id, only those of greater keys.
    pub after: Option<(String, Option<String>)>,
    /// The most uploads.
    pub limit: usize,
}

/// A page of uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UploadListing {
    /// The uploads.
    pub uploads: Vec<UploadInfo>,
    /// Whether there are more behind the last.
    pub truncated: bool,
}

/// The parts that a completion names, each as it is stored; those that are stored are in the order of their numbers.
pub(super) fn named_parts<'p>(
    named: &'p [CompletedPart],
    stored: &'p [&'p PartInfo],
) -> Result<impl Iterator<Item = Result<&'p PartInfo, Error>>, Error> {
    if named.is_empty() {
        return Err(Error::InvalidPart(0));
    }
    if !named.is_sorted_by(|left, right| left.number < right.number) {
        return Err(Error::InvalidPartOrder);
    }
    Ok(named.iter().enumerate().map(move |(index, part)| {
        let found = stored
            .binary_search_by_key(&part.number, |stored| stored.number)
            .map(|at| stored[at])
            .ok()
            .filter(|found| found.etag == part.etag)
            .ok_or(Error::InvalidPart(part.number))?;
        let PartInfo { number, size, .. } = *found;
        if size < MIN_PART_BYTES && index + 1 < named.len() {
            return Err(Error::EntityTooSmall { number, size, minimum: MIN_PART_BYTES });
        }
        Ok(found)
    }))
}

/// The `ETag` of an object of these parts; none where a part's is no MD5.
pub(super) fn etag_of_parts(parts: &[CompletedPart]) -> Option<String> {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(hex::decode(&part.etag).ok()?);
    }
    Some(format!("{}-{}", hex::encode(md5.finalize()), parts.len()))
}
