//! What a signature was made for.

use std::borrow::Cow;

use super::TERMINATOR;
use super::authorization::{authorization_parts, query_value};

/// The credential scope of a signature: key, day, region, service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Whose signature it is.
    pub access_key_id: String,
    /// `20260131`.
    pub date: String,
    /// The region the client believes to talk to.
    pub region: String,
    /// `sagemaker`, `s3`, `sts`, `iam`, `logs`, `monitoring`, `kms`, `ecr`.
    pub service: String,
}

/// Why a credential is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScopeFault {
    Elements,
    Terminator,
    Region,
    Date,
}

impl Scope {
    /// Reads `key/date/region/service/aws4_request`.
    pub(super) fn parse(credential: &str) -> Result<Self, ScopeFault> {
        let mut parts = credential.split('/');
        let parts = [(); 6].map(|()| parts.next());
        let [Some(access_key_id), Some(date), Some(region), Some(service), Some(terminator), None] = parts else {
            return Err(ScopeFault::Elements);
        };
        if access_key_id.is_empty() || region.is_empty() || service.is_empty() {
            return Err(ScopeFault::Elements);
        }
        if terminator != TERMINATOR {
            return Err(ScopeFault::Terminator);
        }
        // It becomes a part of ARNs, which colons would divide.
        if !region.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            return Err(ScopeFault::Region);
        }
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ScopeFault::Date);
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// `date/region/service/aws4_request`: what the string to sign holds.
    pub(super) fn text(&self) -> String {
        [&self.date, "/", &self.region, "/", &self.service, "/", TERMINATOR].concat()
    }
}

/// The scope a request claims, in its `Authorization` header or its query (without the question mark). It is only read:
/// routing needs it before the signature can be checked.
pub fn scope_of(headers: &[(&str, &[u8])], query: &str) -> Option<Scope> {
    let of_header = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("authorization"))
        .and_then(|(_, value)| std::str::from_utf8(value).ok())
        .and_then(authorization_parts)
        .and_then(|parts| parts.credential.map(Cow::Borrowed));
    let credential = of_header.or_else(|| query_value(query, "X-Amz-Credential").map(Cow::Owned))?;
    Scope::parse(&credential).ok()
}
