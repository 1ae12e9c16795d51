//! Access keys: documents whose secrets are sealed by the store's master key.
//!
//! The keys in use are kept opened in memory, and read again when another process has changed some. The data directory's file
//! names one of them, so that the commands of this machine can sign; when that one is disabled or deleted, another active key
//! takes its place there, and the last active key cannot go: changes of which that depends take turns, of several processes
//! too, by the version of one document. Temporary keys hold only while the key they come from is active.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use jiff::Timestamp;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_aws::signing::{Parent, Secret, Session, SessionIssuer};
use watchkeeper_store::keys::Keys;
use watchkeeper_store::metadata::{Columns, Kind, Query};

use super::data_directory::{self, DataDirectory};
use super::rates::Rates;
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
/// How often a change is tried that meets others' changes.
const ATTEMPTS: usize = 20;

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
    /// Held while the keys in use are read, so that what was read last is what counts.
    reading: tokio::sync::Mutex<()>,
    /// How many requests each may make.
    rates: Rates,
}

/// What changes together with the first keys, and with a key that is taken away: of two such changes at the same time one is
/// refused, and made again from what is there then.
#[derive(Debug, Serialize, Deserialize)]
struct Turn {}

impl Turn {
    const KEY: &'static str = "access-keys/turn";

    /// Adds the turn that was read to a transaction.
    fn taken(known: Option<&Versioned<Self>>, transaction: Transaction) -> Transaction {
        match known {
            Some(known) => transaction.update(&known.resource, known.version),
            None => transaction.insert(&Self {}),
        }
    }
}

