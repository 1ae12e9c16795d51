//! Documents whose numbers cannot be meant.

use watchkeeper_formats::{Constraints, KllParameters, KllSketch, Statistics};

fn statistics(members: &str, distribution: &str) -> Statistics {
    let text = format!(
        r#"{{"dataset": {{"item_count": 10}}, "features": [{{"name": "age", "inferred_type": "Integral",
            "numerical_statistics": {{"common": {{"num_present": 7, "num_missing": 3}}, "mean": 1, "sum": 7,
            "std_dev": 0, {members}, "distribution": {{"kll": {distribution}}}}}}}]}}"#
    );
    Statistics::parse(&text).unwrap()
}

fn problem(members: &str, distribution: &str) -> String {
    statistics(members, distribution).validate().unwrap_err().to_string()
}

const SANE: &str = r#""min": 0, "max": 1"#;

fn sketch(data: &str) -> String {
    format!(r#"{{"sketch": {{"data": {data}}}}}"#)
}

#[test]
fn sane_statistics_pass() {
    statistics(SANE, &sketch("[[1, 2, 3], [4, 5]]")).validate().unwrap();
    statistics(SANE, &sketch("[[1]]")).validate().unwrap();
    statistics(SANE, &sketch("[[]]")).validate().unwrap();
    statistics(SANE, r#"{"buckets": [{"lower_bound": 0, "upper_bound": 1, "count": 0}]}"#).validate().unwrap();
    statistics(r#""min": 0, "max": 0, "completeness": 0.7"#, "{}").validate().unwrap();
}

#[test]
fn statistics_that_lie_are_refused() {
    let sketch_problem = |data: &str| problem(SANE, &sketch(data));
    assert_eq!(
        sketch_problem(&format!("[[]{}]", ", []".repeat(40))),
        "feature `age`, distribution.kll.sketch.data: has 41 levels, at most 40 are possible"
    );
    assert_eq!(
        sketch_problem("[[], [], [1, 2]]"),
        "feature `age`, distribution.kll.sketch.data: stands for 8 values, but num_present is 7"
    );
    assert_eq!(
        sketch_problem(r#"[[1, "NaN"]]"#),
        "feature `age`, distribution.kll.sketch.data: holds an item that is NaN"
    );
    assert_eq!(problem(r#""min": 2, "max": 1.5"#, "{}"), "feature `age`, min: 2.0 is greater than max 1.5");
    assert_eq!(
        problem(SANE, r#"{"buckets": [{"lower_bound": 0, "upper_bound": 1, "count": -3}]}"#),
        "feature `age`, distribution.kll.buckets: count -3.0 is negative"
    );
    for (completeness, text) in [("1.5", "1.5"), ("-0.1", "-0.1"), (r#""NaN""#, "NaN")] {
        let members = format!(r#"{SANE}, "completeness": {completeness}"#);
        assert_eq!(problem(&members, "{}"), format!("feature `age`, completeness: {text} is not within 0 to 1"));
    }
}

#[test]
fn categories_that_cannot_be_counted_are_refused() {
    let text = r#"{"dataset": {"item_count": 1}, "features": [{"name": "city", "inferred_type": "String",
        "string_statistics": {"common": {"num_present": 1, "num_missing": 0}, "distinct_count": 2,
        "distribution": {"categorical": {"buckets": [{"value": "a", "count": 18446744073709551615},
        {"value": "b", "count": 1}]}}}}]}"#;
    assert_eq!(
        Statistics::parse(text).unwrap().validate().unwrap_err().to_string(),
        "feature `city`, distribution.categorical.buckets: count more values than can be counted"
    );
}

#[test]
fn weight_of_a_sketch() {
    let weight = |data| KllSketch { parameters: KllParameters::default(), data }.total_weight();
    assert_eq!(weight(vec![]), Some(0));
    assert_eq!(weight(vec![vec![1.0; 3], vec![], vec![2.0; 5]]), Some(3 + 5 * 4));
    let level = |level: usize, items: usize| {
        let mut data = vec![vec![]; level];
        data.push(vec![0.0; items]);
        weight(data)
    };
    assert_eq!(level(63, 1), Some(1 << 63));
    assert_eq!(level(63, 2), None);
    assert_eq!(level(64, 1), None);
    assert_eq!(level(1000, 0), Some(0));
}

fn constraints_problem(feature: &str, config: &str) -> String {
    let text = format!(
        r#"{{"features": [{{"name": "age", "inferred_type": "Integral" {feature}}}], "monitoring_config": {config}}}"#
    );
    Constraints::parse(&text).unwrap().validate().unwrap_err().to_string()
}

#[test]
fn limits_that_cannot_be_meant_are_refused() {
    let table = [
        (r#", "completeness": 1.01"#, "{}", "feature `age`, completeness: 1.01 is not within 0 to 1"),
        (
            "",
            r#"{"datatype_check_threshold": 80}"#,
            "monitoring_config.datatype_check_threshold: 80.0 is not within 0 to 1",
        ),
        (
            "",
            r#"{"domain_content_threshold": "NaN"}"#,
            "monitoring_config.domain_content_threshold: NaN is not within 0 to 1",
        ),
        (
            "",
            r#"{"distribution_constraints": {"comparison_threshold": -0.1}}"#,
            "monitoring_config.distribution_constraints.comparison_threshold: -0.1 is not a number from 0",
        ),
        (
            "",
            r#"{"distribution_constraints": {"categorical_comparison_threshold": "Infinity"}}"#,
            "monitoring_config.distribution_constraints.categorical_comparison_threshold: Infinity is not a number from 0",
        ),
        (
            r#", "num_constraints": {"monitoring_config_overrides": {"datatype_check_threshold": -1}}"#,
            "{}",
            "feature `age`, num_constraints.monitoring_config_overrides.datatype_check_threshold: -1.0 is not within 0 to 1",
        ),
    ];
    for (feature, config, expected) in table {
        assert_eq!(constraints_problem(feature, config), expected);
    }
}

#[test]
fn features_may_share_a_name() {
    let text = r#"{"features": [{"name": "a", "inferred_type": "String"}, {"name": "a", "inferred_type": "Unknown"}]}"#;
    Constraints::parse(text).unwrap().validate().unwrap();
}
