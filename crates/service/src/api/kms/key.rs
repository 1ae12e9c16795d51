//! A KMS key and its alias as documents, and the key's life cycle. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use watchkeeper_aws::generated::kms::{
    CreateKeyRequest, CustomerMasterKeySpec, EncryptionAlgorithmSpec, KeyManagerType, KeyMetadata, KeySpec, KeyState,
    KeyUsageType, OriginType,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use crate::control::{Stamp, milliseconds};
use crate::resources::Resource;

/// Days until a key that is scheduled for deletion goes, when the request does not say.
const DELETION_DAYS: i32 = 30;
/// Days between rotations, when the request does not say.
const ROTATION_DAYS: i32 = 365;

/// A key. Its material is the store's affair and follows the document's status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) created: Time,
    pub(crate) description: String,
    pub(crate) policy: String,
    pub(crate) state: KeyState,
    pub(crate) deletion: Option<Time>,
    pub(crate) rotation_days: Option<i32>,
}

/// Another name of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) key_id: String,
    pub(crate) created: Time,
}

impl Resource for Key {
    const KIND: Kind = Kind::EncryptionKey;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.id.clone(),
            status: self.state.as_str().to_owned(),
            created: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

impl Resource for Alias {
    const KIND: Kind = Kind::KeyAlias;

    fn key(&self) -> String {
        self.name.clone()
    }

    fn columns(&self) -> Columns {
        Columns {
            name: self.name.clone(),
            definition: self.key_id.clone(),
            created: self.created.0.as_millisecond(),
            ..Columns::default()
        }
    }
}

/// What a request means by a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum KeyName {
    /// The id.
    Id(String),
    /// `alias/...`.
    Alias(String),
}

impl KeyName {
    /// Reads an id, an alias, or the ARN of either.
    pub(crate) fn of(text: &str) -> Self {
        let resource = if text.starts_with("arn:") { text.splitn(6, ':').nth(5).unwrap_or(text) } else { text };
        match resource.strip_prefix("key/") {
            Some(id) => Self::Id(id.to_owned()),
            None if resource.starts_with("alias/") => Self::Alias(resource.to_owned()),
            None => Self::Id(resource.to_owned()),
        }
    }

    /// The error for a key that is not there.
    pub(crate) fn not_found(&self, region: &str, account: &str) -> Error {
        let message = match self {
            Self::Id(id) => format!("Key 'arn:aws:kms:{region}:{account}:key/{id}' does not exist"),
            Self::Alias(name) => format!("Alias arn:aws:kms:{region}:{account}:{name} is not found."),
        };
        Error::new("NotFoundException", message)
    }
}

impl Key {
    /// A new key.
    pub(crate) fn create(input: CreateKeyRequest, stamp: &Stamp) -> Result<Self, Error> {
        let unsupported =
            |what: &str| Err(Error::new("UnsupportedOperationException", format!("{what} is not supported")));
        if input.key_spec.is_some_and(|spec| spec != KeySpec::SymmetricDefault)
            || input.customer_master_key_spec.is_some_and(|spec| spec != CustomerMasterKeySpec::SymmetricDefault)
        {
            return unsupported("A key specification other than SYMMETRIC_DEFAULT");
        }
        if input.key_usage.is_some_and(|usage| usage != KeyUsageType::EncryptDecrypt) {
            return unsupported("A key usage other than ENCRYPT_DECRYPT");
        }
        if input.origin.is_some_and(|origin| origin != OriginType::AwsKms) || input.custom_key_store_id.is_some() {
            return unsupported("Key material from outside");
        }
        if input.multi_region == Some(true) {
            return unsupported("A multi-Region key");
        }
        let policy = match input.policy {
            Some(policy) => checked_policy(policy)?,
            None => default_policy(&stamp.account),
        };
        let id = stamp.unique.to_string();
        Ok(Self {
            arn: format!("arn:aws:kms:{}:{}:key/{id}", stamp.region, stamp.account),
            id,
            account: stamp.account.clone(),
            created: stamp.time(),
            description: input.description.unwrap_or_default(),
            policy,
            state: KeyState::Enabled,
            deletion: None,
            rotation_days: None,
        })
    }

