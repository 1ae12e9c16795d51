//! One request of a call: its address, its signature, its repetitions, its answer.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use watchkeeper_aws::client::TransportError;
use watchkeeper_aws::signing::{Canonical, Payload, Signer, encode, sign};

use super::answers::without_nulls;
use super::credentials::Credentials;
use super::endpoints::{Endpoint, signing_region};
use super::refusal::Refusal;
use super::retry::{self, Debt, Reason};
use super::{AwsService, Session};
use crate::{Error, Result};

/// Clocks that differ by more are set right; signatures are refused from fifteen minutes on.
const TOLERATED_SKEW: SignedDuration = SignedDuration::from_mins(4);
/// Bytes a second at which even a slow line carries a long body.
const SLOWEST_LINE: u64 = 64 << 10;

/// A request before it has an address and a signature.
#[derive(Clone, Debug)]
pub(crate) struct RequestParts<'a> {
    /// The call, for errors.
    pub operation: &'static str,
    /// What it is about, for errors.
    pub resource: &'a str,
    pub method: Method,
    /// The bucket it is about, which is put into the host or the path.
    pub bucket: Option<&'a str>,
    /// After host and bucket, encoded ([`encode_path`](watchkeeper_aws::signing::encode_path), [`encode`](watchkeeper_aws::signing::encode)), with its first slash.
    pub path_and_query: String,
    /// Host, date, hash and signature are added.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

impl<'a> RequestParts<'a> {
    /// A request without headers, body and bucket.
    pub(crate) fn new(
        operation: &'static str,
        resource: &'a str,
        method: Method,
        path_and_query: impl Into<String>,
    ) -> Self {
        Self {
            operation,
            resource,
            method,
            bucket: None,
            path_and_query: path_and_query.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }
}

/// How a request ended, all attempts together.
struct Exchange {
    outcome: Outcome,
    /// Whether an attempt that was not answered with a success may have been carried out.
    may_be_done: bool,
    started: Instant,
}

enum Outcome {
    Answer(Response<Bytes>),
    Refusal(Refusal),
    Failure(Error),
}

/// What one attempt is signed with.
struct Signature {
    credentials: Credentials,
    region: String,
    moment: Timestamp,
}

/// What was done about a request so far.
struct Attempts {
    number: u32,
    invocation: String,
    debt: Debt,
    may_be_done: bool,
    mended: Mended,
}

/// The causes of refusals that were looked for.
#[derive(Default)]
struct Mended {
    credentials: bool,
    clock: bool,
    bucket: bool,
}

impl Session {
    /// Sends a request, again when that may help, and gives the answer if it is a success (2xx); a refusal of any service is
    /// [`Error::Service`] with code and message as its protocol has them. An answer without a body to say its code (those to
    /// `HEAD`) has the status as its code: `404`.
    pub(crate) async fn request(&self, service: AwsService, parts: RequestParts<'_>) -> Result<Response<Bytes>> {
        match self.exchange(service, &parts).await.outcome {
            Outcome::Answer(answer) => Ok(answer),
            Outcome::Refusal(refusal) => Err(refusal.into_error(parts.operation, parts.resource)),
            Outcome::Failure(error) => Err(error),
        }
    }

    pub(super) async fn call_json(&self, service: AwsService, parts: RequestParts<'_>) -> Result<Value> {
        let RequestParts { operation, resource, .. } = parts;
        let exchange = self.exchange(service, &parts).await;
        match exchange.outcome {
            // The attempt before this one got no answer, and has deleted it.
            Outcome::Refusal(refusal)
                if exchange.may_be_done && operation.starts_with("Delete") && refusal.is_not_there() =>
            {
                Ok(Value::Null)
            }
            outcome => json_answer(outcome, operation, resource),
        }
    }

    pub(super) async fn create_once(&self, parts: RequestParts<'_>, describe: (&'static str, &Value)) -> Result<Value> {
        let exchange = self.exchange(AwsService::SageMaker, &parts).await;
        let now = match &exchange.outcome {
            Outcome::Refusal(refusal) if refusal.is_already_there() || refusal.status >= 500 => refusal.date,
            Outcome::Failure(_) => None,
            _ => return json_answer(exchange.outcome, parts.operation, parts.resource),
        };
        // By the service's clock, as it is the service that says when the thing was made; its answers name whole seconds.
        let now = now.unwrap_or_else(|| self.now());
        let started = now - SignedDuration::try_from(exchange.started.elapsed()).unwrap_or_default();
        let is_ours = |description: &Value| was_created_since(description, started - SignedDuration::from_secs(1));
        self.looked_after(exchange, &parts, describe, is_ours).await
    }

