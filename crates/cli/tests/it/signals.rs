//! A run that is told to stop ends with nothing written and nobody left behind.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::program::{Folder, Ran};
use crate::traffic;

const STOPPED: &str = "Error: Stopped before the end; nothing was written.";

/// With either signal, at the same time: some of these runs wait.
fn with_each_signal(test: impl Fn(Signal) + Sync) {
    std::thread::scope(|scope| {
        scope.spawn(|| test(Signal::SIGTERM));
        test(Signal::SIGINT);
    });
}

fn start(folder: &Folder, arguments: &[&str]) -> Child {
    folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(signal: Signal, child: &Child) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

fn ended(child: Child) -> Ran {
    Ran::of(child.wait_with_output().unwrap())
}

#[test]
fn while_it_waits_for_more() {
    with_each_signal(|signal| {
        let folder = Folder::new();
        let path = folder.pipe("data.csv");
        let before = folder.names("");
        let child = start(&folder, &["baseline", "data.csv", "-o", "out"]);
        // Opened when the program has opened its end; what is written now is the beginning of a dataset.
        let mut dataset = File::create(path).unwrap();
        dataset.write_all(b"a,b\n1,2\n").unwrap();
        send(signal, &child);
        let ran = ended(child).ended(2);
        assert_eq!((ran.stdout.as_str(), ran.stderr), ("", format!("{STOPPED}\n")));
        assert_eq!(folder.names(""), before);
    });
}

#[test]
fn while_rows_keep_coming() {
    with_each_signal(|signal| {
        let folder = Folder::new();
        folder.write("base.csv", "a,b\n1,two\n");
        let path = folder.pipe("data.csv");
        let before = folder.names("");
        let child = start(&folder, &["check", "data.csv", "--baseline", "base.csv", "-o", "out"]);
        let mut dataset = File::create(path).unwrap();
        dataset.write_all(b"a,b\n").unwrap();
        let rows = b"1,two\n".repeat(10_000);
        // More than a pipe and the batches in circulation hold: it is in the middle of it.
        for _ in 0..100 {
            dataset.write_all(&rows).unwrap();
        }
        send(signal, &child);
        while dataset.write_all(&rows).is_ok() {}
        let ran = ended(child).ended(2);
        assert_eq!((ran.stdout.as_str(), ran.stderr), ("", format!("{STOPPED}\n")));
        assert_eq!(folder.names(""), before);
    });
}

#[test]
fn a_second_signal_does_not_wait() {
    let folder = Folder::new();
    let mut child = folder
        .command(&["baseline", "-", "-o", "out"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    // As much as has been taken from the pipe shows that the program has begun to read.
    let rows = b"1,2\n".repeat(64 * 1024);
    input.write_all(&rows).unwrap();
    let since = Instant::now();
    // Two of a kind may arrive as one.
    send(Signal::SIGINT, &child);
    send(Signal::SIGTERM, &child);
    let ran = ended(child).ended(2);
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    assert_eq!(ran.stderr, format!("{STOPPED}\n"));
    assert!(folder.names("").is_empty());
}

/// A script that hangs, with a child; both hold the lifeline open.
const HANGS: &str = "
import os, subprocess
def preprocess_handler(record):
    lifeline = os.open('lifeline', os.O_WRONLY)
    subprocess.Popen(['sleep', '1000'], pass_fds=[lifeline])
    os.write(lifeline, b'hanging')
    while True:
        pass
";

/// The end of a pipe that a hanging script and its child hold.
struct Lifeline(File);

impl Lifeline {
    /// Once the script hangs.
    fn of(path: &Path) -> Self {
        let mut lifeline = File::open(path).unwrap();
        let mut word = [0; 7];
        lifeline.read_exact(&mut word).unwrap();
        Self(lifeline)
    }

    /// The pipe ends when nobody holds it any more.
    #[track_caller]
    fn assert_ends(mut self) {
        let (ended, end) = channel();
        std::thread::spawn(move || ended.send(self.0.read(&mut [0]).unwrap()));
        assert_eq!(end.recv_timeout(Duration::from_mins(1)), Ok(0), "the script or its child still runs");
    }
}

#[test]
fn while_a_script_hangs() {
    with_each_signal(|signal| {
        let folder = Folder::new();
        folder.write("capture.jsonl", traffic::record(0, "1", "2"));
        folder.write("script.py", HANGS);
        let lifeline = folder.pipe("lifeline");
        let before = folder.names("");
        let arguments = ["baseline", "capture.jsonl", "--record-preprocessor-script", "script.py", "-o", "out"];
        let child = start(&folder, &arguments);
        let lifeline = Lifeline::of(&lifeline);
        send(signal, &child);
        let ran = ended(child).ended(2);
        assert_eq!(ran.stderr, "Error: stopped while the preprocessor script ran\n");
        lifeline.assert_ends();
        assert_eq!(folder.names(""), before);
    });
}

#[test]
fn a_job_leaves_its_message() {
    let variables = |format: &'static str, source: &'static str| {
        [
            ("dataset_format", format),
            ("dataset_source", source),
            ("output_path", "out"),
            ("output_message_file", "message"),
            ("record_preprocessor_script", "script.py"),
        ]
    };
    with_each_signal(|signal| {
        let folder = Folder::new();
        let path = folder.pipe("data.csv");
        let mut analyze = folder.command(&["analyze", "model-monitor-analyzer"]);
        analyze.envs(variables(r#"{"csv": {"header": true}}"#, "data.csv"));
        let child = analyze.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut dataset = File::create(path).unwrap();
        dataset.write_all(b"a,b\n1,2\n").unwrap();
        send(signal, &child);
        let ran = ended(child).ended(1);
        assert_eq!(folder.read("message"), STOPPED);
        assert!(ran.stderr.ends_with(&format!("ERROR {STOPPED}\n")), "{}", ran.stderr);
        assert_eq!(folder.names(""), ["data.csv", "message"]);
    });
    let folder = Folder::new();
    folder.write("capture.jsonl", traffic::record(0, "1", "2"));
    folder.write("script.py", HANGS);
    let lifeline = folder.pipe("lifeline");
    let mut analyze = folder.command(&["analyze", "model-monitor-analyzer"]);
    analyze.envs(variables(r#"{"sagemakerCaptureJson": {}}"#, "capture.jsonl"));
    let child = analyze.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lifeline = Lifeline::of(&lifeline);
    send(Signal::SIGTERM, &child);
    ended(child).ended(1);
    assert_eq!(folder.read("message"), "Error: stopped while the preprocessor script ran");
    lifeline.assert_ends();
    assert_eq!(folder.names(""), ["capture.jsonl", "lifeline", "message", "script.py"]);
}

#[test]
fn while_results_are_shown() {
    // Nobody reads the table: what is written is there, whole, and the signal is heard.
    let folder = Folder::new();
    let header: Vec<String> = (0..3_000).map(|index| format!("column_{index}")).collect();
    folder.write("wide.csv", format!("{}\n{}\n", header.join(","), vec!["1"; 3_000].join(",")));
    let mut child = start(&folder, &["baseline", "wide.csv", "-o", "out"]);
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    let written = folder.names("out");
    assert_eq!(written, ["constraints.json", "report.html", "statistics.json"]);
    send(Signal::SIGTERM, &child);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "Error: stopped before all was shown; the results are written\n");
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert_eq!(folder.names("out"), written);
}

#[test]
fn while_rows_of_model_quality_keep_coming() {
    let folder = Folder::new();
    let path = folder.pipe("data.csv");
    let before = folder.names("");
    let arguments = ["quality", "baseline", "data.csv", "--problem-type", "BinaryClassification", "-o", "out"];
    let columns = ["--inference-attribute", "prediction", "--ground-truth-attribute", "label"];
    let child = start(&folder, &[&arguments[..], &columns].concat());
    let mut dataset = File::create(path).unwrap();
    dataset.write_all(b"prediction,label\n").unwrap();
    let rows = b"1,1\n".repeat(100_000);
    for _ in 0..20 {
        dataset.write_all(&rows).unwrap();
    }
    send(Signal::SIGTERM, &child);
    while dataset.write_all(&rows).is_ok() {}
    let ran = ended(child).ended(2);
    assert_eq!(ran.stderr, format!("{STOPPED}\n"));
    assert_eq!(folder.names(""), before);
}

#[test]
fn a_job_of_model_quality_leaves_its_message() {
    let folder = Folder::new();
    let path = folder.pipe("data.csv");
    let mut analyze = folder.command(&["analyze", "model-monitor-analyzer"]);
    analyze.envs([
        ("analysis_type", "MODEL_QUALITY"),
        ("problem_type", "Regression"),
        ("inference_attribute", "prediction"),
        ("ground_truth_attribute", "label"),
        ("dataset_format", r#"{"csv": {"header": true}}"#),
        ("dataset_source", "data.csv"),
        ("output_path", "out"),
        ("output_message_file", "message"),
    ]);
    let child = analyze.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut dataset = File::create(path).unwrap();
    dataset.write_all(b"prediction,label\n1,2\n").unwrap();
    send(Signal::SIGTERM, &child);
    let ran = ended(child).ended(1);
    assert_eq!(folder.read("message"), STOPPED);
    assert!(ran.stderr.ends_with(&format!("ERROR {STOPPED}\n")), "{}", ran.stderr);
    assert_eq!(folder.names(""), ["data.csv", "message"]);
}
