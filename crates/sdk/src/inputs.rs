//! What batch transform jobs take: Python's `sagemaker.inputs`, as far as monitors need it.

use serde::{Deserialize, Serialize};
use watchkeeper_aws::types::S3Uri;

use crate::request::setters;

/// What a batch transform job keeps of its input and output, for monitors to read.
///
/// Its JSON is the member `DataCaptureConfig` of `CreateTransformJob`:
///
/// ```no_run
/// # async fn run(session: &watchkeeper::Session) -> Result<(), Box<dyn std::error::Error>> {
/// use watchkeeper::inputs::BatchDataCaptureConfig;
/// use watchkeeper::session::AwsService;
///
/// let capture = BatchDataCaptureConfig::new("s3://bucket/captured".parse()?).generate_inference_id(true);
/// let job = serde_json::json!({
///     "TransformJobName": "nightly",
///     "ModelName": "churn",
///     "TransformInput": { "DataSource": { "S3DataSource": { "S3DataType": "S3Prefix", "S3Uri": "s3://bucket/input" } } },
///     "TransformOutput": { "S3OutputPath": "s3://bucket/output" },
///     "TransformResources": { "InstanceType": "ml.m5.xlarge", "InstanceCount": 1 },
///     "DataCaptureConfig": capture,
/// });
/// session.call(AwsService::SageMaker, "CreateTransformJob", "nightly", &job).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct BatchDataCaptureConfig {
    /// Where captures are written.
    pub destination_s3_uri: S3Uri,
    /// The key to encrypt captures with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// Whether each record gets an id, by which true labels are found later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate_inference_id: Option<bool>,
}

impl BatchDataCaptureConfig {
    /// Captures written below `destination_s3_uri`.
    pub fn new(destination_s3_uri: S3Uri) -> Self {
        Self { destination_s3_uri, kms_key_id: None, generate_inference_id: None }
    }

    setters! {
        /// The key to encrypt captures with.
        kms_key_id: String,
        /// Whether each record gets an id.
        generate_inference_id = bool,
    }
}
