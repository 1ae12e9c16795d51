//! A KMS key and its alias as documents, and the key's life cycle. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use watchkeeper_aws::generated::kms::{
    CreateKeyRequest, CustomerMasterKeySpec, EncryptionAlgorithmSpec, KeyManagerType, KeyMaterialState, KeyMetadata,
    KeySpec, KeyState, KeyUsageType, OriginType, RotationType, RotationsListEntry,
};
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use crate::control::{Stamp, milliseconds};
use crate::resources::Resource;

/// Days until a key that is scheduled for deletion goes, when the request does not say.
const DELETION_DAYS: i32 = 30;
/// Days between rotations, when the request does not say.
const ROTATION_DAYS: i32 = 365;
/// The most rotations that may be asked for.
const MOST_ROTATIONS_ON_DEMAND: usize = 25;

/// A key. Its materials are the store's affair and follow the document: by its status it can be used, by `material` the
/// store knows which encrypts.
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
    /// When it is rotated by itself, while that is switched on.
    #[serde(default)]
    pub(crate) next_rotation: Option<Time>,
    /// The number of the current material.
    #[serde(default = "first_material")]
    pub(crate) material: i64,
    /// What made each material after the first.
    #[serde(default)]
    pub(crate) rotations: Vec<Rotation>,
}

/// A rotation that took place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) moment: Time,
    pub(crate) by: RotationType,
}

fn first_material() -> i64 {
    1
}

/// Another name of a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alias {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) key_id: String,
    pub(crate) created: Time,
    /// When it was given another key.
    #[serde(default)]
    pub(crate) updated: Option<Time>,
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
            due: self.due().map(|moment| moment.0.as_millisecond()),
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
            next_rotation: None,
            material: first_material(),
            rotations: Vec::new(),
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
            current_key_material_id: Some(self.material_id(self.material)),
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
        self.state = KeyState::PendingDeletion;
        self.deletion = Some(milliseconds(in_days(now, days)));
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

    /// Has it rotated again and again, for the first time when so many days have passed, or no more. What is asked for
    /// again changes nothing.
    pub(crate) fn set_rotation(&mut self, rotates: bool, days: Option<i32>, now: Timestamp) -> Result<(), Error> {
        self.usable()?;
        if !rotates {
            (self.rotation_days, self.next_rotation) = (None, None);
            return Ok(());
        }
        let days = days.or(self.rotation_days).unwrap_or(ROTATION_DAYS);
        if self.rotation_days != Some(days) {
            (self.rotation_days, self.next_rotation) = (Some(days), Some(milliseconds(in_days(now, days))));
        }
        Ok(())
    }

    /// Makes the next material the current one. What is planned stays as it is.
    pub(crate) fn rotate_on_demand(&mut self, now: Timestamp) -> Result<(), Error> {
        self.usable()?;
        let made = self.rotations.iter().filter(|rotation| rotation.by == RotationType::OnDemand).count();
        if made >= MOST_ROTATIONS_ON_DEMAND {
            let message =
                format!("{} was rotated on demand {MOST_ROTATIONS_ON_DEMAND} times, which is the limit.", self.arn);
            return Err(Error::new("LimitExceededException", message));
        }
        self.rotate(RotationType::OnDemand, now);
        Ok(())
    }

    /// Rotates it where the time has come; true if it did. One that was off for longer than a period is rotated at once,
    /// and a period later again.
    pub(crate) fn rotate_where_due(&mut self, now: Timestamp) -> bool {
        let (Some(days), Some(planned)) = (self.rotation_days, self.next_rotation()) else { return false };
        if self.state != KeyState::Enabled || planned.0 > now {
            return false;
        }
        self.rotate(RotationType::Automatic, now);
        let following = in_days(planned.0, days);
        self.next_rotation = Some(milliseconds(if following > now { following } else { in_days(now, days) }));
        true
    }

    fn rotate(&mut self, by: RotationType, now: Timestamp) {
        self.material += 1;
        self.rotations.push(Rotation { moment: milliseconds(now), by });
    }

    /// When it is rotated by itself. Keys whose rotation was noted before it took place are due a period after they were
    /// made.
    pub(crate) fn next_rotation(&self) -> Option<Time> {
        let days = self.rotation_days?;
        Some(self.next_rotation.unwrap_or_else(|| milliseconds(in_days(self.created.0, days))))
    }

    /// When something has to be done for it.
    fn due(&self) -> Option<Time> {
        match self.state {
            KeyState::Enabled => self.next_rotation(),
            KeyState::PendingDeletion => self.deletion,
            _ => None,
        }
    }

    /// The name of a material for clients.
    pub(crate) fn material_id(&self, number: i64) -> String {
        hex::encode(Sha256::digest(format!("{} {number}", self.arn)))
    }

    /// Its materials from the oldest on, the first one only where it is asked for.
    pub(crate) fn materials(&self, with_first: bool) -> Vec<RotationsListEntry> {
        let entry = |(number, rotation): (i64, Option<&Rotation>)| RotationsListEntry {
            key_id: Some(self.id.clone()),
            key_material_id: Some(self.material_id(number)),
            key_material_state: Some(if number == self.material {
                KeyMaterialState::Current
            } else {
                KeyMaterialState::NonCurrent
            }),
            rotation_date: rotation.map(|rotation| rotation.moment),
            rotation_type: rotation.map(|rotation| rotation.by),
            ..RotationsListEntry::default()
        };
        let first = with_first.then_some((1, None));
        first.into_iter().chain((2..).zip(self.rotations.iter().map(Some))).map(entry).collect()
    }

    /// Replaces its policy.
    pub(crate) fn set_policy(&mut self, policy: String) -> Result<(), Error> {
        self.not_pending_deletion()?;
        self.policy = checked_policy(policy)?;
        Ok(())
    }

    /// Refuses what a key on its way out cannot have done to it.
    pub(crate) fn not_pending_deletion(&self) -> Result<(), Error> {
        if self.state == KeyState::PendingDeletion { Err(self.pending_deletion()) } else { Ok(()) }
    }

    /// Refuses what only a key that is on can do.
    pub(crate) fn usable(&self) -> Result<(), Error> {
        self.not_pending_deletion()?;
        match self.state {
            KeyState::Enabled => Ok(()),
            _ => Err(self.disabled()),
        }
    }

    /// The refusal of a key that is on its way out.
    pub(super) fn pending_deletion(&self) -> Error {
        self.invalid_state("is pending deletion.")
    }

    /// The refusal of a key that is off.
    pub(super) fn disabled(&self) -> Error {
        Error::new("DisabledException", format!("{} is disabled.", self.arn))
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
            updated: None,
        })
    }

    /// Makes it the name of another key.
    pub(crate) fn point_at(&mut self, key: &Key, now: Timestamp) {
        self.key_id.clone_from(&key.id);
        self.updated = Some(milliseconds(now));
    }
}

