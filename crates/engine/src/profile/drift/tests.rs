//! Every reference case of drift, here rather than among the integration tests because two of the three settings of the
//! chi-squared cases, and the rank maps, are nothing that a caller can ask for.

#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../../../tests/it/samples.rs"]
mod samples;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use self::samples::{cases, counts, numbers, sample};
use super::*;

fn sketch(values: &[f64]) -> Kll {
    let mut sketch = Kll::new();
    for &value in values {
        sketch.add(value);
    }
    sketch
}

#[test]
fn the_rank_map_of_the_aws_rule_is_that_of_deequ() {
    for case in cases(include_str!("../../../tests/deequ/kll.json")) {
        if case["parts"].as_array().unwrap().len() > 1 {
            continue;
        }
        let ranks = rank_map(&sketch(&sample(&case["parts"][0])), DriftRule::Aws);
        assert_eq!(json!(ranks.len()), case["rank_map_size"], "{}", case["id"]);
        assert_eq!(json!(ranks.total()), case["rank_map_total"], "{}", case["id"]);
        for (index, &probe) in numbers(&case["probes"]).iter().enumerate() {
            assert_eq!(json!(ranks.inclusive(probe)), case["rank_map_rank"][index], "{} at {probe}", case["id"]);
        }
    }
}

#[test]
fn numeric_distances_by_the_aws_rule_are_those_of_deequ() {
    for case in cases(include_str!("../../../tests/deequ/drift-numeric.json")) {
        let (current, baseline) = (sketch(&sample(&case["sample1"])), sketch(&sample(&case["sample2"])));
        let distance = |method| numeric_distance(&current, &baseline, DriftRule::Aws, method);
        let (simple, robust) = (distance(ComparisonMethod::Simple), distance(ComparisonMethod::Robust));
        if case["tag"] == "empty" {
            // Deequ raises.
            assert_eq!((simple, robust), (None, None), "{}", case["id"]);
            continue;
        }
        assert_eq!(simple.unwrap(), case["simple"], "{} simple", case["id"]);
        assert_eq!(robust.unwrap(), case["robust"], "{} robust", case["id"]);
    }
}

type Counts = Vec<(String, u64)>;

/// The sides of a categorical case, the baseline in the order in which Deequ went through it.
fn sides(case: &Value) -> (Counts, Counts) {
    let in_file_order = counts(&case["sample2"]);
    let order = case["baseline_iteration_order"].as_array().unwrap();
    let find = |name: &Value| in_file_order.iter().find(|(category, _)| category == name.as_str().unwrap());
    (counts(&case["sample1"]), order.iter().map(|name| find(name).unwrap().clone()).collect())
}

fn is_empty_side(case: &Value) -> bool {
    case["tag"] == "empty-baseline" || case["tag"] == "both-empty"
}

#[test]
fn linfinity_is_that_of_deequ() {
    for case in cases(include_str!("../../../tests/deequ/drift-categorical.json")) {
        let (current, baseline) = sides(&case);
        let simple = linfinity(&current, &baseline, ComparisonMethod::Simple);
        let robust = linfinity(&current, &baseline, ComparisonMethod::Robust);
        if is_empty_side(&case) {
            // Deequ gives NaN, or no difference.
            assert_eq!((simple, robust), (None, None), "{}", case["id"]);
            continue;
        }
        assert_eq!(simple.unwrap(), case["linfinity"]["simple"], "{} simple", case["id"]);
        assert_eq!(robust.unwrap(), case["linfinity"]["robust"], "{} robust", case["id"]);
    }
}

