//! User scripts in a real `python3`. The scripts are in `tests/scripts`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper_analyzer::{
    DryRunSummary, Level, Observer, Preprocessed, Preprocessor, ScriptError, dry_run, post_analytics,
};

/// Enough on the busiest machine.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Default)]
struct Log {
    lines: Mutex<Vec<(Level, String)>>,
    /// Asks the job to stop as soon as a line contains this.
    stop_at: Option<&'static str>,
    stopped: AtomicBool,
}

impl Observer for Log {
    fn log(&self, level: Level, line: &str) {
        if self.stop_at.is_some_and(|text| line.contains(text)) {
            self.stopped.store(true, Ordering::Relaxed);
        }
        self.lines.lock().unwrap().push((level, line.to_owned()));
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

impl Log {
    fn at(&self, wanted: Level) -> String {
        let lines = self.lines.lock().unwrap();
        let lines: Vec<_> = lines.iter().filter(|(level, _)| *level == wanted).map(|(_, line)| line.as_str()).collect();
        lines.join("\n")
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scripts").join(name)
}

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn captured(input: &str) -> String {
    json!({
        "captureData": {
            "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": input, "encoding": "CSV"},
            "endpointOutput": {"observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT", "data": "0.5\n", "encoding": "CSV"},
        },
        "eventMetadata": {"eventId": format!("id-of-{input}"), "inferenceTime": "2019-11-20T23:33:12Z"},
        "eventVersion": "0",
    })
    .to_string()
}

/// Runs a script over records with these inputs, in one batch.
fn run(script_name: &str, inputs: &[&str], time_limit: Duration, log: &Log) -> Result<Vec<Preprocessed>, ScriptError> {
    let lines: Vec<_> = inputs.iter().map(|input| captured(input)).collect();
    run_lines(script_name, &lines, time_limit, log)
}

fn run_lines(
    script_name: &str,
    lines: &[String],
    time_limit: Duration,
    log: &Log,
) -> Result<Vec<Preprocessed>, ScriptError> {
    let mut preprocessor = Preprocessor::start(&script(script_name), &BTreeMap::new(), time_limit, log)?;
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let results = preprocessor.process(&lines)?;
    preprocessor.finish()?;
    Ok(results)
}

/// The message and the log of a run that fails at its second record.
fn failure(script_name: &str, input: &str, time_limit: Duration) -> (String, Log) {
    let log = Log::default();
    let error = run(script_name, &["fine", input, "fine"], time_limit, &log).unwrap_err();
    (error.to_string(), log)
}

fn returned(case: &str) -> Preprocessed {
    run("returns.py", &[case], PATIENCE, &Log::default()).unwrap().remove(0)
}

#[test]
fn every_kind_of_return_value() {
    let cases = [
        "dict",
        "keys",
        "no values",
        "dicts",
        "empty list",
        "none",
        "text",
        "empty text",
        "list",
        "tuple",
        "list of nan",
    ];
    let results = run("returns.py", &cases, PATIENCE, &Log::default()).unwrap();
    let rows = |text: &str| Preprocessed::Rows(text.to_owned());
    let row = |text: &str| Preprocessed::Row(text.to_owned());
    let csv = |text: &str| Preprocessed::Csv(text.to_owned());
    assert_eq!(
        results,
        [
            rows(r#"[{"b":"2","a":1,"c":null}]"#),
            rows(r#"[{"7":"x","2.5":"y","None":"z","False":"t"}]"#),
            rows("[{}]"),
            rows(r#"[{"a":1},{"b":2.5}]"#),
            Preprocessed::Skipped,
            Preprocessed::Skipped,
            csv("1,2\n3,4\n"),
            csv(""),
            row(r#"[1,"a",null,2.5,true]"#),
            row("[1,null]"),
            row("[null,5]"),
        ]
    );
}

#[test]
fn values_keep_their_type() {
    let Preprocessed::Rows(text) = returned("values") else { panic!("a dict is a row") };
    let expected = concat!(
        r#"[{"text":"a \"b\" ü \n","int":1,"big":123456789012345678901234567890,"float":1.0,"small":1e-05,"#,
        r#""true":true,"none":null,"nan":null,"inf":"Infinity","-inf":"-Infinity","decimal":1.10,"#,
        r#""long decimal":0.1234567890123456789012345,"decimal nan":null,"date":"2020-02-29","#,
        r#""moment":"2020-02-29T12:30:00","colour":"red","size":3,"numpy float":0.5,"#,
        r#""numpy time":"2020-02-29T00:00:00.000000000","numpy no time":null,"pandas":null,"#,
        r#""half a pair":""#,
        "\u{fffd}",
        r#""}]"#
    );
    assert_eq!(text, expected);
}

#[test]
fn what_the_handler_sees() {
    let full = json!({
        "captureData": {
            "endpointInput": {"mode": "INPUT", "data": "1,2", "encoding": "CSV"},
            "batchTransformOutput": {"data": "3", "encoding": "CSV", "observedContentType": "text/csv"},
        },
        "groundTruthData": {"data": "4", "encoding": "CSV"},
        "eventMetadata": {
            "eventId": "e1", "inferenceId": "i1", "inferenceTime": "2019-11-20T23:33:12Z", "customAttributes": ["a=b"],
        },
        "eventVersion": "0",
    });
    let bare = json!({"captureData": {"endpointInput": {"mode": "INPUT", "data": "x", "encoding": "JSON"}}});
    let results = run_lines("record.py", &[full.to_string(), bare.to_string()], PATIENCE, &Log::default()).unwrap();
    let seen: Vec<Value> = results
        .iter()
        .map(|result| match result {
            Preprocessed::Rows(text) => serde_json::from_str::<Value>(text).unwrap()[0].take(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        seen[0],
        json!({
            "input": "1,2", "encoding": "CSV", "type": null, "mode": "INPUT",
            "as_dict": "{'encoding': 'CSV', 'data': '1,2', 'observedContentType': None}",
            "output": "None",
            "batch": "{'encoding': 'CSV', 'data': '3', 'observedContentType': 'text/csv'}",
            "truth": "4", "event": "e1", "time": "2019-11-20T23:33:12Z", "attribute": "a=b", "inference": "i1",
            "version": "0", "raw": "INPUT", "old": "1,21,2", "same": true,
            "record": "{'captureData': {'endpointInput': {'encoding': 'CSV', 'data': '1,2', 'observedContentType': None}, \
                       'batchTransformOutput': {'encoding': 'CSV', 'data': '3', 'observedContentType': 'text/csv'}}, \
                       'groundTruthData': {'data': '4', 'encoding': 'CSV'}, \
                       'eventMetadata': {'eventId': 'e1', 'inferenceId': 'i1', 'inferenceTime': '2019-11-20T23:33:12Z', \
                       'customAttributes': ['a=b']}, 'eventVersion': '0'}",
        })
    );
    for absent in ["truth", "event", "time", "attribute", "inference", "version"] {
        assert_eq!(seen[1][absent], Value::Null, "{absent}");
    }
}

#[test]
fn a_returned_record_carries_the_changes() {
    let cases = ["same", "dictionary", "data", "raw", "remove", "copy"];
    let results = run("changes.py", &cases, PATIENCE, &Log::default()).unwrap();
    let records: Vec<Value> = results
        .iter()
        .map(|result| match result {
            Preprocessed::Record(line) => serde_json::from_str(line).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let original = |input: &str| serde_json::from_str::<Value>(&captured(input)).unwrap();
    assert_eq!(records[0], original("same"));
    assert_eq!(records[1]["captureData"]["endpointInput"]["data"], "dictionary");
    assert_eq!(records[1]["captureData"]["endpointInput"].get("mode"), None);
    for changed in [2, 3] {
        assert_eq!(records[changed]["captureData"]["endpointInput"]["data"], "new");
        assert_eq!(records[changed]["captureData"]["endpointOutput"]["data"], "0.5\n");
        assert_eq!(records[changed]["eventMetadata"], original(cases[changed])["eventMetadata"]);
    }
    assert_eq!(records[4]["captureData"].get("endpointOutput"), None);
    assert_eq!(records[5], json!({"captureData": {"endpointInput": {"data": "copied", "encoding": "CSV"}}}));

    let removed = run("removes_first.py", &["x"], PATIENCE, &Log::default()).unwrap();
    let Preprocessed::Record(line) = &removed[0] else { panic!("{removed:?}") };
    assert_eq!(serde_json::from_str::<Value>(line).unwrap()["captureData"].get("endpointOutput"), None);
}

#[test]
fn an_untouched_record_comes_back_byte_for_byte() {
    let line = "{ \"captureData\" : {\"endpointInput\":{\"data\":\"\\u0041\"}}, \"n\": 1.50 }".to_owned();
    let results = run_lines("untouched.py", std::slice::from_ref(&line), PATIENCE, &Log::default()).unwrap();
    assert_eq!(results, [Preprocessed::Record(line)]);
}

#[test]
fn whatever_a_script_prints_reaches_the_log() {
    let log = Log::default();
    assert_eq!(run("logs.py", &["1"], PATIENCE, &log).unwrap(), [Preprocessed::Skipped]);
    assert_eq!(
        log.at(Level::Info),
        "loaded\nDEBUG a detail of 1\nINFO information\nWARNING a warning\nERROR an error\nof two lines\nprinted\n\
         to standard error\nWARNING:root:by the root logger\nby the system\nby a child\nunread input:\n\
         not \u{fffd} UTF-8\nno line end"
    );
    assert_eq!(log.at(Level::Error), "");
}

#[test]
fn state_and_order_last_over_batches() {
    let log = Log::default();
    let mut preprocessor = Preprocessor::start(&script("counts.py"), &BTreeMap::new(), PATIENCE, &log).unwrap();
    let mut number = 0;
    for batch_size in [1_usize, 300, 0, 7] {
        let lines: Vec<_> = (0..batch_size).map(|index| captured(&format!("{batch_size}-{index}"))).collect();
        let results = preprocessor.process(&lines.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        assert_eq!(results.len(), batch_size);
        for (index, result) in results.into_iter().enumerate() {
            number += 1;
            assert_eq!(result, Preprocessed::Row(format!(r#"[{number},"{batch_size}-{index}","beside"]"#)));
        }
    }
    preprocessor.finish().unwrap();
}

#[test]
fn a_script_sees_the_variables_of_the_job_over_the_inherited_ones() {
    let log = Log::default();
    let variables = variables(&[("MY_VARIABLE", "mine ü")]);
    let mut preprocessor = Preprocessor::start(&script("environment.py"), &variables, PATIENCE, &log).unwrap();
    let results = preprocessor.process(&[&captured("x")]).unwrap();
    let inherited = std::env::var("HOME").ok();
    assert_eq!(results, [Preprocessed::Row(json!(["mine ü", inherited, "", 1]).to_string())]);
}

#[test]
fn an_exception_names_itself_the_script_and_the_record() {
    let (message, log) = failure("fails.py", "raise", PATIENCE);
    assert_eq!(message, "Exception while invoking preprocessor script. KeyError: 'feature'");
    let path = script("fails.py");
    let logged = log.at(Level::Error);
    let expected_start = format!(
        "the preprocessor script `{path}` failed on record 2 (event id id-of-raise):\n\
         Traceback (most recent call last):\n  \
         File \"{path}\", line 24, in preprocess_handler\n    return look_up(\"feature\")\n",
        path = path.display()
    );
    assert!(logged.starts_with(&expected_start), "{logged}");
    let expected_end = "KeyError: 'feature'\nthe record was:\n{\n  \"captureData\": {\n    \"endpointInput\": {\n";
    assert!(logged.contains(expected_end), "{logged}");
    assert!(log.at(Level::Info).contains("is about to: raise"));
}

#[test]
fn a_long_record_is_cut_in_the_log() {
    let log = Log::default();
    let line = captured("raise").replace("0.5", &"ü".repeat(5000));
    run_lines("fails.py", &[line], PATIENCE, &log).unwrap_err();
    let logged = log.at(Level::Error);
    assert!(logged.contains("ü... (cut: 10"), "{logged}");
    assert!(logged.len() < 6000, "{}", logged.len());
}

#[test]
fn ways_to_fail_and_their_messages() {
    let first = "Exception while invoking preprocessor script.";
    let on = "on record 2 (event id id-of-";
    let cases = [
        ("exit", format!("{first} the script called sys.exit(3)")),
        ("end", format!("{first} the script's process ended with status 4 {on}end)")),
        (
            "signal",
            format!("{first} python was killed by SIGKILL (signal 9; out of memory is the usual reason) {on}signal)"),
        ),
        ("crash", format!("{first} python was killed by SIGSEGV (signal 11) {on}crash)")),
        ("close", format!("{first} the script closed or garbled the connection to the analyzer {on}close)")),
    ];
    for (input, expected) in cases {
        let (message, log) = failure("fails.py", input, PATIENCE);
        assert_eq!(message, expected);
        let logged = log.at(Level::Error);
        assert!(logged.contains(&format!("fails.py` failed {on}{input})")), "{logged}");
        assert!(logged.contains("\"inferenceTime\": \"2019-11-20T23:33:12Z\""), "{logged}");
    }
    let (message, _) = failure("fails.py", "wrong attribute", PATIENCE);
    assert!(
        message.contains("AttributeError: a captured record has no attribute 'endpoint_inputs'; it has "),
        "{message}"
    );
    assert!(message.contains(" endpoint_input, endpoint_output"), "{message}");
    let (message, log) = failure("fails.py", "crash", PATIENCE);
    assert!(log.at(Level::Info).contains("Fatal Python error: Segmentation fault"), "{message}");
    let (message, _) = failure("fails.py", "hang in a deep call", PATIENCE);
    assert!(message.contains("RecursionError"), "{message}");
}

#[test]
fn returned_nonsense_is_named() {
    let wanted =
        "return a dict, a list of dicts, a list of values, a text with CSV lines, the record, or None to skip it";
    let value = "a value must be text, a number, a bool or None";
    let cases = [
        ("number", format!("The handler returned `42` of type int; {wanted}")),
        ("set", format!("The handler returned `{{1}}` of type set; {wanted}")),
        ("bytes", format!("The handler returned `b'1,2'` of type bytes; {wanted}")),
        ("nested", format!("Key `features` is `[1, 2]` of type list; {value}")),
        ("nested list", format!("Item 1 is `[2]` of type list; {value}")),
        ("mixed list", "Item 1 of the returned list is `2` of type int, the first is a dict".to_owned()),
        ("twice", "Two keys are both `1` when turned into text".to_owned()),
    ];
    for (case, expected) in cases {
        let log = Log::default();
        let error = run("returns.py", &["dict", case], PATIENCE, &log).unwrap_err();
        assert_eq!(error.to_string(), format!("Preprocessor must return flat key-value pairs. {expected}"));
        let logged = log.at(Level::Error);
        assert!(logged.contains(&format!("returns.py` failed on record 2 (event id id-of-{case})")), "{logged}");
    }
    let error = run("returns.py", &["array"], PATIENCE, &Log::default()).unwrap_err().to_string();
    assert!(error.contains("Key `array` is `<returns.Scalar object"), "{error}");
    let error = run("changes.py", &["parsed"], PATIENCE, &Log::default()).unwrap_err().to_string();
    let expected = "The returned record's `endpointInput` has `{'a': 1}` of type dict as data; data must be text";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn scripts_that_cannot_be_loaded() {
    let first = "Exception while invoking preprocessor script. ";
    let cases = [
        ("import_fails.py", "ModuleNotFoundError: No module named 'no_such_package_anywhere'"),
        (
            "no_handler.py",
            "`no_handler.py` does not define the function `preprocess_handler`; it defines `preproces_handler`, `helper`",
        ),
        (
            "helper_beside.py",
            "`helper_beside.py` does not define the function `preprocess_handler`; it defines no function at all",
        ),
        (
            "no_parameter.py",
            "`preprocess_handler` takes 0 arguments; it must take `(inference_record)` or `(inference_record, logger)`",
        ),
    ];
    for (name, expected) in cases {
        let log = Log::default();
        assert_eq!(run(name, &[], PATIENCE, &log).unwrap_err().to_string(), format!("{first}{expected}"));
        let logged = log.at(Level::Error);
        assert!(logged.contains(name) && logged.contains(expected), "{logged}");
    }
    let log = Log::default();
    let message = run("syntax_error.py", &[], PATIENCE, &log).unwrap_err().to_string();
    assert!(message.starts_with(&format!("{first}SyntaxError: ")), "{message}");
    assert!(log.at(Level::Error).contains("syntax_error.py\", line"), "{}", log.at(Level::Error));
    let message = run("nowhere.py", &[], PATIENCE, &log).unwrap_err().to_string();
    assert!(
        message.contains("FileNotFoundError: [Errno 2] No such file or directory") && message.contains("nowhere.py")
    );
    let log = Log::default();
    run("import_fails.py", &[], PATIENCE, &log).unwrap_err();
    assert!(log.at(Level::Error).contains("install what it imports for this interpreter, or set WATCHKEEPER_PYTHON"));
}

#[test]
fn a_missing_interpreter_says_what_to_do() {
    let log = Log::default();
    let variables = variables(&[("WATCHKEEPER_PYTHON", "no-such-python")]);
    let error = Preprocessor::start(&script("record.py"), &variables, PATIENCE, &log).err().unwrap();
    assert_eq!(
        error.to_string(),
        "Exception while invoking preprocessor script. `no-such-python` was not found; install Python 3.8 or newer, or \
         set the variable WATCHKEEPER_PYTHON to the path of an interpreter"
    );
}

/// The limit, message and log of a run that hangs after the script has printed `reached`. The limit is one second, and
/// more only where the machine is too busy to get there in one.
fn failure_at_limit(script_name: &str, input: &str, reached: &str) -> (u64, String, Log) {
    for limit in [1, 2, 4, 8, 16, 32] {
        let (message, log) = failure(script_name, input, Duration::from_secs(limit));
        if log.at(Level::Info).contains(reached) {
            return (limit, message, log);
        }
    }
    panic!("the script did not get to `{reached}`");
}

#[test]
fn a_script_that_never_ends_is_killed_at_the_limit() {
    for (input, frame) in [("hang", "in preprocess_handler"), ("hang in C", "in match")] {
        let (limit, message, log) = failure_at_limit("fails.py", input, &format!("is about to: {input}"));
        assert_eq!(
            message,
            format!(
                "Exception while invoking preprocessor script. no answer within {limit} s on record 2 \
                 (event id id-of-{input}); the variable WATCHKEEPER_SCRIPT_TIMEOUT_SECONDS sets this limit"
            )
        );
        let printed = log.at(Level::Info);
        assert!(printed.contains("fails.py\", line") && printed.contains(frame), "where it hangs: {printed}");
        assert!(log.at(Level::Error).contains(&format!("\"data\": \"{input}\"")));
    }
}

#[test]
fn a_script_that_prints_for_ever_is_killed_at_the_limit() {
    let (limit, message, _) = failure_at_limit("fails.py", "print and hang", "still running");
    assert!(message.contains(&format!(" no answer within {limit} s on record 2 (")), "{message}");
}

#[test]
fn a_script_that_hangs_while_it_is_loaded_is_killed_at_the_limit() {
    let (limit, message, log) = failure_at_limit("hangs_at_import.py", "x", "loading");
    assert!(message.contains(&format!(" no answer within {limit} s while `python3` loaded it; ")), "{message}");
    assert!(log.at(Level::Info).starts_with("loading\n"));
}

#[test]
fn a_job_told_to_stop_does_not_wait_for_its_script() {
    let log = Log { stop_at: Some("is about to: hang"), ..Log::default() };
    let error = run("fails.py", &["hang"], PATIENCE, &log).unwrap_err();
    assert!(matches!(error, ScriptError::Stopped(_)), "{error}");
    assert_eq!(log.at(Level::Error), "");
}

/// Sees the end of a `fails.py` and of the children it started: each holds a named pipe open.
struct Lifeline {
    folder: tempfile::TempDir,
    ended: mpsc::Receiver<()>,
}

impl Lifeline {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lifeline");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let mut pipe = File::open(path).unwrap();
            pipe.read_to_end(&mut Vec::new()).unwrap();
            let _ = sender.send(());
        });
        Self { folder, ended }
    }

    fn path(&self) -> String {
        self.folder.path().join("lifeline").to_str().unwrap().to_owned()
    }

    fn assert_alive(&self) {
        assert_eq!(self.ended.try_recv(), Err(mpsc::TryRecvError::Empty));
    }

    fn assert_ends(&self) {
        self.ended.recv_timeout(PATIENCE).expect("the script or a child of it still runs");
    }
}

#[test]
fn no_process_is_left_behind() {
    let lifeline = Lifeline::new();
    let log = Log { stop_at: Some("the child runs"), ..Log::default() };
    let environment = variables(&[("LIFELINE", &lifeline.path())]);
    let mut preprocessor = Preprocessor::start(&script("fails.py"), &environment, PATIENCE, &log).unwrap();
    preprocessor.process(&[&captured("hang with a child")]).unwrap_err();
    lifeline.assert_alive();
    drop(preprocessor);
    lifeline.assert_ends();

    let lifeline = Lifeline::new();
    let log = Log::default();
    let environment = variables(&[("LIFELINE", &lifeline.path())]);
    let mut preprocessor = Preprocessor::start(&script("fails.py"), &environment, PATIENCE, &log).unwrap();
    preprocessor.process(&[&captured("fine")]).unwrap();
    let worker = log.at(Level::Info).split(' ').nth(1).unwrap().to_owned();
    lifeline.assert_alive();
    drop(preprocessor);
    lifeline.assert_ends();
    if cfg!(target_os = "linux") {
        assert!(!Path::new("/proc").join(worker).try_exists().unwrap(), "the worker is a zombie");
    }
}

#[test]
#[ignore = "runs for ever; a_killed_analyzer_takes_its_hanging_script_along starts and kills it"]
fn hanging_analyzer() {
    struct ToStandardError;
    impl Observer for ToStandardError {
        fn log(&self, _: Level, line: &str) {
            writeln!(std::io::stderr(), "{line}").unwrap();
        }
    }
    let mut preprocessor =
        Preprocessor::start(&script("fails.py"), &BTreeMap::new(), Duration::MAX / 4, &ToStandardError).unwrap();
    preprocessor.process(&[&captured("hang in C")]).unwrap();
}

#[test]
#[cfg(target_os = "linux")]
fn a_killed_analyzer_takes_its_hanging_script_along() {
    let lifeline = Lifeline::new();
    let mut analyzer = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "scripts::hanging_analyzer"])
        .env("LIFELINE", lifeline.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(analyzer.stderr.take().unwrap()).lines().map(Result::unwrap);
    lines.find(|line| line.contains("is about to: hang in C")).unwrap();
    lifeline.assert_alive();
    analyzer.kill().unwrap();
    analyzer.wait().unwrap();
    lifeline.assert_ends();
}

#[test]
fn megabytes_of_prints_neither_block_nor_pile_up() {
    #[derive(Default)]
    struct Counts {
        bytes: AtomicU64,
        longest: AtomicUsize,
    }
    impl Observer for Counts {
        fn log(&self, _: Level, line: &str) {
            self.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
            self.longest.fetch_max(line.len(), Ordering::Relaxed);
        }
    }
    let counts = Counts::default();
    let path = script("prints_megabytes.py");
    let mut preprocessor = Preprocessor::start(&path, &BTreeMap::new(), PATIENCE, &counts).unwrap();
    let line = captured("x");
    assert_eq!(preprocessor.process(&[&line]).unwrap(), [Preprocessed::Record(line.clone())]);
    // Without the line ends of 250,000 lines.
    assert_eq!(counts.bytes.load(Ordering::Relaxed), 25_000_000 - 250_000 + 20_000_000 + 5_000_000);
    let longest = counts.longest.load(Ordering::Relaxed);
    assert!((60_000..=65_536).contains(&longest), "{longest}");
    preprocessor.finish().unwrap();
}

#[test]
fn large_requests_and_large_logs_do_not_block_each_other() {
    let input = "ü".repeat(1_000_000);
    let lines = vec![captured(&input); 12];
    let log = Log::default();
    let results = run_lines("prints_before_reading.py", &lines, PATIENCE, &log).unwrap();
    assert_eq!(results, vec![Preprocessed::Row("[1000000]".to_owned()); 12]);
    // Pieces are cut between characters.
    assert_eq!(log.at(Level::Info).replace('\n', ""), "ü".repeat(12_000_000));
}

#[test]
fn a_bad_end_after_the_work_is_a_warning() {
    let log = Log::default();
    assert_eq!(run("ends_badly.py", &["x"], PATIENCE, &log).unwrap(), [Preprocessed::Skipped]);
    assert_eq!(log.at(Level::Info), "last words");
    let warning = log.at(Level::Warning);
    assert_eq!(warning, "the preprocessor script had done its work, but its interpreter ended badly (exit status: 5)");
}

#[test]
fn post_analytics_runs_once_with_the_environment_of_the_job() {
    let folder = tempfile::tempdir().unwrap();
    let variables = variables(&[("output_path", folder.path().to_str().unwrap())]);
    let log = Log::default();
    post_analytics(&script("post.py"), &variables, PATIENCE, &log).unwrap();
    assert_eq!(log.at(Level::Info), "Hello from post-proc script!");
    assert_eq!(std::fs::read_to_string(folder.path().join("written.txt")).unwrap(), "done");
}

#[test]
fn post_analytics_that_fails() {
    let log = Log::default();
    let error = post_analytics(&script("post_fails.py"), &BTreeMap::new(), PATIENCE, &log).unwrap_err();
    assert_eq!(error.to_string(), "Exception while invoking postprocessor script. RuntimeError: no bucket");
    let logged = log.at(Level::Error);
    assert!(logged.starts_with("the postprocessor script `") && logged.contains("line 2, in postprocess_handler"));

    let error = post_analytics(&script("record.py"), &BTreeMap::new(), PATIENCE, &log).unwrap_err();
    let expected = "`record.py` does not define the function `postprocess_handler`; it defines `preprocess_handler`";
    assert_eq!(error.to_string(), format!("Exception while invoking postprocessor script. {expected}"));
}

fn dry_run_of(script_name: &str, lines: &[String]) -> (Result<DryRunSummary, ScriptError>, String) {
    let mut out = Vec::new();
    let lines = lines.iter().map(|line| Ok(line.clone()));
    let summary = dry_run(&script(script_name), lines, &BTreeMap::new(), PATIENCE, &Log::default(), &mut out);
    (summary, String::from_utf8(out).unwrap())
}

#[test]
fn a_dry_run_shows_each_record_before_and_after() {
    let mut lines: Vec<_> =
        ["row,42,1e3", "rows", "list", "csv", "change", "same", "skip"].iter().map(|input| captured(input)).collect();
    lines.insert(1, "no JSON".to_owned());
    lines.insert(2, " ".to_owned());
    lines.insert(3, "{}".to_owned());
    let (summary, out) = dry_run_of("shows.py", &lines);
    assert_eq!(summary.unwrap(), DryRunSummary { records: 7, skipped: 1, unchanged: 1, rows: 6, unreadable: 2 });
    let expected = r#"record 1 (event id id-of-row,42,1e3)
  before
    endpoint input (CSV): row,42,1e3
    endpoint output (CSV): 0.5
  | first value row
  after
    age    = 42
    income = "1e3"
    note   = missing

line 2: no captured record, the handler is not called: expected ident at line 1 column 2

line 4: no captured record, the handler is not called: no `captureData` object

record 2 (event id id-of-rows)
  before
    endpoint input (CSV): rows
    endpoint output (CSV): 0.5
  | first value rows
  after, row 1 of 2
    a = 1.5
  after, row 2 of 2
    a = true

record 3 (event id id-of-list)
  before
    endpoint input (CSV): list
    endpoint output (CSV): 0.5
  | first value list
  after, values in column order
    0 = 1
    1 = "x"

record 4 (event id id-of-csv)
  before
    endpoint input (CSV): csv
    endpoint output (CSV): 0.5
  | first value csv
  after, csv row: 1,2
  after, csv row: 3,4

record 5 (event id id-of-change)
  before
    endpoint input (CSV): change
    endpoint output (CSV): 0.5
  | first value change
  after, the record changed
    endpoint input (CSV): changed
    endpoint output (CSV): 0.5

record 6 (event id id-of-same)
  before
    endpoint input (CSV): same
    endpoint output (CSV): 0.5
  | first value same
  after: unchanged

record 7 (event id id-of-skip)
  before
    endpoint input (CSV): skip
    endpoint output (CSV): 0.5
  | first value skip
  after: skipped

"#;
    assert_eq!(out, expected);
}

#[test]
fn a_dry_run_ends_at_the_first_failure() {
    let (summary, out) = dry_run_of("shows.py", &["same", "what", "same"].map(captured));
    assert_eq!(
        summary.unwrap_err().to_string(),
        "Exception while invoking preprocessor script. ValueError: unknown kind 'what'"
    );
    let (_, failed) = out.split_once("after: unchanged\n\n").unwrap();
    let mut lines = failed.lines();
    assert_eq!(lines.next(), Some("record 2 (event id id-of-what)"));
    assert!(failed.contains("  Traceback (most recent call last):\n    File \""), "{failed}");
    assert!(failed.contains("  ValueError: unknown kind 'what'\n"), "{failed}");
    assert!(failed.contains("        \"data\": \"what\",\n"), "{failed}");
    assert!(!failed.contains("record 3"), "{failed}");

    let (summary, out) = dry_run_of("import_fails.py", &[]);
    summary.unwrap_err();
    assert!(out.contains("ModuleNotFoundError: No module named 'no_such_package_anywhere'\n"), "{out}");
}
