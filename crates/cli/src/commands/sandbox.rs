//! `watchkeeper sandbox`: the parent of one instance of a job (internal).
//!
//! The runner starts it with a socket as standard input and the job's log as output. It enters namespaces, reads what to
//! run, makes the file system that the program sees, sets the limits, starts the program as somebody who owns nothing else,
//! and stays its parent: it hands signals on, and when the socket closes, because the runner has gone, it ends the program
//! and whatever that has started. It is single-threaded until the program runs, because namespaces can be entered only so;
//! all of it is done before the program is started, so that nothing has to happen between fork and exec.
//!
//! Where a namespace of processes is permitted, this program starts itself anew as the first process in it: when that
//! ends, however it ends, the kernel ends all others in it; and it ends with its parent. Elsewhere it becomes the parent
//! of whatever the program leaves behind, and ends that.
//!
//! Where there are no namespaces at all (other systems, or not permitted) the job's folder cannot be at `/opt/ml`: the
//! program finds it by `WATCHKEEPER_JOB_ROOT`, sees what Landlock and its user let it see, and the job's log says so.

#[cfg(target_os = "linux")]
mod access;
mod identity;
mod limits;
#[cfg(target_os = "linux")]
mod mounts;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(not(target_os = "linux"))]
#[path = "sandbox/without_namespaces.rs"]
mod namespaces;
mod processes;
#[cfg(target_os = "linux")]
mod view;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use clap::Args;
use nix::sys::signal::Signal as UnixSignal;
use watchkeeper_formats::contract::JOB_ROOT;
use watchkeeper_service::program::launch::{Confinement, Ended, HostContract, Limits, Signal};
use watchkeeper_service::program::sandbox::Abilities;

use self::identity::Identity;
use self::limits::MemoryGuard;
use self::namespaces::Entered;
use self::processes::Group;
use crate::Ending;

/// Where programs find the job's folder for temporary files.
const TEMPORARY: (&str, &str) = ("TMPDIR", "/opt/ml/tmp");

/// Where that is without namespaces, below the job's folder.
const TEMPORARY_BELOW: &str = "opt/ml/tmp";

/// Arguments of the command.
#[allow(clippy::struct_excessive_bools)] // flags of a command line
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
    /// The program is the operator's own: only stay its parent.
    #[arg(long)]
    unconfined: bool,
    /// Enter none, for this reason.
    #[arg(long, value_name = "REASON")]
    without_namespaces: Option<String>,
    /// Namespaces were entered by the parent; the user and group to become again, where it is root of one.
    #[arg(long, value_name = "USER:GROUP", num_args = 0..=1, default_missing_value = "")]
    inside: Option<String>,
}

/// What a program is started in.
enum Surroundings {
    /// Those of the service.
    Unconfined,
    /// Namespaces of its own.
    Namespaces(Entered),
    /// Those of the service, with what can be had without namespaces, which there are not for this reason.
    WithoutNamespaces(String),
}

pub(crate) fn run(arguments: &SandboxArguments) -> anyhow::Result<Ending> {
    // A signal to the service's terminal or group is not one to the job.
    let _ = nix::unistd::setsid();
    processes::bind_to_parents(arguments.inside.is_some());
    let surroundings = surroundings(arguments)?;
    match surroundings {
        Surroundings::Namespaces(entered) if arguments.processes && arguments.inside.is_none() => {
            processes::start_inside(arguments, &entered)?;
        }
        surroundings if arguments.probe => {
            let abilities = match probe(arguments, surroundings) {
                Ok(()) => Abilities { file_system: true, process_namespace: arguments.processes, missing: None },
                Err(reason) => Abilities { missing: Some(reason), ..Abilities::default() },
            };
            println(&serde_json::to_string(&abilities)?);
        }
        surroundings => supervise(surroundings)?,
    }
    Ok(Ending::Fine)
}

