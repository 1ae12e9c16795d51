//! Checksums of bodies: those that came with a request, in a header or behind the body, are checked and kept.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt as _;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::{self, StreamingBlob};
use s3s::{S3Error, S3ErrorCode, S3Result, TrailingHeaders};
use watchkeeper_store::objects::{Body, PartInfo, Trailer};

use super::errors::{custom, error, error_saying};

/// The algorithms we compute, by the names S3 has for them. Others are let pass unchecked and are not kept.
const ALGORITHMS: [&str; 5] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"];

/// Checksums by algorithm, in base64.
pub(super) type Checksums = BTreeMap<String, String>;

/// What a sender said of a body, and it was not so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    /// The value of an algorithm.
    #[error("the {0} you specified did not match the calculated checksum")]
    Checksum(String),
    /// The MD5.
    #[error("the Content-MD5 you specified did not match what we received")]
    Md5,
    /// The number of bytes.
    #[error("the body has not the x-amz-decoded-content-length that was specified")]
    Length,
    /// A header that was to come behind the body.
    #[error("the trailing header {0} did not come")]
    Trailer(String),
}

impl Mismatch {
    pub(super) fn to_error(&self) -> S3Error {
        match self {
            Self::Checksum(algorithm) => {
                let text = format!("The {algorithm} you specified did not match the calculated checksum.");
                error_saying(S3ErrorCode::BadDigest, text)
            }
            Self::Md5 => {
                error_saying(S3ErrorCode::BadDigest, "The Content-MD5 you specified did not match what we received.")
            }
            Self::Length => {
                let text =
                    "You did not provide the number of bytes specified by the x-amz-decoded-content-length header.";
                error_saying(S3ErrorCode::IncompleteBody, text)
            }
            Self::Trailer(name) => {
                let text = format!("The request contained trailing data that was not well-formed: {name} is missing.");
                custom("MalformedTrailerError", http::StatusCode::BAD_REQUEST, text)
            }
        }
    }
}

/// What is computed while a body passes.
#[derive(Default)]
struct Digests {
    checksums: ChecksumHasher,
    md5: Option<Md5>,
    length: u64,
}

/// What a request says of its body.
#[derive(Default)]
struct Claims {
    checksums: Checksums,
    md5: Option<String>,
    /// Of a body in chunks, without what frames them: where the chunks just stop, the protocol crate says nothing.
    length: Option<u64>,
    /// The names of the headers that are to come behind the body.
    announced: Vec<String>,
    trailing: Option<TrailingHeaders>,
}

/// The body of a request for the store, and the check that follows its last byte: it fails where a checksum does not
/// agree, else gives the checksums to keep.
pub(super) fn checked(
    body: Option<StreamingBlob>,
    headers: &HeaderMap,
    trailing: Option<TrailingHeaders>,
) -> S3Result<(Body, Trailer)> {
    let claims = Claims {
        checksums: claimed(headers)?,
        md5: claimed_md5(headers)?,
        length: claimed_length(headers)?,
        announced: announced(headers),
        trailing,
    };
    let mut digests = Digests { md5: claims.md5.is_some().then(Md5::new), ..Digests::default() };
    let wanted = headers.get("x-amz-sdk-checksum-algorithm").and_then(|name| name.to_str().ok());
    for algorithm in ALGORITHMS {
        if claims.checksums.contains_key(algorithm)
            || claims.announced.contains(&header_of(algorithm))
            || wanted.is_some_and(|wanted| wanted.eq_ignore_ascii_case(algorithm))
        {
            digests.compute(algorithm);
        }
    }
    let digests = Arc::new(Mutex::new(digests));
    let passing = Arc::clone(&digests);
    let body: Body = match body {
        None => watchkeeper_store::objects::body(bytes::Bytes::new()),
        Some(body) => body
            .map(move |piece| {
                let piece = piece.map_err(io::Error::other)?;
                passing.lock().unwrap_or_else(PoisonError::into_inner).update(&piece);
                Ok(piece)
            })
            .boxed(),
    };
    let check = move || {
        let digests = std::mem::take(&mut *digests.lock().unwrap_or_else(PoisonError::into_inner));
        claims.check(digests).map_err(io::Error::other)
    };
    Ok((body, Box::new(check)))
}

impl Digests {
    fn compute(&mut self, algorithm: &str) {
        match algorithm {
            "CRC32" => self.checksums.crc32 = Some(Crc32::new()),
            "CRC32C" => self.checksums.crc32c = Some(Crc32c::new()),
            "CRC64NVME" => self.checksums.crc64nvme = Some(Crc64Nvme::new()),
            "SHA1" => self.checksums.sha1 = Some(Sha1::new()),
            "SHA256" => self.checksums.sha256 = Some(Sha256::new()),
            _ => {}
        }
    }

    fn update(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        self.checksums.update(piece);
        if let Some(md5) = &mut self.md5 {
            md5.update(piece);
        }
    }
}

