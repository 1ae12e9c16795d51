//! KMS: keys that encrypt objects and secrets of clients, and their aliases. Keys are documents; their materials are the
//! store's (`store::keys`), made at first use, usable while the document's status is `Enabled`.

mod cryptography;
mod encrypting;
mod key;
mod upkeep;

use std::sync::Arc;

use watchkeeper_aws::generated::kms::{
    AliasListEntry, CancelKeyDeletionRequest, CancelKeyDeletionResponse, CreateAliasRequest, CreateKeyRequest,
    CreateKeyResponse, DecryptRequest, DecryptResponse, DeleteAliasRequest, DescribeKeyRequest, DescribeKeyResponse,
    DisableKeyRequest, DisableKeyRotationRequest, EnableKeyRequest, EnableKeyRotationRequest, EncryptRequest,
    EncryptResponse, GenerateDataKeyRequest, GenerateDataKeyResponse, GenerateDataKeyWithoutPlaintextRequest,
    GenerateDataKeyWithoutPlaintextResponse, GetKeyPolicyRequest, GetKeyPolicyResponse, GetKeyRotationStatusRequest,
    GetKeyRotationStatusResponse, IncludeKeyMaterial, KeyListEntry, KeyState, Kms as KmsApi, ListAliasesRequest,
    ListAliasesResponse, ListKeyRotationsRequest, ListKeyRotationsResponse, ListKeysRequest, ListKeysResponse,
    PutKeyPolicyRequest, ReEncryptRequest, ReEncryptResponse, RotateKeyOnDemandRequest, RotateKeyOnDemandResponse,
    ScheduleKeyDeletionRequest, ScheduleKeyDeletionResponse, UpdateAliasRequest,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Kind;

pub(crate) use encrypting::{Unusable, encrypting_key};
pub(crate) use key::{Alias, Key, KeyName};
pub(crate) use upkeep::run;

use super::{failure, paging, quota};
use crate::Context;
use crate::resources::{self, Transaction, Versioned};

const KEYS: &str = "keys";
const ALIASES: &str = "aliases";
const ROTATIONS: &str = "rotations";
/// The one policy a key has.
const POLICY: &str = "default";
/// How often a change is tried again that met somebody else's.
const TRIES: usize = 5;
/// The most keys, and the most aliases.
const MOST_KEYS: u64 = 100_000;

/// The service.
pub struct Kms(pub Arc<Context>);

/// The key of an id, an alias, or the ARN of either; None when there is no such key. What is due for it is done first:
/// it may be rotated, or gone.
pub(crate) async fn find_key(context: &Context, name: &KeyName) -> Result<Option<Versioned<Key>>, resources::Error> {
    let id = match name {
        KeyName::Id(id) => id.clone(),
        KeyName::Alias(alias) => match context.resources.get::<Alias>(alias).await? {
            Some(alias) => alias.resource.key_id,
            None => return Ok(None),
        },
    };
    match context.resources.get::<Key>(&id).await? {
        Some(found) => upkeep::kept_up(context, found).await,
        None => Ok(None),
    }
}

/// The other account whose key an ARN is that of: it has the name of none here.
pub(crate) fn other_account<'k>(key_id: &'k str, account: &str) -> Option<&'k str> {
    key_id.strip_prefix("arn:")?.split(':').nth(3).filter(|owner| *owner != account)
}

impl Kms {
    async fn key(&self, call: &Call, key_id: &str) -> Result<Versioned<Key>, Error> {
        let name = KeyName::of(key_id);
        if let Some(other) = other_account(key_id, &call.account) {
            return Err(name.not_found(&call.region, other));
        }
        find_key(&self.0, &name)
            .await
            .map_err(failure::of_resources)?
            .ok_or_else(|| name.not_found(&call.region, &call.account))
    }

    async fn alias(&self, call: &Call, name: &str) -> Result<Versioned<Alias>, Error> {
        let found = self.0.resources.get::<Alias>(name).await.map_err(failure::of_resources)?;
        found.ok_or_else(|| KeyName::Alias(name.to_owned()).not_found(&call.region, &call.account))
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
            last_updated_date: Some(alias.updated.unwrap_or(alias.created)),
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
        self.change(call, &input.key_id, |key| key.set_rotation(true, days, call.now)).await.map(drop)
    }

    async fn disable_key_rotation(&self, call: &Call, input: DisableKeyRotationRequest) -> Result<(), Error> {
        self.change(call, &input.key_id, |key| key.set_rotation(false, None, call.now)).await.map(drop)
    }

