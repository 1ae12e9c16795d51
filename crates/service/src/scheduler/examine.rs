//! What an execution would run: on which data, compared with what, or why there is nothing to run. Changes nothing.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{CreateProcessingJobRequest, MonitoringType};
use watchkeeper_aws::types::{S3Uri, S3UriError, ScheduleExpression};
use watchkeeper_store::metadata::{Query, SortBy};

use super::look;
use crate::Context;
use crate::control::endpoint::Endpoint;
use crate::control::execution::{Looked, Trigger, Window};
use crate::control::execution_plan::{
    self, Baseline, BaselineReference, Data, Definition, GroundTruth, MonitoredInput, Planned, Source, analysis_job,
    hour_path,
};
use crate::control::job_definition::JobDefinition;
use crate::control::merge::Labels;
use crate::control::monitoring_input::constraints_file;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::processes;
use crate::resources::Error;

/// How long captures that are still in memory are waited for.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);
/// Among how many of the newest jobs of clients the one is looked for that made a baseline.
const MOST_BASELINING_JOBS: usize = 200;

/// What a tick would run, or why it cannot.
pub(crate) struct Examined {
    /// The window, once it is known.
    pub(crate) window: Option<Window>,
    /// What was looked for.
    pub(crate) looked: Vec<Looked>,
    /// What is to be run, or the reason why there is nothing.
    pub(crate) jobs: Result<Jobs, String>,
}

/// What an execution runs.
pub(crate) struct Jobs {
    /// The job that comes first, or alone.
    pub(crate) first: CreateProcessingJobRequest,
    /// What follows it, where it is a merge.
    pub(crate) merge: Option<PlannedMerge>,
}

/// A merge before it has a job: see [`crate::control::merge::Merge`].
pub(crate) struct PlannedMerge {
    /// The job to follow, whose data is the folder of all that is merged.
    pub(crate) analysis: CreateProcessingJobRequest,
    /// Whether folders of variants stand above those of the hours.
    pub(crate) has_variants: bool,
    /// The hours of the captures.
    pub(crate) hours: Window,
    /// The labels there are.
    pub(crate) labels: Labels,
}

/// Finds out what a tick, made by a trigger, would run; changes nothing. Without a window the tick's own is taken.
///
/// # Errors
/// The store failed. What a user can put right is no error but a reason.
pub(crate) async fn examine(
    context: &Context,
    schedule: &MonitoringSchedule,
    tick: (Timestamp, Trigger),
    window: Option<Window>,
    unique: Uuid,
) -> Result<Examined, Error> {
    let mut examined = Examined { window, looked: Vec::new(), jobs: Err(String::new()) };
    examined.jobs = jobs(context, schedule, tick, &mut examined.window, &mut examined.looked, unique).await?;
    Ok(examined)
}

async fn jobs(
    context: &Context,
    schedule: &MonitoringSchedule,
    (tick, trigger): (Timestamp, Trigger),
    window: &mut Option<Window>,
    looked: &mut Vec<Looked>,
    unique: Uuid,
) -> Result<Result<Jobs, String>, Error> {
    let definition = match definition(context, schedule).await? {
        Ok(definition) => definition,
        Err(reason) => return Ok(Err(reason)),
    };
    let window = match window {
        Some(window) => *window,
        None => match window_of(schedule, tick, &definition.input) {
            Ok(found) => *window.insert(found),
            Err(reason) => return Ok(Err(reason)),
        },
    };
    if let Source::Endpoint { name } = &definition.input.source {
        written(context, name, tick).await;
    }
    let (data, merge) = if definition.needs_merge() {
        match merge_sides(context, schedule, &definition, (tick, trigger), window, looked).await? {
            Ok((data, merged)) => (data, Some(merged)),
            Err(reason) => return Ok(Err(reason)),
        }
    } else {
        match data(context, schedule, &definition, window, looked).await? {
            Ok(data) => (data, None),
            Err(reason) => return Ok(Err(reason)),
        }
    };
    let baseline = baseline(context, &definition).await?;
    if let Err(reason) = files(context, schedule, &definition, &baseline, looked).await? {
        return Ok(Err(reason));
    }
    let planned = Planned {
        schedule,
        tick,
        trigger,
        window,
        definition: &definition,
        baseline: &baseline,
        data: &data,
        unique,
        now: context.now(),
    };
    Ok(planned_jobs(&planned, merge).map_err(|error| error.to_string()))
}

