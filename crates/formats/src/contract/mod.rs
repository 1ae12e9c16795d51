//! The job contract: what an analysis is told by its environment and what it tells back.
//!
//! An AWS processing job and a run by hand speak the same language: variables in, files and an exit message out.
//! [`JobContract`] gathers the variables, [`DataQualityJob`] is their typed reading, [`Settings`] are this project's
//! own switches, [`ExitMessage`] and [`MetricLine`] are the answers. Nothing here reads the environment or a file:
//! callers hand in both.

mod clarify_job;
mod data_quality_job;
mod exit_message;
mod merge_job;
mod metric_line;
mod model_quality_job;
mod settings;
mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

pub use clarify_job::{ClarifyJob, ClarifyKind, MonitoredTraffic, ServiceAccess};
pub use data_quality_job::{DataQualityJob, MonitoringInputType};
pub use exit_message::ExitMessage;
pub use merge_job::MergeJob;
pub use metric_line::{Dimension, Measurement, MetricLine, StatisticValues, Unit};
pub use model_quality_job::ModelQualityJob;
pub use settings::{DriftRule, Settings};

use crate::error::Error;
use crate::json;
use crate::lenient;

/// Where a processing job finds its own description.
pub const PROCESSING_JOB_CONFIG: &str = "/opt/ml/config/processingjobconfig.json";
/// Where the exit message goes when `output_message_file` is not set.
pub const OUTPUT_MESSAGE_FILE: &str = "/opt/ml/output/message";
/// Where metrics go when `cloudwatch_metrics_directory` is not set.
pub const CLOUDWATCH_METRICS_DIRECTORY: &str = "/opt/ml/output/metrics/cloudwatch";
/// The file of metrics in that directory, one [`MetricLine`] per line.
pub const CLOUDWATCH_METRICS_FILE: &str = "cloudwatch_metrics.jsonl";

/// The variable by which a program finds the file tree of its job where that is not at `/opt/ml`.
pub const JOB_ROOT: &str = "WATCHKEEPER_JOB_ROOT";

/// The variables of a job and where its file tree hangs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobContract {
    /// The process environment, and what the job description adds to it.
    pub variables: BTreeMap<String, String>,
    /// The folder under which the absolute paths of the contract lie, from `WATCHKEEPER_JOB_ROOT`; None: as they are.
    pub root: Option<PathBuf>,
}

/// The part of `processingjobconfig.json` that matters here.
#[derive(Deserialize)]
struct ProcessingJobConfig {
    #[serde(rename = "Environment", default, deserialize_with = "lenient::null_as_default")]
    environment: BTreeMap<String, String>,
}

impl JobContract {
    /// The contract from the process environment and the text of [`PROCESSING_JOB_CONFIG`], if there is one. What the
    /// environment sets, even to nothing, wins.
    ///
    /// # Errors
    ///
    /// When the job description is not JSON or its `Environment` is not an object of texts.
    pub fn new(environment: BTreeMap<String, String>, processing_job_config: Option<&str>) -> Result<Self, Error> {
        let mut variables = match processing_job_config {
            Some(text) => {
                let config: ProcessingJobConfig =
                    json::parse(text).map_err(|error| Error::ProcessingJobConfig(Box::new(error)))?;
                config.environment
            }
            None => BTreeMap::new(),
        };
        variables.extend(environment);
        let root = variables.get(JOB_ROOT).filter(|root| !root.is_empty()).map(PathBuf::from);
        Ok(Self { variables, root })
    }

    /// A path of the contract as a path of this machine.
    pub fn path(&self, absolute: &str) -> PathBuf {
        match &self.root {
            Some(root) => root.join(absolute.trim_start_matches('/')),
            None => PathBuf::from(absolute),
        }
    }
}
