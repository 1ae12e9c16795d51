//! What the report says of a model, and that it is true.

use watchkeeper_analyzer::report::{QualityDocuments, QualityReport, QualityRun};
use watchkeeper_engine::quality::Residuals;
use watchkeeper_engine::sketch::Kll;
use watchkeeper_formats::{
    ComparisonOperator, MetricConstraint, ModelQualityMetrics, PrecisionRecallCurve,
    ReceiverOperatingCharacteristicCurve,
};

use super::documents::{
    cell, churn_baseline, churn_window, judged, multiclass, number, numbers_of, page, recorded_violations, regression,
    text,
};
use crate::report::html::{Element, Page};

fn metrics(page: &Page) -> Vec<&str> {
    let table = page.by_id("metrics").unwrap();
    page.within(table, |it| it.get("data-metric").is_some()).iter().map(|it| it.get("data-metric").unwrap()).collect()
}

fn table<'a>(page: &'a Page, class: &str) -> Vec<Vec<&'a str>> {
    let is_wanted = |element: &&Element| element.name == "table" && element.has_class(class);
    page.rows(page.elements.iter().find(is_wanted).unwrap_or_else(|| panic!("no table {class}")))
}

/// The referee is the recorded file: each of its sentences names value, spread and threshold.
#[test]
fn every_recorded_violation_is_shown_with_its_numbers() {
    let page = page(&churn_baseline(), &[churn_window()]);
    assert_eq!(page.by_id("verdict").unwrap().text, "10 of 11 metrics are worse than allowed");
    let list = page.by_id("violations").unwrap();
    let shown = page.within(list, |element| element.has_class("description"));
    for violation in recorded_violations() {
        assert!(shown.iter().any(|it| it.text == violation.description), "{}", violation.description);
        let [value, spread, threshold] = numbers_of(&violation);
        let name = violation.metric_name.replace("Positive", "_positive").replace("Negative", "_negative");
        let name = name.replace("Rate", "_rate");
        assert_eq!(number(&page, cell(&page, &name, "current")), value);
        assert_eq!(number(&page, cell(&page, &name, "limit")), threshold);
        let difference = cell(&page, &name, "difference");
        assert_eq!(number(&page, difference), (value - threshold).abs(), "{name}");
        let [tag] = page.within(difference, |element| element.has_class("tag"))[..] else { panic!("one tag") };
        let ratio = (value - threshold).abs() / spread;
        assert!((number(&page, tag) / ratio - 1.0).abs() < 0.05, "{name}: {} and {ratio}", tag.text);
        assert!(tag.has_class("bad") && difference.text.contains("worse"));
    }
}

#[test]
fn the_worst_metric_and_a_better_constant_are_said_first() {
    let page = page(&churn_baseline(), &[churn_window()]);
    let lead = text(page.by_id("lead").unwrap());
    assert!(
        lead.starts_with("Worst: Recall 0.1146 ± 0.0031, worse than its limit 0.5714 by 0.4569, 150 × its spread.")
    );
    assert!(lead.contains("most frequent class would be right more often: accuracy 0.7254 instead of 0.322."));
    let order = metrics(&page);
    assert_eq!(order[0], "recall");
    assert_eq!(order[10], "f0_5", "what is no violation comes last");
    assert!(page.by_id("notes").unwrap().text.contains("labels: 1 and 0"));
}

