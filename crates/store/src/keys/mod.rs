//! Keys and encryption.
//!
//! Three levels of AES-256-GCM keys. The **master key** is a file of the data directory. It wraps the **key material** of
//! KMS keys (and seals other secrets, such as those of access keys). Key material wraps **data keys**, one for each body
//! that is encrypted, and a data key encrypts its body in segments, so that ranges can be read.
//!
//! A KMS key is an ordinary document ([`crate::metadata::Kind::EncryptionKey`], its key the key's id): it can be used
//! while the document's status is `Enabled`. Material is made at first use and goes with the document. So switching a key
//! off or deleting it is one change of a document, and works at once.

mod data_key;
mod kms;
mod master_key;
pub(crate) mod sqlite;

pub(crate) use data_key::{DataKey, SEGMENT_BYTES, TAG_BYTES, sealed_size};
pub(crate) use kms::{KeyMaterial, KmsKeys};
pub use master_key::Keys;

/// The status in which a key can be used.
pub const ENABLED: &str = "Enabled";

/// The id within a key's id or ARN.
pub(crate) fn key_id(id_or_arn: &str) -> &str {
    id_or_arn.rsplit('/').next().unwrap_or(id_or_arn)
}
