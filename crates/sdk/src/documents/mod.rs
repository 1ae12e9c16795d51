//! What is in the files of monitors, typed: the values behind [`Statistics`](crate::model_monitor::Statistics),
//! [`Constraints`](crate::model_monitor::Constraints) and [`ConstraintViolations`](crate::model_monitor::ConstraintViolations).
//!
//! The monitors' files share their names, their contents differ: what a file is of is seen from its members, and is the variant
//! of a [`StatisticsBody`] or [`ConstraintsBody`]. Violations have one shape for all monitors ([`Violation`]).
//!
//! The typed values know the members that monitors write. What else stands in a file is kept beside them and is in its place
//! again when the file is saved, also inside the elements of lists.

mod body;
mod merging;
mod violations;

pub use body::{Body, ConstraintsBody, StatisticsBody, ViolationsBody};
pub use violations::{CheckType, Violation};
pub use watchkeeper_formats::clarify::{
    Analysis, BiasMetric, BiasSection, DataType, Explanations, FacetMetrics, LabelAttributions, PartialDependence,
    PartialDependenceCurve,
};
pub use watchkeeper_formats::{
    BinaryClassificationMetrics, Categorical, CategoricalBucket, CategoricalDistribution, CategoricalDriftMethod,
    CommonStatistics, ComparisonMethod, ComparisonOperator, ConfusionMatrix, Constraints as DataQualityConstraints,
    DatasetStatistics, DistributionConstraints, DistributionConstraintsOverrides, FeatureConstraints,
    FeatureStatistics, InferredType, KllBucket, KllDistribution, KllParameters, KllSketch, Metric, MetricConstraint,
    ModelQualityConstraints, ModelQualityMetrics, ModelQualityStatistics, MonitoringConfig, MonitoringConfigOverrides,
    MulticlassClassificationMetrics, NumConstraints, NumericalDistribution, NumericalStatistics, PrecisionRecallCurve,
    ProblemType, ReceiverOperatingCharacteristicCurve, RegressionMetrics, Statistics as DataQualityStatistics,
    StringConstraints, StringStatistics, Switch,
};

pub(crate) use merging::merged;
