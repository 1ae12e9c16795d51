//! Predictions that were made elsewhere, sent to the operators' interface.

use std::net::SocketAddr;

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;
use watchkeeper_service::configuration::Role;
use watchkeeper_service::server::DataDirectory;
use watchkeeper_service::{Configuration, Service};

/// A service in a folder of its own.
pub struct Server {
    service: Service,
    directory: tempfile::TempDir,
}

impl Server {
    pub async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = Configuration {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: directory.path().to_owned(),
            roles: vec![Role::Api],
            ..Configuration::default()
        };
        Self { service: Service::start(configuration).await.unwrap(), directory }
    }

    pub fn client(&self) -> Client {
        let credentials = DataDirectory::of(Some(self.directory.path())).unwrap().credentials().unwrap();
        Client::new(&format!("http://{}", self.service.address()), credentials, "eu-west-1").unwrap()
    }

    pub async fn create_bucket(&self, name: &str) {
        let made = self.client().request(Method::PUT, &format!("/{name}"), &[], Bytes::new(), "s3").await.unwrap();
        assert!(made.status().is_success());
    }

    pub async fn object(&self, path: &str) -> String {
        let answer = self.client().request(Method::GET, path, &[], Bytes::new(), "s3").await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    async fn keys(&self, bucket: &str) -> Vec<String> {
        let answer = self.object(&format!("/{bucket}?list-type=2")).await;
        answer.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }

    async fn ingest(&self, endpoint: &str, body: &str) -> (u16, Value) {
        let path = format!("/_watchkeeper/endpoints/{endpoint}/captures");
        let answer = self.client().request(Method::POST, &path, &[], body.to_owned(), "sagemaker").await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
    }

    /// An endpoint whose model is served elsewhere.
    async fn create_endpoint(&self, name: &str, capture: Option<Value>) {
        let client = self.client();
        let image = "111122223333.dkr.ecr.eu-west-1.amazonaws.com/watchkeeper-external:1";
        let model = json!({
            "ModelName": name, "ExecutionRoleArn": "arn:aws:iam::111122223333:role/model",
            "PrimaryContainer": {"Image": image},
        });
        client.call("SageMaker", "CreateModel", &model).await.unwrap();
        let variant = |variant: &str| json!({"VariantName": variant, "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1});
        let mut config = json!({"EndpointConfigName": name, "ProductionVariants": [variant("blue"), variant("green")]});
        if let Some(capture) = capture {
            config["DataCaptureConfig"] = capture;
        }
        client.call("SageMaker", "CreateEndpointConfig", &config).await.unwrap();
        let endpoint = json!({"EndpointName": name, "EndpointConfigName": name});
        client.call("SageMaker", "CreateEndpoint", &endpoint).await.unwrap();
    }
}

fn capture_config() -> Value {
    json!({
        "EnableCapture": true, "InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://captures/here",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    })
}

#[tokio::test]
async fn all_that_is_sent_is_stored_by_variant_and_hour() {
    let server = Server::start().await;
    server.create_bucket("captures").await;
    server.create_endpoint("Churn", Some(capture_config())).await;
    let body = [
        json!({"input": "1,2", "output": "0.5", "time": "2026-03-01T10:59:59.5Z", "inference_id": "first", "event_id": "e-1",
               "custom_attributes": "trace=1"}),
        json!({"input": {"a": 1.0}, "output": [0.5], "time": "2026-03-01T11:00:00Z"}),
        json!({"input": "aGk=", "content_type": "image/png", "output": "1", "output_content_type": "Text/CSV; header=absent",
               "time": "2026-03-01T10:00:00Z"}),
        json!({"input": "3,4", "output": "0.7", "time": "2026-03-01T10:00:00Z", "variant": "green"}),
    ];
    let body = body.map(|line| line.to_string()).join("\n\n");
    assert_eq!(server.ingest("churn", &body).await, (200, json!({"captured": 4})));
    let keys = server.keys("captures").await;
    let prefixes = ["blue/2026/03/01/10/00-00-000-", "blue/2026/03/01/11/00-00-000-", "green/2026/03/01/10/00-00-000-"];
    assert_eq!(keys.len(), 3);
    for (key, prefix) in keys.iter().zip(prefixes) {
        assert!(key.starts_with(&format!("here/Churn/{prefix}")), "{key}");
    }
    let lines = server.object(&format!("/captures/{}", keys[0])).await;
    assert!(lines.ends_with('\n'));
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        lines[0],
        json!({
            "captureData": {
                "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
                "endpointOutput": {"observedContentType": "text/csv", "mode": "OUTPUT", "data": "0.5", "encoding": "CSV"},
            },
            "eventMetadata": {
                "eventId": "e-1", "inferenceId": "first", "inferenceTime": "2026-03-01T10:59:59Z",
                "customAttributes": ["trace=1"],
            },
            "eventVersion": "0",
        })
    );
    let data = &lines[1]["captureData"];
    // What is on neither list is written in base 64: the text itself is the payload.
    assert_eq!(
        (&data["endpointInput"]["data"], &data["endpointInput"]["encoding"]),
        (&json!("YUdrPQ=="), &json!("BASE64"))
    );
    assert_eq!(data["endpointOutput"]["encoding"], json!("CSV"));
    let second: Value = serde_json::from_str(&server.object(&format!("/captures/{}", keys[1])).await).unwrap();
    let input = &second["captureData"]["endpointInput"];
    assert_eq!((&input["data"], &input["encoding"]), (&json!(r#"{"a":1.0}"#), &json!("JSON")));
}

#[tokio::test]
async fn capture_lines_are_taken_as_they_are_and_made_whole() {
    let server = Server::start().await;
    server.create_bucket("captures").await;
    server.create_endpoint("churn", Some(capture_config())).await;
    let whole = r#"{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"1,2","encoding":"CSV"},"endpointOutput":{"observedContentType":null,"mode":"OUTPUT","data":"MC41","encoding":"BASE64"}},"eventMetadata":{"eventId":"57d02be9-3d76-4acb-a7cd-7d78ab70bd12","inferenceTime":"2020-02-19T06:00:00Z"},"eventVersion":"0"}"#;
    let sparse = r#"{"captureData": {"endpointInput": {"data": "1,2", "encoding": "CSV"}}}"#;
    assert_eq!(server.ingest("churn", &format!("{whole}\r\n{sparse}\n")).await, (200, json!({"captured": 2})));
    let keys = server.keys("captures").await;
    assert!(keys[0].starts_with("here/churn/blue/2020/02/19/06/00-00-000-"), "{keys:?}");
    assert_eq!(server.object(&format!("/captures/{}", keys[0])).await, format!("{whole}\n"));
    let filled: Value = serde_json::from_str(&server.object(&format!("/captures/{}", keys[1])).await).unwrap();
    assert_eq!(filled["eventVersion"], json!("0"));
    assert_eq!(filled["captureData"]["endpointInput"]["mode"], json!("INPUT"));
    assert!(filled["eventMetadata"]["eventId"].is_string() && filled["eventMetadata"]["inferenceTime"].is_string());
}

#[tokio::test]
async fn one_bad_line_refuses_all() {
    let server = Server::start().await;
    server.create_bucket("captures").await;
    server.create_endpoint("churn", Some(capture_config())).await;
    let good = r#"{"input": "1", "output": "2"}"#;
    for (bad, reason) in [
        (r#"{"input": "1", "output": "2""#, "EOF"),
        (r#"{"input": "1"}"#, "missing field `output`"),
        (r#"{"input": "1", "output": "2", "label": 3}"#, "unknown field `label`"),
        (r#"{"input": "1", "output": "2", "time": "yesterday"}"#, "time: `yesterday` is no moment"),
        (r#"{"input": "1", "output": "2", "variant": "red"}"#, "variant: the endpoint has no `red`, but blue, green"),
        (r#"{"captureData": {}}"#, "captureData holds neither"),
        (r#"["1", "2"]"#, ""),
    ] {
        let (status, answer) = server.ingest("churn", &format!("{good}\n\n{bad}\n{good}\n")).await;
        let error = answer["error"].as_str().unwrap();
        assert_eq!(status, 400, "{bad}");
        assert!(error.starts_with("line 3: ") && error.contains(reason), "{error}");
    }
    assert_eq!(server.keys("captures").await, Vec::<String>::new());
    assert_eq!(server.ingest("churn", "").await, (200, json!({"captured": 0})));
}

#[tokio::test]
async fn an_endpoint_that_captures_nothing_takes_nothing() {
    let server = Server::start().await;
    let line = r#"{"input": "1", "output": "2"}"#;
    let error = |answer: (u16, Value)| (answer.0, answer.1["error"].as_str().unwrap().to_owned());
    assert_eq!(error(server.ingest("none", line).await), (404, "there is no endpoint none".to_owned()));
    server.create_endpoint("plain", None).await;
    let (status, text) = error(server.ingest("plain", line).await);
    assert!(status == 409 && text.contains("has no DataCaptureConfig"), "{status} {text}");
    let mut off = capture_config();
    off["EnableCapture"] = json!(false);
    server.create_endpoint("off", Some(off)).await;
    let (status, text) = error(server.ingest("off", line).await);
    assert!(status == 409 && text.contains("is switched off"), "{status} {text}");
    server.create_endpoint("churn", Some(capture_config())).await;
    let (status, text) = error(server.ingest("churn", line).await);
    assert!(status == 409 && text.contains("there is no bucket `captures`"), "{status} {text}");
}
