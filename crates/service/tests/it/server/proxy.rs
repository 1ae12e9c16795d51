//! Proxy mode: AWS's names are answered with certificates of ours, others refused or passed through.

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use watchkeeper_service::{Configuration, Service};

use super::{Server, answer};

/// A tunnel to a name, with its TLS.
async fn tls(server: &Server, name: &str) -> tokio_rustls::client::TlsStream<TcpStream> {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("CONNECT {name}:443 HTTP/1.1\r\nHost: {name}:443\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(server.directory.path().join("ca.pem")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn names_of_aws_are_answered_with_certificates_their_clients_accept() {
    let server = Server::start().await;
    for (name, code) in [
        ("sts.us-east-1.amazonaws.com", "AccessDenied"),
        ("my.bucket.s3.us-east-1.amazonaws.com", "AccessDenied"),
        ("api.sagemaker.cn-north-1.amazonaws.com.cn", "AccessDenied"),
        ("sagemaker.us-east-1.api.aws", "AccessDenied"),
    ] {
        let mut stream = tls(&server, name).await;
        let request = format!("GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 403") && text.contains(code), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_authority_outlives_the_service_and_its_key_is_private() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let service = super::start(directory.path(), |_| {}).await;
    service.shutdown().await;
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    let (certificate, key) = (read("ca.pem"), read("ca-key.pem"));
    let service = super::start(directory.path(), |_| {}).await;
    assert_eq!((read("ca.pem"), read("ca-key.pem")), (certificate.clone(), key));
    assert!(read("ca-bundle.pem").ends_with(&certificate));
    for (name, mode) in [("ca-key.pem", 0o600), ("credentials.json", 0o600), ("ca.pem", 0o644)] {
        let metadata = std::fs::metadata(directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
    }
    // Issued by the stored authority, which clients were told to trust before.
    let server = Server { service, directory };
    tls(&server, "sts.us-east-1.amazonaws.com").await;
}

#[tokio::test]
async fn other_targets_are_refused_and_the_message_says_what_to_do() {
    let server = Server::start().await;
    let connect = |target: &str| format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    for target in ["pypi.org:443", "evilamazonaws.com:443", "127.0.0.1:22", "amazonaws.com.example.org:443"] {
        let answer = server.raw(connect(target)).await;
        assert_eq!(answer.status, 403, "{target}");
        assert!(answer.body.contains("NO_PROXY") && answer.body.contains("proxy.pass_through"), "{answer:?}");
    }
    assert_eq!(server.raw(connect("sts.amazonaws.com:22")).await.status, 403);
    assert_eq!(server.raw("CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n").await.status, 400);
    let plain = server.raw("GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\n\r\n").await;
    assert_eq!(plain.status, 403);
    assert!(plain.body.contains("NO_PROXY"), "{plain:?}");
}

#[tokio::test]
async fn a_plain_proxied_request_to_a_name_of_aws_is_answered_here() {
    let server = Server::start().await;
    let answer =
        server.raw("GET http://data.s3.us-east-1.amazonaws.com/k HTTP/1.1\r\nHost: something.else\r\n\r\n").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<Code>AccessDenied</Code>"), "{answer:?}");
}

#[tokio::test]
async fn other_targets_pass_where_the_configuration_says_so() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = other.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = other.accept().await.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            let line = String::from_utf8_lossy(&request[..read]).lines().next().unwrap_or_default().to_owned();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}", line.len());
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    let server = Server::start_with(|configuration| configuration.proxy.pass_through = true).await;
    let plain = server.raw(format!("GET http://{target}/a?b HTTP/1.1\r\nHost: {target}\r\n\r\n")).await;
    assert_eq!((plain.status, plain.body.as_str()), (200, "GET /a?b HTTP/1.1"));

    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 200);
    stream.write_all(b"GET /tunnel HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert_eq!(answer(&mut stream).await.body, "GET /tunnel HTTP/1.1");
}

#[tokio::test]
async fn tunnels_do_not_nest() {
    let server = Server::start().await;
    let mut stream = tls(&server, "sts.us-east-1.amazonaws.com").await;
    let target = "s3.us-east-1.amazonaws.com:443";
    let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // Closed behind the refusal, with or without the last word of TLS.
    let _ = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.starts_with("HTTP/1.1 403") && text.contains("CONNECT within a proxied connection"), "{text}");
}

#[tokio::test]
async fn passed_connections_that_nobody_uses_end() {
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = other.local_addr().unwrap();
    tokio::spawn(async move {
        let mut silent = Vec::new();
        loop {
            silent.push(other.accept().await.unwrap());
        }
    });
    let server = Server::start_with(|configuration| {
        configuration.proxy.pass_through = true;
        configuration.server.idle_seconds = 1;
    })
    .await;
    let mut tunnel = TcpStream::connect(server.address()).await.unwrap();
    tunnel.write_all(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n").as_bytes()).await.unwrap();
    assert_eq!(answer(&mut tunnel).await.status, 200);
    let plain = server.raw(format!("GET http://{target}/ HTTP/1.1\r\nHost: {target}\r\n\r\n"));
    let mut rest = Vec::new();
    let (plain, closed) = tokio::join!(plain, timeout(Duration::from_secs(20), tunnel.read_to_end(&mut rest)));
    assert_eq!(plain.status, 502, "{plain:?}");
    closed.expect("the tunnel is closed").unwrap();
}

#[tokio::test]
async fn nobody_else_reaches_through_it() {
    let directory = tempfile::tempdir().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut configuration = Configuration { data_dir: directory.path().to_owned(), ..Configuration::default() };
        configuration.listen = listen.parse().unwrap();
        configuration.proxy.pass_through = true;
        let refusal = Service::start(configuration).await.err().expect("it does not start").to_string();
        assert!(refusal.contains("proxy.pass_through") && refusal.contains(listen), "{refusal}");
    }
}
