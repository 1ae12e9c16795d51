//! Processing jobs: starting, waiting, reading what they wrote.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper::model_monitor::{BaseliningJob, ClarifyBaseliningJob, ModelMonitor, MonitoringExecution};
use watchkeeper::processing::{
    ProcessingInput, ProcessingJob, ProcessingJobStatus, ProcessingOutput, S3CompressionType, Wait,
};
use watchkeeper::session::Progress;
use watchkeeper::{Error, S3Uri, Session};

use crate::stub::{Answer, Request, Stub};

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

fn described(status: &str) -> Answer {
    Answer::json(&json!({
        "ProcessingJobName": "nightly",
        "ProcessingJobArn": "arn:aws:sagemaker:eu-central-1:123456789012:processing-job/nightly",
        "ProcessingJobStatus": status,
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}},
        "FailureReason": "AlgorithmError: no such column",
    }))
}

fn job(session: &Session) -> ProcessingJob {
    let output = ProcessingOutput::new("/opt/ml/processing/output").destination(uri("s3://bucket/out"));
    ProcessingJob::new(session, "nightly", Vec::new(), vec![output])
}

/// A session that writes down what it tells.
fn listening(stub: &Stub) -> (Session, Arc<Mutex<Vec<String>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&told);
    let session = stub.builder().progress(move |progress| {
        let line = match progress {
            Progress::Status { resource, status } => format!("{resource}: {status}"),
            Progress::Log { stream, line } => format!("{stream}| {line}"),
            other => format!("{other:?}"),
        };
        listener.lock().unwrap().push(line);
    });
    (session.build().unwrap(), told)
}

#[tokio::test]
async fn a_job_is_started_with_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script.py");
    std::fs::write(&script, "print()").unwrap();
    let stub = Stub::start(|request| match request.operation().as_str() {
        "GET /" => Answer::bytes(
            "<ListAllMyBucketsResult><Buckets><Bucket><Name>the-bucket</Name></Bucket></Buckets></ListAllMyBucketsResult>",
        ),
        "CreateProcessingJob" => Answer::json(&json!({"ProcessingJobArn": "arn"})),
        _ => Answer::empty(),
    });
    let session = stub.builder().default_bucket_prefix("team//risk/").build().unwrap();
    let role = "arn:aws:iam::123456789012:role/monitoring";
    let mut monitor = ModelMonitor::new(&session, role, "registry/image:1").output_kms_key("key");
    let inputs = vec![
        ProcessingInput::new(uri("s3://data/train.csv"), "/opt/ml/processing/input/data"),
        ProcessingInput::new(script.as_path(), "/opt/ml/processing/input/code").input_name("code"),
    ];
    monitor.run_baseline(inputs, ProcessingOutput::new("/out")).wait(Wait::No).job_name("nightly").await.unwrap();
    let requests = stub.requests();
    // Python uploads twice, too: for the baseline and for the job.
    assert_eq!(
        stub.operations(),
        [
            "GET /",
            "PUT /the-bucket/team/risk/nightly/code/script.py",
            "PUT /the-bucket/team/risk/nightly/input/code/script.py",
            "CreateProcessingJob"
        ]
    );
    let asked = requests.last().unwrap().json();
    assert_eq!(asked["ProcessingInputs"][0]["InputName"], "input-1");
    assert_eq!(
        asked["ProcessingInputs"][1]["S3Input"]["S3Uri"],
        "s3://the-bucket/team/risk/nightly/input/code/script.py"
    );
    assert_eq!(asked["ProcessingOutputConfig"]["KmsKeyId"], "key");
    let output = &asked["ProcessingOutputConfig"]["Outputs"][0];
    assert_eq!(output["S3Output"]["S3Uri"], "s3://the-bucket/team/risk/nightly/output/output-1");
    for absent in ["Environment", "NetworkConfig", "StoppingCondition", "Tags", "ExperimentConfig"] {
        assert_eq!(asked.get(absent), None, "{absent}");
    }
}

