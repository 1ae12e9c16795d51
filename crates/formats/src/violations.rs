//! `constraint_violations.json`: where a dataset departs from its baseline.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::json;

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ConstraintViolations {
    /// The violations in the order found.
    pub violations: Vec<Violation>,
}

/// One departure from the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// Name of the column, or `Missing columns`, `Extra columns`.
    pub feature_name: String,
    /// The check that failed.
    pub constraint_check_type: CheckType,
    /// What was expected and what was seen.
    #[serde(default)]
    pub description: String,
}

/// The check that failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CheckType {
    /// Too few values have the expected type.
    DataType,
    /// Too few records have a value.
    Completeness,
    /// The distribution differs from that of the baseline.
    BaselineDrift,
    /// The dataset has fewer columns than the baseline.
    MissingColumn,
    /// The dataset has more columns than the baseline.
    ExtraColumn,
    /// Too few values are in the domain.
    CategoricalValues,
    /// A check of another kind of monitor, by its name.
    Other(String),
}

impl CheckType {
    const NAMED: [Self; 6] = [
        Self::DataType,
        Self::Completeness,
        Self::BaselineDrift,
        Self::MissingColumn,
        Self::ExtraColumn,
        Self::CategoricalValues,
    ];

    /// The name in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Self::DataType => "data_type_check",
            Self::Completeness => "completeness_check",
            Self::BaselineDrift => "baseline_drift_check",
            Self::MissingColumn => "missing_column_check",
            Self::ExtraColumn => "extra_column_check",
            Self::CategoricalValues => "categorical_values_check",
            Self::Other(name) => name,
        }
    }
}

impl fmt::Display for CheckType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for CheckType {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        let named = Self::NAMED.into_iter().find(|check| check.as_str() == name);
        Ok(named.unwrap_or_else(|| Self::Other(name.to_owned())))
    }
}

impl Serialize for CheckType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CheckType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let Ok(check) = name.parse();
        Ok(check)
    }
}

impl ConstraintViolations {
    /// Reads a `constraint_violations.json` of any monitor.
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of `constraint_violations.json`.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }
}
