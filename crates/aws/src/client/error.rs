//! What can go wrong with a call.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::Value;

/// Why a call gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The address of the endpoint cannot be used.
    #[error("the endpoint {url} cannot be used: {reason}")]
    Endpoint {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request cannot be written.
    #[error("the request cannot be sent: {0}")]
    Request(String),
    /// Nobody answers there, or the connection broke.
    #[error("no answer from {endpoint}: {reason}")]
    Connection {
        /// Host and port.
        endpoint: String,
        /// What the system said.
        reason: String,
    },
    /// The answer took too long.
    #[error("no answer from {endpoint} within {} seconds", after.as_secs_f64())]
    Timeout {
        /// Host and port.
        endpoint: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer is not what the protocol says.
    #[error("{0}")]
    Answer(String),
    /// The service refused.
    #[error("{code}: {message}")]
    Service {
        /// `ResourceNotFound`, `ValidationException`, ...
        code: String,
        /// What the service says.
        message: String,
        /// The HTTP status.
        status: u16,
        /// For the service's log; empty when the answer has none.
        request_id: String,
    },
}

impl ClientError {
    /// The code of a refusal; none for anything else.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Reads the refusal of a JSON service.
    pub fn of_json(response: &Response<Bytes>) -> Self {
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let code = text("__type").or_else(|| header("x-amzn-errortype")).unwrap_or("UnknownError");
        // A namespace stands before a `#`, an address of documentation behind a `:`.
        let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
        let message = text("message").or_else(|| text("Message")).map_or_else(
            || format!("the answer has status {} and no message", response.status().as_u16()),
            str::to_owned,
        );
        Self::Service {
            code: code.to_owned(),
            message,
            status: response.status().as_u16(),
            request_id: header("x-amzn-requestid").unwrap_or_default().to_owned(),
        }
    }
}
