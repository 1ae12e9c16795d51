//! What a request for an invocation says, checked by the model of the runtime.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use watchkeeper_aws::Error;
use watchkeeper_aws::protocol::{self, Protocol, Route, Service};

/// The three operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `InvokeEndpoint`.
    Whole,
    /// `InvokeEndpointWithResponseStream`.
    Stream,
    /// `InvokeEndpointAsync`.
    Asynchronous,
}

impl Operation {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "InvokeEndpoint",
            Self::Stream => "InvokeEndpointWithResponseStream",
            Self::Asynchronous => "InvokeEndpointAsync",
        }
    }

    /// The operation of a path, if it is that of an invocation.
    pub fn of_path(path: &str) -> Option<Self> {
        match label_and_verb(path)? {
            (_, "invocations") => Some(Self::Whole),
            (_, "invocations-response-stream") => Some(Self::Stream),
            (_, "async-invocations") => Some(Self::Asynchronous),
            _ => None,
        }
    }

    /// Its route, for the answers that are errors.
    pub fn route(self) -> Route {
        Route { service: Service::Runtime, operation: self.name().to_owned(), protocol: Protocol::RestJson }
    }
}

/// The endpoint's name in a path, percent codes and all, and what follows it.
fn label_and_verb(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/endpoints/")?.split_once('/').filter(|(label, _)| !label.is_empty())
}

pub(in crate::hosting) const CUSTOM_ATTRIBUTES: HeaderName =
    HeaderName::from_static("x-amzn-sagemaker-custom-attributes");
pub(in crate::hosting) const INFERENCE_ID: HeaderName = HeaderName::from_static("x-amzn-sagemaker-inference-id");
const TARGET_VARIANT: HeaderName = HeaderName::from_static("x-amzn-sagemaker-target-variant");
/// The headers that are passed to models beside content type and accept.
const PASSED: [HeaderName; 8] = [
    CUSTOM_ATTRIBUTES,
    HeaderName::from_static("x-amzn-sagemaker-target-model"),
    TARGET_VARIANT,
    INFERENCE_ID,
    HeaderName::from_static("x-amzn-sagemaker-session-id"),
    HeaderName::from_static("x-amzn-sagemaker-enable-explanations"),
    HeaderName::from_static("x-amzn-sagemaker-target-container-hostname"),
    HeaderName::from_static("x-amzn-sagemaker-inference-component"),
];
/// What the operations whose own content type is another call these two.
const SAGEMAKER_CONTENT_TYPE: &str = "x-amzn-sagemaker-content-type";
const SAGEMAKER_ACCEPT: &str = "x-amzn-sagemaker-accept";
/// What every header of the operations but content type and accept begins with.
const PREFIX: &str = "x-amzn-sagemaker-";

/// What is asked of an endpoint, without the body.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The endpoint's name as it was asked for.
    pub(super) endpoint: String,
    /// What is passed on to the model.
    pub(super) headers: HeaderMap,
}

impl Asked {
    /// Reads a request.
    ///
    /// # Errors
    /// `ValidationError` in the words of the service's own validation.
    pub(super) fn read(operation: Operation, parts: &Parts) -> Result<Self, Error> {
        let label = label_and_verb(parts.uri.path()).map(|(label, _)| label).unwrap_or_default();
        let endpoint =
            if is_plainly_right(label, &parts.headers) { label.to_owned() } else { checked_name(operation, parts)? };
        Ok(Self { endpoint, headers: passed(operation, &parts.headers) })
    }

    fn text(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn target_variant(&self) -> Option<&str> {
        self.text(&TARGET_VARIANT)
    }

    pub(super) fn inference_id(&self) -> Option<&str> {
        self.text(&INFERENCE_ID)
    }

    pub(super) fn custom_attributes(&self) -> Option<&str> {
        self.text(&CUSTOM_ATTRIBUTES)
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.text(&CONTENT_TYPE)
    }

    /// What was asked asynchronously, as it was stored.
    pub(super) fn stored(endpoint: &str, headers: &[(HeaderName, Option<&str>)]) -> Self {
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, text) in headers {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
                map.insert(name.clone(), value);
            }
        }
        Self { endpoint: endpoint.to_owned(), headers: map }
    }

    /// The headers that are kept of an asynchronous invocation.
    pub(super) fn kept_headers() -> [HeaderName; 4] {
        [CONTENT_TYPE, ACCEPT, CUSTOM_ATTRIBUTES, INFERENCE_ID]
    }
}

/// Whether a request keeps every limit at a first look, so that the whole validation can be spared: a name of letters, digits
/// and single hyphens, and no header of the operations that has a limit of its own.
fn is_plainly_right(label: &str, headers: &HeaderMap) -> bool {
    let is_name = label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.contains("--")
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_short = |name: HeaderName| headers.get(name).is_none_or(|value| value.len() <= 1024);
    is_name
        && is_short(CONTENT_TYPE)
        && is_short(ACCEPT)
        && !headers.keys().any(|name| name.as_str().starts_with(PREFIX))
}

/// The endpoint's name after the whole validation.
fn checked_name(operation: Operation, parts: &Parts) -> Result<String, Error> {
    let view = protocol::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: b"" };
    let route = operation.route();
    let input = protocol::decode(&route, &view)?;
    let name = input["EndpointName"].as_str().unwrap_or_default().to_owned();
    protocol::check(&route, input)?;
    Ok(name)
}

fn passed(operation: Operation, headers: &HeaderMap) -> HeaderMap {
    let mut passed = HeaderMap::with_capacity(PASSED.len());
    let mut pass = |name: HeaderName, value: Option<&HeaderValue>| {
        // A value that is no text has not been looked at.
        if let Some(value) = value.filter(|value| value.to_str().is_ok()) {
            passed.insert(name, value.clone());
        }
    };
    let (content_type, accept) = match operation {
        Operation::Whole => (headers.get(CONTENT_TYPE), headers.get(ACCEPT)),
        Operation::Stream => (headers.get(CONTENT_TYPE), headers.get(SAGEMAKER_ACCEPT)),
        Operation::Asynchronous => (headers.get(SAGEMAKER_CONTENT_TYPE), headers.get(SAGEMAKER_ACCEPT)),
    };
    pass(CONTENT_TYPE, content_type);
    pass(ACCEPT, accept);
    if headers.keys().any(|name| name.as_str().starts_with(PREFIX)) {
        for name in PASSED {
            let value = headers.get(&name);
            pass(name, value);
        }
    }
    passed
}

/// What an asynchronous invocation says beside.
#[derive(Debug, Default)]
pub(super) struct AsynchronousOptions {
    pub(super) input_location: Option<String>,
    pub(super) path_extension: Option<String>,
    pub(super) file_name: Option<String>,
    pub(super) time_to_live: Option<Duration>,
    pub(super) invocation_timeout: Option<Duration>,
}

impl AsynchronousOptions {
    /// Those of headers that the validation has seen.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let seconds = |name: &str| text(name).and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
        Self {
            input_location: text("x-amzn-sagemaker-inputlocation"),
            path_extension: text("x-amzn-sagemaker-s3outputpathextension"),
            file_name: text("x-amzn-sagemaker-filename"),
            time_to_live: seconds("x-amzn-sagemaker-requestttlseconds"),
            invocation_timeout: seconds("x-amzn-sagemaker-invocationtimeoutseconds"),
        }
    }
}
