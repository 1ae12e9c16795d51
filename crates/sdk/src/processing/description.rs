//! What the service says of a processing job.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use watchkeeper_aws::Time;

use super::{ProcessingInput, ProcessingJobStatus, ProcessingOutput};
use crate::network::NetworkConfig;
use crate::request::setters;

/// The program of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct AppSpecification {
    /// Its image.
    pub image_uri: String,
    /// The command, when it is not the image's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_entrypoint: Option<Vec<String>>,
    /// What the command is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_arguments: Option<Vec<String>>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The machines of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ClusterConfig {
    /// How many.
    pub instance_count: u32,
    /// Which kind.
    pub instance_type: String,
    /// The size of their disks, in GiB.
    #[serde(rename = "VolumeSizeInGB")]
    pub volume_size_in_gb: u32,
    /// The key their disks are encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_kms_key_id: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What a job runs on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingResources {
    /// Its machines.
    pub cluster_config: ClusterConfig,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What ends a job that does not end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct StoppingCondition {
    /// The longest it may run, in seconds.
    pub max_runtime_in_seconds: u32,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What comes out of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingOutputConfig {
    /// What is uploaded.
    #[serde(default)]
    pub outputs: Vec<ProcessingOutput>,
    /// The key it is encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_id: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// The experiment that a job belongs to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ExperimentConfig {
    /// The name of the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment_name: Option<String>,
    /// The name of the trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_name: Option<String>,
    /// What the job is shown as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_component_display_name: Option<String>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ExperimentConfig {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// The name of the experiment.
        experiment_name: String,
        /// The name of the trial.
        trial_name: String,
        /// What the job is shown as.
        trial_component_display_name: String,
    }
}

/// What the service says of a processing job: what it was started with, and how it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "PascalCase")]
pub struct ProcessingJobDescription {
    /// Its name.
    pub processing_job_name: String,
    /// Its ARN.
    pub processing_job_arn: String,
    /// Its state.
    pub processing_job_status: ProcessingJobStatus,
    /// What goes in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processing_inputs: Vec<ProcessingInput>,
    /// What comes out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_output_config: Option<ProcessingOutputConfig>,
    /// What it runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_resources: Option<ProcessingResources>,
    /// Its program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_specification: Option<AppSpecification>,
    /// The variables of its program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// How it is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_config: Option<NetworkConfig>,
    /// What ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping_condition: Option<StoppingCondition>,
    /// The role it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// What the program said at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_message: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// The schedule whose execution it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_schedule_arn: Option<String>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_time: Option<Time>,
    /// When its program started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_start_time: Option<Time>,
    /// When its program ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_end_time: Option<Time>,
    /// When its state changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_modified_time: Option<Time>,
    /// What this version does not know.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}
