//! A model quality job, typed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;

use super::variables::{
    BASELINE_CONSTRAINTS, DATASET_SOURCE, END_TIME, ENDPOINT_NAME, INFERENCE_ATTRIBUTE, METRIC_TIME,
    MONITORING_SCHEDULE_NAME, OUTPUT_PATH, POST_ANALYTICS_PROCESSOR_SCRIPT, PROBABILITY_ATTRIBUTE,
    RECORD_PREPROCESSOR_SCRIPT, START_TIME,
};
use super::{JobContract, MonitoringInputType, Settings};
use crate::dataset_format::DatasetFormat;
use crate::error::Error;
use crate::model_quality::ProblemType;

/// A model quality job: a baseline job has no constraints, a monitoring job may have.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelQualityJob {
    /// `problem_type`.
    pub problem_type: ProblemType,
    /// `dataset_format`: how the files are to be read.
    pub dataset_format: DatasetFormat,
    /// `dataset_source`: folder or file of the dataset.
    pub dataset_source: PathBuf,
    /// `output_path`: folder of the results.
    pub output_path: PathBuf,
    /// `baseline_constraints`: the baseline's `constraints.json`.
    pub baseline_constraints: Option<PathBuf>,
    /// `inference_attribute`: where the prediction is.
    pub inference_attribute: Option<String>,
    /// `probability_attribute`: where the probability is.
    pub probability_attribute: Option<String>,
    /// `ground_truth_attribute`: where the label is.
    pub ground_truth_attribute: Option<String>,
    /// `probability_threshold_attribute`: above it a row is predicted positive; 0.5 when not set.
    pub probability_threshold: f64,
    /// `record_preprocessor_script`: Python file called for every captured record.
    pub record_preprocessor_script: Option<PathBuf>,
    /// `post_analytics_processor_script`: Python file called after the analysis.
    pub post_analytics_processor_script: Option<PathBuf>,
    /// `publish_cloudwatch_metrics`: whether metrics are written; off when not set.
    pub publish_cloudwatch_metrics: bool,
    /// `start_time`: start of the window, inclusive.
    pub start_time: Option<Timestamp>,
    /// `end_time`: end of the window, exclusive.
    pub end_time: Option<Timestamp>,
    /// `metric_time`: the time that metrics carry.
    pub metric_time: Option<Timestamp>,
    /// `sagemaker_endpoint_name`.
    pub endpoint_name: Option<String>,
    /// `sagemaker_monitoring_schedule_name`.
    pub monitoring_schedule_name: Option<String>,
    /// `monitoring_input_type`.
    pub monitoring_input_type: Option<MonitoringInputType>,
    /// `output_message_file`: file of the exit message.
    pub output_message_file: PathBuf,
    /// `cloudwatch_metrics_directory`: folder of the metrics.
    pub cloudwatch_metrics_directory: PathBuf,
    /// The switches of this project.
    pub settings: Settings,
    /// The environment of the job, as user scripts see it: all variables, paths as on this machine.
    pub variables: BTreeMap<String, String>,
}

const GROUND_TRUTH_ATTRIBUTE: &str = "ground_truth_attribute";

impl ModelQualityJob {
    /// Above this a row is predicted positive, where nothing else is said.
    pub const DEFAULT_PROBABILITY_THRESHOLD: f64 = 0.5;

    /// The typed reading of the variables.
    ///
    /// # Errors
    /// [`Error::DatasetFormat`] for `dataset_format`; otherwise names the variable, its value and what is expected; also when
    /// the attributes that the problem type needs are not given.
    pub fn from_contract(contract: &JobContract) -> Result<Self, Error> {
        contract.refuse_other_analyses("MODEL_QUALITY", "MODEL_QUALITY, this analysis is for model quality only")?;
        let publish_cloudwatch_metrics = contract.publishes_metrics()?;
        let job = Self {
            problem_type: problem_type(contract)?,
            dataset_format: contract.dataset_format()?,
            dataset_source: contract.required_path(DATASET_SOURCE, "the path of the dataset")?,
            output_path: contract.required_path(OUTPUT_PATH, "the folder of the results")?,
            baseline_constraints: contract.optional_path(BASELINE_CONSTRAINTS),
            inference_attribute: contract.text(INFERENCE_ATTRIBUTE),
            probability_attribute: contract.text(PROBABILITY_ATTRIBUTE),
            ground_truth_attribute: contract.text(GROUND_TRUTH_ATTRIBUTE),
            probability_threshold: contract.probability_threshold()?.unwrap_or(Self::DEFAULT_PROBABILITY_THRESHOLD),
            record_preprocessor_script: contract.optional_path(RECORD_PREPROCESSOR_SCRIPT),
            post_analytics_processor_script: contract.optional_path(POST_ANALYTICS_PROCESSOR_SCRIPT),
            publish_cloudwatch_metrics,
            start_time: contract.time(START_TIME)?,
            end_time: contract.time(END_TIME)?,
            metric_time: contract.time(METRIC_TIME)?,
            endpoint_name: contract.text(ENDPOINT_NAME),
            monitoring_schedule_name: contract.text(MONITORING_SCHEDULE_NAME),
            monitoring_input_type: contract.input_type()?,
            output_message_file: contract.output_message_file(),
            cloudwatch_metrics_directory: contract.cloudwatch_metrics_directory(),
            settings: Settings::from_contract(contract)?,
            variables: contract.variables_of_scripts(&[]),
        };
        job.check_attributes()?;
        Ok(job)
    }

    /// Refuses a job whose attributes cannot give predictions and labels, naming the one that is missing. Merged captures have
    /// their labels beside them, and a prediction that is all of the output needs no attribute.
    fn check_attributes(&self) -> Result<(), Error> {
        let missing = |name, expected| Err(Error::MissingVariable { name, expected });
        let has_any = self.inference_attribute.is_some() || self.probability_attribute.is_some();
        let (has_prediction, expected) = match self.problem_type {
            ProblemType::Regression => {
                (self.inference_attribute.is_some(), "the column or member that holds the prediction")
            }
            ProblemType::BinaryClassification => {
                (has_any, "the column or member that holds the prediction, or probability_attribute that of the score")
            }
            ProblemType::MulticlassClassification => (
                has_any,
                "the column or member that holds the prediction, or probability_attribute that of the list of probabilities",
            ),
        };
        let is_merged = matches!(self.dataset_format, DatasetFormat::MergeJson { .. });
        let is_whole_output = is_merged && !has_any;
        if !has_prediction && !is_whole_output {
            return missing(INFERENCE_ATTRIBUTE, expected);
        }
        if !is_merged && self.ground_truth_attribute.is_none() {
            return missing(GROUND_TRUTH_ATTRIBUTE, "the column or member that holds the label");
        }
        Ok(())
    }
}

fn problem_type(contract: &JobContract) -> Result<ProblemType, Error> {
    const NAME: &str = "problem_type";
    const EXPECTED: &str = "Regression, BinaryClassification or MulticlassClassification";
    contract.word(NAME, EXPECTED)?.ok_or(Error::MissingVariable { name: NAME, expected: EXPECTED })
}
