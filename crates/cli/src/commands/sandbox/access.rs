//! What Landlock keeps a program from, which every user of Linux 5.13 and later may put on himself: files, where there are no
//! mounts of one's own, so that the program reads what a view would show and writes to the job's folder; and, since Linux
//! 6.12, signals to others and sockets without a path.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetCreated,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use watchkeeper_service::program::launch::{Confinement, HostContract, SYSTEM_FOLDERS};

use super::view;

/// The newest version whose rights are asked for; older kernels give what they have.
const NEWEST: ABI = ABI::V6;
/// What is written to beside the job's folder.
const DEVICES: [&str; 7] =
    ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/shm"];

/// Restricts this thread, and what it starts; says what could not be had.
pub(super) fn restrict_files(contract: &HostContract, confinement: &Confinement) -> Option<String> {
    match try_to_restrict(contract, confinement) {
        Ok(RulesetStatus::NotEnforced) => Some("the kernel has no Landlock".to_owned()),
        Ok(RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced) => None,
        Err(error) => Some(format!("Landlock: {error}")),
    }
}

/// Keeps this thread, and what it starts, from sending signals to others, and from their sockets that have no path.
pub(super) fn keep_to_itself() {
    let rules = Ruleset::default().set_compatibility(CompatLevel::BestEffort).scope(Scope::from_all(NEWEST));
    // Namespaces of processes and of networks do the same, where there are some.
    let _ = rules.and_then(Ruleset::create).and_then(RulesetCreated::restrict_self);
}

fn try_to_restrict(contract: &HostContract, confinement: &Confinement) -> Result<RulesetStatus, RulesetError> {
    let seen = SYSTEM_FOLDERS.iter().map(PathBuf::from).chain(["/proc".into(), "/dev".into()]);
    let seen = seen.chain(view::of_the_network()).chain(confinement.shown.iter().cloned());
    let readable: Vec<PathBuf> = seen.flat_map(|path| around(&path, &confinement.hidden)).collect();
    let writable = DEVICES.iter().map(PathBuf::from).chain([contract.root.clone()]);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(path_beneath_rules(readable, AccessFs::from_read(NEWEST)))?
        .add_rules(path_beneath_rules(writable, AccessFs::from_all(NEWEST)))?
        .restrict_self()?;
    Ok(status.ruleset)
}

/// A path, or where something hidden lies below it, what else does.
fn around(path: &Path, hidden: &[PathBuf]) -> Vec<PathBuf> {
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if hidden.iter().any(|hidden| path.starts_with(hidden)) {
        return Vec::new();
    }
    if !hidden.iter().any(|hidden| hidden.starts_with(&path)) {
        return vec![path];
    }
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
    entries.flat_map(|entry| around(&entry.path(), hidden)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_lies_beside_something_hidden_is_shown() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().canonicalize().unwrap();
        for path in ["program/lib", "program/data/jobs", "other"] {
            std::fs::create_dir_all(folder.join(path)).unwrap();
        }
        let hidden = [folder.join("program/data")];
        let mut around = around(&folder, &hidden);
        around.sort();
        assert_eq!(around, [folder.join("other"), folder.join("program/lib")]);
        assert!(super::around(&folder.join("program/data/jobs"), &hidden).is_empty());
    }
}