    /// The key as it is described.
    pub(crate) fn metadata(&self) -> KeyMetadata {
        KeyMetadata {
            aws_account_id: Some(self.account.clone()),
            key_id: self.id.clone(),
            arn: Some(self.arn.clone()),
            creation_date: Some(self.created),
            enabled: Some(self.state == KeyState::Enabled),
            description: Some(self.description.clone()),
            key_usage: Some(KeyUsageType::EncryptDecrypt),
            key_state: Some(self.state),
            deletion_date: self.deletion,
            origin: Some(OriginType::AwsKms),
            key_manager: Some(KeyManagerType::Customer),
            customer_master_key_spec: Some(CustomerMasterKeySpec::SymmetricDefault),
            key_spec: Some(KeySpec::SymmetricDefault),
            encryption_algorithms: Some(vec![EncryptionAlgorithmSpec::SymmetricDefault]),
            multi_region: Some(false),
            valid_to: None,
            custom_key_store_id: None,
            cloud_hsm_cluster_id: None,
            expiration_model: None,
            signing_algorithms: None,
            key_agreement_algorithms: None,
            encapsulation_algorithms: None,
            multi_region_configuration: None,
            pending_deletion_window_in_days: None,
            mac_algorithms: None,
            xks_key_configuration: None,
            current_key_material_id: None,
        }
    }

    /// Whether the moment of its deletion has come.
    pub(crate) fn is_gone(&self, now: Timestamp) -> bool {
        self.deletion.is_some_and(|moment| moment.0 <= now)
    }

    /// Switches it on or off.
    pub(crate) fn switch(&mut self, state: KeyState) -> Result<(), Error> {
        self.not_pending_deletion()?;
        self.state = state;
        Ok(())
    }

    /// Has it deleted in some days; gives their number.
    pub(crate) fn schedule_deletion(&mut self, days: Option<i32>, now: Timestamp) -> Result<i32, Error> {
        self.not_pending_deletion()?;
        let days = days.unwrap_or(DELETION_DAYS);
        if !(7..=30).contains(&days) {
            return Err(Error::validation("PendingWindowInDays must be between 7 and 30 days"));
        }
        let moment = now.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
        self.state = KeyState::PendingDeletion;
        self.deletion = Some(milliseconds(moment));
        Ok(days)
    }

    /// Keeps it after all; it is off then.
    pub(crate) fn cancel_deletion(&mut self) -> Result<(), Error> {
        if self.state != KeyState::PendingDeletion {
            return Err(self.invalid_state("is not pending deletion."));
        }
        self.state = KeyState::Disabled;
        self.deletion = None;
        Ok(())
    }

    /// Notes that the material is to be rotated; all material is made once here, so this is a note.
    pub(crate) fn set_rotation(&mut self, rotates: bool, days: Option<i32>) -> Result<(), Error> {
        self.not_pending_deletion()?;
        if self.state == KeyState::Disabled {
            return Err(Error::new("DisabledException", format!("{} is disabled.", self.arn)));
        }
        self.rotation_days = rotates.then(|| days.or(self.rotation_days).unwrap_or(ROTATION_DAYS));
        Ok(())
    }

    /// Replaces its policy.
    pub(crate) fn set_policy(&mut self, policy: String) -> Result<(), Error> {
        self.not_pending_deletion()?;
        self.policy = checked_policy(policy)?;
        Ok(())
    }

    /// Refuses what a key on its way out cannot have done to it.
    pub(crate) fn not_pending_deletion(&self) -> Result<(), Error> {
        if self.state == KeyState::PendingDeletion { Err(self.invalid_state("is pending deletion.")) } else { Ok(()) }
    }

    fn invalid_state(&self, what: &str) -> Error {
        Error::new("KMSInvalidStateException", format!("{} {what}", self.arn))
    }
}

