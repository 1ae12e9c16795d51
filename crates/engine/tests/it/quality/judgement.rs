//! What counts as a violation, and in which order (sections 4.3 and 4.4).

use watchkeeper_engine::quality::judge;
use watchkeeper_formats::ModelQualityConstraints;

use super::{PREDICTIONS, outcome, pairs};

/// Violated metrics and notes of constraints on a classification that is right in three of four rows: precision and recall 0.5,
/// accuracy 0.75, and the best constant answers 0.
#[track_caller]
fn judged(constraints: &str) -> (Vec<String>, Vec<String>) {
    let outcome =
        outcome(PREDICTIONS, &pairs(&[("1", "1"), ("0", "0"), ("0", "0"), ("1", "0"), ("0", "1"), ("0", "0")]));
    let text = format!(r#"{{"binary_classification_constraints": {constraints}}}"#);
    let (violations, notes) = judge(&outcome.metrics, &ModelQualityConstraints::parse_any(&text).unwrap());
    (violations.into_iter().map(|violation| violation.metric_name).collect(), notes)
}

#[test]
fn equality_is_no_violation_but_where_the_operator_says_so() {
    let (violated, notes) = judged(
        r#"{"recall": {"threshold": 0.5}, "precision": {"threshold": "0.5", "comparison_operator": "GreaterThanThreshold"},
            "f1": {"threshold": 0.5, "comparison_operator": "LessThanOrEqualToThreshold"},
            "f2": {"threshold": 0.5, "comparison_operator": "greaterthanorequaltothreshold"}}"#,
    );
    assert_eq!((violated, notes), (vec!["f1".to_owned(), "f2".to_owned()], vec![]));
}

#[test]
fn usual_metrics_come_first_and_others_in_the_order_of_the_file() {
    let below = |metric: &str| format!(r#""{metric}": {{"threshold": 2, "comparison_operator": "LessThanThreshold"}}"#);
    let constraints: Vec<String> =
        ["f1", "recall_best_constant_classifier", "accuracy_best_constant_classifier", "accuracy", "recall"]
            .map(below)
            .to_vec();
    let (violated, _) = judged(&format!("{{{}}}", constraints.join(", ")));
    assert_eq!(
        violated,
        ["recall", "accuracy", "f1", "recallBestConstantClassifier", "accuracyBestConstantClassifier"]
    );
}

#[test]
fn what_is_not_evaluated_is_said() {
    let (violated, notes) = judged(
        r#"{"auc": {"threshold": 0.9}, "recall": {"threshold": null}, "weighted_f1": {"threshold": 1, "comparison_operator": "LessThanThreshold"}}"#,
    );
    assert!(violated.is_empty());
    assert_eq!(
        notes,
        [
            "the constraint on recall is not evaluated: it has no threshold",
            "the constraint on auc is not evaluated: this run has no such metric",
            "the constraint on weighted_f1 is not evaluated: this run has no such metric",
        ]
    );
}
