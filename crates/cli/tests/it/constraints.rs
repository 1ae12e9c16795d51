//! Constraints edited by hand, and the settings of a check.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::program::{Folder, Ran, repository};

/// A baseline of 400 rows and data in which one thing of each kind has changed.
struct Case {
    folder: Folder,
    constraints: Value,
}

/// The violations with nothing edited.
const ALL: [(&str, &str); 4] = [
    ("data_type_check", "count"),
    ("completeness_check", "count"),
    ("categorical_values_check", "place"),
    ("baseline_drift_check", "ratio"),
];

impl Case {
    fn new() -> Self {
        let mut baseline = "count,ratio,place\n".to_owned();
        let mut current = baseline.clone();
        for row in 0..400 {
            let place = ["a", "b"][row % 2];
            writeln!(baseline, "{row},{row}.5,{place}").unwrap();
            let count = match row {
                _ if row % 10 == 0 => format!("{row}.5"),
                _ if row % 50 == 1 => String::new(),
                _ => row.to_string(),
            };
            let place = if row % 20 == 0 { "c" } else { place };
            writeln!(current, "{count},{}.5,{place}", row + 200).unwrap();
        }
        let folder = Folder::new();
        folder.write("baseline.csv", baseline);
        folder.write("current.csv", current);
        folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
        let constraints = folder.json("base/constraints.json");
        Self { folder, constraints }
    }

    /// The violations after an edit, each a check and a feature, and the first description.
    fn after(&self, edit: impl FnOnce(&mut Value)) -> (Vec<(String, String)>, String) {
        let mut constraints = self.constraints.clone();
        edit(&mut constraints);
        self.folder.write("base/constraints.json", constraints.to_string());
        let ran = self.folder.run(&["check", "current.csv", "--baseline", "base", "-o", "out"]);
        if ran.status == 0 {
            return (Vec::new(), String::new());
        }
        ran.ended(1);
        let violations = self.folder.violations("out");
        let first = violations[0].2.clone();
        (violations.into_iter().map(|(check, feature, _)| (check, feature)).collect(), first)
    }

    /// After the edit there is nothing but these of [`ALL`].
    #[track_caller]
    fn leaves(&self, left: &[(&str, &str)], edit: impl FnOnce(&mut Value)) {
        let (found, _) = self.after(edit);
        let found: Vec<(&str, &str)> = found.iter().map(|(check, feature)| (&**check, &**feature)).collect();
        assert_eq!(found, left);
    }

    #[track_caller]
    fn silences(&self, check: &str, edit: impl FnOnce(&mut Value)) {
        let left: Vec<(&str, &str)> = ALL.into_iter().filter(|(other, _)| *other != check).collect();
        self.leaves(&left, edit);
    }
}

const COUNT: usize = 0;
const RATIO: usize = 1;
const PLACE: usize = 2;

#[test]
fn thresholds_decide() {
    let case = Case::new();
    case.leaves(&ALL, |_| {});
    // 352 of 392 values are whole numbers.
    case.silences("data_type_check", |constraints| {
        constraints["monitoring_config"]["datatype_check_threshold"] = json!(0.89);
    });
    let (_, text) = case.after(|constraints| constraints["monitoring_config"]["datatype_check_threshold"] = json!(0.9));
    assert_eq!(
        text,
        "Data type match requirement is not met. Expected data type: Integral, Expected match: 90.0%. Observed: Only \
         89.79591836734694% of data is Integral."
    );
    // 392 of 400 are there; the limit itself is good enough.
    case.silences("completeness_check", |constraints| constraints["features"][COUNT]["completeness"] = json!(0.98));
    case.leaves(&ALL, |constraints| constraints["features"][COUNT]["completeness"] = json!(0.981));
    // 380 of 400 are in the domain.
    case.silences("categorical_values_check", |constraints| {
        constraints["monitoring_config"]["domain_content_threshold"] = json!(0.95);
    });
    case.leaves(&ALL, |constraints| constraints["monitoring_config"]["domain_content_threshold"] = json!(0.951));
    // Half of the values lie beyond all of the baseline's: 0.5, less 1.8 * sqrt(800 / 160000) where chance is allowed for.
    let distance = 0.5 - 1.8 * (800.0_f64 / 160_000.0).sqrt();
    let comparison = |threshold: f64, method: &'static str| {
        move |constraints: &mut Value| {
            let comparison = &mut constraints["monitoring_config"]["distribution_constraints"];
            comparison["comparison_threshold"] = json!(threshold);
            comparison["comparison_method"] = json!(method);
        }
    };
    case.silences("baseline_drift_check", comparison(distance, "Robust"));
    case.leaves(&ALL, comparison(distance - 1e-9, "Robust"));
    case.leaves(&ALL, comparison(0.499, "simple"));
    case.silences("baseline_drift_check", comparison(0.5, "Simple"));
    let violations = {
        case.after(comparison(0.25, "Simple"));
        case.folder.violations("out")
    };
    assert_eq!(violations[3].2, "Baseline drift distance: 0.5 exceeds threshold: 0.25");
}

