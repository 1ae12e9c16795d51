//! The model of a Clarify job: where it is, what it is sent, what its answers say (section 2.3 of the bias specification).
//!
//! It is asked well: many records a request, several requests at once, each tried again, equal records once; when it refuses a request
//! the records of it are asked one by one, so that what fails is known by record. Whoever asks waits; a runtime lives in here only.
//!
//! A shadow endpoint, and a process that was started, are gone when the [`Model`] is, whatever happened.

mod asking;
mod cells;
mod distinct;
mod lanes;
mod path;
mod request;
mod response;
mod shadow_endpoint;
mod template;
mod transport;

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use watchkeeper_engine::prediction::Answer;
use watchkeeper_engine::table::Column;
use watchkeeper_formats::ServiceAccess;
use watchkeeper_formats::clarify::{DatasetType, PredictorConfig};

pub use cells::{EncodedCells, Records};

use self::asking::Asker;
use self::lanes::Lanes;
use self::request::{ContentKind, RequestFormat};
use self::response::ResponseFormat;
use self::shadow_endpoint::{ShadowEndpoint, await_in_service};
use self::transport::{CommandModel, HttpModel, RequestHeaders, Service, ServiceModel, Transport};
use crate::Observer;

/// What a request may take, as with AWS.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The most requests that are under way at once.
const MOST_IN_FLIGHT: usize = 16;

/// The most records of a request. More would save no time worth mention, and make slow models too slow for a request.
const MOST_RECORDS: usize = 4096;

/// The same where a request starts a process, which may take seconds to load its model.
const MOST_RECORDS_OF_COMMAND: usize = 65_536;

/// How often whoever waits looks whether the job shall stop.
const POLL: Duration = Duration::from_millis(50);

/// How much of a request and of an answer stands in messages, in characters.
const EXCERPT: usize = 200;

/// Where a model is.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelPlace {
    /// A URL that takes POST requests.
    Url(String),
    /// A command of the shell that reads a request's body from its standard input and writes the answer's to its standard output; run
    /// for every request.
    Command(String),
    /// An endpoint of the service, existing or made for the job as the configuration says.
    Service(ServiceAccess),
}

/// Why the model cannot be asked, or what was wrong with it; behind `ClientError: `.
#[derive(Debug, thiserror::Error)]
pub enum PredictorError {
    /// The configuration cannot be carried out.
    #[error("{0}")]
    Configuration(String),
    /// The model's server cannot be reached, or the shadow endpoint did not come up.
    #[error("{0}")]
    Unavailable(String),
    /// Answers that cannot be understood.
    #[error("{0}")]
    Answer(String),
    /// Somebody asked the job to stop.
    #[error("stopped")]
    Stopped,
}

/// A model that can be asked.
pub struct Model {
    asker: Arc<Asker>,
    shadow_endpoint: Option<ShadowEndpoint>,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
}

/// What came of asking: an answer a record, or why there is none.
#[derive(Debug)]
pub struct Answers {
    /// One for each record; None where the model failed on it, or was not asked any more.
    pub answers: Vec<Option<Answer>>,
    /// Records (by place, ascending) on which the model failed, and its words.
    pub failures: Vec<(usize, String)>,
    /// Whether the model failed so often (100 records in a row, 1,000 in all) that it is asked no more: neither for the rest of these
    /// records nor for any others.
    pub gave_up: bool,
}

/// What was asked so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests that were sent, those that were tried again included.
    pub requests: u64,
    /// Records that have an answer, or on which the model failed; equal ones count each.
    pub records: u64,
    /// Requests that were sent again.
    pub retries: u64,
}

impl Model {
    /// Opens the model: waits for a shadow endpoint. `dataset_type` gives the content type where the configuration has none;
    /// `features` are the names of the columns that the model gets.
    pub fn open(
        config: &PredictorConfig,
        place: &ModelPlace,
        dataset_type: DatasetType,
        features: &[String],
        job_name: Option<&str>,
        observer: &dyn Observer,
    ) -> Result<Self, PredictorError> {
        let headers = headers(config, dataset_type);
        let content = content_kind("content_type", &headers.content_type)?;
        let accept = content_kind("accept_type", &headers.accept_type)?;
        let requests = RequestFormat::new(content, config, features)?;
        let responses = ResponseFormat::new(accept, config.label.as_ref(), config.probability.as_ref())
            .map_err(|problem| PredictorError::Configuration(format!("predictor: {problem}")))?;
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("predictor").enable_all().build().map_err(
                |error| PredictorError::Unavailable(format!("threads to ask the model cannot be started: {error}")),
            )?;
        let (transport, shadow_endpoint) = runtime.block_on(connect(config, place, &headers, job_name, observer))?;
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let (lanes, most_records) = match place {
            // A process a request: more of them than there are processors wait for each other.
            ModelPlace::Command(_) => (Lanes::that_work(threads.min(MOST_IN_FLIGHT)), MOST_RECORDS_OF_COMMAND),
            ModelPlace::Url(_) | ModelPlace::Service(_) => {
                (Lanes::to_find((2 * threads).min(MOST_IN_FLIGHT)), MOST_RECORDS)
            }
        };
        let asker = Arc::new(Asker::new(transport, requests, responses, lanes, most_records));
        Ok(Self { asker, shadow_endpoint, runtime: Some(runtime) })
    }

