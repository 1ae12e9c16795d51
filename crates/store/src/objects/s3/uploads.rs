//! Uploads in parts: those of the outside, and for each that was begun by way of us a small object with what it was begun with,
//! as nobody tells that of an upload.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use watchkeeper_aws::signing::BodyHash;
use watchkeeper_aws::xml;

use super::connection::Call;
use super::headers::{self, Seal, unquoted};
use super::listing::{decoded, is_encoded, is_truncated};
use super::sealed::{self, SEALED_SEGMENT, Sealer};
use super::{S3Objects, SYSTEM_BUCKET, check_key};
use crate::Error;
use crate::keys::SEGMENT_BYTES;
use crate::objects::upload::{etag_of_parts, named_parts};
use crate::objects::{
    Body, CompletedPart, ListUploads, MAX_OBJECT_BYTES, MAX_PART_NUMBER, MAX_PUT_BYTES, ObjectAttributes, ObjectInfo,
    Objects as _, PartInfo, PartListing, Precondition, Trailer, UploadInfo, UploadListing,
};

/// Uploads whose records are remembered: they never change.
const REMEMBERED: usize = 1000;
/// The most parts, and uploads, of a page.
const MOST_OF_A_PAGE: usize = 1000;

/// What is known of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Begun {
    initiated_milliseconds: i64,
    #[serde(default)]
    attributes: ObjectAttributes,
    /// The data key of an encrypted one, wrapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data_key: Option<Vec<u8>>,
}

impl Begun {
    pub(super) fn info(&self, key: &str, upload: &str) -> UploadInfo {
        UploadInfo {
            key: key.to_owned(),
            upload: upload.to_owned(),
            initiated: Timestamp::from_millisecond(self.initiated_milliseconds).unwrap_or_default(),
            attributes: self.attributes.clone(),
        }
    }

    fn seal(&self) -> Option<Seal> {
        let (kms_key_id, data_key) = self.attributes.kms_key_id.clone().zip(self.data_key.clone())?;
        Some(Seal { kms_key_id, data_key, checksums: None })
    }

    /// Bytes of a part of which so many are there.
    fn plain_size(&self, size: u64) -> Result<u64, Error> {
        if self.data_key.is_none() {
            return Ok(size);
        }
        sealed::plain_size(size).ok_or_else(|| Error::Damaged("a part of an encrypted upload".to_owned()))
    }
}

/// The records that are remembered, by their keys.
#[derive(Default)]
pub(super) struct Uploads(Mutex<HashMap<String, Arc<Begun>>>);

impl Uploads {
    fn remembered(&self, key: &str) -> Option<Arc<Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn remember(&self, key: String, begun: &Arc<Begun>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED {
            all.clear();
        }
        all.insert(key, Arc::clone(begun));
    }

