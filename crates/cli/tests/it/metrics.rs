//! The metrics file of a job.

use serde_json::{Value, json};

use crate::job::{CLEAN, Job, METRICS, NO_VIOLATIONS};

pub(crate) fn metric_lines(job: &Job) -> Vec<Value> {
    job.folder.read(METRICS).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn metrics_of_an_endpoint() {
    let job = Job::with_traffic(&[("0.5", "31,a"), ("0.25", "52,b"), ("0.75", ",a"), ("0.5", "19,a")]);
    job.run().ended(0);
    let dimensions = json!([
        {"Name": "Endpoint", "Value": "scorer"},
        {"Name": "MonitoringSchedule", "Value": "hourly"},
    ]);
    let line = |name: &str, key: &str, value: Value| {
        json!({
            "MetricName": name, "Timestamp": "2026-05-18T01:00:00Z", "Dimensions": dimensions, key: value,
            "Unit": "Count",
        })
    };
    let summary = |count: f64, sum: f64, least: f64, most: f64| json!({"SampleCount": count, "Sum": sum, "Minimum": least, "Maximum": most});
    // Samples as small as these are never far enough apart for a drift, and the distance is there all the same.
    let expected = [
        line("feature_data_score", "StatisticValues", summary(4.0, 2.0, 0.25, 0.75)),
        line("feature_non_null_score", "Value", json!(4.0)),
        line("feature_data_age", "StatisticValues", summary(3.0, 102.0, 19.0, 52.0)),
        line("feature_non_null_age", "Value", json!(3.0)),
        line("feature_non_null_place", "Value", json!(4.0)),
        line("feature_baseline_drift_score", "Value", json!(0.0)),
        line("feature_baseline_drift_age", "Value", json!(0.0)),
        line("feature_baseline_drift_place", "Value", json!(0.0)),
    ];
    assert_eq!(metric_lines(&job), expected);
    assert_eq!(job.message(), "CompletedWithViolations: Job completed successfully with 1 violations.");
}

#[test]
fn metrics_of_a_batch_transform() {
    let mut job = Job::scheduled("score,größe\n0.5,1\n0.25,2\n");
    job.unset(&["sagemaker_endpoint_name", "sagemaker_endpoint_datacapture_prefix", "metric_time"]);
    job.set("monitoring_input_type", "BATCH_TRANSFORM_INPUT").set("dataset_format", r#"{"csv": {"header": "true"}}"#);
    // Names win over positions where both sides have the same.
    job.folder.write("opt/ml/processing/input/endpoint/2026/05/18/01/input.csv", "größe,score\n1,0.5\n2,0.5\n");
    job.run().ended(0);
    let lines = metric_lines(&job);
    for line in &lines {
        assert_eq!(line["Dimensions"], json!([{"Name": "MonitoringSchedule", "Value": "hourly"}]));
        assert_eq!(line["Timestamp"], "2026-05-18T01:00:00Z", "that of the window's start");
    }
    let names: Vec<&str> = lines.iter().map(|line| line["MetricName"].as_str().unwrap()).collect();
    // CloudWatch takes ASCII alone.
    assert_eq!(
        names,
        [
            "feature_data_score",
            "feature_non_null_score",
            "feature_data_gr__e",
            "feature_non_null_gr__e",
            "feature_baseline_drift_score",
            "feature_baseline_drift_gr__e",
        ]
    );
    assert_eq!(job.message(), NO_VIOLATIONS);
}

#[test]
fn metrics_are_written_where_both_switches_allow_it() {
    let mut job = Job::with_traffic(&CLEAN);
    for off in ["Disabled", "disabled", ""] {
        job.set("publish_cloudwatch_metrics", off).run().ended(0);
        assert!(!job.folder.has(METRICS));
    }
    job.unset(&["publish_cloudwatch_metrics"]).run().ended(0);
    assert!(!job.folder.has(METRICS));

    job.set("publish_cloudwatch_metrics", "enabled");
    let name = "opt/ml/processing/baseline/constraints/constraints.json";
    let constraints = job.folder.read(name);
    job.folder.write(name, constraints.replace(r#""emit_metrics" : "Enabled""#, r#""emit_metrics" : "Disabled""#));
    job.run().ended(0);
    assert!(!job.folder.has(METRICS));

    job.folder.write(name, constraints);
    job.set("cloudwatch_metrics_directory", "/metrics").set("output_message_file", "/said/so").run().ended(0);
    assert_eq!(job.folder.read("metrics/cloudwatch_metrics.jsonl").lines().count(), 8);
    assert_eq!(job.folder.read("said/so"), NO_VIOLATIONS);
    assert!(!job.folder.has(METRICS));
    // Metrics do not need a baseline.
    job.unset(&["baseline_constraints", "baseline_statistics", "cloudwatch_metrics_directory"]).run().ended(0);
    let lines = metric_lines(&job);
    assert_eq!(lines[0]["MetricName"], "feature_data__c0");
    assert_eq!(lines.len(), 5);
}
