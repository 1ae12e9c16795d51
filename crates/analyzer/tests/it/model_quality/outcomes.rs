//! Small datasets whose metrics were worked out by an independent implementation of the formulas (section 10 of the
//! specification), and what holds for any dataset.

use serde_json::{Value, json};

use super::{Job, NO_VIOLATIONS, assert_contains};

fn binary(rows: &[(u8, u8, f64)]) -> Value {
    let header = "prediction,label,score\n".to_owned();
    let csv =
        rows.iter().fold(header, |csv, (prediction, label, score)| format!("{csv}{prediction},{label},{score}\n"));
    Job::of_csv("BinaryClassification", &csv).measured()
}

#[test]
fn only_positives() {
    let metrics = binary(&[(1, 1, 0.9), (1, 1, 0.8), (0, 1, 0.4), (0, 1, 0.3)]);
    let expected = json!({
        "confusion_matrix": {"0": {"0": 0, "1": 0}, "1": {"0": 2, "1": 2}},
        "recall": 0.5, "precision": 1.0, "true_negative_rate": 1.0,
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            "true_positive_rates": [0.0, 0.25, 0.5, 0.75, 1.0, 1.0],
        },
        "precision_recall_curve": {
            "precisions": [1.0, 1.0, 1.0, 1.0, 1.0],
            "recalls": [0.0, 0.25, 0.5, 0.75, 1.0],
        },
        "auc": 1.0, "f0_5": 0.833_333_333_333_333_4, "f2": 0.555_555_555_555_555_6,
        "recall_best_constant_classifier": 1.0, "precision_best_constant_classifier": 1.0,
        "accuracy_best_constant_classifier": 1.0, "f0_5_best_constant_classifier": 1.0,
        "f1_best_constant_classifier": 1.0, "f2_best_constant_classifier": 1.0,
    });
    assert_contains(&metrics, &expected, 0.0);
}

#[test]
fn only_negatives() {
    let metrics = binary(&[(1, 0, 0.9), (0, 0, 0.2)]);
    let expected = json!({
        "recall": 0.0, "precision": 0.0, "f0_5": 0.0, "f1": 0.0, "f2": 0.0,
        "false_positive_rate": 0.5, "false_negative_rate": 1.0,
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, 0.5, 1.0, 1.0],
            "true_positive_rates": [0.0, 0.0, 0.0, 1.0],
        },
        "precision_recall_curve": {"precisions": [0.0, 0.0, 0.0], "recalls": [0.0, 0.0, 0.0]},
        "auc": 0.0,
        "accuracy_best_constant_classifier": 1.0, "recall_best_constant_classifier": 0.0,
        "precision_best_constant_classifier": 0.0, "f1_best_constant_classifier": 0.0,
    });
    assert_contains(&metrics, &expected, 0.0);
}

#[test]
fn a_class_that_is_never_predicted() {
    let metrics = binary(&[(0, 1, 0.4), (0, 0, 0.3), (0, 0, 0.2)]);
    let expected = json!({
        "precision": 0.0, "f0_5": 0.0, "f1": 0.0, "f2": 0.0, "auc": 1.0,
        "precision_recall_curve": {"precisions": [1.0, 1.0, 0.5, 0.333_333_333_333_333_3]},
    });
    assert_contains(&metrics, &expected, 0.0);
}

#[test]
fn one_row() {
    let metrics = binary(&[(1, 1, 0.9)]);
    let expected = json!({
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": [0.0, 0.0, 1.0], "true_positive_rates": [0.0, 1.0, 1.0],
        },
        "precision_recall_curve": {"precisions": [1.0, 1.0], "recalls": [0.0, 1.0]},
        "auc": 1.0,
    });
    assert_contains(&metrics, &expected, 0.0);
    for (name, metric) in metrics.as_object().unwrap().iter().filter(|(_, metric)| metric.get("value").is_some()) {
        assert_eq!(metric["standard_deviation"], "NaN", "{name}");
    }
}

