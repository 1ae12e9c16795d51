//! `watchkeeper ingest`: predictions that were made elsewhere, up to the check that reads them.

use serde_json::{Value, json};

use crate::service::Service;

fn prediction(number: usize) -> Value {
    json!({"input": format!("{number},{}", number % 7), "output": (number % 2).to_string(), "inference_id": number.to_string()})
}

fn lines(count: usize) -> String {
    (0..count).map(|number| prediction(number).to_string() + "\n").collect()
}

#[test]
fn files_and_standard_input_are_captured_for_an_endpoint_that_is_made() {
    let service = Service::start();
    // More than one batch.
    service.folder.write("many.jsonl", lines(40_000));
    let ran = service.run(&["ingest", "elsewhere", "many.jsonl", "--register"]).ended(0);
    assert_eq!(ran.stdout, "40,000 records of elsewhere captured\n");
    let arguments = ["ingest", "elsewhere", "-", "--data-dir", "data", "--format", "json"];
    let ran = service.folder.run_on(&arguments, lines(1).as_bytes()).ended(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!({"captured": 1}));
}

#[test]
fn what_cannot_be_captured_is_said_with_its_place() {
    let service = Service::start();
    service.folder.write("good.jsonl", lines(3));
    let ran = service.run(&["ingest", "elsewhere", "good.jsonl"]).ended(2);
    assert!(ran.stderr.contains("good.jsonl") && ran.stderr.contains("elsewhere"), "{}", ran.stderr);
    service.folder.write("bad.jsonl", lines(2) + "nothing\n");
    let ran = service.run(&["ingest", "elsewhere", "good.jsonl", "bad.jsonl", "--register"]).ended(2);
    assert!(ran.stderr.contains("3 records were captured before this"), "{}", ran.stderr);
    assert!(ran.stderr.contains("bad.jsonl") && ran.stderr.contains("line 3"), "{}", ran.stderr);
    let ran = service.run(&["ingest", "elsewhere", "none.jsonl"]).ended(2);
    assert!(ran.stderr.contains("none.jsonl"), "{}", ran.stderr);
}
