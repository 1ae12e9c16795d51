//! Clarify jobs through their container contract.

mod bias_goldens;
mod explainability_monitor;
mod explanation_goldens;
mod failures;
mod files_beside;
mod model_failures;
mod outputs;
mod resumption;
mod stub_model;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;
use watchkeeper_analyzer::{Level, Observer, run_clarify_processing};
use watchkeeper_formats::JobContract;

pub(crate) const WELL: &str = "Completed: SageMaker XAI Analyzer ran successfully";

/// A job below a folder of its own.
pub(crate) struct Job {
    root: TempDir,
    variables: BTreeMap<String, String>,
    pub(crate) threads: usize,
    log: Log,
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn log(&self, _: Level, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

impl Job {
    pub(crate) fn new(config: &Value) -> Self {
        let job = Self { root: TempDir::new().unwrap(), variables: BTreeMap::new(), threads: 2, log: Log::default() };
        job.put("processing/input/config/analysis_config.json", &config.to_string());
        job
    }

    /// Puts a file below `/opt/ml`.
    pub(crate) fn put(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.path().join("opt/ml").join(path)
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Makes it an execution of a monitor of the hour from ten o'clock, whose records are these lines.
    pub(crate) fn execute(&mut self, analysis_type: &str, dataset_format: &str, lines: &str) {
        self.put("processing/input_data/endpoint/AllTraffic/2023/05/01/10/captured.jsonl", lines);
        for (name, value) in [
            ("analysis_type", analysis_type),
            ("dataset_format", dataset_format),
            ("dataset_source", "/opt/ml/processing/input_data"),
            ("start_time", "2023-05-01T10:00:00Z"),
            ("end_time", "2023-05-01T11:00:00Z"),
            ("metric_time", "2023-05-01T10:00:00Z"),
            ("publish_cloudwatch_metrics", "Enabled"),
            ("sagemaker_endpoint_name", "endpoint"),
            ("sagemaker_monitoring_schedule_name", "schedule"),
        ] {
            self.set(name, value);
        }
    }

    /// Judges it by a baseline.
    pub(crate) fn compare_with(&mut self, baseline: &str) {
        self.put("processing/baseline/constraints/analysis.json", baseline);
        self.set("baseline_constraints", "/opt/ml/processing/baseline/constraints/analysis.json");
    }

    /// The lines that it leaves for CloudWatch.
    pub(crate) fn metrics(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.path("output/metrics/cloudwatch/cloudwatch_metrics.jsonl")).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Runs it; its exit message.
    pub(crate) fn run(&self) -> String {
        let contract = JobContract { variables: self.variables.clone(), root: Some(self.root.path().to_owned()) };
        let message = run_clarify_processing(&contract, self.threads, &self.log).unwrap().to_string();
        assert_eq!(std::fs::read_to_string(self.path("output/message")).unwrap(), message);
        message
    }

    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }

    /// A file of the output, where it is there.
    pub(crate) fn output(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.path("processing/output").join(name)).ok()
    }

    pub(crate) fn analysis(&self) -> Value {
        serde_json::from_str(&self.output("analysis.json").unwrap()).unwrap()
    }

    /// Nothing is left of a job that failed.
    pub(crate) fn left_nothing(&self) {
        let output = self.path("processing/output");
        let left = std::fs::read_dir(output).map(Iterator::count).unwrap_or_default();
        assert_eq!(left, 0);
    }
}

pub(crate) fn golden(path: &str) -> String {
    let goldens = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    std::fs::read_to_string(goldens.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn golden_json(path: &str) -> Value {
    serde_json::from_str(&golden(path)).unwrap()
}

/// Every member of `expected` is in `ours`, in its order; numbers within the tolerance that `tolerance` gives for the path.
pub(crate) fn assert_like(ours: &Value, expected: &Value, path: &str, tolerance: &dyn Fn(&str) -> f64) {
    match (ours, expected) {
        (Value::Object(ours), Value::Object(expected)) => {
            let known: Vec<&String> = ours.keys().filter(|key| expected.contains_key(*key)).collect();
            assert_eq!(known, expected.keys().collect::<Vec<_>>(), "{path}");
            let name = expected.get("name").and_then(Value::as_str).map(|name| format!("[{name}]")).unwrap_or_default();
            for (key, value) in expected {
                assert_like(&ours[key], value, &format!("{path}{name}.{key}"), tolerance);
            }
        }
        (Value::Array(ours), Value::Array(expected)) => {
            assert_eq!(ours.len(), expected.len(), "{path}: {ours:?}");
            for (place, (ours, expected)) in ours.iter().zip(expected).enumerate() {
                assert_like(ours, expected, &format!("{path}[{place}]"), tolerance);
            }
        }
        (Value::Number(ours), Value::Number(expected)) => {
            let (ours, expected) = (ours.as_f64().unwrap(), expected.as_f64().unwrap());
            assert!((ours - expected).abs() <= tolerance(path), "{path}: {ours}, expected {expected}");
        }
        _ => assert_eq!(ours, expected, "{path}"),
    }
}
