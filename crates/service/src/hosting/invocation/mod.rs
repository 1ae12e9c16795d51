//! Invocations of endpoints: `InvokeEndpoint`, `InvokeEndpointWithResponseStream`, `InvokeEndpointAsync`.
//!
//! A request that was checked goes to one variant of its endpoint, and in the background to the shadow variants; what the
//! model answers goes back whole, in messages as it comes, or into an object. An answer of a model that failed becomes an
//! error of AWS. What passed is captured behind the request's back: recording never waits, save in the durable mode, where
//! the answer's end waits for the record.
//!
//! Decided against: passing an answer of `InvokeEndpoint` on while it comes. A model that breaks off in the middle would
//! leave the client with half an answer of status 200; within the 6 MiB that AWS allows it costs little to wait.

mod ask;
pub mod asynchronous;
mod body;
mod refusal;
mod request;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use tokio::sync::{Notify, Semaphore};
use watchkeeper_aws::Error;
use watchkeeper_aws::protocol::event_stream;

use super::traffic::{Traffic, TrafficBook};
use super::{Deployment, Found, Hosting, Variant};
use crate::context::ring;
use crate::pieces::Pieces;
use ask::{Arrival, Destination, MAX_ANSWER_BYTES};
use body::Messages;
use request::Asked;

pub use body::AnswerBody;
pub use request::Operation;
pub(super) use request::{CUSTOM_ATTRIBUTES, INFERENCE_ID};

/// The most bytes of all answers that are held whole at the same time.
const ANSWER_MEMORY: usize = 256 << 20;
/// The most requests to shadow variants at the same time; more are left out.
const SHADOWED: usize = 64;

const INVOKED_VARIANT: HeaderName = HeaderName::from_static("x-amzn-invoked-production-variant");
const SAGEMAKER_CONTENT_TYPE: HeaderName = HeaderName::from_static("x-amzn-sagemaker-content-type");
/// The headers of models' answers that are passed on beside their content type.
const PASSED_BACK: [HeaderName; 3] = [
    CUSTOM_ATTRIBUTES,
    HeaderName::from_static("x-amzn-sagemaker-new-session-id"),
    HeaderName::from_static("x-amzn-sagemaker-closed-session-id"),
];

/// What the invocations of all endpoints of a process share.
pub struct Invocations {
    book: TrafficBook,
    /// The bytes that answers may still take up while they are held whole.
    memory: Arc<Semaphore>,
    shadowed: Arc<Semaphore>,
    /// Counts requests for the shares of shadow variants.
    requests: AtomicU64,
    /// Rung after an asynchronous invocation was stored.
    bell: Notify,
}

impl Default for Invocations {
    fn default() -> Self {
        Self {
            book: TrafficBook::default(),
            memory: Arc::new(Semaphore::new(ANSWER_MEMORY)),
            shadowed: Arc::new(Semaphore::new(SHADOWED)),
            requests: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }
}

impl fmt::Debug for Invocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocations").finish_non_exhaustive()
    }
}

impl Invocations {
    /// The figures of a variant: the same ones for every generation of its endpoint.
    pub fn traffic(&self, endpoint: &str, variant: &str) -> Arc<Traffic> {
        self.book.traffic(endpoint, variant)
    }

    /// Says that an asynchronous invocation was stored.
    pub(crate) fn ring(&self) {
        ring(&self.bell);
    }

    pub(super) fn book(&self) -> &TrafficBook {
        &self.book
    }
}

/// A request for an invocation, whose signature was checked and whose body is within its limit.
pub struct Invocation<'a> {
    /// What is asked for.
    pub operation: Operation,
    /// Address and headers.
    pub parts: &'a Parts,
    /// The body.
    pub body: Pieces,
    /// When the request came.
    pub begun: Instant,
    /// Whether it is traffic, which is captured and shadowed: what an analysis asks is neither.
    pub is_traffic: bool,
}

/// Carries out an invocation.
///
/// # Errors
/// With AWS's codes, texts and statuses.
pub async fn invoke(hosting: &Arc<Hosting>, invocation: Invocation<'_>) -> Result<Response<AnswerBody>, Error> {
    let Invocation { operation, parts, body, begun, is_traffic } = invocation;
    let asked = Asked::read(operation, parts)?;
    let arrival = Arrival { instant: begun, time: hosting.context.now() };
    let deployment = serving(hosting, &asked.endpoint)?;
    match (operation, &deployment.async_config) {
        (Operation::Asynchronous, Some(config)) => {
            return asynchronous::accept(hosting, &deployment, config, &asked, &parts.headers, body.to_bytes()).await;
        }
        (Operation::Asynchronous, None) => return Err(refusal::is_synchronous(&deployment.name)),
        (_, Some(_)) => return Err(refusal::is_asynchronous(&deployment.name)),
        (_, None) => {}
    }
    let variant = chosen(&deployment, &asked)?;
    if is_traffic {
        shadow(hosting, &deployment, &asked, &body, arrival);
    }
    let destination = Destination { is_captured: is_traffic, ..destination(hosting, &deployment, variant) };
    if operation == Operation::Stream {
        let (answer, account) = destination.begin(asked, body, arrival).await?;
        let headers = stream_headers(&answer.headers, &variant.name);
        let messages = Messages::new(answer.body, account, destination.patience);
        return Ok(response(StatusCode::OK, headers, AnswerBody::messages(messages)));
    }
    let given = destination.ask(asked, body, arrival, MAX_ANSWER_BYTES).await?;
    if let Some(written) = given.written {
        written.await;
    }
    let headers = whole_headers(&given.headers, &variant.name);
    Ok(response(StatusCode::OK, headers, AnswerBody::whole(given.body)))
}