fn assert_chi_squared(case: &Value, setting: &str, small: &SmallCategories) {
    let id = &case["id"];
    let (current, baseline) = sides(case);
    let outcome = chi_squared_by(small, &current, &baseline);
    let expected = &case[setting];
    if case["tag"] == "zero-count-both" && expected["statistic"].is_object() {
        // Deequ raises; both sides are the same.
        assert_eq!(outcome, ChiSquared::Tested { statistic: 0.0, p_value: 1.0 }, "{id} {setting}");
    } else if expected["statistic"] == "NaN" {
        let no_known = !is_empty_side(case)
            && current.iter().all(|(category, _)| baseline.iter().all(|(other, _)| other != category));
        let reason = if no_known { ChiSquared::NoKnownCategory } else { ChiSquared::TooFewCategories };
        assert_eq!(outcome, reason, "{id} {setting}");
    } else {
        let ChiSquared::Tested { statistic, p_value } = outcome else { panic!("{id} {setting}: {outcome:?}") };
        assert_eq!(statistic, expected["statistic"], "{id} {setting}");
        let difference = (p_value - expected["p_value"].as_f64().unwrap()).abs();
        assert!(difference < 1e-12, "{id} {setting}: p differs by {difference}");
    }
}

#[test]
fn chi_squared_is_that_of_deequ_with_three_settings() {
    let loose = SmallCategories { expected_of_many: 1.0, allowed_share: 0.5, expected_of_two: 2.0 };
    let strict = SmallCategories { expected_of_many: 20.0, allowed_share: 0.0, expected_of_two: 30.0 };
    for case in cases(include_str!("../../../tests/deequ/drift-categorical.json")) {
        assert_chi_squared(&case, "chi_square", &SmallCategories::DEFAULT);
        assert_chi_squared(&case, "chi_square_loose", &loose);
        assert_chi_squared(&case, "chi_square_strict", &strict);
    }
}

#[test]
fn unexpected_records_make_an_infinite_statistic() {
    let named = |counts: [u64; 6]| -> Vec<(String, u64)> {
        counts.iter().enumerate().map(|(index, &count)| (index.to_string(), count)).collect()
    };
    let (current, baseline) = (named([50, 50, 50, 50, 50, 1]), named([50, 50, 50, 50, 50, 0]));
    assert_eq!(chi_squared(&current, &baseline), ChiSquared::Tested { statistic: f64::INFINITY, p_value: 0.0 });
}

#[test]
fn counts_that_no_column_has_do_not_panic() {
    let counts: Counts = vec![("a".to_owned(), u64::MAX), ("b".to_owned(), u64::MAX), ("a".to_owned(), 1)];
    assert!(linfinity(&counts, &counts, ComparisonMethod::Simple).is_some());
    assert!(matches!(chi_squared(&counts, &counts), ChiSquared::Tested { .. }));
}

/// The two-sample Kolmogorov-Smirnov statistic from its definition.
fn kolmogorov_smirnov(current: &[f64], baseline: &[f64]) -> f64 {
    let share =
        |side: &[f64], value: f64| side.iter().filter(|&&other| other <= value).count() as f64 / side.len() as f64;
    let gap = |&value: &f64| (share(current, value) - share(baseline, value)).abs();
    current.iter().chain(baseline).map(gap).fold(0.0, f64::max)
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let number = prop_oneof![(-5_i32..5).prop_map(f64::from), -5.0_f64..5.0, Just(-0.0)];
    vec(number, 1..150)
}

proptest! {
    #[test]
    fn the_exact_rule_gives_the_kolmogorov_smirnov_statistic(current in values(), baseline in values()) {
        let (n, m) = (current.len() as f64, baseline.len() as f64);
        let expected = kolmogorov_smirnov(&current, &baseline);
        let (current, baseline) = (sketch(&current), sketch(&baseline));
        let distance = |method| numeric_distance(&current, &baseline, DriftRule::Exact, method).unwrap();
        prop_assert_eq!(distance(ComparisonMethod::Simple), expected);
        let robust = (expected - 1.8 * ((n + m) / (n * m)).sqrt()).max(0.0);
        prop_assert_eq!(distance(ComparisonMethod::Robust), robust);
    }
}
