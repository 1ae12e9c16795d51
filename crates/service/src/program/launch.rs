//! What a launcher is: it makes processes of a job's program.
//!
//! Whatever the launcher, the contract is the same: files under the paths of the contract, variables, arguments; files,
//! an exit status and a message back. One suite of tests runs against every launcher.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// One instance of a job's program, ready to be started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostContract {
    /// The folder below which the job's `/opt/ml` lies.
    pub root: PathBuf,
    /// The executable and its arguments.
    pub command: Vec<String>,
    /// All variables of the program; it inherits none.
    pub environment: BTreeMap<String, String>,
    /// Folders of inputs, as paths of the contract: not to be written to.
    pub read_only: Vec<String>,
    /// Folders of outputs, as paths of the contract: to be written to, also below one of the former.
    pub writable: Vec<String>,
    /// Whether files of the inputs are links to what is stored, so that the program must not run unless they cannot be
    /// written to.
    pub linked: bool,
    /// Whether there is to be no network but the loopback.
    pub network_isolation: bool,
    /// The most bytes of data in memory of one process.
    pub memory_bytes: Option<u64>,
    /// The most bytes of one file.
    pub file_bytes: Option<u64>,
}

/// A program that was started. When this is dropped, the program and whatever it started are ended.
pub struct Running {
    /// What it writes to standard output and standard error, in the order in which it does.
    pub output: pipe::Receiver,
    /// What is to be done to it.
    pub signals: mpsc::UnboundedSender<Signal>,
    /// How it ends.
    pub ended: oneshot::Receiver<Ended>,
}

/// What can be done to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// Ask it to end: SIGTERM to the whole group.
    Terminate,
    /// End it and all it started: SIGKILL.
    Kill,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// It ended; what it started has ended as well.
    Exited {
        /// Its exit status; None when a signal ended it.
        status: Option<i32>,
        /// The signal that ended it.
        signal: Option<i32>,
        /// The largest resident memory of one of its processes.
        peak_memory_bytes: Option<u64>,
    },
    /// It was never started.
    Refused {
        /// Why, for the person whose job it is.
        reason: String,
    },
    /// Nobody knows how it ended.
    Lost {
        /// What is known.
        reason: String,
    },
}

/// Makes processes of a job's program.
#[async_trait::async_trait]
pub trait Launcher: Send + Sync {
    /// Whether folders of inputs are read-only to programs, so that links to stored bodies are safe there.
    async fn protects_inputs(&self) -> bool;

    /// Starts a program.
    ///
    /// # Errors
    /// When not even the attempt could be made; what is wrong with the program itself comes as [`Ended::Refused`].
    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running>;
}
