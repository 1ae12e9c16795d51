//! Violations of all monitors in one shape.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Where a dataset or a model departs from its baseline.
///
/// Which of the names are there tells the monitor: data quality names a feature, model quality a metric, bias a metric and a
/// facet, explainability a metric and a label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Violation {
    /// The column, or `Missing columns`, `Extra columns`; of data quality.
    #[serde(default, deserialize_with = "printed", skip_serializing_if = "Option::is_none")]
    pub feature_name: Option<String>,
    /// The sensitive column; of bias.
    #[serde(default, deserialize_with = "printed", skip_serializing_if = "Option::is_none")]
    pub facet: Option<String>,
    /// The sensitive group, printed; of bias.
    #[serde(default, deserialize_with = "printed", skip_serializing_if = "Option::is_none")]
    pub facet_value: Option<String>,
    /// The score whose explanation has changed; of explainability.
    #[serde(default, deserialize_with = "printed", skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The metric: of model quality in camel case, of bias its short name, of explainability `shap`.
    #[serde(default, deserialize_with = "printed", skip_serializing_if = "Option::is_none")]
    pub metric_name: Option<String>,
    /// The check that failed: of model quality the comparison operator.
    pub constraint_check_type: CheckType,
    /// What was expected and what was seen.
    #[serde(default)]
    pub description: String,
    /// Members that are not known here.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

crate::word::word! {
    /// The check that failed, of any monitor.
    pub enum CheckType {
        /// Too few values have the expected type.
        DataType = "data_type_check",
        /// Too few records have a value.
        Completeness = "completeness_check",
        /// There are negative values, and the baseline has none.
        NonNegative = "non_negative_check",
        /// The distribution differs from that of the baseline.
        BaselineDrift = "baseline_drift_check",
        /// The dataset has fewer columns than the baseline.
        MissingColumn = "missing_column_check",
        /// The dataset has more columns than the baseline.
        ExtraColumn = "extra_column_check",
        /// Too few values are in the domain.
        CategoricalValues = "categorical_values_check",
        /// The metric of model quality is below what it must reach.
        LessThanThreshold = "LessThanThreshold",
        /// The metric of model quality is above what it may reach.
        GreaterThanThreshold = "GreaterThanThreshold",
        /// The bias differs from that of the baseline.
        BiasDrift = "bias_drift_check",
        /// What predictions are made of differs from the baseline.
        FeatureAttributionDrift = "feature_attribution_drift_check",
    }
}

/// A text as it is, anything else as its JSON: facets' values may be numbers.
fn printed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    })
}
