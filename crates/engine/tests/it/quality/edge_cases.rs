//! The worked edge cases of the specification (section 10), computed there with an independent implementation.

use watchkeeper_engine::quality::{Problem, judge};
use watchkeeper_formats::ModelQualityConstraints;

use super::{BOTH, Outcome, outcome, pairs, scored};

#[track_caller]
fn assert_values(outcome: &Outcome, expected: &[(&str, f64)]) {
    for (name, expected) in expected {
        assert_eq!(outcome.value(name), *expected, "{name}");
    }
}

/// False and true positive rates, precisions and recalls.
type Points<'a> = (&'a [f64], &'a [f64], &'a [f64], &'a [f64]);

#[track_caller]
fn assert_points(outcome: Outcome, (false_positive_rates, true_positive_rates, precisions, recalls): Points) {
    let metrics = outcome.binary();
    let roc = metrics.receiver_operating_characteristic_curve.unwrap();
    assert_eq!((&*roc.false_positive_rates, &*roc.true_positive_rates), (false_positive_rates, true_positive_rates));
    let curve = metrics.precision_recall_curve.unwrap();
    assert_eq!((&*curve.precisions, &*curve.recalls), (precisions, recalls));
}

#[test]
fn only_positives() {
    let outcome = outcome(BOTH, &scored(&[(1, 1, 0.9), (1, 1, 0.8), (0, 1, 0.4), (0, 1, 0.3)]));
    assert_eq!(outcome.metrics.confusion_matrix().unwrap().counts, [[0, 0], [2, 2]]);
    assert_values(
        &outcome,
        &[
            ("recall", 0.5),
            ("precision", 1.0),
            ("true_negative_rate", 1.0),
            ("auc", 1.0),
            ("f0_5", 0.833_333_333_333_333_4),
            ("f2", 0.555_555_555_555_555_6),
            ("recall_best_constant_classifier", 1.0),
            ("precision_best_constant_classifier", 1.0),
            ("accuracy_best_constant_classifier", 1.0),
            ("f0_5_best_constant_classifier", 1.0),
            ("f1_best_constant_classifier", 1.0),
            ("f2_best_constant_classifier", 1.0),
        ],
    );
    let points: Points =
        (&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0], &[0.0, 0.25, 0.5, 0.75, 1.0, 1.0], &[1.0; 5], &[0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_points(outcome, points);
}

#[test]
fn only_negatives() {
    let outcome = outcome(BOTH, &scored(&[(1, 0, 0.9), (0, 0, 0.2)]));
    assert_values(
        &outcome,
        &[
            ("recall", 0.0),
            ("precision", 0.0),
            ("f0_5", 0.0),
            ("f1", 0.0),
            ("f2", 0.0),
            ("false_positive_rate", 0.5),
            ("false_negative_rate", 1.0),
            ("auc", 0.0),
            ("accuracy_best_constant_classifier", 1.0),
            ("recall_best_constant_classifier", 0.0),
            ("precision_best_constant_classifier", 0.0),
            ("f0_5_best_constant_classifier", 0.0),
            ("f1_best_constant_classifier", 0.0),
            ("f2_best_constant_classifier", 0.0),
        ],
    );
    assert_points(outcome, (&[0.0, 0.5, 1.0, 1.0], &[0.0, 0.0, 0.0, 1.0], &[0.0; 3], &[0.0; 3]));
}

#[test]
fn positives_are_never_predicted() {
    let outcome = outcome(BOTH, &scored(&[(0, 1, 0.4), (0, 0, 0.3), (0, 0, 0.2)]));
    assert_values(&outcome, &[("precision", 0.0), ("f0_5", 0.0), ("f1", 0.0), ("f2", 0.0), ("auc", 1.0)]);
    let precisions = outcome.binary().precision_recall_curve.unwrap().precisions;
    assert_eq!(precisions, [1.0, 1.0, 0.5, 0.333_333_333_333_333_3]);
}

#[test]
fn one_row() {
    let outcome = outcome(BOTH, &scored(&[(1, 1, 0.9)]));
    assert_values(&outcome, &[("auc", 1.0)]);
    assert!(outcome.metrics.scalars().iter().all(|(_, metric)| metric.standard_deviation.is_nan()));
    assert_points(outcome, (&[0.0, 0.0, 1.0], &[0.0, 1.0, 1.0], &[1.0, 1.0], &[0.0, 1.0]));
}

#[test]
fn classes_that_one_side_has() {
    let outcome = outcome(Problem::Multiclass, &pairs(&[("a", "b"), ("b", "b"), ("c", "a")]));
    assert_values(
        &outcome,
        &[
            ("accuracy", 0.333_333_333_333_333_3),
            ("weighted_precision", 0.666_666_666_666_666_6),
            ("weighted_f0_5", 0.555_555_555_555_555_6),
            ("weighted_f2", 0.370_370_370_370_370_4),
            ("weighted_f2_best_constant_classifier", 0.606_060_606_060_606_1),
        ],
    );
    let constraints = r#"{"multiclass_classification_constraints": {"weighted_f0_5": {"threshold": 1}}}"#;
    let (violations, _) = judge(&outcome.metrics, &ModelQualityConstraints::parse_any(constraints).unwrap());
    assert_eq!(
        violations[0].description,
        "Metric weightedF0_5 with 0.5555555555555556 +/- NaN was LessThanThreshold '1.0'"
    );
    let matrix = outcome.multiclass().confusion_matrix;
    assert_eq!(matrix.classes, ["a", "b", "c"]);
    assert_eq!(matrix.counts, [[0, 0, 1], [1, 1, 0], [0, 0, 0]]);
}

#[test]
fn true_values_without_variance() {
    let metrics = outcome(Problem::Regression, &pairs(&[("1", "2"); 3])).regression();
    assert_eq!((metrics.mae.value, metrics.mse.value), (1.0, 0.999_999_999_999_999_9));
    assert_eq!(metrics.rmse.value, 0.999_999_999_999_999_9);
    assert!(metrics.r2.value.is_nan());

    let metrics = outcome(Problem::Regression, &pairs(&[("2", "2"); 3])).regression();
    assert_eq!((metrics.mae.value, metrics.mse.value, metrics.rmse.value, metrics.r2.value), (0.0, 0.0, 0.0, 1.0));
    assert!(outcome(Problem::Regression, &pairs(&[("3", "1")])).regression().r2.value.is_nan());
    assert_eq!(outcome(Problem::Regression, &pairs(&[("1", "1")])).regression().r2.value, 1.0);
}

#[test]
fn errors_beyond_all_doubles_are_infinite() {
    let metrics = outcome(Problem::Regression, &pairs(&[("-1e308", "1e308"), ("0", "1")]));
    assert_eq!(metrics.residuals.as_ref().unwrap().range, (1.0, f64::INFINITY));
    assert_eq!(metrics.value("mae"), f64::INFINITY);
    assert!(ModelQualityConstraints::suggest(&metrics.metrics).constraints.is_empty());
}
