//! Temporary credentials that need no table: when they end and which key they come from is in the key's id, and secret
//! and token follow from the id and a secret of the service.

use jiff::Timestamp;

use super::sign::authentication_code;
use super::{Credentials, Secret};

/// Issues temporary credentials, and knows those it has issued.
#[derive(Clone)]
pub struct SessionIssuer {
    key: Vec<u8>,
}

/// The key that temporary ones come from, as their ids name it: the start of its id's authentication code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent([u8; PART_BYTES]);

/// What a temporary key's id says of it. Whether the issuer has issued it shows when something is signed with it.
#[derive(Clone, Debug)]
pub struct Session {
    /// What the holder of the key signs with.
    pub credentials: Credentials,
    /// The key it comes from, without which it must not be accepted.
    pub parent: Parent,
    /// When it ends.
    pub expires: Timestamp,
    /// What it was issued with to be unique.
    pub unique: [u8; UNIQUE_BYTES],
}

impl Session {
    /// The same as signatures are checked by.
    pub fn secret(self) -> Secret {
        let Credentials { secret_access_key, session_token, .. } = self.credentials;
        Secret::new(secret_access_key).temporary(session_token.unwrap_or_default(), self.expires)
    }
}

/// What the ids of temporary keys begin with.
const PREFIX: &str = "ASIA";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// An id has two parts of ten bytes, written as sixteen characters each: five bytes of the second of its end with five
/// that make it unique, and the parent.
const PART_BYTES: usize = 10;
const UNIQUE_BYTES: usize = 5;
const PART_CHARACTERS: usize = 16;

impl SessionIssuer {
    /// An issuer whose credentials hold as long as the service keeps this secret.
    pub fn new(service_secret: &str) -> Self {
        Self { key: authentication_code(service_secret.as_bytes(), b"temporary credentials") }
    }

    /// A key as the parent of temporary ones.
    pub fn parent(&self, access_key_id: &str) -> Parent {
        let mut bytes = [0; PART_BYTES];
        bytes.copy_from_slice(&self.code("parent", access_key_id)[..PART_BYTES]);
        Parent(bytes)
    }

    /// Credentials of a parent that end at a moment; `unique` must differ between any two that end in the same second.
    pub fn issue(&self, parent: Parent, expires: Timestamp, unique: [u8; UNIQUE_BYTES]) -> Credentials {
        let mut bytes = [0; PART_BYTES];
        bytes[..5].copy_from_slice(&expires.as_second().to_be_bytes()[3..]);
        bytes[5..].copy_from_slice(&unique);
        self.credentials(format!("{PREFIX}{}{}", id_text(bytes), id_text(parent.0)))
    }

    /// The session of a key this issuer may have issued; none for the ids of other keys.
    pub fn issued(&self, access_key_id: &str) -> Option<Session> {
        let (bytes, parent) = access_key_id.strip_prefix(PREFIX)?.split_at_checked(PART_CHARACTERS)?;
        let (bytes, parent) = (id_bytes(bytes)?, Parent(id_bytes(parent)?));
        let mut second = [0; 8];
        second[3..].copy_from_slice(&bytes[..5]);
        let expires = Timestamp::from_second(i64::from_be_bytes(second)).ok()?;
        let mut unique = [0; UNIQUE_BYTES];
        unique.copy_from_slice(&bytes[5..]);
        Some(Session { credentials: self.credentials(access_key_id.to_owned()), parent, expires, unique })
    }

    fn credentials(&self, access_key_id: String) -> Credentials {
        let secret_access_key = hex::encode(&self.code("secret", &access_key_id)[..20]);
        let session_token = Some(hex::encode(self.code("token", &access_key_id)));
        Credentials { access_key_id, secret_access_key, session_token }
    }

    fn code(&self, name: &str, access_key_id: &str) -> Vec<u8> {
        authentication_code(&self.key, format!("{name} {access_key_id}").as_bytes())
    }
}

/// Base 32: ten bytes are sixteen characters.
fn id_text(bytes: [u8; PART_BYTES]) -> String {
    let mut wide = [0; 16];
    wide[6..].copy_from_slice(&bytes);
    let number = u128::from_be_bytes(wide);
    (0..16).rev().map(|place| char::from(ALPHABET[(number >> (5 * place) & 31) as usize])).collect()
}

fn id_bytes(text: &str) -> Option<[u8; PART_BYTES]> {
    if text.len() != PART_CHARACTERS {
        return None;
    }
    let mut number = 0_u128;
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character)?;
        number = number << 5 | value as u128;
    }
    number.to_be_bytes()[6..].try_into().ok()
}
