//! Asynchronous invocations of endpoints: accepted and kept until their output is stored.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_aws::{Error, Time};
use watchkeeper_store::metadata::{Columns, Kind};

use super::{Stamp, place_in_queue};
use crate::resources::Resource;

/// How long an invocation waits for its turn where the request does not say, as on AWS.
const USUAL_TIME_TO_LIVE: Duration = Duration::from_hours(6);
/// How long a model may take where the request does not say, as on AWS.
const USUAL_TIMEOUT: Duration = Duration::from_mins(15);
/// The most bytes of a body that comes with the request.
const MAX_BODY_BYTES: usize = 128_000;

/// An asynchronous invocation that has no output yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AsyncInvocation {
    /// Its name among all, which its output is named by.
    pub id: String,
    /// The caller's name of it, or the id.
    pub inference_id: String,
    /// The endpoint's name.
    pub endpoint: String,
    /// The headers that the model is given, by their names.
    pub headers: Vec<(String, String)>,
    /// What it is asked.
    pub input: AsyncInput,
    /// Where the answer goes.
    pub output: S3Uri,
    /// Where the reason goes if there is none.
    pub failure: Option<S3Uri>,
    /// The key that encrypts either.
    pub kms_key_id: Option<String>,
    /// How long the model may take, in seconds.
    pub timeout_seconds: u64,
    /// When it was accepted.
    pub created: Time,
    /// When it is too late to ask.
    pub expires: Time,
}

/// What an asynchronous invocation asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AsyncInput {
    /// An object.
    Object(S3Uri),
    /// What came with the request, in base64.
    Body(String),
}

/// What a request for an asynchronous invocation says.
#[derive(Debug, Default)]
pub struct AsyncRequest {
    /// The endpoint's name as it was given when it was created.
    pub endpoint: String,
    /// The caller's name of the inference.
    pub inference_id: Option<String>,
    /// The headers that the model is given, by their names.
    pub headers: Vec<(String, String)>,
    /// The address of the input.
    pub input_location: Option<String>,
    /// What stands between the output path and the file's name.
    pub path_extension: Option<String>,
    /// The file's name.
    pub file_name: Option<String>,
    /// How long it may wait.
    pub time_to_live: Option<Duration>,
    /// How long the model may take.
    pub timeout: Option<Duration>,
}

impl AsyncInvocation {
    /// Accepts a request to an endpoint of this `AsyncInferenceConfig`; outputs go to the default folder where it names none.
    pub fn create(
        request: AsyncRequest,
        body: &[u8],
        config: &Value,
        default_output: &S3Uri,
        stamp: &Stamp,
    ) -> Result<Self, Error> {
        let id = stamp.unique.to_string();
        let config = &config["OutputConfig"];
        let path = |member: &str| config[member].as_str().filter(|path| !path.is_empty()).map(uri).transpose();
        let mut folder = path("S3OutputPath")?.unwrap_or_else(|| default_output.clone());
        if let Some(extension) = request.path_extension.as_deref() {
            folder = folder.join(extension.trim_matches('/'));
        }
        let file = request.file_name.unwrap_or_else(|| format!("{id}.out"));
        let failure = path("S3FailurePath")?.map(|folder| folder.join(&format!("{id}-error.out")));
        let until = |wait: Duration| stamp.now.saturating_add(wait).unwrap_or(Timestamp::MAX);
        Ok(Self {
            inference_id: request.inference_id.unwrap_or_else(|| id.clone()),
            endpoint: request.endpoint,
            headers: request.headers,
            input: input(request.input_location.as_deref(), body)?,
            output: folder.join(&file),
            failure,
            kms_key_id: config["KmsKeyId"].as_str().map(str::to_owned),
            timeout_seconds: request.timeout.unwrap_or(USUAL_TIMEOUT).as_secs(),
            created: stamp.time(),
            expires: super::milliseconds(until(request.time_to_live.unwrap_or(USUAL_TIME_TO_LIVE))),
            id,
        })
    }

    /// Whether it has waited for too long.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires.0 <= now
    }
}

/// One of the two ways to bring an input.
fn input(location: Option<&str>, body: &[u8]) -> Result<AsyncInput, Error> {
    use base64::Engine as _;

    match (location, body) {
        (Some(_), [_, ..]) => Err(invalid("Only one of Body and InputLocation can be provided in a request.")),
        (None, []) => Err(invalid("Either Body or InputLocation must be provided in a request.")),
        (Some(location), []) => {
            let uri = uri(location)?;
            if uri.key.is_empty() {
                return Err(invalid(format!("InputLocation {location} names no object.")));
            }
            Ok(AsyncInput::Object(uri))
        }
        (None, body) if body.len() > MAX_BODY_BYTES => Err(invalid(format!(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have length less than \
             or equal to {MAX_BODY_BYTES}"
        ))),
        (None, body) => Ok(AsyncInput::Body(base64::engine::general_purpose::STANDARD.encode(body))),
    }
}

fn uri(text: &str) -> Result<S3Uri, Error> {
    text.parse().map_err(|error: watchkeeper_aws::types::S3UriError| invalid(error.to_string()))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

impl Resource for AsyncInvocation {
    const KIND: Kind = Kind::AsyncInvocation;

    fn key(&self) -> String {
        self.id.clone()
    }

    fn columns(&self) -> Columns {
        let created = self.created.0.as_millisecond();
        Columns {
            name: self.id.clone(),
            status: "Queued".to_owned(),
            endpoint: self.endpoint.clone(),
            created,
            modified: created,
            // Until its output is stored it is due: whoever carries it out holds a claim on it.
            due: Some(place_in_queue(self.created)),
            ..Columns::default()
        }
    }
}
