//! Where the repository and its target folder are.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::process::run_visibly;

/// The places every chore works with.
pub struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Where cargo puts what it builds, and the chores what they download.
    pub target: PathBuf,
}

impl Workspace {
    /// Asks cargo, as the target folder may have been moved by a setting.
    pub fn locate() -> Result<Self> {
        let metadata = cargo_metadata(Path::new("."), &["--no-deps"])?;
        let folder = |key: &str| {
            metadata[key].as_str().map(PathBuf::from).with_context(|| format!("cargo metadata names no `{key}`"))
        };
        Ok(Self { root: folder("workspace_root")?, target: folder("target_directory")? })
    }

    /// A command that runs in the root folder.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The `cargo` that started this program. What makes a second build quick takes twice the disk, and CI builds once.
    pub fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(cargo());
        command.args(arguments).env("CARGO_TERM_COLOR", "never");
        // What cargo tells this program about itself is not for the next one: the build scripts of some crates look at it, and
        // those would be built anew, with all that stands on them, whenever cargo is started by hand in between.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        if in_ci() {
            command.env("CARGO_INCREMENTAL", "0");
        }
        command
    }
}

/// Builds the program under test, and gives its file. With all features of the whole workspace, as the Rust tests have built
/// it: a package alone has other features of its dependencies, which would all be built anew.
pub fn build_program(workspace: &Workspace) -> Result<PathBuf> {
    let build = ["build", "--workspace", "--all-features", "--bins", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    Ok(workspace.target.join("debug/watchkeeper"))
}

/// Builds the program for use, by an optimised profile (`release`, `dist`), and gives its file.
pub fn build_optimised(workspace: &Workspace, profile: &str) -> Result<PathBuf> {
    let build = ["build", "--profile", profile, "--package", "watchkeeper-cli", "--locked"];
    ensure!(run_visibly(&mut workspace.cargo(&build))?.succeeded, "the command line does not build");
    Ok(workspace.target.join(profile).join("watchkeeper"))
}

/// Whether nobody looks on: what is left out there is a failure.
pub fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The answer of `cargo metadata`, run in `folder`.
pub fn cargo_metadata(folder: &Path, options: &[&str]) -> Result<Value> {
    let answer = Command::new(cargo())
        .current_dir(folder)
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(options)
        .output()
        .context("cannot run `cargo metadata`")?;
    ensure!(answer.status.success(), "`cargo metadata` failed: {}", String::from_utf8_lossy(&answer.stderr).trim());
    serde_json::from_slice(&answer.stdout).context("`cargo metadata` answered something else than JSON")
}
