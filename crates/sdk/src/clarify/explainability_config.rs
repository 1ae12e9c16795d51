//! Which attributions are computed, and how.

use serde_json::{Map, Value};

use super::analysis_config::set;
use super::value::{NameOrIndex, Scalar};
use super::{AsymmetricShapleyValueConfig, ImageConfig, TextConfig};
use crate::request::setters;
use crate::word::word;
use crate::{Error, Result, S3Uri};

/// A method that explains predictions.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ExplainabilityConfig {
    /// Kernel SHAP.
    Shap(SHAPConfig),
    /// Partial dependence.
    Pdp(PDPConfig),
    /// Asymmetric Shapley values, of time series.
    AsymmetricShapleyValue(AsymmetricShapleyValueConfig),
}

impl From<SHAPConfig> for ExplainabilityConfig {
    fn from(config: SHAPConfig) -> Self {
        Self::Shap(config)
    }
}

impl From<PDPConfig> for ExplainabilityConfig {
    fn from(config: PDPConfig) -> Self {
        Self::Pdp(config)
    }
}

impl From<AsymmetricShapleyValueConfig> for ExplainabilityConfig {
    fn from(config: AsymmetricShapleyValueConfig) -> Self {
        Self::AsymmetricShapleyValue(config)
    }
}

impl ExplainabilityConfig {
    /// The name in `methods`, and what is asked for.
    fn get_explainability_config(&self) -> Result<(&'static str, Map<String, Value>)> {
        Ok(match self {
            Self::Shap(config) => ("shap", config.get_explainability_config()?),
            Self::Pdp(config) => ("pdp", config.get_explainability_config()),
            Self::AsymmetricShapleyValue(config) => ("asymmetric_shapley_value", config.get_explainability_config()?),
        })
    }
}

/// One method or several, each at most once: made of a [`SHAPConfig`], a [`PDPConfig`], an [`AsymmetricShapleyValueConfig`],
/// or an array or a vector of [`ExplainabilityConfig`].
///
/// ```
/// use watchkeeper::clarify::{ExplainabilityConfigs, PDPConfig, SHAPConfig};
///
/// let one = ExplainabilityConfigs::from(SHAPConfig::new());
/// let two = ExplainabilityConfigs::from([SHAPConfig::new().into(), PDPConfig::new().into()]);
/// assert_eq!(one.get_explainability_config()?.len(), 1);
/// assert_eq!(two.get_explainability_config()?.len(), 2);
/// # Ok::<(), watchkeeper::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExplainabilityConfigs(Vec<ExplainabilityConfig>);

macro_rules! from_one {
    ($($one:ty)+) => {
        $(impl From<$one> for ExplainabilityConfigs {
            fn from(config: $one) -> Self {
                Self(vec![config.into()])
            }
        })+
    };
}

from_one!(SHAPConfig PDPConfig AsymmetricShapleyValueConfig ExplainabilityConfig);

impl From<Vec<ExplainabilityConfig>> for ExplainabilityConfigs {
    fn from(configs: Vec<ExplainabilityConfig>) -> Self {
        Self(configs)
    }
}

impl<const N: usize> From<[ExplainabilityConfig; N]> for ExplainabilityConfigs {
    fn from(configs: [ExplainabilityConfig; N]) -> Self {
        Self(configs.into())
    }
}

impl ExplainabilityConfigs {
    /// The only method, when it is that of time series.
    pub(super) fn asymmetric_shapley_value(&self) -> Option<&AsymmetricShapleyValueConfig> {
        match self.0.as_slice() {
            [ExplainabilityConfig::AsymmetricShapleyValue(config)] => Some(config),
            _ => None,
        }
    }

