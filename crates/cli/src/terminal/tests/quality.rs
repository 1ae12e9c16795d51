//! Model quality and merges.

use watchkeeper_engine::quality::judge;
use watchkeeper_formats::{
    ConfusionMatrix, DuplicateLabels, MergeReport, MetricViolations, ModelQualityConstraints, ModelQualityMetrics,
    ModelQualityStatistics, ProblemType, SideOfMerge,
};

use super::super::{QualityView, merge_report, quality, quality_constraints, quality_statistics, quality_violations};
use super::*;

fn quality_golden(name: &str) -> String {
    fs::read_to_string(here().join("../analyzer/tests/goldens/model-quality").join(name)).unwrap()
}

/// The baseline that AWS made, with spreads that it printed for some metrics.
fn churn() -> ModelQualityStatistics {
    ModelQualityStatistics::parse(&quality_golden("churn-binary-baseline/expected_statistics.json")).unwrap()
}

fn assert_fits(text: &str, style: &Style) {
    for line in text.lines() {
        assert!(width(line) <= style.width, "{line:?} is wider than {}", style.width);
    }
}

#[test]
fn statistics_of_a_binary_classification() {
    assert_shown("quality_churn", &quality_statistics(&churn(), &WIDE));
    let shown = quality_statistics(&churn(), &ASCII);
    assert!(shown.is_ascii());
}

/// The same numbers, some of them worse.
fn worse() -> ModelQualityStatistics {
    let mut statistics = churn();
    let ModelQualityMetrics::BinaryClassification(metrics) = &mut statistics.metrics else {
        panic!("of another problem")
    };
    metrics.recall.value = 0.1146;
    metrics.recall.standard_deviation = 0.003_116;
    metrics.false_positive_rate.value = 0.25;
    // Less by one unit in the last place: no digit that is usually shown tells.
    metrics.auc.as_mut().unwrap().value = metrics.auc.unwrap().value.next_down();
    statistics
}

#[test]
fn a_check_beside_its_baseline() {
    let constraints = quality_golden("churn-binary-baseline/expected_constraints.json");
    let constraints = ModelQualityConstraints::parse(&constraints, ProblemType::BinaryClassification).unwrap();
    let (baseline, statistics) = (churn(), worse());
    let (violations, notes) = judge(&statistics.metrics, &constraints);
    assert_eq!(violations.len(), 3);
    let view = QualityView {
        statistics: &statistics,
        baseline: Some(&baseline),
        constraints: Some(&constraints),
        violations: Some(&violations),
        notes: &notes,
    };
    assert_shown("quality_check_churn", &quality(&view, &WIDE));
    assert_shown("quality_check_churn_coloured", &quality(&view, &Style { color: true, ..NARROW }));
    for width in [24, 40, 60, 80] {
        let style = Style { width, ..ASCII };
        assert_fits(&quality(&view, &style), &style);
    }
    let document = MetricViolations { violations };
    assert_shown("quality_violations_churn", &quality_violations(&document, &NARROW));
    assert_shown("quality_constraints_churn", &quality_constraints(&constraints, &NARROW));
}

#[test]
fn a_matrix_of_many_classes_is_a_list_of_confusions() {
    let mut statistics = churn();
    let ModelQualityMetrics::BinaryClassification(metrics) = &mut statistics.metrics else {
        panic!("of another problem")
    };
    let classes: Vec<String> = (0..20).map(|class| format!("class \u{1b}[31m{class}")).collect();
    // A class is taken for the one that is so many places further, the more often the nearer.
    let counts =
        (0..20).map(|actual| (0..20).map(|other| (20 - (other + 20 - actual) % 20) as u64).collect()).collect();
    metrics.confusion_matrix = ConfusionMatrix { classes, counts };
    let shown = quality_statistics(&statistics, &NARROW);
    assert!(!shown.contains('\u{1b}'), "a class steers the terminal");
    let (_, confusions) = shown.split_once("most frequent confusions").unwrap();
    assert_shown("quality_many_classes", confusions);
}

#[test]
fn a_merge() {
    let side = |records, unmatched, ids: &[&str]| SideOfMerge {
        files: 3,
        records,
        unmatched,
        unmatched_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        rejected: 0,
        rejected_samples: Vec::new(),
    };
    let ground_truth = SideOfMerge {
        rejected: 1,
        rejected_samples: vec!["2021/05/26/01/labels.jsonl, line 7: no eventId".to_owned()],
        ..side(334, 2, &["x", &"long ".repeat(100)])
    };
    let report = MergeReport {
        hours: Some(("2021/05/26/00".to_owned(), "2021/05/26/05".to_owned())),
        captures: side(1900, 83, &["a", "b", "c", "d", "e", "f"]),
        ground_truth,
        matched: 1817,
        out_of_window: Some(11),
        duplicate_labels: DuplicateLabels {
            replaced: 4,
            with_other_value: 1,
            with_other_value_ids: vec!["57".to_owned()],
        },
    };
    assert_shown("merge_report", &merge_report(&report, &NARROW));
    let style = Style { width: 24, ..ASCII };
    assert_fits(&merge_report(&report, &style), &style);
}
