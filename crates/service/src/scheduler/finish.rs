//! The end of an execution and all that follows from it, in one transaction: the execution's state, the schedule's summary,
//! the alert with its history, the metrics.

use watchkeeper_aws::generated::sagemaker::ExecutionStatus;
use watchkeeper_store::metadata::{Datum, Kind, Query, SortBy};

use crate::Context;
use crate::control::alert::Alert;
use crate::control::execution::{Execution, schedule_after};
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;

const ENDED: [ExecutionStatus; 4] = [
    ExecutionStatus::Completed,
    ExecutionStatus::CompletedWithViolations,
    ExecutionStatus::Failed,
    ExecutionStatus::Stopped,
];

/// Commits the end of a job with everything that follows from it. `job` is in its end state, with the version at which it
/// was read before; a change that somebody made meanwhile (a tag, a request to stop) stays. Once the job's end is in the
/// store nothing more is changed, however often this is called, and the end of an attempt that another runner has begun
/// anew counts for nothing.
///
/// # Errors
/// The store failed, or others changed the documents again and again; nothing was changed then.
pub async fn job_ended(context: &Context, job: &Versioned<ProcessingJob>, metrics: Vec<Datum>) -> Result<(), Error> {
    let ended = &job.resource;
    let mut current = job.clone();
    let mut attempt = 1;
    loop {
        let transaction = Transaction::new().update(&current.resource, current.version).metrics(metrics.clone());
        let transaction = with_execution(context, transaction, &current.resource).await?;
        match context.resources.commit(transaction).await {
            Ok(()) => break,
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
        let Some(stored) = context.resources.get::<ProcessingJob>(&ended.key()).await? else { return Ok(()) };
        if stored.resource.is_terminal() || stored.resource.attempts != ended.attempts {
            return Ok(());
        }
        current = Versioned {
            resource: ProcessingJob { tags: stored.resource.tags, ..ended.clone() },
            version: stored.version,
        };
    }
    if ended.execution.is_some() {
        tracing::info!(job = ended.name(), status = %ended.status, "execution ended");
        count_end(ended.status.as_str());
        context.scheduler_bell.notify_one();
    }
    Ok(())
}

/// Adds what follows from a job's end to its execution: it ends as its job did. (An execution of two jobs, a merge and an
/// analysis, goes on to its second one here.) An execution that has ended, or that another job carries out, stays
/// as it is.
async fn with_execution(
    context: &Context,
    transaction: Transaction,
    job: &ProcessingJob,
) -> Result<Transaction, Error> {
    let Some(key) = &job.execution else { return Ok(transaction) };
    let Some(execution) = context.resources.get::<Execution>(key).await? else { return Ok(transaction) };
    if execution.resource.is_terminal() || execution.resource.processing_job_arn.as_ref() != Some(&job.arn) {
        return Ok(transaction);
    }
    let ended = execution.resource.ended_as(job, context.now());
    with_end(context, transaction, &Versioned { resource: ended, version: execution.version }).await
}

/// Ends an execution whose job has ended without it, or that has no job.
///
/// # Errors
/// As [`job_ended`].
pub(super) async fn execution_ended(
    context: &Context,
    execution: &Versioned<Execution>,
    status: ExecutionStatus,
    failure_reason: Option<String>,
) -> Result<(), Error> {
    let ended = execution.resource.clone().ended(status, failure_reason, context.now());
    let ended = Versioned { resource: ended, version: execution.version };
    for attempt in 1.. {
        let transaction = with_end(context, Transaction::new(), &ended).await?;
        match context.resources.commit(transaction).await {
            // Somebody else has ended it.
            Err(Error::Conflict { kind: Kind::Execution, .. }) => break,
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
            Ok(()) => {
                tracing::info!(execution = ended.resource.key, %status, "execution ended without a job");
                count_end(status.as_str());
                break;
            }
        }
    }
    context.scheduler_bell.notify_one();
    Ok(())
}

fn count_end(status: &'static str) {
    metrics::counter!("watchkeeper_executions_ended_total", "status" => status).increment(1);
}

/// Adds the end of an execution: its own state, its schedule's, the alert's.
async fn with_end(
    context: &Context,
    transaction: Transaction,
    ended: &Versioned<Execution>,
) -> Result<Transaction, Error> {
    let execution = &ended.resource;
    let transaction = transaction.update(execution, ended.version);
    let key = MonitoringSchedule::key_of(&execution.schedule_name);
    let Some(schedule) = context.resources.get::<MonitoringSchedule>(&key).await? else { return Ok(transaction) };
    let Some(after) = schedule_after(&schedule.resource, execution, context.now()) else { return Ok(transaction) };
    let transaction = transaction.update(&after, schedule.version);
    with_alert(context, transaction, &after, execution).await
}

async fn with_alert(
    context: &Context,
    transaction: Transaction,
    schedule: &MonitoringSchedule,
    ended: &Execution,
) -> Result<Transaction, Error> {
    let key = Alert::of_schedule(schedule).key();
    let Some(alert) = context.resources.get::<Alert>(&key).await? else { return Ok(transaction) };
    let period = usize::try_from(alert.resource.evaluation_period).unwrap_or(1);
    let query = Query {
        // The prefix tells incarnations apart; the name is what the index in order of time is by.
        schedule: Some(schedule.name.clone()),
        key_prefix: Some(Execution::key_prefix(schedule)),
        statuses: ENDED.iter().map(|status| status.as_str().to_owned()).collect(),
        sort_by: SortBy::Scheduled,
        descending: true,
        limit: period,
        ..Query::default()
    };
    let mut recent: Vec<Execution> =
        context.resources.list(&query).await?.into_iter().map(|execution| execution.resource).collect();
    recent.retain(|execution| execution.key != ended.key);
    let place = recent.partition_point(|execution| execution.scheduled > ended.scheduled);
    recent.insert(place, ended.clone());
    let states: Vec<ExecutionStatus> = recent.iter().map(|execution| execution.status).collect();
    Ok(match alert.resource.evaluated(&states, context.now()) {
        Some((changed, change)) => {
            tracing::info!(alert = changed.name, schedule = changed.schedule_name, status = %changed.status, "alert changed");
            transaction.update(&changed, alert.version).insert(&change)
        }
        None => transaction,
    })
}
