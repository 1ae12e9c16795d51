//! Tags, of every resource by its ARN.

use watchkeeper_aws::Error;
use watchkeeper_aws::generated::sagemaker::{
    AddTagsInput, AddTagsOutput, DeleteTagsInput, DeleteTagsOutput, ListTagsInput, ListTagsOutput, Tag,
};

use super::documents::{Claimed, Refusal, retrying};
use crate::context::Context;
use crate::control::endpoint::Endpoint;
use crate::control::endpoint_config::EndpointConfig;
use crate::control::job_definition::JobDefinition;
use crate::control::listing::foreign_token;
use crate::control::model::Model;
use crate::control::names::Named;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::control::tags;
use crate::control::transform_job::TransformJob;
use crate::resources::{Resource, Transaction};

/// A resource that has tags.
trait Tagged: Resource + Clone {
    fn tags(&self) -> &[Tag];
    fn set_tags(&mut self, tags: Vec<Tag>);
    fn arn(&self) -> &str;
}

macro_rules! tagged {
    ($($resource:ty),+ $(,)?) => {
        $(impl Tagged for $resource {
            fn tags(&self) -> &[Tag] {
                &self.tags
            }

            fn set_tags(&mut self, tags: Vec<Tag>) {
                self.tags = tags;
            }

            fn arn(&self) -> &str {
                &self.arn
            }
        })+
    };
}

tagged!(Endpoint, EndpointConfig, JobDefinition, Model, MonitoringSchedule, ProcessingJob, TransformJob);

/// All tags in one page: the Python SDK looks for a second one under another name and never gets it.
pub(super) async fn list(context: &Context, request: ListTagsInput) -> Result<ListTagsOutput, Error> {
    if request.next_token.is_some() {
        return Err(foreign_token());
    }
    let tags = change(context, &request.resource_arn, |_| Ok(None)).await?;
    Ok(ListTagsOutput { tags: Some(tags), next_token: None })
}

pub(super) async fn add(context: &Context, request: AddTagsInput) -> Result<AddTagsOutput, Error> {
    let new = request.tags;
    let tags = change(context, &request.resource_arn, |present| tags::added(present, new.clone()).map(Some)).await?;
    Ok(AddTagsOutput { tags: Some(tags) })
}

pub(super) async fn delete(context: &Context, request: DeleteTagsInput) -> Result<DeleteTagsOutput, Error> {
    let keys = request.tag_keys;
    change(context, &request.resource_arn, |present| Ok(Some(tags::removed(present, &keys)))).await?;
    Ok(DeleteTagsOutput {})
}

/// The tags of a resource after a change of them; None changes nothing.
async fn change(
    context: &Context,
    arn: &str,
    change: impl Fn(&[Tag]) -> Result<Option<Vec<Tag>>, Error> + Sync,
) -> Result<Vec<Tag>, Error> {
    let unknown = || tags::unknown_resource(arn);
    let (kind, name) = Named::of_arn(arn, &context.configuration.account).ok_or_else(unknown)?;
    let key = name.to_lowercase();
    let change = &change;
    match kind {
        Named::ProcessingJob => change_of::<ProcessingJob>(context, arn, &key, change).await,
        Named::MonitoringSchedule => change_of::<MonitoringSchedule>(context, arn, &key, change).await,
        Named::JobDefinition(kind) => {
            change_of::<JobDefinition>(context, arn, &JobDefinition::key_of(kind, &name), change).await
        }
        Named::Model => change_of::<Model>(context, arn, &key, change).await,
        Named::EndpointConfig => change_of::<EndpointConfig>(context, arn, &key, change).await,
        Named::Endpoint => change_of::<Endpoint>(context, arn, &key, change).await,
        Named::TransformJob => change_of::<TransformJob>(context, arn, &key, change).await,
    }
}

async fn change_of<T: Tagged + Sync>(
    context: &Context,
    arn: &str,
    key: &str,
    change: &(impl Fn(&[Tag]) -> Result<Option<Vec<Tag>>, Error> + Sync),
) -> Result<Vec<Tag>, Error> {
    retrying(|| async {
        let found = Claimed::<T>::find(context, key).await?;
        let found = found.filter(|found| found.resource().arn().eq_ignore_ascii_case(arn));
        let found = found.ok_or_else(|| Refusal::Answer(tags::unknown_resource(arn)))?;
        let Some(tags) = change(found.resource().tags())? else { return Ok(found.resource().tags().to_vec()) };
        let mut changed = found.resource().clone();
        changed.set_tags(tags.clone());
        context.resources.commit(found.update(Transaction::new(), &changed)).await?;
        Ok(tags)
    })
    .await
}
