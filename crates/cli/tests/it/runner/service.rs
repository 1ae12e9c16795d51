//! Jobs of a whole service that ends, one way or the other.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;
use watchkeeper_service::server::DataDirectory;

use super::bench::{Job, Lifeline};
use crate::program::Folder;

/// Longer than a claim of a runner that died.
const FOREVER: Duration = Duration::from_secs(100);

struct Service {
    process: Child,
    client: Client,
}

impl Service {
    /// A service on a folder, once it answers.
    fn start(folder: &Folder) -> Self {
        folder.write("config.toml", "[[images]]\nmatch = \"*shell*\"\n");
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--config", "config.toml"];
        let mut process = folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        let directory = DataDirectory::of(Some(&folder.path("data"))).unwrap();
        let service = directory.service().unwrap();
        let client = Client::new(&service.endpoint_url, directory.credentials().unwrap(), &service.region).unwrap();
        Self { process, client }
    }

    fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
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

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
    service.send(signal);
    let status = service.process.wait().unwrap();
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
    service.send(Signal::SIGTERM);
    assert!(service.process.wait().unwrap().success());
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
