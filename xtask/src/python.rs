//! Python environments from lock files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{answers, install_system_packages, run_visibly};
use crate::step::Missing;
use crate::workspace::Workspace;

/// An environment with boto3, by its name and the file that locks it.
pub const BOTO3: (&str, &str) = ("service-boto3", "tests/python/service/boto3.lock");
/// The oldest Python for which every locked package is there.
const IS_RECENT: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// The Python program of the environment `target/python/<name>`, which holds exactly what the lock file names, checked
/// by hash. It is made anew when the lock file has changed.
pub fn environment(workspace: &Workspace, name: &str, lock_file: &str) -> Result<PathBuf> {
    let folder = workspace.target.join("python").join(name);
    let python = folder.join("bin/python");
    let lock_path = workspace.root.join(lock_file);
    let lock = fs::read_to_string(&lock_path).with_context(|| format!("cannot read `{}`", lock_path.display()))?;
    // Written last: where it stands, the environment is complete.
    let installed_lock = folder.join("installed.lock");
    if fs::read_to_string(&installed_lock).is_ok_and(|installed| installed == lock) && answers(&python, &["--version"])
    {
        return Ok(python);
    }

    println!("installing {lock_file} into {}", folder.display());
    make_environment(workspace, &folder)?;
    let mut pip = workspace.command(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement", lock_file]);
    if !run_visibly(&mut pip)?.succeeded {
        return Err(Missing(format!("the Python packages of {lock_file} could not be installed")).into());
    }
    fs::write(&installed_lock, lock).with_context(|| format!("cannot write `{}`", installed_lock.display()))?;
    Ok(python)
}

/// A script of an environment (its name, and the file that locks it), without arguments yet.
pub fn script(workspace: &Workspace, (name, lock_file): (&str, &str), path: &str) -> Result<Command> {
    let mut script = workspace.command(environment(workspace, name, lock_file)?);
    script.arg("-u").arg(path).env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(script)
}

fn make_environment(workspace: &Workspace, folder: &Path) -> Result<()> {
    if folder.try_exists()? {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove `{}`", folder.display()))?;
    }
    let make = |folder: &Path| run_visibly(venv_command(workspace).arg(folder));
    let is_recent = || answers("python3", &["-c", IS_RECENT]);
    if !answers("python3", &["--version"]) {
        install_system_packages(&["python3", "python3-venv"])?;
    }
    if !is_recent() {
        return Err(Missing("no `python3` of version 3.11 or later".to_owned()).into());
    }
    // Debian keeps what `venv` needs in a package of its own.
    if make(folder)?.succeeded || (install_system_packages(&["python3-venv"])? && make(folder)?.succeeded) {
        return Ok(());
    }
    Err(Missing("`python3 -m venv` does not work".to_owned()).into())
}

fn venv_command(workspace: &Workspace) -> Command {
    let mut command = workspace.command("python3");
    command.args(["-m", "venv"]);
    command
}
