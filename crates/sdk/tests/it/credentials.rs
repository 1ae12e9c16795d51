//! Where a session finds its region, its addresses and its credentials, with files, programs and servers as on a user's machine.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tempfile::TempDir;
use watchkeeper::session::{AwsService, SessionBuilder};
use watchkeeper::{Error, Session};

use crate::stub::{Answer, Request, Stub};

/// A machine: its home folder and variables.
struct Machine {
    home: TempDir,
    variables: HashMap<String, String>,
}

impl Machine {
    /// One whose services are a stub.
    fn with(stub: &Stub) -> Self {
        let machine = Self::new();
        machine.set("AWS_REGION", "eu-central-1").set("AWS_ENDPOINT_URL", &stub.url())
    }

    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let variables = HashMap::from([("HOME".to_owned(), home.path().to_str().unwrap().to_owned())]);
        Self { home, variables }.set("AWS_EC2_METADATA_DISABLED", "true").set("PATH", &std::env::var("PATH").unwrap())
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn unset(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    fn keys(self, id: &str) -> Self {
        self.set("AWS_ACCESS_KEY_ID", id).set("AWS_SECRET_ACCESS_KEY", "secret")
    }

    fn file(self, name: &str, text: &str) -> Self {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn config(self, text: &str) -> Self {
        self.file(".aws/config", text)
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_str().unwrap().to_owned()
    }

    fn builder(&self) -> SessionBuilder {
        Session::builder().environment(self.variables.clone()).longest_backoff(Duration::ZERO)
    }

    fn session(&self) -> Session {
        self.builder().build().unwrap()
    }
}

async fn call(session: &Session) -> Result<(), Error> {
    let input = json!({"ModelName": "m"});
    session.call(AwsService::SageMaker, "DescribeModel", "m", &input).await.map(|_| ())
}

/// The key that signed a request, with its region and service.
fn signer(request: &Request) -> (String, String, String) {
    let authorization = request.header("authorization").to_owned();
    let scope = authorization.split_once("Credential=").map_or("///", |(_, rest)| rest);
    let parts: Vec<&str> = scope.split('/').collect();
    (parts[0].to_owned(), parts[2].to_owned(), parts[3].to_owned())
}

/// The key that signs the next call of a session.
async fn key(stub: &Stub, session: &Session) -> String {
    call(session).await.unwrap();
    signer(stub.requests().last().unwrap()).0
}

fn stub() -> Stub {
    Stub::start(|_| Answer::json(&json!({})))
}

#[tokio::test]
async fn variables_come_before_the_profile_unless_it_is_named_in_the_program() {
    let stub = stub();
    let config = "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = s\n[profile other]\naws_access_key_id = OTHER\n\
                  aws_secret_access_key = s\naws_session_token = t\n";
    let machine = Machine::with(&stub).config(config);
    assert_eq!(key(&stub, &machine.session()).await, "DEFAULT");
    assert_eq!(stub.requests().last().unwrap().header("x-amz-security-token"), "");
    let machine = machine.set("AWS_PROFILE", "other");
    assert_eq!(key(&stub, &machine.session()).await, "OTHER");
    assert_eq!(stub.requests().last().unwrap().header("x-amz-security-token"), "t");
    let machine = machine.keys("VARIABLE").set("AWS_SESSION_TOKEN", "token");
    assert_eq!(key(&stub, &machine.session()).await, "VARIABLE");
    assert_eq!(stub.requests().last().unwrap().header("x-amz-security-token"), "token");
    let session = machine.builder().profile_name("other").build().unwrap();
    assert_eq!(key(&stub, &session).await, "OTHER");
}

#[tokio::test]
async fn the_credentials_file_comes_before_the_configuration_file() {
    let stub = stub();
    let machine = Machine::with(&stub)
        .config("[profile a]\naws_access_key_id = CONFIG\naws_secret_access_key = s\n")
        .file("elsewhere/keys", "[a]\naws_access_key_id=KEYS\naws_secret_access_key=s\n")
        .set("AWS_PROFILE", "a");
    assert_eq!(key(&stub, &machine.session()).await, "CONFIG");
    let machine = machine.set("AWS_SHARED_CREDENTIALS_FILE", "~/elsewhere/keys");
    assert_eq!(key(&stub, &machine.session()).await, "KEYS");
}

#[tokio::test]
async fn regions_and_addresses_are_found_in_the_order_of_the_official_sdks() {
    let [all, own, of_profile, of_service, given] = [stub(), stub(), stub(), stub(), stub()];
    let urls = [&all, &own, &of_profile, &of_service, &given].map(Stub::url);
    let config = format!(
        "[default]\nregion = eu-west-3\nendpoint_url = {}\nservices = mine\n[services mine]\nsagemaker =\n  endpoint_url = {}\n",
        urls[2], urls[3]
    );
    let reached = async |session: &Session, service: AwsService| {
        let counts = || [&all, &own, &of_profile, &of_service, &given].map(|stub| stub.requests().len());
        let before = counts();
        let operation = if service == AwsService::SageMaker { "DescribeModel" } else { "GetLogEvents" };
        session.call(service, operation, "x", &json!({})).await.unwrap();
        let after = counts();
        (0..5).find(|number| after[*number] > before[*number]).unwrap()
    };
    let machine = Machine::new().keys("K").config(&config);
    let session = machine.session();
    assert_eq!(session.region(), "eu-west-3");
    assert_eq!(reached(&session, AwsService::SageMaker).await, 3);
    assert_eq!(reached(&session, AwsService::CloudWatchLogs).await, 2);
    let machine = machine.set("AWS_ENDPOINT_URL", &urls[0]).set("AWS_DEFAULT_REGION", "eu-west-2");
    let session = machine.session();
    assert_eq!(session.region(), "eu-west-2");
    assert_eq!(reached(&session, AwsService::SageMaker).await, 0);
    let machine = machine.set("AWS_ENDPOINT_URL_SAGEMAKER", &urls[1]).set("AWS_REGION", "eu-west-1");
    let session = machine.session();
    assert_eq!(session.region(), "eu-west-1");
    assert_eq!(reached(&session, AwsService::SageMaker).await, 1);
    assert_eq!(reached(&session, AwsService::CloudWatchLogs).await, 0);
    let session = machine.builder().endpoint_url(&urls[4]).region("us-east-1").build().unwrap();
    assert_eq!(session.region(), "us-east-1");
    assert_eq!(reached(&session, AwsService::SageMaker).await, 4);
    let session = machine.builder().endpoint_url_of(AwsService::SageMaker, &urls[4]).build().unwrap();
    assert_eq!(reached(&session, AwsService::SageMaker).await, 4);
    assert_eq!(reached(&session, AwsService::CloudWatchLogs).await, 0);
    assert_eq!(signer(given.requests().last().unwrap()), ("K".into(), "eu-west-1".into(), "sagemaker".into()));
}

#[tokio::test]
async fn a_path_in_the_address_stays() {
    let stub = stub();
    let machine = Machine::with(&stub).keys("K").set("AWS_ENDPOINT_URL", &format!("{}/behind/", stub.url()));
    call(&machine.session()).await.unwrap();
    assert_eq!(stub.requests()[0].path, "/behind/");
}

/// The text of the error of a session that cannot be made.
fn unmade(machine: &Machine) -> String {
    machine.session_error()
}

impl Machine {
    fn session_error(&self) -> String {
        self.builder().build().unwrap_err().to_string()
    }
}

#[tokio::test]
async fn sessions_that_cannot_be_made_say_why() {
    let cases = [
        (
            Machine::new().keys("K"),
            "the session cannot be made: there is no region: give one, set AWS_REGION, or write `region = …` into the profile",
        ),
        (
            Machine::new().keys("K").set("AWS_REGION", "Frankfurt!"),
            "the session cannot be made: \"Frankfurt!\" is no region, such as us-east-1",
        ),
        (
            Machine::new().config("[profile a]\n[profile b]\n").set("AWS_PROFILE", "c"),
            "the session cannot be made: there is no profile \"c\" in the shared files, which have a, b",
        ),
        (
            Machine::new().set("AWS_REGION", "us-east-1").set("AWS_ENDPOINT_URL_S3", "localhost:8080"),
            "the session cannot be made: AWS_ENDPOINT_URL_S3 is \"localhost:8080\", which cannot be used: it must begin with http:// or https://",
        ),
        (
            Machine::new().set("AWS_REGION", "us-east-1").set("AWS_MAX_ATTEMPTS", "none"),
            "the session cannot be made: AWS_MAX_ATTEMPTS or max_attempts is \"none\", not a number from 1 on",
        ),
    ];
    for (machine, expected) in cases {
        assert_eq!(unmade(&machine), expected);
    }
}

#[tokio::test]
async fn credentials_that_are_not_there_are_the_error_of_the_first_call() {
    let stub = stub();
    let sso = "[profile a]\nsso_session = work\n[profile b]\nrole_arn = arn:aws:iam::123456789012:role/r\n[profile c]\nregion = x\n\
               [profile d]\nrole_arn = r\nsource_profile = e\n[profile e]\nrole_arn = r\nsource_profile = d\n\
               [profile f]\nrole_arn = r\nsource_profile = c\nmfa_serial = m\n";
    for (profile, expected) in [
        (
            "a",
            "no usable credentials: the profile \"a\" signs on in a browser (sso_session), which this session does not: ",
        ),
        (
            "b",
            "no usable credentials: the profile \"b\" has a role_arn, but neither source_profile nor credential_source ",
        ),
        ("c", "no usable credentials: the profile \"c\" has none"),
        ("d", "no usable credentials: the profile \"d\" is its own source_profile in the end"),
        ("f", "no usable credentials: the profile \"f\" asks for a code (mfa_serial), "),
    ] {
        let session = Machine::with(&stub).config(sso).builder().profile_name(profile).build().unwrap();
        let error = call(&session).await.unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = call(&Machine::with(&stub).session()).await.unwrap_err().to_string();
    assert!(
        error.starts_with("no usable credentials: neither AWS_ACCESS_KEY_ID nor the profile nor a container"),
        "{error}"
    );
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn a_program_gives_credentials_and_is_run_again_before_they_end() {
    let stub = stub();
    let machine = Machine::with(&stub);
    let soon = Timestamp::now() + SignedDuration::from_secs(5);
    let later = Timestamp::now() + SignedDuration::from_hours(1);
    let program = format!(
        "#!/bin/sh\nif [ -e \"$0.ran\" ]; then number=2 end={later}; else number=1 end={soon}; fi\ntouch \"$0.ran\"\n\
         echo '{{\"Version\": 1, \"AccessKeyId\": \"P'$number'\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", \"Expiration\": \"'$end'\"}}'\n"
    );
    let command = format!("sh {}", machine.path("give"));
    let machine = machine.file("give", &program).config(&format!("[default]\ncredential_process = {command}\n"));
    let session = machine.session();
    assert_eq!(key(&stub, &session).await, "P1");
    assert_eq!(key(&stub, &session).await, "P2");
    assert_eq!(key(&stub, &session).await, "P2");

    for (command, expected) in [
        ("echo oops >&2; exit 3", "failed (exit status: 3): oops"),
        ("echo '{}'", "gives something else than credentials: missing field `AccessKeyId` at line 1 column 2"),
    ] {
        let machine = Machine::with(&stub).config(&format!("[default]\ncredential_process = {command}\n"));
        let error = call(&machine.session()).await.unwrap_err().to_string();
        assert!(error.starts_with("no usable credentials: the credential_process \"echo\" "), "{error}");
        assert!(error.ends_with(expected), "{error}");
    }
}

/// A stub that is STS as well: each role it is asked for gives the next key.
fn with_sts() -> Stub {
    let number = AtomicUsize::new(0);
    Stub::start(move |request| match request.operation().as_str() {
        operation @ ("AssumeRole" | "AssumeRoleWithWebIdentity") => {
            let number = number.fetch_add(1, Ordering::SeqCst) + 1;
            let expiration = Timestamp::now() + SignedDuration::from_hours(1);
            Answer::bytes(format!(
                "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result><Credentials>\
                 <AccessKeyId>ROLE{number}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>a&amp;b</SessionToken>\
                 <Expiration>{expiration}</Expiration></Credentials></{operation}Result></{operation}Response>"
            ))
        }
        _ => Answer::json(&json!({})),
    })
}

#[tokio::test]
async fn roles_are_assumed_with_the_source_profile() {
    let stub = with_sts();
    let config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/outer\nsource_profile = middle\nrole_session_name = me\n\
                  external_id = a b\nduration_seconds = 900\n[profile middle]\nrole_arn = arn:aws:iam::123456789012:role/inner\n\
                  source_profile = base\n[profile base]\naws_access_key_id = BASE\naws_secret_access_key = s\n";
    let session = Machine::with(&stub).config(config).session();
    assert_eq!(key(&stub, &session).await, "ROLE2");
    assert_eq!(key(&stub, &session).await, "ROLE2");
    let requests = stub.requests();
    assert_eq!(stub.operations(), ["AssumeRole", "AssumeRole", "DescribeModel", "DescribeModel"]);
    assert_eq!(signer(&requests[0]), ("BASE".into(), "eu-central-1".into(), "sts".into()));
    assert!(
        requests[0].text().contains("&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Finner&"),
        "{}",
        requests[0].text()
    );
    assert_eq!(signer(&requests[1]).0, "ROLE1");
    assert_eq!(
        requests[1].text(),
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fouter&RoleSessionName=me\
         &ExternalId=a%20b&DurationSeconds=900"
    );
    assert_eq!(requests[2].header("x-amz-security-token"), "a&b");
}

#[tokio::test]
async fn roles_that_are_refused_say_so() {
    let stub = Stub::start(|_| Answer::query_error(403, "AccessDenied", "not authorized"));
    let config = "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n";
    let machine = Machine::with(&stub).config(config).keys("K");
    let error = call(&machine.builder().profile_name("default").build().unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no usable credentials: the role is not to be had: AssumeRole of arn:aws:iam::123456789012:role/r: AccessDenied: not authorized"
    );
    assert_eq!(signer(&stub.requests()[0]).0, "K");
}

#[tokio::test]
async fn a_web_identity_asks_unsigned() {
    let stub = with_sts();
    let machine = Machine::with(&stub).file("token", "the/token\n");
    let path = machine.path("token");
    let machine =
        machine.set("AWS_WEB_IDENTITY_TOKEN_FILE", &path).set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/pod");
    assert_eq!(key(&stub, &machine.session()).await, "ROLE1");
    let request = &stub.requests()[0];
    assert_eq!(request.header("authorization"), "");
    assert!(request.text().starts_with("Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"), "{}", request.text());
    assert!(request.text().ends_with("&WebIdentityToken=the%2Ftoken"), "{}", request.text());
}

/// Credentials as containers and instances write them.
fn document(key: &str) -> Answer {
    Answer::json(&json!({"Code": "Success", "AccessKeyId": key, "SecretAccessKey": "s", "Token": "t",
        "Expiration": (Timestamp::now() + SignedDuration::from_hours(1)).to_string()}))
}

#[tokio::test]
async fn a_container_is_asked_with_its_token() {
    let stub = Stub::start(|request| match (request.path.as_str(), request.header("authorization")) {
        ("/give", "the token") => document("CONTAINER"),
        ("/give", _) => Answer::empty().with_status(401),
        _ => Answer::json(&json!({})),
    });
    let machine = Machine::with(&stub).set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/give", stub.url()));
    let error = call(&machine.session()).await.unwrap_err().to_string();
    assert!(error.ends_with("/give: 401 Unauthorized "), "{error}");
    let machine = machine.file("token", "the token\n");
    let path = machine.path("token");
    let machine = machine.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &path);
    assert_eq!(key(&stub, &machine.session()).await, "CONTAINER");
    let machine =
        machine.unset("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE").set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "the token");
    assert_eq!(key(&stub, &machine.session()).await, "CONTAINER");
    // A token is not shown to machines elsewhere.
    let machine = machine.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/give");
    let error = call(&machine.session()).await.unwrap_err().to_string();
    assert!(error.ends_with("which is neither https:// nor of this machine"), "{error}");
}

#[tokio::test]
async fn an_instance_is_asked_with_a_session_token_of_its_own() {
    let stub = Stub::start(|request| {
        let token = request.header("x-aws-ec2-metadata-token");
        match (request.method.as_str(), request.path.as_str()) {
            ("PUT", "/latest/api/token") if request.header("x-aws-ec2-metadata-token-ttl-seconds") == "21600" => {
                Answer::bytes("T")
            }
            ("GET", "/latest/meta-data/iam/security-credentials/") if token == "T" => Answer::bytes("the-role"),
            ("GET", "/latest/meta-data/iam/security-credentials/the-role") if token == "T" => document("INSTANCE"),
            ("POST", "/") => Answer::json(&json!({})),
            _ => Answer::empty().with_status(401),
        }
    });
    let machine =
        Machine::with(&stub).unset("AWS_EC2_METADATA_DISABLED").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &stub.url());
    assert_eq!(key(&stub, &machine.session()).await, "INSTANCE");
}

#[tokio::test]
async fn the_default_bucket_is_that_of_the_sagemaker_sdks_defaults() {
    let yaml = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n      Session:\n        \
                DefaultS3Bucket: from-defaults\n        DefaultS3ObjectKeyPrefix: below\n";
    let stub = Stub::start(move |request| match request.path.as_str() {
        "/system/sagemaker-config.yaml" => Answer::bytes(yaml),
        "/" => Answer::bytes(
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>from-defaults</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate>\
             </Bucket></Buckets></ListAllMyBucketsResult>",
        ),
        _ => Answer::empty(),
    });
    let machine = Machine::with(&stub).keys("K").file("config.yaml", yaml);
    let path = machine.path("config.yaml");
    let machine = machine.set("SAGEMAKER_USER_CONFIG_OVERRIDE", "s3://system/sagemaker-config.yaml");
    let session = machine.session();
    assert_eq!(stub.requests().len(), 0);
    assert_eq!(session.default_bucket().await.unwrap(), "from-defaults");
    assert_eq!(session.default_bucket_prefix(), Some("below"));
    assert_eq!(session.default_bucket().await.unwrap(), "from-defaults");
    let asked =
        stub.operations().iter().filter(|operation| operation.as_str() == "GET /system/sagemaker-config.yaml").count();
    assert_eq!(asked, 1);
    let machine = machine.set("SAGEMAKER_USER_CONFIG_OVERRIDE", &path);
    let session = machine.session();
    assert_eq!(session.default_bucket().await.unwrap(), "from-defaults");
}

/// A server that speaks TLS with a certificate made for this test, and answers each request with an empty object; its port.
fn encrypted_server(folder: &Path) -> u16 {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("trusted.pem"), made.cert.pem()).unwrap();
    let key = tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = tokio_rustls::rustls::ServerConfig::builder_with_provider(
        tokio_rustls::rustls::crypto::ring::default_provider().into(),
    )
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![made.cert.der().clone()], key.into())
    .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = hyper::service::service_fn(async |_| {
                    Ok::<_, std::convert::Infallible>(http::Response::new("{}".to_owned()))
                });
                let stream = hyper_util::rt::TokioIo::new(stream);
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
            });
        }
    });
    port
}

#[tokio::test]
async fn a_certificate_is_trusted_that_the_bundle_has_and_no_other() {
    let machine = Machine::new().keys("K").set("AWS_REGION", "eu-central-1");
    let port = encrypted_server(machine.home.path());
    let machine = machine.set("AWS_ENDPOINT_URL", &format!("https://localhost:{port}"));
    let error = call(&machine.session()).await.unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
    let bundle = machine.path("trusted.pem");
    call(&machine.builder().ca_bundle(&bundle).build().unwrap()).await.unwrap();
    let machine = machine.set("AWS_CA_BUNDLE", &bundle);
    call(&machine.session()).await.unwrap();
    let machine = machine.set("AWS_CA_BUNDLE", "/nowhere.pem");
    let error = call(&machine.session()).await.unwrap_err().to_string();
    assert!(error.contains("/nowhere.pem"), "{error}");
}
