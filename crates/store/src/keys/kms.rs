//! KMS keys as what encrypts: their materials, wrapped by the master key, and what those wrap: the data keys of bodies, and
//! whatever clients hand over.
//!
//! A key has a material for each rotation and one before the first. The document says which is current: what is encrypted
//! is encrypted by that one, and names it, so that what is decrypted finds its own. A material is made at its first use.

use std::sync::Arc;

use super::data_key::DataKey;
use super::master_key::{KEY_BYTES, Keys, WRAPPING_BYTES, aead_key, random_bytes, unwrap, wrap};
use super::sealed::{SealedRecord, material_context};
use super::{ENABLED, key_id};
use crate::Error;

/// Bytes of a data key that the first material has wrapped, as all were before there was rotation.
const UNNUMBERED_BYTES: usize = WRAPPING_BYTES + KEY_BYTES;
/// The form of ciphertexts that clients are given.
const CIPHERTEXT_VERSION: u8 = 1;

/// What is kept of a key.
pub(crate) struct StoredMaterials {
    /// The status of its document.
    pub(crate) status: String,
    /// The number of its current material, which may have to be made yet.
    pub(crate) current: i64,
    /// The wrapped materials by their numbers, in any order.
    pub(crate) wrapped: Vec<(i64, Vec<u8>)>,
}

/// Where everything is kept that the master key has sealed: beside the documents, with which it goes.
#[async_trait::async_trait]
pub(crate) trait KeyMaterials: Send + Sync {
    /// The materials of a key; None where there is no such key.
    async fn materials(&self, key: &str) -> Result<Option<StoredMaterials>, Error>;

    /// Keeps a material under its number, counted from 1. Nothing is kept where the number is taken, or there is no such
    /// key.
    async fn insert_material(&self, key: &str, number: i64, wrapped: Vec<u8>) -> Result<(), Error>;

    /// The text by which a master key shows that it is the right one.
    async fn proof(&self) -> Result<Option<Vec<u8>>, Error>;

    /// Keeps the proof. Nothing is kept where there is one.
    async fn insert_proof(&self, sealed: Vec<u8>) -> Result<(), Error>;

    /// Everything that the master key has sealed.
    async fn sealed_records(&self) -> Result<Vec<SealedRecord>, Error>;

    /// Puts records in the places of those that are there, all or none.
    async fn replace_sealed(&self, records: Vec<SealedRecord>) -> Result<(), Error>;
}

/// The KMS keys. Clones share them.
#[derive(Clone)]
pub struct KmsKeys {
    master: Arc<Keys>,
    materials: Arc<dyn KeyMaterials>,
}

/// What was decrypted.
pub struct Decrypted {
    /// The secret.
    pub plaintext: Vec<u8>,
    /// The number of the material that had encrypted it.
    pub material: i64,
}

/// The materials of one key that is enabled.
pub(crate) struct KeyMaterial {
    id: String,
    current: i64,
    wrapped: Vec<(i64, Vec<u8>)>,
    master: Arc<Keys>,
}

impl KeyMaterial {
    /// A new data key, and the same wrapped.
    pub(crate) fn generate_data_key(&self) -> Result<(DataKey, Vec<u8>), Error> {
        let (data_key, bytes) = DataKey::generate()?;
        let number = u32::try_from(self.current).map_err(|_| Error::Damaged(material_context(&self.id)))?;
        let wrapped = self.seal(&bytes, &self.data_key_context())?;
        Ok((data_key, [number.to_be_bytes().as_slice(), &wrapped].concat()))
    }

    pub(crate) fn data_key(&self, wrapped: &[u8]) -> Result<DataKey, Error> {
        let context = self.data_key_context();
        let (number, wrapped) = match wrapped.split_first_chunk() {
            Some((number, rest)) if wrapped.len() != UNNUMBERED_BYTES => (i64::from(u32::from_be_bytes(*number)), rest),
            _ => (1, wrapped),
        };
        let bytes = self.open(number, wrapped, &context)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| Error::Damaged(context))?;
        Ok(DataKey::from_bytes(bytes))
    }

    fn data_key_context(&self) -> String {
        format!("a data key of key {}", self.id)
    }

    /// Wraps a secret by the current material.
    fn seal(&self, secret: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        wrap(&aead_key(&self.material(self.current)?), secret, context)
    }

    /// Unwraps a secret by the material that has wrapped it.
    fn open(&self, number: i64, wrapped: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        let undecipherable = || Error::Undecipherable(context.to_owned());
        if !self.wrapped.iter().any(|(known, _)| *known == number) {
            return Err(undecipherable());
        }
        unwrap(&aead_key(&self.material(number)?), wrapped, context)
    }

    fn material(&self, number: i64) -> Result<[u8; KEY_BYTES], Error> {
        let damaged = || Error::Damaged(material_context(&self.id));
        let (_, wrapped) = self.wrapped.iter().find(|(known, _)| *known == number).ok_or_else(damaged)?;
        let bytes = self.master.unwrap(wrapped, &material_context(&self.id))?;
        bytes.as_slice().try_into().map_err(|_| damaged())
    }
}

