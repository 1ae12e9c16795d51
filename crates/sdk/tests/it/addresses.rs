//! Where requests go that nobody has redirected: AWS's own addresses, met on the way there by a proxy of this test, which ends
//! the encryption with a certificate for the name that was asked for.

use std::convert::Infallible;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Response;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use watchkeeper::predictor::Predictor;
use watchkeeper::session::AwsService;
use watchkeeper::{Error, S3Uri, Session};

/// A request: the name that the proxy was asked for, the region and service of its signature, method and path.
type Met = (String, String, String);

struct Proxy {
    port: u16,
    met: Arc<Mutex<Vec<Met>>>,
    folder: tempfile::TempDir,
}

/// The answer to a request for `host`, signed for `region`.
type Handler = fn(host: &str, region: &str, target: &str) -> Response<String>;

impl Proxy {
    async fn start(handler: Handler) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let acceptor = certified(folder.path());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let met: Arc<Mutex<Vec<Met>>> = Arc::default();
        let kept = Arc::clone(&met);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, acceptor.clone(), Arc::clone(&kept), handler));
            }
        });
        Self { port, met, folder }
    }

    fn session(&self, region: &str) -> Session {
        Session::builder()
            .environment([
                ("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.port).as_str()),
                ("AWS_CA_BUNDLE", self.folder.path().join("trusted.pem").to_str().unwrap()),
                ("AWS_ACCESS_KEY_ID", "AKIA"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ])
            .region(region)
            .longest_backoff(Duration::ZERO)
            .build()
            .unwrap()
    }

    fn met(&self) -> Vec<Met> {
        std::mem::take(&mut self.met.lock().unwrap())
    }
}

/// A certificate for the names of this test; what is to be trusted is left in the folder.
fn certified(folder: &Path) -> TlsAcceptor {
    let names = [
        "amazonaws.com",
        "*.amazonaws.com",
        "*.us-gov.amazonaws.com",
        "*.sagemaker.eu-central-1.amazonaws.com",
        "*.eu-central-1.amazonaws.com",
        "*.s3.eu-central-1.amazonaws.com",
        "*.s3.us-west-2.amazonaws.com",
        "*.sagemaker.us-gov-east-1.amazonaws.com",
        "*.us-gov-east-1.amazonaws.com",
        "*.s3.us-gov-east-1.amazonaws.com",
        "*.sagemaker.cn-north-1.amazonaws.com.cn",
        "*.s3.cn-north-1.amazonaws.com.cn",
        "*.cn-north-1.amazonaws.com.cn",
        "*.sagemaker.us-isof-east-1.csp.hci.ic.gov",
        "*.us-isof-east-1.csp.hci.ic.gov",
        "*.us-isof-south-1.csp.hci.ic.gov",
        "*.s3.us-isof-east-1.csp.hci.ic.gov",
        "*.sagemaker.eusc-de-east-1.amazonaws.eu",
        "*.eusc-de-east-1.amazonaws.eu",
        "*.s3.eusc-de-east-1.amazonaws.eu",
    ];
    let made = rcgen::generate_simple_self_signed(names.map(str::to_owned)).unwrap();
    std::fs::write(folder.join("trusted.pem"), made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn pass(mut stream: TcpStream, acceptor: TlsAcceptor, met: Arc<Mutex<Vec<Met>>>, handler: Handler) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let host = head.strip_prefix("CONNECT ").unwrap().split(' ').next().unwrap().to_owned();
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap();
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let authorization = request.headers()["authorization"].to_str().unwrap();
        let scope: Vec<&str> = authorization.split('/').collect();
        let signed_for = format!("{}/{}", scope[2], scope[3]);
        assert_eq!(request.headers()["host"].to_str().unwrap(), host.trim_end_matches(":443"));
        let target = format!("{} {}", request.method(), request.uri());
        let answer = handler(&host, scope[2], &target);
        met.lock().unwrap().push((host.clone(), signed_for, target));
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn fine(host: &str, _region: &str, _target: &str) -> Response<String> {
    let text = match host {
        host if host.starts_with("sts.") => {
            "<GetCallerIdentityResponse><Account>123456789012</Account></GetCallerIdentityResponse>"
        }
        host if host.starts_with("iam.") => {
            "<GetRoleResponse><Role><Arn>arn:aws:iam::123456789012:role/r</Arn></Role></GetRoleResponse>"
        }
        _ => "{}",
    };
    Response::new(text.to_owned())
}

async fn call_everything(session: &Session) {
    session.call(AwsService::SageMaker, "ListModels", "all", &json!({})).await.unwrap();
    session.call(AwsService::CloudWatchLogs, "DescribeLogGroups", "all", &json!({})).await.unwrap();
    Predictor::new(session, "e").predict("1").await.unwrap();
    session.account_id().await.unwrap();
    session.expand_role("r").await.unwrap();
    for address in ["s3://plain-bucket/a b", "s3://dotted.bucket/k"] {
        session.read_s3_file(&address.parse().unwrap()).await.unwrap();
    }
}

/// Addresses and signing regions as botocore's `endpoints.json` and rule sets have them.
#[tokio::test]
async fn requests_go_to_the_addresses_of_the_partition() {
    let proxy = Proxy::start(fine).await;
    for (region, domain, iam, iam_region) in [
        ("eu-central-1", "amazonaws.com", "iam.amazonaws.com", "us-east-1"),
        ("cn-north-1", "amazonaws.com.cn", "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("us-gov-east-1", "amazonaws.com", "iam.us-gov.amazonaws.com", "us-gov-west-1"),
        ("us-isof-east-1", "csp.hci.ic.gov", "iam.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"),
        ("eusc-de-east-1", "amazonaws.eu", "iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    ] {
        call_everything(&proxy.session(region)).await;
        let expected = [
            (format!("api.sagemaker.{region}.{domain}:443"), format!("{region}/sagemaker"), "POST /"),
            (format!("logs.{region}.{domain}:443"), format!("{region}/logs"), "POST /"),
            (
                format!("runtime.sagemaker.{region}.{domain}:443"),
                format!("{region}/sagemaker"),
                "POST /endpoints/e/invocations",
            ),
            (format!("sts.{region}.{domain}:443"), format!("{region}/sts"), "POST /"),
            (format!("{iam}:443"), format!("{iam_region}/iam"), "POST /"),
            (format!("plain-bucket.s3.{region}.{domain}:443"), format!("{region}/s3"), "GET /a%20b"),
            (format!("s3.{region}.{domain}:443"), format!("{region}/s3"), "GET /dotted.bucket/k"),
        ];
        assert_eq!(proxy.met(), expected.map(|(host, signed_for, target)| (host, signed_for, target.to_owned())));
    }
}

fn elsewhere(_host: &str, region: &str, _target: &str) -> Response<String> {
    if region == "us-west-2" {
        return Response::new("found".to_owned());
    }
    let body = "<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>";
    Response::builder().status(301).header("x-amz-bucket-region", "us-west-2").body(body.to_owned()).unwrap()
}

#[tokio::test]
async fn a_bucket_in_another_region_is_found_there_and_remembered() {
    let proxy = Proxy::start(elsewhere).await;
    let session = proxy.session("eu-central-1");
    let object: S3Uri = "s3://far-away/k".parse().unwrap();
    assert_eq!(session.read_s3_file(&object).await.unwrap(), "found");
    assert_eq!(session.read_s3_file(&object).await.unwrap(), "found");
    let hosts: Vec<String> =
        proxy.met().into_iter().map(|(host, signed_for, _)| format!("{host} {signed_for}")).collect();
    let there = "far-away.s3.us-west-2.amazonaws.com:443 us-west-2/s3";
    assert_eq!(hosts, ["far-away.s3.eu-central-1.amazonaws.com:443 eu-central-1/s3", there, there]);
}

/// Calls that were on their way to the wrong place together are all sent to the right one.
#[tokio::test]
async fn a_bucket_in_another_region_is_found_by_all_calls_at_once() {
    let proxy = Proxy::start(elsewhere).await;
    let session = proxy.session("eu-central-1");
    let object: S3Uri = "s3://far-away/k".parse().unwrap();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (session, object) = (session.clone(), object.clone());
            tokio::spawn(async move { session.read_s3_file(&object).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap(), "found");
    }
}

fn nowhere(_host: &str, _region: &str, _target: &str) -> Response<String> {
    elsewhere("", "", "")
}

#[tokio::test]
async fn a_bucket_that_is_sent_on_for_ever_is_told() {
    let proxy = Proxy::start(nowhere).await;
    let error = proxy.session("eu-central-1").read_s3_file(&"s3://far-away/k".parse().unwrap()).await.unwrap_err();
    assert_eq!(error.code(), Some("PermanentRedirect"));
    assert_eq!(proxy.met().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_refuses_is_told() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(b"HTTP/1.1 403 Forbidden by policy\r\n\r\n").await.unwrap();
        }
    });
    let session = Session::builder()
        .environment([("HTTPS_PROXY", format!("http://127.0.0.1:{port}").as_str())])
        .credentials(watchkeeper::session::Credentials::new("AKIA", "secret"))
        .region("eu-central-1")
        .longest_backoff(Duration::ZERO)
        .build()
        .unwrap();
    let error = session.call(AwsService::SageMaker, "ListModels", "all", &json!({})).await.unwrap_err();
    assert!(matches!(&error, Error::Connection { attempts: 3, .. }), "{error:?}");
    let expected = format!("the proxy 127.0.0.1:{port}: HTTP/1.1 403 Forbidden by policy");
    assert!(error.to_string().contains(&expected), "{error}");
}
