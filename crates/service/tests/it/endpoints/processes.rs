//! Endpoints whose models are processes of this machine: none is left over.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use watchkeeper_aws::Call;
use watchkeeper_aws::generated::sagemaker::{EndpointStatus, dispatch};
use watchkeeper_service::api::sagemaker::SageMakerApi;
use watchkeeper_service::configuration::{Configuration, Image};
use watchkeeper_service::context::{Context, MachineClock};
use watchkeeper_service::control::endpoint::Endpoint;
use watchkeeper_service::hosting::invocation::{Invocation, Operation, invoke};
use watchkeeper_service::hosting::model::{ModelBody, ModelRequest};
use watchkeeper_service::hosting::{Deployment, Found, Hosting};
use watchkeeper_service::processes::Processes;
use watchkeeper_service::resources::{Resources, Transaction};
use watchkeeper_store::Store;

use super::{PATIENCE, config, until};
use crate::runner::plain::Plain;

/// Answers with the number of its process, or takes its time.
const MODEL: &str = r#"
import http.server, os, time

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self):
        asked = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if asked == b"slowly":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"begun ")
            time.sleep(2)
            self.wfile.write(b"to the end")
            return
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

print("the model starts", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"#;

/// The hosting of a store without a server in front of it, whose programs are plain processes.
struct Bench {
    context: Arc<Context>,
    hosting: Arc<Hosting>,
    store: Store,
    stop: watch::Sender<bool>,
}

impl Bench {
    async fn open(folder: &Path) -> Self {
        Self::over(Store::open(folder).await.unwrap(), folder)
    }

    /// A process with files of its own in a folder.
    fn over(store: Store, folder: &Path) -> Self {
        let python = ["python3", "-c", MODEL].map(str::to_owned).to_vec();
        let image = Image { pattern: "*/process*".to_owned(), command: python, ..Image::default() };
        let (stop, stopping) = watch::channel(false);
        let context = Arc::new(Context {
            configuration: Configuration {
                data_dir: folder.to_owned(),
                images: vec![image],
                ..Configuration::default()
            },
            resources: Resources::new(Arc::clone(&store.metadata)),
            objects: Arc::clone(&store.objects),
            logs: Arc::clone(&store.logs),
            kms: store.kms.clone(),
            backups: store.backups.clone(),
            clock: Arc::new(MachineClock),
            scheduler_bell: Notify::new(),
            runner_bell: Notify::new(),
            hosting_bell: Notify::new(),
            capture: OnceLock::new(),
            stopping,
            endpoint_url: OnceLock::new(),
            processes: Processes::default(),
            job_credentials: OnceLock::new(),
            owner: "test".to_owned(),
        });
        let hosting = Hosting::start(&context, Arc::new(Plain)).unwrap();
        Self { context, hosting, store, stop }
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        let call = Call {
            region: "us-east-1".to_owned(),
            account: self.context.configuration.account.clone(),
            access_key_id: String::new(),
            request_id: String::new(),
            now: self.context.now(),
        };
        let answer = dispatch(&SageMakerApi(Arc::clone(&self.context)), &call, operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}")).unwrap_or_default()
    }

    /// A configuration with a process for its model.
    async fn configured(&self, name: &str) {
        let container = json!({ "Image": "registry.example/process:1", "Environment": { "NAME": name } });
        self.ok("CreateModel", json!({ "ModelName": name, "PrimaryContainer": container })).await;
        self.ok("CreateEndpointConfig", config(name, &[(name, 1.0)])).await;
    }

    async fn update(&self, config: &str) {
        self.ok("UpdateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": config })).await;
    }

    async fn update_when_in_service(&self, config: &str) {
        self.look().await;
        self.update(config).await;
        self.look().await;
    }

    async fn look(&self) {
        self.hosting.look_once().await.unwrap();
    }

    /// The configuration that answers.
    fn config(&self) -> String {
        self.serving().origin.revision.config.endpoint_config_name.clone()
    }

    fn serving(&self) -> Arc<Deployment> {
        match self.hosting.endpoint("shop") {
            Found::Serving(deployment) => deployment,
            _ => panic!("it serves"),
        }
    }

    /// The number of the process that answers.
    async fn process(&self) -> u32 {
        let deployment = self.serving();
        let request = ModelRequest { headers: HeaderMap::new(), body: Bytes::from_static(b"1").into() };
        let model = deployment.choose(None).unwrap().model.as_ref().unwrap();
        let answer = model.invoke(request, PATIENCE).await.unwrap();
        let body = match answer.body {
            ModelBody::Whole(bytes) => bytes,
            ModelBody::Stream(body) => body.collect().await.unwrap().to_bytes(),
        };
        std::str::from_utf8(&body).unwrap().parse().unwrap()
    }

    /// Folders of models that are there.
    fn folders(&self) -> usize {
        let folder = self.context.configuration.data_dir.join("models");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }

    async fn close(self) {
        self.stop.send_replace(true);
        self.hosting.shutdown().await;
        self.store.close().await;
    }
}

