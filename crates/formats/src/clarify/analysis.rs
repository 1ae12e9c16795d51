//! `analysis.json`: metrics of bias and attributions of features.

mod file;

use crate::error::Error;
use crate::json;
use crate::named_enum::named_enum;
use crate::python_json;

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Analysis {
    /// `explanations`.
    pub explanations: Option<Explanations>,
    /// `post_training_bias_metrics`.
    pub post_training_bias: Option<BiasSection>,
    /// `pre_training_bias_metrics`.
    pub pre_training_bias: Option<BiasSection>,
}

/// The metrics of one stage.
#[derive(Clone, Debug, PartialEq)]
pub struct BiasSection {
    /// Name of the label's column.
    pub label: String,
    /// Facets by name, in the order of the configuration, each with its entries.
    pub facets: Vec<(String, Vec<FacetMetrics>)>,
    /// What a positive label is, printed.
    pub label_value_or_threshold: String,
}

/// The metrics of one sensitive group.
#[derive(Clone, Debug, PartialEq)]
pub struct FacetMetrics {
    /// What the group is, printed.
    pub value_or_threshold: String,
    /// The metrics, in alphabetical order.
    pub metrics: Vec<BiasMetric>,
}

/// One metric. Infinite values are `"Infinity"` and `"-Infinity"` in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct BiasMetric {
    /// Its short name, such as `DPL`.
    pub name: String,
    /// Its long name.
    pub description: String,
    /// Its value; None where it cannot be computed, and `error` says why.
    pub value: Option<f64>,
    /// Why there is no value.
    pub error: Option<String>,
}

/// What features contribute to predictions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explanations {
    /// `kernel_shap`: labels by name, in order.
    pub kernel_shap: Option<Vec<(String, LabelAttributions)>>,
    /// `pdp`: features in order.
    pub pdp: Option<Vec<PartialDependence>>,
}

/// The attributions of one score.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelAttributions {
    /// Features by name, in order.
    pub global_shap_values: Vec<(String, f64)>,
    /// What the model gives when nothing is known.
    pub expected_value: f64,
}

named_enum! {
    /// How a feature is looked at.
    pub enum DataType {
        /// Buckets of a range.
        Numerical = "numerical",
        /// Its distinct values.
        Categorical = "categorical",
        /// Text that is not looked at.
        FreeText = "free_text",
    }
}

/// The partial dependence of one feature.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialDependence {
    /// The feature.
    pub feature_name: String,
    /// How it is looked at.
    pub data_type: DataType,
    /// The curve, or why there is none.
    pub curve: Result<PartialDependenceCurve, String>,
}

/// Mean predictions over the values of a feature.
#[derive(Clone, Debug, PartialEq)]
pub struct PartialDependenceCurve {
    /// Centres of buckets (numbers), or distinct values in their own kind.
    pub feature_values: Vec<serde_json::Value>,
    /// Shares of rows.
    pub data_distribution: Vec<f64>,
    /// Mean predictions: scores, then values.
    pub model_predictions: Vec<Vec<f64>>,
    /// Names of the scores.
    pub label_headers: Vec<String>,
}

impl Analysis {
    /// Reads a file.
    ///
    /// # Errors
    /// Not a document of this kind, with the path to what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: file::Analysis = json::parse(text)?;
        Ok(file.into())
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        python_json::dumps_indented(&file::Analysis::from(self))
    }
}
