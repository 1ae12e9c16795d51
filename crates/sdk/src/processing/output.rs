//! What comes out of a processing job.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::S3UploadMode;
use crate::S3Uri;

/// A folder of the job that is uploaded.
///
/// ```
/// use watchkeeper::processing::ProcessingOutput;
///
/// let output = ProcessingOutput::new("/opt/ml/processing/output").destination("s3://bucket/results".parse()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingOutput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output_name: Option<String>,
    #[serde(default)]
    pub(crate) app_managed: bool,
    #[serde(default, rename = "S3Output", skip_serializing_if = "Option::is_none")]
    pub(crate) s3_output: Option<S3Output>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) feature_store_output: Option<FeatureStoreOutput>,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

/// Where a folder of a job goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct S3Output {
    /// Where it is uploaded to; none until a job is started without being told.
    #[serde(default, rename = "S3Uri", skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<S3Uri>,
    /// The folder of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path: Option<String>,
    /// When it is uploaded.
    #[serde(default, rename = "S3UploadMode", skip_serializing_if = "Option::is_none")]
    pub s3_upload_mode: Option<S3UploadMode>,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A group of the feature store that an output goes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct FeatureStoreOutput {
    /// The name of the group.
    pub feature_group_name: String,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl FeatureStoreOutput {
    /// The group of this name.
    pub fn new(feature_group_name: impl Into<String>) -> Self {
        Self { feature_group_name: feature_group_name.into(), other: Map::new() }
    }
}

impl ProcessingOutput {
    /// The folder `source` of the job, uploaded at its end to `s3://<default bucket>/<job>/output/<output name>` unless a
    /// [`destination`](Self::destination) is set.
    pub fn new(source: impl Into<String>) -> Self {
        let s3_output = S3Output {
            s3_uri: None,
            local_path: Some(source.into()),
            s3_upload_mode: Some(S3UploadMode::EndOfJob),
            other: Map::new(),
        };
        Self {
            output_name: None,
            app_managed: false,
            s3_output: Some(s3_output),
            feature_store_output: None,
            other: Map::new(),
        }
    }

    /// What the job itself puts into a group of the feature store; no folder of it is uploaded.
    pub fn from_feature_store_output(output: FeatureStoreOutput) -> Self {
        Self {
            output_name: None,
            app_managed: false,
            s3_output: None,
            feature_store_output: Some(output),
            other: Map::new(),
        }
    }

    /// Where its folder is uploaded to; nothing, when it has none.
    #[must_use]
    pub fn destination(mut self, destination: S3Uri) -> Self {
        if let Some(output) = &mut self.s3_output {
            output.s3_uri = Some(destination);
        }
        self
    }

    /// Its name among the outputs of the job; `output-1`, `output-2`, ... when there is none.
    #[must_use]
    pub fn output_name(mut self, name: impl Into<String>) -> Self {
        self.output_name = Some(name.into());
        self
    }

    /// When its folder is uploaded, if it has one; [`S3UploadMode::EndOfJob`] by default.
    #[must_use]
    pub fn s3_upload_mode(mut self, mode: impl Into<S3UploadMode>) -> Self {
        if let Some(output) = &mut self.s3_output {
            output.s3_upload_mode = Some(mode.into());
        }
        self
    }

    /// Whether the program uploads its output itself; no by default.
    #[must_use]
    pub fn app_managed(mut self, managed: bool) -> Self {
        self.app_managed = managed;
        self
    }

    /// The group of the feature store that it goes to as well.
    #[must_use]
    pub fn feature_store_output(mut self, output: FeatureStoreOutput) -> Self {
        self.feature_store_output = Some(output);
        self
    }

    /// Its name, when it has one.
    pub fn name(&self) -> Option<&str> {
        self.output_name.as_deref()
    }

    /// The folder of the job.
    pub fn source(&self) -> Option<&str> {
        self.s3_output.as_ref().and_then(|output| output.local_path.as_deref())
    }

    /// Where its folder is uploaded to; known once the job is started.
    pub fn s3_uri(&self) -> Option<&S3Uri> {
        self.s3_output.as_ref().and_then(|output| output.s3_uri.as_ref())
    }
}
