//! `Session::local()`: a service in the process of its user.

use std::net::TcpStream;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;
use watchkeeper::model_monitor::{DatasetFormat, DefaultModelMonitor, ModelMonitor};
use watchkeeper::network::NetworkConfig;
use watchkeeper::processing::{ProcessingJob, ProcessingJobStatus, Wait};
use watchkeeper::session::{AwsService, Progress};
use watchkeeper::{Error, S3Uri, Session};

use crate::scenarios;

const ROLE: &str = "arn:aws:iam::000000000000:role/monitoring";
/// A script that does not end by itself.
const SLOW: &str = "import time\ndef postprocess_handler():\n    print('asked')\n    time.sleep(1000)\n";
/// Set in processes of one test.
const ALONE: &str = "WATCHKEEPER_TEST_ALONE";
/// Much shorter than the script, and longer than anything takes.
const SOON: Duration = Duration::from_mins(1);

/// A session whose logs nobody reads.
async fn local() -> Session {
    Session::builder().progress(|_| {}).local().await.unwrap()
}

#[tokio::test]
async fn data_quality_from_a_baseline_to_violations() {
    scenarios::data_quality::is_told(&local().await).await;
}

#[tokio::test]
async fn model_quality_from_a_baseline_to_violations() {
    scenarios::model_quality::is_told(&local().await).await;
}

#[tokio::test]
async fn model_bias_from_a_baseline_to_violations() {
    scenarios::model_bias::is_told(&local().await).await;
}

#[tokio::test]
async fn model_explainability_from_a_baseline_to_violations() {
    scenarios::model_explainability::is_told(&local().await).await;
}

#[tokio::test]
async fn batch_transform_jobs_are_monitored() {
    scenarios::batch_transform::is_told(&local().await).await;
}

#[tokio::test]
async fn an_image_of_ones_own() {
    scenarios::own_image::is_told(&local().await).await;
}

#[tokio::test]
async fn scripts_and_rules_of_ones_own() {
    scenarios::own_rules::is_told(&local().await).await;
}

#[tokio::test]
async fn jobs_of_clarify_without_a_monitor() {
    scenarios::clarify_processor::is_told(&local().await).await;
}

/// Uploads a dataset and a script that does not end, and starts a baselining job of both.
async fn start_slow(session: &Session, seconds: u32) -> ProcessingJob {
    let dataset = uploaded(session, "slow/data.csv", "a,b\n1,2\n").await;
    let script = uploaded(session, "slow/postprocess.py", SLOW).await;
    let mut monitor = DefaultModelMonitor::new(session, ROLE).max_runtime_in_seconds(seconds);
    let suggest = monitor.suggest_baseline(dataset, DatasetFormat::csv(true)).post_analytics_processor_script(script);
    suggest.wait(Wait::No).await.unwrap()
}

async fn uploaded(session: &Session, key: &str, text: &str) -> S3Uri {
    let uri: S3Uri = format!("s3://{}/{key}", session.default_bucket().await.unwrap()).parse().unwrap();
    session.upload_string_as_file_body(text.to_owned(), &uri, None).await.unwrap()
}

