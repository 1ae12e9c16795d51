//! Uploads in parts.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ObjectAttributes;

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
