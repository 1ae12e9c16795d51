//! Reading single variables, those that several jobs have by name. An empty value is the same as none: services and shells
//! set variables to nothing when they have nothing to say.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use jiff::Timestamp;

use super::{CLOUDWATCH_METRICS_DIRECTORY, JOB_ROOT, JobContract, MonitoringInputType, OUTPUT_MESSAGE_FILE};
use crate::dataset_format::DatasetFormat;
use crate::error::Error;
use crate::monitoring_config::Switch;

pub(super) const ANALYSIS_TYPE: &str = "analysis_type";
pub(super) const DATASET_FORMAT: &str = "dataset_format";
pub(super) const DATASET_SOURCE: &str = "dataset_source";
pub(super) const OUTPUT_PATH: &str = "output_path";
pub(super) const BASELINE_CONSTRAINTS: &str = "baseline_constraints";
pub(super) const RECORD_PREPROCESSOR_SCRIPT: &str = "record_preprocessor_script";
pub(super) const POST_ANALYTICS_PROCESSOR_SCRIPT: &str = "post_analytics_processor_script";
pub(super) const MESSAGE_FILE: &str = "output_message_file";
pub(super) const METRICS_DIRECTORY: &str = "cloudwatch_metrics_directory";
pub(super) const PUBLISH_CLOUDWATCH_METRICS: &str = "publish_cloudwatch_metrics";
pub(super) const START_TIME: &str = "start_time";
pub(super) const END_TIME: &str = "end_time";
pub(super) const METRIC_TIME: &str = "metric_time";
pub(super) const ENDPOINT_NAME: &str = "sagemaker_endpoint_name";
pub(super) const MONITORING_SCHEDULE_NAME: &str = "sagemaker_monitoring_schedule_name";
pub(super) const INFERENCE_ATTRIBUTE: &str = "inference_attribute";
pub(super) const PROBABILITY_ATTRIBUTE: &str = "probability_attribute";
pub(super) const PROBABILITY_THRESHOLD_ATTRIBUTE: &str = "probability_threshold_attribute";
pub(super) const EXCLUDE_FEATURES: &str = "exclude_features_attribute";
pub(super) const INPUT_TYPE: &str = "monitoring_input_type";

/// The variables of every analysis that hold paths.
pub(super) const PATHS: [&str; 7] = [
    DATASET_SOURCE,
    OUTPUT_PATH,
    BASELINE_CONSTRAINTS,
    RECORD_PREPROCESSOR_SCRIPT,
    POST_ANALYTICS_PROCESSOR_SCRIPT,
    MESSAGE_FILE,
    METRICS_DIRECTORY,
];

impl JobContract {
    /// The value of a variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable that must be there.
    pub(super) fn required(&self, name: &'static str, expected: &'static str) -> Result<&str, Error> {
        self.variable(name).ok_or(Error::MissingVariable { name, expected })
    }

    /// A variable read by `read`, whose error becomes one that names the variable.
    pub(super) fn read<T>(
        &self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.variable(name) else { return Ok(None) };
        let refusal = || Error::Variable { name, value: value.to_owned(), expected: expected.to_owned() };
        read(value.trim()).map(Some).ok_or_else(refusal)
    }

    /// A word of a fixed set, in any letter case.
    pub(super) fn word<T: FromStr>(&self, name: &'static str, expected: &str) -> Result<Option<T>, Error> {
        self.read(name, expected, |value| value.parse().ok())
    }

    /// A time such as `2020-02-19T06:00:00Z`.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<Timestamp>, Error> {
        self.read(name, "a time such as 2020-02-19T06:00:00Z", |value| value.parse().ok())
    }

    /// A switch of this project: `1`, `0`, `true` or `false`; off when not set.
    pub(super) fn flag(&self, name: &'static str) -> Result<bool, Error> {
        let flag = self.read(name, "1, 0, true or false", |value| match value.to_ascii_lowercase().as_str() {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        })?;
        Ok(flag.unwrap_or(false))
    }

    /// A text, such as a name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.variable(name).map(str::to_owned)
    }

    /// A path, as one of this machine.
    pub(super) fn optional_path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(|value| self.path(value))
    }

    /// A path that must be there, as one of this machine.
    pub(super) fn required_path(&self, name: &'static str, expected: &'static str) -> Result<PathBuf, Error> {
        self.required(name, expected).map(|value| self.path(value))
    }

    /// Refuses jobs of another analysis than `word`: all of them use the same variables.
    pub(super) fn refuse_other_analyses(&self, word: &str, expected: &str) -> Result<(), Error> {
        self.read(ANALYSIS_TYPE, expected, |value| value.eq_ignore_ascii_case(word).then_some(())).map(drop)
    }

    pub(super) fn dataset_format(&self) -> Result<DatasetFormat, Error> {
        self.variable(DATASET_FORMAT).map_or_else(|| Err(DatasetFormat::not_set()), DatasetFormat::parse)
    }

    /// Whether metrics are written; off when not set.
    pub(super) fn publishes_metrics(&self) -> Result<bool, Error> {
        let publish: Option<Switch> = self.word(PUBLISH_CLOUDWATCH_METRICS, "Enabled or Disabled")?;
        Ok(publish.is_some_and(Switch::is_enabled))
    }

    pub(super) fn input_type(&self) -> Result<Option<MonitoringInputType>, Error> {
        self.word(INPUT_TYPE, "ENDPOINT_INPUT or BATCH_TRANSFORM_INPUT")
    }

    /// The score above which a row is positive; scripts pass it in quotes too.
    pub(super) fn probability_threshold(&self) -> Result<Option<f64>, Error> {
        self.read(PROBABILITY_THRESHOLD_ATTRIBUTE, "a number such as 0.5", |text| {
            let number = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
            number.trim().parse().ok().filter(|threshold: &f64| threshold.is_finite())
        })
    }

    /// Names or indexes of columns to leave out; they are separated by commas.
    pub(super) fn exclude_features(&self) -> Vec<String> {
        let names = self.variable(EXCLUDE_FEATURES).unwrap_or_default().split(',').map(str::trim);
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }

    pub(super) fn output_message_file(&self) -> PathBuf {
        self.path(self.variable(MESSAGE_FILE).unwrap_or(OUTPUT_MESSAGE_FILE))
    }

    pub(super) fn cloudwatch_metrics_directory(&self) -> PathBuf {
        self.path(self.variable(METRICS_DIRECTORY).unwrap_or(CLOUDWATCH_METRICS_DIRECTORY))
    }

    /// The variables as user scripts see them: they open the paths they find, so [`PATHS`] and `more_paths` must be those of
    /// this machine.
    pub(super) fn variables_of_scripts(&self, more_paths: &[&str]) -> BTreeMap<String, String> {
        let mut variables = self.variables.clone();
        variables.remove(JOB_ROOT);
        for name in PATHS.iter().chain(more_paths) {
            if let Some(value) = self.variable(name) {
                variables.insert((*name).to_owned(), self.path(value).display().to_string());
            }
        }
        variables
    }
}
