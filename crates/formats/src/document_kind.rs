//! Which document a text is, by the members that only it has: the monitors' documents share their file names.

use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::error::Error;
use crate::json;
use crate::model_quality::ProblemType;

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// [`crate::Statistics`].
    Statistics,
    /// [`crate::Constraints`].
    Constraints,
    /// [`crate::ConstraintViolations`]; also a document without any violation, which is the same in every monitor.
    Violations,
    /// [`crate::ModelQualityStatistics`].
    ModelQualityStatistics(ProblemType),
    /// [`crate::ModelQualityConstraints`].
    ModelQualityConstraints(ProblemType),
    /// [`crate::MetricViolations`].
    ModelQualityViolations,
    /// [`crate::MergeReport`].
    MergeReport,
    /// [`crate::clarify::Analysis`].
    Analysis,
    /// [`crate::clarify::ClarifyViolations`].
    ClarifyViolations,
}

/// The members of an object, unread.
type Members<'a> = HashMap<String, &'a RawValue>;

impl DocumentKind {
    /// The kind of a text; None where it is none of them.
    ///
    /// # Errors
    /// Not a JSON object.
    pub fn of(text: &str) -> Result<Option<Self>, Error> {
        // A confusion matrix can be most of a gigabyte: values are not read.
        let document: Members = json::parse_borrowed(text)?;
        let has = |key: &str| document.get(key).is_some_and(|value| value.get() != "null");
        let of_problem = |key: fn(ProblemType) -> &'static str| {
            ProblemType::ALL.iter().copied().find(|problem_type| has(key(*problem_type)))
        };
        if let Some(problem_type) = of_problem(ProblemType::metrics_key) {
            return Ok(Some(Self::ModelQualityStatistics(problem_type)));
        }
        if let Some(problem_type) = of_problem(ProblemType::constraints_key) {
            return Ok(Some(Self::ModelQualityConstraints(problem_type)));
        }
        let first_of = |list: &str| -> Members {
            let list = document.get(list).and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
            let first = list.as_ref().and_then(|list| list.first());
            first.and_then(|first| serde_json::from_str(first.get()).ok()).unwrap_or_default()
        };
        let has_statistics = || {
            let feature = first_of("features");
            feature.contains_key("numerical_statistics") || feature.contains_key("string_statistics")
        };
        Ok(if document.contains_key("violations") {
            let violation = first_of("violations");
            let is_of_metric = violation.contains_key("metric_name");
            Some(if is_of_metric && (violation.contains_key("facet") || violation.contains_key("label")) {
                Self::ClarifyViolations
            } else if is_of_metric {
                Self::ModelQualityViolations
            } else {
                Self::Violations
            })
        } else if ["explanations", "post_training_bias_metrics", "pre_training_bias_metrics"].into_iter().any(has) {
            Some(Self::Analysis)
        } else if has("captures") && has("ground_truth") {
            Some(Self::MergeReport)
        } else if document.contains_key("dataset") || has_statistics() {
            Some(Self::Statistics)
        } else if document.contains_key("features") || document.contains_key("monitoring_config") {
            Some(Self::Constraints)
        } else {
            None
        })
    }
}