/// The requests of the one job, or of the two.
fn planned_jobs(planned: &Planned<'_>, merge: Option<MergeSides>) -> Result<Jobs, S3UriError> {
    let Some(MergeSides { ground_truth, hours, labels }) = merge else {
        return Ok(Jobs { first: analysis_job(planned)?, merge: None });
    };
    let merged = execution_plan::merged_data(planned)?;
    let analysis = analysis_job(&Planned { data: &merged, ..*planned })?;
    let first = execution_plan::merge_job(planned, &ground_truth, &analysis)?;
    let has_variants = matches!(planned.definition.input.source, Source::Endpoint { .. });
    Ok(Jobs { first, merge: Some(PlannedMerge { analysis, has_variants, hours, labels }) })
}

/// What a merge takes beside the captures.
struct MergeSides {
    ground_truth: GroundTruth,
    /// The hours of the captures.
    hours: Window,
    labels: Labels,
}

/// Looks at both sides of a merge.
async fn merge_sides(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
    (tick, trigger): (Timestamp, Trigger),
    window: Window,
    looked: &mut Vec<Looked>,
) -> Result<Result<(Data, MergeSides), String>, Error> {
    let folder = match ground_truth_folder(definition) {
        Ok(folder) => folder,
        Err(reason) => return Ok(Err(reason)),
    };
    let is_apart = definition.input.has_offsets() || schedule.is_now();
    let takes_later = match definition.takes_later_ground_truth() {
        Ok(takes_later) => takes_later,
        Err(reason) => return Ok(Err(reason)),
    };
    // Up to when labels were collected that count, where that is later than the window.
    let until = match trigger {
        Trigger::Remerge => Some(context.now()),
        Trigger::Run => takes_later.then_some(tick),
        Trigger::Tick | Trigger::Backfill => (takes_later && is_apart).then_some(tick),
    };
    let hours = execution_plan::merged_hours(window, is_apart && trigger != Trigger::Run);
    let label_hours = execution_plan::ground_truth_hours(hours, until);
    let data = data(context, schedule, definition, hours, looked).await?;
    let (found, labels) = look::ground_truth(context.objects.as_ref(), &folder, label_hours).await?;
    looked.push(found.looked);
    let data = match data {
        Ok(data) => data,
        Err(reason) => return Ok(Err(reason)),
    };
    if found.places.is_empty() {
        return Ok(Err(no_data(&folder.to_string(), label_hours)));
    }
    let ground_truth = GroundTruth { folder, hours: found.places };
    Ok(Ok((data, MergeSides { ground_truth, hours, labels })))
}

/// The folder of a definition's ground truth, or why there is none.
pub(crate) fn ground_truth_folder(definition: &Definition) -> Result<S3Uri, String> {
    if !definition.needs_merge() {
        return Err(format!("{} monitoring needs no labels", definition.monitoring_type));
    }
    let address = definition.ground_truth.as_deref();
    let address = address.ok_or("GroundTruthS3Input of its definition has no S3Uri: update it with one")?;
    address.parse().map_err(|error| format!("GroundTruthS3Input: {error}"))
}

/// AWS's words for a side of a merge on which there is nothing, and where that was.
pub(super) fn no_data(prefix: &str, hours: Window) -> String {
    let mut all = execution_plan::hours(hours);
    let first = all.next().unwrap_or(hours.start.0);
    let last = all.last().unwrap_or(first);
    let (first, last) = (hour_path(first), hour_path(last));
    format!("Job inputs had no data. No objects under {prefix}, hours {first}…{last}.")
}

