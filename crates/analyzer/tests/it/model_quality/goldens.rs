//! Recorded and documented output of the real service, and output of scikit-learn, recomputed from the data it was made of.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Job, NO_VIOLATIONS, assert_contains, golden, json_golden, value};

/// The job that a golden's `case.json` describes.
fn job(name: &str, case: &Value) -> Job {
    let problem_type = case["problem_type"].as_str().unwrap();
    let mut job = Job::new(problem_type, &case["dataset_format"].to_string(), &[]);
    for attribute in ["inference", "probability", "ground_truth", "probability_threshold"] {
        let attribute = format!("{attribute}_attribute");
        match &case[&attribute] {
            Value::Null => {}
            Value::String(text) => drop(job.set(&attribute, text)),
            number => drop(job.set(&attribute, &number.to_string())),
        }
    }
    job.dataset("baseline.csv", &golden(&format!("{name}/baseline.csv")));
    job
}

#[test]
fn churn_baseline_is_equal_in_every_number() {
    let case = json_golden("churn-binary-baseline/case.json");
    let job = job("churn-binary-baseline", &case);
    assert_eq!(job.run(), NO_VIOLATIONS);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    let ours = job.document("statistics.json");
    assert_contains(&ours, &json_golden("churn-binary-baseline/expected_statistics.json"), 0.0);
    let expected = json_golden("churn-binary-baseline/expected_constraints.json");
    assert_eq!(job.document("constraints.json"), expected);
    // In their order, too.
    let names = |document: &Value| -> Vec<String> {
        document["binary_classification_constraints"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&job.document("constraints.json")), names(&expected));

    let metrics = &ours["binary_classification_metrics"];
    for (name, observed) in case["observed_standard_deviation_one_run"].as_object().unwrap() {
        let (ours, observed) = (metrics[name]["standard_deviation"].as_f64().unwrap(), observed.as_f64().unwrap());
        if observed == 0.0 {
            assert_eq!(ours, 0.0, "{name}");
        } else {
            assert!((0.1..10.0).contains(&(ours / observed)), "{name}: {ours} was observed as {observed}");
        }
    }
}

#[test]
fn regression_baseline_is_equal_in_every_byte() {
    let case = json_golden("sdk-regression-baseline/case.json");
    let mut job = job("sdk-regression-baseline", &case);
    let before = Timestamp::now();
    assert_eq!(job.run(), NO_VIOLATIONS);
    let recorded = |name: &str| {
        let lines = case["recorded_text"][name].as_array().unwrap().iter();
        lines.map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(job.output("constraints.json"), recorded("constraints.json"));
    let (start, rest) = (job.output("statistics.json"), job.document("statistics.json"));
    let time = rest["dataset"]["evaluation_time"].as_str().unwrap();
    let ours = start.replace(&format!(",\n    \"evaluation_time\" : \"{time}\""), "");
    assert_eq!(ours, recorded("statistics.json"));
    // With milliseconds, and of now.
    assert!(time.len() == "2021-05-26T00:35:10.123Z".len() && time.ends_with('Z'), "{time}");
    let time: Timestamp = time.parse().unwrap();
    let millisecond = jiff::SignedDuration::from_millis(1);
    assert!((before - millisecond..=Timestamp::now()).contains(&time), "{time}");

    // A value equal to its threshold passes.
    job.constraints(&golden("sdk-regression-baseline/constraints_good.json"));
    assert_eq!(job.run(), NO_VIOLATIONS);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
}

#[test]
fn scikit_learn_is_met() {
    for name in ["binary-tied-scores", "multiclass-string-labels"] {
        let mut case = json_golden(&format!("{name}/case.json"));
        // A fact about the dataset that no document has.
        case["expected"].as_object_mut().unwrap().remove("threshold_count");
        let job = job(name, &case);
        let metrics = job.measured();
        assert_eq!(job.document("statistics.json")["dataset"]["item_count"], case["item_count"]);
        assert_contains(&metrics, &case["expected"], case["abs_tol"].as_f64().unwrap_or(1e-12));
    }
}

#[test]
fn the_guides_numbers_follow_from_its_confusion_matrix() {
    let case = json_golden("documented-multiclass-and-regression/case.json");
    let rows = |matrix: &Value| {
        let mut rows = "prediction,label\n".to_owned();
        for (actual, predicted) in matrix.as_object().unwrap() {
            for (predicted, count) in predicted.as_object().unwrap() {
                for _ in 0..count.as_u64().unwrap() {
                    writeln!(rows, "{predicted},{actual}").unwrap();
                }
            }
        }
        rows
    };
    let csv = rows(&case["confusion_matrix"]);
    let multiclass = Job::of_csv("MulticlassClassification", &csv).measured();
    assert_contains(&multiclass, &case["multiclass_expected"], 0.0);
    assert_contains(&multiclass["confusion_matrix"], &case["confusion_matrix"], 0.0);
    let regression = Job::of_csv("Regression", &csv).measured();
    assert_contains(&regression, &case["regression_expected_when_labels_read_as_numbers"], 0.0);

    let mut example = case["binary_example"].clone();
    example.as_object_mut().unwrap().remove("curves_and_auc");
    let binary = Job::of_csv("BinaryClassification", &rows(&example["confusion_matrix"])).measured();
    assert_contains(&binary, &example, 0.0);
    assert!(binary.get("auc").is_none() && binary.get("precision_recall_curve").is_none());

    let mut curves = case["one_class_curves"].clone();
    let members = curves.as_object_mut().unwrap();
    let scores = members.remove("scores").unwrap();
    let labels = members.remove("labels").unwrap();
    members.retain(|name, _| !name.contains("note"));
    let pairs = scores.as_array().unwrap().iter().zip(labels.as_array().unwrap());
    let csv = pairs.fold("score,label\n".to_owned(), |csv, (score, label)| format!("{csv}{score},{label}\n"));
    assert_contains(&Job::of_csv("BinaryClassification", &csv).measured(), &curves, 0.0);
}

/// Captures and labels of the live window, in the tree of the two jobs.
fn live_window(case: &Value, scored: &[(String, String)]) -> Job {
    let mut job = Job::new(
        "BinaryClassification",
        r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}"#,
        &[
            ("probability_attribute", "0"),
            ("probability_threshold_attribute", "0.5"),
            ("start_time", case["schedule"]["start_time"].as_str().unwrap()),
            ("end_time", case["schedule"]["end_time"].as_str().unwrap()),
        ],
    );
    let start: Timestamp = case["captures"]["start"].as_str().unwrap().parse().unwrap();
    let count = case["captures"]["count"].as_i64().unwrap();
    let mut captures = String::new();
    for number in 0..count {
        let row = usize::try_from(number).unwrap() % scored.len();
        let time = start + jiff::SignedDuration::from_secs(number);
        let part = |mode: &str, data: &str| json!({"observedContentType": "text/csv; charset=utf-8", "mode": mode, "data": data, "encoding": "CSV"});
        let record = json!({
            "captureData": {"endpointInput": part("INPUT", "1,2"), "endpointOutput": part("OUTPUT", &scored[row].0)},
            "eventMetadata": {
                "eventId": format!("event-{number}"), "inferenceId": row.to_string(), "inferenceTime": time.to_string(),
            },
            "eventVersion": "0",
        });
        writeln!(captures, "{record}").unwrap();
    }
    job.write("opt/ml/processing/captures/churn/AllTraffic/2021/05/26/00/29-13-000-x.jsonl", &captures);
    let mut labels = String::new();
    for (id, (_, label)) in scored.iter().enumerate() {
        let record = json!({
            "groundTruthData": {"data": label, "encoding": "CSV"},
            "eventMetadata": {"eventId": id.to_string()},
            "eventVersion": "0",
        });
        writeln!(labels, "{record}").unwrap();
    }
    let hour = case["schedule"]["ground_truth_hour_folder"].as_str().unwrap();
    job.write(&format!("opt/ml/processing/groundtruth/{hour}/labels.jsonl"), &labels);
    job.constraints(&golden("churn-live-window-a/constraints.json"));
    job
}

