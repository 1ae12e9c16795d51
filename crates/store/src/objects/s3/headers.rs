//! Between what the store keeps with an object and the headers that an S3 has for it.
//!
//! What an S3 has a place for is there under its own name, so that other clients of the outside see it. The rest is user
//! metadata whose names begin with `watchkeeper-`; a client's own metadata of such a name is kept under another one.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use md5::{Digest as _, Md5};
use watchkeeper_aws::signing::encode;

use crate::Error;
use crate::objects::{ObjectAttributes, Precondition};

const METADATA: &str = "x-amz-meta-";
const CHECKSUM: &str = "x-amz-checksum-";
/// What names of our own metadata begin with.
const OURS: &str = "watchkeeper-";
/// What a client's name that begins so is kept under.
const THEIRS: &str = "watchkeeper-user-";
const KMS_KEY: &str = "watchkeeper-kms-key";
const DATA_KEY: &str = "watchkeeper-data-key";
const ENCRYPTION: &str = "watchkeeper-encryption";
const CHECKSUMS: &str = "watchkeeper-checksums";
const SEALED_CHECKSUMS: &str = "watchkeeper-sealed-checksums";
/// What an S3 calls an object that was put without a type.
pub(super) const NO_TYPE: &str = "binary/octet-stream";
/// The algorithms of checksums that an S3 keeps.
pub(super) const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

/// How a body is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    /// The KMS key's id or ARN.
    pub(super) kms_key_id: String,
    /// The data key, wrapped by it.
    pub(super) data_key: Vec<u8>,
    /// The checksums of the body, sealed: who knows them can tell whether it is what he thinks.
    pub(super) checksums: Option<Vec<u8>>,
}

/// An object as the outside has it.
pub(super) struct Stored {
    pub(super) attributes: ObjectAttributes,
    pub(super) seal: Option<Seal>,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    /// Bytes there.
    pub(super) size: u64,
    /// Whether it has tags, which the answer does not name.
    pub(super) is_tagged: bool,
}

/// The headers of what is put with an object.
pub(super) fn of_attributes(attributes: &ObjectAttributes, seal: Option<&Seal>) -> Vec<(String, String)> {
    let mut headers: Vec<(String, String)> = Vec::new();
    let plain = [
        ("content-type", &attributes.content_type),
        ("content-encoding", &attributes.content_encoding),
        ("cache-control", &attributes.cache_control),
        ("content-disposition", &attributes.content_disposition),
        ("content-language", &attributes.content_language),
        ("expires", &attributes.expires),
    ];
    for (name, value) in plain {
        headers.extend(value.as_ref().map(|value| (name.to_owned(), encoded_word(value))));
    }
    for (name, value) in &attributes.metadata {
        let prefix = if name.starts_with(OURS) { THEIRS } else { "" };
        headers.push((format!("{METADATA}{prefix}{name}"), encoded_word(value)));
    }
    if !attributes.tags.is_empty() {
        let pair = |(name, value): (&String, &String)| [encode(name.as_bytes()), encode(value.as_bytes())].join("=");
        let tags: Vec<String> = attributes.tags.iter().map(pair).collect();
        headers.push(("x-amz-tagging".to_owned(), tags.join("&")));
    }
    let mut ours = |name: &str, value: String| headers.push((format!("{METADATA}{name}"), value));
    match (seal, &attributes.server_side_encryption) {
        (Some(seal), algorithm) => {
            ours(KMS_KEY, encoded_word(&seal.kms_key_id));
            ours(DATA_KEY, BASE64_STANDARD.encode(&seal.data_key));
            ours(ENCRYPTION, algorithm.clone().unwrap_or_else(|| "aws:kms".to_owned()));
            if let Some(checksums) = &seal.checksums {
                ours(SEALED_CHECKSUMS, BASE64_STANDARD.encode(checksums));
            }
        }
        (None, Some(algorithm)) => headers.push(("x-amz-server-side-encryption".to_owned(), algorithm.clone())),
        (None, None) => {}
    }
    if seal.is_none() {
        add_checksums(&mut headers, &attributes.checksums);
    }
    headers
}

