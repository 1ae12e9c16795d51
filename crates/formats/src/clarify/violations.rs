//! `constraint_violations.json` of the Clarify monitors.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::json;
use crate::number::{java_double, python_float};
use crate::python_json;

/// A bias metric that is further from zero than the baseline's. The members stand in the order of real files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the file's names
pub struct BiasViolation {
    pub facet: String,
    pub facet_value: String,
    pub metric_name: String,
    pub constraint_check_type: String,
    pub description: String,
}

/// A ranking of features that has changed too much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the file's names
pub struct AttributionViolation {
    pub label: String,
    pub metric_name: String,
    pub constraint_check_type: String,
    pub description: String,
}

/// One of either.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClarifyViolation {
    /// `bias_drift_check`.
    Bias(BiasViolation),
    /// `feature_attribution_drift_check`.
    Attribution(AttributionViolation),
}

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClarifyViolations {
    /// The violations in the order found.
    pub violations: Vec<ClarifyViolation>,
}

impl BiasViolation {
    /// Of a metric whose value is further from zero than its baseline's.
    pub fn new(facet: &str, facet_value: &str, metric: &str, value: f64, baseline: f64) -> Self {
        let (value, baseline) = (printed(value), printed(baseline));
        Self {
            facet: facet.to_owned(),
            facet_value: facet_value.to_owned(),
            metric_name: metric.to_owned(),
            constraint_check_type: "bias_drift_check".to_owned(),
            description: format!("Metric value {value} doesn't meet the baseline constraint requirement {baseline}"),
        }
    }
}

/// An infinity has the name here that it has in `analysis.json`.
fn printed(value: f64) -> String {
    if value.is_infinite() { java_double(value) } else { python_float(value) }
}

impl AttributionViolation {
    /// Of a label whose score of agreement is below the threshold. "Exceeds" is the service's word although the score is below.
    pub fn new(label: &str, ndcg: f64, threshold: f64) -> Self {
        let (ndcg, threshold) = (python_float(ndcg), python_float(threshold));
        Self {
            label: label.to_owned(),
            metric_name: "shap".to_owned(),
            constraint_check_type: "feature_attribution_drift_check".to_owned(),
            description: format!("Feature attribution drift {ndcg} exceeds threshold {threshold}"),
        }
    }
}

/// The document as it stands in the file.
#[derive(Serialize, Deserialize)]
struct File<'a> {
    #[serde(default)]
    version: String,
    violations: Cow<'a, [ClarifyViolation]>,
}

impl ClarifyViolations {
    /// Reads a file.
    ///
    /// # Errors
    /// Not a document of this kind.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let file: File = json::parse(text)?;
        Ok(Self { violations: file.violations.into_owned() })
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        let version = "1.0".to_owned();
        python_json::dumps_indented(&File { version, violations: Cow::Borrowed(&self.violations) })
    }
}
