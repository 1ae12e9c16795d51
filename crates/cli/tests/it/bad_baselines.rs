//! What is wrong with a baseline is said in one message, and nothing is written.

use serde_json::{Value, json};

use crate::program::{Folder, repository};

#[test]
fn a_baseline_of_another_dataset() {
    let folder = Folder::new();
    folder.write("base.csv", "a,b\n1,x\n2,y\n");
    folder.run(&["baseline", "base.csv", "-o", "base"]).ended(0);
    folder.write("more.csv", "a,b,c\n1,x,3\n");
    let ran = folder.run(&["check", "more.csv", "--baseline", "base", "-o", "out"]).ended(1);
    let violations = folder.violations("out");
    assert_eq!(
        violations,
        [(
            "extra_column_check".to_owned(),
            "Extra columns".to_owned(),
            "There are extra columns in current dataset. Number of columns in current dataset: 3, Number of columns in \
             baseline constraints: 2"
                .to_owned()
        )]
    );
    assert!(ran.stdout.contains("columns in this dataset and not in the baseline: `c`"), "{}", ran.stdout);
    folder.write("other.csv", "height,b\n1,x\n");
    let ran = folder.run(&["check", "other.csv", "--baseline", "base"]).ended(0);
    let note = "1 of 2 column names are not the baseline's; columns are compared by position (`height` is taken for `a`): \
                is this the baseline of another dataset?";
    let unwrapped = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains(note), "{unwrapped}");
    // The same names in another order are no other dataset.
    folder.write("order.csv", "b,a\nx,1\n");
    let ran = folder.run(&["check", "order.csv", "--baseline", "base"]).ended(0);
    assert!(!ran.stdout.contains("by position"), "{}", ran.stdout);
}

/// A baseline's folder with one document replaced.
fn with_baseline(folder: &Folder) {
    let golden = repository("crates/formats/tests/goldens/cardio-2025");
    folder.write("base.csv", "");
    for name in ["statistics.json", "constraints.json"] {
        folder.write(&format!("base/{name}"), std::fs::read(golden.join(name)).unwrap());
    }
    let features = folder.json("base/constraints.json")["features"].as_array().unwrap().len();
    folder.write("current.csv", format!("{}\n", vec!["1"; features].join(",")));
}

fn edited(text: &str, place: &str, value: Value) -> String {
    let mut document: Value = serde_json::from_str(text).unwrap();
    *document.pointer_mut(place).unwrap_or_else(|| panic!("nothing at {place}")) = value;
    document.to_string()
}

const CHECK: [&str; 6] = ["check", "current.csv", "--no-header", "--baseline", "base", "-o"];

#[test]
fn constraints_of_wrong_types() {
    let folder = Folder::new();
    with_baseline(&folder);
    let text = folder.read("base/constraints.json");
    let cases = [
        ("/features", json!({"a": 1}), "features: "),
        ("/features/0", json!("a"), "features[0]: "),
        ("/features/0/completeness", json!("all"), "features[0].completeness: "),
        ("/features/0/completeness", json!(7), "completeness: 7.0 is not within 0 to 1"),
        ("/features/0/inferred_type", json!("Whole"), "features[0].inferred_type: "),
        ("/features/0/name", json!(null), "features[0].name: "),
        (
            "/monitoring_config/datatype_check_threshold",
            json!(-1),
            "datatype_check_threshold: -1.0 is not within 0 to 1",
        ),
        ("/monitoring_config/evaluate_constraints", json!("On"), "monitoring_config.evaluate_constraints: "),
        ("/monitoring_config/distribution_constraints/comparison_threshold", json!([]), "comparison_threshold: "),
    ];
    for (place, value, expected) in cases {
        folder.write("base/constraints.json", edited(&text, place, value));
        let ran = folder.run(&[&CHECK[..], &["out"]].concat()).ended(2);
        let start = "Error: Could not read baseline constraints. base/constraints.json: ";
        assert!(ran.stderr.starts_with(start) && ran.stderr.contains(expected), "{place}: {}", ran.stderr);
        assert!(!folder.has("out"));
    }
    for content in ["", "{", "[]", "constraints", "\u{0}"] {
        folder.write("base/constraints.json", content);
        let ran = folder.run(&[&CHECK[..], &["out"]].concat()).ended(2);
        assert!(ran.stderr.starts_with("Error: Could not read baseline constraints. "), "{}", ran.stderr);
    }
}

