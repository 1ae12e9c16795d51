//! Addresses of objects, in all the spellings that requests bring.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{serde_as_text, shown};

/// Bucket and key of an object or a prefix; the key may be empty.
///
/// Read from `s3://bucket/key` and from `https://bucket.s3-region.amazonaws.com/key`, `https://bucket.s3.region...`,
/// `https://bucket.s3.amazonaws.com/key`, `https://s3-region.amazonaws.com/bucket/key` and `https://s3.region...`;
/// written as `s3://bucket/key`. Keys are never normalised: `a//b` and `a/./b` are keys of their own. Percent codes
/// are undone in the `https` forms alone, where they are part of the address's syntax.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct S3Uri {
    /// Never empty, without a slash.
    pub bucket: String,
    /// Without the slash between bucket and key.
    pub key: String,
}

/// Why a text is no address of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} is not an S3 address: {reason}")]
pub struct S3UriError {
    text: String,
    reason: &'static str,
}

impl S3Uri {
    /// The address with `text` after it. Exactly one slash stands between, unless the text brings its own: then it
    /// follows as it is, because `prefix/` and `/name` make `prefix//name` on the real service too.
    ///
    /// ```
    /// # use watchkeeper_aws::types::S3Uri;
    /// let folder: S3Uri = "s3://bucket/captured".parse()?;
    /// assert_eq!(folder.join("part.jsonl").to_string(), "s3://bucket/captured/part.jsonl");
    /// assert_eq!(folder.join("a/").join("b").to_string(), "s3://bucket/captured/a/b");
    /// assert_eq!(folder.join("a/").join("/b").to_string(), "s3://bucket/captured/a//b");
    /// # Ok::<(), watchkeeper_aws::types::S3UriError>(())
    /// ```
    #[must_use]
    pub fn join(&self, text: &str) -> Self {
        let key = if self.key.is_empty() {
            text.strip_prefix('/').unwrap_or(text).to_owned()
        } else if self.key.ends_with('/') || text.starts_with('/') || text.is_empty() {
            format!("{}{text}", self.key)
        } else {
            format!("{}/{text}", self.key)
        };
        Self { bucket: self.bucket.clone(), key }
    }
}

impl FromStr for S3Uri {
    type Err = S3UriError;

    fn from_str(text: &str) -> Result<Self, S3UriError> {
        let error = |reason| S3UriError { text: shown(text), reason };
        if text.chars().any(char::is_control) {
            return Err(error("it holds a control character"));
        }
        let (bucket, key) = if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
            (bucket.to_owned(), key.to_owned())
        } else if let Some(rest) = text.strip_prefix("https://") {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            of_host(&host.to_ascii_lowercase(), path)
                .ok_or_else(|| error("its host is none of S3's, such as bucket.s3.region.amazonaws.com"))?
        } else {
            return Err(error("it begins with neither 's3://' nor 'https://'"));
        };
        if bucket.is_empty() || bucket.contains(char::is_whitespace) {
            return Err(error("it names no bucket"));
        }
        Ok(Self { bucket, key })
    }
}

/// Bucket and key behind a host of S3; none when the host is another.
fn of_host(host: &str, path: &str) -> Option<(String, String)> {
    let host = host.strip_suffix(":443").unwrap_or(host);
    let host = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    // Bucket names may have dots, so the service's label is looked for from the right; a region has no dot.
    let (service_start, _) = host
        .rmatch_indices("s3")
        .find(|&(start, _)| (start == 0 || host.as_bytes()[start - 1] == b'.') && is_service(&host[start..]))?;
    if service_start > 0 {
        return Some((host[..service_start - 1].to_owned(), undo_percent_codes(path)?));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    Some((undo_percent_codes(bucket)?, undo_percent_codes(key)?))
}

/// Whether this is `s3`, `s3-region`, `s3.region` or `s3.dualstack.region`.
fn is_service(label: &str) -> bool {
    let is_region = |text: &str| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let Some(rest) = label.strip_prefix("s3") else { return false };
    match rest.strip_prefix(['.', '-']) {
        None => rest.is_empty(),
        Some(region) => is_region(region.strip_prefix("dualstack.").unwrap_or(region)),
    }
}

/// The text with `%XX` as bytes; a percent sign that begins no code stands for itself. None when it is not UTF-8.
fn undo_percent_codes(text: &str) -> Option<String> {
    percent_encoding::percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

impl fmt::Display for S3Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, key } = self;
        if key.is_empty() { write!(f, "s3://{bucket}") } else { write!(f, "s3://{bucket}/{key}") }
    }
}

serde_as_text!(S3Uri);
