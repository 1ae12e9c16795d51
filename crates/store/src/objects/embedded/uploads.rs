//! Uploads in parts.

use std::sync::Arc;

use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use uuid::Uuid;

use super::incoming::{self, Place, Storing};
use super::list::text;
use super::rows::{self, NewObject};
use super::usage;
use super::{
    Body, CompletedPart, EmbeddedObjects, ListUploads, MAX_PUT_BYTES, ObjectAttributes, ObjectInfo, PartInfo,
    PartListing, Precondition, Trailer, UploadInfo, UploadListing, from_json, moment, now,
};
use crate::Error;
use crate::database::Database;
use crate::objects::upload::{etag_of_parts, named_parts};
use crate::objects::{MAX_OBJECT_BYTES, MAX_PART_NUMBER, MAX_UPLOADS};
use crate::sql::json;

pub(super) async fn create(
    database: &Database,
    bucket: &str,
    key: &str,
    attributes: &ObjectAttributes,
) -> Result<String, Error> {
    let upload = Uuid::now_v7().simple().to_string();
    let (id, bucket, key, attributes) = (upload.clone(), bucket.to_owned(), key.as_bytes().to_vec(), json(attributes));
    database
        .write(move |connection| {
            Box::pin(async move {
                let bucket = rows::bucket_id(&mut *connection, &bucket).await?;
                let count: i64 =
                    sqlx::query_scalar(include_str!("../sql/count_uploads.sql")).fetch_one(&mut *connection).await?;
                if count as u64 >= MAX_UPLOADS {
                    return Err(Error::TooManyUploads(MAX_UPLOADS));
                }
                sqlx::query(include_str!("../sql/insert_upload.sql"))
                    .bind(id)
                    .bind(bucket)
                    .bind(key)
                    .bind(now().as_millisecond())
                    .bind(attributes)
                    .execute(connection)
                    .await
                    .map_err(Error::from)
            })
        })
        .await?;
    Ok(upload)
}

pub(super) async fn upload(database: &Database, bucket: &str, key: &str, upload: &str) -> Result<UploadInfo, Error> {
    let row: Option<(i64, String)> = fetch_upload(database.readers(), bucket, key, upload).await?;
    let Some((initiated, attributes)) = row else {
        rows::bucket_id(database.readers(), bucket).await?;
        return Err(Error::NoSuchUpload(upload.to_owned()));
    };
    Ok(UploadInfo {
        key: key.to_owned(),
        upload: upload.to_owned(),
        initiated: moment(initiated)?,
        attributes: from_json(&attributes, "the attributes of an upload")?,
    })
}

async fn fetch_upload(
    connection: impl rows::Connection<'_>,
    bucket: &str,
    key: &str,
    upload: &str,
) -> Result<Option<(i64, String)>, sqlx::Error> {
    sqlx::query_as(include_str!("../sql/upload.sql"))
        .bind(bucket.to_owned())
        .bind(key.as_bytes().to_vec())
        .bind(upload.to_owned())
        .fetch_optional(connection)
        .await
}

pub(super) async fn put_part(
    objects: &EmbeddedObjects,
    (bucket, key, id): (&str, &str, &str),
    number: u32,
    body: Body,
    trailer: Trailer,
) -> Result<PartInfo, Error> {
    if !(1..=MAX_PART_NUMBER).contains(&number) {
        return Err(Error::InvalidPart(number));
    }
    let upload = upload(&objects.database, bucket, key, id).await?;
    let data_key = objects.data_key(&upload.attributes).await?;
    let disk = Arc::clone(&objects.disk);
    let others = usage::beside_part(&objects.database, &disk, id, number).await?;
    let storing = Storing { data_key, limit: MAX_PUT_BYTES, in_row: false, disk: Arc::clone(&disk), others };
    let stored = incoming::store(&objects.blobs, body, storing).await?;
    let checksums = trailer().map_err(Error::Body)?;
    let Place::File(blob) = stored.place else { unreachable!("a part is stored in a file") };
    let name = blob.name().to_owned();
    let info = PartInfo { number, size: stored.size, etag: hex::encode(stored.md5), modified: now(), checksums };
    let bucket = bucket.to_owned();
    let work = NewPart { bucket, upload, info, blob: name, data_key: stored.data_key };
    objects
        .commit(Some(blob), move |connection| {
            Box::pin(async move {
                let replaced = replace_part(&mut *connection, work).await?;
                usage::check(connection, &disk).await?;
                Ok(replaced)
            })
        })
        .await
}

