//! Job definitions of the four monitors.

use watchkeeper_aws::generated::sagemaker::{
    MonitoringJobDefinitionSortKey, MonitoringJobDefinitionSummary, MonitoringType, SortOrder,
};
use watchkeeper_aws::{Call, Error, Time};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use crate::api::failure::internal;
use crate::api::quota;
use crate::context::Context;
use crate::control::job_definition::{self, JobDefinition, Specification};
use crate::control::listing::{self, Page};
use crate::control::names::Named;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::Transaction;

/// Creates a definition and gives its ARN.
pub(super) async fn create(context: &Context, call: &Call, specification: Specification) -> Result<String, Error> {
    let key = JobDefinition::key_of(specification.monitoring_type(), specification.name());
    retrying(|| async {
        if let Some(other) = find::<JobDefinition>(context, &key).await? {
            return Err(job_definition::name_taken(&other.resource.arn).into());
        }
        quota::one_more_resource::<JobDefinition>(context).await?;
        let baselining_job = match specification.baselining_job_name() {
            Some(name) => find::<ProcessingJob>(context, &name.to_lowercase()).await?.map(|found| found.resource),
            None => None,
        };
        let stamp = context.stamp(&call.region);
        let definition = JobDefinition::create(specification.clone(), baselining_job.as_ref(), &stamp)?;
        context.resources.commit(Transaction::new().insert(&definition)).await?;
        Ok(definition.arn)
    })
    .await
}

/// The definition of a name, as one of the Describe operations shows it.
pub(super) async fn describe<T>(
    context: &Context,
    call: &Call,
    kind: MonitoringType,
    name: &str,
    describe: impl FnOnce(JobDefinition) -> Option<T>,
) -> Result<T, Error> {
    let found = find::<JobDefinition>(context, &JobDefinition::key_of(kind, name)).await?;
    found.and_then(|found| describe(found.resource)).ok_or_else(|| not_found(context, call, kind, name))
}

pub(super) async fn delete(context: &Context, call: &Call, kind: MonitoringType, name: &str) -> Result<(), Error> {
    let schedules = Query {
        definition: Some(name.to_owned()),
        monitoring_type: Some(kind.as_str().to_owned()),
        limit: 1,
        ..Query::default()
    };
    retrying(|| async {
        let found = find::<JobDefinition>(context, &JobDefinition::key_of(kind, name)).await?;
        let definition = found.ok_or_else(|| not_found(context, call, kind, name))?;
        // Loaded after the definition: a schedule that is created now changes the definition's version.
        let users = context.resources.list::<MonitoringSchedule>(&schedules).await.map_err(|error| internal(&error))?;
        if let Some(user) = users.first() {
            return Err(job_definition::in_use(&definition.resource.arn, &user.resource.arn).into());
        }
        Ok(context.resources.commit(Transaction::new().delete(&definition.resource, definition.version)).await?)
    })
    .await
}

fn not_found(context: &Context, call: &Call, kind: MonitoringType, name: &str) -> Error {
    job_definition::not_found(&Named::JobDefinition(kind).arn(&context.stamp(&call.region), name))
}

/// What the four lists are asked for, which have the same members.
pub(super) struct ListRequest<'a> {
    pub operation: &'a str,
    pub kind: MonitoringType,
    pub endpoint_name: Option<String>,
    pub name_contains: Option<String>,
    pub sort_by: Option<MonitoringJobDefinitionSortKey>,
    pub sort_order: Option<SortOrder>,
    pub created: (Option<Time>, Option<Time>),
    pub next_token: Option<String>,
    pub max_results: Option<i32>,
}

pub(super) async fn list_definitions(
    context: &Context,
    request: ListRequest<'_>,
) -> Result<(Vec<MonitoringJobDefinitionSummary>, Option<String>), Error> {
    let query = Query {
        name_contains: request.name_contains,
        monitoring_type: Some(request.kind.as_str().to_owned()),
        endpoint: request.endpoint_name,
        created: listing::range(request.created.0, request.created.1),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request(request.operation, query, request.next_token.as_deref(), request.max_results)?;
    let (definitions, next_token) = list::<JobDefinition>(context, &page).await?;
    Ok((definitions.into_iter().map(JobDefinition::summary).collect(), next_token))
}
