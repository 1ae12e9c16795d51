//! Objects in an outside S3: its buckets are ours, its keys are ours, and what an S3 has a header for is there as that header.
//! So what users keep there is theirs, with this program or without it.
//!
//! What differs from objects in the data directory, as an S3 cannot do it:
//!
//! - Times are those of its clock, in whole seconds; what a put returns is about when it was put.
//! - Deleting many objects is one request for each thousand of them, not one transaction, and every object that is gone
//!   afterwards counts as deleted, whether there was one or not.
//! - A listing knows sizes and `ETag`s of what is there, and no attributes. Of an encrypted object that is the size of what was
//!   sealed: 24 bytes more for each 64 KiB that was begun.
//! - Objects that are put in parts have no checksums but those that the outside makes itself. Parts of an encrypted one, save the
//!   last, must be multiples of 64 KiB, as those of every SDK are.
//! - A read goes on after a connection broke, unless the object was replaced meanwhile.
//!
//! Bodies under a KMS key are sealed before they leave ([`sealed`]); the data key that seals them, wrapped by the KMS key, is
//! metadata of the object. What an S3 has no place for (what our buckets were made with and their settings; what encrypts an
//! upload that is not completed) is kept as small objects in the bucket [`SYSTEM_BUCKET`].
//!
//! Decided against: the `object_store` crate, which knows no user metadata on listings, no bucket operations and no tags, and
//! brings a second HTTP client; uploads in parts of large bodies that come without a length, which leave parts behind when the
//! process dies, and give other `ETag`s than the client reckons with.

mod buckets;
mod connection;
mod headers;
mod listing;
mod reading;
mod sealed;
mod spool;
mod uploads;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt as _;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use tokio::io::AsyncWriteExt as _;
use watchkeeper_aws::xml;

use self::connection::{Call, Connection, Refusal};
use self::headers::{Seal, Stored};
use self::sealed::Sealer;
use self::spool::Spool;
use self::uploads::Uploads;
use super::{
    Body, Bucket, ByteRange, CompletedPart, ListObjects, ListUploads, Listing, MAX_PUT_BYTES, ObjectAttributes,
    ObjectInfo, Objects, PartInfo, PartListing, Precondition, SYSTEM_BUCKET, Staging, Trailer, UploadInfo,
    UploadListing, check_key, damaged,
};
use crate::Error;
use crate::data_directory::private_file;
use crate::disk::Disk;
use crate::keys::{DataKey, KmsKeys};
use crate::settings::S3Settings;

/// How long the outside may take to answer when the service starts, or is asked whether it is ready.
const STARTING: Duration = Duration::from_secs(10);
const READY: Duration = Duration::from_secs(3);
/// The most keys of one request to delete them.
const MOST_DELETED: usize = 1000;

/// Objects in an outside S3.
pub(crate) struct S3Objects {
    connection: Connection,
    spool: Spool,
    keys: KmsKeys,
    disk: Arc<Disk>,
    uploads: Uploads,
}

impl S3Objects {
    /// Looks whether the outside lets us in, and empties the folder of bodies on their way there.
    pub(crate) async fn open(
        settings: &S3Settings,
        spool: &Path,
        keys: KmsKeys,
        disk: Arc<Disk>,
    ) -> Result<Self, Error> {
        let connection = Connection::new(settings)?;
        let (folder, spool_disk) = (spool.to_owned(), Arc::clone(&disk));
        let spool = tokio::task::spawn_blocking(move || Spool::open(&folder, spool_disk)).await??;
        let this = Self { connection, spool, keys, disk, uploads: Uploads::default() };
        buckets::ensure_system_bucket(&this, STARTING).await?;
        Ok(this)
    }

    /// A new data key of the KMS key that the attributes name.
    async fn seal(&self, attributes: &ObjectAttributes) -> Result<Option<(DataKey, Seal)>, Error> {
        let Some(key) = &attributes.kms_key_id else { return Ok(None) };
        let (data_key, wrapped) = self.keys.for_writing(key).await?.generate_data_key()?;
        Ok(Some((data_key, Seal { kms_key_id: key.clone(), data_key: wrapped, checksums: None })))
    }

