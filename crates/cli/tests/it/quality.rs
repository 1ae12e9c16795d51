//! `watchkeeper quality baseline` and `check` as a person uses them.

use serde_json::Value;

use crate::job::{Job, NO_VIOLATIONS, OUTPUT};
use crate::program::{Folder, Ran, repository};

const CHURN: [&str; 8] = [
    "--problem-type",
    "BinaryClassification",
    "--inference-attribute",
    "prediction",
    "--probability-attribute",
    "probability",
    "--ground-truth-attribute",
    "label",
];

fn golden(name: &str) -> String {
    repository("crates/analyzer/tests/goldens/model-quality").join(name).display().to_string()
}

/// A run with these arguments and those of a dataset's columns.
fn run(folder: &Folder, arguments: &[&str], columns: &[&str]) -> Ran {
    folder.run(&[arguments, columns].concat())
}

const COLUMNS: [&str; 4] = ["--inference-attribute", "prediction", "--ground-truth-attribute", "label"];

const GOOD: &str = "prediction,label\n1,1\n0,0\n1,1\n0,0\n";
const WORSE: &str = "prediction,label\n1,1\n0,1\n1,1\n0,0\n";

#[test]
fn a_baseline_is_the_one_that_aws_made() {
    let folder = Folder::new();
    let dataset = golden("churn-binary-baseline/baseline.csv");
    let ran = run(&folder, &["quality", "baseline", &dataset, "-o", "out"], &CHURN).ended(0);
    assert_eq!(folder.names("out"), ["constraints.json", "report.html", "statistics.json"]);
    assert_eq!(ran.stderr, "report: out/report.html\n");
    let expected: Value = serde_json::from_str(
        &std::fs::read_to_string(golden("churn-binary-baseline/expected_constraints.json")).unwrap(),
    )
    .unwrap();
    assert_eq!(folder.json("out/constraints.json"), expected);
    assert!(ran.stdout.starts_with("201 rows of a binary classification\n"), "{}", ran.stdout);
    for text in ["0.5714", "confusion matrix", "auc"] {
        assert!(ran.stdout.contains(text), "{}", ran.stdout);
    }
    assert!(folder.read("out/report.html").contains("<html"));
    // The same dataset meets it.
    let ran = run(&folder, &["quality", "check", &dataset, "--baseline", "out", "-o", "again"], &CHURN).ended(0);
    assert!(ran.stdout.starts_with("no violations in 201 rows of a binary classification\n"), "{}", ran.stdout);
    assert_eq!(folder.names("again"), ["constraints.json", "report.html", "statistics.json"]);
}

