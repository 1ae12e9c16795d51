//! Listings.

use std::borrow::Cow;

use http::Method;
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use watchkeeper_aws::xml;

use super::S3Objects;
use super::connection::Call;
use super::headers::unquoted;
use crate::Error;
use crate::objects::{ListObjects, Listing, ObjectAttributes, ObjectInfo};

/// The most entries of a page of an S3.
const MOST_ENTRIES: usize = 1000;
/// The greatest character: behind a common prefix, it is above nearly every key that has the prefix.
const GREATEST: char = '\u{10ffff}';

pub(super) async fn list(objects: &S3Objects, list: &ListObjects) -> Result<Listing, Error> {
    let mut listing = Listing::default();
    let (mut continuation, mut last) = (None, None);
    loop {
        let have = listing.objects.len() + listing.prefixes.len();
        let wanted = list.limit.saturating_sub(have).min(MOST_ENTRIES);
        let page = page(objects, list, wanted, continuation.as_deref()).await?;
        if list.limit == 0 {
            return Ok(Listing::default());
        }
        for prefix in page.prefixes.into_iter().filter(|prefix| is_behind(prefix, list)) {
            last = last.max(Some(prefix.clone()));
            listing.prefixes.push(prefix);
        }
        for object in page.objects.into_iter().filter(|object| is_behind(&object.key, list)) {
            last = last.max(Some(object.key.clone()));
            listing.objects.push(object);
        }
        continuation = page.continuation;
        let is_full = listing.objects.len() + listing.prefixes.len() >= list.limit;
        if is_full || continuation.is_none() {
            listing.next = if continuation.is_some() { last } else { None };
            return Ok(listing);
        }
    }
}

/// An S3 gives a common prefix whenever there is a key behind `start-after` that has it.
fn is_behind(entry: &str, list: &ListObjects) -> bool {
    list.start_after.as_deref().is_none_or(|after| entry > after)
}

struct Page {
    objects: Vec<ObjectInfo>,
    prefixes: Vec<String>,
    continuation: Option<String>,
}

async fn page(
    objects: &S3Objects,
    list: &ListObjects,
    limit: usize,
    continuation: Option<&str>,
) -> Result<Page, Error> {
    let bucket = &list.bucket;
    let mut call = Call::bucket(Method::GET, "list", bucket)
        .with("list-type", "2")
        .with("encoding-type", "url")
        .with("max-keys", &limit.to_string());
    if !list.prefix.is_empty() {
        call = call.with("prefix", &list.prefix);
    }
    if let Some(delimiter) = delimiter(list) {
        call = call.with("delimiter", delimiter);
    }
    if let Some(continuation) = continuation {
        call = call.with("continuation-token", continuation);
    } else if let Some(after) = start_after(list) {
        call = call.with("start-after", &after);
    }
    let (_, document) = objects.connection.document(call).await.map_err(|refusal| refusal.of_bucket(bucket))?;
    let is_encoded = is_encoded(&document);
    let name = |text: Cow<'_, str>| decoded(&text, is_encoded);
    let mut found = Vec::new();
    for entry in xml::elements(&document, "Contents") {
        let missing = || objects.connection.unexpected(&format!("list the bucket {bucket}"), "an entry is incomplete");
        let key = name(xml::text(entry, "Key").ok_or_else(missing)?);
        let size = xml::text(entry, "Size").and_then(|size| size.parse().ok()).ok_or_else(missing)?;
        let modified: Option<Timestamp> = xml::text(entry, "LastModified").and_then(|moment| moment.parse().ok());
        let etag = unquoted(&xml::text(entry, "ETag").unwrap_or_default());
        let modified = modified.ok_or_else(missing)?;
        found.push(ObjectInfo { key, size, etag, modified, attributes: ObjectAttributes::default() });
    }
    let prefixes = xml::elements(&document, "CommonPrefixes").filter_map(|entry| xml::text(entry, "Prefix"));
    let continuation = xml::text(&document, "NextContinuationToken").map(Cow::into_owned);
    Ok(Page {
        objects: found,
        prefixes: prefixes.map(name).collect(),
        continuation: continuation.filter(|_| is_truncated(&document)),
    })
}

fn delimiter(list: &ListObjects) -> Option<&str> {
    list.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty())
}

/// What keys are sought behind. Behind a common prefix they are sought where those that have it end, as far as a key can say so:
/// what is found in between is left out of the page.
fn start_after(list: &ListObjects) -> Option<String> {
    let after = list.start_after.as_deref()?;
    let common = delimiter(list).and_then(|delimiter| {
        let rest = after.strip_prefix(&list.prefix)?;
        let end = list.prefix.len() + rest.find(delimiter)? + delimiter.len();
        Some(format!("{}{GREATEST}", &after[..end]))
    });
    Some(common.unwrap_or_else(|| after.to_owned())).filter(|after| !after.is_empty())
}

/// Whether there are more pages.
pub(super) fn is_truncated(document: &str) -> bool {
    xml::text(document, "IsTruncated").is_some_and(|truncated| truncated == "true")
}

/// Whether names are percent-encoded.
pub(super) fn is_encoded(document: &str) -> bool {
    xml::text(document, "EncodingType").is_some_and(|encoding| encoding == "url")
}

/// A name as an answer has it: percent codes, with a plus for a blank.
pub(super) fn decoded(text: &str, is_encoded: bool) -> String {
    if !is_encoded {
        return text.to_owned();
    }
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}