impl Alias {
    /// A new name for a key.
    pub(crate) fn create(name: &str, key: &Key, stamp: &Stamp) -> Result<Self, Error> {
        if !name.starts_with("alias/") || name.len() == "alias/".len() {
            return Err(Error::validation(
                "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            ));
        }
        if name.starts_with("alias/aws/") {
            return Err(Error::new("NotAuthorizedException", "Alias names that begin with alias/aws/ are reserved"));
        }
        key.not_pending_deletion()?;
        Ok(Self {
            name: name.to_owned(),
            arn: format!("arn:aws:kms:{}:{}:{name}", stamp.region, stamp.account),
            key_id: key.id.clone(),
            created: stamp.time(),
        })
    }
}

fn checked_policy(policy: String) -> Result<String, Error> {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&policy) {
        Ok(_) => Ok(policy),
        Err(_) => Err(Error::new("MalformedPolicyDocumentException", "The policy is no JSON object")),
    }
}

/// The policy of a key that was made without one, as AWS writes it.
fn default_policy(account: &str) -> String {
    serde_json::to_string_pretty(&serde_json::json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
            "Action": "kms:*",
            "Resource": "*",
        }],
    }))
    .expect("a value with text keys is JSON")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use uuid::Uuid;

    use super::*;

    fn stamp() -> Stamp {
        Stamp {
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            region: "eu-central-1".to_owned(),
            account: "111122223333".to_owned(),
            unique: Uuid::nil(),
        }
    }

    fn key() -> Key {
        Key::create(CreateKeyRequest::default(), &stamp()).unwrap()
    }

    #[test]
    fn a_key_is_named_in_four_ways() {
        for (text, name) in [
            ("0a", KeyName::Id("0a".to_owned())),
            ("arn:aws:kms:eu-central-1:111122223333:key/0a", KeyName::Id("0a".to_owned())),
            ("alias/data", KeyName::Alias("alias/data".to_owned())),
            ("arn:aws:kms:eu-central-1:111122223333:alias/a/b", KeyName::Alias("alias/a/b".to_owned())),
            ("arn:aws", KeyName::Id("arn:aws".to_owned())),
        ] {
            assert_eq!(KeyName::of(text), name, "{text}");
        }
    }

    #[test]
    fn a_new_key_is_described_as_enabled() {
        let metadata = key().metadata();
        assert_eq!(
            metadata.arn.as_deref(),
            Some("arn:aws:kms:eu-central-1:111122223333:key/00000000-0000-0000-0000-000000000000")
        );
        assert_eq!((metadata.enabled, metadata.key_state), (Some(true), Some(KeyState::Enabled)));
        let asymmetric = CreateKeyRequest { key_spec: Some(KeySpec::Rsa2048), ..CreateKeyRequest::default() };
        assert_eq!(Key::create(asymmetric, &stamp()).unwrap_err().code, "UnsupportedOperationException");
        let broken = CreateKeyRequest { policy: Some("{".to_owned()), ..CreateKeyRequest::default() };
        assert_eq!(Key::create(broken, &stamp()).unwrap_err().code, "MalformedPolicyDocumentException");
    }

    #[test]
    fn a_key_on_its_way_out_can_only_be_kept() {
        let now = stamp().now;
        let mut key = key();
        assert_eq!(key.schedule_deletion(Some(6), now).unwrap_err().code, "ValidationException");
        assert_eq!(key.schedule_deletion(None, now).unwrap(), 30);
        assert!(!key.is_gone(now));
        assert!(key.is_gone("2026-03-31T12:00:00Z".parse().unwrap()));
        assert_eq!(key.columns().status, "PendingDeletion");
        assert_eq!(key.switch(KeyState::Enabled).unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(key.set_rotation(true, None).unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(Alias::create("alias/a", &key, &stamp()).unwrap_err().code, "KMSInvalidStateException");
        key.cancel_deletion().unwrap();
        assert_eq!(key.state, KeyState::Disabled);
        assert_eq!(key.cancel_deletion().unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(key.set_rotation(true, None).unwrap_err().code, "DisabledException");
        key.switch(KeyState::Enabled).unwrap();
        key.set_rotation(true, Some(90)).unwrap();
        assert_eq!(key.rotation_days, Some(90));
    }
}
