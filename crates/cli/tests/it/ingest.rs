//! `watchkeeper ingest`: predictions that were made elsewhere, up to the check that reads them.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::program::{Folder, Ran};

/// A service on a free port, with `data` of its folder as its data directory.
struct Site {
    folder: Folder,
    service: Child,
}

impl Site {
    fn new() -> Self {
        let folder = Folder::new();
        let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"];
        let mut service = folder.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(service.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listening"), "{line}");
        Self { folder, service }
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.folder.run(&[arguments, &["--data-dir", "data"]].concat())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn prediction(number: usize) -> Value {
    json!({"input": format!("{number},{}", number % 7), "output": (number % 2).to_string(), "inference_id": number.to_string()})
}

fn lines(count: usize) -> String {
    (0..count).map(|number| prediction(number).to_string() + "\n").collect()
}

#[test]
fn files_and_standard_input_are_captured_for_an_endpoint_that_is_made() {
    let site = Site::new();
    // More than one batch.
    site.folder.write("many.jsonl", lines(40_000));
    let ran = site.run(&["ingest", "elsewhere", "many.jsonl", "--register"]).ended(0);
    assert_eq!(ran.stdout, "40,000 records of elsewhere captured\n");
    let arguments = ["ingest", "elsewhere", "-", "--data-dir", "data", "--format", "json"];
    let ran = site.folder.run_on(&arguments, lines(1).as_bytes()).ended(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), json!({"captured": 1}));
}

#[test]
fn what_cannot_be_captured_is_said_with_its_place() {
    let site = Site::new();
    site.folder.write("good.jsonl", lines(3));
    let ran = site.run(&["ingest", "elsewhere", "good.jsonl"]).ended(2);
    assert!(ran.stderr.contains("good.jsonl") && ran.stderr.contains("elsewhere"), "{}", ran.stderr);
    site.folder.write("bad.jsonl", lines(2) + "nothing\n");
    let ran = site.run(&["ingest", "elsewhere", "good.jsonl", "bad.jsonl", "--register"]).ended(2);
    assert!(ran.stderr.contains("3 records were captured before this"), "{}", ran.stderr);
    assert!(ran.stderr.contains("bad.jsonl") && ran.stderr.contains("line 3"), "{}", ran.stderr);
    let ran = site.run(&["ingest", "elsewhere", "none.jsonl"]).ended(2);
    assert!(ran.stderr.contains("none.jsonl"), "{}", ran.stderr);
}
