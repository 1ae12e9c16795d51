//! Signed requests to the outside S3, sent again while it cannot answer.
//!
//! A request whose answer was lost may have been carried out. One that may be carried out twice is sent again; of the others the
//! caller is told that nobody knows. How long it is tried is a little more than a minute, so that a service that is restarted is
//! no failure of whoever waits for an object.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::time::Instant;
use uuid::Uuid;
use watchkeeper_aws::client::{OutgoingBody, Proxy, Received, Tls, Transport, TransportError};
use watchkeeper_aws::signing::{Canonical, Credentials, Payload, Signer, encode, encode_path, sign};
use watchkeeper_aws::xml;

use super::headers;
use super::spool::Content;
use crate::Error;
use crate::settings::S3Settings;
use crate::sql::json;

/// What a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long no byte may move: at the first attempt, and at the last.
const PATIENCE: Duration = Duration::from_secs(30);
const LEAST_PATIENCE: Duration = Duration::from_secs(10);
/// How long a call is tried: longer than an outage of a minute.
const PERSISTENCE: Duration = Duration::from_secs(75);
/// The pauses between attempts: the first, doubled each time up to the longest; what is waited is between half and all of it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// The longest answer that is read into memory: a page of a listing with keys of 1,024 bytes, each percent-encoded, is shorter.
const LONGEST_DOCUMENT: usize = 16 << 20;
/// The longest refusal that is read.
const LONGEST_REFUSAL: usize = 64 << 10;

/// The outside S3. Clones share connections.
#[derive(Clone)]
pub(super) struct Connection(Arc<Inner>);

struct Inner {
    transport: Transport,
    /// As it is shown: without what it must not have.
    endpoint: String,
    /// `https://host:port` and what its address has before the path of a request, without a slash at the end.
    base: String,
    authority: String,
    credentials: Credentials,
    region: String,
    /// Milliseconds that the outside's clock is ahead of ours, where it has refused a request for that.
    skew: AtomicI64,
}

/// What is asked.
pub(super) struct Call {
    method: Method,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    content: Content,
    /// What it is, for messages: `get the object s3://b/k`.
    action: String,
    may_be_repeated: bool,
}

impl Call {
    /// Of the whole service.
    pub(super) fn service(method: Method, action: &str) -> Self {
        Self::new(method, "/".to_owned(), action.to_owned())
    }

    /// Of a bucket.
    pub(super) fn bucket(method: Method, action: &str, bucket: &str) -> Self {
        let path = format!("/{}", encode_path(bucket));
        Self::new(method, path, format!("{action} the bucket {bucket}"))
    }

    /// Of an object.
    pub(super) fn object(method: Method, action: &str, bucket: &str, key: &str) -> Self {
        let path = format!("/{}/{}", encode_path(bucket), encode_path(key));
        Self::new(method, path, format!("{action} the object s3://{bucket}/{key}"))
    }

    fn new(method: Method, path: String, action: String) -> Self {
        let (query, headers, content) = (String::new(), Vec::new(), Content::default());
        Self { method, path, query, headers, content, action, may_be_repeated: true }
    }

    /// With a parameter of its query, without a value where that is empty.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        if !self.query.is_empty() {
            self.query.push('&');
        }
        self.query.push_str(name);
        if !value.is_empty() {
            self.query.push('=');
            self.query.push_str(&encode(value.as_bytes()));
        }
        self
    }

    pub(super) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn headers(mut self, headers: Vec<(String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    pub(super) fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    /// With a document in XML.
    pub(super) fn document(self, document: String) -> Self {
        self.header("content-type", "application/xml").content(Content::of(document.into()))
    }

    /// With a value in JSON.
    pub(super) fn json(self, value: &impl Serialize) -> Self {
        self.header("content-type", "application/json").content(Content::of(json(value).into()))
    }

    /// It must not be carried out twice.
    pub(super) fn once(mut self) -> Self {
        self.may_be_repeated = false;
        self
    }
}

/// An answer that is no refusal.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Received,
    /// Whether an attempt before may have been carried out.
    pub(super) repeated: bool,
}

/// A refusal, or no answer.
#[derive(Debug)]
pub(super) struct Refusal {
    endpoint: String,
    action: String,
    /// The code; `NotFound` and such where the answer has none, nothing where there is no answer.
    pub(super) code: String,
    message: String,
    pub(super) status: Option<StatusCode>,
    /// Whether it says that another attempt may bring more.
    passing: bool,
    /// Whether an attempt before may have been carried out.
    pub(super) repeated: bool,
}

