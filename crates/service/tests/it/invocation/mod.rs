//! Invocations of a whole service's endpoints, before built-in models and a real model server.

mod analyses;
mod asynchronous;
mod captured;
mod errors;
mod front;
mod shadows;
mod stream;
mod whole;

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::Credentials;
use watchkeeper_service::Service;
use watchkeeper_service::configuration::{Configuration, Image, Role};
use watchkeeper_service::server::DataDirectory;

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// The time between two looks.
const LOOK: Duration = Duration::from_millis(5);
/// Headers of a request.
type Headers<'a> = &'a [(&'a str, &'a str)];
const BUCKET: &str = "sagemaker-us-east-1-000000000000";

/// A model server, which ends with this.
struct Python {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Python {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/invocation/model.py");
        let child = Command::new("python3").arg(script).arg(folder.path()).spawn().unwrap();
        let port = until(async || std::fs::read_to_string(folder.path().join("port")).ok()).await.parse().unwrap();
        Self { child, folder, port }
    }

    /// Lets streams go on.
    fn go(&self) {
        std::fs::write(self.folder.path().join("go"), "").unwrap();
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service with a model server whose image is `python`.
struct World {
    service: Option<Service>,
    configuration: Configuration,
    python: Python,
    _directory: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    async fn start_with(change: impl FnOnce(&mut Configuration)) -> Self {
        let (directory, python) = (tempfile::tempdir().unwrap(), Python::start().await);
        let mut configuration = Configuration {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: directory.path().to_owned(),
            roles: vec![Role::Api],
            images: vec![Image { pattern: "*/python*".to_owned(), url: Some(python.url()), ..Image::default() }],
            ..Configuration::default()
        };
        change(&mut configuration);
        let service = Some(Service::start(configuration.clone()).await.unwrap());
        Self { service, configuration, python, _directory: directory }
    }

    fn service(&self) -> &Service {
        self.service.as_ref().unwrap()
    }

    async fn restart(&mut self) {
        self.service.take().unwrap().shutdown().await;
        self.service = Some(Service::start(self.configuration.clone()).await.unwrap());
    }

    fn credentials(&self) -> Credentials {
        DataDirectory::of(Some(&self.configuration.data_dir)).unwrap().credentials().unwrap()
    }

    fn client(&self) -> Client {
        let url = format!("http://{}", self.service().address());
        Client::new(&url, self.credentials(), "us-east-1").unwrap()
    }

    /// An operation of `SageMaker` that succeeds.
    async fn ok(&self, operation: &str, input: Value) -> Value {
        let target = format!("SageMaker.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.client().request(Method::POST, "/", &headers, input.to_string(), "sagemaker").await.unwrap();
        assert_eq!(answer.status(), 200, "{operation}: {answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
    }

    /// An endpoint in service: variants by name and image, and more members of its configuration.
    async fn deploy(&self, endpoint: &str, variants: &[(&str, Value)], more: Value) {
        let mut of_config = Vec::new();
        for (name, container) in variants {
            let model = format!("{endpoint}-{name}");
            self.ok("CreateModel", json!({ "ModelName": model, "PrimaryContainer": container })).await;
            of_config.push(variant(name, &model, 1.0));
        }
        let mut config = json!({ "EndpointConfigName": endpoint, "ProductionVariants": of_config });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ok("CreateEndpointConfig", config).await;
        self.ok("CreateEndpoint", json!({ "EndpointName": endpoint, "EndpointConfigName": endpoint })).await;
        self.in_service(endpoint).await;
    }

    async fn in_service(&self, endpoint: &str) {
        let described = until(async || {
            let described = self.ok("DescribeEndpoint", json!({ "EndpointName": endpoint })).await;
            let status = described["EndpointStatus"].as_str().unwrap().to_owned();
            (!["Creating", "Updating"].contains(&status.as_str())).then_some(described)
        })
        .await;
        assert_eq!(described["EndpointStatus"], "InService", "{described}");
    }

    async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
        self.client().request(Method::POST, path, headers, body, "sagemaker").await.unwrap()
    }

    async fn invoke(&self, endpoint: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Response<Bytes> {
        self.post(&format!("/endpoints/{endpoint}/invocations"), headers, body).await
    }

    /// Objects of the default bucket below a prefix, by their keys.
    async fn objects(&self, prefix: &str) -> Vec<String> {
        let path = format!("/{BUCKET}?list-type=2&prefix={prefix}");
        let answer = self.client().request(Method::GET, &path, &[], "", "s3").await.unwrap();
        let text = String::from_utf8(answer.body().to_vec()).unwrap();
        text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned()).collect()
    }

    async fn object(&self, key: &str) -> Option<Response<Bytes>> {
        let answer = self.client().request(Method::GET, &format!("/{BUCKET}/{key}"), &[], "", "s3").await.unwrap();
        (answer.status() == 200).then_some(answer)
    }

    async fn put(&self, key: &str, body: impl Into<Bytes>) {
        let path = format!("/{BUCKET}/{key}");
        let answer = self.client().request(Method::PUT, &path, &[], body, "s3").await.unwrap();
        assert_eq!(answer.status(), 200);
    }

    /// So many lines that were captured of an endpoint, once they are there.
    async fn captured(&self, endpoint: &str, lines: usize) -> Vec<Value> {
        until(async || {
            let mut found = Vec::new();
            for key in self.objects(&format!("captured/{endpoint}/")).await {
                let object = self.object(&key).await.unwrap();
                let text = String::from_utf8(object.body().to_vec()).unwrap();
                found.extend(text.lines().map(|line| serde_json::from_str(line).unwrap()));
            }
            (found.len() >= lines).then_some(found)
        })
        .await
    }
}

fn variant(name: &str, model: &str, weight: f64) -> Value {
    json!({
        "VariantName": name,
        "ModelName": model,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.m5.large",
        "InitialVariantWeight": weight,
    })
}

/// The container of the Python server.
fn python() -> Value {
    json!({ "Image": "registry.example/python:1" })
}

/// A built-in model.
fn built_in(name: &str, model: &Value) -> Value {
    let environment = json!({ "WATCHKEEPER_MODEL": model.to_string() });
    json!({ "Image": format!("registry.example/watchkeeper-{name}:1"), "Environment": environment })
}

/// A configuration's capture of everything.
fn capturing() -> Value {
    json!({
        "DataCaptureConfig": {
            "EnableCapture": true,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": format!("s3://{BUCKET}/captured"),
            "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv"],
                "JsonContentTypes": ["application/json", "application/jsonlines"],
            },
        },
    })
}

fn text(answer: &Response<Bytes>) -> String {
    String::from_utf8(answer.body().to_vec()).unwrap()
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The error of an answer: its status, code and body.
fn error(answer: &Response<Bytes>) -> (u16, String, Value) {
    let body = serde_json::from_slice(answer.body()).unwrap_or_else(|_| panic!("{answer:?}"));
    (answer.status().as_u16(), header(answer, "x-amzn-errortype").to_owned(), body)
}

/// What something becomes, once it does.
async fn until<T>(mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let wait = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time")
}