impl Claims {
    fn check(self, digests: Digests) -> Result<Checksums, Mismatch> {
        if self.length.is_some_and(|length| length != digests.length) {
            return Err(Mismatch::Length);
        }
        if let (Some(claimed), Some(md5)) = (&self.md5, digests.md5)
            && *claimed != BASE64_STANDARD.encode(md5.finalize())
        {
            return Err(Mismatch::Md5);
        }
        let mut claimed = self.checksums;
        let trailing = self.trailing.and_then(|trailing| trailing.take()).unwrap_or_default();
        if let Some(missing) = self.announced.into_iter().find(|name| !trailing.contains_key(name)) {
            return Err(Mismatch::Trailer(missing));
        }
        for algorithm in ALGORITHMS {
            if let Some(value) = trailing.get(header_of(algorithm)).and_then(|value| value.to_str().ok()) {
                claimed.insert(algorithm.to_owned(), value.trim().to_owned());
            }
        }
        let computed = from_shape(digests.checksums.finalize());
        for (algorithm, value) in &computed {
            if claimed.get(algorithm).is_some_and(|claimed| claimed != value) {
                return Err(Mismatch::Checksum(algorithm.clone()));
            }
        }
        Ok(computed)
    }
}

/// The header of an algorithm's value.
fn header_of(algorithm: &str) -> String {
    format!("x-amz-checksum-{}", algorithm.to_ascii_lowercase())
}

fn claimed(headers: &HeaderMap) -> S3Result<Checksums> {
    let mut checksums = Checksums::new();
    for algorithm in ALGORITHMS {
        let name = header_of(algorithm);
        let Some(value) = headers.get(&name) else { continue };
        let value = value.to_str().ok().filter(|value| BASE64_STANDARD.decode(value).is_ok());
        let Some(value) = value else {
            return Err(error_saying(S3ErrorCode::InvalidRequest, format!("Value for {name} header is invalid.")));
        };
        checksums.insert(algorithm.to_owned(), value.to_owned());
    }
    Ok(checksums)
}

fn claimed_md5(headers: &HeaderMap) -> S3Result<Option<String>> {
    let Some(value) = headers.get("content-md5") else { return Ok(None) };
    let value = value.to_str().ok().filter(|value| BASE64_STANDARD.decode(value).is_ok_and(|md5| md5.len() == 16));
    value.map(|value| Some(value.to_owned())).ok_or_else(|| error(S3ErrorCode::InvalidDigest))
}

fn claimed_length(headers: &HeaderMap) -> S3Result<Option<u64>> {
    let Some(value) = headers.get("x-amz-decoded-content-length") else { return Ok(None) };
    let length = value.to_str().ok().and_then(|value| value.parse().ok());
    length.map(Some).ok_or_else(|| {
        error_saying(S3ErrorCode::InvalidRequest, "Value for x-amz-decoded-content-length header is invalid.")
    })
}

/// The names that `x-amz-trailer` holds.
fn announced(headers: &HeaderMap) -> Vec<String> {
    let names = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok()).unwrap_or_default();
    let names = names.split(',').map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty()).collect()
}

/// The checksums of a shape that has one member for each algorithm.
pub(super) fn from_shape(shape: dto::Checksum) -> Checksums {
    let values = [
        shape.checksum_crc32,
        shape.checksum_crc32c,
        shape.checksum_crc64nvme,
        shape.checksum_sha1,
        shape.checksum_sha256,
    ];
    ALGORITHMS.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect()
}

/// The shape of checksums: one member for each algorithm, and how the values were made.
pub(super) fn to_shape(checksums: &Checksums) -> dto::Checksum {
    let value = |algorithm: &str| checksums.get(algorithm).cloned();
    let composite = checksums.values().any(|value| value.contains('-'));
    let kind = if composite { dto::ChecksumType::COMPOSITE } else { dto::ChecksumType::FULL_OBJECT };
    dto::Checksum {
        checksum_crc32: value("CRC32"),
        checksum_crc32c: value("CRC32C"),
        checksum_crc64nvme: value("CRC64NVME"),
        checksum_sha1: value("SHA1"),
        checksum_sha256: value("SHA256"),
        checksum_type: (!checksums.is_empty()).then(|| dto::ChecksumType::from_static(kind)),
    }
}

/// The checksum of a whole object from those of its parts: the checksum of the parts' checksums, `-`, and their number.
/// Only for algorithms that every part has, and that may be made so.
pub(super) fn composite(parts: &[PartInfo]) -> Checksums {
    let mut checksums = Checksums::new();
    for algorithm in ALGORITHMS.into_iter().filter(|algorithm| *algorithm != "CRC64NVME") {
        let mut digests = Digests::default();
        digests.compute(algorithm);
        let all = parts.iter().all(|part| {
            let value = part.checksums.get(algorithm).and_then(|value| BASE64_STANDARD.decode(value).ok());
            value.is_some_and(|value| {
                digests.update(&value);
                true
            })
        });
        if all && let Some(value) = from_shape(digests.checksums.finalize()).remove(algorithm) {
            checksums.insert(algorithm.to_owned(), format!("{value}-{}", parts.len()));
        }
    }
    checksums
}

/// Whether the checksums of the whole are asked for.
pub(super) fn wanted(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str().eq_ignore_ascii_case(dto::ChecksumMode::ENABLED))
}