    fn forget(&self, key: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Where the record of an upload is.
fn record_key(bucket: &str, key: &str, upload: &str) -> String {
    let mut hash = BodyHash::default();
    for part in [bucket, "\0", key, "\0", upload] {
        hash.update(part.as_bytes());
    }
    format!("uploads/{}.json", hash.end())
}

pub(super) async fn create(
    objects: &S3Objects,
    bucket: &str,
    key: &str,
    attributes: ObjectAttributes,
) -> Result<String, Error> {
    check_key(key)?;
    attributes.check()?;
    let seal = objects.seal(&attributes).await?.map(|(_, seal)| seal);
    let call = Call::object(Method::POST, "begin an upload of", bucket, key)
        .with("uploads", "")
        .headers(headers::of_attributes(&attributes, seal.as_ref()));
    let (_, document) = objects.connection.document(call).await.map_err(|refusal| refusal.of_object(bucket, key))?;
    let upload = xml::text(&document, "UploadId").map(std::borrow::Cow::into_owned);
    let action = format!("begin an upload of s3://{bucket}/{key}");
    let upload = upload.ok_or_else(|| objects.connection.unexpected(&action, "its answer has no id"))?;
    let begun = Begun {
        initiated_milliseconds: Timestamp::now().as_millisecond(),
        attributes,
        data_key: seal.map(|seal| seal.data_key),
    };
    let record = record_key(bucket, key, &upload);
    let call = Call::object(Method::PUT, "put", SYSTEM_BUCKET, &record).json(&begun);
    if let Err(refusal) = objects.connection.done(call).await {
        // Without its record nobody could add a part to it.
        let _ = objects.connection.done(abortion(bucket, key, &upload)).await;
        return Err(refusal.into());
    }
    objects.uploads.remember(record, &Arc::new(begun));
    Ok(upload)
}

/// An upload that is not completed.
pub(super) async fn read(objects: &S3Objects, bucket: &str, key: &str, upload: &str) -> Result<Arc<Begun>, Error> {
    // Without an id a request would mean something else.
    if upload.is_empty() || key.is_empty() {
        return Err(Error::NoSuchUpload(upload.to_owned()));
    }
    let record = record_key(bucket, key, upload);
    if let Some(begun) = objects.uploads.remembered(&record) {
        return Ok(begun);
    }
    let call = Call::object(Method::GET, "get", SYSTEM_BUCKET, &record);
    let begun = match objects.connection.document(call).await {
        Ok((_, document)) => serde_json::from_str(&document)
            .map_err(|error| Error::Damaged(format!("the record of the upload {upload} ({error})")))?,
        Err(refusal) if refusal.is_missing() => return begun_elsewhere(objects, bucket, key, upload).await,
        Err(refusal) => return Err(refusal.into()),
    };
    let begun = Arc::new(begun);
    objects.uploads.remember(record, &begun);
    Ok(begun)
}

/// Of an upload that was begun without us nothing is known but that it is there, which servers tell by their list of uploads: not
/// all of them look at the key when they are asked for the parts.
async fn begun_elsewhere(objects: &S3Objects, bucket: &str, key: &str, upload: &str) -> Result<Arc<Begun>, Error> {
    let of_key = ListUploads { bucket: bucket.to_owned(), prefix: key.to_owned(), after: None, limit: usize::MAX };
    let uploads = list(objects, &of_key).await?.uploads;
    let found = uploads.into_iter().find(|found| found.key == key && found.upload == upload);
    let found = found.ok_or_else(|| Error::NoSuchUpload(upload.to_owned()))?;
    let initiated_milliseconds = found.initiated.as_millisecond();
    Ok(Arc::new(Begun { initiated_milliseconds, attributes: ObjectAttributes::default(), data_key: None }))
}

pub(super) async fn put_part(
    objects: &S3Objects,
    (bucket, key, upload): (&str, &str, &str),
    number: u32,
    body: Body,
    trailer: Trailer,
) -> Result<PartInfo, Error> {
    if !(1..=MAX_PART_NUMBER).contains(&number) {
        return Err(Error::InvalidPart(number));
    }
    let begun = read(objects, bucket, key, upload).await?;
    let data_key = objects.data_key(begun.seal().as_ref()).await?;
    let sealer = data_key.map(|data_key| Sealer::new(data_key, number));
    let spooled = objects.spool.take(body, MAX_PUT_BYTES, sealer).await?;
    let checksums = trailer().map_err(Error::Body)?;
    let call = Call::object(Method::PUT, "put a part of", bucket, key)
        .with("partNumber", &number.to_string())
        .with("uploadId", upload)
        .content(spooled.content);
    let headers = objects.connection.done(call).await.map_err(|refusal| refusal.of_upload(bucket, key, upload))?;
    let modified = headers::date(&headers, "date").unwrap_or_else(Timestamp::now);
    Ok(PartInfo { number, size: spooled.size, etag: headers::etag(&headers), modified, checksums })
}

/// Parts with numbers above `after`, with their sizes there, and whether there are more.
async fn page_of_parts(
    objects: &S3Objects,
    (bucket, key, upload): (&str, &str, &str),
    after: u32,
    limit: usize,
) -> Result<(Vec<PartInfo>, bool), Error> {
    let mut call = Call::object(Method::GET, "list the parts of", bucket, key)
        .with("uploadId", upload)
        .with("max-parts", &limit.to_string());
    if after > 0 {
        call = call.with("part-number-marker", &after.to_string());
    }
    let (_, document) =
        objects.connection.document(call).await.map_err(|refusal| refusal.of_upload(bucket, key, upload))?;
    let mut parts = Vec::new();
    for part in xml::elements(&document, "Part") {
        let found = || {
            Some(PartInfo {
                number: xml::text(part, "PartNumber")?.parse().ok()?,
                size: xml::text(part, "Size")?.parse().ok()?,
                etag: unquoted(&xml::text(part, "ETag")?),
                modified: xml::text(part, "LastModified").and_then(|moment| moment.parse().ok()).unwrap_or_default(),
                checksums: checksums_of(part),
            })
        };
        let action = format!("list the parts of s3://{bucket}/{key}");
        parts.push(found().ok_or_else(|| objects.connection.unexpected(&action, "an entry is incomplete"))?);
    }
    // A server that does not know the marker gives all.
    parts.retain(|part| part.number > after);
    parts.sort_by_key(|part| part.number);
    let more = is_truncated(&document) || parts.len() > limit;
    parts.truncate(limit);
    Ok((parts, more))
}

fn checksums_of(part: &str) -> std::collections::BTreeMap<String, String> {
    let of = |name: &&str| Some(((*name).to_owned(), xml::text(part, &format!("Checksum{name}"))?.into_owned()));
    headers::ALGORITHMS.iter().filter_map(of).collect()
}

pub(super) async fn list_parts(
    objects: &S3Objects,
    (bucket, key, upload): (&str, &str, &str),
    begun: &Begun,
    after: u32,
    limit: usize,
) -> Result<PartListing, Error> {
    let mut listing = PartListing { upload: begun.info(key, upload), parts: Vec::new(), next: None };
    let mut last = after;
    while listing.parts.len() < limit {
        // One more than is wanted says whether there are more, which not every server says rightly where numbers are missing.
        let room = limit - listing.parts.len();
        let wanted = (room + 1).min(MOST_OF_A_PAGE);
        let (mut parts, mut more) = page_of_parts(objects, (bucket, key, upload), last, wanted).await?;
        more |= parts.len() > room;
        parts.truncate(room);
        for part in parts {
            last = part.number;
            listing.parts.push(PartInfo { size: begun.plain_size(part.size)?, ..part });
        }
        listing.next = more.then_some(last);
        if !more {
            break;
        }
    }
    Ok(listing)
}

pub(super) async fn complete(
    objects: &S3Objects,
    (bucket, key, upload): (&str, &str, &str),
    wanted: &[CompletedPart],
    precondition: &Precondition,
) -> Result<ObjectInfo, Error> {
    let begun = read(objects, bucket, key, upload).await?;
    let address = (bucket, key, upload);
    let stored = list_parts(objects, address, &begun, 0, MAX_PART_NUMBER as usize).await?.parts;
    let size = check_parts(wanted, &stored, begun.data_key.is_some())?;
    objects.check_precondition(bucket, key, precondition).await?;
    let parts = wanted.iter().map(|CompletedPart { number, etag }| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>&quot;{}&quot;</ETag></Part>", xml::escape(etag))
    });
    let document = format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", parts.collect::<String>());
    let mut call =
        Call::object(Method::POST, "complete an upload of", bucket, key).with("uploadId", upload).document(document);
    if let Some((name, value)) = headers::of_precondition(precondition) {
        call = call.header(&name, value).once();
    }
    let action = format!("complete an upload of s3://{bucket}/{key}");
    let completed = objects.connection.document(call).await.and_then(|(_, document)| {
        match objects.connection.refusal_within(&action, &document) {
            None => Ok(document),
            Some(refusal) => Err(refusal),
        }
    });
    let etag = match completed {
        Ok(document) => unquoted(&xml::text(&document, "ETag").unwrap_or_default()),
        Err(refusal) if refusal.is_failed_precondition() => {
            objects.check_precondition(bucket, key, precondition).await?;
            return Err(Error::PreconditionFailed);
        }
        // An attempt before has done it, if the object is the one that these parts make.
        Err(refusal) if refusal.is("NoSuchUpload") && refusal.repeated => {
            let etag = etag_of_parts(wanted);
            match objects.stored(bucket, key).await? {
                Some(stored) if Some(&stored.etag) == etag.as_ref() => stored.etag,
                _ => return Err(refusal.of_upload(bucket, key, upload)),
            }
        }
        Err(refusal) => return Err(refusal.of_upload(bucket, key, upload)),
    };
    forget(objects, bucket, key, upload).await;
    match objects.head(bucket, key).await? {
        Some(info) if info.etag == etag => Ok(info),
        // Replaced already.
        _ => {
            let attributes = begun.attributes.clone();
            Ok(ObjectInfo { key: key.to_owned(), size, etag, modified: Timestamp::now(), attributes })
        }
    }
}

/// The size of the object that these parts make.
fn check_parts(wanted: &[CompletedPart], stored: &[PartInfo], is_sealed: bool) -> Result<u64, Error> {
    let stored: Vec<&PartInfo> = stored.iter().collect();
    let mut whole = 0;
    for (index, part) in named_parts(wanted, &stored)?.enumerate() {
        let PartInfo { number, size, .. } = *part?;
        if is_sealed && index + 1 < wanted.len() && !size.is_multiple_of(SEGMENT_BYTES as u64) {
            return Err(Error::PartSize { number, size, multiple: SEGMENT_BYTES as u64 });
        }
        whole += size;
    }
    // What is sealed is a little larger there, and must fit as well.
    let there = if is_sealed { whole.div_ceil(SEGMENT_BYTES as u64) * SEALED_SEGMENT } else { whole };
    if there > MAX_OBJECT_BYTES {
        return Err(Error::EntityTooLarge { limit: MAX_OBJECT_BYTES });
    }
    Ok(whole)
}

fn abortion(bucket: &str, key: &str, upload: &str) -> Call {
    Call::object(Method::DELETE, "end an upload of", bucket, key).with("uploadId", upload)
}

pub(super) async fn abort(objects: &S3Objects, bucket: &str, key: &str, upload: &str) -> Result<(), Error> {
    if upload.is_empty() || key.is_empty() {
        return Err(Error::NoSuchUpload(upload.to_owned()));
    }
    match objects.connection.done(abortion(bucket, key, upload)).await {
        Ok(_) => {}
        Err(refusal) if refusal.is("NoSuchUpload") && refusal.repeated => {}
        Err(refusal) => {
            if refusal.is("NoSuchUpload") {
                forget(objects, bucket, key, upload).await;
            }
            return Err(refusal.of_upload(bucket, key, upload));
        }
    }
    forget(objects, bucket, key, upload).await;
    Ok(())
}

/// Removes the record of an upload that has ended.
async fn forget(objects: &S3Objects, bucket: &str, key: &str, upload: &str) {
    let record = record_key(bucket, key, upload);
    objects.uploads.forget(&record);
    if let Err(refusal) = objects.connection.done(Call::object(Method::DELETE, "delete", SYSTEM_BUCKET, &record)).await
    {
        let error = Error::from(refusal);
        tracing::warn!(error = &error as &dyn std::error::Error, upload, "the record of an upload stays behind");
    }
}

/// All uploads of a prefix are read, as servers differ in their order: there are never many.
pub(super) async fn list(objects: &S3Objects, list: &ListUploads) -> Result<UploadListing, Error> {
    let mut uploads: Vec<UploadInfo> = Vec::new();
    let mut markers: Option<(String, String)> = None;
    loop {
        let document = page_of_uploads(objects, list, markers.as_ref()).await?;
        let is_encoded = is_encoded(&document);
        for upload in xml::elements(&document, "Upload") {
            let (Some(key), Some(id)) = (xml::text(upload, "Key"), xml::text(upload, "UploadId")) else { continue };
            let initiated = xml::text(upload, "Initiated").and_then(|moment| moment.parse().ok());
            uploads.push(UploadInfo {
                key: decoded(&key, is_encoded),
                upload: id.into_owned(),
                initiated: initiated.unwrap_or_default(),
                attributes: ObjectAttributes::default(),
            });
        }
        let next = |name| xml::text(&document, name).unwrap_or_default().into_owned();
        let found = (decoded(&next("NextKeyMarker"), is_encoded), next("NextUploadIdMarker"));
        if !is_truncated(&document) || found.0.is_empty() || markers.as_ref() == Some(&found) {
            break;
        }
        markers = Some(found);
    }
    uploads.retain(|upload| upload.key.starts_with(&list.prefix));
    uploads.sort_by(|left, right| (&left.key, left.initiated).cmp(&(&right.key, right.initiated)));
    let first = first_behind(&uploads, list.after.as_ref());
    let rest = uploads.split_off(first);
    let truncated = rest.len() > list.limit;
    Ok(UploadListing { uploads: rest.into_iter().take(list.limit).collect(), truncated })
}

/// Where the uploads begin that are behind a key and, where it is given, an id.
fn first_behind(uploads: &[UploadInfo], after: Option<&(String, Option<String>)>) -> usize {
    let Some((key, id)) = after else { return 0 };
    let (start, end) =
        (uploads.partition_point(|upload| upload.key < *key), uploads.partition_point(|upload| upload.key <= *key));
    let Some(id) = id else { return end };
    // One that has ended meanwhile has no place any more: better some twice than one left out.
    uploads[start..end].iter().position(|upload| upload.upload == *id).map_or(start, |at| start + at + 1)
}

async fn page_of_uploads(
    objects: &S3Objects,
    list: &ListUploads,
    markers: Option<&(String, String)>,
) -> Result<String, Error> {
    let mut call = Call::bucket(Method::GET, "list the uploads of", &list.bucket)
        .with("uploads", "")
        .with("encoding-type", "url")
        .with("max-uploads", &MOST_OF_A_PAGE.to_string());
    if !list.prefix.is_empty() {
        call = call.with("prefix", &list.prefix);
    }
    if let Some((key, upload)) = markers {
        call = call.with("key-marker", key);
        if !upload.is_empty() {
            call = call.with("upload-id-marker", upload);
        }
    }
    let (_, document) = objects.connection.document(call).await.map_err(|refusal| refusal.of_bucket(&list.bucket))?;
    Ok(document)
}
