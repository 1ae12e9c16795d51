//! The endpoints that a Clarify job has made for itself, "shadow endpoints", and their configurations.
//!
//! The job's program removes them when it ends. One that was killed does not: what carries the mark of the job's credentials
//! goes with the job then. Jobs of other programs keep what they make: to deploy may be what they are for.

use watchkeeper_aws::generated::sagemaker::EndpointStatus;
use watchkeeper_store::metadata::Query;

use crate::api::sts::JobMark;
use crate::context::{Context, ring};
use crate::control::endpoint::Endpoint;
use crate::control::endpoint_config::EndpointConfig;
use crate::resources::{Error, Resource, Transaction, Versioned};

/// How often a removal is tried that meets others' changes.
const TRIES: usize = 20;

/// Removes what the job of an ARN has made and left.
///
/// # Errors
/// The store failed.
pub(super) async fn remove(context: &Context, job_arn: &str) -> Result<(), Error> {
    let mark = JobMark::of_job(job_arn).text();
    let is_left =
        |endpoint: &Endpoint| endpoint.made_by.as_ref() == Some(&mark) && endpoint.status != EndpointStatus::Deleting;
    for found in made_by(context, is_left).await? {
        let name = found.resource.name.clone();
        change(context, found, |endpoint, version| Transaction::new().update(&endpoint.delete(context.now()), version))
            .await?;
        tracing::info!(endpoint = name, job_arn, "an endpoint that a job had left was removed");
        ring(&context.hosting_bell);
    }
    for found in made_by::<EndpointConfig>(context, |config| config.made_by.as_ref() == Some(&mark)).await? {
        change(context, found, |config, version| Transaction::new().delete(config, version)).await?;
    }
    Ok(())
}

async fn made_by<T: Resource>(context: &Context, is_made: impl Fn(&T) -> bool) -> Result<Vec<Versioned<T>>, Error> {
    let all = context.resources.list::<T>(&Query::default()).await?;
    Ok(all.into_iter().filter(|found| is_made(&found.resource)).collect())
}

/// Commits a change of a document, also when others change it at the same time. What is gone is fine.
async fn change<T: Resource>(
    context: &Context,
    mut found: Versioned<T>,
    changed: impl Fn(&T, i64) -> Transaction,
) -> Result<(), Error> {
    for attempt in 1.. {
        match context.resources.commit(changed(&found.resource, found.version)).await {
            Ok(()) => break,
            Err(Error::Conflict { .. }) if attempt < TRIES => {}
            Err(error) => return Err(error),
        }
        match context.resources.get::<T>(&found.resource.key()).await? {
            Some(again) => found = again,
            None => break,
        }
    }
    Ok(())
}
