//! Processing jobs: what Describe gives back, the life cycle, the texts.

use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus;
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger};
use watchkeeper_service::control::processing_job::{JobEvent, ProcessingJob, Usage, apply};
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;
use watchkeeper_store::metadata::Kind;

use super::{Api, embedded, hourly, job_request, validation, with};

const ARN: &str = "arn:aws:sagemaker:eu-central-1:111122223333:processing-job/nightly";

async fn create(api: &Api, name: &str) -> Value {
    api.ok("CreateProcessingJob", job_request(name)).await
}

async fn describe(api: &Api, name: &str) -> Value {
    api.ok("DescribeProcessingJob", json!({ "ProcessingJobName": name })).await
}

#[tokio::test]
async fn describe_is_the_request_with_the_defaults_filled_in() {
    let api = Api::new().await;
    let created = create(&api, "Nightly").await;
    assert_eq!(created, json!({ "ProcessingJobArn": ARN }));

    let mut expected = job_request("Nightly");
    let filled = json!({
        "/ProcessingInputs/0/AppManaged": false,
        "/ProcessingInputs/0/S3Input/S3InputMode": "File",
        "/ProcessingInputs/0/S3Input/S3DataDistributionType": "FullyReplicated",
        "/ProcessingInputs/0/S3Input/S3CompressionType": "None",
        "/ProcessingOutputConfig/Outputs/0/AppManaged": false,
        "/StoppingCondition": { "MaxRuntimeInSeconds": 86400 },
        "/ProcessingJobArn": ARN,
        "/ProcessingJobStatus": "InProgress",
        "/CreationTime": 1_772_360_430.25,
        "/LastModifiedTime": 1_772_360_430.25,
    });
    for (pointer, value) in filled.as_object().unwrap() {
        expected = with(expected, pointer, value.clone());
    }
    assert_eq!(describe(&api, "nIGHTLY").await, expected);
}

#[tokio::test]
async fn network_config_has_both_booleans_once_it_was_sent() {
    let api = Api::new().await;
    let request = with(job_request("Nightly"), "/NetworkConfig", json!({ "EnableNetworkIsolation": true }));
    api.ok("CreateProcessingJob", request).await;
    assert_eq!(
        describe(&api, "Nightly").await["NetworkConfig"],
        json!({ "EnableInterContainerTrafficEncryption": false, "EnableNetworkIsolation": true })
    );
}

#[tokio::test]
async fn names_are_unique_without_regard_to_case() {
    let api = Api::new().await;
    create(&api, "Nightly").await;
    let (code, text) = api.refused("CreateProcessingJob", job_request("NIGHTLY")).await;
    assert_eq!(code, "ResourceInUse");
    assert_eq!(
        text,
        format!(
            "Job name must be unique within an AWS account and region, and a job with this name already exists ({ARN})"
        )
    );
}

#[tokio::test]
async fn a_missing_job_is_a_validation_exception_with_aws_s_text() {
    let api = Api::new().await;
    for operation in ["DescribeProcessingJob", "StopProcessingJob", "DeleteProcessingJob"] {
        let refused = api.refused(operation, json!({ "ProcessingJobName": "Gone" })).await;
        assert_eq!(refused, validation("Could not find requested job with name: Gone"), "{operation}");
    }
}

#[tokio::test]
async fn requests_that_no_job_can_come_of_are_refused() {
    let api = Api::new().await;
    let bad = [
        ("/ProcessingInputs/0/S3Input/LocalPath", Value::Null),
        ("/ProcessingInputs/0/S3Input/LocalPath", json!("/opt/ml/processing/../../../etc")),
        ("/ProcessingInputs/0/S3Input/LocalPath", json!("/etc")),
        ("/ProcessingInputs/0/S3Input/LocalPath", json!("/opt/ml/")),
        ("/ProcessingInputs/0/S3Input/LocalPath", json!("input")),
        ("/ProcessingInputs/0/S3Input/S3Uri", json!("https://example.com/data.csv")),
        ("/ProcessingInputs/0/S3Input", Value::Null),
        ("/ProcessingInputs/0/DatasetDefinition", json!({ "LocalPath": "/opt/ml/processing/x" })),
        ("/ProcessingOutputConfig/Outputs/0/S3Output/LocalPath", json!("/opt/ml/..")),
        ("/ProcessingOutputConfig/Outputs/0/S3Output", Value::Null),
        ("/Tags", json!([{ "Key": "team", "Value": "a" }, { "Key": "team", "Value": "b" }])),
    ];
    for (pointer, value) in bad {
        let request = with(job_request("Nightly"), pointer, value.clone());
        let (code, text) = api.refused("CreateProcessingJob", request).await;
        assert_eq!(code, "ValidationException", "{pointer} {value}: {text}");
    }
    let input = job_request("Nightly")["ProcessingInputs"][0].clone();
    let twice = with(job_request("Nightly"), "/ProcessingInputs", json!([input.clone(), input]));
    assert_eq!(api.refused("CreateProcessingJob", twice).await.0, "ValidationException");
    let (code, _) = api.refused("DescribeProcessingJob", json!({ "ProcessingJobName": "Nightly" })).await;
    assert_eq!(code, "ValidationException", "nothing is left behind");
}

