//! Merged captures as rows (section 7.2 of model quality, and the rows of section 10 that are about reading).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use watchkeeper_data::scored::{ListMeaning, RecordCounts, ScoredReading};
use watchkeeper_data::{Preprocess, Preprocessed, Reading, ScriptFailure};
use watchkeeper_formats::{CaptureIndexName, DatasetFormat};

use crate::scored::{scored, texts_of};
use crate::table::{Folder, Table};

fn merged() -> Reading {
    Reading::of(DatasetFormat::MergeJson { capture_index_name: Some(CaptureIndexName::EndpointOutput) })
}

fn payload(data: &str, encoding: &str) -> Value {
    json!({"data": data, "encoding": encoding})
}

fn csv(data: &str) -> Value {
    payload(data, "CSV")
}

fn json_of(data: &Value) -> Value {
    payload(&data.to_string(), "JSON")
}

/// A merged line.
fn line(output: &Value, label: &Value) -> String {
    json!({
        "eventVersion": "0",
        "groundTruthData": label,
        "captureData": {"endpointOutput": output},
        "eventMetadata": {"eventId": "e", "inferenceId": "57", "inferenceTime": "2021-05-26T00:30:11Z"},
    })
    .to_string()
        + "\n"
}

#[derive(Clone, Copy, PartialEq)]
enum Problem {
    Regression,
    Binary,
    Multiclass,
}
use Problem::{Binary, Multiclass, Regression};

fn reading(problem: Problem, attributes: [&str; 3]) -> ScoredReading {
    let lists = match problem {
        Regression => ListMeaning::None,
        Binary => ListMeaning::SecondOfTwo,
        Multiclass => ListMeaning::IndexOfLargest,
    };
    ScoredReading { lists, ..scored(merged(), attributes) }
}

fn read(output: &Value, label: &Value, reading: &ScoredReading) -> Result<Vec<[String; 3]>, String> {
    Folder::with("data", line(output, label)).scored(reading).map(|table| texts_of(&table))
}

fn rows(output: &Value, label: &Value, reading: &ScoredReading) -> Vec<[String; 3]> {
    read(output, label, reading).unwrap()
}

/// Why a capture is dropped.
fn dropped(output: &Value, label: &Value, reading: &ScoredReading) -> String {
    let (table, counts) = Folder::with("data", line(output, label)).counted(reading, None).unwrap();
    assert_eq!((table.rows.len(), counts.read, counts.dropped), (0, 1, 1));
    let reason = counts.first_reason.unwrap();
    assert_eq!(table.notes, [format!("1 record dropped, the first: {reason}")]);
    reason.strip_prefix("capture `57`: ").unwrap().to_owned()
}

#[test]
fn lines_of_csv_meet_their_labels() {
    let probability = reading(Binary, ["", "0", ""]);
    assert_eq!(rows(&csv("0.5"), &csv("1"), &probability), [["", "0.5", "1"]]);
    let two = [["", "0.7", "1"], ["", "0.2", "0"]];
    assert_eq!(rows(&csv("0.7\n0.2\n"), &csv("1\n0"), &probability), two);
    assert_eq!(rows(&csv("0.7\r\n0.2\r\n"), &csv("1\r\n0\r\n"), &probability), two);
    assert_eq!(rows(&csv("0.7\n0.2\n"), &csv("1,0"), &probability), two);
    // The first cell of each line, when there are more.
    assert_eq!(rows(&csv("0.7\n0.2"), &csv("1,x\n0,y"), &probability), two);
    assert_eq!(rows(&csv("0.7"), &csv("1,x"), &probability), [["", "0.7", "1"]]);
}

#[test]
fn unequal_numbers_drop_the_capture() {
    let probability = reading(Binary, ["", "0", ""]);
    assert_eq!(dropped(&csv("0.7\n0.2"), &csv("1"), &probability), "its output is 2 rows, its ground truth 1 label");
    assert_eq!(dropped(&csv("0.7"), &csv("1\n0"), &probability), "its output is 1 row, its ground truth 2 labels");
    let scores = reading(Binary, ["", "p[*].s", ""]);
    let output = json_of(&json!({"p": [{"s": 0.1}, {"s": 0.2}, {"s": 0.3}]}));
    assert_eq!(dropped(&output, &json_of(&json!([1, 0])), &scores), "its output is 3 rows, its ground truth 2 labels");
    assert_eq!(
        dropped(&json_of(&json!({"p": [{"s": 0.1}]})), &json_of(&json!([])), &scores),
        "its output is 1 row, its ground truth 0 labels"
    );
}

