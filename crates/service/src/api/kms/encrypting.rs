//! Which key encrypts what the service itself stores for somebody: captures, outputs of jobs and of invocations.
//!
//! Requests are taken with keys that do not exist, as on the real service; what comes of them is stored without one. A key
//! that is off, or was deleted, refuses: what was to be encrypted by it is not left in the clear.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::Time;
use watchkeeper_store::keys::ENABLED;
use watchkeeper_store::metadata::{Columns, Kind};

use super::{KeyName, find_key};
use crate::Context;
use crate::resources::{self, Resource};

/// A key, or another name of it, that is no more: a setting.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DeletedKey {
    name: String,
    deleted: Time,
}

impl DeletedKey {
    pub(super) fn new(name: &str, deleted: Time) -> Self {
        Self { name: name.to_owned(), deleted }
    }

    /// The setting of an id or an alias.
    pub(super) fn key_of(name: &str) -> String {
        format!("deleted-key/{name}")
    }
}

impl Resource for DeletedKey {
    const KIND: Kind = Kind::Setting;

    fn key(&self) -> String {
        Self::key_of(&self.name)
    }

    fn columns(&self) -> Columns {
        Columns { name: self.key(), created: self.deleted.0.as_millisecond(), ..Columns::default() }
    }
}

/// Why nothing can be stored under a key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is off, or on its way out.
    #[error("the encryption key `{key}` is {status}, not {ENABLED}")]
    Off {
        /// What was asked for.
        key: String,
        /// Its state.
        status: String,
    },
    /// There was one.
    #[error("the encryption key `{0}` was deleted")]
    Deleted(String),
    /// The store failed.
    #[error("the encryption key `{key}` could not be looked up: {source}")]
    Failed {
        /// What was asked for.
        key: String,
        /// What went wrong.
        source: resources::Error,
    },
}

/// The ARN of the key that a request names by id, ARN or alias; None where there never was such a key.
pub(crate) async fn encrypting_key(context: &Context, asked: &str) -> Result<Option<String>, Unusable> {
    let failed = |source| Unusable::Failed { key: asked.to_owned(), source };
    let name = KeyName::of(asked);
    if let Some(key) = find_key(context, &name).await.map_err(failed)?.map(|key| key.resource) {
        return match key.state.as_str() {
            ENABLED => Ok(Some(key.arn)),
            status => Err(Unusable::Off { key: asked.to_owned(), status: status.to_owned() }),
        };
    }
    let (KeyName::Id(name) | KeyName::Alias(name)) = name;
    match context.resources.get::<DeletedKey>(&DeletedKey::key_of(&name)).await.map_err(failed)? {
        Some(_) => Err(Unusable::Deleted(asked.to_owned())),
        None => Ok(None),
    }
}
