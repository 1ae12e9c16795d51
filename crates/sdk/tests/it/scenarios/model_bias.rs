//! AWS's notebook of bias monitoring, held to what AWS's analyzer said: a baseline, traffic, the truth, and what has drifted.

use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::clarify::{BiasConfig, ModelPredictedLabelConfig};
use watchkeeper::model_monitor::{BiasAnalysisConfig, CronExpressionGenerator, EndpointInput, ModelBiasMonitor};
use watchkeeper::processing::Wait;

use super::census::Census;
use super::goldens;
use super::site::{ROLE, Site, ago};

const COMPLETED: &str = "Completed: SageMaker XAI Analyzer ran successfully";
/// AWS's flip test takes another neighbour where several are equally near.
const FLIP_TEST: (&str, f64) = ("FT", 0.02);

/// From a baseline to violations.
pub(crate) async fn is_told(session: &Session) {
    let census = Census::deploy(session, "census-bias").await;
    let site = &census.site;
    let mut monitor = ModelBiasMonitor::new(session, ROLE).max_runtime_in_seconds(1800).tags([("team", "census")]);
    let bias = BiasConfig::new([1], "Sex").facet_values_or_threshold([0]).group_name("Age");
    let data = census.data_config().await;
    let model = census.model_config();
    let label = ModelPredictedLabelConfig::new().probability_threshold(census.threshold);
    let job = monitor
        .suggest_baseline(&data, &bias, &model)
        .model_predicted_label_config(&label)
        .job_name(format!("{}-baseline", site.name))
        .wait(Wait::Quietly)
        .await
        .unwrap();
    assert_eq!(job.describe().await.unwrap().exit_message.as_deref(), Some(COMPLETED));
    let constraints = monitor.suggested_constraints().await.unwrap();
    assert_eq!(constraints.file_s3_uri(), &site.uri("baselining/analysis.json"));
    let expected = goldens::json("bias/adult-linear-baseline/expected_analysis.json");
    for section in ["post_training_bias_metrics", "pre_training_bias_metrics"] {
        is_same(&constraints.body_dict()[section], &expected[section]);
    }
    let ground_truth = census.live().await;
    monitor
        .create_monitoring_schedule(EndpointInput::new(&site.name, "/opt/ml/processing/input/endpoint"), ground_truth)
        .monitor_schedule_name(&site.name)
        .output_s3_uri(site.uri("results"))
        .schedule_cron_expression(CronExpressionGenerator::now())
        .data_analysis_start_time(ago("-PT2H"))
        .data_analysis_end_time(ago("-PT0H"))
        .await
        .unwrap();
    let summary = site.executed(&site.name).await;
    assert_eq!(summary["MonitoringExecutionStatus"], "CompletedWithViolations", "{summary}");
    assert_eq!(summary["MonitoringType"], "ModelBias");
    let violations = monitor.latest_monitoring_constraint_violations().await.unwrap().unwrap();
    let observed = goldens::json("bias/adult-linear-live-jsonlines/observed_violations.json");
    assert_eq!(violations.violations().unwrap().len(), observed["violations"].as_array().unwrap().len());
    are_violations(&violations.body_dict()["violations"], &observed["violations"]);
    updated_and_deleted(site, &bias, &census.headers, monitor.job_definition_name().unwrap()).await;
    census.end().await;
}

/// How far a metric may be from AWS's.
fn tolerance(metric: &Value) -> f64 {
    if metric == FLIP_TEST.0 { FLIP_TEST.1 } else { 1e-9 }
}

/// The metrics of a section, by name.
pub(super) fn is_same(section: &Value, expected: &Value) {
    assert_eq!(section["label"], expected["label"]);
    let metrics = |section: &Value| section["facets"]["Sex"][0]["metrics"].as_array().unwrap().clone();
    let (ours, theirs) = (metrics(section), metrics(expected));
    assert_eq!(ours.len(), theirs.len(), "{ours:?}");
    for (one, other) in ours.iter().zip(&theirs) {
        assert_eq!((&one["name"], &one["description"]), (&other["name"], &other["description"]));
        let (value, wanted) = (one["value"].as_f64().unwrap(), other["value"].as_f64().unwrap());
        assert!((value - wanted).abs() <= tolerance(&one["name"]), "{one} {other}");
    }
}

/// The same entries in the same order; the numbers in the texts are equal but for their last digits.
fn are_violations(ours: &Value, theirs: &Value) {
    let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().unwrap());
    assert_eq!(ours.len(), theirs.len(), "{ours:?}");
    for (one, other) in ours.iter().zip(theirs) {
        for member in ["facet", "facet_value", "metric_name", "constraint_check_type"] {
            assert_eq!(one[member], other[member], "{one} {other}");
        }
        let words = |violation: &Value| -> Vec<String> {
            violation["description"].as_str().unwrap().split(' ').map(str::to_owned).collect()
        };
        let (words, wanted) = (words(one), words(other));
        assert_eq!(words.len(), wanted.len(), "{one} {other}");
        for (word, wanted) in words.iter().zip(&wanted).filter(|(word, wanted)| word != wanted) {
            let difference = word.parse::<f64>().unwrap() - wanted.parse::<f64>().unwrap();
            assert!(difference.abs() <= tolerance(&one["metric_name"]), "{one} {other}");
        }
    }
}

/// Somebody else finds the schedule, and gives it a configuration of its own.
async fn updated_and_deleted(site: &Site, bias: &BiasConfig, headers: &[String], first_definition: &str) {
    let mut monitor = ModelBiasMonitor::attach(&site.session, &site.name).await.unwrap();
    assert_eq!(monitor.job_definition_name(), Some(first_definition));
    monitor
        .update_monitoring_schedule()
        .analysis_config(BiasAnalysisConfig::new(bias).headers(headers).label("Target"))
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .max_runtime_in_seconds(900)
        .await
        .unwrap();
    let second_definition = monitor.job_definition_name().unwrap().to_owned();
    assert_ne!(second_definition, first_definition);
    let describe =
        async |name: &str| site.call("DescribeModelBiasJobDefinition", json!({"JobDefinitionName": name})).await;
    let (before, after) = (describe(first_definition).await, describe(&second_definition).await);
    assert_eq!(after["ModelBiasJobInput"], before["ModelBiasJobInput"]);
    let config = async |definition: &Value| {
        site.document(definition["ModelBiasAppSpecification"]["ConfigUri"].as_str().unwrap()).await
    };
    assert_eq!(config(&after).await, config(&before).await);
    monitor.delete_monitoring_schedule().await.unwrap();
    assert!(site.is_gone("DescribeModelBiasJobDefinition", json!({"JobDefinitionName": second_definition})).await);
    site.call("DeleteModelBiasJobDefinition", json!({"JobDefinitionName": first_definition})).await;
}
