//! Who a program is: where the service is root, a user of its own that owns the job's files and nothing else; else the
//! service's user.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::unistd::geteuid;
use watchkeeper_service::program::launch::{Confinement, HostContract, JOBS_FOLDER, MODELS_FOLDER};

/// Ids that belong to nobody: the range that systemd takes for users that come and go.
/// <https://systemd.io/UIDS-GIDS/>
const FIRST: u32 = 61_184;
const COUNT: u64 = 65_519 - 61_184 + 1;

/// The user and group of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Those of this process.
    Same,
    /// Its own.
    Own(u32),
}

impl Identity {
    /// The user of a job with this folder. Jobs that run at the same time have others, as far as there are enough.
    pub(super) fn choose(root: &Path) -> Self {
        let Ok(folder) = root.metadata() else { return Self::Same };
        let id = FIRST + u32::try_from(folder.ino() % COUNT).unwrap_or_default();
        if geteuid().is_root() && may_become(id) { Self::Own(id) } else { Self::Same }
    }

    pub(super) fn is_own(self) -> bool {
        self != Self::Same
    }

    pub(super) fn take_on(self, command: &mut Command) {
        if let Self::Own(id) = self {
            command.uid(id).gid(id);
        }
    }

    /// Whether it may enter a folder and all above.
    pub(super) fn gets_to(self, folder: &Path) -> bool {
        let Self::Own(id) = self else { return std::fs::read_dir(folder).is_ok() };
        let may_enter = |folder: &Metadata| folder.uid() == id || folder.mode() & 0o001 != 0;
        folder.ancestors().all(|folder| folder.metadata().is_ok_and(|folder| may_enter(&folder)))
    }

    /// Gives the job's files to the program. Links to stored bodies stay what they are; everybody may read them, who gets to
    /// them, which is through this job's folder alone.
    pub(super) fn hand_over(self, contract: &HostContract) -> Result<(), String> {
        let Self::Own(id) = self else { return Ok(()) };
        give(&contract.root, id).map_err(|error| format!("the job's files could not be given to its user: {error}"))
    }

    /// Without a file system of its own a program with its own user gets to the job's folder through the service's, and
    /// nowhere else there.
    pub(super) fn hide_from(self, contract: &HostContract, confinement: &Confinement) {
        if self == Self::Same {
            return;
        }
        let (root, hidden) = (&contract.root, &confinement.hidden);
        for folder in
            root.ancestors().skip(1).take_while(|folder| hidden.iter().any(|hidden| folder.starts_with(hidden)))
        {
            let _ = std::fs::set_permissions(folder, Permissions::from_mode(0o711));
            if !hidden.iter().any(|hidden| hidden == folder) {
                continue;
            }
            // The folders of other programs have to be passed as well; each is its program's own.
            let is_passed = |path: &Path| {
                [JOBS_FOLDER, MODELS_FOLDER].iter().any(|name| path.file_name().is_some_and(|own| own == *name))
            };
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
            for path in entries.filter(|path| !is_passed(path)) {
                let _ = close(&path);
            }
        }
    }
}

/// Leaves a file or folder to its owner.
fn close(path: &Path) -> std::io::Result<()> {
    let metadata = path.symlink_metadata()?;
    let of_others = metadata.mode() & 0o077;
    if metadata.is_symlink() || of_others == 0 {
        return Ok(());
    }
    std::fs::set_permissions(path, Permissions::from_mode(metadata.mode() & 0o700))
}

/// Gives a folder and all below to a user.
fn give(folder: &Path, id: u32) -> std::io::Result<()> {
    lchown(folder, Some(id), Some(id))?;
    std::fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, metadata) = (entry.path(), entry.metadata()?);
        if metadata.is_dir() {
            give(&path, id)?;
        } else if is_link_to_body(&metadata) {
            std::fs::set_permissions(&path, Permissions::from_mode(metadata.mode() & 0o777 | 0o444))?;
        } else {
            lchown(&path, Some(id), Some(id))?;
        }
    }
    Ok(())
}

/// A file with other names, which was not given to a program before.
fn is_link_to_body(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() > 1 && metadata.uid() < FIRST
}

/// Whether this process has an id to give, and the rights to: in a container or a user namespace root may not.
#[cfg(target_os = "linux")]
fn may_become(id: u32) -> bool {
    /// `CAP_CHOWN`, `CAP_FOWNER`, `CAP_SETGID`, `CAP_SETUID`.
    const NEEDED: u64 = 1 << 0 | 1 << 3 | 1 << 6 | 1 << 7;
    let maps = ["/proc/self/uid_map", "/proc/self/gid_map"];
    let is_mapped = maps.iter().all(|map| std::fs::read_to_string(map).is_ok_and(|map| maps_id(&map, id)));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let capabilities = effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or_default();
    is_mapped && capabilities & NEEDED == NEEDED
}

#[cfg(not(target_os = "linux"))]
fn may_become(_: u32) -> bool {
    true
}

/// Whether a map of a user namespace has an id: lines of first id inside, first outside, and how many.
#[cfg(target_os = "linux")]
fn maps_id(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        matches!(numbers[..], [inside, _, count] if (inside..inside + count).contains(&u64::from(id)))
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn ids_of_user_namespaces() {
        assert!(maps_id("         0          0 4294967295\n", 61_184));
        assert!(!maps_id("         0       1000          1\n", 61_184));
        assert!(maps_id("0 1000 1\n1 100000 65536\n", 65_519));
        assert!(!maps_id("", 0));
    }
}