/// Whether a process is there that has not ended.
fn runs(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(')').next().and_then(|rest| rest.trim_start().chars().next());
    state.is_some_and(|state| state != 'Z')
}

/// Whichever of two processes of a service takes a step, and whatever of it the other has seen.
#[tokio::test]
async fn two_processes_of_a_service_follow_each_other() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let one = Bench::open(directories[0].path()).await;
    let other = Bench::over(one.store.clone(), directories[1].path());
    for name in ["first", "second"] {
        one.configured(name).await;
    }
    let create = json!({ "EndpointName": "shop", "EndpointConfigName": "first" });
    one.ok("CreateEndpoint", create.clone()).await;
    one.look().await;
    assert!(matches!(other.hosting.endpoint("shop"), Found::Unknown));
    other.look().await;
    assert_eq!((one.config(), other.config()), ("first".to_owned(), "first".to_owned()));
    let first = other.process().await;
    assert_ne!(one.process().await, first, "each has a model of its own");

    // An update that was over before the other one looked.
    one.update("second").await;
    one.look().await;
    assert_eq!((one.config(), other.config()), ("second".to_owned(), "first".to_owned()));
    other.look().await;
    assert_eq!(other.config(), "second");
    until("the first model ends", async || !runs(first)).await;

    // A deletion, and another endpoint of the same name and configuration: its models are started anew.
    let second = other.process().await;
    one.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    one.look().await;
    one.ok("CreateEndpoint", create).await;
    one.update_when_in_service("second").await;
    other.look().await;
    assert_eq!(other.config(), "second");
    assert_ne!(other.process().await, second);
    until("the models of the former one end", async || !runs(second)).await;

    // A deletion that was over, and one that the other one takes part in.
    let third = other.process().await;
    one.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    one.look().await;
    assert!(runs(third));
    other.look().await;
    assert!(matches!(other.hosting.endpoint("shop"), Found::Unknown));
    assert!(!runs(third));
    assert_eq!((one.folders(), other.folders()), (0, 0));

    // What fails at one is withdrawn at the other.
    other.ok("CreateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "first" })).await;
    other.look().await;
    one.look().await;
    let found = one.context.resources.get::<Endpoint>("shop").await.unwrap().unwrap();
    let failed = Endpoint { status: EndpointStatus::Failed, ..found.resource };
    one.context.resources.commit(Transaction::new().update(&failed, found.version)).await.unwrap();
    other.look().await;
    assert!(matches!(other.hosting.endpoint("shop"), Found::OutOfService));
    assert_eq!(other.folders(), 0);

    other.stop.send_replace(true);
    other.hosting.shutdown().await;
    one.close().await;
}

