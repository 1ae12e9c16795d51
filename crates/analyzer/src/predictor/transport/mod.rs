//! Ways to a model: each takes the body of a request and gives the body of its answer, or says how it failed.

mod command;
mod connections;
mod endpoint;
mod http;

use std::time::Duration;

use bytes::Bytes;

pub(super) use command::CommandModel;
pub(super) use endpoint::{Service, ServiceModel};
pub(super) use http::HttpModel;

/// The longest answer that is taken, in bytes: a model that never ends must not fill the memory.
const LONGEST_ANSWER: usize = 64 << 20;

/// How a request failed; what is done about it depends on that alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Nobody is there.
    Unreachable(String),
    /// The connection ended before the answer did.
    Broken(String),
    /// No answer in time.
    TimedOut,
    /// The model, or what stands before it, has no time just now.
    Busy {
        words: String,
        /// When to come back, if it says so.
        after: Option<Duration>,
    },
    /// The body is longer than the model takes.
    TooLarge(String),
    /// The model failed on these records.
    Model {
        words: String,
        /// Whether a second try may end otherwise: not where the model says that the request is wrong.
        may_pass: bool,
    },
    /// No request to it will ever do.
    Unusable(String),
}

/// Which connection a request takes, where there are connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// One that has been answered on, as long as one is free.
    Known,
    /// One of its own, so that those that have been answered on are left to others.
    New,
}

/// A way to a model.
pub(super) enum Transport {
    Http(HttpModel),
    Endpoint(ServiceModel),
    Command(CommandModel),
}

impl Transport {
    /// Sends a request, and waits for the answer no longer than `within`.
    pub(super) async fn send(&self, body: Bytes, way: Way, within: Duration) -> Result<Bytes, Failure> {
        let answer = async {
            match self {
                Self::Http(model) => model.send(body, way).await,
                Self::Endpoint(model) => model.send(body).await,
                Self::Command(model) => model.send(body).await,
            }
        };
        tokio::time::timeout(within, answer).await.unwrap_or(Err(Failure::TimedOut))
    }
}

/// The headers of every request.
#[derive(Clone, Debug)]
pub(super) struct RequestHeaders {
    pub content_type: String,
    pub accept_type: String,
    pub custom_attributes: Option<String>,
    pub target_model: Option<String>,
}

impl RequestHeaders {
    fn pairs(&self) -> Vec<(&'static str, &str)> {
        let mut pairs = vec![("content-type", self.content_type.as_str()), ("accept", self.accept_type.as_str())];
        let attributes = self.custom_attributes.as_deref().map(|value| ("x-amzn-sagemaker-custom-attributes", value));
        let target = self.target_model.as_deref().map(|value| ("x-amzn-sagemaker-target-model", value));
        pairs.extend(attributes.into_iter().chain(target));
        pairs
    }
}

/// What a status other than 200 means.
fn refusal(status: u16, words: &str, retry_after: Option<&str>) -> Failure {
    let words = words.trim();
    let text = if words.is_empty() {
        format!("status {status} without a word")
    } else {
        format!("status {status}: {}", super::excerpt(words.as_bytes()))
    };
    match status {
        413 => Failure::TooLarge(text),
        // Another address, another method, another type or somebody else is asked for: no record can help.
        300..400 | 401 | 403..=406 | 415 => Failure::Unusable(text),
        400..500 if says_too_large(words) => Failure::TooLarge(text),
        429 | 502..=504 => {
            let after = retry_after.and_then(|seconds| seconds.trim().parse().ok()).map(Duration::from_secs);
            Failure::Busy { words: text, after }
        }
        status => Failure::Model { words: text, may_pass: status >= 500 },
    }
}

/// Whether a refusal is about the length of the request: servers that have no status for it say it in words.
fn says_too_large(words: &str) -> bool {
    let words = words.to_ascii_lowercase();
    ["too large", "too long", "too big", "payload size", "exceeded max", "exceeds max", "exceeds the max"]
        .iter()
        .any(|phrase| words.contains(phrase))
}

/// An answer that is longer than any is taken.
fn endless() -> Failure {
    Failure::Model { words: format!("an answer of more than {} MiB", LONGEST_ANSWER >> 20), may_pass: false }
}
