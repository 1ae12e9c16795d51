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

    fn may_ask(&self, access_key_id: &str) -> bool {
        self.keys.may_ask(access_key_id)
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

/// What would let whoever holds a temporary key, as every job does, have one that stays: the calls about access keys, and a
/// backup, which has all of them and the master key in it.
const NOT_FOR_SESSIONS: [&str; 2] = ["/_watchkeeper/keys", "/_watchkeeper/backup"];
/// AWS's words for more requests than a key may make.
const TOO_MANY: &str = "Rate exceeded";

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
    let is_guarded = NOT_FOR_SESSIONS.iter().any(|path| request.uri.path().starts_with(path));
    if is_guarded && keys.is_temporary(&verified.scope.access_key_id) {
        let message =
            "temporary credentials cannot list or change access keys, nor take backups: sign with an access key";
        return Err(Error::new("AccessDeniedException", message).with_status(403));
    }
    refuse_too_many(keys, &verified.scope.access_key_id, codes)?;
    Ok(verified)
}

/// Refuses a key that asks for more than it may, by the codes that SDKs know to wait for.
fn refuse_too_many(keys: &AccessKeys, access_key_id: &str, codes: Codes) -> Result<(), Error> {
    if keys.may_ask(access_key_id) {
        return Ok(());
    }
    Err(match codes {
        Codes::Query => Error::new("Throttling", TOO_MANY),
        Codes::Json => Error::throttling(TOO_MANY),
        Codes::Rest => Error::throttling(TOO_MANY).with_status(429),
    })
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
    let verified = signing::verify(&canonical, |id| keys.signing_secret(id), now, audience)?;
    refuse_too_many(keys, &verified.scope.access_key_id, Codes::Rest)
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