    async fn get_key_rotation_status(
        &self,
        call: &Call,
        input: GetKeyRotationStatusRequest,
    ) -> Result<GetKeyRotationStatusResponse, Error> {
        let key = self.key(call, &input.key_id).await?.resource;
        // A key on its way out is not rotated; kept after all, it is again as before.
        let rotation_days = key.rotation_days.filter(|_| key.state != KeyState::PendingDeletion);
        Ok(GetKeyRotationStatusResponse {
            key_rotation_enabled: Some(rotation_days.is_some()),
            rotation_period_in_days: rotation_days,
            next_rotation_date: rotation_days.and_then(|_| key.next_rotation()),
            key_id: Some(key.arn),
            // Rotations take place at once.
            on_demand_rotation_start_date: None,
        })
    }

    async fn rotate_key_on_demand(
        &self,
        call: &Call,
        input: RotateKeyOnDemandRequest,
    ) -> Result<RotateKeyOnDemandResponse, Error> {
        let (key, ()) = self.change(call, &input.key_id, |key| key.rotate_on_demand(call.now)).await?;
        Ok(RotateKeyOnDemandResponse { key_id: Some(key.arn) })
    }

    async fn list_key_rotations(
        &self,
        call: &Call,
        input: ListKeyRotationsRequest,
    ) -> Result<ListKeyRotationsResponse, Error> {
        let key = self.key(call, &input.key_id).await?.resource;
        let size = paging::size(input.limit, 100, 1000);
        let place = input.marker.as_deref().map(|marker| paging::key_of(ROTATIONS, marker).ok_or_else(invalid_marker));
        let shown = match place.transpose()? {
            Some(place) => place.parse::<usize>().map_err(|_| invalid_marker())?,
            None => 0,
        };
        let mut rotations = key.materials(input.include_key_material == Some(IncludeKeyMaterial::AllKeyMaterial));
        rotations.drain(..shown.min(rotations.len()));
        let truncated = rotations.len() > size;
        rotations.truncate(size);
        Ok(ListKeyRotationsResponse {
            next_marker: truncated.then(|| paging::token_of(ROTATIONS, &(shown + size).to_string())),
            truncated: Some(truncated),
            rotations: Some(rotations),
        })
    }

    async fn encrypt(&self, call: &Call, input: EncryptRequest) -> Result<EncryptResponse, Error> {
        self.encrypted(call, input).await
    }

    async fn decrypt(&self, call: &Call, input: DecryptRequest) -> Result<DecryptResponse, Error> {
        self.decrypted(call, input).await
    }

    async fn re_encrypt(&self, call: &Call, input: ReEncryptRequest) -> Result<ReEncryptResponse, Error> {
        self.re_encrypted(call, input).await
    }

    async fn generate_data_key(
        &self,
        call: &Call,
        input: GenerateDataKeyRequest,
    ) -> Result<GenerateDataKeyResponse, Error> {
        self.generated_data_key(call, input).await
    }

    async fn generate_data_key_without_plaintext(
        &self,
        call: &Call,
        input: GenerateDataKeyWithoutPlaintextRequest,
    ) -> Result<GenerateDataKeyWithoutPlaintextResponse, Error> {
        let input = GenerateDataKeyRequest {
            key_id: input.key_id,
            encryption_context: input.encryption_context,
            number_of_bytes: input.number_of_bytes,
            key_spec: input.key_spec,
            grant_tokens: input.grant_tokens,
            recipient: None,
            dry_run: input.dry_run,
        };
        let made = self.generated_data_key(call, input).await?;
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            ciphertext_blob: made.ciphertext_blob,
            key_id: made.key_id,
            key_material_id: made.key_material_id,
        })
    }

    async fn update_alias(&self, call: &Call, input: UpdateAliasRequest) -> Result<(), Error> {
        let target = self.key(call, &input.target_key_id).await?.resource;
        target.not_pending_deletion()?;
        let mut alias = self.alias(call, &input.alias_name).await?;
        alias.resource.point_at(&target, call.now);
        let transaction = Transaction::new().update(&alias.resource, alias.version);
        self.0.resources.commit(transaction).await.map_err(failure::of_resources)
    }

    async fn delete_alias(&self, call: &Call, input: DeleteAliasRequest) -> Result<(), Error> {
        let alias = self.alias(call, &input.alias_name).await?;
        let transaction = Transaction::new().delete(&alias.resource, alias.version);
        self.0.resources.commit(transaction).await.map_err(failure::of_resources)
    }
}
