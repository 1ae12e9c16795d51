//! `watchkeeper analyze`: a job by its contract, so that a runner can take this program for AWS's image.

use std::collections::BTreeMap;

use anyhow::Context as _;
use watchkeeper_analyzer::{Level, Observer as _, run_data_quality};
use watchkeeper_formats::contract::PROCESSING_JOB_CONFIG;
use watchkeeper_formats::{ExitMessage, JobContract};

use crate::Ending;
use crate::arguments::{Analyzer, AnalyzeArguments};
use crate::watcher::Watcher;

pub(crate) fn run(arguments: &AnalyzeArguments) -> anyhow::Result<Ending> {
    let watcher = Watcher::for_log()?;
    let contract = contract()?;
    let message = match arguments.analyzer {
        Analyzer::DataQuality => run_data_quality(&contract, arguments.run.threads(), &watcher)?,
    };
    let level = if matches!(message, ExitMessage::Error(_)) { Level::Error } else { Level::Info };
    watcher.log(level, &message.to_string());
    Ok(if level == Level::Error { Ending::JobFailed } else { Ending::Fine })
}

/// The environment, and for what it does not set the job's own description.
fn contract() -> anyhow::Result<JobContract> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let contract = JobContract::new(environment.clone(), None)?;
    let path = contract.path(PROCESSING_JOB_CONFIG);
    match std::fs::read_to_string(&path) {
        Ok(text) => JobContract::new(environment, Some(&text)).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(contract),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}
