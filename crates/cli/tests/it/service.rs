//! A service as a process, what its commands say of it, and what its clients bring there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use watchkeeper_aws::client::Client;
use watchkeeper_service::server::DataDirectory;

use crate::program::{Folder, Ran};
use crate::running::Running;

pub(crate) const BUCKET: &str = "sagemaker-us-east-1-000000000000";
pub(crate) const ROLE: &str = "arn:aws:iam::000000000000:role/monitor";
pub(crate) const ANALYZER: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer";

/// Longer than a claim of a runner that died.
pub(crate) const FOREVER: Duration = Duration::from_secs(100);

/// A service on a free port, with `data` of its folder as its data directory.
pub(crate) struct Service {
    pub(crate) running: Running,
    pub(crate) folder: Folder,
}

/// Starts a service in a folder, and waits until it listens.
pub(crate) fn serve(folder: &Folder, options: &[&str], log: Stdio) -> Running {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
    let running = Running::start(folder.command(&[&arguments, options].concat()).stderr(log));
    assert_eq!(running.first, format!("Watchkeeper is listening on http://{}\n", running.address));
    running
}

/// Calls the service of a folder.
pub(crate) fn client(folder: &Folder) -> Client {
    let directory = DataDirectory::of(Some(&folder.path("data"))).unwrap();
    let found = directory.service().unwrap();
    Client::new(&found.endpoint_url, directory.credentials().unwrap(), &found.region).unwrap()
}

/// Waits until a job has ended.
pub(crate) async fn job_ended(client: &Client, job: &str) -> Value {
    let deadline = Instant::now() + FOREVER;
    loop {
        let name = json!({"ProcessingJobName": job});
        let described: Value = client.call("SageMaker", "DescribeProcessingJob", &name).await.unwrap();
        if !["InProgress", "Stopping"].contains(&described["ProcessingJobStatus"].as_str().unwrap()) {
            return described;
        }
        assert!(Instant::now() < deadline, "{described}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

impl Service {
    /// Nobody reads its log.
    pub(crate) fn start() -> Self {
        Self::start_with_log(Stdio::null())
    }

    pub(crate) fn start_with_log(log: Stdio) -> Self {
        let folder = Folder::new();
        Self { running: serve(&folder, &[], log), folder }
    }

    pub(crate) fn address(&self) -> &str {
        &self.running.address
    }

    /// What a command says of this service.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(&[arguments, &["--data-dir", "data"]].concat())
    }

    pub(crate) fn json(&self, arguments: &[&str], status: i32) -> Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat()).ended(status);
        serde_json::from_str(&ran.stdout).unwrap()
    }

    /// Calls an operation of SageMaker.
    pub(crate) fn call(&self, operation: &str, input: &Value) {
        let client = client(&self.folder);
        let _: Value = runtime().block_on(client.call("SageMaker", operation, input)).unwrap();
    }

    /// Puts an object into the default bucket.
    pub(crate) fn put(&self, key: &str, content: &str) {
        let client = client(&self.folder);
        let path = format!("/{BUCKET}/{key}");
        let request = client.request(Method::PUT, &path, &[], content.to_owned(), "s3");
        assert!(runtime().block_on(request).unwrap().status().is_success());
    }

    /// Makes the endpoint `churn`, with lines that were captured at a moment.
    pub(crate) fn make_endpoint(&self, moment: Timestamp, captured: &str) {
        self.put(&format!("captured/churn/AllTraffic/{}/00-00-000-a.jsonl", moment.strftime("%Y/%m/%d/%H")), captured);
        self.call(
            "CreateModel",
            &json!({"ModelName": "m", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "mine"}}),
        );
        let capture = json!({"InitialSamplingPercentage": 100, "DestinationS3Uri": format!("s3://{BUCKET}/captured"),
            "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}]});
        let variant = json!({"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1});
        let config = json!({"EndpointConfigName": "c", "ProductionVariants": [variant], "DataCaptureConfig": capture});
        self.call("CreateEndpointConfig", &config);
        self.call("CreateEndpoint", &json!({"EndpointName": "churn", "EndpointConfigName": "c"}));
    }

    /// Makes a daily schedule with this configuration; no tick comes while the test runs.
    pub(crate) fn make_schedule(&self, name: &str, mut configuration: Value) {
        let hour = Timestamp::now().as_second() / 3600;
        configuration["ScheduleConfig"] =
            json!({"ScheduleExpression": format!("cron(0 {} ? * * *)", (hour + 12) % 24)});
        self.call(
            "CreateMonitoringSchedule",
            &json!({"MonitoringScheduleName": name, "MonitoringScheduleConfig": configuration}),
        );
    }
}