/// The endpoint of a name, where it can be asked.
fn serving(hosting: &Hosting, name: &str) -> Result<Arc<Deployment>, Error> {
    match hosting.endpoint(name) {
        Found::Serving(deployment) => Ok(deployment),
        Found::Starting => Err(refusal::not_ready(name, "its models start")),
        Found::External(_) => Err(refusal::external(name)),
        Found::OutOfService | Found::Unknown => Err(refusal::not_found(name, &hosting.context.configuration.account)),
    }
}

fn chosen<'a>(deployment: &'a Deployment, asked: &Asked) -> Result<&'a Variant, Error> {
    let target = asked.target_variant();
    deployment.choose(target).ok_or_else(|| match target {
        Some(target) => refusal::unknown_variant(target),
        None => refusal::not_ready(&deployment.name, "no variant of it takes requests"),
    })
}

fn destination<'a>(hosting: &'a Hosting, deployment: &'a Deployment, variant: &'a Variant) -> Destination<'a> {
    let configuration = &hosting.context.configuration;
    Destination {
        deployment,
        variant,
        account: &configuration.account,
        patience: Duration::from_secs(configuration.hosting.invocation_seconds),
        is_captured: true,
        memory: &hosting.invocations.memory,
    }
}

/// Sends the same request to the shadow variants, as many of a hundred as their weights say; nobody waits for them.
fn shadow(hosting: &Arc<Hosting>, deployment: &Arc<Deployment>, asked: &Asked, body: &Pieces, arrival: Arrival) {
    if deployment.shadows.is_empty() {
        return;
    }
    let number = hosting.invocations.requests.fetch_add(1, Ordering::Relaxed) as f64;
    let all: f64 = deployment.variants.iter().map(|variant| variant.weight).sum();
    for (index, variant) in deployment.shadows.iter().enumerate() {
        let share = if all > 0.0 { (variant.weight / all).min(1.0) } else { 1.0 };
        // Spread evenly: so many of the first n + 1 requests but not of the first n.
        if ((number + 1.0) * share).floor() <= (number * share).floor() {
            continue;
        }
        let Ok(permit) = Arc::clone(&hosting.invocations.shadowed).try_acquire_owned() else {
            tracing::debug!(endpoint = deployment.name, variant = variant.name, "a request was not shadowed");
            continue;
        };
        let (hosting, deployment) = (Arc::clone(hosting), Arc::clone(deployment));
        let (asked, body) = (asked.clone(), body.clone());
        tokio::spawn(async move {
            let destination = destination(&hosting, &deployment, &deployment.shadows[index]);
            if let Err(error) = destination.ask(asked, body, arrival, MAX_ANSWER_BYTES).await {
                tracing::debug!(endpoint = deployment.name, %error, "a shadow variant gave no answer");
            }
            drop(permit);
        });
    }
}

fn response(status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn whole_headers(of_model: &HeaderMap, variant: &str) -> HeaderMap {
    let mut headers = passed_back(of_model, variant);
    if let Some(content_type) = of_model.get(CONTENT_TYPE) {
        headers.insert(CONTENT_TYPE, content_type.clone());
    }
    headers
}

fn stream_headers(of_model: &HeaderMap, variant: &str) -> HeaderMap {
    let mut headers = passed_back(of_model, variant);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(event_stream::CONTENT_TYPE));
    if let Some(content_type) = of_model.get(CONTENT_TYPE) {
        headers.insert(SAGEMAKER_CONTENT_TYPE, content_type.clone());
    }
    headers
}

fn passed_back(of_model: &HeaderMap, variant: &str) -> HeaderMap {
    // Room for these, content types and the request's id.
    let mut headers = HeaderMap::with_capacity(8);
    for name in PASSED_BACK {
        if let Some(value) = of_model.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Ok(variant) = HeaderValue::from_str(variant) {
        headers.insert(INVOKED_VARIANT, variant);
    }
    headers
}
