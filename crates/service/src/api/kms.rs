//! KMS: keys that encrypt objects, and their aliases. Keys are documents; their material is the store's
//! (`store::keys`), made at first use, usable while the document's status is `Enabled`.

mod key;

use std::sync::Arc;

use watchkeeper_aws::generated::kms::{
    AliasListEntry, CancelKeyDeletionRequest, CancelKeyDeletionResponse, CreateAliasRequest, CreateKeyRequest,
    CreateKeyResponse, DescribeKeyRequest, DescribeKeyResponse, DisableKeyRequest, DisableKeyRotationRequest,
    EnableKeyRequest, EnableKeyRotationRequest, GetKeyPolicyRequest, GetKeyPolicyResponse, GetKeyRotationStatusRequest,
    GetKeyRotationStatusResponse, KeyListEntry, KeyState, Kms as KmsApi, ListAliasesRequest, ListAliasesResponse,
    ListKeysRequest, ListKeysResponse, PutKeyPolicyRequest, ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::{Kind, Query};

pub(crate) use key::{Alias, Key, KeyName};

use super::{failure, paging, quota};
use crate::Context;
use crate::resources::{self, Transaction, Versioned};

const KEYS: &str = "keys";
const ALIASES: &str = "aliases";
/// The one policy a key has.
const POLICY: &str = "default";
/// How often a change is tried again that met somebody else's.
const TRIES: usize = 5;
/// The most keys, and the most aliases.
const MOST_KEYS: u64 = 100_000;

/// The service.
pub struct Kms(pub Arc<Context>);

/// The key of an id, an alias, or the ARN of either; None when there is no such key. A key whose time has come is
/// deleted on this occasion, with its material and aliases.
pub(crate) async fn find_key(context: &Context, name: &KeyName) -> Result<Option<Versioned<Key>>, resources::Error> {
    let id = match name {
        KeyName::Id(id) => id.clone(),
        KeyName::Alias(alias) => match context.resources.get::<Alias>(alias).await? {
            Some(alias) => alias.resource.key_id,
            None => return Ok(None),
        },
    };
    let Some(found) = context.resources.get::<Key>(&id).await? else { return Ok(None) };
    if !found.resource.is_gone(context.now()) {
        return Ok(Some(found));
    }
    let aliases = Query { definition: Some(id), ..Query::default() };
    let mut transaction = Transaction::new().delete(&found.resource, found.version);
    for alias in context.resources.list::<Alias>(&aliases).await? {
        transaction = transaction.delete(&alias.resource, alias.version);
    }
    match context.resources.commit(transaction).await {
        // Somebody else has seen that its time has come, too.
        Ok(()) | Err(resources::Error::Conflict { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Kms {
    async fn key(&self, call: &Call, key_id: &str) -> Result<Versioned<Key>, Error> {
        let name = KeyName::of(key_id);
        find_key(&self.0, &name)
            .await
            .map_err(failure::of_resources)?
            .ok_or_else(|| name.not_found(&call.region, &call.account))
    }

    /// Changes a key and gives it as it is then.
    async fn change<T>(
        &self,
        call: &Call,
        key_id: &str,
        change: impl Fn(&mut Key) -> Result<T, Error> + Send,
    ) -> Result<(Key, T), Error>
    where
        T: Send,
    {
        let mut tries = TRIES;
        loop {
            let Versioned { resource: mut key, version } = self.key(call, key_id).await?;
            let given = change(&mut key)?;
            tries -= 1;
            match self.0.resources.commit(Transaction::new().update(&key, version)).await {
                Ok(()) => return Ok((key, given)),
                Err(resources::Error::Conflict { .. }) if tries > 0 => {}
                Err(error) => return Err(failure::of_resources(error)),
            }
        }
    }
}

fn invalid_marker() -> Error {
    Error::new("InvalidMarkerException", "The marker is not one that this list has given out")
}

fn is_policy(name: Option<&str>) -> Result<(), Error> {
    match name {
        None | Some(POLICY) => Ok(()),
        Some(name) => Err(Error::new("NotFoundException", format!("No such policy exists: {name}"))),
    }
}

impl KmsApi for Kms {
    async fn create_key(&self, call: &Call, input: CreateKeyRequest) -> Result<CreateKeyResponse, Error> {
        let key = Key::create(input, &self.0.stamp(&call.region))?;
        quota::one_more(&self.0, Kind::EncryptionKey, MOST_KEYS, "LimitExceededException").await?;
        self.0.resources.commit(Transaction::new().insert(&key)).await.map_err(failure::of_resources)?;
        Ok(CreateKeyResponse { key_metadata: Some(key.metadata()) })
    }

    async fn describe_key(&self, call: &Call, input: DescribeKeyRequest) -> Result<DescribeKeyResponse, Error> {
        let key = self.key(call, &input.key_id).await?;
        Ok(DescribeKeyResponse { key_metadata: Some(key.resource.metadata()) })
    }

    async fn create_alias(&self, call: &Call, input: CreateAliasRequest) -> Result<(), Error> {
        if let name @ KeyName::Alias(_) = KeyName::of(&input.target_key_id) {
            return Err(name.not_found(&call.region, &call.account));
        }
        let target = self.key(call, &input.target_key_id).await?;
        let alias = Alias::create(&input.alias_name, &target.resource, &self.0.stamp(&call.region))?;
        quota::one_more(&self.0, Kind::KeyAlias, MOST_KEYS, "LimitExceededException").await?;
        match self.0.resources.commit(Transaction::new().insert(&alias)).await {
            Ok(()) => Ok(()),
            Err(resources::Error::Conflict { .. }) => Err(Error::new(
                "AlreadyExistsException",
                format!("An alias with the name {} already exists", alias.arn),
            )),
            Err(error) => Err(failure::of_resources(error)),
        }
    }

    async fn get_key_policy(&self, call: &Call, input: GetKeyPolicyRequest) -> Result<GetKeyPolicyResponse, Error> {
        is_policy(input.policy_name.as_deref())?;
        let key = self.key(call, &input.key_id).await?.resource;
        Ok(GetKeyPolicyResponse { policy: Some(key.policy), policy_name: Some(POLICY.to_owned()) })
    }

    async fn put_key_policy(&self, call: &Call, input: PutKeyPolicyRequest) -> Result<(), Error> {
        is_policy(input.policy_name.as_deref())?;
        self.change(call, &input.key_id, |key| key.set_policy(input.policy.clone())).await.map(drop)
    }

    async fn list_keys(&self, _: &Call, input: ListKeysRequest) -> Result<ListKeysResponse, Error> {
        let size = paging::size(input.limit, 100, 1000);
        let query = paging::query(KEYS, input.marker.as_deref(), size).ok_or_else(invalid_marker)?;
        let found = self.0.resources.list::<Key>(&query).await.map_err(failure::of_resources)?;
        let (keys, next_marker) = paging::cut(KEYS, found, size);
        let entry = |key: Key| KeyListEntry { key_id: Some(key.id), key_arn: Some(key.arn) };
        Ok(ListKeysResponse {
            keys: Some(keys.into_iter().map(entry).collect()),
            truncated: Some(next_marker.is_some()),
            next_marker,
        })
    }

    async fn list_aliases(&self, call: &Call, input: ListAliasesRequest) -> Result<ListAliasesResponse, Error> {
        let size = paging::size(input.limit, 50, 100);
        let mut query = paging::query(ALIASES, input.marker.as_deref(), size).ok_or_else(invalid_marker)?;
        if let Some(key_id) = &input.key_id {
            query.definition = Some(self.key(call, key_id).await?.resource.id);
        }
        let found = self.0.resources.list::<Alias>(&query).await.map_err(failure::of_resources)?;
        let (aliases, next_marker) = paging::cut(ALIASES, found, size);
        let entry = |alias: Alias| AliasListEntry {
            alias_name: Some(alias.name),
            alias_arn: Some(alias.arn),
            target_key_id: Some(alias.key_id),
            creation_date: Some(alias.created),
            last_updated_date: Some(alias.created),
        };
        Ok(ListAliasesResponse {
            aliases: Some(aliases.into_iter().map(entry).collect()),
            truncated: Some(next_marker.is_some()),
            next_marker,
        })
    }

    async fn enable_key(&self, call: &Call, input: EnableKeyRequest) -> Result<(), Error> {
        self.change(call, &input.key_id, |key| key.switch(KeyState::Enabled)).await.map(drop)
    }

    async fn disable_key(&self, call: &Call, input: DisableKeyRequest) -> Result<(), Error> {
        self.change(call, &input.key_id, |key| key.switch(KeyState::Disabled)).await.map(drop)
    }

    async fn schedule_key_deletion(
        &self,
        call: &Call,
        input: ScheduleKeyDeletionRequest,
    ) -> Result<ScheduleKeyDeletionResponse, Error> {
        let days = input.pending_window_in_days;
        let (key, days) = self.change(call, &input.key_id, |key| key.schedule_deletion(days, call.now)).await?;
        Ok(ScheduleKeyDeletionResponse {
            key_id: Some(key.arn),
            deletion_date: key.deletion,
            key_state: Some(key.state),
            pending_window_in_days: Some(days),
        })
    }

    async fn cancel_key_deletion(
        &self,
        call: &Call,
        input: CancelKeyDeletionRequest,
    ) -> Result<CancelKeyDeletionResponse, Error> {
        let (key, ()) = self.change(call, &input.key_id, Key::cancel_deletion).await?;
        Ok(CancelKeyDeletionResponse { key_id: Some(key.arn) })
    }

    async fn enable_key_rotation(&self, call: &Call, input: EnableKeyRotationRequest) -> Result<(), Error> {
        let days = input.rotation_period_in_days;
        self.change(call, &input.key_id, |key| key.set_rotation(true, days)).await.map(drop)
    }

    async fn disable_key_rotation(&self, call: &Call, input: DisableKeyRotationRequest) -> Result<(), Error> {
        self.change(call, &input.key_id, |key| key.set_rotation(false, None)).await.map(drop)
    }

    async fn get_key_rotation_status(
        &self,
        call: &Call,
        input: GetKeyRotationStatusRequest,
    ) -> Result<GetKeyRotationStatusResponse, Error> {
        let key = self.key(call, &input.key_id).await?.resource;
        key.not_pending_deletion()?;
        Ok(GetKeyRotationStatusResponse {
            key_rotation_enabled: Some(key.rotation_days.is_some()),
            key_id: Some(key.arn),
            rotation_period_in_days: key.rotation_days,
            ..GetKeyRotationStatusResponse::default()
        })
    }
}
