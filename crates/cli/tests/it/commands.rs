//! Every command as the README shows it.

use serde_json::Value;

use crate::program::{Folder, repository};

#[test]
fn a_baseline_is_the_one_that_aws_made() {
    let folder = Folder::new();
    let golden = repository("crates/formats/tests/goldens/students-2021/baseline");
    let ran = folder.run(&["baseline", golden.join("dataset.csv").to_str().unwrap(), "-o", "out"]).ended(0);
    assert_eq!(folder.names("out"), ["constraints.json", "report.html", "statistics.json"]);
    assert_eq!(ran.stderr, "report: out/report.html\n");
    assert!(ran.stdout.contains("600 records"), "{}", ran.stdout);

    let read =
        |name: &str| -> Value { serde_json::from_str(&std::fs::read_to_string(golden.join(name)).unwrap()).unwrap() };
    // AWS's first generation, which made it, had fewer keys.
    let mut statistics = folder.json("out/statistics.json");
    for feature in statistics["features"].as_array_mut().unwrap() {
        let numbers = feature["numerical_statistics"].as_object_mut().unwrap();
        numbers.remove("approximate_num_distinct_values").unwrap();
        numbers.remove("completeness").unwrap();
    }
    assert!(statistics == read("statistics.json"));
    let mut constraints = folder.json("out/constraints.json");
    let comparison = constraints["monitoring_config"]["distribution_constraints"].as_object_mut().unwrap();
    comparison.remove("categorical_comparison_threshold").unwrap();
    comparison.remove("categorical_drift_method").unwrap();
    assert_eq!(constraints, read("constraints.json"));
}

/// What `drift.py` did to the example, as the README beside it tells.
const CHURN_VIOLATIONS: [(&str, &str); 4] = [
    ("data_type_check", "Intl Calls"),
    ("completeness_check", "Account Length"),
    ("baseline_drift_check", "Day Mins"),
    ("baseline_drift_check", "Night Mins"),
];

#[test]
fn a_check_tells_what_has_changed() {
    let folder = Folder::with_churn();
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    let ran = folder.run(&["check", "current.csv", "--baseline", "base", "-o", "out"]).ended(1);
    assert_eq!(
        folder.names("out"),
        ["constraint_violations.json", "constraints.json", "report.html", "statistics.json"]
    );
    let violations = folder.violations("out");
    let found: Vec<(&str, &str)> = violations.iter().map(|(check, feature, _)| (&**check, &**feature)).collect();
    assert_eq!(found, CHURN_VIOLATIONS);
    assert_eq!(
        violations[0].2,
        "Data type match requirement is not met. Expected data type: Integral, Expected match: 100.0%. Observed: Only \
         45.0% of data is Integral."
    );
    assert!(ran.stdout.starts_with("4 violations in 1,000 records of 70 features\n"), "{}", ran.stdout);
    for (_, feature) in CHURN_VIOLATIONS {
        assert!(ran.stdout.contains(feature), "{feature}");
    }
    // The rule that is not in force sees one more.
    assert!(ran.stdout.contains("`CustServ Calls`"), "{}", ran.stdout);
    assert_eq!(ran.stderr, "report: out/report.html\n");
}

#[test]
fn the_exit_status_says_how_it_went() {
    let folder = Folder::with_churn();
    folder.run(&["check", "baseline.csv", "--baseline", "baseline.csv"]).ended(0);
    folder.run(&["check", "current.csv", "--baseline", "baseline.csv"]).ended(1);
    let ran = folder.run(&["check", "nowhere.csv", "--baseline", "baseline.csv"]).ended(2);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", "Error: nowhere.csv: no such file or folder\n"));
    let ran = folder.run(&["check", "current.csv", "--baseline", "nowhere"]).ended(2);
    assert_eq!(ran.stderr, "Error: baseline nowhere: nowhere: no such file or folder\n");
    folder.run(&["check", "current.csv"]).ended(2);
    folder.run(&["baseline", "baseline.csv", "--threads", "0"]).ended(2);
    folder.run(&["guess"]).ended(2);
    let ran = folder.run(&["--help"]).ended(0);
    assert!(ran.stdout.contains("Exit status: 0 nothing found, 1 violations, 2 failed."), "{}", ran.stdout);
}

#[test]
fn without_an_output_folder_nothing_is_written() {
    let folder = Folder::with_churn();
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    let before = folder.contents("");
    folder.run(&["baseline", "baseline.csv"]).ended(0);
    folder.run(&["check", "current.csv", "--baseline", "baseline.csv"]).ended(1);
    folder.run(&["check", "current.csv", "--baseline", "base", "--format", "json"]).ended(1);
    folder.run(&["inspect", "base/statistics.json"]).ended(0);
    assert!(folder.contents("") == before);
}

