//! Variables of model quality and merge jobs. Referee: what the SDK and the service send (specification 2.1, 6.1, 7.1).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use watchkeeper_formats::{
    CaptureIndexName, DatasetFormat, JobContract, MergeJob, ModelQualityJob, MonitoringInputType,
    OutputColumnsPosition, ProblemType,
};

fn contract(pairs: &[(&str, &str)], changes: &[(&str, &str)]) -> JobContract {
    let variables: BTreeMap<String, String> =
        pairs.iter().chain(changes).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    JobContract::new(variables, None).unwrap()
}

fn job(pairs: &[(&str, &str)], changes: &[(&str, &str)]) -> Result<ModelQualityJob, String> {
    ModelQualityJob::from_contract(&contract(pairs, changes)).map_err(|error| error.to_string())
}

/// As the SDK sends it.
const BASELINE: [(&str, &str); 10] = [
    ("analysis_type", "MODEL_QUALITY"),
    ("problem_type", "BinaryClassification"),
    ("dataset_format", r#"{"csv": {"header": true, "output_columns_position": "START"}}"#),
    ("dataset_source", "/opt/ml/processing/input/baseline_dataset_input"),
    ("output_path", "/opt/ml/processing/output"),
    ("publish_cloudwatch_metrics", "Disabled"),
    ("inference_attribute", "prediction"),
    ("probability_attribute", "probability"),
    ("ground_truth_attribute", "label"),
    ("probability_threshold_attribute", "0.5"),
];

/// As the service sends it.
const SCHEDULED: [(&str, &str); 15] = [
    ("analysis_type", "MODEL_QUALITY"),
    ("problem_type", "BinaryClassification"),
    ("dataset_format", r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}"#),
    ("dataset_source", "/opt/ml/processing/input_data"),
    ("baseline_constraints", "/opt/ml/processing/baseline/constraints/constraints.json"),
    ("output_path", "/opt/ml/processing/output"),
    ("start_time", "2021-05-26T00:00:00Z"),
    ("end_time", "2021-05-26T01:00:00Z"),
    ("metric_time", "2021-05-26T00:00:00Z"),
    ("publish_cloudwatch_metrics", "Enabled"),
    ("sagemaker_endpoint_name", "endpoint"),
    ("sagemaker_monitoring_schedule_name", "schedule"),
    ("monitoring_input_type", "ENDPOINT_INPUT"),
    ("probability_attribute", "0"),
    ("MY_OWN", "kept"),
];

#[test]
fn a_baseline() {
    let job = job(&BASELINE, &[]).unwrap();
    assert_eq!(job.problem_type, ProblemType::BinaryClassification);
    let format = DatasetFormat::Csv { header: true, output_columns_position: OutputColumnsPosition::Start };
    assert_eq!(job.dataset_format, format);
    assert_eq!(job.dataset_source, PathBuf::from("/opt/ml/processing/input/baseline_dataset_input"));
    assert_eq!(job.inference_attribute.as_deref(), Some("prediction"));
    assert_eq!(job.probability_attribute.as_deref(), Some("probability"));
    assert_eq!(job.ground_truth_attribute.as_deref(), Some("label"));
    assert_eq!(job.probability_threshold, 0.5);
    assert_eq!((job.baseline_constraints, job.publish_cloudwatch_metrics), (None, false));
    assert_eq!(job.output_message_file, Path::new("/opt/ml/output/message"));
    assert_eq!(job.cloudwatch_metrics_directory, Path::new("/opt/ml/output/metrics/cloudwatch"));
}

#[test]
fn a_scheduled_job_below_a_root() {
    let job = job(&SCHEDULED, &[("WATCHKEEPER_JOB_ROOT", "/jobs/7")]).unwrap();
    let format = DatasetFormat::MergeJson { capture_index_name: Some(CaptureIndexName::EndpointOutput) };
    assert_eq!(job.dataset_format, format);
    let constraints = "/jobs/7/opt/ml/processing/baseline/constraints/constraints.json";
    assert_eq!(job.baseline_constraints.as_deref(), Some(Path::new(constraints)));
    assert_eq!((job.inference_attribute, job.ground_truth_attribute), (None, None));
    assert_eq!(job.probability_threshold, 0.5);
    assert!(job.publish_cloudwatch_metrics);
    assert_eq!(job.start_time.unwrap().to_string(), "2021-05-26T00:00:00Z");
    assert_eq!(job.end_time.unwrap().to_string(), "2021-05-26T01:00:00Z");
    assert_eq!(job.metric_time, job.start_time);
    assert_eq!(job.monitoring_input_type, Some(MonitoringInputType::EndpointInput));
    assert_eq!(
        (job.endpoint_name.as_deref(), job.monitoring_schedule_name.as_deref()),
        (Some("endpoint"), Some("schedule"))
    );
    assert_eq!(job.variables["MY_OWN"], "kept");
    assert_eq!(job.variables["baseline_constraints"], constraints);
    assert!(!job.variables.contains_key("WATCHKEEPER_JOB_ROOT"));
}

#[test]
fn thresholds() {
    for (text, expected) in [("0.7", 0.7), ("\"0.25\"", 0.25), (" 1 ", 1.0), ("-3e1", -30.0), ("", 0.5)] {
        let job = job(&BASELINE, &[("probability_threshold_attribute", text)]).unwrap();
        assert_eq!(job.probability_threshold, expected, "{text}");
    }
    for text in ["half", "NaN", "inf", "1e999", "0,5"] {
        assert_eq!(
            job(&BASELINE, &[("probability_threshold_attribute", text)]).unwrap_err(),
            format!("variable probability_threshold_attribute is `{text}`, expected a number such as 0.5")
        );
    }
}

#[test]
fn attributes_that_a_problem_needs() {
    let without = |problem_type: &str, names: &[&str]| {
        let mut changes = vec![("problem_type", problem_type)];
        changes.extend(names.iter().map(|name| (*name, "")));
        job(&BASELINE, &changes)
    };
    let (inference, probability, truth) = ("inference_attribute", "probability_attribute", "ground_truth_attribute");
    for (problem_type, missing, expected) in [
        ("Regression", vec![probability], None),
        ("Regression", vec![inference], Some(inference)),
        ("Regression", vec![truth], Some(truth)),
        ("BinaryClassification", vec![inference], None),
        ("BinaryClassification", vec![probability], None),
        ("binaryclassification", vec![inference, probability], Some(inference)),
        ("BinaryClassification", vec![truth], Some(truth)),
        ("MulticlassClassification", vec![inference], None),
        ("MulticlassClassification", vec![inference, probability], Some(inference)),
    ] {
        match (without(problem_type, &missing), expected) {
            (Ok(_), None) => {}
            (Err(message), Some(name)) => {
                assert!(
                    message.starts_with(&format!("variable {name} is not set, expected the column or member")),
                    "{message}"
                );
            }
            (found, expected) => panic!("{problem_type} without {missing:?}: {found:?} instead of {expected:?}"),
        }
    }
    // The whole answer is the prediction, and labels are in the merged records.
    for problem_type in ["Regression", "BinaryClassification", "MulticlassClassification"] {
        assert!(job(&SCHEDULED, &[("problem_type", problem_type), (probability, "")]).is_ok());
    }
    assert!(job(&SCHEDULED, &[("problem_type", "Regression")]).unwrap_err().contains("inference_attribute"));
}

#[test]
fn refusals_name_the_variable() {
    for (name, value, expected) in [
        (
            "problem_type",
            "Clustering",
            "variable problem_type is `Clustering`, expected Regression, BinaryClassification or",
        ),
        ("problem_type", "", "variable problem_type is not set, expected Regression, BinaryClassification or"),
        ("analysis_type", "MODEL_BIAS", "variable analysis_type is `MODEL_BIAS`, expected MODEL_QUALITY"),
        ("dataset_source", "", "variable dataset_source is not set"),
        ("dataset_format", "", "dataset_format is not set"),
        ("dataset_format", r#"{"xml": {}}"#, "unknown format `xml`"),
        ("start_time", "noon", "variable start_time is `noon`"),
    ] {
        let message = job(&BASELINE, &[(name, value)]).unwrap_err();
        assert!(message.starts_with(expected), "{message}");
    }
}

const MERGE: [(&str, &str); 3] = [
    ("dataset_source", "/opt/ml/processing/input_data"),
    ("ground_truth_source", "/opt/ml/processing/groundtruth"),
    ("output_path", "/opt/ml/processing/output"),
];

#[test]
fn a_merge() {
    let job = MergeJob::from_contract(&contract(&MERGE, &[])).unwrap();
    assert_eq!(job.dataset_source, Path::new("/opt/ml/processing/input_data"));
    assert_eq!(job.ground_truth_source, Path::new("/opt/ml/processing/groundtruth"));
    assert_eq!(job.output_path, Path::new("/opt/ml/processing/output"));
    assert_eq!((job.dataset_format, job.window), (None, None));
    assert_eq!(job.output_message_file, Path::new("/opt/ml/output/message"));

    let batch = [
        ("dataset_format", r#"{"csv":{"header":false}}"#),
        ("WATCHKEEPER_START_TIME", "2021-05-26T00:00:00Z"),
        ("WATCHKEEPER_END_TIME", "2021-05-26T01:00:00Z"),
        ("WATCHKEEPER_JOB_ROOT", "/jobs/8"),
    ];
    let job = MergeJob::from_contract(&contract(&MERGE, &batch)).unwrap();
    assert!(matches!(job.dataset_format, Some(DatasetFormat::Csv { header: false, .. })));
    let (start, end) = job.window.unwrap();
    assert_eq!(
        (start.to_string(), end.to_string()),
        ("2021-05-26T00:00:00Z".to_owned(), "2021-05-26T01:00:00Z".to_owned())
    );
    assert_eq!(job.output_path, Path::new("/jobs/8/opt/ml/processing/output"));
    assert_eq!(job.output_message_file, Path::new("/jobs/8/opt/ml/output/message"));

    let error = MergeJob::from_contract(&contract(&MERGE[..1], &[])).unwrap_err().to_string();
    assert_eq!(error, "variable ground_truth_source is not set, expected the folder of the labels");
}