#[test]
fn a_feature_has_its_own_settings_wherever_they_are_written() {
    let case = Case::new();
    let places: [(usize, &[&str]); 8] = [
        (COUNT, &["monitoringConfigOverrides"]),
        (COUNT, &["monitoring_config_overrides"]),
        (COUNT, &["num_constraints", "monitoring_config_overrides"]),
        (RATIO, &["monitoringConfigOverrides"]),
        (RATIO, &["num_constraints", "monitoring_config_overrides"]),
        (PLACE, &["monitoringConfigOverrides"]),
        (PLACE, &["monitoring_config_overrides"]),
        (PLACE, &["string_constraints", "monitoring_config_overrides"]),
    ];
    for (feature, place) in places {
        let (check, overrides) = match feature {
            COUNT => ("data_type_check", json!({"datatype_check_threshold": 0.5})),
            RATIO => ("baseline_drift_check", json!({"distribution_constraints": {"comparison_threshold": 0.4}})),
            _ => ("categorical_values_check", json!({"domain_content_threshold": 0.5})),
        };
        let put = |constraints: &mut Value, overrides: Value| {
            let mut target = &mut constraints["features"][feature];
            for key in place {
                target = &mut target[*key];
            }
            *target = overrides;
        };
        case.silences(check, |constraints| put(constraints, overrides));
        // Switched off: every check of this feature, and of no other.
        let name = ["count", "ratio", "place"][feature];
        let left: Vec<(&str, &str)> = ALL.into_iter().filter(|(_, other)| *other != name).collect();
        case.leaves(&left, |constraints| put(constraints, json!({"evaluate_constraints": "Disabled"})));
        let without_drift: Vec<(&str, &str)> =
            ALL.into_iter().filter(|(check, _)| feature != RATIO || *check != "baseline_drift_check").collect();
        let off = json!({"distribution_constraints": {"perform_comparison": "disabled"}});
        case.leaves(&without_drift, |constraints| put(constraints, off));
    }
    // Key by key, the first place that has it wins.
    case.silences("categorical_values_check", |constraints| {
        let feature = &mut constraints["features"][PLACE];
        feature["monitoringConfigOverrides"] = json!({"domain_content_threshold": 0.5});
        feature["monitoring_config_overrides"] =
            json!({"domain_content_threshold": 1.0, "evaluate_constraints": "Enabled"});
        feature["string_constraints"]["monitoring_config_overrides"] = json!({"evaluate_constraints": "Disabled"});
    });
    // A switch for all is undone for one.
    case.leaves(&[("categorical_values_check", "place"), ("baseline_drift_check", "ratio")], |constraints| {
        constraints["monitoring_config"]["evaluate_constraints"] = json!("Disabled");
        constraints["features"][PLACE]["monitoringConfigOverrides"] = json!({"evaluate_constraints": "Enabled"});
    });
}

#[test]
fn switches_for_all_features() {
    let case = Case::new();
    let off = |constraints: &mut Value| constraints["monitoring_config"]["evaluate_constraints"] = json!("Disabled");
    case.leaves(&[("baseline_drift_check", "ratio")], off);
    case.silences("baseline_drift_check", |constraints| {
        constraints["monitoring_config"]["distribution_constraints"]["perform_comparison"] = json!("Disabled");
    });
    case.leaves(&[], |constraints| {
        off(constraints);
        constraints["monitoring_config"]["distribution_constraints"]["perform_comparison"] = json!("DISABLED");
    });
    // The number of columns is looked at all the same, and then nothing else.
    let (found, text) = case.after(|constraints| {
        off(constraints);
        let feature = constraints["features"][COUNT].clone();
        constraints["features"].as_array_mut().unwrap().push(feature);
    });
    assert_eq!(found, [("missing_column_check".to_owned(), "Missing columns".to_owned())]);
    assert_eq!(
        text,
        "There are missing columns in current dataset. Number of columns in current dataset: 3, Number of columns in \
         baseline constraints: 4"
    );
    // What is not there takes its default, what is not known is passed over.
    case.leaves(&ALL, |constraints| constraints["monitoring_config"] = json!({"new_in_2030": true}));
    case.leaves(&ALL, |constraints| {
        constraints.as_object_mut().unwrap().remove("monitoring_config");
        constraints["version"] = json!(0);
    });
    case.silences("baseline_drift_check", |constraints| {
        let misspelt = json!({"comparion_method": "simple", "comparison_threshold": 0.5});
        constraints["monitoring_config"]["distribution_constraints"] = misspelt;
    });
}

#[test]
fn domains_can_be_edited() {
    let case = Case::new();
    case.silences("categorical_values_check", |constraints| {
        constraints["features"][PLACE]["string_constraints"]["domains"] = json!(["b", "c", "a"]);
    });
    case.silences("categorical_values_check", |constraints| {
        constraints["features"][PLACE].as_object_mut().unwrap().remove("string_constraints");
    });
    case.after(|constraints| constraints["features"][PLACE]["string_constraints"]["domains"] = json!(["a"]));
    // The space at the end is AWS's.
    assert_eq!(case.folder.violations("out")[2].2, "Value: 0.45 does not meet the constraint requirement! ");
}