#[test]
fn outputs_and_labels_without_a_value_drop_the_capture() {
    let empty = json_of(&json!([]));
    let whole = reading(Regression, ["", "", ""]);
    assert_eq!(dropped(&empty, &empty, &whole), "its output is 0 rows, its ground truth 0 labels");
    let by_path = reading(Regression, ["p", "", ""]);
    let output = json_of(&json!({"p": []}));
    assert_eq!(dropped(&output, &empty, &by_path), "its output is 0 rows, its ground truth 0 labels");
    assert_eq!(dropped(&json_of(&json!({"p": 1})), &empty, &by_path), "its output is 1 row, its ground truth 0 labels");
}

#[test]
fn columns_of_csv_go_by_number() {
    assert_eq!(rows(&csv("1,0.9"), &csv("1"), &reading(Binary, ["0", "1", ""])), [["1", "0.9", "1"]]);
    assert_eq!(rows(&csv("\"cat\",0.9"), &csv(" cat"), &reading(Multiclass, ["0", "", ""])), [["cat", "", " cat"]]);
    assert_eq!(rows(&csv("01"), &csv("1"), &reading(Multiclass, ["0", "", ""])), [["01", "", "1"]]);
    assert_eq!(
        rows(&csv("\"a,\"\"b\"\"\"\n"), &csv("\"c,d\""), &reading(Multiclass, ["_c0", "", ""])),
        [["a,\"b\"", "", "c,d"]]
    );
    assert_eq!(
        read(&csv("1,0.9"), &csv("1"), &reading(Binary, ["", "2", ""])),
        Err("data: no record has the probability_attribute `2`; the first output has the columns 0 to 1".to_owned())
    );
}

/// Some containers answer several rows on one line.
#[test]
fn one_line_with_a_cell_for_every_label_is_as_many_rows() {
    let probability = reading(Binary, ["", "0", ""]);
    assert_eq!(rows(&csv("0.7,0.2"), &csv("1\n0"), &probability), [["", "0.7", "1"], ["", "0.2", "0"]]);
    assert_eq!(
        dropped(&csv("0.7,0.2"), &csv("1\n0"), &reading(Binary, ["0", "1", ""])),
        "its output is 1 row, its ground truth 2 labels"
    );
}

#[test]
fn the_column_of_a_batch_transform_is_that_of_the_whole_line() {
    let inputs: Vec<String> = (0..69).map(|column| column.to_string()).collect();
    let output = json!({"data": format!("{},0.9", inputs.join(",")), "encoding": "CSV"});
    let line = json!({
        "eventMetadata": {"eventId": "x"}, "eventVersion": "0", "groundTruthData": csv("1"),
        "captureData": {"batchTransformOutput": output},
    });
    for side in [Some(CaptureIndexName::BatchTransformOutput), None] {
        let format = DatasetFormat::MergeJson { capture_index_name: side };
        let table = Folder::with("data", line.to_string()).scored(&scored(Reading::of(format), ["", "69", ""]));
        assert_eq!(texts_of(&table.unwrap()), [["", "0.9", "1"]]);
    }
}

