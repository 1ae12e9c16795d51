//! The built-in analyzers: jobs as AWS's images are, from their contract to their documents.
//!
//! A job is told everything by its [`JobContract`]: paths, variables, settings. Nothing is taken from the process, so
//! the command line calls an analyzer as a library, and a job runner starts it as a program.

pub mod clarify;
mod columns;
pub mod data_quality;
mod error;
mod fold;
pub mod image;
mod inputs;
pub mod merge;
mod metrics;
pub mod model_quality;
mod observer;
pub mod output;
pub mod predictor;
pub mod report;
mod results;
mod scripts;
mod service;

pub use error::Error;
pub use observer::{Asking, Level, Observer, Progress, log_line};
pub use scripts::{DryRunSummary, Preprocessed, Preprocessor, ScriptError, Stage, dry_run, post_analytics};

use std::path::PathBuf;

use watchkeeper_formats::contract::OUTPUT_MESSAGE_FILE;
use watchkeeper_formats::{ClarifyJob, DataQualityJob, ExitMessage, JobContract, MergeJob, ModelQualityJob};

/// How much of an exit message AWS keeps, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// Carries out what the image `sagemaker-model-monitor-analyzer` is asked for, data quality or model quality by `analysis_type`, and leaves
/// the exit message where the contract says. Failures are a message too.
///
/// # Errors
/// When the message cannot be written.
pub fn run_model_monitor_analyzer(
    contract: &JobContract,
    threads: usize,
    observer: &dyn Observer,
) -> Result<ExitMessage, Error> {
    let analysis_type = contract.variables.get("analysis_type").map_or("", |word| word.trim());
    let ended = match analysis_type.to_ascii_uppercase().as_str() {
        "" | "DATA_QUALITY" => DataQualityJob::from_contract(contract)
            .map_err(Error::from)
            .and_then(|job| data_quality::run(&job, threads, observer)),
        "MODEL_QUALITY" => ModelQualityJob::from_contract(contract)
            .map_err(Error::from)
            .and_then(|job| model_quality::run(&job, observer)),
        _ => Err(Error::Contract(watchkeeper_formats::Error::Variable {
            name: "analysis_type",
            value: analysis_type.to_owned(),
            expected: "DATA_QUALITY, MODEL_QUALITY or nothing".to_owned(),
        })),
    };
    end(contract, ended, observer)
}

/// Carries out what the image `sagemaker-model-monitor-groundtruth-merger` is asked for. None where it ended well: that leaves no
/// exit message.
///
/// # Errors
/// When the message cannot be written.
pub fn run_ground_truth_merger(
    contract: &JobContract,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Option<ExitMessage>, Error> {
    let ended =
        MergeJob::from_contract(contract).map_err(Error::from).and_then(|job| merge::merge(&job, threads, observer));
    match ended {
        Ok(_) => Ok(None),
        Err(error) => end(contract, Err(error), observer).map(Some),
    }
}

/// Carries out what the image `sagemaker-clarify-processing` is asked for: a processing job, or an execution of the bias or the
/// explainability monitor by `analysis_type`.
///
/// # Errors
/// When the exit message cannot be written.
pub fn run_clarify_processing(
    contract: &JobContract,
    threads: usize,
    observer: &dyn Observer,
) -> Result<ExitMessage, Error> {
    let ended =
        ClarifyJob::from_contract(contract).map_err(Error::from).and_then(|job| clarify::run(&job, threads, observer));
    let message = ended.unwrap_or_else(|error| match error {
        // Neither is the fault of whoever asked for the analysis.
        Error::Output { .. } | Error::Stopped => failure(&error, observer),
        _ => worded_failure(ExitMessage::ClientError, &error, observer),
    });
    leave_message(contract, &message)?;
    Ok(message)
}

fn end(
    contract: &JobContract,
    ended: Result<ExitMessage, Error>,
    observer: &dyn Observer,
) -> Result<ExitMessage, Error> {
    let message = ended.unwrap_or_else(|error| failure(&error, observer));
    leave_message(contract, &message)?;
    Ok(message)
}

/// Writes a job's exit message where its contract says, however little else of the contract can be understood.
///
/// # Errors
/// When it cannot be written.
pub fn leave_message(contract: &JobContract, message: &ExitMessage) -> Result<(), Error> {
    output::write(&message_file(contract), message.to_string().as_bytes())
}

fn message_file(contract: &JobContract) -> PathBuf {
    let name = contract.variables.get("output_message_file").filter(|name| !name.is_empty());
    contract.path(name.map_or(OUTPUT_MESSAGE_FILE, String::as_str))
}

/// The message of a failure: one line, no longer than AWS keeps. What does not fit into it goes to the log.
pub fn failure(error: &impl std::fmt::Display, observer: &dyn Observer) -> ExitMessage {
    worded_failure(ExitMessage::Error, error, observer)
}

fn worded_failure(
    worded: fn(String) -> ExitMessage,
    error: &impl std::fmt::Display,
    observer: &dyn Observer,
) -> ExitMessage {
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let mut reason = lines.join(" ");
    let room = LONGEST_MESSAGE - worded(String::new()).to_string().len();
    if reason.len() > room {
        reason.truncate(reason.floor_char_boundary(room - "...".len()));
        reason.push_str("...");
    }
    if reason != text {
        text.lines().for_each(|line| observer.log(Level::Error, line));
    }
    worded(reason)
}
