//! A model server that speaks HTTP: whether it can be asked, and asking it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};

use super::upstream::{RequestBody, Upstream};
use super::{InvokeError, ModelAnswer, ModelBody, ModelRequest, Supervision};
use crate::pieces::Pieces;
use crate::telemetry::program_log::ProgramLog;

const PING: &str = "/ping";
const INVOCATIONS: &str = "/invocations";
/// The times between two looks at whether a server that starts is ready: the first and the longest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// The most bytes of an answer to a ping.
const LARGEST_PING: usize = 64 << 10;

/// A model server behind HTTP, and the task that watches over it. The task ends what it has started when it is asked to by
/// [`Remote::stop`], and when this is dropped.
pub(super) struct Remote {
    access: Arc<Access>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<()>,
}

/// What requests and the task that watches over the server share.
pub(super) struct Access {
    state: RwLock<State>,
    /// Whether a request was answered since the last ping: a sign of life as good as a ping.
    answered: AtomicBool,
}

enum State {
    NotReady(String),
    Ready(Arc<Target>),
}

/// Where a server is asked.
struct Target {
    upstream: Upstream,
    invocations: Uri,
}

/// How a task is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody waits for it.
    Gracefully,
    /// Nobody is there any more.
    AtOnce,
}

/// What the task of a [`Remote`] has of it.
pub(super) struct Watcher {
    pub(super) access: Arc<Access>,
    stop: watch::Receiver<bool>,
    /// When this goes, the task has ended.
    _ended: watch::Sender<()>,
}

impl Remote {
    /// A server that is not ready yet, and what the task that watches over it needs.
    pub(super) fn new() -> (Self, Watcher) {
        let state = RwLock::new(State::NotReady("it has not started yet".to_owned()));
        let access = Arc::new(Access { state, answered: AtomicBool::new(false) });
        let (stop, stopped) = watch::channel(false);
        let (end, ended) = watch::channel(());
        let watcher = Watcher { access: Arc::clone(&access), stop: stopped, _ended: end };
        (Self { access, stop, ended }, watcher)
    }

    pub(super) async fn ask(&self, request: ModelRequest) -> Result<ModelAnswer, InvokeError> {
        let target = self.access.target()?;
        let mut asked = Request::new(RequestBody::from(request.body));
        *asked.method_mut() = Method::POST;
        *asked.uri_mut() = target.invocations.clone();
        *asked.headers_mut() = request.headers;
        let (head, body) = target.upstream.send(asked).await?.into_parts();
        self.access.answered.store(true, Ordering::Relaxed);
        Ok(ModelAnswer { status: head.status, headers: head.headers, body: ModelBody::Stream(body) })
    }

    /// Ends what was started, and waits for that.
    pub(super) async fn stop(&self) {
        self.stop.send_replace(true);
        // The other side is dropped when the task ends; nothing is ever sent.
        let _ = self.ended.clone().changed().await;
    }
}

impl Access {
    fn target(&self) -> Result<Arc<Target>, InvokeError> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Ready(target) => Ok(Arc::clone(target)),
            State::NotReady(reason) => Err(InvokeError::NotReady(reason.clone())),
        }
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
    }

    /// From now on the server is asked here.
    pub(super) fn ready(&self, upstream: &Upstream) -> Result<(), String> {
        let invocations = upstream.uri(INVOCATIONS).map_err(|error| format!("{}: {error}", upstream.address()))?;
        self.set(State::Ready(Arc::new(Target { upstream: upstream.clone(), invocations })));
        Ok(())
    }

    /// From now on requests are refused.
    pub(super) fn not_ready(&self, reason: String) {
        self.set(State::NotReady(reason));
    }

    /// Returns when a server that was ready has missed too many pings in a row, with what is wrong.
    pub(super) async fn until_unhealthy(&self, upstream: &Upstream, supervision: &Supervision) -> String {
        let mut misses = 0;
        loop {
            sleep(supervision.ping_interval).await;
            if self.answered.swap(false, Ordering::Relaxed) {
                misses = 0;
                continue;
            }
            match ping(upstream, supervision.ping_timeout).await {
                Ok(StatusCode::OK) => misses = 0,
                other => {
                    misses += 1;
                    if misses >= supervision.misses {
                        return format!("{misses} pings in a row had no answer 200, the last: {}", told(&other));
                    }
                }
            }
        }
    }
}

