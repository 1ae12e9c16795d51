//! Captured JSON payloads, and payloads of two encodings (section 3.5).

use serde_json::{Value as Json, json};
use watchkeeper_data::Reading;
use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};

use crate::capture::{exchange, part, record};
use crate::table::{Folder, boolean, capture, number, read_text, refused, text};

/// A line of a request and an answer, both JSON.
fn json_exchange(input: &Json, output: &Json) -> String {
    let side = |value: &Json| part(&value.to_string(), "JSON");
    record(&[("endpointInput", side(input)), ("endpointOutput", side(output))]).to_string() + "\n"
}

#[test]
fn members_of_both_sides_are_columns_sorted_by_name() {
    let lines = json_exchange(&json!({"b": 1, "a": "x"}), &json!({"p": 0.5, "🦀": true, "\u{fffd}": null}))
        + &json_exchange(&json!({"a": "é\n\"", "c": 2}), &json!({"p": 1}));
    let table = read_text(lines, &capture());
    assert_eq!(table.names, ["a", "b", "c", "p", "🦀", "\u{fffd}"]);
    assert!(table.has_own_names && table.notes.is_empty());
    assert_eq!(
        table.rows,
        [
            vec![text("x"), number("1"), None, number("0.5"), boolean(true), None],
            vec![text("é\n\""), None, number("2"), number("1"), None, None],
        ]
    );
}

#[test]
fn numbers_stay_as_they_are_written() {
    let side = part("{\"a\": 1.50, \"b\":1e5,\"c\":123456789012345678901234567890}", "JSON");
    let table = read_text(record(&[("endpointInput", side)]).to_string(), &capture());
    assert_eq!(table.texts(), [["1.50", "1e5", "123456789012345678901234567890"]]);
}

#[test]
fn the_request_wins_where_both_have_a_member() {
    let lines = json_exchange(&json!({"a": 1, "b": 2}), &json!({"b": 3, "c": 4, "a": null}))
        + &json_exchange(&json!({"a": 1}), &json!({"c": 4}));
    for position in [None, Some(OutputColumnsPosition::Start), Some(OutputColumnsPosition::End)] {
        let format = DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: position };
        let table = read_text(&lines, &Reading::of(format));
        assert_eq!(table.texts(), [["1", "2", "4"], ["1", "", "4"]]);
        assert_eq!(table.notes, ["`a` is a member of both request and answer: the request's value is taken"]);
    }
}

#[test]
fn a_member_twice_in_one_side_is_no_clash() {
    let lines = record(&[
        ("endpointInput", part("{\"a\":1,\"a\":2}", "JSON")),
        ("endpointOutput", part("{\"b\":3,\"b\":4}", "JSON")),
    ]);
    let table = read_text(format!("{lines}\n{}", json_exchange(&json!({"b": 5}), &json!({"a": 6}))), &capture());
    assert_eq!(table.texts(), [["2", "4"], ["6", "5"]]);
    assert!(table.notes.is_empty());
}

#[test]
fn arrays_of_as_many_objects_make_a_row_each() {
    let lines = json_exchange(&json!([{"a": 1}, {"a": 2}, {}]), &json!([{"p": 3}, {"p": 4}, {"p": 5, "q": 6}]));
    assert_eq!(read_text(lines, &capture()).texts(), [["1", "3", ""], ["2", "4", ""], ["", "5", "6"]]);
    let line = record(&[("endpointOutput", part(" [ {\"a\":1}, {\"a\":2} ]\n", "JSON"))]).to_string();
    assert_eq!(read_text(line, &capture()).texts(), [["1"], ["2"]]);
}

#[test]
fn other_shapes_are_refused() {
    let only_flat = "Only flat JSON is supported";
    for (input, output, message) in [
        (
            json!([{"a": 1}, {"a": 2}]),
            json!([{"p": 1}]),
            format!("{only_flat}: request and answer are arrays of different lengths"),
        ),
        (json!({"a": 1}), json!(0.5), format!("{only_flat}: the payload is neither an object nor an array of objects")),
        (
            json!([1, 2]),
            json!({"p": 1}),
            format!("{only_flat}: the payload is neither an object nor an array of objects"),
        ),
        (
            json!([{"a": 1}, 2]),
            json!([{}, {}]),
            format!("{only_flat}: the payload is neither an object nor an array of objects"),
        ),
        (
            json!("a,b"),
            json!({"p": 1}),
            format!("{only_flat}: the payload is neither an object nor an array of objects"),
        ),
    ] {
        let lines = json_exchange(&json!({"a": 1}), &json!({"p": 1})) + &json_exchange(&input, &output);
        assert_eq!(refused(lines, &capture()), format!("data, row 2: {message}"));
    }
    for (input, column) in [(json!({"a": [1]}), "a"), (json!({"a": 1, "b": {"c": 1}}), "b")] {
        assert_eq!(
            refused(json_exchange(&input, &json!({"p": 1})), &capture()),
            format!("Only flat JSON is supported. Column {column} holds an object or array. (data, row 1)")
        );
    }
    let line = record(&[("endpointInput", part("{\"a\":1", "JSON"))]).to_string();
    assert_eq!(
        refused(line, &capture()),
        "data, row 1: not a JSON object: EOF while parsing an object, at byte 6 of the record, which begins \"{\\\"a\\\":1\""
    );
}