fn surroundings(arguments: &SandboxArguments) -> anyhow::Result<Surroundings> {
    if arguments.unconfined {
        return Ok(Surroundings::Unconfined);
    }
    if let Some(reason) = &arguments.without_namespaces {
        return Ok(Surroundings::WithoutNamespaces(reason.clone()));
    }
    if let Some(user) = &arguments.inside {
        return Ok(Surroundings::Namespaces(Entered::by_parent(user)?));
    }
    let entered = namespaces::enter(arguments.isolate_network, arguments.processes);
    Ok(entered.map_or_else(Surroundings::WithoutNamespaces, Surroundings::Namespaces))
}

/// Makes everything for a program that does nothing.
fn probe(arguments: &SandboxArguments, surroundings: Surroundings) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    std::fs::create_dir_all(folder.path().join(TEMPORARY_BELOW)).map_err(|error| error.to_string())?;
    let contract = HostContract {
        root: folder.path().to_owned(),
        command: vec!["true".to_owned()],
        environment: std::collections::BTreeMap::new(),
        read_only: vec![TEMPORARY.1.to_owned()],
        writable: Vec::new(),
        linked: true,
        network_isolation: arguments.isolate_network,
        confinement: Some(Confinement::default()),
        limits: Limits::default(),
    };
    let Surroundings::Namespaces(entered) = surroundings else {
        let Surroundings::WithoutNamespaces(reason) = surroundings else { return Ok(()) };
        return Err(reason);
    };
    // Once there is another file system, the folder is seen by what was opened before.
    let (parent, name) = (folder.path().parent().unwrap_or(Path::new("/")), folder.path().file_name());
    let (parent, name) = (std::fs::File::open(parent).map_err(|error| error.to_string())?, name.map(ToOwned::to_owned));
    let made = enter_file_system(&contract, entered, &Confinement::default());
    let path = format!("/proc/self/fd/{}", parent.as_raw_fd());
    let _ = std::fs::remove_dir_all(Path::new(&path).join(name.unwrap_or_default()));
    made.map(|_| ())
}

/// Runs what the runner says, and reports.
fn supervise(surroundings: Surroundings) -> anyhow::Result<()> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut runner = BufReader::new(socket.try_clone()?);
    let mut line = String::new();
    runner.read_line(&mut line)?;
    let contract: HostContract = serde_json::from_str(&line).context("standard input is no contract of a job")?;
    let ended = match start(&contract, surroundings) {
        Ok(program) => watch(&program, runner, contract.limits.memory_bytes)?,
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
fn start(contract: &HostContract, surroundings: Surroundings) -> Result<Child, String> {
    let (program, arguments) = contract.command.split_first().ok_or("there is no program to start")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).process_group(0).env_clear();
    match (surroundings, &contract.confinement) {
        (Surroundings::Unconfined, _) | (_, None) => _ = command.envs(&contract.environment),
        (Surroundings::Namespaces(entered), Some(confinement)) => {
            let identity = enter_file_system(contract, entered, confinement)?;
            identity.take_on(&mut command);
            command.current_dir(starting_folder(confinement, identity));
            command.env(TEMPORARY.0, TEMPORARY.1).envs(&contract.environment);
            confine_further(contract, identity)?;
        }
        (Surroundings::WithoutNamespaces(reason), Some(confinement)) => {
            let identity = without_namespaces(contract, confinement, &reason)?;
            identity.take_on(&mut command);
            command.current_dir(starting_folder(confinement, identity));
            command.env(TEMPORARY.0, contract.root.join(TEMPORARY_BELOW));
            command.envs(&contract.environment).env(JOB_ROOT, &contract.root);
            confine_further(contract, identity)?;
        }
    }
    command.spawn().map_err(|error| format!("`{program}` could not be started: {error}"))
}

