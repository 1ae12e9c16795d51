//! JSON lines (section 3.4), with serde JSON's values as referee.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Number, Value as Json};
use watchkeeper_data::{Reading, list, open};
use watchkeeper_engine::column::{Batch, Cell};

use crate::table::{Folder, Value, boolean, json_lines, number, read_text, refused, text};

/// What stands in a cell for a value. An empty text is a value, as it is to Spark.
fn cell(value: Option<&Json>) -> Value {
    match value {
        None | Some(Json::Null) => None,
        Some(Json::String(string)) => text(string),
        Some(Json::Number(value)) => number(&value.to_string()),
        Some(Json::Bool(value)) => boolean(*value),
        Some(nested) => panic!("{nested} is not flat"),
    }
}

/// The keys of all records in the order of their UTF-16 code units, and the rows under them.
pub fn expected(records: &[Map<String, Json>]) -> (Vec<String>, Vec<Vec<Value>>) {
    let keys: BTreeSet<Vec<u16>> =
        records.iter().flat_map(|record| record.keys().map(|key| key.encode_utf16().collect())).collect();
    let names: Vec<String> = keys.iter().map(|key| String::from_utf16(key).unwrap()).collect();
    let row = |record: &Map<String, Json>| names.iter().map(|name| cell(record.get(name))).collect();
    let rows = records.iter().map(row).collect();
    (names, rows)
}

fn flat_value() -> impl Strategy<Value = Json> {
    prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::Bool),
        any::<i64>().prop_map(|value| Json::Number(value.into())),
        any::<u64>().prop_map(|value| Json::Number(value.into())),
        any::<f64>().prop_map(|value| Number::from_f64(value).map_or(Json::Null, Json::Number)),
        "[ -~]{0,10}".prop_map(Json::String),
        "\\PC{0,6}".prop_map(Json::String),
        any::<String>().prop_map(Json::String),
    ]
}

