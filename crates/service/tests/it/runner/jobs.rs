//! What does not depend on how programs are started.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus::{Completed, Failed, InProgress, Stopped};
use watchkeeper_service::api::sts::session_issuer;
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::resources::Transaction;
use watchkeeper_store::objects::ListObjects;

use super::bench::{Bench, Job, Machine};
use super::plain::Plain;

async fn bench() -> Bench {
    Bench::running(Machine::of(Plain)).await
}

/// The job fails before its program starts, for this reason, and has a log that says so.
async fn refused(bench: &Bench, job: Job) -> String {
    let job = bench.run(&job).await;
    assert_eq!((job.status, job.started), (Failed, None), "{job:?}");
    let reason = job.failure_reason.clone().unwrap();
    let log = bench.log(job.name(), 1).await;
    assert!(log[0].contains(&job.arn) && log[1..].concat().contains(&reason), "{log:?}");
    reason
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_run_says_why() {
    let bench = bench().await;
    bench.put("dots/../up", b"x").await;
    bench.put("both/a", b"x").await;
    bench.put("both/a/b", b"x").await;
    bench.put("broken.json", b"{}").await;
    bench.put("lost.json", br#"[{"prefix":"s3://bucket/"},"nowhere"]"#).await;
    bench.put("not.gz", b"not compressed").await;
    let shell = |name: &str| Job::shell(name, "exit 0");
    let cases = [
        (
            shell("image").with("/AppSpecification/ImageUri", json!("host.example/unknown:1")),
            "no program is known for image `host.example/unknown:1`: add an entry to the service's configuration, such as \
             [[images]] match",
        ),
        (
            shell("nothing").input("in", "s3://bucket/nothing", json!({})),
            "No S3 objects found under S3 URL \"s3://bucket/nothing\" given in input data source. ",
        ),
        (
            shell("no-bucket").input("in", "s3://nobody/x", json!({})),
            "No S3 objects found under S3 URL \"s3://nobody/x\"",
        ),
        (
            shell("pipe").input("in", "s3://bucket/both/a", json!({"S3InputMode": "Pipe"})),
            "input `in`: S3InputMode Pipe",
        ),
        (shell("up").input("in", "s3://bucket/dots/", json!({})), "object s3://bucket/dots/../up cannot become a file"),
        (
            shell("both").input("in", "s3://bucket/both/", json!({})),
            "object s3://bucket/both/a would become the file /opt/ml/processing/in/a, which has to be a folder",
        ),
        (
            shell("manifest").input("in", "s3://bucket/broken.json", json!({"S3DataType": "ManifestFile"})),
            "input `in`: manifest s3://bucket/broken.json is not a JSON list",
        ),
        (
            shell("lost").input("in", "s3://bucket/lost.json", json!({"S3DataType": "ManifestFile"})),
            "input `in`: manifest s3://bucket/lost.json names s3://bucket/nowhere, which is not there",
        ),
        (
            shell("gzip").input("in", "s3://bucket/not.gz", json!({"S3CompressionType": "Gzip"})),
            "object s3://bucket/not.gz could not be decompressed",
        ),
    ];
    for (job, start) in cases {
        let reason = refused(&bench, job).await;
        assert!(reason.starts_with(start), "{reason}");
    }
    bench.until_swept().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_inputs_are_decompressed() {
    let bench = bench().await;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"one\n").unwrap();
    let mut content = encoder.finish().unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(b"two\n").unwrap();
    content.extend(encoder.finish().unwrap());
    bench.put("data/a.csv.gz", &content).await;
    let job = Job::shell("gz", "cp $ml/processing/in/* $ml/processing/out")
        .input("in", "s3://bucket/data", json!({"S3CompressionType": "Gzip"}))
        .output("out", "s3://bucket/out", "EndOfJob");
    assert_eq!(bench.run(&job).await.status, Completed, "{:?}", bench.log("gz", 1).await);
    assert_eq!(bench.object("out/a.csv").await.unwrap(), "one\ntwo\n");
}

/// Id, secret and token that a job's program finds, an empty line for what is not there.
async fn credentials_told(bench: &Bench, job: Job) -> Vec<String> {
    let folder = format!("s3://bucket/{}", job.0["ProcessingJobName"].as_str().unwrap());
    let job = job.output("out", &folder, "EndOfJob");
    let job = bench.run(&job).await;
    assert_eq!(job.status, Completed, "{:?}", bench.log(job.name(), 1).await);
    let told = bench.object(&format!("{}/told", job.name())).await.unwrap();
    told.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_have_credentials_of_their_own_that_end() {
    let bench = bench().await;
    let tells = |name: &str| {
        let script = r#"printf '%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN""#;
        Job::shell(name, &format!("{script} > $ml/processing/out/told"))
            .with("/StoppingCondition", json!({"MaxRuntimeInSeconds": 600}))
    };
    let before = bench.context.now();
    let told = credentials_told(&bench, tells("ours")).await;
    let issuer = session_issuer(&bench.context).unwrap();
    let session = issuer.issued(&told[0]).unwrap();
    assert_eq!(session.parent, issuer.parent("AKIATEST"));
    assert_eq!(
        (&told[1], Some(&told[2])),
        (&session.credentials.secret_access_key, session.credentials.session_token.as_ref())
    );
    let lifetime = SignedDuration::from_secs(600 + 3600);
    let earliest = (before + lifetime).as_second();
    assert!((earliest..=(bench.context.now() + lifetime).as_second()).contains(&session.expires.as_second()));
    let again = credentials_told(&bench, tells("again")).await;
    assert_ne!(told[0], again[0]);

    let own = json!({"AWS_ACCESS_KEY_ID": "AKIAMINE", "AWS_SECRET_ACCESS_KEY": "mine"});
    assert_eq!(credentials_told(&bench, tells("own").with("/Environment", own)).await, ["AKIAMINE", "mine", ""]);
    let isolated = tells("isolated").with("/NetworkConfig", json!({"EnableNetworkIsolation": true}));
    assert_eq!(credentials_told(&bench, isolated).await, ["", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_that_cannot_be_stored_fail_the_job() {
    let bench = bench().await;
    let job = Job::shell("stray", "echo x > $ml/processing/out/a").output("out", "s3://nobody/out", "EndOfJob");
    let job = bench.run(&job).await;
    assert_eq!(job.status, Failed);
    let reason = "output `out`: a could not be stored at s3://nobody/out: there is no bucket `nobody`, create it first";
    assert_eq!(job.failure_reason.as_deref(), Some(reason));
}

/// What a program puts in the place of files and folders of the contract leads nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn links_and_pipes_are_no_results() {
    let bench = bench().await;
    bench.put("secret", b"secret").await;
    let secret = bench.folder.path().join("elsewhere");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("message"), "secret").unwrap();
    let secret = secret.display();
    let script =
        format!("ln -s {secret}/message $ml/processing/out/link; mkfifo $ml/processing/out/pipe $ml/output/message");
    let job = bench.run(&Job::shell("pipes", &script).output("out", "s3://bucket/out", "EndOfJob")).await;
    assert_eq!((job.status, job.exit_message), (Completed, None));
    assert_eq!((bench.object("out/link").await, bench.object("out/pipe").await), (None, None));
    let script = format!("rm -r $ml/output; ln -s {secret} $ml/output; exit 1");
    let job = bench.run(&Job::shell("message", &script)).await;
    assert!(job.failure_reason.unwrap().ends_with("exit code: 1"));
    let script = format!("rmdir $ml/processing/out; ln -s {secret} $ml/processing/out");
    let job = bench.run(&Job::shell("folder", &script).output("out", "s3://bucket/out", "EndOfJob")).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.as_deref().unwrap().ends_with("opt/ml/processing/out is a link"), "{job:?}");
    assert_eq!(bench.object("out/message").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_files() {
    const FILES: usize = 1000;
    let bench = bench().await;
    for number in 0..20 {
        bench.put(&format!("in/{number}"), b"x").await;
    }
    let script =
        format!("for n in $(seq {FILES}); do echo $n > $ml/processing/out/$n; done; ls $ml/processing/in | wc -l");
    let job = Job::shell("many", &script).input("in", "s3://bucket/in", json!({})).output(
        "out",
        "s3://bucket/out/",
        "EndOfJob",
    );
    assert_eq!(bench.run(&job).await.status, Completed);
    assert_eq!(bench.log("many", 1).await.last().unwrap().trim(), "20");
    let list =
        ListObjects { bucket: "bucket".to_owned(), prefix: "out/".to_owned(), limit: 2000, ..Default::default() };
    let stored = bench.context.objects.list(&list).await.unwrap().objects;
    assert_eq!(stored.len(), FILES);
    assert_eq!(bench.object("out/777").await.unwrap(), "777\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_there_encrypts_nothing() {
    let bench = bench().await;
    let job = Job::shell("key", "echo x > $ml/processing/out/a")
        .output("out", "s3://bucket/out", "EndOfJob")
        .with("/ProcessingOutputConfig/KmsKeyId", json!("alias/mine"));
    assert_eq!(bench.run(&job).await.status, Completed);
    assert_eq!(bench.object("out/a").await.unwrap(), "x\n");
    let log = bench.log("key", 1).await;
    assert!(log[1].starts_with("there is no encryption key `alias/mine`"), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_runner_died_is_run_again_three_times_at_most() {
    let mut bench = Bench::new().await;
    let mut claimed = Job::shell("orphan", "exit 0").document(&bench.context);
    (claimed.attempts, claimed.started) = (2, Some(claimed.created));
    let name = bench.insert(claimed).await;
    let mut hopeless = Job::shell("hopeless", "exit 0").document(&bench.context);
    (hopeless.attempts, hopeless.started) = (3, Some(hopeless.created));
    let hopeless = bench.insert(hopeless).await;
    // The dead one's claim has to run out first.
    let job = bench.context.resources.get::<ProcessingJob>(&name).await.unwrap().unwrap();
    let until = bench.context.now().as_millisecond() + 500;
    let claim = Transaction::new().update_claimed(&job.resource, job.version, "a dead runner", until);
    bench.context.resources.commit(claim).await.unwrap();
    bench.start(Arc::new(Plain));
    let job = bench.ended(&name).await;
    assert_eq!((job.status, job.attempts), (Completed, 3));
    assert!(job.started.unwrap().0.as_millisecond() >= until);
    let job = bench.ended(&hopeless).await;
    assert_eq!(job.status, Failed);
    assert!(job.failure_reason.unwrap().starts_with("the service ended 3 times while it ran this job"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_job_that_nobody_runs_is_stopped() {
    let mut bench = Bench::new().await;
    let name = bench.create(&Job::shell("never", "exit 0")).await;
    bench.stop_job(&name).await;
    bench.start(Arc::new(Plain));
    let job = bench.ended(&name).await;
    assert_eq!((job.status, job.started), (Stopped, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_somebody_else_took_is_left_alone() {
    let bench = bench().await;
    let name = bench.create(&Job::shell("taken", "sleep 1000")).await;
    bench.until(&name, |job| job.started.is_some()).await;
    let other = bench.context.now().as_millisecond() + 3_600_000;
    loop {
        let job = bench.context.resources.get::<ProcessingJob>(&name).await.unwrap().unwrap();
        let claim = Transaction::new().update_claimed(&job.resource, job.version, "another runner", other);
        if bench.context.resources.commit(claim).await.is_ok() {
            break;
        }
    }
    bench.until_swept().await;
    assert_eq!((bench.job(&name).await.status, bench.claimed_by(&name).await.as_str()), (InProgress, "another runner"));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_of_dead_runners_are_swept() {
    let mut bench = Bench::new().await;
    let folder = bench.folder.path().join("jobs/dead-1/algo-1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "x").unwrap();
    bench.start(Arc::new(Plain));
    bench.until_swept().await;
}

/// A job costs no more than its program, some commits and no waiting.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_start_when_the_bell_rings() {
    let bench = bench().await;
    bench.run(&Job::shell("first", "exit 0")).await;
    let since = std::time::Instant::now();
    for number in 0..10 {
        bench.run(&Job::shell(&format!("job-{number}"), "exit 0")).await;
    }
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}
