//! An endpoint of a story and its place in the default bucket, made as a user without a Python SDK makes them: by the calls of
//! the service.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchkeeper::predictor::Predictor;
use watchkeeper::session::AwsService;
use watchkeeper::{S3Uri, Session, TimeOffset};

/// A role that nobody has to look up.
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/monitoring";
/// Longer than anything takes; reached only by what hangs.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK: Duration = Duration::from_millis(50);

/// A moment before that of an execution, such as `-PT1H`.
pub(crate) fn ago(offset: &str) -> TimeOffset {
    offset.parse().unwrap()
}

/// A story's session and names.
pub(crate) struct Site {
    pub(crate) session: Session,
    /// The name of the model, its endpoint, and what else there is one of.
    pub(crate) name: String,
    bucket: String,
}

impl Site {
    /// A place of its own for a story: nothing of this name is there yet.
    pub(crate) async fn new(session: &Session, name: &str) -> Self {
        let bucket = session.default_bucket().await.unwrap();
        Self { session: session.clone(), name: name.to_owned(), bucket }
    }

    /// An address below the story's own.
    pub(crate) fn uri(&self, relative: &str) -> S3Uri {
        format!("s3://{}/{}/{relative}", self.bucket, self.name).parse().unwrap()
    }

    pub(crate) async fn call(&self, operation: &'static str, input: Value) -> Value {
        self.session.call(AwsService::SageMaker, operation, &self.name, &input).await.unwrap()
    }

    /// A document of JSON that somebody has left in S3.
    pub(crate) async fn document(&self, address: &str) -> Value {
        serde_json::from_str(&self.session.read_s3_file(&address.parse().unwrap()).await.unwrap()).unwrap()
    }

    /// What an analysis of Clarify has found, by the folder of its output.
    pub(crate) async fn analysis(&self, folder: &str) -> Value {
        self.document(&format!("{}/analysis.json", folder.trim_end_matches('/'))).await
    }

    /// Describes something until it is as wanted; nothing tells when that is.
    pub(crate) async fn until(&self, operation: &'static str, input: Value, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let described = self.call(operation, input.clone()).await;
            if wanted(&described) {
                return described;
            }
            assert!(Instant::now() < deadline, "{operation}: {described}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes the model, of an image that is built in: `watchkeeper-logistic`, `watchkeeper-constant`.
    pub(crate) async fn create_model(&self, image: &str, document: &Value) {
        let container = json!({"Image": image, "Environment": {"WATCHKEEPER_MODEL": document.to_string()}});
        let model = json!({"ModelName": self.name, "ExecutionRoleArn": ROLE, "PrimaryContainer": container});
        self.call("CreateModel", model).await;
    }

    /// Makes the endpoint, which captures all that passes, and waits for it.
    pub(crate) async fn deploy(&self) -> Predictor {
        let name = &self.name;
        let variant = json!({
            "VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1,
        });
        let capture = json!({
            "EnableCapture": true,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": self.uri("captured").to_string(),
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
            "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
        });
        let config = json!({"EndpointConfigName": name, "ProductionVariants": [variant], "DataCaptureConfig": capture});
        self.call("CreateEndpointConfig", config).await;
        self.call("CreateEndpoint", json!({"EndpointName": name, "EndpointConfigName": name})).await;
        let deployed = |endpoint: &Value| endpoint["EndpointStatus"] != "Creating";
        let endpoint = self.until("DescribeEndpoint", json!({"EndpointName": name}), deployed).await;
        assert_eq!(endpoint["EndpointStatus"], "InService", "{endpoint}");
        Predictor::new(&self.session, name).content_type("text/csv").accept("text/csv")
    }

    /// Waits until an execution of the schedule has ended, and gives its summary.
    pub(crate) async fn executed(&self, schedule: &str) -> Value {
        let status = |schedule: &Value| {
            schedule["LastMonitoringExecutionSummary"]["MonitoringExecutionStatus"].as_str().map(str::to_owned)
        };
        let ended = |schedule: &Value| {
            status(schedule).is_some_and(|status| !matches!(&*status, "Pending" | "InProgress" | "Stopping"))
        };
        let input = json!({"MonitoringScheduleName": schedule});
        let schedule = self.until("DescribeMonitoringSchedule", input, ended).await;
        schedule["LastMonitoringExecutionSummary"].clone()
    }

    /// Waits until something is gone, by its description.
    pub(crate) async fn until_gone(&self, operation: &'static str, input: Value) {
        let deadline = Instant::now() + PATIENCE;
        while !self.is_gone(operation, input.clone()).await {
            assert!(Instant::now() < deadline, "{operation}: {input}");
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Whether something is gone, by its description.
    pub(crate) async fn is_gone(&self, operation: &'static str, input: Value) -> bool {
        match self.session.call(AwsService::SageMaker, operation, &self.name, &input).await {
            Ok(_) => false,
            Err(error) if matches!(error.code(), Some("ResourceNotFound" | "ValidationException")) => true,
            Err(error) => panic!("{error}"),
        }
    }
}