/// Where the program wants to start, if it gets there.
fn starting_folder(confinement: &Confinement, identity: Identity) -> &Path {
    let wanted = confinement.working_directory.as_deref();
    wanted
        .filter(|folder| folder.metadata().is_ok_and(|found| found.is_dir()) && identity.gets_to(folder))
        .unwrap_or(Path::new("/"))
}

/// Makes the file system that the program sees, and becomes who it is; an error says why the program must not run.
fn enter_file_system(
    contract: &HostContract,
    mut entered: Entered,
    confinement: &Confinement,
) -> Result<Identity, String> {
    entered.prepare(contract, confinement)?;
    let identity = Identity::choose(&contract.root);
    identity.hand_over(contract)?;
    if contract.network_isolation {
        entered.start_loopback(&contract.root)?;
    }
    entered.protect_inputs(contract)?;
    entered.enter_view(contract, confinement)?;
    if !entered.has_own_processes() {
        println("note: the program sees the machine's processes: it may have no namespace of its own for them here");
    }
    entered.become_user_again(identity, confinement.rootfs.is_some())?;
    keep_to_itself();
    Ok(identity)
}

/// What can be had without namespaces, and says so; an error says why the program must not run.
fn without_namespaces(contract: &HostContract, confinement: &Confinement, reason: &str) -> Result<Identity, String> {
    if contract.network_isolation {
        return Err(format!("EnableNetworkIsolation needs a network namespace, and {reason}"));
    }
    if contract.linked {
        return Err(format!("the job's inputs cannot be made read-only: {reason}"));
    }
    if confinement.rootfs.is_some() {
        return Err(format!("the unpacked image of images[].rootfs needs namespaces, and {reason}"));
    }
    let root = contract.root.display();
    println(&format!(
        "note: the job's folder is not at /opt/ml ({reason}): the program has to look for /opt/ml below {root}, which is in \
         the variable {JOB_ROOT}"
    ));
    let identity = Identity::choose(&contract.root);
    identity.hand_over(contract)?;
    identity.hide_from(contract, confinement);
    if let Some(lack) = restrict_files(contract, confinement) {
        let user = if identity.is_own() { "any user of this machine" } else { "the service's user" };
        println(&format!("note: what {user} may read, the job may read as well ({lack})"));
    }
    Ok(identity)
}

/// What namespaces do not keep from a program, where the kernel can.
fn keep_to_itself() {
    #[cfg(target_os = "linux")]
    access::keep_to_itself();
}

#[cfg(target_os = "linux")]
fn restrict_files(contract: &HostContract, confinement: &Confinement) -> Option<String> {
    access::restrict_files(contract, confinement)
}

#[cfg(not(target_os = "linux"))]
fn restrict_files(_: &HostContract, _: &Confinement) -> Option<String> {
    Some("this system has no Landlock".to_owned())
}

/// Limits of this process are those of its children.
fn confine_further(contract: &HostContract, identity: Identity) -> Result<(), String> {
    limits::set(&contract.limits, identity)?;
    #[cfg(target_os = "linux")]
    {
        use nix::sys::prctl::{set_dumpable, set_no_new_privs};
        // The program does not become somebody else, and does not look into this process, which may have its user.
        set_no_new_privs().map_err(|error| format!("privileges could not be given up: {error}"))?;
        set_dumpable(false).map_err(|error| format!("this process could not be made unreadable: {error}"))?;
    }
    Ok(())
}

/// Stays with the program until it and all it started have ended.
fn watch(program: &Child, runner: BufReader<UnixStream>, memory_bytes: Option<u64>) -> anyhow::Result<Ended> {
    let group = Group::of(program);
    std::thread::spawn(move || obey(runner, group));
    processes::hand_signals_on(group)?;
    let guard = memory_bytes.map(|most| MemoryGuard::start(most, group));
    let ended = group.wait()?;
    let over_limit = guard.and_then(MemoryGuard::found);
    Ok(over_limit.map_or(ended, |reason| Ended::OverLimit { reason }))
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
