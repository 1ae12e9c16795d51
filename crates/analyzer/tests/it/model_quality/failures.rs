//! Jobs that cannot be done: a message that says what was found where, and nothing left behind.

use std::fmt::Write as _;

use super::{Job, NO_VIOLATIONS};

const CSV: &str = r#"{"csv": {"header": true}}"#;

#[test]
fn attributes_that_a_problem_needs() {
    let of = |problem_type: &str, attributes: &[(&str, &str)]| {
        let job = Job::new(problem_type, CSV, attributes);
        job.dataset("data.csv", "prediction,label,score\n1,1,0.5\n");
        job
    };
    let inference = ("inference_attribute", "prediction");
    let label = ("ground_truth_attribute", "label");
    for problem_type in ["Regression", "BinaryClassification", "MulticlassClassification"] {
        for (attributes, name) in [(&[inference][..], label.0), (&[label], inference.0)] {
            let job = of(problem_type, attributes);
            let message = job.run();
            let expected = format!("Error: variable {name} is not set, expected ");
            assert!(message.starts_with(&expected), "{problem_type}: {message}");
            job.left_nothing();
        }
        assert_eq!(of(problem_type, &[inference, label]).run(), NO_VIOLATIONS);
    }
    for (name, value) in [
        ("problem_type", "Ranking"),
        ("probability_threshold_attribute", "half"),
        ("probability_threshold_attribute", "NaN"),
        ("start_time", "noon"),
        ("publish_cloudwatch_metrics", "perhaps"),
    ] {
        let mut job = of("BinaryClassification", &[inference, label]);
        job.set(name, value);
        let message = job.run();
        assert!(message.starts_with(&format!("Error: variable {name} is `{value}`, expected ")), "{message}");
        job.left_nothing();
    }
    let mut job = of("BinaryClassification", &[("probability_attribute", "score"), label]);
    for threshold in ["0.5", "\"0.5\"", "5e-1"] {
        job.set("probability_threshold_attribute", threshold);
        assert_eq!(job.measured()["confusion_matrix"]["1"]["0"], 1, "{threshold}");
    }
}

#[test]
fn an_attribute_that_no_record_has() {
    for (format, name, text) in [
        (CSV, "data.csv", "guess,label\n1,1\n0,1\n"),
        (r#"{"json": {"lines": true}}"#, "data.jsonl", "{\"guess\": 1, \"label\": 1}\n{\"guess\": 0, \"label\": 1}\n"),
    ] {
        let attributes = [("inference_attribute", "prediction"), ("ground_truth_attribute", "label")];
        let job = Job::new("BinaryClassification", format, &attributes);
        job.dataset(name, text);
        let message = job.run();
        for word in ["Error: ", "prediction", "guess", "label"] {
            assert!(message.contains(word), "{message}");
        }
        job.left_nothing();
    }
}

#[test]
fn no_record_at_all() {
    let attributes = [("inference_attribute", "prediction"), ("ground_truth_attribute", "label")];
    let job = Job::new("Regression", CSV, &attributes);
    std::fs::create_dir_all(job.path("opt/ml/processing/input_data")).unwrap();
    let folder = job.path("opt/ml/processing/input_data").display().to_string();
    job.fails(&format!("Error: No data found in dataset_source. There is no file in {folder}."));
    job.dataset("data.csv", "prediction,label\n");
    job.fails(&format!("Error: No data found in dataset_source. There is no record in {folder}."));
    std::fs::remove_dir_all(job.path("opt/ml/processing/input_data")).unwrap();
    job.fails(&format!("Error: {folder}: no such file or folder"));
}

#[test]
fn no_usable_row() {
    let job = Job::of_csv("BinaryClassification", "prediction,label\nyes,1\n1,no\n,\n");
    let message = job.run();
    assert!(message.starts_with("Error: No usable rows: 3 read, 3 dropped, first reason: "), "{message}");
    assert!(message.contains("yes"), "{message}");
    job.left_nothing();
}

#[test]
fn values_that_a_problem_cannot_have() {
    for (rows, value) in [("2,1\n", "2"), ("0.7,1\n", "0.7"), ("1,3\n", "3")] {
        let job = Job::of_csv("BinaryClassification", &format!("prediction,label\n0,0\n{rows}"));
        let message = job.run();
        assert!(message.starts_with("Error: ") && message.contains(value), "{message}");
        assert_eq!(message.contains("probability_attribute"), !rows.starts_with('1'), "{message}");
        job.left_nothing();
    }
}

#[test]
fn more_classes_than_a_classification_has() {
    let mut csv = "prediction,label\n".to_owned();
    for class in 0..5000 {
        writeln!(csv, "class {class},class {class}").unwrap();
    }
    let job = Job::of_csv("MulticlassClassification", &csv);
    let message = job.run();
    assert!(message.starts_with("Error: ") && message.contains("regression?"), "{message}");
    job.left_nothing();
}
