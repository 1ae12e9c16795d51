//! Built-in images on threads of this process, carried out by functions of these tests.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed, InProgress, Stopped};
use watchkeeper_service::program::threads::{Analysis, Threads};

use super::bench::{Bench, Job, Machine, TIMING};

const ANALYZER: &str = "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer";
/// Longer than anything takes; reached only by what hangs.
const FOREVER: Duration = Duration::from_secs(100);

async fn bench(analyze: impl Fn(&Analysis) -> bool + Send + Sync + 'static) -> Bench {
    Bench::running(Machine::of(Threads::new(vec!["no-such-program".to_owned()], Arc::new(analyze)))).await
}

/// A job of the built-in analyzer.
fn job(name: &str) -> Job {
    Job::shell(name, "").with("/AppSpecification", json!({ "ImageUri": ANALYZER }))
}

/// Where a path of the contract is.
fn path(analysis: &Analysis, path: &str) -> String {
    format!("{}/{path}", analysis.variables["WATCHKEEPER_JOB_ROOT"])
}

fn say(analysis: &Analysis, line: &str) {
    writeln!(&analysis.output, "{line}").unwrap();
}

/// Does nothing until it is to end.
fn until_stopped(analysis: &Analysis) {
    while !analysis.stopped.load(Ordering::Relaxed) {
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_has_files_variables_and_a_log() {
    let bench = bench(|analysis| {
        assert_eq!(analysis.analyzer, "model-monitor-analyzer");
        let input = std::fs::read_to_string(path(analysis, "opt/ml/processing/in/a.csv")).unwrap();
        std::fs::write(path(analysis, "opt/ml/processing/out/b.csv"), input + &analysis.variables["mine"]).unwrap();
        (0..50_000).for_each(|number| say(analysis, &number.to_string()));
        (&analysis.output).write_all(b"last").unwrap();
        true
    })
    .await;
    bench.put("data/a.csv", b"1,").await;
    let job = job("well").with("/Environment", json!({"mine": "2"})).input("in", "s3://bucket/data", json!({})).output(
        "out",
        "s3://bucket/out",
        "EndOfJob",
    );
    let ended = bench.run(&job).await;
    assert_eq!(ended.status, Completed, "{ended:?} {:?}", bench.log("well", 1).await);
    assert_eq!(bench.object("out/b.csv").await.unwrap(), "1,2");
    let log = bench.log("well", 1).await;
    let numbers = log[log.len() - 50_001..log.len() - 1].iter().map(|line| line.parse::<usize>().unwrap());
    assert!(numbers.eq(0..50_000));
    assert_eq!(log.last().unwrap(), "last");
    bench.until_swept().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_that_fails_says_why() {
    let bench = bench(|analysis| {
        std::fs::write(path(analysis, "opt/ml/output/message"), "Error: no such column").unwrap();
        false
    })
    .await;
    let ended = bench.run(&job("badly")).await;
    assert_eq!(
        (ended.status, ended.failure_reason.as_deref()),
        (Failed, Some("AlgorithmError: Error: no such column"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_job_and_no_other() {
    let bench = bench(|analysis| {
        assert!(analysis.variables["PROCESSING_JOB_NAME"] != "panicking", "{} is not a number", "x");
        true
    })
    .await;
    let ended = bench.run(&job("panicking")).await;
    let reason = ended.failure_reason.unwrap_or_default();
    assert!(ended.status == Failed && reason.contains("the analyzer failed: x is not a number"), "{reason}");
    assert!(bench.log("panicking", 1).await.iter().any(|line| line.contains("x is not a number")));
    assert_eq!(bench.run(&job("next")).await.status, Completed);
    bench.until_swept().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_that_is_stopped_ends() {
    let (tell, started) = mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    let has_ended = Arc::clone(&ended);
    let bench = bench(move |analysis| {
        tell.send(()).unwrap();
        until_stopped(analysis);
        say(analysis, "ending");
        has_ended.store(true, Ordering::Relaxed);
        false
    })
    .await;
    let name = bench.create(&job("stopped")).await;
    tokio::task::spawn_blocking(move || started.recv_timeout(FOREVER).unwrap()).await.unwrap();
    assert_eq!(bench.job(&name).await.status, InProgress);
    bench.stop_job(&name).await;
    assert_eq!(bench.ended(&name).await.status, Stopped);
    assert!(ended.load(Ordering::Relaxed), "the job has ended before its thread");
    assert!(bench.log(&name, 1).await.contains(&"ending".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_whose_time_is_over_ends() {
    let bench = bench(|analysis| {
        until_stopped(analysis);
        false
    })
    .await;
    let ended = bench.run(&job("slow").with("/StoppingCondition", json!({"MaxRuntimeInSeconds": 1}))).await;
    assert_eq!(ended.status, Stopped);
    assert!(ended.failure_reason.as_deref().unwrap().contains("MaxRuntimeInSeconds"), "{ended:?}");
}

/// It counts as ended without having done so, and nothing of what it does afterwards is kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_analysis_that_does_not_end_is_left_behind() {
    let (tell, started) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let bench = bench(move |analysis| {
        tell.send(()).unwrap();
        let _ = released.lock().unwrap().recv_timeout(FOREVER);
        std::fs::write(path(analysis, "opt/ml/processing/out/late"), "x").is_ok()
    })
    .await;
    let name = bench.create(&job("deaf").output("out", "s3://bucket/out", "EndOfJob")).await;
    tokio::task::spawn_blocking(move || started.recv_timeout(FOREVER).unwrap()).await.unwrap();
    let since = Instant::now();
    bench.stop_job(&name).await;
    assert_eq!(bench.ended(&name).await.status, Stopped);
    assert!(since.elapsed() >= TIMING.grace, "{:?}", since.elapsed());
    bench.until_swept().await;
    release.send(()).unwrap();
    assert_eq!(bench.object("out/late").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_that_stops_gives_its_analyses_back() {
    let (tell, started) = mpsc::channel();
    let mut bench = bench(move |analysis| {
        tell.send(()).unwrap();
        until_stopped(analysis);
        false
    })
    .await;
    let name = bench.create(&job("interrupted")).await;
    tokio::task::spawn_blocking(move || started.recv_timeout(FOREVER).unwrap()).await.unwrap();
    bench.stop().await;
    let left = bench.job(&name).await;
    assert_eq!((left.status, left.attempts, left.started), (InProgress, 0, None));
    bench.start(Arc::new(Threads::new(vec!["no-such-program".to_owned()], Arc::new(|_| true))));
    assert_eq!(bench.ended(&name).await.status, Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_process_is_refused_and_says_what_to_do() {
    let bench = bench(|_| true).await;
    let isolated = job("isolated").with("/NetworkConfig", json!({"EnableNetworkIsolation": true}));
    for (job, named) in [(Job::shell("shell", "exit 0"), "`sh -c "), (isolated, "EnableNetworkIsolation")] {
        let ended = bench.run(&job).await;
        let reason = ended.failure_reason.unwrap_or_default();
        assert!(ended.status == Failed && reason.contains(named), "{reason}");
        assert!(reason.contains("`watchkeeper serve`"), "{reason}");
    }
}
