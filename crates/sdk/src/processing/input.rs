//! What goes into a processing job.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DatasetDefinition, S3CompressionType, S3DataDistributionType, S3DataType, S3InputMode};
use crate::Source;

/// What a job finds in a folder of its own when it starts: objects of S3, files of this machine (which are uploaded first), or
/// the answer to a query.
///
/// ```
/// use watchkeeper::S3Uri;
/// use watchkeeper::processing::ProcessingInput;
///
/// let dataset: S3Uri = "s3://bucket/train.csv".parse()?;
/// let input = ProcessingInput::new(dataset, "/opt/ml/processing/input/baseline_dataset_input")
///     .input_name("baseline_dataset_input");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingInput {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) input_name: Option<String>,
    #[serde(default)]
    pub(crate) app_managed: bool,
    #[serde(default, rename = "S3Input", skip_serializing_if = "Option::is_none")]
    pub(crate) s3_input: Option<S3Input>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dataset_definition: Option<DatasetDefinition>,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub(crate) other: Map<String, Value>,
}

/// Objects of S3, or files of this machine that become some, as an input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct S3Input {
    /// Where they are.
    #[serde(rename = "S3Uri")]
    pub s3_uri: Source,
    /// The folder of the job they are put into; none when the job fetches them itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_path: Option<String>,
    /// What the address stands for.
    #[serde(default, rename = "S3DataType", skip_serializing_if = "Option::is_none")]
    pub s3_data_type: Option<S3DataType>,
    /// How the job gets them.
    #[serde(default, rename = "S3InputMode", skip_serializing_if = "Option::is_none")]
    pub s3_input_mode: Option<S3InputMode>,
    /// What each machine gets of them.
    #[serde(default, rename = "S3DataDistributionType", skip_serializing_if = "Option::is_none")]
    pub s3_data_distribution_type: Option<S3DataDistributionType>,
    /// How they are packed.
    #[serde(default, rename = "S3CompressionType", skip_serializing_if = "Option::is_none")]
    pub s3_compression_type: Option<S3CompressionType>,
    /// What a description has and this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl S3Input {
    /// Whole objects, copied to every machine.
    pub fn new(s3_uri: impl Into<Source>) -> Self {
        Self {
            s3_uri: s3_uri.into(),
            local_path: None,
            s3_data_type: Some(S3DataType::S3Prefix),
            s3_input_mode: Some(S3InputMode::File),
            s3_data_distribution_type: Some(S3DataDistributionType::FullyReplicated),
            s3_compression_type: None,
            other: Map::new(),
        }
    }
}

impl ProcessingInput {
    /// What is at `source`, in the folder `destination` of the job. A file or folder of this machine is uploaded below
    /// `s3://<default bucket>/<job>/input/<input name>` when the job is started.
    pub fn new(source: impl Into<Source>, destination: impl Into<String>) -> Self {
        Self::from_s3_input(S3Input {
            local_path: Some(destination.into()),
            s3_compression_type: Some(S3CompressionType::None),
            ..S3Input::new(source)
        })
    }

    /// From all that an input can say of itself.
    pub fn from_s3_input(s3_input: S3Input) -> Self {
        Self {
            input_name: None,
            app_managed: false,
            s3_input: Some(s3_input),
            dataset_definition: None,
            other: Map::new(),
        }
    }

    /// The answer to a query, made for the job.
    pub fn from_dataset_definition(dataset_definition: DatasetDefinition) -> Self {
        Self {
            input_name: None,
            app_managed: false,
            s3_input: None,
            dataset_definition: Some(dataset_definition),
            other: Map::new(),
        }
    }

    /// Its name among the inputs of the job; `input-1`, `input-2`, ... when there is none.
    #[must_use]
    pub fn input_name(mut self, name: impl Into<String>) -> Self {
        self.input_name = Some(name.into());
        self
    }

    /// What the address stands for; [`S3DataType::S3Prefix`] by default. As the three below, nothing for a query, whose
    /// [`DatasetDefinition`] has setters of its own.
    #[must_use]
    pub fn s3_data_type(mut self, data_type: impl Into<S3DataType>) -> Self {
        if let Some(input) = &mut self.s3_input {
            input.s3_data_type = Some(data_type.into());
        }
        self
    }

    /// How the job gets it; [`S3InputMode::File`] by default.
    #[must_use]
    pub fn s3_input_mode(mut self, mode: impl Into<S3InputMode>) -> Self {
        if let Some(input) = &mut self.s3_input {
            input.s3_input_mode = Some(mode.into());
        }
        self
    }

    /// What each machine gets of it; [`S3DataDistributionType::FullyReplicated`] by default.
    #[must_use]
    pub fn s3_data_distribution_type(mut self, distribution: impl Into<S3DataDistributionType>) -> Self {
        if let Some(input) = &mut self.s3_input {
            input.s3_data_distribution_type = Some(distribution.into());
        }
        self
    }

    /// How objects are packed; [`S3CompressionType::None`] by default.
    #[must_use]
    pub fn s3_compression_type(mut self, compression: impl Into<S3CompressionType>) -> Self {
        if let Some(input) = &mut self.s3_input {
            input.s3_compression_type = Some(compression.into());
        }
        self
    }

    /// Whether the program fetches its input itself; no by default.
    #[must_use]
    pub fn app_managed(mut self, managed: bool) -> Self {
        self.app_managed = managed;
        self
    }

    /// Its name, when it has one.
    pub fn name(&self) -> Option<&str> {
        self.input_name.as_deref()
    }

    /// Where it comes from; none for a query.
    pub fn source(&self) -> Option<&Source> {
        self.s3_input.as_ref().map(|input| &input.s3_uri)
    }

    /// The folder of the job it is put into.
    pub fn destination(&self) -> Option<&str> {
        match (&self.s3_input, &self.dataset_definition) {
            (Some(input), _) => input.local_path.as_deref(),
            (None, Some(definition)) => definition.local_path.as_deref(),
            (None, None) => None,
        }
    }

    /// The objects; none for a query.
    pub fn s3_input(&self) -> Option<&S3Input> {
        self.s3_input.as_ref()
    }

    /// The query; none for objects.
    pub fn dataset_definition(&self) -> Option<&DatasetDefinition> {
        self.dataset_definition.as_ref()
    }
}