#[tokio::test]
async fn what_contradicts_itself_is_not_sent() {
    let stub = Stub::start(|_| Answer::empty());
    let session = stub.session();
    let mut monitor = ModelMonitor::new(&session, "a/role", "image");
    let gzipped =
        ProcessingInput::new(uri("s3://data/train.csv.gz"), "/in").s3_compression_type(S3CompressionType::Gzip);
    let error = monitor.run_baseline(vec![gzipped], ProcessingOutput::new("/out")).await.unwrap_err();
    assert_eq!(error.to_string(), "s3_compression_type: Data can only be gzipped when the input mode is Pipe.");
    for arn in ["nightly", "arn:aws:sagemaker:eu-central-1:123456789012:endpoint/nightly", "a:b:c:d:e:processing-job/"]
    {
        let error = ProcessingJob::from_processing_arn(&session, arn).await.unwrap_err();
        assert!(matches!(error, Error::Argument { argument: "processing_job_arn", .. }), "{error}");
    }
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn a_quiet_wait_looks_until_the_job_has_ended() {
    for (last, error) in [
        ("Completed", None),
        ("Stopped", None),
        ("Failed", Some("processing job nightly is Failed, not Completed or Stopped: AlgorithmError: no such column")),
        ("Lost", Some("processing job nightly is Lost, not Completed or Stopped: AlgorithmError: no such column")),
    ] {
        let stub = Stub::answering([
            // A role whose permissions have not spread yet.
            Answer::error(400, "AccessDeniedException", "not authorized"),
            described("Starting"),
            described("InProgress"),
            described("Stopping"),
            described(last),
        ]);
        let (session, told) = listening(&stub);
        let outcome = job(&session).wait().logs(false).await;
        assert_eq!(outcome.err().map(|error| error.to_string()).as_deref(), error);
        assert_eq!(stub.requests().len(), 5);
        let states =
            ["Starting", "InProgress", "Stopping", last].map(|status| format!("processing job nightly: {status}"));
        assert_eq!(*told.lock().unwrap(), states);
    }
}

#[tokio::test]
async fn a_wait_that_is_given_up_leaves_the_job_alone() {
    let stub = Stub::start(|_| described("InProgress"));
    let session = stub.session();
    let job = job(&session);
    tokio::time::timeout(Duration::from_millis(100), async { job.wait().logs(false).await }).await.unwrap_err();
    assert_eq!(job.describe().await.unwrap().processing_job_status, ProcessingJobStatus::InProgress);
    assert!(stub.operations().iter().all(|operation| operation == "DescribeProcessingJob"));
}

/// The logs of a job: streams with their events, of which more are there from one reading to the next.
struct Logs {
    streams: Vec<(&'static str, Vec<(i64, &'static str)>)>,
    /// How many events of each stream are there.
    there: usize,
}

impl Logs {
    fn answer(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        assert_eq!(asked["logGroupName"], "/aws/sagemaker/ProcessingJobs");
        if request.operation() == "DescribeLogStreams" {
            self.there += 1;
            if self.there == 1 {
                return Answer::error(400, "ResourceNotFoundException", "The specified log group does not exist.");
            }
            assert_eq!(asked["logStreamNamePrefix"], "nightly/");
            let streams: Vec<Value> = self.streams.iter().map(|(stream, _)| json!({"logStreamName": stream})).collect();
            return Answer::json(&json!({"logStreams": streams}));
        }
        let (_, events) = self.streams.iter().find(|(stream, _)| asked["logStreamName"] == *stream).unwrap();
        let there: Vec<&(i64, &str)> = events
            .iter()
            .take(self.there)
            .filter(|(timestamp, _)| *timestamp >= asked["startTime"].as_i64().unwrap())
            .collect();
        // Pages of two.
        let first = asked.get("nextToken").map_or(0, |token| token.as_str().unwrap().parse::<usize>().unwrap());
        let page: Vec<Value> = there
            .iter()
            .skip(first)
            .take(2)
            .map(|(timestamp, message)| json!({"timestamp": timestamp, "message": message}))
            .collect();
        Answer::json(&json!({"nextForwardToken": (first + page.len()).to_string(), "events": page}))
    }
}

