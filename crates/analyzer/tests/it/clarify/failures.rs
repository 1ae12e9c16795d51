//! Jobs that cannot be done: a message that says what was found where, and nothing left behind.

use serde_json::{Value, json};

use super::stub_model::StubModel;
use super::{Job, WELL};

const TABLE: &str =
    "y,sex,age,city\n1,f,30,oslo\n0,m,41,bergen\n1,f,52,oslo\n0,m,23,molde\n1,m,35,oslo\n0,f,47,bergen\n";

fn config() -> Value {
    json!({
        "dataset_type": "text/csv",
        "label": "y",
        "label_values_or_threshold": [1],
        "facet": [{"name_or_index": "sex", "value_or_threshold": ["f"]}],
        "methods": {"pre_training_bias": {"methods": "all"}},
    })
}

fn job_of(config: &Value) -> Job {
    let job = Job::new(config);
    job.put("processing/input/data/data.csv", TABLE);
    job
}

fn changed(member: &str, value: Value) -> Value {
    let mut config = config();
    config[member] = value;
    config
}

#[track_caller]
fn assert_fails(config: &Value, words: &[&str]) {
    let job = job_of(config);
    let message = job.run();
    let beginning = format!("ClientError: {}", words[0]);
    assert!(message.starts_with(&beginning), "{message}\nexpected: {beginning}");
    for word in words {
        assert!(message.contains(word), "{message}\nexpected: {word}");
    }
    job.left_nothing();
}

#[test]
fn configurations() {
    assert_eq!(job_of(&config()).run(), WELL);
    let shap = |shap: Value| json!({"shap": shap});
    let predictor = json!({"endpoint_name": "model"});
    for (member, value, words) in [
        ("labels", json!("y"), &["Analysis configuration schema validation error.", "labels"][..]),
        ("label", json!(["y"]), &["Analysis configuration schema validation error.", "label"]),
        ("label", json!("z"), &["Headers must contain label.", "z"]),
        ("facet", json!([{"name_or_index": "gender"}]), &["Unable to locate the facet.", "gender", "sex, age"]),
        ("facet", json!([{"name_or_index": 17}]), &["Unable to locate the facet.", "17"]),
        ("group_variable", json!("region"), &["Feature names not found.", "group_variable", "region"]),
        ("excluded_columns", json!(["region"]), &["Feature names not found.", "excluded_columns", "region"]),
        (
            "headers",
            json!(["y", "sex"]),
            &["Headers in config do not match with the number of columns in the dataset."],
        ),
        (
            "label_values_or_threshold",
            json!(["yes"]),
            &["Facet/label value provided must be a single numeric threshold for continuous data", "yes"],
        ),
        (
            "methods",
            json!({"report": {"name": "report"}}),
            &["`methods` asks for nothing: name at least one of pre_training_bias"],
        ),
        ("methods", json!({"post_training_bias": {"methods": "all"}}), &["post_training_bias needs predictions"]),
        ("methods", shap(json!({"num_samples": 10})), &["shap and pdp ask a model", "predictor"]),
        ("methods", json!({"asymmetric_shapley_value": {}}), &["time series explainability is not supported"]),
        (
            "methods",
            json!({"pre_training_bias": {"methods": ["XX"]}}),
            &["Invalid metric_name: metrics should be one of the registered metrics["],
        ),
        ("time_series_data_config", json!({}), &["", "time"]),
        ("dataset_uri", json!("s3://bucket/data.csv"), &["dataset_uri is s3://bucket/data.csv", "network isolation"]),
    ] {
        assert_fails(&changed(member, value), words);
    }
    for (methods, words) in [
        (
            shap(json!({"baseline": [[1]], "num_clusters": 2})),
            &["`methods.shap.baseline` and `methods.shap.num_clusters` exclude each other"][..],
        ),
        (shap(json!({"num_samples": 0})), &["`methods.shap.num_samples` must be at least 1"]),
        (shap(json!({"text_config": {}})), &["", "text_config"]),
        (json!({"pdp": {"grid_resolution": 5}}), &["PDP features must be provided when ShapConfig is not provided"]),
        (shap(json!({"baseline": [["f", 30]]})), &["baseline of shap: row 0 has 2 cells, expected 3"]),
        (shap(json!({})), &["The model cannot be reached", "network isolation"]),
    ] {
        let mut config = changed("methods", methods);
        config["predictor"] = predictor.clone();
        let mut job = job_of(&config);
        if !words[0].starts_with("The model") {
            job.set("watchkeeper_predictor_url", &StubModel::of_lines(|_| "0.5".to_owned()).url);
        }
        let message = job.run();
        assert!(message.starts_with(&format!("ClientError: {}", words[0])), "{message}");
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        job.left_nothing();
    }
    let job = job_of(&config());
    job.put("processing/input/config/analysis_config.json", "{\"dataset_type\": ");
    assert!(job.run().starts_with("ClientError: Unable to load analysis configuration as JSON."));
    std::fs::remove_file(job.path("processing/input/config/analysis_config.json")).unwrap();
    assert!(job.run().starts_with("ClientError: Unable to load analysis configuration as JSON."));
    job.left_nothing();
}

