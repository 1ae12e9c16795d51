//! Programs as children of a stub of their own, `watchkeeper sandbox`.
//!
//! The stub is a single-threaded process that this launcher starts with nothing but a socket as its standard input. It
//! reads one [`HostContract`], makes the namespaces, mounts and limits, starts the program, and reports how it ended. As
//! long as the socket is open it takes [`Signal`]s; when the socket closes, it ends the program and all it started. So
//! a service that is killed leaves nobody behind, and nothing here needs `unsafe`: what would have to happen between fork
//! and exec happens in the stub. Both sides speak JSON, one value a line.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StandardStream;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, mpsc, oneshot};

use super::launch::{Ended, HostContract, Launcher, Running, Signal};
use super::volume::Volume;

/// How long the stub may think about what it can do.
const LONGEST_PROBE: Duration = Duration::from_secs(10);

/// The longest report.
const LONGEST_REPORT: u64 = 64 << 10;

/// What the stub can do on this machine: its answer to `watchkeeper sandbox --probe`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Whether programs can have a file system of their own, with folders that are read-only to them.
    pub file_system: bool,
    /// Whether they can have a namespace of processes.
    pub process_namespace: bool,
    /// Why one of them cannot be had.
    pub missing: Option<String>,
}

/// The launcher that starts the stub.
pub struct Sandbox {
    program: Vec<String>,
    abilities: OnceCell<Abilities>,
}

impl Sandbox {
    /// With this program as the stub: an executable, and arguments before `sandbox`.
    pub fn new(program: Vec<String>) -> Self {
        Self { program, abilities: OnceCell::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program.first().map_or("watchkeeper", String::as_str));
        command.args(self.program.iter().skip(1)).arg("sandbox").env_clear();
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
    }

    async fn abilities(&self) -> &Abilities {
        self.abilities.get_or_init(|| self.probe()).await
    }

    /// Tries all there is, then all but the namespace of processes.
    async fn probe(&self) -> Abilities {
        let mut missing = Vec::new();
        for arguments in [["--probe", "--processes"].as_slice(), &["--probe"]] {
            let probe = self.command().args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
            let said = match tokio::time::timeout(LONGEST_PROBE, probe).await {
                Ok(Ok(output)) => match serde_json::from_slice::<Abilities>(&output.stdout) {
                    Ok(abilities) if abilities.file_system => {
                        let missing = missing.pop().or(abilities.missing);
                        return Abilities { missing, ..abilities };
                    }
                    Ok(abilities) => abilities.missing.unwrap_or_default(),
                    Err(_) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                },
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {LONGEST_PROBE:?}"),
            };
            tracing::debug!(said, "this machine does not permit jobs all of `sandbox {}`", arguments.join(" "));
            missing.push(said);
        }
        let missing = missing.pop();
        tracing::warn!(
            reason = missing,
            "jobs have no namespaces on this machine: their folders are not at /opt/ml, inputs are copied, and what they see \
             is limited as far as Landlock and their user permit"
        );
        Abilities { missing, ..Abilities::default() }
    }

    /// The stub's command for a program.
    async fn command_for(&self, contract: &HostContract) -> Command {
        let mut command = self.command();
        let abilities = self.abilities().await;
        if contract.confinement.is_none() {
            command.arg("--unconfined");
        } else if abilities.file_system {
            if abilities.process_namespace {
                command.arg("--processes");
            }
            if contract.network_isolation {
                command.arg("--isolate-network");
            }
        } else {
            command.arg(format!("--without-namespaces={}", abilities.missing.as_deref().unwrap_or_default()));
        }
        command
    }
}

#[async_trait::async_trait]
impl Launcher for Sandbox {
    async fn protects_inputs(&self) -> bool {
        self.abilities().await.file_system
    }

    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running> {
        let (ours, theirs) = StandardStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(ours)?;
        let (reader, writer) = std::io::pipe()?;
        let mut command = self.command_for(contract).await;
        let child = command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::from(writer.try_clone()?))
            .stderr(Stdio::from(writer))
            .spawn()?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let mut line = serde_json::to_vec(contract)?;
        line.push(b'\n');
        // A stub that could not even read says so by closing the socket, which the conversation meets.
        let _ = socket.write_all(&line).await;
        let (signals, orders) = mpsc::unbounded_channel();
        let (tell, ended) = oneshot::channel();
        let volume = Volume::of(contract);
        tokio::spawn(converse(socket, child, orders, volume, tell));
        Ok(Running { output, signals, ended })
    }
}

/// Hands signals to the stub and waits for its report. Nobody to give signals any more is the order to end everything, and
/// so is a program that fills its volume.
async fn converse(
    socket: UnixStream,
    mut child: Child,
    mut orders: mpsc::UnboundedReceiver<Signal>,
    volume: Volume,
    tell: oneshot::Sender<Ended>,
) {
    let (reader, mut writer) = socket.into_split();
    // What the stub says is one line; whatever became of it, it does not fill this process's memory.
    let mut reports = BufReader::new(reader.take(LONGEST_REPORT)).lines();
    let mut over_limit = None;
    let overflow = volume.overflow();
    tokio::pin!(overflow);
    let report = loop {
        let signal = tokio::select! {
            report = reports.next_line() => break report.ok().flatten(),
            order = orders.recv() => match order {
                Some(signal) => signal,
                None => break None,
            },
            reason = &mut overflow, if over_limit.is_none() => {
                over_limit = Some(reason);
                Signal::Kill
            }
        };
        let mut line = serde_json::to_vec(&signal).expect("an enum of words is JSON");
        line.push(b'\n');
        let _ = writer.write_all(&line).await;
    };
    drop((reports, writer));
    let ended = report.as_deref().and_then(|line| serde_json::from_str(line).ok());
    let status = child.wait().await;
    let ended = ended.unwrap_or_else(|| Ended::Lost {
        reason: match status {
            Ok(status) => format!("the process that watched over the program ended before it ({status})"),
            Err(error) => format!("the process that watched over the program was lost: {error}"),
        },
    });
    let _ = tell.send(over_limit.map_or(ended, |reason| Ended::OverLimit { reason }));
}
