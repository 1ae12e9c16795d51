use proptest::prelude::*;
use watchkeeper_formats::DocumentKind;
use watchkeeper_formats::clarify::{
    Analysis, AttributionViolation, BiasViolation, ClarifyViolation, ClarifyViolations, DataType,
};
use watchkeeper_formats::number::python_float;

use super::golden;

/// The members of a document in their order, without layout.
fn compact(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text).unwrap().to_string()
}

#[test]
fn recorded_analyses_are_read_and_written_with_all_members_in_their_order() {
    for name in [
        "bias/adult-linear-baseline/expected_analysis.json",
        "bias/fraud-numeric-facets/expected_analysis.json",
        "bias/edge-small-table/expected_analysis.json",
        "bias/sdk-data-bias-check/expected_analysis.json",
        "explainability/adult-linear-shap-baseline/observed_analysis.json",
        "explainability/observed-pdp-format/observed_analysis.json",
    ] {
        let text = golden(name);
        let analysis = Analysis::parse(&text).unwrap();
        assert_eq!(compact(&analysis.to_json()), compact(&text), "{name}");
        assert_eq!(Analysis::parse(&analysis.to_json()).unwrap(), analysis, "{name}");
        assert_eq!(DocumentKind::of(&text).unwrap(), Some(DocumentKind::Analysis), "{name}");
    }
}

/// What `json.dumps(document, indent=4)` of Python 3.11 gives.
const PYTHON_LAYOUT: &str = r#"{
    "version": "1.0",
    "explanations": {
        "kernel_shap": {
            "label0": {
                "global_shap_values": {
                    "A\"ge": 1e-05,
                    "Gr\u00f6\u00dfe \ud83d\ude00": 0.5
                },
                "expected_value": 1.0
            }
        },
        "pdp": [
            {
                "feature_name": "c",
                "data_type": "categorical",
                "feature_values": [
                    "a",
                    1,
                    1.0,
                    true
                ],
                "data_distribution": [
                    0.25
                ],
                "model_predictions": [
                    [
                        1e+16
                    ]
                ],
                "label_headers": [
                    "label0"
                ]
            },
            {
                "feature_name": "t",
                "data_type": "free_text",
                "error": "no"
            }
        ]
    },
    "pre_training_bias_metrics": {
        "label": "y",
        "facets": {
            "f": [
                {
                    "value_or_threshold": "1",
                    "metrics": [
                        {
                            "name": "CI",
                            "description": "d",
                            "value": null,
                            "error": "e"
                        },
                        {
                            "name": "DI",
                            "description": "d",
                            "value": "Infinity"
                        }
                    ]
                }
            ],
            "g": []
        },
        "label_value_or_threshold": "1"
    }
}"#;

#[test]
fn an_analysis_has_the_layout_of_python() {
    let analysis = Analysis::parse(PYTHON_LAYOUT).unwrap();
    assert_eq!(analysis.to_json(), PYTHON_LAYOUT);
    let section = analysis.pre_training_bias.unwrap();
    let metrics = &section.facets[0].1[0].metrics;
    assert_eq!((metrics[0].value, metrics[0].error.as_deref()), (None, Some("e")));
    assert_eq!(metrics[1].value, Some(f64::INFINITY));
    let explanations = analysis.explanations.unwrap();
    assert_eq!(explanations.kernel_shap.unwrap()[0].1.global_shap_values[1], ("Größe 😀".to_owned(), 0.5));
    let pdp = explanations.pdp.unwrap();
    assert_eq!((pdp[1].data_type, pdp[1].curve.clone()), (DataType::FreeText, Err("no".to_owned())));
}

#[test]
fn what_is_wrong_in_an_analysis_is_said_with_its_place() {
    let text = r#"{"pre_training_bias_metrics": {"facets": {"f": [{"value_or_threshold": 1}]}}}"#;
    let message = Analysis::parse(text).unwrap_err().to_string();
    assert!(message.starts_with("pre_training_bias_metrics.facets.f[0].value_or_threshold: "), "{message}");
    assert!(Analysis::parse("[]").is_err());
}

#[test]
fn recorded_violations_have_our_texts() {
    let recorded =
        ClarifyViolations::parse(&golden("bias/adult-linear-live-jsonlines/observed_violations.json")).unwrap();
    let metric = |facet: &str, name: &str, value, baseline| {
        ClarifyViolation::Bias(BiasViolation::new(facet, "0", name, value, baseline))
    };
    assert_eq!(recorded.violations.len(), 9);
    assert_eq!(recorded.violations[0], metric("Sex", "CDDPL", 0.377_455_192_713_848_36, 0.281_765_637_331_942_76));
    assert_eq!(recorded.violations[2], metric("Sex", "DCA", -36.420_454_545_454_55, -0.527_868_852_459_016_3));
    assert_eq!(ClarifyViolations::parse(&recorded.to_json()).unwrap(), recorded);
    assert_eq!(DocumentKind::of(&recorded.to_json()).unwrap(), Some(DocumentKind::ClarifyViolations));
}

#[test]
fn violations_have_the_members_and_words_of_the_guide() {
    let infinite = BiasViolation::new("f", "1", "DI", f64::INFINITY, 0.0);
    let drifted = AttributionViolation::new("label0", 0.763_972_092_327_732_2, 0.9);
    let violations = vec![ClarifyViolation::Bias(infinite), ClarifyViolation::Attribution(drifted)];
    let text = ClarifyViolations { violations }.to_json();
    assert_eq!(
        text,
        r#"{
    "version": "1.0",
    "violations": [
        {
            "facet": "f",
            "facet_value": "1",
            "metric_name": "DI",
            "constraint_check_type": "bias_drift_check",
            "description": "Metric value Infinity doesn't meet the baseline constraint requirement 0.0"
        },
        {
            "label": "label0",
            "metric_name": "shap",
            "constraint_check_type": "feature_attribution_drift_check",
            "description": "Feature attribution drift 0.7639720923277322 exceeds threshold 0.9"
        }
    ]
}"#
    );
}

#[test]
fn numbers_print_as_python_prints_them() {
    let printed_by_python = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (100.0, "100.0"),
        (0.1, "0.1"),
        (20_000.0, "20000.0"),
        (0.0001, "0.0001"),
        (9.999e-05, "9.999e-05"),
        (1e-05, "1e-05"),
        (1.5e-07, "1.5e-07"),
        (1e15, "1000000000000000.0"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (1e16, "1e+16"),
        (1.2345e17, "1.2345e+17"),
        (f64::MAX, "1.7976931348623157e+308"),
        (5e-324, "5e-324"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        (-36.420_454_545_454_55, "-36.42045454545455"),
        (123_456_789.125, "123456789.125"),
        (f64::INFINITY, "inf"),
        (f64::NEG_INFINITY, "-inf"),
        (f64::NAN, "nan"),
        (0.0012, "0.0012"),
    ];
    for (value, expected) in printed_by_python {
        assert_eq!(python_float(value), expected);
    }
}

proptest! {
    #[test]
    fn a_printed_number_reads_back(bits: u64) {
        let value = f64::from_bits(bits);
        prop_assume!(value.is_finite());
        let printed = python_float(value);
        prop_assert_eq!(printed.parse::<f64>().unwrap().to_bits(), bits, "{}", printed);
        prop_assert!(printed.contains(['.', 'e']), "{} is a float's text", printed);
    }
}
