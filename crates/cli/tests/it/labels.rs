//! `watchkeeper labels` and `watchkeeper remerge`, against a service that runs: predictions, labels for some of them, and the
//! rest of the labels later.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use watchkeeper_aws::client::Client;
use watchkeeper_service::server::DataDirectory;

use crate::program::{Folder, Ran};

const BUCKET: &str = "sagemaker-us-east-1-000000000000";
const ROLE: &str = "arn:aws:iam::000000000000:role/monitor";

/// A service with forty predictions of the last minutes and a daily schedule of model quality, which demands nine of ten to
/// be right.
struct Site {
    folder: Folder,
    service: Child,
    client: Client,
    runtime: tokio::runtime::Runtime,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        let mut service = folder
            .command(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(service.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let directory = DataDirectory::of(Some(&folder.path("data"))).unwrap();
        let found = directory.service().unwrap();
        let client = Client::new(&found.endpoint_url, directory.credentials().unwrap(), &found.region).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let site = Self { folder, service, client, runtime };
        site.fill();
        site
    }

    fn fill(&self) {
        let constraints = json!({"version": 0.0, "binary_classification_constraints": {
            "accuracy": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}});
        self.put("baseline/constraints.json", &constraints.to_string());
        let moment = Timestamp::now() - SignedDuration::from_secs(120);
        let lines: String = (0..40).map(|number| prediction(number, moment).to_string() + "\n").collect();
        self.put(&format!("captured/churn/AllTraffic/{}/00-00-000-a.jsonl", moment.strftime("%Y/%m/%d/%H")), &lines);
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
        self.call(
            "CreateModelQualityJobDefinition",
            &json!({
                "JobDefinitionName": "mq",
                "ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": format!("s3://{BUCKET}/baseline/constraints.json")}},
                "ModelQualityAppSpecification": {
                    "ImageUri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer",
                    "ProblemType": "BinaryClassification"},
                "ModelQualityJobInput": {
                    "EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input_data",
                        "ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.5},
                    "GroundTruthS3Input": {"S3Uri": format!("s3://{BUCKET}/labels")}},
                "ModelQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output":
                    {"S3Uri": format!("s3://{BUCKET}/reports"), "LocalPath": "/opt/ml/processing/output"}}]},
                "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
                "RoleArn": ROLE,
            }),
        );
        // No tick comes while the test runs.
        let hour = Timestamp::now().as_second() / 3600;
        let config = json!({
            "ScheduleConfig": {"ScheduleExpression": format!("cron(0 {} ? * * *)", (hour + 12) % 24)},
            "MonitoringJobDefinitionName": "mq", "MonitoringType": "ModelQuality"});
        self.call(
            "CreateMonitoringSchedule",
            &json!({"MonitoringScheduleName": "quality", "MonitoringScheduleConfig": config}),
        );
    }

    fn call(&self, operation: &str, input: &Value) -> Value {
        self.runtime.block_on(self.client.call("SageMaker", operation, input)).unwrap()
    }

    fn put(&self, key: &str, content: &str) {
        let path = format!("/{BUCKET}/{key}");
        let request = self.client.request(Method::PUT, &path, &[], content.to_owned(), "s3");
        assert!(self.runtime.block_on(request).unwrap().status().is_success());
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(&[arguments, &["--data-dir", "data"]].concat())
    }

    fn json(&self, arguments: &[&str], status: i32) -> Value {
        let ran = self.run(&[arguments, &["--format", "json"]].concat()).ended(status);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// Positive where the number is even.
fn prediction(number: u32, moment: Timestamp) -> Value {
    let score = if number.is_multiple_of(2) { "0.9" } else { "0.2" };
    let part = |mode: &str, data: &str| json!({"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"});
    json!({
        "captureData": {"endpointInput": part("INPUT", "1,2"), "endpointOutput": part("OUTPUT", score)},
        "eventMetadata": {
            "eventId": format!("event-{number}"), "inferenceId": number.to_string(),
            "inferenceTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()},
        "eventVersion": "0"})
}

#[test]
fn labels_that_come_later_change_what_was_found_once() {
    let site = Site::new();
    // The first twenty were right.
    let rows: Vec<String> = (0..20).map(|number| format!("{number},{}", u32::from(number % 2 == 0))).collect();
    site.folder.write("first.csv", format!("id,label\n{}\n", rows.join("\n")));
    let ran = site.run(&["labels", "quality", "first.csv"]).ended(0);
    assert_eq!(ran.stdout, "20 labels uploaded for quality\n");
    let run = site.json(&["run", "quality"], 0);
    assert_eq!(run["execution"]["status"], "Completed", "{run}");
    assert_eq!(run["execution"]["merge"]["counts"]["matched"], 20, "{run}");
    let ran = site.run(&["remerge", "quality"]).ended(0);
    assert_eq!(ran.stdout, "1 window without labels that have come since\n");

    // Of the others all are said to be positive, which half of them were taken for.
    let lines: Vec<String> = (20..39).map(|number| json!({"id": number, "label": 1}).to_string()).collect();
    let answer = {
        let arguments = ["labels", "quality", "-", "--data-dir", "data", "--format", "json"];
        let ran = site.folder.run_on(&arguments, lines.join("\n").as_bytes()).ended(0);
        serde_json::from_str::<Value>(&ran.stdout).unwrap()
    };
    assert_eq!(answer["uploaded"], 19);
    let ran = site.run(&["labels", "quality", "--id", "39", "--label", "1"]).ended(0);
    assert_eq!(ran.stdout, "1 label uploaded for quality\n");
    let planned = site.json(&["remerge", "quality", "--dry-run", "--since", "2d"], 0);
    assert_eq!(planned["windows"][0]["more_label_objects"], 2);

    let ran = site.run(&["remerge", "quality"]).ended(1);
    for expected in ["CompletedWithViolations", "of 40 captured records", "violations: 0 ", " 1\n", "accuracy"] {
        assert!(ran.stdout.contains(expected), "{expected}: {}", ran.stdout);
    }
    let accuracy = ran.stdout.lines().find(|line| line.trim_start().starts_with("accuracy ")).unwrap();
    // Twenty of twenty, then thirty of forty.
    assert_eq!(accuracy.split_whitespace().collect::<Vec<_>>(), ["accuracy", "1", "0.75"]);
    let matched = ran.stdout.lines().find(|line| line.contains("matched: ")).unwrap();
    assert!(matched.contains("20") && matched.contains("40 of 40"), "{matched}");
    let ran = site.run(&["remerge", "quality"]).ended(0);
    assert_eq!(ran.stdout, "1 window without labels that have come since\n");

    // The same labels again are new objects, and nothing else.
    site.run(&["labels", "quality", "first.csv"]).ended(0);
    let ran = site.run(&["remerge", "quality"]).ended(1);
    assert!(ran.stdout.contains("it was not analysed again"), "{}", ran.stdout);
    let list = site.json(&["executions", "quality"], 0);
    let triggers: Vec<&str> =
        list["executions"].as_array().unwrap().iter().map(|row| row["trigger"].as_str().unwrap()).collect();
    assert_eq!(triggers, ["remerge", "remerge", "run"]);
}

#[test]
fn labels_that_cannot_be_read_are_said_with_their_place() {
    let site = Site::new();
    site.folder.write("good.jsonl", "{\"id\": \"1\", \"label\": 1}\n");
    site.folder.write("bad.jsonl", "{\"id\": \"1\", \"label\": 1}\n\n{\"id\": \"2\"}\n");
    site.folder.write("bad.csv", "id,label\n\"1,1\n");
    site.folder.write("headless.csv", "57,1\n");
    let cases: [(&[&str], &[&str]); 5] = [
        (&["good.jsonl", "bad.jsonl"], &["1 label uploaded before this", "bad.jsonl", "line 3", "label"]),
        (&["bad.csv"], &["bad.csv: line 2: a quote is not closed on its line"]),
        (&["headless.csv"], &["line 1: it is neither JSON nor the header of CSV", "has 57, 1"]),
        (&["none.csv"], &["none.csv"]),
        (&["--id", "1"], &["--label"]),
    ];
    for (arguments, expected) in cases {
        let ran = site.run(&[&["labels", "quality"], arguments].concat()).ended(2);
        for text in expected {
            assert!(ran.stderr.contains(text), "{text}: {}", ran.stderr);
        }
    }
    let ran = site.run(&["labels", "none", "good.jsonl"]).ended(2);
    assert!(ran.stderr.contains("there is no monitoring schedule none"), "{}", ran.stderr);
    let ran = site.run(&["remerge", "quality", "--since", "yesterday"]).ended(2);
    assert!(ran.stderr.contains("write it as 2d, 6h, -PT1H or 2026-01-31T23:00:00Z"), "{}", ran.stderr);
}
