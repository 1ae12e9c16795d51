//! The bootstrap's standard deviations beside those that theory gives.

use watchkeeper_engine::table::Table;

use super::{Question, column, integer, table, text};

/// 1,000 rows, 300 of which are the facet, with shares of positives of their own.
fn shares() -> Table {
    let rows = || (0..1_000_u64).map(|row| (row < 300, row * 7919 % 1_000));
    let label = |(is_facet, number): (bool, u64)| if number < if is_facet { 250 } else { 600 } { "1" } else { "0" };
    let prediction = |(_, number): (bool, u64)| if number < 500 { "1" } else { "0" };
    let numbers: Vec<String> = rows().map(|(_, number)| (number * 31 % 997).to_string()).collect();
    table(vec![
        column("f", rows().map(|(is_facet, _)| if is_facet { "d" } else { "a" })),
        column("y", rows().map(label)),
        column("p", rows().map(prediction)),
        column("x", numbers.iter().map(String::as_str)),
    ])
}

fn question(resamples: u32) -> Question {
    let mut question = Question::new(integer(1), vec![text("d")]);
    question.resamples = resamples;
    question
}

#[test]
fn spreads_are_those_of_theory() {
    let table = shares();
    let found = question(20_000).ask(&table, None).unwrap();
    let spread = |metric: &str| {
        let found = found.spreads.iter().find(|spread| spread.metric == metric).unwrap();
        found.standard_deviation.unwrap()
    };
    let count = |place: usize, is_facet: bool, cell: i64| {
        let value = |row: usize| table.columns[place].value(row);
        (0..1_000)
            .filter(|row| (*row < 300) == is_facet && value(*row) == watchkeeper_engine::table::Value::Integer(cell))
            .count() as f64
    };
    let variance = |part: f64, whole: f64| part / whole * (1.0 - part / whole) / whole;
    let of_labels = |place| variance(count(place, true, 1), 300.0) + variance(count(place, false, 1), 700.0);
    // Two standard deviations of an estimate from 20,000 resamples are 0.01 of it.
    for (metric, variance) in [("CI", 4.0 * variance(300.0, 1_000.0)), ("DPL", of_labels(1)), ("DPPL", of_labels(2))] {
        let ratio = spread(metric) / variance.sqrt();
        assert!((0.98..1.02).contains(&ratio), "{metric}: {ratio}");
    }
}

#[test]
fn all_metrics_have_a_spread_and_the_same_each_time() {
    let found = question(100).ask(&shares(), None).unwrap();
    assert_eq!(found.spreads.len(), 21);
    for spread in &found.spreads {
        // Without groups there are no conditional disparities; the complement has no false positive.
        let has_none = ["CDDL", "CDDPL", "TE"].contains(&spread.metric.as_str());
        assert_eq!(spread.standard_deviation.is_none(), has_none, "{spread:?}");
    }
    assert_eq!(found.spreads, question(100).ask(&shares(), None).unwrap().spreads);
    assert_eq!(question(0).ask(&shares(), None).unwrap().spreads, []);
}

/// A quotient by nothing has none, and neither has one that is by nothing in most resamples.
#[test]
fn what_is_not_finite_has_no_spread() {
    let rows: Vec<&str> = ["u 1 1 1"; 20].into_iter().chain(["u 0 0 1"; 20]).chain(["v 1 0 2"; 20]).collect();
    let mut question = question(100);
    question.facets[0].1 = vec![text("v")];
    let mut rows = rows;
    rows.push("v 0 0 3");
    let found = question.ask(&super::rows("f y p x", &rows), None).unwrap();
    let spread = |metric: &str| found.spreads.iter().find(|spread| spread.metric == metric).unwrap().standard_deviation;
    assert_eq!(spread("TE"), None, "the facet has false negatives and no false positive");
    assert!(spread("AD").is_some());
}
