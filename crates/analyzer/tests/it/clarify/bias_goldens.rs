//! Recorded and independent numbers of bias, through jobs. How a case is staged: the goldens' README.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::stub_model::StubModel;
use super::{Job, WELL, assert_like, golden, golden_json};

/// The model of a case in `model.json`: features of a JSON line to label and score.
pub(super) fn logistic(case: &str) -> impl Fn(&str) -> String + Send + Sync + 'static {
    let model = golden_json(&format!("{case}/model.json"));
    let number = |value: &Value| value.as_f64().unwrap();
    let weights: Vec<f64> = model["weights"].as_array().unwrap().iter().map(number).collect();
    let (bias, threshold) = (number(&model["bias"]), number(&model["label_threshold"]));
    move |line| {
        let record: Value = serde_json::from_str(line).unwrap();
        let features = record["features"].as_array().unwrap();
        let sum: f64 = features.iter().zip(&weights).map(|(feature, weight)| feature.as_f64().unwrap() * weight).sum();
        let score = 1.0 / (1.0 + (-(sum + bias)).exp());
        json!({"predicted_label": u8::from(score > threshold), "score": score}).to_string()
    }
}

struct Case {
    name: String,
    case: Value,
}

impl Case {
    fn of(name: &str) -> Self {
        Self { name: format!("bias/{name}"), case: golden_json(&format!("bias/{name}/case.json")) }
    }

    fn file(&self, name: &str) -> String {
        golden(&format!("{}/{name}", self.name))
    }

    fn json(&self, name: &str) -> Value {
        golden_json(&format!("{}/{name}", self.name))
    }

    fn tolerance(&self) -> impl Fn(&str) -> f64 + use<> {
        let abs = self.case["abs_tol"].as_f64().unwrap_or(1e-12);
        let flip = self.case["ft_abs_tol"].as_f64().unwrap_or(abs);
        move |path| if path.contains("[FT]") { flip } else { abs }
    }

    /// Config and dataset; predictions in a file of their own, with one column of them or all.
    fn job(&self, mut config: Value, column: Option<&str>) -> Job {
        if let Some(column) = column {
            config["predicted_label_dataset_uri"] = json!("/opt/ml/processing/input/predictions");
            config["predicted_label"] = json!(column);
        }
        let job = Job::new(&config);
        let dataset = self.case["dataset"].as_str().unwrap_or("dataset.csv");
        job.put(&format!("processing/input/data/{dataset}"), &self.file(dataset));
        if column.is_some() {
            job.put("processing/input/predictions/predictions.csv", &self.file("predictions.csv"));
        }
        job
    }
}

fn header(text: &str) -> &str {
    text.lines().next().unwrap().split(',').next().unwrap()
}

#[test]
fn analyses_of_tables() {
    for name in ["sdk-data-bias-check", "fraud-numeric-facets", "fraud-continuous-facets", "edge-small-table"] {
        let case = Case::of(name);
        let column = case.case.get("predictions").map(|_| header(&case.file("predictions.csv")).to_owned());
        let job = case.job(case.json("analysis_config.json"), column.as_deref());
        assert_eq!(job.run(), WELL, "{name}");
        assert_like(&job.analysis(), &case.json("expected_analysis.json"), name, &case.tolerance());
    }
}

#[test]
fn missing_cells_kinds_and_errors() {
    let case = Case::of("edge-missing-and-types");
    let expected = case.json("expected.json");
    for analysis in case.case["analyses"].as_array().unwrap() {
        let name = analysis["name"].as_str().unwrap();
        let column = analysis["predictions_column"].as_str();
        let job = case.job(analysis["analysis_config"].clone(), column);
        let message = job.run();
        if let Some(words) = analysis.get("expected_failure_contains") {
            let words = words.as_str().unwrap();
            assert!(message.starts_with("ClientError: ") && message.contains(words), "{name}: {message}");
            job.left_nothing();
        } else {
            assert_eq!(message, WELL, "{name}");
            assert_like(&job.analysis(), &expected[name], name, &case.tolerance());
        }
    }
}

#[test]
fn facets_and_scores_in_files_of_their_own() {
    let case = Case::of("separate-files-scores");
    let job = Job::new(&case.json("analysis_config.json"));
    for (path, file) in case.case["stage"].as_object().unwrap() {
        job.put(path, &case.file(file.as_str().unwrap()));
    }
    assert_eq!(job.run(), WELL);
    assert_like(&job.analysis(), &case.json("expected_analysis.json"), "separate", &case.tolerance());
}

