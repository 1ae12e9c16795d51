//! Keys and encryption.
//!
//! Three levels of AES-256-GCM keys. The **master key** is a file of the data directory, or comes from elsewhere. It wraps
//! the **key materials** of KMS keys (and seals other secrets, such as those of access keys). Key material wraps **data
//! keys**, one for each body that is encrypted, and a data key encrypts its body in segments, so that ranges can be read.
//!
//! A KMS key is an ordinary document ([`crate::metadata::Kind::EncryptionKey`], its key the key's id): it can be used
//! while the document's status is `Enabled`, and the member `material` of its body is the number of its current material, 1
//! where there is none. Material is made at first use and goes with the document. So switching a key off, rotating or
//! deleting it is one change of a document, and works at once.
//!
//! The master key is changed by [`rotation`], which seals everything anew in one transaction. Decided against: a key
//! between the master key and everything else, which would make that one record; whoever has an old master key and a
//! later database would then read both.

mod data_key;
mod kms;
mod master_key;
pub mod rotation;
mod sealed;
pub(crate) mod tables;

pub use data_key::DataKey;
pub(crate) use data_key::{SEGMENT_BYTES, TAG_BYTES, sealed_size};
pub use kms::{Decrypted, KmsKeys};
pub(crate) use kms::{KeyMaterial, KeyMaterials};
pub use master_key::Keys;
pub(crate) use master_key::MASTER_KEY_FILE;
pub(crate) use rotation::settled;
pub use sealed::access_key_context;
pub(crate) use sealed::proves;

/// The status in which a key can be used.
pub const ENABLED: &str = "Enabled";

/// The id within a key's id or ARN.
pub(crate) fn key_id(id_or_arn: &str) -> &str {
    id_or_arn.rsplit('/').next().unwrap_or(id_or_arn)
}
