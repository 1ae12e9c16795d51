//! Where requests carry their signature: the `Authorization` header, or the query.

use super::ALGORITHM;
use super::canonical::{decode, pairs};

/// The parts of an `Authorization` header of the one algorithm, each missing when it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct AuthorizationParts<'a> {
    pub credential: Option<&'a str>,
    pub signed_headers: Option<&'a str>,
    pub signature: Option<&'a str>,
}

/// Reads `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`; none when the algorithm is another, or
/// something is there twice or not known.
pub(super) fn authorization_parts(header: &str) -> Option<AuthorizationParts<'_>> {
    let rest = header.trim().strip_prefix(ALGORITHM)?;
    if !rest.starts_with([' ', '\t']) {
        return None;
    }
    let mut parts = AuthorizationParts::default();
    for part in rest.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let place = match name {
            "Credential" => &mut parts.credential,
            "SignedHeaders" => &mut parts.signed_headers,
            "Signature" => &mut parts.signature,
            _ => return None,
        };
        if place.replace(value).is_some() {
            return None;
        }
    }
    Some(parts)
}

/// The decoded value of a query parameter; none when it is missing, there more than once, or no text.
pub(super) fn query_value(query: &str, name: &str) -> Option<String> {
    let mut values = pairs(query).filter(|(known, _)| decode(known) == name.as_bytes()).map(|(_, value)| value);
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    String::from_utf8(decode(value)).ok()
}

/// How often a query has a parameter.
pub(super) fn query_count(query: &str, name: &str) -> usize {
    pairs(query).filter(|(known, _)| decode(known) == name.as_bytes()).count()
}
