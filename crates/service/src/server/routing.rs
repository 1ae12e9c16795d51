//! From a request to the part that answers it, in the order that settled every recorded request.
//!
//! Only what is signed is answered, save health and metrics. Bodies of everything but S3 are read whole, up to a limit;
//! S3's stream. Invocations of endpoints, which come by the thousand, take a short way: their path says what they are.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use s3s::service::S3Service;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;
use watchkeeper_aws::generated::{cloudwatch, ecr, iam, kms, logs, sagemaker, sts};
use watchkeeper_aws::protocol::{self, Protocol, Route, Service};
use watchkeeper_aws::signing::{BodyHash, Codes, Payload, Scope};
use watchkeeper_aws::{Call, Error};

use super::authentication::{self, S3Keys, S3Tokens};
use super::body::{Answer, BodyBudget, BodyError, TimedBody, Unread, WholeBody, close_if_refused, whole};
use super::chunks::{self, Chunks};
use super::credentials::AccessKeys;
use super::relay::Arriving;
use super::{health, keys, object_errors};
use crate::Context;
use crate::api::sts::JobMark;
use crate::api::{self, s3};
use crate::configuration::Role;
use crate::hosting::Hosting;
use crate::hosting::invocation::{self, AnswerBody, Invocation, Operation};
use crate::telemetry::latest_metrics::LatestMetrics;
use crate::telemetry::prometheus;

/// The reserved path of everything that is not AWS's: no bucket's name begins so.
const RESERVED: &str = "/_watchkeeper";
/// The most bytes of a body that is read whole.
const MAX_BODY_BYTES: usize = 10 << 20;
/// The most bytes of a body whose sender names no key of ours.
const MAX_STRANGER_BYTES: usize = 64 << 10;
/// The most bytes of an invocation.
const MAX_INVOCATION_BYTES: usize = 6 << 20;
/// The fewest bytes a second of the body of an object.
const LEAST_RATE: u64 = 500;
/// Parameters of requests to S3 whose body streams.
const OF_STREAMS: [&str; 6] = ["partNumber", "uploadId", "x-id", "AWSAccessKeyId", "Signature", "Expires"];
/// The header by which a job asks not to be captured; that of others means nothing.
const CAPTURE: &str = "x-watchkeeper-capture";

/// What answers requests.
pub(super) struct Router {
    context: Arc<Context>,
    keys: Arc<AccessKeys>,
    latest: Arc<LatestMetrics>,
    hosting: Arc<Hosting>,
    objects: S3Service,
    operators: TowerToHyperService<axum::Router>,
    services: Services,
    bodies: BodyBudget,
    idle: Duration,
}

/// The implementations of AWS's traits.
struct Services {
    sagemaker: api::sagemaker::SageMakerApi,
    logs: api::logs::Logs,
    cloudwatch: api::cloudwatch::CloudWatch,
    kms: api::kms::Kms,
    sts: api::sts::Sts,
    iam: api::iam::Iam,
    ecr: api::ecr::Ecr,
}

/// What is known of an answered request.
struct Answered {
    answer: Answer,
    /// A word for the service, of few.
    service: &'static str,
    /// The operation, if it exists.
    operation: Option<Cow<'static, str>>,
}

/// A request for an invocation as it came.
struct Arrived<'a> {
    parts: &'a http::request::Parts,
    begun: Instant,
    /// Whether it claims to be signed with a key of ours.
    is_known: bool,
    /// Whether it is captured: not where a job of ours asks for that.
    is_traffic: bool,
}

impl Router {
    pub(super) fn new(
        context: Arc<Context>,
        keys: Arc<AccessKeys>,
        latest: Arc<LatestMetrics>,
        hosting: Arc<Hosting>,
    ) -> Self {
        let operators =
            api::operators::router(Arc::clone(&context)).merge(keys::router(Arc::clone(&context), Arc::clone(&keys)));
        Self {
            objects: s3::service(
                Arc::clone(&context),
                S3Keys(Arc::clone(&keys)),
                S3Tokens { context: Arc::clone(&context), keys: Arc::clone(&keys) },
            ),
            operators: TowerToHyperService::new(operators),
            services: Services {
                sagemaker: api::sagemaker::SageMakerApi(Arc::clone(&context)),
                logs: api::logs::Logs(Arc::clone(&context)),
                cloudwatch: api::cloudwatch::CloudWatch(Arc::clone(&context)),
                kms: api::kms::Kms(Arc::clone(&context)),
                sts: api::sts::Sts(Arc::clone(&context)),
                iam: api::iam::Iam(Arc::clone(&context)),
                ecr: api::ecr::Ecr(Arc::clone(&context)),
            },
            bodies: BodyBudget::new(),
            idle: Duration::from_secs(context.configuration.server.idle_seconds),
            context,
            keys,
            latest,
            hosting,
        }
    }

