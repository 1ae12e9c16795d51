//! Processing jobs.

use watchkeeper_aws::generated::sagemaker::{
    CreateProcessingJobRequest, CreateProcessingJobResponse, DeleteProcessingJobRequest, DescribeProcessingJobRequest,
    DescribeProcessingJobResponse, ExecutionStatus, ListProcessingJobsRequest, ListProcessingJobsResponse,
    ProcessingJobStatus, StopProcessingJobRequest,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{Claimed, Refusal, find, list, retrying};
use crate::api::quota;
use crate::context::{Context, ring};
use crate::control::execution::{Execution, schedule_after};
use crate::control::listing::{self, Page};
use crate::control::milliseconds;
use crate::control::names;
use crate::control::processing_job::{JobEvent, ProcessingJob, Usage, apply};
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Resource as _, Transaction, Versioned};
use crate::scheduler::finish::job_ended;

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateProcessingJobRequest,
) -> Result<CreateProcessingJobResponse, Error> {
    let job = ProcessingJob::create(request, &context.stamp(&call.region))?;
    quota::one_more_job::<ProcessingJob>(context).await?;
    retrying(|| async {
        if let Some(other) = find::<ProcessingJob>(context, &job.request.processing_job_name.to_lowercase()).await? {
            return Err(names::job_name_taken(&other.resource.arn).into());
        }
        Ok(context.resources.commit(Transaction::new().insert(&job)).await?)
    })
    .await?;
    ring(&context.runner_bell);
    Ok(CreateProcessingJobResponse { processing_job_arn: job.arn })
}

pub(super) async fn describe(
    context: &Context,
    request: DescribeProcessingJobRequest,
) -> Result<DescribeProcessingJobResponse, Error> {
    let name = request.processing_job_name;
    let job = find::<ProcessingJob>(context, &name.to_lowercase()).await?;
    Ok(job.ok_or_else(|| names::job_not_found(&name))?.resource.describe())
}

pub(super) async fn stop(context: &Context, request: StopProcessingJobRequest) -> Result<(), Error> {
    let name = request.processing_job_name.as_str();
    retrying(|| async {
        let found = Claimed::<ProcessingJob>::find(context, &name.to_lowercase()).await?;
        let job = found.ok_or_else(|| names::job_not_found(name))?;
        if job.resource().status == ProcessingJobStatus::Stopping {
            return Ok(());
        }
        let now = context.now();
        let stopping = apply(job.resource(), JobEvent::StopRequested, now)?;
        // What no runner works on need not wait for one, which may be a long time.
        if !job.is_claimed() {
            let stopped = apply(&stopping, JobEvent::Stopped { time_limit: false, usage: Usage::default() }, now)?;
            let ended = Versioned { resource: stopped, version: job.version() };
            job_ended(context, &ended, Vec::new()).await?;
            let after = find::<ProcessingJob>(context, &ended.resource.key()).await?;
            // A runner that took it up meanwhile has to be asked.
            return match after {
                Some(after) if !after.resource.is_terminal() => {
                    Err(crate::resources::Error::Conflict { kind: ProcessingJob::KIND, key: ended.resource.key() }
                        .into())
                }
                _ => Ok(()),
            };
        }
        let transaction = job.update(Transaction::new(), &stopping);
        let transaction = stop_execution(context, transaction, &stopping).await?;
        Ok(context.resources.commit(transaction).await?)
    })
    .await?;
    ring(&context.runner_bell);
    Ok(())
}

/// The execution of a job that is being stopped is Stopping with it.
async fn stop_execution(
    context: &Context,
    transaction: Transaction,
    job: &ProcessingJob,
) -> Result<Transaction, Refusal> {
    let Some(key) = &job.execution else { return Ok(transaction) };
    let Some(execution) = find::<Execution>(context, key).await? else { return Ok(transaction) };
    if execution.resource.is_terminal() {
        return Ok(transaction);
    }
    let now = context.now();
    let stopping = Execution { status: ExecutionStatus::Stopping, modified: milliseconds(now), ..execution.resource };
    let transaction = transaction.update(&stopping, execution.version);
    let schedule_key = MonitoringSchedule::key_of(&stopping.schedule_name);
    let schedule = find::<MonitoringSchedule>(context, &schedule_key).await?;
    Ok(match schedule.and_then(|found| Some((schedule_after(&found.resource, &stopping, now)?, found.version))) {
        Some((schedule, version)) => transaction.update(&schedule, version),
        None => transaction,
    })
}

pub(super) async fn delete(context: &Context, request: DeleteProcessingJobRequest) -> Result<(), Error> {
    let name = request.processing_job_name.as_str();
    retrying(|| async {
        let found = find::<ProcessingJob>(context, &name.to_lowercase()).await?;
        let job = found.ok_or_else(|| names::job_not_found(name))?;
        job.resource.may_be_deleted()?;
        Ok(context.resources.commit(Transaction::new().delete(&job.resource, job.version)).await?)
    })
    .await
}

pub(super) async fn list_jobs(
    context: &Context,
    request: ListProcessingJobsRequest,
) -> Result<ListProcessingJobsResponse, Error> {
    let query = Query {
        name_contains: request.name_contains,
        status: request.status_equals.map(|status| status.as_str().to_owned()),
        created: listing::range(request.creation_time_after, request.creation_time_before),
        modified: listing::range(request.last_modified_time_after, request.last_modified_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListProcessingJobs", query, request.next_token.as_deref(), request.max_results)?;
    let (jobs, next_token) = list::<ProcessingJob>(context, &page).await?;
    let processing_job_summaries = jobs.into_iter().map(ProcessingJob::summary).collect();
    Ok(ListProcessingJobsResponse { processing_job_summaries, next_token })
}