impl Refusal {
    pub(super) fn is(&self, code: &str) -> bool {
        self.code == code
    }

    /// Whether something is not there; an answer without a body does not say what.
    pub(super) fn is_missing(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }

    pub(super) fn is_failed_precondition(&self) -> bool {
        self.status == Some(StatusCode::PRECONDITION_FAILED)
    }

    /// As an error of the store, of an operation on a bucket.
    pub(super) fn of_bucket(self, bucket: &str) -> Error {
        match self.code.as_str() {
            "NoSuchBucket" => Error::NoSuchBucket(bucket.to_owned()),
            "BucketNotEmpty" => Error::BucketNotEmpty(bucket.to_owned()),
            _ => self.into(),
        }
    }

    /// As an error of the store, of an operation on an object.
    pub(super) fn of_object(self, bucket: &str, key: &str) -> Error {
        match self.code.as_str() {
            "NoSuchKey" => Error::NoSuchKey { bucket: bucket.to_owned(), key: key.to_owned() },
            "PreconditionFailed" => Error::PreconditionFailed,
            "EntityTooLarge" => Error::EntityTooLarge { limit: super::super::MAX_PUT_BYTES },
            "KeyTooLongError" => Error::KeyLength { length: key.len(), limit: super::super::MAX_KEY_BYTES },
            _ => self.of_bucket(bucket),
        }
    }

    /// As an error of the store, of an operation on an upload.
    pub(super) fn of_upload(self, bucket: &str, key: &str, upload: &str) -> Error {
        match self.code.as_str() {
            "NoSuchUpload" => Error::NoSuchUpload(upload.to_owned()),
            _ => self.of_object(bucket, key),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let Refusal { endpoint, action, code, message, passing, .. } = refusal;
        if passing {
            let problem = if code.is_empty() { message } else { format!("{code}: {message}") };
            return Self::OutsideS3Unavailable { endpoint, action, problem };
        }
        Self::OutsideS3Refused { endpoint, action, code, message }
    }
}

/// What one attempt has brought.
enum Attempt {
    Answered(StatusCode, HeaderMap, Box<Received>),
    /// No answer; whether it may have been carried out.
    Lost(String, bool),
}

impl Connection {
    /// The S3 service of these settings. Nothing is sent yet.
    pub(super) fn new(settings: &S3Settings) -> Result<Self, Error> {
        let S3Settings { endpoint_url, region, access_key_id, secret_access_key } = settings;
        let unusable = |problem: String| Error::OutsideS3Settings { endpoint: without_user(endpoint_url), problem };
        let uri: Uri = endpoint_url.parse().map_err(|error: http::uri::InvalidUri| unusable(error.to_string()))?;
        let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or_default();
        if !matches!(scheme, "http" | "https") || authority.is_empty() {
            return Err(unusable("its address must be http://host:port or https://host:port".to_owned()));
        }
        if authority.contains('@') || uri.query().is_some() {
            return Err(unusable("its address must have neither user nor query".to_owned()));
        }
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let tls = Tls::new(variable("AWS_CA_BUNDLE").map(Into::into));
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
        let proxy = either("HTTPS_PROXY").map(|url| Proxy::parse(&url, &either("NO_PROXY").unwrap_or_default()));
        let tls = tls.with_proxy(proxy.transpose().map_err(unusable)?);
        let credentials = Credentials {
            access_key_id: access_key_id.clone(),
            secret_access_key: secret_access_key.clone(),
            session_token: None,
        };
        Ok(Self(Arc::new(Inner {
            transport: Transport::plain(CONNECT_TIMEOUT).with_tls(tls),
            endpoint: endpoint_url.clone(),
            base: format!("{scheme}://{authority}{}", uri.path().trim_end_matches('/')),
            authority,
            credentials,
            region: region.clone(),
            skew: AtomicI64::new(0),
        })))
    }

    pub(super) fn region(&self) -> &str {
        &self.0.region
    }

    /// A request and its answer, tried for as long as an outage of a minute takes.
    pub(super) async fn call(&self, call: Call) -> Result<Answer, Refusal> {
        self.call_within(call, PERSISTENCE).await
    }

