//! `analysis_config.json`: what a job is asked for.
//!
//! The schema is that of the SDK: an unknown key at any level, a wrong type and `null` are errors; words of fixed sets are read
//! in any letter case. Values keep the form they are given in, as `1` and `1.0` print differently.

mod fields;
mod schema;

use crate::named_enum::named_enum;
use crate::number::python_float;

/// What is wrong with a configuration. The texts begin as the guide promises, then say which field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not JSON.
    #[error("Unable to load analysis configuration as JSON. {0}")]
    NotJson(String),
    /// An unknown field or a wrong type; the text says which.
    #[error("Analysis configuration schema validation error. {0}")]
    Schema(String),
    /// Known and well formed, but not possible or not supported; a sentence of its own.
    #[error("{0}")]
    Refused(String),
}

/// A column, or a place in a JSON record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// By name, or by path.
    Name(String),
    /// By index, from 0.
    Index(usize),
}

/// A value of a facet or a label, as it was given.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum ConfiguredValue {
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(String),
}

named_enum! {
    /// The format of a dataset.
    pub enum DatasetType {
        /// Rows of cells.
        Csv = "text/csv",
        /// A JSON value a line.
        JsonLines = "application/jsonlines",
        /// One JSON document a file.
        Json = "application/json",
        /// Parquet.
        Parquet = "application/x-parquet",
    }
}

named_enum! {
    /// How attributions of rows become one of a feature.
    #[derive(Default)]
    pub enum Aggregation {
        /// Mean of the absolute values.
        #[default]
        MeanAbs = "mean_abs",
        /// Median of the signed values.
        Median = "median",
        /// Mean of the squares.
        MeanSq = "mean_sq",
    }
}

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AnalysisConfig {
    /// Format of the dataset; absent in a monitor's configuration only.
    pub dataset_type: Option<DatasetType>,
    /// Replaces the input `dataset`.
    pub dataset_uri: Option<String>,
    /// Names of the columns.
    pub headers: Option<Vec<String>>,
    /// Where the label is.
    pub label: Option<Reference>,
    /// Where the data's own prediction is.
    pub predicted_label: Option<Reference>,
    /// `JMESPath` of the features of JSON records.
    pub features: Option<String>,
    /// Positive labels, or the threshold above which a label is positive; empty where not given.
    pub label_values_or_threshold: Vec<ConfiguredValue>,
    /// A score above it is a positive prediction.
    pub probability_threshold: Option<f64>,
    /// The facets, in order; empty where not given.
    pub facets: Vec<FacetConfig>,
    /// The column of groups for conditional disparities.
    pub group_variable: Option<Reference>,
    /// A file of its own with the facets.
    pub facet_dataset_uri: Option<String>,
    /// Its columns.
    pub facet_headers: Option<Vec<String>>,
    /// A file of its own with the predictions.
    pub predicted_label_dataset_uri: Option<String>,
    /// Its columns.
    pub predicted_label_headers: Option<Vec<String>>,
    /// The column that rows of several files are joined by.
    pub joinsource: Option<Reference>,
    /// Columns that the model does not get.
    pub excluded_columns: Vec<Reference>,
    /// Whether there is a `segment_config`, which is taken and not used.
    pub has_segment_config: bool,
    /// What is to be computed.
    pub methods: Methods,
    /// The model.
    pub predictor: Option<PredictorConfig>,
}

/// A facet: a column, and which of its values are the sensitive group.
#[derive(Clone, Debug, PartialEq)]
pub struct FacetConfig {
    /// The column.
    pub column: Reference,
    /// Values or one threshold; empty where not given.
    pub value_or_threshold: Vec<ConfiguredValue>,
}

/// Which metrics of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricSelection<M> {
    /// All of them.
    All,
    /// These.
    Only(Vec<M>),
}

/// What is to be computed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Methods {
    /// Bias in the labels.
    pub pre_training_bias: Option<MetricSelection<super::PreTrainingMetric>>,
    /// Bias in the predictions.
    pub post_training_bias: Option<MetricSelection<super::PostTrainingMetric>>,
    /// Kernel SHAP.
    pub shap: Option<ShapConfig>,
    /// Partial dependence.
    pub pdp: Option<PartialDependenceConfig>,
    /// Reports for people.
    pub report: Option<ReportConfig>,
}

/// Settings of Kernel SHAP, as given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ShapConfig {
    /// The background rows.
    pub baseline: Option<ShapBaseline>,
    /// How many clusters to make background rows of.
    pub num_clusters: Option<u32>,
    /// Coalitions of an explained row.
    pub num_samples: Option<u64>,
    /// How rows are aggregated.
    pub agg_method: Aggregation,
    /// Explain log-odds.
    pub use_logit: bool,
    /// Write the attributions of every row.
    pub save_local_shap_values: bool,
    /// Seed of all that is drawn.
    pub seed: Option<u64>,
    /// Only these features.
    pub features_to_explain: Option<Vec<Reference>>,
}

/// Background rows as given.
#[derive(Clone, Debug, PartialEq)]
pub enum ShapBaseline {
    /// In the shape of the dataset.
    Inline(serde_json::Value),
    /// A file.
    Uri(String),
}

/// Settings of partial dependence.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialDependenceConfig {
    /// Buckets of a numerical feature.
    pub grid_resolution: u32,
    /// These features.
    pub features: Option<Vec<Reference>>,
    /// Or so many of the most important ones.
    pub top_k_features: u32,
}

/// Settings of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportConfig {
    /// Stem of the files.
    pub name: String,
    /// Title.
    pub title: String,
}

/// A template: text, or a JSON value whose text it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub String);

/// The model and how to speak with it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // AWS's names
pub struct PredictorConfig {
    pub endpoint_name: Option<String>,
    pub endpoint_name_prefix: Option<String>,
    pub model_name: Option<String>,
    pub target_model: Option<String>,
    pub instance_type: Option<String>,
    pub initial_instance_count: Option<u32>,
    pub accelerator_type: Option<String>,
    pub content_type: Option<String>,
    pub accept_type: Option<String>,
    pub label: Option<Reference>,
    pub probability: Option<Reference>,
    pub label_headers: Option<Vec<String>>,
    pub content_template: Option<Template>,
    pub record_template: Option<Template>,
    pub custom_attributes: Option<String>,
}

impl AnalysisConfig {
    /// Reads the configuration of a processing job: `dataset_type` and `methods` must be there.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        schema::parse(text, schema::Purpose::ProcessingJob)
    }

    /// Reads the configuration of a bias or explainability monitor, which has no `dataset_type` (one that is there is read).
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub fn parse_of_monitor(text: &str) -> Result<Self, ConfigError> {
        schema::parse(text, schema::Purpose::Monitor)
    }
}

impl ConfiguredValue {
    /// As it is printed in documents: `1`, `1.0`, `True`, the text.
    pub fn printed(&self) -> String {
        match self {
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => python_float(*value),
            Self::Boolean(true) => "True".to_owned(),
            Self::Boolean(false) => "False".to_owned(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Default for ReportConfig {
    fn default() -> Self {
        Self { name: "report".to_owned(), title: "SageMaker Analysis Report".to_owned() }
    }
}

impl Default for PartialDependenceConfig {
    fn default() -> Self {
        Self { grid_resolution: 20, features: None, top_k_features: 10 }
    }
}