#[test]
fn an_output_without_attributes_is_the_prediction_or_the_probability() {
    let none = ["", "", ""];
    assert_eq!(rows(&csv("3.5"), &csv("4"), &reading(Regression, none)), [["3.5", "", "4"]]);
    assert_eq!(rows(&csv("0.7\n0.2"), &csv("1\n0"), &reading(Binary, none)), [["", "0.7", "1"], ["", "0.2", "0"]]);
    assert_eq!(
        read(&csv("1,0.9"), &csv("1"), &reading(Binary, none)),
        Err("data, row 1: the output has 2 columns: inference_attribute or probability_attribute has to say which of them the \
             prediction is"
            .to_owned())
    );
    let labelled = json_of(&json!({"label": 3, "score": 2}));
    assert_eq!(rows(&labelled, &csv("4"), &reading(Regression, none)), [["3", "", "4"]]);
    assert_eq!(rows(&labelled, &csv("4"), &reading(Regression, ["", "", "label"])), [["3", "", "4"]]);
    let predictions = json_of(&json!({"predictions": [{"score": 0.9}, {"score": 0.1}]}));
    assert_eq!(rows(&predictions, &csv("1,0"), &reading(Binary, none)), [["", "0.9", "1"], ["", "0.1", "0"]]);
    assert_eq!(rows(&json_of(&json!("cat")), &csv("dog"), &reading(Multiclass, none)), [["cat", "", "dog"]]);
    // Neither an only member nor one called `label`.
    assert_eq!(rows(&json_of(&json!({"a": 3, "b": 2})), &csv("4"), &reading(Regression, none)), [["", "", "4"]]);
}

#[test]
fn an_attribute_leads_into_a_json_document() {
    let score = |output: &Value, attribute: &str| rows(output, &csv("1"), &reading(Binary, ["", attribute, ""]));
    assert_eq!(score(&json_of(&json!({"p": {"s": 0.9}})), "$.p.s"), [["", "0.9", "1"]]);
    assert_eq!(score(&json_of(&json!({"a.b": 0.7})), "a.b"), [["", "0.7", "1"]]);
    assert_eq!(score(&json_of(&json!({"predictions": [[0.9]]})), "predictions"), [["", "0.9", "1"]]);
    assert_eq!(score(&json_of(&json!({"probabilities": [0.2, 0.8]})), "probabilities"), [["", "0.8", "1"]]);
    assert_eq!(score(&json_of(&json!([0.9])), "0"), [["", "0.9", "1"]]);
    let class = reading(Multiclass, ["label", "", ""]);
    assert_eq!(rows(&payload("{\"label\": 1.0}", "JSON"), &csv("1"), &class), [["1.0", "", "1"]]);
    assert_eq!(
        read(&json_of(&json!({"score": 1, "class": 2})), &csv("1"), &class),
        Err("data: no record has the inference_attribute `label`; the first one has the members `score`, `class`"
            .to_owned())
    );
}

#[test]
fn a_list_with_an_element_for_every_label_is_as_many_rows() {
    let instances = json_of(&json!({"instances": [{"label": 1}, {"label": 0}]}));
    let expected = [["", "0.9", "1"], ["", "0.1", "0"]];
    let predictions = json!({"predictions": [{"score": 0.9}, {"score": 0.1}]});
    let by_path = reading(Binary, ["", "predictions[*].score", ""]);
    assert_eq!(rows(&json_of(&predictions), &instances, &by_path), expected);
    assert_eq!(rows(&json_of(&predictions), &csv("1,0"), &by_path), expected);
    assert_eq!(rows(&json_of(&predictions), &csv("1\n0"), &by_path), expected);
    let by_name = reading(Binary, ["", "score", ""]);
    assert_eq!(rows(&payload("{\"score\":0.9}\n{\"score\":0.1}\n", "JSON"), &instances, &by_name), expected);
    assert_eq!(rows(&json_of(&predictions["predictions"]), &instances, &by_name), expected);
    // Prediction and probability of each.
    let both = reading(Binary, ["p[*].c", "p[*].s", ""]);
    let output = json_of(&json!({"p": [{"c": 1, "s": [0.1, 0.9]}, {"c": 0, "s": [0.8, 0.2]}]}));
    assert_eq!(rows(&output, &instances, &both), [["1", "0.9", "1"], ["0", "0.2", "0"]]);
}

#[test]
fn lists_of_probabilities_are_those_of_one_row() {
    let three = json_of(&json!({"probabilities": [0.2, 0.7, 0.1]}));
    let binary = reading(Binary, ["", "probabilities", ""]);
    assert_eq!(
        read(&three, &csv("1"), &binary),
        Err("data, row 1: the probability is a list of 3 values; of a binary classification it is a number, or a list of two \
             of which the second is the probability of class 1"
            .to_owned())
    );
    let multiclass = reading(Multiclass, ["", "probabilities", ""]);
    assert_eq!(rows(&three, &csv("1"), &multiclass), [["1", "", "1"]]);
    let two = json_of(&json!({"probabilities": [[0.2, 0.7, 0.1], [1, 1, 0]]}));
    assert_eq!(rows(&two, &json_of(&json!([1, 0])), &multiclass), [["1", "", "1"], ["0", "", "0"]]);
}

