//! The listener and what wires the parts together.
//!
//! One port: AWS's protocols by signature, target and path; S3 for the rest; CONNECT and absolute addresses as a proxy;
//! health, metrics and the operators' interface under `/_watchkeeper/`. Nothing but health and metrics is answered
//! without a signature, and everything is bounded: connections, headers, bodies, the time that either may stand still.

mod authentication;
pub(crate) mod body;
mod certificates;
pub(crate) mod chunks;
pub mod credentials;
mod data_directory;
mod first_start;
mod health;
mod keys;
mod listener;
mod object_errors;
mod objects_place;
mod open_files;
mod others;
mod proxy;
mod rates;
pub(crate) mod relay;
mod routing;
mod shared_clock;
pub(crate) mod timed_stream;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;
use watchkeeper_store::Store;
use watchkeeper_store::objects::SYSTEM_BUCKET;

use crate::configuration::{Configuration, Role};
use crate::context::{Clock, Context, MachineClock};
use crate::hosting::{self, Hosting};
use crate::processes::{self, Processes};
use crate::program;
use crate::program::launch::Launcher;
use crate::program::sandbox::Sandbox;
use crate::program::threads::{Analyze, Threads};
use crate::resources::{self, Resources};
use crate::telemetry::latest_metrics::LatestMetrics;
use crate::telemetry::prometheus;

pub use data_directory::{DataDirectory, Error as DataDirectoryError, ServiceAddress};
pub use listener::listen;

use certificates::Certificates;
use credentials::AccessKeys;
use listener::Front;
use routing::Router;
use shared_clock::SharedClock;

