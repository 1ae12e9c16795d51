//! What others say about a job while it is carried out here: that it should stop, that it is somebody else's, that the
//! service stops. Keeps the job's claim alive meanwhile.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::TransformJobStatus;

use crate::context::Context;
use crate::control::transform_job::TransformJob;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How long a claim lasts: so long nobody takes up the jobs of a service that died.
pub(super) const CLAIM: Duration = Duration::from_secs(15);
/// How long after a claim it is renewed.
const RENEWAL: Duration = Duration::from_secs(5);
/// The pause after a look that failed.
const PAUSE: Duration = Duration::from_millis(1500);

/// What has to be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Somebody asked the job to stop.
    Stop,
    /// The job has ended, or somebody else carries it out.
    Gone,
    /// The service stops.
    Shutdown,
}

/// Until when a claim that is made now lasts.
pub(super) fn claimed_until(context: &Context) -> i64 {
    context.now().as_millisecond() + i64::try_from(CLAIM.as_millis()).unwrap_or(i64::MAX / 2)
}

/// The watch over one job.
pub(super) struct Watch {
    context: Arc<Context>,
    key: String,
    created: Time,
    bell: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    renewal: Instant,
}

impl Watch {
    /// Over a job that was claimed just now; `bell` rings when the job may have been asked to stop.
    pub(super) fn new(context: Arc<Context>, job: &TransformJob, bell: watch::Receiver<()>) -> Self {
        let (stopping, renewal) = (context.stopping.clone(), Instant::now() + RENEWAL);
        Self { key: job.key(), created: job.created, bell, stopping, renewal, context }
    }

    /// Does some work unless an order comes first, which ends it.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Order> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            order = self.order() => Err(order),
        }
    }

    /// The job as it is now; None when it is somebody else's, or has ended.
    pub(super) async fn load(&self) -> Result<Option<Versioned<TransformJob>>, Error> {
        let job = self.context.resources.get::<TransformJob>(&self.key).await?;
        Ok(job.filter(|job| job.resource.created == self.created && !job.resource.is_terminal()))
    }

    async fn order(&mut self) -> Order {
        loop {
            tokio::select! {
                // Whoever could say so has gone: the service stops as well.
                _ = self.stopping.wait_for(|stopping| *stopping) => return Order::Shutdown,
                changed = self.bell.changed() => if changed.is_err() { return Order::Shutdown },
                () = sleep_until(self.renewal) => {}
            }
            if let Some(order) = self.look().await {
                return order;
            }
        }
    }

    async fn look(&mut self) -> Option<Order> {
        let context = &self.context;
        let document = match context.resources.store().get(TransformJob::KIND, &self.key).await {
            Ok(document) => document,
            Err(error) => {
                tracing::warn!(job = self.key, %error, "a running transform job could not be looked at");
                self.renewal = Instant::now() + PAUSE;
                return None;
            }
        };
        let Some(document) = document else { return Some(Order::Gone) };
        let Ok(job) = serde_json::from_str::<TransformJob>(&document.body) else { return Some(Order::Gone) };
        let claim = &document.columns;
        let is_ours = claim.claimed_by == context.owner;
        let is_free = claim.claimed_by.is_empty() || claim.claimed_until <= context.now().as_millisecond();
        if job.created != self.created || job.is_terminal() || !(is_ours || is_free) {
            return Some(Order::Gone);
        }
        if !is_ours || Instant::now() >= self.renewal {
            let renewed =
                Transaction::new().update_claimed(&job, document.version, &context.owner, claimed_until(context));
            let renewed = context.resources.commit(renewed).await;
            // Where somebody changed the job meanwhile, the next look sees how.
            self.renewal = Instant::now() + if renewed.is_ok() { RENEWAL } else { PAUSE };
        }
        (job.status == TransformJobStatus::Stopping).then_some(Order::Stop)
    }
}
