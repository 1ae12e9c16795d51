//! What is sealed by the master key, as records: what its rotation seals anew, and what tells whether it is the right one.

use super::kms::KeyMaterials;
use super::master_key::Keys;
use crate::Error;

/// What the proof says.
const PROOF: &[u8] = b"the master key is the right one";
/// What the proof is bound to.
const PROOF_CONTEXT: &str = "the proof of the master key";

/// Where a sealed record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SealedPlace {
    /// The text that every start opens.
    Proof,
    /// A material of a KMS key.
    Material { key: String, number: i64 },
    /// The secret of an access key: the member `sealed_secret` of its document, as base64.
    AccessKey { key: String },
}

/// Something that the master key has sealed.
#[derive(Clone, Debug)]
pub(crate) struct SealedRecord {
    pub(crate) place: SealedPlace,
    pub(crate) sealed: Vec<u8>,
}

impl SealedRecord {
    /// What it is bound to.
    fn context(&self) -> String {
        match &self.place {
            SealedPlace::Proof => PROOF_CONTEXT.to_owned(),
            SealedPlace::Material { key, .. } => material_context(key),
            SealedPlace::AccessKey { key } => access_key_context(key),
        }
    }
}

/// What the material of a KMS key is bound to.
pub(super) fn material_context(key: &str) -> String {
    format!("the material of key {key}")
}

/// What the secret of an access key is bound to.
pub fn access_key_context(access_key_id: &str) -> String {
    format!("access key {access_key_id}")
}

/// Whether a key is the one by which a record is sealed.
pub(super) fn opens(keys: &Keys, record: &SealedRecord) -> bool {
    keys.unwrap(&record.sealed, &record.context()).is_ok()
}

/// Whether a key is the one of a proof.
pub(crate) fn proves(keys: &Keys, proof: Vec<u8>) -> bool {
    opens(keys, &SealedRecord { place: SealedPlace::Proof, sealed: proof })
}

/// Refuses a master key that is not the one by which everything here is sealed.
pub(super) async fn check_master_key(keys: &Keys, materials: &dyn KeyMaterials) -> Result<(), Error> {
    let (known, record) = match materials.proof().await? {
        Some(sealed) => (true, Some(SealedRecord { place: SealedPlace::Proof, sealed })),
        // Sealed by an earlier version, which left no proof; or nothing is sealed yet.
        None => (false, materials.sealed_records().await?.pop()),
    };
    if record.is_some_and(|record| !opens(keys, &record)) {
        return Err(Error::OtherMasterKey);
    }
    if known {
        return Ok(());
    }
    materials.insert_proof(keys.wrap(PROOF, PROOF_CONTEXT)?).await?;
    // Another process may have been quicker, with a key of its own.
    let sealed = materials.proof().await?.ok_or_else(|| Error::Damaged(PROOF_CONTEXT.to_owned()))?;
    keys.unwrap(&sealed, PROOF_CONTEXT).map(drop).map_err(|_| Error::OtherMasterKey)
}

/// Seals everything by another master key, whole or not at all; gives how many secrets there are.
pub(super) async fn reseal(old: &Keys, new: &Keys, materials: &dyn KeyMaterials) -> Result<usize, Error> {
    let mut records = materials.sealed_records().await?;
    for record in &mut records {
        let context = record.context();
        record.sealed = new.wrap(&old.unwrap(&record.sealed, &context)?, &context)?;
    }
    let count = records.iter().filter(|record| record.place != SealedPlace::Proof).count();
    materials.replace_sealed(records).await?;
    Ok(count)
}
