//! Endpoint configurations.

use watchkeeper_aws::generated::sagemaker::{
    CreateEndpointConfigInput, CreateEndpointConfigOutput, DeleteEndpointConfigInput, DescribeEndpointConfigInput,
    DescribeEndpointConfigOutput, ListEndpointConfigsInput, ListEndpointConfigsOutput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use super::models;
use crate::api::quota;
use crate::api::sts::JobMark;
use crate::context::Context;
use crate::control::endpoint_config::{self, EndpointConfig, model_names};
use crate::control::listing::{self, Page};
use crate::control::names::Named;
use crate::resources::{Transaction, Versioned};

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateEndpointConfigInput,
) -> Result<CreateEndpointConfigOutput, Error> {
    let config = EndpointConfig {
        made_by: JobMark::of_key(context, &call.access_key_id).map(JobMark::text),
        ..EndpointConfig::create(request, &context.stamp(&call.region))?
    };
    for name in model_names(&config.request) {
        models::load(context, call, name).await?;
    }
    retrying(|| async {
        if let Some(other) =
            find::<EndpointConfig>(context, &config.request.endpoint_config_name.to_lowercase()).await?
        {
            return Err(endpoint_config::name_taken(&other.resource.arn).into());
        }
        quota::one_more_resource::<EndpointConfig>(context).await?;
        Ok(context.resources.commit(Transaction::new().insert(&config)).await?)
    })
    .await?;
    Ok(CreateEndpointConfigOutput { endpoint_config_arn: config.arn })
}

pub(super) async fn describe(
    context: &Context,
    call: &Call,
    request: DescribeEndpointConfigInput,
) -> Result<DescribeEndpointConfigOutput, Error> {
    Ok(load(context, call, &request.endpoint_config_name).await?.resource.describe())
}

pub(super) async fn delete(context: &Context, call: &Call, request: DeleteEndpointConfigInput) -> Result<(), Error> {
    retrying(|| async {
        let found = load(context, call, &request.endpoint_config_name).await?;
        Ok(context.resources.commit(Transaction::new().delete(&found.resource, found.version)).await?)
    })
    .await
}

/// A configuration by its name.
pub(super) async fn load(context: &Context, call: &Call, name: &str) -> Result<Versioned<EndpointConfig>, Error> {
    let found = find(context, &name.to_lowercase()).await?;
    found.ok_or_else(|| endpoint_config::not_found(&Named::EndpointConfig.arn(&context.stamp(&call.region), name)))
}

pub(super) async fn list_configs(
    context: &Context,
    request: ListEndpointConfigsInput,
) -> Result<ListEndpointConfigsOutput, Error> {
    let query = Query {
        name_contains: request.name_contains,
        created: listing::range(request.creation_time_after, request.creation_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListEndpointConfigs", query, request.next_token.as_deref(), request.max_results)?;
    let (configs, next_token) = list::<EndpointConfig>(context, &page).await?;
    let endpoint_configs = configs.into_iter().map(EndpointConfig::summary).collect();
    Ok(ListEndpointConfigsOutput { endpoint_configs, next_token })
}