    pub(super) async fn update_once(&self, parts: RequestParts<'_>, describe: (&'static str, &Value)) -> Result<Value> {
        let exchange = self.exchange(AwsService::SageMaker, &parts).await;
        self.looked_after(exchange, &parts, describe, |_| true).await
    }

    /// The answer; in place of none, or of a refusal, the description of what an attempt before has done all the same: one that
    /// agrees with what was asked for and `is_ours`.
    async fn looked_after(
        &self,
        exchange: Exchange,
        parts: &RequestParts<'_>,
        (describe, name): (&'static str, &Value),
        is_ours: impl Fn(&Value) -> bool + Send,
    ) -> Result<Value> {
        if exchange.may_be_done && !matches!(exchange.outcome, Outcome::Answer(_)) {
            let asked: Value = serde_json::from_slice(&parts.body).unwrap_or_default();
            match self.sagemaker(describe, parts.resource, name).await {
                Ok(description) if is_ours(&description) && agrees(&asked, &description) => return Ok(description),
                // A refusal would say that nothing was done, which is not known.
                Err(unknown @ (Error::Connection { .. } | Error::Answer { .. }))
                    if matches!(exchange.outcome, Outcome::Refusal(_)) =>
                {
                    return Err(unknown);
                }
                Ok(_) | Err(_) => {}
            }
        }
        json_answer(exchange.outcome, parts.operation, parts.resource)
    }

    /// The moment by the services' clock.
    fn now(&self) -> Timestamp {
        Timestamp::now() + SignedDuration::from_secs(self.inner.clock_offset.load(Ordering::Relaxed))
    }

    async fn exchange(&self, service: AwsService, parts: &RequestParts<'_>) -> Exchange {
        let started = Instant::now();
        let mut attempts = Attempts {
            number: 1,
            invocation: super::unique(),
            debt: Debt::default(),
            may_be_done: false,
            mended: Mended::default(),
        };
        // Its future is large, and every call of the crate is a few of them in a row: it goes on the heap.
        let outcome = Box::pin(self.attempt_until_done(service, parts, &mut attempts)).await;
        Exchange { outcome, may_be_done: attempts.may_be_done, started }
    }

    async fn attempt_until_done(
        &self,
        service: AwsService,
        parts: &RequestParts<'_>,
        attempts: &mut Attempts,
    ) -> Outcome {
        loop {
            let credentials = match self.inner.credentials.current().await {
                Ok(credentials) => credentials,
                Err(error) => return Outcome::Failure(error),
            };
            let signature =
                Signature { credentials, region: self.region_of(service, parts.bucket), moment: self.now() };
            let request = match self.signed(service, parts, &signature, attempts) {
                Ok(request) => request,
                Err(error) => return Outcome::Failure(error),
            };
            let limit = self.limit(service, parts.body.len());
            let (reason, may_be_done, outcome) = match self.inner.transport.send(request, limit).await {
                Ok(answer) => match Refusal::in_answer(service, parts.operation, &answer) {
                    None => {
                        self.inner.retries.succeeded(&attempts.debt);
                        return Outcome::Answer(answer);
                    }
                    Some(refusal) => {
                        if self.has_mended(service, parts, &signature, &refusal, attempts).await {
                            continue;
                        }
                        if !retry::is_transient(refusal.status, &refusal.code) {
                            return Outcome::Refusal(refusal);
                        }
                        (Reason::Transient, refusal.status >= 500, Outcome::Refusal(refusal))
                    }
                },
                Err(error) => {
                    let (reason, may_be_done) = match &error {
                        TransportError::Unreachable(_) => (Reason::Transient, false),
                        TransportError::Broken(_) => (Reason::Transient, true),
                        TransportError::Timeout(_) => (Reason::Timeout, true),
                        TransportError::TooLong(_) => return Outcome::Failure(too_long(parts, &error)),
                    };
                    let reason_text = format!("{}: {error}", self.endpoint(service, self.region()).authority);
                    (reason, may_be_done, Outcome::Failure(no_answer(parts, reason_text, attempts.number)))
                }
            };
            attempts.may_be_done |= may_be_done;
            let Some(pause) = self.inner.retries.pause_after(attempts.number, reason, &mut attempts.debt) else {
                return outcome;
            };
            attempts.number += 1;
            tokio::time::sleep(pause).await;
        }
    }

    /// Whether the cause of a refusal was found and removed, each at most once: credentials that have expired, a clock that is
    /// wrong, a bucket elsewhere. None of these was carried out, and none counts as an attempt. Another call of the session may
    /// have found and removed it since this request was signed.
    async fn has_mended(
        &self,
        service: AwsService,
        parts: &RequestParts<'_>,
        signature: &Signature,
        refusal: &Refusal,
        attempts: &mut Attempts,
    ) -> bool {
        if retry::is_expired(&refusal.code) && !attempts.mended.credentials {
            attempts.mended.credentials = true;
            if self.inner.credentials.renewed(&signature.credentials).await {
                return true;
            }
        }
        if retry::is_skewed(&refusal.code)
            && !attempts.mended.clock
            && let Some(date) = refusal.date
        {
            attempts.mended.clock = true;
            if signature.moment.duration_since(date).abs() > TOLERATED_SKEW {
                let offset = date.duration_since(Timestamp::now()).as_secs();
                self.inner.clock_offset.store(offset, Ordering::Relaxed);
                return true;
            }
        }
        if service == AwsService::S3
            && !attempts.mended.bucket
            && parts.operation != "CreateBucket"
            && let (Some(bucket), Some(region)) = (parts.bucket, &refusal.bucket_region)
            && self.named_endpoint(service).is_none()
            && matches!(refusal.status, 301 | 302 | 307 | 400)
        {
            attempts.mended.bucket = true;
            let mut regions = self.inner.bucket_regions.lock().expect("nobody panics while holding it");
            regions.insert(bucket.to_owned(), region.clone());
            return signature.region != *region;
        }
        false
    }

    /// An address that somebody has set in place of AWS's own.
    fn named_endpoint(&self, service: AwsService) -> Option<&Endpoint> {
        self.inner.endpoint_urls.get(&service)
    }

    /// The address of a service in a region.
    fn endpoint(&self, service: AwsService, region: &str) -> Endpoint {
        let own = || Endpoint::of_aws(service, region, self.inner.partition);
        self.named_endpoint(service).cloned().unwrap_or_else(own)
    }

    /// How long it is waited for an answer. Python waits 80 seconds for models, whose containers have 60.
    fn limit(&self, service: AwsService, body: usize) -> Duration {
        let patience = Duration::from_secs(if service == AwsService::SageMakerRuntime { 80 } else { 60 });
        self.inner.timeout.unwrap_or(patience) + Duration::from_secs(body as u64 / SLOWEST_LINE)
    }

    /// The region a request is for.
    fn region_of(&self, service: AwsService, bucket: Option<&str>) -> String {
        let regions = self.inner.bucket_regions.lock().expect("nobody panics while holding it");
        let elsewhere = bucket.filter(|_| service == AwsService::S3).and_then(|bucket| regions.get(bucket));
        elsewhere.cloned().unwrap_or_else(|| self.inner.region.clone())
    }

    /// The request with its address and its signature.
    fn signed(
        &self,
        service: AwsService,
        parts: &RequestParts<'_>,
        Signature { credentials, region, moment }: &Signature,
        attempts: &Attempts,
    ) -> Result<Request<Full<Bytes>>> {
        let uri = self.address(service, parts, region)?;
        let attempt = format!("attempt={}; max={}", attempts.number, self.inner.retries.max_attempts);
        let mut headers = vec![("host", uri.authority().map_or("", |authority| authority.as_str()))];
        headers.extend([("amz-sdk-invocation-id", attempts.invocation.as_str()), ("amz-sdk-request", &attempt)]);
        headers.extend(parts.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let canonical = Canonical {
            method: parts.method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect(),
            payload: Payload::Bytes(&parts.body),
        };
        let signer = Signer {
            credentials: &credentials.for_signing(),
            region: signing_region(service, region, self.inner.partition),
            service: service.signing_name(),
            now: *moment,
        };
        let added = if credentials.is_anonymous() { Vec::new() } else { sign(&canonical, &signer) };
        let mut request = Request::new(Full::new(parts.body.clone()));
        let added = added.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // Not signed, as proxies may change it.
        let agent = ("user-agent", concat!("watchkeeper/", env!("CARGO_PKG_VERSION")));
        for (name, value) in headers.iter().copied().chain(added).chain([agent]) {
            let unusable = |reason: String| {
                Error::argument("headers", format!("{} of {}: {reason}", parts.operation, parts.resource))
            };
            let header = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unusable(error.to_string()))?;
            // Its value may be a secret: of credentials, say, that were pasted with the end of their line.
            let value = HeaderValue::from_str(value)
                .map_err(|_| unusable(format!("the value of {name} has characters that no header can have")))?;
            request.headers_mut().append(header, value);
        }
        request.method_mut().clone_from(&parts.method);
        *request.uri_mut() = uri;
        Ok(request)
    }

    fn address(&self, service: AwsService, parts: &RequestParts<'_>, region: &str) -> Result<Uri> {
        let path = &parts.path_and_query;
        if let Some(bucket) = parts.bucket {
            check_bucket(bucket)?;
        }
        let is_named = self.named_endpoint(service).is_some();
        let Endpoint { scheme, authority, base_path } = self.endpoint(service, region);
        let address = match parts.bucket {
            // A dot in a name would begin another label, which no certificate of AWS's covers.
            Some(bucket) if !is_named && !bucket.contains(['.', '_']) => {
                format!("{scheme}://{bucket}.{authority}{path}")
            }
            Some(bucket) => format!("{scheme}://{authority}{base_path}/{bucket}{path}"),
            None => format!("{scheme}://{authority}{base_path}{path}"),
        };
        let unusable = |error: http::uri::InvalidUri| {
            Error::argument("path", format!("{} of {}: {error}", parts.operation, parts.resource))
        };
        address.parse().map_err(unusable)
    }
}

