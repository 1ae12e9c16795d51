//! Recorded and printed numbers of the real monitor, bit for bit, and numbers of scikit-learn.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use watchkeeper_engine::quality::{Problem, judge};
use watchkeeper_formats::{ModelQualityConstraints, ModelQualityStatistics, ProblemType};

use super::{BOTH, Outcome, PREDICTIONS, Record, SCORES, Value, outcome, pairs, scored, text};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyzer/tests/goldens/model-quality").join(name)
}

fn json(name: &str) -> Json {
    serde_json::from_str(&std::fs::read_to_string(golden(name)).unwrap()).unwrap()
}

/// The records of a table, from columns by name.
fn records(name: &str, columns: [Option<&str>; 3]) -> Vec<Record> {
    let mut reader = csv::Reader::from_path(golden(name)).unwrap();
    let headers = reader.headers().unwrap().clone();
    let places = columns.map(|column| Some(headers.iter().position(|header| Some(header) == column)).flatten());
    let record =
        |record: csv::StringRecord| places.map(|place| place.map_or(Value::Missing, |place| text(&record[place])));
    reader.records().map(|line| record(line.unwrap())).collect()
}

/// Every scalar that the expected numbers have, and how many there are.
#[track_caller]
fn assert_scalars(outcome: &Outcome, expected: &Json, tolerance: f64) -> usize {
    let mut compared = 0;
    for (name, metric) in outcome.metrics.scalars() {
        let Some(expected) = expected.get(name) else { continue };
        let expected = expected.as_f64().or_else(|| expected["value"].as_f64()).unwrap();
        assert!((metric.value - expected).abs() <= tolerance, "{name}: {} is not {expected}", metric.value);
        compared += 1;
    }
    compared
}

#[track_caller]
fn assert_close(ours: &[f64], expected: &Json, tolerance: f64) {
    let expected: Vec<f64> = expected.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    assert_eq!(ours.len(), expected.len());
    for (place, (ours, theirs)) in ours.iter().zip(&expected).enumerate() {
        assert!((ours - theirs).abs() <= tolerance, "point {place}: {ours} is not {theirs}");
    }
}

/// Curves and confusion matrix.
#[track_caller]
fn assert_curves(outcome: Outcome, expected: &Json, tolerance: f64) {
    let metrics = outcome.binary();
    let roc = metrics.receiver_operating_characteristic_curve.unwrap();
    let expected_roc = &expected["receiver_operating_characteristic_curve"];
    assert_close(&roc.false_positive_rates, &expected_roc["false_positive_rates"], tolerance);
    assert_close(&roc.true_positive_rates, &expected_roc["true_positive_rates"], tolerance);
    let curve = metrics.precision_recall_curve.unwrap();
    assert_close(&curve.precisions, &expected["precision_recall_curve"]["precisions"], tolerance);
    assert_close(&curve.recalls, &expected["precision_recall_curve"]["recalls"], tolerance);
}

#[track_caller]
fn assert_matrix(outcome: &Outcome, expected: &Json) {
    let matrix = outcome.metrics.confusion_matrix().unwrap();
    let rows = expected.as_object().unwrap();
    assert!(rows.keys().eq(&matrix.classes), "{rows:?}");
    for (counts, expected) in matrix.counts.iter().zip(rows.values()) {
        let expected = expected.as_object().unwrap();
        assert!(expected.keys().eq(&matrix.classes));
        assert!(expected.values().map(|count| count.as_u64().unwrap()).eq(counts.iter().copied()), "{expected:?}");
    }
}

#[test]
fn recorded_binary_baseline_to_the_last_bit() {
    let records =
        records("churn-binary-baseline/baseline.csv", [Some("prediction"), Some("probability"), Some("label")]);
    let outcome = outcome(BOTH, &records);
    let recorded = json("churn-binary-baseline/expected_statistics.json");
    let metrics = &recorded["binary_classification_metrics"];
    assert_eq!(outcome.interpreter.rows_used(), recorded["dataset"]["item_count"].as_u64().unwrap());
    assert_eq!(assert_scalars(&outcome, metrics, 0.0), 17);
    assert_matrix(&outcome, &metrics["confusion_matrix"]);

    let suggested = ModelQualityConstraints::suggest(&outcome.metrics);
    let text = std::fs::read_to_string(golden("churn-binary-baseline/expected_constraints.json")).unwrap();
    assert_eq!(suggested, ModelQualityConstraints::parse(&text, ProblemType::BinaryClassification).unwrap());

    // The recorded deviations are those of other draws: of the same magnitude they must be.
    let observed = json("churn-binary-baseline/case.json")["observed_standard_deviation_one_run"].clone();
    for (name, observed) in observed.as_object().unwrap() {
        let scalars = outcome.metrics.scalars();
        let ours = scalars.iter().find(|(metric, _)| metric == name).unwrap().1.standard_deviation;
        let observed = observed.as_f64().unwrap();
        assert!(ours <= observed * 4.0 && ours >= observed / 4.0, "{name}: {ours} beside {observed}");
    }
    assert_curves(outcome, metrics, 0.0);
}