#[test]
fn nested_payloads_are_flattened_on_demand() {
    let line = json_exchange(&json!({"a": {"b": [1, 2]}}), &json!({"p": {"q": "x"}}));
    let table = read_text(line, &Reading { flatten_json: true, ..capture() });
    assert_eq!(table.names, ["a.b.0", "a.b.1", "p.q"]);
    assert_eq!(table.texts(), [["1", "2", "x"]]);
}

#[test]
fn two_encodings_are_refused_in_aws_s_words() {
    let line = |input: Json, output: Json| record(&[("endpointInput", input), ("endpointOutput", output)]).to_string();
    assert_eq!(
        refused(line(part("a,b", "CSV"), part("{\"p\":1}", "JSON")), &capture()),
        "Encoding mismatch: Encoding is CSV for endpointInput, but Encoding is JSON for endpointOutput. We currently only \
         support the same type of input and output encoding at the moment."
    );
    assert_eq!(
        refused(line(part("{\"a\":1}", "JSON"), part("0.5", "CSV")), &capture()),
        "Encoding mismatch: Encoding is JSON for endpointInput, but Encoding is CSV for endpointOutput. We currently only \
         support the same type of input and output encoding at the moment."
    );
}

#[test]
fn one_encoding_may_be_left_out_by_index_names() {
    use watchkeeper_formats::CaptureIndexName::EndpointInput;

    let line =
        record(&[("endpointInput", part("a,b", "CSV")), ("endpointOutput", part("{\"p\":1}", "JSON"))]).to_string();
    let format =
        DatasetFormat::CaptureJson { capture_index_names: Some(vec![EndpointInput]), output_columns_position: None };
    assert_eq!(read_text(line, &Reading::of(format)).texts(), [["a", "b"]]);
}

fn mixed(position: Option<OutputColumnsPosition>) -> Reading {
    let format = DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: position };
    Reading { mixed_encoding: true, ..Reading::of(format) }
}

#[test]
fn two_encodings_are_read_on_demand() {
    let line = |input: &str, output: &str| {
        let (input, output) = (part(input, "CSV"), part(output, "JSON"));
        record(&[("endpointInput", input), ("endpointOutput", output)]).to_string() + "\n"
    };
    let lines = line("a,b", "{\"q\":2,\"p\":1}") + &line("c", "{\"p\":3}") + &line("\"d\n\",\"\"", "{\"q\":\"4\"}");
    let table = read_text(&lines, &mixed(None));
    assert_eq!(table.names, ["p", "q", "_c0", "_c1"]);
    assert_eq!(table.texts(), [["1", "2", "a", "b"], ["3", "", "c", ""], ["", "4", "d\n", ""]]);
    let table = read_text(&lines, &mixed(Some(OutputColumnsPosition::End)));
    assert_eq!(table.names, ["_c0", "_c1", "p", "q"]);
    assert_eq!(table.texts(), [["a", "b", "1", "2"], ["c", "", "3", ""], ["d\n", "", "", "4"]]);
}

#[test]
fn lines_and_objects_of_two_encodings_are_joined_one_by_one() {
    let line = |input: (&str, &str), output: (&str, &str)| {
        let side = |(data, encoding)| part(data, encoding);
        record(&[("endpointInput", side(input)), ("endpointOutput", side(output))]).to_string() + "\n"
    };
    let table = read_text(line(("a\nb\n", "CSV"), ("[{\"p\":1},{\"p\":2}]", "JSON")), &mixed(None));
    assert_eq!(table.texts(), [["1", "a"], ["2", "b"]]);
    // One line of answers, a field for each object.
    let table = read_text(line(("[{\"a\":1},{\"a\":2}]", "JSON"), ("0.5,0.7", "CSV")), &mixed(None));
    assert_eq!(table.texts(), [["0.5", "1"], ["0.7", "2"]]);
    let lines = line(("a\nb\n", "CSV"), ("{\"p\":1}", "JSON")) + &line(("c", "CSV"), ("{\"p\":2}", "JSON"));
    let table = read_text(lines, &mixed(None));
    assert_eq!(table.texts(), [["2", "c"]]);
    assert_eq!(table.notes, ["1 record skipped: request and answer have different numbers of lines"]);
}

#[test]
fn the_setting_for_two_encodings_changes_nothing_else() {
    let lines = exchange("a,b", "1") + &exchange("c,d\ne,f", "2,3");
    assert_eq!(read_text(&lines, &mixed(None)), read_text(&lines, &capture()));
}

#[test]
fn records_of_another_kind_than_those_before_are_refused() {
    let folder = Folder::with("1", exchange("a", "1"));
    folder.write("2", exchange("a", "1") + &json_exchange(&json!({"a": 1}), &json!({"p": 1})));
    assert_eq!(
        folder.message(&capture()),
        "2, row 2: this record has named columns (JSON), those before it have numbered columns (CSV)"
    );
}

#[test]
fn twenty_thousand_members_that_come_late() {
    let wide: serde_json::Map<String, Json> = (0..20_000).map(|key| (format!("key {key:05}"), json!(key))).collect();
    let narrow = json_exchange(&json!({"a": 1}), &json!({"p": 2}));
    let lines = narrow.repeat(300) + &json_exchange(&Json::Object(wide), &json!({"p": 3})) + &narrow.repeat(3);
    let table = read_text(lines, &capture());
    assert_eq!((table.names.len(), table.rows.len()), (20_002, 304));
    assert!(table.rows[300].iter().skip(1).all(Option::is_some));
    for (index, row) in table.texts().iter().enumerate().filter(|(index, _)| *index != 300) {
        assert_eq!((row[0], row[1], row[20_001]), ("1", "", "2"), "row {index}");
    }
}