    /// The data key of a seal.
    async fn data_key(&self, seal: Option<&Seal>) -> Result<Option<DataKey>, Error> {
        let Some(seal) = seal else { return Ok(None) };
        self.keys.for_reading(&seal.kms_key_id).await?.data_key(&seal.data_key).map(Some)
    }

    /// An object's head; none where there is no such object in a bucket that is there.
    async fn stored(&self, bucket: &str, key: &str) -> Result<Option<Stored>, Error> {
        if key.is_empty() {
            return Ok(None);
        }
        let call = Call::object(Method::HEAD, "look at", bucket, key).header("x-amz-checksum-mode", "ENABLED");
        match self.connection.done(call).await {
            Ok(headers) => self.stored_of(bucket, key, &headers).map(Some),
            Err(refusal) => self.missing(refusal, bucket, key).await,
        }
    }

    /// An object from the head of an answer.
    fn stored_of(&self, bucket: &str, key: &str, headers: &HeaderMap) -> Result<Stored, Error> {
        let size = headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        let action = format!("tell the size of s3://{bucket}/{key}");
        let size = size.ok_or_else(|| self.connection.unexpected(&action, "its answer has no length"))?;
        headers::stored(headers, size)
    }

    /// None for what is not there, in a bucket that is: the refusal of a HEAD does not tell them apart.
    async fn missing<T>(&self, refusal: Refusal, bucket: &str, key: &str) -> Result<Option<T>, Error> {
        if !refusal.is_missing() {
            return Err(refusal.of_object(bucket, key));
        }
        if refusal.is("NoSuchKey") || buckets::exists(self, bucket).await? {
            return Ok(None);
        }
        Err(Error::NoSuchBucket(bucket.to_owned()))
    }

    /// What the trait says of an object.
    async fn info(&self, bucket: &str, key: &str, stored: Stored) -> Result<ObjectInfo, Error> {
        let size = match &stored.seal {
            Some(_) => sealed::plain_size(stored.size),
            None => Some(stored.size),
        };
        let size = size.ok_or_else(|| damaged(bucket, key))?;
        let Stored { mut attributes, seal, etag, modified, is_tagged, .. } = stored;
        if let Some(seal) = &seal
            && let Some(sealed) = &seal.checksums
            // What is known of an object whose key is switched off is the rest.
            && let Ok(Some(data_key)) = self.data_key(Some(seal)).await
        {
            attributes.checksums.extend(headers::checksums_of_text(&sealed::open_text(&data_key, sealed)?));
        }
        if is_tagged {
            attributes.tags = self.tags(bucket, key).await?;
        }
        Ok(ObjectInfo { key: key.to_owned(), size, etag, modified, attributes })
    }

    async fn tags(&self, bucket: &str, key: &str) -> Result<BTreeMap<String, String>, Error> {
        let call = Call::object(Method::GET, "get the tags of", bucket, key).with("tagging", "");
        let document = match self.connection.document(call).await {
            Ok((_, document)) => document,
            // Deleted meanwhile.
            Err(refusal) if refusal.is_missing() => return Ok(BTreeMap::new()),
            Err(refusal) => return Err(refusal.of_object(bucket, key)),
        };
        let tag = |tag| Some((xml::text(tag, "Key")?.into_owned(), xml::text(tag, "Value").unwrap_or_default().into()));
        Ok(xml::elements(&document, "Tag").filter_map(tag).collect())
    }

