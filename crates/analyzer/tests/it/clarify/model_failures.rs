//! What is said about the records that a model fails on: which, once each, and all of them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Job;
use super::stub_model::StubModel;

fn config() -> Value {
    json!({
        "dataset_type": "text/csv",
        "headers": ["a", "b", "c"],
        "methods": {"shap": {"baseline": [[-1, -1, -1]], "save_local_shap_values": true}},
        "predictor": {"endpoint_name": "model"},
    })
}

fn job_of(config: &Value, model: &StubModel, rows: usize) -> Job {
    let mut job = Job::new(config);
    let mut table = String::new();
    (0..rows).for_each(|row| writeln!(table, "{row},{},{}", row * 7 % 101, row * row % 97).unwrap());
    job.put("processing/input/data/data.csv", &table);
    job.set("watchkeeper_predictor_url", &model.url);
    job
}

#[test]
fn a_model_that_is_given_up() {
    let model = StubModel::of_bodies(|body| match body {
        "-1,-1,-1" => (200, "0.5".to_owned()),
        _ => (500, "out of memory".to_owned()),
    });
    let mut job = job_of(&config(), &model, 300);
    job.threads = 7;
    let message = job.run();
    assert!(message.starts_with("ClientError: The model failed on ") && message.contains("asked no more"), "{message}");
    let log = job.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.starts_with("the model failed on row ")).collect();
    assert_eq!(lines.iter().collect::<BTreeSet<_>>().len(), lines.len(), "every row is named once:\n{log}");
    let count: usize = message.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert_eq!(lines.len(), count.min(20), "{message}\n{log}");
    job.left_nothing();
}

#[test]
fn a_baseline_row_is_no_row_of_the_dataset() {
    let model = StubModel::of_bodies(|body| match body {
        "-1,-1,-1" => (400, "negative".to_owned()),
        _ => (200, body.lines().map(|_| "1\n").collect()),
    });
    let message = job_of(&config(), &model, 3).run();
    let beginning = "ClientError: The model failed on 1 of 1 baseline rows (counted from 0): 0. Baseline row 0: status 400: negative";
    assert!(message.starts_with(beginning), "{message}");
}

#[test]
fn the_row_of_an_answer_that_is_no_score() {
    let model = StubModel::of_lines(|line| if line.starts_with("203,") { "none".to_owned() } else { "1".to_owned() });
    let message = job_of(&config(), &model, 300).run();
    assert!(message.starts_with("ClientError: row 203: the score is the text `none`"), "{message}");
}

#[test]
fn features_of_one_name() {
    let mut config = config();
    config["headers"] = json!(["a", "b", "a"]);
    let model = StubModel::of_lines(|_| "1".to_owned());
    let message = job_of(&config, &model, 3).run();
    assert!(message.starts_with("ClientError: Two features are named `a`"), "{message}");
    assert_eq!(model.requests(), 0);
}

#[test]
fn no_features_named_to_be_explained_are_all() {
    let mut config = config();
    config["methods"]["shap"]["features_to_explain"] = json!([]);
    let model = StubModel::of_lines(|line| line.split(',').next().unwrap().to_owned());
    let job = job_of(&config, &model, 3);
    assert_eq!(job.run(), super::WELL);
    let values = &job.analysis()["explanations"]["kernel_shap"]["label0"]["global_shap_values"];
    // From -1 to 0, 1 and 2.
    assert_eq!(values, &json!({"a": 2.0, "b": 0.0, "c": 0.0}));
}
