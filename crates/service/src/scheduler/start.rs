//! From an execution to its job: what is to be run, on which data, compared with what.

use std::sync::Weak;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{CreateProcessingJobRequest, ExecutionStatus};
use watchkeeper_aws::types::{S3Uri, ScheduleExpression};
use watchkeeper_store::metadata::{Kind, Query, SortBy};

use super::{finish, look};
use crate::Context;
use crate::control::endpoint::Endpoint;
use crate::control::execution::{Execution, Looked, Trigger, Window, schedule_after};
use crate::control::execution_plan::{
    self, Baseline, BaselineReference, Data, Definition, MonitoredInput, Planned, Source, analysis_job,
};
use crate::control::job_definition::JobDefinition;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How long captures that are still in memory are waited for.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);
/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;
/// Among how many of the newest jobs of clients the one is looked for that made a baseline.
const MOST_BASELINING_JOBS: usize = 200;

/// What a tick would run, or why it cannot.
pub(crate) struct Examined {
    /// The window, once it is known.
    pub(crate) window: Option<Window>,
    /// What was looked for.
    pub(crate) looked: Vec<Looked>,
    /// The request of the job, or the reason why there is none.
    pub(crate) job: Result<CreateProcessingJobRequest, String>,
}

/// Starts the job of a Pending execution, or ends the execution where there is nothing to run. Somebody who does the same
/// at the same time does no harm: one of the two transactions becomes true.
///
/// # Errors
/// The store failed; the execution is Pending still.
pub(super) async fn start(context: &Context, execution: Versioned<Execution>) -> Result<(), Error> {
    let tick = execution.resource.scheduled.0;
    let key = MonitoringSchedule::key_of(&execution.resource.schedule_name);
    let schedule = context.resources.get::<MonitoringSchedule>(&key).await?;
    let prefix = schedule.as_ref().map(|schedule| Execution::key_prefix(&schedule.resource));
    let schedule = match (schedule, prefix) {
        (Some(schedule), Some(prefix)) if execution.resource.key.starts_with(&prefix) => schedule.resource,
        _ => {
            let reason = "the monitoring schedule was deleted before the execution started".to_owned();
            return finish::execution_ended(context, &execution, ExecutionStatus::Failed, Some(reason)).await;
        }
    };
    let unique = Uuid::new_v4();
    let Execution { trigger, window, .. } = execution.resource;
    let examined = examine(context, &schedule, (tick, trigger), window, unique).await?;
    let mut looked_for = execution;
    looked_for.resource.window = examined.window;
    looked_for.resource.looked = examined.looked;
    match examined.job {
        Ok(request) => begin(context, &schedule, &looked_for, request).await,
        Err(reason) => {
            tracing::warn!(schedule = schedule.name, %tick, reason, "execution failed before its job");
            finish::execution_ended(context, &looked_for, ExecutionStatus::Failed, Some(reason)).await
        }
    }
}

