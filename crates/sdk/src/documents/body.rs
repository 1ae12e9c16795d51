//! What a file is, seen from its members.

use serde_json::Value;
use watchkeeper_formats::clarify::Analysis;
use watchkeeper_formats::{
    Constraints as DataQualityConstraints, DocumentKind, ModelQualityConstraints, ModelQualityStatistics,
    Statistics as DataQualityStatistics,
};

use super::Violation;

/// What a file of a monitor may be; the three that exist are [`StatisticsBody`], [`ConstraintsBody`] and [`ViolationsBody`].
pub trait Body: sealed::Body {}

impl<B: sealed::Body> Body for B {}

pub(crate) mod sealed {
    use serde_json::Value;

    /// Reading and writing, which is no business of users.
    pub trait Body: Clone + std::fmt::Debug + Send + Sync + 'static {
        /// The name that files have where none is given.
        const FILE_NAME: &'static str;

        /// What `document` is; anything is something.
        fn read(document: &Value) -> Self;

        /// As JSON; None where the type knows nothing of it.
        fn to_value(&self) -> Option<Value>;
    }
}

/// What a statistics file says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StatisticsBody {
    /// What a dataset looks like, column by column.
    DataQuality(DataQualityStatistics),
    /// What a model's predictions are worth.
    ModelQuality(ModelQualityStatistics),
    /// Of a container of one's own, or damaged.
    Other {
        /// Why it is none of the others, and where in the document that is seen.
        reason: String,
    },
}

/// What a constraints file says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ConstraintsBody {
    /// What is expected of each column.
    DataQuality(DataQualityConstraints),
    /// A threshold for each metric.
    ModelQuality(ModelQualityConstraints),
    /// An `analysis.json` of Clarify, which the bias and explainability monitors take for constraints.
    Clarify(Analysis),
    /// Of a container of one's own, or damaged.
    Other {
        /// Why it is none of the others, and where in the document that is seen.
        reason: String,
    },
}

/// What a violations file says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ViolationsBody {
    /// The violations in the order found; those of all monitors have one shape.
    Violations(Vec<Violation>),
    /// Of a container of one's own, or damaged.
    Other {
        /// Why it is no list of violations, and where in the document that is seen.
        reason: String,
    },
}

/// Why a document is not of the kind wanted.
fn not_of(wanted: &str, kind: Option<DocumentKind>) -> String {
    match kind {
        None => format!("has none of the members that {wanted} of monitors have"),
        Some(kind) => format!("is not {wanted} but {}", name_of(kind)),
    }
}

fn name_of(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::Statistics => "statistics of data quality",
        DocumentKind::Constraints => "constraints of data quality",
        DocumentKind::Violations | DocumentKind::ModelQualityViolations | DocumentKind::ClarifyViolations => {
            "violations"
        }
        DocumentKind::ModelQualityStatistics(_) => "statistics of model quality",
        DocumentKind::ModelQualityConstraints(_) => "constraints of model quality",
        DocumentKind::MergeReport => "a report of a merge job",
        DocumentKind::Analysis => "an analysis of Clarify",
    }
}

impl sealed::Body for StatisticsBody {
    const FILE_NAME: &'static str = "statistics.json";

    fn read(document: &Value) -> Self {
        let text = document.to_string();
        let read = DocumentKind::of(&text).and_then(|kind| match kind {
            Some(DocumentKind::Statistics) => DataQualityStatistics::parse(&text).map(Self::DataQuality),
            Some(DocumentKind::ModelQualityStatistics(_)) => {
                ModelQualityStatistics::parse(&text).map(Self::ModelQuality)
            }
            kind => Ok(Self::Other { reason: not_of("statistics", kind) }),
        });
        read.unwrap_or_else(|error| Self::Other { reason: error.to_string() })
    }

    fn to_value(&self) -> Option<Value> {
        match self {
            Self::DataQuality(statistics) => serde_json::to_value(statistics).ok(),
            Self::ModelQuality(statistics) => serde_json::to_value(statistics).ok(),
            Self::Other { .. } => None,
        }
    }
}

impl sealed::Body for ConstraintsBody {
    const FILE_NAME: &'static str = "constraints.json";

    fn read(document: &Value) -> Self {
        let text = document.to_string();
        let read = DocumentKind::of(&text).and_then(|kind| match kind {
            Some(DocumentKind::Constraints) => DataQualityConstraints::parse(&text).map(Self::DataQuality),
            Some(DocumentKind::ModelQualityConstraints(problem_type)) => {
                ModelQualityConstraints::parse(&text, problem_type).map(Self::ModelQuality)
            }
            Some(DocumentKind::Analysis) => Analysis::parse(&text).map(Self::Clarify),
            kind => Ok(Self::Other { reason: not_of("constraints", kind) }),
        });
        read.unwrap_or_else(|error| Self::Other { reason: error.to_string() })
    }

    fn to_value(&self) -> Option<Value> {
        match self {
            Self::DataQuality(constraints) => serde_json::to_value(constraints).ok(),
            Self::ModelQuality(constraints) => serde_json::to_value(constraints).ok(),
            Self::Clarify(analysis) => serde_json::from_str(&analysis.to_json()).ok(),
            Self::Other { .. } => None,
        }
    }
}

const VIOLATIONS: &str = "violations";

impl sealed::Body for ViolationsBody {
    const FILE_NAME: &'static str = "constraint_violations.json";

    fn read(document: &Value) -> Self {
        let Some(list) = document.get(VIOLATIONS) else {
            let kind = DocumentKind::of(&document.to_string());
            let reason = kind.map_or_else(|error| error.to_string(), |kind| not_of(VIOLATIONS, kind));
            return Self::Other { reason };
        };
        let Some(list) = list.as_array() else {
            return Self::Other { reason: format!("{VIOLATIONS}: expected a list") };
        };
        let violations = list.iter().enumerate().map(|(index, violation)| {
            serde::Deserialize::deserialize(violation).map_err(|error| format!("{VIOLATIONS}[{index}]: {error}"))
        });
        violations.collect::<Result<_, _>>().map_or_else(|reason| Self::Other { reason }, Self::Violations)
    }

    fn to_value(&self) -> Option<Value> {
        match self {
            Self::Violations(violations) => Some(serde_json::json!({ VIOLATIONS: violations })),
            Self::Other { .. } => None,
        }
    }
}
