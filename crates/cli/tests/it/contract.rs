//! `watchkeeper analyze model-monitor-analyzer` as a job runner calls it: variables in, files and an exit message out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::job::{CLEAN, Job, NO_VIOLATIONS, OUTPUT};
use crate::metrics::metric_lines;
use crate::program::{Folder, repository};
use crate::traffic;

#[test]
fn a_baseline_job_leaves_two_documents_and_a_message() {
    let job = Job::baseline("a,b\n1,x\n2,y\n");
    let ran = job.run().ended(0);
    assert_eq!(job.message(), NO_VIOLATIONS);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    assert!(!job.folder.has("opt/ml/output/metrics"));
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.ends_with(&format!("{NO_VIOLATIONS}\n")), "{}", ran.stderr);
    let constraints = job.folder.json(&format!("{OUTPUT}/constraints.json"));
    assert_eq!(
        constraints["monitoring_config"],
        json!({
            "evaluate_constraints": "Enabled",
            "emit_metrics": "Enabled",
            "datatype_check_threshold": 1.0,
            "domain_content_threshold": 1.0,
            "distribution_constraints": {
                "perform_comparison": "Enabled",
                "comparison_threshold": 0.1,
                "comparison_method": "Robust",
                "categorical_comparison_threshold": 0.1,
                "categorical_drift_method": "LInfinity",
            },
        })
    );
}

#[test]
fn a_baseline_job_writes_what_the_command_line_writes() {
    let job = Job::baseline(&std::fs::read_to_string(repository("examples/churn/baseline.csv")).unwrap());
    job.run().ended(0);
    let folder = Folder::new();
    folder.run(&["baseline", repository("examples/churn/baseline.csv").to_str().unwrap(), "-o", "out"]).ended(0);
    for name in ["statistics.json", "constraints.json"] {
        assert!(job.folder.read(&format!("{OUTPUT}/{name}")) == folder.read(&format!("out/{name}")), "{name}");
    }
}

#[test]
fn the_message_counts_violations() {
    let job = Job::with_traffic(&CLEAN);
    let ran = job.run().ended(0);
    assert_eq!(job.message(), NO_VIOLATIONS);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    assert_eq!(job.feature_names(), ["score", "age", "place"]);
    assert!(ran.stderr.contains("Using baseline columns: score, age, place\n"), "{}", ran.stderr);

    // AWS knows no singular.
    let job = Job::with_traffic(&[("0.5", "31,a"), ("0.25", "52,z")]);
    job.run().ended(0);
    assert_eq!(job.message(), "CompletedWithViolations: Job completed successfully with 1 violations.");
    assert_eq!(job.outputs(), ["constraint_violations.json", "constraints.json", "statistics.json"]);

    let job = Job::with_traffic(&[("0.5", "31.5,a"), ("0.25", ",z")]);
    let ran = job.run().ended(0);
    let message = "CompletedWithViolations: Job completed successfully with 3 violations.";
    assert_eq!(job.message(), message);
    assert!(ran.stderr.ends_with(&format!("{message}\n")), "{}", ran.stderr);
    let skipped = "Inferred data type don't match for column age. Inferred data type in baseline statistics: Integral. \
                   Inferred data type in current dataset: Fractional\n";
    assert!(ran.stderr.contains(skipped), "{}", ran.stderr);
    let violations = job.folder.violations(OUTPUT);
    assert_eq!(violations.len(), 3);

    // Another run in the same place tells nothing of this one.
    job.capture(&traffic::record(0, "0.5", "31,a"));
    job.run().ended(0);
    assert_eq!(job.outputs(), ["constraints.json", "statistics.json"]);
    assert_eq!(job.message(), NO_VIOLATIONS);
}

#[test]
fn another_number_of_columns_is_the_only_violation() {
    let job = Job::with_traffic(&[("0.5", "thirty"), ("0.25", "")]);
    job.run().ended(0);
    let violations = job.folder.violations(OUTPUT);
    assert_eq!(violations.len(), 1);
    assert_eq!((&*violations[0].0, &*violations[0].1), ("missing_column_check", "Missing columns"));
    assert_eq!(job.feature_names(), ["_c0", "_c1"]);
    let job = Job::with_traffic(&[("0.5", "31,a,extra")]);
    job.run().ended(0);
    assert_eq!(&*job.folder.violations(OUTPUT)[0].0, "extra_column_check");
    assert_eq!(job.message(), "CompletedWithViolations: Job completed successfully with 1 violations.");
}

