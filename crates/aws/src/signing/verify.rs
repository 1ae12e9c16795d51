//! Checking signatures.

use std::borrow::Cow;

use jiff::Timestamp;
use subtle::ConstantTimeEq as _;

use super::authorization::{authorization_parts, query_count, query_value};
use super::canonical::{decode, pairs};
use super::scope::{Scope, ScopeFault};
use super::sign::signature;
use super::{ALGORITHM, ALLOWED_SKEW, Canonical, LONGEST_EXPIRY, Payload, Secret, UNSIGNED_PAYLOAD};
use crate::Error;

/// Whom a request has to be signed for, and how that one's errors are called.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// The signing name of the service that is going to answer.
    pub service: &'a str,
    /// The protocol's names and statuses.
    pub codes: Codes,
}

/// The two families of names AWS has for the same errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codes {
    /// `InvalidSignatureException` and so on, status 400: JSON 1.0 and 1.1, CBOR.
    Json,
    /// The same names with status 403: REST.
    Rest,
    /// `SignatureDoesNotMatch` and so on, status 403: query.
    Query,
}

/// A request whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Who signed, and for where.
    pub scope: Scope,
    /// When.
    pub signed_at: Timestamp,
    /// Whether the signature was in the query.
    pub presigned: bool,
    /// Whether the body is under the signature.
    pub payload_signed: bool,
}

/// What a request claims, before anything of it is proven.
struct Claim<'a> {
    credential: Cow<'a, str>,
    signed_headers: Cow<'a, str>,
    signature: Cow<'a, str>,
    /// As the signature has it: `20260131T235959Z`.
    moment: Cow<'a, str>,
    signed_at: Timestamp,
    /// Seconds, of a presigned request alone.
    expires: Option<i64>,
    session_token: Option<Cow<'a, str>>,
}

/// Why a request is refused; [`Codes::error`] gives it its name.
enum Fault {
    /// No signature.
    Missing,
    /// A signature that cannot be read, or more than one.
    Incomplete(String),
    /// Nobody has this key, or not with this token.
    UnknownKey,
    /// The temporary credentials are over.
    ExpiredToken,
    /// The signature is another, or for something else.
    Mismatch(String),
    /// A presigned request that came too late.
    Expired,
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";

/// Checks a request's signature at the moment `now`.
///
/// # Errors
/// With AWS's codes, texts and statuses: no signature, more than one, an unreadable one, an unknown key, a wrong
/// signature, a clock that is off, a presigned request that is over.
pub fn verify(
    request: &Canonical<'_>,
    secret_of: impl Fn(&str) -> Option<Secret>,
    now: Timestamp,
    audience: Audience<'_>,
) -> Result<Verified, Error> {
    check(request, secret_of, now, audience.service).map_err(|fault| audience.codes.error(fault))
}

fn check(
    request: &Canonical<'_>,
    secret_of: impl Fn(&str) -> Option<Secret>,
    now: Timestamp,
    service: &str,
) -> Result<Verified, Fault> {
    let claim = claim(request)?;
    let scope = Scope::parse(&claim.credential).map_err(|fault| scope_fault(fault, &claim.credential))?;
    if scope.service != service {
        return Err(Fault::Mismatch(format!("Credential should be scoped to correct service: '{service}'.")));
    }
    let day = &claim.moment[..8];
    if scope.date != day {
        return Err(Fault::Mismatch(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', \
             from '{}'.",
            scope.date, claim.moment
        )));
    }
    let signed_headers = signed_headers(request, &claim)?;
    let payload_hash = payload_hash(request)?;
    check_moment(&claim, now)?;

    let secret = secret_of(&scope.access_key_id).ok_or(Fault::UnknownKey)?;
    let hash = request
        .hash(&scope.service, &signed_headers, &payload_hash)
        .ok_or_else(|| Fault::Mismatch(MISMATCH.to_owned()))?;
    let expected = signature(&secret.secret_access_key, &scope, &claim.moment, &hash);
    if !same(&expected, &claim.signature) {
        return Err(Fault::Mismatch(MISMATCH.to_owned()));
    }
    if let Some((token, expires)) = &secret.session {
        if !claim.session_token.as_ref().is_some_and(|brought| same(token, brought)) {
            return Err(Fault::UnknownKey);
        }
        if *expires <= now {
            return Err(Fault::ExpiredToken);
        }
    }
    let presigned = claim.expires.is_some();
    Ok(Verified { scope, signed_at: claim.signed_at, presigned, payload_signed: payload_hash != UNSIGNED_PAYLOAD })
}

