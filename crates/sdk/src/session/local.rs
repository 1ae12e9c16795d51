//! A Watchkeeper in this process, for tests and notebooks: its service on a port of the loopback, its analyzers on threads.
//!
//! The service has a thread with a runtime of its own, so that it goes on whatever the caller's runtime does, and also where
//! there is none. It ends with the last clone of its session, which waits for that: afterwards there is no thread, no port, and
//! no temporary folder left. To leave it to the end of the process was decided against: a test's folder would outlive it.

use std::convert::Infallible;
use std::io::{PipeWriter, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use watchkeeper_analyzer::image::{Image, Job};
use watchkeeper_analyzer::{Level, Observer, log_line};
use watchkeeper_service::Service;
use watchkeeper_service::configuration::{Configuration, ServerSettings};
use watchkeeper_service::program::threads::Analysis;
use watchkeeper_service::server::{DataDirectory, ServiceAddress};

use super::{Credentials, Session, SessionBuilder};
use crate::{Error, Result};

/// The time between two looks at a job: here they take tenths of seconds, not minutes.
const LOOK: Duration = Duration::from_millis(100);
/// Seconds that jobs have to end in when the last session goes.
const SHUTDOWN_SECONDS: u64 = 4;
/// How long blocking work may still take when the service has ended.
const BLOCKING_WORK_END: Duration = Duration::from_secs(1);

impl Session {
    /// A Watchkeeper of this process, empty, in a temporary folder; both end with the last clone of the session, which waits for
    /// it. It needs no server, no credentials and no other program, and nothing of it depends on the environment.
    ///
    /// Built-in images run on threads of this process. What needs a process of its own (images mapped to programs, network
    /// isolation, limits of memory) needs `watchkeeper serve`; what is asked to stop does so at its next safe point.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), watchkeeper::Error> {
    /// use watchkeeper::Session;
    /// use watchkeeper::model_monitor::{DatasetFormat, DefaultModelMonitor};
    ///
    /// let session = Session::local().await?;
    /// let mut monitor = DefaultModelMonitor::new(&session, "arn:aws:iam::000000000000:role/monitoring");
    /// monitor.suggest_baseline(std::path::Path::new("train.csv"), DatasetFormat::csv(true)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the folder cannot be made or the service does not start.
    pub async fn local() -> Result<Self> {
        Self::builder().local().await
    }

    /// The same in a folder that stays, with all that was kept there before; one service at a time can use it.
    ///
    /// # Errors
    /// When the service does not start, as where another uses the folder.
    pub async fn local_in(folder: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().local_in(folder).await
    }
}

impl SessionBuilder {
    /// As [`Session::local`], with the other settings of this builder. Addresses, region, credentials and the default bucket are
    /// those of the service.
    ///
    /// # Errors
    /// As [`Session::local`].
    pub async fn local(self) -> Result<Session> {
        let folder = tempfile::Builder::new().prefix("watchkeeper-").tempdir();
        let folder = folder.map_err(|source| Error::File { path: std::env::temp_dir(), reason: source })?;
        let path = folder.path().to_owned();
        self.with_service(path, Some(folder)).await
    }

    /// As [`Session::local_in`], with the other settings of this builder.
    ///
    /// # Errors
    /// As [`Session::local_in`].
    pub async fn local_in(self, folder: impl Into<PathBuf>) -> Result<Session> {
        self.with_service(folder.into(), None).await
    }

    async fn with_service(self, path: PathBuf, folder: Option<TempDir>) -> Result<Session> {
        let (local, Place { service, credentials }) = Local::start(path, folder).await?;
        let poll_every = self.poll_every.unwrap_or(LOOK);
        // The environment leads elsewhere.
        self.environment(std::iter::empty::<(String, String)>())
            .endpoint_url(service.endpoint_url)
            .region(service.region)
            .credentials(credentials)
            .default_bucket(service.default_bucket)
            .poll_every(poll_every)
            .keeping(Some(Box::new(local)))
    }
}

/// Where a service is, and a key to it.
struct Place {
    service: ServiceAddress,
    credentials: Credentials,
}

/// A service on a thread. Dropping it ends it.
struct Local {
    /// Says that it is to end by being dropped.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
    /// Removed when the service has ended.
    _folder: Option<TempDir>,
}

impl Local {
    /// Returns when it answers. A start that is given up ends what it has begun.
    async fn start(path: PathBuf, folder: Option<TempDir>) -> Result<(Self, Place)> {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = oneshot::channel();
        let spawned =
            std::thread::Builder::new().name("watchkeeper".to_owned()).spawn(move || run(&path, tell, stopped));
        let thread = spawned.map_err(|error| does_not_start(&error))?;
        let local = Self { stop: Some(stop), thread: Some(thread), _folder: folder };
        let place = told.await.unwrap_or_else(|_| Err(does_not_start(&"its thread ended")))?;
        Ok((local, place))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of it was told already, and is no reason for another.
            let _ = thread.join();
        }
    }
}

