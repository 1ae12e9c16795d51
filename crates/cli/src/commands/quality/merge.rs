//! `watchkeeper quality merge`: captured predictions, and the labels that came later.

use anyhow::Context as _;
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_formats::{DatasetFormat, MergeJob, contract};

use super::QualityMergeArguments;
use crate::Ending;
use crate::arguments::OutputFormat;
use crate::terminal;
use crate::watcher::Watcher;

pub(super) fn run(arguments: &QualityMergeArguments) -> anyhow::Result<Ending> {
    let watcher = Watcher::for_person()?;
    check_folder(&arguments.output)?;
    let format = arguments.dataset_format.as_deref().map(DatasetFormat::parse);
    let job = MergeJob {
        dataset_source: arguments.captures.clone(),
        ground_truth_source: arguments.ground_truth.clone(),
        output_path: arguments.output.clone(),
        dataset_format: format.transpose().context("the dataset's format")?,
        window: None,
        output_message_file: contract::OUTPUT_MESSAGE_FILE.into(),
    };
    let merged = watchkeeper_analyzer::merge::merge(&job, arguments.run.threads(), &watcher);
    watcher.done();
    let report = merged?;
    watcher.results_are_written();
    let shown = match arguments.format {
        OutputFormat::Json => report.to_json() + "\n",
        OutputFormat::Text => terminal::merge_report(&report, &crate::output::style()),
    };
    crate::output::print(&shown)?;
    Ok(Ending::Fine)
}