#[test]
fn a_baseline_is_a_folder_or_a_dataset() {
    let folder = Folder::with_churn();
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    let by_folder = folder.run(&["check", "current.csv", "--baseline", "base", "-o", "by_folder"]).ended(1);
    let by_dataset = folder.run(&["check", "current.csv", "--baseline", "baseline.csv", "-o", "by_dataset"]).ended(1);
    assert_eq!(by_folder.stdout, by_dataset.stdout);
    for name in ["statistics.json", "constraints.json", "constraint_violations.json"] {
        assert_eq!(folder.read(&format!("by_folder/{name}")), folder.read(&format!("by_dataset/{name}")), "{name}");
    }
    // Constraints of the user's own, and statistics that may be absent.
    let edited =
        folder.read("base/constraints.json").replace("\"comparison_threshold\" : 0.1", "\"comparison_threshold\" : 1");
    folder.write("mine.json", &edited);
    folder.run(&["check", "current.csv", "--baseline", "base", "--constraints", "mine.json", "-o", "mine"]).ended(1);
    assert_eq!(folder.violations("mine").len(), 2);
    std::fs::remove_file(folder.path("base/statistics.json")).unwrap();
    folder.run(&["check", "current.csv", "--baseline", "base", "-o", "no_statistics"]).ended(1);
    assert_eq!(folder.violations("no_statistics").len(), 2);
}

#[test]
fn a_clean_check_removes_the_violations_of_an_earlier_one() {
    let folder = Folder::with_churn();
    folder.run(&["check", "current.csv", "--baseline", "baseline.csv", "-o", "out"]).ended(1);
    assert!(folder.has("out/constraint_violations.json"));
    folder.run(&["check", "baseline.csv", "--baseline", "baseline.csv", "-o", "out"]).ended(0);
    assert_eq!(folder.names("out"), ["constraints.json", "report.html", "statistics.json"]);
}

#[test]
fn json_output_is_for_programs() {
    let folder = Folder::with_churn();
    let ran = folder.run(&["check", "current.csv", "--baseline", "baseline.csv", "--format", "json"]).ended(1);
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed["message"], "CompletedWithViolations: Job completed successfully with 4 violations.");
    assert_eq!(printed["records"], 1000);
    let found: Vec<(&str, &str)> = printed["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["constraint_check_type"].as_str().unwrap(), one["feature_name"].as_str().unwrap()))
        .collect();
    assert_eq!(found, CHURN_VIOLATIONS);
    let drift = |feature: &str| {
        let drift = printed["drift"].as_array().unwrap();
        drift.iter().find(|one| one["feature_name"] == feature).unwrap().clone()
    };
    assert_eq!(drift("CustServ Calls")["rules_disagree"], true);
    assert_eq!(drift("Day Mins")["rules_disagree"], false);
    assert!(drift("Day Mins")["distance"].as_f64().unwrap() > 0.1);

    let ran = folder.run(&["baseline", "baseline.csv", "--format", "json", "-o", "out"]).ended(0);
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(printed["statistics"] == folder.json("out/statistics.json"));
    assert_eq!(printed["constraints"], folder.json("out/constraints.json"));
}

/// Every document of AWS's that the repository has.
fn documents_of_aws() -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![repository("crates/formats/tests/goldens"), repository("crates/analyzer/tests/goldens")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if ["statistics", "constraint_violations", "constraints", "baseline_constraints"]
                .iter()
                .any(|kind| name.starts_with(kind) && path.extension().is_some_and(|end| end == "json"))
            {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_document_of_aws_can_be_looked_at() {
    let folder = Folder::new();
    let documents = documents_of_aws();
    assert!(documents.len() >= 12, "{documents:?}");
    for path in documents {
        let ran = folder.run(&["inspect", path.to_str().unwrap()]).ended(0);
        let text = std::fs::read_to_string(&path).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let name =
            |feature: &Value| feature.get("name").unwrap_or(&feature["feature_name"]).as_str().unwrap().to_owned();
        let names: Vec<String> = if let Some(features) = document.get("features").or_else(|| document.get("violations"))
        {
            features.as_array().unwrap().iter().map(name).collect()
        } else {
            // Of model quality: metrics, in the section of a problem type.
            let sections = document.as_object().unwrap().values().filter_map(Value::as_object);
            sections.flat_map(|section| section.keys().cloned()).collect()
        };
        assert!(!names.is_empty());
        for name in names {
            // A long name may be cut in the middle.
            let start: String = name.chars().take(6).collect();
            assert!(ran.stdout.contains(&start), "{}: {name}", path.display());
        }
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 160), "{}", path.display());
        let piped = folder.run_on(&["inspect", "-"], text.as_bytes()).ended(0);
        assert_eq!(piped.stdout, ran.stdout);

        // Read and written again it is the same document.
        let ran = folder.run(&["inspect", path.to_str().unwrap(), "--format", "json"]).ended(0);
        let again: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert!(again == document, "{}", path.display());
    }
}

