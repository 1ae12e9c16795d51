//! Making signatures.

use std::cell::RefCell;

use jiff::Timestamp;
use ring::hmac;

use super::canonical::{encode, lower_hex};
use super::scope::Scope;
use super::{ALGORITHM, Canonical, Credentials, Payload};

/// Who signs, for where, and when.
#[derive(Clone, Debug)]
pub struct Signer<'a> {
    /// Whose signature it becomes.
    pub credentials: &'a Credentials,
    /// The region of the scope.
    pub region: &'a str,
    /// The signing name of the service: `sagemaker`, `s3`, `monitoring`, ...
    pub service: &'a str,
    /// The moment of the signature; the server refuses one that is more than fifteen minutes off.
    pub now: Timestamp,
}

impl Signer<'_> {
    fn scope(&self) -> Scope {
        Scope {
            access_key_id: self.credentials.access_key_id.clone(),
            date: self.now.strftime("%Y%m%d").to_string(),
            region: self.region.to_owned(),
            service: self.service.to_owned(),
        }
    }

    fn moment(&self) -> String {
        self.now.strftime("%Y%m%dT%H%M%SZ").to_string()
    }
}

/// The headers a request needs to be signed, `authorization` among them. All headers the request already has are
/// signed, so it must have `host`, and must not be changed afterwards.
pub fn sign(request: &Canonical<'_>, signer: &Signer<'_>) -> Vec<(String, String)> {
    let moment = signer.moment();
    let payload_hash = request.payload.hash();
    let mut added = vec![("x-amz-date".to_owned(), moment.clone())];
    if let Some(token) = &signer.credentials.session_token {
        added.push(("x-amz-security-token".to_owned(), token.clone()));
    }
    if signer.service == "s3" || matches!(request.payload, Payload::Unsigned) {
        added.push(("x-amz-content-sha256".to_owned(), payload_hash.clone()));
    }
    let mut whole = request.clone();
    whole.headers.extend(added.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));

    let names = sorted_names(&whole);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hash = whole.hash(signer.service, &names, &payload_hash).expect("the names are those of the headers");
    let scope = signer.scope();
    let signature = signature(&signer.credentials.secret_access_key, &scope, &moment, &hash);
    let authorization = format!(
        "{ALGORITHM} Credential={}/{}, SignedHeaders={}, Signature={signature}",
        scope.access_key_id,
        scope.text(),
        names.join(";"),
    );
    added.push(("authorization".to_owned(), authorization));
    added
}

/// The whole query of a request that anybody may send for the next `seconds` (at most seven days), signature included.
/// All headers of the request are signed and must come with it; `host` must be among them.
pub fn presign(request: &Canonical<'_>, signer: &Signer<'_>, seconds: u32) -> String {
    let moment = signer.moment();
    let scope = signer.scope();
    let names = sorted_names(request);
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut query = request.query.to_owned();
    let credential = format!("{}/{}", scope.access_key_id, scope.text());
    let seconds = seconds.to_string();
    let signed_headers = names.join(";");
    let mut add = |name: &str, value: &str| {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        query.push_str(&encode(value.as_bytes()));
    };
    add("X-Amz-Algorithm", ALGORITHM);
    add("X-Amz-Credential", &credential);
    add("X-Amz-Date", &moment);
    add("X-Amz-Expires", &seconds);
    add("X-Amz-SignedHeaders", &signed_headers);
    if let Some(token) = &signer.credentials.session_token {
        add("X-Amz-Security-Token", token);
    }
    let whole = Canonical { query: &query, ..request.clone() };
    // S3 cannot know the body of a request that is made later.
    let payload = if signer.service == "s3" { Payload::Unsigned } else { request.payload };
    let hash = whole.hash(signer.service, &names, &payload.hash()).expect("the names are those of the headers");
    let signature = signature(&signer.credentials.secret_access_key, &scope, &moment, &hash);
    format!("{query}&X-Amz-Signature={signature}")
}

/// The lower case names of a request's headers, sorted, each once.
fn sorted_names(request: &Canonical<'_>) -> Vec<String> {
    let mut names: Vec<String> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    names.dedup();
    names
}

/// The signature in hexadecimal, over the hash of a canonical request.
pub(super) fn signature(secret_access_key: &str, scope: &Scope, moment: &str, canonical_hash: &str) -> String {
    let text = [ALGORITHM, "\n", moment, "\n", &scope.text(), "\n", canonical_hash].concat();
    LAST_KEY.with_borrow_mut(|last| {
        if !last.as_ref().is_some_and(|last| last.is_for(secret_access_key, scope)) {
            *last = Some(SigningKey::derive(secret_access_key, scope));
        }
        let key = &last.as_ref().expect("it was just derived").key;
        lower_hex(&authentication_code(key, text.as_bytes()))
    })
}

thread_local! {
    /// The key that signed last on this thread: clients sign with the same one all day.
    static LAST_KEY: RefCell<Option<SigningKey>> = const { RefCell::new(None) };
}

/// What signs within a scope.
struct SigningKey {
    secret_access_key: String,
    date: String,
    region: String,
    service: String,
    key: Vec<u8>,
}

impl SigningKey {
    fn derive(secret_access_key: &str, scope: &Scope) -> Self {
        let key = authentication_code(format!("AWS4{secret_access_key}").as_bytes(), scope.date.as_bytes());
        let key = authentication_code(&key, scope.region.as_bytes());
        let key = authentication_code(&key, scope.service.as_bytes());
        Self {
            secret_access_key: secret_access_key.to_owned(),
            date: scope.date.clone(),
            region: scope.region.clone(),
            service: scope.service.clone(),
            key: authentication_code(&key, super::TERMINATOR.as_bytes()),
        }
    }

    fn is_for(&self, secret_access_key: &str, scope: &Scope) -> bool {
        self.secret_access_key == secret_access_key
            && self.date == scope.date
            && self.region == scope.region
            && self.service == scope.service
    }
}

pub(super) fn authentication_code(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}
