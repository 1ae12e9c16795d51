//! What the report says of bias.

use std::collections::BTreeSet;

use serde_json::json;
use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, ClarifyViolation};

use super::documents::{Documents, adult_window, analysis, golden, number, text, with};
use crate::report::html::{Element, Page};

/// The row of a metric of a group.
fn row<'a>(page: &'a Page, stage: &str, (facet, value): (&str, &str), metric: &str) -> &'a Element {
    let stage = page.by_id(&format!("disparities-{stage}")).unwrap();
    let is_group = |it: &Element| it.get("data-facet") == Some(facet) && it.get("data-facet-value") == Some(value);
    let [group] = page.within(stage, is_group)[..] else { panic!("one group {facet} {value}") };
    let [row] = page.within(group, |it| it.get("data-metric") == Some(metric))[..] else { panic!("one row {metric}") };
    row
}

fn cell<'a>(page: &'a Page, row: &Element, class: &str) -> &'a Element {
    let [cell] = page.within(row, |it| it.name == "td" && it.has_class(class))[..] else { panic!("one cell {class}") };
    cell
}

fn metrics<'a>(section: &'a BiasSection, facet: &str) -> &'a [BiasMetric] {
    &section.facets.iter().find(|(name, _)| name == facet).unwrap().1[0].metrics
}

