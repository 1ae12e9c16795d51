//! Bodies of requests and answers.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep, timeout, timeout_at};

use super::relay::Arriving;
use crate::pieces::{Gathering, Pieces, READ_BYTES};

/// Any error of a body. A type of its own: boxed errors in the types of futures are beyond the compiler's inference.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BodyError(Box<dyn std::error::Error + Send + Sync>);

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

/// The most bytes of all bodies that are held whole at the same time. People without a key, at 64 KiB for each of the
/// connections, do not fill it.
const BUFFERED: usize = 256 << 20;
/// How long a body waits for others to be done with.
const BUFFER_PATIENCE: Duration = Duration::from_secs(5);
/// How many times as long as it may stand still a body may take to come whole.
const WHOLE_PATIENCE: u32 = 5;

/// The bytes that bodies may still take up while they are held whole.
pub(super) struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(BUFFERED)))
    }

    /// A share for a body that somebody else reads whole, if there is room for it within a time.
    pub(super) async fn share(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Unread> {
        self.take(bytes, Instant::now() + BUFFER_PATIENCE).await
    }

    /// A share of so many bytes, as soon as others have given them back, if they do so before the deadline.
    async fn take(&self, bytes: usize, deadline: Instant) -> Result<OwnedSemaphorePermit, Unread> {
        let bytes = u32::try_from(bytes).map_err(|_| Unread::TooLarge)?;
        let permit = timeout_at(deadline, Arc::clone(&self.0).acquire_many_owned(bytes)).await;
        permit.ok().and_then(Result::ok).ok_or(Unread::NoRoom)
    }
}

/// A body that is there whole.
pub(super) struct WholeBody<B = Bytes> {
    pub(super) bytes: B,
    /// Its share of the budget, to be kept until the request is answered. None where nothing was sent.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// Why a body is not there.
#[derive(Debug)]
pub(super) enum Unread {
    /// It holds more than the limit.
    TooLarge,
    /// Others take up all the memory there is for bodies.
    NoRoom,
    /// It broke off, stood still or took too long.
    Broken(BodyError),
}

/// The body of a request, or of a passed answer: it fails once nothing has come for a while.
///
/// What nobody has read when it is dropped is still taken from the client, up to a limit: one that is in the middle of
/// sending would otherwise lose the connection before it sees the answer. A client that waits for leave to send
/// (`Expect: 100-continue`) is spared that.
#[derive(Debug)]
pub(crate) struct TimedBody {
    /// None once it was dropped.
    incoming: Option<Arriving>,
    is_waited_for: bool,
    idle: Duration,
    /// Armed while a byte is waited for.
    deadline: Option<Pin<Box<Sleep>>>,
    /// The fewest bytes that have to come in that time, and those that have come since it began.
    least: Option<(u64, Progress)>,
}

/// What has come in the time for which it was waited for.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    waited: Duration,
    waits_since: Option<Instant>,
    bytes: u64,
}

impl TimedBody {
    pub(crate) fn new(incoming: impl Into<Arriving>, headers: &HeaderMap, idle: Duration) -> Self {
        let is_waited_for = headers.contains_key(header::EXPECT);
        Self { incoming: Some(incoming.into()), is_waited_for, idle, deadline: None, least: None }
    }

    /// The same, which also fails when it comes more slowly than so many bytes a second: whoever sends a byte now and then
    /// would keep a connection for ever.
    pub(super) fn at_least(mut self, bytes_per_second: u64) -> Self {
        let bytes = bytes_per_second.saturating_mul(self.idle.as_secs());
        self.least = Some((bytes, Progress::default()));
        self
    }

    /// Whether too little has come of late. Counts what has come.
    fn is_too_slow(&mut self, came: usize) -> bool {
        let Some((least, progress)) = &mut self.least else { return false };
        progress.bytes += came as u64;
        // Time in which nobody was ready for more is not the client's.
        progress.waited += progress.waits_since.take().map_or(Duration::ZERO, |since| since.elapsed());
        if progress.waited < self.idle {
            return false;
        }
        let is_too_slow = progress.bytes < *least;
        *progress = Progress::default();
        is_too_slow
    }

