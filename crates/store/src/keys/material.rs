//! The material of KMS keys, in the metadata database.

use ring::aead::LessSafeKey;

use super::data_key::DataKey;
use super::master_key::{KEY_BYTES, Keys, aead_key, random_bytes, unwrap, wrap};
use super::{ENABLED, key_id};
use crate::Error;
use crate::database::Database;

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

/// The material of a key that has encrypted something.
pub(crate) async fn material_for_reading(
    database: &Database,
    keys: &Keys,
    id_or_arn: &str,
) -> Result<KeyMaterial, Error> {
    let id = key_id(id_or_arn);
    let wrapped = wrapped_material(database, id).await?;
    let wrapped = wrapped.ok_or_else(|| Error::Damaged(material_context(id)))?;
    KeyMaterial::new(&wrapped, keys, id)
}

/// The material of a key, made if this is its first use.
pub(crate) async fn material_for_writing(
    database: &Database,
    keys: &Keys,
    id_or_arn: &str,
) -> Result<KeyMaterial, Error> {
    let id = key_id(id_or_arn);
    if let Some(wrapped) = wrapped_material(database, id).await? {
        return KeyMaterial::new(&wrapped, keys, id);
    }
    let fresh = keys.wrap(&random_bytes::<KEY_BYTES>()?, &material_context(id))?;
    let owned_id = id.to_owned();
    database
        .write(move |connection| {
            Box::pin(async move {
                // Somebody else's first use may have been quicker, or the document is gone.
                sqlx::query(include_str!("sql/insert_material.sql"))
                    .bind(owned_id)
                    .bind(fresh)
                    .execute(connection)
                    .await
                    .map_err(Error::from)
            })
        })
        .await?;
    material_for_reading(database, keys, id).await
}

/// The wrapped material of a key that can be used; none if it was never used.
async fn wrapped_material(database: &Database, id: &str) -> Result<Option<Vec<u8>>, Error> {
    let row: Option<(String, Option<Vec<u8>>)> =
        sqlx::query_as(include_str!("sql/material.sql")).bind(id).fetch_optional(database.readers()).await?;
    match row {
        None => Err(Error::KeyUnavailable { key: id.to_owned(), status: None }),
        Some((status, material)) if status == ENABLED => Ok(material),
        Some((status, _)) => Err(Error::KeyUnavailable { key: id.to_owned(), status: Some(status) }),
    }
}
