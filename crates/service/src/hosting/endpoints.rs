//! From endpoints in the store to deployments, and back to their status.
//!
//! Whoever changes an endpoint writes what he wants into its document and rings; the loop here looks at all endpoints, and
//! takes each a step further that is not where it should be: its models are started, started again after the service
//! was, or ended. Steps of different endpoints know nothing of each other, so that a slow model delays nobody. A step that is
//! cut off, by the end of the process too, is taken again from the beginning.
//!
//! Of several processes that answer requests each runs the models of all endpoints. The first whose models answer, or do not
//! start, says so in the document; the others follow what it says, whether they have seen each state on the way or not.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use watchkeeper_aws::generated::sagemaker::EndpointStatus;
use watchkeeper_store::metadata::Query;

use super::capture::{CaptureWriter, StoreSink};
use super::deployment::{Deployment, Origin};
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
    External(Arc<Origin>),
    /// It exists and has failed, or is being deleted.
    OutOfService,
    /// There is none.
    Unknown,
}

impl Found {
    /// What it was made from, where something answers or is served elsewhere.
    fn origin(&self) -> Option<&Origin> {
        match self {
            Self::Serving(deployment) => Some(&deployment.origin),
            Self::External(origin) => Some(origin),
            Self::Starting | Self::OutOfService | Self::Unknown => None,
        }
    }
}

/// What an endpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Its models are to be started, and its status is to say how that went.
    Start,
    /// It is in service, and its models are to be started here: for the first time since this process was, or since another
    /// process has put them in service.
    Restart,
    /// It is to go.
    Delete,
    /// Another process has found that it failed, or deleted it: nothing of it is to stay here.
    Withdraw,
}

impl Step {
    /// Whether another step makes no sense any more once this one is due.
    fn supersedes(self, other: Self) -> bool {
        match self {
            Self::Delete => other != Self::Delete,
            Self::Withdraw => matches!(other, Self::Start | Self::Restart),
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

/// A step that is due.
struct Due {
    key: String,
    step: Step,
    /// None where there is no document any more.
    endpoint: Option<Endpoint>,
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
            join_all(due.into_iter().map(|due| Arc::clone(self).take(due))).await;
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
    fn begin(self: &Arc<Self>, due: Vec<Due>, busy: &mut HashMap<String, Busy>, steps: &mut JoinSet<()>) {
        for due in due {
            match busy.get(&due.key) {
                Some(other) if due.step.supersedes(other.step) => other.handle.abort(),
                Some(_) => {}
                None => {
                    let (key, step) = (due.key.clone(), due.step);
                    let handle = steps.spawn(Arc::clone(self).take(due));
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
    async fn due(&self) -> Result<Vec<Due>, Error> {
        let endpoints = self.context.resources.list::<Endpoint>(&Query::default()).await?;
        let now = Instant::now();
        let pauses = self.pauses().clone();
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        let mut known = HashSet::new();
        for endpoint in endpoints.into_iter().map(|endpoint| endpoint.resource) {
            let key = endpoint.key();
            known.insert(key.clone());
            let (step, place) = next(&endpoint, places.get(&key).and_then(Found::origin));
            if let Some(place) = place {
                places.insert(key.clone(), place);
            }
            if let Some(step) = step
                && pauses.get(&key).is_none_or(|pause| pause.until <= now || pause.step != step)
            {
                due.push(Due { key, step, endpoint: Some(endpoint) });
            }
        }
        // One whose deletion ended while the endpoints were read, after this had put it back.
        places.retain(|key, place| known.contains(key) || !matches!(place, Found::OutOfService | Found::Unknown));
        let left = places.keys().filter(|key| !known.contains(*key));
        due.extend(left.map(|key| Due { key: key.clone(), step: Step::Withdraw, endpoint: None }));
        Ok(due)
    }

    /// Takes an endpoint a step further.
    async fn take(self: Arc<Self>, Due { key, step, endpoint }: Due) {
        let taken = match (step, &endpoint) {
            (Step::Start, Some(endpoint)) => self.start_models(endpoint).await,
            (Step::Restart, Some(endpoint)) => self.restart_models(endpoint).await,
            (Step::Delete, Some(endpoint)) => self.delete(endpoint).await,
            (_, endpoint) => {
                self.withdraw(&key).await;
                if endpoint.is_none() {
                    self.places.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
                }
                Ok(true)
            }
        };
        match taken {
            Ok(true) => {
                self.pauses().remove(&key);
            }
            Ok(false) => self.pause(key, step),
            Err(error) => {
                tracing::error!(endpoint = key, %error, "the status of an endpoint could not be stored");
                self.pause(key, step);
            }
        }
    }

    /// Starts what a new endpoint runs, or what one is updated to; what is in service is so until then.
    async fn start_models(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        let old = self.serving(endpoint);
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

    /// Starts what an endpoint in service runs, after the service itself was started again or another process has put it in
    /// service.
    async fn restart_models(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        let old = self.serving(endpoint);
        match self.deploy(endpoint, endpoint.current(), old.as_deref()).await {
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

    /// Ends an endpoint: requests under way, models, captures, and then the document, so that nothing remains.
    async fn delete(&self, endpoint: &Endpoint) -> Result<bool, Error> {
        let key = endpoint.key();
        self.withdraw(&key).await;
        if tokio::time::timeout(LONGEST_FLUSH, self.capture.flush(&endpoint.name)).await.is_err() {
            tracing::warn!(endpoint = endpoint.name, "the captures of a deleted endpoint are not stored yet");
        }
        self.remove(&key).await?;
        self.places.write().unwrap_or_else(PoisonError::into_inner).remove(&key);
        Ok(true)
    }

    /// Takes an endpoint out of service in this process: requests under way, then models.
    async fn withdraw(&self, key: &str) {
        let Some(Found::Serving(deployment)) = self.set(key, Found::OutOfService) else { return };
        let name = deployment.name.clone();
        let models: Vec<Arc<ModelServer>> = deployment.models().cloned().collect();
        let longest = Duration::from_secs(self.context.configuration.hosting.invocation_seconds);
        if tokio::time::timeout(longest, drained_with(deployment, &models)).await.is_err() {
            tracing::warn!(endpoint = name, "requests did not end in time and are cut off");
        }
        join_all(models.iter().map(|model| model.stop())).await;
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

    /// What answers for an endpoint. Of an earlier one of its name nothing is taken over: its models may have been others at
    /// the same address.
    fn serving(&self, endpoint: &Endpoint) -> Option<Arc<Deployment>> {
        match self.endpoint(&endpoint.key()) {
            Found::Serving(deployment) if deployment.origin.created == endpoint.created => Some(deployment),
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

/// What an endpoint needs, whose place was made from `origin` where it has one that answers, and what is to be in its place
/// from now on, where that is something else.
fn next(endpoint: &Endpoint, origin: Option<&Origin>) -> (Option<Step>, Option<Found>) {
    let unless_deployed = |place: Found| origin.is_none().then_some(place);
    match endpoint.status {
        EndpointStatus::Creating | EndpointStatus::Updating => (Some(Step::Start), unless_deployed(Found::Starting)),
        EndpointStatus::InService if origin.is_some_and(|origin| origin.is_current(endpoint)) => (None, None),
        EndpointStatus::InService => (Some(Step::Restart), unless_deployed(Found::Starting)),
        EndpointStatus::Deleting => (Some(Step::Delete), unless_deployed(Found::OutOfService)),
        _ => (origin.map(|_| Step::Withdraw), unless_deployed(Found::OutOfService)),
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
