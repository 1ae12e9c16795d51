//! Files as other tools and people leave them.

use watchkeeper_formats::{
    CategoricalDriftMethod, CheckType, ComparisonMethod, ConstraintViolations, Constraints, DistributionConstraints,
    InferredType, MonitoringConfig, Statistics, Switch,
};

fn statistics_with(numerical: &str) -> Result<Statistics, String> {
    let text = format!(
        r#"{{"version": 0, "dataset": {{"item_count": 3.0}}, "features": [
  {{"name": "age", "inferred_type": "Integral", "numerical_statistics": {{
    "common": {{"num_present": 3e0, "num_missing": 0}}, {numerical} }} }}
]}}"#
    );
    Statistics::parse(&text).map_err(|error| error.to_string())
}

fn constraints_with(monitoring_config: &str) -> Constraints {
    Constraints::parse(&format!(r#"{{"features": [], "monitoring_config": {monitoring_config}}}"#)).unwrap()
}

#[test]
fn numbers_in_any_form() {
    let statistics = statistics_with(
        r#""mean": 2, "sum": 6E0, "std_dev": "NaN", "min": "-Infinity", "max": "Infinity",
        "approximate_num_distinct_values": 3.0, "completeness": 1"#,
    )
    .unwrap();
    assert_eq!(statistics.version, 0.0);
    assert_eq!(statistics.dataset.item_count, 3);
    let numbers = statistics.features[0].numerical_statistics.as_ref().unwrap();
    assert_eq!(numbers.common.num_present, 3);
    assert_eq!((numbers.mean, numbers.sum), (2.0, 6.0));
    assert!(numbers.std_dev.is_nan());
    assert_eq!((numbers.min, numbers.max), (f64::NEG_INFINITY, f64::INFINITY));
    assert_eq!(numbers.approximate_num_distinct_values, Some(3));
    assert_eq!(numbers.completeness, Some(1.0));
}

#[test]
fn what_is_not_finite_is_written_as_text() {
    let written = statistics_with(
        r#""mean": "NaN", "sum": "Infinity", "std_dev": 0, "min": "-Infinity", "max": 1,
        "completeness": "NaN", "distribution": {"kll": {"sketch": {"data": [["Infinity", 1], []]}}}"#,
    )
    .unwrap()
    .to_json();
    for line in [
        r#""mean" : "NaN","#,
        r#""sum" : "Infinity","#,
        r#""min" : "-Infinity","#,
        r#""max" : 1.0,"#,
        r#""completeness" : "NaN","#,
        r#""data" : [ [ "Infinity", 1.0 ], [ ] ]"#,
    ] {
        assert!(written.contains(line), "{line} is not in {written}");
    }
}

#[test]
fn optional_objects_may_be_null_and_unknown_keys_are_ignored() {
    let statistics = statistics_with(
        r#""mean": 1, "sum": 3, "std_dev": 0, "min": 1, "max": 1, "median": [1, {"x": 2}],
        "completeness": null, "approximate_num_distinct_values": null, "distribution": null"#,
    )
    .unwrap();
    let numbers = statistics.features[0].numerical_statistics.as_ref().unwrap();
    assert_eq!((&numbers.distribution, numbers.completeness), (&None, None));
    let constraints = Constraints::parse(
        r#"{"features": [{"name": "a", "inferred_type": "string", "completeness": null, "num_constraints": null,
            "string_constraints": null, "monitoringConfigOverrides": null}], "monitoring_config": null, "author": 1}"#,
    )
    .unwrap();
    assert_eq!(constraints.features[0].inferred_type, InferredType::String);
    assert_eq!(constraints.features[0].completeness, None);
    assert_eq!(constraints.monitoring_config, MonitoringConfig::default());
}

#[test]
fn byte_order_mark_is_accepted() {
    assert!(Constraints::parse("\u{feff}{\"features\": []}").is_ok());
    assert!(ConstraintViolations::parse("\u{feff}{\"violations\": []}").unwrap().violations.is_empty());
}