/// Compares in a time that does not tell how much is right.
fn same(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// Finds the one place a request has its signature in.
fn claim<'a>(request: &Canonical<'a>) -> Result<Claim<'a>, Fault> {
    for name in ["authorization", "x-amz-date", "date", "host", "x-amz-content-sha256", "x-amz-security-token"] {
        if request.values(name).count() > 1 {
            return Err(Fault::Incomplete(format!("The header '{name}' must not be there more than once.")));
        }
    }
    let in_query = pairs(request.query).any(|(name, _)| {
        matches!(decode(name).as_slice(), b"X-Amz-Algorithm" | b"X-Amz-Signature" | b"X-Amz-Credential")
    });
    match (request.values("authorization").next(), in_query) {
        (Some(_), true) => Err(Fault::Incomplete(
            "Only one signature is allowed: in the Authorization header or in the query, not both.".to_owned(),
        )),
        (Some(header), false) => claim_of_header(request, header),
        (None, true) => claim_of_query(request),
        (None, false) => Err(Fault::Missing),
    }
}

fn claim_of_header<'a>(request: &Canonical<'a>, header: &'a [u8]) -> Result<Claim<'a>, Fault> {
    let parts = std::str::from_utf8(header).ok().and_then(authorization_parts).ok_or_else(|| {
        Fault::Incomplete(format!(
            "Authorization header must be '{ALGORITHM} Credential=..., SignedHeaders=..., Signature=...'."
        ))
    })?;
    let (Some(credential), Some(signed_headers), Some(signature)) =
        (parts.credential, parts.signed_headers, parts.signature)
    else {
        let missing =
            [("Credential", parts.credential), ("Signature", parts.signature), ("SignedHeaders", parts.signed_headers)];
        let texts: Vec<String> = missing
            .iter()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| format!("Authorization header requires '{name}' parameter."))
            .collect();
        return Err(Fault::Incomplete(texts.join(" ")));
    };
    let text =
        |name: &str| request.values(name).next().and_then(|value| std::str::from_utf8(value).ok()).map(str::trim);
    let signed_at = match (text("x-amz-date"), text("date")) {
        (Some(moment), _) => basic_moment(moment),
        (None, Some(date)) => basic_moment(date).or_else(|| Some(jiff::fmt::rfc2822::parse(date).ok()?.timestamp())),
        (None, None) => None,
    };
    let signed_at = signed_at.ok_or_else(|| {
        Fault::Incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header, with a valid date."
                .to_owned(),
        )
    })?;
    Ok(Claim {
        credential: Cow::Borrowed(credential),
        signed_headers: Cow::Borrowed(signed_headers),
        signature: Cow::Borrowed(signature),
        // One that was read in the basic form is written the same.
        moment: match text("x-amz-date") {
            Some(moment) => Cow::Borrowed(moment),
            None => Cow::Owned(moment_text(signed_at)?),
        },
        signed_at,
        expires: None,
        session_token: text("x-amz-security-token").map(Cow::Borrowed),
    })
}