impl KmsKeys {
    pub(crate) fn new(master: Arc<Keys>, materials: Arc<dyn KeyMaterials>) -> Self {
        Self { master, materials }
    }

    /// The materials of a key that has encrypted something.
    pub(crate) async fn for_reading(&self, id_or_arn: &str) -> Result<KeyMaterial, Error> {
        let id = key_id(id_or_arn);
        let stored = match self.materials.materials(id).await? {
            None => return Err(Error::KeyUnavailable { key: id.to_owned(), status: None }),
            Some(stored) if stored.status == ENABLED => stored,
            Some(stored) => return Err(Error::KeyUnavailable { key: id.to_owned(), status: Some(stored.status) }),
        };
        let StoredMaterials { current, wrapped, .. } = stored;
        Ok(KeyMaterial { id: id.to_owned(), current, wrapped, master: Arc::clone(&self.master) })
    }

    /// The materials of a key, the current one made if this is its first use.
    pub(crate) async fn for_writing(&self, id_or_arn: &str) -> Result<KeyMaterial, Error> {
        let found = self.for_reading(id_or_arn).await?;
        if found.wrapped.iter().any(|(number, _)| *number == found.current) {
            return Ok(found);
        }
        let fresh = self.master.wrap(&random_bytes::<KEY_BYTES>()?, &material_context(&found.id))?;
        // Somebody else's first use may have been quicker, or the document is gone.
        self.materials.insert_material(&found.id, found.current, fresh).await?;
        let again = self.for_reading(id_or_arn).await?;
        if again.current != found.current {
            // Rotated at this very moment: the one that was current is there now.
            return Ok(KeyMaterial { current: found.current, ..again });
        }
        Ok(again)
    }

    /// Encrypts a secret of a client; the same context has to be given to decrypt it. The ciphertext names the key.
    ///
    /// # Errors
    /// [`Error::KeyUnavailable`] where the key is missing or not enabled.
    pub async fn encrypt(&self, key: &str, secret: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        let material = self.for_writing(key).await?;
        let sealed = material.seal(secret, &ciphertext_context(&material.id, context))?;
        let id_bytes = u8::try_from(material.id.len()).map_err(|_| Error::Damaged(material_context(&material.id)))?;
        let number = u32::try_from(material.current).map_err(|_| Error::Damaged(material_context(&material.id)))?;
        let head = [CIPHERTEXT_VERSION, id_bytes];
        Ok([head.as_slice(), material.id.as_bytes(), number.to_be_bytes().as_slice(), &sealed].concat())
    }

    /// Decrypts what [`KmsKeys::encrypt`] has encrypted by the key that [`KmsKeys::key_of`] names.
    ///
    /// # Errors
    /// [`Error::KeyUnavailable`] where the key is missing or not enabled; [`Error::Undecipherable`] where the ciphertext was
    /// changed, or the context is another one.
    pub async fn decrypt(&self, ciphertext: &[u8], context: &str) -> Result<Decrypted, Error> {
        let (id, number, sealed) = parts(ciphertext).ok_or_else(|| Error::Undecipherable("a ciphertext".to_owned()))?;
        let material = self.for_reading(id).await?;
        let plaintext = material.open(number, sealed, &ciphertext_context(id, context))?;
        Ok(Decrypted { plaintext, material: number })
    }

    /// The id of the key that a ciphertext names; None where it is no ciphertext of ours.
    pub fn key_of(ciphertext: &[u8]) -> Option<&str> {
        parts(ciphertext).map(|(id, ..)| id)
    }

    /// A new data key that the master key itself has wrapped, and the same wrapped: for what lives shortly, outside of
    /// objects. The same context has to be given to unwrap it.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn new_data_key(&self, context: &str) -> Result<(DataKey, Vec<u8>), Error> {
        let (data_key, bytes) = DataKey::generate()?;
        Ok((data_key, self.master.wrap(&bytes, context)?))
    }

    /// The data key that [`KmsKeys::new_data_key`] has wrapped.
    ///
    /// # Errors
    /// [`Error::Undecipherable`] where it was changed, or wrapped with another context or master key.
    pub fn data_key(&self, wrapped: &[u8], context: &str) -> Result<DataKey, Error> {
        let bytes = self.master.unwrap(wrapped, context)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| Error::Damaged(context.to_owned()))?;
        Ok(DataKey::from_bytes(bytes))
    }

    /// Random bytes.
    ///
    /// # Errors
    /// [`Error::NoRandomness`].
    pub fn random(length: usize) -> Result<Vec<u8>, Error> {
        super::master_key::random_vector(length)
    }
}

/// Key, number of its material and sealed secret of a ciphertext.
fn parts(ciphertext: &[u8]) -> Option<(&str, i64, &[u8])> {
    let ([version, id_bytes], rest) = ciphertext.split_first_chunk()?;
    if *version != CIPHERTEXT_VERSION {
        return None;
    }
    let (id, rest) = rest.split_at_checked(usize::from(*id_bytes))?;
    let (number, sealed) = rest.split_first_chunk()?;
    Some((std::str::from_utf8(id).ok()?, i64::from(u32::from_be_bytes(*number)), sealed))
}

fn ciphertext_context(id: &str, context: &str) -> String {
    format!("a secret of key {id}: {context}")
}
