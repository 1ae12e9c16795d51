//! Asynchronous invocations: accepted into the store, carried out one after the other, their answers put into objects.
//!
//! An invocation is a document from the moment that its caller is told so until its output or the reason for there being
//! none is stored, so that a restart loses none. One that a process died over is carried out again, under the same output
//! name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use watchkeeper_aws::Error;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};

use super::ask::{Arrival, Destination};
use super::body::AnswerBody;
use super::request::{Asked, AsynchronousOptions};
use super::{chosen, destination, refusal};
use crate::api::failure::of_resources;
use crate::api::kms::{Unusable, encrypting_key};
use crate::api::quota;
use crate::context::Context;
use crate::control::async_invocation::{AsyncInput, AsyncInvocation, AsyncRequest};
use crate::control::endpoint::Endpoint;
use crate::hosting::{Deployment, Found, Hosting};
use crate::resources::{Transaction, Versioned};

/// Endpoints whose limits are remembered before those that nothing waits for are forgotten.
const MOST_LIMITS: usize = 1000;
/// The most bytes of an input and of an output, as on AWS.
const MAX_BYTES: usize = 1 << 30;
/// The most invocations that are looked at here at the same time; the others wait in the store.
const MOST_CLAIMED: usize = 256;
/// How long a claim lasts: so long nobody takes up the invocations of a process that died.
const CLAIM: Duration = Duration::from_secs(15);
/// The time between two looks at an endpoint whose models are not there yet.
const LOOK: Duration = Duration::from_millis(250);
/// The pauses between attempts to store an output.
const STORE_PAUSES: [Duration; 4] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5), CLAIM];

const OUTPUT_LOCATION: HeaderName = HeaderName::from_static("x-amzn-sagemaker-outputlocation");
const FAILURE_LOCATION: HeaderName = HeaderName::from_static("x-amzn-sagemaker-failurelocation");

/// Stores an invocation and says where its output will be.
pub(super) async fn accept(
    hosting: &Hosting,
    deployment: &Deployment,
    config: &Value,
    asked: &Asked,
    headers: &HeaderMap,
    body: Bytes,
) -> Result<Response<AnswerBody>, Error> {
    let context = &hosting.context;
    let options = AsynchronousOptions::of(headers);
    let text = |name: &HeaderName| asked.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let request = AsyncRequest {
        endpoint: deployment.name.clone(),
        inference_id: asked.inference_id().map(str::to_owned),
        headers: Asked::kept_headers()
            .iter()
            .filter_map(|name| Some((name.as_str().to_owned(), text(name)?)))
            .collect(),
        input_location: options.input_location,
        path_extension: options.path_extension,
        file_name: options.file_name,
        time_to_live: options.time_to_live,
        timeout: options.invocation_timeout,
    };
    let folder = S3Uri {
        bucket: context.configuration.default_bucket(),
        key: format!("async-endpoint-outputs/{}", deployment.name),
    };
    let stamp = context.stamp(&deployment.region);
    let invocation = AsyncInvocation::create(request, &body, config, &folder, &stamp)?;
    quota::one_more_async_invocation(context).await?;
    context.resources.commit(Transaction::new().insert(&invocation)).await.map_err(of_resources)?;
    hosting.invocations.ring();
    let text = json!({ "InferenceId": invocation.inference_id }).to_string();
    let mut answer = Response::new(AnswerBody::of(text));
    *answer.status_mut() = StatusCode::ACCEPTED;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut insert = |name: HeaderName, uri: &S3Uri| {
        if let Ok(value) = HeaderValue::try_from(uri.to_string()) {
            headers.insert(name, value);
        }
    };
    insert(OUTPUT_LOCATION, &invocation.output);
    if let Some(failure) = &invocation.failure {
        insert(FAILURE_LOCATION, failure);
    }
    Ok(answer)
}

/// Carries out what was accepted until the service stops; what is under way then is carried out again at the next start.
pub async fn run(hosting: Arc<Hosting>) {
    let most = hosting.context.configuration.hosting.parallel_async_invocations.max(1);
    let queue =
        Arc::new(Queue { hosting, running: Arc::new(Semaphore::new(most)), most, of_endpoints: Mutex::default() });
    let context = Arc::clone(&queue.hosting.context);
    let mut stopping = context.stopping.clone();
    let mut tasks: JoinSet<String> = JoinSet::new();
    let mut taken: HashMap<String, tokio::task::Id> = HashMap::new();
    while !*stopping.borrow() {
        queue.claim(&mut taken, &mut tasks).await;
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = queue.hosting.invocations.bell.notified() => {}
            ended = tasks.join_next_with_id(), if !tasks.is_empty() => {
                let id = match ended {
                    Some(Ok((id, _))) => id,
                    Some(Err(error)) => {
                        tracing::error!(%error, "an asynchronous invocation is carried out again");
                        error.id()
                    }
                    None => continue,
                };
                taken.retain(|_, task| *task != id);
            }
            // What a process that died has left makes no noise.
            () = tokio::time::sleep(CLAIM / 3) => {}
        }
    }
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    for key in taken.into_keys() {
        queue.release(&key).await;
    }
}

