//! Threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on one lane, and what it asks of model servers goes over connections of the same lane: a request
//! wakes no other thread, and each thread takes all that is ready at once, as nginx's workers do. On a runtime that shares
//! its work the wake-ups cost as much as the work of a small request (`bench/hosting.py`). What is long or touches the
//! store does not belong here: it goes to the runtime of the service.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use crate::own_wakes::OwnWakesIgnored;

/// How long what a lane still does may take when it ends.
const ENDING: Duration = Duration::from_secs(1);

type Serving = Pin<Box<dyn Future<Output = ()> + Send>>;
type Job = Box<dyn FnOnce() -> Serving + Send>;

thread_local! {
    static LANE: Cell<usize> = const { Cell::new(0) };
}

/// How many lanes a machine has.
fn number() -> usize {
    static NUMBER: OnceLock<usize> = OnceLock::new();
    *NUMBER.get_or_init(|| std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get))
}

/// How many places there are for what belongs to one lane: one for each, and one for all other threads.
pub(crate) fn places() -> usize {
    number() + 1
}

/// The place of this thread among them.
pub(crate) fn place() -> usize {
    LANE.get()
}

/// The lanes of a listener. They end when this is dropped.
pub(crate) struct Lanes {
    lanes: Vec<UnboundedSender<Job>>,
    next: AtomicUsize,
}

impl Lanes {
    /// One for each core.
    ///
    /// # Errors
    /// When the machine has no more threads or files.
    pub(crate) fn start() -> std::io::Result<Self> {
        let lane = |index: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (give, take) = unbounded_channel();
            std::thread::Builder::new().name(format!("lane-{index}")).spawn(move || {
                LANE.set(index + 1);
                runtime.block_on(work(take));
                runtime.shutdown_timeout(ENDING);
            })?;
            Ok(give)
        };
        let lanes = (0..number()).map(lane).collect::<std::io::Result<_>>()?;
        Ok(Self { lanes, next: AtomicUsize::new(0) })
    }

    /// Serves a connection on the next lane.
    pub(crate) fn serve<F>(&self, stream: TcpStream, serve: impl FnOnce(TcpStream) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        // Registered with the lane's own runtime in place of this one's.
        let stream = match stream.into_std() {
            Ok(stream) => stream,
            Err(error) => return tracing::warn!(%error, "a connection could not be taken over"),
        };
        let job: Job = Box::new(move || match TcpStream::from_std(stream) {
            Ok(stream) => Box::pin(serve(stream)),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken over");
                Box::pin(std::future::ready(()))
            }
        });
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.lanes.len();
        // A lane takes jobs as long as this is there.
        let _ = self.lanes[next].send(job);
    }
}

/// Done when a flag is raised, or nobody is left to raise it. One task alone may poll it, which it knows from the first time:
/// each connection waits so beside all that wakes it, and to register each time would lock what all connections share.
pub(crate) struct Raised {
    flag: watch::Receiver<bool>,
    waiting: BoxFuture<'static, ()>,
    is_registered: bool,
}

impl Raised {
    pub(crate) fn new(flag: watch::Receiver<bool>) -> Self {
        let mut watched = flag.clone();
        let waiting = Box::pin(async move {
            // An error is that nobody is left.
            let _ = watched.wait_for(|is_raised| *is_raised).await;
        });
        Self { flag, waiting, is_registered: false }
    }
}

impl Future for Raised {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let is_as_it_was = matches!(self.flag.has_changed(), Ok(false));
        if std::mem::replace(&mut self.is_registered, true) && is_as_it_was {
            return Poll::Pending;
        }
        self.waiting.as_mut().poll(context)
    }
}

async fn work(mut jobs: UnboundedReceiver<Job>) {
    while let Some(job) = jobs.recv().await {
        tokio::spawn(OwnWakesIgnored::new(job()));
    }
}
