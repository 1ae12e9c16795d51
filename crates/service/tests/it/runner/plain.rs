//! The simplest launcher: a process group, and nothing between it and the runner. It shows that the runner needs nothing of
//! the sandbox but what the trait says, where that program is not there to be tested with.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;

use nix::sys::signal::{Signal as UnixSignal, killpg};
use nix::unistd::Pid;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot};
use watchkeeper_service::program::launch::{Ended, HostContract, Launcher, Running, Signal};

pub(crate) struct Plain;

#[async_trait::async_trait]
impl Launcher for Plain {
    async fn protects_inputs(&self) -> bool {
        false
    }

    async fn launch(&self, contract: &HostContract) -> std::io::Result<Running> {
        let (reader, writer) = std::io::pipe()?;
        let (signals, mut orders) = mpsc::unbounded_channel();
        let (tell, ended) = oneshot::channel();
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let child = Command::new(&contract.command[0])
            .args(&contract.command[1..])
            .env_clear()
            .envs(&contract.environment)
            .env("WATCHKEEPER_JOB_ROOT", &contract.root)
            .stdin(Stdio::null())
            .stdout(Stdio::from(writer.try_clone()?))
            .stderr(Stdio::from(writer))
            .process_group(0)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                let reason = format!("`{}` could not be started: {error}", contract.command[0]);
                let _ = tell.send(Ended::Refused { reason });
                return Ok(Running { output, signals, ended });
            }
        };
        let group = Pid::from_raw(child.id().unwrap().cast_signed());
        tokio::spawn(async move {
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status.unwrap(),
                    signal = orders.recv() => {
                        let signal = match signal {
                            Some(Signal::Terminate) => UnixSignal::SIGTERM,
                            Some(Signal::Kill) | None => UnixSignal::SIGKILL,
                        };
                        let _ = killpg(group, signal);
                    }
                }
            };
            let _ = killpg(group, UnixSignal::SIGKILL);
            let (status, signal) = (status.code(), status.signal());
            let _ = tell.send(Ended::Exited { status, signal, peak_memory_bytes: None });
        });
        Ok(Running { output, signals, ended })
    }
}
