//! Captured traffic (section 3.5): which records are taken, and how CSV payloads make rows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use watchkeeper_data::Reading;
use watchkeeper_formats::{CaptureIndexName, DatasetFormat, OutputColumnsPosition};

use crate::table::{Folder, Table, capture, read_text, refused};

/// One side of a record.
pub fn part(data: &str, encoding: &str) -> Json {
    let content_type = if encoding == "JSON" { "application/json" } else { "text/csv; charset=utf-8" };
    json!({"observedContentType": content_type, "mode": "INPUT", "data": data, "encoding": encoding})
}

/// A record of these sides.
pub fn record(sides: &[(&str, Json)]) -> Json {
    let sides: serde_json::Map<String, Json> =
        sides.iter().map(|(name, side)| ((*name).to_owned(), side.clone())).collect();
    json!({
        "captureData": sides,
        "eventMetadata": {"eventId": "5b9ef0a4-6d8c-4f33-a2d6-5c3a5f9f1c11", "inferenceTime": "2020-02-19T06:30:00Z"},
        "eventVersion": "0",
    })
}

/// A line of a request and an answer, both CSV.
pub fn exchange(input: &str, output: &str) -> String {
    record(&[("endpointInput", part(input, "CSV")), ("endpointOutput", part(output, "CSV"))]).to_string() + "\n"
}

fn indexed(names: &[CaptureIndexName], position: Option<OutputColumnsPosition>) -> Reading {
    Reading::of(DatasetFormat::CaptureJson {
        capture_index_names: Some(names.to_vec()).filter(|names| !names.is_empty()),
        output_columns_position: position,
    })
}

#[test]
fn the_answer_stands_before_the_request() {
    let table = read_text(exchange("a,b", "1") + &exchange("c,d", "2"), &capture());
    assert_eq!(table.names, ["_c0", "_c1", "_c2"]);
    assert!(!table.has_own_names && table.notes.is_empty());
    assert_eq!(table.texts(), [["1", "a", "b"], ["2", "c", "d"]]);
}

#[test]
fn the_answer_stands_behind_the_request_when_the_baseline_has_it_there() {
    let lines = exchange("a,b", "1") + &exchange("\"c\",d\n", "2\n");
    let read = |position| read_text(&lines, &indexed(&[], position));
    assert_eq!(read(Some(OutputColumnsPosition::End)).texts(), [["a", "b", "1"], ["c", "d", "2"]]);
    assert_eq!(read(Some(OutputColumnsPosition::Start)).texts(), [["1", "a", "b"], ["2", "c", "d"]]);
    assert_eq!(read(None).texts(), [["1", "a", "b"], ["2", "c", "d"]]);
}

#[test]
fn index_names_say_which_sides_are_used() {
    use CaptureIndexName::{BatchTransformOutput, EndpointInput, EndpointOutput};

    let line = exchange("a,b", "1");
    let rows = |names: &[CaptureIndexName]| read_text(&line, &indexed(names, None)).texts().concat().join(" ");
    assert_eq!(rows(&[]), "1 a b");
    assert_eq!(rows(&[EndpointInput, EndpointOutput]), "1 a b");
    assert_eq!(rows(&[EndpointInput]), "a b");
    assert_eq!(rows(&[EndpointOutput]), "1");
    assert_eq!(rows(&[EndpointOutput, BatchTransformOutput]), "1");
    let table = read_text(&line, &indexed(&[BatchTransformOutput], None));
    assert!(table.rows.is_empty());
    assert_eq!(table.notes, ["1 record skipped: nothing was captured of them"]);
}

#[test]
fn the_output_of_a_batch_transform_is_an_answer() {
    let line = record(&[("batchTransformOutput", part("1,2", "CSV")), ("endpointInput", part("a", "CSV"))]).to_string();
    assert_eq!(read_text(&line, &capture()).texts(), [["1", "2", "a"]]);
    let table = read_text(&line, &indexed(&[CaptureIndexName::BatchTransformOutput], None));
    assert_eq!(table.texts(), [["1", "2"]]);
}