#[test]
fn a_configuration_of_another_name_is_taken_where_there_is_one() {
    let named = |name: &str| format!("processing/input/config/{name}");
    for (others, is_known) in [(&["bias.json"][..], true), (&["bias.json", "more.json"], false), (&["bias.txt"], false)]
    {
        let job = job_of(&config());
        std::fs::remove_file(job.path(&named("analysis_config.json"))).unwrap();
        for other in others {
            job.put(&named(other), &config().to_string());
        }
        let message = job.run();
        let expected = if is_known { message == WELL } else { message.contains("analysis_config.json: No such file") };
        assert!(expected, "{others:?}: {message}");
    }
}

#[test]
fn a_baseline_that_is_no_analysis() {
    for (baseline, words) in [
        ("{\"features\": []}", "neither bias metrics nor explanations"),
        ("{\"version\": \"1.0\"}", "neither bias metrics nor explanations"),
        ("[]", "expected a JSON object"),
    ] {
        let mut job = job_of(&config());
        job.put("processing/baseline/constraints.json", baseline);
        job.set("baseline_constraints", "/opt/ml/processing/baseline/constraints.json");
        let message = job.run();
        assert!(message.starts_with("ClientError: Could not read baseline constraints."), "{message}");
        assert!(message.contains(words), "{message}");
        job.left_nothing();
    }
}

#[test]
fn data() {
    for (text, words) in [
        ("", "ClientError: No data found"),
        ("y,sex,age,city\n", "ClientError: The dataset has no rows"),
        ("y,sex\n1,f,3\n", "ClientError: "),
        ("y,sex\n,f\n,m\n", "ClientError: "),
        ("y,sex\n1,\n0,\n", "ClientError: "),
    ] {
        let job = Job::new(&config());
        job.put("processing/input/data/data.csv", text);
        let message = job.run();
        assert!(message.starts_with(words), "{text:?}: {message}");
        job.left_nothing();
    }
    // A facet of one value is no error: its metrics have them.
    let job = Job::new(&config());
    job.put("processing/input/data/data.csv", "y,sex\n1,f\n0,f\n");
    assert_eq!(job.run(), WELL);
    let metrics = job.analysis()["pre_training_bias_metrics"]["facets"]["sex"][0]["metrics"].clone();
    assert_eq!(metrics[1]["error"], "CI: negated facet set is empty. Check that x[~facet] has non-zero length.");
}

fn explaining() -> Value {
    json!({
        "dataset_type": "text/csv",
        "label": "y",
        "methods": {"shap": {"baseline": [["f", 30, "oslo"]], "num_samples": 6}, "report": {"name": "report"}},
        "predictor": {"endpoint_name": "model"},
    })
}

#[test]
fn models() {
    for (answering, words) in [
        (of_body as fn(&str) -> (u16, String), &["ClientError: ", "500", "out of luck"][..]),
        (|_| (200, "0.5".to_owned()), &["ClientError: "]),
        (|body| (200, body.lines().map(|_| "high\n").collect()), &["ClientError: ", "high"]),
        (|body| (200, body.lines().map(|_| "\n").collect()), &["ClientError: "]),
        (|_| (200, "<html>".to_owned()), &["ClientError: ", "<html>"]),
    ] {
        let mut job = job_of(&explaining());
        let model = StubModel::of_bodies(answering);
        job.set("watchkeeper_predictor_url", &model.url);
        let message = job.run();
        assert!(words.iter().all(|word| message.contains(word)), "{words:?}: {message}");
        job.left_nothing();
    }
    let mut job = job_of(&explaining());
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    job.set("watchkeeper_predictor_url", &format!("http://127.0.0.1:{port}"));
    let message = job.run();
    assert!(message.starts_with("ClientError: ") && message.contains("cannot be reached"), "{message}");
}

fn of_body(_: &str) -> (u16, String) {
    (500, "out of luck".to_owned())
}

#[test]
fn a_model_that_fails_on_some_rows() {
    let model = StubModel::of_bodies(|body| {
        if body.contains("molde") || body.contains("41") {
            return (500, "no such city".to_owned());
        }
        (200, body.lines().map(|_| "0.25\n").collect())
    });
    let mut job = job_of(&explaining());
    job.set("watchkeeper_predictor_url", &model.url);
    let message = job.run();
    let beginning = "ClientError: The model failed on 2 of 6 rows (counted from 0): 1, 3. Row 1: ";
    assert!(message.starts_with(beginning), "{message}");
    assert!(message.contains("no such city"), "{message}");
    assert!(job.log().contains("the model failed on row 3: "), "{}", job.log());
    assert!(job.log().contains("Fallback to per-record prediction because of model error."), "{}", job.log());
    job.left_nothing();
}

#[test]
fn labels_of_a_model() {
    let mut config = config();
    config["methods"] = json!({"post_training_bias": {"methods": ["DPPL"]}});
    config["predictor"] = json!({"endpoint_name": "model"});
    let mut job = job_of(&config);
    // Scores of ages: f has 30, 52, 47, m 41, 23, 35.
    let model = StubModel::of_lines(|line| {
        let age: f64 = line.split(',').nth(1).unwrap().parse().unwrap();
        (age / 80.0).to_string()
    });
    job.set("watchkeeper_predictor_url", &model.url);
    assert_eq!(job.run(), WELL);
    let metric = job.analysis()["post_training_bias_metrics"]["facets"]["sex"][0]["metrics"][0].clone();
    // One of three above one half against two of three.
    let expected = 1.0 / 3.0 - 2.0 / 3.0;
    assert!((metric["value"].as_f64().unwrap() - expected).abs() < 1e-12, "{metric}");
    assert_eq!(model.requests(), 1);
}
