//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod backfill;
pub(crate) mod backup;
pub(crate) mod baseline;
pub(crate) mod check;
pub(crate) mod clarify;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod dry_run;
pub(crate) mod env;
pub(crate) mod executions;
pub(crate) mod ingest;
pub(crate) mod inspect;
pub(crate) mod keys;
pub(crate) mod labels;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod proxy;
pub(crate) mod quality;
pub(crate) mod remerge;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod why;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Notes that belong to a result which is shown without them.
fn say_notes(notes: &[String]) {
    for note in notes {
        crate::output::say(&format!("note: {note}\n"));
    }
}

/// Refuses to write a check's documents over the `document` of its baseline: the next check would be judged by what this one found.
fn keep_baseline(baseline: &Path, output: Option<&Path>, document: &str) -> anyhow::Result<()> {
    let Some(output) = output else { return Ok(()) };
    let folder = |path: &Path| std::fs::canonicalize(path).ok();
    if folder(output).is_some_and(|output| Some(output) == folder(baseline)) {
        anyhow::bail!(
            "{} is the folder of the baseline, whose {document} would be replaced; choose another one for -o",
            output.display()
        );
    }
    Ok(())
}

/// The documents that a baseline has left.
struct BaselineDocuments {
    constraints: PathBuf,
    statistics: Option<PathBuf>,
}

impl BaselineDocuments {
    /// Those of a folder; None where it holds none, as a dataset does.
    fn of(folder: &Path) -> anyhow::Result<Option<Self>> {
        let is_there = |path: &Path| path.try_exists().with_context(|| of_baseline(folder));
        let (constraints, statistics) = (folder.join("constraints.json"), folder.join("statistics.json"));
        let is_folder = std::fs::metadata(folder).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder || !is_there(&constraints)? {
            return Ok(None);
        }
        let has_statistics = is_there(&statistics)?;
        Ok(Some(Self { constraints, statistics: has_statistics.then_some(statistics) }))
    }
}

/// Where an error or a note is of, which is not of the dataset that is checked.
fn of_baseline(path: &Path) -> String {
    format!("baseline {}", path.display())
}

/// Notes of a baseline that was made of a dataset.
fn say_baseline_notes(path: &Path, notes: &[String]) {
    for note in notes {
        crate::output::say(&format!("note: {}: {note}\n", of_baseline(path)));
    }
}

/// Where the documents are.
fn say_written(folder: Option<&Path>) {
    if let Some(folder) = folder {
        crate::output::say(&format!("report: {}\n", folder.join("report.html").display()));
    }
}