#[test]
fn a_check_tells_what_has_become_worse() {
    let folder = Folder::new();
    folder.write("good.csv", GOOD);
    folder.write("worse.csv", WORSE);
    let problem = ["--problem-type", "BinaryClassification"];
    run(&folder, &["quality", "baseline", "good.csv", "-o", "base"], &[&problem[..], &COLUMNS].concat()).ended(0);
    // The problem type is that of the baseline.
    let ran = run(&folder, &["quality", "check", "worse.csv", "--baseline", "base", "-o", "out"], &COLUMNS).ended(1);
    assert!(ran.stdout.starts_with("7 violations in 4 rows of a binary classification\n"), "{}", ran.stdout);
    let document = folder.json("out/constraint_violations.json");
    let names: Vec<&str> = document["violations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|violation| violation["metric_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["recall", "accuracy", "truePositiveRate", "falseNegativeRate", "f0_5", "f1", "f2"]);
    let recall = ran.stdout.lines().find(|line| line.starts_with("recall  ")).unwrap();
    let words: Vec<&str> = recall.split_whitespace().collect();
    assert_eq!(words, ["recall", "0.6667", "1", "≥", "1", "violation", "1"]);

    // Or a dataset is, and constraints are edited.
    let problem = ["--problem-type", "binaryclassification"];
    let both = [&problem[..], &COLUMNS].concat();
    run(&folder, &["quality", "check", "worse.csv", "--baseline", "good.csv"], &both).ended(1);
    run(&folder, &["quality", "check", "good.csv", "--baseline", "worse.csv"], &both).ended(0);
    folder.write("edited.json", r#"{"binary_classification_constraints": {"recall": {"threshold": 0.6}}}"#);
    let edited = ["quality", "check", "worse.csv", "--baseline", "base", "--constraints", "edited.json"];
    let ran = run(&folder, &edited, &COLUMNS).ended(0);
    assert!(ran.stdout.starts_with("no violations"), "{}", ran.stdout);
    // They tell the problem type where the baseline is a dataset.
    let edited = ["quality", "check", "worse.csv", "--baseline", "good.csv", "--constraints", "edited.json"];
    run(&folder, &edited, &COLUMNS).ended(0);
}

/// What replaces the baseline would be met by the same dataset the next time.
#[test]
fn a_check_does_not_replace_its_baseline() {
    let folder = Folder::new();
    folder.write("good.csv", GOOD);
    folder.write("worse.csv", WORSE);
    let problem = ["--problem-type", "BinaryClassification"];
    run(&folder, &["quality", "baseline", "good.csv", "-o", "base"], &[&problem[..], &COLUMNS].concat()).ended(0);
    let before = folder.contents("base");
    let ran = run(&folder, &["quality", "check", "worse.csv", "--baseline", "base", "-o", "./base"], &COLUMNS).ended(2);
    assert_eq!(
        ran.stderr,
        "Error: ./base is the folder of the baseline, whose constraints.json would be replaced; choose another one for -o\n"
    );
    assert!(folder.contents("base") == before);
    // So it is with data quality.
    folder.run(&["baseline", "good.csv", "-o", "data"]).ended(0);
    let ran = folder.run(&["check", "worse.csv", "--baseline", "data", "-o", "data"]).ended(2);
    assert!(ran.stderr.starts_with("Error: data is the folder of the baseline"), "{}", ran.stderr);
}

/// The label may stand behind a payload of any length.
#[test]
fn merged_data_is_recognised_by_the_whole_of_its_first_line() {
    let folder = Folder::new();
    let request = "x".repeat(300_000);
    let line = |output, label| {
        format!(
            r#"{{"captureData":{{"endpointInput":{{"data":"{request}","encoding":"CSV"}},"endpointOutput":{{"data":"{output}","encoding":"CSV"}}}},"eventMetadata":{{}},"groundTruthData":{{"data":"{label}","encoding":"CSV"}}}}"#
        )
    };
    folder.write("merged/part.jsonl", format!("\n{}\n{}\n", line("0.9", "1"), line("0.2", "0")));
    let columns = ["--problem-type", "BinaryClassification", "--probability-attribute", "0"];
    let ran = run(&folder, &["quality", "baseline", "merged"], &columns).ended(0);
    assert!(ran.stdout.starts_with("2 rows of a binary classification\n"), "{}", ran.stdout);
}

/// Green that means nothing is worse than red.
#[test]
fn constraints_that_judge_nothing_are_no_good_news() {
    let folder = Folder::new();
    folder.write("worse.csv", WORSE);
    for section in ["{}", r#"{"recall": {"Threshold": 0.99}}"#, r#"{"auc": {"threshold": 0.99}}"#] {
        folder.write("base/constraints.json", format!(r#"{{"binary_classification_constraints": {section}}}"#));
        let ran = run(&folder, &["quality", "check", "worse.csv", "--baseline", "base"], &COLUMNS).ended(0);
        assert!(ran.stdout.starts_with("nothing judged in 4 rows of a binary classification\n"), "{}", ran.stdout);
        assert!(ran.stdout.contains("\nnote: nothing was judged: "), "{}", ran.stdout);
    }
}

#[test]
fn results_as_json() {
    let folder = Folder::new();
    folder.write("good.csv", GOOD);
    folder.write("worse.csv", WORSE);
    let columns = [&COLUMNS[..], &["--problem-type", "MulticlassClassification", "--format", "json"]].concat();
    let printed = |ran: Ran| -> Value { serde_json::from_str(&ran.stdout).unwrap() };
    let baseline = printed(run(&folder, &["quality", "baseline", "good.csv", "-o", "base"], &columns).ended(0));
    assert_eq!(baseline["statistics"]["dataset"]["item_count"], 4);
    assert_eq!(baseline["constraints"], folder.json("base/constraints.json"));
    let check = run(&folder, &["quality", "check", "worse.csv", "--baseline", "base"], &columns).ended(1);
    assert_eq!(check.stderr, "");
    let check = printed(check);
    let count = check["violations"].as_array().unwrap().len();
    assert_eq!(
        check["message"],
        format!("CompletedWithViolations: Job completed successfully with {count} violations.")
    );
    assert_eq!(check["statistics"]["multiclass_classification_metrics"]["accuracy"]["value"], 0.75);
    let check = printed(run(&folder, &["quality", "check", "good.csv", "--baseline", "base"], &columns).ended(0));
    assert_eq!((check["message"].as_str().unwrap(), &check["violations"]), (NO_VIOLATIONS, &Value::Array(Vec::new())));
}

#[test]
fn what_is_wrong_is_said_in_the_words_of_the_command_line() {
    let folder = Folder::new();
    folder.write("good.csv", GOOD);
    folder.write("empty/readme.txt", "");
    let before = folder.contents("");
    let says = |arguments: &[&str], message: &str| {
        let ran = folder.run(&[&["quality"], arguments].concat()).ended(2);
        assert_eq!(ran.stdout, "");
        assert!(ran.stderr.starts_with("Error: ") && ran.stderr.contains(message), "{}", ran.stderr);
    };
    let label = "--ground-truth-attribute";
    says(
        &["baseline", "good.csv", "--inference-attribute", "prediction", label, "label"],
        "no --problem-type, expected one of Regression, BinaryClassification, MulticlassClassification\n",
    );
    says(
        &["baseline", "good.csv", "--problem-type", "Regression", "--inference-attribute", "prediction"],
        "--ground-truth-attribute is not given, expected ",
    );
    says(
        &["baseline", "good.csv", "--problem-type", "Regression", label, "label"],
        "--inference-attribute is not given, expected ",
    );
    let regression = ["--problem-type", "Regression", "--inference-attribute", "prediction", label, "label"];
    let with = |arguments: &[&'static str]| [arguments, &regression[..]].concat();
    says(&with(&["baseline", "nowhere.csv"]), "nowhere.csv: no such file or folder\n");
    says(&with(&["check", "good.csv", "--baseline", "nowhere"]), "baseline nowhere: nowhere: no such file or folder\n");
    says(&with(&["check", "good.csv", "--baseline", "empty"]), "baseline empty: ");
    says(
        &with(&["baseline", "good.csv", "--probability-threshold-attribute", "inf"]),
        "--probability-threshold-attribute",
    );
    says(&with(&["baseline", "good.csv", "-o", "good.csv"]), "Could not write results to good.csv");
    says(&["check", "good.csv", "--baseline", "good.csv", "--inference-attribute", "prediction"], "no --problem-type");
    folder.run(&["quality", "check", "good.csv"]).ended(2);
    folder.run(&["quality", "guess"]).ended(2);
    // Constraints of another problem.
    let problem = ["quality", "baseline", "good.csv", "--problem-type", "BinaryClassification", "-o", "base"];
    run(&folder, &problem, &COLUMNS).ended(0);
    says(&with(&["check", "good.csv", "--baseline", "base"]), "regression_constraints");
    std::fs::remove_dir_all(folder.path("base")).unwrap();
    assert!(folder.contents("") == before, "{:?}", folder.names(""));
}

#[test]
fn datasets_come_in_every_format() {
    let folder = Folder::new();
    folder.write("bare.csv", "1,1\n0,1\n");
    folder.write("lines.jsonl", "{\"p\": {\"v\": 1}, \"label\": 1}\n{\"p\": {\"v\": 0}, \"label\": 1}\n");
    folder.write("document.json", "[\n{\"p\": {\"v\": 1}, \"label\": 1},\n{\"p\": {\"v\": 0}, \"label\": 1}\n]\n");
    let of = |arguments: &[&str]| {
        let ran = run(&folder, &["quality", "baseline"], &[arguments, &["--format", "json"]].concat()).ended(0);
        let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
        printed["statistics"]["binary_classification_metrics"]["recall"]["value"].clone()
    };
    let problem = ["--problem-type", "BinaryClassification"];
    let csv = ["--no-header", "--inference-attribute", "_c0", "--ground-truth-attribute", "1"];
    assert_eq!(of(&[&["bare.csv"], &problem[..], &csv].concat()), 0.5);
    let json = ["--inference-attribute", "p.v", "--ground-truth-attribute", "label"];
    for name in ["lines.jsonl", "document.json"] {
        assert_eq!(of(&[&[name], &problem[..], &json].concat()), 0.5, "{name}");
    }
    let ran = folder.run_on(&[&["quality", "baseline", "-"], &problem[..], &COLUMNS].concat(), WORSE.as_bytes());
    assert!(ran.ended(0).stdout.starts_with("4 rows of a binary classification\n"));
}

#[test]
fn every_document_can_be_inspected() {
    let folder = Folder::new();
    folder.write("good.csv", GOOD);
    folder.write("worse.csv", WORSE);
    let columns = [&COLUMNS[..], &["--problem-type", "BinaryClassification"]].concat();
    run(&folder, &["quality", "check", "worse.csv", "--baseline", "good.csv", "-o", "out"], &columns).ended(1);
    for (name, text) in [
        ("statistics", "4 rows of a binary classification\n"),
        ("constraints", "constraints of a binary classification\n"),
        ("constraint_violations", "Metric recall with 0.6666666666666666 +/- NaN was LessThanThreshold '1.0'\n"),
    ] {
        let path = format!("out/{name}.json");
        let ran = folder.run(&["inspect", &path]).ended(0);
        assert!(ran.stdout.contains(text), "{}", ran.stdout);
        let ran = folder.run(&["inspect", &path, "--format", "json"]).ended(0);
        assert_eq!(ran.stdout, folder.read(&path) + "\n");
    }
}

#[test]
fn a_job_writes_what_the_command_line_writes() {
    let dataset = golden("churn-binary-baseline/baseline.csv");
    let mut job = Job::baseline(&std::fs::read_to_string(&dataset).unwrap());
    job.set("analysis_type", "MODEL_QUALITY").set("problem_type", "BinaryClassification");
    job.set("inference_attribute", "prediction").set("probability_attribute", "probability");
    let ran = job.set("ground_truth_attribute", "label").run().ended(0);
    assert_eq!((job.message().as_str(), ran.stdout.as_str()), (NO_VIOLATIONS, ""));
    assert!(ran.stderr.ends_with(&format!("INFO  {NO_VIOLATIONS}\n")), "{}", ran.stderr);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    let folder = Folder::new();
    run(&folder, &["quality", "baseline", &dataset, "-o", "out"], &CHURN).ended(0);
    assert_eq!(folder.read("out/constraints.json"), job.folder.read(&format!("{OUTPUT}/constraints.json")));
    let (mut ours, mut theirs) = (folder.json("out/statistics.json"), job.statistics());
    for statistics in [&mut ours, &mut theirs] {
        assert!(statistics["dataset"]["evaluation_time"].take().is_string());
    }
    assert_eq!(ours, theirs);
}
