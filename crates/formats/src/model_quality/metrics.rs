//! The metrics of the three problem types, in the order of the file.
//!
//! Files of older versions lack the best-constant classifiers or spreads: what is absent is read as not a number.

use serde::{Deserialize, Deserializer, Serialize};

use super::{ConfusionMatrix, ProblemType};
use crate::lenient;

/// A metric and its spread. A value that is not finite stands in the file as `"NaN"`, `"Infinity"` or `"-Infinity"`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The metric of all rows.
    #[serde(with = "lenient::double")]
    pub value: f64,
    /// Standard deviation over subsamples; NaN where there are too few rows, or the file has none.
    #[serde(
        default = "not_a_number",
        serialize_with = "lenient::double::serialize",
        deserialize_with = "or_not_a_number"
    )]
    pub standard_deviation: f64,
}

impl Metric {
    /// What a file does not say.
    const UNKNOWN: Self = Self { value: f64::NAN, standard_deviation: f64::NAN };
}

fn not_a_number() -> f64 {
    f64::NAN
}

fn or_not_a_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(lenient::optional_double::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

fn unknown() -> Metric {
    Metric::UNKNOWN
}

/// The metrics of one problem type.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelQualityMetrics {
    /// `regression_metrics`.
    Regression(RegressionMetrics),
    /// `binary_classification_metrics`.
    BinaryClassification(Box<BinaryClassificationMetrics>),
    /// `multiclass_classification_metrics`.
    MulticlassClassification(Box<MulticlassClassificationMetrics>),
}

/// How far predicted numbers are from the true ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field's standard names
pub struct RegressionMetrics {
    pub mae: Metric,
    pub mse: Metric,
    pub rmse: Metric,
    pub r2: Metric,
}

/// Points of the ROC curve, from (0, 0) to (1, 1).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field's standard names
pub struct ReceiverOperatingCharacteristicCurve {
    #[serde(with = "lenient::doubles")]
    pub false_positive_rates: Vec<f64>,
    #[serde(with = "lenient::doubles")]
    pub true_positive_rates: Vec<f64>,
}

/// Points of the precision-recall curve, from recall 0.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field's standard names
pub struct PrecisionRecallCurve {
    #[serde(with = "lenient::doubles")]
    pub precisions: Vec<f64>,
    #[serde(with = "lenient::doubles")]
    pub recalls: Vec<f64>,
}

/// Metrics of one of two classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field's standard names
pub struct BinaryClassificationMetrics {
    pub confusion_matrix: ConfusionMatrix,
    pub recall: Metric,
    pub precision: Metric,
    pub accuracy: Metric,
    #[serde(default = "unknown")]
    pub recall_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub precision_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub accuracy_best_constant_classifier: Metric,
    pub true_positive_rate: Metric,
    pub true_negative_rate: Metric,
    pub false_positive_rate: Metric,
    pub false_negative_rate: Metric,
    /// With probabilities only, as the two after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_operating_characteristic_curve: Option<ReceiverOperatingCharacteristicCurve>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision_recall_curve: Option<PrecisionRecallCurve>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auc: Option<Metric>,
    pub f0_5: Metric,
    pub f1: Metric,
    pub f2: Metric,
    #[serde(default = "unknown")]
    pub f0_5_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub f1_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub f2_best_constant_classifier: Metric,
}

/// Metrics of one of any number of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)] // the field's standard names
pub struct MulticlassClassificationMetrics {
    pub confusion_matrix: ConfusionMatrix,
    pub accuracy: Metric,
    pub weighted_recall: Metric,
    pub weighted_precision: Metric,
    pub weighted_f0_5: Metric,
    pub weighted_f1: Metric,
    pub weighted_f2: Metric,
    #[serde(default = "unknown")]
    pub accuracy_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub weighted_recall_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub weighted_precision_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub weighted_f0_5_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub weighted_f1_best_constant_classifier: Metric,
    #[serde(default = "unknown")]
    pub weighted_f2_best_constant_classifier: Metric,
}

/// Fields with their names.
macro_rules! named {
    ($metrics:expr; $($field:ident),+) => {
        vec![$((stringify!($field), $metrics.$field)),+]
    };
}

impl ModelQualityMetrics {
    /// The problem type.
    pub fn problem_type(&self) -> ProblemType {
        match self {
            Self::Regression(_) => ProblemType::Regression,
            Self::BinaryClassification(_) => ProblemType::BinaryClassification,
            Self::MulticlassClassification(_) => ProblemType::MulticlassClassification,
        }
    }

    /// The scalar metrics by name, in the order of the file.
    pub fn scalars(&self) -> Vec<(&'static str, Metric)> {
        match self {
            Self::Regression(metrics) => named!(metrics; mae, mse, rmse, r2),
            Self::BinaryClassification(metrics) => {
                let mut scalars = named!(metrics;
                    recall, precision, accuracy,
                    recall_best_constant_classifier, precision_best_constant_classifier, accuracy_best_constant_classifier,
                    true_positive_rate, true_negative_rate, false_positive_rate, false_negative_rate);
                scalars.extend(metrics.auc.map(|auc| ("auc", auc)));
                scalars.extend(named!(metrics;
                    f0_5, f1, f2,
                    f0_5_best_constant_classifier, f1_best_constant_classifier, f2_best_constant_classifier));
                scalars
            }
            Self::MulticlassClassification(metrics) => named!(metrics;
                accuracy, weighted_recall, weighted_precision, weighted_f0_5, weighted_f1, weighted_f2,
                accuracy_best_constant_classifier, weighted_recall_best_constant_classifier,
                weighted_precision_best_constant_classifier, weighted_f0_5_best_constant_classifier,
                weighted_f1_best_constant_classifier, weighted_f2_best_constant_classifier),
        }
    }

    /// The counts by class, of classifications.
    pub fn confusion_matrix(&self) -> Option<&ConfusionMatrix> {
        match self {
            Self::Regression(_) => None,
            Self::BinaryClassification(metrics) => Some(&metrics.confusion_matrix),
            Self::MulticlassClassification(metrics) => Some(&metrics.confusion_matrix),
        }
    }
}
