//! The ground-truth merger through its contract: files, log, exit message.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;
use watchkeeper_analyzer::{Level, Observer, run_ground_truth_merger, run_model_monitor_analyzer};
use watchkeeper_formats::{ExitMessage, JobContract, MergeReport};

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn log(&self, _: Level, line: &str) {
        self.0.lock().unwrap().push(line.to_owned());
    }
}

impl Log {
    fn has(&self, line: &str) -> bool {
        self.0.lock().unwrap().iter().any(|logged| logged.contains(line))
    }
}

struct Job {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    log: Log,
}

const CAPTURES: &str = "opt/ml/processing/input_data/endpoint/AllTraffic";
const LABELS: &str = "opt/ml/processing/groundtruth";

impl Job {
    fn new() -> Self {
        let variables = [
            ("dataset_source", "/opt/ml/processing/input_data"),
            ("ground_truth_source", "/opt/ml/processing/groundtruth"),
            ("output_path", "/opt/ml/processing/output"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let job = Self { folder: tempfile::tempdir().unwrap(), variables: variables.into(), log: Log::default() };
        for folder in [CAPTURES, LABELS] {
            std::fs::create_dir_all(job.folder.path().join(folder)).unwrap();
        }
        job
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn contract(&self) -> JobContract {
        JobContract { variables: self.variables.clone(), root: Some(self.folder.path().to_owned()) }
    }

    fn run(&self) -> Option<ExitMessage> {
        run_ground_truth_merger(&self.contract(), 2, &self.log).unwrap()
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("opt/ml/processing/output")
    }

    /// Every file of the output, hidden ones included.
    fn written(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(&self.output(), &mut files);
        files.sort();
        files
    }

    fn report(&self, name: &str) -> MergeReport {
        MergeReport::parse(&std::fs::read_to_string(self.output().join("_reports").join(name)).unwrap()).unwrap()
    }
}

/// The files below a folder; none where there is no folder.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() { walk(&entry.path(), files) } else { files.push(entry.path()) }
    }
}

fn capture(event: &str, id: &str, time: &str, data: &str) -> String {
    let part = |mode: &str, data: &str| json!({"observedContentType": "text/csv", "mode": mode, "data": data, "encoding": "CSV"});
    let line = json!({
        "captureData": {"endpointInput": part("INPUT", "1,2"), "endpointOutput": part("OUTPUT", data)},
        "eventMetadata": {"eventId": event, "inferenceId": id, "inferenceTime": time},
        "eventVersion": "0",
    });
    format!("{line}\n")
}

fn label(id: &str, data: &str) -> String {
    let data = json!({"data": data, "encoding": "CSV"});
    format!("{}\n", json!({"groundTruthData": data, "eventMetadata": {"eventId": id}, "eventVersion": "0"}))
}

const TIME: &str = "2021-05-26T00:30:11Z";

#[test]
fn merging_an_hour_again_replaces_its_lines() {
    let job = Job::new();
    job.write(
        &format!("{CAPTURES}/2021/05/26/00/a.jsonl"),
        &(capture("e1", "1", TIME, "0.5") + &capture("e2", "2", TIME, "0.6")),
    );
    job.write(&format!("{CAPTURES}/2021/05/26/01/a.jsonl"), &capture("e3", "3", TIME, "0.7"));
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &label("1", "1"));
    assert_eq!(job.run(), None);
    let first = job.written();
    assert_eq!(first.len(), 2, "{first:?}");
    let part = first.iter().find(|path| path.extension().is_some_and(|extension| extension == "jsonl")).unwrap();
    assert!(part.starts_with(job.output().join("endpoint/AllTraffic/2021/05/26/00")));
    assert_eq!(std::fs::read_to_string(part).unwrap().lines().count(), 1);
    let report = job.report("2021052600-2021052601.json");
    assert_eq!((report.matched, report.captures.records, report.captures.unmatched), (1, 3, 2));

