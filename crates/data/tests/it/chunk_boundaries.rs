//! Files are read in chunks of 128 KiB. What stands across the end of one is read as anywhere else.

use serde_json::json;
use watchkeeper_data::Reading;
use watchkeeper_engine::column::BATCH_BYTES;

use crate::table::{Table, capture, csv, json_document, json_lines, read_text};

/// Rows that fill exactly `length` bytes, and how many they are. `row` makes one of a length.
fn rows_of(length: usize, row: impl Fn(usize) -> String) -> (String, usize) {
    const ROW: usize = 4096;
    let count = length / ROW;
    let mut text: String = (1..count).map(|_| row(ROW)).collect();
    text += &row(length - text.len());
    assert_eq!(text.len(), length);
    (text, count)
}

/// Reads `tail` behind rows such that each of its bytes in turn is the first of the second chunk.
fn check_across(reading: &Reading, row: impl Fn(usize) -> String, tail: &str) {
    let alone = read_text(tail, reading);
    for split in 0..=tail.len() {
        let (padding, padding_rows) = rows_of(BATCH_BYTES - split, &row);
        let table = read_text(padding + tail, reading);
        assert_eq!(table.names, alone.names);
        assert_eq!(table.rows.len(), padding_rows + alone.rows.len(), "{tail:?} cut at {split}");
        assert_eq!(table.rows[padding_rows..], alone.rows, "{tail:?} cut at {split}");
        assert_eq!(table.notes.len(), alone.notes.len(), "{tail:?} cut at {split}");
    }
}

fn csv_row(length: usize) -> String {
    format!("{},y\n", "x".repeat(length - 3))
}

#[test]
fn csv_rows() {
    for tail in [
        "a,b\nc,d\n",
        "a,b\r\nc,d\r\n",
        "a,b\n\n\r\n\nc,d",
        "\"a,b\nc\",d\ne,f\n",
        "\"a,b\r\nc\",\"d\"\r\n\"e\",\"f\"\r\n",
        "\"a\"\"b\",\"\"\n\"\"\"\",\"c\"\n",
        "é日🦀,\"é日🦀\"\n",
        r#""a\"b","c\\""#,
        "\"a\\\\\\\"b\",\"c\\\\\\\\\"\n\"d\\\\\"\"e\",f\n",
        "\"a\"b,\"c\"\r\nd,\"e\"f\r\ng,\"h\" \"i\"",
        "a,b\nc\nd,e,f,\"g\"\"h\"\ni,j\n",
        "a,b\r",
    ] {
        check_across(&csv(false), csv_row, tail);
    }
}

#[test]
fn csv_fields_longer_than_a_chunk() {
    // The record is cut again and again until the chunk holds it.
    for piece in ["\"\"", "\\\"", "\\\\", "\n", "\r\n", "🦀", "\",\"", "\"\n\""] {
        for boundary in [BATCH_BYTES, 2 * BATCH_BYTES] {
            for split in 0..=piece.len() {
                let before = "x".repeat(boundary - 1 - split);
                let after = "y".repeat(300 * 1024);
                let found = read_text(format!("\"{before}{piece}{after}\",z\n"), &csv(false));
                let short = read_text(format!("\"b{piece}a\",z\n"), &csv(false));
                let lengthened = |row: Vec<&str>| -> Vec<String> {
                    row.iter()
                        .map(|text| match (text.strip_prefix('b'), text.strip_suffix('a')) {
                            (Some(_), Some(_)) => format!("{before}{}{after}", &text[1..text.len() - 1]),
                            (Some(rest), None) => format!("{before}{rest}"),
                            (None, Some(rest)) => format!("{rest}{after}"),
                            (None, None) => (*text).to_owned(),
                        })
                        .collect()
                };
                let expected: Vec<Vec<String>> = short.texts().into_iter().map(lengthened).collect();
                assert!(found.texts() == expected, "{piece:?} cut at {split} of {boundary}");
            }
        }
    }
}

#[test]
fn csv_headers_longer_than_a_chunk() {
    let name = "n".repeat(300 * 1024);
    for mark in ["", "\u{feff}"] {
        let table = read_text(format!("{mark}\"{name}\"\"\",b\n1,2\n"), &csv(true));
        assert!(table.names == [format!("{name}\""), "b".to_owned()]);
        assert_eq!(table.texts(), [["1", "2"]]);
    }
}

#[test]
fn csv_files_of_a_chunk_exactly() {
    for end in ["", "\n", "\r\n"] {
        for length in [BATCH_BYTES - 1, BATCH_BYTES, BATCH_BYTES + 1, 2 * BATCH_BYTES] {
            let (padding, count) = rows_of(length - end.len() - 3, csv_row);
            let table = read_text(format!("{padding}a,b{end}"), &csv(false));
            assert_eq!(table.rows.len(), count + 1);
            assert_eq!(*table.texts().last().unwrap(), ["a", "b"]);
        }
    }
}

