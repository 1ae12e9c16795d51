//! Temporary credentials that need no table: when they end is in the key's id, and secret and token follow from the id
//! and a secret of the service.

use jiff::Timestamp;

use super::sign::authentication_code;
use super::{Credentials, Secret};

/// Issues temporary credentials, and knows those it has issued.
#[derive(Clone)]
pub struct SessionIssuer {
    key: Vec<u8>,
}

/// What the ids of temporary keys begin with.
const PREFIX: &str = "ASIA";
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Bytes of an id: five of the second of its end, five that make it unique.
const ID_BYTES: usize = 10;

impl SessionIssuer {
    /// An issuer whose credentials hold as long as the service keeps this secret.
    pub fn new(service_secret: &str) -> Self {
        Self { key: authentication_code(service_secret.as_bytes(), b"temporary credentials") }
    }

    /// Credentials that end at a moment; `unique` must differ between any two that end in the same second.
    pub fn issue(&self, expires: Timestamp, unique: [u8; 5]) -> Credentials {
        let mut bytes = [0; ID_BYTES];
        bytes[..5].copy_from_slice(&expires.as_second().to_be_bytes()[3..]);
        bytes[5..].copy_from_slice(&unique);
        let access_key_id = format!("{PREFIX}{}", id_text(bytes));
        let secret_access_key = self.part("secret", &access_key_id)[..40].to_owned();
        let session_token = Some(self.part("token", &access_key_id));
        Credentials { access_key_id, secret_access_key, session_token }
    }

    /// The secret of a key this issuer may have issued; none for the ids of other keys.
    pub fn secret_of(&self, access_key_id: &str) -> Option<Secret> {
        let (secret, token, expires) = self.parts(access_key_id)?;
        Some(Secret::new(secret).temporary(token, expires))
    }

    /// The credentials of a key this issuer may have issued, and their end: for whoever checks signatures elsewhere.
    pub fn issued(&self, access_key_id: &str) -> Option<(Credentials, Timestamp)> {
        let (secret_access_key, session_token, expires) = self.parts(access_key_id)?;
        let access_key_id = access_key_id.to_owned();
        Some((Credentials { access_key_id, secret_access_key, session_token: Some(session_token) }, expires))
    }

    /// Secret, token and end of a key.
    fn parts(&self, access_key_id: &str) -> Option<(String, String, Timestamp)> {
        let bytes = id_bytes(access_key_id.strip_prefix(PREFIX)?)?;
        let mut second = [0; 8];
        second[3..].copy_from_slice(&bytes[..5]);
        let expires = Timestamp::from_second(i64::from_be_bytes(second)).ok()?;
        Some((self.part("secret", access_key_id)[..40].to_owned(), self.part("token", access_key_id), expires))
    }

    fn part(&self, name: &str, access_key_id: &str) -> String {
        hex::encode(authentication_code(&self.key, format!("{name} {access_key_id}").as_bytes()))
    }
}

/// Base 32: ten bytes are sixteen characters.
fn id_text(bytes: [u8; ID_BYTES]) -> String {
    let mut wide = [0; 16];
    wide[6..].copy_from_slice(&bytes);
    let number = u128::from_be_bytes(wide);
    (0..16).rev().map(|place| char::from(ALPHABET[(number >> (5 * place) & 31) as usize])).collect()
}

fn id_bytes(text: &str) -> Option<[u8; ID_BYTES]> {
    if text.len() != 16 {
        return None;
    }
    let mut number = 0_u128;
    for character in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == character)?;
        number = number << 5 | value as u128;
    }
    number.to_be_bytes()[6..].try_into().ok()
}
