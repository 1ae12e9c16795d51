//! From a tick of a schedule to the request of the processing job that looks at its window. Pure: what data there is, and
//! what the baseline's job was told, is handed in.
//!
//! The sources are sections E.1, E.2 and E.9 of the specification of the service. An execution of model quality and of
//! bias has two jobs, a merge of ground truth and then the analysis; [`Definition::needs_merge`] tells them apart.

mod baseline;
mod definition;
mod environment;
mod inputs;
mod merge;
mod window;

pub use baseline::{Baseline, baseline};
pub use definition::{BaselineReference, Definition, MonitoredInput, Source};
pub use inputs::{CaptureHour, Data, Manifest};
pub use merge::{
    GroundTruth, MERGER, ground_truth_hours, merge_job, merged_data, merged_folder, merged_hours, with_merged,
};
pub use window::{WindowError, hours, whole_seconds, window};

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{
    AppSpecification, CreateProcessingJobRequest, MonitoringType, ProcessingClusterConfig, ProcessingOutput,
    ProcessingOutputConfig, ProcessingResources, ProcessingS3Output, ProcessingS3UploadMode,
    ProcessingStoppingCondition,
};
use watchkeeper_aws::types::{S3Uri, S3UriError};

use super::execution::{Trigger, Window};
use super::schedule::MonitoringSchedule;

/// What an execution's job is made of.
pub struct Planned<'a> {
    /// Whose tick it is.
    pub schedule: &'a MonitoringSchedule,
    /// The nominal time.
    pub tick: Timestamp,
    /// What made the execution.
    pub trigger: Trigger,
    /// The window to look at.
    pub window: Window,
    /// What to run.
    pub definition: &'a Definition,
    /// What to compare with.
    pub baseline: &'a Baseline,
    /// Where the data is.
    pub data: &'a Data,
    /// Makes the job's name unique.
    pub unique: Uuid,
    /// This moment: when a window that was analysed before is analysed again.
    pub now: Timestamp,
}

/// The request of the job that analyses what was captured.
///
/// # Errors
/// An address of the definition is none of S3's.
pub fn analysis_job(planned: &Planned<'_>) -> Result<CreateProcessingJobRequest, S3UriError> {
    let definition = planned.definition;
    let cluster = &definition.resources.cluster_config;
    Ok(CreateProcessingJobRequest {
        processing_job_name: job_name(kind(definition.monitoring_type), planned.tick, planned.unique),
        processing_inputs: Some(inputs::inputs(planned)),
        processing_output_config: Some(ProcessingOutputConfig {
            outputs: vec![output(planned)?],
            kms_key_id: definition.output.kms_key_id.clone(),
        }),
        processing_resources: ProcessingResources {
            cluster_config: ProcessingClusterConfig {
                instance_count: Some(cluster.instance_count),
                instance_type: Some(cluster.instance_type.clone()),
                volume_size_in_gb: cluster.volume_size_in_gb,
                volume_kms_key_id: cluster.volume_kms_key_id.clone(),
                instance_preferences: None,
                selected_instance_type: None,
                selected_instance_count: None,
            },
        },
        stopping_condition: Some(ProcessingStoppingCondition {
            max_runtime_in_seconds: definition.max_runtime_in_seconds,
        }),
        app_specification: AppSpecification {
            image_uri: definition.image_uri.clone(),
            container_entrypoint: definition.entrypoint.clone(),
            container_arguments: definition.arguments.clone(),
        },
        environment: Some(environment::environment(planned)),
        network_config: definition.network.clone(),
        role_arn: definition.role_arn.clone(),
        tags: None,
        experiment_config: None,
    })
}

/// What names of analyses begin with.
fn kind(monitoring_type: MonitoringType) -> &'static str {
    match monitoring_type {
        MonitoringType::DataQuality => "data-quality-monitoring",
        MonitoringType::ModelQuality => "model-quality-monitoring",
        MonitoringType::ModelBias => "model-bias-monitoring",
        MonitoringType::ModelExplainability => "model-explainability-monitoring",
    }
}

/// `data-quality-monitoring-202105180100-e03b…`: the kind, the tick's minute and 24 digits, or as many as there is room for.
fn job_name(kind: &str, tick: Timestamp, unique: Uuid) -> String {
    const LONGEST_NAME: usize = 63;
    const DIGITS: usize = 24;
    let start = format!("{kind}-{}-", tick.strftime("%Y%m%d%H%M"));
    let digits = unique.simple().to_string();
    format!("{start}{}", &digits[..DIGITS.min(LONGEST_NAME - start.len())])
}

/// The one output, in the folder of the tick's hour; within it in a folder of their own for what AWS does not have, runs of
/// operators and ticks within an hour, so that none writes over another's results.
fn output(planned: &Planned<'_>) -> Result<ProcessingOutput, S3UriError> {
    let destination = planned.definition.output_destination();
    let mut folder = destination.s3_uri.parse::<S3Uri>()?;
    if let Source::Endpoint { name } = &planned.definition.input.source {
        folder = folder.join(name);
    }
    let mut folder = folder.join(&planned.schedule.name).join(&hour_path(planned.tick));
    let is_now = planned.schedule.is_now();
    match planned.trigger {
        Trigger::Run => folder = folder.join(&planned.tick.strftime("%M-%S-%3f").to_string()),
        Trigger::Tick | Trigger::Backfill | Trigger::Remerge if is_now || planned.tick.as_second() % 3600 == 0 => {}
        Trigger::Tick | Trigger::Backfill | Trigger::Remerge => {
            folder = folder.join(&planned.tick.strftime("%M-%S").to_string());
        }
    }
    if planned.trigger == Trigger::Remerge {
        folder = folder.join(&planned.now.strftime("remerged-%Y%m%dT%H%M%S").to_string());
    }
    Ok(ProcessingOutput {
        output_name: "result".to_owned(),
        s3_output: Some(ProcessingS3Output {
            s3_uri: folder.to_string(),
            local_path: Some(destination.local_path.clone()),
            s3_upload_mode: destination.s3_upload_mode.unwrap_or(ProcessingS3UploadMode::Continuous),
        }),
        feature_store_output: None,
        app_managed: Some(false),
    })
}

/// `2021/05/18/01`.
pub fn hour_path(moment: Timestamp) -> String {
    moment.strftime("%Y/%m/%d/%H").to_string()
}
