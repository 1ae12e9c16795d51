//! The built-in images as programs: from variables and a file tree to a logged exit message.
//!
//! A runner starts one as a process of its own or on a thread; both come through here, so that a job ends the same way
//! however it was started.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use watchkeeper_formats::contract::PROCESSING_JOB_CONFIG;
use watchkeeper_formats::{ExitMessage, JobContract};

use crate::{
    Error, Level, Observer, failure, leave_message, run_clarify_processing, run_ground_truth_merger,
    run_model_monitor_analyzer,
};

/// A built-in image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Image {
    /// `sagemaker-model-monitor-analyzer`: data quality, or model quality where `analysis_type` says so.
    ModelMonitorAnalyzer,
    /// `sagemaker-model-monitor-groundtruth-merger`: captures and labels merged.
    GroundTruthMerger,
    /// `sagemaker-clarify-processing`: bias and feature attribution.
    ClarifyProcessing,
}

impl Image {
    /// The image whose repository ends with this name, such as `model-monitor-analyzer`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "model-monitor-analyzer" => Some(Self::ModelMonitorAnalyzer),
            "groundtruth-merger" => Some(Self::GroundTruthMerger),
            "clarify-processing" => Some(Self::ClarifyProcessing),
            _ => None,
        }
    }
}

/// A job of a built-in image, ready to be run.
#[derive(Clone, Debug)]
pub struct Job {
    image: Image,
    /// What is known of the contract, however little of the rest can be read.
    contract: JobContract,
    /// Why the job's description cannot be read.
    problem: Option<String>,
}

impl Job {
    /// The job of these variables, and for what they do not set of the job's own description.
    ///
    /// # Errors
    /// When the variables alone make no contract.
    pub fn new(image: Image, variables: BTreeMap<String, String>) -> Result<Self, Error> {
        let environment = JobContract::new(variables, None)?;
        let (contract, problem) = match with_job_description(&environment) {
            Ok(contract) => (contract, None),
            Err(problem) => (environment, Some(problem)),
        };
        Ok(Self { image, contract, problem })
    }

    /// What is known of the contract: at least where the exit message goes.
    pub fn contract(&self) -> &JobContract {
        &self.contract
    }

    /// Carries the job out. However it ends, there is an exit message where AWS's image leaves one, and the last line of the
    /// log says the same. Tells whether it ended well.
    ///
    /// # Errors
    /// When the message cannot be written.
    pub fn run(&self, threads: usize, observer: &dyn Observer) -> Result<bool, Error> {
        let contract = &self.contract;
        let message = match (&self.problem, self.image) {
            (Some(problem), _) => {
                let message = failure(problem, observer);
                leave_message(contract, &message)?;
                Some(message)
            }
            (None, Image::ModelMonitorAnalyzer) => Some(run_model_monitor_analyzer(contract, threads, observer)?),
            (None, Image::ClarifyProcessing) => Some(run_clarify_processing(contract, threads, observer)?),
            (None, Image::GroundTruthMerger) => run_ground_truth_merger(contract, threads, observer)?,
        };
        let failed = message.as_ref().is_some_and(ExitMessage::is_failure);
        if let Some(message) = message {
            observer.log(if failed { Level::Error } else { Level::Info }, &message.to_string());
        }
        Ok(!failed)
    }
}

/// The environment, and for what it does not set the job's own description.
fn with_job_description(environment: &JobContract) -> Result<JobContract, String> {
    let path = environment.path(PROCESSING_JOB_CONFIG);
    let variables = environment.variables.clone();
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            JobContract::new(variables, Some(&text)).map_err(|error| format!("{}: {}", path.display(), chain(&error)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(environment.clone()),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