    /// Looks whether a condition holds. The outside looks again, at the moment of the commit.
    async fn check_precondition(&self, bucket: &str, key: &str, precondition: &Precondition) -> Result<(), Error> {
        if *precondition == Precondition::None {
            return Ok(());
        }
        match (precondition, self.stored(bucket, key).await?) {
            (Precondition::Etag(_), None) => Err(Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() }),
            (Precondition::Etag(etag), Some(stored)) if stored.etag != *etag => Err(Error::PreconditionFailed),
            (Precondition::Absent, Some(_)) => Err(Error::PreconditionFailed),
            _ => Ok(()),
        }
    }

    /// Puts content under attributes that are complete.
    async fn send(
        &self,
        (bucket, key): (&str, &str),
        mut attributes: ObjectAttributes,
        seal: Option<&Seal>,
        spooled: spool::Spooled,
        precondition: &Precondition,
    ) -> Result<ObjectInfo, Error> {
        let mut call = Call::object(Method::PUT, "put", bucket, key)
            .headers(headers::of_attributes(&attributes, seal))
            .content(spooled.content);
        if let Some((name, value)) = headers::of_precondition(precondition) {
            // Sent twice, it would fail at what it has done itself.
            call = call.header(&name, value).once();
        }
        let headers = match self.connection.done(call).await {
            Ok(answer) => answer,
            Err(refusal) if refusal.is_failed_precondition() => {
                self.check_precondition(bucket, key, precondition).await?;
                return Err(Error::PreconditionFailed);
            }
            Err(refusal) => return Err(refusal.of_object(bucket, key)),
        };
        if attributes.server_side_encryption.is_none() {
            attributes.server_side_encryption = headers::value(&headers, "x-amz-server-side-encryption");
        }
        if seal.is_none() {
            attributes.checksums.extend(headers::checksums(&headers));
        }
        attributes.content_type = attributes.content_type.filter(|kind| kind != headers::NO_TYPE);
        let modified = headers::date(&headers, "date").unwrap_or_else(Timestamp::now);
        let etag = headers::etag(&headers);
        Ok(ObjectInfo { key: key.to_owned(), size: spooled.size, etag, modified, attributes })
    }
}

#[async_trait::async_trait]
impl Objects for S3Objects {
    async fn ready(&self) -> Result<(), Error> {
        buckets::ready(self, READY).await
    }

    async fn create_bucket(&self, name: &str, region: &str, now: Timestamp) -> Result<(), Error> {
        buckets::create(self, name, region, now).await
    }

    async fn bucket(&self, name: &str) -> Result<Option<Bucket>, Error> {
        buckets::read(self, name).await
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        buckets::all(self).await
    }

    async fn set_bucket_setting(&self, name: &str, setting: &str, value: Option<String>) -> Result<(), Error> {
        buckets::set_setting(self, name, setting, value).await
    }

