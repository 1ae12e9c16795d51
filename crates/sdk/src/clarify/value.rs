//! Small values of configurations: columns, values of cells, places of predictions.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ModelPredictedLabelConfig;

/// A column by name or by index from 0, or a place in a JSON document by `JMESPath`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum NameOrIndex {
    /// Which of the columns, or of what a model answers with, from 0.
    Index(i64),
    /// The column's name, or the path.
    Name(String),
}

impl std::fmt::Display for NameOrIndex {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => index.fmt(formatter),
            Self::Name(name) => name.fmt(formatter),
        }
    }
}

/// What is in a cell: a value of a label or of a facet, or a threshold. Numbers keep the form they are given in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Scalar {
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
}

macro_rules! from {
    ($target:ident: $($source:ty => $variant:ident,)+) => {
        $(impl From<$source> for $target {
            fn from(value: $source) -> Self {
                Self::$variant(value.into())
            }
        })+
    };
}

from!(NameOrIndex: i32 => Index, u32 => Index, i64 => Index, &str => Name, String => Name,);
from!(Scalar: bool => Boolean, i32 => Integer, u32 => Integer, i64 => Integer, f64 => Float, &str => Text, String => Text,);

impl From<usize> for NameOrIndex {
    fn from(index: usize) -> Self {
        Self::Index(index as i64)
    }
}

/// Where the scores to be explained are in what a model answers: one place, or a [`ModelPredictedLabelConfig`].
#[derive(Clone, Debug, PartialEq)]
pub enum ModelScores {
    /// The index or the path of the scores.
    Place(NameOrIndex),
    /// The place of the label, and the names of the scores.
    PredictedLabel(ModelPredictedLabelConfig),
}

impl<T: Into<NameOrIndex>> From<T> for ModelScores {
    fn from(place: T) -> Self {
        Self::Place(place.into())
    }
}

impl From<ModelPredictedLabelConfig> for ModelScores {
    fn from(config: ModelPredictedLabelConfig) -> Self {
        Self::PredictedLabel(config)
    }
}

impl From<&ModelPredictedLabelConfig> for ModelScores {
    fn from(config: &ModelPredictedLabelConfig) -> Self {
        Self::PredictedLabel(config.clone())
    }
}

/// Values of anything that has them, for setters.
pub(super) fn all<T>(values: impl IntoIterator<Item = impl Into<T>>) -> Vec<T> {
    values.into_iter().map(Into::into).collect()
}

impl Scalar {
    /// The value in a document; a float that JSON has no form for is null.
    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Boolean(value) => value.into(),
            Self::Integer(value) => value.into(),
            Self::Float(value) => value.into(),
            Self::Text(value) => value.into(),
        }
    }
}