    /// Their part of the `methods` of `analysis_config.json`.
    pub fn get_explainability_config(&self) -> Result<Map<String, Value>> {
        let refused = |reason: &str| Err(Error::argument("explainability_config", reason));
        let of_time_series =
            |config: &ExplainabilityConfig| matches!(config, ExplainabilityConfig::AsymmetricShapleyValue(_));
        if self.0.len() > 1 && self.0.iter().any(of_time_series) {
            return refused("asymmetric Shapley values are for time series, and alone");
        }
        let mut methods = Map::new();
        for config in &self.0 {
            let (name, method) = config.get_explainability_config()?;
            if methods.insert(name.to_owned(), method.into()).is_some() {
                return refused("a method is given twice");
            }
        }
        if methods.is_empty() {
            return refused("give at least one method");
        }
        if !methods.contains_key("shap") && methods.get("pdp").is_some_and(|pdp| pdp.get("features").is_none()) {
            return refused(
                "PDP features must be provided when SHAPConfig is not: there is no ranking to take them from",
            );
        }
        Ok(methods)
    }
}

/// Partial dependence: how predictions change with one feature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PDPConfig {
    features: Option<Vec<NameOrIndex>>,
    grid_resolution: u32,
    top_k_features: u32,
}

impl Default for PDPConfig {
    fn default() -> Self {
        Self { features: None, grid_resolution: 15, top_k_features: 10 }
    }
}

impl PDPConfig {
    /// Of the 10 features with the largest attributions, in 15 steps.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The features; needed when SHAP is not asked for too, from which the ten are taken.
        features: [NameOrIndex],
    }

    /// Into how many steps the range of a numeric feature is divided.
    #[must_use]
    pub fn grid_resolution(mut self, grid_resolution: u32) -> Self {
        self.grid_resolution = grid_resolution;
        self
    }

    /// How many features are taken by their attributions.
    #[must_use]
    pub fn top_k_features(mut self, top_k_features: u32) -> Self {
        self.top_k_features = top_k_features;
        self
    }

    fn get_explainability_config(&self) -> Map<String, Value> {
        let mut config = Map::new();
        set(&mut config, "grid_resolution", Some(&self.grid_resolution));
        set(&mut config, "top_k_features", Some(&self.top_k_features));
        set(&mut config, "features", self.features.as_ref());
        config
    }
}

word! {
    /// How attributions of records become one of a feature.
    pub enum AggregationMethod {
        /// Mean of the absolute values.
        MeanAbs = "mean_abs",
        /// Median.
        Median = "median",
        /// Mean of the squares.
        MeanSq = "mean_sq",
    }
}

/// The records that SHAP puts in place of what it leaves out.
#[derive(Clone, Debug, PartialEq)]
pub enum ShapBaseline {
    /// A file of them.
    S3(S3Uri),
    /// The records: a list of rows (each a list of values), a list of JSON records, or a JSON document.
    Inline(Value),
}

impl From<S3Uri> for ShapBaseline {
    fn from(uri: S3Uri) -> Self {
        Self::S3(uri)
    }
}

impl From<Value> for ShapBaseline {
    fn from(records: Value) -> Self {
        Self::Inline(records)
    }
}

impl<T: Into<Scalar>> From<Vec<Vec<T>>> for ShapBaseline {
    fn from(rows: Vec<Vec<T>>) -> Self {
        let row = |row: Vec<T>| row.into_iter().map(|cell| cell.into().into_json()).collect::<Value>();
        Self::Inline(rows.into_iter().map(row).collect())
    }
}

impl<T: Into<Scalar>, const ROWS: usize, const COLUMNS: usize> From<[[T; COLUMNS]; ROWS]> for ShapBaseline {
    fn from(rows: [[T; COLUMNS]; ROWS]) -> Self {
        rows.into_iter().map(Vec::from).collect::<Vec<_>>().into()
    }
}

impl ShapBaseline {
    fn to_json(&self) -> Result<Value> {
        let is_record = |record: &Value| match record {
            Value::Object(_) => true,
            Value::Array(cells) => cells.iter().all(|cell| !cell.is_array() && !cell.is_object()),
            _ => false,
        };
        match self {
            Self::S3(uri) => Ok(Value::String(uri.to_string())),
            Self::Inline(Value::Array(records)) if records.iter().all(is_record) => Ok(Value::Array(records.clone())),
            Self::Inline(document @ Value::Object(_)) => Ok(document.clone()),
            Self::Inline(_) => Err(Error::argument(
                "baseline",
                "must be the address of a file, a list of rows of values or of JSON records, or a JSON document",
            )),
        }
    }
}

