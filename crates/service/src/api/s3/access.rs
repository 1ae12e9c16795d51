//! What has to be so beside a right signature.
//!
//! The protocol crate checks signatures, but not what they leave out: as AWS does, every `x-amz-` header has to be under
//! the signature, temporary keys bring their token, and the old signature is taken in addresses alone, where it has an end.

use s3s::access::{S3Access, S3AccessContext};
use s3s::{S3ErrorCode, S3Result};

use super::errors::{error, error_saying};

/// Knows which session tokens go with which keys.
pub(crate) trait Tokens: Send + Sync + 'static {
    /// Whether what this key has signed may pass with this token, or without one.
    fn accepts(&self, access_key_id: &str, token: Option<&[u8]>) -> bool;
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
        let query = request.uri().query().unwrap_or_default();
        let headers = request.headers();
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
        if authorization.is_some_and(|text| text.starts_with("AWS ")) {
            let message =
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.";
            return Err(error_saying(S3ErrorCode::InvalidRequest, message));
        }
        let in_query = parameter(query, "X-Amz-SignedHeaders");
        let signed = authorization.and_then(signed_headers).map(str::to_owned).or(in_query);
        if let Some(signed) = signed {
            let is_signed = |name: &str| signed.split(';').any(|signed| signed.eq_ignore_ascii_case(name));
            let left_out = |name: &str| {
                // What it says is checked against the body.
                name.starts_with("x-amz-") && name != "x-amz-content-sha256" && !is_signed(name)
            };
            if !is_signed("host") || headers.keys().any(|name| left_out(name.as_str())) {
                let message = "There were headers present in the request which were not signed";
                return Err(error_saying(S3ErrorCode::AccessDenied, message));
            }
        }
        let in_header = headers.get("x-amz-security-token").map(|token| token.as_bytes().to_vec());
        let token = in_header.or_else(|| parameter(query, "X-Amz-Security-Token").map(String::into_bytes));
        if !self.tokens.accepts(&credentials.access_key, token.as_deref()) {
            let message = "The provided token has expired or does not belong to the access key.";
            return Err(error_saying(S3ErrorCode::InvalidToken, message));
        }
        let owners = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
        let foreign = |name| headers.get(name).is_some_and(|owner| owner.as_bytes() != self.owner.as_bytes());
        if owners.into_iter().any(foreign) {
            return Err(error(S3ErrorCode::AccessDenied));
        }
        Ok(())
    }
}

/// The signed headers that an `Authorization` header names.
fn signed_headers(authorization: &str) -> Option<&str> {
    authorization.split_once("SignedHeaders=")?.1.split([',', ' ']).next()
}

/// The decoded value of a parameter, its name in any case: the two signatures write them differently.
fn parameter(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value);
        known.eq_ignore_ascii_case(name).then(|| value.decode_utf8_lossy().into_owned())
    })
}