#[test]
fn recorded_regression_baseline_to_the_last_byte() {
    let records = records("sdk-regression-baseline/baseline.csv", [Some("Label"), None, Some("Prediction")]);
    let outcome = outcome(Problem::Regression, &records);
    let case = json("sdk-regression-baseline/case.json");
    let recorded = |file: &str| {
        let lines = case["recorded_text"][file].as_array().unwrap();
        lines.iter().map(|line| line.as_str().unwrap()).collect::<Vec<_>>().join("\n")
    };
    let suggested = ModelQualityConstraints::suggest(&outcome.metrics);
    assert_eq!(suggested.to_json(), recorded("constraints.json"));
    let item_count = outcome.interpreter.rows_used();
    assert_eq!(outcome.residuals.as_ref().unwrap().ranks.total(), item_count);
    let good = std::fs::read_to_string(golden("sdk-regression-baseline/constraints_good.json")).unwrap();
    let good = ModelQualityConstraints::parse(&good, ProblemType::Regression).unwrap();
    assert_eq!(judge(&outcome.metrics, &good), (Vec::new(), Vec::new()));
    let statistics = ModelQualityStatistics { item_count, evaluation_time: None, metrics: outcome.metrics };
    assert_eq!(statistics.to_json(), recorded("statistics.json"));
}

/// Rows that give a confusion matrix of two classes.
fn rows_of(matrix: &Json) -> Vec<(&str, &str)> {
    let mut rows = Vec::new();
    for (truth, counts) in matrix.as_object().unwrap() {
        for (prediction, count) in counts.as_object().unwrap() {
            rows.extend((0..count.as_u64().unwrap()).map(|_| (prediction.as_str(), truth.as_str())));
        }
    }
    rows
}

#[test]
fn printed_numbers_of_the_guide_to_the_last_bit() {
    let case = json("documented-multiclass-and-regression/case.json");
    let records = pairs(&rows_of(&case["confusion_matrix"]));
    let multiclass = outcome(Problem::Multiclass, &records);
    assert_eq!(assert_scalars(&multiclass, &case["multiclass_expected"], 0.0), 6);
    assert_matrix(&multiclass, &case["confusion_matrix"]);
    let regression = outcome(Problem::Regression, &records);
    assert_eq!(assert_scalars(&regression, &case["regression_expected_when_labels_read_as_numbers"], 0.0), 4);

    let example = &case["binary_example"];
    let binary = outcome(PREDICTIONS, &pairs(&rows_of(&example["confusion_matrix"])));
    assert_eq!(assert_scalars(&binary, example, 0.0), 10);
    assert_matrix(&binary, &example["confusion_matrix"]);

    let one_class = &case["one_class_curves"];
    let scores = one_class["scores"].as_array().unwrap();
    let rows: Vec<_> = scores.iter().map(|score| (1, 1, score.as_f64().unwrap())).collect();
    let curves = outcome(BOTH, &scored(&rows));
    assert_eq!(assert_scalars(&curves, one_class, 0.0), 1);
    assert_curves(curves, one_class, 0.0);
}

#[test]
fn tied_scores_as_scikit_learn_measures_them() {
    let outcome = outcome(SCORES, &records("binary-tied-scores/baseline.csv", [None, Some("score"), Some("label")]));
    let expected = &json("binary-tied-scores/case.json")["expected"];
    assert_eq!(assert_scalars(&outcome, expected, 1e-12), 17);
    assert_matrix(&outcome, &expected["confusion_matrix"]);
    assert_curves(outcome, expected, 1e-12);
}

#[test]
fn text_labels_as_scikit_learn_measures_them() {
    let records = records("multiclass-string-labels/baseline.csv", [Some("prediction"), None, Some("label")]);
    let outcome = outcome(Problem::Multiclass, &records);
    let expected = &json("multiclass-string-labels/case.json")["expected"];
    assert_eq!(assert_scalars(&outcome, expected, 1e-12), 12);
    assert_matrix(&outcome, &expected["confusion_matrix"]);
}

/// A recorded window: each capture is one of 334 scored rows. Ours reports `f0_5`, which the real monitor never does.
#[test]
fn recorded_window_and_its_violations() {
    let case = json("churn-live-window-a/case.json");
    let rows =
        records("churn-live-window-a/scores_and_ground_truth.csv", [None, Some("probability"), Some("ground_truth")]);
    let count = case["captures"]["count"].as_u64().unwrap() as usize;
    let captures: Vec<Record> = rows.iter().cycle().take(count).cloned().collect();
    let outcome = outcome(SCORES, &captures);
    assert_eq!(assert_scalars(&outcome, &case["expected"]["metrics"], 1e-12), 11);
    assert_matrix(&outcome, &case["expected"]["confusion_matrix"]);

    let text = std::fs::read_to_string(golden("churn-live-window-a/constraints.json")).unwrap();
    let constraints = ModelQualityConstraints::parse(&text, ProblemType::BinaryClassification).unwrap();
    let (violations, notes) = judge(&outcome.metrics, &constraints);
    assert_eq!(notes, Vec::<String>::new());
    let observed = json("churn-live-window-a/observed_violations.json");
    let observed = observed["violations"].as_array().unwrap();
    assert_eq!(violations.len(), observed.len() + 1);
    let value_of = |text: &str| text.split_whitespace().nth(3).unwrap().parse::<f64>().unwrap();
    for theirs in observed {
        let description = theirs["description"].as_str().unwrap();
        let ours = violations.iter().find(|ours| ours.metric_name == theirs["metric_name"].as_str().unwrap()).unwrap();
        assert_eq!(ours.constraint_check_type, theirs["constraint_check_type"].as_str().unwrap());
        let end = |text: &str| text.split_once(" was ").unwrap().1.to_owned();
        let start = |text: &str| text.split_once(" with ").unwrap().0.to_owned();
        assert_eq!(start(&ours.description), start(description));
        assert_eq!(end(&ours.description), end(description));
        assert!((value_of(&ours.description) - value_of(description)).abs() <= 1e-12);
    }
    let names: Vec<&str> = violations.iter().map(|violation| violation.metric_name.as_str()).collect();
    assert!(names.contains(&"f0_5"), "{names:?}");
}
