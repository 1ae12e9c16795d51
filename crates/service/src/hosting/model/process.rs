//! Keeps the program of a model running: starts it, waits until it is ready, looks after it, and starts it again when it has
//! ended or answers no more, after a pause that grows. What it says and what becomes of it is in its log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::StatusCode;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Supervision;
use super::remote::{Stop, Watcher, until_ready};
use super::upstream::Upstream;
use crate::program::container::Container;
use crate::program::folder;
use crate::program::follow::follow;
use crate::program::launch::{Ended, HostContract, Launcher, Signal};
use crate::telemetry::program_log::ProgramLog;

/// The variable by which a model server finds its port.
pub(super) const PORT: &str = "SAGEMAKER_BIND_TO_PORT";
/// How long the end of a program's output is waited for once the program has ended.
const END_OF_OUTPUT: Duration = Duration::from_secs(10);
/// How long a program that was killed may take to be gone.
const LONGEST_KILL: Duration = Duration::from_secs(10);
/// The most bytes of what a program said last that are kept for its reason.
const LAST_BYTES: usize = 1024;

/// The program of a model.
pub(super) struct Program {
    pub(super) launcher: Arc<dyn Launcher>,
    /// What is started, but for its port; in a container the engine's command line is started in its place.
    pub(super) contract: HostContract,
    pub(super) container: Option<Container>,
    /// Removed when the program has ended for good.
    pub(super) folder: PathBuf,
    pub(super) log: ProgramLog,
    /// Where its log is found, for people.
    pub(super) log_place: String,
    pub(super) startup: Duration,
    pub(super) supervision: Supervision,
}

/// How a run of the program came to its end.
enum Outcome {
    /// Nobody wants it any more.
    Stopped,
    /// It was never ready.
    NeverReady { reason: String, port_was_taken: bool },
    /// It was ready for so long.
    Ended { reason: String, healthy: Duration },
}

type Ready = oneshot::Sender<Result<(), String>>;

/// Watches over a program until nobody wants it any more, or its first start fails. `ready` is told of that start alone.
pub(super) async fn watch_over(program: Program, mut watcher: Watcher, ready: Ready) {
    program.keep_running(&mut watcher, ready).await;
    watcher.access.not_ready("it was stopped".to_owned());
    folder::remove(&program.folder).await;
}

