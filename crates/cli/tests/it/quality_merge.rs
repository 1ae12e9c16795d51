//! `watchkeeper quality merge`, and what follows it.

use serde_json::{Value, json};

use crate::program::Folder;
use crate::traffic;

fn captured(id: &str, score: &str) -> String {
    traffic::with_inference_id(&traffic::record(0, score, "1,2"), id)
}

fn label(id: &str, label: &str) -> String {
    let record = json!({
        "groundTruthData": {"data": label, "encoding": "CSV"}, "eventMetadata": {"eventId": id}, "eventVersion": "0",
    });
    format!("{record}\n")
}

/// Three captures, of which two have labels, one of them twice; and a label of nobody.
fn folder() -> Folder {
    let folder = Folder::new();
    let captures = [captured("a", "0.9"), captured("b", "0.2"), captured("c", "0.7")].concat();
    folder.write("captures/scorer/AllTraffic/2026/05/18/01/00-00-000-x.jsonl", captures);
    let labels =
        [label("a", "0"), label("b", "0"), label("a", "1"), label("z", "1"), "no record\n".to_owned()].concat();
    folder.write("labels/2026/05/18/02/any-name.jsonl", labels);
    folder
}

const MERGE: [&str; 8] = ["quality", "merge", "--captures", "captures", "--ground-truth", "labels", "-o", "merged"];

#[test]
fn merged_records_are_what_check_reads() {
    let folder = folder();
    let ran = folder.run(&MERGE).ended(0);
    assert!(ran.stdout.starts_with("2 of 3 captured records got a label\n"), "{}", ran.stdout);
    for text in
        ["captures without a label: c\n", "labels without a capture: z\n", "1 label replaced by another value: a\n"]
    {
        assert!(ran.stdout.contains(text), "{}", ran.stdout);
    }
    assert!(ran.stdout.contains("1 piece of the labels skipped"), "{}", ran.stdout);
    let columns = ["--problem-type", "BinaryClassification", "--probability-attribute", "0"];
    let baseline = ["quality", "baseline", "merged", "-o", "base"];
    let ran = folder.run(&[&baseline[..], &columns].concat()).ended(0);
    assert!(ran.stdout.starts_with("2 rows of a binary classification\n"), "{}", ran.stdout);
    assert_eq!(folder.json("base/statistics.json")["binary_classification_metrics"]["auc"]["value"], 1.0);
    let check = ["quality", "check", "merged", "--baseline", "base", "--dataset-format", "sagemakerMergeJson"];
    folder.run(&[&check[..], &["--probability-attribute", "0"]].concat()).ended(0);

    // Merging again replaces, and doubles nothing.
    let before = folder.contents("merged");
    folder.run(&MERGE).ended(0);
    assert!(folder.contents("merged") == before, "{:?}", folder.names("merged"));
}

#[test]
fn the_report_of_a_merge_can_be_read_again() {
    let folder = folder();
    let ran = folder.run(&[&MERGE[..], &["--format", "json"]].concat()).ended(0);
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(printed["matched"], 2);
    let names = folder.names("merged/_reports");
    assert_eq!(names.len(), 1, "{names:?}");
    let path = format!("merged/_reports/{}", names[0]);
    assert_eq!(folder.json(&path), printed);
    let shown = folder.run(&["inspect", &path]).ended(0).stdout;
    assert!(shown.starts_with("2 of 3 captured records got a label\n"), "{shown}");
}

#[test]
fn what_cannot_be_merged_is_said_and_leaves_nothing() {
    let folder = folder();
    std::fs::remove_dir_all(folder.path("labels")).unwrap();
    folder.write("labels/2026/05/18/01/x.jsonl", label("y", "1"));
    let before = folder.contents("");
    let ran = folder.run(&MERGE).ended(2);
    for text in [
        "Error: Job inputs had no data. No captured record could be joined with ground truth: 3 captured records, 1 \
         ground-truth records, 0 common ids, hours ",
        "2026/05/18/01",
    ] {
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    }
    assert!(folder.contents("") == before, "{:?}", folder.names(""));
    std::fs::remove_dir_all(folder.path("labels")).unwrap();
    let ran = folder.run(&MERGE).ended(2);
    assert!(ran.stderr.contains("labels: no such file or folder"), "{}", ran.stderr);
    assert!(!folder.has("merged"));
}
