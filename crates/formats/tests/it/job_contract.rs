//! Variables of a job, read and set.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watchkeeper_formats::{
    CaptureIndexName, CategoricalDriftMethod, DataQualityJob, DatasetFormat, DriftRule, Error, JobContract,
    MonitoringInputType, OutputColumnsPosition, Settings,
};

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn job(pairs: &[(&str, &str)]) -> Result<DataQualityJob, Error> {
    DataQualityJob::from_contract(&JobContract::new(variables(pairs), None).unwrap())
}

const BASELINE: [(&str, &str); 4] = [
    ("dataset_format", r#"{"csv": {"header": true, "output_columns_position": "START"}}"#),
    ("dataset_source", "/opt/ml/processing/input/baseline_dataset_input"),
    ("output_path", "/opt/ml/processing/output"),
    ("publish_cloudwatch_metrics", "Disabled"),
];

const SCHEDULED: [(&str, &str); 20] = [
    ("dataset_format", r#"{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#),
    ("dataset_source", "/opt/ml/processing/input/endpoint"),
    ("output_path", "/opt/ml/processing/output"),
    ("baseline_constraints", "/opt/ml/processing/baseline/constraints/constraints.json"),
    ("baseline_statistics", "/opt/ml/processing/baseline/stats/statistics.json"),
    ("record_preprocessor_script", "/opt/ml/processing/code/preprocessing/pre.py"),
    ("post_analytics_processor_script", "/opt/ml/processing/code/postprocessing/post.py"),
    ("publish_cloudwatch_metrics", "Enabled"),
    ("categorical_drift_method", "ChiSquared"),
    ("data_quality_monitoring_config", r#"{"emit_metrics":"Disabled","domain_content_threshold":0.5}"#),
    ("exclude_features_attribute", "age, 3,,city"),
    ("start_time", "2020-02-19T06:00:00Z"),
    ("end_time", "2020-02-19T07:00:00Z"),
    ("metric_time", "2020-02-19T06:00:00Z"),
    ("sagemaker_endpoint_name", "endpoint"),
    ("sagemaker_endpoint_datacapture_prefix", "s3://bucket/capture"),
    ("sagemaker_monitoring_schedule_name", "schedule"),
    ("monitoring_input_type", "ENDPOINT_INPUT"),
    ("analysis_type", "DATA_QUALITY"),
    ("MY_OWN", "kept"),
];

const SWITCHES: [(&str, &str); 9] = [
    ("WATCHKEEPER_FLATTEN_JSON", "1"),
    ("WATCHKEEPER_MIXED_ENCODING", "true"),
    ("WATCHKEEPER_LENIENT_TYPES", "True"),
    ("WATCHKEEPER_CHECK_NON_NEGATIVE", "1"),
    ("WATCHKEEPER_STRICT_KEY_ORDER", "1"),
    ("WATCHKEEPER_DRIFT", "exact"),
    ("WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS", "1.5"),
    ("output_message_file", "/tmp/message"),
    ("cloudwatch_metrics_directory", "/tmp/metrics"),
];

#[test]
fn baseline_job() {
    let job = job(&BASELINE).unwrap();
    let format = DatasetFormat::Csv { header: true, output_columns_position: OutputColumnsPosition::Start };
    assert_eq!(job.dataset_format, format);
    assert_eq!(job.dataset_source, Path::new("/opt/ml/processing/input/baseline_dataset_input"));
    assert_eq!(job.output_path, Path::new("/opt/ml/processing/output"));
    assert_eq!((&job.baseline_constraints, &job.baseline_statistics), (&None, &None));
    assert_eq!((&job.record_preprocessor_script, &job.post_analytics_processor_script), (&None, &None));
    assert!(!job.publish_cloudwatch_metrics);
    assert_eq!(job.categorical_drift_method, None);
    assert_eq!(job.data_quality_monitoring_config, None);
    assert!(job.exclude_features.is_empty());
    assert_eq!((job.start_time, job.end_time, job.metric_time), (None, None, None));
    assert_eq!(job.output_message_file, Path::new("/opt/ml/output/message"));
    assert_eq!(job.cloudwatch_metrics_directory, Path::new("/opt/ml/output/metrics/cloudwatch"));
    assert_eq!(job.settings, Settings::default());
    assert_eq!(job.settings.script_time_limit, Duration::from_mins(5));
    assert_eq!(job.settings.drift, DriftRule::Aws);
}

#[test]
fn scheduled_job() {
    let job = job(&SCHEDULED).unwrap();
    let sides = vec![CaptureIndexName::EndpointInput, CaptureIndexName::EndpointOutput];
    let format = DatasetFormat::CaptureJson { capture_index_names: Some(sides), output_columns_position: None };
    assert_eq!(job.dataset_format, format);
    let path = |text: &str| Some(PathBuf::from(text));
    assert_eq!(job.baseline_constraints, path("/opt/ml/processing/baseline/constraints/constraints.json"));
    assert_eq!(job.baseline_statistics, path("/opt/ml/processing/baseline/stats/statistics.json"));
    assert_eq!(job.record_preprocessor_script, path("/opt/ml/processing/code/preprocessing/pre.py"));
    assert_eq!(job.post_analytics_processor_script, path("/opt/ml/processing/code/postprocessing/post.py"));
    assert!(job.publish_cloudwatch_metrics);
    assert_eq!(job.categorical_drift_method, Some(CategoricalDriftMethod::ChiSquared));
    assert_eq!(job.data_quality_monitoring_config.as_ref().unwrap().domain_content_threshold, Some(0.5));
    assert_eq!(job.exclude_features, ["age", "3", "city"]);
    // Seconds since 1970 by `date -u -d 2020-02-19T06:00:00Z +%s`.
    assert_eq!(job.start_time.unwrap().as_second(), 1_582_092_000);
    assert_eq!(job.end_time.unwrap().as_second(), 1_582_095_600);
    assert_eq!(job.metric_time, job.start_time);
    assert_eq!(job.endpoint_name.as_deref(), Some("endpoint"));
    assert_eq!(job.endpoint_datacapture_prefix.as_deref(), Some("s3://bucket/capture"));
    assert_eq!(job.monitoring_schedule_name.as_deref(), Some("schedule"));
    assert_eq!(job.monitoring_input_type, Some(MonitoringInputType::EndpointInput));
    assert_eq!(job.variables, variables(&SCHEDULED));
}

#[test]
fn switches_of_this_project() {
    let job = job(&[&BASELINE[..], &SWITCHES].concat()).unwrap();
    let expected = Settings {
        flatten_json: true,
        mixed_encoding: true,
        lenient_types: true,
        check_non_negative: true,
        strict_key_order: true,
        drift: DriftRule::Exact,
        script_time_limit: Duration::from_millis(1500),
    };
    assert_eq!(job.settings, expected);
    assert_eq!(job.output_message_file, Path::new("/tmp/message"));
    assert_eq!(job.cloudwatch_metrics_directory, Path::new("/tmp/metrics"));
}

#[test]
fn empty_values_count_as_unset() {
    let names = ["baseline_constraints", "start_time", "analysis_type", "WATCHKEEPER_DRIFT", "monitoring_input_type"];
    let empty: Vec<_> = names.iter().map(|name| (*name, "")).collect();
    let job = job(&[&BASELINE[..], &empty].concat()).unwrap();
    assert_eq!((job.baseline_constraints, job.start_time, job.monitoring_input_type), (None, None, None));
    assert_eq!(job.settings, Settings::default());
}

#[test]
fn refusals_name_variable_value_and_what_is_expected() {
    let table = [
        ("publish_cloudwatch_metrics", "yes", "Enabled or Disabled"),
        ("categorical_drift_method", "L1", "LInfinity or ChiSquared"),
        ("start_time", "2020-02-19", "a time such as 2020-02-19T06:00:00Z"),
        ("end_time", "soon", "a time such as 2020-02-19T06:00:00Z"),
        ("monitoring_input_type", "GROUND_TRUTH_INPUT", "ENDPOINT_INPUT or BATCH_TRANSFORM_INPUT"),
        ("analysis_type", "MODEL_QUALITY", "DATA_QUALITY or nothing, this analysis is for data quality only"),
        ("WATCHKEEPER_LENIENT_TYPES", "on", "1, 0, true or false"),
        ("WATCHKEEPER_DRIFT", "best", "aws or exact"),
        ("WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS", "0", "a number of seconds above 0"),
        ("WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS", "-1", "a number of seconds above 0"),
        ("WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS", "NaN", "a number of seconds above 0"),
        (
            "data_quality_monitoring_config",
            r#"{"emit_metrics": "On"}"#,
            r#"a JSON object with keys of monitoring_config (emit_metrics: invalid value: string "On", expected one of Enabled, Disabled at line 1 column 21)"#,
        ),
        (
            "data_quality_monitoring_config",
            r#"{"domain_content_threshold": 2}"#,
            "a JSON object with keys of monitoring_config (domain_content_threshold: 2.0 is not within 0 to 1)",
        ),
    ];
    for (name, value, expected) in table {
        let message = job(&[&BASELINE[..], &[(name, value)]].concat()).unwrap_err().to_string();
        assert_eq!(message, format!("variable {name} is `{value}`, expected {expected}"));
    }
}

#[test]
fn required_variables() {
    let without = |name: &str| {
        let pairs: Vec<_> = BASELINE.into_iter().filter(|(other, _)| *other != name).collect();
        job(&pairs).unwrap_err()
    };
    assert_eq!(
        without("dataset_source").to_string(),
        "variable dataset_source is not set, expected the path of the dataset"
    );
    assert_eq!(
        without("output_path").to_string(),
        "variable output_path is not set, expected the folder of the results"
    );
    let Error::DatasetFormat(reason) = without("dataset_format") else { panic!("another kind of error") };
    assert!(reason.starts_with(r#"dataset_format is not set, expected one of {"csv""#), "{reason}");
    let bad = job(&[&BASELINE[1..], &[("dataset_format", "{}")]].concat());
    assert!(matches!(bad, Err(Error::DatasetFormat(_))));
}

#[test]
fn variables_read_back_to_the_same_job() {
    for pairs in [&BASELINE[..], &SCHEDULED, &[&SCHEDULED[..], &SWITCHES].concat()] {
        let mut job = job(pairs).unwrap();
        let written = job.to_variables();
        job.variables.clone_from(&written);
        let read = DataQualityJob::from_contract(&JobContract::new(written, None).unwrap()).unwrap();
        assert_eq!(read, job);
    }
    assert_eq!(job(&SCHEDULED).unwrap().to_variables()["MY_OWN"], "kept");
}

#[test]
fn a_field_that_is_cleared_leaves_no_variable() {
    let mut job = job(&SCHEDULED).unwrap();
    job.baseline_statistics = None;
    job.start_time = None;
    let written = job.to_variables();
    assert!(!written.contains_key("baseline_statistics") && !written.contains_key("start_time"));
}

#[test]
fn the_environment_wins_over_the_job_description() {
    let config = r#"{"ProcessingJobName": "j", "Environment": {"dataset_source": "/file", "start_time": "2020-02-19T06:00:00Z", "only": "here"}}"#;
    let contract =
        JobContract::new(variables(&[("dataset_source", "/set"), ("start_time", "")]), Some(config)).unwrap();
    assert_eq!(contract.variables, variables(&[("dataset_source", "/set"), ("start_time", ""), ("only", "here")]));
    for none in [r#"{"Environment": null}"#, "{}"] {
        assert!(JobContract::new(BTreeMap::new(), Some(none)).unwrap().variables.is_empty());
    }
    let bad = JobContract::new(BTreeMap::new(), Some(r#"{"Environment": {"a": 1}}"#)).unwrap_err().to_string();
    assert_eq!(
        bad,
        "processing job configuration: Environment.a: invalid type: integer `1`, expected a string at line 1 column 23"
    );
}

#[test]
fn a_root_moves_every_path() {
    let pairs = [&SCHEDULED[..], &[("WATCHKEEPER_JOB_ROOT", "/srv/job")]].concat();
    let contract = JobContract::new(variables(&pairs), None).unwrap();
    assert_eq!(contract.root.as_deref(), Some(Path::new("/srv/job")));
    assert_eq!(contract.path("/opt/ml/x"), Path::new("/srv/job/opt/ml/x"));
    let job = DataQualityJob::from_contract(&contract).unwrap();
    assert_eq!(job.dataset_source, Path::new("/srv/job/opt/ml/processing/input/endpoint"));
    assert_eq!(job.output_message_file, Path::new("/srv/job/opt/ml/output/message"));
    assert_eq!(job.cloudwatch_metrics_directory, Path::new("/srv/job/opt/ml/output/metrics/cloudwatch"));
    // Scripts see paths that they can open, and a job started from these variables is not moved twice.
    assert_eq!(job.variables["output_path"], "/srv/job/opt/ml/processing/output");
    assert!(!job.variables.contains_key("WATCHKEEPER_JOB_ROOT"));
    let again = DataQualityJob::from_contract(&JobContract::new(job.to_variables(), None).unwrap()).unwrap();
    assert_eq!(again.dataset_source, job.dataset_source);
    assert_eq!(again.output_message_file, job.output_message_file);
}
