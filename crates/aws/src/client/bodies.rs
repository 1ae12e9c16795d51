//! Bodies on their way: those that are sent as they come, and those that are read as they come.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::Instant;

use super::transport::{Connection, Origin, Transport, TransportError, innermost};

/// The body of a request that is sent as it comes. An error of it ends the connection.
pub type OutgoingBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is in memory.
pub fn in_memory(body: Full<Bytes>) -> OutgoingBody {
    body.map_err(|never| match never {}).boxed_unsync()
}

/// How far a body has come: the moment of its latest piece.
#[derive(Clone)]
pub(super) struct Progress {
    start: Instant,
    milliseconds: Arc<AtomicU64>,
}

impl Default for Progress {
    fn default() -> Self {
        Self { start: Instant::now(), milliseconds: Arc::default() }
    }
}

impl Progress {
    fn note(&self) {
        let since = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.milliseconds.store(since, Ordering::Relaxed);
    }

    /// What a step gives, which may take so long after the latest piece of the body.
    pub(super) async fn in_time<T>(
        &self,
        patience: Duration,
        step: impl Future<Output = Result<T, TransportError>>,
    ) -> Result<T, TransportError> {
        let mut step = std::pin::pin!(step);
        loop {
            let latest = self.milliseconds.load(Ordering::Relaxed);
            let deadline = self.start + Duration::from_millis(latest) + patience;
            if let Ok(result) = tokio::time::timeout_at(deadline, step.as_mut()).await {
                return result;
            }
            if self.milliseconds.load(Ordering::Relaxed) == latest {
                return Err(TransportError::Timeout(patience));
            }
        }
    }
}

/// A body that notes its progress.
pub(super) struct Counted {
    body: OutgoingBody,
    progress: Progress,
}

impl Counted {
    pub(super) fn new(body: OutgoingBody, progress: Progress) -> Self {
        Self { body, progress }
    }
}

impl Body for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.progress.note();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer. Read to its end it gives its connection back; dropped before, it closes it.
pub struct Received {
    body: Incoming,
    keeper: Option<(Transport, Origin, Connection)>,
    patience: Duration,
}

impl Received {
    pub(super) fn new(body: Incoming, keeper: (Transport, Origin, Connection), patience: Duration) -> Self {
        Self { body, keeper: Some(keeper), patience }
    }

    /// The next bytes; none at the end.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, TransportError> {
        loop {
            let frame = tokio::time::timeout(self.patience, self.body.frame()).await;
            match frame.map_err(|_| TransportError::Timeout(self.patience))? {
                None => {
                    if let Some((transport, origin, connection)) = self.keeper.take() {
                        transport.keep(origin, connection);
                    }
                    return Ok(None);
                }
                Some(Err(error)) => {
                    self.keeper = None;
                    return Err(TransportError::Broken(format!("the answer broke off: {}", innermost(&error))));
                }
                Some(Ok(frame)) => {
                    if let Ok(piece) = frame.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// All bytes, of which there may be so many.
    pub async fn whole(mut self, most: usize) -> Result<Bytes, TransportError> {
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut length = 0;
        while let Some(piece) = self.piece().await? {
            length += piece.len();
            if length > most {
                return Err(TransportError::TooLong(most));
            }
            pieces.push(piece);
        }
        if let [_] = pieces.as_slice() {
            return Ok(pieces.remove(0));
        }
        let mut whole = BytesMut::with_capacity(length);
        for piece in &pieces {
            whole.extend_from_slice(piece);
        }
        Ok(whole.freeze())
    }
}
