//! Who signs: where the official SDKs look for credentials, in their order.
//!
//! Variables, the profile of the shared files (keys, `role_arn` with a source, `credential_process`), a web identity token, the
//! container's endpoint, the instance's metadata. What the profile cannot give without a browser (`sso_…`) is an error that says
//! what to do.

mod assume_role;
mod chain;
mod metadata;
mod process;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::{Error, Result};

pub(super) use chain::provider;

/// What requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The public half, which goes with every request.
    pub access_key_id: String,
    /// The secret half.
    pub secret_access_key: String,
    /// Goes with temporary credentials.
    pub session_token: Option<String>,
    /// When they end; never without.
    pub expires: Option<Timestamp>,
}

impl Credentials {
    /// Credentials that stay.
    pub fn new(access_key_id: impl Into<String>, secret_access_key: impl Into<String>) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
            expires: None,
        }
    }

    /// None: requests go out unsigned, which public buckets take.
    pub fn anonymous() -> Self {
        Self::new("", "")
    }

    /// The same with a session token, as temporary credentials have one.
    #[must_use]
    pub fn with_session_token(self, session_token: impl Into<String>) -> Self {
        Self { session_token: Some(session_token.into()), ..self }
    }

    /// The same with the moment at which they end.
    #[must_use]
    pub fn with_expiry(self, expires: Timestamp) -> Self {
        Self { expires: Some(expires), ..self }
    }

    /// Whether there is nothing to sign with.
    pub(super) fn is_anonymous(&self) -> bool {
        self.access_key_id.is_empty()
    }

    pub(super) fn for_signing(&self) -> watchkeeper_aws::signing::Credentials {
        watchkeeper_aws::signing::Credentials {
            access_key_id: self.access_key_id.clone(),
            secret_access_key: self.secret_access_key.clone(),
            session_token: self.session_token.clone(),
        }
    }
}

/// Without what is secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// What fetching credentials runs.
pub type Providing<'a> = Pin<Box<dyn Future<Output = Result<Credentials>> + Send + 'a>>;

/// Where credentials come from. It is asked when a request has to be signed, again shortly before they expire, and once more when
/// a service says that they have expired.
pub trait ProvideCredentials: Send + Sync {
    /// Fetches credentials; [`Error::Credentials`] says why there are none.
    fn provide_credentials(&self) -> Providing<'_>;
}

/// These and no others.
impl ProvideCredentials for Credentials {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }
}

/// Credentials that have less than this left are fetched again.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// With less than this left they are good for no request any more.
const LATE: SignedDuration = SignedDuration::from_secs(10);
/// How often a provider is asked that keeps giving credentials which end soon.
const ASKED_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// The credentials of a session, fetched when they are needed.
pub(super) struct Cache {
    provider: Arc<dyn ProvideCredentials>,
    /// Held while they are fetched: whoever else needs them waits for the same.
    current: tokio::sync::Mutex<Option<Held>>,
}

struct Held {
    credentials: Credentials,
    fetched: Instant,
}

impl Held {
    fn left(&self) -> SignedDuration {
        self.credentials.expires.map_or(SignedDuration::MAX, |expires| expires.duration_since(Timestamp::now()))
    }

    fn is_due(&self) -> bool {
        let left = self.left();
        left < LATE || left < EARLY && self.fetched.elapsed() > ASKED_AGAIN
    }
}

impl Cache {
    pub(super) fn new(provider: Arc<dyn ProvideCredentials>) -> Self {
        Self { provider, current: tokio::sync::Mutex::new(None) }
    }

    /// Credentials that are good for a request now.
    pub(super) async fn current(&self) -> Result<Credentials> {
        let mut current = self.current.lock().await;
        if let Some(held) = current.as_ref().filter(|held| !held.is_due()) {
            return Ok(held.credentials.clone());
        }
        match (self.provider.provide_credentials().await, &mut *current) {
            (Ok(credentials), current) => {
                *current = Some(Held { credentials: credentials.clone(), fetched: Instant::now() });
                Ok(credentials)
            }
            // Those that are held will do for a while yet.
            (Err(_), Some(held)) if held.left() > LATE => {
                held.fetched = Instant::now();
                Ok(held.credentials.clone())
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Whether there are others in place of ones that a service has refused.
    pub(super) async fn renewed(&self, refused: &Credentials) -> bool {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|held| held.credentials != *refused) {
            return true;
        }
        match self.provider.provide_credentials().await {
            Ok(credentials) if credentials != *refused => {
                *current = Some(Held { credentials, fetched: Instant::now() });
                true
            }
            Ok(_) | Err(_) => false,
        }
    }
}

/// Credentials as processes, containers and instances write them.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    #[serde(alias = "SessionToken")]
    token: Option<String>,
    expiration: Option<watchkeeper_aws::Time>,
}

impl Document {
    fn read(bytes: &[u8], origin: &str) -> Result<Credentials> {
        let document: Self = serde_json::from_slice(bytes).map_err(|error| {
            let mut reason = error.to_string();
            if error.is_data() && !reason.starts_with("missing field") {
                // It quotes what it has found, which may be a secret.
                reason = format!("a value of another kind at line {} column {}", error.line(), error.column());
            }
            Error::Credentials(format!("{origin} gives something else than credentials: {reason}"))
        })?;
        Ok(Credentials {
            access_key_id: document.access_key_id,
            secret_access_key: document.secret_access_key,
            session_token: document.token,
            expires: document.expiration.map(Timestamp::from),
        })
    }
}
