//! The merge job of an execution of two jobs, and the analysis that follows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{
    AppSpecification, CreateProcessingJobRequest, ProcessingInput, ProcessingOutput, ProcessingOutputConfig,
    ProcessingS3Output, ProcessingS3UploadMode,
};
use watchkeeper_aws::types::{S3Uri, S3UriError};

use super::environment::batch_format;
use super::inputs::{Data, MOST_INPUTS, below, data_input, data_inputs, hour_folders, prefix};
use super::window::HOUR;
use super::{Planned, Source, job_name};
use crate::control::execution::Window;

/// The repository of the image that merges.
pub const MERGER: &str = "sagemaker-model-monitor-groundtruth-merger";
const GROUND_TRUTH_FOLDER: &str = "/opt/ml/processing/groundtruth";
const OUTPUT_FOLDER: &str = "/opt/ml/processing/output";
/// What an analysis has at least, however long its merge took.
const SHORTEST_ANALYSIS: i64 = 60;

/// Where ground truth is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroundTruth {
    /// The folder with the hours' folders.
    pub folder: S3Uri,
    /// The hours with labels, in order.
    pub hours: Vec<Timestamp>,
}

/// The request of the job that merges what was captured with ground truth; `analysis` is the request of the job to follow.
///
/// # Errors
/// An address of the definition is none of S3's.
pub fn merge_job(
    planned: &Planned<'_>,
    ground_truth: &GroundTruth,
    analysis: &CreateProcessingJobRequest,
) -> Result<CreateProcessingJobRequest, S3UriError> {
    let definition = planned.definition;
    let output = ProcessingOutput {
        output_name: "result".to_owned(),
        s3_output: Some(ProcessingS3Output {
            s3_uri: merge_folder(planned)?.to_string(),
            local_path: Some(OUTPUT_FOLDER.to_owned()),
            s3_upload_mode: ProcessingS3UploadMode::EndOfJob,
        }),
        feature_store_output: None,
        app_managed: Some(false),
    };
    let mut processing_resources = analysis.processing_resources.clone();
    // Instances would write over each other: an hour has one file.
    processing_resources.cluster_config.instance_count = Some(1);
    Ok(CreateProcessingJobRequest {
        processing_job_name: job_name("groundtruth-merge", planned.tick, planned.unique),
        processing_resources,
        processing_inputs: Some(merge_inputs(planned, ground_truth)),
        processing_output_config: Some(ProcessingOutputConfig {
            outputs: vec![output],
            kms_key_id: definition.output.kms_key_id.clone(),
        }),
        app_specification: AppSpecification {
            image_uri: merger_image(&definition.image_uri),
            container_entrypoint: None,
            container_arguments: None,
        },
        environment: Some(merge_environment(planned)),
        ..analysis.clone()
    })
}

/// Where merged lines go: `merge` below the results.
fn merge_folder(planned: &Planned<'_>) -> Result<S3Uri, S3UriError> {
    Ok(planned.definition.output_destination().s3_uri.parse::<S3Uri>()?.join("merge"))
}

/// The folder of what an execution merges: that of its endpoint, or for batch transform of its schedule. Below it are the
/// folders of variants, for an endpoint, and of hours.
///
/// # Errors
/// An address of the definition is none of S3's.
pub fn merged_data(planned: &Planned<'_>) -> Result<Data, S3UriError> {
    let name = match &planned.definition.input.source {
        Source::Endpoint { name } => name,
        Source::BatchTransform { .. } => &planned.schedule.name,
    };
    Ok(Data::Merged { folder: merge_folder(planned)?.join(name), name: name.clone() })
}

/// That folder, out of the request of an analysis that was planned with it.
pub fn merged_folder(analysis: &CreateProcessingJobRequest) -> Option<S3Uri> {
    let inputs = analysis.processing_inputs.as_ref()?;
    inputs[merged_input(inputs)?].s3_input.as_ref()?.s3_uri.parse().ok()
}

/// Which input stands for all that is merged.
fn merged_input(inputs: &[ProcessingInput]) -> Option<usize> {
    let name = data_input(1);
    inputs.iter().position(|input| input.input_name == name)
}

/// Both sides share the room that a job has for inputs.
fn merge_inputs(planned: &Planned<'_>, ground_truth: &GroundTruth) -> Vec<ProcessingInput> {
    let captures = match planned.data {
        Data::Captures { hours, .. } => hours.len(),
        Data::Manifests(manifests) => manifests.len(),
        Data::Merged { .. } => 1,
    };
    let room = MOST_INPUTS.saturating_sub(captures).max(MOST_INPUTS / 2);
    let hours: Vec<(&str, Timestamp)> = ground_truth.hours.iter().map(|hour| ("", *hour)).collect();
    let labels = hour_folders(&hours, room).into_iter().enumerate().map(|(index, folder)| {
        let uri = below(&ground_truth.folder, &folder).to_string();
        let path = format!("{GROUND_TRUTH_FOLDER}/{folder}").trim_end_matches('/').to_owned();
        prefix(&format!("groundtruth_input_{}", index + 1), &uri, path)
    });
    let mut inputs: Vec<ProcessingInput> = labels.collect();
    inputs.extend(data_inputs(planned, MOST_INPUTS - inputs.len()));
    inputs
}

