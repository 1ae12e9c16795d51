//! From endpoints in the store to deployments, and back to their status.
//!
//! Whoever changes an endpoint writes what he wants into its document and rings; the loop here looks at all endpoints, and
//! takes each a step further that is not where it should be: its models are started, started again after the service
//! was, or ended. Steps of different endpoints know nothing of each other, so that a slow model delays nobody. A step that is
//! cut off, by the end of the process too, is taken again from the beginning.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use watchkeeper_aws::generated::sagemaker::EndpointStatus;
use watchkeeper_store::metadata::Query;

use super::capture::{CaptureWriter, StoreSink};
use super::deployment::Deployment;
use super::invocation::Invocations;
use super::model::{self, ModelServer};
use super::traffic;
use crate::context::Context;
use crate::control::endpoint::{Endpoint, Revision};
use crate::program::launch::Launcher;
use crate::resources::{Error, Resource as _, Transaction};

/// The time after which all endpoints are looked at without a ring: who changes one rings, so that this finds nothing.
const LOOK: Duration = Duration::from_mins(1);
/// How long the first pause is before a step is tried again; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// The time between two looks at whether requests have ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);
/// How long an endpoint that is being deleted waits for its captures to be stored.
const LONGEST_FLUSH: Duration = Duration::from_mins(1);

/// The endpoints of this process.
pub struct Hosting {
    /// What every part is handed.
    pub context: Arc<Context>,
    /// What starts the programs of models.
    pub launcher: Arc<dyn Launcher>,
    /// What writes captured requests and answers.
    pub capture: Arc<CaptureWriter>,
    /// What the invocations of all endpoints share.
    pub invocations: Invocations,
    /// What there is of each endpoint, by its key.
    places: RwLock<HashMap<String, Found>>,
    /// All models that were started, so that none outlives the service.
    models: Mutex<Vec<Weak<ModelServer>>>,
    /// When steps that did not succeed are tried again, by the endpoint's key.
    pauses: Mutex<HashMap<String, Pause>>,
}

/// What there is of an endpoint.
#[derive(Clone)]
pub enum Found {
    /// It can be asked.
    Serving(Arc<Deployment>),
    /// It exists, and its model is not there yet.
    Starting,
    /// It exists, and its models are served elsewhere: its captures come from outside.
    External,
    /// It exists and has failed, or is being deleted.
    OutOfService,
    /// There is none.
    Unknown,
}

/// What an endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its models are to be started, and its status is to say how that went.
    Start,
    /// It is in service, and its models are to be started again.
    Restart,
    /// It is to go.
    Delete,
}

impl Step {
    /// Whether another step makes no sense any more once this one is due.
    fn supersedes(self, other: Self) -> bool {
        match self {
            Self::Delete => other != Self::Delete,
            Self::Start => other == Self::Restart,
            Self::Restart => false,
        }
    }
}

#[derive(Clone, Copy)]
struct Pause {
    step: Step,
    until: Instant,
    length: Duration,
}

/// A step under way.
struct Busy {
    step: Step,
    handle: AbortHandle,
}

impl Hosting {
    /// The hosting of a service; nothing is deployed before [`Hosting::run`].
    ///
    /// # Errors
    /// When the journals of captures cannot be opened.
    pub fn start(context: &Arc<Context>, launcher: Arc<dyn Launcher>) -> std::io::Result<Arc<Self>> {
        let settings = &context.configuration;
        let journals = settings.data_dir.join("capture");
        let sink = Arc::new(StoreSink::new(Arc::clone(context)));
        let capture = CaptureWriter::start(settings.capture.clone(), journals, sink)?;
        let _ = context.capture.set(Arc::downgrade(&capture));
        Ok(Arc::new(Self {
            context: Arc::clone(context),
            launcher,
            capture,
            invocations: Invocations::default(),
            places: RwLock::default(),
            models: Mutex::default(),
            pauses: Mutex::default(),
        }))
    }