    /// All of it in one piece, as [`TimedBody::read_pieces`].
    pub(super) async fn read(self, limit: usize, budget: &BodyBudget) -> Result<WholeBody, Unread> {
        let WholeBody { bytes, share } = self.read_pieces(limit, budget, |_| ()).await?;
        Ok(WholeBody { bytes: bytes.to_bytes(), share })
    }

    /// All of it, up to `limit` bytes, each piece shown as it comes. The budget gives room for the whole announced length at
    /// once, when the first of it has come: bodies that each held a part and waited for the rest would wait for each other.
    /// A length that was only announced takes nothing from others.
    pub(super) async fn read_pieces(
        mut self,
        limit: usize,
        budget: &BodyBudget,
        show: impl FnMut(&[u8]),
    ) -> Result<WholeBody<Pieces>, Unread> {
        let patience = self.idle.saturating_mul(WHOLE_PATIENCE);
        timeout(patience, self.read_slowly(limit, budget, show)).await.unwrap_or_else(|_| {
            let error = std::io::Error::new(std::io::ErrorKind::TimedOut, "the body of the request took too long");
            Err(Unread::Broken(BodyError::new(error)))
        })
    }

    async fn read_slowly(
        &mut self,
        limit: usize,
        budget: &BodyBudget,
        mut show: impl FnMut(&[u8]),
    ) -> Result<WholeBody<Pieces>, Unread> {
        let announced = self.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let mut gathering = Gathering::new(READ_BYTES);
        let mut share: Option<OwnedSemaphorePermit> = None;
        // A body without a length takes room as it comes; that long after its first piece it waits for it no more.
        let mut waits_until = None;
        while let Some(frame) = self.frame().await {
            let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else { continue };
            if data.len() > limit - gathering.len() {
                return Err(Unread::TooLarge);
            }
            let held = share.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            let needed = gathering.len() + data.len();
            if needed > held {
                let wanted = needed.max(announced.min(limit));
                let deadline = *waits_until.get_or_insert_with(|| Instant::now() + BUFFER_PATIENCE);
                let more = budget.take(wanted - held, deadline).await?;
                match &mut share {
                    Some(share) => share.merge(more),
                    None => share = Some(more),
                }
            }
            show(&data);
            gathering.push(data);
        }
        Ok(WholeBody { bytes: gathering.end(), share })
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
            if let Some(Ok(frame)) = &frame
                && this.is_too_slow(frame.data_ref().map_or(0, Bytes::len))
            {
                return Poll::Ready(Some(Err(stood_still())));
            }
            return Poll::Ready(frame);
        }
        if let Some((_, progress)) = &mut this.least {
            progress.waits_since.get_or_insert_with(Instant::now);
        }
        let idle = this.idle;
        let deadline = this.deadline.get_or_insert_with(|| Box::pin(sleep(idle)));
        ready!(deadline.as_mut().poll(context));
        deadline.as_mut().reset(Instant::now() + idle);
        Poll::Ready(Some(Err(stood_still())))
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
            runtime.spawn(timeout(DISCARDING, discard(incoming)));
        }
    }
}

/// Tells a client that waited for leave to send its body (`Expect: 100-continue`) and is refused that its connection ends: the
/// HTTP library ends it when nobody has asked for the body, and does not say so. The next request, sent on it in the meantime,
/// would get no answer.
pub(crate) fn close_if_refused(was_waiting: bool, status: StatusCode, headers: &mut HeaderMap) {
    if was_waiting && !status.is_success() {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

fn stood_still() -> BodyError {
    BodyError::new(std::io::Error::new(std::io::ErrorKind::TimedOut, "the body of the request stood still"))
}

async fn discard(mut incoming: Arriving) {
    let mut left = DISCARDED;
    while let Some(Ok(frame)) = incoming.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        let Some(rest) = left.checked_sub(length) else { return };
        left = rest;
    }
}
