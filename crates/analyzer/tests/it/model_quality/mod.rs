//! Model quality jobs as a runner starts them: a file tree and variables in, files and a message out.

mod failures;
mod goldens;
mod labels;
mod metrics;
mod monitoring;
mod outcomes;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;
use watchkeeper_analyzer::{Level, Observer, run_ground_truth_merger, run_model_monitor_analyzer};
use watchkeeper_formats::JobContract;

pub(crate) const NO_VIOLATIONS: &str = "Completed: Job completed successfully with no violations.";

const OUTPUT: &str = "opt/ml/processing/output";
const METRICS: &str = "opt/ml/output/metrics/cloudwatch/cloudwatch_metrics.jsonl";

/// A log, line by line.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn log(&self, _: Level, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

/// The data of a payload, and its encoding.
pub(crate) type Payload<'a> = (&'a str, &'a str);

/// A job's file tree, and its variables.
pub(crate) struct Job {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    log: Log,
}

impl Job {
    pub(crate) fn new(problem_type: &str, format: &str, variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let always = [
            ("analysis_type", "MODEL_QUALITY"),
            ("problem_type", problem_type),
            ("dataset_format", format),
            ("dataset_source", "/opt/ml/processing/input_data"),
            ("output_path", "/opt/ml/processing/output"),
        ];
        let variables = always.iter().chain(variables).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { folder, variables: variables.collect(), log: Log::default() }
    }

