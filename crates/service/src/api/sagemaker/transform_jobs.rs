//! Batch transform jobs.

use watchkeeper_aws::generated::sagemaker::{
    CreateTransformJobRequest, CreateTransformJobResponse, DescribeTransformJobRequest, DescribeTransformJobResponse,
    ListTransformJobsRequest, ListTransformJobsResponse, StopTransformJobRequest, TransformJobStatus,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{Claimed, find, list, retrying};
use super::models;
use crate::api::quota;
use crate::context::{Context, ring};
use crate::control::listing::{self, Page};
use crate::control::names;
use crate::control::transform_job::{TransformEvent, TransformJob, apply};
use crate::resources::Transaction;

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateTransformJobRequest,
) -> Result<CreateTransformJobResponse, Error> {
    let model = models::load(context, call, &request.model_name).await?.resource.request;
    let job = TransformJob::create(request, model, &context.stamp(&call.region))?;
    quota::one_more_job::<TransformJob>(context).await?;
    retrying(|| async {
        if let Some(other) = find::<TransformJob>(context, &job.name().to_lowercase()).await? {
            return Err(names::job_name_taken(&other.resource.arn).into());
        }
        Ok(context.resources.commit(Transaction::new().insert(&job)).await?)
    })
    .await?;
    ring(&context.hosting_bell);
    Ok(CreateTransformJobResponse { transform_job_arn: job.arn })
}

pub(super) async fn describe(
    context: &Context,
    request: DescribeTransformJobRequest,
) -> Result<DescribeTransformJobResponse, Error> {
    let name = request.transform_job_name;
    let job = find::<TransformJob>(context, &name.to_lowercase()).await?;
    Ok(job.ok_or_else(|| names::job_not_found(&name))?.resource.describe())
}

pub(super) async fn stop(context: &Context, request: StopTransformJobRequest) -> Result<(), Error> {
    let name = request.transform_job_name.as_str();
    retrying(|| async {
        let found = Claimed::<TransformJob>::find(context, &name.to_lowercase()).await?;
        let job = found.ok_or_else(|| names::job_not_found(name))?;
        if job.resource().status == TransformJobStatus::Stopping {
            return Ok(());
        }
        let now = context.now();
        let mut stopped = apply(job.resource(), TransformEvent::StopRequested, now)?;
        // What nobody works on need not wait for somebody, which may be a long time.
        if !job.is_claimed() {
            stopped = apply(&stopped, TransformEvent::Stopped, now)?;
        }
        Ok(context.resources.commit(job.update(Transaction::new(), &stopped)).await?)
    })
    .await?;
    ring(&context.hosting_bell);
    Ok(())
}

pub(super) async fn list_jobs(
    context: &Context,
    request: ListTransformJobsRequest,
) -> Result<ListTransformJobsResponse, Error> {
    let query = Query {
        name_contains: request.name_contains,
        status: request.status_equals.map(|status| status.as_str().to_owned()),
        created: listing::range(request.creation_time_after, request.creation_time_before),
        modified: listing::range(request.last_modified_time_after, request.last_modified_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListTransformJobs", query, request.next_token.as_deref(), request.max_results)?;
    let (jobs, next_token) = list::<TransformJob>(context, &page).await?;
    let transform_job_summaries = jobs.into_iter().map(TransformJob::summary).collect();
    Ok(ListTransformJobsResponse { transform_job_summaries, next_token })
}