    async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        buckets::delete(self, name).await
    }

    async fn put_with_trailer(
        &self,
        bucket: &str,
        key: &str,
        mut attributes: ObjectAttributes,
        body: Body,
        precondition: Precondition,
        trailer: Trailer,
    ) -> Result<ObjectInfo, Error> {
        check_key(key)?;
        attributes.check()?;
        let (data_key, mut seal) = self.seal(&attributes).await?.unzip();
        let sealer = data_key.clone().map(|data_key| Sealer::new(data_key, 0));
        let spooled = self.spool.take(body, MAX_PUT_BYTES, sealer).await?;
        attributes.checksums.append(&mut trailer().map_err(Error::Body)?);
        if let (Some(data_key), Some(seal)) = (&data_key, &mut seal)
            && !attributes.checksums.is_empty()
        {
            let text = headers::checksums_text(&attributes.checksums);
            seal.checksums = Some(sealed::seal_text(data_key, &text));
        }
        self.check_precondition(bucket, key, &precondition).await?;
        self.send((bucket, key), attributes, seal.as_ref(), spooled, &precondition).await
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectInfo>, Error> {
        match self.stored(bucket, key).await? {
            Some(stored) => self.info(bucket, key, stored).await.map(Some),
            None => Ok(None),
        }
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        range: Option<ByteRange>,
    ) -> Result<Option<(ObjectInfo, Body)>, Error> {
        match range {
            None => reading::whole(self, bucket, key).await,
            Some(range) => reading::range(self, bucket, key, range).await,
        }
    }

    async fn delete(&self, bucket: &str, keys: &[String]) -> Result<Vec<bool>, Error> {
        // XML has no place for some characters of keys.
        let named = keys.iter().filter(|key| !key.is_empty());
        let (mut written, mut others): (Vec<&String>, Vec<&String>) = named.partition(|key| {
            !key.chars().any(|character| character < ' ' || matches!(character, '\u{fffe}' | '\u{ffff}'))
        });
        // One alone needs no document.
        if written.len() == 1 {
            others.append(&mut written);
        }
        for key in others {
            let call = Call::object(Method::DELETE, "delete", bucket, key);
            self.connection.done(call).await.map_err(|refusal| refusal.of_object(bucket, key))?;
        }
        for keys in written.chunks(MOST_DELETED) {
            let objects: Vec<String> =
                keys.iter().map(|key| format!("<Object><Key>{}</Key></Object>", xml::escape(key))).collect();
            let document = format!("<Delete><Quiet>true</Quiet>{}</Delete>", objects.concat());
            let digest = headers::md5(document.as_bytes());
            let call = Call::bucket(Method::POST, "delete objects of", bucket)
                .with("delete", "")
                .header("content-md5", digest)
                .document(document);
            let (_, answer) = self.connection.document(call).await.map_err(|refusal| refusal.of_bucket(bucket))?;
            let action = format!("delete objects of the bucket {bucket}");
            if let Some(refusal) = self.connection.refusal_within(&action, &answer) {
                return Err(refusal.of_bucket(bucket));
            }
        }
        Ok(vec![true; keys.len()])
    }

    async fn list(&self, list: &ListObjects) -> Result<Listing, Error> {
        listing::list(self, list).await
    }

    async fn create_upload(&self, bucket: &str, key: &str, attributes: ObjectAttributes) -> Result<String, Error> {
        uploads::create(self, bucket, key, attributes).await
    }

    async fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<UploadInfo, Error> {
        Ok(uploads::read(self, bucket, key, upload).await?.info(key, upload))
    }

    async fn put_part_with_trailer(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        number: u32,
        body: Body,
        trailer: Trailer,
    ) -> Result<PartInfo, Error> {
        uploads::put_part(self, (bucket, key, upload), number, body, trailer).await
    }

    async fn complete_upload(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        parts: &[CompletedPart],
        _checksums: BTreeMap<String, String>,
        precondition: Precondition,
    ) -> Result<ObjectInfo, Error> {
        uploads::complete(self, (bucket, key, upload), parts, &precondition).await
    }

    async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
        uploads::abort(self, bucket, key, upload).await
    }

    async fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<PartListing, Error> {
        let state = uploads::read(self, bucket, key, upload).await?;
        uploads::list_parts(self, (bucket, key, upload), &state, after, limit).await
    }

    async fn list_uploads(&self, list: &ListUploads) -> Result<UploadListing, Error> {
        uploads::list(self, list).await
    }

    async fn stage(&self, bucket: &str, key: &str, path: &Path, _staging: Staging) -> Result<(), Error> {
        let create = {
            let path = path.to_owned();
            move || private_file().create_new(true).open(&path).map_err(Error::file("create", &path))
        };
        let Some((info, body)) = reading::whole(self, bucket, key).await? else {
            return Err(Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() });
        };
        self.disk.check(info.size)?;
        let file = tokio::task::spawn_blocking(create).await??;
        let written = write(tokio::fs::File::from_std(file), body).await;
        if written.is_err() {
            // What cannot be removed is in a folder that goes with the job.
            let _ = tokio::fs::remove_file(path).await;
        }
        written.map_err(Error::file("write", path))
    }
}

async fn write(mut file: tokio::fs::File, mut body: Body) -> std::io::Result<()> {
    while let Some(bytes) = body.try_next().await? {
        file.write_all(&bytes).await?;
    }
    file.flush().await
}
