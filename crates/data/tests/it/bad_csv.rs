//! What is said of CSV that cannot be read.

use watchkeeper_data::{list, open};
use watchkeeper_engine::column::{BATCH_BYTES, Batch};

use crate::table::{Folder, csv, read_text, refused};

const LATIN: &str = "is not UTF-8; is it Latin-1 or Windows-1252? convert it to UTF-8";

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    for (content, row, byte) in [
        (&b"a,b\ncaf\xE9,1\n"[..], 2, "E9"),
        (b"a\xE9,b\n1,2\n", 1, "E9"),
        (b"a,b\n1,2\n3,\xC3\n", 3, "C3"),
        (b"a,b\n1,2\n3,\xC3", 3, "C3"),
        // Rows without any value, blank lines and records of several lines stand before.
        (b"a,b\n,\n,\n\n\r\n\"x\ny\",\n,\n,\xFF\n1,2\n", 6, "FF"),
        (b"a,b\n1,\"x\n\xFF\"\n", 2, "FF"),
        (b"\xEF\xBB\xBFa,b\n1,\xFF\n", 2, "FF"),
        (b"a,b\n1,2,3,\xFF\n", 2, "FF"),
    ] {
        let at = std::str::from_utf8(content).unwrap_err().valid_up_to();
        assert_eq!(
            refused(content, &csv(true)),
            format!("data, row {row}: byte {at} of the file (0x{byte}) {LATIN}"),
            "{}",
            content.escape_ascii()
        );
    }
}

#[test]
fn bytes_that_are_not_utf_8_are_named_in_any_chunk() {
    // Records of 11 bytes, some without a value.
    let record = |number: u32| if number.is_multiple_of(3) { ",\n".to_owned() } else { format!("{number:08},\n") };
    for rows in [10, 5_000, 30_000, 100_000] {
        let mut content = "a,b\n".to_owned().into_bytes();
        (0..rows).for_each(|number| content.extend_from_slice(record(number).as_bytes()));
        let at = content.len() + 1;
        content.extend_from_slice(b"x\x80,\n1,2\n");
        for _ in 0..BATCH_BYTES {
            content.extend_from_slice(b"1,2\n");
        }
        assert_eq!(
            refused(&content, &csv(true)),
            format!("data, row {}: byte {at} of the file (0x80) {LATIN}", rows + 2)
        );
        assert_eq!(
            refused(&content, &csv(false)),
            format!("data, row {}: byte {at} of the file (0x80) {LATIN}", rows + 2)
        );
    }
}

#[test]
fn the_file_is_named() {
    let folder = Folder::with("1.csv", "a,b\n1,2\n");
    folder.write("b/2.csv", b"a,b\n1,2\n\xFF,2\n");
    assert_eq!(folder.message(&csv(true)), format!("b/2.csv, row 3: byte 8 of the file (0xFF) {LATIN}"));
}

#[test]
fn nul_bytes_are_named() {
    let message = "of the file is NUL; is it UTF-16 or a binary file?";
    assert_eq!(refused("a,b\n1,2\n3,\0\n", &csv(true)), format!("data, row 3: byte 10 {message}"));
    assert_eq!(refused("a,\0b\n1,2\n", &csv(true)), format!("data, row 1: byte 2 {message}"));
    assert_eq!(refused("a,b\n,\n,\n\0\0,", &csv(true)), format!("data, row 4: byte 8 {message}"));
    let utf_16: Vec<u8> = "a,b\n1,2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(refused(&utf_16, &csv(true)), format!("data, row 1: byte 1 {message}"));
}

#[test]
fn utf_16_is_recognised_by_its_mark() {
    for (big_endian, byte) in [(false, "FF"), (true, "FE")] {
        let to_bytes = |unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() };
        let content: Vec<u8> = "\u{feff}a,b\n1,2\n".encode_utf16().flat_map(to_bytes).collect();
        assert_eq!(
            refused(&content, &csv(true)),
            format!("data, row 1: byte 0 of the file (0x{byte}) is not UTF-8; is it UTF-16? convert it to UTF-8")
        );
    }
}