/// Commits the job and that its execution is in progress.
async fn begin(
    context: &Context,
    schedule: &MonitoringSchedule,
    execution: &Versioned<Execution>,
    request: CreateProcessingJobRequest,
) -> Result<(), Error> {
    let now = context.now();
    let job = match ProcessingJob::create(request, &context.stamp(&schedule.region)) {
        Ok(job) => ProcessingJob {
            monitoring_schedule_arn: Some(schedule.arn.clone()),
            execution: Some(execution.resource.key.clone()),
            ..job
        },
        Err(error) => {
            return finish::execution_ended(context, execution, ExecutionStatus::Failed, Some(error.message)).await;
        }
    };
    let started = execution.resource.clone().in_progress(&job, now);
    for attempt in 1.. {
        let mut transaction = Transaction::new().insert(&job).update(&started, execution.version);
        let stored = context.resources.get::<MonitoringSchedule>(&schedule.key()).await?;
        if let Some(stored) = stored
            && let Some(after) = schedule_after(&stored.resource, &started, now)
        {
            transaction = transaction.update(&after, stored.version);
        }
        match context.resources.commit(transaction).await {
            Ok(()) => break,
            // Somebody else has started it.
            Err(Error::Conflict { kind: Kind::Execution, .. }) => return Ok(()),
            Err(Error::Conflict { kind: Kind::MonitoringSchedule, .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
    tracing::info!(schedule = schedule.name, tick = %started.scheduled, job = job.name(), "execution started");
    let late = context.now().duration_since(started.earliest_start.0);
    metrics::histogram!("watchkeeper_execution_start_delay_seconds").record(late.as_secs_f64().max(0.0));
    context.runner_bell.notify_one();
    Ok(())
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
    let mut examined = Examined { window, looked: Vec::new(), job: Err(String::new()) };
    examined.job = job(context, schedule, tick, &mut examined.window, &mut examined.looked, unique).await?;
    Ok(examined)
}

async fn job(
    context: &Context,
    schedule: &MonitoringSchedule,
    (tick, trigger): (Timestamp, Trigger),
    window: &mut Option<Window>,
    looked: &mut Vec<Looked>,
    unique: Uuid,
) -> Result<Result<CreateProcessingJobRequest, String>, Error> {
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
    if definition.needs_merge() {
        // An execution with two jobs: the merge first, and this job when it has ended (see `finish::job_ended`).
        return Ok(Err(format!(
            "{} monitoring needs captured data merged with ground truth, which this version of the service cannot do yet",
            definition.monitoring_type
        )));
    }
    let data = match data(context, schedule, &definition, window, looked).await? {
        Ok(data) => data,
        Err(reason) => return Ok(Err(reason)),
    };
    let baseline = baseline(context, &definition).await?;
    if let Err(reason) = files(context, schedule, &definition, &baseline, looked).await? {
        return Ok(Err(reason));
    }
    let planned =
        Planned { schedule, tick, trigger, window, definition: &definition, baseline: &baseline, data: &data, unique };
    Ok(analysis_job(&planned).map_err(|error| error.to_string()))
}

/// What the schedule runs.
async fn definition(context: &Context, schedule: &MonitoringSchedule) -> Result<Result<Definition, String>, Error> {
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

fn window_of(schedule: &MonitoringSchedule, tick: Timestamp, input: &MonitoredInput) -> Result<Window, String> {
    let config = schedule.config.schedule_config.as_ref();
    let expression: ScheduleExpression = config
        .ok_or_else(|| format!("monitoring schedule {} has no schedule expression", schedule.name))?
        .schedule_expression
        .parse()
        .map_err(|error: watchkeeper_aws::types::ScheduleExpressionError| error.to_string())?;
    execution_plan::window(tick, &expression, config, input).map_err(|error| error.to_string())
}

/// Where the window's data is.
async fn data(
    context: &Context,
    schedule: &MonitoringSchedule,
    definition: &Definition,
    window: Window,
    looked: &mut Vec<Looked>,
) -> Result<Result<Data, String>, Error> {
    const NO_DATA: &str = "Job inputs had no data";
    let objects = context.objects.as_ref();
    match &definition.input.source {
        Source::Endpoint { name } => {
            let destination = match capture_destination(context, name).await? {
                Ok(destination) => destination,
                Err(reason) => return Ok(Err(reason)),
            };
            written(context, name).await;
            let found = look::captures(objects, &destination, name, window).await?;
            looked.push(found.looked);
            if found.places.is_empty() {
                return Ok(Err(NO_DATA.to_owned()));
            }
            Ok(Ok(Data::Captures { destination, hours: found.places }))
        }
        Source::BatchTransform { destination, .. } => {
            let destination: S3Uri = match destination.parse() {
                Ok(destination) => destination,
                Err(error) => return Ok(Err(format!("DataCapturedDestinationS3Uri: {error}"))),
            };
            let found = look::manifests(objects, &destination, "input", window).await?;
            let is_empty = found.places.is_empty();
            looked.push(found.looked);
            if is_empty && look::file(objects, "capture", &destination).await?.objects == 0 {
                return Ok(Err(no_objects(schedule, definition, &destination)));
            }
            Ok(if is_empty { Err(NO_DATA.to_owned()) } else { Ok(Data::Manifests(found.places)) })
        }
    }
}

/// Waits until what the endpoint has captured so far is in its objects: the end of a window is often this moment.
async fn written(context: &Context, endpoint: &str) {
    let Some(capture) = context.capture.get().and_then(Weak::upgrade) else { return };
    if tokio::time::timeout(LONGEST_FLUSH, capture.flush(endpoint)).await.is_err() {
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
        (None, Some(constraints)) => baselining_job(context, constraints).await?,
        (None, None) => None,
    };
    let reference: &BaselineReference = &definition.baseline;
    Ok(execution_plan::baseline(reference, definition.monitoring_type, job.as_ref()))
}

/// The newest job of a client that wrote these constraints, where it is among the latest ones.
async fn baselining_job(context: &Context, constraints: &str) -> Result<Option<ProcessingJob>, Error> {
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
        folder.is_some_and(|folder| folder.join("constraints.json") == constraints)
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
