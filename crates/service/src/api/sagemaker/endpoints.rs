//! Endpoints.
//!
//! What is asked for is written down; hosting makes it true and says so in the document.

use std::time::Duration;

use watchkeeper_aws::generated::sagemaker::{
    CreateEndpointInput, CreateEndpointOutput, CreateModelInput, DeleteEndpointInput, DescribeEndpointInput,
    DescribeEndpointOutput, ListEndpointsInput, ListEndpointsOutput, UpdateEndpointInput, UpdateEndpointOutput,
    UpdateEndpointWeightsAndCapacitiesInput, UpdateEndpointWeightsAndCapacitiesOutput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use super::{endpoint_configs, models};
use crate::api::quota;
use crate::api::sts::JobMark;
use crate::context::{Context, ring};
use crate::control::endpoint::{self, Endpoint, Revision};
use crate::control::endpoint_config::model_names;
use crate::control::listing::{self, Page};
use crate::control::names::Named;
use crate::processes;
use crate::resources::{Transaction, Versioned};

/// How long a deletion waits for what was captured to be stored; the endpoint waits on for it.
const LONGEST_FLUSH: Duration = Duration::from_secs(5);

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateEndpointInput,
) -> Result<CreateEndpointOutput, Error> {
    let arn = retrying(|| async {
        if let Some(other) = find::<Endpoint>(context, &request.endpoint_name.to_lowercase()).await? {
            return Err(endpoint::name_taken(&other.resource.arn).into());
        }
        quota::one_more_resource::<Endpoint>(context).await?;
        let revision = revision(context, call, &request.endpoint_config_name).await?;
        let endpoint = Endpoint {
            made_by: JobMark::of_key(context, &call.access_key_id).map(JobMark::text),
            ..Endpoint::create(request.clone(), revision, &context.stamp(&call.region))?
        };
        context.resources.commit(Transaction::new().insert(&endpoint)).await?;
        Ok(endpoint.arn)
    })
    .await?;
    ring(&context.hosting_bell);
    Ok(CreateEndpointOutput { endpoint_arn: arn })
}

pub(super) async fn describe(
    context: &Context,
    call: &Call,
    request: DescribeEndpointInput,
) -> Result<DescribeEndpointOutput, Error> {
    Ok(load(context, call, &request.endpoint_name).await?.resource.describe())
}

pub(super) async fn update(
    context: &Context,
    call: &Call,
    request: UpdateEndpointInput,
) -> Result<UpdateEndpointOutput, Error> {
    let arn = retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        found.resource.refuse_in_progress()?;
        let revision = revision(context, call, &request.endpoint_config_name).await?;
        let updated = found.resource.update(request.clone(), revision, context.now())?;
        context.resources.commit(Transaction::new().update(&updated, found.version)).await?;
        Ok(updated.arn)
    })
    .await?;
    ring(&context.hosting_bell);
    Ok(UpdateEndpointOutput { endpoint_arn: arn })
}

pub(super) async fn update_weights(
    context: &Context,
    call: &Call,
    request: UpdateEndpointWeightsAndCapacitiesInput,
) -> Result<UpdateEndpointWeightsAndCapacitiesOutput, Error> {
    let arn = retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        let desired = request.desired_weights_and_capacities.clone();
        let updated = found.resource.update_weights(desired, context.now())?;
        context.resources.commit(Transaction::new().update(&updated, found.version)).await?;
        Ok(updated.arn)
    })
    .await?;
    ring(&context.hosting_bell);
    Ok(UpdateEndpointWeightsAndCapacitiesOutput { endpoint_arn: arn })
}

pub(super) async fn delete(context: &Context, call: &Call, request: DeleteEndpointInput) -> Result<(), Error> {
    let deleted = retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        let deleted = found.resource.delete(context.now());
        context.resources.commit(Transaction::new().update(&deleted, found.version)).await?;
        Ok(deleted)
    })
    .await?;
    ring(&context.hosting_bell);
    // Scripts list what was captured as soon as this has answered.
    if deleted.config.data_capture_config.is_none() {
        return Ok(());
    }
    let captured = processes::captured(context, &deleted.name, context.now());
    if tokio::time::timeout(LONGEST_FLUSH, captured).await.is_err() {
        tracing::warn!(endpoint = deleted.name, "what was captured is not stored yet");
    }
    Ok(())
}

pub(super) async fn list_endpoints(
    context: &Context,
    request: ListEndpointsInput,
) -> Result<ListEndpointsOutput, Error> {
    let query = Query {
        name_contains: request.name_contains,
        status: request.status_equals.map(|status| status.as_str().to_owned()),
        created: listing::range(request.creation_time_after, request.creation_time_before),
        modified: listing::range(request.last_modified_time_after, request.last_modified_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListEndpoints", query, request.next_token.as_deref(), request.max_results)?;
    let (endpoints, next_token) = list::<Endpoint>(context, &page).await?;
    Ok(ListEndpointsOutput { endpoints: endpoints.into_iter().map(Endpoint::summary).collect(), next_token })
}

async fn load(context: &Context, call: &Call, name: &str) -> Result<Versioned<Endpoint>, Error> {
    let found = find(context, &name.to_lowercase()).await?;
    found.ok_or_else(|| endpoint::not_found(&Named::Endpoint.arn(&context.stamp(&call.region), name)))
}

/// What a configuration runs, as it is now.
async fn revision(context: &Context, call: &Call, config: &str) -> Result<Revision, Error> {
    let config = endpoint_configs::load(context, call, config).await?.resource.request;
    let mut models: Vec<CreateModelInput> = Vec::new();
    for name in model_names(&config) {
        let model = models::load(context, call, name).await?.resource.request;
        if !models.contains(&model) {
            models.push(model);
        }
    }
    Ok(Revision { config, models })
}
