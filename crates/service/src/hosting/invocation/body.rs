//! Bodies of answers: what a model gave, whole or in messages as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use watchkeeper_aws::protocol::event_stream;

use super::ask::Account;
use super::refusal;
use crate::hosting::capture::Written;
use crate::hosting::model::{InvokeError, ModelBody, UpstreamBody};

/// The body of an answer to an invocation. It never fails: a stream that breaks off ends with a message that says so.
pub struct AnswerBody(Kind);

enum Kind {
    Whole(Whole),
    Messages(Box<Messages>),
}

/// A body that is there.
#[derive(Default)]
pub(super) struct Whole {
    pub(super) pieces: VecDeque<Bytes>,
    /// Its share of the memory for answers, kept until it was sent.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Whole {
    pub(super) fn len(&self) -> usize {
        self.pieces.iter().map(Bytes::len).sum()
    }
}

impl AnswerBody {
    pub(super) fn whole(whole: Whole) -> Self {
        Self(Kind::Whole(whole))
    }

    pub(super) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::whole(Whole { pieces: VecDeque::from([bytes.into()]), share: None })
    }

    pub(super) fn messages(messages: Messages) -> Self {
        Self(Kind::Messages(Box::new(messages)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut self.0 {
            Kind::Whole(whole) => Poll::Ready(whole.pieces.pop_front().map(|piece| Ok(Frame::data(piece)))),
            Kind::Messages(messages) => {
                messages.poll(context).map(|message| message.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.pieces.is_empty(),
            Kind::Messages(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => SizeHint::with_exact(whole.len() as u64),
            Kind::Messages(_) => SizeHint::default(),
        }
    }
}

/// A model's answer in messages of an event stream.
pub(super) struct Messages {
    /// None once it has ended.
    upstream: Option<Source>,
    /// Messages that wait to be sent.
    waiting: VecDeque<Bytes>,
    /// How long the model may be silent.
    idle: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
    /// None once it is settled.
    account: Option<Account>,
    /// The record of the whole, which the answer does not end before.
    written: Option<Written>,
}

enum Source {
    Whole(Option<Bytes>),
    Stream(UpstreamBody),
}

impl Messages {
    pub(super) fn new(body: ModelBody, account: Account, idle: Duration) -> Self {
        let upstream = match body {
            ModelBody::Whole(bytes) => Source::Whole(Some(bytes)),
            ModelBody::Stream(stream) => Source::Stream(stream),
        };
        Self {
            upstream: Some(upstream),
            waiting: VecDeque::new(),
            idle,
            deadline: None,
            account: Some(account),
            written: None,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Poll::Ready(Some(message));
            }
            if let Some(written) = &mut self.written {
                ready!(written.as_mut().poll(context));
                self.written = None;
            }
            let Some(upstream) = &mut self.upstream else { return Poll::Ready(None) };
            match upstream.poll(context) {
                Poll::Ready(Some(Ok(piece))) => {
                    self.deadline = None;
                    self.take(piece);
                }
                Poll::Ready(Some(Err(error))) => self.fail(&error),
                Poll::Ready(None) => self.end(),
                Poll::Pending => {
                    let idle = self.idle;
                    let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(idle)));
                    ready!(deadline.as_mut().poll(context));
                    deadline.as_mut().reset(Instant::now() + idle);
                    self.fail(&refusal::stood_still(idle));
                }
            }
        }
    }

    fn take(&mut self, mut piece: Bytes) {
        if let Some(account) = &mut self.account {
            account.keep(&piece);
        }
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(event_stream::MAX_PAYLOAD_BYTES));
            self.waiting.push_back(event_stream::event("PayloadPart", "application/octet-stream", &part).into());
        }
    }

    fn fail(&mut self, error: &InvokeError) {
        self.upstream = None;
        if let Some(mut account) = self.account.take() {
            account.fail();
        }
        let (code, message) = refusal::stream_error(error);
        let payload = json!({ "Message": message, "ErrorCode": code }).to_string();
        self.waiting.push_back(event_stream::exception("ModelStreamError", payload.as_bytes()).into());
    }

    fn end(&mut self) {
        self.upstream = None;
        self.written = self.account.take().and_then(|mut account| account.end());
    }
}

impl Source {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, InvokeError>>> {
        match self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::Stream(stream) => loop {
                match ready!(Pin::new(&mut *stream).poll_frame(context)) {
                    Some(Ok(frame)) => {
                        // Trailers have no place in the stream.
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None => return Poll::Ready(None),
                }
            },
        }
    }
}