    /// Whether a request is an invocation by the look of it: one whose answer is that of a model, without a look into the
    /// store.
    pub(super) fn is_quick<B>(request: &Request<B>) -> bool {
        request.method() == Method::POST && request.uri().path().starts_with("/endpoints/")
    }

    /// Answers a request. `tls_host` is the name that a proxied client has asked for.
    pub(super) async fn answer(&self, request: Request<Arriving>, tls_host: Option<&str>) -> Answer {
        let begun = Instant::now();
        let request_id = request_id();
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let waits = request.headers().contains_key(header::EXPECT);
        let mut answered = self.routed(request, tls_host, &request_id, begun).await;
        let status = answered.answer.status();
        close_if_refused(waits, status, answered.answer.headers_mut());
        let status = status.as_u16();
        let operation = answered.operation.as_deref().unwrap_or_default();
        prometheus::count_request(answered.service, operation, status, begun.elapsed());
        // What is not implemented, too much at once, or without room is said where it is refused, and not each time.
        if status >= 500 && !matches!(status, 501 | 503 | 507) {
            tracing::error!(request_id, %method, path, service = answered.service, operation, status, "request failed");
        } else {
            tracing::debug!(request_id, %method, path, service = answered.service, operation, status, "request");
        }
        answered.answer
    }

