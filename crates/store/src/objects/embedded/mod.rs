//! Objects in the data directory: rows in the metadata database; small bodies in their rows, larger ones in files.
//!
//! The row is the commit point. A put writes the body's file first (complete, durable, under a name of its own), then
//! the row, then removes the files of what it replaced. Parts of an upload stay files of their own: completing one
//! moves rows, however large the object is.

mod blobs;
mod buckets;
mod incoming;
mod list;
mod outgoing;
mod rows;
mod staging;
mod uploads;
mod usage;

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use uuid::Uuid;

use self::blobs::{Blobs, NewBlob, PinnedBlobs};
pub(crate) use self::blobs::{HeldBlobs, shard};
use self::incoming::{Place, StoredBody, Storing};
use self::outgoing::{Piece, PieceReader};
use self::rows::{NewObject, ObjectRow};
use super::{
    Body, Bucket, ByteRange, CompletedPart, ListObjects, ListUploads, Listing, MAX_PUT_BYTES, ObjectAttributes,
    ObjectInfo, Objects, PartInfo, PartListing, Precondition, Staging, Trailer, UploadInfo, UploadListing, check_key,
    damaged,
};
use crate::Error;
use crate::database::Database;
use crate::disk::Disk;
use crate::keys::{DataKey, KeyMaterial, KmsKeys};

/// How often a read starts again because the object was replaced meanwhile.
const MAX_READ_ATTEMPTS: usize = 100;

/// Objects in the data directory. Clones share them.
#[derive(Clone)]
pub(crate) struct EmbeddedObjects {
    database: Database,
    blobs: Blobs,
    keys: KmsKeys,
    disk: Arc<Disk>,
}

impl EmbeddedObjects {
    /// Opens the folder of bodies, and removes what a crash has left there.
    pub(crate) async fn open(folder: &Path, database: Database, keys: KmsKeys, disk: Arc<Disk>) -> Result<Self, Error> {
        let mut kept = HashSet::new();
        {
            let mut names =
                sqlx::query_scalar::<_, String>(include_str!("../sql/all_blobs.sql")).fetch(database.readers());
            while let Some(name) = names.try_next().await? {
                kept.insert(Uuid::parse_str(&name).map_err(|_| Error::Damaged(format!("the name of a file, {name}")))?);
            }
        }
        let folder = folder.to_owned();
        let open = move || {
            let blobs = Blobs::open(&folder)?;
            let removed = blobs.sweep(&kept)?;
            if removed > 0 {
                tracing::info!(removed, "removed bodies that no object has");
            }
            Ok::<_, Error>(blobs)
        };
        let blobs = tokio::task::spawn_blocking(open).await??;
        Ok(Self { database, blobs, keys, disk })
    }

    /// Keeps the files of all bodies, of those that are deleted too, while the value lives.
    pub(crate) fn hold(&self) -> HeldBlobs {
        self.blobs.hold()
    }

    /// A new data key of the KMS key that the attributes name.
    async fn data_key(&self, attributes: &ObjectAttributes) -> Result<Option<(DataKey, Vec<u8>)>, Error> {
        let Some(key) = &attributes.kms_key_id else { return Ok(None) };
        self.keys.for_writing(key).await?.generate_data_key().map(Some)
    }

    /// What decrypts the data keys of an object.
    async fn material(&self, attributes: &ObjectAttributes) -> Result<Option<KeyMaterial>, Error> {
        let Some(key) = &attributes.kms_key_id else { return Ok(None) };
        self.keys.for_reading(key).await.map(Some)
    }

