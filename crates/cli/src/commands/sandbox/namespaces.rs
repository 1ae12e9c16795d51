//! Namespaces of a job on Linux.
//!
//! Inputs are made read-only where they lie, then what the program sees is made of them and of the machine, see
//! [`view`]. Who is not root does this as root of a user namespace, and becomes what he was in a second one, so that the
//! program has no rights over what was made.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid, getpid};
use watchkeeper_service::program::launch::{Confinement, HostContract};

use super::identity::Identity;
use super::mounts::{NOTHING, bind, remount};
use super::view::{self, said};

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
    let mut flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC;
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
    // What is mounted from here on is nobody else's business; what others unmount is not kept by this.
    mount(NOTHING, "/", NOTHING, MsFlags::MS_REC | MsFlags::MS_SLAVE, NOTHING)?;
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

    /// A network namespace has a loopback interface that is down.
    pub(super) fn start_loopback(&mut self, folder: &Path) -> Result<(), String> {
        start_loopback(folder).map_err(said("the loopback interface could not be started"))
    }

    /// Makes the folders of inputs read-only, and those of outputs below them writable.
    pub(super) fn protect_inputs(&mut self, contract: &HostContract) -> Result<(), String> {
        protect_inputs(contract).map_err(said("the job's inputs could not be made read-only"))
    }

    /// Makes the folders that the program gets beside those of the contract.
    pub(super) fn prepare(&mut self, contract: &HostContract, confinement: &Confinement) -> Result<(), String> {
        view::prepare(contract, confinement)
    }

    /// Makes what the program sees, and enters it.
    pub(super) fn enter_view(&mut self, contract: &HostContract, confinement: &Confinement) -> Result<(), String> {
        view::enter(contract, confinement, self.user.is_some(), self.has_own_processes())
    }

    /// Whether this is the first process of a namespace of processes.
    pub(super) fn has_own_processes(&self) -> bool {
        getpid().as_raw() == 1
    }

    /// Gives up the rights over all that: whoever is root of a user namespace becomes the user again, or root of nothing
    /// else in `as_root`; whoever becomes another user by starting the program has given them up by that.
    pub(super) fn become_user_again(self, identity: Identity, as_root: bool) -> Result<(), String> {
        let user = match (self.user, identity) {
            (_, Identity::Own(_)) => return Ok(()),
            (Some(_), Identity::Same) if as_root => (0, 0),
            (Some(user), Identity::Same) => user,
            (None, Identity::Same) => (geteuid().as_raw(), getegid().as_raw()),
        };
        let outside = if self.user.is_some() { (0, 0) } else { (geteuid().as_raw(), getegid().as_raw()) };
        let become_user = || {
            unshare(CloneFlags::CLONE_NEWUSER)?;
            map_user(user, outside)
        };
        become_user().map_err(said("the user could not be restored"))
    }
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

fn protect_inputs(contract: &HostContract) -> std::io::Result<()> {
    for input in contract.inputs() {
        mount_upon_itself(&contract.place(input), true)?;
    }
    for output in contract.outputs_in_inputs() {
        mount_upon_itself(&contract.place(output), false)?;
    }
    Ok(())
}

fn mount_upon_itself(folder: &Path, read_only: bool) -> std::io::Result<()> {
    bind(folder, folder)?;
    remount(folder, read_only)
}
