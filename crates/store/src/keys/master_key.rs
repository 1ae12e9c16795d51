//! The master key and what it seals.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use crate::Error;
use crate::MasterKeySource;
use crate::data_directory::{private_file, write_new_file};

pub(crate) const KEY_BYTES: usize = 32;
/// Bytes that wrapping adds to a secret: the nonce and the tag.
pub(super) const WRAPPING_BYTES: usize = NONCE_LEN + 16;
/// The file of the master key in a data directory.
pub(crate) const MASTER_KEY_FILE: &str = "master.key";

/// The master key.
pub struct Keys {
    master: LessSafeKey,
}

impl Keys {
    /// The master key of a source. In the data directory one is made where nothing was ever wrapped by one; elsewhere it is
    /// there.
    pub(crate) fn of_source(source: &MasterKeySource, directory: &Path, nothing_wrapped: bool) -> Result<Self, Error> {
        match source {
            MasterKeySource::DataDirectory => Self::open(&directory.join(MASTER_KEY_FILE), nothing_wrapped),
            MasterKeySource::File(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => Error::MasterKeyFileMissing(path.clone()),
                    _ => Error::file("read", path)(error),
                })?;
                Self::of_text(&text).ok_or_else(|| Error::MasterKeyDamaged(path.clone()))
            }
            MasterKeySource::Text(text) => Self::of_text(text).ok_or(Error::MasterKeyTextDamaged),
        }
    }

    /// The key of 64 hexadecimal digits.
    pub(crate) fn of_text(text: &str) -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
        Some(Self { master: aead_key(&bytes) })
    }

    /// Reads the master key of a data directory, or makes one where nothing was ever wrapped by one.
    fn open(path: &Path, nothing_wrapped: bool) -> Result<Self, Error> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                if !nothing_wrapped {
                    return Err(Error::MasterKeyMissing(path.to_owned()));
                }
                let text = new_key_text()?;
                write_new_file(path, text.as_bytes())?;
                text
            }
            Err(error) => return Err(Error::file("read", path)(error)),
        };
        let keys = Self::of_text(&text).ok_or_else(|| Error::MasterKeyDamaged(path.to_owned()))?;
        // A file that somebody brought back from a backup may be open to all.
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        private_file()
            .open(path)
            .and_then(|file| file.set_permissions(permissions))
            .map_err(Error::file("set the permissions of", path))?;
        Ok(keys)
    }

    /// Encrypts a secret, as base64. The context (what it is, of whom) must be given again to open it.
    pub fn seal(&self, secret: &str, context: &str) -> Result<String, Error> {
        Ok(BASE64_STANDARD.encode(self.wrap(secret.as_bytes(), context)?))
    }

    /// Decrypts a sealed secret.
    ///
    /// # Errors
    /// [`Error::Undecipherable`] if it was changed, or sealed with another context or master key.
    pub fn open_sealed(&self, sealed: &str, context: &str) -> Result<String, Error> {
        let undecipherable = || Error::Undecipherable(context.to_owned());
        let sealed = BASE64_STANDARD.decode(sealed).map_err(|_| undecipherable())?;
        String::from_utf8(self.unwrap(&sealed, context)?).map_err(|_| undecipherable())
    }

    pub(super) fn wrap(&self, secret: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        wrap(&self.master, secret, context)
    }

    pub(super) fn unwrap(&self, wrapped: &[u8], context: &str) -> Result<Vec<u8>, Error> {
        unwrap(&self.master, wrapped, context)
    }
}

/// A new key as its file has it.
pub(crate) fn new_key_text() -> Result<String, Error> {
    Ok(hex::encode(random_bytes::<KEY_BYTES>()?) + "\n")
}

pub(super) fn aead_key(bytes: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).expect("an AES-256 key has 32 bytes"))
}

pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

pub(super) fn random_vector(length: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; length];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::NoRandomness)?;
    Ok(bytes)
}

/// A random nonce, the ciphertext, its tag.
pub(super) fn wrap(key: &LessSafeKey, secret: &[u8], context: &str) -> Result<Vec<u8>, Error> {
    let nonce = random_bytes::<NONCE_LEN>()?;
    let mut text = secret.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut text)
        .expect("a secret is shorter than what AES-GCM can encrypt");
    Ok([nonce.as_slice(), &text].concat())
}

pub(super) fn unwrap(key: &LessSafeKey, wrapped: &[u8], context: &str) -> Result<Vec<u8>, Error> {
    let undecipherable = || Error::Undecipherable(context.to_owned());
    let (nonce, text) = wrapped.split_first_chunk::<NONCE_LEN>().ok_or_else(undecipherable)?;
    let mut text = text.to_vec();
    let secret = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(context), &mut text)
        .map_err(|_| undecipherable())?;
    Ok(secret.to_vec())
}
