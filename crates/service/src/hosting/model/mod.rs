//! Models that can be asked: a server that runs elsewhere, a program or container of ours, a built-in, or a chain of them.
//!
//! [`source`] says what an image stands for, [`archive`] brings the model's files, [`process`] keeps a program running
//! ([`container`] one in a container), [`remote`] asks what speaks HTTP through [`Upstream`], and [`built_in`] answers in
//! this process. An answer is handed on as it comes; nothing here keeps one.

mod archive;
mod built_in;
mod process;
mod remote;
mod source;
mod start;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Collected, Limited};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use watchkeeper_aws::generated::sagemaker::CreateModelInput;

use self::built_in::BuiltIn;
use self::remote::Remote;
use crate::context::Context;
use crate::pieces::Pieces;
use crate::program::launch::Launcher;
use crate::program::{container, folder};

pub(crate) use upstream::BodyCopy;
pub use upstream::{RequestBody, Upstream, UpstreamBody};

/// Which container of a model in `Direct` mode is asked.
const TARGET_CONTAINER: &str = "x-amzn-sagemaker-target-container-hostname";
/// The most bytes that one container of a chain hands to the next: a batch transform's largest payload, and some.
const LARGEST_BETWEEN: usize = 128 << 20;
/// So many large bodies are answered by built-in models at the same time: as records they are many times as large.
const LARGE_AT_ONCE: usize = 4;
/// Bodies of more bytes than this are answered by built-in models outside the threads that serve connections.
const LARGE_BODY: usize = 256 << 10;

/// What a model is started with.
pub struct ModelSpecification {
    /// The model.
    pub model: CreateModelInput,
    /// The region of what asks for it.
    pub region: String,
    /// `ml.m5.large`, which says how much memory it may use.
    pub instance_type: Option<String>,
    /// Log group of its programs.
    pub log_group: String,
    /// Log stream of its programs; of a chain the hostname of the container follows, after a slash.
    pub log_stream: String,
    /// A name for folders and messages, unique among what runs.
    pub label: String,
    /// How long it may take to become ready.
    pub startup_timeout: Duration,
    /// How long its archive may take to be fetched.
    pub download_timeout: Duration,
    /// How it is used, where it is by a transform job.
    pub batch: Option<BatchSpecification>,
}

/// What a model server of a transform job is told.
#[derive(Clone, Debug)]
pub struct BatchSpecification {
    /// `SAGEMAKER_MAX_CONCURRENT_TRANSFORMS`.
    pub max_concurrent_transforms: u32,
    /// `SAGEMAKER_MAX_PAYLOAD_IN_MB`.
    pub max_payload_in_mb: u32,
    /// `SAGEMAKER_BATCH_STRATEGY`: `MULTI_RECORD` or `SINGLE_RECORD`.
    pub strategy: String,
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// The headers that are passed on: content type, accept, those of AWS.
    pub headers: HeaderMap,
    /// The body.
    pub body: Pieces,
}

/// What a model answers, whatever its status.
pub struct ModelAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: ModelBody,
}

/// The body of a model's answer.
pub enum ModelBody {
    /// All of it.
    Whole(Bytes),
    /// As it comes.
    Stream(UpstreamBody),
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum InvokeError {
    /// The model is not ready: it starts, or starts again.
    #[error("the model is not ready: {0}")]
    NotReady(String),
    /// Nobody answers at its address, or the connection broke.
    #[error("{0}")]
    Unreachable(String),
    /// It took too long.
    #[error("the model gave no answer within {0:?}")]
    TimedOut(Duration),
    /// What came is no HTTP.
    #[error("{0}")]
    Garbage(String),
}

/// Why a model does not start, for the person who reads `FailureReason`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartError {
    /// Nothing is known of its image.
    Unmapped(String),
    /// Its models are served elsewhere.
    External,
    /// Anything else.
    Failed(String),
}

/// How model servers are watched over.
#[derive(Clone, Copy, Debug)]
pub struct Supervision {
    /// The time between two looks at `/ping`.
    pub ping_interval: Duration,
    /// How long `/ping` may take.
    pub ping_timeout: Duration,
    /// After so many pings in a row without an answer a program is ended and started again.
    pub misses: u32,
    /// How long a program that has ended waits for its next start; twice as long each time.
    pub first_pause: Duration,
    /// The longest such wait.
    pub longest_pause: Duration,
    /// After so long the next wait is the first again.
    pub healthy_after: Duration,
    /// What a program has from SIGTERM to SIGKILL.
    pub grace: Duration,
}

impl Default for Supervision {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(5),
            ping_timeout: Duration::from_secs(2),
            misses: 6,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            healthy_after: Duration::from_mins(1),
            grace: Duration::from_secs(10),
        }
    }
}

/// A model that can be asked. Its programs end when the last that holds it lets go.
pub struct ModelServer {
    /// Never empty.
    containers: Vec<Container>,
    /// Whether the request says which container is asked, and none is handed the answer of another.
    is_direct: bool,
}

/// One container of a model.
struct Container {
    hostname: String,
    model: Model,
}

enum Model {
    BuiltIn(Arc<BuiltIn>),
    Remote(Remote),
}

impl ModelServer {
    /// Starts a model; returns when it is ready.
    ///
    /// # Errors
    /// Why it does not start. Nothing of it is left then, nor when this is dropped before.
    pub async fn start(
        context: &Arc<Context>,
        launcher: &Arc<dyn Launcher>,
        specification: ModelSpecification,
    ) -> Result<Arc<Self>, StartError> {
        let usual = Supervision::default();
        let half = Duration::from_secs(context.configuration.server.shutdown_seconds) / 2;
        let supervision = Supervision { grace: usual.grace.min(half), ..usual };
        Self::start_with(context, launcher, specification, supervision).await
    }

