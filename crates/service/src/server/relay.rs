//! Bodies that come in on one lane and are used on the runtime of the service.
//!
//! The HTTP library hands a body over piece by piece, each only when the last was taken: between two threads that is two
//! wake-ups for every 64 KiB, which take longer than to store them. Here a task of the lane takes the pieces, and hands on
//! together what has come while the other side was busy.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::{mpsc, oneshot};

use super::body::BodyError;
use crate::own_wakes::taking;

/// Bodies of fewer bytes come in one piece or a few.
const LEAST_BYTES: u64 = 256 << 10;
/// The most bytes that wait for the other side, and as many may be on their way there.
const MOST_WAITING: usize = 512 << 10;

type Piece = Result<Frame<Bytes>, BodyError>;

/// What has come of a body since the last time.
#[derive(Debug, Default)]
struct Batch {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// Whether nothing follows. A relay that ends without having said so has been broken off.
    is_last: bool,
}

/// The body of a request.
#[derive(Debug)]
pub(crate) enum Arriving {
    /// From this thread's own connections, or a small one.
    Direct(Incoming),
    /// Through a task of the lane.
    Relayed(Relayed),
}

/// The end of a relay.
#[derive(Debug)]
pub(crate) struct Relayed {
    /// Told once that the body is asked for: a client may wait for leave to send it.
    begin: Option<oneshot::Sender<()>>,
    sent: mpsc::Receiver<Batch>,
    batch: Batch,
    size: SizeHint,
}

impl Arriving {
    /// The same body for another runtime than this one, on which its connection is.
    pub(super) fn relayed(incoming: Incoming) -> Self {
        let size = incoming.size_hint();
        if size.upper().is_some_and(|bytes| bytes < LEAST_BYTES) {
            return Self::Direct(incoming);
        }
        let (begin, begun) = oneshot::channel();
        let (send, sent) = mpsc::channel(1);
        tokio::spawn(relay(incoming, begun, send));
        Self::Relayed(Relayed { begin: Some(begin), sent, batch: Batch::default(), size })
    }
}

impl From<Incoming> for Arriving {
    fn from(incoming: Incoming) -> Self {
        Self::Direct(incoming)
    }
}

/// Takes a body as it comes, until it ends or nobody wants it any more.
async fn relay(mut incoming: Incoming, begun: oneshot::Receiver<()>, send: mpsc::Sender<Batch>) {
    if begun.await.is_err() {
        return;
    }
    let mut batch = Batch::default();
    loop {
        tokio::select! {
            biased;
            frame = incoming.frame(), if !batch.is_last && batch.bytes < MOST_WAITING => batch.add(frame),
            place = send.reserve(), if !batch.pieces.is_empty() || batch.is_last => {
                let Ok(place) = place else { return };
                let is_last = batch.is_last;
                place.send(std::mem::take(&mut batch));
                if is_last {
                    return;
                }
            }
            () = send.closed() => return,
        }
    }
}

impl Batch {
    fn add(&mut self, frame: Option<Result<Frame<Bytes>, hyper::Error>>) {
        self.is_last = !matches!(frame, Some(Ok(_)));
        if let Some(frame) = frame {
            self.bytes += frame.as_ref().ok().and_then(Frame::data_ref).map_or(0, Bytes::len);
            self.pieces.push_back(frame.map_err(BodyError::new));
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut *self {
            Self::Direct(incoming) => {
                let (polled, was_ignored) = taking(context, |context| Pin::new(&mut *incoming).poll_frame(context));
                if was_ignored && !incoming.is_end_stream() {
                    context.waker().wake_by_ref();
                }
                polled.map_err(BodyError::new)
            }
            Self::Relayed(relayed) => relayed.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Direct(incoming) => incoming.is_end_stream(),
            Self::Relayed(relayed) => relayed.batch.is_last && relayed.batch.pieces.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Direct(incoming) => incoming.size_hint(),
            Self::Relayed(relayed) => relayed.size,
        }
    }
}

impl Relayed {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(begin) = self.begin.take() {
            // Where there is no task any more, there are no pieces either.
            let _ = begin.send(());
        }
        while self.batch.pieces.is_empty() && !self.batch.is_last {
            self.batch = ready!(self.sent.poll_recv(context)).unwrap_or_else(broken_off);
        }
        let piece = self.batch.pieces.pop_front();
        // What is still to come is what was announced, less what has come.
        if let (Some(Ok(frame)), Some(left)) = (&piece, self.size.exact()) {
            let came = frame.data_ref().map_or(0, |data| data.len() as u64);
            self.size.set_exact(left.saturating_sub(came));
        }
        Poll::Ready(piece)
    }
}

fn broken_off() -> Batch {
    let error = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the connection ended");
    Batch { pieces: VecDeque::from([Err(BodyError::new(error))]), bytes: 0, is_last: true }
}
