//! A store, and models that are started on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use watchkeeper_service::configuration::{Configuration, Image};
use watchkeeper_service::context::{Context, MachineClock};
use watchkeeper_service::hosting::model::{
    BatchSpecification, InvokeError, ModelAnswer, ModelRequest, ModelServer, ModelSpecification, StartError,
    Supervision,
};
use watchkeeper_service::processes::Processes;
use watchkeeper_service::program::launch::Launcher;
use watchkeeper_service::resources::Resources;
use watchkeeper_store::Store;
use watchkeeper_store::logs::EventsQuery;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};

use crate::runner::plain::Plain;

/// Longer than anything takes; reached only by what hangs.
pub(crate) const FOREVER: Duration = Duration::from_mins(1);
pub(crate) const GROUP: &str = "/aws/sagemaker/Endpoints/churn";
pub(crate) const STREAM: &str = "AllTraffic/i-0123";
const BUCKET: &str = "models";

/// Times that tests can wait for.
pub(crate) const SUPERVISION: Supervision = Supervision {
    ping_interval: Duration::from_millis(100),
    ping_timeout: Duration::from_millis(500),
    misses: 3,
    first_pause: Duration::from_millis(50),
    longest_pause: Duration::from_millis(200),
    healthy_after: Duration::from_mins(1),
    grace: Duration::from_secs(2),
};

pub(crate) struct Bench {
    pub(crate) context: Arc<Context>,
    launcher: Arc<dyn Launcher>,
    pub(crate) folder: TempDir,
    _stop: watch::Sender<bool>,
}

/// What is told of a model that a test starts.
pub(crate) struct Start {
    pub(crate) containers: Vec<Value>,
    pub(crate) execution: Option<Value>,
    pub(crate) startup: Duration,
    pub(crate) batch: Option<BatchSpecification>,
    pub(crate) isolated: bool,
}

impl Start {
    pub(crate) fn of(container: Value) -> Self {
        Self::chain(vec![container])
    }

    pub(crate) fn chain(containers: Vec<Value>) -> Self {
        Self { containers, execution: None, startup: FOREVER, batch: None, isolated: false }
    }
}

/// An entry of the configuration for an image.
pub(crate) fn image(pattern: &str) -> Image {
    Image { pattern: pattern.to_owned(), ..Image::default() }
}

