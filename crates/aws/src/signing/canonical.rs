//! A request as its signature sees it.

use std::borrow::Cow;
use std::fmt::Write as _;

use ring::digest::{Context, SHA256, digest};

use super::UNSIGNED_PAYLOAD;

/// A request as it is on the wire.
///
/// ```
/// # use watchkeeper_aws::signing::{Canonical, Payload};
/// let request = Canonical {
///     method: "POST",
///     path: "/",
///     query: "",
///     headers: vec![("host", b"127.0.0.1:8080"), ("x-amz-target", b"SageMaker.ListModels")],
///     payload: Payload::Bytes(b"{}"),
/// };
/// # let _ = request;
/// ```
#[derive(Clone, Debug)]
pub struct Canonical<'a> {
    /// `GET`, `POST`, ...
    pub method: &'a str,
    /// The path of the request line, percent codes and all.
    pub path: &'a str,
    /// The query of the request line without its question mark; empty when there is none.
    pub query: &'a str,
    /// Every header in the order of arrival; names in any case, repeated ones repeated.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The body.
    pub payload: Payload<'a>,
}

/// The body of a request, for its hash.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// All of it.
    Bytes(&'a [u8]),
    /// What a [`BodyHash`] has made of it.
    Hashed(&'a str),
    /// It is left out of the signature.
    Unsigned,
}

impl Payload<'_> {
    /// The text that stands for the body in the canonical request.
    pub(super) fn hash(&self) -> String {
        match self {
            Self::Bytes(bytes) => hash_of(bytes),
            Self::Hashed(hash) => (*hash).to_owned(),
            Self::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
        }
    }
}

/// The hash of a body that comes in pieces.
#[derive(Clone)]
pub struct BodyHash(Context);

impl Default for BodyHash {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl BodyHash {
    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all of them, in hexadecimal.
    pub fn end(self) -> String {
        lower_hex(self.0.finish().as_ref())
    }
}

/// SHA-256 in hexadecimal.
pub(super) fn hash_of(bytes: &[u8]) -> String {
    lower_hex(digest(&SHA256, bytes).as_ref())
}

/// Bytes in hexadecimal. The `hex` crate's own writes a character at a time, which takes as long as a hash of a request.
pub(super) fn lower_hex(bytes: &[u8]) -> String {
    let mut text = vec![0; 2 * bytes.len()];
    hex::encode_to_slice(bytes, &mut text).expect("the slice has two places for each byte");
    String::from_utf8(text).expect("digits and letters")
}

impl<'a> Canonical<'a> {
    /// The values of a header, in the order of arrival.
    pub(super) fn values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + use<'s, 'a> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// The hash of the canonical request: what a signature is over, together with scope and moment.
    ///
    /// `signed_headers` are lower case names in the order of the signature; none when the request lacks one of them.
    pub(super) fn hash(&self, service: &str, signed_headers: &[&str], payload_hash: &str) -> Option<String> {
        let mut text = Vec::with_capacity(1024);
        text.extend_from_slice(self.method.as_bytes());
        text.push(b'\n');
        text.extend_from_slice(canonical_path(self.path, service).as_bytes());
        text.push(b'\n');
        text.extend_from_slice(canonical_query(self.query).as_bytes());
        text.push(b'\n');
        for name in signed_headers {
            text.extend_from_slice(name.as_bytes());
            text.push(b':');
            self.write_values(&mut text, name)?;
            text.push(b'\n');
        }
        text.push(b'\n');
        for (number, name) in signed_headers.iter().enumerate() {
            if number > 0 {
                text.push(b';');
            }
            text.extend_from_slice(name.as_bytes());
        }
        text.push(b'\n');
        text.extend_from_slice(payload_hash.as_bytes());
        Some(hash_of(&text))
    }

    /// All values of a header, trimmed, runs of blanks as one, joined by commas; none when there is no such header.
    fn write_values(&self, text: &mut Vec<u8>, name: &str) -> Option<()> {
        let mut number = 0;
        for value in self.values(name) {
            if number > 0 {
                text.push(b',');
            }
            let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            for (index, word) in words.enumerate() {
                if index > 0 {
                    text.push(b' ');
                }
                text.extend_from_slice(word);
            }
            number += 1;
        }
        (number > 0).then_some(())
    }
}

/// S3 signs the path as it is; every other service signs it without dot segments and double slashes, encoded once more.
fn canonical_path<'p>(path: &'p str, service: &str) -> Cow<'p, str> {
    if service == "s3" {
        return Cow::Borrowed(if path.is_empty() { "/" } else { path });
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'/');
    if path.starts_with('/') && !path.contains("//") && path.bytes().all(is_plain) {
        return Cow::Borrowed(path);
    }
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(segment),
        }
    }
    let trailing = if path.ends_with('/') && !segments.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{trailing}", encode_path(&segments.join("/"))))
}

/// Names and values decoded, encoded in the one canonical way, and sorted.
fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = pairs(query)
        .filter(|(name, _)| decode(name) != b"X-Amz-Signature")
        .map(|(name, value)| (encode(&decode(name)), encode(&decode(value))))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// The raw names and values of a query.
pub(super) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Undoes percent codes; a percent sign that begins none stands for itself.
pub(super) fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

/// AWS's percent encoding of a name or value in a query: everything but letters, digits and `-._~`.
pub fn encode(bytes: &[u8]) -> String {
    encode_but(bytes, |byte| matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

/// AWS's percent encoding of a path, such as an object's key: as [`encode`], but slashes stay.
pub fn encode_path(path: &str) -> String {
    encode_but(path.as_bytes(), |byte| matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/'))
}

fn encode_but(bytes: &[u8], stays: impl Fn(u8) -> bool) -> String {
    let mut encoded = String::with_capacity(bytes.len() + 8);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || stays(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("a string takes every text");
        }
    }
    encoded
}