    /// The same, tried for so long.
    pub(super) async fn call_within(&self, call: Call, persistence: Duration) -> Result<Answer, Refusal> {
        let deadline = Instant::now() + persistence;
        let (mut pause, mut repeated, mut clock_set) = (FIRST_PAUSE, false, false);
        loop {
            // What is left of the time, and not too little for an answer that comes in the end.
            let least = persistence.min(LEAST_PATIENCE);
            let may_take = deadline.saturating_duration_since(Instant::now()).clamp(least, PATIENCE);
            let (refusal, may_be_done) = match self.attempt(&call, may_take).await? {
                Attempt::Answered(status, headers, body) if !is_refusal(status) => {
                    return Ok(Answer { status, headers, body: *body, repeated });
                }
                Attempt::Answered(status, headers, body) => {
                    let refusal = self.refusal(&call, status, &headers, *body, repeated).await;
                    if refusal.is("RequestTimeTooSkewed") && !clock_set && self.set_clock(&headers) {
                        clock_set = true;
                        continue;
                    }
                    // A service that is not there has done nothing; one that failed may have.
                    (refusal, matches!(status.as_u16(), 500 | 502 | 504))
                }
                Attempt::Lost(problem, may_be_done) => (self.unread(&call.action, &problem, repeated), may_be_done),
            };
            let is_last = !refusal.passing || may_be_done && !call.may_be_repeated;
            if is_last || Instant::now() + pause > deadline {
                return Err(refusal);
            }
            tracing::debug!(code = refusal.code, problem = refusal.message, action = call.action, "tried again");
            repeated |= may_be_done;
            tokio::time::sleep(spread(pause)).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// A call whose answer is a document.
    pub(super) async fn document(&self, call: Call) -> Result<(HeaderMap, String), Refusal> {
        let action = call.action.clone();
        let answer = self.call(call).await?;
        let repeated = answer.repeated;
        let body = answer.body.whole(LONGEST_DOCUMENT).await;
        let body = body.map_err(|error| self.unread(&action, &error.to_string(), repeated))?;
        let document = String::from_utf8(body.into());
        let document = document.map_err(|_| self.unread(&action, "its answer is no UTF-8", repeated))?;
        Ok((answer.headers, document))
    }

    /// A call of whose answer only the head says something.
    pub(super) async fn done(&self, call: Call) -> Result<HeaderMap, Refusal> {
        let answer = self.call(call).await?;
        // Read, so that the connection can be used again; what is in it is nobody's.
        let _ = answer.body.whole(LONGEST_REFUSAL).await;
        Ok(answer.headers)
    }

    fn unread(&self, action: &str, problem: &str, repeated: bool) -> Refusal {
        Refusal {
            endpoint: self.0.endpoint.clone(),
            action: action.to_owned(),
            code: String::new(),
            message: problem.to_owned(),
            status: None,
            passing: true,
            repeated,
        }
    }

    /// An error for what an answer should have and has not.
    pub(super) fn unexpected(&self, action: &str, problem: &str) -> Error {
        Error::OutsideS3Unavailable {
            endpoint: self.0.endpoint.clone(),
            action: action.to_owned(),
            problem: problem.to_owned(),
        }
    }

    /// A refusal of ours: what came is not what was asked for.
    pub(super) fn refused(&self, action: &str, problem: &str) -> Refusal {
        let mut refusal = self.unread(action, problem, false);
        refusal.passing = false;
        "UnexpectedAnswer".clone_into(&mut refusal.code);
        refusal
    }

    async fn refusal(
        &self,
        call: &Call,
        status: StatusCode,
        headers: &HeaderMap,
        body: Received,
        repeated: bool,
    ) -> Refusal {
        // An answer that breaks off is told from its status alone.
        let body = body.whole(LONGEST_REFUSAL).await.unwrap_or_default();
        let (code, message) = told(status, headers, &String::from_utf8_lossy(&body));
        let passing = is_passing(status, &code);
        let (endpoint, action) = (self.0.endpoint.clone(), call.action.clone());
        Refusal { endpoint, action, code, message, status: Some(status), passing, repeated }
    }

    /// An answer that came with a success and is a refusal all the same, as that of a completed upload may be.
    pub(super) fn refusal_within(&self, action: &str, document: &str) -> Option<Refusal> {
        xml::element(document, "Error")?;
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let (code, message) = told(status, &HeaderMap::new(), document);
        let passing = is_passing(StatusCode::OK, &code);
        let (endpoint, action) = (self.0.endpoint.clone(), action.to_owned());
        Some(Refusal { endpoint, action, code, message, status: Some(status), passing, repeated: false })
    }

    /// Takes over the outside's clock from an answer of it.
    fn set_clock(&self, headers: &HeaderMap) -> bool {
        let Some(theirs) = headers::date(headers, "date") else { return false };
        let ahead = theirs.as_millisecond() - Timestamp::now().as_millisecond();
        tracing::warn!(seconds = ahead / 1000, "the clock of the outside S3 differs from this machine's");
        self.0.skew.store(ahead, Ordering::Relaxed);
        true
    }

    async fn attempt(&self, call: &Call, patience: Duration) -> Result<Attempt, Refusal> {
        let request = match self.signed(call) {
            Ok(request) => request,
            Err(problem) => return Err(self.refused(&call.action, &problem)),
        };
        Ok(match self.0.transport.exchange(request, patience).await {
            Ok(response) => {
                let (parts, body) = response.into_parts();
                Attempt::Answered(parts.status, parts.headers, Box::new(body))
            }
            Err(TransportError::Unreachable(problem)) => Attempt::Lost(problem, false),
            Err(error) => Attempt::Lost(error.to_string(), true),
        })
    }

    fn signed(&self, call: &Call) -> Result<Request<OutgoingBody>, String> {
        let inner = &*self.0;
        let query = if call.query.is_empty() { String::new() } else { format!("?{}", call.query) };
        let uri: Uri = format!("{}{}{query}", inner.base, call.path)
            .parse()
            .map_err(|error: http::uri::InvalidUri| text(&error))?;
        let length = call.content.size().to_string();
        let mut headers: Vec<(&str, &[u8])> = vec![("host", inner.authority.as_bytes())];
        if call.method == Method::PUT || call.method == Method::POST {
            headers.push(("content-length", length.as_bytes()));
        }
        headers.extend(call.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())));
        let canonical = Canonical {
            method: call.method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers,
            payload: Payload::Hashed(call.content.hash()),
        };
        let skew = SignedDuration::from_millis(inner.skew.load(Ordering::Relaxed));
        let now = Timestamp::now();
        let now = now.checked_add(skew).unwrap_or(now);
        let signer = Signer { credentials: &inner.credentials, region: &inner.region, service: "s3", now };
        let added = sign(&canonical, &signer);
        let mut map = HeaderMap::new();
        let added = added.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (name, value) in canonical.headers.iter().copied().chain(added) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| text(&error))?;
            map.append(name, HeaderValue::from_bytes(value).map_err(|error| text(&error))?);
        }
        let mut request = Request::new(call.content.body());
        *request.method_mut() = call.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = map;
        Ok(request)
    }
}