/// Kernel SHAP: what each feature adds to a prediction.
///
/// ```
/// use watchkeeper::clarify::{AggregationMethod, SHAPConfig};
///
/// let shap = SHAPConfig::new().baseline([[35.0, 52000.0]]).num_samples(100).agg_method(AggregationMethod::MeanAbs).seed(7);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SHAPConfig {
    baseline: Option<ShapBaseline>,
    num_samples: Option<u32>,
    agg_method: Option<AggregationMethod>,
    use_logit: bool,
    save_local_shap_values: bool,
    seed: Option<i64>,
    num_clusters: Option<u32>,
    text_config: Option<TextConfig>,
    image_config: Option<ImageConfig>,
    features_to_explain: Option<Vec<NameOrIndex>>,
}

impl Default for SHAPConfig {
    fn default() -> Self {
        Self {
            baseline: None,
            num_samples: None,
            agg_method: None,
            use_logit: false,
            save_local_shap_values: true,
            seed: None,
            num_clusters: None,
            text_config: None,
            image_config: None,
            features_to_explain: None,
        }
    }
}

impl SHAPConfig {
    /// Attributions of predictions as they are, of every record too.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The records that stand for what is left out; found by clustering the dataset unless given.
        baseline: ShapBaseline,
        /// How many samples a record's attributions are estimated from.
        num_samples = u32,
        /// How attributions of records become one of a feature; the mean of the absolute values unless set.
        agg_method: AggregationMethod,
        /// Makes two runs give the same attributions.
        seed = i64,
        /// How many records the clustering makes; not together with a baseline.
        num_clusters = u32,
        /// That features are texts, and which.
        text_config: TextConfig,
        /// That features are images, and which.
        image_config: ImageConfig,
        /// The features that get attributions; all unless set. Of tables only.
        features_to_explain: [NameOrIndex],
    }

    /// Whether attributions are of the log-odds of predictions; no unless set.
    #[must_use]
    pub fn use_logit(mut self, use_logit: bool) -> Self {
        self.use_logit = use_logit;
        self
    }

    /// Whether attributions of every record are saved; yes unless set.
    #[must_use]
    pub fn save_local_shap_values(mut self, save_local_shap_values: bool) -> Self {
        self.save_local_shap_values = save_local_shap_values;
        self
    }

    fn get_explainability_config(&self) -> Result<Map<String, Value>> {
        if let Some(AggregationMethod::Other(word)) = &self.agg_method {
            return Err(Error::argument("agg_method", format!("{word:?} is none of mean_abs, median and mean_sq")));
        }
        if self.num_clusters.is_some() && self.baseline.is_some() {
            return Err(Error::argument(
                "baseline and num_clusters",
                "cannot be provided together; specify one of the two",
            ));
        }
        if self.features_to_explain.is_some() && (self.text_config.is_some() || self.image_config.is_some()) {
            return Err(Error::argument("features_to_explain", "not supported for datasets of texts or images"));
        }
        let mut config = Map::new();
        set(&mut config, "use_logit", Some(&self.use_logit));
        set(&mut config, "save_local_shap_values", Some(&self.save_local_shap_values));
        set(&mut config, "baseline", self.baseline.as_ref().map(ShapBaseline::to_json).transpose()?.as_ref());
        set(&mut config, "num_samples", self.num_samples.as_ref());
        set(&mut config, "agg_method", self.agg_method.as_ref());
        set(&mut config, "seed", self.seed.as_ref());
        set(&mut config, "num_clusters", self.num_clusters.as_ref());
        set(
            &mut config,
            "text_config",
            self.text_config.as_ref().map(TextConfig::get_text_config).transpose()?.as_ref(),
        );
        set(
            &mut config,
            "image_config",
            self.image_config.as_ref().map(ImageConfig::get_image_config).transpose()?.as_ref(),
        );
        set(&mut config, "features_to_explain", self.features_to_explain.as_ref());
        Ok(config)
    }
}
