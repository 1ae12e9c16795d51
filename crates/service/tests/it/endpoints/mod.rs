//! Endpoints of a whole service, asked over its port: how they come, change, fail, go, and come back.

mod failures;
mod life;
mod processes;
mod registrations;
mod updates;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::sync::watch;
use watchkeeper_aws::client::Client;
use watchkeeper_service::Service;
use watchkeeper_service::configuration::{Configuration, Image, Role};
use watchkeeper_service::server::DataDirectory;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks at a status.
const LOOK: Duration = Duration::from_millis(5);

/// A service on a port and in a folder of its own.
struct World {
    service: Option<Service>,
    configuration: Configuration,
    client: Client,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Configuration)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut configuration = Configuration {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: directory.path().to_owned(),
            roles: vec![Role::Api],
            ..Configuration::default()
        };
        change(&mut configuration);
        let service = Service::start(configuration.clone()).await.unwrap();
        let client = client(&service, &configuration);
        Self { service: Some(service), configuration, client, _directory: directory }
    }

    /// Ends the service in order and starts it again in the same folder.
    async fn restart(&mut self, change: impl FnOnce(&mut Configuration)) {
        self.service.take().unwrap().shutdown().await;
        change(&mut self.configuration);
        let service = Service::start(self.configuration.clone()).await.unwrap();
        self.client = client(&service, &self.configuration);
        self.service = Some(service);
    }

    /// Status and body of an operation of `SageMaker`.
    async fn call(&self, operation: &str, input: Value) -> (u16, Value) {
        let target = format!("SageMaker.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.client.request(Method::POST, "/", &headers, input.to_string(), "sagemaker").await.unwrap();
        let body = answer.body();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(body).unwrap() };
        (answer.status().as_u16(), body)
    }

    async fn ok(&self, operation: &str, input: Value) -> Value {
        let (status, body) = self.call(operation, input).await;
        assert_eq!(status, 200, "{operation}: {body}");
        body
    }

    async fn described(&self, endpoint: &str) -> Value {
        self.ok("DescribeEndpoint", json!({ "EndpointName": endpoint })).await
    }

    /// A model with an image, and a configuration of the same name that has it as its only variant and captures.
    async fn configured(&self, name: &str, container: Value) {
        self.ok("CreateModel", json!({ "ModelName": name, "PrimaryContainer": container })).await;
        self.ok("CreateEndpointConfig", config(name, &[(name, 1.0)])).await;
    }

    async fn create(&self, endpoint: &str, config: &str) {
        self.ok("CreateEndpoint", json!({ "EndpointName": endpoint, "EndpointConfigName": config })).await;
    }

    async fn update(&self, endpoint: &str, config: &str) {
        self.ok("UpdateEndpoint", json!({ "EndpointName": endpoint, "EndpointConfigName": config })).await;
    }

    /// The description once the endpoint is on its way no longer.
    async fn settled(&self, endpoint: &str) -> Value {
        let settled = async {
            loop {
                let described = self.described(endpoint).await;
                if !["Creating", "Updating"].contains(&described["EndpointStatus"].as_str().unwrap()) {
                    return described;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("it settles")
    }

    /// The endpoint in service, or why it is not.
    async fn in_service(&self, endpoint: &str) -> Value {
        let described = self.settled(endpoint).await;
        assert_eq!(described["EndpointStatus"], "InService", "{described}");
        described
    }

    /// Waits until an endpoint is there no longer.
    async fn gone(&self, endpoint: &str) {
        let gone = async {
            while self.call("DescribeEndpoint", json!({ "EndpointName": endpoint })).await.0 == 200 {
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, gone).await.expect("it goes");
    }

    /// Status and text of an invocation.
    async fn invoke(&self, endpoint: &str, body: &str) -> (u16, String) {
        invoke(&self.client, endpoint, &[], body).await
    }

    /// Names of the streams of an endpoint's log.
    async fn streams(&self, endpoint: &str) -> Vec<String> {
        let input = json!({ "logGroupName": format!("/aws/sagemaker/Endpoints/{endpoint}") });
        let headers =
            [("x-amz-target", "Logs_20140328.DescribeLogStreams"), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.client.request(Method::POST, "/", &headers, input.to_string(), "logs").await.unwrap();
        let body: Value = serde_json::from_slice(answer.body()).unwrap();
        let Some(streams) = body["logStreams"].as_array() else { return Vec::new() };
        streams.iter().map(|stream| stream["logStreamName"].as_str().unwrap().to_owned()).collect()
    }

    /// The sum of a variant's metric over the last minutes.
    async fn total(&self, namespace: &str, metric: &str, endpoint: &str, variant: &str) -> f64 {
        let now = jiff::Timestamp::now().as_second();
        let input = json!({
            "Namespace": namespace,
            "MetricName": metric,
            "Dimensions": [
                { "Name": "EndpointName", "Value": endpoint },
                { "Name": "VariantName", "Value": variant },
            ],
            "StartTime": now - 600,
            "EndTime": now + 600,
            "Period": 60,
            "Statistics": ["Sum"],
        });
        let answer = self.client.call("GraniteServiceVersion20100801", "GetMetricStatistics", &input).await.unwrap();
        let points = answer["Datapoints"].as_array().unwrap();
        points.iter().map(|point| point["Sum"].as_f64().unwrap()).sum()
    }

    /// Keys of the objects below a prefix of the default bucket.
    async fn objects(&self, prefix: &str) -> Vec<String> {
        let path = format!("/{}?list-type=2&prefix={prefix}", self.configuration.default_bucket());
        let answer = self.client.request(Method::GET, &path, &[], "", "s3").await.unwrap();
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }
}

fn client(service: &Service, configuration: &Configuration) -> Client {
    let credentials = DataDirectory::of(Some(&configuration.data_dir)).unwrap().credentials().unwrap();
    Client::new(&format!("http://{}", service.address()), credentials, "us-east-1").unwrap()
}

async fn invoke(client: &Client, endpoint: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let path = format!("/endpoints/{endpoint}/invocations");
    let headers = [&[("content-type", "text/csv")], headers].concat();
    let answer = client.request(Method::POST, &path, &headers, body.to_owned(), "sagemaker").await.unwrap();
    (answer.status().as_u16(), String::from_utf8(answer.body().to_vec()).unwrap())
}

/// A configuration of variants, each named like its model, with their weights.
fn config(name: &str, variants: &[(&str, f64)]) -> Value {
    let variants = variants.iter().map(|(model, weight)| {
        json!({
            "VariantName": model,
            "ModelName": model,
            "InitialInstanceCount": 1,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": weight,
        })
    });
    json!({
        "EndpointConfigName": name,
        "ProductionVariants": variants.collect::<Vec<_>>(),
        "DataCaptureConfig": {
            "EnableCapture": true,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://sagemaker-us-east-1-000000000000/captured",
            "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
            "CaptureContentTypeHeader": { "CsvContentTypes": ["text/csv"] },
        },
    })
}

/// A built-in model that answers the same to every record.
fn constant(value: f64) -> Value {
    let model = json!({ "value": value }).to_string();
    json!({ "Image": "registry.example/watchkeeper-constant:1", "Environment": { "WATCHKEEPER_MODEL": model } })
}

/// A model server of the user's own, at an address of its own.
#[derive(Clone)]
struct ModelServer {
    address: SocketAddr,
    /// Whether `/ping` answers 200.
    healthy: watch::Sender<bool>,
    /// Whether `/invocations` answers; until then requests wait.
    open: watch::Sender<bool>,
    pings: Arc<AtomicUsize>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ModelServer {
    /// One that is well and answers at once.
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            healthy: watch::channel(true).0,
            open: watch::channel(true).0,
            pings: Arc::default(),
            asked: Arc::default(),
        };
        let router = axum::Router::new()
            .route("/ping", axum::routing::get(ping))
            .route("/invocations", axum::routing::post(answer))
            .with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        server
    }

    /// The entry of the configuration that makes it the model of all images whose repository is `name`.
    fn image(&self, name: &str) -> Image {
        Image { pattern: format!("*/{name}*"), url: Some(format!("http://{}", self.address)), ..Image::default() }
    }
}

async fn ping(State(server): State<ModelServer>) -> StatusCode {
    server.pings.fetch_add(1, Ordering::Relaxed);
    if *server.healthy.borrow() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn answer(State(server): State<ModelServer>, body: Bytes) -> String {
    server.asked.lock().unwrap().push(String::from_utf8(body.to_vec()).unwrap());
    server.open.subscribe().wait_for(|open| *open).await.unwrap();
    "elsewhere".to_owned()
}

/// Waits until something is so.
async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{what}"));
}
