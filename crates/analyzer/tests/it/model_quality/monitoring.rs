//! What a monitoring job does beyond a baseline: judging by edited constraints, windows, scripts, results of earlier runs.

use serde_json::{Value, json};

use super::{Job, NO_VIOLATIONS, merged_line};

/// Four rows with accuracy 0.75, recall 0.5, precision 1 and no false positive.
const CSV: &str = "prediction,label\n1,1\n0,1\n0,0\n0,0\n";

fn judged(section: &Value) -> Job {
    let mut job = Job::of_csv("BinaryClassification", CSV);
    job.constraints(&json!({"version": 0.0, "binary_classification_constraints": section}).to_string());
    job
}

/// The metrics that a job finds violated.
#[track_caller]
fn violated(job: &Job, names: &[&str]) -> Vec<Value> {
    let count = names.len();
    assert_eq!(job.run(), format!("CompletedWithViolations: Job completed successfully with {count} violations."));
    let document = job.document("constraint_violations.json");
    let violations = document["violations"].as_array().unwrap().clone();
    assert_eq!(
        violations.iter().map(|violation| violation["metric_name"].as_str().unwrap()).collect::<Vec<_>>(),
        names
    );
    violations
}

#[test]
fn constraints_that_people_have_edited() {
    // Few metrics, in another order, one threshold as text, one operator changed, one missing, keys of their own.
    let job = judged(&json!({
        "accuracy": {"threshold": "0.8", "comparison_operator": "LessThanThreshold", "note": "agreed in May"},
        "recall": {"threshold": 0.5, "comparison_operator": "LessThanOrEqualToThreshold"},
        "false_positive_rate": {"threshold": -1},
        "precision": {"threshold": null, "comparison_operator": "LessThanThreshold"},
        "auc": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"},
        "accuracy_best_constant_classifier": {"threshold": 0.4, "comparison_operator": "GreaterThanThreshold"},
        "reviewed_by": "the team",
    }));
    let violations = violated(&job, &["recall", "accuracy", "falsePositiveRate", "accuracyBestConstantClassifier"]);
    let descriptions: Vec<&str> =
        violations.iter().map(|violation| violation["description"].as_str().unwrap()).collect();
    assert_eq!(
        descriptions,
        [
            "Metric recall with 0.5 +/- NaN was LessThanOrEqualToThreshold '0.5'",
            "Metric accuracy with 0.75 +/- NaN was LessThanThreshold '0.8'",
            "Metric falsePositiveRate with 0.0 +/- NaN was GreaterThanThreshold '-1.0'",
            "Metric accuracyBestConstantClassifier with 0.5 +/- NaN was GreaterThanThreshold '0.4'",
        ]
    );
    // What was not evaluated is said.
    for metric in ["precision", "auc"] {
        job.logged(metric);
    }
}

