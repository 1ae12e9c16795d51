//! Four hundred requests signed by botocore (`make_fixture.py`): we accept each, sign it the same, and refuse it when
//! a byte of it is another.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::Value;
use watchkeeper_aws::signing::{
    Audience, Canonical, Codes, Credentials, Payload, Secret, Signer, presign, scope_of, sign, verify,
};

struct Case {
    value: Value,
    body: Vec<u8>,
}

fn cases() -> Vec<Case> {
    include_str!("botocore.jsonl")
        .lines()
        .map(|line| {
            let value: Value = serde_json::from_str(line).unwrap();
            let body = STANDARD.decode(value["body"].as_str().unwrap()).unwrap();
            Case { value, body }
        })
        .collect()
}

impl Case {
    fn text(&self, name: &str) -> &str {
        self.value[name].as_str().unwrap()
    }

    fn request<'a>(&'a self, part: &'a Value) -> Canonical<'a> {
        let headers = part["headers"].as_array().unwrap();
        Canonical {
            method: part["method"].as_str().unwrap(),
            path: part["path"].as_str().unwrap(),
            query: part["query"].as_str().unwrap(),
            headers: headers
                .iter()
                .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap().as_bytes()))
                .collect(),
            payload: Payload::Bytes(&self.body),
        }
    }

    fn signed(&self) -> Canonical<'_> {
        let mut request = self.request(&self.value);
        // S3 leaves the body of every presigned request unsigned; that is said in no header.
        if self.text("service") == "s3" && self.presigned() {
            request.payload = Payload::Unsigned;
        }
        request
    }

    fn presigned(&self) -> bool {
        !self.value["expires"].is_null()
    }

    fn moment(&self) -> Timestamp {
        Timestamp::from_second(self.value["moment"].as_i64().unwrap()).unwrap()
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            access_key_id: self.text("access_key_id").to_owned(),
            secret_access_key: self.text("secret_access_key").to_owned(),
            session_token: self.value["session_token"].as_str().map(str::to_owned),
        }
    }

    fn accepts(&self, request: &Canonical<'_>) -> bool {
        let secret_of =
            |key: &str| (key == self.text("access_key_id")).then(|| Secret::new(self.text("secret_access_key")));
        verify(request, secret_of, self.moment(), Audience { service: self.text("service"), codes: Codes::Json })
            .is_ok()
    }
}

fn header<'a>(request: &Canonical<'a>, name: &str) -> Option<&'a str> {
    let (_, value) = request.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(value).ok()
}

#[test]
fn what_botocore_signed_is_accepted() {
    let mut checked = 0;
    for case in cases() {
        // Presigned requests of S3 are for the S3 protocol crate to check.
        if case.text("service") == "s3" && case.presigned() {
            continue;
        }
        let request = case.signed();
        let secret_of = |_: &str| Some(Secret::new(case.text("secret_access_key")));
        let audience = Audience { service: case.text("service"), codes: Codes::Json };
        let verified = verify(&request, secret_of, case.moment(), audience)
            .unwrap_or_else(|error| panic!("{error}: {}", case.value));
        assert_eq!(verified.scope.region, case.text("region"));
        assert_eq!(verified.scope.access_key_id, case.text("access_key_id"));
        assert_eq!(verified.presigned, case.presigned());
        assert_eq!(verified.payload_signed, header(&request, "x-amz-content-sha256") != Some("UNSIGNED-PAYLOAD"));
        assert_eq!(scope_of(&request.headers, request.query), Some(verified.scope));
        checked += 1;
    }
    assert!(checked > 300, "{checked}");
}

#[test]
fn we_sign_as_botocore_does() {
    for case in cases() {
        let credentials = case.credentials();
        let signer = Signer {
            credentials: &credentials,
            region: case.text("region"),
            service: case.text("service"),
            now: case.moment(),
        };
        let signed = case.signed();
        // Our signer writes the newer header alone.
        if header(&signed, "date").is_some() {
            continue;
        }
        let mut given = case.request(&case.value["given"]);
        if header(&signed, "x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD") {
            given.payload = Payload::Unsigned;
        }
        if case.presigned() {
            let query = presign(&given, &signer, u32::try_from(case.value["expires"].as_u64().unwrap()).unwrap());
            let sorted = |query: &str| {
                // botocore writes a name without a value with its equals sign.
                let mut pairs: Vec<String> = query
                    .split('&')
                    .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
                    .collect();
                pairs.sort();
                pairs
            };
            assert_eq!(sorted(&query), sorted(signed.query), "{}", case.value);
        } else {
            let added = sign(&given, &signer);
            let authorization = added.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str());
            assert_eq!(authorization, header(&signed, "authorization"), "{}", case.value);
        }
    }
}

/// Each byte of body, method, query, signed header values and signature is changed in turn.
#[test]
fn a_changed_byte_anywhere_is_refused() {
    for case in cases().iter().step_by(8) {
        if case.text("service") == "s3" && case.presigned() {
            continue;
        }
        let request = case.signed();
        assert!(case.accepts(&request));
        let unsigned_payload = header(&request, "x-amz-content-sha256") == Some("UNSIGNED-PAYLOAD");
        for at in 0..case.body.len() {
            let mut body = case.body.clone();
            body[at] ^= 1;
            let spoilt = Canonical { payload: Payload::Bytes(&body), ..request.clone() };
            assert_eq!(case.accepts(&spoilt), unsigned_payload, "body byte {at} of {}", case.value);
        }
        for (name, spoil) in [("method", 0), ("path", 1), ("query", 2)] {
            let text = [request.method, request.path, request.query][spoil];
            for (at, byte) in text.bytes().enumerate() {
                // Digits for digits and letters for letters: what stays readable, and is another thing.
                let Some(other) = another(byte) else { continue };
                // What a dot segment takes back is no part of a path.
                if spoil == 1 && text.contains("..") && case.text("service") != "s3" {
                    continue;
                }
                // Both cases of a percent code are the same byte.
                let code = at >= 1 && text.as_bytes()[at - 1] == b'%' || at >= 2 && text.as_bytes()[at - 2] == b'%';
                if code && spoil == 2 {
                    continue;
                }
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = other;
                let text = String::from_utf8(bytes).unwrap();
                let mut spoilt = request.clone();
                match spoil {
                    0 => spoilt.method = &text,
                    1 => spoilt.path = &text,
                    _ => spoilt.query = &text,
                }
                assert!(!case.accepts(&spoilt), "{name} byte {at} of {}", case.value);
            }
        }
        for (index, (name, value)) in request.headers.iter().enumerate() {
            for (at, byte) in value.iter().enumerate() {
                let Some(other) = another(*byte) else { continue };
                let mut bytes = value.to_vec();
                bytes[at] = other;
                let mut spoilt = request.clone();
                spoilt.headers[index].1 = &bytes;
                assert!(!case.accepts(&spoilt), "byte {at} of header {name} of {}", case.value);
            }
            let mut without = request.clone();
            without.headers.remove(index);
            assert!(!case.accepts(&without), "without header {name} of {}", case.value);
        }
    }
}

fn another(byte: u8) -> Option<u8> {
    match byte {
        b'9' => Some(b'0'),
        b'z' => Some(b'a'),
        b'Z' => Some(b'A'),
        byte if byte.is_ascii_alphanumeric() => Some(byte + 1),
        _ => None,
    }
}
