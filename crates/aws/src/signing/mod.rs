//! Signature Version 4: signs our own requests and checks everybody's.
//!
//! Nothing here knows an HTTP library: a request is a [`Canonical`], four texts and a list of headers as they were on
//! the wire. [`verify()`] checks every service but S3, whose signatures (with their streaming forms) the S3 protocol
//! crate checks; [`sign()`] and [`presign`] sign for all of them, S3 included.
//!
//! What is accepted is what AWS accepts, and no more: one signature a request, in the `Authorization` header or in the
//! query; the host, the moment and every `x-amz-` and `x-amzn-` header under it; a moment within fifteen minutes of ours; the body
//! under it by its hash, unless the client itself said `UNSIGNED-PAYLOAD`. Any region is taken, and a session token
//! that goes with a key which has none is let pass, as shells keep old ones around.
//! Source: AWS's reference "Signature Version 4 for API requests".

mod authorization;
mod canonical;
mod scope;
mod session;
mod sign;
mod verify;

use std::fmt;

use jiff::Timestamp;

pub use canonical::{BodyHash, Canonical, Payload, encode, encode_path};
pub use scope::{Scope, scope_of};
pub use session::{Parent, Session, SessionIssuer};
pub use sign::{Signer, presign, sign};
pub use verify::{Audience, Codes, Verified, verify};

/// What a client signs with.
#[derive(Clone)]
pub struct Credentials {
    /// The public half, which goes with every request.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// Goes with temporary credentials.
    pub session_token: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// What the service knows about an access key.
#[derive(Clone)]
pub struct Secret {
    secret_access_key: String,
    session: Option<(String, Timestamp)>,
}

impl Secret {
    /// The secret of a key that stays.
    pub fn new(secret_access_key: impl Into<String>) -> Self {
        Self { secret_access_key: secret_access_key.into(), session: None }
    }

    /// The secret of temporary credentials: requests must bring this token, and only before it expires.
    #[must_use]
    pub fn temporary(self, session_token: impl Into<String>, expires: Timestamp) -> Self {
        Self { session: Some((session_token.into(), expires)), ..self }
    }
}

impl Secret {
    /// The secret itself, for a check of signatures that is not ours (that of S3); none once it has expired.
    pub fn expose_at(&self, now: Timestamp) -> Option<&str> {
        let is_over = self.session.as_ref().is_some_and(|(_, expires)| *expires <= now);
        (!is_over).then_some(self.secret_access_key.as_str())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// The name of the one algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every scope.
const TERMINATOR: &str = "aws4_request";
/// The payload's hash where the body is not signed.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// Seconds the clocks of client and service may differ.
const ALLOWED_SKEW: i64 = 15 * 60;
/// Seconds a presigned request may be good for: seven days.
const LONGEST_EXPIRY: i64 = 7 * 24 * 3600;
