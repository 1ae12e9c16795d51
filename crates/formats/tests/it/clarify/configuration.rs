use proptest::prelude::*;
use watchkeeper_formats::clarify::{
    Aggregation, AnalysisConfig, ConfigError, ConfiguredValue, DatasetType, MetricSelection, PostTrainingMetric,
    PreTrainingMetric, Reference, ShapBaseline, Template,
};

use super::golden;

/// A configuration of a processing job with a member changed or added.
fn with(member: &str, value: &str) -> String {
    let mut config: serde_json::Value = serde_json::from_str(
        r#"{"dataset_type": "text/csv", "label": "y", "methods": {"pre_training_bias": {"methods": "all"}}}"#,
    )
    .unwrap();
    config[member] = serde_json::from_str(value).unwrap();
    config.to_string()
}

fn refusal(text: &str) -> String {
    AnalysisConfig::parse(text).unwrap_err().to_string()
}

#[test]
fn configurations_of_the_sdk_are_read() {
    let config = AnalysisConfig::parse(&golden("bias/adult-linear-baseline/analysis_config.json")).unwrap();
    assert_eq!(config.dataset_type, Some(DatasetType::JsonLines));
    assert_eq!(config.label_values_or_threshold, [ConfiguredValue::Integer(1)]);
    assert_eq!(config.facets[0].column, Reference::Name("Sex".to_owned()));
    assert_eq!(config.methods.pre_training_bias, Some(MetricSelection::All));
    assert_eq!(config.methods.report.unwrap().title, "Analysis Report");
    let predictor = config.predictor.unwrap();
    assert_eq!(predictor.content_template, Some(Template("{\"features\":$features}".to_owned())));
    assert_eq!(predictor.label, Some(Reference::Name("predicted_label".to_owned())));

    let config =
        AnalysisConfig::parse(&golden("explainability/adult-linear-shap-baseline/analysis_config.json")).unwrap();
    let shap = config.methods.shap.unwrap();
    assert_eq!(
        (shap.num_samples, shap.agg_method, shap.save_local_shap_values),
        (Some(100), Aggregation::MeanAbs, false)
    );
    assert!(matches!(shap.baseline, Some(ShapBaseline::Inline(rows)) if rows[0]["features"][2] == 184_870));
}

#[test]
fn values_keep_the_form_they_were_given_in() {
    let config = AnalysisConfig::parse(&with("label_values_or_threshold", r#"[1, 1.0, true, "a", -2.5e-7]"#)).unwrap();
    let printed: Vec<String> = config.label_values_or_threshold.iter().map(ConfiguredValue::printed).collect();
    assert_eq!(printed, ["1", "1.0", "True", "a", "-2.5e-07"]);
    let bare = AnalysisConfig::parse(&with("label_values_or_threshold", "1")).unwrap();
    assert_eq!(bare.label_values_or_threshold, [ConfiguredValue::Integer(1)]);
}

#[test]
fn a_monitor_needs_no_dataset_type_and_no_methods() {
    let text = r#"{"label_values_or_threshold": [1], "facet": [{"name_or_index": 3}], "version": "1.0"}"#;
    assert_eq!(refusal(text), "Analysis configuration schema validation error. `dataset_type` is missing");
    let config = AnalysisConfig::parse_of_monitor(text).unwrap();
    assert_eq!(config.facets[0].column, Reference::Index(3));
    let text = r#"{"methods": {"shap": {"use_logit": true}}, "predictor": {"model_name": "m"}, "headers": ["a"]}"#;
    assert!(AnalysisConfig::parse_of_monitor(text).unwrap().methods.shap.unwrap().use_logit);
}

#[test]
fn words_are_read_in_any_letter_case_and_metrics_in_any_order() {
    let text = r#"{"dataset_type": "TEXT/csv", "methods": {
        "pre_training_bias": {"methods": ["KL", "CI", "KL"]}, "post_training_bias": {"methods": ["ALL"]},
        "shap": {"agg_method": "MEAN_SQ"}}}"#;
    let config = AnalysisConfig::parse(text).unwrap();
    let chosen = vec![PreTrainingMetric::Ci, PreTrainingMetric::Kl];
    assert_eq!(config.methods.pre_training_bias, Some(MetricSelection::Only(chosen)));
    assert_eq!(config.methods.post_training_bias, Some(MetricSelection::<PostTrainingMetric>::All));
    assert_eq!(config.methods.shap.unwrap().agg_method, Aggregation::MeanSq);
}

