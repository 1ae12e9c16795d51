//! Captured and merged records as tables with answers and labels.

use serde_json::{Value, json};
use watchkeeper_data::list;
use watchkeeper_data::table::{Traffic, TrafficReading, read_traffic};
use watchkeeper_engine::prediction::{Answer, Item, Scalar};
use watchkeeper_formats::{CaptureIndexName, DatasetFormat, OutputColumnsPosition};

use crate::table::Folder;
use crate::table_csv::{column_names, names, rows};

fn merged() -> TrafficReading {
    TrafficReading {
        format: DatasetFormat::MergeJson { capture_index_name: Some(CaptureIndexName::EndpointInput) },
        window: None,
        features: None,
        inference: None,
        probability: None,
        label: None,
        headers: None,
        label_header: None,
        keeps_written: false,
    }
}

fn captures() -> TrafficReading {
    TrafficReading {
        format: DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: None },
        ..merged()
    }
}

/// Reads by JSON paths.
fn at(features: &str, inference: Option<&str>, probability: Option<&str>, label: Option<&str>) -> TrafficReading {
    let own = |text: &str| text.to_owned();
    TrafficReading {
        features: Some(own(features)),
        inference: inference.map(own),
        probability: probability.map(own),
        label: label.map(own),
        ..merged()
    }
}

fn side(data: &str, encoding: &str, content_type: &str) -> Value {
    json!({"data": data, "encoding": encoding, "observedContentType": content_type})
}

fn csv(data: &str) -> Value {
    side(data, "CSV", "text/csv")
}

fn json_side(data: &str) -> Value {
    side(data, "JSON", "application/json")
}

fn record(input: &Value, output: &Value, truth: &Value) -> Value {
    json!({
        "captureData": {"endpointInput": input, "endpointOutput": output},
        "groundTruthData": truth,
        "eventMetadata": {"eventId": "e1", "inferenceTime": "2026-01-01T10:30:00Z"},
        "eventVersion": "0",
    })
}

fn batch(data: &str, encoding: &str, truth: &Value) -> Value {
    json!({
        "captureData": {"batchTransformOutput": {"data": data, "encoding": encoding}},
        "groundTruthData": truth,
        "eventMetadata": {"eventId": "b1"},
        "eventVersion": "0",
    })
}

fn read(records: &[Value], reading: &TrafficReading) -> Traffic {
    let content: String = records.iter().map(|record| format!("{record}\n")).collect();
    read_traffic(list(Folder::with("data.jsonl", content).path()).unwrap_or_default(), reading).unwrap()
}

fn number(value: f64) -> Scalar {
    Scalar::Number { value, is_whole: value.fract() == 0.0 }
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.to_owned())
}

fn score(item: Item) -> Answer {
    Answer { label: None, probability: Some(item) }
}

fn labels(traffic: &Traffic) -> Vec<String> {
    let labels = traffic.labels.clone().unwrap();
    let table = watchkeeper_engine::table::Table { rows: labels.len(), columns: vec![labels] };
    rows(&table).concat()
}

#[test]
fn csv_records_are_paired_in_order() {
    let truth = csv("1\n0\n");
    let traffic = read(&[record(&csv("1,a\n2,\"b,c\"\n"), &csv("0.7\n0.2\n"), &truth)], &merged());
    assert_eq!(rows(&traffic.features), [["1", "\"a\""], ["2", "\"b,c\""]]);
    assert_eq!(column_names(&traffic.features), ["column_0", "column_1"]);
    assert_eq!(traffic.answers, [score(Item::One(number(0.7))), score(Item::One(number(0.2)))]);
    assert_eq!(labels(&traffic), ["1", "0"]);
    assert_eq!(traffic.content_types, (Some("text/csv".to_owned()), Some("text/csv".to_owned())));
    // Answers and labels of all rows on one line.
    let traffic = read(&[record(&csv("1\n2"), &csv("0.7,0.2"), &csv("1,0"))], &merged());
    assert_eq!(traffic.answers, [score(Item::One(number(0.7))), score(Item::One(number(0.2)))]);
    assert_eq!(labels(&traffic), ["1", "0"]);
}

