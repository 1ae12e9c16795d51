//! `watchkeeper report` of folders that hold an analysis of bias or attributions.

use super::linear;
use crate::program::Folder;

const DATA: &str = "a,b,c,y\n1,2,3,0\n3,-1,0.5,1\n-2,4,1,0\n0,0,2,1\n";

/// Attributions against a baseline whose order of features is another one.
fn explained() -> Folder {
    let folder = Folder::new();
    folder.write("data.csv", DATA);
    folder.write("rows.csv", "1,1,0\n");
    let explain = |words: &[&str], weights: &[f64]| {
        let model = linear(weights);
        folder.run(&[words, &["--model", &model, "--label", "y", "--baseline-rows", "rows.csv"]].concat())
    };
    explain(&["explain", "baseline", "data.csv", "-o", "base"], &[5.0, 0.1, 0.01]).ended(0);
    explain(&["explain", "check", "data.csv", "--baseline", "base", "-o", "now"], &[0.01, 0.1, 5.0]).ended(1);
    for name in ["base", "now"] {
        std::fs::remove_file(folder.path(name).join("report.html")).unwrap();
    }
    folder
}

#[test]
fn a_folder_against_its_baseline_and_by_itself() {
    let folder = explained();
    let ran = folder.run(&["report", "base", "now"]).ended(0);
    assert_eq!(ran.stdout, "now/report.html\n");
    let html = folder.read("now/report.html");
    assert!(html.contains("<title>now against base</title>"));
    assert!(html.contains("1 violation: the order of features changed for 1 score"));
    assert!(
        html.contains("class=\"slopes\"") && html.contains("class=\"swarms\"") && html.contains("class=\"waterfall\"")
    );
    assert!(!html.contains("has judged it itself"));

    folder.run(&["report", "base", "-o", "html/alone.html"]).ended(0);
    assert!(folder.read("html/alone.html").contains("Nothing was compared with a baseline"));

    // Without the document of violations it is judged anew, and says so.
    std::fs::remove_file(folder.path("now").join("constraint_violations.json")).unwrap();
    folder.run(&["report", "base", "now"]).ended(0);
    let html = folder.read("now/report.html");
    assert!(html.contains("1 violation: the order of features changed for 1 score"));
    assert!(html.contains("now has no constraint_violations.json: this report has judged it itself"));
}

#[test]
fn values_of_rows_that_are_not_of_this_analysis_are_left_out() {
    let folder = explained();
    for other in ["a_label1,b_label1,c_label1\n1,2,3\n", "a_label0\n1\n", "a_label0,b_label0,c_label0\n1,x,3\n"] {
        folder.write("now/explanations_shap/out.csv", other);
        folder.run(&["report", "base", "now"]).ended(0);
        let html = folder.read("now/report.html");
        assert!(!html.contains("class=\"swarms\"") && !html.contains("class=\"waterfall\""), "{other}");
    }
}

#[test]
fn what_cannot_be_shown_is_said() {
    let folder = explained();
    let ran = folder.run(&["report", "base", "now", "now"]).ended(2);
    assert!(ran.stderr.contains("has one folder, or a baseline and another one; there are 3"), "{}", ran.stderr);
    let ran = folder.run(&["report", "base", "nowhere"]).ended(2);
    assert!(ran.stderr.contains("nowhere/analysis.json"), "{}", ran.stderr);
    folder.write("now/constraint_violations.json", "[");
    let ran = folder.run(&["report", "base", "now"]).ended(2);
    assert!(ran.stderr.contains("now/constraint_violations.json"), "{}", ran.stderr);
}