/// Waits until a line of a job's log holds this.
async fn until_logged(session: &Session, wanted: &str) {
    let deadline = Instant::now() + SOON;
    let input = json!({"logGroupName": "/aws/sagemaker/ProcessingJobs"});
    loop {
        let events = session.call(AwsService::CloudWatchLogs, "FilterLogEvents", "the log", &input).await;
        if events.as_ref().is_ok_and(|events| events.to_string().contains(wanted)) {
            return;
        }
        assert!(Instant::now() < deadline, "{events:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_job_that_is_stopped_ends() {
    let session = local().await;
    let job = start_slow(&session, 3600).await;
    until_logged(&session, "asked").await;
    // To give up waiting changes nothing.
    tokio::time::timeout(Duration::from_millis(300), job.wait()).await.unwrap_err();
    assert_eq!(job.describe().await.unwrap().processing_job_status, ProcessingJobStatus::InProgress);
    let began = Instant::now();
    job.stop().await.unwrap();
    job.wait().logs(false).await.unwrap();
    assert_eq!(job.describe().await.unwrap().processing_job_status, ProcessingJobStatus::Stopped);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_job_whose_time_is_over_ends() {
    let session = local().await;
    let job = start_slow(&session, 1).await;
    job.wait().logs(false).await.unwrap();
    let ended = job.describe().await.unwrap();
    assert_eq!(ended.processing_job_status, ProcessingJobStatus::Stopped);
    assert!(ended.failure_reason.as_deref().unwrap().contains("MaxRuntimeInSeconds"), "{ended:?}");
}

#[tokio::test]
async fn a_job_that_fails_says_why_and_the_next_one_runs() {
    let session = local().await;
    let mut monitor = DefaultModelMonitor::new(&session, ROLE);
    let empty = uploaded(&session, "empty/data.csv", "a,b\n").await;
    let error = monitor.suggest_baseline(empty, DatasetFormat::csv(true)).wait(Wait::Quietly).await.unwrap_err();
    let Error::UnexpectedStatus { actual_status, failure_reason, .. } = error else { panic!("{error}") };
    assert_eq!(actual_status, "Failed");
    assert!(failure_reason.as_deref().unwrap().contains("No data found in dataset_source"), "{failure_reason:?}");
    let whole = uploaded(&session, "whole/data.csv", "a,b\n1,2\n").await;
    monitor.suggest_baseline(whole, DatasetFormat::csv(true)).wait(Wait::Quietly).await.unwrap();
    assert_eq!(monitor.baseline_statistics().await.unwrap().data_quality().unwrap().dataset.item_count, 1);
}

#[tokio::test]
async fn what_needs_a_process_says_so() {
    let session = local().await;
    let mut own = ModelMonitor::new(&session, ROLE, "host.example/own:1");
    let error = own.run_baseline([], "/opt/ml/processing/output").wait(Wait::Quietly).await.unwrap_err().to_string();
    assert!(error.contains("host.example/own:1"), "{error}");
    let mut isolated =
        DefaultModelMonitor::new(&session, ROLE).network_config(NetworkConfig::new().enable_network_isolation(true));
    let dataset = uploaded(&session, "whole/data.csv", "a,b\n1,2\n").await;
    let error = isolated.suggest_baseline(dataset, DatasetFormat::csv(true)).wait(Wait::Quietly).await.unwrap_err();
    let error = error.to_string();
    assert!(error.contains("EnableNetworkIsolation") && error.contains("watchkeeper serve"), "{error}");
}

/// The lines of a job's log and its states are told while it is waited for.
#[tokio::test]
async fn who_waits_is_told_what_happens() {
    let told = Arc::new(Mutex::new((Vec::new(), Vec::new())));
    let listener = Arc::clone(&told);
    let session = Session::builder().progress(move |progress| {
        let mut told = listener.lock().unwrap();
        match progress {
            Progress::Log { line, .. } => told.0.push(line.to_owned()),
            Progress::Status { status, .. } => told.1.push(status.to_owned()),
            _ => {}
        }
    });
    let session = session.local().await.unwrap();
    let dataset = uploaded(&session, "data.csv", "a,b\n1,2\n").await;
    let mut monitor = DefaultModelMonitor::new(&session, ROLE);
    let job = monitor.suggest_baseline(dataset, DatasetFormat::csv(true)).await.unwrap();
    let arn = job.describe().await.unwrap().processing_job_arn;
    let (lines, _) = &*told.lock().unwrap();
    assert!(lines[0].contains(&arn), "{lines:?}");
    let last = "INFO  Completed: Job completed successfully with no violations.";
    assert_eq!(lines.last().map(String::as_str), Some(last), "{lines:?}");
}

/// What is in a folder is there again; meanwhile nobody else can use it, and afterwards nobody answers.
#[tokio::test]
async fn a_folder_stays_and_has_one_service_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::local_in(folder.path()).await.unwrap();
    let clone = session.clone();
    let uri = uploaded(&session, "kept.txt", "kept").await;
    drop(session);
    let refused = Session::local_in(folder.path()).await.unwrap_err().to_string();
    assert!(refused.contains("does not start"), "{refused}");
    assert_eq!(clone.read_s3_file(&uri).await.unwrap(), "kept");
    let described: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path().join("service.json")).unwrap()).unwrap();
    let address = described["EndpointUrl"].as_str().unwrap().strip_prefix("http://").unwrap();
    assert!(TcpStream::connect(address).is_ok());
    drop(clone);
    assert!(TcpStream::connect(address).is_err(), "it still listens on {address}");
    let again = Session::local_in(folder.path()).await.unwrap();
    assert_eq!(again.read_s3_file(&uri).await.unwrap(), "kept");
}

