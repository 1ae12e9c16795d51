//! Files of monitors as values: whatever stands in a document is there again when it is saved.
//!
//! The documents are the goldens of this workspace (files of real monitors among them); members that no type knows are put
//! in at random places, and the typed values are changed at random.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use watchkeeper::Session;
use watchkeeper::documents::{
    Body, CheckType, ConstraintsBody, FeatureConstraints, InferredType, ModelQualityMetrics, StatisticsBody, Switch,
    Violation, ViolationsBody,
};
use watchkeeper::model_monitor::{ConstraintViolations, Constraints, ModelMonitoringFile, Statistics};
use watchkeeper::session::Credentials;

fn session() -> &'static Session {
    static SESSION: OnceLock<Session> = OnceLock::new();
    SESSION.get_or_init(|| {
        let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        Session::builder().region("eu-central-1").credentials(keys).build().unwrap()
    })
}

fn file<B: Body>(document: &Value) -> ModelMonitoringFile<B> {
    ModelMonitoringFile::new(session(), document.clone(), "s3://bucket/file.json".parse().unwrap())
}

/// The goldens whose names have one of these words, with their paths.
fn goldens(words: &[&str]) -> Vec<(PathBuf, Arc<Value>)> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut folders: Vec<PathBuf> = ["formats", "analyzer"].map(|name| crates.join(name).join("tests/goldens")).into();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "json")
                && words.iter().any(|word| name.contains(word))
                && name != "analysis_config.json"
            {
                let document = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
                found.push((path, Arc::new(document)));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    found
}

fn statistics() -> Vec<(PathBuf, Arc<Value>)> {
    goldens(&["statistics"])
}

fn constraints() -> Vec<(PathBuf, Arc<Value>)> {
    goldens(&["constraints", "analysis", "live_metrics"])
}

fn violations() -> Vec<(PathBuf, Arc<Value>)> {
    goldens(&["violations"])
}

#[test]
fn every_golden_is_read_and_none_is_changed_by_reading() {
    fn unchanged<B: Body>(path: &Path, document: &Value) -> ModelMonitoringFile<B> {
        let mut file = file::<B>(document);
        assert_eq!(file.body_dict().to_string(), document.to_string(), "{}", path.display());
        file.body_mut();
        assert_eq!(file.body_dict().to_string(), document.to_string(), "{}", path.display());
        file
    }
    let (statistics, constraints, violations) = (statistics(), constraints(), violations());
    assert!(statistics.len() >= 8 && constraints.len() >= 14 && violations.len() >= 4);
    for (path, document) in &statistics {
        let file: Statistics = unchanged(path, document);
        assert!(!matches!(file.body(), StatisticsBody::Other { .. }), "{}: {:?}", path.display(), file.body());
    }
    for (path, document) in &constraints {
        let file: Constraints = unchanged(path, document);
        assert!(!matches!(file.body(), ConstraintsBody::Other { .. }), "{}: {:?}", path.display(), file.body());
    }
    for (path, document) in &violations {
        let file: ConstraintViolations = unchanged(path, document);
        let listed = document["violations"].as_array().unwrap();
        let read = file.violations().unwrap();
        assert_eq!(read.len(), listed.len(), "{}", path.display());
        for (violation, listed) in read.iter().zip(listed) {
            assert_eq!(serde_json::to_value(violation).unwrap(), *listed);
        }
    }
}

/// Places where any name may stand for a thing of the user's: a class, a facet, a label, a feature.
const FREE_NAMES: [&str; 4] = ["confusion_matrix", "facets", "kernel_shap", "global_shap_values"];

