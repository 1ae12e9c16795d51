//! Who asks: signatures of every service, over the same access keys.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};
use watchkeeper_aws::Error;
use watchkeeper_aws::protocol::{Protocol, Request};
use watchkeeper_aws::signing::{self, Audience, Canonical, Codes, Payload, Scope, Verified};

use super::credentials::AccessKeys;
use crate::Context;
use crate::api::s3;

/// The access keys for S3, whose signatures the protocol crate checks.
pub(super) struct S3Keys(pub(super) Arc<AccessKeys>);

#[async_trait::async_trait]
impl S3Auth for S3Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        self.0.secret(access_key).map(SecretKey::from).ok_or_else(|| {
            let code = S3ErrorCode::InvalidAccessKeyId;
            let message = s3::message_of(code.as_str()).unwrap_or_default();
            S3Error::with_message(code, message)
        })
    }
}

/// The session tokens for S3.
pub(super) struct S3Tokens {
    pub(super) context: Arc<Context>,
    pub(super) keys: Arc<AccessKeys>,
}

impl s3::Tokens for S3Tokens {
    fn accepts(&self, access_key_id: &str, token: Option<&[u8]>) -> bool {
        self.keys.accepts_token(access_key_id, token, self.context.now())
    }
}

/// The scope that a request claims; nothing of it is proven.
pub(super) fn scope(parts: &http::request::Parts) -> Option<Scope> {
    signing::scope_of(&headers(&parts.headers), parts.uri.query().unwrap_or_default())
}

/// The session token that a request brings, in a header or in its address.
pub(super) fn session_token(parts: &http::request::Parts) -> Option<Cow<'_, [u8]>> {
    if let Some(token) = parts.headers.get("x-amz-security-token") {
        return Some(Cow::Borrowed(token.as_bytes()));
    }
    let mut pairs = parts.uri.query()?.split('&');
    let token = pairs.find_map(|pair| pair.strip_prefix("X-Amz-Security-Token="))?;
    Some(percent_decode_str(token).into())
}

/// The calls about access keys, which would let whoever holds a temporary key have one that stays.
const KEYS_PATH: &str = "/_watchkeeper/keys";

/// Checks the signature of a request that is not S3's, and keeps temporary keys from the calls about access keys.
pub(super) fn verify(
    keys: &AccessKeys,
    request: &Request<'_>,
    signing_name: &str,
    codes: Codes,
    now: Timestamp,
) -> Result<Verified, Error> {
    let payload = Payload::Bytes(request.body);
    let canonical = canonical(request.method, request.uri, request.headers, payload);
    let audience = Audience { service: signing_name, codes };
    let verified = signing::verify(&canonical, |id| keys.signing_secret(id), now, audience)?;
    if request.uri.path().starts_with(KEYS_PATH) && keys.is_temporary(&verified.scope.access_key_id) {
        let message = "temporary credentials cannot list or change access keys: sign with an access key";
        return Err(Error::new("AccessDeniedException", message).with_status(403));
    }
    Ok(verified)
}

/// Checks the signature of an invocation.
pub(super) fn verify_invocation(
    keys: &AccessKeys,
    parts: &http::request::Parts,
    payload: Payload<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let canonical = canonical(&parts.method, &parts.uri, &parts.headers, payload);
    let audience = Audience { service: "sagemaker", codes: Codes::Rest };
    signing::verify(&canonical, |id| keys.signing_secret(id), now, audience).map(drop)
}

fn canonical<'a>(
    method: &'a http::Method,
    uri: &'a http::Uri,
    named: &'a http::HeaderMap,
    payload: Payload<'a>,
) -> Canonical<'a> {
    Canonical {
        method: method.as_str(),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: headers(named),
        payload,
    }
}

/// How a protocol calls the errors of signatures.
pub(super) fn codes(protocol: Protocol) -> Codes {
    match protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => Codes::Json,
        Protocol::RestJson | Protocol::RestXml => Codes::Rest,
        Protocol::Query => Codes::Query,
    }
}

fn headers(headers: &http::HeaderMap) -> Vec<(&str, &[u8])> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect()
}
