//! `ModelMonitor` with an image that the user names and tells what to do: here that of the analyzer, by its own variables.

use serde_json::json;
use watchkeeper::Session;
use watchkeeper::model_monitor::{CronExpressionGenerator, ModelMonitor, MonitoringOutput};
use watchkeeper::processing::{ProcessingInput, ProcessingOutput, Wait};

use super::goldens;
use super::site::{ROLE, Site, ago};

const IMAGE: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer";
const DATASET: &str = "/opt/ml/processing/input/data";
const OUTPUT: &str = "/opt/ml/processing/output";

/// A baseline, and a schedule that describes its jobs itself.
pub(crate) async fn is_told(session: &Session) {
    let site = Site::new(session, "own-image").await;
    let variables = [
        ("dataset_source", DATASET),
        ("dataset_format", r#"{"csv": {"header": true}}"#),
        ("output_path", OUTPUT),
        ("publish_cloudwatch_metrics", "Disabled"),
    ];
    let mut monitor = ModelMonitor::new(session, ROLE, IMAGE).env(variables).max_runtime_in_seconds(1800);
    let dataset = ProcessingInput::new(goldens::path("examples/churn/baseline.csv"), DATASET);
    let output = ProcessingOutput::new(OUTPUT).destination(site.uri("baseline"));
    monitor.run_baseline([dataset], output).wait(Wait::Quietly).await.unwrap();
    let expected = goldens::json("churn-baseline/statistics.partial.json");
    let statistics = monitor.baseline_statistics().await.unwrap();
    assert_eq!(statistics.body_dict()["dataset"], expected["dataset"]);

    site.create_model("watchkeeper-constant", &json!({"value": 0})).await;
    let mut predictor = site.deploy().await;
    let rows = goldens::text("churn-monitoring/test-dataset-input-cols.csv");
    for row in rows.lines().take(100) {
        predictor.predict(row.to_owned()).await.unwrap();
    }
    let mut monitor = ModelMonitor::new(session, ROLE, IMAGE).max_runtime_in_seconds(1800);
    monitor
        .create_monitoring_schedule(site.name.as_str(), MonitoringOutput::new(OUTPUT).destination(site.uri("results")))
        .monitor_schedule_name(&site.name)
        .statistics(site.uri("baseline/statistics.json"))
        .constraints(site.uri("baseline/constraints.json"))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    let statistics = monitor.latest_monitoring_statistics().await.unwrap().unwrap();
    assert_eq!(statistics.data_quality().unwrap().dataset.item_count, 100);

    let mut attached = ModelMonitor::attach(session, site.name.as_str()).await.unwrap();
    assert_eq!((attached.image_uri(), attached.settings().max_runtime_in_seconds), (IMAGE, Some(1800)));
    attached
        .update_monitoring_schedule()
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .max_runtime_in_seconds(900)
        .await
        .unwrap();
    let config = attached.describe_schedule().await.unwrap().monitoring_schedule_config;
    let definition = config.monitoring_job_definition.unwrap();
    assert_eq!(definition.stopping_condition.unwrap().max_runtime_in_seconds, 900);
    attached.delete_monitoring_schedule().await.unwrap();
    let gone = json!({"MonitoringScheduleName": site.name});
    site.until_gone("DescribeMonitoringSchedule", gone).await;
    predictor.delete_endpoint().await.unwrap();
}
