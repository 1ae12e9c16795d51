//! Namespaces and mounts of a job on Linux.
//!
//! Inputs are made read-only where they lie, then the job's folder is mounted at `/opt/ml`. Where that does not exist, a
//! file system in memory takes the place of `/opt`, with all that was there. Who is not root does this as root of a user
//! namespace, and becomes what he was in a second one, so that the program sees the user it is run by.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{getegid, geteuid, getpid};
use watchkeeper_service::program::launch::HostContract;

const JOB_FOLDER: &str = "/opt/ml";
const NOTHING: Option<&str> = None;

/// The namespaces that this process, or its parent for it, has entered.
pub(super) struct Entered {
    /// Who this process was before it became root of a user namespace.
    user: Option<(u32, u32)>,
}

/// Enters a mount namespace, and those that are wanted, as root of a user namespace where that is needed. The first child
/// of this process is the first process of a namespace of processes. An error says why not.
pub(super) fn enter(network: bool, processes: bool) -> Result<Entered, String> {
    try_to_enter(network, processes).map_err(|error| {
        format!(
            "namespaces are not permitted ({error}): run the service as root, or allow user namespaces (sysctl \
             user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
        )
    })
}

fn try_to_enter(network: bool, processes: bool) -> Result<Entered, Errno> {
    let mut flags = CloneFlags::CLONE_NEWNS;
    flags.set(CloneFlags::CLONE_NEWNET, network);
    flags.set(CloneFlags::CLONE_NEWPID, processes);
    let user = match unshare(flags) {
        Ok(()) => None,
        Err(Errno::EPERM) => {
            let user = (geteuid().as_raw(), getegid().as_raw());
            unshare(CloneFlags::CLONE_NEWUSER)?;
            map_user((0, 0), user)?;
            unshare(flags)?;
            Some(user)
        }
        Err(error) => return Err(error),
    };
    // What is mounted from here on is nobody else's business.
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NOTHING)?;
    Ok(Entered { user })
}

// That the namespaces were entered is what the value says.
#[allow(clippy::unused_self)]
impl Entered {
    /// Those that the parent has entered, by the text of its [`Self::user`].
    pub(super) fn by_parent(user: &str) -> anyhow::Result<Self> {
        if user.is_empty() {
            return Ok(Self { user: None });
        }
        let (user, group) = user.split_once(':').context("a user is written USER:GROUP")?;
        Ok(Self { user: Some((user.parse()?, group.parse()?)) })
    }

    /// The user to become again, as text.
    pub(super) fn user(&self) -> String {
        self.user.map(|(user, group)| format!("{user}:{group}")).unwrap_or_default()
    }

    /// The first process of a namespace of processes gives it a `/proc`.
    pub(super) fn see_own_processes(&mut self) -> Result<(), String> {
        if getpid().as_raw() != 1 {
            return Ok(());
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(Some("proc"), "/proc", Some("proc"), flags, NOTHING).map_err(said("/proc could not be mounted"))
    }

    /// A network namespace has a loopback interface that is down.
    pub(super) fn start_loopback(&mut self, folder: &Path) -> Result<(), String> {
        start_loopback(folder).map_err(said("the loopback interface could not be started"))
    }

    /// Makes a folder read-only.
    pub(super) fn protect(&mut self, folder: &Path) -> Result<(), String> {
        make_read_only(folder).map_err(said("a folder could not be made read-only"))
    }

    /// Undoes [`Self::protect`].
    pub(super) fn release(&mut self, folder: &Path) {
        let _ = umount2(folder, MntFlags::MNT_DETACH);
    }

    /// Makes the folders of inputs read-only, and those of outputs below them writable.
    pub(super) fn protect_inputs(&mut self, contract: &HostContract) -> Result<(), String> {
        protect_inputs(contract).map_err(|error| error.to_string())
    }

    /// Mounts the job's folder at `/opt/ml`.
    pub(super) fn mount_job_folder(&mut self, root: &Path) -> Result<(), String> {
        mount_job_folder(root).map_err(|error| error.to_string())
    }

    /// Ends being root of a user namespace.
    pub(super) fn become_user_again(self) -> Result<(), String> {
        let Some(user) = self.user else { return Ok(()) };
        let become_user = || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            map_user(user, (0, 0))
        };
        become_user().map_err(said("the user could not be restored"))
    }
}

