//! AWS's churn tutorial: a baseline, an endpoint whose traffic departs from it, and what becomes of the schedule.

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::model_monitor::description::ScheduleStatus;
use watchkeeper::model_monitor::{
    Constraints, CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, EndpointInput, MonitoringAlertStatus,
    Statistics,
};
use watchkeeper::predictor::{EndpointMonitor, Predictor};

use super::goldens;
use super::site::{ROLE, Site, ago};

const COMPLETED: &str = "Completed: Job completed successfully with no violations.";
const VIOLATED: &str = "CompletedWithViolations: Job completed successfully with 60 violations.";
/// What the model says of everybody: the column `Churn` of the baseline holds whole numbers.
const SCORE: f64 = 0.014_719;
/// What the second generation of the analyzer added to the constraints, which the golden is too old for.
const SECOND_GENERATION: [&str; 2] = ["categorical_comparison_threshold", "categorical_drift_method"];

/// From a baseline to violations, alerts, and the end of it all.
pub(crate) async fn is_told(session: &Session) {
    let site = Site::new(session, "churn").await;
    let mut monitor = DefaultModelMonitor::new(session, ROLE)
        .instance_count(1)
        .instance_type("ml.m5.xlarge")
        .max_runtime_in_seconds(1800)
        .tags([("team", "churn")]);
    let (statistics, constraints) = baseline(&site, &mut monitor).await;
    site.create_model("watchkeeper-constant", &json!({ "value": SCORE })).await;
    let mut predictor = site.deploy().await;
    let run = &goldens::json("churn-monitoring/expected_runs.json")["runs"][1];
    ask(&predictor, run["rows"].as_u64().unwrap()).await;
    monitor
        .create_monitoring_schedule(EndpointInput::new(&site.name, "/opt/ml/processing/input/endpoint"))
        .monitor_schedule_name(&site.name)
        .output_s3_uri(site.uri("results"))
        .statistics(&statistics)
        .constraints(&constraints)
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    executions(&site, &monitor, run).await;
    alerts(&monitor).await;
    let monitors = predictor.list_monitors().await.unwrap();
    let [EndpointMonitor::DataQuality(listed)] = monitors.as_slice() else { panic!("{monitors:?}") };
    assert_eq!(listed.monitoring_schedule_name(), Some(site.name.as_str()));
    updated_and_deleted(&site, monitor.job_definition_name().unwrap()).await;
    predictor.delete_model().await.unwrap();
    predictor.delete_endpoint().await.unwrap();
    assert!(site.is_gone("DescribeModel", json!({"ModelName": site.name})).await);
    assert!(site.is_gone("DescribeEndpointConfig", json!({"EndpointConfigName": site.name})).await);
}

/// Its documents are held to those of AWS's analyzer.
async fn baseline(site: &Site, monitor: &mut DefaultModelMonitor) -> (Statistics, Constraints) {
    let job_name = format!("{}-baseline", site.name);
    let job = monitor
        .suggest_baseline(goldens::path("examples/churn/baseline.csv"), DatasetFormat::csv(true))
        .output_s3_uri(site.uri("baseline"))
        .job_name(&job_name)
        .await
        .unwrap();
    assert_eq!(job.describe().await.unwrap().exit_message.as_deref(), Some(COMPLETED));
    assert_eq!(monitor.describe_latest_baselining_job().await.unwrap().processing_job_name, job_name);
    assert_eq!(monitor.latest_baselining_job().unwrap().job_name(), job_name);
    let statistics = monitor.baseline_statistics().await.unwrap();
    let expected = goldens::json("churn-baseline/statistics.partial.json");
    assert_eq!(statistics.body_dict()["dataset"], expected["dataset"]);
    assert_eq!(statistics.file_s3_uri(), &site.uri("baseline/statistics.json"));
    let constraints = monitor.suggested_constraints().await.unwrap();
    let mut suggested = constraints.body_dict();
    let distribution = &mut suggested["monitoring_config"]["distribution_constraints"];
    for member in SECOND_GENERATION {
        distribution.as_object_mut().unwrap().remove(member);
    }
    assert_eq!(suggested, goldens::json("churn-baseline/constraints.json"));
    (statistics, constraints)
}

/// The requests that AWS's notebook replays: the first 180 rows once, then the whole file again and again.
async fn ask(predictor: &Predictor, requests: u64) {
    let text = goldens::text("churn-monitoring/test-dataset-input-cols.csv");
    let rows: Vec<&str> = text.lines().collect();
    for row in rows[..180].iter().chain(rows.iter().cycle()).take(requests as usize) {
        let prediction = predictor.predict((*row).to_owned()).await.unwrap();
        assert_eq!(prediction.body, SCORE.to_string());
    }
}

