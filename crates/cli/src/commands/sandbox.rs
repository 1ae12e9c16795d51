//! `watchkeeper sandbox`: the parent of one instance of a job (internal).
//!
//! The runner starts it with a socket as standard input and the job's log as output. It enters namespaces, reads what to
//! run, makes the mounts and limits, starts the program, and stays its parent: it hands signals on, and when the socket
//! closes, because the runner has gone, it ends the program and whatever that has started. It is single-threaded until the
//! program runs, because namespaces can be entered only so; all of it is done before the program is started, so that
//! nothing has to happen between fork and exec.
//!
//! Where a namespace of processes is permitted, this program starts itself anew as the first process in it: when that
//! ends, however it ends, the kernel ends all others in it; and it ends with its parent. Elsewhere it becomes the parent
//! of whatever the program leaves behind, and ends that.
//!
//! Where there are no namespaces at all (other systems, or not permitted) the job's folder cannot be at `/opt/ml`: the
//! program finds it by `WATCHKEEPER_JOB_ROOT`, and the job's log says so.

#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox/without_namespaces.rs"]
mod namespaces;
mod processes;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal as UnixSignal;
use watchkeeper_formats::contract::JOB_ROOT;
use watchkeeper_service::program::launch::{Ended, HostContract, Signal};
use watchkeeper_service::program::sandbox::Abilities;

use self::namespaces::Entered;
use self::processes::Group;
use crate::Ending;

/// Where programs find the job's folder for temporary files.
const TEMPORARY: (&str, &str) = ("TMPDIR", "/opt/ml/tmp");

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct SandboxArguments {
    /// Say what can be done on this machine, and run nothing.
    #[arg(long)]
    probe: bool,
    /// Enter a namespace of processes.
    #[arg(long)]
    processes: bool,
    /// Enter a network namespace.
    #[arg(long)]
    isolate_network: bool,
    /// Namespaces were entered by the parent; the user and group to become again, where it is root of one.
    #[arg(long, value_name = "USER:GROUP", num_args = 0..=1, default_missing_value = "")]
    inside: Option<String>,
}

pub(crate) fn run(arguments: &SandboxArguments) -> anyhow::Result<Ending> {
    // A signal to the service's terminal or group is not one to the job.
    let _ = nix::unistd::setsid();
    processes::bind_to_parents(arguments.inside.is_some());
    let entered = match &arguments.inside {
        Some(user) => Ok(Entered::by_parent(user)?),
        None => namespaces::enter(arguments.isolate_network, arguments.processes),
    };
    match entered {
        Ok(entered) if arguments.processes && arguments.inside.is_none() => {
            processes::start_inside(arguments, &entered)?;
        }
        entered if arguments.probe => probe(arguments, entered)?,
        entered => supervise(entered)?,
    }
    Ok(Ending::Fine)
}

/// Tries everything with a folder of this process's own.
fn probe(arguments: &SandboxArguments, entered: Result<Entered, String>) -> anyhow::Result<()> {
    let mut entered = entered.map_err(anyhow::Error::msg)?;
    let folder = tempfile::tempdir()?;
    entered.see_own_processes().map_err(anyhow::Error::msg)?;
    entered.protect(folder.path()).map_err(anyhow::Error::msg)?;
    entered.release(folder.path());
    entered.become_user_again().map_err(anyhow::Error::msg)?;
    let abilities = Abilities { read_only_inputs: true, process_namespace: arguments.processes };
    println(&serde_json::to_string(&abilities)?);
    Ok(())
}

/// Runs what the runner says, and reports.
fn supervise(entered: Result<Entered, String>) -> anyhow::Result<()> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut runner = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    runner.read_line(&mut line)?;
    let contract: HostContract = serde_json::from_str(&line).context("standard input is no contract of a job")?;
    let ended = match start(&contract, entered) {
        Ok(program) => watch(&program, runner)?,
        Err(reason) => Ended::Refused { reason },
    };
    report(socket, &ended);
    Ok(())
}

/// The runner may have gone: then nobody wants to know.
fn report(mut socket: UnixStream, ended: &Ended) {
    let line = serde_json::to_string(ended).expect("an enum of words and numbers is JSON");
    let _ = writeln!(socket, "{line}");
}

fn println(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Starts the program in a process group of its own; an error is for the person whose job it is.
fn start(contract: &HostContract, entered: Result<Entered, String>) -> Result<Child, String> {
    let (program, arguments) = contract.command.split_first().ok_or("there is no program to start")?;
    let mounted = prepare(contract, entered)?;
    limit(contract)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).process_group(0).env_clear();
    match mounted {
        Ok(()) => _ = command.env(TEMPORARY.0, TEMPORARY.1).envs(&contract.environment),
        Err(reason) => {
            let root = contract.root.display();
            println(&format!(
                "note: the job's folder is not at /opt/ml ({reason}): the program has to look for /opt/ml below {root}, \
                 which is in the variable {JOB_ROOT}"
            ));
            command.envs(&contract.environment).env(JOB_ROOT, &contract.root);
        }
    }
    command.spawn().map_err(|error| format!("`{program}` could not be started: {error}"))
}

/// Makes the job's file system. Ok says whether the job's folder is at `/opt/ml`, and if not why; Err says why the program
/// must not run.
fn prepare(contract: &HostContract, entered: Result<Entered, String>) -> Result<Result<(), String>, String> {
    let mut entered = match entered {
        Ok(entered) => entered,
        Err(reason) if contract.network_isolation => {
            return Err(format!("EnableNetworkIsolation needs a network namespace, and {reason}"));
        }
        Err(reason) if contract.linked => return Err(format!("the job's inputs cannot be made read-only: {reason}")),
        Err(reason) => return Ok(Err(reason)),
    };
    entered.see_own_processes()?;
    if contract.network_isolation {
        entered.start_loopback(&contract.root)?;
    }
    match entered.protect_inputs(contract) {
        Err(reason) if contract.linked => {
            return Err(format!("the job's inputs could not be made read-only: {reason}"));
        }
        Err(_) | Ok(()) => {}
    }
    let mounted = entered.mount_job_folder(&contract.root);
    entered.become_user_again()?;
    Ok(mounted)
}

/// Limits of this process are those of its children.
fn limit(contract: &HostContract) -> Result<(), String> {
    let limits = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_DATA, contract.memory_bytes),
        (Resource::RLIMIT_FSIZE, contract.file_bytes),
    ];
    for (resource, most) in limits {
        let Some(most) = most else { continue };
        let failed = |error: nix::Error| format!("the limit of {most} for {resource:?} could not be set: {error}");
        let (_, hard) = getrlimit(resource).map_err(failed)?;
        let most = most.min(hard);
        setrlimit(resource, most, most).map_err(failed)?;
    }
    Ok(())
}

/// Stays with the program until it and all it started have ended.
fn watch(program: &Child, runner: BufReader<UnixStream>) -> anyhow::Result<Ended> {
    let group = Group::of(program);
    std::thread::spawn(move || obey(runner, group));
    processes::hand_signals_on(group)?;
    Ok(group.wait()?)
}

/// Does what the runner says until it has gone, which says that nobody waits for the program any more.
fn obey(runner: BufReader<UnixStream>, group: Group) {
    for line in runner.lines() {
        let Ok(line) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Signal::Terminate) => group.send(UnixSignal::SIGTERM),
            Ok(Signal::Kill) => group.kill_all(),
            Err(_) => break,
        }
    }
    group.kill_all();
}
