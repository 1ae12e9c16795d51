//! The program and what it has started.
//!
//! The program leads a process group, which signals reach. What leaves the group, as daemons do, becomes a child of this
//! process when its own parent ends (on Linux), and is ended with the program.

use std::process::{Child, Command};

use anyhow::Context as _;

use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use watchkeeper_service::program::launch::Ended;

use super::SandboxArguments;
use super::namespaces::Entered;

/// Signals that ask a process to end.
const ENDING: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT];

/// Makes orphans of the program children of this process, and this process one that ends with its parent where `inside`
/// says that the parent is there for this process alone.
pub(super) fn bind_to_parents(inside: bool) {
    #[cfg(target_os = "linux")]
    {
        let _ = nix::sys::prctl::set_child_subreaper(true);
        if inside {
            let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = inside;
}

/// Starts this program as the first process of the namespace of processes that was entered, and waits for it. There are no
/// threads here: a process whose children are in another namespace than itself cannot have any.
pub(super) fn start_inside(arguments: &SandboxArguments, entered: &Entered) -> anyhow::Result<()> {
    let program = std::env::current_exe().context("this program's file is not known")?;
    let mut command = Command::new(program);
    command.args(["sandbox", "--processes"]).arg(format!("--inside={}", entered.user()));
    if arguments.probe {
        command.arg("--probe");
    }
    let mut signals = Signals::new(ENDING.into_iter().chain([SIGCHLD]))?;
    let mut inner = command.spawn()?;
    let process = Pid::from_raw(inner.id().cast_signed());
    for signal in signals.forever() {
        if signal != SIGCHLD {
            let _ = kill(process, Signal::try_from(signal)?);
        } else if inner.try_wait()?.is_some() {
            break;
        }
    }
    Ok(())
}

/// Hands the signals that ask this process to end to the program.
pub(super) fn hand_signals_on(group: Group) -> anyhow::Result<()> {
    let mut signals = Signals::new(ENDING)?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            group.send(Signal::try_from(signal).unwrap_or(Signal::SIGTERM));
        }
    });
    Ok(())
}

/// The group of a program that was started as its leader.
#[derive(Clone, Copy)]
pub(super) struct Group {
    leader: Pid,
}

impl Group {
    pub(super) fn of(program: &Child) -> Self {
        Self { leader: Pid::from_raw(program.id().cast_signed()) }
    }

    /// Sends a signal to the whole group; that nobody is left of it is fine.
    pub(super) fn send(self, signal: Signal) {
        let _ = killpg(self.leader, signal);
    }

    /// Ends the group, and every other child of this process.
    pub(super) fn kill_all(self) {
        self.send(Signal::SIGKILL);
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
    }

    /// Waits for the program, then ends and reaps everything that it has left.
    pub(super) fn wait(self) -> Result<Ended, Errno> {
        let (status, signal) = loop {
            match waitpid(None, None) {
                Ok(WaitStatus::Exited(pid, status)) if pid == self.leader => break (Some(status), None),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == self.leader => break (None, Some(signal as i32)),
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        };
        self.send(Signal::SIGKILL);
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) => {
                    self.kill_all();
                    let _ = waitpid(None, None);
                }
                Ok(_) | Err(Errno::EINTR) => {}
                // There are no children any more, nor can there be new ones.
                Err(_) => break,
            }
        }
        Ok(Ended::Exited { status, signal, peak_memory_bytes: peak_memory() })
    }
}

/// The largest resident memory of one of the processes that were waited for.
fn peak_memory() -> Option<u64> {
    /// Linux counts in KiB, others in bytes.
    const UNIT: u64 = if cfg!(target_os = "linux") { 1024 } else { 1 };
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    Some(u64::try_from(usage.max_rss()).ok()? * UNIT)
}

/// The processes that `/proc` shows.
pub(super) fn all_processes() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The children of this process, as far as `/proc` tells.
fn children() -> Vec<Pid> {
    let me = std::process::id().cast_signed();
    all_processes().filter(|&number| parent_of(number) == Some(me)).map(Pid::from_raw).collect()
}

/// The parent of a process.
pub(super) fn parent_of(process: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(1)?.parse().ok()
}
