//! Models behind TLS.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use watchkeeper_analyzer::predictor::ModelPlace;
use watchkeeper_formats::clarify::PredictorConfig;

use super::server::{Server, ok};
use super::{ask, doubled, numbered, open, scores};

/// Says to the test that it is the one which asks, and whom.
const URL: &str = "WATCHKEEPER_TEST_MODEL_URL";

/// A server, and the certificate that makes it trusted.
fn server() -> (Server, String) {
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = key.cert.pem();
    let private = PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    (Server::start_with(Some(Arc::new(tls)), |request| ok(doubled(&request.body))), certificate)
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_asked() {
    let (server, _) = server();
    let place = ModelPlace::Url(format!("https://{}/", server.address));
    let error = ask(&open(&PredictorConfig::default(), &place, &["x"]).unwrap(), &numbered(1)).unwrap_err().to_string();
    assert!(error.starts_with("the model cannot be reached: "), "{error}");
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert!(server.received().is_empty());
}

/// The variable is one of the process, so the test runs itself as another one.
#[test]
fn certificates_named_in_ssl_cert_file_are_trusted() {
    if let Ok(url) = std::env::var(URL) {
        let model = open(&PredictorConfig::default(), &ModelPlace::Url(url), &["x"]).unwrap();
        assert_eq!(scores(&ask(&model, &numbered(3)).unwrap()), [0.0, 2.0, 4.0]);
        return;
    }
    let (server, certificate) = server();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trusted.pem");
    fs::write(&file, certificate).unwrap();
    let asking = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "predictor::https::certificates_named_in_ssl_cert_file_are_trusted"])
        .env(URL, format!("https://{}/", server.address))
        .env("SSL_CERT_FILE", &file)
        .output()
        .unwrap();
    assert!(asking.status.success(), "{}", String::from_utf8_lossy(&asking.stdout));
    assert_eq!(server.received().len(), 1);
}
