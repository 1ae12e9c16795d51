//! Attributions and partial dependence, exact and recorded, through jobs.

use serde_json::{Value, json};

use super::bias_goldens::logistic;
use super::stub_model::StubModel;
use super::{Job, WELL, assert_like, golden, golden_json};

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

/// Rows of a CSV document without its header.
fn csv_rows(text: &str) -> Vec<Vec<f64>> {
    text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
}

fn assert_rows(ours: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(ours.len(), expected.len());
    for (row, (ours, expected)) in ours.iter().zip(expected).enumerate() {
        assert_eq!(ours.len(), expected.len(), "row {row}");
        for (ours, expected) in ours.iter().zip(expected) {
            assert!((ours - expected).abs() <= tolerance, "row {row}: {ours}, expected {expected}");
        }
    }
}

fn csv(rows: &[Vec<f64>]) -> String {
    let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",") + "\n";
    rows.iter().map(line).collect()
}

#[test]
fn interactions_against_three_baseline_rows() {
    let case = golden_json("explainability/interaction-identity-link/case.json");
    let model = StubModel::of_lines(|line| {
        let x: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let sum = 0.3 * x[0] + 0.5 * x[1] * x[2] - 0.2 * x[3] * x[3] + 0.1 * x[0] * x[3] * x[4] - 0.4 * x[4].tanh();
        sum.to_string()
    });
    for (method, global) in case["global"].as_object().unwrap() {
        let mut job = Job::new(&json!({
            "dataset_type": "text/csv",
            "headers": case["features"],
            "methods": {"shap": {
                "baseline": case["baseline_rows"], "num_samples": 30, "agg_method": method,
                "use_logit": case["use_logit"], "save_local_shap_values": true,
            }},
            "predictor": {"endpoint_name": "stub"},
        }));
        job.put("processing/input/data/rows.csv", &csv(&rows(&case["rows"])));
        job.set("watchkeeper_predictor_url", &model.url);
        assert_eq!(job.run(), WELL);
        let out = job.output("explanations_shap/out.csv").unwrap();
        assert_eq!(out.lines().next(), Some("x0_label0,x1_label0,x2_label0,x3_label0,x4_label0"));
        assert_rows(&csv_rows(&out), &rows(&case["local"]), 1e-9);
        let label = &job.analysis()["explanations"]["kernel_shap"]["label0"];
        assert_like(&label["expected_value"], &case["expected_value"], "expected", &|_| 1e-9);
        let ours: Vec<f64> =
            label["global_shap_values"].as_object().unwrap().values().map(|value| value.as_f64().unwrap()).collect();
        let expected: Vec<f64> = match global {
            Value::Object(values) => values.values().map(|value| value.as_f64().unwrap()).collect(),
            values => numbers(values),
        };
        assert_rows(&[ours], &[expected], 1e-9);
    }
}

fn adult(change: impl Fn(&mut Value)) -> (Job, StubModel) {
    let mut config = golden_json("explainability/adult-linear-shap-baseline/analysis_config.json");
    change(&mut config);
    let mut job = Job::new(&config);
    job.put("processing/input/data/dataset.jsonl", &golden("bias/adult-linear-baseline/dataset.jsonl"));
    let model = StubModel::of_lines(logistic("bias/adult-linear-baseline"));
    job.set("watchkeeper_predictor_url", &model.url);
    (job, model)
}

#[test]
fn a_recorded_baseline_by_samples() {
    let (job, _model) = adult(|config| config["methods"]["shap"]["save_local_shap_values"] = json!(true));
    assert_eq!(job.run(), WELL);
    let analysis = job.analysis();
    let label = &analysis["explanations"]["kernel_shap"]["label0"];
    let exact = golden_json("explainability/adult-linear-shap-baseline/exact_global.json");
    let exact = exact.get("global_shap_values").unwrap_or(&exact);
    assert_like(&label["global_shap_values"], exact, "exact", &|_| 0.002);
    assert!((label["expected_value"].as_f64().unwrap() - 0.250_623_226_165_771).abs() < 1e-6);
    let observed = golden_json("explainability/adult-linear-shap-baseline/observed_analysis.json");
    let (_, observed) = observed["explanations"]["kernel_shap"].as_object().unwrap().iter().next().unwrap();
    assert_like(&label["global_shap_values"], &observed["global_shap_values"], "observed", &|_| 0.0025);
    // The same bytes with any number of threads.
    let (mut other, _model) = adult(|config| config["methods"]["shap"]["save_local_shap_values"] = json!(true));
    other.threads = 7;
    assert_eq!(other.run(), WELL);
    for name in ["analysis.json", "explanations_shap/out.csv", "explanations_shap/baseline.csv"] {
        assert_eq!(job.output(name).unwrap(), other.output(name).unwrap(), "{name}");
    }
}

#[test]
fn a_recorded_baseline_by_all_coalitions() {
    let (job, _model) = adult(|config| {
        config["methods"]["shap"]["save_local_shap_values"] = json!(true);
        config["methods"]["shap"]["num_samples"] = json!(20_000);
    });
    // As many rows as there are exact values of.
    let dataset = golden("bias/adult-linear-baseline/dataset.jsonl");
    let first: Vec<&str> = dataset.lines().take(40).collect();
    job.put("processing/input/data/dataset.jsonl", &first.join("\n"));
    assert_eq!(job.run(), WELL);
    let exact = csv_rows(&golden("explainability/adult-linear-shap-baseline/exact_local_first_40.csv"));
    assert_rows(&csv_rows(&job.output("explanations_shap/out.csv").unwrap()), &exact, 1e-9);
}

