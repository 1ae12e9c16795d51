//! Monitoring executions.

use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::{
    ExecutionStatus, ListMonitoringExecutionsRequest, ListMonitoringExecutionsResponse,
};
use watchkeeper_store::metadata::Query;

use super::documents::list;
use crate::context::Context;
use crate::control::execution::Execution;
use crate::control::listing::{self, Page};

pub(super) async fn list_executions(
    context: &Context,
    request: ListMonitoringExecutionsRequest,
) -> Result<ListMonitoringExecutionsResponse, Error> {
    // Ticks that were not started have statuses of their own, so asking for AWS's leaves them out.
    let statuses = match request.status_equals {
        Some(status) => vec![status],
        None => ExecutionStatus::ALL.to_vec(),
    };
    let query = Query {
        statuses: statuses.into_iter().map(|status| status.as_str().to_owned()).collect(),
        schedule: request.monitoring_schedule_name,
        endpoint: request.endpoint_name,
        definition: request.monitoring_job_definition_name,
        monitoring_type: request.monitoring_type_equals.map(|kind| kind.as_str().to_owned()),
        scheduled: listing::range(request.scheduled_time_after, request.scheduled_time_before),
        created: listing::range(request.creation_time_after, request.creation_time_before),
        modified: listing::range(request.last_modified_time_after, request.last_modified_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListMonitoringExecutions", query, request.next_token.as_deref(), request.max_results)?;
    let (executions, next_token) = list::<Execution>(context, &page).await?;
    let monitoring_execution_summaries = executions.iter().map(Execution::summary).collect();
    Ok(ListMonitoringExecutionsResponse { monitoring_execution_summaries, next_token })
}
