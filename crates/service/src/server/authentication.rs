//! Who asks: signatures of every service, over the same access keys.

use std::sync::Arc;

use jiff::Timestamp;
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result};
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

/// Checks the signature of a request that is not S3's.
pub(super) fn verify(
    keys: &AccessKeys,
    request: &Request<'_>,
    signing_name: &str,
    codes: Codes,
    now: Timestamp,
) -> Result<Verified, watchkeeper_aws::Error> {
    let canonical = Canonical {
        method: request.method.as_str(),
        path: request.uri.path(),
        query: request.uri.query().unwrap_or_default(),
        headers: headers(request.headers),
        payload: Payload::Bytes(request.body),
    };
    let audience = Audience { service: signing_name, codes };
    signing::verify(&canonical, |id| keys.signing_secret(id), now, audience)
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