fn in_days(moment: Timestamp, days: i32) -> Timestamp {
    moment.saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(moment)
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
        assert_eq!(key.set_rotation(true, None, now).unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(key.rotate_on_demand(now).unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(Alias::create("alias/a", &key, &stamp()).unwrap_err().code, "KMSInvalidStateException");
        key.cancel_deletion().unwrap();
        assert_eq!(key.state, KeyState::Disabled);
        assert_eq!(key.cancel_deletion().unwrap_err().code, "KMSInvalidStateException");
        assert_eq!(key.set_rotation(true, None, now).unwrap_err().code, "DisabledException");
        assert_eq!(key.rotate_on_demand(now).unwrap_err().code, "DisabledException");
        key.switch(KeyState::Enabled).unwrap();
        key.set_rotation(true, Some(90), now).unwrap();
        assert_eq!(key.rotation_days, Some(90));
    }

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_is_rotated_period_after_period() {
        let mut key = key();
        key.set_rotation(true, None, moment("2026-03-01T12:00:00Z")).unwrap();
        assert_eq!(key.next_rotation().unwrap().to_string(), "2027-03-01T12:00:00Z");
        key.set_rotation(true, Some(100), moment("2026-03-02T00:00:00Z")).unwrap();
        assert_eq!(key.next_rotation().unwrap().to_string(), "2026-06-10T00:00:00Z");
        // The same again is no new plan, and a rotation on demand changes none.
        key.set_rotation(true, None, moment("2026-04-01T00:00:00Z")).unwrap();
        key.rotate_on_demand(moment("2026-04-02T00:00:00Z")).unwrap();
        assert_eq!(key.next_rotation().unwrap().to_string(), "2026-06-10T00:00:00Z");
        assert!(!key.rotate_where_due(moment("2026-06-09T23:59:59Z")));
        assert_eq!(key.columns().due, Some(moment("2026-06-10T00:00:00Z").as_millisecond()));
        assert!(key.rotate_where_due(moment("2026-06-10T00:00:07Z")));
        assert!(!key.rotate_where_due(moment("2026-06-10T00:00:07Z")));
        assert_eq!((key.material, key.next_rotation().unwrap().to_string()), (3, "2026-09-18T00:00:00Z".to_owned()));
        // One that was off for years is rotated once, and then in its period.
        key.switch(KeyState::Disabled).unwrap();
        assert!(!key.rotate_where_due(moment("2028-01-01T00:00:00Z")));
        assert_eq!(key.columns().due, None);
        key.switch(KeyState::Enabled).unwrap();
        assert!(key.rotate_where_due(moment("2028-01-01T00:00:00Z")));
        assert_eq!(key.next_rotation().unwrap().to_string(), "2028-04-10T00:00:00Z");
        let listed = key.materials(true);
        let kinds: Vec<_> = listed.iter().map(|entry| entry.rotation_type).collect();
        assert_eq!(
            kinds,
            [None, Some(RotationType::OnDemand), Some(RotationType::Automatic), Some(RotationType::Automatic)]
        );
        let states: Vec<_> = listed.iter().map(|entry| entry.key_material_state.unwrap()).collect();
        assert_eq!(states[..3], [KeyMaterialState::NonCurrent; 3]);
        assert_eq!(states[3], KeyMaterialState::Current);
        assert_eq!(listed[3].key_material_id, key.metadata().current_key_material_id);
        assert_eq!(key.materials(false), listed[1..]);
        key.set_rotation(false, None, moment("2028-01-02T00:00:00Z")).unwrap();
        assert_eq!((key.next_rotation(), key.columns().due), (None, None));
    }

    #[test]
    fn a_key_is_rotated_on_demand_25_times() {
        let mut key = key();
        for _ in 0..25 {
            key.rotate_on_demand(stamp().now).unwrap();
        }
        assert_eq!(key.rotate_on_demand(stamp().now).unwrap_err().code, "LimitExceededException");
        assert_eq!(key.material, 26);
    }

    #[test]
    fn a_key_of_an_earlier_version_is_read() {
        let mut document = serde_json::to_value(key()).unwrap();
        for member in ["next_rotation", "material", "rotations"] {
            document.as_object_mut().unwrap().remove(member).unwrap();
        }
        document["rotation_days"] = 365.into();
        let mut key: Key = serde_json::from_value(document).unwrap();
        assert_eq!((key.material, key.next_rotation().unwrap().to_string()), (1, "2027-03-01T12:00:00Z".to_owned()));
        assert!(key.rotate_where_due(moment("2027-03-01T12:00:00Z")));
    }
}
