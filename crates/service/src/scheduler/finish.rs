//! The end of an execution and all that follows from it, in one transaction: the execution's state, the schedule's summary,
//! the alert with its history, the metrics.

use watchkeeper_aws::generated::sagemaker::ExecutionStatus;
use watchkeeper_store::metadata::{Datum, Kind, Query, SortBy};

use super::merging::{self, Next};
use crate::Context;
use crate::control::alert::Alert;
use crate::control::execution::{Execution, schedule_after};
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;

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
        let (transaction, follows) = with_execution(context, transaction, &current.resource).await?;
        match context.resources.commit(transaction).await {
            Ok(()) => {
                follows.report(context, ended);
                return Ok(());
            }
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
}

/// What follows from a job's end for its execution.
enum Follows {
    /// Nothing.
    Nothing,
    /// It ends.
    End(ExecutionStatus),
    /// It goes on with another job.
    NextJob(String),
}

impl Follows {
    /// Makes it known, once it is in the store.
    fn report(self, context: &Context, job: &ProcessingJob) {
        match self {
            Self::Nothing => {}
            Self::End(status) => {
                tracing::info!(job = job.name(), %status, "execution ended");
                count_end(status.as_str());
                context.scheduler_bell.notify_one();
            }
            Self::NextJob(next) => {
                tracing::info!(job = job.name(), next, "execution goes on");
                context.runner_bell.notify_one();
            }
        }
    }
}

/// Adds what follows from a job's end to its execution: it ends as its job did, or where that was a merge which went well,
/// it goes on to its analysis. An execution that has ended, or that another job carries out, stays as it is.
async fn with_execution(
    context: &Context,
    transaction: Transaction,
    job: &ProcessingJob,
) -> Result<(Transaction, Follows), Error> {
    let Some(key) = &job.execution else { return Ok((transaction, Follows::Nothing)) };
    let Some(execution) = context.resources.get::<Execution>(key).await? else {
        return Ok((transaction, Follows::Nothing));
    };
    if execution.resource.is_terminal() || execution.resource.processing_job_arn.as_ref() != Some(&job.arn) {
        return Ok((transaction, Follows::Nothing));
    }
    after_job(context, transaction, &execution, job).await
}

async fn after_job(
    context: &Context,
    transaction: Transaction,
    execution: &Versioned<Execution>,
    job: &ProcessingJob,
) -> Result<(Transaction, Follows), Error> {
    let version = execution.version;
    let ended = match merging::after_merge(context, &execution.resource, job).await? {
        None => execution.resource.clone().ended_as(job, context.now()),
        Some(Next::End(ended)) => *ended,
        Some(Next::Analysis { execution, job }) => {
            let transaction = transaction.insert(&*job).update(&*execution, version);
            let transaction = with_schedule(context, transaction, &execution).await?.0;
            return Ok((transaction, Follows::NextJob(job.name().to_owned())));
        }
    };
    let status = ended.status;
    let transaction = with_end(context, transaction, &Versioned { resource: ended, version }).await?;
    Ok((transaction, Follows::End(status)))
}

/// Does what follows from a job's end for an execution that was left without it. Whatever others have done meanwhile stays.
///
/// # Errors
/// As [`job_ended`].
pub(super) async fn follow_job(
    context: &Context,
    execution: &Versioned<Execution>,
    job: &ProcessingJob,
) -> Result<(), Error> {
    for attempt in 1.. {
        let (transaction, follows) = after_job(context, Transaction::new(), execution, job).await?;
        match context.resources.commit(transaction).await {
            Err(Error::Conflict { kind: Kind::Execution, .. }) => break,
            Err(Error::Conflict { .. }) if attempt < ATTEMPTS => {}
            Err(error) => return Err(error),
            Ok(()) => {
                follows.report(context, job);
                break;
            }
        }
    }
    Ok(())
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
    execution_at_end(context, &Versioned { resource: ended, version: execution.version }).await
}

/// The same with the execution in its end state, with the version at which it was read before.
///
/// # Errors
/// As [`job_ended`].
pub(super) async fn execution_at_end(context: &Context, ended: &Versioned<Execution>) -> Result<(), Error> {
    let status = ended.resource.status;
    for attempt in 1.. {
        let transaction = with_end(context, Transaction::new(), ended).await?;
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
    match with_schedule(context, transaction, execution).await? {
        (transaction, Some(schedule)) => with_alert(context, transaction, &schedule, execution).await,
        (transaction, None) => Ok(transaction),
    }
}

/// Adds what follows from a change of an execution for its schedule, which is returned as it will be.
pub(super) async fn with_schedule(
    context: &Context,
    transaction: Transaction,
    execution: &Execution,
) -> Result<(Transaction, Option<MonitoringSchedule>), Error> {
    let key = MonitoringSchedule::key_of(&execution.schedule_name);
    let Some(schedule) = context.resources.get::<MonitoringSchedule>(&key).await? else {
        return Ok((transaction, None));
    };
    let Some(after) = schedule_after(&schedule.resource, execution, context.now()) else {
        return Ok((transaction, None));
    };
    Ok((transaction.update(&after, schedule.version), Some(after)))
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
    let mut recent = recent_windows(context, schedule, ended, period).await?;
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

/// The newest executions that have ended, of each tick the last: a remerge takes the place of what its window was found to
/// be before. Those of the tick of `ended` are left out.
async fn recent_windows(
    context: &Context,
    schedule: &MonitoringSchedule,
    ended: &Execution,
    period: usize,
) -> Result<Vec<Execution>, Error> {
    let mut recent: Vec<Execution> = Vec::new();
    let mut after = None;
    loop {
        let query = Query {
            // The prefix tells incarnations apart; the name is what the index in order of time is by.
            schedule: Some(schedule.name.clone()),
            key_prefix: Some(Execution::key_prefix(schedule)),
            statuses: Execution::ended_statuses(),
            sort_by: SortBy::Scheduled,
            descending: true,
            after,
            limit: period + 1,
            ..Query::default()
        };
        let page = context.resources.list::<Execution>(&query).await?;
        let is_last = page.len() <= period;
        after = page.last().map(|last| last.resource.position());
        for execution in page.into_iter().map(|found| found.resource) {
            let is_known = recent.last().is_some_and(|last| last.scheduled == execution.scheduled);
            if execution.scheduled != ended.scheduled && !is_known {
                recent.push(execution);
            }
        }
        if is_last || recent.len() >= period {
            return Ok(recent);
        }
    }
}