/// The places of an invocation among those of its endpoint, and among all.
type Place = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// What waits and what is under way.
struct Queue {
    hosting: Arc<Hosting>,
    /// One permit for each that may be under way.
    running: Arc<Semaphore>,
    most: usize,
    /// The same of one endpoint, with the number that its configuration allows.
    of_endpoints: Mutex<HashMap<String, (usize, Arc<Semaphore>)>>,
}

impl Queue {
    fn context(&self) -> &Arc<Context> {
        &self.hosting.context
    }

    /// Claims what is there, or again what was claimed, and starts what is new.
    async fn claim(self: &Arc<Self>, taken: &mut HashMap<String, tokio::task::Id>, tasks: &mut JoinSet<String>) {
        let context = self.context();
        let now = context.now().as_millisecond();
        let until = now + i64::try_from(CLAIM.as_millis()).unwrap_or(i64::MAX / 2);
        let claimed = context.resources.claim::<AsyncInvocation>(&[], &context.owner, now, until, MOST_CLAIMED).await;
        let claimed = match claimed {
            Ok(claimed) => claimed,
            Err(error) => {
                tracing::warn!(%error, "no asynchronous invocations could be claimed");
                return;
            }
        };
        for Versioned { resource, .. } in claimed {
            if taken.contains_key(&resource.id) {
                continue;
            }
            let id = resource.id.clone();
            let task = tasks.spawn(Arc::clone(self).carry_out(resource));
            taken.insert(id, task.id());
        }
    }

    /// Gives a claim back.
    async fn release(&self, key: &str) {
        let resources = &self.context().resources;
        if let Ok(Some(found)) = resources.get::<AsyncInvocation>(key).await {
            let _ = resources.commit(Transaction::new().update(&found.resource, found.version)).await;
        }
    }

    async fn carry_out(self: Arc<Self>, invocation: AsyncInvocation) -> String {
        match self.answer(&invocation).await {
            // Held until the answer is stored: what waits for that is in memory.
            Ok((_held, content_type, answer)) => {
                self.store(&invocation, &invocation.output, content_type, answer).await;
            }
            Err(error) => {
                tracing::debug!(endpoint = invocation.endpoint, id = invocation.id, %error, "an asynchronous invocation failed");
                if let Some(failure) = &invocation.failure {
                    self.store(&invocation, failure, None, error.message.into()).await;
                } else {
                    tracing::warn!(
                        endpoint = invocation.endpoint,
                        inference_id = invocation.inference_id,
                        %error,
                        "an asynchronous invocation failed, and its endpoint has no S3FailurePath to say so"
                    );
                }
            }
        }
        self.forget(&invocation).await;
        invocation.id
    }

    /// The model's answer, with its content type, and its place among those under way.
    async fn answer(&self, invocation: &AsyncInvocation) -> Result<(Place, Option<String>, Bytes), Error> {
        let deployment = self.deployment(invocation).await?;
        let limit = self.limit(&deployment);
        let of_endpoint = limit.acquire_owned().await.expect("the semaphore is never closed");
        let of_all = Arc::clone(&self.running).acquire_owned().await.expect("the semaphore is never closed");
        if invocation.is_over(self.context().now()) {
            return Err(refusal::validation("The request expired before it could be processed."));
        }
        let (content_type, input) = self.input(&invocation.input).await?;
        // The SDK says what its input is at the object alone; the caller's own word comes later, and so wins.
        let mut headers = vec![(CONTENT_TYPE, content_type.as_deref())];
        headers.extend(
            invocation
                .headers
                .iter()
                .filter_map(|(name, text)| Some((HeaderName::try_from(name).ok()?, Some(text.as_str())))),
        );
        let asked = Asked::stored(&invocation.endpoint, &headers);
        let variant = chosen(&deployment, &asked)?;
        let destination = Destination {
            patience: Duration::from_secs(invocation.timeout_seconds),
            ..destination(&self.hosting, &deployment, variant)
        };
        let arrival = Arrival { instant: Instant::now(), time: self.context().now() };
        let given = destination.ask(asked, input.into(), arrival, MAX_BYTES).await?;
        if let Some(written) = given.written {
            written.await;
        }
        let content_type = given.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = BytesMut::with_capacity(given.body.len());
        given.body.pieces.iter().for_each(|piece| answer.extend_from_slice(piece));
        Ok(((of_endpoint, of_all), content_type, answer.freeze()))
    }