/// The request of an operation of SageMaker or of the logs.
pub(super) fn json_request<'a>(
    service: AwsService,
    operation: &'static str,
    resource: &'a str,
    input: &(impl Serialize + ?Sized),
) -> Result<RequestParts<'a>> {
    let target = match service {
        AwsService::CloudWatchLogs => "Logs_20140328",
        _ => "SageMaker",
    };
    let body = serde_json::to_vec(input).map_err(|error| Error::argument("input", format!("{operation}: {error}")))?;
    Ok(RequestParts {
        headers: vec![
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", format!("{target}.{operation}")),
        ],
        body: body.into(),
        ..RequestParts::new(operation, resource, Method::POST, "/")
    })
}

/// The request of an operation of the query protocol: IAM's and STS's.
pub(super) fn query_request<'a>(
    operation: &'static str,
    resource: &'a str,
    version: &str,
    parameters: &[(&str, &str)],
) -> RequestParts<'a> {
    let mut form = format!("Action={operation}&Version={version}");
    for (name, value) in parameters {
        form.extend(["&", name, "=", &encode(value.as_bytes())]);
    }
    RequestParts {
        headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body: form.into(),
        ..RequestParts::new(operation, resource, Method::POST, "/")
    }
}

fn json_answer(outcome: Outcome, operation: &'static str, resource: &str) -> Result<Value> {
    match outcome {
        Outcome::Answer(answer) if answer.body().is_empty() => Ok(Value::Null),
        Outcome::Answer(answer) => {
            serde_json::from_slice(answer.body()).map(without_nulls).map_err(|error| Error::Answer {
                operation,
                resource: resource.to_owned(),
                reason: format!("the answer is no JSON: {error}"),
            })
        }
        Outcome::Refusal(refusal) => Err(refusal.into_error(operation, resource)),
        Outcome::Failure(error) => Err(error),
    }
}

