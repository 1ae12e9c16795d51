//! What a program may use up: the kernel's limits of processes, and a look at what all of them have in memory together, which
//! no limit of the kernel bounds without a control group.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use watchkeeper_service::program::launch::Limits;

use super::identity::Identity;
use super::processes::{Group, all_processes, parent_of};

/// The time between two looks at the memory.
const LOOK: Duration = Duration::from_millis(250);

/// Sets the limits of this process, which its children have from it.
pub(super) fn set(limits: &Limits, identity: Identity) -> Result<(), String> {
    let Limits { memory_bytes, file_bytes, processes, open_files, .. } = *limits;
    // The kernel counts all processes of a user.
    let of_the_user = if identity.is_own() { 0 } else { threads_of_this_user() };
    let limits = [
        (Resource::RLIMIT_CORE, Some(0)),
        (Resource::RLIMIT_DATA, memory_bytes),
        (Resource::RLIMIT_FSIZE, file_bytes),
        (Resource::RLIMIT_NPROC, processes.map(|most| most + of_the_user)),
        (Resource::RLIMIT_NOFILE, open_files),
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

/// The threads that this user has, as far as they can be seen from here.
fn threads_of_this_user() -> u64 {
    let user = nix::unistd::getuid().to_string();
    let threads = |process: i32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        (field("Uid:") == Some(&user)).then(|| field("Threads:")?.parse::<u64>().ok())?
    };
    all_processes().filter_map(threads).sum()
}

/// Ends a program whose processes have more in memory together than they may.
pub(super) struct MemoryGuard {
    found: Arc<Mutex<Option<String>>>,
}

impl MemoryGuard {
    pub(super) fn start(most: u64, group: Group) -> Self {
        let found = Arc::new(Mutex::new(None));
        let telling = Arc::clone(&found);
        std::thread::spawn(move || {
            while resident_bytes() <= most || shared_out_bytes() <= most {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "without a control group no event tells that memory was taken"
                )]
                std::thread::sleep(LOOK);
            }
            let reason = format!(
                "the job was ended because its processes have more in memory than the {} MiB of its instance type: ask for \
                 a larger one",
                most >> 20
            );
            *telling.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
            group.kill_all();
        });
        Self { found }
    }

    /// Why it ended the program, if it has.
    pub(super) fn found(self) -> Option<String> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What the program's processes have in memory; what they share counts for each.
fn resident_bytes() -> u64 {
    descendants().into_iter().filter_map(resident_bytes_of).sum()
}

fn resident_bytes_of(process: i32) -> Option<u64> {
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096);
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * page.unsigned_abs())
}

/// The same, with what is shared parted among those who share it. It takes the kernel longer to find.
fn shared_out_bytes() -> u64 {
    let proportional = |process: i32| {
        let text = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    };
    let found =
        descendants().into_iter().filter_map(|process| proportional(process).or_else(|| resident_bytes_of(process)));
    found.sum()
}

/// The processes below this one.
fn descendants() -> Vec<i32> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for process in all_processes() {
        if let Some(parent) = parent_of(process) {
            children.entry(parent).or_default().push(process);
        }
    }
    let mut below = Vec::new();
    let mut parents = vec![std::process::id().cast_signed()];
    while let Some(parent) = parents.pop() {
        let found = children.remove(&parent).unwrap_or_default();
        parents.extend(&found);
        below.extend(found);
    }
    below
}
