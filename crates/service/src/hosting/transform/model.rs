//! The job's model: requests with their retries.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use tokio::time::{Instant, sleep, timeout_at};

use super::plan::Plan;
use crate::hosting::model::{InvokeError, ModelBody, ModelRequest, ModelServer};

/// The pause before the first retry; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a model that starts again is waited for.
const NOT_READY: Duration = Duration::from_mins(2);
/// The largest answer: it has to fit into memory.
const LARGEST_ANSWER: usize = 1 << 30;
/// The most characters of a model's error text that are shown.
const LONGEST_TEXT: usize = 500;

/// A model's answer to one request.
pub(super) struct Answer {
    /// Its content type.
    pub(super) content_type: Option<String>,
    /// Its body.
    pub(super) body: Bytes,
}

/// Why there is no answer.
#[derive(Clone, Debug)]
pub(super) enum Unanswered {
    /// The model refused or failed with this status and text.
    Status(StatusCode, String),
    /// It took too long, or what it sent could not be taken.
    Broken(String),
    /// Nobody answers, or the connection broke: what was sent may have been the end of it.
    Unreachable(String),
    /// It has not been ready for long.
    Gone(String),
}

impl Unanswered {
    /// For the person who reads `FailureReason`.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Status(status, text) => format!("the model answered {status}: {text}"),
            Self::Broken(reason) | Self::Unreachable(reason) | Self::Gone(reason) => reason.clone(),
        }
    }

    /// Whether what was sent was wrong, and not the model.
    pub(super) fn is_of_client(&self) -> bool {
        matches!(self, Self::Status(status, _) if status.is_client_error())
    }

    /// As the log of the real service has it.
    pub(super) fn log_lines(&self) -> Vec<String> {
        let (title, text) = match self {
            Self::Status(status, text) if status.is_client_error() => {
                (format!("ClientError: {}", status.as_u16()), text)
            }
            Self::Status(status, text) => {
                (format!("Bad HTTP status received from algorithm: {}", status.as_u16()), text)
            }
            Self::Broken(text) | Self::Unreachable(text) | Self::Gone(text) => {
                ("Unable to get response from algorithm".to_owned(), text)
            }
        };
        let mut lines = vec![title, String::new(), "Message:".to_owned()];
        lines.extend(text.lines().map(str::to_owned));
        lines
    }

    /// Whether another try may help: what the model refuses it will refuse again.
    fn may_pass(&self) -> bool {
        match self {
            Self::Status(status, _) => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Broken(_) | Self::Unreachable(_) | Self::Gone(_) => true,
        }
    }
}

/// Asks until there is an answer, or no try is left.
pub(super) async fn ask(model: &Arc<ModelServer>, plan: &Plan, body: Bytes) -> Result<Answer, Unanswered> {
    let patience = Instant::now() + NOT_READY;
    let mut retries = 0;
    let mut pause = PAUSE;
    loop {
        let unanswered = match try_once(model, plan, body.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(Missed::NotReady(reason)) => {
                if Instant::now() >= patience {
                    return Err(Unanswered::Gone(reason));
                }
                sleep(PAUSE).await;
                continue;
            }
            Err(Missed::Unanswered(unanswered)) => unanswered,
        };
        if retries >= plan.retries || !unanswered.may_pass() {
            return Err(unanswered);
        }
        retries += 1;
        sleep(pause).await;
        pause *= 2;
    }
}

enum Missed {
    /// The model starts, or starts again: not a try of the request.
    NotReady(String),
    Unanswered(Unanswered),
}

async fn try_once(model: &Arc<ModelServer>, plan: &Plan, body: Bytes) -> Result<Answer, Missed> {
    let deadline = Instant::now() + plan.timeout;
    let too_slow = || format!("the model gave no answer within {} seconds", plan.timeout.as_secs());
    let request = ModelRequest { headers: plan.headers.clone(), body: body.into() };
    let answer = model.invoke(request, plan.timeout).await.map_err(|error| match error {
        InvokeError::NotReady(_) => Missed::NotReady(error.to_string()),
        InvokeError::Unreachable(reason) => Missed::Unanswered(Unanswered::Unreachable(reason)),
        InvokeError::TimedOut(_) => Missed::Unanswered(Unanswered::Broken(too_slow())),
        InvokeError::Garbage(reason) => Missed::Unanswered(Unanswered::Broken(reason)),
    })?;
    let broken = |reason: String| Missed::Unanswered(Unanswered::Broken(reason));
    let body = match answer.body {
        ModelBody::Whole(body) => body,
        ModelBody::Stream(stream) => {
            let whole = timeout_at(deadline, Limited::new(stream, LARGEST_ANSWER).collect()).await;
            let whole = whole.map_err(|_| broken(too_slow()))?;
            whole.map_err(|error| broken(format!("the model's answer broke off: {error}")))?.to_bytes()
        }
    };
    if !answer.status.is_success() {
        let text: String = String::from_utf8_lossy(&body).trim().chars().take(LONGEST_TEXT).collect();
        return Err(Missed::Unanswered(Unanswered::Status(answer.status, text)));
    }
    let content_type = answer.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    Ok(Answer { content_type: content_type.map(str::to_owned), body })
}
