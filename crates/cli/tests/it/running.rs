//! A program that runs until it is told to end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub(crate) struct Running {
    pub(crate) process: Child,
    /// What it says after its first line.
    pub(crate) lines: BufReader<ChildStdout>,
    /// The line in which it says where it listens.
    pub(crate) first: String,
    /// Where it listens.
    pub(crate) address: String,
}

impl Running {
    /// Starts it, and waits until it listens.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let (_, address) = first.split_once("http://").unwrap_or_else(|| panic!("{first}"));
        let address = address.split_whitespace().next().unwrap().to_owned();
        Self { process, lines, first, address }
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// What it says before it ends.
    pub(crate) fn end(mut self) -> String {
        self.send(Signal::SIGTERM);
        let mut said = String::new();
        self.lines.read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
