//! Documents of model quality. Referees: recorded files and violations of the real monitor, and the specification's layout.

use std::path::Path;

use watchkeeper_formats::{
    ComparisonOperator, ConfusionMatrix, DocumentKind, MergeReport, Metric, MetricViolation, MetricViolations,
    ModelQualityConstraints, ModelQualityMetrics, ModelQualityStatistics, ProblemType,
};

fn golden(name: &str) -> String {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyzer/tests/goldens/model-quality");
    std::fs::read_to_string(goldens.join(name)).unwrap()
}

fn metric(value: f64) -> Metric {
    Metric { value, standard_deviation: 0.25 }
}

#[test]
fn recorded_statistics_are_read() {
    let statistics = ModelQualityStatistics::parse(&golden("churn-binary-baseline/expected_statistics.json")).unwrap();
    assert_eq!((statistics.item_count, &statistics.evaluation_time), (201, &None));
    let ModelQualityMetrics::BinaryClassification(metrics) = &statistics.metrics else { panic!("{statistics:?}") };
    assert_eq!(metrics.confusion_matrix.classes, ["0", "1"]);
    assert_eq!(metrics.confusion_matrix.counts, [[173, 0], [12, 16]]);
    assert_eq!(metrics.auc.unwrap().value, 0.939_512_799_339_389_8);
    assert!(metrics.auc.unwrap().standard_deviation.is_nan(), "the file has none");
    assert_eq!(statistics.metrics.scalars().len(), 17);
    // Read and written once more nothing changes: NaN stands as text.
    let written = statistics.to_json();
    assert_eq!(ModelQualityStatistics::parse(&written).unwrap().to_json(), written);
    let names: Vec<&str> = statistics.metrics.scalars().into_iter().map(|(name, _)| name).collect();
    let places: Vec<usize> = names.iter().map(|name| written.find(&format!("\"{name}\" : {{")).unwrap()).collect();
    assert!(places.is_sorted(), "scalars are in the order of the file: {names:?}");
}

