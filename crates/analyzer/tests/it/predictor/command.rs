//! Models that are commands.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use watchkeeper_analyzer::predictor::{Model, ModelPlace, PredictorError};
use watchkeeper_formats::clarify::PredictorConfig;

use super::{Watcher, ask, numbered, open, scores};

fn model(command: &str) -> Model {
    open(&PredictorConfig::default(), &ModelPlace::Command(command.to_owned()), &["x"]).unwrap()
}

#[test]
fn a_command_reads_a_request_and_writes_its_answer() {
    let answers = ask(&model("awk '{print $1 * 2}'"), &numbered(10_000)).unwrap();
    assert_eq!(scores(&answers), (0..10_000).map(|number| f64::from(number) * 2.0).collect::<Vec<_>>());
}

#[test]
fn a_command_knows_the_content_types() {
    let answers =
        ask(&model("test \"$CONTENT_TYPE $HTTP_ACCEPT\" = 'text/csv text/csv' && cat"), &numbered(3)).unwrap();
    assert_eq!(scores(&answers), [0.0, 1.0, 2.0]);
}

#[test]
fn what_a_failing_command_says_is_in_the_message() {
    let answers = ask(&model("echo loading >&2; echo 'no such file: model.pkl' >&2; exit 3"), &numbered(1)).unwrap();
    let words = &answers.failures[0].1;
    assert!(words.contains("exit status: 3") && words.contains("no such file: model.pkl"), "{words}");
    assert!(words.contains("the request was `0`"), "{words}");
    let answers = ask(&model("kill -9 $$"), &numbered(1)).unwrap();
    assert!(answers.failures[0].1.contains("signal: 9"), "{}", answers.failures[0].1);
}

#[test]
fn a_command_that_does_not_exist_ends_it_at_once() {
    let error = ask(&model("no-such-program-at-all"), &numbered(5)).unwrap_err();
    assert!(matches!(error, PredictorError::Unavailable(_)), "{error:?}");
    assert!(error.to_string().contains("no-such-program-at-all"), "{error}");
}

#[test]
fn a_command_may_write_much_to_standard_error() {
    let answers = ask(&model("head -c 3000000 /dev/zero | tr '\\0' 'e' >&2; cat"), &numbered(3)).unwrap();
    assert_eq!(scores(&answers), [0.0, 1.0, 2.0]);
}

#[test]
fn a_command_that_writes_without_end_is_ended() {
    // Neither its input nor its output is at an end by itself.
    let answers = ask(&model("yes"), &numbered(1)).unwrap();
    assert_eq!(answers.failures, [(0, "an answer of more than 64 MiB; the request was `0`".to_owned())]);
}

#[test]
fn a_stopped_job_leaves_no_process_of_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    // A child of the shell, and one of that.
    let command = format!("sh -c 'echo $$ >> {0}; sleep 600 & echo $! >> {0}; wait'; cat", pids.display());
    let (model, watcher) = (model(&command), Watcher::default());
    thread::scope(|scope| {
        let asking = scope.spawn(|| model.ask(&numbered(1), &watcher).map(drop));
        let started = wait_for_pids(&pids);
        watcher.stop();
        assert!(matches!(asking.join().unwrap(), Err(PredictorError::Stopped)));
        assert_gone(&started);
    });
}

#[test]
fn a_command_that_takes_too_long_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let command = format!("echo $$ >> {0}; echo $$ >> {0}; sleep 600", pids.display());
    let model = model(&command).with_timeout(Duration::from_secs(1));
    let error = ask(&model, &numbered(1)).unwrap_err();
    assert!(error.to_string().contains("no answer within 1 seconds"), "{error}");
    assert_gone(&wait_for_pids(&pids));
}

/// The two process numbers that a command writes down.
fn wait_for_pids(file: &Path) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.lines().count() >= 2 && text.ends_with('\n') {
            return text.lines().map(str::to_owned).collect();
        }
        assert!(Instant::now() < deadline, "the command did not start: {text:?}");
        thread::yield_now();
    }
}

fn assert_gone(pids: &[String]) {
    let deadline = Instant::now() + Duration::from_secs(5);
    for pid in pids {
        // A process that has ended and was not yet waited for by its parent counts as gone.
        let is_there = || {
            let status = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !status.is_empty() && !status.contains(") Z ")
        };
        while is_there() {
            assert!(Instant::now() < deadline, "process {pid} is still there");
            thread::yield_now();
        }
    }
}
