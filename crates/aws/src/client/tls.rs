//! `https://` addresses: who is trusted, and the proxy on the way.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use std::{fs, io};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::proxy::Proxy;
use super::transport::{Origin, TransportError, connected, innermost};

/// Where systems keep the certificates that they trust; the first that is there is read.
const TRUSTED_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Encrypted connections, from the first one that is needed: until then no certificate is read.
#[derive(Clone)]
pub struct Tls {
    /// The file of the trusted certificates, when it is named.
    ca_bundle: Option<PathBuf>,
    proxy: Option<Proxy>,
    connector: Arc<OnceLock<Result<TlsConnector, String>>>,
}

impl Tls {
    /// Trusts the certificates of a file (PEM), without one the system's.
    pub fn new(ca_bundle: Option<PathBuf>) -> Self {
        Self { ca_bundle, proxy: None, connector: Arc::default() }
    }

    /// The same, by way of a proxy.
    #[must_use]
    pub fn with_proxy(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }

    pub(super) async fn connect(
        &self,
        origin: &Origin,
        limit: Duration,
    ) -> Result<TlsStream<TcpStream>, TransportError> {
        let connector = self.connector.get_or_init(|| self.trusting().map(TlsConnector::from));
        let connector = connector.as_ref().map_err(|reason| TransportError::Unreachable(reason.clone()))?;
        let name = ServerName::try_from(origin.host.clone())
            .map_err(|error| TransportError::Unreachable(format!("{}: {error}", origin.host)))?;
        let proxy = self.proxy.as_ref().filter(|proxy| proxy.covers(&origin.host, origin.port));
        let stream = match proxy {
            Some(proxy) => proxy.connected(&origin.host, origin.port, limit).await?,
            None => connected(&origin.host, origin.port, limit).await?,
        };
        connector.connect(name, stream).await.map_err(|error| TransportError::Unreachable(innermost(&error)))
    }

    fn trusting(&self) -> Result<Arc<ClientConfig>, String> {
        let roots = trusted_certificates(self.ca_bundle.as_deref());
        let roots = roots.map_err(|reason| format!("{reason}; AWS_CA_BUNDLE names a file of trusted certificates"))?;
        Ok(Arc::new(trusting(roots)))
    }
}

/// TLS as a client of whoever these certificates vouch for.
pub fn trusting(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions that it says are safe")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The certificates of a file (PEM), without one those that the system trusts.
///
/// # Errors
/// Where they were looked for, and what is wrong there.
pub fn trusted_certificates(file: Option<&Path>) -> Result<RootCertStore, String> {
    let paths = file.map_or_else(|| TRUSTED_CERTIFICATES.map(Path::new).to_vec(), |path| vec![path]);
    for path in &paths {
        match fs::read(path) {
            Ok(bundle) => return roots_of(&bundle).map_err(|problem| unreadable(path, &problem)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(path, &error)),
        }
    }
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    Err(format!("there are no trusted certificates in {}", paths.join(", ")))
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
