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

/// Where the documents are.
fn say_written(folder: Option<&Path>) {
    if let Some(folder) = folder {
        crate::output::say(&format!("report: {}\n", folder.join("report.html").display()));
    }
}