/// An S3 takes one checksum; others are kept as metadata.
fn add_checksums(headers: &mut Vec<(String, String)>, checksums: &BTreeMap<String, String>) {
    let is_native = |(name, value): &(&String, &String)| ALGORITHMS.contains(&name.as_str()) && !value.contains('-');
    let native = checksums.iter().find(is_native);
    if let Some((name, value)) = native {
        headers.push((format!("{CHECKSUM}{}", name.to_ascii_lowercase()), value.clone()));
        // Some servers look for the value only where its name is there.
        headers.push(("x-amz-sdk-checksum-algorithm".to_owned(), name.clone()));
    }
    let others = checksums.iter().filter(|other| Some(*other) != native);
    let others: BTreeMap<String, String> = others.map(|(name, value)| (name.clone(), value.clone())).collect();
    if !others.is_empty() {
        headers.push((format!("{METADATA}{CHECKSUMS}"), checksums_text(&others)));
    }
}

/// Checksums as one text.
pub(super) fn checksums_text(checksums: &BTreeMap<String, String>) -> String {
    checksums.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
}

pub(super) fn checksums_of_text(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The header of a condition.
pub(super) fn of_precondition(precondition: &Precondition) -> Option<(String, String)> {
    match precondition {
        Precondition::None => None,
        Precondition::Absent => Some(("if-none-match".to_owned(), "*".to_owned())),
        Precondition::Etag(etag) => Some(("if-match".to_owned(), format!("\"{etag}\""))),
    }
}

/// An object from the headers of its head.
pub(super) fn stored(headers: &HeaderMap, size: u64) -> Result<Stored, Error> {
    let mut attributes = ObjectAttributes {
        content_type: value(headers, "content-type").filter(|kind| kind != NO_TYPE),
        content_encoding: value(headers, "content-encoding"),
        cache_control: value(headers, "cache-control"),
        content_disposition: value(headers, "content-disposition"),
        content_language: value(headers, "content-language"),
        expires: value(headers, "expires"),
        server_side_encryption: value(headers, "x-amz-server-side-encryption"),
        checksums: checksums(headers),
        ..ObjectAttributes::default()
    };
    let (mut kms_key_id, mut data_key, mut sealed_checksums) = (None, None, None);
    for name in headers.keys().filter_map(|name| name.as_str().strip_prefix(METADATA)) {
        let Some(text) = value(headers, &format!("{METADATA}{name}")) else { continue };
        match name {
            KMS_KEY => kms_key_id = Some(text),
            DATA_KEY => {
                let bytes = BASE64_STANDARD.decode(text);
                data_key = Some(bytes.map_err(|_| Error::Damaged("the data key of an object".to_owned()))?);
            }
            ENCRYPTION => attributes.server_side_encryption = Some(text),
            CHECKSUMS => attributes.checksums.extend(checksums_of_text(&text)),
            // What nobody can read is not there.
            SEALED_CHECKSUMS => sealed_checksums = BASE64_STANDARD.decode(text).ok(),
            _ => {
                let name = name.strip_prefix(THEIRS).unwrap_or(name);
                attributes.metadata.insert(name.to_owned(), text);
            }
        }
    }
    let seal = match (kms_key_id, data_key) {
        (Some(kms_key_id), Some(data_key)) => Some(Seal { kms_key_id, data_key, checksums: sealed_checksums }),
        (None, None) => None,
        _ => return Err(Error::Damaged("the encryption of an object".to_owned())),
    };
    if let Some(seal) = &seal {
        attributes.kms_key_id = Some(seal.kms_key_id.clone());
        // Those of what is there: a client would compare them with what it gets.
        attributes.checksums.clear();
    }
    Ok(Stored {
        attributes,
        seal,
        etag: etag(headers),
        modified: date(headers, "last-modified").unwrap_or_else(Timestamp::now),
        size,
        is_tagged: value(headers, "x-amz-tagging-count").is_some_and(|count| count != "0"),
    })
}

/// The checksums that an answer has.
pub(super) fn checksums(headers: &HeaderMap) -> BTreeMap<String, String> {
    let of = |name: &&str| value(headers, &format!("{CHECKSUM}{}", name.to_ascii_lowercase()));
    ALGORITHMS.iter().filter_map(|name| Some(((*name).to_owned(), of(name)?))).collect()
}

/// The `ETag` without quotes.
pub(super) fn etag(headers: &HeaderMap) -> String {
    unquoted(&value(headers, "etag").unwrap_or_default())
}

pub(super) fn unquoted(etag: &str) -> String {
    etag.trim().trim_start_matches("W/").trim_matches('"').to_owned()
}

/// The MD5 as a header has it.
pub(super) fn md5(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(bytes))
}

