//! Files of labels in every form that they come in. Referee: the specification's rules and Python's json for texts.

use proptest::prelude::*;
use watchkeeper_formats::ground_truth::{is_one_json_text, records};

/// Id and `groundTruthData` of a record, or what is wrong with it.
type Label = Result<(String, String), String>;

fn read(text: &str) -> Vec<Label> {
    let mut found = Vec::new();
    records(text, &mut |record| {
        found.push(match record {
            Ok(record) => Ok((record.event_id.into_owned(), record.ground_truth_data.into_owned())),
            Err(error) => Err(error.to_string()),
        });
    });
    found
}

#[allow(clippy::unnecessary_wraps)] // to be compared with what was read
fn label(id: &str, data: &str) -> Label {
    Ok((id.to_owned(), data.to_owned()))
}

#[test]
fn one_record() {
    let record =
        r#"{"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{"eventId":"57"},"eventVersion":"0"}"#;
    assert_eq!(read(record), [label("57", r#"{"data":"1","encoding":"CSV"}"#)]);
}

#[test]
fn arrays_and_whole_documents() {
    let record = |id: &str| {
        format!(
            "{{\n \"eventMetadata\": {{\"eventId\": \"{id}\", \"x\": [1]}},\n \"groundTruthData\": {{\"data\": \"0\"}}}}"
        )
    };
    let expected = r#"{"data":"0","encoding":"CSV"}"#;
    assert_eq!(read(&record("a")), [label("a", expected)]);
    let array = format!("[{}, {}, 7]", record("a"), record("b"));
    assert_eq!(read(&array), [label("a", expected), label("b", expected), Err("not a JSON object".to_owned())]);
    assert_eq!(read("[]"), []);
}

#[test]
fn ids_and_labels_of_other_types() {
    let record = |id: &str, data: &str| {
        read(&format!(r#"{{"eventMetadata": {{"eventId": {id}}}, "groundTruthData": {{{data}}}}}"#)).remove(0)
    };
    let csv = |text: &str| format!(r#"{{"data":"{text}","encoding":"CSV"}}"#);
    assert_eq!(record("5.70", r#""data": 1.50"#), label("5.70", &csv("1.50")));
    assert_eq!(
        record("12345678901234567890123", r#""data": true, "encoding": "JSON""#),
        label("12345678901234567890123", &csv("true"))
    );
    assert_eq!(
        record(r#""é\u00e9\n""#, r#""data": "{\"label\": 1}", "encoding": "json""#),
        label("éé\n", r#"{"data":"{\"label\": 1}","encoding":"JSON"}"#)
    );
    assert_eq!(
        record(r#""x""#, "\"data\": {\"label\":\n [1, \"a\"]}, \"encoding\": \"CSV\", \"note\": null"),
        label("x", r#"{"data":"{\"label\":\n [1, \"a\"]}","encoding":"JSON"}"#)
    );
    assert_eq!(record(r#""x""#, r#""data": "", "encoding": null"#), label("x", &csv("")));
    assert_eq!(record(r#""x""#, r#""data": "a\u0041\\", "encoding": "Csv""#), label("x", &csv(r"a\u0041\\")));
}

#[test]
fn what_is_no_record() {
    let with = |id: &str, data: &str| format!(r#"{{"eventMetadata": {id}, "groundTruthData": {data}}}"#);
    let (id, data) = (r#"{"eventId": "1"}"#, r#"{"data": "1"}"#);
    for (record, expected) in [
        (with("{}", data), "no eventMetadata.eventId"),
        (with("null", data), "no eventMetadata.eventId"),
        (with(r#"{"eventId": null}"#, data), "no eventMetadata.eventId"),
        (with(r#"{"eventId": ""}"#, data), "no eventMetadata.eventId"),
        (with(r#"{"eventId": true}"#, data), "eventMetadata.eventId is neither a text nor a number"),
        (with(id, "{}"), "no groundTruthData.data"),
        (with(id, "null"), "no groundTruthData.data"),
        (with(id, r#"{"data": null}"#), "no groundTruthData.data"),
        (with(id, r#"{"data": "MQ==", "encoding": "BASE64"}"#), "encoding is `BASE64`, expected CSV or JSON"),
        (with(id, "7"), "not a ground truth record: invalid type: integer `7`"),
        (with(r#"["1"]"#, data), "not a ground truth record: invalid type: sequence, expected an object"),
        (with(id, r#"["1", "CSV"]"#), "not a ground truth record: invalid type: sequence, expected an object"),
        (with(id, r#"{"data": "\ud800"}"#), "not valid JSON: "),
        (r#"{"eventMetadata": {"eventId": "1""#.to_owned(), "not valid JSON: EOF while parsing an object"),
        ("[{}".to_owned(), "not valid JSON: EOF while parsing a list"),
        ("1,0".to_owned(), "not a JSON object"),
        (String::new(), "not a JSON object"),
    ] {
        let found = read(&record);
        assert!(matches!(&found[..], [Err(message)] if message.starts_with(expected)), "{record}: {found:?}");
    }
}

#[test]
fn a_file_is_one_text_or_lines() {
    for text in ["{\n\"a\": 1\n}\n", "[{},\n{}]", "{}", " {} \r\n"] {
        assert!(is_one_json_text(text), "{text}");
    }
    for text in ["{}\n{}", "{}\r\n\n[{}]\n{\n", "[{}]\n[{}]", "{", " \n\n", ""] {
        assert!(!is_one_json_text(text), "{text}");
    }
}

proptest! {
    /// Whatever a label is, the line that is made of it is JSON and holds the same text.
    #[test]
    fn labels_are_kept(id in ".{1,12}", data in ".{0,20}") {
        let record = serde_json::json!({"eventMetadata": {"eventId": id}, "groundTruthData": {"data": data, "encoding": "CSV"}});
        let (read_id, kept) = read(&record.to_string()).remove(0).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        prop_assert_eq!(read_id, id);
        prop_assert_eq!(&kept, &record["groundTruthData"]);
    }

    #[test]
    fn any_text_is_read(text in ".{0,60}") {
        let found = read(&text);
        prop_assert!(is_one_json_text(&text) || found.iter().all(Result::is_err));
    }
}