#[test]
fn one_side_alone_makes_rows_of_its_own() {
    for side in ["endpointInput", "endpointOutput", "batchTransformOutput"] {
        let line = record(&[(side, part("a,b\nc,d\n", "CSV"))]).to_string();
        assert_eq!(read_text(line, &capture()).texts(), [["a", "b"], ["c", "d"]], "{side}");
        let line = record(&[(side, part("a,b", "CSV"))]).to_string();
        assert_eq!(read_text(line, &capture()).texts(), [["a", "b"]], "{side}");
    }
}

#[test]
fn line_i_of_the_answer_belongs_to_line_i_of_the_request() {
    for (input, output) in [
        ("a,b\nc,d\ne,f", "1\n2\n3"),
        ("a,b\r\nc,d\r\ne,f\r\n", "1\n2\n3\n"),
        ("a,b\nc,d\ne,f\n\n\r\n", "1\r\n2\r\n3\r\n\r\n"),
        ("a,b\nc,d\ne,f", "1,2,3"),
        ("a,b\nc,d\ne,f\n", "1,2,3\n"),
    ] {
        let table = read_text(exchange(input, output), &capture());
        assert_eq!(table.texts(), [["1", "a", "b"], ["2", "c", "d"], ["3", "e", "f"]], "{input:?} {output:?}");
    }
    let end = indexed(&[], Some(OutputColumnsPosition::End));
    assert_eq!(read_text(exchange("a,b\nc,d", "1,2"), &end).texts(), [["a", "b", "1"], ["c", "d", "2"]]);
}

#[test]
fn only_an_answer_is_spread_over_lines() {
    let table = read_text(exchange("a,b", "1\n2") + &exchange("a", "1,2"), &capture());
    assert_eq!(table.texts(), [["1", "2", "a"]]);
    assert_eq!(table.notes, ["1 record skipped: request and answer have different numbers of lines"]);
}

#[test]
fn records_that_do_not_match_are_skipped_and_counted() {
    let lines = [
        exchange("a,b\nc,d", "1"),
        exchange("a,b\nc,d", "1,2,3"),
        exchange("a,b\nc,d", "1\n2\n3"),
        exchange("a,b", ""),
        exchange("", "1"),
        exchange("a,b", "1"),
    ];
    let table = read_text(lines.concat(), &capture());
    assert_eq!(table.texts(), [["1", "a", "b"]]);
    assert_eq!(table.notes, ["5 records skipped: request and answer have different numbers of lines"]);
}

#[test]
fn records_without_payloads_are_skipped_and_counted() {
    let lines =
        [record(&[]).to_string(), record(&[("endpointInput", part("\n", "CSV"))]).to_string(), exchange("a", "1")];
    let table = read_text(lines.join("\n"), &capture());
    assert_eq!(table.texts(), [["1", "a"]]);
    assert_eq!(table.notes, ["2 records skipped: nothing was captured of them"]);
}