#[tokio::test]
async fn a_job_that_no_runner_has_is_stopped_at_once() {
    let api = Api::new().await;
    create(&api, "Nightly").await;
    api.ok("StopProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
    let stopped = describe(&api, "nightly").await;
    assert_eq!(stopped["ProcessingJobStatus"], "Stopped");
    assert!(stopped["ProcessingEndTime"].is_number() && stopped.get("ProcessingStartTime").is_none());

    let refused = api.refused("StopProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
    assert_eq!(refused, validation("The request was rejected because the processing job is in status Stopped."));
    api.ok("DeleteProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
    api.refused("DescribeProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
    create(&api, "nightly").await;
}

#[tokio::test]
async fn a_running_job_is_stopping_and_stays_its_runner_s() {
    let api = Api::new().await;
    create(&api, "Nightly").await;
    let now = api.now().as_millisecond();
    let resources = &api.context.resources;
    let claimed = resources.claim::<ProcessingJob>(&["InProgress"], "runner-1", now, now + 60_000, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);

    for _ in 0..2 {
        api.ok("StopProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
        assert_eq!(describe(&api, "nightly").await["ProcessingJobStatus"], "Stopping");
    }
    api.ok("AddTags", json!({ "ResourceArn": ARN, "Tags": [{ "Key": "team", "Value": "shop" }] })).await;
    let document = resources.store().get(Kind::ProcessingJob, "nightly").await.unwrap().unwrap();
    assert_eq!((document.columns.claimed_by.as_str(), document.columns.claimed_until), ("runner-1", now + 60_000));
    let other = resources.claim::<ProcessingJob>(&["Stopping"], "runner-2", now, now + 60_000, 10).await.unwrap();
    assert!(other.is_empty(), "another runner must not get it");

    let (code, _) = api.refused("DeleteProcessingJob", json!({ "ProcessingJobName": "nightly" })).await;
    assert_eq!(code, "ResourceInUse");
}

/// A schedule `Hourly` with an execution under way, whose job is `Nightly`.
async fn with_execution() -> Api {
    let api = Api::new().await;
    let request = json!({ "MonitoringScheduleName": "Hourly", "MonitoringScheduleConfig": hourly(embedded()) });
    api.ok("CreateMonitoringSchedule", request).await;
    api.settle("Hourly").await;
    create(&api, "Nightly").await;

    let mut schedule = api.load::<MonitoringSchedule>("hourly").await;
    let mut job = api.load::<ProcessingJob>("nightly").await;
    let tick = schedule.resource.next_tick.unwrap().0;
    let execution = Execution::new(&schedule.resource, tick, Trigger::Tick, Outcome::Started, api.now());
    let execution = execution.in_progress(&job.resource, api.now());
    schedule.resource.running = Some(execution.key.clone());
    job.resource.execution = Some(execution.key.clone());
    let transaction = Transaction::new()
        .insert(&execution)
        .update(&schedule.resource, schedule.version)
        .update(&job.resource, job.version);
    api.context.resources.commit(transaction).await.unwrap();
    api
}

/// What is listed and described of the execution once its job was asked to stop.
async fn stopped_execution(api: &Api) -> Value {
    api.ok("StopProcessingJob", json!({ "ProcessingJobName": "Nightly" })).await;
    let listed = api.ok("ListMonitoringExecutions", json!({ "MonitoringScheduleName": "HOURLY" })).await;
    let described = api.ok("DescribeMonitoringSchedule", json!({ "MonitoringScheduleName": "Hourly" })).await;
    assert_eq!(described["LastMonitoringExecutionSummary"], listed["MonitoringExecutionSummaries"][0]);
    listed["MonitoringExecutionSummaries"][0]["MonitoringExecutionStatus"].clone()
}

#[tokio::test]
async fn the_execution_of_a_job_is_stopping_with_it() {
    let api = with_execution().await;
    let (code, _) = api.refused("DeleteMonitoringSchedule", json!({ "MonitoringScheduleName": "Hourly" })).await;
    assert_eq!(code, "ValidationException", "an execution is in progress");

    let now = api.now().as_millisecond();
    let claimed = api.context.resources.claim::<ProcessingJob>(&[], "runner", now, now + 60_000, 10).await.unwrap();
    assert_eq!(claimed.len(), 1);
    assert_eq!(stopped_execution(&api).await, "Stopping");
    assert_eq!(describe(&api, "Nightly").await["ProcessingJobStatus"], "Stopping", "the runner ends it");
}

#[tokio::test]
async fn a_job_that_waits_for_a_runner_stops_at_once_with_its_execution() {
    let api = with_execution().await;
    assert_eq!(stopped_execution(&api).await, "Stopped");
    assert_eq!(describe(&api, "Nightly").await["ProcessingJobStatus"], "Stopped");
    api.ok("DeleteMonitoringSchedule", json!({ "MonitoringScheduleName": "Hourly" })).await;
}

fn usage() -> Usage {
    Usage::default()
}

fn exited(status: Option<i32>, signal: Option<i32>, message: Option<&str>) -> JobEvent {
    JobEvent::Exited { status, signal, message: message.map(str::to_owned), usage: usage() }
}

#[tokio::test]
async fn how_a_job_ends() {
    use ProcessingJobStatus::{Completed, Failed, Stopped};

    let api = Api::new().await;
    create(&api, "Nightly").await;
    let job = api.load::<ProcessingJob>("nightly").await.resource;
    let started = apply(&job, JobEvent::Started, api.now()).unwrap();
    assert_eq!(started.started.map(|time| time.0), Some(api.now()));
    let stopping = apply(&started, JobEvent::StopRequested, api.now()).unwrap();

    let violations = "CompletedWithViolations: Job completed successfully with 60 violations.";
    let long = "é".repeat(2000);
    let cut = "é".repeat(1024);
    let cut_reason = format!("AlgorithmError: {}", "é".repeat(1024 - "AlgorithmError: ".len()));
    let cases = [
        (&started, exited(Some(0), None, None), Completed, None, None),
        (&started, exited(Some(0), None, Some(violations)), Completed, Some(violations), None),
        (&started, exited(Some(0), None, Some(&long)), Completed, Some(cut.as_str()), None),
        (
            &started,
            exited(Some(1), None, Some("Error: No data found in dataset_source.\n")),
            Failed,
            None,
            Some("AlgorithmError: Error: No data found in dataset_source."),
        ),
        (
            &started,
            exited(Some(1), None, Some("ClientError: Headers must contain label.")),
            Failed,
            None,
            Some("ClientError: Headers must contain label."),
        ),
        (&started, exited(Some(1), None, Some(&long)), Failed, None, Some(cut_reason.as_str())),
        (
            &started,
            exited(Some(3), None, None),
            Failed,
            None,
            Some("AlgorithmError: See job logs for more information, exit code: 3"),
        ),
        (
            &started,
            exited(None, Some(9), Some(" ")),
            Failed,
            None,
            Some("AlgorithmError: See job logs for more information, exit code: 137 (ended by signal 9)"),
        ),
        (&stopping, exited(None, Some(15), None), Stopped, None, None),
        (&stopping, exited(Some(0), None, Some(violations)), Completed, Some(violations), None),
        (&stopping, JobEvent::Stopped { time_limit: false, usage: usage() }, Stopped, None, None),
        (
            &started,
            JobEvent::Stopped { time_limit: true, usage: usage() },
            Stopped,
            None,
            Some("Job runtime exceeded MaxRuntimeInSeconds (86400)"),
        ),
        (
            &job,
            JobEvent::Failed { reason: "no image matches".to_owned(), usage: usage() },
            Failed,
            None,
            Some("no image matches"),
        ),
    ];
    for (before, event, status, message, reason) in cases {
        let ended = apply(before, event.clone(), api.now()).unwrap();
        assert_eq!(ended.status, status, "{event:?}");
        assert_eq!(ended.exit_message.as_deref(), message, "{event:?}");
        assert_eq!(ended.failure_reason.as_deref(), reason, "{event:?}");
        assert_eq!(ended.ended.map(|time| time.0), Some(api.now()), "{event:?}");
        for event in [JobEvent::Started, JobEvent::StopRequested, event] {
            let error = apply(&ended, event, api.now()).unwrap_err();
            let text = format!("The request was rejected because the processing job is in status {status}.");
            assert_eq!((error.code.as_str(), error.message), ("ValidationException", text));
        }
    }
    assert!(apply(&stopping, JobEvent::Started, api.now()).is_err(), "what is stopping is not started");
}

#[tokio::test]
async fn so_many_jobs_may_wait_and_more_are_refused() {
    let api = Api::with(|configuration| configuration.runner.max_unended_jobs = 2).await;
    create(&api, "one").await;
    create(&api, "two").await;
    let (code, text) = api.refused("CreateProcessingJob", job_request("three")).await;
    assert_eq!(code, "ResourceLimitExceeded");
    assert!(text.contains("is 2, with current utilization of 2 and a request delta of 1"), "{text}");
    // One that has ended makes room.
    api.ok("StopProcessingJob", json!({"ProcessingJobName": "one"})).await;
    create(&api, "three").await;
}
