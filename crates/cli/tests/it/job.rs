//! A job as a runner starts it: a file tree and variables.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::program::{Folder, Ran};
use crate::traffic;

/// A job's file tree, and its variables.
pub(crate) struct Job {
    pub(crate) folder: Folder,
    pub(crate) variables: BTreeMap<String, String>,
}

pub(crate) const MESSAGE: &str = "opt/ml/output/message";

pub(crate) const METRICS: &str = "opt/ml/output/metrics/cloudwatch/cloudwatch_metrics.jsonl";

pub(crate) const OUTPUT: &str = "opt/ml/processing/output";

pub(crate) const ENDPOINT: &str = "/opt/ml/processing/input/endpoint";

pub(crate) const NO_VIOLATIONS: &str = "Completed: Job completed successfully with no violations.";

impl Job {
    pub(crate) fn new(variables: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let root = folder.path("").display().to_string();
        let variables = [("WATCHKEEPER_JOB_ROOT", root.as_str())].into_iter().chain(variables.iter().copied());
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { folder, variables }
    }

    /// What the Python SDK sends to suggest a baseline.
    pub(crate) fn baseline(csv: &str) -> Self {
        let job = Self::new(&[
            ("dataset_format", r#"{"csv": {"header": true, "output_columns_position": "START"}}"#),
            ("dataset_source", "/opt/ml/processing/input/baseline_dataset_input"),
            ("output_path", "/opt/ml/processing/output"),
            ("publish_cloudwatch_metrics", "Disabled"),
        ]);
        job.folder.write("opt/ml/processing/input/baseline_dataset_input/data.csv", csv);
        job
    }

    /// What the service sends for an endpoint, with the baseline of this dataset.
    pub(crate) fn scheduled(baseline: &str) -> Self {
        let job = Self::new(&[
            ("dataset_format", r#"{"sagemakerCaptureJson":{"captureIndexNames":["endpointInput","endpointOutput"]}}"#),
            ("dataset_source", ENDPOINT),
            ("output_path", "/opt/ml/processing/output"),
            ("baseline_constraints", "/opt/ml/processing/baseline/constraints/constraints.json"),
            ("baseline_statistics", "/opt/ml/processing/baseline/stats/statistics.json"),
            ("publish_cloudwatch_metrics", "Enabled"),
            ("sagemaker_endpoint_name", "scorer"),
            ("sagemaker_endpoint_datacapture_prefix", "s3://bucket/captures"),
            ("sagemaker_monitoring_schedule_name", "hourly"),
            ("start_time", "2026-05-18T01:00:00Z"),
            ("end_time", "2026-05-18T02:00:00Z"),
            ("metric_time", "2026-05-18T01:00:00Z"),
            ("monitoring_input_type", "ENDPOINT_INPUT"),
        ]);
        let made = Self::baseline(baseline);
        made.run().ended(0);
        let document = |name: &str| made.folder.read(&format!("{OUTPUT}/{name}"));
        job.folder.write("opt/ml/processing/baseline/constraints/constraints.json", document("constraints.json"));
        job.folder.write("opt/ml/processing/baseline/stats/statistics.json", document("statistics.json"));
        job
    }

    /// As [`Self::scheduled`], with three columns and these records.
    pub(crate) fn with_traffic(records: &[(&str, &str)]) -> Self {
        let job = Self::scheduled("score,age,place\n0.5,31,a\n0.25,47,b\n0.75,52,a\n0.125,19,b\n");
        let records =
            records.iter().enumerate().map(|(number, (answer, request))| traffic::record(number, answer, request));
        job.capture(&records.collect::<String>());
        job
    }

    pub(crate) fn capture(&self, lines: &str) {
        self.folder.write("opt/ml/processing/input/endpoint/scorer/AllTraffic/2026/05/18/01/30-00-000-x.jsonl", lines);
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn unset(&mut self, names: &[&str]) -> &mut Self {
        self.variables.retain(|name, _| !names.contains(&name.as_str()));
        self
    }

    pub(crate) fn script(&mut self, variable: &str, text: &str) -> &mut Self {
        let path = format!("/opt/ml/processing/code/{variable}/script.py");
        self.folder.write(&path[1..], text);
        self.set(variable, &path)
    }

    pub(crate) fn run(&self) -> Ran {
        let mut command = self.folder.command(&["analyze", "model-monitor-analyzer"]);
        Ran::of(command.envs(&self.variables).output().unwrap())
    }

    pub(crate) fn message(&self) -> String {
        self.folder.read(MESSAGE)
    }

    pub(crate) fn outputs(&self) -> Vec<String> {
        if self.folder.has(OUTPUT) { self.folder.names(OUTPUT) } else { Vec::new() }
    }

    pub(crate) fn statistics(&self) -> Value {
        self.folder.json(&format!("{OUTPUT}/statistics.json"))
    }

    pub(crate) fn feature_names(&self) -> Vec<String> {
        let statistics = self.statistics();
        let features = statistics["features"].as_array().unwrap().iter();
        features.map(|feature| feature["name"].as_str().unwrap().to_owned()).collect()
    }

    /// The job fails with this message, and nothing else is left of it.
    #[track_caller]
    pub(crate) fn fails(&self, message: &str) -> Ran {
        let ran = self.run().ended(1);
        assert_eq!(self.message(), message);
        assert!(self.outputs().is_empty(), "{:?}", self.outputs());
        assert!(!self.folder.has(METRICS));
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
        ran
    }
}

/// Records as the baseline has them.
pub(crate) const CLEAN: [(&str, &str); 3] = [("0.5", "31,a"), ("0.25", "52,b"), ("0.75", "19,a")];