#[test]
fn churn_live_window_has_the_observed_violations() {
    let case = json_golden("churn-live-window-a/case.json");
    let scored: Vec<(String, String)> = golden("churn-live-window-a/scores_and_ground_truth.csv")
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            (cells[1].to_owned(), cells[2].to_owned())
        })
        .collect();
    let job = live_window(&case, &scored);
    let merged = job.merge(&[
        ("dataset_source", "/opt/ml/processing/captures"),
        ("ground_truth_source", "/opt/ml/processing/groundtruth"),
        ("output_path", "/opt/ml/processing/input_data"),
    ]);
    assert_eq!(merged, None, "{:?}", job.log());
    assert_eq!(job.run(), case["expected"]["exit_message_ours"].as_str().unwrap());
    assert_eq!(job.outputs(), ["constraint_violations.json", "constraints.json", "statistics.json"]);
    let metrics = job.metrics();
    assert_eq!(job.document("statistics.json")["dataset"]["item_count"], 1817);
    assert_contains(&metrics["confusion_matrix"], &case["expected"]["confusion_matrix"], 0.0);
    assert_contains(&metrics, &case["expected"]["metrics"], 1e-12);
    let majority = case["expected"]["majority_share"].as_f64().unwrap();
    let best_constant = value(&metrics["accuracy_best_constant_classifier"]).as_f64().unwrap();
    assert!((best_constant - majority).abs() <= 1e-12, "{best_constant} is not {majority}");

    let ours = job.document("constraint_violations.json");
    let ours = ours["violations"].as_array().unwrap();
    let observed = json_golden("churn-live-window-a/observed_violations.json");
    let observed = observed["violations"].as_array().unwrap();
    assert_eq!((ours.len(), observed.len()), (11, 10));
    assert!(ours.iter().any(|violation| violation["metric_name"] == "f0_5"));
    for theirs in observed {
        let ours = ours.iter().find(|violation| violation["metric_name"] == theirs["metric_name"]).unwrap();
        assert_eq!(ours["constraint_check_type"], theirs["constraint_check_type"]);
        let (ours, theirs) = (Sentence::of(&ours["description"]), Sentence::of(&theirs["description"]));
        assert_eq!((ours.start, ours.end), (theirs.start, theirs.end));
        assert!((ours.value - theirs.value).abs() <= 1e-12, "{}: {} is not {}", ours.start, ours.value, theirs.value);
    }
}

/// A violation's description without its spread, which is random.
struct Sentence<'a> {
    start: &'a str,
    value: f64,
    end: &'a str,
}

impl<'a> Sentence<'a> {
    fn of(description: &'a Value) -> Self {
        let (start, rest) = description.as_str().unwrap().split_once(" with ").unwrap();
        let (value, rest) = rest.split_once(" +/- ").unwrap();
        let (_, end) = rest.split_once(' ').unwrap();
        Self { start, value: value.parse().unwrap(), end }
    }
}
