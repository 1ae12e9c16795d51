//! Bodies of requests and answers.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

/// Any error of a body. A type of its own: boxed errors in the types of futures are beyond the compiler's inference.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) struct BodyError(Box<dyn std::error::Error + Send + Sync>);

impl BodyError {
    pub(super) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// The body of an answer.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, BodyError>;

/// An answer.
pub(super) type Answer = http::Response<AnswerBody>;

/// A body of these bytes.
pub(super) fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// How much of a body that nobody reads is taken from the client, and for how long.
const DISCARDED: usize = 32 << 20;
const DISCARDING: Duration = Duration::from_secs(10);

/// Why a body is not there.
#[derive(Debug)]
pub(super) enum Unread {
    /// It holds more than the limit.
    TooLarge,
    /// It broke off or stood still.
    Broken(BodyError),
}

/// The body of a request, or of a passed answer: it fails once nothing has come for a while.
///
/// What nobody has read when it is dropped is still taken from the client, up to a limit: one that is in the middle of
/// sending would otherwise lose the connection before it sees the answer. A client that waits for leave to send
/// (`Expect: 100-continue`) is spared that.
pub(super) struct TimedBody {
    /// None once it was dropped.
    incoming: Option<Incoming>,
    is_waited_for: bool,
    idle: Duration,
    /// Armed while a byte is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl TimedBody {
    pub(super) fn new(incoming: Incoming, headers: &http::HeaderMap, idle: Duration) -> Self {
        let is_waited_for = headers.contains_key(http::header::EXPECT);
        Self { incoming: Some(incoming), is_waited_for, idle, deadline: None }
    }

    /// All of it, up to `limit` bytes.
    pub(super) async fn read(mut self, limit: usize) -> Result<Bytes, Unread> {
        let mut all = BytesMut::new();
        let mut length = 0;
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else { continue };
            length += data.len();
            if length > limit {
                return Err(Unread::TooLarge);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(incoming).poll_frame(context) {
            this.deadline = None;
            // The client sends by now.
            this.is_waited_for = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyError::new)));
        }
        let idle = this.idle;
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(deadline.as_mut().poll(context));
        deadline.as_mut().reset(Instant::now() + idle);
        let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the body of the request stood still");
        Poll::Ready(Some(Err(BodyError::new(error))))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        let Some(incoming) = self.incoming.take().filter(|incoming| !incoming.is_end_stream()) else { return };
        if !self.is_waited_for
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(tokio::time::timeout(DISCARDING, discard(incoming)));
        }
    }
}

async fn discard(mut incoming: Incoming) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = incoming.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