#[test]
fn a_violation_within_its_spread_is_called_so() {
    let before = regression("before", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    let run = judged(regression("now", [(1.05, 0.1), (1.95, 0.1), (1.9, 0.1), (0.8, 0.1)]), &before);
    let page = page(&before, &[run]);
    assert_eq!(
        page.by_id("verdict").unwrap().text,
        "2 of 4 metrics are worse than allowed, 1 of them within their spread"
    );
    assert_eq!(metrics(&page), ["rmse", "mae", "mse", "r2"], "the worst first, then as in the file");
    let difference = |metric| text(cell(&page, metric, "difference"));
    assert_eq!(difference("rmse"), "0.5 worse 5 × its spread");
    assert_eq!(difference("mae"), "0.05 worse within its spread");
    assert_eq!(difference("mse"), "0.05 better within its spread");
    assert_eq!(difference("r2"), "equal");
}

#[test]
fn without_a_spread_nothing_is_said_about_chance() {
    let unknown = f64::NAN;
    let before = regression("before", [(1.0, unknown), (2.0, unknown), (1.4, unknown), (unknown, unknown)]);
    let run = judged(regression("now", [(1.5, unknown), (2.0, unknown), (1.4, unknown), (0.1, unknown)]), &before);
    let page = page(&before, &[run]);
    assert_eq!(page.by_id("verdict").unwrap().text, "1 of 3 metrics is worse than allowed");
    assert_eq!(text(cell(&page, "mae", "difference")), "0.5 worse spread unknown");
    assert_eq!(text(cell(&page, "r2", "difference")), "", "there is no limit to hold it against");
    let hints = page.elements.iter().any(|it| it.has_class("hint") && it.text.contains("Fewer than 200 rows"));
    assert!(hints);
}

#[test]
fn kept_limits_are_said_with_the_nearest() {
    let before = regression("before", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    let page = page(&before, &[judged(regression("now", [(0.9, 0.1), (1.0, 0.1), (1.0, 0.1), (0.9, 0.1)]), &before)]);
    let verdict = page.by_id("verdict").unwrap();
    assert_eq!(verdict.text, "No violations: all 4 limits are kept");
    assert!(verdict.has_class("good"));
    assert!(
        text(page.by_id("lead").unwrap())
            .starts_with("Nearest to its limit: MAE 0.9 ± 0.1, better than its limit 1 by 0.1")
    );
    assert!(page.by_id("violations").is_none());
}

#[test]
fn limits_that_people_have_edited_are_those_in_force() {
    let mut before = churn_baseline();
    let constraints = &mut before.constraints.as_mut().unwrap().constraints;
    constraints.retain(|constraint| constraint.metric != "f1");
    let recall = constraints.iter_mut().find(|constraint| constraint.metric == "recall").unwrap();
    recall.threshold = Some(0.1);
    constraints.push(MetricConstraint {
        metric: "accuracy_best_constant_classifier".to_owned(),
        threshold: Some(0.9),
        comparison_operator: ComparisonOperator::LessThanThreshold,
    });
    let page = page(&before, &[judged(churn_window().documents, &before)]);
    assert_eq!(text(cell(&page, "recall", "limit")), "0.1");
    assert!(text(cell(&page, "recall", "difference")).starts_with("0.01457 better"));
    assert_eq!(text(cell(&page, "f1", "limit")), "", "no limit; it is held against the baseline");
    assert!(text(cell(&page, "f1", "difference")).starts_with("0.5304 worse"));
    assert!(metrics(&page).contains(&"accuracy_best_constant_classifier"));
}

/// Without a baseline the sentences are all that tells the limits.
#[test]
fn violations_alone_tell_their_limits() {
    let report = QualityReport { title: "title".to_owned(), baseline: None, runs: vec![churn_window()] };
    let page = Page::parse(&report.to_html());
    for violation in recorded_violations().iter().filter(|violation| violation.metric_name != "f0_5") {
        let name = violation.metric_name.replace("Positive", "_positive").replace("Negative", "_negative");
        let limit = cell(&page, &name.replace("Rate", "_rate"), "limit");
        assert_eq!(number(&page, limit), numbers_of(violation)[2]);
    }
}

#[test]
fn a_violation_of_an_unknown_metric_is_not_lost() {
    let mut run = churn_window();
    run.violations[0].metric_name = "lift".to_owned();
    let page = page(&churn_baseline(), &[run]);
    let list = page.by_id("violations").unwrap();
    let other = page.within(list, |element| element.get("data-metric") == Some("lift"));
    assert!(other[0].text.starts_with("lift"));
    let folded = &page.elements[*list.ancestors.last().unwrap()];
    assert!(folded.get("open").is_some(), "nothing else shows it");
}

#[test]
fn a_baseline_alone_shows_what_it_suggests_and_its_notes() {
    let baseline = churn_baseline();
    let run = QualityRun {
        documents: baseline.clone(),
        violations: vec![],
        residuals: None,
        notes: vec!["a note".to_owned()],
    };
    let alone = QualityReport { title: "title".to_owned(), baseline: Some(baseline), runs: vec![] }.to_html();
    for (html, has_notes) in [(alone, false), (run.to_baseline_html("title"), true)] {
        let page = Page::parse(&html);
        let verdict = page.by_id("verdict").unwrap();
        assert_eq!(verdict.text, "A baseline; nothing was checked");
        assert!(verdict.has_class("neutral"));
        assert_eq!(number(&page, cell(&page, "auc", "limit")), 0.939_512_799_339_389_8);
        assert_eq!(page.by_id("notes").is_some(), has_notes);
        let curves = |class| page.elements.iter().filter(|it| it.name == "svg" && it.has_class(class)).count();
        assert_eq!((curves("roc"), curves("precision-recall")), (1, 1));
    }
}

#[test]
fn the_confusion_matrix_has_counts_and_shares_of_the_true_class() {
    let page = page(&churn_baseline(), &[churn_window()]);
    let tables: Vec<&Element> =
        page.elements.iter().filter(|it| it.name == "table" && it.has_class("confusion")).collect();
    let [before, now] = tables[..] else { panic!("two matrices") };
    // 12 of 28 and 1167 of 1318.
    assert_eq!(page.rows(before)[1], ["truly 1", "42.9\u{202f}%12", "57.1\u{202f}%16", "28"]);
    assert_eq!(page.rows(now)[1], ["truly 1", "88.5\u{202f}%1,167", "11.5\u{202f}%151", "1,318"]);
}

#[test]
fn of_many_classes_the_confusions_that_grew_come_first() {
    let names: Vec<String> = (0..12).map(|class| format!("class {class:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // Each class has 100 rows; 10 of class 1 were always taken for class 2, now 30 of class 5 are for class 6.
    let before = multiclass("before", &names, |truth, prediction| match (truth, prediction) {
        (1, 1) => 90,
        (1, 2) => 10,
        (truth, prediction) if truth == prediction => 100,
        _ => 0,
    });
    let now = multiclass("now", &names, |truth, prediction| match (truth, prediction) {
        (1, 1) => 89,
        (1, 2) => 11,
        (5, 5) => 70,
        (5, 6) => 30,
        (truth, prediction) if truth == prediction => 100,
        _ => 0,
    });
    let page = page(&before, &[judged(now, &before)]);
    assert!(!page.elements.iter().any(|it| it.has_class("confusion")), "144 cells are no picture");
    let pairs = table(&page, "confusions");
    assert_eq!(pairs.len(), 2);
    assert_eq!(pairs[0], ["class 05", "class 06", "30", "30\u{202f}%", "0\u{202f}%", "+30.0"]);
    assert_eq!(pairs[1], ["class 01", "class 02", "11", "11\u{202f}%", "10\u{202f}%", "+1.0"]);
    let classes = table(&page, "classes");
    assert_eq!(classes[0], ["class 05", "100", "100\u{202f}%", "70\u{202f}%", "100\u{202f}%", "−30.0"]);
}

#[test]
fn readings_of_the_curves_are_those_of_their_points() {
    let mut baseline = churn_baseline();
    let ModelQualityMetrics::BinaryClassification(metrics) = &mut baseline.statistics.metrics else { panic!() };
    metrics.receiver_operating_characteristic_curve = Some(ReceiverOperatingCharacteristicCurve {
        false_positive_rates: vec![0.0, 0.0, 0.25, 0.5, 1.0],
        true_positive_rates: vec![0.0, 0.5, 0.75, 1.0, 1.0],
    });
    metrics.precision_recall_curve =
        Some(PrecisionRecallCurve { precisions: vec![1.0, 1.0, 0.7, 0.8], recalls: vec![0.0, 0.5, 0.75, 1.0] });
    let report = QualityReport { title: "title".to_owned(), baseline: Some(baseline), runs: vec![] };
    let page = Page::parse(&report.to_html());
    let curves = page.elements.iter().filter(|it| it.name == "figure" && it.has_class("curve"));
    let readings: Vec<Vec<f64>> = curves
        .map(|figure| {
            let [table] = page.within(figure, |it| it.name == "table")[..] else { panic!("one table") };
            page.rows(table).iter().map(|row| row[1].trim_end_matches("\u{202f}%").parse().unwrap()).collect()
        })
        .collect();
    assert_eq!(readings[0], [50.0, 50.0, 50.0, 50.0, 75.0, 100.0], "false positive rates of 1, 5, 10, 20, 30, 50 %");
    assert_eq!(readings[1], [100.0, 100.0, 100.0, 80.0, 80.0, 80.0], "recalls of 10, 25, 50, 75, 90, 100 %");
}

#[test]
fn residuals_are_drawn_and_described() {
    let mut sketch = Kll::new();
    // -10, -9 ... 30: mean and median 10, a quarter up to 0.
    (-10..=30).for_each(|residual| sketch.add(f64::from(residual)));
    let residuals = Residuals { ranks: sketch.ranks(), mean: 10.0, range: (-10.0, 30.0) };
    let before = regression("before", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    let run = QualityRun { residuals: Some(residuals), ..judged(before.clone(), &before) };
    let page = page(&before, &[run]);
    let [figure] = page.elements.iter().filter(|it| it.has_class("residuals")).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let [prose] = page.within(figure, |it| it.has_class("derivation"))[..] else { panic!() };
    assert_eq!(
        text(prose),
        "On average the truth is 10 above the prediction; the median is 10. Half of the residuals lie between 0 and 20, \
         nine in ten between −8 and 28, all between −10 and 30."
    );
    assert_eq!(page.within(figure, |it| it.name == "path" && it.has_class("zero")).len(), 1);
    let shares: f64 = {
        let [table] = page.within(figure, |it| it.name == "table")[..] else { panic!() };
        page.rows(table).iter().map(|row| row[1].trim_end_matches("\u{202f}%").parse::<f64>().unwrap()).sum()
    };
    assert!((shares - 100.0).abs() < 0.1, "{shares}");
}

#[test]
fn several_runs_show_every_metric_over_them() {
    let before = regression("models/before", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    let run = |hour: &str, mae: f64| {
        let name = format!("out/2026/11/25/{hour}");
        judged(regression(&name, [(mae, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]), &before)
    };
    let runs = [run("01", 0.9), run("02", f64::NAN), run("03", 1.5), run("04", 1.6)];
    let page = page(&before, &runs);
    assert_eq!(page.by_id("verdict").unwrap().text, "2 violations in 2 of 4 runs");
    let lead = text(page.by_id("lead").unwrap());
    assert!(lead.starts_with("The last run, out/2026/11/25/04: 1 of 4 metrics is worse than allowed."), "{lead}");
    let trends = page.within(page.by_id("trends").unwrap(), |it| it.name == "figure");
    let names: Vec<&str> = trends.iter().map(|it| it.get("data-metric").unwrap()).collect();
    assert_eq!(names, ["mae", "mse", "rmse", "r2"], "those with violations first");
    let path = |class: &str| {
        let found = page.within(trends[0], |it| it.name == "path" && it.get("class") == Some(class));
        found.first().map(|it| it.get("d").unwrap().to_owned()).unwrap_or_default()
    };
    assert_eq!(path("dot violated").matches('M').count(), 2);
    assert_eq!(path("dot").matches('M').count(), 1);
    assert_eq!(path("line").matches('M').count(), 2, "the line breaks where there is no number");
    assert!(!path("baseline").is_empty());
    assert!(text(trends[0]).contains("2 violations") && text(trends[0]).ends_with("0104"), "{}", text(trends[0]));
    let list = page.by_id("runs").unwrap();
    let runs = page.within(list, |it| it.name == "details" && it.has_class("run"));
    let open: Vec<(&str, bool)> = runs.iter().map(|it| (it.get("id").unwrap(), it.get("open").is_some())).collect();
    assert_eq!(open, [("run-4", true), ("run-3", false), ("run-2", false), ("run-1", false)]);
}

#[test]
fn a_limit_beside_the_baseline_is_a_line_of_its_own() {
    let mut before: QualityDocuments = regression("before", [(1.0, 0.1), (2.0, 0.1), (1.4, 0.1), (0.8, 0.1)]);
    before.constraints.as_mut().unwrap().constraints[0].threshold = Some(1.2);
    let run = judged(before.clone(), &before);
    let page = page(&before, &[run.clone(), run]);
    let limits = page.within(page.by_id("trends").unwrap(), |it| it.name == "path" && it.has_class("limit"));
    assert_eq!(limits.len(), 1);
}
