//! Users' scripts from the command line.

use crate::program::Folder;
use crate::traffic;

/// Two records, and a script of this text.
fn with_script(text: &str) -> Folder {
    let folder = Folder::new();
    folder.write("capture.jsonl", traffic::record(0, "0.5", "31,a") + &traffic::record(1, "0.25", "47,b"));
    folder.write("script.py", text);
    folder
}

const BASELINE: [&str; 6] = ["baseline", "capture.jsonl", "--record-preprocessor-script", "script.py", "-o", "out"];

#[test]
fn a_preprocessor_makes_the_rows() {
    let folder = with_script(
        "def preprocess_handler(record):\n    age, place = record.endpoint_input.data.split(',')\n    \
         return [{'age': int(age), 'place': place}, {'age': 0}]\n",
    );
    folder.run(&BASELINE).ended(0);
    let statistics = folder.json("out/statistics.json");
    assert_eq!(statistics["dataset"]["item_count"], 4);
    assert_eq!(statistics["features"][0]["name"], "age");
    assert_eq!(statistics["features"][0]["numerical_statistics"]["sum"], 78.0);
    assert_eq!(statistics["features"][1]["string_statistics"]["common"]["num_missing"], 2);
}

fn handler(body: &str) -> String {
    format!("def preprocess_handler(record):\n    {body}\n")
}

#[test]
fn what_is_wrong_with_a_script() {
    let start = "Exception while invoking preprocessor script.";
    let cases = [
        (handler("raise ValueError('no')"), format!("{start} ValueError: no")),
        (handler("import os; os._exit(3)"), format!("{start} the script's process ended with status 3 on record 1 (event id event-0)")),
        (handler("exit()"), format!("{start} the script called sys.exit(None)")),
        (
            handler("return 42"),
            "Preprocessor must return flat key-value pairs. The handler returned `42` of type int; return a dict, a list \
             of dicts, a list of values, a text with CSV lines, the record, or None to skip it"
                .to_owned(),
        ),
        (
            handler("return {'a': {}}"),
            "Preprocessor must return flat key-value pairs. Key `a` is `{}` of type dict; a value must be text, a \
             number, a bool or None"
                .to_owned(),
        ),
        (
            "def handler(record): pass".to_owned(),
            format!("{start} `script.py` does not define the function `preprocess_handler`; it defines `handler`"),
        ),
        (
            handler("return []"),
            "No data found in dataset_source. There is no record in capture.jsonl. (the preprocessor left out 2 \
             records)"
                .to_owned(),
        ),
    ];
    for (script, reason) in cases {
        let folder = with_script(&script);
        let before = folder.contents("");
        let ran = folder.run(&BASELINE).ended(2);
        assert_eq!(ran.stderr.lines().last().unwrap(), format!("Error: {reason}"), "{}", ran.stderr);
        assert!(folder.contents("") == before, "{:?}", folder.names(""));
    }
    let folder = with_script(&handler("return unknown"));
    let ran = folder.run(&BASELINE).ended(2);
    assert!(ran.stderr.contains("script.py\", line 2, in preprocess_handler"), "{}", ran.stderr);
    let ran = folder.run_with(&BASELINE, &[("WATCHKEEPER_PYTHON", "no-such-python")]).ended(2);
    assert!(ran.stderr.contains("`no-such-python` was not found; install Python 3.8 or newer"), "{}", ran.stderr);
}

#[test]
fn a_script_that_never_ends_is_stopped_at_the_limit() {
    let hangs = handler("while record.event_metadata.event_id == 'event-1': pass\n    return []");
    for (script, place) in
        [(hangs.as_str(), "on record 2 (event id event-1)"), ("while True: pass", "while `python3` loaded it")]
    {
        let folder = with_script(script);
        let before = folder.contents("");
        let message_at = |limit: u32| {
            let variables = [("WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS", &*limit.to_string())];
            let ran = folder.run_with(&BASELINE, &variables).ended(2);
            let expected = format!(
                "Error: Exception while invoking preprocessor script. no answer within {limit} s {place}; the variable \
                 WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS sets this limit"
            );
            (ran.stderr.lines().last().unwrap().to_owned(), expected)
        };
        // On a busy machine it may take longer to get there.
        let mut said = [1, 4, 16].into_iter().map(message_at);
        assert!(said.any(|(message, expected)| message == expected), "{place}");
        assert!(folder.contents("") == before, "{:?}", folder.names(""));
    }
}

#[test]
fn a_script_may_print_megabytes() {
    let folder = with_script(
        "import sys\ndef preprocess_handler(record):\n    for _ in range(20000):\n        print('x' * 99)\n    \
         sys.stderr.write('y' * 3000000)\n    return {'a': 1}\n",
    );
    // A person is not shown it; a job's log has all of it.
    assert_eq!(folder.run(&BASELINE).ended(0).stderr, "report: out/report.html\n");
    let variables = [
        ("dataset_format", r#"{"sagemakerCaptureJson": {}}"#),
        ("dataset_source", "capture.jsonl"),
        ("record_preprocessor_script", "script.py"),
        ("output_path", "job"),
        ("output_message_file", "message"),
    ];
    let ran = folder.run_with(&["analyze", "model-monitor-analyzer"], &variables).ended(0);
    assert_eq!(ran.stderr.matches(&"x".repeat(99)).count(), 40_000);
    assert_eq!(
        ran.stderr.matches('y').count() - ran.stderr.matches("yz").count(),
        6_000_000 + "successfully".matches('y').count()
    );
}

#[test]
fn a_dry_run_shows_records_before_and_after_and_writes_nothing() {
    let folder = with_script(
        "def preprocess_handler(record):\n    age, place = record.endpoint_input.data.split(',')\n    \
         print('looking at', place)\n    return {'age': int(age), 'place': place} if place == 'a' else None\n",
    );
    let before = folder.contents("");
    for command in [
        &["baseline", "capture.jsonl", "--dry-run-script", "script.py"][..],
        &["check", "capture.jsonl", "--dry-run-script", "script.py"],
    ] {
        let ran = folder.run(command).ended(0);
        for line in [
            "record 1 (event id event-0)\n",
            "31,a\n",
            "looking at a\n",
            "age   = 31\n",
            "place = \"a\"\n",
            "after: skipped\n",
        ] {
            assert!(ran.stdout.contains(line), "{line} is not in {}", ran.stdout);
        }
        assert!(ran.stdout.ends_with("2 records: 1 rows, 1 skipped, 0 unchanged, 0 unreadable\n"), "{}", ran.stdout);
        assert_eq!(ran.stderr, "");
    }
    assert!(folder.contents("") == before);
    folder.write("script.py", "def preprocess_handler(record):\n    return 1 / 0\n");
    let ran = folder.run(&["check", "capture.jsonl", "--dry-run-script", "script.py"]).ended(2);
    assert_eq!(
        ran.stderr,
        "Error: Exception while invoking preprocessor script. ZeroDivisionError: division by zero\n"
    );
    assert!(ran.stdout.contains("Traceback (most recent call last):"), "{}", ran.stdout);
    // A capture by a pipe, and one that is none.
    let ran = folder.run_on(&["check", "-", "--dry-run-script", "script.py"], b"\n{\"a\": 1}\n").ended(0);
    assert!(ran.stdout.contains("line 2: no captured record"), "{}", ran.stdout);
    let ran = folder.run(&["check", "nowhere.jsonl", "--dry-run-script", "script.py"]).ended(2);
    assert_eq!(ran.stderr, "Error: nowhere.jsonl: no such file or folder\n");
}