#[tokio::test]
async fn a_process_ends_with_the_endpoint_with_what_replaces_it_and_with_the_service() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path()).await;
    bench.configured("first").await;
    bench.configured("second").await;
    bench.ok("CreateEndpoint", json!({ "EndpointName": "Shop", "EndpointConfigName": "first" })).await;
    bench.hosting.look_once().await.unwrap();
    let first = bench.process().await;
    assert!(runs(first));
    assert_eq!(bench.folders(), 1);

    // The same model goes on when something else changes.
    let mut other = config("other", &[("first", 2.0)]);
    other["DataCaptureConfig"]["InitialSamplingPercentage"] = json!(50);
    bench.ok("CreateEndpointConfig", other).await;
    bench.ok("UpdateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "other" })).await;
    bench.hosting.look_once().await.unwrap();
    assert_eq!(bench.process().await, first);

    // Whoever still has the former generation is answered; then its process goes.
    let held = bench.serving();
    bench.ok("UpdateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "second" })).await;
    bench.hosting.look_once().await.unwrap();
    let second = bench.process().await;
    assert_ne!(second, first);
    assert!(runs(first), "it is asked still");
    drop(held);
    until("the first process ends", async || !runs(first)).await;
    until("its folder goes", async || bench.folders() == 1).await;

    bench.close().await;
    assert!(!runs(second), "it ends with the service");

    let bench = Bench::open(directory.path()).await;
    bench.hosting.take_stock().await.unwrap();
    assert!(matches!(bench.hosting.endpoint("shop"), Found::Starting));
    bench.hosting.look_once().await.unwrap();
    let third = bench.process().await;
    bench.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    bench.hosting.look_once().await.unwrap();
    assert!(matches!(bench.hosting.endpoint("shop"), Found::Unknown));
    assert!(!runs(third), "it ends with the endpoint");
    assert_eq!(bench.folders(), 0);
    bench.close().await;
}

#[tokio::test]
async fn a_process_that_went_on_through_an_update_waits_for_requests_from_before_it() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path()).await;
    bench.configured("first").await;
    bench.configured("second").await;
    bench.ok("CreateEndpointConfig", config("other", &[("first", 2.0)])).await;
    bench.ok("CreateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "first" })).await;
    bench.hosting.look_once().await.unwrap();
    let first = bench.process().await;
    let held = bench.serving();
    for config in ["other", "second"] {
        bench.ok("UpdateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": config })).await;
        bench.hosting.look_once().await.unwrap();
    }
    assert_ne!(bench.process().await, first);
    // The longest that its end takes when nobody asks it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(runs(first), "it is asked still");
    drop(held);
    until("the first process ends", async || !runs(first)).await;
    bench.close().await;
}

#[tokio::test]
async fn a_stream_ends_where_it_began() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path()).await;
    for name in ["first", "second"] {
        bench.configured(name).await;
        // There is no bucket here for captures.
        let mut quiet = config(&format!("{name}-quiet"), &[(name, 1.0)]);
        quiet["DataCaptureConfig"]["EnableCapture"] = json!(false);
        bench.ok("CreateEndpointConfig", quiet).await;
    }
    bench.ok("CreateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "first-quiet" })).await;
    bench.hosting.look_once().await.unwrap();
    let first = bench.process().await;
    let path = "/endpoints/shop/invocations-response-stream";
    let (parts, ()) = http::Request::post(path).body(()).unwrap().into_parts();
    let body = Bytes::from_static(b"slowly");
    let invocation = Invocation {
        operation: Operation::Stream,
        parts: &parts,
        body: body.into(),
        begun: Instant::now(),
        is_traffic: true,
    };
    let answer = invoke(&bench.hosting, invocation).await.unwrap();
    bench.ok("UpdateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "second-quiet" })).await;
    bench.hosting.look_once().await.unwrap();
    assert_ne!(bench.process().await, first);
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.contains("to the end"), "{answer}");
    until("the first process ends", async || !runs(first)).await;
    bench.close().await;
}

#[tokio::test]
async fn a_deletion_waits_for_requests_under_way() {
    let directory = tempfile::tempdir().unwrap();
    let bench = Bench::open(directory.path()).await;
    bench.configured("first").await;
    bench.ok("CreateEndpoint", json!({ "EndpointName": "shop", "EndpointConfigName": "first" })).await;
    bench.hosting.look_once().await.unwrap();
    let process = bench.process().await;
    let held = bench.serving();
    bench.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    let hosting = Arc::clone(&bench.hosting);
    let deletion = tokio::spawn(async move { hosting.look_once().await });
    until("nobody new is served", async || matches!(bench.hosting.endpoint("shop"), Found::OutOfService)).await;
    // The longest that a deletion without requests takes.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(runs(process) && !deletion.is_finished());
    drop(held);
    deletion.await.unwrap().unwrap();
    assert!(!runs(process));
    bench.close().await;
}