/// What the schedule runs.
pub(crate) async fn definition(
    context: &Context,
    schedule: &MonitoringSchedule,
) -> Result<Result<Definition, String>, Error> {
    let nothing = || format!("the definition of monitoring schedule {} watches no input", schedule.name);
    if let Some(embedded) = &schedule.config.monitoring_job_definition {
        return Ok(Definition::embedded(schedule.monitoring_type, embedded).ok_or_else(nothing));
    }
    let name = schedule.config.monitoring_job_definition_name.as_deref().unwrap_or_default();
    let key = JobDefinition::key_of(schedule.monitoring_type, name);
    Ok(match context.resources.get::<JobDefinition>(&key).await? {
        Some(definition) => Definition::named(&definition.resource.specification).ok_or_else(nothing),
        None => Err(format!("there is no {} job definition with the name {name}", schedule.monitoring_type)),
    })
}

/// The window of a tick of a schedule, or why it has none.
pub(crate) fn window_of(
    schedule: &MonitoringSchedule,
    tick: Timestamp,
    input: &MonitoredInput,
) -> Result<Window, String> {
    let config = schedule.config.schedule_config.as_ref();
    let expression: ScheduleExpression = config
        .ok_or_else(|| format!("monitoring schedule {} has no schedule expression", schedule.name))?
        .schedule_expression
        .parse()
        .map_err(|error: watchkeeper_aws::types::ScheduleExpressionError| error.to_string())?;
    execution_plan::window(tick, &expression, config, input).map_err(|error| error.to_string())
}

/// Whether anything was captured in a window. Changes nothing.
pub(super) async fn has_captures(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
    window: Window,
) -> Result<bool, Error> {
    Ok(data(context, schedule, definition, window, &mut Vec::new()).await?.is_ok())
}

/// Whether the files that a definition names are there, or what is missing.
pub(super) async fn has_files(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
) -> Result<Result<(), String>, Error> {
    let baseline = baseline(context, definition).await?;
    files(context, schedule, definition, &baseline, &mut Vec::new()).await
}

/// Where the window's data is; for a merge what was predicted, else what was asked.
async fn data(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
    window: Window,
    looked: &mut Vec<Looked>,
) -> Result<Result<Data, String>, Error> {
    let objects = context.objects.as_ref();
    let is_merge = definition.needs_merge();
    let nothing = |prefix: S3Uri| {
        if is_merge { no_data(&prefix.to_string(), window) } else { "Job inputs had no data".to_owned() }
    };
    match &definition.input.source {
        Source::Endpoint { name } => {
            let destination = match capture_destination(context, name).await? {
                Ok(destination) => destination,
                Err(reason) => return Ok(Err(reason)),
            };
            let found = look::captures(objects, &destination, name, window).await?;
            looked.push(found.looked);
            if found.places.is_empty() {
                return Ok(Err(nothing(destination.join(&format!("/{name}")))));
            }
            Ok(Ok(Data::Captures { destination, hours: found.places }))
        }
        Source::BatchTransform { destination, .. } => {
            let destination: S3Uri = match destination.parse() {
                Ok(destination) => destination,
                Err(error) => return Ok(Err(format!("DataCapturedDestinationS3Uri: {error}"))),
            };
            let side = if is_merge { "output" } else { "input" };
            let found = look::manifests(objects, &destination, side, window).await?;
            let is_empty = found.places.is_empty();
            looked.push(found.looked);
            if is_empty && !is_merge && look::file(objects, "capture", &destination).await?.objects == 0 {
                return Ok(Err(no_objects(schedule, definition, &destination)));
            }
            let place = destination.join(&format!("/{side}"));
            Ok(if is_empty { Err(nothing(place)) } else { Ok(Data::Manifests(found.places)) })
        }
    }
}

/// Waits until what was captured up to the tick is in its objects, by this process and by the others: the end of a window is
/// often this moment.
async fn written(context: &Context, endpoint: &str, tick: Timestamp) {
    let captured = processes::captured(context, endpoint, tick.min(context.now()));
    if tokio::time::timeout(LONGEST_FLUSH, captured).await.is_err() {
        tracing::warn!(
            endpoint,
            "what was captured could not be stored in time; it belongs to no window that ends now"
        );
    }
}