fn text(error: &dyn fmt::Display) -> String {
    format!("the request cannot be written: {error}")
}

/// An address without the name and password that it must not have.
fn without_user(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => format!("{}{}", &url[..scheme + 3], &url[at + 1..]),
        _ => url.to_owned(),
    }
}

/// A redirection is to where the bucket really is: nobody follows it, as the settings should say so.
fn is_refusal(status: StatusCode) -> bool {
    !status.is_success()
}

/// Code and message of a refusal.
fn told(status: StatusCode, headers: &HeaderMap, document: &str) -> (String, String) {
    let code = xml::text(document, "Code").map(std::borrow::Cow::into_owned);
    let message = xml::text(document, "Message").map(std::borrow::Cow::into_owned);
    let region = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
    let code = code.unwrap_or_else(|| status.canonical_reason().unwrap_or("Unknown").replace(' ', ""));
    let mut message = message.unwrap_or_else(|| format!("its answer has status {} and no message", status.as_u16()));
    if let Some(region) = region.filter(|_| status.is_redirection()) {
        let _ = write!(message, " (the bucket is in {region}: the setting `objects.region` says where requests go)");
    }
    (code, message)
}

/// Whether another attempt may bring more.
fn is_passing(status: StatusCode, code: &str) -> bool {
    let passing_code = matches!(
        code,
        "SlowDown"
            | "ServiceUnavailable"
            | "InternalError"
            | "RequestTimeout"
            | "ThrottlingException"
            | "TooManyRequestsException"
            | "OperationAborted"
            | "ConditionalRequestConflict"
    );
    passing_code || matches!(status.as_u16(), 429 | 500 | 502 | 503 | 504)
}

/// A pause that differs between those who wait for the same.
fn spread(pause: Duration) -> Duration {
    let random = u32::from(Uuid::new_v4().as_bytes()[0]);
    pause / 2 + pause * random / 512
}
