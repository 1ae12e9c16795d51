//! Credentials that a program prints: `credential_process`.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Credentials, Document, ProvideCredentials, Providing};
use crate::{Error, Result};

/// How long a program may take, which may ask somebody for a password in a window of its own. As in the SDK for Java.
const PATIENCE: Duration = Duration::from_mins(1);

/// A command line.
pub(super) struct Process {
    pub command: String,
}

/// A program that runs, ended when nobody waits for it any more.
struct Running(Arc<Mutex<Child>>);

impl Drop for Running {
    fn drop(&mut self) {
        // It is locked once its output has ended.
        let _ = self.0.try_lock().map(|mut child| child.kill());
    }
}

impl Process {
    async fn run(&self) -> Result<Credentials> {
        // What stands behind the program may be a secret.
        let program = self.command.split_whitespace().next().unwrap_or_default();
        let name = format!("the credential_process {program:?}");
        let failed = |reason: String| Error::Credentials(format!("{name} {reason}"));
        let (running, said) = self.start().map_err(|error| failed(format!("does not start: {error}")))?;
        let said = tokio::time::timeout(PATIENCE, said).await;
        let Ok(said) = said else { return Err(failed(format!("gives nothing within {} seconds", PATIENCE.as_secs()))) };
        drop(running);
        let (status, output, errors) = said
            .unwrap_or_else(|error| Err(std::io::Error::other(error)))
            .map_err(|error| failed(error.to_string()))?;
        if !status.success() {
            return Err(failed(format!("failed ({status}): {}", String::from_utf8_lossy(&errors).trim())));
        }
        Document::read(&output, &name)
    }

    /// Starts the program, and says later how it ended and what it has printed. The threads that wait for it are none of the
    /// runtime's, whose end would wait for them; its own processes would cost every user the handling of signals.
    fn start(&self) -> std::io::Result<(Running, tokio::sync::oneshot::Receiver<std::io::Result<Said>>)> {
        let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
        let mut command = Command::new(shell);
        command.args([flag, &self.command]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let child = Arc::new(Mutex::new(child));
        let running = Running(Arc::clone(&child));
        let (tell, told) = tokio::sync::oneshot::channel();
        let errors = std::thread::Builder::new().spawn(move || read(errors))?;
        std::thread::Builder::new().spawn(move || {
            let output = read(output);
            let errors = errors.join().unwrap_or_default();
            // Its output has ended, and so will it.
            let ended = match child.lock() {
                Ok(mut child) => child.wait().map(|status| (status, output, errors)),
                Err(_) => Err(std::io::Error::other("its end is not known")),
            };
            let _ = tell.send(ended);
        })?;
        Ok((running, told))
    }
}

/// How a program ended, its output and its errors.
type Said = (ExitStatus, Vec<u8>, Vec<u8>);

/// All that comes out, as far as it can be read.
fn read(output: Option<impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut output) = output {
        let _ = output.read_to_end(&mut bytes);
    }
    bytes
}

impl ProvideCredentials for Process {
    fn provide_credentials(&self) -> Providing<'_> {
        Box::pin(self.run())
    }
}
