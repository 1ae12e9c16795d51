//! Access keys: documents whose secrets are sealed by the store's master key.
//!
//! The keys in use are kept opened in memory. The data directory's file names one of them, so that the commands of this
//! machine can sign; when that one is disabled or deleted, another active key takes its place there, and the last active
//! key cannot go. Temporary keys hold only while the key they come from is active.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_aws::signing::{Parent, Secret, Session, SessionIssuer};
use watchkeeper_store::keys::Keys;
use watchkeeper_store::metadata::{Columns, Kind, Query};

use super::data_directory::{self, DataDirectory};
use crate::configuration::Configuration;
use crate::resources::{self, Resource, Resources, Transaction, Versioned};

/// An access key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessKey {
    /// The public half.
    pub access_key_id: String,
    /// The secret half, sealed.
    pub sealed_secret: String,
    /// Whether requests may be signed with it.
    pub status: KeyStatus,
    /// Who made it.
    pub origin: KeyOrigin,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created: Time,
}

/// Whether a key is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// Requests may be signed with it.
    Active,
    /// They may not.
    Inactive,
}

/// Who made a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyOrigin {
    /// The first start.
    FirstStart,
    /// The configuration: the key goes when the configuration names another.
    Configuration,
    /// An operator.
    Operator,
    /// The service itself, for the jobs that it runs; operators cannot change it.
    Service,
}

impl AccessKey {
    /// Whether people and their scripts can sign with it.
    fn is_of_people(&self) -> bool {
        self.status == KeyStatus::Active && self.origin != KeyOrigin::Service
    }
}

impl Resource for AccessKey {
    const KIND: Kind = Kind::AccessKey;

