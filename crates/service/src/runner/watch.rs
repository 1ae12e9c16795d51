//! What others say about a job while it runs here: that it should stop, that it is no longer this runner's, that the
//! service stops. Keeps the job's claim alive meanwhile.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus;

use super::{Failure, Runner};
use crate::control::processing_job::ProcessingJob;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// What a runner has to do with a job that it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Somebody asked the job to stop.
    Stop,
    /// The job has ended or was deleted, or somebody else runs it.
    Gone,
    /// The service stops.
    Shutdown,
}

/// The watch over one job.
pub(super) struct Watch {
    runner: Arc<Runner>,
    key: String,
    created: Time,
    bell: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    renewal: Instant,
}

impl Watch {
    /// Over a job that was claimed just now.
    pub(super) fn new(runner: Arc<Runner>, job: &ProcessingJob, bell: watch::Receiver<()>) -> Self {
        let stopping = runner.context.stopping.clone();
        let renewal = Instant::now() + runner.timing.claim / 3;
        Self { key: job.key(), created: job.created, bell, stopping, renewal, runner }
    }

    /// Waits for an order. It may be dropped at any time and asked again.
    pub(super) async fn order(&mut self) -> Order {
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

    /// Does some work unless an order comes first; with `stops` false only those count after which the job is no longer
    /// this runner's.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = T>, stops: bool) -> Result<T, Order> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                order = self.order() => if stops || order != Order::Stop { return Err(order) },
            }
        }
    }

    /// The job as it is now; None when it is no longer this runner's, or has ended.
    pub(super) async fn load_job(&self) -> Result<Option<Versioned<ProcessingJob>>, Error> {
        let job = self.runner.context.resources.get::<ProcessingJob>(&self.key).await?;
        Ok(job.filter(|job| job.resource.created == self.created && !job.resource.is_terminal()))
    }

    /// As [`Self::load_job`], for the job's person.
    pub(super) async fn load(&self) -> Result<Option<Versioned<ProcessingJob>>, Failure> {
        self.load_job().await.map_err(|error| Failure(error.to_string()))
    }

    async fn look(&mut self) -> Option<Order> {
        let context = &self.runner.context;
        let pause = self.runner.timing.claim / 10;
        let document = match context.resources.store().get(ProcessingJob::KIND, &self.key).await {
            Ok(document) => document,
            Err(error) => {
                tracing::warn!(job = self.key, %error, "a running job could not be looked at");
                self.renewal = Instant::now() + pause;
                return None;
            }
        };
        let Some(document) = document else { return Some(Order::Gone) };
        let Ok(job) = serde_json::from_str::<ProcessingJob>(&document.body) else { return Some(Order::Gone) };
        let claim = &document.columns;
        let is_ours = claim.claimed_by == context.owner;
        let is_free = claim.claimed_by.is_empty() || claim.claimed_until <= context.now().as_millisecond();
        if job.created != self.created || job.is_terminal() || !(is_ours || is_free) {
            return Some(Order::Gone);
        }
        if !is_ours || Instant::now() >= self.renewal {
            let (owner, until) = (context.owner.as_str(), self.runner.claimed_until());
            let renewed = Transaction::new().update_claimed(&job, document.version, owner, until);
            let renewed = context.resources.commit(renewed).await;
            // Where somebody changed the job meanwhile, the next look sees how.
            self.renewal = Instant::now() + if renewed.is_ok() { self.runner.timing.claim / 3 } else { pause };
        }
        (job.status == ProcessingJobStatus::Stopping).then_some(Order::Stop)
    }
}
