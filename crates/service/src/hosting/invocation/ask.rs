//! One request to one variant: asked, counted, captured.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout_at;
use uuid::Uuid;
use watchkeeper_aws::Error;

use super::body::Whole;
use super::refusal;
use super::request::Asked;
use crate::hosting::capture::{CaptureStream, Exchange, Payload, Written};
use crate::hosting::model::{InvokeError, ModelAnswer, ModelBody, ModelRequest};
use crate::hosting::traffic::{Outcome, Traffic};
use crate::hosting::{Deployment, Variant};
use crate::pieces::Pieces;

/// The most bytes of an answer that is given whole, as on AWS.
pub(super) const MAX_ANSWER_BYTES: usize = 6 << 20;
/// The most bytes of an answer that says why the model failed; the rest is cut off.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// The most bytes of an answer in a stream that can be captured.
const MAX_CAPTURED_BYTES: usize = 16 << 20;
/// Answers up to this size take nothing from the memory for answers: they come in one piece with their headers.
const SMALL_ANSWER_BYTES: usize = 64 << 10;
/// Pieces up to this size are copied for the capture: a piece of a connection's buffer keeps the whole buffer.
const COPIED_BYTES: usize = 4 << 10;

/// When a request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) instant: Instant,
    pub(super) time: Timestamp,
}

/// Where a request goes, and what it is measured by.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) deployment: &'a Deployment,
    pub(super) variant: &'a Variant,
    /// The account of the service.
    pub(super) account: &'a str,
    /// How long the model may take.
    pub(super) patience: Duration,
    /// Whether what passes may be captured.
    pub(super) is_captured: bool,
    /// The memory for answers.
    pub(super) memory: &'a Arc<Semaphore>,
}

/// What a model has given, whole.
pub(super) struct Given {
    pub(super) headers: HeaderMap,
    pub(super) body: Whole,
    /// The record of it, which the answer must not end before.
    pub(super) written: Option<Written>,
}

impl Destination<'_> {
    /// Asks for the whole answer.
    pub(super) async fn ask(self, asked: Asked, body: Pieces, arrival: Arrival, limit: usize) -> Result<Given, Error> {
        let deadline = tokio::time::Instant::now() + self.patience;
        let (answer, mut account) = self.begin(asked, body, arrival).await?;
        let status = answer.status.as_u16();
        let body = match collect(answer.body, limit, self.memory, deadline).await {
            Ok(body) => body,
            Err(Uncollected::Failed(error)) => {
                account.fail();
                return Err(refusal::unanswered(&self.patient(error), self.deployment, self.account));
            }
            Err(Uncollected::TooLarge) => {
                account.refuse();
                let text = format!("the answer holds more than {limit} bytes");
                return Err(refusal::model_error(self.deployment, self.account, status, &text));
            }
            Err(Uncollected::NoRoom) => {
                account.refuse();
                let text = "too many bytes of other answers are being read: try again";
                return Err(Error::new("ServiceUnavailable", text).with_status(503));
            }
        };
        for piece in &body.pieces {
            account.keep(piece);
        }
        Ok(Given { headers: answer.headers, body, written: account.end() })
    }

    /// Asks, and returns once an answer has begun whose status says that the model did not fail.
    pub(super) async fn begin(
        self,
        asked: Asked,
        body: Pieces,
        arrival: Arrival,
    ) -> Result<(ModelAnswer, Account), Error> {
        let mut account = Account::open(&self, &asked, &body, arrival);
        let Some(model) = &self.variant.model else {
            // Nobody answers, so what was asked is all there is to monitor.
            if let Some(written) = account.end() {
                written.await;
            }
            return Err(refusal::unmapped(self.deployment, self.account, &self.variant.name));
        };
        let request = ModelRequest { headers: asked.headers, body };
        let answer = match model.invoke(request, self.patience).await {
            Ok(answer) => answer,
            Err(error) => {
                account.fail();
                return Err(refusal::unanswered(&error, self.deployment, self.account));
            }
        };
        account.status = answer.status.as_u16();
        if !answer.status.is_success() {
            let deadline = tokio::time::Instant::now() + self.patience;
            let text = error_text(answer.body, deadline).await;
            let status = account.status;
            account.refuse();
            return Err(refusal::model_error(self.deployment, self.account, status, &text));
        }
        account.expect(&answer.headers);
        Ok((answer, account))
    }

    /// A time-out while the body came is one of the whole request.
    fn patient(&self, error: InvokeError) -> InvokeError {
        match error {
            InvokeError::TimedOut(_) => InvokeError::TimedOut(self.patience),
            error => error,
        }
    }
}

/// Why the whole of an answer is not there.
enum Uncollected {
    Failed(InvokeError),
    TooLarge,
    NoRoom,
}

