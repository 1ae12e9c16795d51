//! Executions of the explainability monitor, on captured requests.

use serde_json::{Value, json};

use super::Job;
use super::stub_model::StubModel;

/// Captures of rows of two features, one request each, and a model that is linear in them.
fn job_of(rows: &[(f64, f64)], config: &Value) -> (Job, StubModel) {
    let mut job = Job::new(config);
    let mut lines = String::new();
    for (one, other) in rows {
        let payload = |mode: &str, data: String| json!({"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"});
        let line = json!({
            "captureData": {
                "endpointInput": payload("INPUT", format!("{one},{other}")),
                "endpointOutput": payload("OUTPUT", "0.5".to_owned()),
            },
            "eventMetadata": {"eventId": "e", "inferenceTime": "2023-05-01T10:30:00Z"},
            "eventVersion": "0",
        });
        lines += &line.to_string();
        lines.push('\n');
    }
    let format = r#"{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#;
    job.execute("MODEL_EXPLAINABILITY", format, &lines);
    job.set("inference_attribute", "None");
    let model = StubModel::of_lines(|line| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        (0.3 * cells[0] + 0.1 * cells[1]).to_string()
    });
    job.set("watchkeeper_predictor_url", &model.url);
    (job, model)
}

fn config() -> Value {
    json!({
        "headers": ["one", "other"],
        "methods": {"shap": {"baseline": [[0, 0]], "save_local_shap_values": true}},
        "predictor": {"model_name": "model", "instance_type": "ml.m5.large", "initial_instance_count": 1},
    })
}

fn global(job: &Job) -> Value {
    job.analysis()["explanations"]["kernel_shap"]["label0"]["global_shap_values"].clone()
}

#[test]
fn an_execution_and_its_drift() {
    let (mut job, _model) = job_of(&[(1.0, 1.0), (2.0, 1.0), (3.0, 4.0)], &config());
    assert_eq!(job.run(), "Completed: Job completed successfully with no violations.");
    let values = global(&job);
    assert!((values["one"].as_f64().unwrap() - 0.6).abs() < 1e-9, "{values}");
    assert!((values["other"].as_f64().unwrap() - 0.2).abs() < 1e-9, "{values}");
    assert_eq!(job.output("explanations_shap/out.csv").unwrap().lines().count(), 4);
    assert_eq!(job.output("explanations_shap/baseline.csv").unwrap(), "one,other\n0,0\n");
    assert!(job.output("report.html").is_some() && job.output("report.ipynb").is_some());
    let names: Vec<Value> = job.metrics().iter().map(|line| line["MetricName"].clone()).collect();
    assert_eq!(names, ["feature_one", "feature_other", "ExpectedValue"]);
    // Gains far apart, and the order turned: 0.1 + 0.9 / log2(3) of 0.9 + 0.1 / log2(3), well below 0.9.
    let label = json!({"global_shap_values": {"one": 0.1, "other": 0.9}, "expected_value": 0.0});
    let baseline = json!({"version": "1.0", "explanations": {"kernel_shap": {"label0": label}}});
    job.compare_with(&baseline.to_string());
    assert_eq!(job.run(), "CompletedWithViolations: Job completed successfully with 1 violations.");
    job.set("watchkeeper_ndcg_threshold", "0.5");
    assert_eq!(job.run(), "Completed: Job completed successfully with no violations.");
    assert!(job.output("constraint_violations.json").is_none());
}

#[test]
fn a_window_without_traffic() {
    let (mut job, model) = job_of(&[(1.0, 1.0)], &config());
    job.set("start_time", "2023-05-01T11:00:00Z");
    job.set("end_time", "2023-05-01T12:00:00Z");
    let message = job.run();
    assert!(
        message.starts_with("ClientError: No usable rows: 1 captured records, 1 outside 2023-05-01T11:00:00Z"),
        "{message}"
    );
    assert_eq!(model.requests(), 0);
    job.left_nothing();
}

#[test]
fn excluded_features_are_not_sent() {
    let mut config = config();
    config["methods"]["shap"]["baseline"] = json!([[0]]);
    let (mut job, _model) = job_of(&[(1.0, 5.0)], &config);
    job.set("exclude_features_attribute", "one");
    let model = StubModel::of_lines(|line| {
        assert!(!line.contains(','), "{line}");
        line.to_owned()
    });
    job.set("watchkeeper_predictor_url", &model.url);
    assert_eq!(job.run(), "Completed: Job completed successfully with no violations.");
    assert_eq!(global(&job), json!({"other": 5.0}));
}

#[test]
fn no_method_to_compare_by() {
    let mut config = config();
    config["methods"] = json!({"pdp": {"features": ["one"], "grid_resolution": 2}});
    let (mut job, _model) = job_of(&[(1.0, 5.0), (3.0, 1.0), (2.5, 1.0)], &config);
    let label = json!({"global_shap_values": {"one": 0.1, "other": 0.9}, "expected_value": 0.0});
    let baseline = json!({"version": "1.0", "explanations": {"kernel_shap": {"label0": label}}});
    job.compare_with(&baseline.to_string());
    assert_eq!(job.run(), "Completed: Job completed successfully with no violations.");
    let curve = &job.analysis()["explanations"]["pdp"][0];
    assert_eq!(curve["feature_values"], json!([1.5, 2.5]));
}

/// What a batch transform was asked has no content type of its own: its format says what the model takes.
#[test]
fn a_model_of_batches_is_asked_in_their_format() {
    for (format, lines) in
        [(r#"{"json":{"line":true}}"#, "{\"values\":[1,1]}\n{\"values\":[2,1]}\n"), (r#"{"csv":{}}"#, "1,1\n2,1\n")]
    {
        let is_json = format.contains("json");
        let mut config = config();
        config["predictor"] = json!({"model_name": "model"});
        if is_json {
            config["predictor"]["content_template"] = json!("{\"values\":$features}");
            config["methods"]["shap"]["baseline"] = json!([{"values": [0, 0]}]);
        }
        let (mut job, _) = job_of(&[], &config);
        job.put("processing/input_data/endpoint/AllTraffic/2023/05/01/10/captured.jsonl", lines);
        job.set("dataset_format", format);
        job.set("monitoring_input_type", "BATCH_TRANSFORM_INPUT");
        if is_json {
            job.set("features_attribute", "values");
            job.set("inference_attribute", "score");
        }
        let model = StubModel::of_lines(move |line| {
            if !is_json {
                let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
                return (0.3 * cells[0] + 0.1 * cells[1]).to_string();
            }
            let record: Value = serde_json::from_str(line).unwrap();
            let cell = |place: usize| record["values"][place].as_f64().unwrap();
            json!({"score": 0.3 * cell(0) + 0.1 * cell(1)}).to_string()
        });
        job.set("watchkeeper_predictor_url", &model.url);
        assert_eq!(job.run(), "Completed: Job completed successfully with no violations.", "{format}");
        let one = global(&job)["one"].as_f64().unwrap();
        assert!((one - 0.45).abs() < 1e-9, "{format}: {one}");
    }
}