#[tokio::test]
async fn a_log_is_told_in_the_order_of_time_and_every_line_once() {
    let logs = Mutex::new(Logs {
        streams: vec![
            ("nightly/algo-1-1", vec![(10, "a1"), (10, "a2"), (10, "a3"), (12, "a4\n"), (30, "a5")]),
            ("nightly/algo-2-1", vec![(9, "b1"), (10, "b2"), (11, "two\nlines"), (29, "b4"), (31, "b5")]),
        ],
        there: 0,
    });
    let looks = Mutex::new(0);
    let stub = Stub::start(move |request| {
        if request.operation() == "DescribeProcessingJob" {
            let mut looks = looks.lock().unwrap();
            *looks += 1;
            return described(if *looks == 1 { "InProgress" } else { "Completed" });
        }
        logs.lock().unwrap().answer(request)
    });
    let (session, told) = listening(&stub);
    job(&session).wait().await.unwrap();
    let told = told.lock().unwrap().join("\n");
    let lines: Vec<&str> = told.lines().filter(|line| !line.starts_with("processing job")).collect();
    let of = |number: u32| {
        let prefix = format!("nightly/algo-{number}-1| ");
        lines.iter().filter_map(|line| line.strip_prefix(&prefix)).collect::<Vec<_>>()
    };
    assert_eq!(of(1), ["a1", "a2", "a3", "a4", "a5"]);
    assert_eq!(of(2), ["b1", "b2", "two", "lines", "b4", "b5"]);
    // Of what came at once, the earlier first.
    assert_eq!(lines[..4].iter().map(|line| &line[18..]).collect::<Vec<_>>(), ["b1", "a1", "a2", "b2"]);
}

#[tokio::test]
async fn more_streams_than_a_page_holds_are_all_read() {
    let stub = Stub::start(|request| match request.operation().as_str() {
        "DescribeProcessingJob" => Answer::json(&json!({
            "ProcessingJobStatus": "Completed",
            "ProcessingResources": {"ClusterConfig": {"InstanceCount": 60}},
        })),
        "DescribeLogStreams" => {
            let asked = request.json();
            assert_eq!(asked["limit"], 50);
            let (range, token) = match asked.get("nextToken") {
                None => (0..50, json!("more")),
                Some(_) => (50..60, Value::Null),
            };
            let streams: Vec<Value> =
                range.map(|number| json!({"logStreamName": format!("nightly/algo-{number:02}")})).collect();
            Answer::json(&json!({"logStreams": streams, "nextToken": token}))
        }
        _ => {
            let asked = request.json();
            let events = if asked.get("nextToken").is_some() {
                json!([])
            } else {
                json!([{"timestamp": 1, "message": asked["logStreamName"]}])
            };
            Answer::json(&json!({"nextForwardToken": "end", "events": events}))
        }
    });
    let (session, told) = listening(&stub);
    job(&session).wait().await.unwrap();
    let told = told.lock().unwrap();
    let lines: Vec<&String> = told.iter().filter(|line| !line.starts_with("processing job")).collect();
    assert_eq!(lines.len(), 60);
    assert_eq!(lines[59], "nightly/algo-59| nightly/algo-59");
}

/// A description with everything that the service model has, and what it may get.
fn full_description() -> Value {
    json!({
        "ProcessingJobName": "nightly",
        "ProcessingJobArn": "arn:aws:sagemaker:eu-central-1:123456789012:processing-job/nightly",
        "ProcessingJobStatus": "Dreaming",
        "ProcessingInputs": [
            {"InputName": "data", "AppManaged": false, "S3Input": {
                "S3Uri": "s3://data/train.csv", "LocalPath": "/in", "S3DataType": "S3Prefix", "S3InputMode": "Teleport",
                "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None", "Added": {"by": ["AWS"]}}},
            {"InputName": "query", "AppManaged": true, "DatasetDefinition": {
                "LocalPath": "/query", "DataDistributionType": "ShardedByS3Key", "InputMode": "File",
                "AthenaDatasetDefinition": {"Catalog": "c", "Database": "d", "QueryString": "q", "OutputS3Uri": "s3://a/b",
                    "OutputFormat": "PARQUET"}}},
        ],
        "ProcessingOutputConfig": {"KmsKeyId": "key", "Outputs": [
            {"OutputName": "out", "AppManaged": false, "S3Output": {
                "S3Uri": "s3://data/out", "LocalPath": "/out", "S3UploadMode": "EndOfJob", "Added": 1}},
            {"OutputName": "features", "AppManaged": true, "FeatureStoreOutput": {"FeatureGroupName": "group"}},
        ]},
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30, "Added": "yes"}},
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["sh"], "ContainerArguments": ["-c"]},
        "Environment": {"NAME": "value"},
        "NetworkConfig": {"EnableNetworkIsolation": true, "EnableInterContainerTrafficEncryption": false,
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
        "RoleArn": "arn:aws:iam::123456789012:role/monitoring",
        "ExitMessage": "Completed: Job completed successfully with no violations.",
        "CreationTime": 1_767_225_600.125, "LastModifiedTime": 1_767_225_601.0,
        "AutoMLJobArn": "arn:of:something:else",
    })
}