#[test]
fn blank_lines_longer_than_a_chunk() {
    let blank = "\r\n".repeat(100_000);
    assert_eq!(read_text(format!("{blank}a,b\n{blank}1,2\n{blank}"), &csv(true)).texts(), [["1", "2"]]);
    let lines = format!("{blank}{{\"a\":1}}\n{blank}{{\"a\":2}}\n{blank}");
    assert_eq!(read_text(lines, &json_lines()).texts(), [["1"], ["2"]]);
    let document = format!("{blank}[{blank}{{{blank}\"a\":1}}{blank},{blank}{{\"a\":2}}{blank}]{blank}");
    assert_eq!(read_text(document, &json_document()).texts(), [["1"], ["2"]]);
}

fn json_row(length: usize) -> String {
    format!("{{\"a\":\"{}\"}}\n", "x".repeat(length - 9))
}

#[test]
fn json_records() {
    for tail in [
        "{\"a\":1}\n{\"a\":2}\n",
        "{\"a\":\"b\"}\r\n\r\n{\"a\":\"c\"}\r\n",
        "{\"a\":\"é日🦀\"}\n{\"a\":\"\\u00e9\\\"\\\\\"}",
        "{\"a\":null}\n{}\n {\"a\" : -1.5e3 } \n",
    ] {
        check_across(&json_lines(), json_row, tail);
    }
}

#[test]
fn json_records_longer_than_a_chunk() {
    for piece in ["\\\"", "\\\\", "é", "🦀", "\\ud83e\\udd80", "{", "]"] {
        for split in 0..=piece.len() {
            let before = "x".repeat(BATCH_BYTES - 6 - split);
            let after = "y".repeat(300 * 1024);
            let text = format!("{{\"a\":\"{before}{piece}{after}\"}}");
            let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
            for reading in [json_lines(), json_document()] {
                let table = read_text(&text, &reading);
                assert!(table.texts() == [[expected["a"].as_str().unwrap()]], "{piece:?} cut at {split}");
            }
        }
    }
}

#[test]
fn documents() {
    let tail = "{\"a\":1}, {\"a\":\"é🦀\\\"\"}\n,\n{ \"a\": null }\n] \n";
    let expected = read_text(format!("[{tail}"), &json_document());
    let element = |length: usize| json_row(length - 1).replace('\n', ",\n");
    for split in 0..=tail.len() {
        let (padding, count) = rows_of(BATCH_BYTES - 1 - split, element);
        let table = read_text(format!("[{padding}{tail}"), &json_document());
        assert_eq!(table.rows.len(), count + 3);
        assert_eq!(table.rows[count..], expected.rows, "cut at {split}");
    }
}

#[test]
fn a_document_of_many_chunks() {
    let element = |index: usize| json!({"index": index, "text": "x".repeat(index % 100)});
    let elements: Vec<_> = (0..20_000).map(element).collect();
    let pretty = serde_json::to_string_pretty(&elements).unwrap();
    assert!(pretty.len() > 8 * BATCH_BYTES);
    let table: Table = read_text(pretty, &json_document());
    assert_eq!(table.names, ["index", "text"]);
    assert_eq!(table.rows.len(), elements.len());
    for (index, row) in table.texts().iter().enumerate() {
        assert_eq!(*row, [index.to_string(), "x".repeat(index % 100)]);
    }
}

fn captured(input: &str, output: &str) -> String {
    let part = |data: &str| json!({"data": data, "encoding": "CSV"});
    json!({"captureData": {"endpointInput": part(input), "endpointOutput": part(output)}}).to_string() + "\n"
}

#[test]
fn captured_records() {
    let row = |length: usize| {
        let shortest = captured("x,y", "0");
        captured(&format!("{},y", "x".repeat(length - shortest.len() + 1)), "0")
    };
    for tail in [
        captured("a,b", "1") + &captured("c,d", "2"),
        captured("é日,🦀", "1") + "\n\r\n" + &captured("\"a,\"\"b\",c\n", "2\n"),
        captured("a,b\nc,d", "1,2") + "junk\n" + captured("\\,\u{7f}", "\t").trim_end(),
    ] {
        check_across(&capture(), row, &tail);
    }
}

#[test]
fn a_captured_record_longer_than_a_chunk() {
    let long = "é🦀".repeat(60_000);
    for mark in ["", "\u{feff}"] {
        let content = format!("{mark}{}{}", captured(&format!("{long},\"\"\"\""), "1"), captured("a,b", "2"));
        let table = read_text(content, &capture());
        assert!(table.texts() == [["1", &*long, "\""], ["2", "a", "b"]]);
    }
}
