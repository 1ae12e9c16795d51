//! Settings of one feature: four places, the first wins, key by key.

use watchkeeper_formats::{
    CategoricalDriftMethod, ComparisonMethod, Constraints, MonitoringConfig, MonitoringConfigOverrides, Switch,
};

/// The settings that apply to the only feature of a document.
fn resolved(feature_members: &str, config: &str) -> MonitoringConfig {
    let text = format!(
        r#"{{"features": [{{"name": "a", "inferred_type": "String", {feature_members}}}], "monitoring_config": {config}}}"#
    );
    let constraints = Constraints::parse(&text).unwrap();
    constraints.features[0].monitoring_config(&constraints.monitoring_config)
}

const PLACES: [&str; 4] = [
    r#""monitoringConfigOverrides": {OVERRIDES}"#,
    r#""monitoring_config_overrides": {OVERRIDES}"#,
    r#""string_constraints": {"domains": ["x"], "monitoring_config_overrides": {OVERRIDES}}"#,
    r#""num_constraints": {"is_non_negative": true, "monitoring_config_overrides": {OVERRIDES}}"#,
];

fn place(index: usize, overrides: &str) -> String {
    PLACES[index].replace("{OVERRIDES}", overrides)
}

#[test]
fn every_place_is_found() {
    for (index, text) in PLACES.iter().enumerate() {
        let config = resolved(&place(index, r#"{"evaluate_constraints": "Disabled"}"#), "{}");
        assert_eq!(config.evaluate_constraints, Switch::Disabled, "{text}");
        assert_eq!(config.emit_metrics, Switch::Enabled);
    }
}

#[test]
fn the_first_place_wins_key_by_key() {
    for first in 0..PLACES.len() {
        for second in first + 1..PLACES.len() {
            let strong = place(first, r#"{"datatype_check_threshold": 0.9}"#);
            let weak = place(second, r#"{"datatype_check_threshold": 0.5, "domain_content_threshold": 0.4}"#);
            for members in [format!("{strong}, {weak}"), format!("{weak}, {strong}")] {
                let config = resolved(&members, r#"{"domain_content_threshold": 0.2}"#);
                assert_eq!(config.datatype_check_threshold, 0.9, "{members}");
                assert_eq!(config.domain_content_threshold, 0.4, "{members}");
            }
        }
    }
}

#[test]
fn distribution_constraints_are_replaced_member_by_member() {
    let strong = place(0, r#"{"distribution_constraints": {"comparison_threshold": 0.3}}"#);
    let weak = place(1, r#"{"distribution_constraints": {"comparison_threshold": 0.5, "comparion_method": "Simple"}}"#);
    let global = r#"{"distribution_constraints": {"perform_comparison": "Disabled", "categorical_drift_method": "ChiSquared",
        "categorical_comparison_threshold": 0.7}}"#;
    let distribution = resolved(&format!("{strong}, {weak}"), global).distribution_constraints;
    assert_eq!(distribution.comparison_threshold, 0.3);
    assert_eq!(distribution.comparison_method, ComparisonMethod::Simple);
    assert_eq!(distribution.perform_comparison, Switch::Disabled);
    assert_eq!(distribution.categorical_comparison_threshold, Some(0.7));
    assert_eq!(distribution.categorical_drift_method, Some(CategoricalDriftMethod::ChiSquared));
}

#[test]
fn what_no_place_gives_stays_absent() {
    let members = place(0, r#"{"distribution_constraints": {"comparison_threshold": 0.3, "comparison_method": null}}"#);
    let distribution = resolved(&members, r#"{"distribution_constraints": {}}"#).distribution_constraints;
    assert_eq!(distribution.categorical_comparison_threshold, None);
    assert_eq!(distribution.comparison_method, ComparisonMethod::Robust);
}

#[test]
fn overrides_are_written_where_the_guide_has_them() {
    let text = r#"{"features": [{"name": "a", "inferred_type": "String",
        "monitoring_config_overrides": {"distribution_constraints": {"perform_comparison": "Disabled"}}}]}"#;
    let written = Constraints::parse(text).unwrap().to_json();
    let expected = r#"    "monitoringConfigOverrides" : {
      "distribution_constraints" : {
        "perform_comparison" : "Disabled"
      }
    }"#;
    assert!(written.contains(expected), "{written}");
    assert!(Constraints::parse(&written).unwrap().features[0].monitoring_config_overrides.is_some());
}

#[test]
fn settings_of_a_job_go_over_the_default() {
    let overrides = MonitoringConfigOverrides::parse(r#"{"domain_content_threshold": 0.5}"#).unwrap();
    let config = overrides.over(&MonitoringConfig::default());
    assert_eq!(config, MonitoringConfig { domain_content_threshold: 0.5, ..MonitoringConfig::default() });
}
