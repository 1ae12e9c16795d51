//! Where a schedule puts what its executions find.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use watchkeeper_aws::types::S3Uri;

use crate::processing::S3UploadMode;
use crate::request::setters;

/// Where a schedule puts what its executions find.
///
/// ```
/// use watchkeeper::model_monitor::MonitoringOutput;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let output = MonitoringOutput::new("/opt/ml/processing/output")
///     .destination("s3://bucket/reports".parse::<watchkeeper::S3Uri>()?);
/// assert_eq!(output.destination.unwrap().to_string(), "s3://bucket/reports");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MonitoringOutput {
    /// The folder that the job writes to: a path in its container.
    #[serde(rename = "LocalPath")]
    pub source: String,
    /// Where it is uploaded to; when not set, `s3://<default bucket>/<schedule>/output`.
    #[serde(rename = "S3Uri", default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<S3Uri>,
    /// When it is uploaded.
    #[serde(rename = "S3UploadMode", default = "continuous")]
    pub s3_upload_mode: S3UploadMode,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl MonitoringOutput {
    /// What the job writes to the folder `source` of its container.
    pub fn new(source: impl Into<String>) -> Self {
        Self { source: source.into(), destination: None, s3_upload_mode: continuous(), other: Map::new() }
    }

    setters! {
        /// Where it is uploaded to.
        destination: S3Uri,
    }

    /// When it is uploaded; `Continuous` when not set.
    #[must_use]
    pub fn s3_upload_mode(mut self, mode: S3UploadMode) -> Self {
        self.s3_upload_mode = mode;
        self
    }
}

fn continuous() -> S3UploadMode {
    S3UploadMode::Continuous
}
