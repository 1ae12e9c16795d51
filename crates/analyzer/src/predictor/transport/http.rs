//! A model behind a URL.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::connections::Connections;
use super::{Failure, RequestHeaders, Way, refusal};

/// What a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where systems keep the certificates that they trust; the first that is there is read.
const TRUSTED_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

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
        let roots = if uri.scheme_str() == Some("https") { trusted_certificates()? } else { RootCertStore::empty() };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(roots))
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

fn tls(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that it says are safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// What `SSL_CERT_FILE` names, as for every program that uses OpenSSL, or what the system trusts.
fn trusted_certificates() -> Result<RootCertStore, String> {
    let named = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty()).map(PathBuf::from);
    let known = TRUSTED_CERTIFICATES.iter().map(PathBuf::from);
    let paths: Vec<PathBuf> = named.map_or_else(|| known.collect(), |path| vec![path]);
    for path in &paths {
        match fs::read(path) {
            Ok(bundle) => return roots_of(&bundle).map_err(|problem| unreadable(path, &problem)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(format!(
        "the model has an https address, and there are no trusted certificates in {}; name a file of them in SSL_CERT_FILE",
        paths.join(", ")
    ))
}

fn unreadable(path: &Path, problem: &dyn std::fmt::Display) -> String {
    format!("the trusted certificates in {} cannot be read: {problem}", path.display())
}

fn roots_of(bundle: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle) {
        // A bundle may hold certificates of forms that nobody uses any more.
        let _ = roots.add(certificate.map_err(|error| error.to_string())?);
    }
    if roots.is_empty() { Err("there are none in it".to_owned()) } else { Ok(roots) }
}
