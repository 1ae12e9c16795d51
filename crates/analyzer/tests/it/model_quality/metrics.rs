//! Metrics of a job as CloudWatch takes them.

use serde_json::{Value, json};

use super::{Job, METRICS, NO_VIOLATIONS};

fn published(job: &mut Job) -> Vec<Value> {
    job.set("publish_cloudwatch_metrics", "Enabled")
        .set("sagemaker_endpoint_name", "scorer")
        .set("sagemaker_monitoring_schedule_name", "hourly")
        .set("metric_time", "2021-05-26T00:00:00Z");
    assert_eq!(job.run(), NO_VIOLATIONS);
    job.read(METRICS).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["MetricName"].as_str().unwrap()).collect()
}

const BINARY: [&str; 17] = [
    "recall",
    "precision",
    "accuracy",
    "recall_best_constant_classifier",
    "precision_best_constant_classifier",
    "accuracy_best_constant_classifier",
    "true_positive_rate",
    "true_negative_rate",
    "false_positive_rate",
    "false_negative_rate",
    "auc",
    "f0_5",
    "f1",
    "f2",
    "f0_5_best_constant_classifier",
    "f1_best_constant_classifier",
    "f2_best_constant_classifier",
];

#[test]
fn every_scalar_metric_is_published_once() {
    let mut job = Job::of_csv("BinaryClassification", "prediction,label,score\n1,1,0.9\n0,1,0.4\n0,0,0.1\n0,0,0.5\n");
    let lines = published(&mut job);
    assert_eq!(names(&lines), BINARY);
    let metrics = job.metrics();
    for line in &lines {
        assert_eq!(
            *line,
            json!({
                "MetricName": line["MetricName"],
                "Timestamp": "2021-05-26T00:00:00Z",
                "Dimensions": [
                    {"Name": "Endpoint", "Value": "scorer"}, {"Name": "MonitoringSchedule", "Value": "hourly"},
                ],
                "Value": metrics[line["MetricName"].as_str().unwrap()]["value"],
                "Unit": "None",
            })
        );
    }
    let mut job = Job::of_csv("MulticlassClassification", "prediction,label\na,a\nb,a\n");
    assert_eq!(published(&mut job).len(), 12);
}

#[test]
fn what_is_no_number_is_not_published() {
    let mut job = Job::of_csv("Regression", "prediction,label\n1,2\n1,2\n");
    assert_eq!(names(&published(&mut job)), ["mae", "mse", "rmse"]);
    // Nor is it a constraint.
    let constraints = job.document("constraints.json");
    let constraints: Vec<_> = constraints["regression_constraints"].as_object().unwrap().keys().collect();
    assert_eq!(constraints, ["mae", "mse", "rmse"]);
}

#[test]
fn metrics_of_a_batch_transform_are_of_the_schedule_alone() {
    let mut job = Job::of_csv("Regression", "prediction,label\n1,2\n3,5\n");
    job.set("monitoring_input_type", "BATCH_TRANSFORM_INPUT");
    for line in published(&mut job) {
        assert_eq!(line["Dimensions"], json!([{"Name": "MonitoringSchedule", "Value": "hourly"}]));
    }
}

#[test]
fn nothing_is_published_unless_asked_for() {
    for word in ["Disabled", ""] {
        let mut job = Job::of_csv("Regression", "prediction,label\n1,2\n3,5\n");
        job.set("publish_cloudwatch_metrics", word);
        assert_eq!(job.run(), NO_VIOLATIONS);
        assert!(!job.path(METRICS).try_exists().unwrap());
    }
}
