//! How many of a kind there may be: everything that a client can make is bounded.

use watchkeeper_aws::Error;
use watchkeeper_store::metadata::{Kind, Query};

use super::failure;
use crate::Context;
use crate::control::UNENDED_JOBS;
use crate::resources::Resource;

/// The most models, configurations of endpoints, job definitions, and schedules.
const MOST_RESOURCES: u64 = 100_000;
/// The most endpoints: each has processes.
const MOST_ENDPOINTS: u64 = 5000;
/// The most asynchronous invocations that wait; each may have its input in its document.
const MOST_ASYNC_INVOCATIONS: u64 = 10_000;

/// Refuses one more when there are as many as there may be. Two at the same moment may both pass: it is a bound, not a
/// count.
pub(crate) async fn one_more(context: &Context, kind: Kind, most: u64, code: &str) -> Result<(), Error> {
    let count = count(context, kind, &Query::default()).await?;
    if count < most {
        Ok(())
    } else {
        Err(Error::new(code, format!("There are {count} already, which is the limit of {most}")))
    }
}

/// Refuses one more of what `SageMaker` keeps until it is deleted.
pub(crate) async fn one_more_resource<T: Resource>(context: &Context) -> Result<(), Error> {
    let most = if T::KIND == Kind::Endpoint { MOST_ENDPOINTS } else { MOST_RESOURCES };
    let name = T::KIND.table().replace('_', " ");
    refuse(count(context, T::KIND, &Query::default()).await?, most, &name)
}

/// Refuses one more job while as many wait or run as may.
pub(crate) async fn one_more_job<T: Resource>(context: &Context) -> Result<(), Error> {
    let query = Query { statuses: UNENDED_JOBS.map(str::to_owned).into(), ..Query::default() };
    let name = format!("{} that have not ended", T::KIND.table().replace('_', " "));
    refuse(count(context, T::KIND, &query).await?, context.configuration.runner.max_unended_jobs, &name)
}

/// Refuses one more asynchronous invocation while as many wait as may.
pub(crate) async fn one_more_async_invocation(context: &Context) -> Result<(), Error> {
    let waiting = count(context, Kind::AsyncInvocation, &Query::default()).await?;
    if waiting < MOST_ASYNC_INVOCATIONS {
        return Ok(());
    }
    let message = format!("{waiting} asynchronous invocations wait already, which is the limit. Try again later.");
    Err(Error::throttling(message).with_status(429))
}

async fn count(context: &Context, kind: Kind, query: &Query) -> Result<u64, Error> {
    context.resources.store().count(kind, query).await.map_err(|error| failure::internal(&error))
}

/// AWS's words for a quota that is used up.
fn refuse(there_are: u64, most: u64, name: &str) -> Result<(), Error> {
    if there_are < most {
        return Ok(());
    }
    Err(Error::resource_limit_exceeded(format!(
        "The account-level service limit 'Number of {name}' is {most}, with current utilization of {there_are} and a request \
         delta of 1."
    )))
}