    job.write(&format!("{LABELS}/2021/05/26/07/late.jsonl"), &(label("2", "0") + &label("3", "1")));
    assert_eq!(job.run(), None);
    let second = job.written();
    assert_eq!(second.len(), 3, "{second:?}");
    assert_eq!(std::fs::read_to_string(part).unwrap().lines().count(), 2);

    // An hour whose labels are gone has no lines any more.
    job.write(&format!("{LABELS}/2021/05/26/07/late.jsonl"), "");
    assert_eq!(job.run(), None);
    assert_eq!(job.written(), first);
}

#[test]
fn the_log_says_what_became_of_everything() {
    let mut job = Job::new();
    job.variables.insert("WATCHKEEPER_START_TIME".to_owned(), "2021-05-26T00:00:00Z".to_owned());
    job.variables.insert("WATCHKEEPER_END_TIME".to_owned(), "2021-05-26T01:00:00Z".to_owned());
    let captures = capture("e1", "1", TIME, "0.5")
        + &capture("e2", "2", "2021-05-26T01:00:00Z", "0.6")
        + "{cut\n"
        + &capture("e3", "3", TIME, "1");
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &captures);
    job.write(
        &format!("{LABELS}/2021/05/26/00/a.jsonl"),
        &(label("1", "1") + &label("1", "0") + &label("2", "1") + &label("9", "1") + "no label\n"),
    );
    assert_eq!(job.run(), None);
    let lines = [
        "captured data: 3 records in 1 file, hours 2021/05/26/00…2021/05/26/00",
        "ground truth: 4 records in 1 file",
        "2 of 3 captured records joined with ground truth",
        r#"1 captured record without ground truth left out, ids: "3""#,
        r#"1 id of ground truth without a captured record: "9""#,
        "1 label replaced by a later one for the same id",
        r#"1 of these had another value, among the ids: "1""#,
        "1 merged record outside the window of the analysis",
        "1 record of captured data skipped that are none:",
        "a.jsonl:3: not valid JSON",
        "a.jsonl:5: not a JSON object",
    ];
    for line in lines {
        assert!(job.log.has(line), "{line}\n{:#?}", job.log.0.lock().unwrap());
    }
    assert_eq!(job.report("2021052600-2021052600.json").out_of_window, Some(1));
}

#[test]
fn nothing_that_matches_is_a_failure_that_says_what_was_found() {
    let job = Job::new();
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &(capture("e1", "a", TIME, "0.5") + "cut\n"));
    job.write(&format!("{CAPTURES}/2021/05/26/03/a.jsonl"), &capture("e1", "b", TIME, "0.5"));
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &label("A", "1"));
    let message = job.run().unwrap().to_string();
    let words = "Error: Job inputs had no data. No captured record could be joined with ground truth: 2 captured records, 1 \
                 ground-truth records, 0 common ids, hours 2021/05/26/00…2021/05/26/03.";
    assert!(message.starts_with(words), "{message}");
    assert!(message.contains("1 record of captured data rejected; the first: "), "{message}");
    assert!(message.ends_with(r#"First id of a captured record: "a". First id of a label: "A"."#), "{message}");
    assert_eq!(job.written(), [] as [PathBuf; 0]);
    let left = std::fs::read_to_string(job.folder.path().join("opt/ml/output/message")).unwrap();
    assert_eq!(left, message);
}

#[test]
fn captures_or_labels_alone_are_a_failure_that_says_which() {
    let job = Job::new();
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &capture("e1", "a", TIME, "0.5"));
    let message = job.run().unwrap().to_string();
    assert!(message.contains("1 captured records, 0 ground-truth records, 0 common ids"), "{message}");
    assert!(message.contains("There is no file of ground truth."), "{message}");

    let job = Job::new();
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &label("A", "1"));
    let message = job.run().unwrap().to_string();
    assert!(message.contains("0 captured records, 1 ground-truth records, 0 common ids."), "{message}");
    assert!(message.contains("There is no file of captured data."), "{message}");
}

