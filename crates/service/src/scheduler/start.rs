//! Starts executions: gives them the first of their jobs, or their end where there is nothing to run.

use uuid::Uuid;
use watchkeeper_aws::generated::sagemaker::{CreateProcessingJobRequest, ExecutionStatus};
use watchkeeper_store::metadata::Kind;

use super::examine::{Jobs, PlannedMerge, examine};
use super::{finish, look, merging, remerge};
use crate::Context;
use crate::control::execution::{Execution, Trigger};
use crate::control::execution_plan::merged_folder;
use crate::control::merge::Merge;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Transaction, Versioned};

/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;

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
    let jobs = match examined.jobs {
        Ok(jobs) => jobs,
        Err(reason) => {
            tracing::warn!(schedule = schedule.name, %tick, reason, "execution failed before its job");
            return finish::execution_ended(context, &looked_for, ExecutionStatus::Failed, Some(reason)).await;
        }
    };
    if trigger == Trigger::Remerge {
        let earlier = remerge::earlier(context, &looked_for.resource).await?;
        if let Some(earlier) = &earlier {
            looked_for.resource.remerge_of = Some(earlier.key.clone());
        }
        let is_known = |earlier: &Execution| {
            let labels = jobs.merge.as_ref().map(|merge| merge.labels);
            labels.zip(earlier.labels_used()).is_some_and(|(labels, used)| labels.are_those_of(&used))
        };
        if let Some(earlier) = earlier.filter(is_known) {
            let note = "no labels have come since the window was merged last".to_owned();
            let ended = looked_for.resource.unchanged(&earlier, note, context.now());
            return finish::execution_at_end(context, &Versioned { resource: ended, version: looked_for.version })
                .await;
        }
    }
    begin(context, &schedule, &looked_for, jobs).await
}

/// Commits the job and that its execution is in progress.
async fn begin(
    context: &Context,
    schedule: &MonitoringSchedule,
    execution: &Versioned<Execution>,
    jobs: Jobs,
) -> Result<(), Error> {
    let job = match job_of(context, &execution.resource, jobs.first) {
        Ok(job) => job,
        Err(error) => {
            return finish::execution_ended(context, execution, ExecutionStatus::Failed, Some(error.message)).await;
        }
    };
    let mut started = execution.resource.clone().in_progress(&job, context.now());
    if let Some(PlannedMerge { analysis, has_variants, hours, labels }) = jobs.merge {
        let mut left = match merged_folder(&analysis) {
            Some(folder) => look::left_merged(context.objects.as_ref(), &folder, has_variants, hours).await?,
            None => Vec::new(),
        };
        left.extend(merging::reports(context, &job, hours).await?.iter().map(look::put));
        let (job_arn, analysis) = (job.arn.clone(), Some(Box::new(analysis)));
        started.merge = Some(Merge { job_arn, analysis, has_variants, hours, left, labels, merged: None });
    }
    for attempt in 1.. {
        let transaction = Transaction::new().insert(&job).update(&started, execution.version);
        let (transaction, _) = finish::with_schedule(context, transaction, &started).await?;
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

/// The job of a request, as one of an execution.
pub(super) fn job_of(
    context: &Context,
    execution: &Execution,
    request: CreateProcessingJobRequest,
) -> Result<ProcessingJob, watchkeeper_aws::Error> {
    Ok(ProcessingJob {
        monitoring_schedule_arn: Some(execution.schedule_arn.clone()),
        execution: Some(execution.key.clone()),
        ..ProcessingJob::create(request, &context.stamp(&execution.region))?
    })
}
