//! A batch transform job that captures what it was given, and a monitor of that.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::inputs::BatchDataCaptureConfig;
use watchkeeper::model_monitor::{
    BatchTransformInput, CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, MonitoringDatasetFormat,
};
use watchkeeper::processing::Wait;

use super::goldens;
use super::site::{ROLE, Site, ago};

/// From a transform job to the violations of its input.
pub(crate) async fn is_told(session: &Session) {
    let site = Site::new(session, "churn-batch").await;
    let rows = goldens::text("churn-monitoring/test-dataset-input-cols.csv");
    transformed(&site, &rows).await;
    // The features of the customers that the model knows, without the first column, which is the label.
    let known = std::fs::read_to_string(goldens::path("examples/churn/baseline.csv")).unwrap();
    let features: String = known.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect();
    let dataset = site.uri("features.csv");
    session.upload_string_as_file_body(features, &dataset, None).await.unwrap();
    let mut monitor = DefaultModelMonitor::new(session, ROLE);
    monitor.suggest_baseline(dataset, DatasetFormat::csv(true)).wait(Wait::Quietly).await.unwrap();
    let statistics = monitor.baseline_statistics().await.unwrap();
    let constraints = monitor.suggested_constraints().await.unwrap();
    monitor
        .create_monitoring_schedule(BatchTransformInput::new(
            site.uri("captured"),
            "/opt/ml/processing/input/batch",
            MonitoringDatasetFormat::csv(false),
        ))
        .monitor_schedule_name(&site.name)
        .statistics(statistics)
        .constraints(constraints)
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    let statistics = monitor.latest_monitoring_statistics().await.unwrap().unwrap();
    assert_eq!(statistics.data_quality().unwrap().dataset.item_count, rows.lines().count() as u64);
    // What AWS's analyzer found in the same rows, the model's answers apart.
    let expected = goldens::json("churn-monitoring/expected_runs.json");
    let mut expected: BTreeSet<String> =
        serde_json::from_value(expected["columns_with_data_type_violation"].clone()).unwrap();
    expected.remove("Churn");
    let violations = monitor.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    let found = violations.violations().unwrap().iter().map(|violation| violation.feature_name.clone().unwrap());
    assert_eq!(found.collect::<BTreeSet<String>>(), expected);
    monitor.delete_monitoring_schedule().await.unwrap();
    site.call("DeleteModel", json!({"ModelName": site.name})).await;
}

/// A transform job over all rows.
async fn transformed(site: &Site, rows: &str) {
    let name = &site.name;
    site.create_model("watchkeeper-constant", &json!({"value": 0.5})).await;
    site.session.upload_string_as_file_body(rows.to_owned(), &site.uri("input/rows.csv"), None).await.unwrap();
    let capture = BatchDataCaptureConfig::new(site.uri("captured")).generate_inference_id(true);
    let source = json!({"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": site.uri("input/").to_string()}});
    let job = json!({
        "TransformJobName": name,
        "ModelName": name,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {"DataSource": source, "ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {
            "S3OutputPath": site.uri("output").to_string(), "Accept": "text/csv", "AssembleWith": "Line",
        },
        "DataProcessing": {"JoinSource": "Input"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        "DataCaptureConfig": capture,
    });
    site.call("CreateTransformJob", job).await;
    let ended = |job: &Value| job["TransformJobStatus"] != "InProgress";
    let job = site.until("DescribeTransformJob", json!({"TransformJobName": name}), ended).await;
    assert_eq!(job["TransformJobStatus"], "Completed", "{job}");
}