    /// A baseline of a CSV file with the columns `prediction`, `label` and `score`, as far as it has them.
    pub(crate) fn of_csv(problem_type: &str, csv: &str) -> Self {
        let header = csv.lines().next().unwrap();
        let columns = [
            ("inference_attribute", "prediction"),
            ("ground_truth_attribute", "label"),
            ("probability_attribute", "score"),
        ];
        let given: Vec<_> =
            columns.into_iter().filter(|(_, name)| header.split(',').any(|column| column == *name)).collect();
        let job = Self::new(problem_type, r#"{"csv": {"header": true, "output_columns_position": "START"}}"#, &given);
        job.dataset("data.csv", csv);
        job
    }

    /// A job over merged captures: output and label, each with its encoding.
    pub(crate) fn of_merged(
        problem_type: &str,
        variables: &[(&str, &str)],
        records: &[(Payload<'_>, Payload<'_>)],
    ) -> Self {
        let format = r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}"#;
        let job = Self::new(problem_type, format, variables);
        let lines = records.iter().map(|&(output, label)| merged_line(output, label, "2021-05-26T00:30:00Z"));
        job.dataset("scorer/AllTraffic/2021/05/26/00/part-00000-x.c000.jsonl", &lines.collect::<String>());
        job
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn dataset(&self, name: &str, content: &str) {
        self.write(&format!("opt/ml/processing/input_data/{name}"), content);
    }

    /// Judges by these constraints.
    pub(crate) fn constraints(&mut self, text: &str) -> &mut Self {
        self.write("opt/ml/processing/baseline/constraints/constraints.json", text);
        self.set("baseline_constraints", "/opt/ml/processing/baseline/constraints/constraints.json")
    }

    pub(crate) fn script(&mut self, variable: &str, text: &str) -> &mut Self {
        self.write(&format!("opt/code/{variable}.py"), text);
        self.set(variable, &format!("/opt/code/{variable}.py"))
    }

    /// Runs the job; its message.
    pub(crate) fn run(&self) -> String {
        let contract = JobContract { variables: self.variables.clone(), root: Some(self.folder.path().to_owned()) };
        let message = run_model_monitor_analyzer(&contract, 1, &self.log).unwrap().to_string();
        assert_eq!(self.read("opt/ml/output/message"), message);
        message
    }

    /// The same tree as a job of the merger, which comes before.
    pub(crate) fn merge(&self, variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let contract = JobContract { variables, root: Some(self.folder.path().to_owned()) };
        run_ground_truth_merger(&contract, 2, &self.log).unwrap().map(|message| message.to_string())
    }

    /// The job fails with this message, and nothing is left of it.
    #[track_caller]
    pub(crate) fn fails(&self, message: &str) {
        assert_eq!(self.run(), message);
        self.left_nothing();
    }

    #[track_caller]
    pub(crate) fn left_nothing(&self) {
        assert!(self.outputs().is_empty(), "{:?}", self.outputs());
        assert!(!self.path(METRICS).try_exists().unwrap());
        let beside: Vec<_> = std::fs::read_dir(self.path("opt/ml/processing")).unwrap().collect();
        for entry in beside {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(["input_data", "baseline", "output", "groundtruth"].contains(&name.as_str()), "{name}");
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn output(&self, name: &str) -> String {
        self.read(&format!("{OUTPUT}/{name}"))
    }

    pub(crate) fn document(&self, name: &str) -> Value {
        serde_json::from_str(&self.output(name)).unwrap()
    }

    /// Names of the files in the output folder.
    pub(crate) fn outputs(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(OUTPUT)) else { return Vec::new() };
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.0.lock().unwrap().clone()
    }

    #[track_caller]
    pub(crate) fn logged(&self, text: &str) {
        assert!(self.log().iter().any(|line| line.contains(text)), "{:?}", self.log());
    }

    /// The metrics of the statistics file, whatever the problem type.
    pub(crate) fn metrics(&self) -> Value {
        let statistics = self.document("statistics.json");
        let mut members = statistics.as_object().unwrap().clone();
        members.remove("version");
        members.remove("dataset");
        assert_eq!(members.len(), 1, "{members:?}");
        members.into_iter().next().unwrap().1
    }

    /// Runs, and gives the metrics.
    #[track_caller]
    pub(crate) fn measured(&self) -> Value {
        assert_eq!(self.run(), NO_VIOLATIONS, "{:?}", self.log());
        self.metrics()
    }
}

/// One merged line. Payloads in `BASE64` may name a content type after a blank.
pub(crate) fn merged_line(output: (&str, &str), label: (&str, &str), time: &str) -> String {
    let (encoding, content_type) = output.1.split_once(' ').unwrap_or((output.1, "text/csv"));
    let record = json!({
        "eventVersion": "0",
        "groundTruthData": {"data": label.0, "encoding": label.1},
        "captureData": {
            "endpointInput": {"data": "1,2", "encoding": "CSV", "mode": "INPUT", "observedContentType": "text/csv"},
            "endpointOutput": {
                "data": output.0, "encoding": encoding, "mode": "OUTPUT", "observedContentType": content_type
            },
        },
        "eventMetadata": {"eventId": "e", "inferenceId": "7", "inferenceTime": time},
    });
    format!("{record}\n")
}

pub(crate) fn golden(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/model-quality");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

pub(crate) fn json_golden(name: &str) -> Value {
    serde_json::from_str(&golden(name)).unwrap()
}

/// The numbers of a metric object, or of an expectation that gives the value alone.
pub(crate) fn value(metric: &Value) -> &Value {
    metric.get("value").unwrap_or(metric)
}

/// Every member that is expected is there, numbers within the tolerance, spreads apart.
#[track_caller]
pub(crate) fn assert_contains(ours: &Value, expected: &Value, tolerance: f64) {
    let mut differences = String::new();
    compare(ours, expected, tolerance, "", &mut differences);
    assert!(differences.is_empty(), "{differences}");
}

fn compare(ours: &Value, expected: &Value, tolerance: f64, path: &str, differences: &mut String) {
    let ours = if expected.is_object() { ours } else { value(ours) };
    match (ours, expected) {
        (_, Value::Object(members)) => {
            for (name, expected) in members.iter().filter(|(name, _)| *name != "standard_deviation") {
                compare(&ours[name], expected, tolerance, &format!("{path}.{name}"), differences);
            }
        }
        (Value::Array(items), Value::Array(expected)) if items.len() == expected.len() => {
            for (index, (item, expected)) in items.iter().zip(expected).enumerate() {
                compare(item, expected, tolerance, &format!("{path}[{index}]"), differences);
            }
        }
        (Value::Number(ours), Value::Number(expected)) => {
            let (ours, expected) = (ours.as_f64().unwrap(), expected.as_f64().unwrap());
            let is_near = (ours - expected).abs() <= tolerance;
            if !is_near {
                writeln!(differences, "{path}: {ours:?} is not {expected:?}").unwrap();
            }
        }
        (ours, expected) if ours == expected => {}
        (ours, expected) => writeln!(differences, "{path}: {ours} is not {expected}").unwrap(),
    }
}
