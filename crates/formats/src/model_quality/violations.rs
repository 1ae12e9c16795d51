//! `constraint_violations.json` of a model quality job.

use serde::{Deserialize, Serialize};

use super::{ComparisonOperator, Metric};
use crate::error::Error;
use crate::json;
use crate::number::java_double;

/// A metric that is worse than its threshold. The members stand in the order of real files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricViolation {
    /// The comparison operator.
    pub constraint_check_type: String,
    /// Value, spread and threshold in a sentence.
    #[serde(default)]
    pub description: String,
    /// The metric in camel case.
    pub metric_name: String,
}

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricViolations {
    /// The violations in the order found.
    pub violations: Vec<MetricViolation>,
}

impl MetricViolation {
    /// The violation of a threshold, in the words of the real monitor.
    pub fn new(metric: &str, measured: Metric, operator: ComparisonOperator, threshold: f64) -> Self {
        let metric_name = camel_case(metric);
        let (value, spread) = (java_double(measured.value), java_double(measured.standard_deviation));
        let threshold = java_double(threshold);
        Self {
            constraint_check_type: operator.to_string(),
            description: format!("Metric {metric_name} with {value} +/- {spread} was {operator} '{threshold}'"),
            metric_name,
        }
    }

    /// Whether it is of a metric, by the name that the statistics have.
    pub fn is_of(&self, metric: &str) -> bool {
        self.metric_name == camel_case(metric) || self.metric_name == metric
    }
}

/// The name as violations have it: an underscore before a letter goes, and the letter becomes a capital; `f0_5` stays.
fn camel_case(metric: &str) -> String {
    let mut name = String::with_capacity(metric.len());
    let mut characters = metric.chars().peekable();
    while let Some(character) = characters.next() {
        match characters.next_if(|next| character == '_' && next.is_ascii_alphabetic()) {
            Some(letter) => name.push(letter.to_ascii_uppercase()),
            None => name.push(character),
        }
    }
    name
}

impl MetricViolations {
    /// Reads a file.
    ///
    /// # Errors
    /// Not a document of this kind.
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }
}