#[test]
fn columns_of_csv_answers_are_taken_by_index() {
    let records = [record(&csv("5,6"), &csv("1,0.9,\"[0.1,0.9]\",\"['no', 'yes']\""), &csv("1"))];
    let answer = |inference: &str, probability: Option<&str>| {
        let probability = probability.map(str::to_owned);
        let reading = TrafficReading { inference: Some(inference.to_owned()), probability, ..merged() };
        read(&records, &reading).answers.remove(0)
    };
    let both = answer("0", Some("1"));
    assert_eq!(both, Answer { label: Some(Item::One(number(1.0))), probability: Some(Item::One(number(0.9))) });
    let lists = answer("3", Some("2"));
    assert_eq!(lists.label, Some(Item::List(vec![text("no"), text("yes")])));
    assert_eq!(lists.probability, Some(Item::List(vec![number(0.1), number(0.9)])));
    // The whole line.
    let traffic = read(&[record(&csv("5"), &csv("0.1,0.9"), &csv("1"))], &merged());
    assert_eq!(traffic.answers, [score(Item::List(vec![number(0.1), number(0.9)]))]);
}

#[test]
fn json_documents_and_lines_are_read_by_path() {
    let truth = json_side("{\"instances\":[{\"label\":1},{\"label\":0}]}");
    let input = json_side("{\"instances\":[{\"features\":[1,\"a\"]},{\"features\":[2,\"b\"]}]}");
    let output = json_side("{\"predictions\":[{\"score\":0.9},{\"score\":0.1}]}");
    let reading = at("instances[*].features", None, Some("predictions[*].score"), Some("instances[*].label"));
    let documents = read(&[record(&input, &output, &truth)], &reading);
    let expected = [score(Item::One(number(0.9))), score(Item::One(number(0.1)))];
    assert_eq!(rows(&documents.features), [["1", "\"a\""], ["2", "\"b\""]]);
    assert_eq!(documents.answers, expected);
    assert_eq!(labels(&documents), ["1", "0"]);

    let input = json_side("{\"features\":[1,\"a\"]}\n{\"features\":[2,\"b\"]}\n");
    let output = json_side("{\"score\":0.9}\n{\"score\":0.1}\n");
    let traffic = read(&[record(&input, &output, &truth)], &at("features", None, Some("score"), Some("label")));
    assert_eq!(traffic.features, documents.features);
    assert_eq!(traffic.answers, expected);
    // A path that finds nothing at once leads on in what the ground truth comes to.
    assert_eq!(labels(&traffic), ["1", "0"]);
}

#[test]
fn an_answer_for_one_record_may_be_its_item_itself() {
    let input = json_side("{\"features\":[1,2]}");
    let truth = json_side("{\"label\": 1}");
    let answer = |output: &str, inference: Option<&str>, probability: Option<&str>| {
        let reading = at("features", inference, probability, Some("label"));
        read(&[record(&input, &json_side(output), &truth)], &reading).answers.pop()
    };
    let list = Item::List(vec![number(0.2), number(0.8)]);
    assert_eq!(answer("{\"p\":[0.2,0.8]}", None, Some("p")), Some(score(list.clone())));
    assert_eq!(answer("{\"p\":[[0.2,0.8]]}", None, Some("p")), Some(score(list.clone())));
    assert_eq!(answer("{\"p\":[0.9]}", None, Some("p")), Some(score(Item::One(number(0.9)))));
    assert_eq!(answer("[0.2,0.8]", None, None), Some(score(list)));
    assert_eq!(answer("{\"predictions\":[{\"score\":0.9}]}", None, None), Some(score(Item::One(number(0.9)))));
    let predicted = answer("{\"predicted_label\":1,\"score\":0.9}", Some("predicted_label"), None);
    assert_eq!(predicted, Some(Answer { label: Some(Item::One(number(1.0))), probability: None }));
    let lists = answer("{\"l\":[\"no\",\"yes\"],\"s\":[0.4,0.6]}", Some("l"), Some("s")).unwrap();
    assert_eq!(lists.label, Some(Item::List(vec![text("no"), text("yes")])));
}

