//! A model that is a command: started for every request, gone with its answer.
//!
//! It runs in a process group of its own, which is killed as a whole when the request is given up, so that what a shell or an
//! interpreter started goes with it.

use std::process::Stdio;

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{ChildStderr, Command};

use super::{Failure, LONGEST_ANSWER, RequestHeaders, endless};

/// How much of what a command writes to standard error is kept: its end.
const KEPT_ERRORS: usize = 2000;

/// Exit statuses of a shell that finds no program, or none that it may start.
const NO_PROGRAM: [i32; 2] = [126, 127];

/// A model that is a command of the shell.
pub(in crate::predictor) struct CommandModel {
    command: String,
    headers: RequestHeaders,
}

/// Kills a process group when dropped.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

impl CommandModel {
    pub(in crate::predictor) fn new(command: &str, headers: &RequestHeaders) -> Self {
        Self { command: command.to_owned(), headers: headers.clone() }
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(&self.command);
        // As a server of CGI has them.
        command.env("CONTENT_TYPE", &self.headers.content_type).env("HTTP_ACCEPT", &self.headers.accept_type);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| Failure::Unusable(format!("the command cannot be started: {error}")))?;
        // Killed however this ends: what the command started must not outlive its request.
        let _group = Group(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw));
        let mut input = child.stdin.take().expect("standard input was asked to be a pipe");
        let output = child.stdout.take().expect("standard output was asked to be a pipe");
        let errors = child.stderr.take().expect("standard error was asked to be a pipe");
        let feed = async move {
            // A command that answers without reading all of it is none of our business.
            let _ = input.write_all(&body).await;
            let _ = input.shutdown().await;
            Ok(())
        };
        let read = async {
            let mut answer = Vec::new();
            let read = output.take(LONGEST_ANSWER as u64 + 1).read_to_end(&mut answer).await;
            // One that never ends is not waited for.
            if answer.len() > LONGEST_ANSWER { Err(endless()) } else { Ok(read.map(|_| answer)) }
        };
        let errors = async { Ok(tail(errors).await) };
        let ((), answer, errors) = tokio::try_join!(feed, read, errors)?;
        let ended = match child.wait().await {
            Ok(status) if status.success() => answer.map(Bytes::from).map_err(|error| error.to_string()),
            Ok(status) if status.code().is_some_and(|code| NO_PROGRAM.contains(&code)) => {
                return Err(Failure::Unusable(format!("the command cannot be run: {}", errors.trim())));
            }
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(error.to_string()),
        };
        ended.map_err(|status| {
            let errors = errors.trim();
            let said =
                if errors.is_empty() { "it wrote nothing to standard error".to_owned() } else { errors.to_owned() };
            Failure::Model { words: format!("the command ended with {status}: {said}"), may_pass: false }
        })
    }
}

/// The end of what comes, with no more held at a time.
async fn tail(mut pipe: ChildStderr) -> String {
    let (mut kept, mut piece) = (Vec::new(), vec![0; 8192]);
    while let Ok(read @ 1..) = pipe.read(&mut piece).await {
        kept.extend_from_slice(&piece[..read]);
        if kept.len() > 2 * KEPT_ERRORS {
            kept.drain(..kept.len() - KEPT_ERRORS);
        }
    }
    let start = kept.len().saturating_sub(KEPT_ERRORS);
    String::from_utf8_lossy(&kept[start..]).into_owned()
}
