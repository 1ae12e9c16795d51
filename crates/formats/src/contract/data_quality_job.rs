//! A data quality job, typed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::variables::{
    ANALYSIS_TYPE, BASELINE_CONSTRAINTS, DATASET_FORMAT, DATASET_SOURCE, END_TIME, ENDPOINT_NAME, EXCLUDE_FEATURES,
    INPUT_TYPE, MESSAGE_FILE, METRIC_TIME, METRICS_DIRECTORY, MONITORING_SCHEDULE_NAME, OUTPUT_PATH, PATHS,
    POST_ANALYTICS_PROCESSOR_SCRIPT, PUBLISH_CLOUDWATCH_METRICS, RECORD_PREPROCESSOR_SCRIPT, START_TIME,
};
use super::{CLOUDWATCH_METRICS_DIRECTORY, JOB_ROOT, JobContract, OUTPUT_MESSAGE_FILE, Settings, settings};
use crate::dataset_format::DatasetFormat;
use crate::error::Error;
use crate::json;
use crate::monitoring_config::{CategoricalDriftMethod, MonitoringConfigOverrides, Switch};
use crate::named_enum::named_enum;

named_enum! {
    /// What a scheduled job looks at.
    pub enum MonitoringInputType {
        /// Captures of an endpoint.
        EndpointInput = "ENDPOINT_INPUT",
        /// The data of a batch transform.
        BatchTransformInput = "BATCH_TRANSFORM_INPUT",
    }
}

/// A data quality job: a baseline job has no baseline files, a monitoring job has.
#[derive(Clone, Debug, PartialEq)]
pub struct DataQualityJob {
    /// `dataset_format`: how the files are to be read.
    pub dataset_format: DatasetFormat,
    /// `dataset_source`: folder or file of the dataset.
    pub dataset_source: PathBuf,
    /// `output_path`: folder of the results.
    pub output_path: PathBuf,
    /// `baseline_constraints`: the baseline's `constraints.json`.
    pub baseline_constraints: Option<PathBuf>,
    /// `baseline_statistics`: the baseline's `statistics.json`.
    pub baseline_statistics: Option<PathBuf>,
    /// `record_preprocessor_script`: Python file called for every captured record.
    pub record_preprocessor_script: Option<PathBuf>,
    /// `post_analytics_processor_script`: Python file called after the analysis.
    pub post_analytics_processor_script: Option<PathBuf>,
    /// `publish_cloudwatch_metrics`: whether metrics are written; off when not set.
    pub publish_cloudwatch_metrics: bool,
    /// `categorical_drift_method`: replaces that of the constraints a baseline job suggests.
    pub categorical_drift_method: Option<CategoricalDriftMethod>,
    /// `data_quality_monitoring_config`: replaces settings of the constraints a baseline job suggests.
    pub data_quality_monitoring_config: Option<MonitoringConfigOverrides>,
    /// `exclude_features_attribute`: names or indexes of columns to leave out, separated by commas, trimmed.
    pub exclude_features: Vec<String>,
    /// `start_time`: start of the window, inclusive.
    pub start_time: Option<Timestamp>,
    /// `end_time`: end of the window, exclusive.
    pub end_time: Option<Timestamp>,
    /// `metric_time`: the time that metrics carry.
    pub metric_time: Option<Timestamp>,
    /// `sagemaker_endpoint_name`.
    pub endpoint_name: Option<String>,
    /// `sagemaker_endpoint_datacapture_prefix`: where captures are stored.
    pub endpoint_datacapture_prefix: Option<String>,
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

const BASELINE_STATISTICS: &str = "baseline_statistics";
const CATEGORICAL_DRIFT_METHOD: &str = "categorical_drift_method";
const MONITORING_CONFIG: &str = "data_quality_monitoring_config";
const ENDPOINT_DATACAPTURE_PREFIX: &str = "sagemaker_endpoint_datacapture_prefix";

/// The variables of the contract beside [`PATHS`].
const OTHERS: [&str; 14] = [
    BASELINE_STATISTICS,
    DATASET_FORMAT,
    PUBLISH_CLOUDWATCH_METRICS,
    CATEGORICAL_DRIFT_METHOD,
    MONITORING_CONFIG,
    EXCLUDE_FEATURES,
    START_TIME,
    END_TIME,
    METRIC_TIME,
    ENDPOINT_NAME,
    ENDPOINT_DATACAPTURE_PREFIX,
    MONITORING_SCHEDULE_NAME,
    INPUT_TYPE,
    ANALYSIS_TYPE,
];

impl DataQualityJob {
    /// The typed reading of the variables.
    ///
    /// # Errors
    ///
    /// [`Error::DatasetFormat`] for `dataset_format`; otherwise an error that names the variable, its value and what
    /// is expected.
    pub fn from_contract(contract: &JobContract) -> Result<Self, Error> {
        contract
            .refuse_other_analyses("DATA_QUALITY", "DATA_QUALITY or nothing, this analysis is for data quality only")?;
        let publish_cloudwatch_metrics = contract.publishes_metrics()?;
        Ok(Self {
            dataset_format: contract.dataset_format()?,
            dataset_source: contract.required_path(DATASET_SOURCE, "the path of the dataset")?,
            output_path: contract.required_path(OUTPUT_PATH, "the folder of the results")?,
            baseline_constraints: contract.optional_path(BASELINE_CONSTRAINTS),
            baseline_statistics: contract.optional_path(BASELINE_STATISTICS),
            record_preprocessor_script: contract.optional_path(RECORD_PREPROCESSOR_SCRIPT),
            post_analytics_processor_script: contract.optional_path(POST_ANALYTICS_PROCESSOR_SCRIPT),
            publish_cloudwatch_metrics,
            categorical_drift_method: contract.word(CATEGORICAL_DRIFT_METHOD, "LInfinity or ChiSquared")?,
            data_quality_monitoring_config: monitoring_config(contract)?,
            exclude_features: contract.exclude_features(),
            start_time: contract.time(START_TIME)?,
            end_time: contract.time(END_TIME)?,
            metric_time: contract.time(METRIC_TIME)?,
            endpoint_name: contract.text(ENDPOINT_NAME),
            endpoint_datacapture_prefix: contract.text(ENDPOINT_DATACAPTURE_PREFIX),
            monitoring_schedule_name: contract.text(MONITORING_SCHEDULE_NAME),
            monitoring_input_type: contract.input_type()?,
            output_message_file: contract.output_message_file(),
            cloudwatch_metrics_directory: contract.cloudwatch_metrics_directory(),
            settings: Settings::from_contract(contract)?,
            variables: contract.variables_of_scripts(&[BASELINE_STATISTICS]),
        })
    }