#[test]
fn base_64_is_what_its_content_type_says() {
    let output = |content_type: &str| json!({"data": STANDARD.encode("0.8"), "encoding": "BASE64", "observedContentType": content_type});
    let probability = reading(Binary, ["", "0", ""]);
    assert_eq!(rows(&output("text/csv"), &csv("1"), &probability), [["", "0.8", "1"]]);
    assert_eq!(
        read(&output("image/png"), &csv("1"), &probability),
        Err("Encoding BASE64 is not supported without a record preprocessor script.".to_owned())
    );
}

/// The labels that ground truth comes to, of an output of as many rows.
fn labels(label: &Value, attribute: &str, count: usize) -> Vec<String> {
    let output = csv(&"0.5\n".repeat(count));
    rows(&output, label, &reading(Multiclass, ["0", "", attribute])).into_iter().map(|[.., label]| label).collect()
}

#[test]
fn labels_of_json_are_unwrapped() {
    for (label, attribute, expected) in [
        (json!(1), "", vec!["1"]),
        (json!("a\"b"), "", vec!["a\"b"]),
        (json!(true), "", vec!["true"]),
        (json!([1, 0]), "", vec!["1", "0"]),
        (json!([[1], [0]]), "", vec!["1", "0"]),
        (json!({"y": 1}), "", vec!["1"]),
        (json!({"y": 1, "label": 2}), "", vec!["2"]),
        (json!({"y": 1, "label": 2}), "y", vec!["1"]),
        (json!({"a": {"y": 1, "label": 2}}), "a.y", vec!["1"]),
        (json!({"instances": [{"label": 1, "x": 0}, {"label": 0}]}), "", vec!["1", "0"]),
        (json!({"instances": [{"y": 1, "x": 0}, {"y": 0}]}), "y", vec!["1", "0"]),
        (json!({"instances": [{"y": 1, "x": 0}, {"y": 0}], "z": 1}), "instances[*].y", vec!["1", "0"]),
        // No such member, and null.
        (json!({"y": 1, "x": 2}), "", vec![""]),
        (json!({"y": 1, "x": 2}), "z", vec![""]),
        (json!([null, 1]), "", vec!["", "1"]),
    ] {
        assert_eq!(labels(&json_of(&label), attribute, expected.len()), expected, "{label} {attribute}");
    }
}

#[test]
fn labels_may_be_missing_or_of_any_case_of_encoding() {
    assert_eq!(labels(&csv(""), "", 1), [""]);
    assert_eq!(labels(&csv("NaN"), "", 1), ["NaN"]);
    assert_eq!(labels(&csv("yes\n"), "", 1), ["yes"]);
    assert_eq!(labels(&json!({"data": "1"}), "", 1), ["1"]);
    assert_eq!(labels(&payload("[1]", "json"), "", 1), ["1"]);
    let class = reading(Multiclass, ["0", "", ""]);
    assert_eq!(
        dropped(&csv("1"), &payload("MQ==", "BASE64"), &class),
        "its ground truth is encoded as BASE64, expected CSV or JSON"
    );
    assert!(dropped(&csv("1"), &payload("{", "JSON"), &class).starts_with("its ground truth is not JSON: EOF"));
    assert_eq!(dropped(&csv("1"), &Value::Null, &class), "it has no ground truth");
    assert_eq!(
        dropped(&payload("<html>", "JSON"), &csv("1"), &reading(Multiclass, ["a", "", ""])),
        "its output is neither JSON nor JSON lines"
    );
    assert_eq!(dropped(&Value::Null, &csv("1"), &class), "it has no output");
}

