//! Models.

use watchkeeper_aws::generated::sagemaker::{
    CreateModelInput, CreateModelOutput, DeleteModelInput, DescribeModelInput, DescribeModelOutput, ListModelsInput,
    ListModelsOutput,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_store::metadata::Query;

use super::documents::{find, list, retrying};
use crate::api::quota;
use crate::context::Context;
use crate::control::listing::{self, Page};
use crate::control::model::{self, Model};
use crate::control::names::Named;
use crate::resources::{Transaction, Versioned};

pub(super) async fn create(
    context: &Context,
    call: &Call,
    request: CreateModelInput,
) -> Result<CreateModelOutput, Error> {
    let model = Model::create(request, &context.stamp(&call.region))?;
    retrying(|| async {
        if let Some(other) = find::<Model>(context, &model.request.model_name.to_lowercase()).await? {
            return Err(model::name_taken(&other.resource.arn).into());
        }
        quota::one_more_resource::<Model>(context).await?;
        Ok(context.resources.commit(Transaction::new().insert(&model)).await?)
    })
    .await?;
    Ok(CreateModelOutput { model_arn: model.arn })
}

pub(super) async fn describe(
    context: &Context,
    call: &Call,
    request: DescribeModelInput,
) -> Result<DescribeModelOutput, Error> {
    Ok(load(context, call, &request.model_name).await?.resource.describe())
}

pub(super) async fn delete(context: &Context, call: &Call, request: DeleteModelInput) -> Result<(), Error> {
    retrying(|| async {
        let found = load(context, call, &request.model_name).await?;
        Ok(context.resources.commit(Transaction::new().delete(&found.resource, found.version)).await?)
    })
    .await
}

/// A model by its name.
pub(super) async fn load(context: &Context, call: &Call, name: &str) -> Result<Versioned<Model>, Error> {
    let found = find(context, &name.to_lowercase()).await?;
    found.ok_or_else(|| model::not_found(&Named::Model.arn(&context.stamp(&call.region), name)))
}

pub(super) async fn list_models(context: &Context, request: ListModelsInput) -> Result<ListModelsOutput, Error> {
    let query = Query {
        name_contains: request.name_contains,
        created: listing::range(request.creation_time_after, request.creation_time_before),
        sort_by: listing::sort_by(request.sort_by),
        descending: listing::is_descending(request.sort_order),
        ..Query::default()
    };
    let page = Page::of_request("ListModels", query, request.next_token.as_deref(), request.max_results)?;
    let (models, next_token) = list::<Model>(context, &page).await?;
    Ok(ListModelsOutput { models: models.into_iter().map(Model::summary).collect(), next_token })
}
