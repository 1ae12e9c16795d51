//! The files of model monitoring and the job contract, as values.
//!
//! Each document (`statistics.json`, `constraints.json`, `constraint_violations.json`) is a plain struct whose
//! `to_json` writes the bytes that Amazon SageMaker Model Monitor writes, and whose `parse` reads every generation of
//! such files, also those that people have edited. The contract is what a job is told by its environment and what it
//! tells back: exit message and metric lines.
//!
//! What this crate promises: no input or output (callers read and write files), no panic on any input, and an error
//! that says where a document is wrong. Reading accepts more than writing produces; `validate` is separate from
//! `parse`, because a tool that only shows a file must be able to show a wrong one.
//!
//! The feature `jobs` adds what only those who run jobs need: the contract, captured traffic, ground truth, reports of merges and
//! `analysis_config.json`.
//!
//! Decided against: one generic JSON tree for all documents. Types cost some lines, but the key order, which fields
//! are doubles and which are integers are then stated in one place and cannot drift apart.

#[cfg(feature = "jobs")]
pub mod capture;
pub mod clarify;
pub mod constraints;
#[cfg(feature = "jobs")]
pub mod contract;
pub mod dataset_format;
mod document_kind;
mod error;
#[cfg(feature = "jobs")]
pub mod ground_truth;
pub mod json;
mod lenient;
#[cfg(feature = "jobs")]
pub mod merge_report;
pub mod model_quality;
pub mod monitoring_config;
mod named_enum;
pub mod number;
pub mod python_json;
pub mod statistics;
pub mod violations;

#[cfg(feature = "jobs")]
pub use capture::{CaptureData, CapturePart, CaptureRecord, Encoding, EventMetadata};
pub use constraints::{Constraints, FeatureConstraints, NumConstraints, StringConstraints};
#[cfg(feature = "jobs")]
pub use contract::{
    ClarifyJob, ClarifyKind, DataQualityJob, Dimension, DriftRule, ExitMessage, JobContract, Measurement, MergeJob,
    MetricLine, ModelQualityJob, MonitoredTraffic, MonitoringInputType, ServiceAccess, Settings, StatisticValues, Unit,
};
pub use dataset_format::{CaptureIndexName, DatasetFormat, OutputColumnsPosition};
pub use document_kind::DocumentKind;
pub use error::Error;
#[cfg(feature = "jobs")]
pub use ground_truth::{GroundTruthRecord, NotGroundTruth};
#[cfg(feature = "jobs")]
pub use merge_report::{DuplicateLabels, MergeReport, SideOfMerge};
pub use model_quality::{
    BinaryClassificationMetrics, ComparisonOperator, ConfusionMatrix, Metric, MetricConstraint, MetricViolation,
    MetricViolations, ModelQualityConstraints, ModelQualityMetrics, ModelQualityStatistics,
    MulticlassClassificationMetrics, PrecisionRecallCurve, ProblemType, ReceiverOperatingCharacteristicCurve,
    RegressionMetrics,
};
pub use monitoring_config::{
    CategoricalDriftMethod, ComparisonMethod, DistributionConstraints, DistributionConstraintsOverrides,
    MonitoringConfig, MonitoringConfigOverrides, Switch,
};
pub use statistics::{
    Categorical, CategoricalBucket, CategoricalDistribution, CommonStatistics, DatasetStatistics, FeatureStatistics,
    InferredType, KllBucket, KllDistribution, KllParameters, KllSketch, NumericalDistribution, NumericalStatistics,
    Statistics, StringStatistics,
};
pub use violations::{CheckType, ConstraintViolations, Violation};