#[test]
fn defaults_of_the_monitoring_config() {
    let whole = Constraints::parse(r#"{"features": []}"#).unwrap();
    assert_eq!(
        whole.to_json(),
        r#"{
  "version" : 0.0,
  "features" : [ ],
  "monitoring_config" : {
    "evaluate_constraints" : "Enabled",
    "emit_metrics" : "Enabled",
    "datatype_check_threshold" : 1.0,
    "domain_content_threshold" : 1.0,
    "distribution_constraints" : {
      "perform_comparison" : "Enabled",
      "comparison_threshold" : 0.1,
      "comparison_method" : "Robust",
      "categorical_comparison_threshold" : 0.1,
      "categorical_drift_method" : "LInfinity"
    }
  }
}"#
    );
    let config = constraints_with(r#"{"emit_metrics": "Disabled", "distribution_constraints": {}}"#).monitoring_config;
    assert_eq!(config.emit_metrics, Switch::Disabled);
    assert_eq!(config.datatype_check_threshold, 1.0);
    assert_eq!(
        config.distribution_constraints,
        DistributionConstraints {
            categorical_comparison_threshold: None,
            categorical_drift_method: None,
            ..DistributionConstraints::default()
        }
    );
}

#[test]
fn words_in_any_letter_case_and_a_misspelt_key() {
    let config = constraints_with(
        r#"{"evaluate_constraints": "DISABLED", "distribution_constraints": {"comparion_method": "simple",
            "categorical_drift_method": "chisquared", "perform_comparison": "enabled"}}"#,
    )
    .monitoring_config;
    assert_eq!(config.evaluate_constraints, Switch::Disabled);
    assert_eq!(config.distribution_constraints.comparison_method, ComparisonMethod::Simple);
    assert_eq!(config.distribution_constraints.categorical_drift_method, Some(CategoricalDriftMethod::ChiSquared));
}

#[test]
fn checks_of_other_monitors_keep_their_name() {
    let text = r#"{"violations": [
        {"feature_name": "f1", "constraint_check_type": "LessThanThreshold", "description": "d"},
        {"feature_name": "Extra columns", "constraint_check_type": "extra_column_check"}]}"#;
    let violations = ConstraintViolations::parse(text).unwrap().violations;
    assert_eq!(violations[0].constraint_check_type, CheckType::Other("LessThanThreshold".to_owned()));
    assert_eq!(violations[0].constraint_check_type.to_string(), "LessThanThreshold");
    assert_eq!(violations[1].constraint_check_type, CheckType::ExtraColumn);
}

#[test]
fn wrong_values_are_named_with_field_and_line() {
    let around =
        |field: &str| format!("{{\"features\": [\n{{\"name\": \"a\", \"inferred_type\": \"String\"}},\n{{{field}}}]}}");
    let table = [
        (
            around(r#""name": "b, [c]", "inferred_type": "Integral", "completeness": "abc""#),
            r#"features[1].completeness: invalid type: string "abc", expected a number at line 3 column "#,
        ),
        (
            around(r#""name": "b", "inferred_type": "Number""#),
            r#"features[1].inferred_type: invalid value: string "Number", expected one of Integral, Fractional, String, Unknown at line 3 column "#,
        ),
        (around(r#""inferred_type": "String""#), "features[1]: missing field `name` at line 3 column "),
        (
            around(r#""name": "b", "inferred_type": "String", "string_constraints": {"domains": ["x", 7]}"#),
            "features[1].string_constraints.domains[1]: invalid type: integer `7`, expected a string at line 3 column ",
        ),
        (around(r#""name": "b" "inferred_type""#), "features[1].name: expected `,` or `}` at line 3 column "),
        (String::new(), "EOF while parsing a value at line 1 column 0"),
        ("[1]".to_owned(), "expected a JSON object, not an array"),
    ];
    for (text, expected) in table {
        let message = Constraints::parse(&text).unwrap_err().to_string();
        assert!(message.starts_with(expected), "{message}\nexpected {expected}");
    }
}

#[test]
fn counts_are_whole_and_not_negative() {
    for (count, problem) in [
        ("-1", "invalid value: integer `-1`"),
        ("1.5", "invalid value: floating point `1.5`"),
        ("-0.5", "invalid value: floating point `-0.5`"),
        ("1e30", "invalid value: floating point `1e+30`"),
        ("\"3\"", "invalid type: string \"3\""),
    ] {
        let text = format!(r#"{{"dataset": {{"item_count": {count}}}, "features": []}}"#);
        let message = Statistics::parse(&text).unwrap_err().to_string();
        let expected = format!("dataset.item_count: {problem}, expected a whole number that is not negative at line 1");
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn absurd_nesting_is_no_danger() {
    let deep = 1_000_000;
    for text in [
        "[".repeat(deep),
        format!("{{\"features\": {}", "[".repeat(deep)),
        format!("{{\"features\": [], \"other\": {}1{}}}", "[".repeat(deep), "]".repeat(deep)),
        "{\"a\":".repeat(deep),
    ] {
        // Either answer is right; what matters is that there is one.
        if let Err(error) = Constraints::parse(&text) {
            assert!(error.to_string().len() < 500);
        }
    }
}