/// The last session goes while a job runs that does not end by itself.
#[tokio::test]
async fn a_session_that_goes_ends_its_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let session = Session::local_in(folder.path()).await.unwrap();
    let job = start_slow(&session, 3600).await;
    until_logged(&session, "asked").await;
    let name = job.job_name().to_owned();
    let began = Instant::now();
    drop((job, session));
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
    // It was broken off, not ended: whoever starts the service anew has it again.
    let session = Session::local_in(folder.path()).await.unwrap();
    let job = ProcessingJob::from_processing_name(&session, name.as_str()).await.unwrap();
    assert_eq!(job.describe().await.unwrap().processing_job_status, ProcessingJobStatus::InProgress);
    job.stop().await.unwrap();
    job.wait().logs(false).await.unwrap();
}

/// A process that runs one test of these and no other.
fn alone(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("local::{test}"), "--nocapture"]).env(ALONE, "1");
    command
}

/// Neither variables nor shared files of AWS matter.
#[cfg(feature = "blocking")]
#[test]
fn nothing_depends_on_the_environment() {
    let nowhere = "http://127.0.0.1:1";
    let ran = alone("everything_can_be_blocked_on")
        .envs([("AWS_PROFILE", "missing"), ("AWS_CONFIG_FILE", "/missing"), ("AWS_REGION", "eu-central-1")])
        .envs([("AWS_ENDPOINT_URL", nowhere), ("AWS_ENDPOINT_URL_S3", nowhere), ("AWS_ACCESS_KEY_ID", "AKIAOTHER")])
        .envs([("SAGEMAKER_USER_CONFIG_OVERRIDE", "/missing.yaml"), ("WATCHKEEPER_ROLES", "api")])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("1 passed"), "{said} {}", String::from_utf8_lossy(&ran.stderr));
}

/// Seen in a process where there are no others.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_session_leaves_no_thread_behind() {
    if std::env::var_os(ALONE).is_none() {
        let ran = tokio::process::Command::from(alone("a_session_leaves_no_thread_behind")).output().await.unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        return;
    }
    let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
    // What is made once for all sessions is there from here on.
    drop(local().await);
    let before = threads();
    for _ in 0..3 {
        let session = local().await;
        assert!(threads() > before);
        let dataset = uploaded(&session, "data.csv", "a,b\n1,2\n").await;
        let mut monitor = DefaultModelMonitor::new(&session, ROLE);
        monitor.suggest_baseline(dataset, DatasetFormat::csv(true)).wait(Wait::Quietly).await.unwrap();
    }
    let deadline = Instant::now() + SOON;
    while threads() > before {
        assert!(Instant::now() < deadline, "{} threads were {before}", threads());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Without a runtime of the caller.
#[cfg(feature = "blocking")]
#[test]
fn everything_can_be_blocked_on() {
    use watchkeeper::blocking::Block as _;

    let session = Session::builder().progress(|_| {}).local().block().unwrap();
    let bucket = session.default_bucket().block().unwrap();
    let dataset: S3Uri = format!("s3://{bucket}/data.csv").parse().unwrap();
    session.upload_string_as_file_body("a,b\n1,2\n3,\n", &dataset, None).block().unwrap();
    let mut monitor = DefaultModelMonitor::new(&session, ROLE);
    monitor.suggest_baseline(dataset, DatasetFormat::csv(true)).block().unwrap();
    let statistics = monitor.baseline_statistics().block().unwrap();
    assert_eq!(statistics.data_quality().unwrap().dataset.item_count, 2);
    let constraints = monitor.suggested_constraints().block().unwrap();
    let completeness: Vec<Option<f64>> =
        constraints.data_quality().unwrap().features.iter().map(|feature| feature.completeness).collect();
    assert_eq!(completeness, [Some(1.0), Some(0.5)]);
}
