//! Certificates of the proxy mode: an authority of our own, kept in the data directory, and one certificate for each of
//! AWS's names, made when it is asked for.
//!
//! Clients trust the authority because they are told to (`AWS_CA_BUNDLE`); nobody else does. Its key never leaves the
//! data directory, and with it nothing but names of AWS is signed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;

use super::data_directory::{self, DataDirectory, write_file};

/// Names with a certificate that are remembered; beyond them one is forgotten for each that is new.
const REMEMBERED: usize = 512;
/// Days that a certificate of a name is good for: clients refuse more than 398.
const DAYS_OF_A_NAME: i64 = 397;
/// Days that the authority is good for.
const DAYS_OF_THE_AUTHORITY: i64 = 3650;

/// Where machines keep the certificates they trust.
const TRUSTED: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the data directory.
    #[error(transparent)]
    File(#[from] data_directory::Error),
    /// The stored authority cannot be used.
    #[error("the certificate authority in {} cannot be used; remove ca.pem and ca-key.pem there and start again, then set up the clients again", path.display())]
    Damaged {
        /// The data directory.
        path: std::path::PathBuf,
        /// What the reader says.
        source: rcgen::Error,
    },
    /// A certificate cannot be made.
    #[error("a certificate cannot be made")]
    Made(#[from] rcgen::Error),
    /// TLS refuses what was made.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
}

/// The authority, and the set-up of TLS for each name.
pub(super) struct Certificates {
    issuer: Issuer<'static, KeyPair>,
    /// One key for all names: making one takes longer than signing.
    key: KeyPair,
    authority: CertificateDer<'static>,
    names: Mutex<HashMap<String, (Arc<ServerConfig>, Timestamp)>>,
}

impl Certificates {
    /// The authority of a data directory; made where there is none.
    pub(super) fn open(directory: &DataDirectory, now: Timestamp) -> Result<Self, Error> {
        let (certificate, key) = (directory.certificate(), directory.certificate_key());
        let (pem, key_pem) = match (std::fs::read_to_string(&certificate), std::fs::read_to_string(&key)) {
            (Ok(pem), Ok(key_pem)) => (pem, key_pem),
            (Ok(pem), Err(source)) if source.kind() != std::io::ErrorKind::NotFound => {
                drop(pem);
                return Err(data_directory::Error::File { action: "read", path: key, source }.into());
            }
            // One without the other is of no use.
            _ => {
                let (pem, key_pem) = new_authority(now)?;
                write_file(&key, key_pem.as_bytes(), 0o600)?;
                write_file(&certificate, pem.as_bytes(), 0o644)?;
                (pem, key_pem)
            }
        };
        write_file(&directory.certificate_bundle(), &bundle(&pem), 0o644)?;
        let damaged = |source| Error::Damaged { path: directory.path().to_owned(), source };
        // Issuing takes the name and the key; the rest of the certificate is in its file.
        let issuer = Issuer::new(authority_parameters(), KeyPair::from_pem(&key_pem).map_err(damaged)?);
        let authority = der_of(&pem).ok_or_else(|| damaged(rcgen::Error::CouldNotParseCertificate))?;
        Ok(Self { issuer, key: KeyPair::generate()?, authority, names: Mutex::default() })
    }

    /// The set-up of TLS for a name.
    pub(super) fn tls(&self, name: &str, now: Timestamp) -> Result<Arc<ServerConfig>, Error> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((config, good_until)) = names.get(name)
            && *good_until > now
        {
            return Ok(Arc::clone(config));
        }
        let mut parameters = CertificateParams::new([name.to_owned()])?;
        parameters.distinguished_name = distinguished_name(name);
        let (year, month, day) = date(now, -1);
        parameters.not_before = date_time_ymd(year, month, day);
        let (year, month, day) = date(now, DAYS_OF_A_NAME - 1);
        parameters.not_after = date_time_ymd(year, month, day);
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&self.key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.authority.clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // Connections of scripts are few and long: sessions to go on with would cost memory for each name.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        if names.len() >= REMEMBERED
            && let Some(other) = names.keys().next().cloned()
        {
            names.remove(&other);
        }
        let good_until = now + jiff::SignedDuration::from_hours(24 * (DAYS_OF_A_NAME - 30));
        names.insert(name.to_owned(), (Arc::clone(&config), good_until));
        Ok(config)
    }
}

/// What every authority of ours has in common.
fn authority_parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name("Watchkeeper, for this machine only");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn new_authority(now: Timestamp) -> Result<(String, String), Error> {
    let mut parameters = authority_parameters();
    let (year, month, day) = date(now, -1);
    parameters.not_before = date_time_ymd(year, month, day);
    let (year, month, day) = date(now, DAYS_OF_THE_AUTHORITY);
    parameters.not_after = date_time_ymd(year, month, day);
    let key = KeyPair::generate()?;
    Ok((parameters.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn distinguished_name(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    // At most 64 characters are allowed here; clients look at the alternative names.
    distinguished_name.push(DnType::CommonName, name.chars().take(64).collect::<String>());
    distinguished_name
}

/// Year, month and day, so many days from now.
fn date(now: Timestamp, days: i64) -> (i32, u8, u8) {
    let moment = now + jiff::SignedDuration::from_hours(24 * days);
    let date = moment.to_zoned(TimeZone::UTC).date();
    (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs())
}

/// The first certificate of a PEM file.
fn der_of(pem: &str) -> Option<CertificateDer<'static>> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

/// What this machine trusts, and our authority.
fn bundle(authority: &str) -> Vec<u8> {
    let trusted = TRUSTED.iter().find_map(|path| std::fs::read(Path::new(path)).ok());
    let mut bundle = trusted.unwrap_or_default();
    if bundle.last().is_some_and(|byte| *byte != b'\n') {
        bundle.push(b'\n');
    }
    bundle.extend_from_slice(authority.as_bytes());
    bundle
}