/// Where an endpoint's captures go.
async fn capture_destination(context: &Context, name: &str) -> Result<Result<S3Uri, String>, Error> {
    let Some(endpoint) = context.resources.get::<Endpoint>(&name.to_lowercase()).await? else {
        return Ok(Err(format!(
            "there is no endpoint {name}: create it with a DataCaptureConfig, or delete this schedule"
        )));
    };
    let Some(capture) = endpoint.resource.config.data_capture_config else {
        return Ok(Err(format!(
            "endpoint {name} captures no data: update it to an endpoint configuration with a DataCaptureConfig"
        )));
    };
    Ok(capture
        .destination_s3_uri
        .parse()
        .map_err(|error| format!("DestinationS3Uri of the DataCaptureConfig: {error}")))
}

/// What the execution compares with.
async fn baseline(context: &Context, definition: &Definition) -> Result<Baseline, Error> {
    let job = match (&definition.baseline.job_name, &definition.baseline.constraints) {
        (Some(name), _) => context.resources.get::<ProcessingJob>(&name.to_lowercase()).await?.map(|job| job.resource),
        (None, Some(constraints)) => baselining_job(context, definition.monitoring_type, constraints).await?,
        (None, None) => None,
    };
    let reference: &BaselineReference = &definition.baseline;
    Ok(execution_plan::baseline(reference, definition.monitoring_type, job.as_ref()))
}

/// The newest job of a client that wrote these constraints, where it is among the latest ones.
async fn baselining_job(
    context: &Context,
    monitoring_type: MonitoringType,
    constraints: &str,
) -> Result<Option<ProcessingJob>, Error> {
    let query = Query {
        // Jobs of schedules have the schedule's ARN here.
        schedule: Some(String::new()),
        sort_by: SortBy::Created,
        descending: true,
        limit: MOST_BASELINING_JOBS,
        ..Query::default()
    };
    let Ok(constraints) = constraints.parse::<S3Uri>() else { return Ok(None) };
    let made_it = |job: &ProcessingJob| {
        let folder = job.first_output().and_then(|output| output.parse::<S3Uri>().ok());
        folder.is_some_and(|folder| folder.join(constraints_file(monitoring_type)) == constraints)
    };
    let jobs = context.resources.list::<ProcessingJob>(&query).await?;
    Ok(jobs.into_iter().map(|job| job.resource).find(made_it))
}

/// Looks for the files that the definition names.
async fn files(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
    baseline: &Baseline,
    looked: &mut Vec<Looked>,
) -> Result<Result<(), String>, Error> {
    let files = [
        ("baseline statistics", &baseline.statistics),
        ("baseline constraints", &baseline.constraints),
        ("analysis configuration", &definition.analysis_config),
        ("record preprocessor script", &definition.record_preprocessor),
        ("post-analytics processor script", &definition.post_analytics_processor),
    ];
    for (what, address) in files {
        let Some(address) = address else { continue };
        let address: S3Uri = match address.parse() {
            Ok(address) => address,
            Err(error) => return Ok(Err(format!("{what}: {error}"))),
        };
        let found = look::file(context.objects.as_ref(), what, &address).await?;
        let is_missing = found.objects == 0;
        looked.push(found);
        if is_missing {
            let reason = match &baseline.unfinished_job {
                Some((job, status)) if what.starts_with("baseline") => {
                    format!("the {what} {address} are not there: the baselining job {job} is {status}")
                }
                _ => no_objects(schedule, definition, &address),
            };
            return Ok(Err(reason));
        }
    }
    Ok(Ok(()))
}

/// AWS's words for an input that is not there.
fn no_objects(schedule: &MonitoringSchedule, definition: &Definition, address: &S3Uri) -> String {
    format!(
        "No S3 objects found under S3 URL \"{address}\" given in input data source. Please ensure that the bucket exists in \
         the selected region ({}), that objects exist under that S3 prefix, and that the role \"{}\" has \"s3:ListBucket\" \
         permissions on bucket \"{}\".",
        schedule.region, definition.role_arn, address.bucket
    )
}
