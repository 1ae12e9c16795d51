//! What clients have encrypted and decrypted by keys: secrets of their own, and data keys.

use std::collections::BTreeMap;

use watchkeeper_aws::generated::kms::{
    DataKeySpec, DecryptRequest, DecryptResponse, EncryptRequest, EncryptResponse, EncryptionAlgorithmSpec,
    GenerateDataKeyRequest, GenerateDataKeyResponse, ReEncryptRequest, ReEncryptResponse,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::Error as StoreError;
use watchkeeper_store::keys::KmsKeys;

use super::{Key, Kms};
use crate::api::failure;

type EncryptionContext<'a> = Option<&'a BTreeMap<String, String>>;

/// What was decrypted, and by which of a key's materials it had been encrypted.
struct Opened {
    plaintext: Vec<u8>,
    key: Key,
    material: i64,
}

impl Kms {
    pub(super) async fn encrypted(&self, call: &Call, input: EncryptRequest) -> Result<EncryptResponse, Error> {
        symmetric(input.encryption_algorithm)?;
        let key = self.usable_key(call, &input.key_id).await?;
        dry_run(input.dry_run)?;
        let ciphertext = self.seal(&key, &input.plaintext, input.encryption_context.as_ref()).await?;
        Ok(EncryptResponse {
            ciphertext_blob: Some(ciphertext),
            key_id: Some(key.arn),
            encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
        })
    }

    pub(super) async fn decrypted(&self, call: &Call, input: DecryptRequest) -> Result<DecryptResponse, Error> {
        symmetric(input.encryption_algorithm)?;
        no_recipient(input.recipient.is_some())?;
        let opened =
            self.open(call, input.ciphertext_blob, input.key_id.as_deref(), input.encryption_context.as_ref()).await?;
        dry_run(input.dry_run)?;
        Ok(DecryptResponse {
            key_material_id: Some(opened.key.material_id(opened.material)),
            key_id: Some(opened.key.arn),
            plaintext: Some(opened.plaintext),
            encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
            ciphertext_for_recipient: None,
        })
    }

    pub(super) async fn re_encrypted(&self, call: &Call, input: ReEncryptRequest) -> Result<ReEncryptResponse, Error> {
        symmetric(input.source_encryption_algorithm)?;
        symmetric(input.destination_encryption_algorithm)?;
        let source = input.source_key_id.as_deref();
        let opened = self.open(call, input.ciphertext_blob, source, input.source_encryption_context.as_ref()).await?;
        let key = self.usable_key(call, &input.destination_key_id).await?;
        dry_run(input.dry_run)?;
        let ciphertext = self.seal(&key, &opened.plaintext, input.destination_encryption_context.as_ref()).await?;
        Ok(ReEncryptResponse {
            ciphertext_blob: Some(ciphertext),
            source_key_material_id: Some(opened.key.material_id(opened.material)),
            source_key_id: Some(opened.key.arn),
            destination_key_material_id: Some(key.material_id(key.material)),
            key_id: Some(key.arn),
            source_encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
            destination_encryption_algorithm: Some(EncryptionAlgorithmSpec::SymmetricDefault),
        })
    }

    pub(super) async fn generated_data_key(
        &self,
        call: &Call,
        input: GenerateDataKeyRequest,
    ) -> Result<GenerateDataKeyResponse, Error> {
        no_recipient(input.recipient.is_some())?;
        let length = match (input.number_of_bytes, input.key_spec) {
            (Some(bytes), None) => bytes as usize,
            (None, Some(DataKeySpec::Aes256)) => 32,
            (None, Some(DataKeySpec::Aes128)) => 16,
            _ => return Err(Error::validation("Please specify either number of bytes or key spec.")),
        };
        let key = self.usable_key(call, &input.key_id).await?;
        dry_run(input.dry_run)?;
        let plaintext = KmsKeys::random(length).map_err(|error| failure::internal(&error))?;
        let ciphertext = self.seal(&key, &plaintext, input.encryption_context.as_ref()).await?;
        Ok(GenerateDataKeyResponse {
            ciphertext_blob: Some(ciphertext),
            plaintext: Some(plaintext),
            key_material_id: Some(key.material_id(key.material)),
            key_id: Some(key.arn),
            ciphertext_for_recipient: None,
        })
    }

    async fn usable_key(&self, call: &Call, key_id: &str) -> Result<Key, Error> {
        let key = self.key(call, key_id).await?.resource;
        key.usable()?;
        Ok(key)
    }

    async fn seal(&self, key: &Key, plaintext: &[u8], context: EncryptionContext<'_>) -> Result<Vec<u8>, Error> {
        let sealed = self.0.kms.encrypt(&key.id, plaintext, &canonical(context)).await;
        sealed.map_err(|error| refusal(&error, key))
    }

    /// The key is the one that the ciphertext names; one that the request names has to be the same.
    async fn open(
        &self,
        call: &Call,
        ciphertext: Option<Vec<u8>>,
        asked: Option<&str>,
        context: EncryptionContext<'_>,
    ) -> Result<Opened, Error> {
        let ciphertext = ciphertext.ok_or_else(|| Error::validation("CiphertextBlob is required"))?;
        let named = KmsKeys::key_of(&ciphertext).ok_or_else(invalid_ciphertext)?;
        if let Some(asked) = asked
            && self.key(call, asked).await?.resource.id != named
        {
            return Err(Error::new(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            ));
        }
        let key = self.usable_key(call, named).await?;
        let opened = self.0.kms.decrypt(&ciphertext, &canonical(context)).await;
        let opened = opened.map_err(|error| refusal(&error, &key))?;
        Ok(Opened { plaintext: opened.plaintext, material: opened.material, key })
    }
}

/// The context as a text that is the same for the same pairs; none at all is no pair.
fn canonical(context: EncryptionContext<'_>) -> String {
    let none = BTreeMap::new();
    serde_json::to_string(context.unwrap_or(&none)).expect("a map of texts is JSON")
}

/// A key that somebody else switches off meanwhile refuses as one that was off before.
fn refusal(error: &StoreError, key: &Key) -> Error {
    match error {
        StoreError::Undecipherable(_) => invalid_ciphertext(),
        StoreError::KeyUnavailable { status: None, .. } => {
            Error::new("NotFoundException", format!("Key '{}' does not exist", key.arn))
        }
        StoreError::KeyUnavailable { status: Some(status), .. } if status == "PendingDeletion" => {
            key.pending_deletion()
        }
        StoreError::KeyUnavailable { .. } => key.disabled(),
        other => failure::internal(other),
    }
}

fn invalid_ciphertext() -> Error {
    Error::new("InvalidCiphertextException", "The ciphertext, or the encryption context, is not what was encrypted")
}

fn symmetric(algorithm: Option<EncryptionAlgorithmSpec>) -> Result<(), Error> {
    match algorithm {
        None | Some(EncryptionAlgorithmSpec::SymmetricDefault) => Ok(()),
        Some(other) => Err(Error::new(
            "InvalidKeyUsageException",
            format!("The algorithm {other} cannot be used with a key of the specification SYMMETRIC_DEFAULT"),
        )),
    }
}

fn no_recipient(asked: bool) -> Result<(), Error> {
    if asked {
        return Err(Error::new("UnsupportedOperationException", "Answers for an enclave are not supported"));
    }
    Ok(())
}

fn dry_run(asked: Option<bool>) -> Result<(), Error> {
    if asked == Some(true) {
        let message = "The request would have succeeded, but the DryRun option is set.";
        return Err(Error::new("DryRunOperationException", message));
    }
    Ok(())
}
