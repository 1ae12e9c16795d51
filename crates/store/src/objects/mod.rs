//! Objects: named bodies of bytes in buckets, as an S3 client sees them.
//!
//! Keys are bytes: they are compared and sorted as bytes, never normalised, and a separator means nothing but in a
//! listing that asks for one. A write is durable when it returns, is there whole or not at all, and is seen by every
//! later read. A read that has begun ends with the body that it began with, whatever is written meanwhile.

mod body;
pub(crate) mod embedded;
mod listing;
mod object;
pub(crate) mod s3;
mod upload;

use std::path::Path;

use jiff::Timestamp;

pub use body::{Body, body, read_all};
pub use listing::{ListObjects, Listing};
pub use object::{Bucket, ByteRange, ObjectAttributes, ObjectInfo, Precondition, Staging, Trailer, no_trailer};
pub use upload::{CompletedPart, ListUploads, PartInfo, PartListing, UploadInfo, UploadListing};

use crate::Error;

/// The most bytes of a key.
pub const MAX_KEY_BYTES: usize = 1024;
/// The most bytes of names and values of user metadata.
pub const MAX_METADATA_BYTES: usize = 2 * 1024;
/// The most bytes of an object that is put at once, and of a part (5 GiB).
pub const MAX_PUT_BYTES: u64 = 5 << 30;
/// The most bytes of an object that is put in parts (5 TiB).
pub const MAX_OBJECT_BYTES: u64 = 5 << 40;
/// The fewest bytes of a part that is not the last (5 MiB).
pub const MIN_PART_BYTES: u64 = 5 << 20;
/// The highest number of a part; the lowest is 1.
pub const MAX_PART_NUMBER: u32 = 10_000;
/// The most buckets, as on AWS.
pub const MAX_BUCKETS: u64 = 10_000;
/// The most uploads that were not completed.
pub const MAX_UPLOADS: u64 = 10_000;

/// The bucket of what the service itself offers and keeps.
pub const SYSTEM_BUCKET: &str = "watchkeeper-system";

/// Where objects are kept.
///
/// Every method but `bucket`, `buckets` and `create_bucket` fails with [`Error::NoSuchBucket`] where the bucket is not
/// there.
#[async_trait::async_trait]
pub trait Objects: Send + Sync {
    /// Whether objects can be reached now; what can never be out of reach is always ready.
    async fn ready(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Makes a bucket. Its name is the caller's to check.
    ///
    /// # Errors
    /// [`Error::BucketExists`].
    async fn create_bucket(&self, name: &str, region: &str, now: Timestamp) -> Result<(), Error>;

    /// A bucket.
    async fn bucket(&self, name: &str) -> Result<Option<Bucket>, Error>;

    /// All buckets in the order of their names.
    async fn buckets(&self) -> Result<Vec<Bucket>, Error>;

    /// Sets, or without a value removes, a setting of a bucket.
    async fn set_bucket_setting(&self, name: &str, setting: &str, value: Option<String>) -> Result<(), Error>;

    /// Deletes a bucket, with the uploads that were not completed.
    ///
    /// # Errors
    /// [`Error::BucketNotEmpty`] while there is an object.
    async fn delete_bucket(&self, name: &str) -> Result<(), Error>;

    /// Puts an object, in place of one with the same key. Where the attributes have a KMS key id, the body is encrypted.
    ///
    /// # Errors
    /// [`Error::KeyLength`], [`Error::MetadataTooLarge`], [`Error::EntityTooLarge`], [`Error::KeyUnavailable`],
    /// [`Error::Body`], [`Error::PreconditionFailed`]; [`Error::NoSuchKey`] where an `ETag` was the precondition and
    /// there is no object. Nothing has changed then.
    async fn put(
        &self,
        bucket: &str,
        key: &str,
        attributes: ObjectAttributes,
        body: Body,
        precondition: Precondition,
    ) -> Result<ObjectInfo, Error> {
        self.put_with_trailer(bucket, key, attributes, body, precondition, no_trailer()).await
    }

    /// Like [`Objects::put`], with checksums that are known when the body has ended.
    async fn put_with_trailer(
        &self,
        bucket: &str,
        key: &str,
        attributes: ObjectAttributes,
        body: Body,
        precondition: Precondition,
        trailer: Trailer,
    ) -> Result<ObjectInfo, Error>;

    /// What is known of an object.
    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectInfo>, Error>;

    /// An object and its body, or a range of it.
    ///
    /// # Errors
    /// [`Error::InvalidRange`], [`Error::KeyUnavailable`].
    async fn get(&self, bucket: &str, key: &str, range: Option<ByteRange>)
    -> Result<Option<(ObjectInfo, Body)>, Error>;

    /// Deletes objects, all in one transaction; tells for each key whether there was one.
    async fn delete(&self, bucket: &str, keys: &[String]) -> Result<Vec<bool>, Error>;

    /// One page of objects and common prefixes. It costs the same however many objects there are.
    async fn list(&self, list: &ListObjects) -> Result<Listing, Error>;

    /// Begins an upload in parts and returns its id. Where the attributes have a KMS key id, the parts are encrypted.
    async fn create_upload(&self, bucket: &str, key: &str, attributes: ObjectAttributes) -> Result<String, Error>;

    /// An upload that was not completed: its attributes.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    async fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<UploadInfo, Error>;

    /// Puts a part, in place of one with the same number.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`]; [`Error::InvalidPart`] for a number that is not within 1 to 10,000; those of `put`.
    async fn put_part(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        body: Body,
    ) -> Result<PartInfo, Error> {
        self.put_part_with_trailer(bucket, key, upload, number, body, no_trailer()).await
    }

    /// Like [`Objects::put_part`], with checksums that are known when the body has ended.
    async fn put_part_with_trailer(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        body: Body,
        trailer: Trailer,
    ) -> Result<PartInfo, Error>;

    /// Makes an object of the named parts; parts that are not named are discarded. The checksums, of the whole object,
    /// are kept with it. Its `ETag` is the MD5 of the parts' MD5s, with `-` and their number.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`], [`Error::InvalidPart`] (also for no parts at all, with number 0),
    /// [`Error::InvalidPartOrder`], [`Error::EntityTooSmall`], [`Error::EntityTooLarge`], [`Error::PreconditionFailed`],
    /// [`Error::NoSuchKey`] as in `put`. Nothing has changed then.
    async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: &[CompletedPart],
        checksums: std::collections::BTreeMap<String, String>,
        precondition: Precondition,
    ) -> Result<ObjectInfo, Error>;

    /// Ends an upload and discards its parts.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error>;

    /// The parts of an upload with numbers above `after`.
    ///
    /// # Errors
    /// [`Error::NoSuchUpload`].
    async fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<PartListing, Error>;

    /// The uploads of a bucket that were not completed, in the order of their keys, then of their beginning.
    async fn list_uploads(&self, list: &ListUploads) -> Result<UploadListing, Error>;

    /// Puts an object's body into a file that does not exist yet, in a folder that does.
    ///
    /// # Errors
    /// [`Error::NoSuchKey`], [`Error::KeyUnavailable`].
    async fn stage(&self, bucket: &str, key: &str, path: &Path, staging: Staging) -> Result<(), Error>;
}

fn check_key(key: &str) -> Result<(), Error> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::KeyLength { length: key.len(), limit: MAX_KEY_BYTES });
    }
    Ok(())
}

fn damaged(bucket: &str, key: &str) -> Error {
    Error::Damaged(format!("the object {key} in bucket {bucket}"))
}
