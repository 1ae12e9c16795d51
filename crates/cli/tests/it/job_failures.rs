//! Every way for a job to fail, and the message it leaves.

use serde_json::json;

use crate::job::{CLEAN, ENDPOINT, Job};
use crate::traffic;

#[test]
fn a_preprocessor_that_fails_says_so_in_one_line() {
    let mut job = Job::with_traffic(&CLEAN);
    job.script(
        "record_preprocessor_script",
        "def preprocess_handler(inference_record):\n    return parse(inference_record.endpoint_input.data)\n\n\
         def parse(text):\n    raise ValueError('no such thing: ' + text)\n",
    );
    let ran = job.fails("Error: Exception while invoking preprocessor script. ValueError: no such thing: 31,a");
    for line in [
        "Traceback (most recent call last):",
        "script.py\", line 5, in parse",
        "ValueError: no such thing: 31,a",
        "record 1 (event id event-0)",
        "\"data\": \"31,a\"",
    ] {
        assert!(ran.stderr.contains(line), "{line} is not in {}", ran.stderr);
    }

    // What an exception says may have many lines, and be longer than AWS keeps.
    job.script(
        "record_preprocessor_script",
        "class Long(Exception):\n    def __str__(self):\n        return 'first line\\nsecond line ' + 'ä' * 3000\n\n\
         def preprocess_handler(inference_record):\n    raise Long()\n",
    );
    let ran = job.run().ended(1);
    let message = job.message();
    assert!(message.starts_with("Error: Exception while invoking preprocessor script. "), "{message}");
    assert!(message.len() <= 1024 && message.lines().count() == 1 && message.len() > 900, "{message}");
    assert!(ran.stderr.contains("first line\n") && ran.stderr.contains(&"ä".repeat(3000)), "{}", ran.stderr);

    job.script("record_preprocessor_script", "def preprocess_handler(inference_record):\n    return {'a': [1]}\n");
    job.fails(
        "Error: Preprocessor must return flat key-value pairs. Key `a` is `[1]` of type list; a value must be text, a \
         number, a bool or None",
    );
    job.script("record_preprocessor_script", "import no_such_package\n");
    job.fails(
        "Error: Exception while invoking preprocessor script. ModuleNotFoundError: No module named 'no_such_package'",
    );
    job.set("record_preprocessor_script", "/opt/ml/nowhere.py");
    job.run().ended(1);
    assert!(job.message().starts_with("Error: Exception while invoking preprocessor script. FileNotFoundError: "));
}