#[tokio::test]
async fn what_a_description_says_is_kept_whole() {
    let stub = Stub::start(|_| Answer::json(&full_description()));
    let session = stub.session();
    let job = ProcessingJob::from_processing_name(&session, "nightly").await.unwrap();
    let description = job.describe().await.unwrap();
    assert_eq!(description.processing_job_status, ProcessingJobStatus::Other("Dreaming".to_owned()));
    assert_eq!(description.creation_time.unwrap().to_string(), "2026-01-01T00:00:00.125Z");
    assert_eq!(serde_json::to_value(&description).unwrap(), full_description());
    assert_eq!(job.kms_key(), Some("key"));
    assert_eq!(job.inputs()[0].source().unwrap().to_string(), "s3://data/train.csv");
    assert_eq!(job.inputs()[1].destination(), Some("/query"));
    assert_eq!(job.outputs()[0].s3_uri(), Some(&uri("s3://data/out")));
    assert_eq!(job.outputs()[1].name(), Some("features"));
}

/// A stub for files of a job in this state: none of them is there.
fn without_files(status: &'static str) -> Stub {
    Stub::start(move |request| match request.operation().as_str() {
        "DescribeProcessingJob" => described(status),
        _ => Answer::s3_error(404, "NoSuchKey", "The specified key does not exist."),
    })
}

#[tokio::test]
async fn files_of_a_job_that_is_not_completed_are_not_there_yet() {
    for status in ["InProgress", "Failed", "Stopped"] {
        let stub = without_files(status);
        let session = stub.session();
        let baselining = BaseliningJob::from_processing_job(job(&session));
        let output = ProcessingOutput::new("/out").destination(uri("s3://bucket/out"));
        let execution = MonitoringExecution::new(&session, "nightly", Vec::new(), output);
        let errors = [
            baselining.baseline_statistics().await.unwrap_err(),
            baselining.suggested_constraints().await.unwrap_err(),
            ClarifyBaseliningJob::new(job(&session)).suggested_constraints().await.unwrap_err(),
            execution.statistics().await.unwrap_err(),
            execution.constraint_violations().await.unwrap_err(),
        ];
        for error in errors {
            let Error::UnexpectedStatus { resource, allowed_statuses, actual_status, .. } = &error else {
                panic!("{error}")
            };
            assert_eq!(
                (resource.as_str(), allowed_statuses.as_slice(), actual_status.as_str()),
                ("processing job nightly", ["Completed"].as_slice(), status)
            );
        }
        let read: Vec<String> =
            stub.operations().into_iter().filter(|operation| operation.starts_with("GET")).collect();
        let files =
            ["statistics.json", "constraints.json", "analysis.json", "statistics.json", "constraint_violations.json"];
        assert_eq!(read, files.map(|file| format!("GET /bucket/out/{file}")));
    }
}

#[tokio::test]
async fn a_completed_job_may_have_found_nothing() {
    let stub = without_files("Completed");
    let session = stub.session();
    let output = ProcessingOutput::new("/out").destination(uri("s3://bucket/out/"));
    let execution = MonitoringExecution::new(&session, "nightly", Vec::new(), output);
    assert!(execution.constraint_violations().await.unwrap().is_none());
    assert!(execution.statistics().file_name("other.json").await.unwrap().is_none());
    assert_eq!(stub.operations()[2], "GET /bucket/out/other.json");
    // A baseline without its files is none.
    let error = BaseliningJob::from_processing_job(job(&session)).baseline_statistics().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchKey"));
}

#[tokio::test]
async fn what_an_execution_has_is_read() {
    let violations = json!({"violations": [{
        "feature_name": "age", "constraint_check_type": "missing_column_check", "description": "There are missing columns"}]});
    let stub = Stub::start(move |request| match request.operation().as_str() {
        "DescribeProcessingJob" => Answer::json(&full_description()),
        "GET /data/out/constraint_violations.json" => Answer::bytes(violations.to_string()),
        other => panic!("{other}"),
    });
    let session = stub.session();
    let arn = "arn:aws:sagemaker:eu-central-1:123456789012:processing-job/nightly";
    let execution = MonitoringExecution::from_processing_arn(&session, arn).await.unwrap();
    assert_eq!(execution.output().name(), Some("out"));
    assert_eq!(execution.outputs().len(), 1);
    let found = execution.constraint_violations().kms_key("key").await.unwrap().unwrap();
    assert_eq!(found.body_dict()["violations"][0]["feature_name"], "age");
    assert_eq!(found.kms_key(), Some("key"));
}