struct NewPart {
    bucket: String,
    upload: UploadInfo,
    info: PartInfo,
    blob: String,
    data_key: Option<Vec<u8>>,
}

async fn replace_part(connection: &mut SqliteConnection, part: NewPart) -> Result<(PartInfo, Vec<String>), Error> {
    let UploadInfo { key, upload, .. } = part.upload;
    if fetch_upload(&mut *connection, &part.bucket, &key, &upload).await?.is_none() {
        return Err(Error::NoSuchUpload(upload));
    }
    let discarded = sqlx::query_scalar(include_str!("../sql/delete_part.sql"))
        .bind(upload.clone())
        .bind(part.info.number)
        .fetch_all(&mut *connection)
        .await?;
    sqlx::query(include_str!("../sql/insert_part.sql"))
        .bind(upload)
        .bind(part.info.number)
        .bind(part.info.size as i64)
        .bind(part.info.etag.clone())
        .bind(part.info.modified.as_millisecond())
        .bind(json(&part.info.checksums))
        .bind(part.blob)
        .bind(part.data_key)
        .execute(connection)
        .await?;
    Ok((part.info, discarded))
}

/// What makes an object of parts.
pub(super) struct Completion {
    pub(super) bucket: String,
    pub(super) upload: UploadInfo,
    pub(super) parts: Vec<CompletedPart>,
    pub(super) precondition: Precondition,
}

/// Makes an object of parts; gives the files that are no longer needed.
pub(super) async fn complete(
    connection: &mut SqliteConnection,
    completion: Completion,
) -> Result<(ObjectInfo, Vec<String>), Error> {
    let Completion { bucket, upload, parts: wanted, precondition } = completion;
    if fetch_upload(&mut *connection, &bucket, &upload.key, &upload.upload).await?.is_none() {
        return Err(Error::NoSuchUpload(upload.upload));
    }
    let stored = stored_parts(&mut *connection, &upload.upload, 0, -1).await?;
    let (size, etag) = check_parts(&wanted, &stored)?;
    let numbers: Vec<u32> = wanted.iter().map(|part| part.number).collect();
    let unused = stored.iter().filter(|part| numbers.binary_search(&part.info.number).is_err());
    let mut discarded: Vec<String> = unused.map(|part| part.blob.clone()).collect();

    let info = ObjectInfo { key: upload.key, size, etag, modified: now(), attributes: upload.attributes };
    let object = NewObject { bucket, info, precondition, body: None, data_key: None };
    let (id, info, mut replaced) = rows::replace(connection, object).await?;
    discarded.append(&mut replaced);
    sqlx::query(include_str!("../sql/insert_pieces_of_parts.sql"))
        .bind(id)
        .bind(upload.upload.clone())
        .bind(json(&numbers))
        .execute(&mut *connection)
        .await?;
    delete(connection, upload.upload).await?;
    Ok((info, discarded))
}

/// The size and the `ETag` of the object that these parts make.
fn check_parts(wanted: &[CompletedPart], stored: &[StoredPart]) -> Result<(u64, String), Error> {
    let stored: Vec<&PartInfo> = stored.iter().map(|part| &part.info).collect();
    let mut size = 0;
    for part in named_parts(wanted, &stored)? {
        size += part?.size;
    }
    if size > MAX_OBJECT_BYTES {
        return Err(Error::EntityTooLarge { limit: MAX_OBJECT_BYTES });
    }
    let etag = etag_of_parts(wanted).ok_or_else(|| Error::Damaged("the ETag of a part".into()))?;
    Ok((size, etag))
}

