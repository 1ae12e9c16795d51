//! The fault campaigns (`tests/python/campaigns`): the service killed, cut off, without room, at random moments, and everything
//! that was acknowledged compared after each. `docs/reliability.md` says what they show.
//!
//! The service is built for release; its data are in a temporary folder. Campaigns with disks or networks
//! of their own need root, others libfaketime or `PostgreSQL`, which are installed where this user may.

use std::path::Path;

use anyhow::Result;

use crate::postgresql;
use crate::process::{install_system_packages, run_visibly};
use crate::python::{BOTO3, script};
use crate::workspace::{Workspace, build_optimised};

/// True when the campaign went through without a finding.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let mut campaign = script(workspace, BOTO3, "tests/python/campaigns/run.py")?;
    install_packages()?;
    campaign.args(arguments).env("WATCHKEEPER_BINARY", build_optimised(workspace, "release")?);
    Ok(run_visibly(&mut campaign)?.succeeded)
}

/// Installs what campaigns need of the system, where this user may; gives what is still missing. Campaigns that lack
/// something say so.
pub fn install_packages() -> Result<Vec<&'static str>> {
    let missing = missing_packages();
    if missing.is_empty() {
        return Ok(missing);
    }
    install_system_packages(&missing)?;
    Ok(missing_packages())
}

/// What campaigns need of the system and is not there, by its package.
fn missing_packages() -> Vec<&'static str> {
    let needed = [
        ("faketime", Path::new("/usr/bin/faketime").try_exists().unwrap_or(false)),
        ("postgresql", postgresql::programs().is_some()),
    ];
    needed.into_iter().filter(|(_, is_there)| !is_there).map(|(package, _)| package).collect()
}