#[test]
fn what_became_of_lines_is_counted() {
    let at = |time: &str| line(&csv("1"), &csv("1")).replace("2021-05-26T00:30:11Z", time);
    let lines = [
        at("2021-05-26T00:59:59Z"),
        at("2021-05-26T01:00:00"),
        at("2021-05-26T01:59:59.999999"),
        at("2021-05-26T02:00:00Z"),
        at("?"),
        line(&csv("1\n2"), &csv("1")).replace("00:30:11", "01:30:11"),
        "{}\n".to_owned(),
        "\n".to_owned(),
    ];
    let window = Some(("2021-05-26T01:00:00Z".parse().unwrap(), "2021-05-26T02:00:00Z".parse().unwrap()));
    let reading = reading(Regression, ["0", "", ""]);
    let reading = ScoredReading { reading: Reading { window, ..merged() }, ..reading };
    let (table, counts) = Folder::with("data", lines.concat()).counted(&reading, None).unwrap();
    assert_eq!(table.rows.len(), 3);
    let first_reason = Some("capture `57`: its output is 2 rows, its ground truth 1 label".to_owned());
    assert_eq!(counts, RecordCounts { read: 7, outside_window: 2, dropped: 2, first_reason });
    assert_eq!(
        table.notes,
        [
            "1 record dropped, the first: capture `57`: its output is 2 rows, its ground truth 1 label",
            "1 of 7 lines skipped: not a capture record",
            "2 records outside the window skipped",
        ]
    );
}

/// A preprocessor that answers every record alike.
struct Always(Preprocessed);

impl Preprocess for Always {
    fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptFailure> {
        Ok(vec![self.0.clone(); lines.len()])
    }
}

fn preprocessed(result: Preprocessed, label: &Value, attributes: [&str; 3]) -> Result<(Table, RecordCounts), String> {
    let output = json!({"data": "aGk=", "encoding": "BASE64", "observedContentType": "image/png"});
    let lines = line(&output, label);
    Folder::with("data", lines).counted(&reading(Binary, attributes), Some(&mut Always(result)))
}

fn preprocessed_rows(result: Preprocessed, label: &Value, attributes: [&str; 3]) -> Vec<[String; 3]> {
    texts_of(&preprocessed(result, label, attributes).unwrap().0)
}

#[test]
fn rows_of_a_preprocessor_take_the_place_of_the_output() {
    let rows = |value: Value| Preprocessed::Rows(value.to_string());
    let by_key = ["c", "s", ""];
    assert_eq!(preprocessed_rows(rows(json!([{"c": 1, "s": 0.9}])), &csv("0"), by_key), [["1", "0.9", "0"]]);
    assert_eq!(
        preprocessed_rows(rows(json!([{"c": 1, "s": 0.9}, {"c": 0}])), &csv("0,1"), by_key),
        [["1", "0.9", "0"], ["0", "", "1"]]
    );
    // Their own label goes before the merged one.
    let with_label = ["c", "s", "y"];
    let own = rows(json!([{"c": 1, "s": 0.9, "y": 1}, {"c": 0, "s": 0.1, "y": null}]));
    assert_eq!(preprocessed_rows(own, &csv("5"), with_label), [["1", "0.9", "1"], ["0", "0.1", ""]]);
    assert_eq!(preprocessed_rows(rows(json!([{"c": 1, "s": 0.9}])), &csv("5"), with_label), [["1", "0.9", "5"]]);
    // Without attributes the member that is no label.
    assert_eq!(preprocessed_rows(rows(json!([{"s": 0.9, "y": 1}])), &csv("5"), ["", "", "y"]), [["", "0.9", "1"]]);
    let (table, counts) = preprocessed(rows(json!([{"c": 1}, {"c": 2}])), &csv("1"), ["c", "", ""]).unwrap();
    assert_eq!((table.rows.len(), counts.dropped), (0, 1));
    assert_eq!(
        preprocessed(rows(json!([{"a": 1}])), &csv("1"), ["c", "", ""]).unwrap_err(),
        "data: no record has the inference_attribute `c`; the first one has the members `a`"
    );
}

