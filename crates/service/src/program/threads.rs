//! Built-in images on threads of this process, where the service is a part of somebody else's program and there is no program
//! of ours to start.
//!
//! What a process of its own gives is missing here: there is no limit of memory, no network isolation, and a thread cannot
//! be killed. What is asked to end does so at its next safe point; killed, it counts as ended at once, and what it still does
//! until that point goes nowhere, as its folder is gone. A panic ends its job and nothing else, unless the program around it
//! is built so that panics abort.
//!
//! Programs other than the built-in images are refused. To start them as plain processes was decided against: without the
//! stub they would outlive a program that is killed.

use std::any::Any;
use std::collections::BTreeMap;
use std::io::PipeWriter;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use watchkeeper_formats::contract::JOB_ROOT;

use super::launch::{Ended, HostContract, Launcher, Running, Signal};

/// The first argument of this program when it is to be a built-in image.
const ANALYZE: &str = "analyze";
/// The number of SIGKILL.
const KILLED: i32 = 9;

/// One run of a built-in image.
pub struct Analysis {
    /// Which image: `model-monitor-analyzer`, `groundtruth-merger`, `clarify-processing`.
    pub analyzer: String,
    /// All variables of the job, `WATCHKEEPER_JOB_ROOT` among them.
    pub variables: BTreeMap<String, String>,
    /// The job's log; lines end with a line feed. Who writes waits until what was written before is stored.
    pub output: PipeWriter,
    /// Whether it shall end at the next safe point.
    pub stopped: Arc<AtomicBool>,
}

/// Carries out an analysis; tells whether it ended well. It leaves files and messages as a process of the image would.
pub type Analyze = Arc<dyn Fn(&Analysis) -> bool + Send + Sync>;

/// The launcher that starts threads.
pub struct Threads {
    /// What the commands of built-in images begin with.
    program: Vec<String>,
    analyze: Analyze,
}

impl Threads {
    /// With what carries out analyses, and what the commands of built-in images begin with.
    pub fn new(program: Vec<String>, analyze: Analyze) -> Self {
        Self { program, analyze }
    }

    /// The analyzer that a contract asks for; an error is for the person whose job it is.
    fn analyzer(&self, contract: &HostContract) -> Result<String, String> {
        let arguments = contract.command.strip_prefix(self.program.as_slice()).unwrap_or_default();
        let analyzer = match arguments {
            [analyze, analyzer] if analyze == ANALYZE => analyzer,
            _ => {
                return Err(format!(
                    "`{}` cannot be started: a service within another program runs the built-in images only, so start \
                 `watchkeeper serve` for this one",
                    contract.command.join(" ")
                ));
            }
        };
        if contract.network_isolation {
            return Err(
                "EnableNetworkIsolation needs a process of its own, and a service within another program starts none: leave \
                 it out, or start `watchkeeper serve`"
                    .to_owned(),
            );
        }
        Ok(analyzer.clone())
    }
}

#[async_trait::async_trait]
impl Launcher for Threads {
    /// Nothing keeps a user's script from writing to inputs.
    async fn protects_inputs(&self) -> bool {
        false
    }

    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running> {
        let (reader, writer) = std::io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let (signals, orders) = mpsc::unbounded_channel();
        let (tell, ended) = oneshot::channel();
        let analyzer = match self.analyzer(contract) {
            Ok(analyzer) => analyzer,
            Err(reason) => {
                let _ = tell.send(Ended::Refused { reason });
                return Ok(Running { output, signals, ended });
            }
        };
        let mut variables = contract.environment.clone();
        variables.insert(JOB_ROOT.to_owned(), contract.root.display().to_string());
        let stopped = Arc::new(AtomicBool::new(false));
        let name = analyzer.clone();
        let analysis = Analysis { analyzer, variables, output: writer, stopped: Arc::clone(&stopped) };
        let analyze = Arc::clone(&self.analyze);
        let (report, reported) = oneshot::channel();
        // Nobody waits for it by joining: the runner learns of its end by the report, and may have to do without.
        std::thread::Builder::new().name(name).spawn(move || {
            let ended = carry_out(&analyze, &analysis);
            // The log is complete once the pipe is closed, which has to be before anybody hears of the end.
            drop(analysis);
            let _ = report.send(ended);
        })?;
        tokio::spawn(converse(orders, stopped, reported, tell));
        Ok(Running { output, signals, ended })
    }
}

/// Runs an analysis to its end, whatever that is.
fn carry_out(analyze: &Analyze, analysis: &Analysis) -> Ended {
    // What a panic left behind is in the job's folder and nowhere else, and that goes with the job.
    match catch_unwind(AssertUnwindSafe(|| analyze(analysis))) {
        Ok(well) => Ended::Exited { status: Some(i32::from(!well)), signal: None, peak_memory_bytes: None },
        Err(panic) => Ended::Lost { reason: format!("the analyzer failed: {}", message(&*panic)) },
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without a message")
}

/// Hands orders on and waits for the end. Nobody to give orders any more is the order to end everything.
async fn converse(
    mut orders: mpsc::UnboundedReceiver<Signal>,
    stopped: Arc<AtomicBool>,
    mut reported: oneshot::Receiver<Ended>,
    tell: oneshot::Sender<Ended>,
) {
    let killed = Ended::Exited { status: None, signal: Some(KILLED), peak_memory_bytes: None };
    let ended = loop {
        tokio::select! {
            ended = &mut reported => {
                break ended.unwrap_or_else(|_| Ended::Lost { reason: "the thread of the analyzer ended".to_owned() });
            }
            order = orders.recv() => {
                stopped.store(true, Ordering::Relaxed);
                match order {
                    Some(Signal::Terminate) => {}
                    Some(Signal::Kill) | None => break killed,
                }
            }
        }
    };
    let _ = tell.send(ended);
}
