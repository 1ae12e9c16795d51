//! What others say about a job while it is carried out here: that it should stop, that it is somebody else's, that the
//! service stops. Keeps the job's claim alive meanwhile. Processing and transform jobs are watched alike.
//!
//! A process that cannot reach the store, where others can, must have let go of its jobs before its claims run out and another
//! takes them up: it goes by its own monotonic clock, and gives up some time before. A store that nobody shares may stay away
//! for longer: there is nobody who could take the job.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout_at};
use watchkeeper_aws::Time;

use crate::context::Context;
use crate::resources::{Error, Resource, Transaction, Versioned};

/// How often a change is tried that meets others' changes.
pub(crate) const MOST_TRIES: usize = 20;

/// A document of work that somebody claims, carries out and ends.
pub(crate) trait Job: Resource {
    /// When it was asked for: another of the same name has another moment.
    fn created(&self) -> Time;

    /// Whether it has ended.
    fn is_terminal(&self) -> bool;

    /// Whether it was asked to stop.
    fn is_stopping(&self) -> bool;
}

/// Until when a claim that is made now lasts.
pub(crate) fn claimed_until(context: &Context, claim: Duration) -> i64 {
    context.now().as_millisecond() + i64::try_from(claim.as_millis()).unwrap_or(i64::MAX / 2)
}

/// What has to be done with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Somebody asked the job to stop.
    Stop,
    /// The job has ended or was deleted, or somebody else carries it out.
    Gone,
    /// The service stops.
    Shutdown,
}

/// The watch over one job.
pub(crate) struct Watch<J> {
    context: Arc<Context>,
    /// How long a claim lasts; it is renewed after a third of that.
    claim: Duration,
    key: String,
    created: Time,
    bell: watch::Receiver<()>,
    stopping: watch::Receiver<bool>,
    renewal: Instant,
    /// When the job counts as lost unless the claim is renewed before; none where nobody else could have it.
    lost: Option<Instant>,
    job: PhantomData<fn() -> J>,
}

impl<J: Job> Watch<J> {
    /// Over a job that was claimed just now, for so long; `bell` rings when it may have been asked to stop.
    pub(crate) fn new(context: Arc<Context>, job: &J, claim: Duration, bell: watch::Receiver<()>) -> Self {
        let stopping = context.stopping.clone();
        let renewal = Instant::now() + claim / 3;
        let (key, created) = (job.key(), job.created());
        let mut watch = Self { context, claim, key, created, bell, stopping, renewal, lost: None, job: PhantomData };
        watch.claimed(Instant::now());
        watch
    }

    /// The claim was asked for at a moment, and given. A fifth of it is left for ending what runs.
    fn claimed(&mut self, asked: Instant) {
        self.lost = self.context.is_shared().then(|| asked + self.claim * 4 / 5);
    }

    /// Waits for an order. It may be dropped at any time and asked again.
    pub(crate) async fn order(&mut self) -> Order {
        loop {
            tokio::select! {
                // Whoever could say so has gone: the service stops as well.
                _ = self.stopping.wait_for(|stopping| *stopping) => return Order::Shutdown,
                changed = self.bell.changed() => if changed.is_err() { return Order::Shutdown },
                () = sleep_until(self.lost.map_or(self.renewal, |lost| lost.min(self.renewal))) => {}
            }
            if let Some(order) = self.look_in_time().await {
                return order;
            }
        }
    }

