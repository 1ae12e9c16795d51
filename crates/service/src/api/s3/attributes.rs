//! Between the headers of S3 and what the store keeps with an object.

use std::collections::BTreeMap;
use std::time::SystemTime;

use jiff::Timestamp;
use s3s::dto::{self, ETag, ETagCondition, TimestampFormat};
use s3s::{S3Error, S3ErrorCode, S3Result};
use watchkeeper_store::objects::{ObjectInfo, Precondition};

use super::errors::{error, error_saying};

/// The type of an object that was put without one.
pub(super) const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// A moment in the protocol crate's form.
pub(super) fn time(moment: Timestamp) -> dto::Timestamp {
    dto::Timestamp::from(SystemTime::from(moment))
}

/// A moment in RFC 1123 form.
pub(super) fn http_date(time: &dto::Timestamp) -> Option<String> {
    let mut text = Vec::new();
    time.format(TimestampFormat::HttpDate, &mut text).ok()?;
    String::from_utf8(text).ok()
}

/// A moment from RFC 1123 form.
pub(super) fn parse_http_date(text: &str) -> Option<dto::Timestamp> {
    dto::Timestamp::parse(TimestampFormat::HttpDate, text).ok()
}

/// An `ETag` of the store.
pub(super) fn etag(info: &ObjectInfo) -> ETag {
    ETag::Strong(info.etag.clone())
}

/// The encodings of the object itself: `aws-chunked` is one of the transfer.
pub(super) fn own_encoding(encoding: Option<String>) -> Option<String> {
    let encoding = encoding?;
    let own: Vec<&str> = encoding
        .split(',')
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    (!own.is_empty()).then(|| own.join(","))
}

/// Tags as a header has them: a query.
pub(super) fn tags(header: Option<&str>) -> S3Result<BTreeMap<String, String>> {
    let Some(header) = header else { return Ok(BTreeMap::new()) };
    let invalid = || error_saying(S3ErrorCode::InvalidTag, "The header 'x-amz-tagging' is not valid");
    let mut tags = BTreeMap::new();
    for pair in header.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).filter(|name| !name.is_empty() && name.chars().count() <= 128).ok_or_else(invalid)?;
        let value = decoded(value).filter(|value| value.chars().count() <= 256).ok_or_else(invalid)?;
        if tags.insert(name, value).is_some() {
            return Err(invalid());
        }
    }
    if tags.len() > 10 { Err(invalid()) } else { Ok(tags) }
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// What the conditions of a write mean to the store.
pub(super) fn precondition(
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<Precondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::None),
        (None, Some(ETagCondition::Any)) => Ok(Precondition::Absent),
        (Some(ETagCondition::ETag(etag)), None) => Ok(Precondition::Etag(etag.value().to_owned())),
        _ => Err(error(S3ErrorCode::NotImplemented)),
    }
}

/// The conditions of a read.
#[derive(Default)]
#[expect(clippy::struct_field_names, reason = "the headers are called so")]
pub(super) struct Conditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
    pub(super) if_modified_since: Option<dto::Timestamp>,
    pub(super) if_unmodified_since: Option<dto::Timestamp>,
}

impl Conditions {
    /// Refuses an object that does not meet them, in the order of RFC 9110, section 13.2.2. Moments compare by whole
    /// seconds, which is what headers show.
    pub(super) fn check(&self, info: &ObjectInfo) -> S3Result<()> {
        let matches = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == info.etag,
        };
        let modified = info.modified.as_second();
        let refused = match (&self.if_match, &self.if_unmodified_since) {
            (Some(condition), _) => !matches(condition),
            (None, Some(moment)) => modified > seconds(moment),
            (None, None) => false,
        };
        if refused {
            return Err(error(S3ErrorCode::PreconditionFailed));
        }
        let unchanged = match (&self.if_none_match, &self.if_modified_since) {
            (Some(condition), _) => matches(condition),
            (None, Some(moment)) => modified <= seconds(moment),
            (None, None) => false,
        };
        if unchanged { Err(not_modified(info)) } else { Ok(()) }
    }
}

fn seconds(time: &dto::Timestamp) -> i64 {
    let mut text = Vec::new();
    let written = time.format(TimestampFormat::EpochSeconds, &mut text).is_ok();
    let text = String::from_utf8(text).unwrap_or_default();
    if written { text.split('.').next().and_then(|whole| whole.parse().ok()).unwrap_or(0) } else { 0 }
}

/// 304, with the headers by which the client knows what it has.
fn not_modified(info: &ObjectInfo) -> S3Error {
    let mut error = S3Error::new(S3ErrorCode::NotModified);
    error.set_status_code(http::StatusCode::NOT_MODIFIED);
    let mut headers = http::HeaderMap::new();
    if let Ok(etag) = etag(info).to_http_header() {
        headers.insert(http::header::ETAG, etag);
    }
    if let Some(date) = http_date(&time(info.modified)).and_then(|date| date.parse().ok()) {
        headers.insert(http::header::LAST_MODIFIED, date);
    }
    error.set_headers(headers);
    error
}
