//! The built-in analyzers: jobs as AWS's images are, from their contract to their documents.
//!
//! A job is told everything by its [`JobContract`]: paths, variables, settings. Nothing is taken from the process, so
//! the command line calls an analyzer as a library, and a job runner starts it as a program.

mod columns;
pub mod data_quality;
mod error;
mod fold;
mod metrics;
mod observer;
pub mod output;
pub mod report;
mod scripts;

pub use error::Error;
pub use observer::{Level, Observer, Progress};
pub use scripts::{DryRunSummary, Preprocessed, Preprocessor, ScriptError, Stage, dry_run, post_analytics};

use watchkeeper_formats::{DataQualityJob, ExitMessage, JobContract};

/// Carries out the data quality job of a contract and leaves its exit message where the contract says. Failures are a
/// message too, and a line in the log.
///
/// # Errors
/// When the contract cannot be understood or the message not be written.
pub fn run_data_quality(contract: &JobContract, threads: usize, observer: &dyn Observer) -> Result<ExitMessage, Error> {
    let job = match DataQualityJob::from_contract(contract) {
        Ok(job) => job,
        Err(error) => {
            // Without a job there is still the place where AWS expects the message.
            let error = Error::from(error);
            let message = ExitMessage::Error(error.to_string());
            let path = contract.path(watchkeeper_formats::contract::OUTPUT_MESSAGE_FILE);
            output::write(&path, message.to_string().as_bytes())?;
            return Ok(message);
        }
    };
    let message = match data_quality::run(&job, threads, observer) {
        Ok(message) => message,
        Err(error) => ExitMessage::Error(error.to_string()),
    };
    write_message(&job, &message)?;
    Ok(message)
}

fn write_message(job: &DataQualityJob, message: &ExitMessage) -> Result<(), Error> {
    output::write(&job.output_message_file, message.to_string().as_bytes())
}
