//! `constraints.json` of a model quality job: a threshold for each metric.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{ModelQualityMetrics, ProblemType};
use crate::error::Error;
use crate::json;
use crate::named_enum::named_enum;

use ComparisonOperator::{GreaterThanThreshold as Above, LessThanThreshold as Below};

const THRESHOLD: &str = "threshold";
const COMPARISON_OPERATOR: &str = "comparison_operator";

named_enum! {
    /// When a metric violates its constraint.
    pub enum ComparisonOperator {
        /// Below the threshold.
        LessThanThreshold = "LessThanThreshold",
        /// Above the threshold.
        GreaterThanThreshold = "GreaterThanThreshold",
        /// Not above the threshold.
        LessThanOrEqualToThreshold = "LessThanOrEqualToThreshold",
        /// Not below the threshold.
        GreaterThanOrEqualToThreshold = "GreaterThanOrEqualToThreshold",
    }
}

/// What is demanded of one metric.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricConstraint {
    /// Name of the metric, as in the statistics.
    pub metric: String,
    /// None where the file says null: nothing is demanded.
    pub threshold: Option<f64>,
    /// What is a violation.
    pub comparison_operator: ComparisonOperator,
}

/// The whole document.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelQualityConstraints {
    /// Whose metrics they are of.
    pub problem_type: ProblemType,
    /// In the order of the file.
    pub constraints: Vec<MetricConstraint>,
}

impl ModelQualityConstraints {
    /// The constraints that a baseline suggests: its own finite values, unrounded, of the metrics that have a usual operator.
    pub fn suggest(metrics: &ModelQualityMetrics) -> Self {
        let problem_type = metrics.problem_type();
        let scalars = metrics.scalars();
        let constraint = |&(metric, comparison_operator): &(&str, ComparisonOperator)| {
            let (_, measured) = scalars.iter().find(|(name, _)| *name == metric)?;
            let threshold = Some(measured.value).filter(|value| value.is_finite())?;
            Some(MetricConstraint { metric: metric.to_owned(), threshold: Some(threshold), comparison_operator })
        };
        Self { problem_type, constraints: usual(problem_type).iter().filter_map(constraint).collect() }
    }

    /// Reads a file for a problem type, also one that people have edited.
    ///
    /// # Errors
    /// Not JSON, no section of this problem type, an operator that is none, a threshold that is no number: each named.
    pub fn parse(text: &str, problem_type: ProblemType) -> Result<Self, Error> {
        Self::of_sections(json::parse(text)?, problem_type)
    }

    /// Reads a file whatever its problem type.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn parse_any(text: &str) -> Result<Self, Error> {
        let sections: Map<String, Value> = json::parse(text)?;
        let has_section = |problem_type: &&ProblemType| {
            sections.get(problem_type.constraints_key()).is_some_and(|section| !section.is_null())
        };
        if let Some(problem_type) = ProblemType::ALL.iter().find(has_section) {
            return Self::of_sections(sections, *problem_type);
        }
        let keys: Vec<&str> = ProblemType::ALL.iter().map(|problem_type| problem_type.constraints_key()).collect();
        Err(wrong("constraints", format!("have no section {}, {}", keys.join(" or "), list_of_members(&sections))))
    }

    fn of_sections(mut sections: Map<String, Value>, problem_type: ProblemType) -> Result<Self, Error> {
        let key = problem_type.constraints_key();
        match sections.remove(key) {
            Some(Value::Object(section)) => Self::of_section(section, problem_type),
            Some(other) if !other.is_null() => Err(wrong(key, format!("is {other}, expected an object"))),
            _ => Err(wrong("constraints", format!("have no section `{key}`, {}", list_of_members(&sections)))),
        }
    }

    /// Members of the section that are no constraint and mention no metric are notes of whoever edited the file.
    fn of_section(section: Map<String, Value>, problem_type: ProblemType) -> Result<Self, Error> {
        let mut constraints = Vec::with_capacity(section.len());
        for (metric, value) in section {
            let usual_operator = ComparisonOperator::usual(problem_type, &metric);
            let place = || format!("{}.{metric}", problem_type.constraints_key());
            let members = match value {
                Value::Object(members) => members,
                Value::Null => Map::new(),
                _ if usual_operator.is_none() => continue,
                other => return Err(wrong(place(), format!("is {other}, expected an object with a threshold"))),
            };
            let is_constraint = members.contains_key(THRESHOLD) || members.contains_key(COMPARISON_OPERATOR);
            if usual_operator.is_none() && !is_constraint {
                continue;
            }
            let threshold = threshold(members.get(THRESHOLD)).map_err(|problem| wrong(place(), problem))?;
            let operator = operator(members.get(COMPARISON_OPERATOR), usual_operator);
            let comparison_operator = operator.map_err(|problem| wrong(place(), problem))?;
            constraints.push(MetricConstraint { metric, threshold, comparison_operator });
        }
        Ok(Self { problem_type, constraints })
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }
}

