//! The commands for operators, against a service that runs.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::service::{ANALYZER, BUCKET, ROLE, Service};
use crate::traffic::record_at;

/// A service with a baseline, an endpoint with captures of this hour, and a daily schedule on it.
fn site() -> Service {
    let site = Service::start();
    let rows: Vec<String> = (0..40).map(|row| format!("{},{}", row % 4, f64::from(row) / 2.0)).collect();
    site.folder.write("baseline.csv", format!("answer,request\n{}\n", rows.join("\n")));
    site.folder.run(&["baseline", "baseline.csv", "--output", "made"]).ended(0);
    for name in ["statistics.json", "constraints.json"] {
        site.put(&format!("baseline/{name}"), &site.folder.read(&format!("made/{name}")));
    }
    let now = Timestamp::now();
    let time = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let lines: String = (0..40).map(|row| record_at(&time, row, &(row % 4).to_string(), "many")).collect();
    site.make_endpoint(now, &lines);
    site.make_schedule(
        "daily",
        json!({"MonitoringJobDefinition": {
            "BaselineConfig": {
                "ConstraintsResource": {"S3Uri": format!("s3://{BUCKET}/baseline/constraints.json")},
                "StatisticsResource": {"S3Uri": format!("s3://{BUCKET}/baseline/statistics.json")}},
            "MonitoringInputs": [{"EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint"}}],
            "MonitoringOutputConfig": {"MonitoringOutputs": [{"S3Output":
                {"S3Uri": format!("s3://{BUCKET}/reports"), "LocalPath": "/opt/ml/processing/output"}}]},
            "MonitoringResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
            "MonitoringAppSpecification": {"ImageUri": ANALYZER},
            "RoleArn": ROLE,
        }}),
    );
    site
}

#[test]
fn a_schedule_is_run_looked_into_and_paused() {
    let site = site();

    // The request column is text now, where the baseline has numbers.
    let ran = site.run(&["run", "daily"]).ended(1);
    assert!(ran.stdout.starts_with("CompletedWithViolations of daily, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("data type"), "{}", ran.stdout);
    let run = site.json(&["run", "daily"], 1);
    assert_eq!(run["execution"]["trigger"], "run");
    let types: Vec<&Value> = run["violations_document"]["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["constraint_check_type"])
        .collect();
    assert!(types.contains(&&json!("data_type_check")), "{types:?}");
    let job = run["execution"]["job"].as_str().unwrap();

    // Nothing was captured then.
    let ran = site.run(&["run", "daily", "--from", "-P2D", "--to", "-P1D"]).ended(2);
    assert!(ran.stderr.contains("Error: the execution is Failed: Job inputs had no data"), "{}", ran.stderr);
    let ran = site.run(&["why", "daily"]).ended(0);
    assert!(ran.stdout.contains("the execution of the last run, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("is Failed: Job inputs had no data"), "{}", ran.stdout);
    let why = site.json(&["why", "daily"], 0);
    let after = why["now"]["looked"][0]["nearest_after"].as_str().unwrap();
    assert!(after.ends_with("00-00-000-a.jsonl"), "{after}");

    let list = site.json(&["executions", "daily", "--status", "Failed"], 0);
    assert_eq!(list["executions"].as_array().unwrap().len(), 1);
    let ran = site.run(&["logs", job, "--follow"]).ended(0);
    assert!(ran.stdout.contains(&format!("processing-job/{job}")), "{}", ran.stdout);

    let ran = site.run(&["pause"]).ended(0);
    assert!(ran.stdout.starts_with("all schedules are paused since "), "{}", ran.stdout);
    assert_eq!(site.json(&["status"], 0)["pause"]["is_paused"], true);
    site.run(&["resume"]).ended(0);
    let status = site.json(&["status"], 0);
    assert_eq!(status["pause"]["is_paused"], false);
    assert_eq!(status["executions"], json!({"CompletedWithViolations": 2, "Failed": 1}));
    assert_eq!(status["schedule_list"][0]["name"], "daily");

    let started = site.json(&["run", "daily", "--no-wait"], 0);
    assert_eq!(started["schedule"], "daily");
    let answer = site.json(&["backfill", "daily", "--from", "-P3D", "--to", "-P1D"], 0);
    assert_eq!(answer["ticks"], 2);
}

#[test]
fn what_cannot_be_done_is_said() {
    let site = site();
    let cases = [
        (vec!["run", "none"], "Error: there is no monitoring schedule none\n"),
        (vec!["why", "none"], "Error: there is no monitoring schedule none\n"),
        (vec!["logs", "none"], "Error: there is no processing job none\n"),
    ];
    for (arguments, message) in cases {
        let ran = site.run(&arguments).ended(2);
        assert_eq!(ran.stderr, message, "{arguments:?}");
    }
    let ran = site.run(&["run", "daily", "--from", "yesterday"]).ended(2);
    assert!(ran.stderr.contains("write it as 2026-01-31T23:00:00Z, or as a time ago such as -PT1H"), "{}", ran.stderr);
}
