//! Jobs of a whole service that ends, one way or the other.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;

use super::bench::{Job, Lifeline};
use crate::program::Folder;
use crate::running::Running;
use crate::service::{client, serve};

/// Longer than a claim of a runner that died.
const FOREVER: Duration = Duration::from_secs(100);

struct Service {
    running: Running,
    client: Client,
}

impl Service {
    /// A service on a folder, once it answers.
    fn start(folder: &Folder) -> Self {
        folder.write("config.toml", "[[images]]\nmatch = \"*shell*\"\n");
        let running = serve(folder, &["--config", "config.toml"], Stdio::null());
        Self { running, client: client(folder) }
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        self.client.call("SageMaker", operation, &input).await.unwrap()
    }

    async fn ended(&self, job: &str) -> Value {
        let deadline = Instant::now() + FOREVER;
        loop {
            let described = self.call("DescribeProcessingJob", json!({"ProcessingJobName": job})).await;
            if !["InProgress", "Stopping"].contains(&described["ProcessingJobStatus"].as_str().unwrap()) {
                return described;
            }
            assert!(Instant::now() < deadline, "{described}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A job that runs until it is ended the first time, and ends by itself the second. Its program has the service's folder
/// as its own.
fn twice() -> Job {
    // The interface takes no line feeds here.
    let script = "[ -e once ] && echo again > $WATCHKEEPER_JOB_ROOT/opt/ml/processing/out/a && exit 0; \
                  touch once; trap '' TERM; exec 9>lifeline; echo held >&9; sleep 1000 & wait";
    Job::shell("twice", "").with("/AppSpecification/ContainerEntrypoint", json!(["sh", "-c", script])).output(
        "out",
        "s3://sagemaker-us-east-1-000000000000/out",
        "EndOfJob",
    )
}

/// The signal ends the service and every process of the job; the next service runs the job again, and nothing is left.
async fn ends_with(signal: Signal) {
    let folder = Folder::new();
    let mut service = Service::start(&folder);
    let mut lifeline = Lifeline::new(&folder.path(""));
    service.call("CreateProcessingJob", twice().0).await;
    lifeline.until_held().await;
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
    let stored =
        service.client.request(http::Method::GET, "/sagemaker-us-east-1-000000000000/out/a", &[], Vec::new(), "s3");
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
