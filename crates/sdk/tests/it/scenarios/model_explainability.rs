//! AWS's notebook of feature attribution drift: a baseline, traffic like it, and traffic that is decided by another feature.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::clarify::{AggregationMethod, SHAPConfig};
use watchkeeper::model_monitor::{CronExpressionGenerator, ExplainabilityAnalysisConfig, ModelExplainabilityMonitor};
use watchkeeper::processing::Wait;

use super::census::Census;
use super::goldens;
use super::site::{ROLE, Site, ago};

/// Attributions by feature.
type Attributions = BTreeMap<String, f64>;

/// From a baseline to violations.
pub(crate) async fn is_told(session: &Session) {
    let census = Census::deploy(session, "census-shap").await;
    let site = &census.site;
    let config = goldens::json("explainability/adult-linear-shap-baseline/analysis_config.json");
    let background: Vec<f64> =
        serde_json::from_value(config["methods"]["shap"]["baseline"][0]["features"].clone()).unwrap();
    let mut monitor = ModelExplainabilityMonitor::new(session, ROLE).max_runtime_in_seconds(1800);
    let (data, model) = (census.data_config().await, census.model_config());
    let shap = SHAPConfig::new().baseline(vec![background.clone()]).num_samples(100).save_local_shap_values(false);
    monitor
        .suggest_baseline(&data, shap.clone().agg_method(AggregationMethod::MeanAbs), &model)
        .job_name(format!("{}-baseline", site.name))
        .wait(Wait::Quietly)
        .await
        .unwrap();
    let constraints = monitor.suggested_constraints().await.unwrap();
    let known = attributions(&constraints.body_dict());
    let exact = goldens::json("explainability/adult-linear-shap-baseline/exact_global.json");
    for (feature, exact) in exact["global_shap_values"].as_object().unwrap() {
        assert!((known[feature] - exact.as_f64().unwrap()).abs() < 0.002, "{feature}: {} {exact}", known[feature]);
    }
    // Traffic like the baseline: all that the monitor needs to know it has from there.
    for (features, _) in &census.rows[..100] {
        census.ask(features, None).await;
    }
    monitor
        .create_monitoring_schedule(site.name.as_str())
        .monitor_schedule_name(&site.name)
        .output_s3_uri(site.uri("results"))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "Completed", "{summary}");
    assert!(monitor.latest_monitoring_constraint_violations().await.unwrap().is_none());
    assert!(gain(&known, &attributions(&analysis(site, &summary).await)) > 0.95);
    monitor.delete_monitoring_schedule().await.unwrap();
    // Others who differ from the background in their occupation alone, so many that the median is theirs.
    let mut other = background;
    other[census.headers.iter().position(|header| header == "Occupation").unwrap()] = 13.0;
    for _ in 0..300 {
        census.ask(&other, None).await;
    }
    let shap = shap.agg_method(AggregationMethod::Median);
    let features = &census.headers[..census.headers.len() - 1];
    let schedule = format!("{}-drift", site.name);
    let mut drift = ModelExplainabilityMonitor::new(session, ROLE).max_runtime_in_seconds(1800);
    drift
        .create_monitoring_schedule(site.name.as_str())
        .analysis_config(ExplainabilityAnalysisConfig::new(shap, &model).headers(features))
        .constraints(site.uri("baselining/analysis.json"))
        .monitor_schedule_name(&schedule)
        .output_s3_uri(site.uri("results"))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&schedule).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    let drifted = attributions(&analysis(site, &summary).await);
    let largest = drifted.iter().max_by(|one, other| one.1.abs().total_cmp(&other.1.abs())).unwrap();
    assert_eq!(largest.0, "Occupation", "{drifted:?}");
    let violations = drift.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    let [violation] = violations.violations().unwrap().as_slice() else { panic!("{violations:?}") };
    assert_eq!(violation.metric_name.as_deref(), Some("shap"));
    let absolute = drifted.iter().map(|(feature, value)| (feature.clone(), value.abs())).collect();
    let said: f64 = violation.description.split(' ').nth(3).unwrap().parse().unwrap();
    assert!((said - gain(&known, &absolute)).abs() < 1e-12 && said < 0.9, "{}", violation.description);
    updated_and_deleted(site, &schedule, drift.job_definition_name().unwrap()).await;
    census.end().await;
}

/// The global attributions of an analysis of one score.
fn attributions(analysis: &Value) -> Attributions {
    let labels = analysis["explanations"]["kernel_shap"].as_object().unwrap();
    assert_eq!(labels.len(), 1, "{labels:?}");
    serde_json::from_value(labels.values().next().unwrap()["global_shap_values"].clone()).unwrap()
}

/// What an execution has analysed.
async fn analysis(site: &Site, summary: &Value) -> Value {
    let job = summary["ProcessingJobArn"].as_str().unwrap().rsplit('/').next().unwrap();
    let job = site.call("DescribeProcessingJob", json!({"ProcessingJobName": job})).await;
    site.analysis(job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"].as_str().unwrap()).await
}

/// The normalised discounted cumulative gain of AWS's documentation: the baseline's values in the live order, ties of live values
/// averaged, beside the best order there is.
fn gain(baseline: &Attributions, live: &Attributions) -> f64 {
    let discount = |place: usize| 1.0 / ((place + 2) as f64).log2();
    let mut values: Vec<f64> = live.values().copied().collect();
    values.sort_by(|one, other| other.total_cmp(one));
    values.dedup();
    let (mut gained, mut place) = (0.0, 0);
    for value in values {
        let tied: Vec<&String> = live.iter().filter(|(_, live)| **live == value).map(|(feature, _)| feature).collect();
        let discounts: f64 = (place..place + tied.len()).map(discount).sum();
        gained += discounts / tied.len() as f64 * tied.iter().map(|feature| baseline[*feature]).sum::<f64>();
        place += tied.len();
    }
    let mut best: Vec<f64> = baseline.values().copied().collect();
    best.sort_by(|one, other| other.total_cmp(one));
    gained / best.iter().enumerate().map(|(place, value)| value * discount(place)).sum::<f64>()
}

async fn updated_and_deleted(site: &Site, schedule: &str, first_definition: &str) {
    let mut monitor = ModelExplainabilityMonitor::attach(&site.session, schedule).await.unwrap();
    assert_eq!(monitor.job_definition_name(), Some(first_definition));
    monitor
        .update_monitoring_schedule()
        .schedule_cron_expression(CronExpressionGenerator::daily(0).unwrap())
        .max_runtime_in_seconds(900)
        .await
        .unwrap();
    let second_definition = monitor.job_definition_name().unwrap().to_owned();
    assert_ne!(second_definition, first_definition);
    monitor.delete_monitoring_schedule().await.unwrap();
    let gone = json!({ "JobDefinitionName": second_definition });
    assert!(site.is_gone("DescribeModelExplainabilityJobDefinition", gone).await);
    site.call("DeleteModelExplainabilityJobDefinition", json!({"JobDefinitionName": first_definition})).await;
}
