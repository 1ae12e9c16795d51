use std::collections::BTreeMap;
use std::path::Path;

use watchkeeper_formats::{ClarifyJob, ClarifyKind, JobContract};

fn job(variables: &[(&str, &str)]) -> Result<ClarifyJob, String> {
    let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let contract = JobContract::new(owned.collect::<BTreeMap<_, _>>(), None).unwrap();
    ClarifyJob::from_contract(&contract).map_err(|error| error.to_string())
}

#[test]
fn a_processing_job_needs_no_variable() {
    let found = job(&[("WATCHKEEPER_JOB_ROOT", "/job")]).unwrap();
    assert_eq!(found.kind, ClarifyKind::Processing);
    assert_eq!(found.analysis_config, Path::new("/job/opt/ml/processing/input/config/analysis_config.json"));
    assert_eq!(found.dataset, Path::new("/job/opt/ml/processing/input/data"));
    assert_eq!(found.output_path, Path::new("/job/opt/ml/processing/output"));
    assert_eq!((found.bias_interval, found.ndcg_threshold, found.service), (None, 0.9, None));
}

#[test]
fn the_execution_of_a_monitor_is_told_of_its_traffic() {
    let format = r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#;
    let variables = [
        ("analysis_type", "MODEL_BIAS"),
        ("dataset_format", format),
        ("dataset_source", "/opt/ml/processing/input_data"),
        ("baseline_constraints", "/opt/ml/processing/baseline/constraints/analysis.json"),
        ("inference_attribute", "None"),
        ("probability_attribute", "0"),
        ("probability_threshold_attribute", "\"0.8\""),
        ("exclude_features_attribute", "a, 3,"),
        ("start_time", "2020-02-19T06:00:00Z"),
        ("end_time", "2020-02-19T07:00:00Z"),
        ("publish_cloudwatch_metrics", "Enabled"),
        ("watchkeeper_bias_interval", "0.95"),
        ("AWS_ENDPOINT_URL", "http://here"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
    ];
    let found = job(&variables).unwrap();
    let ClarifyKind::BiasMonitor(traffic) = &found.kind else { panic!("{:?}", found.kind) };
    assert_eq!((&traffic.inference_attribute, traffic.probability_attribute.as_deref()), (&None, Some("0")));
    assert_eq!((traffic.probability_threshold, traffic.publish_cloudwatch_metrics), (Some(0.8), true));
    assert_eq!(traffic.exclude_features, ["a", "3"]);
    assert!(traffic.window.unwrap().0 < traffic.window.unwrap().1);
    assert_eq!(found.bias_interval, Some(0.95));
    assert!(!format!("{:?}", found.service.unwrap()).contains("hush"));
}

#[test]
fn a_wrong_variable_is_named() {
    let of_quality = job(&[("analysis_type", "MODEL_QUALITY")]).unwrap_err();
    assert!(of_quality.starts_with("variable analysis_type is `MODEL_QUALITY`, expected MODEL_BIAS"), "{of_quality}");
    let level = job(&[("watchkeeper_bias_interval", "95")]).unwrap_err();
    assert_eq!(level, "variable watchkeeper_bias_interval is `95`, expected a level between 0 and 1 such as 0.95");
}
