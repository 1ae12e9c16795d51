use serde_json::{Value, json};

use super::{assert_close, linear};
use crate::program::Folder;

const DATA: &str = "a,b,c,y\n1,2,3,0\n3,-1,0.5,1\n-2,4,1,0\n0,0,2,1\n";
const ROWS: [[f64; 3]; 4] = [[1.0, 2.0, 3.0], [3.0, -1.0, 0.5], [-2.0, 4.0, 1.0], [0.0, 0.0, 2.0]];
const WEIGHTS: [f64; 3] = [0.5, -1.25, 2.0];
const BACKGROUND: [f64; 3] = [1.0, 1.0, 0.0];

fn explain(folder: &Folder, words: &[&str], weights: &[f64]) -> crate::program::Ran {
    folder.run(&[words, &["--model", &linear(weights), "--label", "y", "--baseline-rows", "rows.csv"]].concat())
}

#[test]
fn attributions_of_a_linear_model_are_those_of_its_closed_form() {
    let folder = Folder::new();
    folder.write("data.csv", DATA);
    folder.write("rows.csv", "1,1,0\n");
    let words = ["explain", "data.csv", "-o", "out", "--pdp", "--grid-resolution", "3", "--agg-method", "mean_sq"];
    let ran = explain(&folder, &words, &WEIGHTS).ended(0);
    let files =
        ["analysis.json", "explanations_shap/baseline.csv", "explanations_shap/out.csv", "report.html", "report.ipynb"];
    assert_eq!(folder.names("out"), files, "nothing is left for a resumption");
    let contribution = |row: usize, feature: usize| WEIGHTS[feature] * (ROWS[row][feature] - BACKGROUND[feature]);
    let squares = |feature| (0..4).map(|row| contribution(row, feature).powi(2)).sum::<f64>() / 4.0;
    let shap = json!({"label0": {
        "global_shap_values": {"a": squares(0), "b": squares(1), "c": squares(2)},
        "expected_value": WEIGHTS[0] + WEIGHTS[1],
    }});
    let analysis = folder.json("out/analysis.json");
    assert_close(&analysis["explanations"]["kernel_shap"], &shap, 1e-9);
    let local = folder.read("out/explanations_shap/out.csv");
    assert!(local.starts_with("a_label0,b_label0,c_label0\n"), "{local}");
    for (row, line) in local.lines().skip(1).enumerate() {
        for (feature, cell) in line.split(',').enumerate() {
            assert!((cell.parse::<f64>().unwrap() - contribution(row, feature)).abs() < 1e-9, "{line}");
        }
    }
    assert_eq!(folder.read("out/explanations_shap/baseline.csv"), "a,b,c\n1,1,0\n");
    // Every bucket of a linear model's dependence is as far from the next.
    let curve = &analysis["explanations"]["pdp"][0]["model_predictions"][0];
    let step = |from: usize| curve[from + 1].as_f64().unwrap() - curve[from].as_f64().unwrap();
    assert!((step(0) - step(1)).abs() < 1e-9, "{curve}");

    assert!(ran.stdout.starts_with("attributions of 3 features, partial dependence on 3 features\n"), "{}", ran.stdout);
    let ranked: Vec<&str> =
        ran.stdout.lines().filter_map(|line| line.trim_start().strip_prefix(['1', '2', '3'])).collect();
    let names: Vec<&str> = ranked.iter().take(3).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["c", "b", "a"], "{}", ran.stdout);
    assert!(ran.stderr.starts_with("expected value: about 1 model row in about 1 request\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("attributions: about 28 model rows in about 1 request\n"), "{}", ran.stderr);

    // The same again, and with one thread.
    explain(&folder, &["explain", "data.csv", "-o", "again", "--threads", "1", "--agg-method", "mean_sq"], &WEIGHTS)
        .ended(0);
    assert_eq!(folder.read("again/explanations_shap/out.csv"), local);
}

/// The guide's example: (0.70, 0.50, 0.05) in the baseline, (0.10, 0.20, 0.70) live.
#[test]
fn a_check_finds_another_order_of_features() {
    let folder = Folder::new();
    folder.write("data.csv", "a,b,c,y\n1,1,1,0\n");
    folder.write("rows.csv", "0,0,0\n");
    explain(&folder, &["explain", "baseline", "data.csv", "-o", "base"], &[0.7, 0.5, 0.05]).ended(0);
    let check = ["explain", "check", "data.csv", "--baseline", "base/analysis.json", "-o", "out"];
    let ran = explain(&folder, &check, &[0.1, 0.2, 0.7]).ended(1);
    let violation = &folder.json("out/constraint_violations.json")["violations"][0];
    assert_eq!((&violation["label"], &violation["metric_name"]), (&"label0".into(), &"shap".into()));
    let description = violation["description"].as_str().unwrap();
    let score: f64 = description.split_whitespace().nth(3).unwrap().parse().unwrap();
    assert!((score - 0.687_639_624_122_622_3).abs() < 1e-9, "{description}");
    assert!(ran.stdout.starts_with("1 violation in attributions of 3 features\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains(description), "{}", ran.stdout);
    let moved: Vec<&str> = ran.stdout.lines().filter(|line| line.contains(['↑', '↓'])).collect();
    assert_eq!(moved.len(), 2, "the first and the last have changed places: {}", ran.stdout);
    assert!(moved[0].ends_with("3 ↑2") && moved[1].ends_with("1 ↓2"), "{moved:?}");
    // The same model keeps the order, and a threshold may be lower.
    explain(&folder, &["explain", "check", "data.csv", "--baseline", "base"], &[0.7, 0.5, 0.05]).ended(0);
    explain(
        &folder,
        &["explain", "check", "data.csv", "--baseline", "base", "--ndcg-threshold", "0.6"],
        &[0.1, 0.2, 0.7],
    )
    .ended(0);
}

#[test]
fn two_scores_and_some_features_only() {
    let folder = Folder::new();
    folder.write("data.jsonl", "{\"f\": [1, 2, \"x\"]}\n{\"f\": [3, 5, \"y\"]}\n");
    folder.write("rows.jsonl", "{\"f\": [0, 0, \"x\"]}\n");
    // Two scores a record: twice the first feature, and its negative.
    let model = r#"sed -E 's/.*\[([0-9]+),.*/\1/' | awk '{ printf "{\"p\":[%s,%s]}\n", 2 * $1, -$1 }'"#;
    let words =
        ["explain", "data.jsonl", "--features-path", "f", "--headers", "a,b,c", "--baseline-rows", "rows.jsonl"];
    let of_model = ["--model", model, "--content-template", "{\"f\":$features}", "--model-probability", "p"];
    let rest = ["--label-headers", "up,down", "--features", "a,c", "--format", "json"];
    let ran = folder.run(&[&words[..], &of_model, &rest].concat()).ended(0);
    let printed: Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = json!({
        "up": {"global_shap_values": {"a": 4.0, "c": 0.0}, "expected_value": 0.0},
        "down": {"global_shap_values": {"a": 2.0, "c": 0.0}, "expected_value": 0.0},
    });
    assert_close(&printed["analysis"]["explanations"]["kernel_shap"], &expected, 1e-9);
}
