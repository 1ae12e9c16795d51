//! The documents of the Clarify monitors: what is to be analysed, what was found, and where it has drifted.
//!
//! `analysis_config.json` is read strictly, as AWS's schema is: an unknown key is an error. `analysis.json` is both the result of
//! a job and, as a baseline, the constraints of later ones.

mod analysis;
#[cfg(feature = "jobs")]
mod analysis_config;
mod members;
#[cfg(feature = "jobs")]
mod metrics;
mod violations;

pub use analysis::{
    Analysis, BiasMetric, BiasSection, DataType, Explanations, FacetMetrics, LabelAttributions, PartialDependence,
    PartialDependenceCurve,
};
#[cfg(feature = "jobs")]
pub use analysis_config::{
    Aggregation, AnalysisConfig, ConfigError, ConfiguredValue, DatasetType, FacetConfig, Methods, MetricSelection,
    PartialDependenceConfig, PredictorConfig, Reference, ReportConfig, ShapBaseline, ShapConfig, Template,
};
#[cfg(feature = "jobs")]
pub use metrics::{PostTrainingMetric, PreTrainingMetric};
pub use violations::{AttributionViolation, BiasViolation, ClarifyViolation, ClarifyViolations};