#[test]
fn every_failure_has_its_message() {
    let constraints = "opt/ml/processing/baseline/constraints/constraints.json";
    let statistics = "opt/ml/processing/baseline/stats/statistics.json";
    let root = |job: &Job, path: &str| job.folder.path(path).display().to_string();
    let mut job = Job::with_traffic(&CLEAN);

    let text = job.folder.read(constraints);
    job.folder.write(constraints, "{\"features\": [");
    let expected = format!("Error: Could not read baseline constraints. {}: ", root(&job, constraints));
    job.fails(&format!("{expected}features[0]: EOF while parsing a list at line 1 column 14"));
    std::fs::remove_file(job.folder.path(constraints)).unwrap();
    job.fails(&format!("{expected}No such file or directory (os error 2)"));
    job.folder.write(constraints, text);

    let text = job.folder.read(statistics);
    job.folder.write(statistics, text.replacen("\"item_count\" : 4", "\"item_count\" : true", 1));
    let ran = job.run().ended(1);
    let expected =
        format!("Error: Could not read baseline statistics. {}: dataset.item_count: ", root(&job, statistics));
    assert!(job.message().starts_with(&expected), "{}", ran.stderr);
    job.folder.write(statistics, text);

    let format = job.variables["dataset_format"].clone();
    job.set("dataset_format", r#"{"xml": {}}"#);
    let ran = job.run().ended(1);
    assert!(
        job.message().starts_with("Error: Invalid dataset_format: ") && job.message().contains("`xml`"),
        "{}",
        ran.stderr
    );
    job.set("dataset_format", "csv").run().ended(1);
    assert!(job.message().starts_with("Error: Invalid dataset_format: "), "{}", job.message());
    // The message goes where it belongs even then.
    job.set("output_message_file", "/elsewhere/message").run().ended(1);
    assert!(job.folder.read("elsewhere/message").starts_with("Error: Invalid dataset_format: "));
    job.unset(&["output_message_file", "dataset_format"]).run().ended(1);
    assert!(job.message().starts_with("Error: Invalid dataset_format: "), "{}", job.message());
    job.set("dataset_format", &format);

    job.unset(&["dataset_source"]);
    job.fails("Error: variable dataset_source is not set, expected the path of the dataset");
    job.set("dataset_source", "/opt/ml/nowhere");
    job.fails(&format!("Error: {}: no such file or folder", root(&job, "opt/ml/nowhere")));
    std::fs::create_dir_all(job.folder.path("opt/ml/nowhere")).unwrap();
    job.fails(&format!(
        "Error: No data found in dataset_source. There is no file in {}.",
        root(&job, "opt/ml/nowhere")
    ));
    job.folder.write("opt/ml/nowhere/empty.jsonl", "\n\n");
    let no_record = "Error: No data found in dataset_source. There is no record in";
    job.fails(&format!("{no_record} {}.", root(&job, "opt/ml/nowhere")));
    job.folder.write("opt/ml/nowhere/other.jsonl", traffic::record_at("2026-05-18T03:00:00Z", 0, "0.5", "1,a"));
    job.fails(&format!(
        "{no_record} the 2 files of {}. (1 record outside the window skipped)",
        root(&job, "opt/ml/nowhere")
    ));
    job.set("dataset_source", ENDPOINT);

    job.set("start_time", "yesterday");
    job.fails("Error: variable start_time is `yesterday`, expected a time such as 2020-02-19T06:00:00Z");
    job.set("start_time", "2026-05-18T01:00:00Z").set("analysis_type", "MODEL_BIAS");
    job.fails("Error: variable analysis_type is `MODEL_BIAS`, expected DATA_QUALITY, MODEL_QUALITY or nothing");
    job.unset(&["analysis_type"]).set("publish_cloudwatch_metrics", "yes");
    job.fails("Error: variable publish_cloudwatch_metrics is `yes`, expected Enabled or Disabled");
}

#[test]
fn failures_of_captured_data_have_the_messages_of_aws() {
    let job = Job::with_traffic(&[]);
    let json = traffic::part("OUTPUT", "JSON", "{\"score\": 0.5}");
    let csv = traffic::part("INPUT", "CSV", "31,a");
    job.capture(&traffic::line(traffic::TIME, 0, &json, &csv));
    job.fails(
        "Error: Encoding mismatch: Encoding is CSV for endpointInput, but Encoding is JSON for endpointOutput. We \
         currently only support the same type of input and output encoding at the moment.",
    );
    let mut base64 = csv.clone();
    base64["encoding"] = json!("BASE64");
    base64["observedContentType"] = json!("image/png");
    job.capture(&traffic::line(traffic::TIME, 0, &base64, &base64));
    job.fails("Error: Encoding BASE64 is not supported without a record preprocessor script.");
    let nested = traffic::part("INPUT", "JSON", "{\"age\": {\"years\": 31}}");
    job.capture(&traffic::line(traffic::TIME, 0, &json, &nested));
    job.run().ended(1);
    let message = job.message();
    let expected = "Error: Only flat JSON is supported. Column age holds an object or array. (";
    assert!(message.starts_with(expected) && message.ends_with("30-00-000-x.jsonl, row 1)"), "{message}");
    job.capture("{\"a\": 1}\nno JSON\n");
    job.run().ended(1);
    let message = job.message();
    assert!(
        message.starts_with("Error: none of the 2 lines of the captured data is a capture record; the first: "),
        "{message}"
    );
}
