//! `watchkeeper analyze`: a job by its contract, so that a runner can take this program for AWS's image.
//!
//! However it ends, there is an exit message, and the last line of the log says the same.

use std::io::ErrorKind;

use anyhow::Context as _;
use watchkeeper_analyzer::{
    Error, Level, Observer as _, leave_message, run_clarify_processing, run_ground_truth_merger,
    run_model_monitor_analyzer,
};
use watchkeeper_formats::contract::PROCESSING_JOB_CONFIG;
use watchkeeper_formats::{ExitMessage, JobContract};

use crate::Ending;
use crate::arguments::{AnalyzeArguments, Analyzer};
use crate::watcher::{Watcher, log_line};

pub(crate) fn run(arguments: &AnalyzeArguments) -> anyhow::Result<Ending> {
    let environment = JobContract::new(crate::environment(), None)?;
    let contract = with_job_description(&environment);
    let known = contract.as_ref().unwrap_or(&environment).clone();
    let watcher = Watcher::for_log(move || {
        let message = ExitMessage::Error(Error::Stopped.to_string());
        let left = leave_message(&known, &message).map_or_else(|error| error.to_string(), |()| message.to_string());
        crate::output::say(&log_line(Level::Error, &left));
        1
    })?;
    let message = match contract {
        Ok(contract) => match arguments.analyzer {
            Analyzer::ModelMonitorAnalyzer => run_model_monitor_analyzer(&contract, arguments.run.threads(), &watcher)?,
            Analyzer::ClarifyProcessing => run_clarify_processing(&contract, arguments.run.threads(), &watcher)?,
            Analyzer::GroundtruthMerger => {
                let threads = arguments.run.threads();
                let Some(failure) = run_ground_truth_merger(&contract, threads, &watcher)? else {
                    return Ok(Ending::Fine);
                };
                failure
            }
        },
        Err(error) => {
            let message = watchkeeper_analyzer::failure(&format!("{error:#}"), &watcher);
            leave_message(&environment, &message)?;
            message
        }
    };
    let failed = message.is_failure();
    watcher.log(if failed { Level::Error } else { Level::Info }, &message.to_string());
    Ok(if failed { Ending::JobFailed } else { Ending::Fine })
}

/// The environment, and for what it does not set the job's own description.
fn with_job_description(environment: &JobContract) -> anyhow::Result<JobContract> {
    let path = environment.path(PROCESSING_JOB_CONFIG);
    let variables = environment.variables.clone();
    match std::fs::read_to_string(&path) {
        Ok(text) => JobContract::new(variables, Some(&text)).with_context(|| path.display().to_string()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(environment.clone()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}
