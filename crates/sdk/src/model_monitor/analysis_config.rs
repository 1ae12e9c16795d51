//! What the monitors of Clarify analyse: the `analysis_config.json` of a schedule, which has less than that of a baselining job,
//! as the dataset is what was captured.

use serde_json::{Map, Value};

use crate::clarify::analysis_config::set;
use crate::clarify::{BiasConfig, ExplainabilityConfigs, ModelConfig, NameOrIndex};
use crate::request::setters;
use crate::{Result, S3Uri};

/// What a [`ModelBiasMonitor`](super::ModelBiasMonitor) analyses.
///
/// ```
/// use watchkeeper::clarify::BiasConfig;
/// use watchkeeper::model_monitor::BiasAnalysisConfig;
///
/// let bias = BiasConfig::new([1], "Gender").facet_values_or_threshold(["F"]);
/// let config = BiasAnalysisConfig::new(&bias).headers(["Target", "Age", "Gender"]).label("Target");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BiasAnalysisConfig {
    bias_config: BiasConfig,
    pub(super) headers: Option<Vec<String>>,
    pub(super) label: Option<NameOrIndex>,
}

impl BiasAnalysisConfig {
    /// The positive outcome and the facets.
    pub fn new(bias_config: &BiasConfig) -> Self {
        Self { bias_config: bias_config.clone(), headers: None, label: None }
    }

    setters! {
        /// The target: a column, or a `JMESPath` in JSON records.
        label: NameOrIndex,
        /// Names of the columns.
        headers: [String],
    }
}

/// What a [`ModelExplainabilityMonitor`](super::ModelExplainabilityMonitor) analyses.
///
/// ```
/// use watchkeeper::clarify::{ModelConfig, SHAPConfig};
/// use watchkeeper::model_monitor::ExplainabilityAnalysisConfig;
///
/// let model = ModelConfig::new("credit-model", 1, "ml.c5.xlarge").accept_type("text/csv");
/// let shap = SHAPConfig::new().baseline([[35.0, 52000.0]]).num_samples(100);
/// let config = ExplainabilityAnalysisConfig::new(shap, &model).headers(["Age", "Income"]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainabilityAnalysisConfig {
    explainability_config: ExplainabilityConfigs,
    model_config: ModelConfig,
    pub(super) headers: Option<Vec<String>>,
    pub(super) label_headers: Option<Vec<String>>,
}

impl ExplainabilityAnalysisConfig {
    /// The methods, and the model whose predictions are explained.
    pub fn new(explainability_config: impl Into<ExplainabilityConfigs>, model_config: &ModelConfig) -> Self {
        Self {
            explainability_config: explainability_config.into(),
            model_config: model_config.clone(),
            headers: None,
            label_headers: None,
        }
    }

    setters! {
        /// Names of the features, without the label.
        headers: [String],
        /// A name for each score that the model answers with, for the report.
        label_headers: [String],
    }
}

/// A configuration as the file that a schedule's jobs read.
pub(super) trait AnalysisDocument {
    /// The file.
    fn to_document(&self) -> Result<Map<String, Value>>;
}

impl AnalysisDocument for BiasAnalysisConfig {
    fn to_document(&self) -> Result<Map<String, Value>> {
        let mut document = self.bias_config.get_config();
        set(&mut document, "headers", self.headers.as_ref());
        set(&mut document, "label", self.label.as_ref());
        Ok(document)
    }
}

impl AnalysisDocument for ExplainabilityAnalysisConfig {
    fn to_document(&self) -> Result<Map<String, Value>> {
        let mut predictor = self.model_config.get_predictor_config()?;
        set(&mut predictor, "label_headers", self.label_headers.as_ref());
        let mut document = Map::new();
        document.insert("methods".to_owned(), self.explainability_config.get_explainability_config()?.into());
        document.insert("predictor".to_owned(), predictor.into());
        set(&mut document, "headers", self.headers.as_ref());
        Ok(document)
    }
}

/// What a schedule analyses: a configuration, which is uploaded, or a file of one that is in S3 already.
#[derive(Clone, Debug, PartialEq)]
pub enum AnalysisConfig<C> {
    /// The configuration: a [`BiasAnalysisConfig`] or an [`ExplainabilityAnalysisConfig`].
    Config(C),
    /// A file of it.
    S3(S3Uri),
}

/// What a schedule analyses, as it is on its way to S3.
pub(super) enum ConfigFile {
    /// It is there already.
    There(S3Uri),
    /// It is to be uploaded.
    New(Map<String, Value>),
}

impl ConfigFile {
    pub(super) fn of<C: AnalysisDocument>(config: &AnalysisConfig<C>) -> Result<Self> {
        match config {
            AnalysisConfig::Config(config) => config.to_document().map(Self::New),
            AnalysisConfig::S3(uri) => Ok(Self::There(uri.clone())),
        }
    }
}

impl<C> From<S3Uri> for AnalysisConfig<C> {
    fn from(uri: S3Uri) -> Self {
        Self::S3(uri)
    }
}

macro_rules! from_config {
    ($($config:ty)+) => {
        $(impl From<$config> for AnalysisConfig<$config> {
            fn from(config: $config) -> Self {
                Self::Config(config)
            }
        }

        impl From<&$config> for AnalysisConfig<$config> {
            fn from(config: &$config) -> Self {
                Self::Config(config.clone())
            }
        })+
    };
}

from_config!(BiasAnalysisConfig ExplainabilityAnalysisConfig);
