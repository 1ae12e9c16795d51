//! How outputs and labels of merged captures become rows (section 10 of the specification).

use serde_json::{Value, json};

use super::{Job, NO_VIOLATIONS, Payload, assert_contains};

fn csv(data: &str) -> Payload<'_> {
    (data, "CSV")
}

fn json_text(data: &str) -> Payload<'_> {
    (data, "JSON")
}

/// The rows of a binary classification: prediction, label and score, the latter by the thresholds that it passes.
#[track_caller]
fn assert_binary(attribute: Option<&str>, records: &[(Payload<'_>, Payload<'_>)], expected: &[(u8, u8, f64)]) {
    let mut job = Job::of_merged("BinaryClassification", &[], records);
    if let Some(attribute) = attribute {
        job.set("probability_attribute", attribute);
    }
    assert_matrix(&job.measured(), expected.iter().map(|&(prediction, label, _)| (prediction, label)));
    assert_eq!(job.document("statistics.json")["dataset"]["item_count"], expected.len());
    for &(_, _, score) in expected {
        for threshold in [score, score.next_down()] {
            job.set("probability_threshold_attribute", &format!("{threshold:?}"));
            let rows = expected.iter().map(|&(_, label, score)| (u8::from(score > threshold), label));
            assert_matrix(&job.measured(), rows);
        }
    }
}

#[track_caller]
fn assert_matrix(metrics: &Value, rows: impl Iterator<Item = (u8, u8)>) {
    let mut counts = [[0; 2]; 2];
    for (prediction, label) in rows {
        counts[usize::from(label)][usize::from(prediction)] += 1;
    }
    let expected = json!({
        "0": {"0": counts[0][0], "1": counts[0][1]}, "1": {"0": counts[1][0], "1": counts[1][1]},
    });
    assert_eq!(metrics["confusion_matrix"], expected);
}

#[test]
fn a_score_that_equals_the_threshold_is_not_above_it() {
    assert_binary(Some("0"), &[(csv("0.5"), csv("1"))], &[(0, 1, 0.5)]);
}