#[test]
fn a_class_that_is_never_true() {
    let csv = "prediction,label\na,b\nb,b\nc,a\n";
    let mut job = Job::of_csv("MulticlassClassification", csv);
    let expected = json!({
        "confusion_matrix": {
            "a": {"a": 0, "b": 0, "c": 1}, "b": {"a": 1, "b": 1, "c": 0}, "c": {"a": 0, "b": 0, "c": 0}
        },
        "accuracy": 0.333_333_333_333_333_3, "weighted_precision": 0.666_666_666_666_666_6,
        "weighted_f0_5": 0.555_555_555_555_555_6, "weighted_f2": 0.370_370_370_370_370_4,
        "weighted_f2_best_constant_classifier": 0.606_060_606_060_606_1,
    });
    assert_contains(&job.measured(), &expected, 0.0);

    job.constraints(r#"{"multiclass_classification_constraints": {"weighted_f0_5": {"threshold": 1}}}"#);
    assert_eq!(job.run(), "CompletedWithViolations: Job completed successfully with 1 violations.");
    let sentence = "Metric weightedF0_5 with 0.5555555555555556 +/- NaN was LessThanThreshold '1.0'";
    assert_eq!(
        job.document("constraint_violations.json"),
        json!({"violations": [{
            "constraint_check_type": "LessThanThreshold", "description": sentence, "metric_name": "weightedF0_5",
        }]})
    );
}

#[test]
fn labels_that_are_all_equal() {
    let regression = |row: &str| Job::of_csv("Regression", &format!("prediction,label\n{}", row.repeat(3))).measured();
    let almost = 0.999_999_999_999_999_9;
    let expected = json!({"mae": 1.0, "mse": almost, "rmse": almost, "r2": "NaN"});
    assert_contains(&regression("1,2\n"), &expected, 0.0);
    assert_contains(&regression("2,2\n"), &json!({"mae": 0.0, "mse": 0.0, "rmse": 0.0, "r2": 1.0}), 0.0);
}

/// So many rows of a binary classification, neither all right nor all wrong.
fn rows(count: usize) -> String {
    let header = "prediction,label,score\n".to_owned();
    (0..count).fold(header, |csv, row| {
        let label = u8::from(row % 3 == 0);
        let prediction = u8::from(row % 3 == 0 && row % 7 != 0);
        format!("{csv}{prediction},{label},0.{}\n", (row * 7919) % 10_007)
    })
}

#[test]
fn spreads_take_two_hundred_rows() {
    for (count, has_spread) in [(199, false), (200, true)] {
        let metrics = Job::of_csv("BinaryClassification", &rows(count)).measured();
        let scalars: Vec<_> =
            metrics.as_object().unwrap().iter().filter(|(_, metric)| metric.get("value").is_some()).collect();
        assert_eq!(scalars.len(), 17);
        for (name, metric) in scalars {
            let spread = &metric["standard_deviation"];
            if has_spread {
                assert!(spread.as_f64().is_some_and(|spread| (0.0..0.5).contains(&spread)), "{name}: {spread}");
            } else {
                assert_eq!(spread, "NaN", "{name}");
            }
        }
        if has_spread {
            assert!(metrics["accuracy"]["standard_deviation"].as_f64().unwrap() > 0.0);
        }
    }
}

#[test]
fn a_run_again_gives_the_same_bytes() {
    let bytes = || {
        let job = Job::of_csv("BinaryClassification", &rows(1000));
        assert_eq!(job.run(), NO_VIOLATIONS);
        let time = job.document("statistics.json")["dataset"]["evaluation_time"].as_str().unwrap().to_owned();
        (job.output("statistics.json").replace(&time, ""), job.output("constraints.json"))
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_dataset_meets_its_own_constraints() {
    let multiclass = (0..300).fold("prediction,label\n".to_owned(), |csv, row| {
        format!("{csv}{},{}\n", ["cat", "dog", "emu"][row % 3], ["cat", "dog", "emu"][row * row % 3])
    });
    let regression = (0..300).fold("prediction,label\n".to_owned(), |csv, row| {
        format!("{csv}{},{}\n", f64::from(row) / 7.0, f64::from(row * row % 50) / 3.0)
    });
    let of_problems =
        [("BinaryClassification", rows(300)), ("MulticlassClassification", multiclass), ("Regression", regression)];
    for (problem_type, csv) in of_problems {
        let mut job = Job::of_csv(problem_type, &csv);
        assert_eq!(job.run(), NO_VIOLATIONS);
        let constraints = job.output("constraints.json");
        job.constraints(&constraints);
        assert_eq!(job.run(), NO_VIOLATIONS, "{problem_type}");
        assert_eq!(job.output("constraints.json"), constraints, "{problem_type}");
    }
}