/// Exactly what the image is told, the window for its report included.
fn merge_environment(planned: &Planned<'_>) -> BTreeMap<String, String> {
    let input = &planned.definition.input;
    let format = match &input.source {
        Source::Endpoint { .. } => None,
        Source::BatchTransform { format, .. } => Some(batch_format(format)),
    };
    let variables = [
        ("dataset_source", Some(input.local_path.clone())),
        ("ground_truth_source", Some(GROUND_TRUTH_FOLDER.to_owned())),
        ("output_path", Some(OUTPUT_FOLDER.to_owned())),
        ("dataset_format", format),
        ("WATCHKEEPER_START_TIME", Some(planned.window.start.to_string())),
        ("WATCHKEEPER_END_TIME", Some(planned.window.end.to_string())),
    ];
    variables.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The merger of the registry and account that an image is of.
fn merger_image(image: &str) -> String {
    let without_digest = image.split('@').next().unwrap_or(image);
    let place = without_digest.rfind('/').map_or("", |slash| &image[..=slash]);
    format!("{place}{MERGER}")
}

/// The request of an analysis, its data narrowed down to the hours that its merge has written: each a folder above that of
/// the hour, which may be empty, and the hour. With `each_hour` these have an input each, however many there are, as nothing
/// else that is in the folder of a day may be read. `used` is what the merge took of the time that both have.
pub fn with_merged(
    analysis: CreateProcessingJobRequest,
    hours: &[(String, Timestamp)],
    each_hour: bool,
    used: jiff::SignedDuration,
) -> CreateProcessingJobRequest {
    let mut inputs = analysis.processing_inputs.unwrap_or_default();
    if let Some(at) = merged_input(&inputs) {
        let whole = inputs.remove(at);
        let hours: Vec<(&str, Timestamp)> = hours.iter().map(|(above, hour)| (above.as_str(), *hour)).collect();
        let room = if each_hour { usize::MAX } else { MOST_INPUTS.saturating_sub(inputs.len()) };
        let folders = hour_folders(&hours, room);
        let narrowed = folders.iter().enumerate().map(|(index, folder)| narrowed(&whole, index + 1, folder));
        inputs.splice(at..at, narrowed);
    }
    let stopping_condition = analysis.stopping_condition.map(|mut condition| {
        condition.max_runtime_in_seconds = time_left(condition.max_runtime_in_seconds, used);
        condition
    });
    CreateProcessingJobRequest { processing_inputs: Some(inputs), stopping_condition, ..analysis }
}

fn narrowed(whole: &ProcessingInput, number: usize, folder: &str) -> ProcessingInput {
    let mut input = whole.clone();
    input.input_name = data_input(number);
    if let Some(source) = &mut input.s3_input {
        let joined = source.s3_uri.parse::<S3Uri>().map(|uri| below(&uri, folder).to_string());
        source.s3_uri = joined.unwrap_or_else(|_| source.s3_uri.clone());
        if let Some(path) = &mut source.local_path {
            let narrower = format!("{path}/{folder}");
            narrower.trim_end_matches('/').clone_into(path);
        }
    }
    input
}

/// Of a limit that is shorter than the least nothing is taken.
fn time_left(limit: i32, used: jiff::SignedDuration) -> i32 {
    let limit = i64::from(limit);
    let left = limit.saturating_sub(used.as_secs().max(0)).max(SHORTEST_ANALYSIS.min(limit));
    i32::try_from(left).expect("it is not longer than the limit, which is one")
}

/// The hours whose captures are merged, as a span of whole hours: those that the window touches, and where it was made by
/// offsets the hour of its end, too.
pub fn merged_hours(window: Window, has_offsets: bool) -> Window {
    let end = window.end.0.as_second();
    let end = if has_offsets { end.div_euclid(HOUR) + 1 } else { (end - 1).div_euclid(HOUR) + 1 };
    span(window.start.0.as_second().div_euclid(HOUR), end, window)
}

/// The hours whose labels are merged: those of the captures, and all up to that of a moment.
pub fn ground_truth_hours(captures: Window, until: Option<Timestamp>) -> Window {
    let hour = |moment: Time| moment.0.as_second().div_euclid(HOUR);
    let until = until.map_or(i64::MIN, |until| until.as_second().div_euclid(HOUR) + 1);
    span(hour(captures.start), hour(captures.end).max(until), captures)
}

fn span(first: i64, end: i64, otherwise: Window) -> Window {
    let moment = |hour: i64, otherwise: Time| Timestamp::from_second(hour * HOUR).map_or(otherwise, Time);
    Window { start: moment(first, otherwise.start), end: moment(end, otherwise.end) }
}