/// The addresses of all objects that have fixed members.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            let is_free = FREE_NAMES.iter().any(|name| at.ends_with(&format!("/{name}")));
            let is_row = at.contains("/confusion_matrix/");
            if !is_free && !is_row {
                found.push(at.to_owned());
            }
            for (name, member) in members {
                places(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                places(element, &format!("{at}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// A member that no type knows.
#[derive(Clone, Debug)]
struct Unknown {
    /// Where its object is.
    place: String,
    name: String,
    value: Value,
}

/// The document with unknown members at these places.
fn with_unknown(document: &Value, chosen: &[(Index, Value)]) -> (Value, Vec<Unknown>) {
    let mut found = Vec::new();
    places(document, "", &mut found);
    let mut document = document.clone();
    let unknown = chosen.iter().enumerate().map(|(number, (index, value))| {
        let place = index.get(&found).clone();
        let name = format!("vendor_{number}");
        document.pointer_mut(&place).unwrap().as_object_mut().unwrap().insert(name.clone(), value.clone());
        Unknown { place, name, value: value.clone() }
    });
    let unknown = unknown.collect();
    (document, unknown)
}

/// Where an object of `before` is in `after`: features are found by their names.
fn place_in(after: &Value, before: &Value, place: &str) -> Option<String> {
    let Some(rest) = place.strip_prefix("/features/") else { return Some(place.to_owned()) };
    let (index, rest) = rest.split_once('/').map_or((rest, String::new()), |(index, rest)| (index, format!("/{rest}")));
    let name = &before["features"][index.parse::<usize>().unwrap()]["name"];
    let index = after["features"].as_array().unwrap().iter().position(|feature| feature["name"] == *name)?;
    Some(format!("/features/{index}{rest}"))
}

fn json_values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(|number: f64| json!(number)),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-z]{1,4}", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

type Chosen = Vec<(Index, Value)>;

fn unknown_members() -> impl Strategy<Value = Chosen> {
    prop::collection::vec((any::<Index>(), json_values()), 1..6)
}

/// Which change, of what, and to what.
type Edit = (u8, Index, f64);

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    prop::collection::vec((any::<u8>(), any::<Index>(), 0.0..1.0), 0..5)
}

/// Checks a file that was read from `before`, edited, and is written now. `removed` are the places that went with edits.
fn check<B: Body>(
    before: &Value,
    unknown: &[Unknown],
    file: &ModelMonitoringFile<B>,
    removed: &BTreeSet<String>,
) -> Result<(), TestCaseError> {
    let after = file.body_dict();
    let reread = self::file::<B>(&after);
    prop_assert_eq!(format!("{:?}", reread.body()), format!("{:?}", file.body()), "what was written reads otherwise");
    for Unknown { place, name, value } in unknown {
        let is_removed = removed.iter().any(|gone| place == gone || place.starts_with(&format!("{gone}/")));
        let object = place_in(&after, before, place).and_then(|place| after.pointer(&place).cloned());
        if is_removed {
            continue;
        }
        let object = object.unwrap_or_default();
        prop_assert_eq!(object.get(name), Some(value), "{} of {}: {}", name, place, object);
    }
    Ok(())
}

fn edit_statistics(body: &mut StatisticsBody, edits: &[Edit], before: &Value) -> BTreeSet<String> {
    let mut removed = BTreeSet::new();
    for (kind, index, number) in edits {
        match body {
            StatisticsBody::DataQuality(statistics) if statistics.features.is_empty() => {}
            StatisticsBody::DataQuality(statistics) => {
                let at = index.index(statistics.features.len());
                let feature = &mut statistics.features[at];
                match (kind % 5, &mut feature.numerical_statistics, &mut feature.string_statistics) {
                    (0, ..) => {
                        let gone = statistics.features.remove(at);
                        removed.extend(place_of_feature(before, &gone.name));
                    }
                    (1, ..) => {
                        let other = statistics.features.len() - 1;
                        statistics.features.swap(at, other);
                    }
                    (2, ..) => statistics.dataset.item_count += 1,
                    (3, Some(numbers), _) => {
                        numbers.completeness = None;
                        if let Some(distribution) = &mut numbers.distribution {
                            distribution.kll.buckets[0].count = *number;
                        }
                    }
                    (_, Some(numbers), _) => numbers.mean = *number,
                    (_, None, Some(texts)) => texts.distinct_count = *number,
                    (_, None, None) => feature.inferred_type = InferredType::Unknown,
                }
            }
            StatisticsBody::ModelQuality(statistics) => match &mut statistics.metrics {
                ModelQualityMetrics::Regression(metrics) => metrics.r2.value = *number,
                ModelQualityMetrics::BinaryClassification(metrics) => metrics.recall.standard_deviation = *number,
                ModelQualityMetrics::MulticlassClassification(metrics) => metrics.accuracy.value = *number,
            },
            other => panic!("{other:?}"),
        }
    }
    removed
}

fn place_of_feature(document: &Value, name: &str) -> Option<String> {
    let index = document["features"].as_array()?.iter().position(|feature| feature["name"] == name)?;
    Some(format!("/features/{index}"))
}

fn edit_constraints(body: &mut ConstraintsBody, edits: &[Edit], before: &Value) -> BTreeSet<String> {
    let mut removed = BTreeSet::new();
    for (kind, index, number) in edits {
        match body {
            ConstraintsBody::DataQuality(constraints) if constraints.features.is_empty() => {}
            ConstraintsBody::DataQuality(constraints) => {
                let at = index.index(constraints.features.len());
                let feature = &mut constraints.features[at];
                match (kind % 8, &mut feature.num_constraints, &mut feature.string_constraints) {
                    (0, ..) => {
                        let gone = constraints.features.remove(at);
                        removed.extend(place_of_feature(before, &gone.name));
                    }
                    (1, ..) => {
                        let name = format!("new {number}");
                        let feature = FeatureConstraints { name, string_constraints: None, ..feature.clone() };
                        constraints.features.insert(at, feature);
                    }
                    (2, ..) => constraints.monitoring_config.distribution_constraints.comparison_threshold = *number,
                    (3, ..) => constraints.monitoring_config.evaluate_constraints = Switch::Disabled,
                    (4, ..) => {
                        let overrides = feature.monitoring_config_overrides.get_or_insert_default();
                        overrides.datatype_check_threshold = Some(*number);
                    }
                    (5, ..) => feature.completeness = None,
                    (_, Some(numbers), _) => numbers.is_non_negative = !numbers.is_non_negative,
                    (_, None, Some(texts)) => texts.domains.push(number.to_string()),
                    (_, None, None) => feature.completeness = Some(*number),
                }
            }
            ConstraintsBody::ModelQuality(constraints) if constraints.constraints.is_empty() => {}
            ConstraintsBody::ModelQuality(constraints) => {
                let at = index.index(constraints.constraints.len());
                if kind % 2 == 0 {
                    constraints.constraints[at].threshold = Some(*number);
                } else {
                    let gone = constraints.constraints.remove(at);
                    removed.insert(format!("/{}/{}", constraints.problem_type.constraints_key(), gone.metric));
                }
            }
            ConstraintsBody::Clarify(analysis) => {
                let sections = [&mut analysis.pre_training_bias, &mut analysis.post_training_bias];
                for (_, groups) in sections.into_iter().flatten().flat_map(|section| &mut section.facets) {
                    let at = index.index(groups.len());
                    groups[at].metrics[0].value = Some(*number);
                }
                let labels = analysis.explanations.iter_mut().flat_map(|explanations| &mut explanations.kernel_shap);
                for (_, label) in labels.flatten() {
                    label.expected_value = *number;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    removed
}

fn edit_violations(violations: &mut Vec<Violation>, edits: &[Edit]) {
    for (kind, index, number) in edits {
        if violations.is_empty() {
            continue;
        }
        let at = index.index(violations.len());
        match kind % 4 {
            0 => drop(violations.remove(at)),
            1 => violations.insert(at, violations[at].clone()),
            2 => violations[at].description = number.to_string(),
            _ => violations[at].constraint_check_type = CheckType::Other("vendor_check".to_owned()),
        }
    }
}

proptest! {
    // The documents are long.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn statistics_lose_nothing(golden: Index, chosen in unknown_members(), edits in edits()) {
        static GOLDENS: OnceLock<Vec<(PathBuf, Arc<Value>)>> = OnceLock::new();
        let (_, golden) = golden.get(GOLDENS.get_or_init(statistics));
        let (document, unknown) = with_unknown(golden, &chosen);
        let mut file: Statistics = file(&document);
        let removed = edit_statistics(file.body_mut(), &edits, &document);
        check(&document, &unknown, &file, &removed)?;
    }

    #[test]
    fn constraints_lose_nothing(golden: Index, chosen in unknown_members(), edits in edits()) {
        static GOLDENS: OnceLock<Vec<(PathBuf, Arc<Value>)>> = OnceLock::new();
        let (_, golden) = golden.get(GOLDENS.get_or_init(constraints));
        let (document, unknown) = with_unknown(golden, &chosen);
        let mut file: Constraints = file(&document);
        let removed = edit_constraints(file.body_mut(), &edits, &document);
        check(&document, &unknown, &file, &removed)?;
    }

    #[test]
    fn violations_lose_nothing(golden: Index, chosen in unknown_members(), edits in edits()) {
        static GOLDENS: OnceLock<Vec<(PathBuf, Arc<Value>)>> = OnceLock::new();
        let (_, golden) = golden.get(GOLDENS.get_or_init(violations));
        let (document, unknown) = with_unknown(golden, &chosen);
        let mut file: ConstraintViolations = file(&document);
        edit_violations(file.violations_mut().unwrap(), &edits);
        // Members of violations are part of the typed value, which is compared as a whole.
        let of_document: Vec<Unknown> = unknown.into_iter().filter(|unknown| unknown.place.is_empty()).collect();
        check(&document, &of_document, &file, &BTreeSet::new())?;
    }
}

#[test]
fn a_renamed_feature_keeps_what_is_not_known_of_it() {
    let document = json!({ "features": [
        { "name": "age", "inferred_type": "Integral", "note": 1 }, { "name": "city", "inferred_type": "String", "note": 2 },
    ] });
    let mut constraints: Constraints = file(&document);
    constraints.data_quality_mut().unwrap().features[0].name = "years".to_owned();
    let mut expected = document.clone();
    expected["features"][0]["name"] = json!("years");
    assert_eq!(constraints.body_dict(), expected);
}

#[test]
fn a_feature_and_its_changed_copy_both_keep_what_is_not_known_of_it() {
    let mut constraints: Constraints = file(&json!({"features": [
        {"name": "a", "inferred_type": "Integral", "completeness": 1.0, "vendor": 1},
        {"name": "b", "inferred_type": "Integral", "completeness": 1.0, "vendor": 2},
    ]}));
    let features = &mut constraints.data_quality_mut().unwrap().features;
    let copy = features[0].clone();
    features[0].completeness = Some(0.5);
    features.push(copy);
    let after = constraints.body_dict();
    let of = |member: &str| -> Vec<Value> {
        after["features"].as_array().unwrap().iter().map(|feature| feature[member].clone()).collect()
    };
    assert_eq!(
        (of("vendor"), of("completeness")),
        (vec![json!(1), json!(2), json!(1)], vec![json!(0.5), json!(1.0), json!(1.0)])
    );
}

#[test]
fn both_spellings_of_overrides_are_changed_together() {
    let document = json!({ "features": [{
        "name": "age", "inferred_type": "Integral",
        "monitoringConfigOverrides": { "evaluate_constraints": "Enabled", "note": 1 },
        "monitoring_config_overrides": { "emit_metrics": "Disabled", "evaluate_constraints": "Enabled", "note": 2 },
    }] });
    let mut constraints: Constraints = file(&document);
    let overrides = constraints.data_quality_mut().unwrap().features[0].monitoring_config_overrides.as_mut().unwrap();
    overrides.evaluate_constraints = None;
    overrides.datatype_check_threshold = Some(0.5);
    let feature = &constraints.body_dict()["features"][0];
    assert_eq!(feature["monitoringConfigOverrides"], json!({ "note": 1, "datatype_check_threshold": 0.5 }));
    assert_eq!(
        feature["monitoring_config_overrides"],
        json!({ "emit_metrics": "Disabled", "note": 2, "datatype_check_threshold": 0.5 })
    );
}

#[test]
fn set_monitoring_writes_what_python_2_257_7_writes() {
    let document = json!({
        "features": [{ "name": "age", "inferred_type": "Integral" }, { "name": "city", "inferred_type": "String", "note": 1 }],
        "monitoring_config": { "evaluate_constraints": "Enabled", "note": 2 },
    });
    let mut constraints: Constraints = file(&document);
    constraints.set_monitoring(false, None).unwrap();
    constraints.set_monitoring(true, "city").unwrap();
    // Printed by the same two calls of the Python SDK 2.257.7.
    let expected = r#"{"features":[{"name":"age","inferred_type":"Integral"},{"name":"city","inferred_type":"String","note":1,"monitoring_config_overrides":{"evaluate_constraints":"Enabled"}}],"monitoring_config":{"evaluate_constraints":"Disabled","note":2}}"#;
    assert_eq!(constraints.body_dict().to_string(), expected);
    let typed = constraints.data_quality().unwrap();
    assert_eq!(typed.monitoring_config.evaluate_constraints, Switch::Disabled);
    let of_city = typed.features[1].monitoring_config(&typed.monitoring_config);
    assert_eq!(of_city.evaluate_constraints, Switch::Enabled);
}

#[test]
fn set_monitoring_says_what_there_is_nothing_of() {
    let document = json!({ "features": [{ "name": "age", "inferred_type": "Integral" }] });
    let mut constraints: Constraints = file(&document);
    let error = constraints.set_monitoring(false, "aeg").unwrap_err().to_string();
    assert_eq!(error, "feature_name: s3://bucket/file.json has no feature aeg");
    assert_eq!(constraints.body_dict(), document);
    constraints.set_monitoring(false, None).unwrap();
    assert_eq!(constraints.body_dict()["monitoring_config"], json!({ "evaluate_constraints": "Disabled" }));

    let mut constraints: Constraints = file(&json!({ "regression_constraints": {} }));
    let error = constraints.set_monitoring(false, None).unwrap_err().to_string();
    assert_eq!(error, "s3://bucket/file.json: has no monitoring_config");
}

#[test]
fn set_monitoring_is_not_undone_by_the_documented_spelling() {
    let document = json!({ "features": [{
        "name": "age", "inferred_type": "Integral", "monitoringConfigOverrides": { "evaluate_constraints": "Enabled" },
    }] });
    let mut constraints: Constraints = file(&document);
    constraints.set_monitoring(false, "age").unwrap();
    let typed = constraints.data_quality().unwrap();
    let of_age = typed.features[0].monitoring_config(&typed.monitoring_config);
    assert_eq!(of_age.evaluate_constraints, Switch::Disabled);
}

#[test]
fn documents_of_own_containers_are_kept_and_said_to_be_something_else() {
    let document = json!({ "violations": "none", "score": 0.5 });
    let mut violations: ConstraintViolations = file(&document);
    assert!(matches!(violations.body(), ViolationsBody::Other { .. }));
    assert_eq!(violations.violations().unwrap_err().to_string(), "s3://bucket/file.json: violations: expected a list");
    violations.body_mut();
    assert_eq!(violations.body_dict(), document);

    let statistics: Statistics = file(&json!({ "violations": [] }));
    let error = statistics.data_quality().unwrap_err().to_string();
    assert_eq!(error, "s3://bucket/file.json: is not statistics but violations");
    let statistics: Statistics = file(&json!({ "dataset": { "item_count": -1 }, "features": [] }));
    let error = statistics.data_quality().unwrap_err().to_string();
    assert!(error.starts_with("s3://bucket/file.json: dataset.item_count: "), "{error}");
    let statistics: Statistics = file(&json!([1]));
    assert!(statistics.data_quality().is_err());
}

#[test]
fn violations_of_every_monitor_have_their_names() {
    let document = json!({ "version": "1.0", "violations": [
        { "feature_name": "age", "constraint_check_type": "data_type_check", "description": "d" },
        { "constraint_check_type": "LessThanThreshold", "description": "d", "metric_name": "f1" },
        { "facet": "sex", "facet_value": 1, "metric_name": "CI", "constraint_check_type": "bias_drift_check", "description": "d" },
        { "label": "label0", "metric_name": "shap", "constraint_check_type": "feature_attribution_drift_check" },
    ] });
    let mut file: ConstraintViolations = file(&document);
    let violations = file.violations().unwrap();
    assert_eq!(violations[0].feature_name.as_deref(), Some("age"));
    let checks: Vec<_> = violations.iter().map(|violation| violation.constraint_check_type.clone()).collect();
    let expected =
        [CheckType::DataType, CheckType::LessThanThreshold, CheckType::BiasDrift, CheckType::FeatureAttributionDrift];
    assert_eq!(checks[..4], expected);
    assert_eq!(violations[1].metric_name.as_deref(), Some("f1"));
    assert_eq!((violations[2].facet.as_deref(), violations[2].facet_value.as_deref()), (Some("sex"), Some("1")));
    assert_eq!(violations[3].label.as_deref(), Some("label0"));
    file.violations_mut().unwrap().remove(0);
    // The group is a number still, and the last one has no description still.
    assert_eq!(file.body_dict()["violations"], json!(document["violations"].as_array().unwrap()[1..]));
}
