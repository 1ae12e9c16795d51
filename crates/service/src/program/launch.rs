//! What a launcher is: it makes processes of a job's program.
//!
//! Whatever the launcher, the contract is the same: files under the paths of the contract, variables, arguments; files,
//! an exit status and a message back. One suite of tests runs against every launcher.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};

/// The folders of this machine that every program sees, read-only; without those of the service where one holds them.
pub const SYSTEM_FOLDERS: [&str; 11] =
    ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/etc", "/opt", "/nix", "/sys"];

/// Whether a path lies in one of them.
pub fn is_of_the_system(path: &Path) -> bool {
    SYSTEM_FOLDERS.iter().any(|folder| path.starts_with(folder))
}

/// The folders of the data directory that hold those of programs: of jobs, and of models.
pub const JOBS_FOLDER: &str = "jobs";
/// See [`JOBS_FOLDER`].
pub const MODELS_FOLDER: &str = "models";

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
    /// What the program sees of this machine. None for a program that is the operator's own, as the command line of a
    /// container engine is: it sees what the service sees, as the service's user.
    pub confinement: Option<Confinement>,
    /// What it may use up.
    pub limits: Limits,
}

/// What a program sees of this machine beside the job's folder and the system's own folders. All of it is read-only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The folder with the unpacked file system of an image that takes the place of the machine's.
    pub rootfs: Option<PathBuf>,
    /// Files and folders that it sees as well.
    pub shown: Vec<PathBuf>,
    /// Files and folders that it does not see, whatever they lie in: the service's own.
    pub hidden: Vec<PathBuf>,
    /// Where it starts, if it sees that; else at the root.
    pub working_directory: Option<PathBuf>,
    /// The home folder that its variables name: an empty one of the job's own takes its place.
    pub home: Option<PathBuf>,
}

impl HostContract {
    /// Where a path of the contract is on this machine.
    pub fn place(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// Folders of inputs alone: what is read-only at an output's own folder could not be written to.
    pub fn inputs(&self) -> impl Iterator<Item = &String> {
        self.read_only.iter().filter(|input| !self.writable.contains(input))
    }

    /// Folders of outputs below those of inputs.
    pub fn outputs_in_inputs(&self) -> impl Iterator<Item = &String> {
        self.writable.iter().filter(|&output| {
            self.read_only.iter().any(|input| Path::new(output).starts_with(input) && output != input)
        })
    }

    /// The same for the command line of a container engine, which has the job's folder, its limits and its network from
    /// arguments.
    pub(crate) fn of_engine(self, command: Vec<String>, environment: BTreeMap<String, String>) -> Self {
        let limits = Limits {
            volume_bytes: self.limits.volume_bytes,
            reserve_bytes: self.limits.reserve_bytes,
            ..Limits::default()
        };
        Self { command, environment, linked: false, network_isolation: false, confinement: None, limits, ..self }
    }
}

/// The most processes and threads of a program; what a numerical library starts on a machine of many cores is less.
const MOST_PROCESSES: u64 = 4096;
/// The most files that one of its processes may have open.
const MOST_OPEN_FILES: u64 = 65_536;

impl Limits {
    /// Those that no request changes.
    pub(crate) fn usual() -> Self {
        Self { processes: Some(MOST_PROCESSES), open_files: Some(MOST_OPEN_FILES), ..Self::default() }
    }
}

/// What a program may use up; None: nothing but the machine limits it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of data in memory of one process, and of what all its processes have in memory together.
    pub memory_bytes: Option<u64>,
    /// Bytes of one file.
    pub file_bytes: Option<u64>,
    /// Bytes of all that it has written.
    pub volume_bytes: Option<u64>,
    /// Bytes that stay free on the disk of its folder.
    pub reserve_bytes: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Open files of one process.
    pub open_files: Option<u64>,
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
    /// It was ended because it used up more than it may.
    OverLimit {
        /// What it used up, for the person whose job it is.
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
