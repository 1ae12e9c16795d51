//! What has to be so beside a right signature.
//!
//! The protocol crate checks signatures, but not what they leave out: as AWS does, every `x-amz-` header has to be under
//! the signature, temporary keys bring their token, and the old signature is taken in addresses alone, where it has an end.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3ErrorCode, S3Result};

use super::errors::{custom, error, error_saying};

/// Seconds that an address may be good for.
const LONGEST_EXPIRY: u32 = 7 * 24 * 3600;
/// Parameters that select an operation and are newer than the old signature.
const NOT_COVERED: [&str; 2] = ["attributes", "encryption"];

/// Knows which session tokens go with which keys.
pub(crate) trait Tokens: Send + Sync + 'static {
    /// Whether what this key has signed may pass with this token, or without one.
    fn accepts(&self, access_key_id: &str, token: Option<&[u8]>) -> bool;

    /// Whether this key, whose signature was found to be right, may make one request more now.
    fn may_ask(&self, access_key_id: &str) -> bool;
}

/// Who has signed may do everything, save what he expects somebody else to own.
pub(super) struct SignedByOwner<T> {
    pub(super) owner: String,
    pub(super) tokens: T,
}

#[async_trait::async_trait]
impl<T: Tokens> S3Access for SignedByOwner<T> {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = request.credentials() else {
            return Err(error(S3ErrorCode::AccessDenied));
        };
        let query = parameters(request.uri().query().unwrap_or_default());
        refuse_addresses(&query)?;
        let key = request.s3_path().get_object_key().unwrap_or_default();
        // No listing could show such a key, and no database of texts can keep it.
        if key.contains('\0') || query.iter().any(|(_, value)| value.contains('\0')) {
            return Err(error_saying(S3ErrorCode::InvalidArgument, "NUL is in no key, and in no parameter"));
        }
        let headers = request.headers();
        let signed = signed_headers(headers, &query)?;
        let is_signed = |name: &str| signed.as_ref().is_none_or(|signed| signed.contains(&name));
        let left_out = |(name, value): (&HeaderName, &HeaderValue)| {
            // Values that are no text are left out of what is signed, whatever names them.
            let is_text = std::str::from_utf8(value.as_bytes()).is_ok();
            let name = name.as_str();
            // What `x-amz-content-sha256` says is checked against the body.
            name.starts_with("x-amz-") && name != "x-amz-content-sha256" && !(is_text && is_signed(name))
        };
        if !is_signed("host") || headers.iter().any(left_out) {
            let message = "There were headers present in the request which were not signed";
            return Err(error_saying(S3ErrorCode::AccessDenied, message));
        }
        let in_header = headers.get("x-amz-security-token").map(|token| token.as_bytes().to_vec());
        let token = in_header.or_else(|| {
            // The two signatures write its name differently.
            let token = query.iter().find(|(name, _)| name.eq_ignore_ascii_case("X-Amz-Security-Token"));
            token.map(|(_, token)| token.clone().into_bytes())
        });
        if !self.tokens.accepts(&credentials.access_key, token.as_deref()) {
            let message = "The provided token has expired or does not belong to the access key.";
            return Err(error_saying(S3ErrorCode::InvalidToken, message));
        }
        let owners = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
        let foreign = |name| headers.get(name).is_some_and(|owner| owner.as_bytes() != self.owner.as_bytes());
        if owners.into_iter().any(foreign) {
            return Err(error(S3ErrorCode::AccessDenied));
        }
        if !self.tokens.may_ask(&credentials.access_key) {
            return Err(error(S3ErrorCode::SlowDown));
        }
        Ok(())
    }
}

/// Refuses addresses that are good for longer than a week, and with the old signature those whose parameters ask for
/// something else than what was signed: it covers the parameters of its time alone.
fn refuse_addresses(query: &[(String, String)]) -> S3Result<()> {
    let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let is_long = |seconds: &str| seconds.parse::<u32>().is_ok_and(|seconds| seconds > LONGEST_EXPIRY);
    if value("X-Amz-Signature").is_some() && value("X-Amz-Expires").is_some_and(is_long) {
        let message = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
                       than 604800 seconds";
        return Err(custom("AuthorizationQueryParametersError", StatusCode::BAD_REQUEST, message));
    }
    if value("Signature").is_some() && NOT_COVERED.iter().any(|name| value(name).is_some()) {
        return Err(error_saying(
            S3ErrorCode::AccessDenied,
            "There were parameters present in the request which were not signed",
        ));
    }
    Ok(())
}

/// The headers that the signature of a request names: none where it is the old one in an address, which covers every
/// `x-amz-` header without naming it.
///
/// There must be one signature alone: which of several was checked is for the protocol crate to know.
fn signed_headers<'a>(headers: &'a HeaderMap, query: &'a [(String, String)]) -> S3Result<Option<Vec<&'a str>>> {
    let has = |name: &str| query.iter().any(|(known, _)| known == name);
    let (is_presigned, is_old) = (has("X-Amz-Signature"), has("Signature"));
    let in_headers = headers.get_all("authorization").iter().count();
    if in_headers + usize::from(is_presigned) + usize::from(is_old) > 1 {
        let message = "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                       parameter or the Authorization header should be specified";
        return Err(error_saying(S3ErrorCode::InvalidArgument, message));
    }
    if is_old {
        return Ok(None);
    }
    let names = if is_presigned {
        query.iter().find(|(name, _)| name == "X-Amz-SignedHeaders").map(|(_, names)| names.as_str())
    } else {
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if authorization.starts_with("AWS ") {
            let message =
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
            return Err(error_saying(S3ErrorCode::InvalidRequest, message));
        }
        named_by(authorization)
    };
    // Not trimmed, and in the case they have: the protocol crate skips a name that is not exactly a header's.
    let names = names.map(|names| names.split(';').collect());
    names.map(Some).ok_or_else(|| error(S3ErrorCode::AccessDenied))
}

/// The names of the signed headers in an `Authorization` header. The protocol crate takes any word for the algorithm.
fn named_by(authorization: &str) -> Option<&str> {
    let (algorithm, fields) = authorization.split_once(|character: char| character.is_ascii_whitespace())?;
    let mut fields = fields.split(',').filter(|_| algorithm == "AWS4-HMAC-SHA256");
    fields.find_map(|field| field.trim_ascii_start().strip_prefix("SignedHeaders="))
}

/// The decoded names and values of a query, as the protocol crate decodes them.
fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| {
        let text = text.replace('+', " ");
        percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned()
    };
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}