fn no_answer(parts: &RequestParts<'_>, reason: String, attempts: u32) -> Error {
    Error::Connection { operation: parts.operation, resource: parts.resource.to_owned(), reason, attempts }
}

fn too_long(parts: &RequestParts<'_>, error: &TransportError) -> Error {
    Error::Answer { operation: parts.operation, resource: parts.resource.to_owned(), reason: error.to_string() }
}

/// A bucket's name becomes a part of the address, and must not lead elsewhere.
fn check_bucket(bucket: &str) -> Result<()> {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    if bucket.chars().all(is_plain) && !bucket.is_empty() && !bucket.chars().all(|character| character == '.') {
        return Ok(());
    }
    Err(Error::argument(
        "bucket",
        format!("{bucket:?} is the name of no bucket, which has letters, digits, hyphens, dots and underscores alone"),
    ))
}

/// Whether a description says that it was made since a moment.
fn was_created_since(description: &Value, moment: Timestamp) -> bool {
    let created = description
        .get("CreationTime")
        .and_then(|time| serde_json::from_value::<watchkeeper_aws::Time>(time.clone()).ok());
    created.is_some_and(|created| created.0 >= moment)
}

/// Whether everything that was asked for and is described is as it was asked for; a description need not have all of it.
fn agrees(asked: &Value, described: &Value) -> bool {
    match (asked, described) {
        (Value::Object(asked), Value::Object(described)) => {
            asked.iter().all(|(name, asked)| described.get(name).is_none_or(|described| agrees(asked, described)))
        }
        (Value::Array(asked), Value::Array(described)) => {
            asked.len() == described.len()
                && asked.iter().zip(described).all(|(asked, described)| agrees(asked, described))
        }
        (Value::Number(asked), Value::Number(described)) => asked.as_f64() == described.as_f64(),
        (asked, described) => asked == described,
    }
}
