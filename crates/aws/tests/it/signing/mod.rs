//! Signatures: ours against botocore's, and everything that must be refused.

mod botocore;
mod refusals;

use jiff::Timestamp;
use watchkeeper_aws::Error;
use watchkeeper_aws::signing::{
    Audience, Canonical, Codes, Credentials, Payload, Secret, Signer, Verified, presign, sign, verify,
};

const KEY: &str = "AKIAWATCHKEEPER00001";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request that owns its parts, so that a test can spoil one of them.
#[derive(Clone, Debug)]
struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// What a client of SageMaker sends, not signed yet.
    fn unsigned() -> Self {
        Self {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            headers: [
                ("host", "127.0.0.1:8080"),
                ("content-type", "application/x-amz-json-1.1"),
                ("x-amz-target", "SageMaker.DescribeModel"),
            ]
            .map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()))
            .to_vec(),
            body: br#"{"ModelName":"churn"}"#.to_vec(),
        }
    }

    fn canonical(&self) -> Canonical<'_> {
        Canonical {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            payload: Payload::Bytes(&self.body),
        }
    }

    fn signed(mut self, service: &str, credentials: &Credentials) -> Self {
        let signer = Signer { credentials, region: "eu-central-1", service, now: noon() };
        let added = sign(&self.canonical(), &signer);
        self.headers.extend(added.into_iter().map(|(name, value)| (name, value.into_bytes())));
        self
    }

    fn presigned(mut self, service: &str, credentials: &Credentials, seconds: u32) -> Self {
        let signer = Signer { credentials, region: "eu-central-1", service, now: noon() };
        self.query = presign(&self.canonical(), &signer, seconds);
        self
    }

    fn header(&self, name: &str) -> &str {
        std::str::from_utf8(&self.headers.iter().find(|(known, _)| known == name).unwrap().1).unwrap()
    }

    fn set(&mut self, name: &str, value: &str) {
        self.headers.retain(|(known, _)| known != name);
        self.add(name, value);
    }

    fn add(&mut self, name: &str, value: &str) {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }

    fn remove(&mut self, name: &str) {
        self.headers.retain(|(known, _)| known != name);
    }

    fn verify_as(&self, service: &str, codes: Codes, now: Timestamp) -> Result<Verified, Error> {
        let secret_of = |key: &str| (key == KEY).then(|| Secret::new(SECRET));
        verify(&self.canonical(), secret_of, now, Audience { service, codes })
    }

    fn verify(&self) -> Result<Verified, Error> {
        self.verify_as("sagemaker", Codes::Json, noon())
    }
}

fn credentials() -> Credentials {
    Credentials { access_key_id: KEY.to_owned(), secret_access_key: SECRET.to_owned(), session_token: None }
}

fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

fn minutes_later(minutes: i64) -> Timestamp {
    noon() + jiff::SignedDuration::from_mins(minutes)
}