#[test]
fn a_template_may_be_an_object() {
    let predictor =
        r#"{"model_name": "m", "content_template": {"instances": "$records"}, "record_template": "$features"}"#;
    let config = AnalysisConfig::parse(&with("predictor", predictor)).unwrap();
    assert_eq!(config.predictor.unwrap().content_template, Some(Template(r#"{"instances":"$records"}"#.to_owned())));
}

#[test]
fn schema_errors_name_the_field() {
    let schema = "Analysis configuration schema validation error. ";
    for (member, value, problem) in [
        ("facets", "[]", "unknown field `facets`; the fields there are version, "),
        (
            "methods",
            r#"{"shap": {"nsamples": 3}}"#,
            "unknown field `methods.shap.nsamples`; the fields there are text_config",
        ),
        (
            "methods",
            r#"{"pre_training_bias": {"methods": 3}}"#,
            "`methods.pre_training_bias.methods` is 3, expected a text",
        ),
        ("facet", r#"[{"name": "a"}]"#, "`facet[0].name_or_index` is missing"),
        ("facet", r#"[{"name_or_index": 1.5}]"#, "`facet[0].name_or_index` is 1.5, expected a name or an index from 0"),
        ("facet", r#"{"name_or_index": 1}"#, "`facet` is an object, expected a list"),
        ("headers", r#"["a", 3]"#, "`headers[1]` is 3, expected a text"),
        ("label", "null", "`label` is null, expected a name or an index from 0"),
        ("dataset_type", r#""text/tsv""#, "`dataset_type` is the text `text/tsv`, expected one of text/csv, "),
        ("probability_threshold", r#""0.5""#, "`probability_threshold` is the text `0.5`, expected a number"),
        ("version", r#""2.0""#, "`version` is the text `2.0`, expected the text `1.0`"),
        ("methods", r#"{"shap": {"use_logit": 1}}"#, "`methods.shap.use_logit` is 1, expected true or false"),
        (
            "methods",
            r#"{"shap": {}, "report": {"name": "../a"}}"#,
            "`methods.report.name` is `../a`, expected the name",
        ),
        (
            "predictor",
            r#"{"endpoint_name_prefix": "-a"}"#,
            "`predictor.endpoint_name_prefix` is the text `-a`, expected at most 23",
        ),
    ] {
        let message = refusal(&with(member, value));
        assert!(message.starts_with(&format!("{schema}{problem}")), "{member}: {message}");
    }
    let not_json = refusal("{");
    assert!(not_json.starts_with("Unable to load analysis configuration as JSON. "), "{not_json}");
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    for (member, value, problem) in [
        ("dataset_type", r#""application/x-image""#, "`dataset_type` application/x-image is not supported"),
        ("time_series_data_config", "{}", "time series explainability is not supported"),
        ("methods", r#"{"asymmetric_shapley_value": {}}"#, "time series explainability is not supported"),
        ("predictor", r#"{"time_series_predictor_config": {}}"#, "time series explainability is not supported"),
        ("methods", r#"{"shap": {"text_config": {}}}"#, "`methods.shap.text_config` is not supported"),
        ("methods", r#"{"shap": {"image_config": {}}}"#, "`methods.shap.image_config` is not supported"),
        ("methods", r#"{"shap": {"num_samples": 0}}"#, "`methods.shap.num_samples` must be at least 1, it is 0"),
        (
            "methods",
            r#"{"shap": {"baseline": [[1]], "num_clusters": 2}}"#,
            "`methods.shap.baseline` and `methods.shap.num_clusters`",
        ),
        (
            "methods",
            r#"{"pdp": {"grid_resolution": 3}}"#,
            "PDP features must be provided when ShapConfig is not provided",
        ),
        ("methods", r#"{"report": {"name": "r"}}"#, "`methods` asks for nothing"),
        (
            "methods",
            r#"{"pre_training_bias": {"methods": ["CI", "XX"]}}"#,
            "Invalid metric_name: metrics should be one of the registered metrics['CDDL', 'CI', 'DPL', 'JS', 'KL', 'KS', 'LP', 'TVD']",
        ),
        ("predictor", r#"{"content_type": "image/png"}"#, "`predictor.content_type` image/png is not supported"),
    ] {
        let error = AnalysisConfig::parse(&with(member, value)).unwrap_err();
        assert!(matches!(error, ConfigError::Refused(_)), "{member}: {error}");
        assert!(error.to_string().starts_with(problem), "{member}: {error}");
    }
}

/// Any JSON value of a few levels.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    let scalar = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        (-1e300..1e300).prop_map(|number: f64| number.into()),
        "[a-zA-Z/_.]{0,8}".prop_map(Into::into),
    ];
    let key = prop::sample::select(vec!["methods", "shap", "name_or_index", "baseline", "pdp", "features", "x"]);
    scalar.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Into::into),
            prop::collection::vec((key.clone(), inner), 0..3)
                .prop_map(|members| { members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }),
        ]
    })
}

const MEMBERS: [&str; 12] = [
    "version",
    "dataset_type",
    "headers",
    "label",
    "label_values_or_threshold",
    "facet",
    "excluded_columns",
    "segment_config",
    "methods",
    "predictor",
    "probability_threshold",
    "group_variable",
];

proptest! {
    /// Whatever stands in a member, it is read, or refused in words that name it.
    #[test]
    fn no_value_of_a_member_is_taken_silently_or_ends_in_a_panic(member in prop::sample::select(MEMBERS.to_vec()), value in any_value()) {
        match AnalysisConfig::parse(&with(member, &value.to_string())) {
            Ok(_) => prop_assert!(!value.is_null(), "null is refused"),
            Err(ConfigError::NotJson(problem)) => prop_assert!(false, "{}", problem),
            Err(error) => prop_assert!(error.to_string().contains(member) || member == "methods", "{}: {}", member, error),
        }
    }
}