impl Program {
    async fn keep_running(&self, watcher: &mut Watcher, ready: Ready) {
        let mut first = Some(ready);
        let mut may_move = true;
        let mut pause = self.supervision.first_pause;
        loop {
            let reason = match self.run(watcher, &mut first).await {
                Outcome::Stopped => return,
                Outcome::NeverReady { reason, port_was_taken } => {
                    if port_was_taken && std::mem::take(&mut may_move) {
                        self.log.say("another program has taken the port meanwhile: starting on another one").await;
                        continue;
                    }
                    if let Some(first) = first.take() {
                        let _ = first.send(Err(format!("{reason}; its log is {}", self.log_place)));
                        return;
                    }
                    reason
                }
                Outcome::Ended { reason, healthy } => {
                    if healthy >= self.supervision.healthy_after {
                        pause = self.supervision.first_pause;
                    }
                    reason
                }
            };
            let text = format!("{reason}; it starts again in {} s", pause.as_secs_f64());
            watcher.access.not_ready(text.clone());
            self.log.say(&text).await;
            tokio::select! {
                _ = watcher.stopped() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(self.supervision.longest_pause);
        }
    }

    /// Runs the program once.
    async fn run(&self, watcher: &mut Watcher, first: &mut Option<Ready>) -> Outcome {
        let never_ready = |reason| Outcome::NeverReady { reason, port_was_taken: false };
        // Kept until the program has ended.
        let taken = match Port::free() {
            Ok(port) => port,
            Err(error) => return never_ready(format!("there is no free port for the program: {error}")),
        };
        let port = taken.0;
        let contract = self.contract(port);
        self.log.say(&format!("starting `{}` on port {port}", contract.command.join(" "))).await;
        let running = match self.launcher.launch(&contract).await {
            Ok(running) => running,
            Err(error) => return never_ready(format!("the program could not be started: {error}")),
        };
        let heard = Heard::new(running.output);
        let last = Arc::clone(&heard.last);
        let follower = tokio::spawn(follow(heard, self.log.clone()));
        let mut process = Process { signals: running.signals, ended: running.ended, follower, last };
        let outcome = self.attend(watcher, first, &mut process, port).await;
        if let Some(container) = &self.container {
            container.remove().await;
        }
        outcome
    }

    /// Stays with a program that was started, until it has ended.
    async fn attend(
        &self,
        watcher: &mut Watcher,
        first: &mut Option<Ready>,
        process: &mut Process,
        port: u16,
    ) -> Outcome {
        let (upstream, since, mut last) = (Upstream::local(port), Instant::now(), String::new());
        let is_ready = |status| status == StatusCode::OK;
        let limit = self.supervision.ping_timeout;
        let ready = tokio::select! {
            stop = watcher.stopped() => return self.stop(process, stop).await,
            ended = &mut process.ended => {
                let port_was_taken = is_taken(port);
                let reason = format!("{} before GET /ping was answered with 200", process.end(ended).await);
                return Outcome::NeverReady { reason, port_was_taken };
            }
            ready = timeout(self.startup, until_ready(&upstream, limit, is_ready, &mut last)) => ready,
        };
        if ready.is_err() {
            let reason = format!("the program did not answer GET /ping with 200 within {:?} ({last})", self.startup);
            self.log.say(&reason).await;
            process.stop(self.supervision.grace).await;
            return Outcome::NeverReady { reason, port_was_taken: false };
        }
        self.log.say(&format!("ready after {:.1} s", since.elapsed().as_secs_f64())).await;
        let since = Instant::now();
        let set = watcher.access.ready(&upstream);
        if first.take().is_some_and(|first| first.send(set).is_err()) {
            return self.stop(process, Stop::AtOnce).await;
        }
        let access = Arc::clone(&watcher.access);
        tokio::select! {
            stop = watcher.stopped() => self.stop(process, stop).await,
            ended = &mut process.ended => {
                access.not_ready("its program has ended".to_owned());
                Outcome::Ended { reason: process.end(ended).await, healthy: since.elapsed() }
            }
            reason = access.until_unhealthy(&upstream, &self.supervision) => {
                access.not_ready(reason.clone());
                self.log.say(&format!("{reason}: it is ended")).await;
                process.stop(self.supervision.grace).await;
                Outcome::Ended { reason: format!("the program was ended: {reason}"), healthy: since.elapsed() }
            }
        }
    }

    async fn stop(&self, process: &mut Process, stop: Stop) -> Outcome {
        self.log.say("stopping: the model is no longer wanted").await;
        let grace = if stop == Stop::Gracefully { self.supervision.grace } else { Duration::ZERO };
        process.stop(grace).await;
        Outcome::Stopped
    }

    fn contract(&self, port: u16) -> HostContract {
        let mut contract = self.contract.clone();
        if let Some(container) = &self.container {
            return contract.of_engine(container.command(Some(port)), Container::command_environment());
        }
        contract.environment.insert(PORT.to_owned(), port.to_string());
        contract
    }
}

/// A program that was started.
struct Process {
    /// When this is dropped, the program is ended.
    signals: mpsc::UnboundedSender<Signal>,
    ended: oneshot::Receiver<Ended>,
    follower: JoinHandle<()>,
    /// What it said last.
    last: Arc<Mutex<Vec<u8>>>,
}

impl Process {
    /// Asks the program to end, and ends it when it has not after a while.
    async fn stop(&mut self, grace: Duration) {
        let _ = self.signals.send(if grace.is_zero() { Signal::Kill } else { Signal::Terminate });
        if timeout(grace, &mut self.ended).await.is_err() {
            let _ = self.signals.send(Signal::Kill);
            let _ = timeout(LONGEST_KILL, &mut self.ended).await;
        }
        let _ = timeout(END_OF_OUTPUT, &mut self.follower).await;
    }

    /// How the program ended and what it said last, once all it said is in the log.
    async fn end(&mut self, ended: Result<Ended, oneshot::error::RecvError>) -> String {
        let _ = timeout(END_OF_OUTPUT, &mut self.follower).await;
        let how = match ended {
            Ok(Ended::Exited { signal: Some(signal), .. }) => format!("the program was ended by signal {signal}"),
            Ok(Ended::Exited { status: Some(status), .. }) => format!("the program ended with exit status {status}"),
            Ok(Ended::Exited { .. }) => "the program ended".to_owned(),
            Ok(Ended::Refused { reason } | Ended::OverLimit { reason } | Ended::Lost { reason }) => reason,
            Err(_) => "the launcher ended".to_owned(),
        };
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let last = String::from_utf8_lossy(&last);
        match last.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => format!("{how} (its last line: {})", line.trim()),
            None => how,
        }
    }
}

/// A port of the loopback interface, which no other program of this process gets.
struct Port(u16);

/// Ports that programs of this process have, or will have: a program may take a while to listen at its own, and another
/// that got the same would answer in its place.
static PORTS: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

impl Port {
    /// One that nobody has at this moment.
    fn free() -> std::io::Result<Self> {
        loop {
            let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            if PORTS.lock().unwrap_or_else(PoisonError::into_inner).insert(port) {
                return Ok(Self(port));
            }
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        PORTS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn is_taken(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

/// What a program says, and the last of it once more.
struct Heard<R> {
    output: R,
    last: Arc<Mutex<Vec<u8>>>,
}

impl<R> Heard<R> {
    fn new(output: R) -> Self {
        Self { output, last: Arc::default() }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Heard<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.output).poll_read(context, buffer);
        let new = &buffer.filled()[before..];
        if !new.is_empty() {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            last.extend_from_slice(&new[new.len().saturating_sub(LAST_BYTES)..]);
            let surplus = last.len().saturating_sub(LAST_BYTES);
            last.drain(..surplus);
        }
        polled
    }
}