fn claim_of_query(request: &Canonical<'_>) -> Result<Claim<'static>, Fault> {
    let names = [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
        "X-Amz-Security-Token",
    ];
    for name in names {
        if query_count(request.query, name) > 1 {
            return Err(Fault::Incomplete(format!("The query parameter '{name}' must not be there more than once.")));
        }
    }
    let value = |name: &str| {
        query_value(request.query, name)
            .ok_or_else(|| Fault::Incomplete(format!("AWS query-string parameters must include '{name}'.")))
    };
    if value("X-Amz-Algorithm")? != ALGORITHM {
        return Err(Fault::Incomplete(format!("The query parameter 'X-Amz-Algorithm' must be '{ALGORITHM}'.")));
    }
    let moment = value("X-Amz-Date")?;
    let signed_at = basic_moment(&moment).ok_or_else(|| {
        Fault::Incomplete("The query parameter 'X-Amz-Date' must be of the form '20260131T235959Z'.".to_owned())
    })?;
    // A second date, in a header, would be one too many.
    if request.values("x-amz-date").next().is_some_and(|header| header.trim_ascii() != moment.as_bytes()) {
        return Err(Fault::Incomplete(
            "The header 'x-amz-date' and the query parameter 'X-Amz-Date' differ.".to_owned(),
        ));
    }
    let expires = value("X-Amz-Expires")?;
    let expires = (expires.len() <= 6 && expires.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| expires.parse().ok())
        .flatten()
        .filter(|seconds| (1..=LONGEST_EXPIRY).contains(seconds))
        .ok_or_else(|| {
            Fault::Incomplete(format!(
                "The query parameter 'X-Amz-Expires' must be from 1 to {LONGEST_EXPIRY} seconds."
            ))
        })?;
    Ok(Claim {
        credential: Cow::Owned(value("X-Amz-Credential")?),
        signed_headers: Cow::Owned(value("X-Amz-SignedHeaders")?),
        signature: Cow::Owned(value("X-Amz-Signature")?),
        moment: Cow::Owned(moment),
        signed_at,
        expires: Some(expires),
        session_token: query_value(request.query, "X-Amz-Security-Token").map(Cow::Owned),
    })
}

/// Reads `20260131T235959Z`.
fn basic_moment(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 16 || bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i16> {
        bytes[from..to].iter().all(u8::is_ascii_digit).then(|| text[from..to].parse().ok()).flatten()
    };
    let part = |from: usize, to: usize| number(from, to).and_then(|number| i8::try_from(number).ok());
    jiff::civil::DateTime::new(number(0, 4)?, part(4, 6)?, part(6, 8)?, part(9, 11)?, part(11, 13)?, part(13, 15)?, 0)
        .ok()
        .and_then(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|moment| moment.timestamp())
}

/// The moment as the string to sign has it; refused when it is no year of four digits.
fn moment_text(moment: Timestamp) -> Result<String, Fault> {
    let text = moment.strftime("%Y%m%dT%H%M%SZ").to_string();
    if text.len() == 16 { Ok(text) } else { Err(Fault::Incomplete("The request has no valid date.".to_owned())) }
}

/// The names under the signature: lower case, in order, each once, and all that have to be there.
fn signed_headers<'c>(request: &Canonical<'_>, claim: &'c Claim<'_>) -> Result<Vec<&'c str>, Fault> {
    let names: Vec<&str> = claim.signed_headers.split(';').collect();
    let in_order = names.windows(2).all(|pair| pair[0] < pair[1]);
    let lower_case = names.iter().all(|name| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase()));
    if !in_order || !lower_case {
        return Err(Fault::Incomplete(
            "The SignedHeaders must be lower case names in alphabetical order, each once.".to_owned(),
        ));
    }
    if !names.contains(&"host") {
        return Err(Fault::Mismatch(
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.".to_owned(),
        ));
    }
    let dated = claim.expires.is_some() || names.contains(&"x-amz-date") || names.contains(&"date");
    if !dated {
        return Err(Fault::Mismatch("'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.".to_owned()));
    }
    for (name, _) in &request.headers {
        if is_of_aws(name) && !names.iter().any(|signed| signed.eq_ignore_ascii_case(name)) {
            let name = name.to_ascii_lowercase();
            return Err(Fault::Mismatch(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
        }
    }
    Ok(names)
}

/// Whether a header means something to a service: `x-amz-` as AWS has it, and `x-amzn-`, by which invocations are sent to
/// another variant or model. Clients sign all of them but the trace id, which whoever passes a request on may add.
fn is_of_aws(name: &str) -> bool {
    let begins = |start: &str| name.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start));
    (begins("x-amz-") || begins("x-amzn-")) && !name.eq_ignore_ascii_case("x-amzn-trace-id")
}