impl Resource for Turn {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        Self::KEY.to_owned()
    }

    fn columns(&self) -> Columns {
        Columns { name: Self::KEY.to_owned(), ..Columns::default() }
    }
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
        let own = first_keys(&resources, &keys, configuration, now).await?;
        let this = Self {
            resources,
            keys,
            directory,
            active: RwLock::default(),
            sessions: SessionIssuer::new(&own.1),
            own,
            reading: tokio::sync::Mutex::default(),
            rates: Rates::new(&configuration.server),
        };
        this.read(configuration.access_key_id.as_deref()).await?;
        Ok(this)
    }

    /// Reads the keys again: somebody has changed some.
    ///
    /// # Errors
    /// The store failed, and the keys in use are those that they were.
    pub(super) async fn refresh(&self) -> Result<(), Error> {
        self.read(None).await
    }

    /// Reads the keys in use, and sees to it that the file names one of them.
    async fn read(&self, preferred: Option<&str>) -> Result<(), Error> {
        let _one = self.reading.lock().await;
        let mut active = HashMap::new();
        for AccessKey { access_key_id, sealed_secret, status, .. } in self.list().await? {
            if status == KeyStatus::Active {
                let secret = self.keys.open_sealed(&sealed_secret, &context(&access_key_id))?;
                let as_parent = self.sessions.parent(&access_key_id);
                active.insert(access_key_id, ActiveKey { secret, as_parent });
            }
        }
        *self.active.write().unwrap_or_else(PoisonError::into_inner) = active;
        self.write_file(preferred).await
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

    /// Whether a key that has signed may make one request more now. To be asked when the signature was found to be right:
    /// else strangers would use up what is somebody's.
    pub(super) fn may_ask(&self, access_key_id: &str) -> bool {
        self.rates.are_unlimited() || self.rates.take(&self.payer(access_key_id), Instant::now())
    }

    /// The key that a request counts for: a temporary key counts for the one it comes from, as anybody may have any number of
    /// them; each job's for itself.
    fn payer(&self, access_key_id: &str) -> String {
        let parent = self.sessions.issued(access_key_id).and_then(|session| {
            let active = self.active.read().unwrap_or_else(PoisonError::into_inner);
            let parent = active.iter().find(|(_, key)| key.as_parent == session.parent);
            parent.map(|(id, _)| id.clone()).filter(|id| *id != self.own.0)
        });
        parent.unwrap_or_else(|| access_key_id.to_owned())
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
        let stored: Vec<Versioned<AccessKey>> = self.resources.list(&Query::default()).await?;
        let mut keys: Vec<AccessKey> = stored.into_iter().map(|key| key.resource).collect();
        keys.sort_by(|a, b| (a.created, &a.access_key_id).cmp(&(b.created, &b.access_key_id)));
        Ok(keys)
    }

    /// A new key and its secret, which is not shown again.
    pub(super) async fn create(&self, description: &str, now: Timestamp) -> Result<(AccessKey, String), Error> {
        let count = self.list().await?.len();
        if count >= MAX_KEYS {
            return Err(Error::TooMany(count));
        }
        let (id, secret) = (fresh_id()?, fresh_secret()?);
        let key = sealed(&self.keys, (&id, &secret), KeyOrigin::Operator, description, now)?;
        self.resources.commit(Transaction::new().insert(&key)).await?;
        self.refresh().await?;
        Ok((key, secret))
    }

    /// Switches a key on or off.
    pub(super) async fn set_status(&self, access_key_id: &str, status: KeyStatus) -> Result<AccessKey, Error> {
        let changed = |key: &AccessKey| AccessKey { status, ..key.clone() };
        let is_taken_away = status == KeyStatus::Inactive;
        let key = self
            .change(access_key_id, is_taken_away, |transaction, key| {
                transaction.update(&changed(&key.resource), key.version)
            })
            .await?;
        Ok(changed(&key))
    }

    /// Forgets a key.
    pub(super) async fn delete(&self, access_key_id: &str) -> Result<(), Error> {
        let deleted =
            |transaction: Transaction, key: &Versioned<AccessKey>| transaction.delete(&key.resource, key.version);
        self.change(access_key_id, true, deleted).await.map(drop)
    }

    /// Changes a key of people; gives what it was before.
    async fn change(
        &self,
        access_key_id: &str,
        is_taken_away: bool,
        changed: impl Fn(Transaction, &Versioned<AccessKey>) -> Transaction,
    ) -> Result<AccessKey, Error> {
        for attempt in 1.. {
            let turn = self.resources.get::<Turn>(Turn::KEY).await?;
            let stored: Vec<Versioned<AccessKey>> = self.resources.list(&Query::default()).await?;
            let key = stored.iter().find(|key| key.resource.access_key_id == access_key_id);
            let key = key.ok_or_else(|| Error::Missing(access_key_id.to_owned()))?;
            if key.resource.origin == KeyOrigin::Service {
                return Err(Error::Own(access_key_id.to_owned()));
            }
            let mut transaction = changed(Transaction::new(), key);
            if is_taken_away && key.resource.status == KeyStatus::Active {
                let mut others = stored.iter().filter(|other| other.resource.access_key_id != access_key_id);
                if !others.any(|other| other.resource.is_of_people()) {
                    return Err(Error::Last(access_key_id.to_owned()));
                }
                transaction = Turn::taken(turn.as_ref(), transaction);
            }
            match self.resources.commit(transaction).await {
                Ok(()) => {
                    let before = key.resource.clone();
                    self.refresh().await?;
                    return Ok(before);
                }
                Err(resources::Error::Conflict { .. }) if attempt < ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
        unreachable!("the last attempt returns")
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

/// Makes the keys that have to be there: that of the service itself, the configured one where there is one, else a first one
/// where there is none; gives key id and secret of the first. Processes that do so at the same time make them once.
async fn first_keys(
    resources: &Resources,
    keys: &Keys,
    configuration: &Configuration,
    now: Timestamp,
) -> Result<(String, String), Error> {
    for attempt in 1.. {
        let turn = resources.get::<Turn>(Turn::KEY).await?;
        let stored: Vec<Versioned<AccessKey>> = resources.list(&Query::default()).await?;
        let mut transaction = Transaction::new();
        let own = stored.iter().map(|key| &key.resource).find(|key| key.origin == KeyOrigin::Service);
        let own = if let Some(own) = own {
            let secret = keys.open_sealed(&own.sealed_secret, &context(&own.access_key_id))?;
            (own.access_key_id.clone(), secret)
        } else {
            let (id, secret) = (fresh_id()?, fresh_secret()?);
            let key = sealed(keys, (&id, &secret), KeyOrigin::Service, "jobs of the service", now)?;
            transaction = transaction.insert(&key);
            (id, secret)
        };
        let configured = configuration.access_key_id.as_ref().zip(configuration.secret_access_key.as_ref());
        if let Some((id, secret)) = configured {
            transaction = with_configured(transaction, keys, &stored, (id, secret.expose()), now)?;
        } else if !stored.iter().any(|key| key.resource.is_of_people()) {
            let (id, secret) = (fresh_id()?, fresh_secret()?);
            transaction = transaction.insert(&sealed(keys, (&id, &secret), KeyOrigin::FirstStart, "first start", now)?);
        }
        if transaction.is_empty() {
            return Ok(own);
        }
        match resources.commit(Turn::taken(turn.as_ref(), transaction)).await {
            Ok(()) => return Ok(own),
            Err(resources::Error::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the last attempt returns")
}

/// The configured key is there with the configured secret, and no other configured one.
fn with_configured(
    mut transaction: Transaction,
    keys: &Keys,
    stored: &[Versioned<AccessKey>],
    (id, secret): (&str, &str),
    now: Timestamp,
) -> Result<Transaction, Error> {
    for key in stored {
        if key.resource.access_key_id != id && key.resource.origin == KeyOrigin::Configuration {
            transaction = transaction.delete(&key.resource, key.version);
        }
    }
    let key = sealed(keys, (id, secret), KeyOrigin::Configuration, "configuration", now)?;
    let Some(known) = stored.iter().find(|key| key.resource.access_key_id == id) else {
        return Ok(transaction.insert(&key));
    };
    let same = keys.open_sealed(&known.resource.sealed_secret, &context(id)).is_ok_and(|known| known == secret);
    if same && known.resource.status == KeyStatus::Active {
        return Ok(transaction);
    }
    Ok(transaction.update(&AccessKey { created: known.resource.created, ..key }, known.version))
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
