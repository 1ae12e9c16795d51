//! Buckets of the outside, and what it has no place for: where a bucket was made as our clients see it, when, and its settings.
//! That is a small object for each bucket that was made by way of us.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::xml;

use super::connection::Call;
use super::{S3Objects, uploads};
use crate::Error;
use crate::objects::{Bucket, ListObjects, ListUploads, Objects as _, Precondition, SYSTEM_BUCKET};

/// The region that a bucket is in which says none.
const FIRST_REGION: &str = "us-east-1";
/// How often a change of settings is tried against others.
const MAX_ATTEMPTS: usize = 20;
/// Requests at the same time for the records of all buckets.
const AT_ONCE: usize = 16;

/// What is kept of a bucket.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Record {
    region: String,
    created_milliseconds: i64,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

impl Record {
    fn bucket(self, name: &str) -> Bucket {
        let created = Timestamp::from_millisecond(self.created_milliseconds).unwrap_or_default();
        Bucket { name: name.to_owned(), region: self.region, created, settings: self.settings }
    }
}

fn record_key(bucket: &str) -> String {
    format!("bucket-settings/{bucket}.json")
}

/// Makes the bucket of our own objects where it is missing; the first that is asked of the outside.
pub(super) async fn ensure_system_bucket(objects: &S3Objects, limit: Duration) -> Result<(), Error> {
    let look = Call::bucket(Method::HEAD, "look at", SYSTEM_BUCKET);
    match objects.connection.call_within(look, limit).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.is_missing() => {
            let make = creation(objects, SYSTEM_BUCKET);
            match objects.connection.call_within(make, limit).await {
                Err(refusal) if !refusal.is("BucketAlreadyOwnedByYou") => Err(refusal.into()),
                _ => Ok(()),
            }
        }
        Err(refusal) => {
            // The answer of a HEAD has no words, those of a listing has.
            let list = Call::bucket(Method::GET, "list", SYSTEM_BUCKET).with("list-type", "2").with("max-keys", "1");
            match objects.connection.call_within(list, limit).await {
                Err(told) if told.status.is_some() => Err(told.into()),
                _ => Err(refusal.into()),
            }
        }
    }
}

pub(super) async fn ready(objects: &S3Objects, limit: Duration) -> Result<(), Error> {
    let look = Call::bucket(Method::HEAD, "look at", SYSTEM_BUCKET);
    objects.connection.call_within(look, limit).await?;
    Ok(())
}