#[test]
fn the_job_description_fills_in_what_is_not_set() {
    let mut job = Job::with_traffic(&CLEAN);
    let rest: BTreeMap<String, String> = job
        .variables
        .iter()
        .filter(|(name, _)| *name != "WATCHKEEPER_JOB_ROOT")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let names: Vec<&str> = rest.keys().map(String::as_str).collect();
    job.unset(&names);
    let description = json!({
        "ProcessingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:processing-job/job",
        "Environment": rest,
        "AppSpecification": {"ImageUri": "sagemaker-model-monitor-analyzer"},
    });
    job.folder.write("opt/ml/config/processingjobconfig.json", description.to_string());
    job.run().ended(0);
    assert_eq!(job.message(), NO_VIOLATIONS);
    assert_eq!(metric_lines(&job)[0]["Dimensions"][0]["Value"], "scorer");
    // The environment wins, with nothing too.
    job.set("sagemaker_endpoint_name", "other").run().ended(0);
    assert_eq!(metric_lines(&job)[0]["Dimensions"][0]["Value"], "other");
    job.set("sagemaker_endpoint_name", "").run().ended(0);
    assert_eq!(metric_lines(&job)[0]["Dimensions"][0]["Value"], "hourly");

    job.folder.write("opt/ml/config/processingjobconfig.json", "{\"Environment\": ");
    job.run().ended(1);
    let message = job.message();
    assert!(message.starts_with("Error: ") && message.contains("processing job configuration: "), "{message}");
    assert!(message.contains("opt/ml/config/processingjobconfig.json"), "{message}");
}

#[test]
fn the_window_is_half_open() {
    let mut job = Job::with_traffic(&[]);
    let times = [
        ("2026-05-18T00:59:59Z", 1),
        ("2026-05-18T01:00:00Z", 2),
        ("2026-05-18T01:59:59Z", 4),
        ("2026-05-18T02:00:00Z", 8),
        ("some time", 16),
    ];
    let lines = times.iter().map(|(time, age)| traffic::record_at(time, *age, "0.5", &format!("{age},a")));
    job.capture(&lines.collect::<String>());
    let ran = job.run().ended(0);
    let ages = |job: &Job| job.statistics()["features"][1]["numerical_statistics"]["sum"].clone();
    assert_eq!(ages(&job), 22.0);
    assert!(ran.stderr.contains("2 records outside the window skipped"), "{}", ran.stderr);
    job.unset(&["end_time"]).run().ended(0);
    assert_eq!(ages(&job), 31.0, "a window has two ends");
    job.set("start_time", "2026-06-01T00:00:00Z").set("end_time", "2026-06-01T01:00:00Z").run().ended(0);
    assert_eq!(ages(&job), 16.0, "a record whose time cannot be read is kept");
}

#[test]
fn a_preprocessor_decides_what_is_analysed() {
    let mut job = Job::with_traffic(&[("0.5", "31,a"), ("0.25", "52,b"), ("skip", "1,a"), ("0.75", "19,a")]);
    job.script(
        "record_preprocessor_script",
        r#"
import os
def preprocess_handler(inference_record, logger):
    if inference_record.endpoint_output.data == "skip":
        return []
    age, place = inference_record.endpoint_input.data.split(",")
    logger.info("age %s at %s", age, os.environ["sagemaker_endpoint_name"])
    print("as read:", age)
    return {"0": float(inference_record.endpoint_output.data), "1": int(age) * 10, "2": place}
"#,
    );
    let ran = job.run().ended(0);
    assert_eq!(job.feature_names(), ["score", "age", "place"]);
    let age = job.statistics()["features"][1]["numerical_statistics"].clone();
    assert_eq!((&age["sum"], &age["min"], &age["max"]), (&json!(1020.0), &json!(190.0), &json!(520.0)));
    assert_eq!(job.statistics()["dataset"]["item_count"], 3);
    assert!(ran.stderr.contains("INFO age 31 at scorer\n") && ran.stderr.contains("as read: 52\n"), "{}", ran.stderr);
}

#[test]
fn a_preprocessor_of_a_baseline_of_csv_is_passed_over() {
    let mut job = Job::baseline("a\n1\n");
    job.script("record_preprocessor_script", "raise ValueError('never loaded')");
    let ran = job.run().ended(0);
    assert!(ran.stderr.contains("WARN  the record preprocessor script is ignored"), "{}", ran.stderr);
}