    /// As [`ModelServer::start`], with other times.
    ///
    /// # Errors
    /// As [`ModelServer::start`].
    pub async fn start_with(
        context: &Arc<Context>,
        launcher: &Arc<dyn Launcher>,
        specification: ModelSpecification,
        supervision: Supervision,
    ) -> Result<Arc<Self>, StartError> {
        start::start(context, launcher, specification, supervision).await.map(Arc::new)
    }

    /// Asks the model. The answer has begun when this returns; with a chain, that of the last.
    ///
    /// # Errors
    /// Why there is no answer. An answer with an error's status is one: of a chain, that of the first container that gives
    /// such.
    pub async fn invoke(&self, request: ModelRequest, limit: Duration) -> Result<ModelAnswer, InvokeError> {
        if let [Container { model: Model::BuiltIn(model), .. }] = self.containers.as_slice()
            && request.body.len() <= LARGE_BODY
        {
            return Ok(model.answer(&request));
        }
        timeout(limit, self.ask(request)).await.unwrap_or(Err(InvokeError::TimedOut(limit)))
    }

    async fn ask(&self, mut request: ModelRequest) -> Result<ModelAnswer, InvokeError> {
        if self.is_direct {
            return match self.target(&request.headers) {
                Ok(container) => container.ask(request).await,
                Err(reason) => Ok(ModelAnswer::refusal(StatusCode::BAD_REQUEST, reason)),
            };
        }
        let (last, before) = self.containers.split_last().expect("a model has a container");
        // What the caller accepts is what the last one says.
        let accept = if before.is_empty() { None } else { request.headers.remove(ACCEPT) };
        for container in before {
            let answer = container.ask(request.clone()).await?;
            if !answer.status.is_success() {
                return Ok(answer);
            }
            if let Some(content_type) = answer.headers.get(CONTENT_TYPE) {
                request.headers.insert(CONTENT_TYPE, content_type.clone());
            }
            request.body = container.between(answer.body).await?.into();
        }
        if let Some(accept) = accept {
            request.headers.insert(ACCEPT, accept);
        }
        last.ask(request).await
    }

    fn target(&self, headers: &HeaderMap) -> Result<&Container, String> {
        let names =
            || self.containers.iter().map(|container| container.hostname.as_str()).collect::<Vec<_>>().join(", ");
        let Some(target) = headers.get(TARGET_CONTAINER).and_then(|name| name.to_str().ok()) else {
            return Err(format!("the model is in Direct mode: TargetContainerHostname has to be one of {}", names()));
        };
        let found = self.containers.iter().find(|container| container.hostname == target);
        found.ok_or_else(|| format!("the model has no container `{target}`: it has {}", names()))
    }

    /// Ends its programs and waits for that.
    pub async fn stop(&self) {
        let remotes = self.containers.iter().filter_map(|container| match &container.model {
            Model::BuiltIn(_) => None,
            Model::Remote(remote) => Some(remote.stop()),
        });
        futures::future::join_all(remotes).await;
    }
}

impl Container {
    async fn ask(&self, request: ModelRequest) -> Result<ModelAnswer, InvokeError> {
        match &self.model {
            Model::Remote(remote) => remote.ask(request).await,
            Model::BuiltIn(model) if request.body.len() <= LARGE_BODY => Ok(model.answer(&request)),
            Model::BuiltIn(model) => {
                static TURNS: Semaphore = Semaphore::const_new(LARGE_AT_ONCE);
                let turn = TURNS.acquire().await.expect("the semaphore is never closed");
                let model = Arc::clone(model);
                let answered = tokio::task::spawn_blocking(move || {
                    // Also where nobody waits for the answer any more.
                    let _turn = turn;
                    model.answer(&request)
                });
                let answered = answered.await;
                answered.map_err(|error| InvokeError::Unreachable(format!("the built-in model failed: {error}")))
            }
        }
    }

    /// All that it hands to the next of a chain.
    async fn between(&self, body: ModelBody) -> Result<Bytes, InvokeError> {
        let stream = match body {
            ModelBody::Whole(bytes) => return Ok(bytes),
            ModelBody::Stream(stream) => stream,
        };
        let whole = Limited::new(stream, LARGEST_BETWEEN).collect().await;
        whole.map(Collected::to_bytes).map_err(|error| match error.downcast::<InvokeError>() {
            Ok(error) => *error,
            Err(_) => InvokeError::Garbage(format!(
                "container {} of the model answered with more than {LARGEST_BETWEEN} bytes, too many for the next one",
                self.hostname
            )),
        })
    }
}

impl ModelAnswer {
    /// An error that a model answers.
    fn refusal(status: StatusCode, reason: String) -> Self {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/plain"))]);
        Self { status, headers, body: ModelBody::Whole(Bytes::from(reason)) }
    }
}

impl ModelBody {
    /// All of it, however it comes.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn collect(self) -> Result<Bytes, InvokeError> {
        match self {
            Self::Whole(bytes) => Ok(bytes),
            Self::Stream(body) => Ok(body.collect().await?.to_bytes()),
        }
    }
}

/// Removes the folders and containers that models of an earlier process left; to be called before any is started.
pub async fn sweep(context: &Context) {
    folder::sweep(&start::models_folder(context)).await;
    let settings = &context.configuration;
    container::sweep(settings, &container::owner_of_models(&settings.data_dir)).await;
}
