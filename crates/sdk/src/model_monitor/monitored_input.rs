//! What a monitor looks at: the captured traffic of an endpoint, or of batch transform jobs.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use watchkeeper_aws::types::{S3Uri, TimeOffset};

use crate::processing::{S3DataDistributionType, S3InputMode};
use crate::request::setters;

use super::MonitoringDatasetFormat;

/// Setters that both kinds of input have.
macro_rules! input_setters {
    () => {
        /// How the job gets the captured objects; `File` when not set.
        #[must_use]
        pub fn s3_input_mode(mut self, mode: S3InputMode) -> Self {
            self.s3_input_mode = mode;
            self
        }

        /// Which of them each instance of the job gets; `FullyReplicated` when not set.
        #[must_use]
        pub fn s3_data_distribution_type(mut self, distribution: S3DataDistributionType) -> Self {
            self.s3_data_distribution_type = distribution;
            self
        }

        setters! {
            /// Where the window of an execution begins, before its scheduled time: `-PT1H`.
            start_time_offset: TimeOffset,
            /// Where the window of an execution ends, before its scheduled time: `-PT0H`.
            end_time_offset: TimeOffset,
            /// `JSONPath` of the features in a request, for bias and explainability of JSON lines.
            features_attribute: String,
            /// Index, header or `JSONPath` of the predicted label.
            inference_attribute: String,
            /// Index or `JSONPath` of probabilities or scores.
            probability_attribute: String,
            /// From which probability on a prediction counts as positive.
            probability_threshold_attribute: f64,
            /// Indices or names of columns that are left out, separated by commas.
            exclude_features_attribute: String,
        }
    };
}

/// The captured traffic of an endpoint.
///
/// ```
/// use watchkeeper::model_monitor::EndpointInput;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let input = EndpointInput::new("churn", "/opt/ml/processing/input/endpoint")
///     .start_time_offset("-P1D".parse::<watchkeeper::TimeOffset>()?)
///     .inference_attribute("prediction");
/// assert_eq!(input.endpoint_name, "churn");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct EndpointInput {
    /// The endpoint.
    pub endpoint_name: String,
    /// Where the job finds the captured files: a path in its container.
    #[serde(rename = "LocalPath")]
    pub destination: String,
    /// How the job gets the captured objects.
    #[serde(default = "file", rename = "S3InputMode")]
    pub s3_input_mode: S3InputMode,
    /// Which of them each instance of the job gets.
    #[serde(default = "fully_replicated", rename = "S3DataDistributionType")]
    pub s3_data_distribution_type: S3DataDistributionType,
    /// Where the window of an execution begins, before its scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time_offset: Option<TimeOffset>,
    /// Where the window of an execution ends, before its scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time_offset: Option<TimeOffset>,
    /// `JSONPath` of the features in a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features_attribute: Option<String>,
    /// Index, header or `JSONPath` of the predicted label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_attribute: Option<String>,
    /// Index or `JSONPath` of probabilities or scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_attribute: Option<String>,
    /// From which probability on a prediction counts as positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_threshold_attribute: Option<f64>,
    /// Indices or names of columns that are left out, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_features_attribute: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl EndpointInput {
    /// The traffic of `endpoint_name`, which the job finds at `destination` in its container.
    pub fn new(endpoint_name: impl Into<String>, destination: impl Into<String>) -> Self {
        Self {
            endpoint_name: endpoint_name.into(),
            destination: destination.into(),
            s3_input_mode: file(),
            s3_data_distribution_type: fully_replicated(),
            start_time_offset: None,
            end_time_offset: None,
            features_attribute: None,
            inference_attribute: None,
            probability_attribute: None,
            probability_threshold_attribute: None,
            exclude_features_attribute: None,
            other: Map::new(),
        }
    }

    input_setters! {}
}

/// What batch transform jobs captured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct BatchTransformInput {
    /// Where the captured files are.
    #[serde(rename = "DataCapturedDestinationS3Uri")]
    pub data_captured_destination_s3_uri: S3Uri,
    /// Where the job finds them: a path in its container.
    #[serde(rename = "LocalPath")]
    pub destination: String,
    /// How the job gets the captured objects.
    #[serde(default = "file", rename = "S3InputMode")]
    pub s3_input_mode: S3InputMode,
    /// Which of them each instance of the job gets.
    #[serde(default = "fully_replicated", rename = "S3DataDistributionType")]
    pub s3_data_distribution_type: S3DataDistributionType,
    /// What the transform job read.
    pub dataset_format: MonitoringDatasetFormat,
    /// Where the window of an execution begins, before its scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time_offset: Option<TimeOffset>,
    /// Where the window of an execution ends, before its scheduled time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time_offset: Option<TimeOffset>,
    /// `JSONPath` of the features in a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub features_attribute: Option<String>,
    /// Index, header or `JSONPath` of the predicted label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference_attribute: Option<String>,
    /// Index or `JSONPath` of probabilities or scores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_attribute: Option<String>,
    /// From which probability on a prediction counts as positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_threshold_attribute: Option<f64>,
    /// Indices or names of columns that are left out, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exclude_features_attribute: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl BatchTransformInput {
    /// What was captured below an address, which the job finds at `destination` in its container.
    pub fn new(
        data_captured_destination_s3_uri: S3Uri,
        destination: impl Into<String>,
        dataset_format: MonitoringDatasetFormat,
    ) -> Self {
        Self {
            data_captured_destination_s3_uri,
            destination: destination.into(),
            s3_input_mode: file(),
            s3_data_distribution_type: fully_replicated(),
            dataset_format,
            start_time_offset: None,
            end_time_offset: None,
            features_attribute: None,
            inference_attribute: None,
            probability_attribute: None,
            probability_threshold_attribute: None,
            exclude_features_attribute: None,
            other: Map::new(),
        }
    }

    input_setters! {}
}

fn file() -> S3InputMode {
    S3InputMode::File
}

fn fully_replicated() -> S3DataDistributionType {
    S3DataDistributionType::FullyReplicated
}

/// What a schedule looks at: where Python has `endpoint_input` or `batch_transform_input`, of which exactly one is given.
///
/// Made from the name of an endpoint as well, whose traffic the job then finds at `/opt/ml/processing/input/endpoint`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum MonitoredInput {
    /// An endpoint.
    #[serde(rename = "EndpointInput")]
    Endpoint(EndpointInput),
    /// Batch transform jobs.
    #[serde(rename = "BatchTransformInput")]
    BatchTransform(BatchTransformInput),
    /// What this version does not know, as the service has it.
    #[serde(untagged)]
    Other(Map<String, Value>),
}

impl From<EndpointInput> for MonitoredInput {
    fn from(input: EndpointInput) -> Self {
        Self::Endpoint(input)
    }
}

impl From<BatchTransformInput> for MonitoredInput {
    fn from(input: BatchTransformInput) -> Self {
        Self::BatchTransform(input)
    }
}

impl From<&str> for MonitoredInput {
    fn from(endpoint_name: &str) -> Self {
        Self::Endpoint(EndpointInput::new(endpoint_name, "/opt/ml/processing/input/endpoint"))
    }
}

impl From<String> for MonitoredInput {
    fn from(endpoint_name: String) -> Self {
        Self::from(endpoint_name.as_str())
    }
}