/// Ends an upload; gives the files of its parts.
pub(super) async fn abort(connection: &mut SqliteConnection, upload: String) -> Result<((), Vec<String>), Error> {
    let stored = stored_parts(&mut *connection, &upload, 0, -1).await?;
    if delete(connection, upload.clone()).await? == 0 {
        return Err(Error::NoSuchUpload(upload));
    }
    Ok(((), stored.into_iter().map(|part| part.blob).collect()))
}

async fn delete(connection: &mut SqliteConnection, upload: String) -> Result<u64, sqlx::Error> {
    sqlx::query(include_str!("../sql/delete_parts.sql")).bind(upload.clone()).execute(&mut *connection).await?;
    let deleted = sqlx::query(include_str!("../sql/delete_upload.sql")).bind(upload).execute(connection).await?;
    Ok(deleted.rows_affected())
}

struct StoredPart {
    info: PartInfo,
    blob: String,
}

/// Parts with numbers above `after`; a negative limit is none.
async fn stored_parts(
    connection: impl rows::Connection<'_>,
    upload: &str,
    after: u32,
    limit: i64,
) -> Result<Vec<StoredPart>, Error> {
    let rows: Vec<SqliteRow> = sqlx::query(include_str!("../sql/parts.sql"))
        .bind(upload.to_owned())
        .bind(after)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    let part = |row: &SqliteRow| {
        let checksums: &str = row.try_get(4)?;
        let info = PartInfo {
            number: row.try_get(0)?,
            size: row.try_get::<i64, _>(1)? as u64,
            etag: row.try_get(2)?,
            modified: moment(row.try_get(3)?)?,
            checksums: from_json(checksums, "the checksums of a part")?,
        };
        Ok(StoredPart { info, blob: row.try_get(5)? })
    };
    rows.iter().map(part).collect()
}

pub(super) async fn list_parts(
    database: &Database,
    upload: UploadInfo,
    after: u32,
    limit: usize,
) -> Result<PartListing, Error> {
    let most = i64::try_from(limit.saturating_add(1)).unwrap_or(i64::MAX);
    let mut stored = stored_parts(database.readers(), &upload.upload, after, most).await?;
    let more = stored.len() > limit;
    stored.truncate(limit);
    let parts: Vec<PartInfo> = stored.into_iter().map(|part| part.info).collect();
    let next = parts.last().filter(|_| more).map(|part| part.number);
    Ok(PartListing { upload, parts, next })
}

pub(super) async fn list(database: &Database, list: &ListUploads) -> Result<UploadListing, Error> {
    let bucket = rows::bucket_id(database.readers(), &list.bucket).await?;
    let prefix = list.prefix.as_bytes();
    let (after_key, after_id) = match &list.after {
        None => (Vec::new(), String::new()),
        Some((key, Some(id))) => (key.as_bytes().to_vec(), id.clone()),
        // Above every id, which are hexadecimal.
        Some((key, None)) => (key.as_bytes().to_vec(), "g".to_owned()),
    };
    let rows: Vec<(Vec<u8>, String, i64, String)> = sqlx::query_as(include_str!("../sql/list_uploads.sql"))
        .bind(bucket)
        .bind(prefix.to_vec())
        .bind([prefix, &[0xff]].concat())
        .bind(after_key)
        .bind(after_id)
        .bind(i64::try_from(list.limit.saturating_add(1)).unwrap_or(i64::MAX))
        .fetch_all(database.readers())
        .await?;
    let truncated = rows.len() > list.limit;
    let upload = |(key, upload, initiated, attributes): (Vec<u8>, String, i64, String)| {
        Ok(UploadInfo {
            key: text(key)?,
            upload,
            initiated: moment(initiated)?,
            attributes: from_json(&attributes, "the attributes of an upload")?,
        })
    };
    let uploads = rows.into_iter().take(list.limit).map(upload).collect::<Result<_, Error>>()?;
    Ok(UploadListing { uploads, truncated })
}