/// What the execution says is what AWS's analyzer said of the same traffic.
async fn executions(site: &Site, monitor: &DefaultModelMonitor, run: &Value) {
    let executions = monitor.list_executions().await.unwrap();
    let [execution] = executions.as_slice() else { panic!("{executions:?}") };
    assert_eq!(execution.describe().await.unwrap().exit_message.as_deref(), Some(VIOLATED));
    let output = execution.output().s3_uri().unwrap().to_string();
    assert!(output.starts_with(&site.uri("results/churn/churn/").to_string()), "{output}");
    let violations = execution.constraint_violations().await.unwrap().unwrap();
    let found = violations.body_dict()["violations"].clone();
    let found = found.as_array().unwrap();
    assert_eq!((found.len(), violations.violations().unwrap().len()), (60, 60));
    for observed in run["first_ten_observed"].as_array().unwrap() {
        assert!(found.contains(observed), "{observed}");
    }
    let latest = monitor.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    assert_eq!(latest.body_dict(), violations.body_dict());
    let statistics = execution.statistics().await.unwrap().unwrap();
    assert_eq!(statistics.data_quality().unwrap().dataset.item_count, run["rows"].as_u64().unwrap());
    let latest = monitor.latest_monitoring_statistics().await.unwrap().unwrap();
    assert_eq!(latest.body_dict(), statistics.body_dict());
    monitor.get_latest_execution_logs().await.unwrap();
}

async fn alerts(monitor: &DefaultModelMonitor) {
    let (alerts, next) = monitor.list_monitoring_alerts().await.unwrap();
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!((&alert.alert_status, next), (&MonitoringAlertStatus::InAlert, None));
    let (history, _) = monitor.list_monitoring_alert_history().await.unwrap();
    let changes: Vec<&MonitoringAlertStatus> = history.iter().map(|change| &change.alert_status).collect();
    assert_eq!(changes, [&MonitoringAlertStatus::InAlert]);
    monitor.update_monitoring_alert(&alert.alert_name, 2, 3).await.unwrap();
    let (alerts, _) = monitor.list_monitoring_alerts().max_results(1).await.unwrap();
    assert_eq!((alerts[0].data_points_to_alert, alerts[0].evaluation_period), (2, 3));
}

/// Somebody else finds the schedule, changes it, stops it, starts it, and deletes it.
async fn updated_and_deleted(site: &Site, first_definition: &str) {
    let mut monitor = DefaultModelMonitor::attach(&site.session, &site.name).await.unwrap();
    assert_eq!(monitor.job_definition_name(), Some(first_definition));
    let settings = monitor.settings();
    assert_eq!(settings.max_runtime_in_seconds, Some(1800));
    let tags = settings.tags.as_ref().unwrap();
    assert_eq!(tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect::<Vec<_>>(), [("team", "churn")]);
    monitor
        .update_monitoring_schedule()
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .max_runtime_in_seconds(900)
        .await
        .unwrap();
    let schedule = monitor.describe_schedule().await.unwrap();
    assert_eq!(schedule.monitoring_schedule_status, ScheduleStatus::Scheduled);
    let config = schedule.monitoring_schedule_config;
    assert_eq!(config.schedule_config.unwrap().schedule_expression, "cron(0 * ? * * *)");
    let second_definition = config.monitoring_job_definition_name.unwrap();
    assert_ne!(second_definition, first_definition);
    let describe =
        async |name: &str| site.call("DescribeDataQualityJobDefinition", json!({"JobDefinitionName": name})).await;
    let (before, after) = (describe(first_definition).await, describe(&second_definition).await);
    for member in ["DataQualityJobInput", "DataQualityBaselineConfig", "DataQualityJobOutputConfig", "JobResources"] {
        assert_eq!(after[member], before[member], "{member}");
    }
    assert_eq!(after["StoppingCondition"], json!({"MaxRuntimeInSeconds": 900}));
    monitor.stop_monitoring_schedule().await.unwrap();
    let status = async || monitor.describe_schedule().await.unwrap().monitoring_schedule_status;
    assert_eq!(status().await, ScheduleStatus::Stopped);
    monitor.start_monitoring_schedule().await.unwrap();
    assert_eq!(status().await, ScheduleStatus::Scheduled);
    monitor.delete_monitoring_schedule().await.unwrap();
    assert!(site.is_gone("DescribeMonitoringSchedule", json!({"MonitoringScheduleName": site.name})).await);
    let definition = |name: &str| json!({ "JobDefinitionName": name });
    assert!(site.is_gone("DescribeDataQualityJobDefinition", definition(&second_definition)).await);
    site.call("DeleteDataQualityJobDefinition", definition(first_definition)).await;
}