#[test]
fn a_quote_that_is_never_closed_is_named() {
    let hint = "close it, or double it if it belongs to the text";
    for (content, row, shown) in [
        ("a,b\n\"x,1\ny,2\n", 2, r#""\"x,1\ny,2\n""#),
        ("a,b\n1,2\n3,\"4\n5,6\n", 3, r#""\"4\n5,6\n""#),
        ("a,\"b\n1,2\n", 1, r#""\"b\n1,2\n""#),
        ("a,b\n1,2\n\n3,\"", 3, r#""\"""#),
        ("a,b\n1,\"\"\"", 2, r#""\"\"\"""#),
    ] {
        assert_eq!(
            refused(content, &csv(true)),
            format!("data, row {row}: the quote that opens a field here is never closed: {shown}; {hint}")
        );
    }
    // Far behind the first chunk, and with more behind it than one holds.
    let (before, after) = ("1,2\n".repeat(100_000), "x".repeat(500_000));
    assert_eq!(
        refused(format!("a,b\n{before}\"{after}\n"), &csv(true)),
        format!(
            "data, row 100002: the quote that opens a field here is never closed: \"\\\"{}\"; {hint}",
            "x".repeat(39)
        )
    );
}

#[test]
fn a_backslash_before_a_quote_is_hinted_at() {
    assert_eq!(
        refused("a,b\n\"C:\\\",1\n", &csv(true)),
        "data, row 2: the quote that opens a field here is never closed: \"\\\"C:\\\\\\\",1\\n\"; close it, or double it if it \
         belongs to the text (a backslash before a quote makes the quote a part of the text)"
    );
}

#[test]
fn a_record_without_end_takes_bounded_memory() {
    let pieces = ["x", "x,", "é"];
    for start in ["a,b\n", "a,b\n1,2\n\"", "\u{feff}"] {
        for piece in pieces {
            let folder = Folder::with("data", start.to_owned() + &piece.repeat(100 * 1024 * 1024 / piece.len()));
            let mut source = open(list(folder.path()).unwrap(), &csv(true), None);
            let mut batch = Batch::default();
            let error = loop {
                match source.fill(&mut batch) {
                    Ok(more) => assert!(more),
                    Err(error) => break error,
                }
            };
            let message = folder.without_folder(&error.to_string());
            let row = start.matches('\n').count() + 1;
            let is_quoted = start.ends_with('"');
            if piece == "x," && !is_quoted {
                assert_eq!(
                    message,
                    format!("data, row {row}: there are more than 100000 columns, the most there may be")
                );
            } else {
                let begins =
                    format!("data, row {row}: the record is longer than 32 MiB, the longest there may be; it begins ");
                assert!(message.starts_with(&begins), "{message}");
                assert!(message.ends_with("(is a quote never closed, or a line end missing?)"), "{message}");
            }
            assert!(batch.text.capacity() <= 33 * 1024 * 1024);
            assert!(batch.cells.capacity() <= 1024 * 1024);
            assert!(source.progress().0 <= 33 * 1024 * 1024);
        }
    }
}

#[test]
fn a_record_of_thirty_mebibytes_is_read() {
    let text = "x\n,".repeat(10 * 1024 * 1024);
    let table = read_text(format!("a,b\n1,2\n\"{text}\",3\n4,5\n"), &csv(true));
    assert!(table.texts() == [["1", "2"], [text.as_str(), "3"], ["4", "5"]]);
}

#[test]
fn more_than_a_hundred_thousand_columns_are_refused() {
    let message = "there are more than 100000 columns, the most there may be";
    let row = |fields: usize| vec!["1"; fields].join(",");
    assert_eq!(read_text(row(100_000), &csv(true)).names.len(), 100_000);
    assert_eq!(refused(row(100_001), &csv(true)), format!("data, row 1: {message}"));
    assert_eq!(refused(row(100_001), &csv(false)), format!("data, row 1: {message}"));
    let content = format!("a,b\n1,2\n{}\n1,2\n", row(100_001));
    assert_eq!(refused(content, &csv(true)), format!("data, row 3: {message}"));
}