/// A moment in a header.
pub(super) fn date(headers: &HeaderMap, name: &str) -> Option<Timestamp> {
    let text = value(headers, name)?;
    let moment = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text).ok()?;
    TimeZone::UTC.to_timestamp(moment).ok()
}

/// A header's value as text.
pub(super) fn value(headers: &HeaderMap, name: &str) -> Option<String> {
    let bytes = headers.get(name)?.as_bytes();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    Some(decoded_words(&text))
}

/// A text that a header can hold as it is, or as RFC 2047 writes others, which S3 does too.
fn encoded_word(text: &str) -> String {
    let is_plain =
        text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim() == text && !text.contains("=?");
    if is_plain { text.to_owned() } else { format!("=?UTF-8?B?{}?=", BASE64_STANDARD.encode(text)) }
}

/// The opposite. What is no such word stays, and so do words of other alphabets.
fn decoded_words(text: &str) -> String {
    if !text.contains("=?") {
        return text.to_owned();
    }
    let mut whole = String::new();
    let (mut rest, mut behind_word) = (text, false);
    while let Some(start) = rest.find("=?") {
        let (before, word) = rest.split_at(start);
        let Some((decoded, after)) = decoded_word(word) else {
            whole.push_str(&rest[..start + 2]);
            (rest, behind_word) = (&rest[start + 2..], false);
            continue;
        };
        // Blanks between words only part them.
        if !(behind_word && before.trim().is_empty()) {
            whole.push_str(before);
        }
        whole.push_str(&decoded);
        (rest, behind_word) = (after, true);
    }
    whole.push_str(rest);
    whole
}

/// The text of the word at the beginning, and what is behind it.
fn decoded_word(text: &str) -> Option<(String, &str)> {
    let (alphabet, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (content, after) = rest.split_once("?=")?;
    if !alphabet.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    let bytes = match encoding {
        "B" | "b" => BASE64_STANDARD.decode(content).ok()?,
        "Q" | "q" => quoted_printable(content)?,
        _ => return None,
    };
    Some((String::from_utf8(bytes).ok()?, after))
}

fn quoted_printable(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'_' => b' ',
            b'=' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_no_header_can_hold_round_trip() {
        for text in ["", "plain", "ünïcode", " blanks around ", "=?UTF-8?B?eA==?=", "a =? b", "line\nfeed", "tab\t"] {
            let written = encoded_word(text);
            assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{written}");
            assert_eq!(decoded_words(&written), text);
        }
    }

    /// The examples of RFC 2047, section 8, of the alphabet that is read.
    #[test]
    fn words_of_the_rfc() {
        assert_eq!(decoded_words("=?UTF-8?Q?a?="), "a");
        assert_eq!(decoded_words("(=?UTF-8?Q?a?= b)"), "(a b)");
        assert_eq!(decoded_words("(=?UTF-8?Q?a?= =?UTF-8?Q?b?=)"), "(ab)");
        assert_eq!(decoded_words("(=?UTF-8?Q?a?=     =?utf-8?q?b?=)"), "(ab)");
        assert_eq!(decoded_words("(=?UTF-8?Q?a_b?=)"), "(a b)");
        assert_eq!(decoded_words("=?UTF-8?Q?=C3=BC?="), "ü");
        for none in ["=?", "=?UTF-8?B?=", "=?ISO-8859-1?Q?a?=", "=?UTF-8?B?%?=", "=?UTF-8?Q?=C3?="] {
            assert_eq!(decoded_words(none), none);
        }
    }
}
