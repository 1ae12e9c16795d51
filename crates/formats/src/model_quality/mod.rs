//! The documents of model quality: what a model's predictions are worth, what they should be worth, and where they are not.
//!
//! Their names are those of the data quality monitor, their contents are not: a statistics file holds the metrics of one
//! [`ProblemType`], each with its spread, and a constraint is a threshold for one metric.

mod confusion_matrix;
mod constraints;
mod metrics;
mod violations;

use serde::de::Error as _;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::Error;
use crate::json;
use crate::lenient;
use crate::named_enum::named_enum;

pub use confusion_matrix::ConfusionMatrix;
pub use constraints::{ComparisonOperator, MetricConstraint, ModelQualityConstraints};
pub use metrics::{
    BinaryClassificationMetrics, Metric, ModelQualityMetrics, MulticlassClassificationMetrics, PrecisionRecallCurve,
    ReceiverOperatingCharacteristicCurve, RegressionMetrics,
};
pub use violations::{MetricViolation, MetricViolations};

named_enum! {
    /// What a model predicts.
    pub enum ProblemType {
        /// A number.
        Regression = "Regression",
        /// One of two classes, `1` being the positive one.
        BinaryClassification = "BinaryClassification",
        /// One of any number of classes.
        MulticlassClassification = "MulticlassClassification",
    }
}

/// What every file says of its version.
const VERSION: f64 = 0.0;

impl ProblemType {
    /// The member of a statistics file that holds the metrics.
    pub const fn metrics_key(self) -> &'static str {
        match self {
            Self::Regression => "regression_metrics",
            Self::BinaryClassification => "binary_classification_metrics",
            Self::MulticlassClassification => "multiclass_classification_metrics",
        }
    }

    /// The member of a constraints file that holds the constraints.
    pub const fn constraints_key(self) -> &'static str {
        match self {
            Self::Regression => "regression_constraints",
            Self::BinaryClassification => "binary_classification_constraints",
            Self::MulticlassClassification => "multiclass_classification_constraints",
        }
    }
}

/// `statistics.json` of a model quality job.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelQualityStatistics {
    /// Rows that the metrics are of.
    pub item_count: u64,
    /// When the analysis ended, such as `2021-05-26T00:35:10.123Z`; files of older versions do not have it.
    pub evaluation_time: Option<String>,
    /// The metrics.
    pub metrics: ModelQualityMetrics,
}

impl ModelQualityStatistics {
    /// Reads a file.
    ///
    /// # Errors
    /// Not a document of this kind, with the path to what is wrong.
    pub fn parse(text: &str) -> Result<Self, Error> {
        json::parse(text)
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> String {
        json::to_string(self)
    }
}

impl Serialize for ModelQualityStatistics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("ModelQualityStatistics", 3)?;
        document.serialize_field("version", &VERSION)?;
        let dataset = Dataset { item_count: self.item_count, evaluation_time: self.evaluation_time.clone() };
        document.serialize_field("dataset", &dataset)?;
        let key = self.metrics.problem_type().metrics_key();
        match &self.metrics {
            ModelQualityMetrics::Regression(metrics) => document.serialize_field(key, metrics)?,
            ModelQualityMetrics::BinaryClassification(metrics) => document.serialize_field(key, metrics)?,
            ModelQualityMetrics::MulticlassClassification(metrics) => document.serialize_field(key, metrics)?,
        }
        document.end()
    }
}

/// As read: the metrics of one problem type or another.
#[derive(Deserialize)]
struct StatisticsDocument {
    dataset: Dataset,
    regression_metrics: Option<RegressionMetrics>,
    binary_classification_metrics: Option<Box<BinaryClassificationMetrics>>,
    multiclass_classification_metrics: Option<Box<MulticlassClassificationMetrics>>,
}

#[derive(Serialize, Deserialize)]
struct Dataset {
    #[serde(deserialize_with = "lenient::count::deserialize")]
    item_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evaluation_time: Option<String>,
}

impl<'de> Deserialize<'de> for ModelQualityStatistics {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = StatisticsDocument::deserialize(deserializer)?;
        let sections = [
            document.regression_metrics.map(ModelQualityMetrics::Regression),
            document.binary_classification_metrics.map(ModelQualityMetrics::BinaryClassification),
            document.multiclass_classification_metrics.map(ModelQualityMetrics::MulticlassClassification),
        ];
        let mut sections = sections.into_iter().flatten();
        let (Some(metrics), None) = (sections.next(), sections.next()) else {
            let keys: Vec<&str> = ProblemType::ALL.iter().map(|problem_type| problem_type.metrics_key()).collect();
            return Err(D::Error::custom(format!("expected exactly one of {}", keys.join(", "))));
        };
        let Dataset { item_count, evaluation_time } = document.dataset;
        Ok(Self { item_count, evaluation_time, metrics })
    }
}
