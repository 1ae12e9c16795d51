//! A model behind a URL.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::RootCertStore;
use watchkeeper_aws::client::{trusted_certificates, trusting};

use super::connections::Connections;
use super::{Failure, RequestHeaders, Way, refusal};

/// What a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A model behind a URL that takes POST requests.
pub(in crate::predictor) struct HttpModel {
    connections: Connections,
    /// Without scheme and host, as requests have it.
    target: Uri,
    headers: HeaderMap,
}

impl HttpModel {
    /// The text of an error says what is wrong with the URL or a header.
    pub(in crate::predictor) fn new(url: &str, headers: &RequestHeaders) -> Result<Self, String> {
        let unusable = |problem: &str| format!("the model's URL {url:?} cannot be used: {problem}");
        let uri: Uri = url.parse().map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err(unusable("it must be http://HOST… or https://HOST…"));
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str());
        let target = target.parse().map_err(|error: http::uri::InvalidUri| unusable(&error.to_string()))?;
        let mut map = HeaderMap::new();
        let host = HeaderValue::from_str(&host(&uri)).map_err(|error| unusable(&error.to_string()))?;
        map.insert(http::header::HOST, host);
        for (name, value) in headers.pairs() {
            let value =
                HeaderValue::from_str(value).map_err(|_| format!("no header {name} can have the value {value:?}"))?;
            map.insert(HeaderName::from_static(name), value);
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let roots = if uri.scheme_str() == Some("https") { certificates()? } else { RootCertStore::empty() };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trusting(roots))
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { connections: Connections::new(connector, uri), target, headers: map })
    }

    pub(super) async fn send(&self, body: Bytes, way: Way) -> Result<Bytes, Failure> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone();
        request.headers_mut().clone_from(&self.headers);
        let (parts, body) = self.connections.send(request, way).await?.into_parts();
        if parts.status == http::StatusCode::OK {
            return Ok(body);
        }
        let retry_after = parts.headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        Err(refusal(parts.status.as_u16(), &String::from_utf8_lossy(&body), retry_after))
    }
}

/// The value of the header `host`: the port only where it is not the usual one of the scheme.
fn host(uri: &Uri) -> String {
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let host = uri.host().unwrap_or_default();
    match uri.port_u16() {
        Some(port) if port != usual => format!("{host}:{port}"),
        Some(_) | None => host.to_owned(),
    }
}

/// What `SSL_CERT_FILE` names, as for every program that uses OpenSSL, or what the system trusts.
fn certificates() -> Result<RootCertStore, String> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    trusted_certificates(named.as_deref()).map_err(|reason| {
        format!("the model has an https address, and {reason}; SSL_CERT_FILE names a file of trusted certificates")
    })
}
