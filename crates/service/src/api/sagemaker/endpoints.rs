//! Endpoints.
//!
//! Nothing works at an endpoint in the background, so whoever asks for one first lets it become what it is by now.

use watchkeeper_aws::generated::sagemaker::{
    CreateEndpointInput, CreateEndpointOutput, DeleteEndpointInput, DescribeEndpointInput, DescribeEndpointOutput,
    EndpointStatus, ListEndpointsInput, ListEndpointsOutput, UpdateEndpointInput, UpdateEndpointOutput,
    UpdateEndpointWeightsAndCapacitiesInput, UpdateEndpointWeightsAndCapacitiesOutput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use super::endpoint_configs;
use crate::api::failure::internal;
use crate::context::Context;
use crate::control::endpoint::{self, Endpoint};
use crate::control::listing::{self, Page};
use crate::control::names::Named;
use crate::resources::{self, Transaction, Versioned};

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateEndpointInput,
) -> Result<CreateEndpointOutput, Error> {
    let arn = retrying(|| async {
        if let Some(other) = find::<Endpoint>(context, &request.endpoint_name.to_lowercase()).await? {
            return Err(endpoint::name_taken(&other.resource.arn).into());
        }
        let config = endpoint_configs::load(context, call, &request.endpoint_config_name).await?.resource;
        let endpoint = Endpoint::create(request.clone(), &config, &context.stamp(&call.region))?;
        context.resources.commit(Transaction::new().insert(&endpoint)).await?;
        Ok(endpoint.arn)
    })
    .await?;
    Ok(CreateEndpointOutput { endpoint_arn: arn })
}

pub(super) async fn describe(
    context: &Context,
    call: &Call,
    request: DescribeEndpointInput,
) -> Result<DescribeEndpointOutput, Error> {
    settle(context).await?;
    Ok(load(context, call, &request.endpoint_name).await?.resource.describe())
}

pub(super) async fn update(
    context: &Context,
    call: &Call,
    request: UpdateEndpointInput,
) -> Result<UpdateEndpointOutput, Error> {
    settle(context).await?;
    let arn = retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        let config = endpoint_configs::load(context, call, &request.endpoint_config_name).await?.resource;
        let updated = found.resource.update(request.clone(), &config, context.now())?;
        context.resources.commit(Transaction::new().update(&updated, found.version)).await?;
        Ok(updated.arn)
    })
    .await?;
    Ok(UpdateEndpointOutput { endpoint_arn: arn })
}

pub(super) async fn update_weights(
    context: &Context,
    call: &Call,
    request: UpdateEndpointWeightsAndCapacitiesInput,
) -> Result<UpdateEndpointWeightsAndCapacitiesOutput, Error> {
    settle(context).await?;
    let arn = retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        let desired = request.desired_weights_and_capacities.clone();
        let updated = found.resource.update_weights(desired, context.now())?;
        context.resources.commit(Transaction::new().update(&updated, found.version)).await?;
        Ok(updated.arn)
    })
    .await?;
    Ok(UpdateEndpointWeightsAndCapacitiesOutput { endpoint_arn: arn })
}

pub(super) async fn delete(context: &Context, call: &Call, request: DeleteEndpointInput) -> Result<(), Error> {
    retrying(|| async {
        let found = load(context, call, &request.endpoint_name).await?;
        Ok(context.resources.commit(Transaction::new().delete(&found.resource, found.version)).await?)
    })
    .await
}

pub(super) async fn list_endpoints(
    context: &Context,
    request: ListEndpointsInput,
) -> Result<ListEndpointsOutput, Error> {
    settle(context).await?;
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

/// Lets every endpoint that is on its way arrive whose time has come. A conflict means that somebody else did it.
async fn settle(context: &Context) -> Result<(), Error> {
    let on_their_way = [EndpointStatus::Creating, EndpointStatus::Updating];
    let query = Query { statuses: on_their_way.map(|status| status.as_str().to_owned()).to_vec(), ..Query::default() };
    let endpoints = context.resources.list::<Endpoint>(&query).await.map_err(|error| internal(&error))?;
    for found in endpoints {
        let Some(settled) = found.resource.settled(context.now()) else { continue };
        match context.resources.commit(Transaction::new().update(&settled, found.version)).await {
            Ok(()) | Err(resources::Error::Conflict { .. }) => {}
            Err(error) => return Err(internal(&error)),
        }
    }
    Ok(())
}