#[test]
fn a_stopped_merge_leaves_nothing() {
    struct Stopped;
    impl Observer for Stopped {
        fn log(&self, _: Level, _: &str) {}
        fn stopped(&self) -> bool {
            true
        }
    }
    let job = Job::new();
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &capture("e1", "a", TIME, "0.5"));
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &label("a", "1"));
    let message = run_ground_truth_merger(&job.contract(), 2, &Stopped).unwrap().unwrap().to_string();
    assert_eq!(message, "Error: Stopped before the end; nothing was written.");
    assert_eq!(job.written(), [] as [PathBuf; 0]);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let job = Job::new();
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &capture("e1", "a", TIME, "0.5"));
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &label("a", "1"));
    job.write("opt/ml/processing/output/endpoint", "a file where a folder has to be");
    let message = job.run().unwrap().to_string();
    assert!(
        message.starts_with("Error: Could not write results to ") && message.contains("output/endpoint"),
        "{message}"
    );
    assert_eq!(job.written().len(), 1);
}

/// Recorded output of AWS: the window's captures and labels, merged and measured.
#[test]
fn the_recorded_window_is_merged_and_measured() {
    let golden = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/model-quality/churn-live-window-a");
        std::fs::read_to_string(folder.join(name)).unwrap()
    };
    let case: Value = serde_json::from_str(&golden("case.json")).unwrap();
    let table = golden("scores_and_ground_truth.csv");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|line| line.split(',').collect()).collect();
    let mut job = Job::new();
    let mut captures = String::new();
    let start: jiff::Timestamp = case["captures"]["start"].as_str().unwrap().parse().unwrap();
    for number in 0..case["captures"]["count"].as_u64().unwrap() as usize {
        let row = &rows[number % rows.len()];
        let time = start + jiff::SignedDuration::from_secs(number as i64);
        captures += &capture(&format!("event-{number}"), row[0], &time.to_string(), row[1]);
    }
    job.write(&format!("{CAPTURES}/2021/05/26/00/a.jsonl"), &captures);
    let labels = rows.iter().fold(String::new(), |mut text, row| {
        write!(text, "{}", label(row[0], row[2])).unwrap();
        text
    });
    job.write(&format!("{LABELS}/2021/05/26/00/a.jsonl"), &labels);
    assert_eq!(job.run(), None);
    let report = job.report("2021052600-2021052600.json");
    assert_eq!(Some(report.matched), case["schedule"]["merged_lines"].as_u64());
    assert_eq!((report.captures.unmatched, report.ground_truth.unmatched), (0, 0));

    let analysis = [
        ("analysis_type", "MODEL_QUALITY"),
        ("problem_type", "BinaryClassification"),
        ("dataset_format", r#"{"sagemakerMergeJson":{"captureIndexNames":["endpointOutput"]}}"#),
        ("dataset_source", "/opt/ml/processing/output"),
        ("output_path", "/opt/ml/processing/results"),
        ("probability_attribute", "0"),
        ("probability_threshold_attribute", "0.5"),
        ("start_time", "2021-05-26T00:00:00Z"),
        ("end_time", "2021-05-26T01:00:00Z"),
    ];
    job.variables = analysis.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let message = run_model_monitor_analyzer(&job.contract(), 2, &job.log).unwrap();
    assert!(!matches!(message, ExitMessage::Error(_)), "{message}");
    let statistics =
        std::fs::read_to_string(job.folder.path().join("opt/ml/processing/results/statistics.json")).unwrap();
    let statistics: Value = serde_json::from_str(&statistics).unwrap();
    assert_eq!(statistics["dataset"]["item_count"], case["expected"]["item_count"]);
    let metrics = &statistics["binary_classification_metrics"];
    assert_eq!(metrics["confusion_matrix"], case["expected"]["confusion_matrix"]);
    let auc = |value: &Value| value.as_f64().unwrap();
    assert!((auc(&metrics["auc"]["value"]) - auc(&case["expected"]["metrics"]["auc"])).abs() < 1e-12);
}