    /// The same model with another limit of a whole request, by default one minute.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        Arc::get_mut(&mut self.asker).expect("requests share it, and none outlives its call").timeout = timeout;
        self
    }

    /// The cells of one column as requests have them, from the cells as they were written.
    pub fn encode(&self, column: &Column) -> EncodedCells {
        EncodedCells::of(column, self.asker.cell_style())
    }

    /// How many requests so many records of so many bytes in all will take, for an estimate.
    pub fn requests_for(&self, records: u64, bytes: u64) -> u64 {
        self.asker.requests_for(records, bytes)
    }

    /// Asks for all records, and waits for the answers. May be called from several threads.
    ///
    /// # Errors
    /// When the model cannot be asked at all, or nothing it says can be understood; failures on single records are in the answers.
    pub fn ask(&self, records: &Records, observer: &dyn Observer) -> Result<Answers, PredictorError> {
        let runtime = self.runtime.as_ref().expect("the runtime is there until the model is dropped");
        runtime.block_on(self.asker.ask(records, observer))
    }

    /// What was asked so far.
    pub fn asked(&self) -> Asked {
        self.asker.asked()
    }

    /// Ends it: removes a shadow endpoint, and says what could not be removed. Dropping it does the same without saying.
    pub fn close(mut self) -> Result<(), PredictorError> {
        self.remove_shadow_endpoint()
            .map_err(|left| PredictorError::Unavailable(format!("could not be removed: {left}")))
    }

    fn remove_shadow_endpoint(&mut self) -> Result<(), String> {
        match (&self.runtime, self.shadow_endpoint.take()) {
            (Some(runtime), Some(mut endpoint)) => runtime.block_on(endpoint.remove()),
            _ => Ok(()),
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // Nobody is there to be told.
        let _ = self.remove_shadow_endpoint();
        if let Some(runtime) = self.runtime.take() {
            // The search for an address may still be under way, and takes its time.
            runtime.shutdown_background();
        }
    }
}

fn headers(config: &PredictorConfig, dataset_type: DatasetType) -> RequestHeaders {
    // No model takes Parquet; the rows of a table are CSV to it.
    let of_dataset = if dataset_type == DatasetType::Parquet { DatasetType::Csv } else { dataset_type };
    let content_type = config.content_type.clone().unwrap_or_else(|| of_dataset.as_str().to_owned());
    RequestHeaders {
        accept_type: config.accept_type.clone().unwrap_or_else(|| content_type.clone()),
        content_type,
        custom_attributes: config.custom_attributes.clone(),
        target_model: config.target_model.clone(),
    }
}

fn content_kind(key: &str, content_type: &str) -> Result<ContentKind, PredictorError> {
    ContentKind::of(content_type).ok_or_else(|| {
        PredictorError::Configuration(format!(
            "predictor: {key} {content_type:?} is not supported; text/csv, application/jsonlines and application/json are"
        ))
    })
}

/// The way to the model, and the endpoint that was made for it.
async fn connect(
    config: &PredictorConfig,
    place: &ModelPlace,
    headers: &RequestHeaders,
    job_name: Option<&str>,
    observer: &dyn Observer,
) -> Result<(Transport, Option<ShadowEndpoint>), PredictorError> {
    let access = match place {
        ModelPlace::Url(url) => {
            let model = HttpModel::new(url, headers).map_err(PredictorError::Configuration)?;
            return Ok((Transport::Http(model), None));
        }
        ModelPlace::Command(command) => {
            return Ok((Transport::Command(CommandModel::new(command, headers)), None));
        }
        ModelPlace::Service(access) => access,
    };
    let service = Service::new(access).map_err(|error| PredictorError::Unavailable(error.to_string()))?;
    match (&config.endpoint_name, &config.model_name) {
        (Some(endpoint), _) => {
            await_in_service(&service, endpoint, observer).await?;
            Ok((Transport::Endpoint(ServiceModel::new(service, endpoint, headers)), None))
        }
        (None, Some(model)) => {
            let mut endpoint = ShadowEndpoint::new(service.clone(), config, model);
            if let Err(error) = endpoint.start(config, model, job_name, observer).await {
                return match endpoint.remove().await {
                    Ok(()) => Err(error),
                    Err(left) => Err(PredictorError::Unavailable(format!("{error}; could not be removed: {left}"))),
                };
            }
            let model = ServiceModel::new(service, endpoint.name(), headers);
            Ok((Transport::Endpoint(model), Some(endpoint)))
        }
        (None, None) => {
            Err(PredictorError::Configuration("predictor names no model: give endpoint_name or model_name".to_owned()))
        }
    }
}

/// Whether the job shall stop, which is known at once or when this time has passed.
async fn is_stopped_within(time: Duration, observer: &dyn Observer) -> bool {
    let deadline = tokio::time::Instant::now() + time;
    loop {
        if observer.stopped() {
            return true;
        }
        let now = tokio::time::Instant::now();
        if now >= deadline {
            return false;
        }
        tokio::time::sleep(POLL.min(deadline - now)).await;
    }
}

/// The beginning of a request or an answer, on one line.
fn excerpt(bytes: &[u8]) -> String {
    // A character takes four bytes at most.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * EXCERPT)]);
    let is_whole = bytes.len() <= 4 * EXCERPT && text.chars().nth(EXCERPT).is_none();
    let mut excerpt: String = text.chars().take(EXCERPT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !is_whole {
        excerpt.push('…');
    }
    excerpt
}