/// How long a part that failed is left alone before it is started again.
const RESTART_PAUSE: Duration = Duration::from_secs(1);
/// How long connections that are cut off may take to let go, and the last metrics to be stored.
const CUTTING_OFF: Duration = Duration::from_secs(2);
/// How long the databases may take to close.
const CLOSING: Duration = Duration::from_secs(10);

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody can listen there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Strangers could reach through the proxy whatever this machine can.
    #[error(
        "`proxy.pass_through` lets whoever reaches {address} connect to whatever this machine can reach: listen on a \
         loopback address such as 127.0.0.1, or leave `proxy.pass_through` off and add the other hosts to NO_PROXY"
    )]
    OpenProxy {
        /// The address, which others than this machine reach.
        address: SocketAddr,
    },
    /// The state cannot be opened.
    #[error(transparent)]
    Store(#[from] watchkeeper_store::Error),
    /// The access keys cannot be read or made.
    #[error(transparent)]
    Credentials(#[from] credentials::Error),
    /// The certificates of the proxy mode cannot be read or made.
    #[error(transparent)]
    Certificates(#[from] certificates::Error),
    /// The objects are not where this process looks for them.
    #[error(transparent)]
    Objects(#[from] objects_place::Error),
    /// The endpoints of the store cannot be read.
    #[error(transparent)]
    Resources(#[from] resources::Error),
    /// Models cannot be hosted, or what they are asked not be captured.
    #[error("cannot host models: {0}")]
    Hosting(#[source] std::io::Error),
    /// The files for the commands cannot be written.
    #[error(transparent)]
    DataDirectory(#[from] data_directory::Error),
}

/// A running service.
pub struct Service {
    address: SocketAddr,
    context: Arc<Context>,
    /// None once it was closed.
    store: Option<Store>,
    hosting: Arc<Hosting>,
    /// Says that no more connections are accepted.
    closing: watch::Sender<bool>,
    /// Says that everything ends.
    stopping: watch::Sender<bool>,
    listener: JoinHandle<()>,
    workers: Vec<JoinHandle<()>>,
}

impl Service {
    /// Starts the service of a configuration. When this returns it answers.
    pub async fn start(configuration: Configuration) -> Result<Self, Error> {
        Self::start_by(configuration, None).await
    }

    /// The same with another source of moments.
    pub async fn start_at(configuration: Configuration, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::start_by(configuration, Some(clock)).await
    }

    async fn start_by(configuration: Configuration, clock: Option<Arc<dyn Clock>>) -> Result<Self, Error> {
        prometheus::install();
        open_files::allow(configuration.server.max_connections);
        let program = program::own(&configuration).map_err(Error::Hosting)?;
        Self::start_with(configuration, clock, Arc::new(Sandbox::new(program))).await
    }

    /// The same as a part of another program: built-in images are carried out by a function of it, on threads, and there are
    /// no other programs. Nothing of that process is changed: its recorder of metrics, its subscriber of traces and its signals
    /// are its own.
    pub async fn start_embedded(mut configuration: Configuration, analyze: Analyze) -> Result<Self, Error> {
        // No file has this name: it is what the launcher knows the built-in images by.
        let program = vec!["(embedded)".to_owned()];
        configuration.runner.program.clone_from(&program);
        Self::start_with(configuration, None, Arc::new(Threads::new(program, analyze))).await
    }

    /// Without a clock it goes by that of the store, where processes share one, or by the machine's.
    async fn start_with(
        configuration: Configuration,
        clock: Option<Arc<dyn Clock>>,
        launcher: Arc<dyn Launcher>,
    ) -> Result<Self, Error> {
        let listen = configuration.listen;
        if configuration.proxy.pass_through && !listen.ip().to_canonical().is_loopback() {
            return Err(Error::OpenProxy { address: listen });
        }
        let store = Store::open_with(&configuration.store()).await?;
        let listener = listener::listen(listen).and_then(TcpListener::from_std);
        let listener = listener.map_err(|source| Error::Listen { address: listen, source })?;
        let address = listener.local_addr().map_err(|source| Error::Listen { address: listen, source })?;
        let (stopping, stops) = watch::channel(false);
        let (closing, closes) = watch::channel(false);
        let directory = DataDirectory::of(Some(&configuration.data_dir))?;
        let shared_clock = match &clock {
            Some(_) => None,
            None => SharedClock::of(&store.metadata).await?,
        };
        let clock =
            clock.or_else(|| shared_clock.clone().map(|clock| clock as _)).unwrap_or_else(|| Arc::new(MachineClock));
        let latest = Arc::new(LatestMetrics::over(Arc::clone(&store.metadata), configuration.database.url.is_some()));
        let context = Arc::new(Context {
            resources: Resources::new(Arc::clone(&latest) as _),
            objects: Arc::clone(&store.objects),
            logs: Arc::clone(&store.logs),
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock,
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping: stops,
            endpoint_url: OnceLock::new(),
            processes: Processes::default(),
            job_credentials: OnceLock::new(),
            owner: Uuid::new_v4().to_string(),
            configuration,
        });
        objects_place::settle(&context).await?;
        let keys = AccessKeys::open(
            context.resources.clone(),
            Arc::clone(&store.keys),
            directory.clone(),
            &context.configuration,
            context.now(),
        )
        .await?;
        let keys = Arc::new(keys);
        let _ = context.job_credentials.set(keys.own());
        first_start::prepare(&context).await?;
        let certificates = Certificates::open(&directory, context.now())?;
        let hosting = Hosting::start(&context, launcher).map_err(Error::Hosting)?;
        hosting.take_stock().await?;
        let router = Router::new(Arc::clone(&context), Arc::clone(&keys), latest, Arc::clone(&hosting));
        let front = Front::new(Arc::clone(&context), certificates, router, address, closes)
            .map_err(|source| Error::Listen { address, source })?;
        let clients = service_address(&context.configuration, address);
        directory.write_service(&clients)?;
        let _ = context.endpoint_url.set(clients.endpoint_url);
        let listener = tokio::spawn(Arc::new(front).run(listener));
        let mut workers = start_workers(&context, &hosting);
        if context.is_shared() {
            workers.push(supervise("the sign of this process", &context, processes::run));
            workers.push(others::follow(&hosting, &keys));
        }
        workers.extend(shared_clock.map(|clock| tokio::spawn(clock.keep_right(context.stopping.clone()))));
        let configuration = &context.configuration;
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            %address,
            data_dir = %configuration.data_dir.display(),
            roles = ?configuration.roles,
            "started"
        );
        Ok(Self { address, context, store: Some(store), hosting, closing, stopping, listener, workers })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its parts were handed.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Its endpoints.
    pub fn hosting(&self) -> &Arc<Hosting> {
        &self.hosting
    }

    /// Stops accepting, lets requests finish, ends scheduler, jobs and models, each for as long as the configuration says,
    /// writes what was captured, and lets go of the data directory.
    pub async fn shutdown(mut self) {
        let grace = Duration::from_secs(self.context.configuration.server.shutdown_seconds);
        tracing::info!("stopping: requests and jobs have {} seconds to end", grace.as_secs());
        self.closing.send_replace(true);
        if tokio::time::timeout(grace, &mut self.listener).await.is_err() {
            tracing::warn!("requests did not finish in time and are cut off");
        }
        // Connections end with it, and the listener with the last of them.
        self.stopping.send_replace(true);
        if !self.listener.is_finished() && tokio::time::timeout(CUTTING_OFF, &mut self.listener).await.is_err() {
            tracing::warn!("a request does not let itself be cut off");
            self.listener.abort();
        }
        self.context.scheduler_bell.notify_waiters();
        self.context.runner_bell.notify_waiters();
        self.context.hosting_bell.notify_waiters();
        let latest = tokio::time::Instant::now() + grace;
        for mut worker in std::mem::take(&mut self.workers) {
            if tokio::time::timeout_at(latest, &mut worker).await.is_err() {
                tracing::warn!("a part of the service did not end in time and is cut off");
                worker.abort();
            }
        }
        // Requests have ended, so that nothing more is captured.
        if tokio::time::timeout(grace, self.hosting.shutdown()).await.is_err() {
            tracing::warn!("captures were not all stored, or models did not all end, in time");
        }
        if tokio::time::timeout(CUTTING_OFF, processes::leave(&self.context)).await.is_err() {
            tracing::warn!("the other processes are not told that this one stops: the store takes too long");
        }
        if tokio::time::timeout(CUTTING_OFF, self.hosting.publish_counts()).await.is_err() {
            tracing::warn!("what was counted last of endpoints is not published: the store takes too long");
        }
        if let Some(store) = self.store.take()
            && tokio::time::timeout(CLOSING, store.close()).await.is_err()
        {
            tracing::warn!("the state did not close in time: the next start takes up what was left");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.closing.send_replace(true);
        self.stopping.send_replace(true);
        self.listener.abort();
        for worker in &self.workers {
            worker.abort();
        }
    }
}

/// Starts what the roles ask for. Endpoints are deployed where they are asked.
fn start_workers(context: &Arc<Context>, hosting: &Arc<Hosting>) -> Vec<JoinHandle<()>> {
    let mut workers = Vec::new();
    if context.configuration.has_role(Role::Api) {
        workers.push(supervise_hosting("endpoints", hosting, Hosting::run));
        workers.push(supervise_hosting("asynchronous invocations", hosting, hosting::invocation::asynchronous::run));
        workers.push(supervise("encryption keys", context, crate::api::kms::run));
        workers.push(supervise_hosting("figures of endpoints", hosting, hosting::traffic::run));
    }
    if context.configuration.has_role(Role::Scheduler) {
        workers.push(supervise("scheduler", context, crate::scheduler::run));
        workers.push(supervise("retention", context, crate::retention::run));
    }
    if context.configuration.has_role(Role::Runner) {
        let launcher = Arc::clone(&hosting.launcher);
        let run = move |context| crate::runner::run(context, Arc::clone(&launcher));
        workers.push(supervise("runner", context, run));
        workers.push(supervise_hosting("transform jobs", hosting, hosting::transform::run));
    }
    workers
}

/// Keeps a part of the hosting running until the service stops.
fn supervise_hosting<F, R>(name: &'static str, hosting: &Arc<Hosting>, run: F) -> JoinHandle<()>
where
    F: Fn(Arc<Hosting>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let part = Arc::clone(hosting);
    supervise(name, &hosting.context, move |_| run(Arc::clone(&part)))
}

/// Keeps a part running until the service stops: one that panics is started again.
fn supervise<F, R>(name: &'static str, context: &Arc<Context>, run: F) -> JoinHandle<()>
where
    F: Fn(Arc<Context>) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let context = Arc::clone(context);
    tokio::spawn(async move {
        let mut stopping = context.stopping.clone();
        loop {
            // In a task of its own, so that a panic ends there; aborted with this one.
            let mut part = tokio::task::JoinSet::new();
            part.spawn(run(Arc::clone(&context)));
            match part.join_next().await {
                Some(Err(error)) if error.is_panic() => {
                    tracing::error!(%error, "a part of the service failed and is started again: {name}");
                }
                _ if *stopping.borrow() => return,
                _ => tracing::error!("a part of the service ended by itself and is started again: {name}"),
            }
            tokio::select! {
                () = tokio::time::sleep(RESTART_PAUSE) => {}
                () = async { let _ = stopping.wait_for(|stopping| *stopping).await; } => return,
            }
        }
    })
}

/// What clients have to be told. Who listens everywhere is reached at the machine's own address.
fn service_address(configuration: &Configuration, address: SocketAddr) -> ServiceAddress {
    let mut reached = address;
    if address.ip().is_unspecified() {
        reached.set_ip(match address.ip() {
            std::net::IpAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            std::net::IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let endpoint_url = configuration.server.endpoint_url.clone();
    ServiceAddress {
        endpoint_url: endpoint_url.unwrap_or_else(|| format!("http://{reached}")),
        region: configuration.region.clone(),
        account: configuration.account.clone(),
        default_bucket: configuration.default_bucket(),
        sdk_defaults: format!("s3://{SYSTEM_BUCKET}/{}", first_start::SDK_DEFAULTS),
    }
}
