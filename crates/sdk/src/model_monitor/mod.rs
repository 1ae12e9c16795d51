//! The monitors and what they take and give: Python's `sagemaker.model_monitor`.
//!
//! A monitor is a value of this program that stands for a schedule of the service: [`DefaultModelMonitor`] for the quality of
//! data, [`ModelQualityMonitor`] for predictions against the truth, [`ModelBiasMonitor`] and [`ModelExplainabilityMonitor`] for
//! what Clarify finds, and [`ModelMonitor`] for a container of your own. Each is made for a new schedule, or attached to one that
//! exists.
//!
//! The requests of a monitor, which calls with optional parts return, are in the module of its name: those of
//! [`DefaultModelMonitor`] in [`default_model_monitor`].

pub mod alerts;
mod analysis_config;
mod attaching;
mod baselining;
mod baselining_job;
mod clarify_baselining;
mod clarify_monitor;
mod cron_expression_generator;
mod data_capture_config;
mod data_quality_monitoring_config;
mod dataset_format;
pub mod default_model_monitor;
mod definition_parts;
pub mod description;
mod embedded_definition;
mod environment;
pub mod executions;
pub mod generic_monitor;
mod job_definition;
pub mod latest_files;
pub mod model_bias_monitor;
pub mod model_explainability_monitor;
pub mod model_quality_monitor;
mod monitor;
mod monitored_input;
mod monitoring_alert;
mod monitoring_execution;
mod monitoring_files;
mod monitoring_output;
mod monitoring_type;
mod schedule;
mod settings_changes;

pub use analysis_config::{AnalysisConfig, BiasAnalysisConfig, ExplainabilityAnalysisConfig};
pub use baselining_job::{
    BaselineStatistics, BaseliningJob, ClarifyBaseliningJob, ClarifySuggestedConstraints, SuggestedConstraints,
};
pub use clarify_baselining::ClarifyBaseliningConfig;
pub use cron_expression_generator::CronExpressionGenerator;
pub use data_capture_config::{CaptureOption, DataCaptureConfig};
pub use data_quality_monitoring_config::{
    CategoricalDriftMethod, DataQualityDistributionConstraints, DataQualityMonitoringConfig,
};
pub use dataset_format::{DatasetFormat, MonitoringDatasetFormat, OutputColumnsPosition};
pub use default_model_monitor::DefaultModelMonitor;
pub use description::MonitoringScheduleDescription;
pub use generic_monitor::{BaselineOutput, ModelMonitor};
pub use model_bias_monitor::ModelBiasMonitor;
pub use model_explainability_monitor::ModelExplainabilityMonitor;
pub use model_quality_monitor::ModelQualityMonitor;
pub use monitor::MonitorSettings;
pub use monitored_input::{BatchTransformInput, EndpointInput, MonitoredInput};
pub use monitoring_alert::{
    ModelDashboardIndicatorAction, MonitoringAlertActions, MonitoringAlertHistorySummary, MonitoringAlertStatus,
    MonitoringAlertSummary,
};
pub use monitoring_execution::{
    ClarifyMonitoringExecution, ExecutionConstraintViolations, ExecutionStatistics, MonitoringExecution,
};
pub use monitoring_files::{
    ConstraintViolations, Constraints, ConstraintsSource, FileSource, FromFilePath, FromS3Uri, FromString,
    ModelMonitoringFile, Save, Statistics, StatisticsSource,
};
pub use monitoring_output::MonitoringOutput;
pub use monitoring_type::MonitoringType;
pub use watchkeeper_formats::ProblemType;