pub(super) async fn exists(objects: &S3Objects, name: &str) -> Result<bool, Error> {
    match objects.connection.done(Call::bucket(Method::HEAD, "look at", name)).await {
        Ok(_) => Ok(true),
        Err(refusal) if refusal.is_missing() => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

async fn must_exist(objects: &S3Objects, name: &str) -> Result<(), Error> {
    if exists(objects, name).await? { Ok(()) } else { Err(Error::NoSuchBucket(name.to_owned())) }
}

fn creation(objects: &S3Objects, name: &str) -> Call {
    let call = Call::bucket(Method::PUT, "make", name);
    match objects.connection.region() {
        FIRST_REGION => call,
        region => call.document(format!(
            "<CreateBucketConfiguration><LocationConstraint>{}</LocationConstraint></CreateBucketConfiguration>",
            xml::escape(region)
        )),
    }
}

pub(super) async fn create(objects: &S3Objects, name: &str, region: &str, now: Timestamp) -> Result<(), Error> {
    if exists(objects, name).await? {
        return Err(Error::BucketExists(name.to_owned()));
    }
    // The record first, as one without a bucket does no harm.
    let region = region.to_owned();
    let record = Record { region, created_milliseconds: now.as_millisecond(), settings: BTreeMap::new() };
    write(objects, name, &record, &Precondition::None).await?;
    match objects.connection.done(creation(objects, name)).await {
        Ok(_) => Ok(()),
        Err(refusal) if refusal.is("BucketAlreadyOwnedByYou") && !refusal.repeated => {
            Err(Error::BucketExists(name.to_owned()))
        }
        Err(refusal) if refusal.is("BucketAlreadyOwnedByYou") => Ok(()),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn read(objects: &S3Objects, name: &str) -> Result<Option<Bucket>, Error> {
    let headers = match objects.connection.done(Call::bucket(Method::HEAD, "look at", name)).await {
        Ok(headers) => headers,
        Err(refusal) if refusal.is_missing() => return Ok(None),
        Err(refusal) => return Err(refusal.into()),
    };
    if let Some((record, _)) = record(objects, name).await? {
        return Ok(Some(record.bucket(name)));
    }
    let region = super::headers::value(&headers, "x-amz-bucket-region");
    let region = region.unwrap_or_else(|| objects.connection.region().to_owned());
    // A key that may not list buckets does not know when this one was made.
    let created = names(objects).await.unwrap_or_default().into_iter().find(|(known, _)| known == name);
    let created = created.map_or(Timestamp::UNIX_EPOCH, |(_, created)| created);
    Ok(Some(Bucket { name: name.to_owned(), region, created, settings: BTreeMap::new() }))
}

pub(super) async fn all(objects: &S3Objects) -> Result<Vec<Bucket>, Error> {
    let buckets = futures::stream::iter(names(objects).await?).map(|(name, created)| async move {
        let region = objects.connection.region().to_owned();
        let unknown = Bucket { name: name.clone(), region, created, settings: BTreeMap::new() };
        Ok::<_, Error>(record(objects, &name).await?.map_or(unknown, |(record, _)| record.bucket(&name)))
    });
    let mut buckets: Vec<Bucket> = buckets.buffer_unordered(AT_ONCE).try_collect().await?;
    buckets.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(buckets)
}

/// The buckets there and when they were made.
async fn names(objects: &S3Objects) -> Result<Vec<(String, Timestamp)>, Error> {
    let (_, document) = objects.connection.document(Call::service(Method::GET, "list the buckets")).await?;
    let bucket = |bucket| {
        let created = xml::text(bucket, "CreationDate").and_then(|moment| moment.parse().ok()).unwrap_or_default();
        Some((xml::text(bucket, "Name")?.into_owned(), created))
    };
    Ok(xml::elements(&document, "Bucket").filter_map(bucket).collect())
}

/// The record of a bucket and its `ETag`.
async fn record(objects: &S3Objects, name: &str) -> Result<Option<(Record, String)>, Error> {
    let call = Call::object(Method::GET, "get", SYSTEM_BUCKET, &record_key(name));
    match objects.connection.document(call).await {
        Ok((headers, document)) => match serde_json::from_str(&document) {
            Ok(record) => Ok(Some((record, super::headers::etag(&headers)))),
            Err(error) => {
                tracing::warn!(bucket = name, %error, "the record of a bucket cannot be read and is left out");
                Ok(None)
            }
        },
        Err(refusal) if refusal.is_missing() => Ok(None),
        Err(refusal) => Err(refusal.into()),
    }
}

async fn write(objects: &S3Objects, name: &str, record: &Record, precondition: &Precondition) -> Result<(), Error> {
    let mut call = Call::object(Method::PUT, "put", SYSTEM_BUCKET, &record_key(name)).json(record);
    if let Some((header, value)) = super::headers::of_precondition(precondition) {
        call = call.header(&header, value).once();
    }
    match objects.connection.done(call).await {
        Ok(_) => Ok(()),
        // Deleted meanwhile.
        Err(refusal) if refusal.is_missing() && *precondition != Precondition::None => Err(Error::PreconditionFailed),
        Err(refusal) if refusal.is_failed_precondition() => Err(Error::PreconditionFailed),
        Err(refusal) => Err(refusal.into()),
    }
}

pub(super) async fn set_setting(
    objects: &S3Objects,
    name: &str,
    setting: &str,
    value: Option<String>,
) -> Result<(), Error> {
    for _ in 0..MAX_ATTEMPTS {
        let current = record(objects, name).await?;
        let (mut record, precondition) = if let Some((record, etag)) = current {
            must_exist(objects, name).await?;
            (record, Precondition::Etag(etag))
        } else {
            let bucket = read(objects, name).await?.ok_or_else(|| Error::NoSuchBucket(name.to_owned()))?;
            let Bucket { region, created, settings, .. } = bucket;
            let record = Record { region, created_milliseconds: created.as_millisecond(), settings };
            (record, Precondition::Absent)
        };
        match value.clone() {
            Some(value) => record.settings.insert(setting.to_owned(), value),
            None => record.settings.remove(setting),
        };
        match write(objects, name, &record, &precondition).await {
            Err(Error::PreconditionFailed) => {}
            written => return written,
        }
    }
    Err(objects.connection.unexpected(&format!("change the settings of the bucket {name}"), "others change them too"))
}

pub(super) async fn delete(objects: &S3Objects, name: &str) -> Result<(), Error> {
    // Nothing is done to a bucket that stays.
    let first = ListObjects { bucket: name.to_owned(), limit: 1, ..ListObjects::default() };
    if !objects.list(&first).await?.objects.is_empty() {
        return Err(Error::BucketNotEmpty(name.to_owned()));
    }
    let begun = ListUploads { bucket: name.to_owned(), limit: usize::MAX, ..ListUploads::default() };
    for upload in uploads::list(objects, &begun).await?.uploads {
        match uploads::abort(objects, name, &upload.key, &upload.upload).await {
            Err(Error::NoSuchUpload(_)) => {}
            aborted => aborted?,
        }
    }
    match objects.connection.done(Call::bucket(Method::DELETE, "delete", name)).await {
        Ok(_) => {}
        Err(refusal) if refusal.is("NoSuchBucket") && refusal.repeated => {}
        Err(refusal) => return Err(refusal.of_bucket(name)),
    }
    let call = Call::object(Method::DELETE, "delete", SYSTEM_BUCKET, &record_key(name));
    if let Err(refusal) = objects.connection.done(call).await {
        let error = Error::from(refusal);
        tracing::warn!(error = &error as &dyn std::error::Error, bucket = name, "the record of a bucket stays behind");
    }
    Ok(())
}