#[test]
fn what_is_no_document_cannot_be_looked_at() {
    let folder = Folder::new();
    for (text, expected) in [
        ("{}", "neither statistics (`dataset`), nor constraints (`features`), nor violations (`violations`)"),
        ("a,b\n1,2\n", "no JSON document, which `inspect` shows: expected value at line 1 column 1"),
        ("{\"features\": [", "EOF while parsing a list at line 1 column 14"),
        ("{\"violations\": 7}", "violations"),
        ("{\"dataset\": {\"item_count\": \"many\"}, \"features\": []}", "dataset.item_count"),
    ] {
        folder.write("file.json", text);
        let ran = folder.run(&["inspect", "file.json"]).ended(2);
        assert!(ran.stderr.starts_with("Error: file.json: ") && ran.stderr.contains(expected), "{}", ran.stderr);
    }
    let ran = folder.run(&["inspect", "nowhere.json"]).ended(2);
    assert!(ran.stderr.starts_with("Error: nowhere.json: No such file"), "{}", ran.stderr);
}

#[test]
fn a_report_is_made_of_folders_that_are_there() {
    let folder = Folder::with_churn();
    folder.run(&["baseline", "baseline.csv", "-o", "base"]).ended(0);
    folder.run(&["check", "current.csv", "--baseline", "base", "-o", "monday"]).ended(1);
    folder.run(&["check", "baseline.csv", "--baseline", "base", "-o", "tuesday"]).ended(0);
    for folder_name in ["base", "monday", "tuesday"] {
        std::fs::remove_file(folder.path(folder_name).join("report.html")).unwrap();
    }
    let ran = folder.run(&["report", "base"]).ended(0);
    assert_eq!(ran.stdout, "base/report.html\n");
    let ran = folder.run(&["report", "base", "monday", "tuesday"]).ended(0);
    assert_eq!(ran.stdout, "tuesday/report.html\n");
    let html = folder.read("tuesday/report.html");
    for name in ["monday", "tuesday", "Intl Calls", "Night Mins"] {
        assert!(html.contains(name), "{name}");
    }
    folder.run(&["report", "base", "monday", "-o", "html/one.html"]).ended(0);
    assert!(
        folder.read("html/one.html").starts_with("<!doctype html>")
            || folder.read("html/one.html").starts_with("<!DOCTYPE html>")
    );
    // The violations of one folder alone.
    folder.run(&["report", "monday"]).ended(0);
    assert!(folder.read("monday/report.html").contains("Intl Calls"));

    let ran = folder.run(&["report", "base", "nowhere"]).ended(2);
    assert!(
        ran.stderr.contains("Could not read baseline statistics") || ran.stderr.contains("nowhere/statistics.json"),
        "{}",
        ran.stderr
    );
    assert!(!folder.has("nowhere"));
}

#[test]
fn the_method_for_categories_goes_into_the_constraints() {
    let folder = Folder::new();
    folder.write("data.csv", "place\na\nb\n");
    folder.run(&["baseline", "data.csv", "--categorical-drift-method", "ChiSquared", "-o", "base"]).ended(0);
    let comparison = &folder.json("base/constraints.json")["monitoring_config"]["distribution_constraints"];
    assert_eq!(comparison["categorical_drift_method"], "ChiSquared");
}

#[test]
fn a_report_of_model_quality_is_made_of_folders_that_are_there() {
    let folder = Folder::new();
    let rows = |count: usize, wrong: usize| -> String {
        let row = |index: usize| {
            let truth = index % 2;
            format!("{},{truth}\n", if index < wrong { 1 - truth } else { truth })
        };
        "prediction,label\n".to_owned() + &(0..count).map(row).collect::<String>()
    };
    folder.write("good.csv", rows(300, 10));
    folder.write("bad.csv", rows(300, 60));
    let attributes = ["--inference-attribute", "prediction", "--ground-truth-attribute", "label"];
    let baseline = ["quality", "baseline", "good.csv", "--problem-type", "BinaryClassification", "-o", "base"];
    folder.run(&[&baseline[..], &attributes].concat()).ended(0);
    for (dataset, out, status) in [("good.csv", "monday", 0), ("bad.csv", "tuesday", 1)] {
        let check = ["quality", "check", dataset, "--baseline", "base", "-o", out];
        folder.run(&[&check[..], &attributes].concat()).ended(status);
    }
    let ran = folder.run(&["report", "base", "monday", "tuesday"]).ended(0);
    assert_eq!(ran.stdout, "tuesday/report.html\n");
    let html = folder.read("tuesday/report.html");
    for text in ["Model quality report", "in 1 of 2 runs", "monday", "The last run, <bdi>tuesday</bdi>"] {
        assert!(html.contains(text), "{text}");
    }
    folder.run(&["report", "base", "-o", "alone.html"]).ended(0);
    assert!(folder.read("alone.html").contains("A baseline; nothing was checked"));
    folder.run(&["report", "tuesday", "-o", "alone.html"]).ended(0);
    assert!(folder.read("alone.html").contains("worse than allowed"));
    // A folder of the other kind.
    folder.write("data.csv", "a,b\n1,2\n");
    folder.run(&["baseline", "data.csv", "-o", "data"]).ended(0);
    let ran = folder.run(&["report", "base", "data"]).ended(2);
    assert!(ran.stderr.contains("data/statistics.json"), "{}", ran.stderr);
}
