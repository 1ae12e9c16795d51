//! Jobs of a whole service that ends, one way or the other.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;

use super::bench::{Job, Lifeline};
use crate::program::Folder;
use crate::running::Running;
use crate::service::{BUCKET, FOREVER, client, job_ended, serve};

pub(super) struct Service {
    pub(super) running: Running,
    client: Client,
}

impl Service {
    /// A service on a folder, once it answers.
    fn start(folder: &Folder) -> Self {
        folder.write("config.toml", "[[images]]\nmatch = \"*shell*\"\n");
        Self::start_on(folder, "config.toml", Stdio::null())
    }

    /// The same with a file of settings.
    pub(super) fn start_on(folder: &Folder, settings: &str, log: Stdio) -> Self {
        let running = serve(folder, &["--config", settings], log);
        Self { running, client: client(folder) }
    }

    pub(super) async fn call(&self, operation: &str, input: Value) -> Value {
        self.client.call("SageMaker", operation, &input).await.unwrap()
    }

    pub(super) async fn put(&self, key: &str, text: impl Into<String>) {
        let path = format!("/{BUCKET}/{key}");
        let stored = self.client.request(http::Method::PUT, &path, &[], text.into().into_bytes(), "s3").await.unwrap();
        assert!(stored.status().is_success(), "{stored:?}");
    }

    /// The lines of the log of a job's first instance.
    pub(super) async fn log(&self, job: &str) -> Vec<String> {
        let input = json!({"logGroupName": super::bench::GROUP, "logStreamNamePrefix": format!("{job}/")});
        let events: Value = self.client.call("Logs_20140328", "FilterLogEvents", &input).await.unwrap();
        let lines = events["events"].as_array().unwrap().iter();
        lines.map(|event| event["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until an endpoint can be asked.
    pub(super) async fn in_service(&self, endpoint: &str) {
        let deadline = Instant::now() + FOREVER;
        loop {
            let described = self.call("DescribeEndpoint", json!({"EndpointName": endpoint})).await;
            match described["EndpointStatus"].as_str().unwrap() {
                "InService" => return,
                "Creating" => assert!(Instant::now() < deadline, "{described}"),
                _ => panic!("{described}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What an endpoint answers.
    pub(super) async fn ask(&self, endpoint: &str, text: &str) -> String {
        let path = format!("/endpoints/{endpoint}/invocations");
        let asked = self.client.request(http::Method::POST, &path, &[], text.to_owned().into_bytes(), "sagemaker");
        let answer = asked.await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        String::from_utf8(answer.body().to_vec()).unwrap()
    }

    pub(super) async fn ended(&self, job: &str) -> Value {
        job_ended(&self.client, job).await
    }
}

/// A job that runs until it is ended, unless it has an input, which it then copies to its output.
fn twice(lifeline: &Lifeline) -> Job {
    // The interface takes no line feeds here.
    let script = format!(
        "cd $WATCHKEEPER_JOB_ROOT/opt/ml/processing; [ -e in/again ] && cp in/again out/a && exit 0; trap '' TERM; {}; \
         sleep 1000 & wait",
        lifeline.hold()
    );
    Job::shell("twice", "")
        .with("/AppSpecification/ContainerEntrypoint", json!(["sh", "-c", script]))
        .input("in", &format!("s3://{BUCKET}/in/"), json!({}))
        .output("out", &format!("s3://{BUCKET}/out"), "EndOfJob")
}

/// The signal ends the service and every process of the job; the next service runs the job again, and nothing is left.
async fn ends_with(signal: Signal) {
    let folder = Folder::new();
    let mut service = Service::start(&folder);
    let mut lifeline = Lifeline::new(&folder.path("data"));
    service.put("in/first", "once").await;
    service.call("CreateProcessingJob", twice(&lifeline).0).await;
    lifeline.until_held().await;
    service.put("in/again", "again\n").await;
    service.running.send(signal);
    let status = service.running.process.wait().unwrap();
    assert_eq!(status.success(), signal == Signal::SIGTERM, "{status}");
    lifeline.until_released().await;
    if signal == Signal::SIGTERM {
        assert!(folder.names("data/jobs").is_empty());
    }
    let mut service = Service::start(&folder);
    let job = service.ended("twice").await;
    assert_eq!(job["ProcessingJobStatus"], "Completed", "{job}");
    let path = format!("/{BUCKET}/out/a");
    let stored = service.client.request(http::Method::GET, &path, &[], Vec::new(), "s3");
    assert_eq!(stored.await.unwrap().body().as_ref(), b"again\n");
    service.running.send(Signal::SIGTERM);
    assert!(service.running.process.wait().unwrap().success());
    assert!(folder.names("data/jobs").is_empty(), "{:?}", folder.names("data/jobs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed() {
    ends_with(Signal::SIGKILL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_told_to_end() {
    ends_with(Signal::SIGTERM).await;
}