    fn key(&self) -> String {
        self.access_key_id.clone()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.access_key_id.clone(),
            status: match self.status {
                KeyStatus::Active => "Active".to_owned(),
                KeyStatus::Inactive => "Inactive".to_owned(),
            },
            created: self.created.0.as_millisecond(),
            modified: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

/// Why a key could not be made, found or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed, or somebody else changed the key.
    #[error(transparent)]
    Store(#[from] resources::Error),
    /// The secret cannot be sealed or opened.
    #[error(transparent)]
    Seal(#[from] watchkeeper_store::Error),
    /// The file of the commands cannot be written.
    #[error(transparent)]
    File(#[from] data_directory::Error),
    /// There is no such key.
    #[error("there is no access key {0}")]
    Missing(String),
    /// Nobody could sign anything any more.
    #[error("{0} is the last active access key: make another one first")]
    Last(String),
    /// The service needs it.
    #[error("{0} is the key that the service gives its jobs")]
    Own(String),
    /// There are as many as there may be.
    #[error("there are {0} access keys already: delete one first")]
    TooMany(usize),
    /// The operating system gives no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// The most keys that operators may make.
const MAX_KEYS: usize = 1000;

/// What is kept opened of an active key.
struct ActiveKey {
    secret: String,
    /// How the temporary keys that come from it name it.
    as_parent: Parent,
}

/// The access keys of the service.
pub struct AccessKeys {
    resources: Resources,
    keys: Arc<Keys>,
    directory: DataDirectory,
    /// The active keys by their ids.
    active: RwLock<HashMap<String, ActiveKey>>,
    /// Key id and secret of the service itself.
    own: (String, String),
    /// Knows the temporary keys that STS has issued.
    sessions: SessionIssuer,
    /// One change at a time, so that "the last active key" is true when it is acted upon.
    changes: tokio::sync::Mutex<()>,
}

impl AccessKeys {
    /// The stored keys, with a first one where there is none, and the configured one where there is one.
    pub(super) async fn open(
        resources: Resources,
        keys: Arc<Keys>,
        directory: DataDirectory,
        configuration: &Configuration,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let own = own_key(&resources, &keys, now).await?;
        let this = Self {
            resources,
            keys,
            directory,
            active: RwLock::default(),
            sessions: SessionIssuer::new(&own.1),
            own,
            changes: tokio::sync::Mutex::default(),
        };
        let configured = configuration.access_key_id.as_ref().zip(configuration.secret_access_key.as_ref());
        if let Some((id, secret)) = configured {
            this.put_configured(id, secret.expose(), now).await?;
        } else if !this.stored().await?.iter().any(|key| key.resource.is_of_people()) {
            let (id, secret) = (fresh_id()?, fresh_secret()?);
            let key = sealed(&this.keys, (&id, &secret), KeyOrigin::FirstStart, "first start", now)?;
            this.resources.commit(Transaction::new().insert(&key)).await?;
        }
        for key in this.stored().await? {
            if key.resource.status == KeyStatus::Active {
                let secret =
                    this.keys.open_sealed(&key.resource.sealed_secret, &context(&key.resource.access_key_id))?;
                this.remember(&key.resource.access_key_id, Some(secret));
            }
        }
        this.write_file(configuration.access_key_id.as_deref()).await?;
        Ok(this)
    }

    /// Key id and secret of the service itself: the parent of the jobs' keys.
    pub(super) fn own(&self) -> (String, String) {
        self.own.clone()
    }

    /// The secret of an active key, or of a temporary one that comes from an active key.
    pub(super) fn secret(&self, access_key_id: &str) -> Option<String> {
        match self.sessions.issued(access_key_id) {
            Some(session) => self.has_active_parent(&session).then_some(session.credentials.secret_access_key),
            None => self.stored_secret(access_key_id),
        }
    }

    /// The same as signatures are checked by.
    pub(super) fn signing_secret(&self, access_key_id: &str) -> Option<Secret> {
        match self.sessions.issued(access_key_id) {
            Some(session) => self.has_active_parent(&session).then(|| session.secret()),
            None => self.stored_secret(access_key_id).map(Secret::new),
        }
    }

    /// Whether what is signed by a temporary key may pass: the token belongs to the key, the key has not run out, and
    /// the one it comes from is active. Other keys need no token, and one that comes along means nothing.
    pub(super) fn accepts_token(&self, access_key_id: &str, token: Option<&[u8]>, now: Timestamp) -> bool {
        self.sessions.issued(access_key_id).is_none_or(|session| {
            session.expires > now
                && session.credentials.session_token.as_deref().map(str::as_bytes) == token
                && self.has_active_parent(&session)
        })
    }

    /// Whether this is the id of a temporary key.
    pub(super) fn is_temporary(&self, access_key_id: &str) -> bool {
        self.sessions.issued(access_key_id).is_some()
    }

    fn has_active_parent(&self, session: &Session) -> bool {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active.values().any(|key| key.as_parent == session.parent)
    }

    fn stored_secret(&self, access_key_id: &str) -> Option<String> {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        active.get(access_key_id).map(|key| key.secret.clone())
    }

    /// All keys, the oldest first.
    pub(super) async fn list(&self) -> Result<Vec<AccessKey>, Error> {
        let mut keys: Vec<AccessKey> = self.stored().await?.into_iter().map(|key| key.resource).collect();
        keys.sort_by(|a, b| (a.created, &a.access_key_id).cmp(&(b.created, &b.access_key_id)));
        Ok(keys)
    }

    /// A new key and its secret, which is not shown again.
    pub(super) async fn create(&self, description: &str, now: Timestamp) -> Result<(AccessKey, String), Error> {
        let _one = self.changes.lock().await;
        let count = self.stored().await?.len();
        if count >= MAX_KEYS {
            return Err(Error::TooMany(count));
        }
        let (id, secret) = (fresh_id()?, fresh_secret()?);
        let key = sealed(&self.keys, (&id, &secret), KeyOrigin::Operator, description, now)?;
        self.resources.commit(Transaction::new().insert(&key)).await?;
        self.remember(&id, Some(secret.clone()));
        Ok((key, secret))
    }

    /// Switches a key on or off.
    pub(super) async fn set_status(&self, access_key_id: &str, status: KeyStatus) -> Result<AccessKey, Error> {
        let _one = self.changes.lock().await;
        let mut key = self.find(access_key_id).await?;
        if key.resource.origin == KeyOrigin::Service {
            return Err(Error::Own(access_key_id.to_owned()));
        }
        if status == KeyStatus::Inactive {
            self.keep_another(access_key_id)?;
        }
        key.resource.status = status;
        self.resources.commit(Transaction::new().update(&key.resource, key.version)).await?;
        let secret = match status {
            KeyStatus::Active => Some(self.keys.open_sealed(&key.resource.sealed_secret, &context(access_key_id))?),
            KeyStatus::Inactive => None,
        };
        self.remember(access_key_id, secret);
        self.write_file(None).await?;
        Ok(key.resource)
    }

    /// Forgets a key.
    pub(super) async fn delete(&self, access_key_id: &str) -> Result<(), Error> {
        let _one = self.changes.lock().await;
        let key = self.find(access_key_id).await?;
        if key.resource.origin == KeyOrigin::Service {
            return Err(Error::Own(access_key_id.to_owned()));
        }
        self.keep_another(access_key_id)?;
        self.resources.commit(Transaction::new().delete(&key.resource, key.version)).await?;
        self.remember(access_key_id, None);
        self.write_file(None).await
    }

    async fn stored(&self) -> Result<Vec<Versioned<AccessKey>>, Error> {
        Ok(self.resources.list(&Query::default()).await?)
    }

    async fn find(&self, access_key_id: &str) -> Result<Versioned<AccessKey>, Error> {
        let key = self.resources.get(access_key_id).await?;
        key.ok_or_else(|| Error::Missing(access_key_id.to_owned()))
    }

    /// The configured key is there with the configured secret, and no other configured one.
    async fn put_configured(&self, id: &str, secret: &str, now: Timestamp) -> Result<(), Error> {
        let mut transaction = Transaction::new();
        let mut known = None;
        for key in self.stored().await? {
            if key.resource.access_key_id == id {
                known = Some(key);
            } else if key.resource.origin == KeyOrigin::Configuration {
                transaction = transaction.delete(&key.resource, key.version);
            }
        }
        let key = sealed(&self.keys, (id, secret), KeyOrigin::Configuration, "configuration", now)?;
        transaction = match known {
            Some(known) => {
                let same =
                    self.keys.open_sealed(&known.resource.sealed_secret, &context(id)).is_ok_and(|s| s == secret);
                if same && known.resource.status == KeyStatus::Active {
                    transaction
                } else {
                    let created = known.resource.created;
                    transaction.update(&AccessKey { created, ..key }, known.version)
                }
            }
            None => transaction.insert(&key),
        };
        Ok(self.resources.commit(transaction).await?)
    }

    fn remember(&self, access_key_id: &str, secret: Option<String>) {
        let mut active = self.active.write().unwrap_or_else(PoisonError::into_inner);
        match secret {
            Some(secret) => {
                let as_parent = self.sessions.parent(access_key_id);
                active.insert(access_key_id.to_owned(), ActiveKey { secret, as_parent })
            }
            None => active.remove(access_key_id),
        };
    }

    /// Refuses to take away the last active key.
    fn keep_another(&self, access_key_id: &str) -> Result<(), Error> {
        let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
        let mut others = active.keys().filter(|other| *other != access_key_id && **other != self.own.0);
        if others.next().is_none() && active.contains_key(access_key_id) {
            return Err(Error::Last(access_key_id.to_owned()));
        }
        Ok(())
    }

    /// The file names an active key: the preferred one, else the one it names, else the oldest.
    async fn write_file(&self, preferred: Option<&str>) -> Result<(), Error> {
        let named = self.directory.credentials().ok();
        if let Some(named) = &named
            && preferred.is_none_or(|preferred| preferred == named.access_key_id)
            && self.stored_secret(&named.access_key_id).as_deref() == Some(&named.secret_access_key)
        {
            return Ok(());
        }
        let oldest = || async {
            let keys = self.list().await?;
            let active = keys.into_iter().find(AccessKey::is_of_people);
            Ok::<_, Error>(active.map(|key| key.access_key_id))
        };
        let id = match preferred {
            Some(preferred) => Some(preferred.to_owned()),
            None => oldest().await?,
        };
        let Some((id, secret)) = id.and_then(|id| self.secret(&id).map(|secret| (id, secret))) else { return Ok(()) };
        Ok(self.directory.write_credentials(&id, &secret)?)
    }
}

/// The key of the service itself; made at the first start.
async fn own_key(resources: &Resources, keys: &Keys, now: Timestamp) -> Result<(String, String), Error> {
    let stored: Vec<Versioned<AccessKey>> = resources.list(&Query::default()).await?;
    if let Some(key) = stored.into_iter().map(|key| key.resource).find(|key| key.origin == KeyOrigin::Service) {
        let secret = keys.open_sealed(&key.sealed_secret, &context(&key.access_key_id))?;
        return Ok((key.access_key_id, secret));
    }
    let (id, secret) = (fresh_id()?, fresh_secret()?);
    let key = sealed(keys, (&id, &secret), KeyOrigin::Service, "jobs of the service", now)?;
    resources.commit(Transaction::new().insert(&key)).await?;
    Ok((id, secret))
}

fn sealed(
    keys: &Keys,
    (id, secret): (&str, &str),
    origin: KeyOrigin,
    description: &str,
    now: Timestamp,
) -> Result<AccessKey, Error> {
    Ok(AccessKey {
        access_key_id: id.to_owned(),
        sealed_secret: keys.seal(secret, &context(id))?,
        status: KeyStatus::Active,
        origin,
        description: description.to_owned(),
        created: Time(now),
    })
}

/// What a sealed secret is bound to.
fn context(access_key_id: &str) -> String {
    format!("access key {access_key_id}")
}

/// Twenty characters that look like AWS's: four letters for what it is, sixteen of base 32.
fn fresh_id() -> Result<String, Error> {
    Ok(format!("AKIA{}", random_text::<16>(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")?))
}

/// Forty characters, 240 bits.
fn fresh_secret() -> Result<String, Error> {
    random_text::<40>(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}

/// Random characters of an alphabet whose size divides 256, so that each is as likely as the others.
fn random_text<const N: usize>(alphabet: &[u8]) -> Result<String, Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect())
}