    async fn routed(
        &self,
        request: Request<Arriving>,
        tls_host: Option<&str>,
        request_id: &str,
        begun: Instant,
    ) -> Answered {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).or(tls_host);
        let names_bucket = host.is_some_and(|host| s3::bucket_of_host(host).is_some());
        let path = request.uri().path();
        if !names_bucket && (path == RESERVED || path.starts_with("/_watchkeeper/")) {
            return Box::pin(self.reserved(request, request_id)).await;
        }
        if !self.context.configuration.has_role(Role::Api) {
            let message = "this process does not answer AWS's requests: it has not the role `api`\n";
            return Answered { answer: plain(StatusCode::NOT_FOUND, message), service: "none", operation: None };
        }
        let (parts, body) = request.into_parts();
        let scope = authentication::scope(&parts);
        let scope_service = scope.as_ref().map(|scope| scope.service.as_str());
        if !names_bucket
            && scope_service == Some("sagemaker")
            && let Some(operation) = invocation_of(&parts)
        {
            let is_known = self.knows(&parts, scope.as_ref());
            let is_traffic = !self.is_of_analysis(&parts, scope.as_ref());
            let arrived = Arrived { parts: &parts, begun, is_known, is_traffic };
            return self.invocation(operation, arrived, body, request_id).await;
        }
        Box::pin(self.general(parts, body, scope.as_ref(), names_bucket, request_id)).await
    }

    /// Everything that is neither an invocation nor reserved. In a future of its own: it is many times as large as that of an
    /// invocation, which would have to carry it along.
    async fn general(
        &self,
        parts: http::request::Parts,
        body: Arriving,
        scope: Option<&Scope>,
        names_bucket: bool,
        request_id: &str,
    ) -> Answered {
        let scope_service = scope.map(|scope| scope.service.as_str());
        let view = protocol::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: b"" };
        let may_be_form = parts.method == Method::POST && !names_bucket && scope_service != Some("s3");
        let route = protocol::route(&view, scope_service);
        let is_object = matches!(&route, Ok(route) if route.service == Service::S3);
        if names_bucket && scope_service.is_none() || is_object && !(may_be_form && is_form(&parts)) {
            return self.object(Request::from_parts(parts, body), request_id).await;
        }
        let limit = match &route {
            // Whoever has no key of ours fills no memory.
            _ if !self.knows(&parts, scope) => MAX_STRANGER_BYTES,
            _ => MAX_BODY_BYTES,
        };
        // The share is held until the request is answered.
        let body = TimedBody::new(body, &parts.headers, self.idle).read(limit, &self.bodies).await;
        let WholeBody { bytes: body, share: _share } = match body {
            Ok(body) => body,
            Err(unread) => {
                let form = Route::of_error(&view);
                return answered(&form, None, protocol::encode_error(&form, request_id, &unread_error(&unread, limit)));
            }
        };
        let view = protocol::Request { body: &body, ..view };
        let route = match protocol::route(&view, scope_service) {
            Ok(route) if route.service == Service::S3 => {
                // A form that is none of a query service: whatever it is, S3 says what it thinks of it.
                return self.buffered_object(parts, body, request_id).await;
            }
            Ok(route) => route,
            Err(error) => {
                let form = form_of_refusal(&view, scope_service);
                return answered(&form, None, protocol::encode_error(&form, request_id, &error));
            }
        };
        let called: BoxFuture<'_, _> = Box::pin(self.called(&route, &view, request_id));
        match called.await {
            Ok(output) => answered(&route, Some(&route), protocol::encode(&route, request_id, output)),
            Err(error) => {
                let known = (error.code != "UnknownOperationException").then_some(&route);
                answered(&route, known, protocol::encode_error(&route, request_id, &error))
            }
        }
    }

    /// Whether a request claims to be signed with a key of ours. Ids of temporary keys can be made up: it is their
    /// token that only we can have made.
    fn knows(&self, parts: &http::request::Parts, scope: Option<&Scope>) -> bool {
        scope.is_some_and(|scope| {
            let token = authentication::session_token(parts);
            self.keys.signing_secret(&scope.access_key_id).is_some()
                && self.keys.accepts_token(&scope.access_key_id, token.as_deref(), self.context.now())
        })
    }

    /// Whether a job of ours asks an endpoint without being traffic: monitors would find what their own analyses asked.
    fn is_of_analysis(&self, parts: &http::request::Parts, scope: Option<&Scope>) -> bool {
        parts.headers.get(CAPTURE).is_some_and(|value| value == "off")
            && scope.is_some_and(|scope| JobMark::of_key(&self.context, &scope.access_key_id).is_some())
    }

    /// Checks who asks, and asks the implementation.
    async fn called(
        &self,
        route: &Route,
        view: &protocol::Request<'_>,
        request_id: &str,
    ) -> Result<Option<serde_json::Value>, Error> {
        let codes = authentication::codes(route.protocol);
        let now = self.context.now();
        let verified = authentication::verify(&self.keys, view, route.service.signing_name(), codes, now)?;
        let call = Call {
            region: verified.scope.region,
            account: self.context.configuration.account.clone(),
            access_key_id: verified.scope.access_key_id,
            request_id: request_id.to_owned(),
            now,
        };
        let input = protocol::decode(route, view)?;
        let services = &self.services;
        let operation = route.operation.as_str();
        match route.service {
            Service::SageMaker => sagemaker::dispatch(&services.sagemaker, &call, operation, input).await,
            Service::Logs => logs::dispatch(&services.logs, &call, operation, input).await,
            Service::CloudWatch => cloudwatch::dispatch(&services.cloudwatch, &call, operation, input).await,
            Service::Kms => kms::dispatch(&services.kms, &call, operation, input).await,
            Service::Sts => sts::dispatch(&services.sts, &call, operation, input).await,
            Service::Iam => iam::dispatch(&services.iam, &call, operation, input).await,
            Service::Ecr => ecr::dispatch(&services.ecr, &call, operation, input).await,
            // Invocations have gone the short way.
            Service::Runtime | Service::S3 => Err(Error::unknown_operation(operation)),
        }
    }

    /// An invocation of an endpoint: signature, limit of the body, endpoint, in this order.
    async fn invocation(
        &self,
        operation: Operation,
        Arrived { parts, begun, is_known, is_traffic }: Arrived<'_>,
        body: Arriving,
        request_id: &str,
    ) -> Answered {
        let known = |answer| Answered {
            answer,
            service: "sagemaker-runtime",
            operation: Some(Cow::Borrowed(operation.name())),
        };
        let refused = |error: &Error| known(protocol::encode_error(&operation.route(), request_id, error).map(whole));
        let limit = if is_known { MAX_INVOCATION_BYTES } else { MAX_STRANGER_BYTES };
        let mut hash = BodyHash::default();
        let body = TimedBody::new(body, &parts.headers, self.idle);
        let body = body.read_pieces(limit, &self.bodies, |piece| hash.update(piece)).await;
        // The share is held until the answer has begun.
        let WholeBody { bytes: body, share: _share } = match body {
            Ok(body) => body,
            Err(unread) => return refused(&unread_error(&unread, limit)),
        };
        let (payload, now) = (Payload::Hashed(&hash.end()), self.context.now());
        if let Err(error) = authentication::verify_invocation(&self.keys, parts, payload, now) {
            return refused(&error);
        }
        match invocation::invoke(&self.hosting, Invocation { operation, parts, body, begun, is_traffic }).await {
            Ok(answer) => {
                let mut answer = answer.map(|body: AnswerBody| body.map_err(|never| match never {}).boxed_unsync());
                if let Ok(id) = HeaderValue::from_str(request_id) {
                    answer.headers_mut().insert("x-amzn-requestid", id);
                }
                known(answer)
            }
            Err(error) => refused(&error),
        }
    }

    /// S3, with a body that streams.
    async fn object(&self, request: Request<Arriving>, request_id: &str) -> Answered {
        let (parts, body) = request.into_parts();
        // The share of a document is held until the request is answered; bodies of objects stream.
        let _share = match self.share_of_document(&parts).await {
            Ok(share) => share,
            Err(refused) => return refused,
        };
        let body = TimedBody::new(body, &parts.headers, self.idle).at_least(LEAST_RATE);
        let body = match chunks::are_in(&parts.headers) {
            Some(is_signed) => s3s::Body::http_body_unsync(Chunks::new(body, is_signed)),
            None => s3s::Body::http_body_unsync(body),
        };
        self.objects(Request::from_parts(parts, body), request_id).await
    }

    /// The share of memory of a request to S3 whose body is a document, which is read whole: lists of keys and parts,
    /// settings of buckets. None where it has none.
    async fn share_of_document(&self, parts: &http::request::Parts) -> Result<Option<OwnedSemaphorePermit>, Answered> {
        let query = parts.uri.query().unwrap_or_default();
        let mut names = query.split('&').filter_map(|pair| pair.split('=').next()).filter(|name| !name.is_empty());
        // Those of signatures, of SDKs, and of parts, which stream.
        let streams = |name: &str| {
            OF_STREAMS.contains(&name) || name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("x-amz-"))
        };
        let is_document = parts.method == Method::POST || parts.method == Method::PUT && !names.all(streams);
        let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let bytes = length.unwrap_or(s3::MAX_XML_BYTES).min(s3::MAX_XML_BYTES);
        if !is_document || bytes == 0 {
            return Ok(None);
        }
        self.bodies.share(bytes).await.map(Some).map_err(|_| {
            let answer = plain(StatusCode::SERVICE_UNAVAILABLE, "too many bytes of other requests are being read\n");
            Answered { answer, service: "s3", operation: None }
        })
    }

    async fn buffered_object(&self, parts: http::request::Parts, body: Bytes, request_id: &str) -> Answered {
        self.objects(Request::from_parts(parts, s3s::Body::from(body)), request_id).await
    }

    async fn objects(&self, request: Request<s3s::Body>, request_id: &str) -> Answered {
        let is_head = request.method() == Method::HEAD;
        let called = if is_form_upload(&request) {
            s3::refused_form().map_err(|error| format!("{error:?}"))
        } else {
            self.objects.call(request).await.map_err(|error| format!("{error:?}"))
        };
        let answer = match called {
            Ok(answer) => answer.map(|body| body.map_err(BodyError::new).boxed_unsync()),
            Err(error) => {
                tracing::error!(request_id, error, "S3 gave no answer");
                plain(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        };
        Answered { answer: object_errors::finish(answer, is_head, request_id).await, service: "s3", operation: None }
    }

    /// Health and metrics for everybody, the rest for operators who have signed.
    async fn reserved(&self, request: Request<Arriving>, request_id: &str) -> Answered {
        let known = |answer| Answered { answer, service: "operators", operation: None };
        if let Some(answer) = health::answer(&self.context, &self.latest, request.method(), request.uri().path()).await
        {
            return known(answer);
        }
        let (parts, body) = request.into_parts();
        let form = Route { service: Service::Runtime, operation: String::new(), protocol: Protocol::RestJson };
        let refused = |error: &Error| known(protocol::encode_error(&form, request_id, error).map(whole));
        let scope = authentication::scope(&parts);
        let limit = if self.knows(&parts, scope.as_ref()) { MAX_BODY_BYTES } else { MAX_STRANGER_BYTES };
        // The share is held until the request is answered.
        let body = TimedBody::new(body, &parts.headers, self.idle).read(limit, &self.bodies).await;
        let WholeBody { bytes: body, share: _share } = match body {
            Ok(body) => body,
            Err(unread) => return refused(&unread_error(&unread, limit)),
        };
        let view = protocol::Request { method: &parts.method, uri: &parts.uri, headers: &parts.headers, body: &body };
        // Operators sign for whichever service their tool takes them to be at, but not for S3: people hand out addresses
        // that are signed for it.
        let of_tool = scope.map(|scope| scope.service).filter(|service| service != "s3");
        let signing_name = of_tool.unwrap_or_else(|| "sagemaker".to_owned());
        if let Err(error) = authentication::verify(&self.keys, &view, &signing_name, Codes::Rest, self.context.now()) {
            return refused(&error);
        }
        let request = Request::from_parts(parts, axum::body::Body::new(Full::new(body)));
        let Ok(answer) = self.operators.call(request).await;
        let mut answer = answer.map(|body| body.map_err(BodyError::new).boxed_unsync());
        if let Ok(id) = HeaderValue::from_str(request_id) {
            answer.headers_mut().insert("x-amzn-requestid", id);
        }
        known(answer)
    }
}

fn is_form_upload<B>(request: &Request<B>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    request.method() == Method::POST && content_type.trim_ascii_start().to_ascii_lowercase().starts_with(b"multipart/")
}

/// What the refusal of a request without a route is written as: clients of services that are none of ours mostly speak
/// JSON where they speak neither targets nor forms.
fn form_of_refusal(view: &protocol::Request<'_>, scope_service: Option<&str>) -> Route {
    let form = Route::of_error(view);
    match (form.service, scope_service) {
        (Service::S3, Some(other)) if !matches!(other, "s3" | "cloudfront" | "route53") => {
            Route { service: Service::Runtime, operation: String::new(), protocol: Protocol::RestJson }
        }
        _ => form,
    }
}

fn is_form(parts: &http::request::Parts) -> bool {
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    parts.uri.path() == "/" && content_type.is_some_and(|text| text.starts_with("application/x-www-form-urlencoded"))
}

fn answered(form: &Route, known: Option<&Route>, answer: http::Response<Vec<u8>>) -> Answered {
    let service = match form.service {
        Service::SageMaker => "sagemaker",
        Service::Runtime => "sagemaker-runtime",
        Service::Logs => "logs",
        Service::CloudWatch => "cloudwatch",
        Service::Kms => "kms",
        Service::Sts => "sts",
        Service::Iam => "iam",
        Service::Ecr => "ecr",
        Service::S3 => "s3",
    };
    // What a stranger makes up is no operation: it would be a series of numbers for as long as the service runs.
    let exists =
        |route: &&Route| route.service.model().is_some_and(|model| model.operation(&route.operation).is_some());
    let operation = known.filter(exists).map(|route| Cow::Owned(route.operation.clone()));
    Answered { answer: answer.map(whole), service, operation }
}

fn unread_error(unread: &Unread, limit: usize) -> Error {
    match unread {
        Unread::TooLarge => {
            Error::new("RequestEntityTooLargeException", format!("the body holds more than {limit} bytes"))
                .with_status(413)
        }
        Unread::NoRoom => {
            Error::throttling("too many bytes of other requests are being read: try again").with_status(503)
        }
        Unread::Broken(cause) => {
            tracing::debug!(%cause, "the body of a request broke off");
            Error::new("RequestTimeoutException", "the body of the request did not come whole").with_status(408)
        }
    }
}

/// The invocation that a request asks for by its path, unless a target says that it is something else.
fn invocation_of(parts: &http::request::Parts) -> Option<Operation> {
    (parts.method == Method::POST && !parts.headers.contains_key("x-amz-target"))
        .then(|| Operation::of_path(parts.uri.path()))
        .flatten()
}

thread_local! {
    /// Where the last request's id came from: random at first, then one further each time.
    static LAST_REQUEST: Cell<u128> = Cell::new(Uuid::new_v4().as_u128());
}

/// A request's id, as unique as a random one. To ask the operating system for randomness would take longer than most of what
/// a request needs.
fn request_id() -> String {
    let number = LAST_REQUEST.get().wrapping_add(1);
    LAST_REQUEST.set(number);
    // The low half counts, so it is spread over all bits (the finisher of SplitMix64, which loses nothing).
    let mut low = number as u64;
    low = (low ^ (low >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    low = (low ^ (low >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    low ^= low >> 31;
    let number = (number >> 64 << 64) | u128::from(low);
    uuid::Builder::from_random_bytes(number.to_be_bytes()).into_uuid().to_string()
}

fn plain(status: StatusCode, message: &'static str) -> Answer {
    let mut answer = Answer::new(whole(message));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
