//! What is said of JSON that cannot be read.

use watchkeeper_data::{list, open};
use watchkeeper_engine::column::Batch;

use crate::table::{Folder, capture, json_document, json_lines, refused};

#[test]
fn lines_that_are_no_objects_are_named() {
    for (line, message) in [
        ("{\"a\":1", "EOF while parsing an object, at byte 6 of the record, which begins \"{\\\"a\\\":1\""),
        ("{\"a\":1}}", "trailing characters, at byte 8 of the record, which begins \"{\\\"a\\\":1}}\""),
        ("{\"a\":01}", "invalid number, at byte 7 of the record, which begins \"{\\\"a\\\":01}\""),
        ("{'a':1}", "key must be a string, at byte 2 of the record, which begins \"{'a':1}\""),
        ("{\"a\":NaN}", "expected value, at byte 6 of the record, which begins \"{\\\"a\\\":NaN}\""),
        ("[1,2]", "invalid type: sequence, expected an object, at byte 0 of the record, which begins \"[1,2]\""),
        ("7", "invalid type: integer `7`, expected an object, at byte 1 of the record, which begins \"7\""),
        ("a,b", "expected value, at byte 1 of the record, which begins \"a,b\""),
    ] {
        assert_eq!(
            refused(format!("{{\"a\":0}}\n\n{line}\n"), &json_lines()),
            format!("data, row 2: not a JSON object: {message}")
        );
    }
}

#[test]
fn only_the_beginning_of_a_long_record_is_shown() {
    let message = refused(format!("{{\"a\":\"{}", "é".repeat(1_000)), &json_lines());
    assert_eq!(
        message,
        format!(
            "data, row 1: not a JSON object: EOF while parsing a string, at byte 2006 of the record, which begins \
             \"{{\\\"a\\\":\\\"{}\"",
            "é".repeat(27)
        )
    );
}

#[test]
fn half_a_surrogate_pair_is_refused() {
    let message = refused(r#"{"a":"\ud83e"}"#, &json_lines());
    assert!(message.starts_with("data, row 1: not a JSON object: "), "{message}");
}

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    for (before, row) in [(0, 1), (1, 2), (20_000, 20_001)] {
        for after in ["", "\"}\n{\"a\":2}\n"] {
            let mut content = "{\"a\":1}\n".repeat(before).into_bytes();
            content.extend_from_slice(b"{\"a\":\"caf");
            let at = content.len();
            content.push(0xE9);
            content.extend_from_slice(after.as_bytes());
            assert_eq!(
                refused(&content, &json_lines()),
                format!(
                    "data, row {row}: byte {at} of the file (0xE9) is not UTF-8; is it Latin-1 or Windows-1252? convert \
                     it to UTF-8"
                )
            );
        }
    }
    assert_eq!(
        refused(b"[{\"a\":\"x\"},\n{\"a\":\"\xFF\"}]", &json_document()),
        "data, row 2: byte 18 of the file (0xFF) is not UTF-8; is it Latin-1 or Windows-1252? convert it to UTF-8"
    );
}

/// A text as Windows' editors once wrote it.
fn utf_16(text: &str, mark: &str) -> Vec<u8> {
    format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn utf_16_is_recognised() {
    let text = "{\"a\":1}\n{\"a\":2}\n";
    for reading in [json_lines(), json_document(), capture()] {
        assert_eq!(
            refused(utf_16(text, "\u{feff}"), &reading),
            "data, row 1: byte 0 of the file (0xFF) is not UTF-8; is it UTF-16? convert it to UTF-8"
        );
    }
    for reading in [json_lines(), json_document()] {
        assert_eq!(
            refused(utf_16(text, ""), &reading),
            "data, row 1: byte 1 of the file is NUL; is it UTF-16 or a binary file?"
        );
    }
}

#[test]
fn a_record_without_end_takes_bounded_memory() {
    let line = |start: &str| start.to_owned() + &"x".repeat(100 * 1024 * 1024);
    for (reading, start) in
        [(json_lines(), "{\"a\":\""), (json_document(), "[{\"a\":\""), (capture(), "{\"captureData\":\"")]
    {
        let folder = Folder::with("data", line(start));
        let mut source = open(list(folder.path()).unwrap(), &reading, None);
        let mut batch = Batch::default();
        let message = folder.without_folder(&source.fill(&mut batch).unwrap_err().to_string());
        assert!(
            message.starts_with("data, row 1: the record is longer than 32 MiB, the longest there may be; it begins")
        );
        assert!(message.ends_with("x\" (is a quote never closed, or a line end missing?)"), "{message}");
        assert!(batch.text.capacity() <= 33 * 1024 * 1024, "{}", batch.text.capacity());
        assert!(source.progress().0 <= 33 * 1024 * 1024);
    }
}

#[test]
fn a_record_of_thirty_mebibytes_is_read() {
    let text = "x".repeat(30 * 1024 * 1024);
    for reading in [json_lines(), json_document()] {
        let table = Folder::with("data", format!("{{\"a\":\"{text}\"}}\n")).read(&reading).unwrap();
        assert!(table.texts() == [[text.as_str()]]);
    }
}

#[test]
fn more_than_a_hundred_thousand_keys_are_refused() {
    let keys: Vec<String> = (0..99_990).map(|key| format!("\"{key}\":1")).collect();
    let record = |key: usize| format!("{{\"new {key}\":1}}\n");
    let content = |new: usize| format!("{{{}}}\n{}", keys.join(","), (0..new).map(record).collect::<String>());
    let table = Folder::with("data", content(10)).read(&json_lines()).unwrap();
    assert_eq!((table.names.len(), table.rows.len()), (100_000, 11));
    assert_eq!(
        refused(content(11), &json_lines()),
        "data, row 12: there are more than 100000 columns, the most there may be"
    );
}