impl Watcher {
    /// Returns when the server is no longer wanted.
    pub(super) async fn stopped(&mut self) -> Stop {
        match self.stop.wait_for(|stop| *stop).await {
            Ok(_) => Stop::Gracefully,
            Err(_) => Stop::AtOnce,
        }
    }
}

/// `GET /ping`: the status of its answer, or why there is none.
async fn ping(upstream: &Upstream, limit: Duration) -> Result<StatusCode, String> {
    let mut request = Request::new(RequestBody::from(Pieces::default()));
    *request.uri_mut() = upstream.uri(PING).map_err(|error| error.to_string())?;
    let asking = async {
        let answer = upstream.send(request).await.map_err(|error| error.to_string())?;
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        let _ = Limited::new(answer.into_body(), LARGEST_PING).collect().await;
        Ok(status)
    };
    timeout(limit, asking).await.unwrap_or_else(|_| Err(format!("no answer within {limit:?}")))
}

fn told(ping: &Result<StatusCode, String>) -> String {
    match ping {
        Ok(status) => format!("status {}", status.as_u16()),
        Err(reason) => reason.clone(),
    }
}

/// Asks for `/ping` again and again until its answer is as wanted. What came last is in `last`, for when this is given up.
pub(super) async fn until_ready(
    upstream: &Upstream,
    limit: Duration,
    is_wanted: impl Fn(StatusCode) -> bool,
    last: &mut String,
) {
    let (mut pause, longest) = LOOKS;
    loop {
        let answer = ping(upstream, limit).await;
        *last = told(&answer);
        if answer.is_ok_and(&is_wanted) {
            return;
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(longest);
    }
}

/// A server that runs elsewhere has its own idea of health: `BentoML` and `KServe` answer 404 to `/ping`.
fn is_alive(status: StatusCode) -> bool {
    status.is_success() || status.is_client_error()
}

/// Watches over a server that runs elsewhere. It cannot be started again, so it is always asked; its log says when it stops
/// answering.
pub(super) async fn watch_url(
    mut watcher: Watcher,
    upstream: Upstream,
    log: ProgramLog,
    startup: Duration,
    supervision: Supervision,
    ready: oneshot::Sender<Result<(), String>>,
) {
    let address = upstream.address();
    log.say(&format!("waiting for the model at {address} to answer GET {PING}")).await;
    let (since, mut last) = (Instant::now(), String::new());
    let came = tokio::select! {
        _ = watcher.stopped() => return,
        came = timeout(startup, until_ready(&upstream, supervision.ping_timeout, is_alive, &mut last)) => came.is_ok(),
    };
    if !came {
        let reason = format!("the model at {address} did not answer GET {PING} within {startup:?}: {last}");
        log.say(&reason).await;
        let _ = ready.send(Err(reason));
        return;
    }
    log.say(&format!("ready after {:.1} s", since.elapsed().as_secs_f64())).await;
    let set = watcher.access.ready(&upstream);
    if ready.send(set).is_err() {
        return;
    }
    let access = Arc::clone(&watcher.access);
    tokio::select! {
        _ = watcher.stopped() => {}
        () = note_health(&access, &upstream, &log, &supervision) => {}
    }
    access.not_ready("it was stopped".to_owned());
}

async fn note_health(access: &Access, upstream: &Upstream, log: &ProgramLog, supervision: &Supervision) {
    let mut was_alive = true;
    loop {
        sleep(supervision.ping_interval).await;
        let answered = access.answered.swap(false, Ordering::Relaxed);
        let answer = if answered { Ok(StatusCode::OK) } else { ping(upstream, supervision.ping_timeout).await };
        let lives = matches!(answer, Ok(status) if is_alive(status));
        if lives != was_alive {
            let text = if lives { "answers again".to_owned() } else { format!("does not answer: {}", told(&answer)) };
            log.say(&format!("the model at {} {text}", upstream.address())).await;
            was_alive = lives;
        }
    }
}
