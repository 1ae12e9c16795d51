//! The fault campaigns (`tests/python/campaigns`): the service killed, cut off, without room, at random moments, and everything
//! that was acknowledged compared after each. `docs/reliability.md` says what they show.
//!
//! The service is built for release; its data are in a temporary folder. Campaigns with disks or networks
//! of their own need root, others libfaketime or `PostgreSQL`, which are installed where this user may.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::process::{install_system_packages, run_visibly};
use crate::python;
use crate::workspace::Workspace;

/// The environment of the campaigns.
const BOTO3: (&str, &str) = ("service-boto3", "tests/python/service/boto3.lock");
/// What campaigns need of the system, by its package, and a place that tells whether it is there.
const PACKAGES: &[(&str, &str)] = &[("faketime", "/usr/bin/faketime"), ("postgresql", "/usr/lib/postgresql")];

/// True when the campaign went through without a finding.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let python = python::environment(workspace, BOTO3.0, BOTO3.1)?;
    install_packages()?;
    let build = ["build", "--release", "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    let mut campaign = workspace.command(python);
    campaign.args(["-u", "tests/python/campaigns/run.py"]).args(arguments);
    campaign.env("PYTHONDONTWRITEBYTECODE", "1");
    campaign.env("WATCHKEEPER_BINARY", workspace.target.join("release/watchkeeper"));
    Ok(run_visibly(&mut campaign)?.succeeded)
}

/// Installs what campaigns need of the system, where this user may; gives what is still missing. Campaigns that lack
/// something say so.
pub fn install_packages() -> Result<Vec<&'static str>> {
    if !missing_packages().is_empty() {
        install_system_packages(&missing_packages())?;
    }
    Ok(missing_packages())
}

fn missing_packages() -> Vec<&'static str> {
    let missing = PACKAGES.iter().filter(|(_, place)| !Path::new(place).try_exists().unwrap_or(false));
    missing.map(|(package, _)| *package).collect()
}