#[test]
fn a_post_analytics_script_finds_everything_written() {
    let mut job = Job::with_traffic(&[("0.5", "31,z")]);
    job.script(
        "post_analytics_processor_script",
        r#"
import json, os
def postprocess_handler():
    folder = os.environ["output_path"]
    root = os.path.dirname(os.path.dirname(os.path.dirname(folder)))
    with open(os.path.join(folder, "constraint_violations.json")) as file:
        count = len(json.load(file)["violations"])
    with open(os.path.join(root, "ml/output/message")) as file:
        message = file.read()
    with open(os.path.join(root, "ml/output/metrics/cloudwatch/cloudwatch_metrics.jsonl")) as file:
        metrics = len(file.readlines())
    with open(os.path.join(folder, "seen.txt"), "w") as file:
        file.write("%d violations, %d metrics, %s" % (count, metrics, message))
    print("seen", sorted(os.listdir(folder)))
"#,
    );
    let ran = job.run().ended(0);
    let message = "CompletedWithViolations: Job completed successfully with 1 violations.";
    assert_eq!(job.message(), message);
    assert_eq!(job.folder.read(&format!("{OUTPUT}/seen.txt")), format!("1 violations, 8 metrics, {message}"));
    assert!(ran.stderr.contains("Invoking customer's post-processing script...\n"), "{}", ran.stderr);
    assert!(ran.stderr.contains("seen ['constraint_violations.json', 'constraints.json'"), "{}", ran.stderr);

    job.script("post_analytics_processor_script", "def postprocess_handler():\n    raise RuntimeError('no bucket')\n");
    let ran = job.run().ended(1);
    assert_eq!(job.message(), "Error: Exception while invoking postprocessor script. RuntimeError: no bucket");
    assert!(ran.stderr.contains("Traceback (most recent call last):"), "{}", ran.stderr);
    assert_eq!(job.outputs(), ["constraint_violations.json", "constraints.json", "seen.txt", "statistics.json"]);
}

#[test]
fn columns_can_be_left_out() {
    for excluded in ["age", "1", " place , age ", "0,2", "nowhere"] {
        let mut job = Job::with_traffic(&[("0.5", "thirty,z"), ("0.25", "52,b")]);
        job.set("exclude_features_attribute", excluded).run().ended(0);
        let (names, message): (&[&str], &str) = match excluded {
            "age" | "1" => (&["score", "place"], "1 violations"),
            " place , age " => (&["score"], "no violations"),
            "0,2" => (&["age"], "1 violations"),
            _ => (&["score", "age", "place"], "2 violations"),
        };
        assert_eq!(job.feature_names(), names, "{excluded}");
        assert!(job.message().contains(message), "{excluded}: {}", job.message());
    }
    // The baseline was made without the column.
    let mut baseline = Job::baseline("score,age,place\n0.5,31,a\n0.25,47,b\n");
    baseline.set("exclude_features_attribute", "1").run().ended(0);
    assert_eq!(baseline.feature_names(), ["score", "place"]);
    let mut job = Job::with_traffic(&[("0.5", "thirty,a"), ("0.25", "52,b")]);
    for (name, path) in [("constraints", "constraints/constraints"), ("statistics", "stats/statistics")] {
        let document = baseline.folder.read(&format!("{OUTPUT}/{name}.json"));
        job.folder.write(&format!("opt/ml/processing/baseline/{path}.json"), document);
    }
    job.set("exclude_features_attribute", "1").run().ended(0);
    assert_eq!(job.feature_names(), ["score", "place"]);
    assert_eq!(job.message(), NO_VIOLATIONS);
}

#[test]
fn settings_reach_the_suggested_constraints() {
    let mut job = Job::baseline("a\nx\ny\n");
    job.set("categorical_drift_method", "ChiSquared").set(
        "data_quality_monitoring_config",
        r#"{"datatype_check_threshold": 0.9, "distribution_constraints": {"comparison_method": "Simple"}}"#,
    );
    job.run().ended(0);
    let config = job.folder.json(&format!("{OUTPUT}/constraints.json"))["monitoring_config"].clone();
    assert_eq!(config["datatype_check_threshold"], 0.9);
    assert_eq!(config["domain_content_threshold"], 1.0);
    let comparison = &config["distribution_constraints"];
    assert_eq!(comparison["comparison_method"], "Simple");
    assert_eq!(comparison["categorical_drift_method"], "ChiSquared");
    assert_eq!(comparison["comparison_threshold"], 0.1);

    job.set("data_quality_monitoring_config", r#"{"datatype_check_threshold": 90}"#);
    std::fs::remove_dir_all(job.folder.path(OUTPUT)).unwrap();
    let ran = job.run().ended(1);
    assert!(job.message().starts_with("Error: variable data_quality_monitoring_config is `"), "{}", ran.stderr);
    assert!(job.message().contains("datatype_check_threshold: 90.0 is not within 0 to 1"), "{}", ran.stderr);
}

#[test]
fn a_manual_run_gives_no_times_and_names() {
    let mut job = Job::with_traffic(&CLEAN);
    job.unset(&[
        "start_time",
        "end_time",
        "metric_time",
        "sagemaker_endpoint_name",
        "sagemaker_endpoint_datacapture_prefix",
        "sagemaker_monitoring_schedule_name",
        "monitoring_input_type",
    ]);
    let before = Timestamp::now();
    job.run().ended(0);
    assert_eq!(job.message(), NO_VIOLATIONS);
    for line in metric_lines(&job) {
        assert_eq!(line["Dimensions"], json!([]));
        let time: Timestamp = line["Timestamp"].as_str().unwrap().parse().unwrap();
        assert!((before..=Timestamp::now()).contains(&time), "{time}");
    }
    for word in ["DATA_QUALITY", "data_quality", ""] {
        job.set("analysis_type", word).run().ended(0);
    }
}