#[test]
fn a_sketch_whose_numbers_lie() {
    let folder = Folder::new();
    with_baseline(&folder);
    let text = folder.read("base/statistics.json");
    let document: Value = serde_json::from_str(&text).unwrap();
    let is_numeric = |feature: &Value| feature.get("numerical_statistics").is_some();
    let feature = document["features"].as_array().unwrap().iter().position(is_numeric).unwrap();
    let numbers = format!("/features/{feature}/numerical_statistics");
    let sketch = format!("{numbers}/distribution/kll/sketch");
    let name = document["features"][feature]["name"].as_str().unwrap();
    let refused = [
        (
            format!("{numbers}/common/num_present"),
            json!(3),
            format!("feature `{name}`, distribution.kll.sketch.data: stands for "),
        ),
        (format!("{sketch}/data"), json!(vec![json!([1.0]); 41]), "has 41 levels, at most 40 are possible".to_owned()),
        (format!("{sketch}/data/0"), json!(["NaN"]), "holds an item that is NaN".to_owned()),
        (format!("{sketch}/data"), json!([["one"]]), "distribution.kll.sketch.data[0][0]: ".to_owned()),
        (format!("{numbers}/min"), json!(1e300), "is greater than max".to_owned()),
        (format!("{numbers}/distribution/kll/buckets/3/count"), json!(-5.0), "count -5.0 is negative".to_owned()),
        (format!("{numbers}/completeness"), json!(2), "completeness: 2.0 is not within 0 to 1".to_owned()),
    ];
    for (place, value, expected) in refused {
        folder.write("base/statistics.json", edited(&text, &place, value));
        let ran = folder.run(&[&CHECK[..], &["out"]].concat()).ended(2);
        let start = "Error: Could not read baseline statistics. base/statistics.json: ";
        assert!(ran.stderr.starts_with(start) && ran.stderr.contains(&expected), "{place}: {}", ran.stderr);
        assert!(!folder.has("out"));
        let ran = folder.run(&["report", "base"]).ended(2);
        assert!(ran.stderr.contains(&expected), "{}", ran.stderr);
    }
    // A lie that cannot be known for one is believed, and nothing falls over it.
    let believed = [
        (format!("{sketch}/data"), json!([])),
        (format!("{sketch}/data"), json!([[], [], []])),
        (format!("{sketch}/data"), json!([["Infinity", "-Infinity"]])),
        (format!("{sketch}/data"), json!([[1e308, -1e308, 5e-324]])),
        (format!("{sketch}/parameters/k"), json!(0)),
        (format!("{sketch}/parameters/c"), json!(-1e9)),
        (format!("{numbers}/distribution/kll/buckets"), json!([])),
        (format!("{numbers}/distribution/kll/buckets/0/lower_bound"), json!("NaN")),
        (format!("{numbers}/distribution/kll/buckets/0/count"), json!(1e300)),
        (format!("{numbers}/distribution/kll/sketch"), json!(null)),
        (format!("{numbers}/distribution"), json!(null)),
        (format!("{numbers}/mean"), json!("NaN")),
        (format!("{numbers}/std_dev"), json!(-3)),
        (format!("{numbers}/max"), json!("Infinity")),
        (format!("{numbers}/min"), json!("NaN")),
        (format!("{numbers}/common/num_present"), json!(u64::MAX)),
        (format!("{numbers}/common/num_missing"), json!(u64::MAX)),
        ("/dataset/item_count".to_owned(), json!(0)),
        ("/dataset/item_count".to_owned(), json!(u64::MAX)),
        ("/features".to_owned(), json!([])),
    ];
    for (place, value) in believed {
        folder.write("base/statistics.json", edited(&text, &place, value));
        folder.run(&["inspect", "base/statistics.json"]).ended(0);
        let ran = folder.run(&[&CHECK[..], &["out"]].concat());
        assert!(ran.status < 2, "{place}: {}", ran.stderr);
        folder.run(&["report", "base", "out", "-o", "report.html"]).ended(0);
    }
    let is_text = |feature: &Value| feature.pointer("/string_statistics/distribution").is_some();
    let feature = document["features"].as_array().unwrap().iter().position(is_text).unwrap();
    let texts = format!("/features/{feature}/string_statistics");
    for (place, value) in [
        (format!("{texts}/distribution/categorical/buckets"), json!([])),
        (format!("{texts}/distribution/categorical/buckets/0/count"), json!(u64::MAX)),
        (format!("{texts}/distribution/categorical/buckets/0/value"), json!("\u{1b}[2J\u{202e}x\n")),
        (format!("{texts}/distinct_count"), json!(1e300)),
        (format!("/features/{feature}/name"), json!("\u{1b}]0;title\u{7}<script>")),
        (format!("/features/{feature}/string_statistics"), json!(null)),
    ] {
        folder.write("base/statistics.json", edited(&text, &place, value));
        let ran = folder.run(&["inspect", "base/statistics.json"]).ended(0);
        assert!(!ran.stdout.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{place}");
        let ran = folder.run(&[&CHECK[..], &["out"]].concat());
        // More values than can be counted is the one that is refused.
        assert!(
            ran.status < 2 || ran.stderr.contains("count more values than can be counted"),
            "{place}: {}",
            ran.stderr
        );
        let ran = folder.run(&["report", "base", "-o", "report.html"]);
        if ran.status == 0 {
            assert!(!folder.read("report.html").contains("title\u{7}<script>"), "{place}");
        }
    }
}
