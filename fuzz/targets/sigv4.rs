//! Any request before the check of signatures: nothing is a panic, a refusal has a code, whoever changes a request that was
//! accepted is refused, and what our own client signs is accepted.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchkeeper_aws::signing::{
    Audience, Canonical, Codes, Credentials, Payload, Secret, Signer, presign, scope_of, sign, verify,
};
use watchkeeper_fuzz::request::{RawRequest, noon};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

fuzz_target!(|content: &[u8]| {
    let Some(request) = RawRequest::parse(content) else { return };
    let canonical = request.canonical();
    let _ = scope_of(&canonical.headers, canonical.query);
    for codes in [Codes::Json, Codes::Rest, Codes::Query] {
        match accepted(&canonical, codes) {
            Ok(payload_signed) => changes_are_refused(&canonical, codes, payload_signed),
            Err(code) => assert!(!code.is_empty(), "a refusal has a code"),
        }
    }
    our_own_signatures_are_accepted(&request);
});

fn secret_of(id: &str) -> Option<Secret> {
    match id {
        KEY => Some(Secret::new(SECRET)),
        "ASIAIOSFODNN7EXAMPLE" => Some(Secret::new(SECRET).temporary("token", noon())),
        _ => None,
    }
}

/// Whether the body is under the signature, or the code of the refusal.
fn accepted(request: &Canonical<'_>, codes: Codes) -> Result<bool, String> {
    let verified = verify(request, secret_of, noon(), Audience { service: "sagemaker", codes });
    verified.map(|verified| verified.payload_signed).map_err(|error| error.code.to_string())
}

fn changes_are_refused(request: &Canonical<'_>, codes: Codes, payload_signed: bool) {
    let Payload::Bytes(body) = request.payload else { return };
    let longer = [body, b"x"].concat();
    let path = format!("{}x", request.path);
    let query = format!("{}&x=y", request.query);
    let method = if request.method == "DELETE" { "PUT" } else { "DELETE" };
    let mut changed = vec![
        Canonical { method, ..request.clone() },
        Canonical { path: &path, ..request.clone() },
        Canonical { query: &query, ..request.clone() },
    ];
    if payload_signed {
        changed.push(Canonical { payload: Payload::Bytes(&longer), ..request.clone() });
    }
    let mut more = request.clone();
    more.headers.push(("x-amz-target", b"SageMaker.DeleteModel"));
    changed.push(more);
    for one in changed {
        assert!(accepted(&one, codes).is_err(), "{one:?} is taken for {request:?}");
    }
}

fn our_own_signatures_are_accepted(request: &RawRequest<'_>) {
    let known = ["authorization", "host", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"];
    let is_plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !known.contains(&name)
    };
    let mut canonical = request.canonical();
    if canonical.query.to_ascii_lowercase().contains("amz") || canonical.query.contains('%') {
        return;
    }
    canonical.headers.retain(|(name, _)| is_plain(name));
    canonical.headers.push(("host", b"127.0.0.1:8470"));
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_access_key: SECRET.to_owned(), session_token: None };
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "sagemaker", now: noon() };
    let added = sign(&canonical, &signer);
    let mut signed = canonical.clone();
    signed.headers.extend(added.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
    assert_eq!(accepted(&signed, Codes::Json), Ok(true), "{signed:?}");

    let query = presign(&canonical, &signer, 60);
    assert_eq!(accepted(&Canonical { query: &query, ..canonical.clone() }, Codes::Json), Ok(true), "{query}");
}
