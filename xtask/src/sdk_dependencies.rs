//! What the Rust SDK brings into a program: its dependencies and their licences, listed in `crates/sdk/docs/dependencies.md`.
//!
//! A test says when the list is out of date, so that a change of it is seen in a review. What may be in it at all is
//! `deny.toml`'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::workspace::Workspace;

const FILE: &str = "crates/sdk/docs/dependencies.md";
/// Which platform the list is of, wherever it is made.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
/// Between the parts of a line of cargo's.
const SEPARATOR: char = '|';
const FEATURES: [&str; 3] = ["blocking", "aws-config", "local"];

/// `cargo xtask sdk-dependencies`: writes the list.
pub fn write(workspace: &Workspace) -> Result<bool> {
    fs::write(workspace.root.join(FILE), list(workspace)?).with_context(|| format!("cannot write {FILE}"))?;
    println!("{FILE} is written");
    Ok(true)
}

fn list(workspace: &Workspace) -> Result<String> {
    let crates = crates(workspace, "")?;
    let mut text = format!(
        "# Dependencies\n\n\
         What a program gets with `watchkeeper` and its default features, on {PLATFORM}: {} crates, and their licences. Made by\n\
         `cargo xtask sdk-dependencies`; a test of `xtask` says when it is out of date. What it costs to compile is measured by\n\
         `cargo xtask bench sdk-build`.\n\n| with the feature | crates |\n|---|---|\n",
        crates.len()
    );
    for feature in FEATURES {
        let _ = writeln!(text, "| `{feature}` | {} |", self::crates(workspace, feature)?.len());
    }
    text.push_str("\n## By licence\n\n| licence | crates |\n|---|---|\n");
    let mut by_licence: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, licence) in crates {
        by_licence.entry(licence).or_default().insert(name);
    }
    for (licence, names) in by_licence {
        let _ = writeln!(text, "| {licence} | {} |", names.into_iter().collect::<Vec<_>>().join(", "));
    }
    text.push_str("\n## Who brings whom\n\n```text\n");
    for line in tree(workspace, "", "indent")?.lines() {
        let (before, (name, _)) =
            line.find(char::is_alphabetic).map_or((line, ("", "")), |at| (&line[..at], named(&line[at..])));
        let seen_before = if line.ends_with("(*)") { " (see above)" } else { "" };
        let _ = writeln!(text, "{before}{name}{seen_before}");
    }
    text.push_str("```\n");
    Ok(text)
}

/// The crates with a feature, their versions in their names, and their licences.
fn crates(workspace: &Workspace, feature: &str) -> Result<BTreeSet<(String, String)>> {
    let tree = tree(workspace, feature, "none")?;
    Ok(tree.lines().map(named).map(|(name, licence)| (name.to_owned(), licence.to_owned())).collect())
}

/// `name v1.2.3 (where it is)|licence (*)`: the name with its version, and the licence.
fn named(line: &str) -> (&str, &str) {
    let (package, licence) = line.split_once(SEPARATOR).unwrap_or((line, ""));
    (package.split(" (").next().unwrap_or_default(), licence.trim_end_matches("(*)").trim_end())
}

fn tree(workspace: &Workspace, feature: &str, prefix: &str) -> Result<String> {
    let format = format!("{{p}}{SEPARATOR}{{l}}");
    let mut cargo = workspace.cargo(&["tree", "--locked", "--package", "watchkeeper", "--edges", "normal,build"]);
    cargo.args([
        "--target",
        PLATFORM,
        "--features",
        feature,
        "--charset",
        "ascii",
        "--prefix",
        prefix,
        "--format",
        &format,
    ]);
    let answer = cargo.output().context("cannot run `cargo tree`")?;
    ensure!(answer.status.success(), "`cargo tree` failed: {}", String::from_utf8_lossy(&answer.stderr).trim());
    String::from_utf8(answer.stdout).context("`cargo tree` answered something else than text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_up_to_date() -> Result<()> {
        let workspace = Workspace::locate()?;
        let written = fs::read_to_string(workspace.root.join(FILE))?;
        ensure!(written == list(&workspace)?, "{FILE} is out of date: run `cargo xtask sdk-dependencies`");
        Ok(())
    }

    #[test]
    fn names_and_licences_are_read_off_cargos_lines() {
        assert_eq!(named("serde v1.0.2|MIT OR Apache-2.0 (*)"), ("serde v1.0.2", "MIT OR Apache-2.0"));
        assert_eq!(named("own v0.1.0 (/somewhere/own)|Apache-2.0"), ("own v0.1.0", "Apache-2.0"));
        assert_eq!(named("derive v2.0.1 (proc-macro)|MIT"), ("derive v2.0.1", "MIT"));
    }
}
