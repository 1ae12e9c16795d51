//! The public items of the Rust SDK, written down, so that no release breaks a program by accident.
//!
//! `crates/sdk/public-api.txt` has the version it belongs to in its first line and then an item a line, as the `public-api` crate
//! reads them out of rustdoc's JSON. The check compares them with what the crate has: an item that went or changed is a breaking
//! change and needs a version that says so (for 0.x the second number, from 1.0 on the first); an item that came has to be written
//! down with `cargo xtask public-api`, which is how it is seen in a review.
//!
//! Decided against: cargo-semver-checks, which knows more kinds of breakage, but takes minutes to build and needs an older
//! release to compare with, where there is none yet.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::run_visibly;
use crate::step::{Context, Missing};
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo_metadata};

const PACKAGE: &str = "watchkeeper";
/// What is compared beside the features that are on by default. `local` and `aws-config` add constructors and, for the build, many crates.
const FEATURES: &str = "blocking";
const FILE: &str = "crates/sdk/public-api.txt";

/// A version and the items it has.
#[derive(Debug, PartialEq, Eq)]
struct PublicApi {
    version: String,
    items: BTreeSet<String>,
}

impl PublicApi {
    fn parse(text: &str) -> Result<Self> {
        let (first, items) = text.split_once('\n').context("the file has no line for the version")?;
        let version = first.strip_prefix("version ").context("the first line is not `version <number>`")?;
        Ok(Self { version: version.to_owned(), items: items.lines().map(ToOwned::to_owned).collect() })
    }

    fn text(&self) -> String {
        let mut text = format!("version {}\n", self.version);
        for item in &self.items {
            text.push_str(item);
            text.push('\n');
        }
        text
    }

    /// The numbers that stay as long as nothing breaks.
    fn compatible_with(&self) -> Vec<&str> {
        let mut numbers = self.version.split('.');
        let major = numbers.next().unwrap_or_default();
        if major == "0" { [Some(major), numbers.next()].into_iter().flatten().collect() } else { vec![major] }
    }
}

/// Whether a version says so where programs break; else what is gone, and what to do.
fn refuse_breakage(written: &PublicApi, actual: &PublicApi) -> Result<()> {
    let gone: Vec<_> = written.items.difference(&actual.items).map(|item| format!("  - {item}")).collect();
    if gone.is_empty() || written.compatible_with() != actual.compatible_with() {
        return Ok(());
    }
    bail!(
        "these public items of {PACKAGE} {} are gone or changed, which breaks programs: keep them, or raise the version of the crate \
         and run `cargo xtask public-api`\n{}",
        written.version,
        gone.join("\n")
    );
}

/// Whether what is written down is what there is; else what to do.
fn judge(written: &PublicApi, actual: &PublicApi) -> Result<()> {
    refuse_breakage(written, actual)?;
    if written != actual {
        let new: Vec<_> = actual.items.difference(&written.items).map(|item| format!("  + {item}")).collect();
        bail!("{FILE} is not up to date: run `cargo xtask public-api`\n{}", new.join("\n"));
    }
    Ok(())
}

/// The step of the test command.
pub fn check(context: &Context<'_>) -> Result<Tally> {
    let written = written(context.workspace)?;
    let actual = actual(context.workspace)?;
    judge(&written, &actual)?;
    println!("{} public items of {PACKAGE} {}", actual.items.len(), actual.version);
    Ok(Tally { passed: 1, ..Tally::default() })
}

/// `cargo xtask public-api`: writes the items down, unless a program would break and the version does not say so.
pub fn write(workspace: &Workspace) -> Result<bool> {
    let actual = actual(workspace)?;
    if let Ok(written) = written(workspace) {
        refuse_breakage(&written, &actual)?;
    }
    fs::write(workspace.root.join(FILE), actual.text()).with_context(|| format!("cannot write {FILE}"))?;
    println!("{} public items of {PACKAGE} {} in {FILE}", actual.items.len(), actual.version);
    Ok(true)
}

fn written(workspace: &Workspace) -> Result<PublicApi> {
    let text = fs::read_to_string(workspace.root.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    PublicApi::parse(&text).with_context(|| format!("{FILE} is damaged"))
}

fn actual(workspace: &Workspace) -> Result<PublicApi> {
    let json = rustdoc_json(workspace)?;
    let api = public_api::Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| Missing(format!("rustdoc's JSON of this toolchain cannot be read: {error}")))?;
    Ok(PublicApi { version: version(workspace)?, items: api.items().map(ToString::to_string).collect() })
}

/// Rustdoc's JSON is not stable, so the variable lets a stable toolchain write it; what it looks like is checked by whoever reads it.
fn rustdoc_json(workspace: &Workspace) -> Result<PathBuf> {
    let target = workspace.target.join("public-api");
    let mut rustdoc =
        workspace.cargo(&["rustdoc", "--quiet", "--locked", "--lib", "-p", PACKAGE, "--features", FEATURES]);
    rustdoc.arg("--target-dir").arg(&target).args(["--", "-Z", "unstable-options", "--output-format", "json"]);
    ensure!(run_visibly(rustdoc.env("RUSTC_BOOTSTRAP", "1"))?.succeeded, "rustdoc of {PACKAGE} failed");
    Ok(target.join("doc").join(format!("{PACKAGE}.json")))
}

fn version(workspace: &Workspace) -> Result<String> {
    let metadata = cargo_metadata(&workspace.root, &["--no-deps"])?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let package = packages.iter().find(|package| package["name"] == PACKAGE);
    package.and_then(|package| package["version"].as_str()).map(ToOwned::to_owned).context("the crate has no version")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(version: &str, items: &[&str]) -> PublicApi {
        PublicApi { version: version.to_owned(), items: items.iter().map(ToString::to_string).collect() }
    }

    fn message(written: &PublicApi, actual: &PublicApi) -> String {
        judge(written, actual).map_or_else(|error| error.to_string(), |()| "fine".to_owned())
    }

    #[test]
    fn what_breaks_needs_a_version_that_says_so() {
        let old = api("0.1.0", &["pub fn a()", "pub fn b()"]);
        assert!(message(&old, &api("0.1.1", &["pub fn a()"])).contains("- pub fn b()"));
        assert!(message(&old, &api("0.2.0", &["pub fn a()"])).contains("not up to date"));
        let stable = api("1.4.0", &["pub fn a()"]);
        assert!(message(&stable, &api("1.5.0", &[])).contains("breaks programs"));
        assert!(message(&stable, &api("2.0.0", &[])).contains("not up to date"));
    }

    #[test]
    fn what_is_new_has_to_be_written_down() {
        let old = api("0.1.0", &["pub fn a()"]);
        assert!(message(&old, &api("0.1.0", &["pub fn a()", "pub fn b()"])).contains("+ pub fn b()"));
        assert_eq!(message(&old, &api("0.1.0", &["pub fn a()"])), "fine");
    }

    #[test]
    fn the_file_reads_as_it_was_written() -> Result<()> {
        let api = api("0.1.0", &["pub fn b()", "pub fn a()"]);
        assert_eq!(PublicApi::parse(&api.text())?, api);
        assert!(PublicApi::parse("pub fn a()\n").is_err());
        Ok(())
    }
}