#[test]
fn statistics_in_the_layout_of_the_monitor() {
    let text = r#"{
  "version" : 0.0,
  "dataset" : {
    "item_count" : 4,
    "evaluation_time" : "2021-05-26T00:35:10.123Z"
  },
  "multiclass_classification_metrics" : {
    "confusion_matrix" : {
      "a\"b" : {
        "a\"b" : 3,
        "ü" : 0
      },
      "ü" : {
        "a\"b" : 0,
        "ü" : 1
      }
    },
    "accuracy" : {
      "value" : 1.0,
      "standard_deviation" : "NaN"
    },
    "weighted_recall" : {
      "value" : 1.0E-4,
      "standard_deviation" : 0.0
    },
    "weighted_precision" : {
      "value" : "-Infinity",
      "standard_deviation" : "NaN"
    },"#;
    let scalar = |name: &str| {
        format!("\n    \"{name}\" : {{\n      \"value\" : 0.5,\n      \"standard_deviation\" : 0.25\n    }}")
    };
    let rest = [
        "weighted_f0_5",
        "weighted_f1",
        "weighted_f2",
        "accuracy_best_constant_classifier",
        "weighted_recall_best_constant_classifier",
        "weighted_precision_best_constant_classifier",
        "weighted_f0_5_best_constant_classifier",
        "weighted_f1_best_constant_classifier",
        "weighted_f2_best_constant_classifier",
    ];
    let text = format!("{text}{}\n  }}\n}}", rest.map(scalar).join(","));
    let statistics = ModelQualityStatistics::parse(&text).unwrap();
    assert_eq!(statistics.to_json(), text);
    assert_eq!(statistics.metrics.confusion_matrix().unwrap().counts, [[3, 0], [0, 1]]);
    assert_eq!(statistics.metrics.scalars()[3], ("weighted_f0_5", metric(0.5)));
}

#[test]
fn curves_stand_on_one_line() {
    let statistics = ModelQualityStatistics::parse(&golden("churn-binary-baseline/expected_statistics.json")).unwrap();
    let written = statistics.to_json();
    assert!(written.contains("\n      \"false_positive_rates\" : [ 0.0, 0.0, 0.0"), "{written}");
    assert!(
        written.contains(", 1.0, 1.0 ]\n    },\n    \"precision_recall_curve\" : {\n      \"precisions\" : [ 1.0, ")
    );
}

#[test]
fn statistics_of_other_hands() {
    let document =
        |metrics: &str| format!(r#"{{"dataset": {{"item_count": 3.0, "evaluation_time": null}}, {metrics}}}"#);
    let regression = r#""regression_metrics": {"mae": {"value": 1}, "mse": {"value": "NaN", "standard_deviation": null},
        "rmse": {"value": 2e0, "standard_deviation": 3, "unit": "x"}, "r2": {"value": "Infinity"}, "mape": {"value": 1}}"#;
    let statistics = ModelQualityStatistics::parse(&document(regression)).unwrap();
    assert_eq!((statistics.item_count, statistics.evaluation_time), (3, None));
    let ModelQualityMetrics::Regression(metrics) = statistics.metrics else { panic!("a regression") };
    assert_eq!((metrics.mae.value, metrics.r2.value), (1.0, f64::INFINITY));
    assert!(metrics.mse.value.is_nan() && metrics.mse.standard_deviation.is_nan());
    assert_eq!(metrics.rmse.standard_deviation, 3.0);

    let expected =
        "expected exactly one of regression_metrics, binary_classification_metrics, multiclass_classification_metrics";
    let none = document(r#""features": []"#);
    let mut both: serde_json::Value =
        serde_json::from_str(&golden("churn-binary-baseline/expected_statistics.json")).unwrap();
    let other: serde_json::Value = serde_json::from_str(&document(regression)).unwrap();
    both["regression_metrics"] = other["regression_metrics"].clone();
    for text in [none, both.to_string()] {
        assert_eq!(ModelQualityStatistics::parse(&text).unwrap_err().to_string(), expected);
    }
    let error =
        ModelQualityStatistics::parse(&document(r#""regression_metrics": {"mae": {"value": "x"}}"#)).unwrap_err();
    assert!(error.to_string().starts_with("regression_metrics.mae.value: invalid type: string \"x\""), "{error}");
}

#[test]
fn a_matrix_with_holes_is_filled_and_a_huge_one_refused() {
    let matrix: ConfusionMatrix = serde_json::from_str(r#"{"b": {"b": 2.0, "c": 1}, "a": {"b": 4}}"#).unwrap();
    assert_eq!(matrix.classes, ["b", "a", "c"]);
    assert_eq!(matrix.counts, [[2, 0, 1], [4, 0, 0], [0, 0, 0]]);
    let twice: ConfusionMatrix = serde_json::from_str(r#"{"a": {"a": 1, "b": 2}, "a": {"a": 3}, "b": {}}"#).unwrap();
    assert_eq!(twice.classes, ["a", "b"], "the last one of a name counts, as in any reading of JSON");
    assert_eq!(twice.counts, [[3, 0], [0, 0]]);
    let rows: Vec<String> = (0..5000).map(|class| format!("\"{class}\": {{}}")).collect();
    let error = serde_json::from_str::<ConfusionMatrix>(&format!("{{{}}}", rows.join(","))).unwrap_err();
    assert!(error.to_string().starts_with("more than 4096 classes"), "{error}");
}

#[test]
fn recorded_constraints_are_read() {
    let text = golden("churn-binary-baseline/expected_constraints.json");
    let constraints = ModelQualityConstraints::parse_any(&text).unwrap();
    assert_eq!(constraints.problem_type, ProblemType::BinaryClassification);
    assert_eq!(constraints.constraints.len(), 11);
    for constraint in &constraints.constraints {
        let usual = ComparisonOperator::usual(ProblemType::BinaryClassification, &constraint.metric);
        assert_eq!(usual, Some(constraint.comparison_operator), "{}", constraint.metric);
    }
    let names = constraints.constraints.iter().map(|constraint| constraint.metric.as_str());
    assert!(names.eq(ComparisonOperator::usual_metrics(ProblemType::BinaryClassification)));
    let spaces_and_numbers_alike = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(spaces_and_numbers_alike(&constraints.to_json()), spaces_and_numbers_alike(&text));
}

fn regression_constraints(section: &str) -> Result<ModelQualityConstraints, String> {
    let text = format!("{{\"regression_constraints\": {section}}}");
    ModelQualityConstraints::parse(&text, ProblemType::Regression).map_err(|error| error.to_string())
}

#[test]
fn edited_constraints_are_understood() {
    let constraints = regression_constraints(
        r#"{"rmse": {"threshold": " 1.5 ", "note": "by hand"}, "mae": {"threshold": 2, "comparison_operator": "lessthanthreshold"},
            "r2": null, "mse": {"threshold": null}, "comment": "since May", "owner": {"name": "x"},
            "mape": {"threshold": 1, "comparison_operator": "GreaterThanOrEqualToThreshold"},
            "wape": {"comparison_operator": "GreaterThanThreshold"}}"#,
    )
    .unwrap()
    .constraints;
    let read: Vec<_> = constraints
        .iter()
        .map(|constraint| (constraint.metric.as_str(), constraint.threshold, constraint.comparison_operator))
        .collect();
    assert_eq!(
        read,
        [
            ("rmse", Some(1.5), ComparisonOperator::GreaterThanThreshold),
            ("mae", Some(2.0), ComparisonOperator::LessThanThreshold),
            ("r2", None, ComparisonOperator::LessThanThreshold),
            ("mse", None, ComparisonOperator::GreaterThanThreshold),
            ("mape", Some(1.0), ComparisonOperator::GreaterThanOrEqualToThreshold),
            ("wape", None, ComparisonOperator::GreaterThanThreshold),
        ]
    );
}

#[test]
fn constraints_that_would_check_nothing_are_refused() {
    let words =
        "one of LessThanThreshold, GreaterThanThreshold, LessThanOrEqualToThreshold, GreaterThanOrEqualToThreshold";
    let table = [
        (
            r#"{"mae": {"threshold": "low"}}"#,
            "regression_constraints.mae: threshold is \"low\", expected a number".to_owned(),
        ),
        (
            r#"{"mae": {"threshold": "NaN"}}"#,
            "regression_constraints.mae: threshold is \"NaN\", expected a number".to_owned(),
        ),
        (
            r#"{"mae": {"threshold": [1]}}"#,
            "regression_constraints.mae: threshold is [1], expected a number".to_owned(),
        ),
        (r#"{"mae": 3}"#, "regression_constraints.mae: is 3, expected an object with a threshold".to_owned()),
        (
            r#"{"mae": {"threshold": 1, "comparison_operator": "Above"}}"#,
            format!("regression_constraints.mae: comparison_operator is \"Above\", expected {words}"),
        ),
        (
            r#"{"mape": {"threshold": 1}}"#,
            format!("regression_constraints.mape: has no comparison_operator, expected {words}"),
        ),
        (
            r#"{"mape": {"comparison_operator": "Above"}}"#,
            format!("regression_constraints.mape: comparison_operator is \"Above\", expected {words}"),
        ),
        ("7", "regression_constraints: is 7, expected an object".to_owned()),
        ("null, \"features\": []", "constraints: have no section `regression_constraints`, but features".to_owned()),
    ];
    for (section, expected) in table {
        assert_eq!(regression_constraints(section).unwrap_err(), expected);
    }
    let error = ModelQualityConstraints::parse_any("{}").unwrap_err().to_string();
    assert!(error.ends_with("multiclass_classification_constraints, the file is empty"), "{error}");
    assert!(ModelQualityConstraints::parse_any("[]").is_err());
}

/// The sentences of recorded violations, made again from their own numbers.
#[test]
fn recorded_violations_to_the_byte() {
    let recorded = MetricViolations::parse(&golden("churn-live-window-a/observed_violations.json")).unwrap();
    assert_eq!(recorded.violations.len(), 10);
    for violation in &recorded.violations {
        let words: Vec<&str> = violation.description.split_whitespace().collect();
        let ["Metric", _, "with", value, "+/-", spread, "was", operator, threshold] = words[..] else {
            panic!("{words:?}")
        };
        let measured = Metric { value: value.parse().unwrap(), standard_deviation: spread.parse().unwrap() };
        let threshold = threshold.trim_matches('\'').parse().unwrap();
        let metric = match violation.metric_name.as_str() {
            "truePositiveRate" => "true_positive_rate",
            "trueNegativeRate" => "true_negative_rate",
            "falsePositiveRate" => "false_positive_rate",
            "falseNegativeRate" => "false_negative_rate",
            one_word => one_word,
        };
        assert_eq!(MetricViolation::new(metric, measured, operator.parse().unwrap(), threshold), *violation);
    }
}

#[test]
fn names_in_camel_case() {
    for (metric, expected) in [
        ("f0_5", "f0_5"),
        ("weighted_f1", "weightedF1"),
        ("weighted_f0_5", "weightedF0_5"),
        ("f0_5_best_constant_classifier", "f0_5BestConstantClassifier"),
        ("r2", "r2"),
    ] {
        let violation = MetricViolation::new(metric, metric_of_few_rows(), ComparisonOperator::LessThanThreshold, 1.0);
        assert_eq!(violation.metric_name, expected);
        assert_eq!(
            violation.description,
            format!("Metric {expected} with 5.09E-4 +/- NaN was LessThanThreshold '1.0'")
        );
    }
}

fn metric_of_few_rows() -> Metric {
    Metric { value: 0.000_509, standard_deviation: f64::NAN }
}

#[test]
fn documents_are_told_apart() {
    let kind = |text: &str| DocumentKind::of(text).unwrap();
    assert_eq!(
        kind(&golden("churn-binary-baseline/expected_statistics.json")),
        Some(DocumentKind::ModelQualityStatistics(ProblemType::BinaryClassification))
    );
    assert_eq!(
        kind(&golden("sdk-regression-baseline/constraints_good.json")),
        Some(DocumentKind::ModelQualityConstraints(ProblemType::Regression))
    );
    assert_eq!(
        kind(&golden("churn-live-window-a/observed_violations.json")),
        Some(DocumentKind::ModelQualityViolations)
    );
    assert_eq!(kind(r#"{"violations": []}"#), Some(DocumentKind::Violations));
    assert_eq!(kind(r#"{"violations": [{"feature_name": "a"}]}"#), Some(DocumentKind::Violations));
    assert_eq!(kind(&MergeReport::default().to_json()), Some(DocumentKind::MergeReport));
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/students-2021/baseline");
    let own = |name: &str| std::fs::read_to_string(own.join(name)).unwrap();
    assert_eq!(kind(&own("statistics.json")), Some(DocumentKind::Statistics));
    assert_eq!(kind(&own("constraints.json")), Some(DocumentKind::Constraints));
    assert_eq!(kind(r#"{"a": 1}"#), None);
    assert!(DocumentKind::of("[]").is_err());
}