#[test]
fn constraints_that_cannot_be_evaluated_fail_the_job() {
    let job = judged(&json!({"recall": {"threshold": 0.5, "comparison_operator": "Below"}}));
    let message = job.run();
    assert!(message.starts_with("Error: Could not read baseline constraints. "), "{message}");
    for word in ["constraints.json", "recall", "Below", "LessThanThreshold"] {
        assert!(message.contains(word), "{message}");
    }
    job.left_nothing();

    let job = judged(&json!({"recall": {"threshold": "high"}}));
    let message = job.run();
    assert!(message.contains("recall") && message.contains("high"), "{message}");
    job.left_nothing();

    let mut job = judged(&json!({}));
    job.constraints(r#"{"regression_constraints": {"mae": {"threshold": 1}}}"#);
    let message = job.run();
    for word in ["binary_classification_constraints", "regression_constraints"] {
        assert!(message.contains(word), "{message}");
    }
    job.left_nothing();

    job.constraints("{\"binary_classification_constraints\": ");
    assert!(job.run().starts_with("Error: Could not read baseline constraints. "));
    job.left_nothing();
    job.set("baseline_constraints", "/opt/ml/nowhere.json");
    let message = job.run();
    assert!(message.contains("nowhere.json: No such file or directory"), "{message}");
    job.left_nothing();
}

/// Else a file whose names are all misspelt would pass for good.
#[test]
fn constraints_that_judge_nothing_are_said() {
    const NOTHING: &str = "nothing was judged: there is no constraint that could be evaluated";
    let unjudged = json!({"recal": {"threshold": 0.9, "comparison_operator": "LessThanThreshold"}, "recall": {}});
    for section in [json!({}), unjudged] {
        let job = judged(&section);
        assert_eq!(job.run(), NO_VIOLATIONS);
        job.logged(NOTHING);
    }
    let job = judged(&json!({"recall": {"threshold": 0.5}, "auc": {"threshold": 0.5}}));
    assert_eq!(job.run(), NO_VIOLATIONS);
    assert!(!job.log().iter().any(|line| line.contains(NOTHING)));
}

#[test]
fn violations_of_an_earlier_run_are_gone() {
    let mut job = judged(&json!({"recall": {"threshold": 0.75}}));
    violated(&job, &["recall"]);
    job.constraints(r#"{"binary_classification_constraints": {"recall": {"threshold": 0.5}}}"#);
    assert_eq!(job.run(), NO_VIOLATIONS);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    // A run that fails leaves them as they are.
    let before = job.output("statistics.json");
    job.dataset("data.csv", "prediction,label\n1,2\n");
    assert!(job.run().starts_with("Error: "));
    assert_eq!(job.output("statistics.json"), before);
}

/// Captures at these times, each with the label that its number says.
fn at_times(times: &[&str]) -> Job {
    let mut job = Job::of_merged("Regression", &[("inference_attribute", "0")], &[]);
    let lines = times
        .iter()
        .enumerate()
        .map(|(number, time)| merged_line(("0", "CSV"), (&(1 << number).to_string(), "CSV"), time));
    job.dataset("scorer/AllTraffic/2021/05/26/00/part-00000-x.c000.jsonl", &lines.collect::<String>());
    job.set("start_time", "2021-05-26T00:00:00Z").set("end_time", "2021-05-26T01:00:00Z");
    job
}

#[test]
fn the_window_is_half_open() {
    let times = [
        "2021-05-25T23:59:59.999Z",
        "2021-05-26T00:00:00Z",
        "2021-05-26T00:59:59",
        "2021-05-26T01:00:00Z",
        "some time",
    ];
    let job = at_times(&times);
    // Labels 2, 4 and 16; one without a time that can be read is kept.
    assert_eq!(job.measured()["mae"]["value"], 22.0 / 3.0);
    assert_eq!(job.document("statistics.json")["dataset"]["item_count"], 3);
}

#[test]
fn a_window_without_a_record() {
    let job = at_times(&["2021-05-25T23:59:59Z", "2021-05-26T01:00:00Z"]);
    job.fails(
        "Error: No usable rows: 2 merged records, 2 outside 2021-05-26T00:00:00Z…2021-05-26T01:00:00Z, 0 dropped, first \
         reason: every record is outside the window",
    );
}

#[test]
fn a_preprocessor_that_leaves_out_every_record() {
    let records = [(("10", "CSV"), ("1", "CSV")), (("20", "CSV"), ("2", "CSV"))];
    let mut job = Job::of_merged("Regression", &[("inference_attribute", "0")], &records);
    job.script("record_preprocessor_script", "def preprocess_handler(record):\n    return []\n");
    let message =
        "Error: No usable rows: 2 merged records, 2 dropped, first reason: the preprocessor left out 2 records";
    job.fails(message);
}

/// A preprocessor sees the label that a capture was merged with, and may give one itself.
#[test]
fn a_preprocessor_makes_rows() {
    let records = [(("10", "CSV"), ("1", "CSV")), (("20", "CSV"), ("2", "CSV"))];
    let mut job = Job::of_merged("Regression", &[("inference_attribute", "scaled")], &records);
    job.script(
        "record_preprocessor_script",
        "
def preprocess_handler(record, logger):
    logger.info('label %s', record.ground_truth.data)
    return {'scaled': float(record.endpoint_output.data) / 10, 'corrected': float(record.ground_truth.data) + 3}
",
    );
    assert_eq!(job.measured()["mae"]["value"], 0.0);
    job.logged("label 2");
    job.set("ground_truth_attribute", "corrected");
    assert_eq!(job.measured()["mae"]["value"], 3.0);

    job.script("record_preprocessor_script", "def preprocess_handler(record):\n    raise ValueError('no')\n");
    std::fs::remove_dir_all(job.path("opt/ml/processing/output")).unwrap();
    let message = job.run();
    assert!(message.starts_with("Error: Exception while invoking preprocessor script."), "{message}");
    job.left_nothing();
}

#[test]
fn a_post_analytics_script_finds_everything_written() {
    let mut job = judged(&json!({"recall": {"threshold": 0.75}}));
    job.script(
        "post_analytics_processor_script",
        "
import json, os
def postprocess_handler():
    folder = os.environ['output_path']
    with open(os.path.join(folder, 'constraint_violations.json')) as file:
        names = [violation['metric_name'] for violation in json.load(file)['violations']]
    print('seen', names, sorted(os.listdir(folder)), os.environ['problem_type'])
",
    );
    violated(&job, &["recall"]);
    job.logged("Invoking customer's post-processing script...");
    job.logged(
        "seen ['recall'] ['constraint_violations.json', 'constraints.json', 'statistics.json'] BinaryClassification",
    );
    job.script("post_analytics_processor_script", "def postprocess_handler():\n    raise RuntimeError('no bucket')\n");
    assert_eq!(job.run(), "Error: Exception while invoking postprocessor script. RuntimeError: no bucket");
}
