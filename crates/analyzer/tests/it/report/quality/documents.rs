//! Documents for reports: recorded ones, and small ones made by hand.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use watchkeeper_analyzer::report::{QualityDocuments, QualityReport, QualityRun};
use watchkeeper_formats::{
    MetricViolation, MetricViolations, ModelQualityConstraints, ModelQualityStatistics, ProblemType,
};

use crate::report::html::{Element, Page};

fn golden(path: &str) -> String {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/model-quality");
    std::fs::read_to_string(goldens.join(path)).unwrap()
}

/// The recorded baseline of a binary classification.
pub(super) fn churn_baseline() -> QualityDocuments {
    let constraints = golden("churn-binary-baseline/expected_constraints.json");
    QualityDocuments {
        name: "churn baseline".to_owned(),
        statistics: ModelQualityStatistics::parse(&golden("churn-binary-baseline/expected_statistics.json")).unwrap(),
        constraints: Some(ModelQualityConstraints::parse(&constraints, ProblemType::BinaryClassification).unwrap()),
    }
}

/// What the real monitor found in a window of random labels: recorded sentences, spreads from them.
pub(super) fn recorded_violations() -> Vec<MetricViolation> {
    MetricViolations::parse(&golden("churn-live-window-a/observed_violations.json")).unwrap().violations
}

/// Value, spread and threshold of a recorded sentence.
pub(super) fn numbers_of(violation: &MetricViolation) -> [f64; 3] {
    let words: Vec<&str> = violation.description.split(' ').collect();
    [words[3], words[5], words[8].trim_matches('\'')].map(|word| word.parse().unwrap())
}

/// That window as a run.
pub(super) fn churn_window() -> QualityRun {
    let case: Value = serde_json::from_str(&golden("churn-live-window-a/case.json")).unwrap();
    let violations = recorded_violations();
    let mut metrics = case["expected"]["metrics"].as_object().unwrap().clone();
    for (name, value) in &mut metrics {
        let camel_case =
            name.replace("_positive", "Positive").replace("_negative", "Negative").replace("_rate", "Rate");
        let recorded = violations.iter().find(|violation| violation.metric_name == camel_case);
        let spread = recorded.map_or(json!("NaN"), |violation| json!(numbers_of(violation)[1]));
        *value = json!({ "value": value, "standard_deviation": spread });
    }
    for name in ["recall", "precision", "accuracy", "f0_5", "f1", "f2"] {
        let value = if name == "recall" { json!(1.0) } else { case["expected"]["majority_share"].clone() };
        metrics.insert(format!("{name}_best_constant_classifier"), json!({ "value": value }));
    }
    metrics.insert("confusion_matrix".to_owned(), case["expected"]["confusion_matrix"].clone());
    let document = json!({
        "version": 0.0,
        "dataset": { "item_count": 1817 },
        "binary_classification_metrics": metrics,
    });
    let statistics = ModelQualityStatistics::parse(&document.to_string()).unwrap();
    let documents = QualityDocuments { name: "2021/05/26/01".to_owned(), statistics, constraints: None };
    QualityRun { documents, violations, residuals: None, notes: vec!["labels: 1 and 0".to_owned()] }
}

/// Regression metrics of one value and spread each.
pub(super) fn regression(name: &str, metrics: [(f64, f64); 4]) -> QualityDocuments {
    let number = |number: f64| if number.is_finite() { json!(number) } else { json!("NaN") };
    let metric = |(value, spread)| json!({ "value": number(value), "standard_deviation": number(spread) });
    let [mae, mse, rmse, r2] = metrics.map(metric);
    documents(
        name,
        &json!({
            "version": 0.0,
            "dataset": { "item_count": 250 },
            "regression_metrics": { "mae": mae, "mse": mse, "rmse": rmse, "r2": r2 },
        }),
    )
}

/// Multiclass metrics that are all 0.5, and a matrix.
pub(super) fn multiclass(name: &str, classes: &[&str], counts: impl Fn(usize, usize) -> u64) -> QualityDocuments {
    let mut metrics = serde_json::Map::new();
    let row = |truth: usize| -> Value {
        let cells = classes.iter().enumerate().map(|(it, class)| ((*class).to_owned(), json!(counts(truth, it))));
        Value::Object(cells.collect())
    };
    let matrix = classes.iter().enumerate().map(|(truth, class)| ((*class).to_owned(), row(truth)));
    metrics.insert("confusion_matrix".to_owned(), Value::Object(matrix.collect()));
    for name in ["accuracy", "weighted_recall", "weighted_precision", "weighted_f0_5", "weighted_f1", "weighted_f2"] {
        for suffix in ["", "_best_constant_classifier"] {
            let metric = json!({ "value": 0.5, "standard_deviation": 0.01 });
            metrics.insert(format!("{name}{suffix}"), metric);
        }
    }
    documents(
        name,
        &json!({
            "version": 0.0,
            "dataset": { "item_count": 1000 },
            "multiclass_classification_metrics": metrics,
        }),
    )
}

fn documents(name: &str, statistics: &Value) -> QualityDocuments {
    let statistics = ModelQualityStatistics::parse(&statistics.to_string()).unwrap();
    let constraints = Some(ModelQualityConstraints::suggest(&statistics.metrics));
    QualityDocuments { name: name.to_owned(), statistics, constraints }
}

/// Held against a baseline.
pub(super) fn judged(documents: QualityDocuments, baseline: &QualityDocuments) -> QualityRun {
    let constraints = baseline.constraints.as_ref().unwrap();
    let (violations, _) = watchkeeper_engine::quality::judge(&documents.statistics.metrics, constraints);
    QualityRun { documents, violations, residuals: None, notes: Vec::new() }
}

pub(super) fn report(baseline: &QualityDocuments, runs: &[QualityRun]) -> QualityReport {
    QualityReport { title: "title".to_owned(), baseline: Some(baseline.clone()), runs: runs.to_vec() }
}

pub(super) fn page(baseline: &QualityDocuments, runs: &[QualityRun]) -> Page {
    Page::parse(&report(baseline, runs).to_html())
}

/// The cell of a class in the row of a metric.
pub(super) fn cell<'a>(page: &'a Page, metric: &str, class: &str) -> &'a Element {
    let table = page.by_id("metrics").unwrap();
    let is_row = |element: &Element| element.name == "tr" && element.get("data-metric") == Some(metric);
    let [row] = page.within(table, is_row)[..] else { panic!("one row of {metric}") };
    let [cell] = page.within(row, |element| element.name == "td" && element.has_class(class))[..] else {
        panic!("one cell {class} of {metric}")
    };
    cell
}

/// The first number of an element: the exact one where the pointer rests, else as shown.
pub(super) fn number(page: &Page, element: &Element) -> f64 {
    let is_exact = |inner: &Element| inner.get("title").is_some() && element.text.trim().starts_with(&inner.text);
    let exact = page.within(element, is_exact).first().map(|inner| inner.get("title").unwrap().to_owned());
    let shown =
        || element.text.trim().split([' ', '\u{202f}']).next().unwrap().replace('\u{2212}', "-").replace(',', "");
    exact.unwrap_or_else(shown).parse().unwrap_or_else(|_| panic!("no number in {:?}", element.text))
}

/// The text of an element with single blanks.
pub(super) fn text(element: &Element) -> String {
    let mut text = String::new();
    for word in element.text.split_whitespace() {
        write!(text, "{}{word}", if text.is_empty() { "" } else { " " }).unwrap();
    }
    text
}