/// The entry of the server of these tests.
pub(crate) fn server_image() -> Image {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/models/server.py");
    let command = ["python3", "-u", script].map(str::to_owned).to_vec();
    let environment = BTreeMap::from([("OF_THE_IMAGE".to_owned(), "yes".to_owned())]);
    Image { command, environment, ..image("*server*") }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::with(vec![server_image()]).await
    }

    pub(crate) async fn with(images: Vec<Image>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        store.objects.create_bucket(BUCKET, "eu-west-1", jiff::Timestamp::now()).await.unwrap();
        let (stop, stopping) = watch::channel(false);
        let configuration = Configuration { data_dir: folder.path().to_owned(), images, ..Configuration::default() };
        let context = Context {
            configuration,
            resources: Resources::new(store.metadata.clone()),
            objects: store.objects.clone(),
            logs: store.logs.clone(),
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock: Arc::new(MachineClock),
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping,
            endpoint_url: OnceLock::from("http://127.0.0.1:8470".to_owned()),
            processes: Processes::default(),
            job_credentials: OnceLock::from(("AKIATEST".to_owned(), "secret".to_owned())),
            owner: "this process".to_owned(),
        };
        Self { context: Arc::new(context), launcher: Arc::new(Plain), folder, _stop: stop }
    }

    pub(crate) async fn put(&self, key: &str, content: Vec<u8>) -> String {
        let attributes = ObjectAttributes::default();
        self.context.objects.put(BUCKET, key, attributes, body(content), Precondition::None).await.unwrap();
        format!("s3://{BUCKET}/{key}")
    }

    pub(crate) async fn start(&self, start: Start) -> Result<Arc<ModelServer>, StartError> {
        let model = json!({
            "ModelName": "churn", "Containers": start.containers, "InferenceExecutionConfig": start.execution,
            "EnableNetworkIsolation": start.isolated,
        });
        let specification = ModelSpecification {
            model: serde_json::from_value(model).unwrap(),
            region: "eu-west-1".to_owned(),
            instance_type: Some("ml.m5.large".to_owned()),
            log_group: GROUP.to_owned(),
            log_stream: STREAM.to_owned(),
            label: "churn/AllTraffic".to_owned(),
            startup_timeout: start.startup,
            download_timeout: FOREVER,
            batch: start.batch,
        };
        ModelServer::start_with(&self.context, &self.launcher, specification, SUPERVISION).await
    }

    /// The server of these tests with these variables.
    pub(crate) async fn server(&self, environment: Value) -> Arc<ModelServer> {
        self.start(Start::of(server(environment))).await.unwrap()
    }

    /// Why a container does not start.
    pub(crate) async fn failure(&self, container: Value) -> String {
        match self.start(Start::of(container)).await {
            Err(StartError::Failed(reason)) => reason,
            Err(other) => panic!("{other:?}"),
            Ok(_) => panic!("it has started"),
        }
    }

    pub(crate) async fn log(&self, stream: &str) -> Vec<String> {
        let mut query = EventsQuery { from_head: true, ..EventsQuery::default() };
        let mut lines = Vec::new();
        // There is no stream before the model's start has begun.
        while let Ok(page) = self.context.logs.events(GROUP, stream, &query).await {
            if page.events.is_empty() {
                break;
            }
            lines.extend(page.events.into_iter().map(|event| event.message));
            query.token = Some(page.forward);
        }
        lines
    }

    /// Waits until a line of the log holds a text so many times.
    pub(crate) async fn until_logged(&self, text: &str, times: usize) -> Vec<String> {
        let deadline = Instant::now() + FOREVER;
        loop {
            let log = self.log(STREAM).await;
            if log.iter().filter(|line| line.contains(text)).count() >= times {
                return log;
            }
            assert!(Instant::now() < deadline, "`{text}` {times} times: {log:#?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// The folders of models that there are.
    pub(crate) fn folders(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.folder.path().join("models")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    pub(crate) async fn until_no_folders(&self) {
        let deadline = Instant::now() + FOREVER;
        while !self.folders().is_empty() {
            assert!(Instant::now() < deadline, "{:?}", self.folders());
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A container of the server of these tests.
#[allow(clippy::needless_pass_by_value)] // a literal in every test
pub(crate) fn server(environment: Value) -> Value {
    json!({ "Image": "host.example/server:1", "Environment": environment })
}

/// A request.
pub(crate) fn request(content_type: &str, content: impl Into<Bytes>) -> ModelRequest {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
    }
    ModelRequest { headers, body: content.into().into() }
}

pub(crate) fn with_header(mut request: ModelRequest, name: &'static str, value: &str) -> ModelRequest {
    request.headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    request
}

/// Status, content type and body of what a model answers.
pub(crate) async fn ask(model: &ModelServer, request: ModelRequest) -> (u16, String, String) {
    let ModelAnswer { status, headers, body } = model.invoke(request, FOREVER).await.unwrap();
    let content_type = headers.get("content-type").map(|text| text.to_str().unwrap().to_owned()).unwrap_or_default();
    let text = String::from_utf8(body.collect().await.unwrap().to_vec()).unwrap();
    (status.as_u16(), content_type, text)
}

/// What the server of these tests answers to a command.
pub(crate) async fn command(model: &ModelServer, text: &str) -> String {
    let (status, _, answer) = ask(model, request("text/plain", text.to_owned())).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

pub(crate) async fn error(model: &ModelServer, text: &str, limit: Duration) -> InvokeError {
    match model.invoke(request("text/plain", text.to_owned()), limit).await {
        Ok(answer) => panic!("status {}", answer.status),
        Err(error) => error,
    }
}

/// Waits until a model answers.
pub(crate) async fn until_answers(model: &ModelServer) {
    let deadline = Instant::now() + FOREVER;
    while let Err(error) = model.invoke(request("text/plain", "echo"), FOREVER).await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Runs a Python script of these tests.
pub(crate) fn python(script: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("python3").arg(script).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