/// Records that share keys, some of which sort differently by UTF-8.
pub fn records() -> impl Strategy<Value = Vec<Map<String, Json>>> {
    let key = prop_oneof![
        4 => "[a-d]",
        1 => prop::sample::select(vec!["", "é", "\u{fffd}", "🦀", "\u{10ffff}", "a.b", "\"", "\\", "\n", "0", "10", "2"])
            .prop_map(str::to_owned),
        1 => any::<String>(),
    ];
    let record = prop::collection::vec((key, flat_value()), 0..8).prop_map(Map::from_iter);
    prop::collection::vec(record, 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn records_are_rows(records in records()) {
        let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let (names, rows) = expected(&records);
        for end in ["\n", "\r\n", "\n\n \n"] {
            let table = read_text(lines.join(end), &json_lines());
            prop_assert_eq!(&table.names, &names);
            prop_assert_eq!(&table.rows, &rows);
        }
        let table = read_text(lines.join("\n"), &json_lines());
        prop_assert!(table.has_own_names && table.notes.is_empty());
    }

    /// ASCII alone, everything else escaped, as Python's `json` writes it.
    #[test]
    fn escapes_make_no_difference(records in records()) {
        let escaped = |record: &Map<String, Json>| -> String {
            let plain = serde_json::to_string(record).unwrap();
            plain.chars().map(|character| {
                if character.is_ascii() {
                    return character.to_string();
                }
                character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
            }).collect()
        };
        let lines: Vec<String> = records.iter().map(escaped).collect();
        let (names, rows) = expected(&records);
        let table = read_text(lines.join("\n"), &json_lines());
        prop_assert_eq!(table.names, names);
        prop_assert_eq!(table.rows, rows);
    }
}

#[test]
fn columns_are_sorted_by_utf_16_code_units() {
    // By UTF-8 the last two would change places.
    let table = read_text("{\"\u{fffd}\":1,\"🦀\":2,\"é\":3,\"b\":4,\"B\":5,\"10\":6,\"9\":7,\"\":8}", &json_lines());
    assert_eq!(table.names, ["", "10", "9", "B", "b", "é", "🦀", "\u{fffd}"]);
    assert_eq!(table.texts(), [["8", "6", "7", "5", "4", "3", "2", "1"]]);
}

#[test]
fn numbers_stay_as_they_are_written() {
    let written = "0 -0 1 -1.50 1e5 1E+5 1.0e-10 0.1 9223372036854775808 123456789012345678901234567890 1e400 0.30000000000000004";
    for form in written.split(' ') {
        let table = read_text(format!("{{\"a\":{form}}}"), &json_lines());
        assert_eq!(table.rows, [[number(form)]]);
        serde_json::from_str::<&serde_json::value::RawValue>(form).unwrap();
    }
}

#[test]
fn texts_that_look_like_something_else_are_texts() {
    let table = read_text(r#"{"a":"1","b":"true","c":"null","d":" "}"#, &json_lines());
    assert_eq!(table.rows, [[text("1"), text("true"), text("null"), text(" ")]]);
}

#[test]
fn the_last_of_a_repeated_key_wins() {
    let line = r#"{"a":1,"b":2,"a":"three","b":null,"a":4}"#;
    let referee: Json = serde_json::from_str(line).unwrap();
    assert_eq!((&referee["a"], &referee["b"]), (&Json::from(4), &Json::Null));
    assert_eq!(read_text(line, &json_lines()).rows, [[number("4"), None]]);
}

#[test]
fn keys_that_come_late_are_missing_before() {
    let content = "{\"b\":1}\n{}\n{\"a\":2,\"b\":3}\n{\"c\":4}\n";
    assert_eq!(read_text(content, &json_lines()).texts(), [["", "1", ""], ["", "", ""], ["2", "3", ""], ["", "", "4"]]);
}

#[test]
fn a_byte_order_mark_is_dropped() {
    assert_eq!(read_text("\u{feff}{\"a\":1}\n{\"a\":2}", &json_lines()).texts(), [["1"], ["2"]]);
}

#[test]
fn keys_of_several_files_are_united() {
    let folder = Folder::with("1", "{\"b\":1}");
    folder.write("2", "{\"a\":2}\n");
    folder.write("3", "\u{feff}{\"b\":3,\"a\":4}");
    assert_eq!(folder.read(&json_lines()).unwrap().texts(), [["", "1"], ["2", ""], ["4", "3"]]);
}

#[test]
fn nested_values_are_refused() {
    for (line, column) in [
        (r#"{"a":1,"b":{"c":2}}"#, "b"),
        (r#"{"a":[1],"b":{"c":2}}"#, "a"),
        (r#"{"a":1,"é\n":[]}"#, "é\n"),
        (r#"{"a":{}}"#, "a"),
    ] {
        assert_eq!(
            refused(format!("{{\"a\":0}}\n{line}\n"), &json_lines()),
            format!("Only flat JSON is supported. Column {column} holds an object or array. (data, row 2)")
        );
    }
}

fn flattened() -> Reading {
    Reading { flatten_json: true, ..json_lines() }
}

#[test]
fn nested_values_are_flattened_on_demand() {
    let line = r#"{"a":{"b":1,"c":{"d":"x","e":null}},"f":[true,[2,{"g":3}],[],{}],"h":4,"i":{},"":{"":5}}"#;
    let table = read_text(line, &flattened());
    assert_eq!(table.names, [".", "a.b", "a.c.d", "a.c.e", "f.0", "f.1.0", "f.1.1.g", "h"]);
    assert_eq!(
        table.rows,
        [[number("5"), number("1"), text("x"), None, boolean(true), number("2"), number("3"), number("4")]]
    );
}

#[test]
fn flattened_names_may_meet_others() {
    assert_eq!(read_text(r#"{"a.b":1,"a":{"b":2}}"#, &flattened()).texts(), [["2"]]);
    assert_eq!(
        read_text("{\"a\":[1,2]}\n{\"a\":[3]}\n{\"a\":{\"1\":4}}", &flattened()).texts(),
        [["1", "2"], ["3", ""], ["", "4"]]
    );
}

#[test]
fn flattening_ends_at_a_hundred_levels() {
    let nested = |levels: usize| format!("{{\"a\":{}1{}}}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let table = read_text(nested(100), &flattened());
    assert_eq!(table.names, [vec!["a"; 101].join(".")]);
    assert_eq!(table.texts(), [["1"]]);
    assert!(refused(nested(101), &flattened()).starts_with("Only flat JSON is supported. Column a.a."));
    let message = refused(format!("{{\"a\":{}", "[".repeat(100_000)), &flattened());
    assert!(message.starts_with("data, row 1: not a JSON object: "), "{message}");
}

#[test]
fn twenty_thousand_keys() {
    let record = |row: usize| -> Map<String, Json> {
        (0..20_000).map(|key| (format!("key_{key}"), Json::from(row * key))).collect()
    };
    let records: Vec<_> = (0..20).map(record).collect();
    let lines: Vec<String> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let (names, rows) = expected(&records);
    let table = read_text(lines.join("\n"), &json_lines());
    assert!(table.names == names && table.rows == rows);
}

/// Batches hold 256 Ki cells, unless a single row has more.
const MOST_CELLS: usize = 256 * 1024;

/// Reads a file in batches of bounded memory; gives the present values of each row with their columns.
fn present_values(content: &str) -> Vec<Vec<(usize, String)>> {
    let folder = Folder::with("data", content);
    let mut source = open(list(folder.path()).unwrap(), &json_lines(), None);
    let mut batch = Batch::default();
    let mut found = Vec::new();
    while source.fill(&mut batch).unwrap() {
        assert_eq!(batch.cells.len(), batch.rows * batch.columns);
        assert!(batch.cells.len().max(batch.cells.capacity()) <= 2 * MOST_CELLS);
        let row = |cells: &[Cell]| -> Vec<_> {
            let present = cells.iter().enumerate().filter(|(_, cell)| !cell.is_missing());
            present.map(|(column, &cell)| (column, String::from_utf8(batch.text_of(cell).to_vec()).unwrap())).collect()
        };
        if batch.columns == 0 {
            found.resize(found.len() + batch.rows, Vec::new());
        } else {
            found.extend(batch.cells.chunks(batch.columns).map(row));
        }
    }
    found
}

#[test]
fn a_new_key_in_every_record_takes_bounded_memory() {
    let content: String = (0..3_000).map(|row| format!("{{\"key_{row:04}\":{row}}}\n")).collect();
    let expected: Vec<_> = (0..3_000).map(|row| vec![(row, row.to_string())]).collect();
    assert!(present_values(&content) == expected);
}

#[test]
fn many_keys_behind_many_short_records_take_bounded_memory() {
    // All rows before would be widened to six thousand cells each.
    let wide: Map<String, Json> = (0..6_000).map(|key| (format!("{key}"), Json::from(key % 10))).collect();
    let wide = serde_json::to_string(&wide).unwrap();
    let content = format!("{}{wide}\n{}", "{}\n".repeat(15_000), "{\"7\":1}\n".repeat(100));
    assert!(content.len() < 128 * 1024, "it must fit into one chunk");
    let found = present_values(&content);
    assert_eq!(found.len(), 15_101);
    assert!(found[..15_000].iter().all(Vec::is_empty));
    assert!(found[15_000].iter().map(|(_, text)| text.clone()).eq((0..6_000).map(|key| (key % 10).to_string())));
    assert!(found[15_001..].iter().all(|row| *row == [(7, "1".to_owned())]));
}