/// The additive model of a case: a line of CSV to a line of scores.
fn additive(model: Value) -> impl Fn(&str) -> String + Send + Sync + 'static {
    move |line| {
        // No text of these has a comma.
        let cells: Vec<&str> = line.split(',').map(|cell| cell.trim_matches('"')).collect();
        let features = model["features"].as_array().unwrap();
        let score = |output: &Value| {
            let part = |(feature, cell): (&Value, &&str)| {
                let name = feature.as_str().unwrap();
                match (output["weights"].get(name), output["maps"].get(name)) {
                    (Some(weight), _) => weight.as_f64().unwrap() * cell.parse::<f64>().unwrap(),
                    (None, Some(map)) => map.get(*cell).and_then(Value::as_f64).unwrap_or_default(),
                    (None, None) => 0.0,
                }
            };
            output["bias"].as_f64().unwrap() + features.iter().zip(&cells).map(part).sum::<f64>()
        };
        model["outputs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|output| score(output).to_string())
            .collect::<Vec<_>>()
            .join(",")
    }
}

#[test]
fn two_scores_texts_and_every_kind_of_column() {
    let folder = "explainability/additive-two-scores";
    let case = golden_json(&format!("{folder}/case.json"));
    let model = StubModel::of_lines(additive(golden_json(&format!("{folder}/model.json"))));
    let (expected, expected_local) =
        (golden_json(&format!("{folder}/expected.json")), golden_json(&format!("{folder}/expected_local.json")));
    for analysis in case["analyses"].as_array().unwrap() {
        let name = analysis["name"].as_str().unwrap();
        let mut job = Job::new(&analysis["analysis_config"]);
        job.put("processing/input/data/dataset.csv", &golden(&format!("{folder}/dataset.csv")));
        job.set("watchkeeper_predictor_url", &model.url);
        assert_eq!(job.run(), WELL, "{name}: {}", job.log());
        assert_like(&job.analysis(), &expected[name], name, &|_| 1e-9);
        let out = job.output("explanations_shap/out.csv");
        assert_eq!(out.is_some(), expected_local.get(name).is_some(), "{name}");
        if let Some(out) = out {
            assert_rows(&csv_rows(&out), &rows(&expected_local[name]), 1e-9);
        }
        if let Some(expected) = analysis.get("expected_baseline_csv") {
            let ours = job.output("explanations_shap/baseline.csv").unwrap();
            let ours: Vec<Vec<&str>> = ours.lines().map(|line| line.split(',').collect()).collect();
            let cell = |text: &str| text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number));
            let ours: Vec<Vec<Value>> = ours.iter().map(|row| row.iter().map(|text| cell(text)).collect()).collect();
            let expected: Vec<Vec<Value>> = expected
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row.as_array().unwrap().iter().map(|text| cell(text.as_str().unwrap())).collect())
                .collect();
            assert_like(&json!(ours), &json!(expected), name, &|_| 1e-9);
        }
    }
}

#[test]
fn an_order_of_features_that_has_changed() {
    let near = golden_json("explainability/ndcg-near-threshold/case.json");
    let mut cases = vec![golden_json("explainability/ndcg-documented/case.json")];
    cases.extend(near["cases"].as_array().unwrap().iter().cloned());
    for case in cases {
        let live = case["live"].as_object().unwrap();
        let weights: Vec<f64> = live.values().map(|weight| weight.as_f64().unwrap()).collect();
        let zeros = vec![0; weights.len()];
        let ones = vec![1.0; weights.len()];
        let model = StubModel::of_lines(move |line| {
            let cells = line.split(',').map(|cell| cell.parse::<f64>().unwrap());
            cells.zip(&weights).map(|(cell, weight)| cell * weight).sum::<f64>().to_string()
        });
        let mut job = Job::new(&json!({
            "dataset_type": "text/csv",
            "headers": live.keys().collect::<Vec<_>>(),
            "methods": {"shap": {"baseline": [zeros]}},
            "predictor": {"endpoint_name": "stub"},
        }));
        job.put("processing/input/data/rows.csv", &csv(&[ones]));
        job.set("watchkeeper_predictor_url", &model.url);
        let label = json!({"global_shap_values": case["baseline"], "expected_value": 0.0});
        let baseline = json!({"version": "1.0", "explanations": {"kernel_shap": {"label0": label}}});
        job.compare_with(&baseline.to_string());
        let message = job.run();
        let violations = job.output("constraint_violations.json");
        if case["violation"] == json!(false) {
            assert_eq!((message.as_str(), violations), (WELL, None));
            continue;
        }
        assert_eq!(message, "CompletedWithViolations: Job completed successfully with 1 violations.");
        let document: Value = serde_json::from_str(&violations.unwrap()).unwrap();
        let violation = &document["violations"][0];
        assert_eq!(violation["label"], "label0");
        assert_eq!(violation["constraint_check_type"], "feature_attribution_drift_check");
        let text = violation["description"].as_str().unwrap();
        let score = text.strip_prefix("Feature attribution drift ").unwrap();
        let score: f64 = score.strip_suffix(" exceeds threshold 0.9").unwrap().parse().unwrap();
        assert!((score - case["expected"].as_f64().unwrap()).abs() < 1e-9, "{text}");
    }
}