#[test]
fn every_metric_of_a_recorded_window_stands_beside_its_baseline() {
    let documents = adult_window();
    let page = documents.page();
    let baseline = documents.baseline.as_ref().unwrap();
    let stages = [
        ("predictions", &documents.analysis.post_training_bias, &baseline.post_training_bias),
        ("labels", &documents.analysis.pre_training_bias, &baseline.pre_training_bias),
    ];
    let mut compared = 0;
    for (stage, now, before) in stages {
        let (now, before) = (metrics(now.as_ref().unwrap(), "Sex"), metrics(before.as_ref().unwrap(), "Sex"));
        for metric in now {
            let row = row(&page, stage, ("Sex", "0"), &metric.name);
            assert_eq!(number(&page, cell(&page, row, "current")), metric.value.unwrap(), "{}", metric.name);
            let before = before.iter().find(|it| it.name == metric.name).unwrap();
            assert_eq!(number(&page, cell(&page, row, "baseline")), before.value.unwrap(), "{}", metric.name);
            assert!(!page.within(row, |it| it.name == "small").is_empty(), "a sentence on {}", metric.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 21);
}

#[test]
fn the_recorded_violations_are_marked_and_listed_worst_first() {
    let documents = adult_window();
    let page = documents.page();
    let recorded: Vec<(&str, &str)> = documents
        .violations
        .iter()
        .flatten()
        .map(|violation| match violation {
            ClarifyViolation::Bias(it) => (it.metric_name.as_str(), it.description.as_str()),
            ClarifyViolation::Attribution(_) => panic!("none was recorded"),
        })
        .collect();
    let verdict = page.by_id("verdict").unwrap();
    let count = recorded.len();
    assert_eq!(
        verdict.text,
        format!("{count} violations: {count} bias metrics further from zero than in the baseline")
    );
    assert!(verdict.has_class("bad"));
    let marked: BTreeSet<&str> = page
        .elements
        .iter()
        .filter(|it| it.name == "tr" && it.has_class("violated"))
        .map(|it| it.get("data-metric").unwrap())
        .collect();
    assert_eq!(marked, recorded.iter().map(|(metric, _)| *metric).collect());
    let items = page.within(page.by_id("violations").unwrap(), |it| it.name == "li");
    let mut severities = Vec::new();
    let mut listed = Vec::new();
    for item in items {
        let [description] = page.within(item, |it| it.has_class("description"))[..] else { panic!() };
        listed.push((item.get("data-metric").unwrap(), description.text.as_str()));
        let [severity] = page.within(item, |it| it.has_class("severity"))[..] else { panic!() };
        let percent = severity.text.replace("Severity", "").replace('%', "");
        severities.push(percent.trim().parse::<f64>().unwrap());
        assert_eq!(page.within(item, |it| it.name == "a").len(), 1);
    }
    assert!(severities.is_sorted_by(|one, other| one >= other), "{severities:?}");
    assert_eq!(listed.iter().collect::<BTreeSet<_>>(), recorded.iter().collect());
    // An infinite one, then 36.4 positive labels for each positive prediction instead of half of one.
    assert_eq!([listed[0].0, listed[1].0], ["TE", "DCA"]);
}

fn small_table() -> Documents {
    let analysis = Analysis::parse(&golden("bias/edge-small-table/expected_analysis.json")).unwrap();
    Documents { analysis, ..Documents::default() }
}

#[test]
fn what_cannot_be_computed_says_why_and_what_is_infinite_points_there() {
    let page = small_table().page();
    let flip_test = row(&page, "predictions", ("f", "x"), "FT");
    let [error] = page.within(flip_test, |it| it.has_class("error"))[..] else { panic!("an error") };
    assert_eq!(error.text, "FlipTest does not support non-numeric columns");
    assert_eq!(text(cell(&page, flip_test, "current")), "–");
    for (metric, shown, is_left) in [("TE", "∞", false), ("DCA", "−∞", true)] {
        let row = row(&page, "predictions", ("f", "x"), metric);
        assert_eq!(text(cell(&page, row, "current")), shown);
        let [arrow] = page.within(row, |it| it.has_class("beyond"))[..] else { panic!("an arrow") };
        assert_eq!(arrow.get("d").unwrap().contains("L0 "), is_left);
    }
    let verdict = page.by_id("verdict").unwrap();
    assert!(verdict.has_class("neutral"));
    assert_eq!(verdict.text, "Nothing was compared with a baseline");
}

#[test]
fn no_violations_is_only_said_where_something_was_compared() {
    let documents = small_table();
    let compared = |baseline: Option<Analysis>| {
        let page = Documents { baseline, violations: Some(Vec::new()), ..documents.clone() }.page();
        page.by_id("verdict").unwrap().text.clone()
    };
    assert_eq!(compared(Some(documents.analysis.clone())), "No violations");
    assert!(compared(Some(Analysis::default())).starts_with("Nothing could be compared"));
    assert!(compared(adult_window().baseline).starts_with("Nothing could be compared"));
}

fn of_group(value_or_threshold: &str, metrics: &[(&str, f64)]) -> Analysis {
    let metric =
        |(name, value): &(&str, f64)| json!({"name": name, "description": format!("Name ({name})"), "value": value});
    let metrics: Vec<_> = metrics.iter().map(metric).collect();
    analysis(&json!({"version": "1.0", "post_training_bias_metrics": {
        "label": "y",
        "facets": {"age": [{"value_or_threshold": value_or_threshold, "metrics": metrics}]},
        "label_value_or_threshold": "1",
    }}))
}

fn spread(metric: &str, standard_deviation: f64) -> MetricSpread {
    MetricSpread {
        is_post_training: true,
        facet: "age".to_owned(),
        value_or_threshold: "(40, 90]".to_owned(),
        metric: metric.to_owned(),
        standard_deviation: Some(standard_deviation),
    }
}

/// Numbers of a path.
fn numbers(path: &str) -> Vec<f64> {
    let is_part = |it: char| it.is_ascii_digit() || it == '.';
    path.split(|it| !is_part(it)).filter(|it| !it.is_empty()).map(|it| it.parse().unwrap()).collect()
}

#[test]
fn a_dot_stands_where_its_value_is_between_the_ends_of_its_interval() {
    let documents = Documents {
        analysis: of_group("(40, 90]", &[("DPPL", 0.25), ("DI", 0.75)]),
        // The upper end has moved: it is the same group.
        baseline: Some(of_group("(40.0, 85.0]", &[("DPPL", -0.125), ("DI", 0.5)])),
        violations: Some(Vec::new()),
        spreads: vec![spread("DPPL", 0.125)],
        ..Documents::default()
    };
    let page = documents.page();
    let drawn = |metric: &str, class: &str| {
        let row = row(&page, "predictions", ("age", "(40, 90]"), metric);
        let found = page.within(row, |it| it.name == "path" && it.get("class") == Some(class));
        found.first().map(|it| numbers(it.get("d").unwrap())).unwrap_or_default()
    };
    // 1.96 · 0.125 beside 0.25: the axis reaches to 0.5, a half of 192 units.
    let place = |distance: f64| 200.0 + distance / 0.5 * 192.0;
    let is_near = |one: f64, other: f64| (one - other).abs() < 0.06;
    assert!(is_near(drawn("DPPL", "middle")[0], place(0.0)));
    assert!(is_near(drawn("DPPL", "dot")[0], place(0.25)));
    assert!(is_near(drawn("DPPL", "dot baseline")[0], place(-0.125)));
    let whisker = drawn("DPPL", "whisker");
    assert!(is_near(whisker[0], place(0.25 - 1.96 * 0.125)) && is_near(whisker[2], place(0.25 + 1.96 * 0.125)));
    // Disparate impact from its parity.
    assert!(is_near(drawn("DI", "dot")[0], place(-0.25)));
    assert!(drawn("DI", "whisker").is_empty());
    let ratio = row(&page, "predictions", ("age", "(40, 90]"), "DI");
    assert_eq!(text(cell(&page, ratio, "difference")), "0.25 further from zero, nearer to parity");
    let row = row(&page, "predictions", ("age", "(40, 90]"), "DPPL");
    assert_eq!(text(cell(&page, row, "interval")), "0.005 to 0.495");
    let heading = with(&page, "details", &[("data-facet", "age")]);
    assert!(text(heading).starts_with("age in (40, 90]against all others"), "{}", text(heading));
}

#[test]
fn groups_beyond_a_handful_are_closed_unless_they_hold_a_violation() {
    let entry = |group: usize| {
        let metrics = json!([{"name": "CI", "description": "Class Imbalance (CI)", "value": 0.5}]);
        json!({"value_or_threshold": group.to_string(), "metrics": metrics})
    };
    let facets = json!({"city": (0..300).map(entry).collect::<Vec<_>>()});
    let section = json!({"label": "y", "facets": facets, "label_value_or_threshold": "1"});
    let analysis = analysis(&json!({"version": "1.0", "pre_training_bias_metrics": section}));
    let violation = watchkeeper_formats::clarify::BiasViolation::new("city", "7", "CI", 0.5, 0.25);
    let documents = Documents {
        baseline: Some(analysis.clone()),
        analysis,
        violations: Some(vec![ClarifyViolation::Bias(violation)]),
        ..Documents::default()
    };
    let page = documents.page();
    let groups: Vec<&Element> =
        page.elements.iter().filter(|it| it.has_class("group") && it.name == "details").collect();
    assert_eq!(groups.len(), 300);
    let open: Vec<&str> =
        groups.iter().filter(|it| it.get("open").is_some()).map(|it| it.get("data-facet-value").unwrap()).collect();
    assert_eq!(open, ["7"]);
}