#[test]
fn payloads_in_base_64_are_decoded() {
    // base64 of `1,a`, `{"features":[1,"a"]}` and `0.5`
    let output = side("MC41", "BASE64", "text/csv; charset=utf-8");
    let traffic = read(&[record(&side("MSxh", "BASE64", "text/csv"), &output, &csv("1"))], &merged());
    assert_eq!(rows(&traffic.features), [["1", "\"a\""]]);
    assert_eq!(traffic.answers, [score(Item::One(number(0.5)))]);
    let input = side("eyJmZWF0dXJlcyI6WzEsImEiXX0=", "BASE64", "application/jsonlines");
    let traffic = read(&[record(&input, &output, &csv("1"))], &at("features", None, None, None));
    assert_eq!(rows(&traffic.features), [["1", "\"a\""]]);
}

#[test]
fn a_record_of_unequal_counts_is_dropped_and_counted() {
    let good = record(&csv("1,2"), &csv("0.5"), &csv("1"));
    let bad = [
        (record(&csv("1,2\n3,4"), &csv("0.5"), &csv("1\n0")), "its answer is 1 row, its request 2 rows"),
        (record(&csv("1,2"), &csv("0.5"), &csv("1\n0")), "its request is 1 row, its ground truth 2 labels"),
        (record(&csv("1,2,3"), &csv("0.5"), &csv("1")), "it has 3 features, the records before it have 2"),
        (record(&csv("1,2"), &csv(""), &csv("1")), "its answer is 0 rows, its request 1 row"),
        (record(&csv("1,2"), &Value::Null, &csv("1")), "it has no answer"),
        (record(&csv("1,2"), &csv("0.5"), &Value::Null), "it has no ground truth"),
        (record(&Value::Null, &csv("0.5"), &csv("1")), "it has no request"),
        (record(&csv(""), &csv("0.5"), &csv("1")), "Data must contain features. Its request is empty"),
        (record(&csv("1,\"2"), &csv("0.5"), &csv("1")), "it has a quote that is never closed"),
        (record(&csv("1,2"), &csv("0.5"), &json_side("{")), "its ground truth is not JSON"),
        (
            record(&csv("1,2"), &json_side("{\"a\":null}"), &csv("1")),
            "a number, a text or a list of those is expected, and there is null",
        ),
    ];
    for (bad, reason) in bad {
        let traffic = read(&[good.clone(), bad], &merged());
        assert_eq!((traffic.features.rows, traffic.answers.len(), labels(&traffic).len()), (1, 1, 1), "{reason}");
        assert_eq!((traffic.counts.read, traffic.counts.dropped), (2, 1), "{reason}");
        assert_eq!(traffic.counts.first_reason, Some(format!("capture `e1`: {reason}")));
        assert_eq!(traffic.notes, [format!("1 record dropped, the first: capture `e1`: {reason}")]);
    }
}

#[test]
fn records_outside_the_window_are_not_looked_at() {
    let time = |text: &str| text.parse().unwrap();
    let window = Some((time("2026-01-01T10:00:00Z"), time("2026-01-01T10:30:00Z")));
    let records = [record(&csv("1"), &csv("0.5"), &csv("1")), batch("2,0.5", "CSV", &csv("0"))];
    let traffic = read(&records[..1], &TrafficReading { window, ..merged() });
    assert_eq!((traffic.features.rows, traffic.counts.read, traffic.counts.outside_window), (0, 1, 1));
    let window = Some((time("2026-01-01T10:30:00Z"), time("2026-01-01T10:31:00Z")));
    assert_eq!(read(&records[..1], &TrafficReading { window, ..merged() }).features.rows, 1);
}