/// For `map_err`: what could not be done, and why.
fn said<E: Display>(what: &'static str) -> impl FnOnce(E) -> String {
    move |error| format!("{what}: {error}")
}

/// User and group inside the new user namespace, and what they are outside.
fn map_user(inside: (u32, u32), outside: (u32, u32)) -> Result<(), Errno> {
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/self/{file}"), text)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)))
    };
    // Without this, the map of groups is refused; in a second namespace it is already so.
    let _ = write("setgroups", "deny".to_owned());
    write("uid_map", format!("{} {} 1", inside.0, outside.0))?;
    write("gid_map", format!("{} {} 1", inside.1, outside.1))
}

/// The flags of the loopback interface are a file of a `sysfs` of that namespace.
fn start_loopback(folder: &Path) -> Result<(), std::io::Error> {
    const UP_AND_LOOPBACK: &str = "0x9";
    let system = folder.join("sys");
    fs::create_dir_all(&system)?;
    mount(Some("sysfs"), &system, Some("sysfs"), MsFlags::empty(), NOTHING)?;
    let started = fs::write(system.join("class/net/lo/flags"), UP_AND_LOOPBACK);
    umount2(&system, MntFlags::MNT_DETACH)?;
    fs::remove_dir(&system)?;
    started
}

fn protect_inputs(contract: &HostContract) -> Result<(), Errno> {
    let place = |path: &String| contract.root.join(path.trim_start_matches('/'));
    // What is read-only at an output's own folder could not be written to.
    for input in contract.read_only.iter().filter(|input| !contract.writable.contains(input)) {
        make_read_only(&place(input))?;
    }
    let is_covered = |output: &&String| {
        contract.read_only.iter().any(|input| Path::new(*output).starts_with(input) && *output != input)
    };
    for output in contract.writable.iter().filter(is_covered) {
        bind(&place(output), &place(output))?;
        remount(&place(output), false)?;
    }
    Ok(())
}

fn make_read_only(folder: &Path) -> Result<(), Errno> {
    bind(folder, folder)?;
    remount(folder, true)
}

fn bind(from: &Path, to: &Path) -> Result<(), Errno> {
    mount(Some(from), to, NOTHING, MsFlags::MS_BIND | MsFlags::MS_REC, NOTHING)
}

/// Changes whether a mount can be written to. Its other flags stay as they are: in a user namespace they have to.
fn remount(folder: &Path, read_only: bool) -> Result<(), Errno> {
    let now = statvfs(folder)?.flags();
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    flags.set(MsFlags::MS_RDONLY, read_only);
    flags.set(MsFlags::MS_NOSUID, now.contains(FsFlags::ST_NOSUID));
    flags.set(MsFlags::MS_NODEV, now.contains(FsFlags::ST_NODEV));
    flags.set(MsFlags::MS_NOEXEC, now.contains(FsFlags::ST_NOEXEC));
    flags.set(MsFlags::MS_NOATIME, now.contains(FsFlags::ST_NOATIME));
    flags.set(MsFlags::MS_NODIRATIME, now.contains(FsFlags::ST_NODIRATIME));
    flags.set(MsFlags::MS_RELATIME, now.contains(FsFlags::ST_RELATIME));
    mount(NOTHING, folder, NOTHING, flags, NOTHING)
}

/// Mounts the job's folder at `/opt/ml`.
fn mount_job_folder(root: &Path) -> Result<(), std::io::Error> {
    let job_folder = Path::new(JOB_FOLDER);
    match fs::metadata(job_folder) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => make_place(root)?,
        Err(error) => return Err(error),
    }
    bind(&root.join(JOB_FOLDER.trim_start_matches('/')), job_folder)?;
    Ok(())
}

/// Puts a file system in memory in the place of `/opt`, with `ml` and all that was there.
fn make_place(root: &Path) -> Result<(), std::io::Error> {
    let opt = Path::new("/opt");
    let before = root.join("opt-before");
    fs::create_dir_all(&before)?;
    bind(opt, &before)?;
    mount(Some("tmpfs"), opt, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some("mode=755"))?;
    for entry in fs::read_dir(&before)? {
        let entry = entry?;
        let (from, to) = (entry.path(), opt.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(&to)?;
        } else {
            fs::write(&to, "")?;
        }
        bind(&from, &to)?;
    }
    fs::create_dir(JOB_FOLDER)?;
    umount2(&before, MntFlags::MNT_DETACH)?;
    fs::remove_dir(&before)
}