    /// The variables that a runner sets for this job: those of [`Self::variables`] that are not part of the contract,
    /// and every field. Reading them again gives the same job.
    pub fn to_variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.retain(|name, _| !is_of_contract(name));
        let paths = [
            (DATASET_SOURCE, Some(&self.dataset_source)),
            (OUTPUT_PATH, Some(&self.output_path)),
            (BASELINE_CONSTRAINTS, self.baseline_constraints.as_ref()),
            (BASELINE_STATISTICS, self.baseline_statistics.as_ref()),
            (RECORD_PREPROCESSOR_SCRIPT, self.record_preprocessor_script.as_ref()),
            (POST_ANALYTICS_PROCESSOR_SCRIPT, self.post_analytics_processor_script.as_ref()),
            (MESSAGE_FILE, not_default(&self.output_message_file, OUTPUT_MESSAGE_FILE)),
            (METRICS_DIRECTORY, not_default(&self.cloudwatch_metrics_directory, CLOUDWATCH_METRICS_DIRECTORY)),
        ];
        for (name, path) in paths {
            variables.extend(path.map(|path| (name.to_owned(), path.display().to_string())));
        }
        let publish = if self.publish_cloudwatch_metrics { Switch::Enabled } else { Switch::Disabled };
        let excluded = Some(self.exclude_features.join(",")).filter(|names| !names.is_empty());
        let texts = [
            (DATASET_FORMAT, Some(self.dataset_format.to_json_text())),
            (PUBLISH_CLOUDWATCH_METRICS, Some(publish.to_string())),
            (CATEGORICAL_DRIFT_METHOD, self.categorical_drift_method.map(|method| method.to_string())),
            (MONITORING_CONFIG, self.data_quality_monitoring_config.as_ref().map(json::to_compact_string)),
            (EXCLUDE_FEATURES, excluded),
            (START_TIME, self.start_time.map(|time| time.to_string())),
            (END_TIME, self.end_time.map(|time| time.to_string())),
            (METRIC_TIME, self.metric_time.map(|time| time.to_string())),
            (ENDPOINT_NAME, self.endpoint_name.clone()),
            (ENDPOINT_DATACAPTURE_PREFIX, self.endpoint_datacapture_prefix.clone()),
            (MONITORING_SCHEDULE_NAME, self.monitoring_schedule_name.clone()),
            (INPUT_TYPE, self.monitoring_input_type.map(|input_type| input_type.to_string())),
        ];
        for (name, text) in texts {
            variables.extend(text.map(|text| (name.to_owned(), text)));
        }
        self.settings.add_variables(&mut variables);
        variables
    }
}

fn is_of_contract(name: &str) -> bool {
    name == JOB_ROOT || PATHS.contains(&name) || OTHERS.contains(&name) || settings::NAMES.contains(&name)
}

fn not_default<'a>(path: &'a PathBuf, default: &str) -> Option<&'a PathBuf> {
    (path.as_path() != Path::new(default)).then_some(path)
}

fn monitoring_config(contract: &JobContract) -> Result<Option<MonitoringConfigOverrides>, Error> {
    let Some(text) = contract.variable(MONITORING_CONFIG) else { return Ok(None) };
    let refusal = |problem: String| Error::Variable {
        name: MONITORING_CONFIG,
        value: text.to_owned(),
        expected: format!("a JSON object with keys of monitoring_config ({problem})"),
    };
    let overrides = MonitoringConfigOverrides::parse(text).map_err(|error| refusal(error.to_string()))?;
    overrides.validate().map_err(|(key, problem)| refusal(format!("{key}: {problem}")))?;
    Ok(Some(overrides))
}