fn wrong(place: impl Into<String>, problem: String) -> Error {
    Error::Invalid { place: place.into(), problem }
}

fn list_of_members(members: &Map<String, Value>) -> String {
    let names: Vec<&str> = members.keys().map(String::as_str).collect();
    if names.is_empty() { "the file is empty".to_owned() } else { format!("but {}", names.join(", ")) }
}

/// The threshold, a finite number or the text of one; None where it is null or not given.
fn threshold(value: Option<&Value>) -> Result<Option<f64>, String> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(_) => None,
    };
    let refusal = || format!("threshold is {}, expected a number", value.unwrap_or(&Value::Null));
    number.filter(|number| number.is_finite()).map(Some).ok_or_else(refusal)
}

fn operator(value: Option<&Value>, usual: Option<ComparisonOperator>) -> Result<ComparisonOperator, String> {
    let given = match value {
        None | Some(Value::Null) => {
            return usual.ok_or_else(|| format!("has no {COMPARISON_OPERATOR}, expected {}", words()));
        }
        Some(Value::String(word)) => word.trim().parse().ok(),
        Some(_) => None,
    };
    let refusal = || format!("{COMPARISON_OPERATOR} is {}, expected {}", value.unwrap_or(&Value::Null), words());
    given.ok_or_else(refusal)
}

fn words() -> String {
    let words: Vec<&str> = ComparisonOperator::ALL.iter().map(|operator| operator.as_str()).collect();
    format!("one of {}", words.join(", "))
}

impl Serialize for ModelQualityConstraints {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("ModelQualityConstraints", 2)?;
        document.serialize_field("version", &super::VERSION)?;
        document.serialize_field(self.problem_type.constraints_key(), &Section(&self.constraints))?;
        document.end()
    }
}

struct Section<'a>(&'a [MetricConstraint]);

impl Serialize for Section<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|constraint| (&constraint.metric, Demand(constraint))))
    }
}

struct Demand<'a>(&'a MetricConstraint);

impl Serialize for Demand<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut demand = serializer.serialize_struct("Demand", 2)?;
        demand.serialize_field(THRESHOLD, &self.0.threshold)?;
        demand.serialize_field(COMPARISON_OPERATOR, &self.0.comparison_operator)?;
        demand.end()
    }
}

const OF_REGRESSION: &[(&str, ComparisonOperator)] = &[("mae", Above), ("mse", Above), ("rmse", Above), ("r2", Below)];

const OF_BINARY: &[(&str, ComparisonOperator)] = &[
    ("recall", Below),
    ("precision", Below),
    ("accuracy", Below),
    ("true_positive_rate", Below),
    ("true_negative_rate", Below),
    ("false_positive_rate", Above),
    ("false_negative_rate", Above),
    ("auc", Below),
    ("f0_5", Below),
    ("f1", Below),
    ("f2", Below),
];

const OF_MULTICLASS: &[(&str, ComparisonOperator)] = &[
    ("accuracy", Below),
    ("weighted_recall", Below),
    ("weighted_precision", Below),
    ("weighted_f0_5", Below),
    ("weighted_f1", Below),
    ("weighted_f2", Below),
];

/// The metrics that constraints are suggested for, in the order of the file, and what violates them.
fn usual(problem_type: ProblemType) -> &'static [(&'static str, ComparisonOperator)] {
    match problem_type {
        ProblemType::Regression => OF_REGRESSION,
        ProblemType::BinaryClassification => OF_BINARY,
        ProblemType::MulticlassClassification => OF_MULTICLASS,
    }
}

impl ComparisonOperator {
    /// What a suggested constraint on a metric has; None for metrics that never become constraints.
    pub fn usual(problem_type: ProblemType, metric: &str) -> Option<Self> {
        usual(problem_type).iter().find(|(name, _)| *name == metric).map(|(_, operator)| *operator)
    }

    /// The metrics that constraints are suggested for, in the order in which they are judged.
    pub fn usual_metrics(problem_type: ProblemType) -> impl Iterator<Item = &'static str> {
        usual(problem_type).iter().map(|(metric, _)| *metric)
    }

    /// Whether a value violates a threshold.
    pub fn is_violated(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::LessThanThreshold => value < threshold,
            Self::GreaterThanThreshold => value > threshold,
            Self::LessThanOrEqualToThreshold => value <= threshold,
            Self::GreaterThanOrEqualToThreshold => value >= threshold,
        }
    }
}