    /// An endpoint by its name, whatever its case.
    pub fn endpoint(&self, name: &str) -> Found {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        let found = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            places.get(&name.to_ascii_lowercase())
        } else {
            places.get(name)
        };
        found.cloned().unwrap_or(Found::Unknown)
    }

    /// Gets to know the endpoints of the store, so that none is unknown to whoever asks from now on, and removes what models
    /// of an earlier process left. To be called before anything is deployed.
    pub async fn take_stock(&self) -> Result<(), Error> {
        model::sweep(&self.context).await;
        self.due().await.map(drop)
    }

    /// Deploys what the store says, until the service stops.
    pub async fn run(self: Arc<Self>) {
        let mut stopping = self.context.stopping.clone();
        let mut steps = JoinSet::new();
        let mut busy: HashMap<String, Busy> = HashMap::new();
        while !*stopping.borrow() {
            // Heard from here on, also while the endpoints are looked at.
            let bell = self.context.hosting_bell.notified();
            let looked = Instant::now();
            let mut next = looked + LOOK;
            match self.due().await {
                Ok(due) => {
                    self.begin(due, &mut busy, &mut steps);
                    next = next.min(self.next_end_of_a_pause(looked).unwrap_or(next));
                }
                Err(error) => {
                    tracing::error!(%error, "the endpoints could not be looked at");
                    next = Instant::now() + FIRST_PAUSE;
                }
            }
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => {}
                () = bell => {}
                Some(ended) = steps.join_next_with_id() => {
                    self.end(&ended.map(|(id, ())| id), &mut busy);
                    // One look for all that have ended by now.
                    while let Some(ended) = steps.try_join_next_with_id() {
                        self.end(&ended.map(|(id, ())| id), &mut busy);
                    }
                }
                () = tokio::time::sleep_until(next.into()) => {}
            }
        }
        steps.shutdown().await;
    }

    /// Does all there is to do at this moment, one look after the other, and returns when there is nothing left.
    pub async fn look_once(self: &Arc<Self>) -> Result<(), Error> {
        loop {
            let due = self.due().await?;
            if due.is_empty() {
                return Ok(());
            }
            join_all(due.into_iter().map(|(endpoint, step)| Arc::clone(self).take(endpoint, step))).await;
        }
    }

    /// Ends all models and writes what is captured.
    pub async fn shutdown(&self) {
        let models: Vec<_> = self.models().iter().filter_map(Weak::upgrade).collect();
        tokio::join!(self.capture.shutdown(), join_all(models.iter().map(|model| model.stop())));
        self.places.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Publishes what was counted since the last regular publication: captures are when they are stored.
    pub async fn publish_counts(&self) {
        traffic::publish(self).await;
    }

    /// Keeps a model in mind that was started.
    pub(super) fn remember(&self, model: &Arc<ModelServer>) {
        let mut models = self.models();
        models.retain(|model| model.strong_count() > 0);
        models.push(Arc::downgrade(model));
    }

    /// Starts what is due and not under way. A deletion waits for nothing that goes on at the endpoint, and an update not
    /// for models that do not come back.
    fn begin(self: &Arc<Self>, due: Vec<(Endpoint, Step)>, busy: &mut HashMap<String, Busy>, steps: &mut JoinSet<()>) {
        for (endpoint, step) in due {
            match busy.get(&endpoint.key()) {
                Some(other) if step.supersedes(other.step) => other.handle.abort(),
                Some(_) => {}
                None => {
                    let key = endpoint.key();
                    let handle = steps.spawn(Arc::clone(self).take(endpoint, step));
                    busy.insert(key, Busy { step, handle });
                }
            }
        }
    }

    fn end(&self, ended: &Result<tokio::task::Id, JoinError>, busy: &mut HashMap<String, Busy>) {
        let id = match ended {
            Ok(id) => *id,
            Err(error) => error.id(),
        };
        let Some(key) = busy.iter().find(|(_, busy)| busy.handle.id() == id).map(|(key, _)| key.clone()) else {
            return;
        };
        let was = busy.remove(&key);
        if let (Err(error), Some(Busy { step, .. })) = (ended, was)
            && error.is_panic()
        {
            tracing::error!(endpoint = key, %error, "a step of an endpoint failed and is taken again");
            self.pause(key, step);
        }
    }

    /// All endpoints that have to be taken a step further. Those that nobody knew are known from now on.
    async fn due(&self) -> Result<Vec<(Endpoint, Step)>, Error> {
        let endpoints = self.context.resources.list::<Endpoint>(&Query::default()).await?;
        let now = Instant::now();
        let pauses = self.pauses().clone();
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        let mut known = HashSet::new();
        for endpoint in endpoints.into_iter().map(|endpoint| endpoint.resource) {
            let key = endpoint.key();
            known.insert(key.clone());
            let is_deployed = matches!(places.get(&key), Some(Found::Serving(_) | Found::External));
            let (step, place) = match endpoint.status {
                EndpointStatus::Creating | EndpointStatus::Updating => (Some(Step::Start), Found::Starting),
                EndpointStatus::InService if is_deployed => continue,
                EndpointStatus::InService => (Some(Step::Restart), Found::Starting),
                EndpointStatus::Deleting => (Some(Step::Delete), Found::OutOfService),
                _ => (None, Found::OutOfService),
            };
            if !is_deployed {
                places.insert(key.clone(), place);
            }
            if let Some(step) = step
                && pauses.get(&key).is_none_or(|pause| pause.until <= now || pause.step != step)
            {
                due.push((endpoint, step));
            }
        }
        // One whose deletion ended while the endpoints were read, after this had put it back.
        places.retain(|key, _| known.contains(key));
        Ok(due)
    }

    /// Takes an endpoint a step further.
    async fn take(self: Arc<Self>, endpoint: Endpoint, step: Step) {
        let key = endpoint.key();
        let taken = match step {
            Step::Start => self.start_models(&endpoint).await,
            Step::Restart => self.restart_models(&endpoint).await,
            Step::Delete => self.delete(&endpoint).await,
        };
        match taken {
            Ok(true) => {
                self.pauses().remove(&key);
            }
            Ok(false) => self.pause(key, step),
            Err(error) => {
                tracing::error!(endpoint = endpoint.name, %error, "the status of an endpoint could not be stored");
                self.pause(key, step);
            }
        }
    }

    /// Starts what a new endpoint runs, or what one is updated to; what is in service is so until then.
    async fn start_models(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        let old = self.serving(&key);
        let deployed = tokio::select! {
            biased;
            deployed = self.deploy(endpoint, endpoint.target(), old.as_deref()) => deployed,
            never = self.serve_meanwhile(endpoint, old.is_some()) => match never {},
        };
        match deployed {
            Ok(found) => {
                drop(old);
                // First this, so that whoever reads the status can ask.
                self.replace(&key, found);
                self.change(&key, |endpoint| endpoint.started(self.context.now())).await?;
            }
            Err(reason) => {
                tracing::warn!(endpoint = endpoint.name, reason, "an endpoint's models do not start");
                self.change(&key, |endpoint| endpoint.failed(&reason, self.context.now())).await?;
            }
        }
        Ok(true)
    }

    /// Brings back what was in service when the service was restarted during an update, which may take long or come to
    /// nothing. A model that the update has, too, is not started twice.
    async fn serve_meanwhile(&self, endpoint: &Endpoint, is_serving: bool) -> Infallible {
        let shares_models = |update: &Revision| update.models.iter().any(|model| endpoint.models.contains(model));
        if !is_serving && endpoint.update.as_ref().is_some_and(|update| !shares_models(update)) {
            match self.deploy(endpoint, endpoint.current(), None).await {
                Ok(found) => self.replace(&endpoint.key(), found),
                Err(reason) => tracing::warn!(endpoint = endpoint.name, reason, "its models do not start again"),
            }
        }
        std::future::pending().await
    }

    /// Starts what an endpoint in service runs after the service itself was started again.
    async fn restart_models(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        match self.deploy(endpoint, endpoint.current(), None).await {
            Ok(found) => {
                self.replace(&key, found);
                self.change(&key, |endpoint| endpoint.restarted(self.context.now())).await?;
                Ok(true)
            }
            Err(reason) => {
                tracing::warn!(endpoint = endpoint.name, reason, "an endpoint's models do not start again");
                self.change(&key, |endpoint| endpoint.not_restarted(&reason, self.context.now())).await?;
                Ok(false)
            }
        }
    }

    /// Ends an endpoint: requests under way, captures, models, and then the document, so that nothing remains.
    async fn delete(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        let old = self.set(&key, Found::OutOfService);
        let mut models: Vec<Arc<ModelServer>> = Vec::new();
        if let Some(Found::Serving(deployment)) = old {
            models.extend(deployment.models().cloned());
            let longest = Duration::from_secs(self.context.configuration.hosting.invocation_seconds);
            if tokio::time::timeout(longest, drained_with(deployment, &models)).await.is_err() {
                tracing::warn!(endpoint = endpoint.name, "requests did not end in time and are cut off");
            }
        }
        if tokio::time::timeout(LONGEST_FLUSH, self.capture.flush(&endpoint.name)).await.is_err() {
            tracing::warn!(endpoint = endpoint.name, "the captures of a deleted endpoint are not stored yet");
        }
        join_all(models.iter().map(|model| model.stop())).await;
        self.remove(&key).await?;
        self.places.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(true)
    }

    /// Puts something in an endpoint's place; models that are no longer in service end with the last request.
    fn replace(&self, key: &str, found: Found) {
        let new = match &found {
            Found::Serving(deployment) => Some(Arc::clone(deployment)),
            _ => None,
        };
        if let Some(Found::Serving(old)) = self.set(key, found) {
            let goes_on = |model: &Arc<ModelServer>| {
                new.iter().flat_map(|new| new.models()).any(|going_on| Arc::ptr_eq(going_on, model))
            };
            let ended = old.models().filter(|model| !goes_on(model)).cloned().collect();
            tokio::spawn(retire(old, ended));
        }
    }

    fn set(&self, key: &str, found: Found) -> Option<Found> {
        self.places.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), found)
    }

    fn serving(&self, key: &str) -> Option<Arc<Deployment>> {
        match self.endpoint(key) {
            Found::Serving(deployment) => Some(deployment),
            _ => None,
        }
    }

    /// Changes a document. What others changed of it in the meantime, as its tags, is kept.
    async fn change(&self, key: &str, change: impl Fn(&Endpoint) -> Option<Endpoint>) -> Result<(), Error> {
        self.commit(key, |endpoint, version| {
            change(endpoint).map(|changed| Transaction::new().update(&changed, version))
        })
        .await
    }

    async fn remove(&self, key: &str) -> Result<(), Error> {
        self.commit(key, |endpoint, version| {
            (endpoint.status == EndpointStatus::Deleting).then(|| Transaction::new().delete(endpoint, version))
        })
        .await
    }

    async fn commit(
        &self,
        key: &str,
        transaction: impl Fn(&Endpoint, i64) -> Option<Transaction>,
    ) -> Result<(), Error> {
        loop {
            let Some(found) = self.context.resources.get::<Endpoint>(key).await? else { return Ok(()) };
            let Some(transaction) = transaction(&found.resource, found.version) else { return Ok(()) };
            match self.context.resources.commit(transaction).await {
                Err(Error::Conflict { .. }) => tokio::task::yield_now().await,
                other => return other,
            }
        }
    }

    /// Leaves an endpoint alone for a while, each time for longer.
    fn pause(&self, key: String, step: Step) {
        let mut pauses = self.pauses();
        let before = pauses.get(&key).filter(|pause| pause.step == step);
        let length = before.map_or(FIRST_PAUSE, |pause| (pause.length * 2).min(LONGEST_PAUSE));
        pauses.insert(key, Pause { step, until: Instant::now() + length, length });
    }

    /// When the next step is tried again of those that were left alone at a moment.
    fn next_end_of_a_pause(&self, moment: Instant) -> Option<Instant> {
        self.pauses().values().map(|pause| pause.until).filter(|until| *until > moment).min()
    }

    fn pauses(&self) -> MutexGuard<'_, HashMap<String, Pause>> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn models(&self) -> MutexGuard<'_, Vec<Weak<ModelServer>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends models that went out of service with a generation, once nobody asks them.
async fn retire(old: Arc<Deployment>, ended: Vec<Arc<ModelServer>>) {
    drained_with(old, &ended).await;
    join_all(ended.iter().map(|model| model.stop())).await;
}

/// Returns when no request is under way at a deployment that is out of service, nor at models of it: an earlier generation
/// that had them, too, may have ones that take longer.
async fn drained_with(deployment: Arc<Deployment>, models: &[Arc<ModelServer>]) {
    while deployment.is_in_use() {
        tokio::time::sleep(DRAIN_LOOK).await;
    }
    drop(deployment);
    for model in models {
        while Arc::strong_count(model) > 1 {
            tokio::time::sleep(DRAIN_LOOK).await;
        }
    }
}