    /// Does some work unless an order comes first; with `stops` false only those count after which the job is no longer
    /// ours.
    pub(crate) async fn during<T>(&mut self, work: impl Future<Output = T>, stops: bool) -> Result<T, Order> {
        // What came before may have taken long without a look.
        if Instant::now() >= self.renewal
            && let Some(order) = self.look_in_time().await
            && (stops || order != Order::Stop)
        {
            return Err(order);
        }
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                order = self.order() => if stops || order != Order::Stop { return Err(order) },
            }
        }
    }

    /// The job as it is now; None when it is somebody else's, or has ended.
    pub(crate) async fn load(&self) -> Result<Option<Versioned<J>>, Error> {
        Ok(self.held().await?.map(|(job, _)| job))
    }

    /// Changes the job, whose claim stays; gives what it is now, or why it must not be changed.
    ///
    /// # Errors
    /// A text for the person who reads `FailureReason`.
    pub(crate) async fn change(
        &self,
        changed: impl Fn(&J, Timestamp) -> Result<J, watchkeeper_aws::Error>,
    ) -> Result<Result<J, Order>, String> {
        let context = &self.context;
        for _ in 0..MOST_TRIES {
            let loaded = self.load().await.map_err(|error| error.to_string())?;
            let Some(Versioned { resource: job, version }) = loaded else { return Ok(Err(Order::Gone)) };
            if job.is_stopping() {
                return Ok(Err(Order::Stop));
            }
            let job = changed(&job, context.now()).map_err(|error| error.to_string())?;
            let until = claimed_until(context, self.claim);
            let transaction = Transaction::new().update_claimed(&job, version, &context.owner, until);
            let is_changed = match context.resources.commit(transaction).await {
                Ok(()) => true,
                Err(Error::Conflict { .. }) => false,
                Err(Error::Store(error)) if error.leaves_commit_unknown() => self.has_become(&job).await,
                Err(error) => return Err(error.to_string()),
            };
            if is_changed {
                return Ok(Ok(job));
            }
        }
        Err("the job was changed by others again and again".to_owned())
    }

    /// Whether the job is now as it was to become, of which a commit without an answer has said nothing.
    async fn has_become(&self, job: &J) -> bool {
        let same = |stored: &J| serde_json::to_value(stored).ok() == serde_json::to_value(job).ok();
        self.load().await.is_ok_and(|stored| stored.is_some_and(|stored| same(&stored.resource)))
    }

    /// The job, and whether it is claimed by this process rather than by nobody; None when it is somebody else's, or has ended.
    async fn held(&self) -> Result<Option<(Versioned<J>, bool)>, Error> {
        let context = &self.context;
        let Some(document) = context.resources.store().get(J::KIND, &self.key).await? else { return Ok(None) };
        let Ok(resource) = serde_json::from_str::<J>(&document.body) else { return Ok(None) };
        let claim = &document.columns;
        let is_ours = claim.claimed_by == context.owner;
        let is_free = claim.claimed_by.is_empty() || claim.claimed_until <= context.now().as_millisecond();
        let is_held = resource.created() == self.created && !resource.is_terminal() && (is_ours || is_free);
        Ok(is_held.then_some((Versioned { resource, version: document.version }, is_ours)))
    }

    /// A look, unless the job counts as lost before it is done.
    async fn look_in_time(&mut self) -> Option<Order> {
        let Some(lost) = self.lost else { return self.look().await };
        if let Ok(order) = timeout_at(lost, self.look()).await {
            return order;
        }
        tracing::error!(job = self.key, "the store was away for too long: the job is left to other processes");
        Some(Order::Gone)
    }

    async fn look(&mut self) -> Option<Order> {
        let pause = self.claim / 10;
        let (job, is_ours) = match self.held().await {
            Ok(Some(held)) => held,
            Ok(None) => return Some(Order::Gone),
            Err(error) => {
                tracing::warn!(kind = ?J::KIND, job = self.key, %error, "a running job could not be looked at");
                self.renewal = Instant::now() + pause;
                return None;
            }
        };
        if !is_ours || Instant::now() >= self.renewal {
            let (context, asked) = (&self.context, Instant::now());
            let (owner, until) = (context.owner.as_str(), claimed_until(context, self.claim));
            let renewed = Transaction::new().update_claimed(&job.resource, job.version, owner, until);
            let renewed = context.resources.commit(renewed).await;
            // Where somebody changed the job meanwhile, the next look sees how.
            self.renewal = Instant::now() + if renewed.is_ok() { self.claim / 3 } else { pause };
            if renewed.is_ok() {
                self.claimed(asked);
            }
        }
        job.resource.is_stopping().then_some(Order::Stop)
    }
}