#[test]
fn texts_and_lists_of_a_preprocessor_go_by_number() {
    let csv_rows = Preprocessed::Csv("1,0.9,0\n0,0.1,1\n".to_owned());
    let expected = [["1", "0.9", "a"], ["0", "0.1", "b"]];
    assert_eq!(preprocessed_rows(csv_rows.clone(), &csv("a\nb"), ["0", "1", ""]), expected);
    assert_eq!(preprocessed_rows(csv_rows.clone(), &csv("a\nb"), ["0", "1", "y"]), expected);
    assert_eq!(preprocessed_rows(csv_rows, &csv("a"), ["0", "1", "2"]), [["1", "0.9", "0"], ["0", "0.1", "1"]]);
    let list = Preprocessed::Row("[1, 0.9, \"x\"]".to_owned());
    assert_eq!(preprocessed_rows(list.clone(), &csv("a"), ["0", "_c1", ""]), [["1", "0.9", "a"]]);
    assert_eq!(preprocessed_rows(list.clone(), &csv("a"), ["0", "1", "2"]), [["1", "0.9", "x"]]);
    assert!(
        preprocessed(list, &csv("a"), ["", "", ""])
            .unwrap_err()
            .starts_with("data, row 1: the preprocessor's row has 3 values: inference_attribute or")
    );
}

#[test]
fn records_of_a_preprocessor_keep_their_label() {
    let record = json!({"captureData": {"endpointOutput": csv("0.9")}, "eventMetadata": {}});
    let unlabelled = Preprocessed::Record(record.to_string());
    assert_eq!(preprocessed_rows(unlabelled, &csv("1"), ["", "0", ""]), [["", "0.9", "1"]]);
    let mut record = record;
    record["groundTruthData"] = csv("0");
    let labelled = Preprocessed::Record(record.to_string());
    assert_eq!(preprocessed_rows(labelled, &csv("1"), ["", "0", ""]), [["", "0.9", "0"]]);
}

#[test]
fn records_that_a_preprocessor_leaves_out_are_counted() {
    let (table, counts) = preprocessed(Preprocessed::Skipped, &csv("1"), ["", "0", ""]).unwrap();
    let first_reason = Some("the preprocessor left out 1 record".to_owned());
    assert_eq!((table.rows.len(), counts), (0, RecordCounts { read: 1, outside_window: 0, dropped: 1, first_reason }));
    assert_eq!(table.notes, ["the preprocessor left out 1 record"]);
}

#[test]
fn many_lines_keep_their_order() {
    let lines: String = (0..5_000)
        .map(|row| {
            let output = if row % 3 == 0 { csv(&format!("\"{row}\"\n")) } else { csv(&row.to_string()) };
            line(&output, &csv(&format!("{}", row * 2)))
        })
        .collect();
    let table = Folder::with("data", lines).scored(&reading(Regression, ["0", "", ""])).unwrap();
    assert_eq!(table.rows.len(), 5_000);
    for (row, [prediction, probability, label]) in texts_of(&table).into_iter().enumerate() {
        assert_eq!([prediction, probability, label], [row.to_string(), String::new(), (row * 2).to_string()]);
    }
}

/// Deeper than any JSON that serde reads whole is no value, rather than the end of the stack.
#[test]
fn values_nested_beyond_all_sense_are_missing() {
    let nested = |opening: &str, closing: &str, levels: usize| {
        payload(&(opening.repeat(levels) + "1" + &closing.repeat(levels)), "JSON")
    };
    let shapes = [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")];
    for (opening, closing) in shapes {
        let (sensible, endless) = (nested(opening, closing, 60), nested(opening, closing, 100_000));
        let by_attribute = reading(Binary, ["", "0", "a"]);
        assert_eq!(rows(&csv("0.7"), &sensible, &by_attribute), [["", "0.7", "1"]]);
        assert_eq!(rows(&csv("0.7"), &endless, &by_attribute), [["", "0.7", ""]]);
        let whole = reading(Regression, ["", "", ""]);
        assert_eq!(rows(&sensible, &csv("2"), &whole), [["1", "", "2"]]);
        assert_eq!(rows(&endless, &csv("2"), &whole), [["", "", "2"]]);
    }
    let list = payload(&format!(r#"{{"p":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000)), "JSON");
    assert_eq!(rows(&list, &csv("1"), &reading(Binary, ["", "p", ""])), [["", "", "1"]]);
}
