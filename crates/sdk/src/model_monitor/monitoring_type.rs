//! The four kinds of monitors, and what the service calls the parts of each.

use crate::word::word;

word! {
    /// What a schedule watches.
    pub enum MonitoringType {
        /// Statistics of the data.
        DataQuality = "DataQuality",
        /// Predictions against the truth.
        ModelQuality = "ModelQuality",
        /// Differences between groups.
        ModelBias = "ModelBias",
        /// What predictions depend on.
        ModelExplainability = "ModelExplainability",
    }
}

/// What the service calls the operations and parts of one kind of job definition. The four kinds differ in names alone.
#[derive(Debug)]
pub(crate) struct MonitorKind {
    /// As schedules say it.
    pub(crate) monitoring_type: MonitoringType,
    /// What `attach` says to a schedule of another kind.
    pub(crate) attaches_to: &'static str,
    /// What names of job definitions begin with, unless the monitor has a base name.
    pub(crate) job_definition_base_name: &'static str,
    /// Whose image its jobs run: the word that `image_uris::retrieve` takes.
    pub(crate) image_framework: &'static str,
    /// `Create…JobDefinition`.
    pub(crate) create_job_definition: &'static str,
    /// `Describe…JobDefinition`.
    pub(crate) describe_job_definition: &'static str,
    /// `Delete…JobDefinition`.
    pub(crate) delete_job_definition: &'static str,
    /// `…AppSpecification`.
    pub(crate) app_specification: &'static str,
    /// `…BaselineConfig`.
    pub(crate) baseline_config: &'static str,
    /// `…JobInput`.
    pub(crate) job_input: &'static str,
    /// `…JobOutputConfig`.
    pub(crate) job_output_config: &'static str,
}

macro_rules! kind {
    ($kind:ident, $word:literal, $base_name:literal, $framework:literal, $attaches_to:literal) => {
        MonitorKind {
            monitoring_type: MonitoringType::$kind,
            attaches_to: $attaches_to,
            job_definition_base_name: $base_name,
            image_framework: $framework,
            create_job_definition: concat!("Create", $word, "JobDefinition"),
            describe_job_definition: concat!("Describe", $word, "JobDefinition"),
            delete_job_definition: concat!("Delete", $word, "JobDefinition"),
            app_specification: concat!($word, "AppSpecification"),
            baseline_config: concat!($word, "BaselineConfig"),
            job_input: concat!($word, "JobInput"),
            job_output_config: concat!($word, "JobOutputConfig"),
        }
    };
}

/// Data quality.
pub(crate) static DATA_QUALITY: MonitorKind = kind!(
    DataQuality,
    "DataQuality",
    "data-quality-job-definition",
    "model-monitor",
    "DefaultModelMonitor can only attach to Data quality monitoring schedule:"
);
/// Model quality.
pub(crate) static MODEL_QUALITY: MonitorKind = kind!(
    ModelQuality,
    "ModelQuality",
    "model-quality-job-definition",
    "model-monitor",
    "ModelQualityMonitor can only attach to ModelQuality monitoring schedule:"
);
/// Bias.
pub(crate) static MODEL_BIAS: MonitorKind = kind!(
    ModelBias,
    "ModelBias",
    "model-bias-job-definition",
    "clarify",
    "ModelBiasMonitor can only attach to ModelBias schedule:"
);
/// Explainability.
pub(crate) static MODEL_EXPLAINABILITY: MonitorKind = kind!(
    ModelExplainability,
    "ModelExplainability",
    "model-explainability-job-definition",
    "clarify",
    "ModelExplainabilityMonitor can only attach to ModelExplainability schedule:"
);
