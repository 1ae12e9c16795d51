//! The commands, one file each.

pub(crate) mod analyze;
pub(crate) mod backfill;
pub(crate) mod baseline;
pub(crate) mod check;
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
pub(crate) mod resume;
pub(crate) mod run;
pub(crate) mod sandbox;
pub(crate) mod serve;
pub(crate) mod status;
pub(crate) mod why;

use std::path::Path;

/// Notes that belong to a result which is shown without them.
fn say_notes(notes: &[String]) {
    for note in notes {
        crate::output::say(&format!("note: {note}\n"));
    }
}

/// Refuses to write a check's documents over those of its baseline: the next check would be judged by what this one found.
fn keep_baseline(baseline: &Path, output: Option<&Path>) -> anyhow::Result<()> {
    let Some(output) = output else { return Ok(()) };
    let folder = |path: &Path| std::fs::canonicalize(path).ok();
    if folder(output).is_some_and(|output| Some(output) == folder(baseline)) {
        anyhow::bail!(
            "{} is the folder of the baseline, whose constraints.json would be replaced; choose another one for -o",
            output.display()
        );
    }
    Ok(())
}

/// Where the documents are.
fn say_written(folder: Option<&Path>) {
    if let Some(folder) = folder {
        crate::output::say(&format!("report: {}\n", folder.join("report.html").display()));
    }
}