fn does_not_start(reason: &dyn std::fmt::Display) -> Error {
    Error::Session(format!("the local service does not start: {reason}"))
}

/// The thread: a service from its start until nobody holds the other end of `stopped`.
fn run(path: &Path, tell: oneshot::Sender<Result<Place>>, stopped: oneshot::Receiver<Infallible>) {
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return drop(tell.send(Err(does_not_start(&error)))),
    };
    runtime.block_on(async {
        match start(path).await {
            Ok((service, place)) => {
                let _ = tell.send(Ok(place));
                let _ = stopped.await;
                service.shutdown().await;
            }
            Err(error) => drop(tell.send(Err(error))),
        }
    });
    // Dropped, it would wait for blocking work without end.
    runtime.shutdown_timeout(BLOCKING_WORK_END);
}

async fn start(path: &Path) -> Result<(Service, Place)> {
    // Nothing of a file or of the environment, so that it is the same everywhere.
    let configuration = Configuration {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: path.to_owned(),
        server: ServerSettings { shutdown_seconds: SHUTDOWN_SECONDS, ..ServerSettings::default() },
        ..Configuration::default()
    };
    let service = Service::start_embedded(configuration, Arc::new(analyze)).await;
    let service = service.map_err(|error| does_not_start(&error))?;
    let place = || {
        let directory = DataDirectory::of(Some(path))?;
        let key = directory.credentials()?;
        let credentials = Credentials::new(key.access_key_id, key.secret_access_key);
        Ok(Place { service: directory.service()?, credentials })
    };
    let place = place().map_err(|error: watchkeeper_service::server::DataDirectoryError| does_not_start(&error))?;
    Ok((service, place))
}

/// Carries out a job of a built-in image.
fn analyze(analysis: &Analysis) -> bool {
    let log = JobLog { analysis, output: Mutex::new(&analysis.output) };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let Some(image) = Image::named(&analysis.analyzer) else {
        log.log(Level::Error, &format!("there is no analyzer {}", analysis.analyzer));
        return false;
    };
    let ended = Job::new(image, analysis.variables.clone()).and_then(|job| job.run(threads, &log));
    ended.unwrap_or_else(|error| {
        log.log(Level::Error, &error.to_string());
        false
    })
}

/// A job's log and what it is asked to do.
struct JobLog<'a> {
    analysis: &'a Analysis,
    /// Lines come from several threads, and must not mix.
    output: Mutex<&'a PipeWriter>,
}

impl Observer for JobLog<'_> {
    fn log(&self, level: Level, line: &str) {
        // Whoever was killed has nobody left to read.
        let _ = self.output.lock().unwrap_or_else(PoisonError::into_inner).write_all(log_line(level, line).as_bytes());
    }

    fn stopped(&self) -> bool {
        self.analysis.stopped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_temporary_folder_goes_with_its_service() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let (local, place) = Local::start(path.clone(), Some(folder)).await.unwrap();
        let address = place.service.endpoint_url.strip_prefix("http://").unwrap().to_owned();
        assert!(path.join("service.json").try_exists().unwrap() && std::net::TcpStream::connect(&address).is_ok());
        drop(local);
        assert!(!path.try_exists().unwrap() && std::net::TcpStream::connect(&address).is_err());
    }

    /// Who gives a start up waits for its end, and finds nothing left.
    #[tokio::test]
    async fn a_start_that_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let mut start = Box::pin(Local::start(path.clone(), Some(folder)));
        assert!(
            std::future::poll_fn(|context| std::task::Poll::Ready(start.as_mut().poll(context))).await.is_pending()
        );
        drop(start);
        assert!(!path.try_exists().unwrap());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = Session::local_in(file.join("below")).await.unwrap_err().to_string();
        assert!(error.contains("the local service does not start: ") && error.contains("below"), "{error}");
    }
}