#[test]
fn rows_and_labels_are_paired_in_their_order() {
    let both = [(1, 1, 0.7), (0, 0, 0.2)];
    assert_binary(Some("0"), &[(csv("0.7\n0.2\n"), csv("1\n0"))], &both);
    assert_binary(Some("0"), &[(csv("0.7\n0.2\n"), csv("1,0"))], &both);
    assert_binary(Some("0"), &[(csv("0.7\r\n0.2\r\n"), csv("1\r\n0"))], &both);
    let instances = json_text(r#"{"instances":[{"label":1},{"label":0}]}"#);
    let document = json_text(r#"{"predictions":[{"score":0.9},{"score":0.1}]}"#);
    let both = [(1, 1, 0.9), (0, 0, 0.1)];
    assert_binary(Some("predictions[*].score"), &[(document, instances)], &both);
    let lines = json_text("{\"score\":0.9}\n{\"score\":0.1}\n");
    assert_binary(Some("score"), &[(lines, instances)], &both);
}

#[test]
fn a_capture_with_another_number_of_labels_is_dropped() {
    let records = [(csv("0.7\n0.2"), csv("1")), (csv("0.7"), csv("1"))];
    assert_binary(Some("0"), &records, &[(1, 1, 0.7)]);
    let job = Job::of_merged("BinaryClassification", &[("probability_attribute", "0")], &records[..1]);
    let message = job.run();
    assert!(message.starts_with("Error: No usable rows: 1 merged records, 1 dropped, first reason: "), "{message}");
    assert!(message.contains("2 ") && message.contains("1 label"), "{message}");
    job.left_nothing();
}

#[test]
fn scores_in_lists_and_below_paths() {
    assert_binary(Some("predictions"), &[(json_text(r#"{"predictions":[[0.9]]}"#), csv("1"))], &[(1, 1, 0.9)]);
    let probabilities = json_text(r#"{"probabilities":[0.2,0.8]}"#);
    assert_binary(Some("probabilities"), &[(probabilities, csv("1"))], &[(1, 1, 0.8)]);
    assert_binary(Some("$.p.s"), &[(json_text(r#"{"p":{"s":0.9}}"#), csv("0"))], &[(1, 0, 0.9)]);
    assert_binary(Some("a.b"), &[(json_text(r#"{"a.b":0.7}"#), csv("0"))], &[(1, 0, 0.7)]);
    // The whole output is the probability.
    assert_binary(None, &[(csv("0.25"), csv("0")), (json_text("0.75"), json_text("1"))], &[(0, 0, 0.25), (1, 1, 0.75)]);
}

#[test]
fn three_probabilities_are_of_no_binary_problem() {
    let three = json_text(r#"{"probabilities":[0.2,0.7,0.1]}"#);
    let attributes = [("probability_attribute", "probabilities")];
    let job = Job::of_merged("BinaryClassification", &attributes, &[(three, csv("1"))]);
    let message = job.run();
    assert!(message.starts_with("Error: ") && message.contains("a list of 3 values"), "{message}");
    job.left_nothing();

    let classes = |records: &[(Payload<'_>, Payload<'_>)]| {
        Job::of_merged("MulticlassClassification", &attributes, records).measured()["confusion_matrix"].clone()
    };
    assert_eq!(classes(&[(three, csv("1"))]), json!({"1": {"1": 1}}));
    let two_rows = json_text(r#"{"probabilities":[[0.2,0.7,0.1],[1,1,0]]}"#);
    assert_eq!(classes(&[(two_rows, json_text("[1,0]"))]), json!({"0": {"0": 1, "1": 0}, "1": {"0": 0, "1": 1}}));
}

#[test]
fn payloads_in_base64() {
    let encoded = |content_type| (("MC44", content_type), csv("1"));
    assert_binary(Some("0"), &[encoded("BASE64 text/csv")], &[(1, 1, 0.8)]);
    let attributes = [("probability_attribute", "0")];
    let job = Job::of_merged("BinaryClassification", &attributes, &[encoded("BASE64 image/png")]);
    job.fails("Error: Encoding BASE64 is not supported without a record preprocessor script.");
}

#[track_caller]
fn assert_classes(attributes: &[(&str, &str)], records: &[(Payload<'_>, Payload<'_>)], expected: &Value) {
    let job = Job::of_merged("MulticlassClassification", attributes, records);
    assert_eq!(job.measured()["confusion_matrix"], *expected);
}

#[test]
fn classes_are_what_both_sides_call_them() {
    let first = [("inference_attribute", "0")];
    assert_classes(&first, &[(csv("\"cat\",0.9"), csv(" cat"))], &json!({"cat": {"cat": 1}}));
    let leading_zero = json!({"01": {"01": 0, "1": 0}, "1": {"01": 1, "1": 0}});
    assert_classes(&first, &[(csv("01"), csv("1"))], &leading_zero);
    let label = [("inference_attribute", "label")];
    assert_classes(&label, &[(json_text(r#"{"label": 1.0}"#), csv("1"))], &json!({"1": {"1": 1}}));
    assert_classes(&label, &[(json_text(r#"{"label": "1.00"}"#), json_text("1"))], &json!({"1": {"1": 1}}));
}

#[test]
fn how_labels_were_read_is_said() {
    let attributes = [("inference_attribute", "0")];
    let records = [(csv("Cat"), csv("cat")), (csv("1.0"), csv("1")), (csv("dog"), csv("dog"))];
    let job = Job::of_merged("MulticlassClassification", &attributes, &records);
    assert_eq!(job.run(), NO_VIOLATIONS);
    job.logged("Cat");
    job.logged("1.0");
}

#[test]
fn an_output_without_attributes_is_the_prediction() {
    let record = (json_text(r#"{"label":3,"score":2}"#), csv("5"));
    let metrics = Job::of_merged("Regression", &[], &[record]).measured();
    assert_contains(&metrics, &json!({"mae": 2.0, "mse": 4.0}), 0.0);
    let job = Job::of_merged("Regression", &[], &[(csv("1,2"), csv("5"))]);
    let message = job.run();
    assert!(message.starts_with("Error: ") && message.contains("inference_attribute"), "{message}");
    job.left_nothing();
}

#[test]
fn labels_that_are_missing() {
    let attributes = [("probability_attribute", "0")];
    for label in ["NaN", "", "yes"] {
        let records = [(csv("0.9"), csv(label)), (csv("0.9"), csv("1"))];
        let job = Job::of_merged("BinaryClassification", &attributes, &records);
        assert_matrix(&job.measured(), [(1, 1)].into_iter());
        job.logged("1 of 2 rows dropped");
    }
    let job = Job::of_merged("BinaryClassification", &attributes, &[(csv("0.9"), csv("yes"))]);
    let message = job.run();
    assert!(message.starts_with("Error: No usable rows: 1 merged records, 1 dropped, first reason: "), "{message}");
    assert!(message.contains("yes"), "{message}");
    job.left_nothing();

    let job = Job::of_merged("BinaryClassification", &attributes, &[(csv("0.9"), csv("2"))]);
    let message = job.run();
    assert!(message.starts_with("Error: ") && message.contains('2'), "{message}");
    job.left_nothing();
}