/// The text that stands for the body: its hash, which a declared one must equal, or that it is not signed.
fn payload_hash(request: &Canonical<'_>) -> Result<String, Fault> {
    let computed = match request.payload {
        Payload::Bytes(_) | Payload::Hashed(_) => Some(request.payload.hash()),
        Payload::Unsigned => None,
    };
    let declared = request.values("x-amz-content-sha256").next().map(<[u8]>::trim_ascii);
    match (declared, computed) {
        (Some(declared), _) if declared == UNSIGNED_PAYLOAD.as_bytes() => Ok(UNSIGNED_PAYLOAD.to_owned()),
        (Some(declared), Some(computed)) if declared == computed.as_bytes() => Ok(computed),
        (None, Some(computed)) => Ok(computed),
        _ => Err(Fault::Mismatch(
            "The value passed in the header 'x-amz-content-sha256' does not match the SHA-256 of the request's body."
                .to_owned(),
        )),
    }
}

fn check_moment(claim: &Claim<'_>, now: Timestamp) -> Result<(), Fault> {
    let (signed, present) = (claim.signed_at.as_second(), now.as_second());
    let text = |second: i64| {
        Timestamp::from_second(second).map(|moment| moment.strftime("%Y%m%dT%H%M%SZ").to_string()).unwrap_or_default()
    };
    if signed > present.saturating_add(ALLOWED_SKEW) {
        return Err(Fault::Mismatch(format!(
            "Signature not yet current: {} is still later than {} ({} + 15 min.)",
            claim.moment,
            text(present.saturating_add(ALLOWED_SKEW)),
            text(present)
        )));
    }
    match claim.expires {
        Some(seconds) if signed + seconds < present => Err(Fault::Expired),
        None if signed < present.saturating_sub(ALLOWED_SKEW) => Err(Fault::Mismatch(format!(
            "Signature expired: {} is now earlier than {} ({} - 15 min.)",
            claim.moment,
            text(present.saturating_sub(ALLOWED_SKEW)),
            text(present)
        ))),
        _ => Ok(()),
    }
}

fn scope_fault(fault: ScopeFault, credential: &str) -> Fault {
    match fault {
        ScopeFault::Elements => Fault::Incomplete(format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got \
             '{}'",
            credential.escape_debug()
        )),
        ScopeFault::Terminator => {
            Fault::Mismatch(format!("Credential should be scoped with a valid terminator: '{}'.", super::TERMINATOR))
        }
        ScopeFault::Region => Fault::Mismatch("Credential should be scoped to a valid region.".to_owned()),
        ScopeFault::Date => Fault::Mismatch("Date in Credential scope must be of the form YYYYMMDD.".to_owned()),
    }
}

impl Codes {
    fn error(self, fault: Fault) -> Error {
        let (json, query, message) = match fault {
            Fault::Missing => (
                "MissingAuthenticationTokenException",
                ("MissingAuthenticationToken", 403),
                match self {
                    Self::Query => "Request is missing Authentication Token".to_owned(),
                    Self::Json | Self::Rest => "Missing Authentication Token".to_owned(),
                },
            ),
            Fault::Incomplete(message) => ("IncompleteSignatureException", ("IncompleteSignature", 400), message),
            Fault::UnknownKey => (
                "UnrecognizedClientException",
                ("InvalidClientTokenId", 403),
                "The security token included in the request is invalid.".to_owned(),
            ),
            Fault::ExpiredToken => (
                "ExpiredTokenException",
                ("ExpiredToken", 403),
                "The security token included in the request is expired".to_owned(),
            ),
            Fault::Mismatch(message) => ("InvalidSignatureException", ("SignatureDoesNotMatch", 403), message),
            Fault::Expired => ("RequestExpired", ("RequestExpired", 400), "Request has expired.".to_owned()),
        };
        match self {
            Self::Json => Error::new(json, message),
            Self::Rest => Error::new(json, message).with_status(403),
            Self::Query => Error::new(query.0, message).with_status(query.1),
        }
    }
}
