//! KMS keys as what encrypts bodies: their material, wrapped by the master key, and the data keys it wraps.

use std::sync::Arc;

use ring::aead::LessSafeKey;

use super::data_key::DataKey;
use super::master_key::{KEY_BYTES, Keys, aead_key, random_bytes, unwrap, wrap};
use super::{ENABLED, key_id};
use crate::Error;

/// Where the wrapped material of KMS keys is kept: beside their documents, with which it goes.
#[async_trait::async_trait]
pub(crate) trait KeyMaterials: Send + Sync {
    /// The status of a key's document and its materials, the oldest first; None where there is no such key.
    async fn materials(&self, key: &str) -> Result<Option<(String, Vec<Vec<u8>>)>, Error>;

    /// Keeps a material under its number, counted from 1. Nothing is kept where the number is taken, or there is no such
    /// key.
    async fn insert_material(&self, key: &str, number: i64, wrapped: Vec<u8>) -> Result<(), Error>;
}

/// The KMS keys. Clones share them.
#[derive(Clone)]
pub(crate) struct KmsKeys {
    master: Arc<Keys>,
    materials: Arc<dyn KeyMaterials>,
}

/// The material of one key that is enabled.
pub(crate) struct KeyMaterial {
    key: LessSafeKey,
    context: String,
}

impl KeyMaterial {
    fn new(wrapped: &[u8], keys: &Keys, id: &str) -> Result<Self, Error> {
        let bytes = keys.unwrap(wrapped, &material_context(id))?;
        let bytes: &[u8; KEY_BYTES] =
            bytes.as_slice().try_into().map_err(|_| Error::Damaged(format!("the material of key {id}")))?;
        Ok(Self { key: aead_key(bytes), context: format!("a data key of key {id}") })
    }

    /// A new data key, and the same wrapped.
    pub(crate) fn generate_data_key(&self) -> Result<(DataKey, Vec<u8>), Error> {
        let (data_key, bytes) = DataKey::generate()?;
        Ok((data_key, wrap(&self.key, &bytes, &self.context)?))
    }

    pub(crate) fn data_key(&self, wrapped: &[u8]) -> Result<DataKey, Error> {
        let bytes = unwrap(&self.key, wrapped, &self.context)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| Error::Damaged(self.context.clone()))?;
        Ok(DataKey::from_bytes(bytes))
    }
}

fn material_context(id: &str) -> String {
    format!("the material of key {id}")
}

impl KmsKeys {
    pub(crate) fn new(master: Arc<Keys>, materials: Arc<dyn KeyMaterials>) -> Self {
        Self { master, materials }
    }

    /// The material of a key that has encrypted something.
    pub(crate) async fn for_reading(&self, id_or_arn: &str) -> Result<KeyMaterial, Error> {
        let id = key_id(id_or_arn);
        let materials = self.materials_of(id).await?;
        let wrapped = materials.last().ok_or_else(|| Error::Damaged(material_context(id)))?;
        KeyMaterial::new(wrapped, &self.master, id)
    }

    /// The material of a key, made if this is its first use.
    pub(crate) async fn for_writing(&self, id_or_arn: &str) -> Result<KeyMaterial, Error> {
        let id = key_id(id_or_arn);
        if let Some(wrapped) = self.materials_of(id).await?.last() {
            return KeyMaterial::new(wrapped, &self.master, id);
        }
        let fresh = self.master.wrap(&random_bytes::<KEY_BYTES>()?, &material_context(id))?;
        // Somebody else's first use may have been quicker, or the document is gone.
        self.materials.insert_material(id, 1, fresh).await?;
        self.for_reading(id).await
    }

    /// The wrapped materials of a key that can be used; none if it was never used.
    async fn materials_of(&self, id: &str) -> Result<Vec<Vec<u8>>, Error> {
        match self.materials.materials(id).await? {
            None => Err(Error::KeyUnavailable { key: id.to_owned(), status: None }),
            Some((status, materials)) if status == ENABLED => Ok(materials),
            Some((status, _)) => Err(Error::KeyUnavailable { key: id.to_owned(), status: Some(status) }),
        }
    }
}
