//! The steps that need cargo alone.

use std::path::PathBuf;

use anyhow::Result;

use crate::process::{answers, run_visibly};
use crate::step::{Context, Missing};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The release whose checks this project passes; a newer one may know more of them.
const CARGO_DENY_VERSION: &str = "0.20.2";

pub fn format(context: &Context<'_>) -> Result<Tally> {
    check(context, &["fmt", "--all", "--check", "--", "--color", "never"])
}

pub fn clippy(context: &Context<'_>) -> Result<Tally> {
    check(context, &["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"])
}

/// The SDK as its users see it; of the other crates, whose readers are those who change them, private items as well.
pub fn documentation(context: &Context<'_>) -> Result<Tally> {
    let rustdoc = |selection: &[&str], flags: &str| -> Result<Tally> {
        let arguments = [&["doc", "--no-deps", "--all-features", "--locked"], selection].concat();
        let mut rustdoc = context.workspace.cargo(&arguments);
        Ok(Tally::of_check(&run_visibly(rustdoc.env("RUSTDOCFLAGS", flags))?))
    };
    let mut tally = rustdoc(&["-p", "watchkeeper"], "-D warnings")?;
    let inner = ["--workspace", "--exclude", "watchkeeper", "--document-private-items"];
    tally += rustdoc(&inner, "-D warnings -A rustdoc::private-intra-doc-links")?;
    Ok(tally)
}

pub fn deny(context: &Context<'_>) -> Result<Tally> {
    let program = cargo_deny(context)?;
    let ended = run_visibly(context.workspace.command(program).args(["check", "bans", "licenses", "sources"]))?;
    Ok(Tally::of_check(&ended))
}

/// The fuzz targets are a workspace of their own, which nothing else builds. The path given for libFuzzer keeps its
/// build script from compiling C++: a check links nothing.
pub fn fuzz_targets(context: &Context<'_>) -> Result<Tally> {
    let manifest = ["--manifest-path", "fuzz/Cargo.toml"];
    let mut tally = check(context, &[&["fmt", "--check"], &manifest[..], &["--", "--color", "never"]].concat())?;
    let mut clippy = context.workspace.cargo(&[&["clippy", "--locked"], &manifest[..]].concat());
    clippy.args(["--target-dir"]).arg(context.workspace.target.join("fuzz")).args(["--", "-D", "warnings"]);
    clippy.env("CUSTOM_LIBFUZZER_PATH", "./libfuzzer.a");
    tally += Tally::of_check(&run_visibly(&mut clippy)?);
    Ok(tally)
}

pub fn tests(context: &Context<'_>) -> Result<Tally> {
    let arguments: &[&str] = if answers("cargo", &["nextest", "--version"]) {
        &["nextest", "run", "--workspace", "--all-features", "--no-fail-fast", "--locked"]
    } else {
        &["test", "--workspace", "--all-targets", "--all-features", "--no-fail-fast", "--locked"]
    };
    Ok(Tally::of_runner(&run_visibly(&mut context.workspace.cargo(arguments))?))
}

pub fn doc_tests(context: &Context<'_>) -> Result<Tally> {
    let arguments = ["test", "--doc", "--workspace", "--all-features", "--no-fail-fast", "--locked"];
    Ok(Tally::of_runner(&run_visibly(&mut context.workspace.cargo(&arguments))?))
}

fn check(context: &Context<'_>, arguments: &[&str]) -> Result<Tally> {
    Ok(Tally::of_check(&run_visibly(&mut context.workspace.cargo(arguments))?))
}

/// cargo-deny as installed, or as built earlier below the target folder, or built now where that is wanted.
fn cargo_deny(context: &Context<'_>) -> Result<PathBuf> {
    let own = own_cargo_deny(context.workspace);
    for candidate in [PathBuf::from("cargo-deny"), own.clone()] {
        if answers(&candidate, &["--version"]) {
            return Ok(candidate);
        }
    }
    if !context.install_slow_tools {
        return Err(Missing("cargo-deny is not installed (`cargo xtask test --deny` installs it)".to_owned()).into());
    }
    let mut install = context.workspace.cargo(&["install", "cargo-deny", "--locked", "--version", CARGO_DENY_VERSION]);
    // It runs for a second: unoptimised it is built in a third of the time.
    install.args(["--debug", "--quiet", "--root"]).arg(context.workspace.target.join("tools"));
    let build = context.workspace.target.join("tools/build");
    install.arg("--target-dir").arg(&build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    let installed = run_visibly(&mut install)?.succeeded;
    // Over a gigabyte that nobody needs again; what cannot be removed is only in the way.
    let _ = std::fs::remove_dir_all(build);
    if installed && answers(&own, &["--version"]) {
        return Ok(own);
    }
    Err(Missing(format!("cargo-deny {CARGO_DENY_VERSION} could not be installed")).into())
}

fn own_cargo_deny(workspace: &Workspace) -> PathBuf {
    workspace.target.join("tools/bin/cargo-deny")
}
