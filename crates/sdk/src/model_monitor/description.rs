//! What the service says of a schedule.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use watchkeeper_aws::types::S3Uri;

use crate::Time;
use crate::network::NetworkConfig;
use crate::processing::ClusterConfig;
use crate::word::word;

use super::{MonitoredInput, MonitoringOutput, MonitoringType};

word! {
    /// The state of a schedule.
    pub enum ScheduleStatus {
        /// A change is being made.
        Pending = "Pending",
        /// A change could not be made.
        Failed = "Failed",
        /// It runs.
        Scheduled = "Scheduled",
        /// It does not run.
        Stopped = "Stopped",
    }
}

word! {
    /// The state of an execution.
    pub enum ExecutionStatus {
        /// It was ordered.
        Pending = "Pending",
        /// It ended, and found nothing against the constraints.
        Completed = "Completed",
        /// It ended, and found something against the constraints.
        CompletedWithViolations = "CompletedWithViolations",
        /// It runs.
        InProgress = "InProgress",
        /// It failed.
        Failed = "Failed",
        /// It is being stopped.
        Stopping = "Stopping",
        /// It was stopped.
        Stopped = "Stopped",
    }
}

/// What the service says of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringScheduleDescription {
    /// Its ARN.
    pub monitoring_schedule_arn: String,
    /// Its name.
    pub monitoring_schedule_name: String,
    /// The state it is in.
    pub monitoring_schedule_status: ScheduleStatus,
    /// What it watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_type: Option<MonitoringType>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// When it was made.
    pub creation_time: Time,
    /// When it was last changed.
    pub last_modified_time: Time,
    /// When it runs, and what.
    pub monitoring_schedule_config: MonitoringScheduleConfig,
    /// The endpoint it watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_name: Option<String>,
    /// Its newest execution; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_monitoring_execution_summary: Option<MonitoringExecutionSummary>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// When a schedule runs, and what.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringScheduleConfig {
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_config: Option<ScheduleConfig>,
    /// What, when the schedule says it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_job_definition: Option<MonitoringJobDefinition>,
    /// The definition that says it, when it is an object of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_job_definition_name: Option<String>,
    /// What kind of definition that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_type: Option<MonitoringType>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// When a schedule runs. Texts as the service has them: they need not be ones that a new schedule would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ScheduleConfig {
    /// `cron(0 * ? * * *)`, `NOW`.
    pub schedule_expression: String,
    /// Where the time to look at begins, before the start of a schedule that runs once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_analysis_start_time: Option<String>,
    /// Where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_analysis_end_time: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What the jobs of a schedule do, when the schedule says it itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringJobDefinition {
    /// What is watched.
    #[serde(default)]
    pub monitoring_inputs: Vec<MonitoredInput>,
    /// Where results go.
    #[serde(default)]
    pub monitoring_output_config: MonitoringOutputConfig,
    /// What jobs run on.
    #[serde(default)]
    pub monitoring_resources: MonitoringResources,
    /// What runs.
    #[serde(default)]
    pub monitoring_app_specification: MonitoringAppSpecification,
    /// The role that jobs take.
    pub role_arn: String,
    /// What is checked against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_config: Option<MonitoringBaselineConfig>,
    /// Environment variables of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// When a job is stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_condition: Option<crate::processing::StoppingCondition>,
    /// How jobs are connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_config: Option<NetworkConfig>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Where the results of executions go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringOutputConfig {
    /// Folders of the container, and where they are uploaded to.
    #[serde(default)]
    pub monitoring_outputs: Vec<DescribedOutput>,
    /// The key that results are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A folder of the container, and where it is uploaded to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DescribedOutput {
    /// The folder, and its place in S3.
    #[serde(rename = "S3Output", default, skip_serializing_if = "Option::is_none")]
    pub s3_output: Option<MonitoringOutput>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What jobs run on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringResources {
    /// The instances.
    pub cluster_config: ClusterConfig,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringAppSpecification {
    /// The image.
    pub image_uri: String,
    /// Its entry point.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_entrypoint: Option<Vec<String>>,
    /// The arguments of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_arguments: Option<Vec<String>>,
    /// The script that is called for every record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_preprocessor_source_uri: Option<S3Uri>,
    /// The script that is called after the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_analytics_processor_source_uri: Option<S3Uri>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What is checked against.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringBaselineConfig {
    /// The job whose suggestions these are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baselining_job_name: Option<String>,
    /// The constraints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub constraints_resource: Option<MonitoringResource>,
    /// The statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics_resource: Option<MonitoringResource>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// A file that jobs read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MonitoringResource {
    /// Where it is.
    #[serde(rename = "S3Uri", default, skip_serializing_if = "Option::is_none")]
    pub s3_uri: Option<S3Uri>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// An execution of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct MonitoringExecutionSummary {
    /// The schedule.
    pub monitoring_schedule_name: String,
    /// When it was due.
    pub scheduled_time: Time,
    /// When it was made.
    pub creation_time: Time,
    /// When it last changed.
    pub last_modified_time: Time,
    /// The state it is in.
    pub monitoring_execution_status: ExecutionStatus,
    /// The job that runs it; none when it could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_job_arn: Option<String>,
    /// The endpoint it watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_name: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The definition of its job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_job_definition_name: Option<String>,
    /// What it watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_type: Option<MonitoringType>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