async fn collect(
    body: ModelBody,
    limit: usize,
    memory: &Arc<Semaphore>,
    deadline: tokio::time::Instant,
) -> Result<Whole, Uncollected> {
    let mut stream = match body {
        ModelBody::Whole(bytes) if bytes.len() > limit => return Err(Uncollected::TooLarge),
        ModelBody::Whole(bytes) => return Ok(Whole { pieces: VecDeque::from([bytes]), share: None }),
        ModelBody::Stream(stream) => stream,
    };
    let mut whole = Whole::default();
    let mut length = 0;
    loop {
        let frame = match timeout_at(deadline, stream.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(Uncollected::Failed(error)),
            Ok(None) => return Ok(whole),
            Err(_) => return Err(Uncollected::Failed(InvokeError::TimedOut(Duration::ZERO))),
        };
        let Ok(data) = frame.into_data() else { continue };
        length += data.len();
        if length > limit {
            return Err(Uncollected::TooLarge);
        }
        if length > SMALL_ANSWER_BYTES {
            let more = share(memory, data.len()).ok_or(Uncollected::NoRoom)?;
            match &mut whole.share {
                Some(share) => share.merge(more),
                None => whole.share = Some(more),
            }
        }
        whole.pieces.push_back(data);
    }
}

fn share(memory: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    Arc::clone(memory).try_acquire_many_owned(u32::try_from(bytes).ok()?).ok()
}

/// The beginning of a body, as text.
async fn error_text(body: ModelBody, deadline: tokio::time::Instant) -> String {
    let mut bytes = Vec::new();
    match body {
        ModelBody::Whole(whole) => bytes.extend_from_slice(&whole[..whole.len().min(MAX_ERROR_BYTES)]),
        ModelBody::Stream(mut stream) => {
            while bytes.len() < MAX_ERROR_BYTES
                && let Ok(Some(Ok(frame))) = timeout_at(deadline, stream.frame()).await
            {
                let Some(data) = frame.data_ref() else { continue };
                bytes.extend_from_slice(&data[..data.len().min(MAX_ERROR_BYTES - bytes.len())]);
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is kept of a request to a variant until it is over: its figures, and what is captured of it.
pub(super) struct Account {
    traffic: Arc<Traffic>,
    arrival: Instant,
    asked: Instant,
    /// The model's status, once there is one.
    status: u16,
    is_counted: bool,
    record: Option<Record>,
}

/// A request that is captured.
struct Record {
    stream: Arc<CaptureStream>,
    exchange: Exchange,
    kept: usize,
}

impl Account {
    fn open(destination: &Destination<'_>, asked: &Asked, body: &Pieces, arrival: Arrival) -> Self {
        let variant = destination.variant;
        let capture = variant.capture.as_ref().filter(|capture| destination.is_captured && capture.sample());
        let record = capture.map(|stream| Record {
            stream: Arc::clone(stream),
            exchange: Exchange {
                event_id: Uuid::new_v4(),
                time: arrival.time,
                inference_id: asked.inference_id().map(str::to_owned),
                custom_attributes: asked.custom_attributes().map(str::to_owned),
                input: Payload {
                    content_type: asked.content_type().map(str::to_owned),
                    body: body.iter().map(kept).collect(),
                },
                output: Payload::default(),
                is_answered: false,
            },
            kept: 0,
        });
        Self {
            traffic: Arc::clone(&variant.traffic),
            arrival: arrival.instant,
            asked: Instant::now(),
            status: 0,
            is_counted: false,
            record,
        }
    }

    /// An answer begins.
    fn expect(&mut self, headers: &HeaderMap) {
        if let Some(record) = &mut self.record {
            record.exchange.is_answered = true;
            let content_type = headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            record.exchange.output.content_type = content_type.map(str::to_owned);
        }
    }

    /// A piece of the answer.
    pub(super) fn keep(&mut self, piece: &Bytes) {
        let Some(record) = &mut self.record else { return };
        record.kept += piece.len();
        if record.kept > MAX_CAPTURED_BYTES {
            let endpoint = record.exchange.event_id;
            tracing::warn!(%endpoint, "an answer of more than {MAX_CAPTURED_BYTES} bytes is not captured");
            self.record = None;
            return;
        }
        record.exchange.output.body.push(kept(piece));
    }

    /// The answer is there.
    pub(super) fn end(&mut self) -> Option<Written> {
        self.count(Outcome::Answered(self.status));
        let record = self.record.take()?;
        record.stream.record(record.exchange)
    }

    /// There is no answer, or no whole one.
    pub(super) fn fail(&mut self) {
        self.record = None;
        self.count(Outcome::Unanswered);
    }

    /// The answer is one that nobody gets.
    fn refuse(&mut self) {
        self.record = None;
        self.count(Outcome::Answered(self.status));
    }

    fn count(&mut self, outcome: Outcome) {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.traffic.count(outcome, self.asked.elapsed(), self.asked.duration_since(self.arrival));
        }
    }
}

impl Drop for Account {
    /// The client left before the answer had ended.
    fn drop(&mut self) {
        let outcome = if self.status == 0 { Outcome::Unanswered } else { Outcome::Answered(self.status) };
        self.count(outcome);
    }
}

/// The bytes as a record keeps them.
fn kept(piece: &Bytes) -> Bytes {
    if piece.len() <= COPIED_BYTES { Bytes::copy_from_slice(piece) } else { piece.clone() }
}