    /// Commits what a stored body is for. Once begun this takes place even if the caller goes away; the body's file is
    /// kept exactly if a row names it.
    async fn commit<T, F>(&self, blob: Option<NewBlob>, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(
                &'c mut sqlx::SqliteConnection,
            ) -> futures::future::BoxFuture<'c, Result<(T, Vec<String>), Error>>
            + Send
            + 'static,
    {
        let this = self.clone();
        let commit = async move {
            match this.database.write(work).await {
                Ok((value, discarded)) => {
                    blob.into_iter().for_each(NewBlob::keep);
                    this.blobs.discard(discarded).await;
                    Ok(value)
                }
                Err(error) => {
                    // The next start knows whether the row is there.
                    if error.leaves_commit_unknown() {
                        blob.into_iter().for_each(NewBlob::keep);
                    }
                    Err(error)
                }
            }
        };
        tokio::spawn(commit).await?
    }

    /// A reader of an object's files. None if the object was replaced meanwhile.
    async fn reader(&self, row: &ObjectRow, range: (u64, u64)) -> Result<Option<PieceReader>, Error> {
        let pieces = rows::pieces(&self.database, row.id).await?;
        if pieces.is_empty() {
            return Ok(None);
        }
        let material = self.material(&row.info.attributes).await?;
        let Some(pinned) = self.pin(row.id, &pieces).await? else { return Ok(None) };
        let blobs = self.blobs.clone();
        let open = move || PieceReader::open(blobs, pieces, material, pinned, range);
        match tokio::task::spawn_blocking(open).await? {
            Ok(reader) => Ok(Some(reader)),
            Err(error) if error.is_missing_file() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the files of a body that is in several, as they are opened one after the other; an open file keeps itself.
    /// None if the object was replaced meanwhile.
    async fn pin(&self, object: i64, pieces: &[Piece]) -> Result<Option<Option<PinnedBlobs>>, Error> {
        if pieces.len() == 1 {
            return Ok(Some(None));
        }
        let pinned = self.blobs.pin(pieces.iter().map(|piece| piece.blob.clone()).collect());
        // Files that were discarded before they were pinned are those of an object that is gone by now.
        let exists = rows::object_exists(&self.database, object).await?;
        Ok(exists.then_some(Some(pinned)))
    }

    /// The body of an object that has it in its row.
    async fn row_body(&self, row: &ObjectRow, mut body: Vec<u8>) -> Result<Bytes, Error> {
        if let (Some(wrapped), Some(material)) = (&row.data_key, self.material(&row.info.attributes).await?)
            && !body.is_empty()
        {
            material.data_key(wrapped)?.open(0, &mut body)?;
        }
        Ok(body.into())
    }
}

#[async_trait::async_trait]
impl Objects for EmbeddedObjects {
    async fn create_bucket(&self, name: &str, region: &str, now: Timestamp) -> Result<(), Error> {
        buckets::create(&self.database, name, region, now).await
    }

    async fn bucket(&self, name: &str) -> Result<Option<Bucket>, Error> {
        Ok(buckets::read(&self.database, Some(name)).await?.pop())
    }

    async fn buckets(&self) -> Result<Vec<Bucket>, Error> {
        buckets::read(&self.database, None).await
    }

    async fn set_bucket_setting(&self, name: &str, setting: &str, value: Option<String>) -> Result<(), Error> {
        buckets::set_setting(&self.database, name, setting, value).await
    }

    async fn delete_bucket(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.commit(None, move |connection| Box::pin(buckets::delete(connection, name))).await
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
        rows::bucket_id(self.database.readers(), bucket).await?;
        let data_key = self.data_key(&attributes).await?;
        let others = usage::beside_object(&self.database, &self.disk, bucket, key).await?;
        let disk = Arc::clone(&self.disk);
        let storing = Storing { data_key, limit: MAX_PUT_BYTES, in_row: true, disk: Arc::clone(&disk), others };
        let StoredBody { size, md5, place, data_key } = incoming::store(&self.blobs, body, storing).await?;
        attributes.checksums.append(&mut trailer().map_err(Error::Body)?);
        let (body, blob) = match place {
            Place::Row(body) => (Some(body), None),
            Place::File(blob) => (None, Some(blob)),
        };
        let piece = blob.as_ref().map(|blob| blob.name().to_owned());
        let info = ObjectInfo { key: key.to_owned(), size, etag: hex::encode(md5), modified: now(), attributes };
        let object = NewObject { bucket: bucket.to_owned(), info, precondition, body, data_key };
        self.commit(blob, move |connection| {
            Box::pin(async move {
                let put = rows::put(&mut *connection, object, piece).await?;
                usage::check(connection, &disk).await?;
                Ok(put)
            })
        })
        .await
    }

    async fn head(&self, bucket: &str, key: &str) -> Result<Option<ObjectInfo>, Error> {
        let row = rows::head(&self.database, bucket, key).await?;
        Ok(row.map(|row| row.info))
    }

    async fn get(
        &self,
        bucket: &str,
        key: &str,
        range: Option<ByteRange>,
    ) -> Result<Option<(ObjectInfo, Body)>, Error> {
        for _ in 0..MAX_READ_ATTEMPTS {
            let Some((row, body)) = rows::get(&self.database, bucket, key).await? else { return Ok(None) };
            let size = row.info.size;
            let (first, length) = match range {
                None => (0, size),
                Some(range) => range.resolve(size).ok_or(Error::InvalidRange { size })?,
            };
            if let Some(body) = body {
                let body = self.row_body(&row, body).await?;
                let end = first + length;
                if body.len() as u64 != size {
                    return Err(damaged(bucket, key));
                }
                return Ok(Some((row.info, super::body(body.slice(first as usize..end as usize)))));
            }
            if let Some(reader) = self.reader(&row, (first, length)).await? {
                return Ok(Some((row.info, reader.into_body())));
            }
        }
        Err(damaged(bucket, key))
    }

    async fn delete(&self, bucket: &str, keys: &[String]) -> Result<Vec<bool>, Error> {
        let (bucket, keys) = (bucket.to_owned(), keys.to_vec());
        self.commit(None, move |connection| Box::pin(rows::delete(connection, bucket, keys))).await
    }

    async fn list(&self, list: &ListObjects) -> Result<Listing, Error> {
        list::list(&self.database, list).await
    }

    async fn create_upload(&self, bucket: &str, key: &str, attributes: ObjectAttributes) -> Result<String, Error> {
        check_key(key)?;
        attributes.check()?;
        // Refuses a key that cannot be used before the first part does.
        self.data_key(&attributes).await?;
        uploads::create(&self.database, bucket, key, &attributes).await
    }

    async fn upload(&self, bucket: &str, key: &str, upload: &str) -> Result<UploadInfo, Error> {
        uploads::upload(&self.database, bucket, key, upload).await
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
        checksums: BTreeMap<String, String>,
        precondition: Precondition,
    ) -> Result<ObjectInfo, Error> {
        let mut upload = uploads::upload(&self.database, bucket, key, upload).await?;
        upload.attributes.checksums.extend(checksums);
        let completion = uploads::Completion { bucket: bucket.to_owned(), upload, parts: parts.to_vec(), precondition };
        self.commit(None, move |connection| Box::pin(uploads::complete(connection, completion))).await
    }

    async fn abort_upload(&self, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
        let upload = uploads::upload(&self.database, bucket, key, upload).await?.upload;
        self.commit(None, move |connection| Box::pin(uploads::abort(connection, upload))).await
    }

    async fn list_parts(
        &self,
        bucket: &str,
        key: &str,
        upload: &str,
        after: u32,
        limit: usize,
    ) -> Result<PartListing, Error> {
        let upload = uploads::upload(&self.database, bucket, key, upload).await?;
        uploads::list_parts(&self.database, upload, after, limit).await
    }

    async fn list_uploads(&self, list: &ListUploads) -> Result<UploadListing, Error> {
        uploads::list(&self.database, list).await
    }

    async fn stage(&self, bucket: &str, key: &str, path: &Path, staging: Staging) -> Result<(), Error> {
        staging::stage(self, bucket, key, path, staging).await
    }
}

/// Says in the log that there are objects here, as nobody sees them while others are kept elsewhere.
pub(crate) async fn tell_of_left_objects(database: &Database) -> Result<(), Error> {
    let left: bool = sqlx::query_scalar(include_str!("../sql/has_objects.sql"))
        .bind(super::SYSTEM_BUCKET)
        .fetch_one(database.readers())
        .await?;
    if left {
        tracing::warn!(
            "there are objects in the data directory from before `objects.endpoint_url` was set: they are kept, and not seen"
        );
    }
    Ok(())
}

/// Now, as it is stored: in whole milliseconds.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

fn moment(milliseconds: i64) -> Result<Timestamp, Error> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| Error::Damaged(format!("the time {milliseconds}")))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str, of: &str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|error| Error::Damaged(format!("{of} ({error})")))
}