#[test]
fn payloads_are_csv_by_the_rules_of_csv() {
    for (payload, row) in [
        ("\"a,b\",c", ["a,b", "c"]),
        ("\"a\nb\",c\n", ["a\nb", "c"]),
        ("\"say \"\"hi\"\"\",c", ["say \"hi\"", "c"]),
        ("\"5\\\" disk\",\"\\\\\"", ["5\" disk", "\\"]),
        ("5\" disk,c", ["5\" disk", "c"]),
        ("\"a\"b,c", ["\"a\"b", "c"]),
        (" a ,", [" a ", ""]),
        (",", ["", ""]),
        ("\"\",\"\"\"\"", ["", "\""]),
        ("é日🦀,\"é日🦀\"", ["é日🦀", "é日🦀"]),
        ("é日🦀,é", ["é日🦀", "é"]),
        ("a\tb,\u{1}\u{2028}", ["a\tb", "\u{1}\u{2028}"]),
        ("a\\b,\\\\", ["a\\b", "\\\\"]),
        ("a/b,</c>", ["a/b", "</c>"]),
    ] {
        let line = exchange(payload, "1");
        // As other writers may put the same text.
        let ascii: String = line
            .chars()
            .map(|character| match character {
                '\0'..='\x7f' => character.to_string(),
                _ => character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
            })
            .collect();
        let slashes = line.replace('/', "\\/");
        for line in [&line, &ascii, &slashes] {
            assert_eq!(read_text(line, &capture()).texts(), [["1", row[0], row[1]]], "{line}");
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_is_text() {
    for (payload, row) in [
        ("1,2,\"abc", ["1", "2", "\"abc"]),
        ("1,2,\"a,b\"\"\n", ["1", "2", "\"a,b\"\""]),
        ("1,2,\"", ["1", "2", "\""]),
        ("1,2,\"a\\\"", ["1", "2", "\"a\\\""]),
        ("1,\"2\",\"a,b\nc", ["1", "2", "\"a,b\nc"]),
        ("\"abc", ["\"abc", "", ""]),
    ] {
        let lines = exchange("a,b,c", "0") + &exchange(payload, "0");
        let table = read_text(lines, &capture());
        assert_eq!(table.texts()[1], ["0", row[0], row[1], row[2]], "{payload:?}");
    }
}

#[test]
fn rows_of_other_widths_are_padded_or_cut_and_told() {
    let lines = [
        exchange("a,b", "1"),
        exchange("c", "2"),
        exchange("d,e,f", "3"),
        exchange("g,h\ni\nj,k,l", "4\n5\n6"),
        exchange("\"m\"n,o\n", "7"),
    ];
    let table = read_text(lines.concat(), &capture());
    assert_eq!(
        table.texts(),
        [
            ["1", "a", "b"],
            ["2", "c", ""],
            ["3", "d", "e"],
            ["4", "g", "h"],
            ["5", "i", ""],
            ["6", "j", "k"],
            ["7", "\"m\"n", "o"]
        ]
    );
    assert_eq!(
        table.notes,
        [
            "2 rows with fewer fields than there are columns: the rest taken as missing values",
            "2 rows with more fields than there are columns: the surplus cut off (is there a comma in a field that is \
             not quoted?)",
            "1 row with text behind a closing quote: the field taken as it stands, quotes and all",
        ]
    );
}

fn at(time: &Json, payload: &str) -> String {
    let mut line = record(&[("endpointInput", part(payload, "CSV"))]);
    line["eventMetadata"]["inferenceTime"] = time.clone();
    line.to_string() + "\n"
}

#[test]
fn the_window_is_half_open() {
    let times = [
        ("2020-02-19T05:59:59Z", false),
        ("2020-02-19T06:00:00Z", true),
        ("2020-02-19T06:59:59Z", true),
        ("2020-02-19T06:59:59.999Z", true),
        ("2020-02-19T07:00:00Z", false),
        ("2020-02-19T08:30:00+02:00", true),
        ("2020-02-19T06:30:00+02:00", false),
        // Without a zone it is UTC.
        ("2020-02-19T05:59:59", false),
        ("2020-02-19T06:00:00.5", true),
        // What cannot be read is kept.
        ("", true),
        ("yesterday", true),
    ];
    let lines: String = times.iter().map(|(time, _)| at(&json!(time), &format!("{time},x"))).collect();
    let window = Some(("2020-02-19T06:00:00Z".parse().unwrap(), "2020-02-19T07:00:00Z".parse().unwrap()));
    let table = read_text(&lines, &Reading { window, ..capture() });
    let kept: Vec<&str> = table.texts().into_iter().map(|row| row[0]).collect();
    let expected: Vec<&str> = times.iter().filter(|(_, is_kept)| *is_kept).map(|(time, _)| *time).collect();
    assert_eq!(kept, expected);
    assert_eq!(table.notes, ["4 records outside the window skipped"]);
    assert_eq!(read_text(&lines, &capture()).rows.len(), times.len());
}

#[test]
fn records_without_a_time_are_in_every_window() {
    let mut line = record(&[("endpointInput", part("a", "CSV"))]);
    let window = Some(("2000-01-01T00:00:00Z".parse().unwrap(), "2000-01-02T00:00:00Z".parse().unwrap()));
    let reading = Reading { window, ..capture() };
    assert!(read_text(line.to_string(), &reading).rows.is_empty());
    line["eventMetadata"]["inferenceTime"] = Json::Null;
    assert_eq!(read_text(line.to_string(), &reading).rows.len(), 1);
    line["eventMetadata"].as_object_mut().unwrap().remove("inferenceTime");
    assert_eq!(read_text(line.to_string(), &reading).rows.len(), 1);
    line.as_object_mut().unwrap().remove("eventMetadata");
    assert_eq!(read_text(line.to_string(), &reading).rows.len(), 1);
}

#[test]
fn lines_that_are_no_records_are_skipped_and_counted() {
    let lines = [
        "junk",
        "{\"a\":1}",
        "",
        "[]",
        "{\"captureData\":7}",
        "null",
        "{\"captureData\":{\"endpointInput\":{}}}",
        "  ",
    ];
    let table = read_text(lines.join("\n") + "\n" + &exchange("a", "1") + "{\"captureData\":", &capture());
    assert_eq!(table.texts(), [["1", "a"]]);
    assert_eq!(table.notes, ["7 of 8 lines skipped: not a capture record"]);
}

#[test]
fn lines_of_which_none_is_a_record_are_refused() {
    let folder = Folder::with("a/1.jsonl", "\n\n{\"b\":1}\njunk\n");
    folder.write("a/2.jsonl", "more\n");
    assert_eq!(
        folder.message(&capture()),
        "none of the 3 lines of the captured data is a capture record; the first: a/1.jsonl, row 3: missing field \
         `captureData` at line 1 column 7"
    );
    // One is enough, wherever it is, even if nothing of it is taken.
    folder.write("a/3.jsonl", record(&[]).to_string());
    assert!(folder.read(&capture()).unwrap().rows.is_empty());
}

#[test]
fn merged_data_is_captured_data_with_a_label() {
    let mut line = record(&[("endpointInput", part("a,b", "CSV")), ("endpointOutput", part("1", "CSV"))]);
    line["groundTruthData"] = json!({"data": "0", "encoding": "CSV"});
    line["eventMetadata"]["eventId"] = json!("x");
    line["eventMetadata"]["inferenceId"] = json!("y");
    line["eventMetadata"]["customAttributes"] = json!(["k=v", "w"]);
    assert_eq!(read_text(line.to_string(), &capture()).texts(), [["1", "a", "b"]]);
}

#[test]
fn members_that_aws_may_add_change_nothing() {
    let mut line = record(&[("endpointInput", part("a", "CSV"))]);
    line["somethingNew"] = json!({"a": [1, {"b": null}]});
    line["captureData"]["endpointExplanation"] = json!([1]);
    line["captureData"]["endpointInput"]["length"] = json!(3);
    line["captureData"]["endpointOutput"] = Json::Null;
    assert_eq!(read_text(line.to_string(), &capture()).texts(), [["a"]]);
}

#[test]
fn line_ends_do_not_matter() {
    let lines = exchange("a", "1") + &exchange("b", "2");
    for lines in [lines.replace('\n', "\r\n"), lines.trim_end().to_owned(), format!("\u{feff}\n{lines}\n \n")] {
        assert_eq!(read_text(lines, &capture()).texts(), [["1", "a"], ["2", "b"]]);
    }
}

fn encoded(payload: impl AsRef<[u8]>, content_type: Option<&str>) -> Json {
    json!({"observedContentType": content_type, "data": STANDARD.encode(payload), "encoding": "BASE64"})
}

#[test]
fn base_64_is_decoded_where_the_content_type_says_what_it_is() {
    let line = |content_type, payload: &str| {
        record(&[("endpointInput", encoded(payload, Some(content_type))), ("endpointOutput", part("1", "CSV"))])
            .to_string()
    };
    let csv = |payload| read_text(line("text/csv; charset=utf-8", payload), &capture());
    assert_eq!(csv("é,\"b\nc\"\n").texts(), [["1", "é", "b\nc"]]);
    let table =
        read_text(record(&[("endpointInput", encoded("{\"a\":1}", Some("application/json")))]).to_string(), &capture());
    assert_eq!((table.names.join(","), table.texts()), ("a".to_owned(), vec![vec!["1"]]));
    for content_type in [Some("application/x-image"), Some(""), None] {
        assert_eq!(
            refused(record(&[("endpointInput", encoded("a", content_type))]).to_string(), &capture()),
            "Encoding BASE64 is not supported without a record preprocessor script."
        );
    }
}

#[test]
fn damaged_base_64_is_named() {
    let mut side = encoded("abc", Some("text/csv"));
    side["data"] = json!("YWJ*");
    let message = refused(exchange("a", "1") + &record(&[("endpointInput", side)]).to_string(), &capture());
    assert!(message.starts_with("data, row 2: a payload in base 64 is damaged: "), "{message}");
    let side = encoded(b"ab\xFFc", Some("text/csv"));
    assert_eq!(
        refused(record(&[("endpointInput", side)]).to_string(), &capture()),
        "data, row 1: byte 2 of a payload in base 64 is not UTF-8"
    );
}

#[test]
fn an_encoding_that_is_not_known_is_named() {
    let line = record(&[("endpointInput", part("a", "CBOR"))]).to_string();
    assert_eq!(refused(line, &capture()), "Encoding CBOR is not supported without a record preprocessor script.");
}

#[test]
fn a_payload_without_encoding_is_what_its_content_type_says() {
    let side = |content_type: &str, data: &str| json!({"observedContentType": content_type, "data": data});
    let read = |side| -> Table { read_text(record(&[("endpointInput", side)]).to_string(), &capture()) };
    assert_eq!(read(side("text/csv", "1,2")).texts(), [["1", "2"]]);
    assert_eq!(read(side("application/json", "{\"a\":1}")).names, ["a"]);
    assert_eq!(read(json!({"data": "1,2"})).texts(), [["1", "2"]]);
}

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    for (before, after) in [(0, 0), (3, 2), (2_000, 0), (2_000, 2_000)] {
        let mut content = exchange("a", "1").repeat(before).into_bytes();
        content.extend_from_slice(b"\n{\"captureData\":\"");
        let at = content.len();
        content.extend_from_slice(b"\xE9\"}\n");
        content.extend_from_slice(exchange("a", "1").repeat(after).as_bytes());
        assert_eq!(
            refused(&content, &capture()),
            format!(
                "data, row {}: byte {at} of the file (0xE9) is not UTF-8; is it Latin-1 or Windows-1252? convert it to \
                 UTF-8",
                before + 2
            )
        );
    }
}

#[test]
fn more_than_a_hundred_thousand_fields_are_refused() {
    let row = |fields: usize| vec!["1"; fields].join(",");
    assert_eq!(read_text(exchange(&row(99_999), "1"), &capture()).names.len(), 100_000);
    for line in [exchange(&row(100_000), "1"), exchange(&(row(100_000) + ",\"\""), "1")] {
        assert_eq!(
            refused(exchange("a", "1") + &line, &capture()),
            "data, row 2: there are more than 100000 columns, the most there may be"
        );
    }
}
