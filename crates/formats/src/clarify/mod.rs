//! The documents of the Clarify monitors: what is to be analysed, what was found, and where it has drifted.
//!
//! `analysis_config.json` is read strictly, as AWS's schema is: an unknown key is an error. `analysis.json` is both the result of
//! a job and, as a baseline, the constraints of later ones.

mod analysis;
mod analysis_config;
mod metrics;
mod python_json;
mod violations;

pub use analysis::{
    Analysis, BiasMetric, BiasSection, DataType, Explanations, FacetMetrics, LabelAttributions, PartialDependence,
    PartialDependenceCurve,
};
pub use analysis_config::{
    Aggregation, AnalysisConfig, ConfigError, ConfiguredValue, DatasetType, FacetConfig, Methods, MetricSelection,
    PartialDependenceConfig, PredictorConfig, Reference, ReportConfig, ShapBaseline, ShapConfig, Template,
};
pub use metrics::{PostTrainingMetric, PreTrainingMetric};
pub use violations::{AttributionViolation, BiasViolation, ClarifyViolation, ClarifyViolations};