#[test]
fn captures_give_features_alone() {
    let mut record = record(&csv("1,2.50\n3,x"), &csv("0.5\n0.1"), &Value::Null);
    record.as_object_mut().unwrap().remove("groundTruthData");
    let reading = TrafficReading { headers: Some(names(&["a", "b"])), keeps_written: true, ..captures() };
    let traffic = read(&[record], &reading);
    assert_eq!(column_names(&traffic.features), ["a", "b"]);
    assert_eq!(traffic.features.columns[1].written.as_ref().unwrap().text(0), "2.50");
    assert!(traffic.answers.is_empty() && traffic.labels.is_none());
    assert_eq!(traffic.content_types.1.as_deref(), Some("text/csv"));
}

/// As the Python SDK leaves them for the explainability monitor, where the label is a path.
#[test]
fn the_label_is_the_last_of_too_many_names_of_json_captures() {
    let mut record = record(&json_side(r#"{"features":[1,2]}"#), &json_side(r#"{"score":0.5}"#), &Value::Null);
    record.as_object_mut().unwrap().remove("groundTruthData");
    for headers in [names(&["a", "b", "y"]), names(&["a", "b"])] {
        let reading = TrafficReading { headers: Some(headers), features: Some("features".to_owned()), ..captures() };
        assert_eq!(column_names(&read(std::slice::from_ref(&record), &reading).features), ["a", "b"]);
    }
}

#[test]
fn the_label_is_left_out_of_the_names_of_features() {
    let records = [record(&csv("1,2"), &csv("0.5"), &csv("1"))];
    for headers in [["y", "a", "b"], ["a", "b", "y"]] {
        let reading = TrafficReading { headers: Some(names(&headers)), label_header: Some("y".to_owned()), ..merged() };
        let traffic = read(&records, &reading);
        assert_eq!(column_names(&traffic.features), ["a", "b"]);
        assert_eq!(traffic.labels.unwrap().name, "y");
    }
    let reading = TrafficReading { headers: Some(names(&["a", "b", "c"])), ..merged() };
    let content = format!("{}\n", records[0]);
    let folder = Folder::with("data.jsonl", content);
    let error = read_traffic(list(folder.path()).unwrap(), &reading).unwrap_err().to_string();
    assert_eq!(
        error,
        "Headers in config do not match with the number of columns in the dataset. `headers` has 3 names, the records have 2 \
         features (a label is not among them)"
    );
}

#[test]
fn rows_of_a_batch_transform_hold_features_and_prediction() {
    let format = DatasetFormat::MergeJson { capture_index_name: Some(CaptureIndexName::BatchTransformOutput) };
    let records = [batch("1,a,0.9", "CSV", &csv("1"))];
    let by_index = TrafficReading { format: format.clone(), probability: Some("2".to_owned()), ..merged() };
    // Without an index the columns behind the named features are the output.
    let by_names = TrafficReading { format: format.clone(), headers: Some(names(&["p", "q"])), ..merged() };
    for reading in [&by_index, &by_names] {
        let traffic = read(&records, reading);
        assert_eq!(rows(&traffic.features), [["1", "\"a\""]]);
        assert_eq!(traffic.answers, [score(Item::One(number(0.9)))]);
        assert_eq!(labels(&traffic), ["1"]);
    }
    let traffic = read(&records, &TrafficReading { format: format.clone(), ..merged() });
    assert_eq!(
        traffic.counts.first_reason.as_deref(),
        Some("capture `b1`: inference_attribute or probability_attribute has to say which column the prediction is")
    );
    let data = "{\"features\":[1,2],\"SageMakerOutput\":{\"score\":0.4}}";
    let records = [batch(data, "JSON", &json_side("{\"label\":0}"))];
    for probability in [Some("SageMakerOutput.score"), None] {
        let reading = TrafficReading { format: format.clone(), ..at("features", None, probability, Some("label")) };
        let traffic = read(&records, &reading);
        assert_eq!(rows(&traffic.features), [["1", "2"]]);
        assert_eq!(traffic.answers, [score(Item::One(number(0.4)))]);
        assert_eq!(labels(&traffic), ["0"]);
    }
}

#[test]
fn inputs_of_batch_transforms_are_all_features() {
    let header = |header| TrafficReading {
        format: DatasetFormat::Csv { header, output_columns_position: OutputColumnsPosition::default() },
        ..captures()
    };
    let folder = Folder::with("a.csv", "x,y\n1,2\n");
    folder.write("b.csv", "x,y\n3,4\n");
    let read = |reading: &TrafficReading| read_traffic(list(folder.path()).unwrap(), reading).unwrap();
    let traffic = read(&header(true));
    assert_eq!(column_names(&traffic.features), ["x", "y"]);
    assert_eq!(rows(&traffic.features), [["1", "2"], ["3", "4"]]);
    assert_eq!(traffic.counts.read, 2);
    assert_eq!(read(&header(false)).features.rows, 4);
    let folder = Folder::with("a.out", "{\"f\":[1,2]}\n{\"f\":[3,4]}\n");
    let format = DatasetFormat::Json { lines: true };
    let reading = TrafficReading { format, features: Some("f".to_owned()), ..captures() };
    let traffic = read_traffic(list(folder.path()).unwrap(), &reading).unwrap();
    assert_eq!(rows(&traffic.features), [["1", "2"], ["3", "4"]]);
}

#[test]
fn places_that_are_nowhere_are_said_with_what_there_is() {
    let input = json_side("{\"features\":[1,2]}");
    let output = json_side("{\"score\":0.9}");
    let truth = json_side("{\"label\":1}");
    let reason =
        |reading: &TrafficReading| read(&[record(&input, &output, &truth)], reading).counts.first_reason.unwrap();
    assert_eq!(
        reason(&at("features", None, Some("p"), None)),
        "capture `e1`: its answer at the probability_attribute `p`: there is nothing; the first one has the members `score`"
    );
    assert_eq!(
        reason(&at("x", None, None, None)),
        "capture `e1`: Data must contain features. `x` gives nothing; the first one has the members `features`"
    );
    assert_eq!(
        reason(&merged()),
        "capture `e1`: Data must contain features. Its request is JSON, and no features_attribute says where the features are"
    );
    let reading = TrafficReading { inference: Some("label".to_owned()), ..merged() };
    let traffic = read(&[record(&csv("1"), &csv("0.5"), &csv("1"))], &reading);
    assert_eq!(
        traffic.counts.first_reason.as_deref(),
        Some(
            "capture `e1`: its answer is CSV, where a column is named by its index, and the inference_attribute is `label`"
        )
    );
}

#[test]
fn payloads_of_a_hundred_thousand_levels() {
    let deep = |inner: &str| format!("{}{inner}{}", "[".repeat(100_000), "]".repeat(100_000));
    let [features, answer] = [json_side("{\"f\":[1]}"), json_side("{\"p\":1}")];
    let reading = at("f", Some("p"), None, Some("label"));
    let truth = json_side(&format!("{{\"label\":{}}}", deep("1")));
    let traffic = read(&[record(&features, &answer, &truth)], &reading);
    assert_eq!(traffic.features.rows, 1);
    assert_eq!(traffic.labels.unwrap().value(0), watchkeeper_engine::table::Value::Missing);
    let request = json_side(&format!("{{\"f\":[1],\"q\":{}}}", deep("")));
    let traffic =
        read(&[record(&request, &answer, &csv("1"))], &TrafficReading { features: Some("[f[0]]".into()), ..reading });
    assert_eq!((traffic.features.rows, traffic.counts.dropped), (0, 1));
    assert_eq!(traffic.counts.first_reason.unwrap(), "capture `e1`: it nests more than 128 levels deep");
}
