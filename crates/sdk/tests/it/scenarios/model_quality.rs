//! AWS's notebook of model quality: a baseline of known answers, traffic, the truth that becomes known later, violations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::model_monitor::{
    CronExpressionGenerator, DatasetFormat, EndpointInput, ModelQualityMonitor, ProblemType,
};

use super::census::Census;
use super::site::{ROLE, ago};

/// How often who was 0 or 1 was said to be 0 or 1.
type Confusion = BTreeMap<(u64, u64), u64>;

/// From a baseline to violations.
pub(crate) async fn is_told(session: &Session) {
    let census = Census::deploy(session, "census-quality").await;
    let site = &census.site;
    let mut monitor = ModelQualityMonitor::new(session, ROLE).max_runtime_in_seconds(1800);
    let known = baseline(&census, &mut monitor).await;
    let mut counts = Confusion::new();
    for (number, (features, truth)) in census.rows.iter().enumerate() {
        let score = census.ask(features, Some(number.to_string())).await;
        *counts.entry((*truth, u64::from(score > census.threshold))).or_default() += 1;
    }
    let ground_truth = census.tell_the_truth().await;
    let constraints = monitor.suggested_constraints().await.unwrap();
    monitor
        .create_monitoring_schedule(
            EndpointInput::new(&site.name, "/opt/ml/processing/input_data")
                .probability_attribute("0")
                .probability_threshold_attribute(census.threshold),
            ground_truth,
            ProblemType::BinaryClassification,
        )
        .monitor_schedule_name(&site.name)
        .constraints(constraints)
        .output_s3_uri(site.uri("results"))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    assert_eq!(summary["MonitoringType"], "ModelQuality");
    let statistics = monitor.latest_monitoring_statistics().await.unwrap().unwrap().body_dict();
    is_counted(&statistics, &counts);
    let [was, is] = [&known, &counts].map(accuracy);
    assert!(is < was, "{is} {was}");
    let violations = monitor.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    let of_accuracy =
        violations.violations().unwrap().iter().find(|one| one.metric_name.as_deref() == Some("accuracy"));
    let description = &of_accuracy.unwrap().description;
    assert!(description.starts_with(&format!("Metric accuracy with {is} +/- ")), "{description}");
    let executions = monitor.list_executions().await.unwrap();
    let [execution] = executions.as_slice() else { panic!("{executions:?}") };
    // The truth was merged by a job of its own.
    let merged = execution.job_name().replace("model-quality-monitoring", "groundtruth-merge");
    assert_ne!(merged, execution.job_name());
    let merged = site.call("DescribeProcessingJob", json!({"ProcessingJobName": merged})).await;
    assert_eq!(merged["ProcessingJobStatus"], "Completed");
    updated_and_deleted(&census, monitor.job_definition_name().unwrap()).await;
    census.end().await;
}

/// What the model says of records whose truth is known, and what the monitor makes of it.
async fn baseline(census: &Census, monitor: &mut ModelQualityMonitor) -> Confusion {
    let site = &census.site;
    let mut known = Confusion::new();
    let mut table = "probability,prediction,label\n".to_owned();
    for (features, label) in &census.records {
        let score = census.ask(features, None).await;
        let predicted = u64::from(score > census.threshold);
        *known.entry((*label, predicted)).or_default() += 1;
        writeln!(table, "{score},{predicted},{label}").unwrap();
    }
    let dataset = site.uri("validation/validation.csv");
    site.session.upload_string_as_file_body(table, &dataset, None).await.unwrap();
    let job = monitor
        .suggest_baseline(dataset, DatasetFormat::csv(true), ProblemType::BinaryClassification)
        .inference_attribute("prediction")
        .probability_attribute("probability")
        .ground_truth_attribute("label")
        .output_s3_uri(site.uri("baseline"))
        .job_name(format!("{}-baseline", site.name))
        .await
        .unwrap();
    job.wait().logs(false).await.unwrap();
    let statistics = monitor.baseline_statistics().await.unwrap().body_dict();
    is_counted(&statistics, &known);
    let constraints = monitor.suggested_constraints().await.unwrap().body_dict();
    let threshold = constraints["binary_classification_constraints"]["accuracy"]["threshold"].as_f64().unwrap();
    assert!((threshold - accuracy(&known)).abs() < 1e-12, "{threshold}");
    known
}

fn accuracy(counts: &Confusion) -> f64 {
    let right = counts.iter().filter(|((actual, said), _)| actual == said).map(|(_, count)| count).sum::<u64>();
    right as f64 / counts.values().sum::<u64>() as f64
}

/// The metrics count what was counted here.
fn is_counted(statistics: &Value, counts: &Confusion) {
    assert_eq!(statistics["dataset"]["item_count"], counts.values().sum::<u64>());
    let metrics = &statistics["binary_classification_metrics"];
    for actual in [0, 1] {
        for said in [0, 1] {
            let count = counts.get(&(actual, said)).copied().unwrap_or_default();
            assert_eq!(metrics["confusion_matrix"][actual.to_string()][said.to_string()], count, "{actual} {said}");
        }
    }
    assert_eq!(metrics["accuracy"]["value"], accuracy(counts));
}

async fn updated_and_deleted(census: &Census, first_definition: &str) {
    let site = &census.site;
    let mut monitor = ModelQualityMonitor::attach(&site.session, &site.name).await.unwrap();
    assert_eq!(monitor.job_definition_name(), Some(first_definition));
    monitor
        .update_monitoring_schedule()
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .endpoint_input(
            EndpointInput::new(&site.name, "/opt/ml/processing/input_data")
                .probability_attribute("0")
                .probability_threshold_attribute(0.7)
                .start_time_offset(ago("-P2D"))
                .end_time_offset(ago("-P1D")),
        )
        .env([("note", "changed")])
        .await
        .unwrap();
    let second_definition = monitor.job_definition_name().unwrap().to_owned();
    let describe =
        async |name: &str| site.call("DescribeModelQualityJobDefinition", json!({"JobDefinitionName": name})).await;
    let (before, after) = (describe(first_definition).await, describe(&second_definition).await);
    let endpoint = &after["ModelQualityJobInput"]["EndpointInput"];
    assert_eq!((&endpoint["StartTimeOffset"], &endpoint["EndTimeOffset"]), (&json!("-P2D"), &json!("-P1D")));
    assert_eq!(endpoint["ProbabilityThresholdAttribute"], 0.7);
    for pointer in ["/ModelQualityJobInput/GroundTruthS3Input", "/ModelQualityBaselineConfig", "/StoppingCondition"] {
        assert_eq!(after.pointer(pointer), before.pointer(pointer), "{pointer}");
    }
    let application = &after["ModelQualityAppSpecification"];
    assert_eq!(
        (&application["ProblemType"], &application["Environment"]["note"]),
        (&json!("BinaryClassification"), &json!("changed"))
    );
    monitor.delete_monitoring_schedule().await.unwrap();
    assert!(site.is_gone("DescribeModelQualityJobDefinition", json!({"JobDefinitionName": second_definition})).await);
    site.call("DeleteModelQualityJobDefinition", json!({"JobDefinitionName": first_definition})).await;
}
