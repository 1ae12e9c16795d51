//! Files of the AWS analyzer, read and written again.

use std::fs;
use std::path::Path;

use watchkeeper_formats::{CheckType, ConstraintViolations, Constraints, KllSketch, Statistics};

fn golden(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
    fs::read_to_string(path).unwrap()
}

/// Not `assert_eq`: the difference of half a million bytes helps nobody.
fn assert_same_bytes(written: &str, original: &str) {
    if let Some(position) = written.bytes().zip(original.bytes()).position(|(ours, theirs)| ours != theirs) {
        let start = position.saturating_sub(60);
        panic!(
            "byte {position} differs: `{}` instead of `{}`",
            &written[start..(position + 60).min(written.len())],
            &original[start..(position + 60).min(original.len())],
        );
    }
    assert_eq!(written.len(), original.len());
}

#[test]
fn statistics_keep_their_bytes() {
    for name in ["students-2021/baseline/statistics.json", "cardio-2025/statistics.json"] {
        let original = golden(name);
        let statistics = Statistics::parse(&original).unwrap();
        statistics.validate().unwrap();
        assert_same_bytes(&statistics.to_json(), &original);
    }
}

#[test]
fn constraints_keep_their_bytes() {
    for name in ["students-2021/baseline/constraints.json", "cardio-2025/constraints.json"] {
        let original = golden(name);
        let constraints = Constraints::parse(&original).unwrap();
        constraints.validate().unwrap();
        assert_same_bytes(&constraints.to_json(), &original);
    }
}

#[test]
fn violations_keep_their_bytes() {
    let original = golden("students-2021/monitoring/constraint_violations.json");
    let document = ConstraintViolations::parse(&original).unwrap();
    assert_eq!(document.violations[0].feature_name, "science");
    assert_eq!(document.violations[0].constraint_check_type, CheckType::DataType);
    assert_same_bytes(&document.to_json(), &original);
}

/// A sketch of one pass holds every value: 68,385 rows, no missing values.
#[test]
fn sketch_of_one_pass_weighs_as_many_as_present() {
    let statistics = Statistics::parse(&golden("cardio-2025/statistics.json")).unwrap();
    let sketches = statistics.features.iter().filter_map(|feature| {
        let numbers = feature.numerical_statistics.as_ref()?;
        numbers.distribution.as_ref()?.kll.sketch.as_ref()
    });
    let weights: Vec<_> = sketches.map(KllSketch::total_weight).collect();
    assert!(!weights.is_empty());
    assert!(weights.iter().all(|weight| *weight == Some(68_385)), "{weights:?}");
}
