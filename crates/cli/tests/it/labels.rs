//! `watchkeeper labels` and `watchkeeper remerge`, against a service that runs: predictions, labels for some of them, and the
//! rest of the labels later.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::service::{ANALYZER, BUCKET, ROLE, Service};
use crate::traffic::{record_at, with_inference_id};

/// A service with forty predictions of the last minutes and a daily schedule of model quality, which demands nine of ten to
/// be right.
fn site() -> Service {
    let site = Service::start();
    let constraints = json!({"version": 0.0, "binary_classification_constraints": {
        "accuracy": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}}});
    site.put("baseline/constraints.json", &constraints.to_string());
    let moment = Timestamp::now() - SignedDuration::from_secs(120);
    site.make_endpoint(moment, &(0..40).map(|number| prediction(number, moment)).collect::<String>());
    site.call(
        "CreateModelQualityJobDefinition",
        &json!({
            "JobDefinitionName": "mq",
            "ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": format!("s3://{BUCKET}/baseline/constraints.json")}},
            "ModelQualityAppSpecification": {"ImageUri": ANALYZER, "ProblemType": "BinaryClassification"},
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
    site.make_schedule("quality", json!({"MonitoringJobDefinitionName": "mq", "MonitoringType": "ModelQuality"}));
    site
}

/// Positive where the number is even.
fn prediction(number: usize, moment: Timestamp) -> String {
    let score = if number.is_multiple_of(2) { "0.9" } else { "0.2" };
    let record = record_at(&moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), number, score, "1,2");
    with_inference_id(&record, &number.to_string())
}

#[test]
fn labels_that_come_later_change_what_was_found_once() {
    let site = site();
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
    let site = site();
    site.folder.write("good.jsonl", "{\"id\": \"1\", \"label\": 1}\n");
    site.folder.write("bad.jsonl", "{\"id\": \"1\", \"label\": 1}\n\n{\"id\": \"2\"}\n");
    site.folder.write("bad.csv", "id,label\n\"1,1\n");
    site.folder.write("headless.csv", "57,1\n");
    let cases: [(&[&str], &[&str]); 6] = [
        (&["good.jsonl", "bad.jsonl"], &["1 label uploaded before this", "bad.jsonl", "line 3", "label"]),
        (&["bad.csv"], &["bad.csv: line 2: a quote is not closed on its line"]),
        (&["headless.csv"], &["line 1: it is neither JSON nor the header of CSV", "has 57, 1"]),
        (&["none.csv"], &["none.csv"]),
        (&["good.jsonl", "none.csv"], &["1 label uploaded before this", "none.csv"]),
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