    /// The endpoint, once its models are there.
    async fn deployment(&self, invocation: &AsyncInvocation) -> Result<Arc<Deployment>, Error> {
        let context = self.context();
        loop {
            match self.hosting.endpoint(&invocation.endpoint) {
                Found::Serving(deployment) => return Ok(deployment),
                Found::External(_) => return Err(refusal::external(&invocation.endpoint)),
                // After a start the store may know more than the hosting.
                Found::Unknown => {
                    let key = invocation.endpoint.to_lowercase();
                    if context.resources.get::<Endpoint>(&key).await.is_ok_and(|found| found.is_none()) {
                        return Err(refusal::not_found(&invocation.endpoint, &context.configuration.account));
                    }
                }
                Found::Starting | Found::OutOfService => {}
            }
            if invocation.is_over(context.now()) {
                return Err(refusal::validation("The request expired before it could be processed."));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What says how many invocations of an endpoint may be under way.
    fn limit(&self, deployment: &Deployment) -> Arc<Semaphore> {
        let asked = deployment.async_config.as_ref();
        let asked = asked.and_then(|config| config["ClientConfig"]["MaxConcurrentInvocationsPerInstance"].as_u64());
        let number = asked
            .and_then(|number| usize::try_from(number).ok())
            .map_or(self.most, |number| number.clamp(1, self.most));
        let mut limits = self.of_endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        if limits.len() > MOST_LIMITS {
            // Those that nothing waits for can be made again.
            limits.retain(|_, (_, limit)| Arc::strong_count(limit) > 1);
        }
        let limit =
            limits.entry(deployment.name.to_lowercase()).or_insert_with(|| (number, Arc::new(Semaphore::new(number))));
        if limit.0 != number {
            // An update has changed it; what is under way counts by the former one.
            *limit = (number, Arc::new(Semaphore::new(number)));
        }
        Arc::clone(&limit.1)
    }

    /// What is asked, with the content type of the object that it is in.
    async fn input(&self, input: &AsyncInput) -> Result<(Option<String>, Bytes), Error> {
        let uri = match input {
            AsyncInput::Body(text) => {
                let body = STANDARD.decode(text).map_err(|error| refusal::validation(error.to_string()))?;
                return Ok((None, Bytes::from(body)));
            }
            AsyncInput::Object(uri) => uri,
        };
        let unread = |reason: String| refusal::validation(format!("The input {uri} could not be read: {reason}"));
        let found = self.context().objects.get(&uri.bucket, &uri.key, None).await;
        let Some((info, stream)) = found.map_err(|error| unread(error.to_string()))? else {
            return Err(unread("there is no such object".to_owned()));
        };
        if info.size > MAX_BYTES as u64 {
            return Err(unread(format!("it holds more than {MAX_BYTES} bytes")));
        }
        let all = BytesMut::with_capacity(usize::try_from(info.size).unwrap_or_default());
        let all = stream.try_fold(all, |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        });
        let all = all.await.map_err(|error| unread(error.to_string()))?;
        Ok((info.attributes.content_type, all.freeze()))
    }

    /// Puts what came of an invocation. What cannot be stored is tried again until it can: a disk may be full for hours.
    async fn store(&self, invocation: &AsyncInvocation, uri: &S3Uri, content_type: Option<String>, bytes: Bytes) {
        let context = self.context();
        let mut attributes = ObjectAttributes {
            content_type: content_type.or_else(|| Some("application/octet-stream".to_owned())),
            ..ObjectAttributes::default()
        };
        let longest = STORE_PAUSES[STORE_PAUSES.len() - 1];
        for pause in STORE_PAUSES.into_iter().chain(std::iter::repeat(longest)) {
            if let Some(asked) = &invocation.kms_key_id {
                match encrypting_key(context, asked).await {
                    Ok(key) => attributes.kms_key_id = key,
                    Err(error @ Unusable::Failed { .. }) => {
                        tracing::warn!(%error, %uri, "what came of an asynchronous invocation could not be stored");
                        tokio::time::sleep(pause).await;
                        continue;
                    }
                    // Its key does not come back by waiting either, and without it nothing is stored.
                    Err(error) => {
                        tracing::warn!(%error, %uri, "what came of an asynchronous invocation is not stored");
                        return;
                    }
                }
            }
            let put =
                context.objects.put(&uri.bucket, &uri.key, attributes.clone(), body(bytes.clone()), Precondition::None);
            let Err(error) = put.await else { return };
            tracing::warn!(%error, %uri, "what came of an asynchronous invocation could not be stored");
            // A bucket that is not there does not come back by waiting.
            if matches!(error, watchkeeper_store::Error::NoSuchBucket { .. }) {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn forget(&self, invocation: &AsyncInvocation) {
        let resources = &self.context().resources;
        loop {
            let found = match resources.get::<AsyncInvocation>(&invocation.id).await {
                Ok(Some(found)) => found,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "an asynchronous invocation that has ended could not be forgotten");
                    tokio::time::sleep(CLAIM).await;
                    continue;
                }
            };
            // A claim in between makes another version of it.
            match resources.commit(Transaction::new().delete(&found.resource, found.version)).await {
                Ok(()) => return,
                Err(crate::resources::Error::Conflict { .. }) => {}
                Err(error) => {
                    tracing::warn!(%error, "an asynchronous invocation that has ended could not be forgotten");
                    tokio::time::sleep(CLAIM).await;
                }
            }
        }
    }
}
