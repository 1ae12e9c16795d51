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
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::{OnceCell, mpsc, oneshot};

use super::launch::{Ended, HostContract, Launcher, Running, Signal};

/// How long the stub may think about what it can do.
const LONGEST_PROBE: Duration = Duration::from_secs(10);

/// What the stub can do on this machine: its answer to `watchkeeper sandbox --probe`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// Whether folders can be made read-only to the program.
    pub read_only_inputs: bool,
    /// Whether the program can have a namespace of processes.
    pub process_namespace: bool,
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

    async fn abilities(&self) -> Abilities {
        *self.abilities.get_or_init(|| self.probe()).await
    }

    /// Tries all there is, then all but the namespace of processes.
    async fn probe(&self) -> Abilities {
        for arguments in [["--probe", "--processes"].as_slice(), &["--probe"]] {
            let probe = self.command().args(arguments).stdin(Stdio::null()).kill_on_drop(true).output();
            let Ok(Ok(output)) = tokio::time::timeout(LONGEST_PROBE, probe).await else { continue };
            if let Ok(abilities) = serde_json::from_slice(&output.stdout) {
                return abilities;
            }
            tracing::debug!(
                program = self.program.join(" "),
                said = %String::from_utf8_lossy(&output.stderr).trim(),
                "this machine does not permit jobs all of `sandbox {}`",
                arguments.join(" ")
            );
        }
        tracing::warn!(
            "jobs have no namespaces on this machine: their folders are not at /opt/ml, and inputs are copied"
        );
        Abilities::default()
    }
}

#[async_trait::async_trait]
impl Launcher for Sandbox {
    async fn protects_inputs(&self) -> bool {
        self.abilities().await.read_only_inputs
    }

    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running> {
        let (ours, theirs) = StandardStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(ours)?;
        let (reader, writer) = std::io::pipe()?;
        let mut command = self.command();
        if self.abilities().await.process_namespace {
            command.arg("--processes");
        }
        if contract.network_isolation {
            command.arg("--isolate-network");
        }
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
        tokio::spawn(converse(socket, child, orders, tell));
        Ok(Running { output, signals, ended })
    }
}

/// Hands signals to the stub and waits for its report. Nobody to give signals any more is the order to end everything.
async fn converse(
    socket: UnixStream,
    mut child: Child,
    mut orders: mpsc::UnboundedReceiver<Signal>,
    tell: oneshot::Sender<Ended>,
) {
    let (reader, mut writer) = socket.into_split();
    let mut reports = BufReader::new(reader).lines();
    let report = loop {
        tokio::select! {
            report = reports.next_line() => break report.ok().flatten(),
            order = orders.recv() => match order {
                Some(signal) => {
                    let mut line = serde_json::to_vec(&signal).expect("an enum of words is JSON");
                    line.push(b'\n');
                    let _ = writer.write_all(&line).await;
                }
                None => break None,
            },
        }
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
    let _ = tell.send(ended);
}