#[test]
fn a_recorded_baseline_through_the_model() {
    let case = Case::of("adult-linear-baseline");
    let config = case.json("analysis_config.json");
    let mut job = case.job(config, None);
    let model = StubModel::of_lines(logistic("bias/adult-linear-baseline"));
    job.set("watchkeeper_predictor_url", &model.url);
    assert_eq!(job.run(), WELL);
    assert!(model.requests() < 20, "{} requests", model.requests());
    assert_like(&job.analysis(), &case.json("expected_analysis.json"), "adult", &case.tolerance());
}

/// The merged records of a recorded window, under the hour they are of.
fn stage_window(job: &mut Job, case: &Case) {
    let rows: Vec<Value> = case.file("rows.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = case.case["captures"]["count"].as_u64().unwrap() as usize;
    let payload = |data: &Value, mode: &str| json!({"observedContentType": "application/jsonlines", "mode": mode, "data": data.to_string(), "encoding": "JSON"});
    let mut lines = String::new();
    for capture in 0..count {
        let row = &rows[capture % rows.len()];
        let answer = json!({"predicted_label": row["predicted_label"], "score": row["score"]});
        let line = json!({
            "eventVersion": "0",
            "groundTruthData": {"data": json!({"label": row["ground_truth"]}).to_string(), "encoding": "JSON"},
            "captureData": {
                "endpointInput": payload(&json!({"features": row["features"]}), "INPUT"),
                "endpointOutput": payload(&answer, "OUTPUT"),
            },
            "eventMetadata": {
                "eventId": format!("event-{capture}"),
                "inferenceId": (capture % rows.len()).to_string(),
                "inferenceTime": "2023-05-01T10:30:00Z",
            },
        });
        writeln!(lines, "{line}").unwrap();
    }
    let format = r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#;
    job.execute("MODEL_BIAS", format, &lines);
    job.set("output_path", "/opt/ml/processing/output");
    job.set("monitoring_input_type", "ENDPOINT_INPUT");
    for (name, value) in case.case["captures"]["endpoint_input"].as_object().unwrap() {
        job.set(name, value.as_str().unwrap());
    }
}

#[test]
fn a_recorded_window_and_its_violations() {
    let case = Case::of("adult-linear-live-jsonlines");
    let mut job = Job::new(&case.case["analysis_config"]);
    stage_window(&mut job, &case);
    job.compare_with(&golden(case.case["baseline_constraints"].as_str().unwrap()));
    let expected = case.json("observed_violations.json");
    let count = expected["violations"].as_array().unwrap().len();
    let message = job.run();
    assert_eq!(message, format!("CompletedWithViolations: Job completed successfully with {count} violations."));
    let tolerance = |path: &str| if path.contains("[FT]") { 0.02 } else { 1e-9 };
    let expected_live = case.json("live_metrics.json");
    for (metrics, stage) in [("pre_training_bias_metrics", "pre"), ("post_training_bias_metrics", "post")] {
        if let Some(expected) = expected_live.get(metrics) {
            assert_like(&job.analysis()[metrics], expected, stage, &tolerance);
        }
    }
    let ours: Value = serde_json::from_str(&job.output("constraint_violations.json").unwrap()).unwrap();
    assert_like(&with_numbers(&ours), &with_numbers(&expected), "violations", &tolerance);
    assert!(job.output("report.html").is_some());
    let metrics = job.metrics();
    assert_eq!(metrics.len(), 21);
    let first = &metrics[0];
    assert_eq!(first["MetricName"], "bias_metric_CDDL");
    let dimensions: Vec<&str> =
        first["Dimensions"].as_array().unwrap().iter().map(|dimension| dimension["Name"].as_str().unwrap()).collect();
    let names = ["Endpoint", "MonitoringSchedule", "BiasStage", "Label", "LabelValue", "Facet", "FacetValue"];
    assert_eq!(dimensions, names);
}

/// The numbers in the texts of violations as numbers, so that they can be compared as such.
fn with_numbers(document: &Value) -> Value {
    let mut document = document.clone();
    for violation in document["violations"].as_array_mut().unwrap() {
        let text = violation["description"].as_str().unwrap();
        let (numbers, words): (Vec<&str>, Vec<&str>) = text.split(' ').partition(|word| word.parse::<f64>().is_ok());
        let numbers: Vec<f64> = numbers.iter().map(|word| word.parse().unwrap()).collect();
        let words = words.join(" ");
        violation["numbers"] = json!(numbers);
        violation["description"] = json!(words);
        violation["name"] = violation["metric_name"].clone();
        // The recorded one was printed with its members sorted.
        violation.sort_all_objects();
    }
    document
}

#[test]
fn an_equal_baseline_has_no_violation_and_a_smaller_value_is_one() {
    let case = Case::of("sdk-data-bias-check");
    let mut job = case.job(case.json("analysis_config.json"), None);
    assert_eq!(job.run(), WELL);
    let mut baseline = job.analysis();
    job.compare_with(&baseline.to_string());
    assert_eq!(job.run(), WELL);
    assert!(job.output("constraint_violations.json").is_none());
    let metric = &mut baseline["pre_training_bias_metrics"]["facets"]["F1"][0]["metrics"][1];
    let (name, value) = (metric["name"].clone(), metric["value"].as_f64().unwrap());
    metric["value"] = json!(value / 2.0);
    job.compare_with(&baseline.to_string());
    assert_eq!(job.run(), "CompletedWithViolations: Job completed successfully with 1 violations.");
    let violations: Value = serde_json::from_str(&job.output("constraint_violations.json").unwrap()).unwrap();
    assert_eq!(violations["violations"].as_array().unwrap().len(), 1);
    assert_eq!(violations["violations"][0]["metric_name"], name);
    // One that does not apply any more goes.
    job.compare_with(&job.analysis().to_string());
    assert_eq!(job.run(), WELL);
    assert!(job.output("constraint_violations.json").is_none());
}

#[test]
fn formulas_from_counts() {
    let case = Case::of("documented-worked-examples");
    for example in case.case["cases"].as_array().unwrap() {
        let metric = example["metric"].as_str().unwrap();
        let mut rows = String::from("facet,label,predicted\n");
        for facet in ["a", "d"] {
            let counts = &example[facet];
            let count = |name: &str| counts[name].as_u64().unwrap_or_default();
            for (label, predicted, number) in outcomes(&count, metric) {
                for _ in 0..number {
                    writeln!(rows, "{facet},{label},{predicted}").unwrap();
                }
            }
        }
        check_formula(metric, &rows, &example["expected"], 1e-9);
    }
    let case = Case::of("adult-full-pretraining-from-counts");
    let mut rows = String::from("facet,label,predicted\n");
    for (facet, name) in [("a", "complement"), ("d", "facet")] {
        let counts = &case.case["counts"][name];
        let (all, positive) = (counts["rows"].as_u64().unwrap(), counts["positive"].as_u64().unwrap());
        for row in 0..all {
            writeln!(rows, "{facet},{},1", u8::from(row < positive)).unwrap();
        }
    }
    for (metric, expected) in case.case["expected"].as_object().unwrap() {
        check_formula(metric, &rows, expected, 1e-12);
    }
}

/// Rows of one side by label and prediction. Counts that are not given are zero.
fn outcomes(count: &dyn Fn(&str) -> u64, metric: &str) -> [(u8, u8, u64); 4] {
    // A side without a predicted positive fails as a whole job; one true positive changes neither of these.
    let beside = u64::from(matches!(metric, "DCR" | "DRR"));
    let (positive, predicted_positive) = (count("observed_positive"), count("predicted_positive"));
    let (negative, predicted_negative) = (count("observed_negative"), count("predicted_negative"));
    // As many rows as can have both.
    let missed = positive.saturating_sub(predicted_positive) + predicted_negative.saturating_sub(negative);
    let alarms = predicted_positive.saturating_sub(positive) + negative.saturating_sub(predicted_negative);
    [
        (1, 1, count("tp") + positive.min(predicted_positive) + beside),
        (1, 0, count("fn") + missed),
        (0, 1, count("fp") + alarms),
        (0, 0, count("tn") + negative.min(predicted_negative)),
    ]
}

fn check_formula(metric: &str, rows: &str, expected: &Value, tolerance: f64) {
    let is_pre_training = ["CDDL", "CI", "DPL", "JS", "KL", "KS", "LP", "TVD"].contains(&metric);
    let method = if is_pre_training { "pre_training_bias" } else { "post_training_bias" };
    let job = Job::new(&json!({
        "dataset_type": "text/csv",
        "label": "label",
        "predicted_label": "predicted",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "facet", "value_or_threshold": ["d"]}],
        "methods": {method: {"methods": [metric]}},
    }));
    job.put("processing/input/data/data.csv", rows);
    assert_eq!(job.run(), WELL, "{metric}");
    let analysis = job.analysis();
    let metrics = &analysis[format!("{method}_metrics")]["facets"]["facet"][0]["metrics"];
    assert_eq!(metrics.as_array().unwrap().len(), 1);
    assert_eq!(metrics[0]["name"], metric);
    assert_like(&metrics[0]["value"], expected, metric, &|_| tolerance);
}
