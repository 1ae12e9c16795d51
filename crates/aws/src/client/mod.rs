//! A small client of the services in this crate: signed requests over HTTP/1.1, for our own command line and tests.
//!
//! [`Client`] speaks plain `http://` alone, as the service listens on the loopback address; [`Transport`] below it speaks
//! `https://` too, for the SDK (feature `tls`). An answer is read whole, up to a bound; there are no retries, as the caller
//! knows what may be sent twice.

mod bodies;
mod error;
#[cfg(feature = "tls")]
mod proxy;
#[cfg(feature = "tls")]
mod tls;
mod transport;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use bodies::{OutgoingBody, Received, in_memory};
pub use error::ClientError;
#[cfg(feature = "tls")]
pub use proxy::Proxy;
#[cfg(feature = "tls")]
pub use tls::{Tls, trusted_certificates, trusting};
pub use transport::{Transport, TransportError, innermost};

use crate::signing::{Canonical, Credentials, Payload, Signer, sign};

/// What a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What a request may take from its start to the last byte of its answer, unless told otherwise.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A client of one endpoint; cheap to clone, connections are shared and kept.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    /// Host and port.
    authority: String,
    /// What the endpoint's address has before the path of a request; without a slash at its end.
    base_path: String,
    credentials: Credentials,
    region: String,
    timeout: Duration,
}

impl Client {
    /// A client of the service at `endpoint_url`, such as `http://127.0.0.1:8080`. Nothing is sent yet.
    ///
    /// # Errors
    /// The address is none, or begins with `https`.
    pub fn new(endpoint_url: &str, credentials: Credentials, region: &str) -> Result<Self, ClientError> {
        let unusable = |reason: &str| ClientError::Endpoint { url: endpoint_url.to_owned(), reason: reason.to_owned() };
        let uri: Uri = endpoint_url.parse().map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err(unusable("this client speaks no TLS, use an http:// address")),
            _ => return Err(unusable("it must begin with http://")),
        }
        let authority = uri.authority().ok_or_else(|| unusable("it names no host"))?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return Err(unusable("it must have neither user nor query"));
        }
        Ok(Self {
            transport: Transport::plain(CONNECT_TIMEOUT),
            authority: authority.to_string(),
            base_path: uri.path().trim_end_matches('/').to_owned(),
            credentials,
            region: region.to_owned(),
            timeout: TIMEOUT,
        })
    }

    /// The same client with another limit of a whole request, by default one minute.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Calls an operation of a JSON service by the name its targets have (`SageMaker`, `Logs_20140328`,
    /// `GraniteServiceVersion20100801`, `TrentService`, `AmazonEC2ContainerRegistry_V20150921`); an operation without
    /// output gives null.
    ///
    /// # Errors
    /// [`ClientError::Service`] for what the service refuses, with its code.
    pub async fn call(
        &self,
        service_target: &str,
        operation: &str,
        input: &(impl Serialize + Sync + ?Sized),
    ) -> Result<Value, ClientError> {
        let (signing_service, content_type) = match service_target {
            "SageMaker" => ("sagemaker", "application/x-amz-json-1.1"),
            "Logs_20140328" => ("logs", "application/x-amz-json-1.1"),
            "GraniteServiceVersion20100801" => ("monitoring", "application/x-amz-json-1.0"),
            "TrentService" => ("kms", "application/x-amz-json-1.1"),
            "AmazonEC2ContainerRegistry_V20150921" => ("ecr", "application/x-amz-json-1.1"),
            other => return Err(ClientError::Request(format!("{other:?} is the target of no JSON service"))),
        };
        let body = serde_json::to_vec(input).map_err(|error| ClientError::Request(error.to_string()))?;
        let target = format!("{service_target}.{operation}");
        let headers = [("content-type", content_type), ("x-amz-target", target.as_str())];
        let response = self.request(Method::POST, "/", &headers, body, signing_service).await?;
        if !response.status().is_success() {
            return Err(ClientError::of_json(&response));
        }
        if response.body().is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(response.body())
            .map_err(|error| ClientError::Answer(format!("the answer of {operation} is no JSON: {error}")))
    }

    /// Sends a signed request and gives the answer as it is, whatever its status. `path_and_query` is encoded already
    /// ([`encode_path`](crate::signing::encode_path)), `signing_service` is `s3`, `sagemaker`, ...
    ///
    /// # Errors
    /// No connection, no answer in time, an answer that is too long, or a path or header no request can have.
    pub async fn request(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
        signing_service: &str,
    ) -> Result<Response<Bytes>, ClientError> {
        let request = self.signed(method, path_and_query, headers, body.into(), signing_service)?;
        let exchange = tokio::time::timeout(self.timeout, self.transport.send(request, self.timeout)).await;
        exchange.unwrap_or(Err(TransportError::Timeout(self.timeout))).map_err(|error| self.failure(error))
    }

    /// Asks for something large: the head of the answer, whatever its status, and what its body is read from. Neither the
    /// head nor a piece of the body may take longer than the limit of a request.
    ///
    /// # Errors
    /// Those of [`Client::request`].
    pub async fn download(
        &self,
        path_and_query: &str,
        signing_service: &str,
    ) -> Result<Response<Received>, ClientError> {
        let request = self.signed(Method::GET, path_and_query, &[], Bytes::new(), signing_service)?;
        self.transport.exchange(request.map(in_memory), self.timeout).await.map_err(|error| self.failure(error))
    }

    fn failure(&self, error: TransportError) -> ClientError {
        match error {
            TransportError::Timeout(after) => ClientError::Timeout { endpoint: self.authority.clone(), after },
            TransportError::TooLong(_) => ClientError::Answer(error.to_string()),
            TransportError::Unreachable(reason) | TransportError::Broken(reason) => {
                ClientError::Connection { endpoint: self.authority.clone(), reason }
            }
        }
    }

    fn signed(
        &self,
        method: Method,
        path_and_query: &str,
        headers: &[(&str, &str)],
        body: Bytes,
        service: &str,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let unusable = |error: &dyn std::fmt::Display| ClientError::Request(error.to_string());
        let uri: Uri = format!("http://{}{}{path_and_query}", self.authority, self.base_path)
            .parse()
            .map_err(|error: http::uri::InvalidUri| unusable(&error))?;
        let mut all = vec![("host", self.authority.as_bytes())];
        all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
        let canonical = Canonical {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            headers: all,
            payload: Payload::Bytes(&body),
        };
        // The one clock of this crate: a signature is made for the moment it is sent.
        let signer = Signer { credentials: &self.credentials, region: &self.region, service, now: Timestamp::now() };
        let added = sign(&canonical, &signer);
        let mut map = HeaderMap::new();
        let added = added.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        for (name, value) in canonical.headers.iter().copied().chain(added) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unusable(&error))?;
            let value = HeaderValue::from_bytes(value).map_err(|error| unusable(&error))?;
            map.append(name, value);
        }
        drop(canonical);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = map;
        Ok(request)
    }
}