/// A column of as many values as told, and a header.
fn column(counts: &[(&str, usize)]) -> String {
    let values = counts.iter().flat_map(|(value, count)| std::iter::repeat_n(*value, *count));
    values.fold("place\n".to_owned(), |text, value| text + value + "\n")
}

#[test]
fn categories_are_compared_by_largest_difference_or_by_chi_squared() {
    let folder = Folder::new();
    folder.write("baseline.csv", column(&[("x", 50), ("y", 50)]));
    folder.write("current.csv", column(&[("x", 30), ("y", 70)]));
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    // 0.2 is less than chance explains among a hundred.
    folder.run(&["check", "current.csv", "--baseline", "base"]).ended(0);
    let text = folder.read("base/constraints.json");
    folder.write("base/constraints.json", text.replace("\"LInfinity\"", "\"chisquared\""));
    folder.run(&["check", "current.csv", "--baseline", "base", "-o", "out"]).ended(1);
    let violations = folder.violations("out");
    assert_eq!((violations.len(), &*violations[0].0), (1, "baseline_drift_check"));
    let (distance, threshold) = violations[0]
        .2
        .strip_prefix("Baseline drift distance: ")
        .and_then(|rest| rest.split_once(" exceeds threshold: "))
        .unwrap();
    // scipy.stats.chisquare([30, 70]) gives p = 6.334248366623996e-05.
    assert!((distance.parse::<f64>().unwrap() - (1.0 - 6.334_248_366_623_996e-5)).abs() < 1e-12, "{distance}");
    assert_eq!(threshold, "0.9");
    // A threshold for categories alone.
    let text = folder.read("base/constraints.json");
    let stricter =
        text.replace("\"categorical_comparison_threshold\" : 0.1", "\"categorical_comparison_threshold\" : 0.00001");
    assert!(stricter != text);
    folder.write("base/constraints.json", stricter);
    folder.run(&["check", "current.csv", "--baseline", "base"]).ended(0);
}

#[test]
fn the_exact_rule_sees_what_the_rule_of_aws_does_not() {
    let folder = Folder::new();
    folder.write("baseline.csv", column(&[("0", 500), ("1", 500)]));
    folder.write("current.csv", column(&[("0", 900), ("1", 100)]));
    let check = ["check", "current.csv", "--baseline", "baseline.csv"];
    let ran = folder.run(&check).ended(0);
    assert!(ran.stdout.contains("exact"), "the reader is told: {}", ran.stdout);
    // The Kolmogorov-Smirnov distance is 0.4.
    let expected = 0.4 - 1.8 * (2000.0_f64 / 1_000_000.0).sqrt();
    let found = |ran: Ran| {
        ran.ended(1);
        let text = folder.violations("out")[0].2.clone();
        let distance = text.strip_prefix("Baseline drift distance: ").unwrap().split(' ').next().unwrap().to_owned();
        distance.parse::<f64>().unwrap()
    };
    let out = [&check[..], &["-o", "out"]].concat();
    assert!((found(folder.run_with(&out, &[("WATCHKEEPER_DRIFT", "exact")])) - expected).abs() < 1e-12);
    assert!((found(folder.run(&[&out[..], &["--drift", "exact"]].concat())) - expected).abs() < 1e-12);
    // What is said on the command line wins.
    folder.run_with(&[&out[..], &["--drift", "aws"]].concat(), &[("WATCHKEEPER_DRIFT", "exact")]).ended(0);
    let ran = folder.run_with(&check, &[("WATCHKEEPER_DRIFT", "approximate")]).ended(2);
    assert_eq!(ran.stderr, "Error: variable WATCHKEEPER_DRIFT is `approximate`, expected aws or exact\n");
}

#[test]
fn settings_loosen_and_tighten_checks() {
    let folder = Folder::new();
    folder.write("baseline.csv", "amount,word\n1.5,x\n2.5,y\n");
    folder.write("current.csv", "amount,word\n1,7\n-2,8\n");
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    let checks = |environment: &[(&str, &str)]| {
        let ran = folder.run_with(&["check", "current.csv", "--baseline", "base", "-o", "out"], environment);
        ran.ended(1);
        let checks = folder.violations("out").into_iter().map(|(check, feature, _)| format!("{check} {feature}"));
        checks.collect::<Vec<_>>()
    };
    let domain = "categorical_values_check word";
    assert_eq!(checks(&[]), ["data_type_check amount", "data_type_check word", domain]);
    assert_eq!(checks(&[("WATCHKEEPER_LENIENT_TYPES", "1")]), [domain]);
    assert_eq!(
        checks(&[("WATCHKEEPER_LENIENT_TYPES", "true"), ("WATCHKEEPER_CHECK_NON_NEGATIVE", "1")]),
        [domain, "non_negative_check amount"]
    );
}

#[test]
fn documents_of_the_first_generation_are_a_baseline() {
    let folder = Folder::new();
    let golden = repository("crates/formats/tests/goldens/students-2021/baseline");
    let dataset = golden.join("dataset.csv");
    folder.run(&["check", dataset.to_str().unwrap(), "--baseline", golden.to_str().unwrap()]).ended(0);
}
