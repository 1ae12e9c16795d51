//! Every rule of section 3.2, as a table.

use crate::table::{Folder, csv, read_text, refused};

/// Rows of a text without a header.
fn rows(content: &str) -> Vec<Vec<String>> {
    let table = read_text(content, &csv(false));
    table.texts().into_iter().map(|row| row.into_iter().map(str::to_owned).collect()).collect()
}

/// What stands in a file, and the rows it holds; the empty text is a missing value.
const RULES: &[(&str, &str, &[&[&str]])] = &[
    ("plain", "a,b\nc,d\n", &[&["a", "b"], &["c", "d"]]),
    ("no line end at the end", "a,b\nc,d", &[&["a", "b"], &["c", "d"]]),
    ("windows line ends", "a,b\r\nc,d\r\n", &[&["a", "b"], &["c", "d"]]),
    ("windows line ends, none at the end", "a,b\r\nc,d", &[&["a", "b"], &["c", "d"]]),
    ("a carriage return at the end", "a,b\r\nc,d\r", &[&["a", "b"], &["c", "d"]]),
    ("a carriage return within a field", "a\rb,c\n", &[&["a\rb", "c"]]),
    ("two carriage returns", "a,b\r\r\n", &[&["a", "b\r"]]),
    ("quoted", "\"a\",\"b\"\n", &[&["a", "b"]]),
    ("quoted comma", "\"a,b\",c\n", &[&["a,b", "c"]]),
    ("quoted line feed", "\"a\nb\",c\nd,e\n", &[&["a\nb", "c"], &["d", "e"]]),
    ("quoted windows line end", "\"a\r\nb\",c\r\n", &[&["a\r\nb", "c"]]),
    ("quoted at the end of the file", "a,\"b\"", &[&["a", "b"]]),
    ("quoted with a carriage return at the end of the file", "a,\"b\"\r", &[&["a", "b"]]),
    ("doubled quote", "\"say \"\"hi\"\"\",b\n", &[&["say \"hi\"", "b"]]),
    ("only a doubled quote", "\"\"\"\",b\n", &[&["\"", "b"]]),
    ("only two doubled quotes", "\"\"\"\"\"\",b\n", &[&["\"\"", "b"]]),
    ("backslash and quote", r#""5\" disk",b"#, &[&["5\" disk", "b"]]),
    ("backslash and quote hide a comma", "\"a\\\",b\",c\n", &[&["a\",b", "c"]]),
    ("two backslashes and the closing quote", r#""C:\dir\\",b"#, &[&["C:\\dir\\", "b"]]),
    ("three backslashes and a quote", r#""a\\\"b",c"#, &[&["a\\\"b", "c"]]),
    ("four backslashes and the closing quote", r#""a\\\\",b"#, &[&["a\\\\", "b"]]),
    ("two backslashes and a doubled quote", r#""a\\""b",c"#, &[&["a\\\"b", "c"]]),
    ("backslashes elsewhere within quotes are text", r#""a\b\\c",d"#, &[&["a\\b\\\\c", "d"]]),
    ("backslashes without quotes are text", "a\\,b\\\\\n\\\"a\",b\n", &[&["a\\", "b\\\\"], &["\\\"a\"", "b"]]),
    ("a quote within a field is text", "5\" disk,b\na\"b\",c\n", &[&["5\" disk", "b"], &["a\"b\"", "c"]]),
    ("a quote behind a blank is text", " \"a\",b\n", &[&[" \"a\"", "b"]]),
    ("text behind a closing quote", "\"a\"b,c\n", &[&["\"a\"b", "c"]]),
    ("text with a quote behind a closing quote", "\"a\"b\"\",c\n", &[&["\"a\"b\"\"", "c"]]),
    ("a blank behind a closing quote", "\"a\" ,b\n", &[&["\"a\" ", "b"]]),
    ("a carriage return behind a closing quote", "\"a\"\r,b\n", &[&["\"a\"\r", "b"]]),
    ("text behind a closing quote at the end", "a,\"b\"c", &[&["a", "\"b\"c"]]),
    ("missing values", "a,,b\n,c,\n,,\n", &[&["a", "", "b"], &["", "c", ""], &["", "", ""]]),
    ("a quoted empty field is missing", "\"\",a\n", &[&["", "a"]]),
    ("a missing value at the end", "a,b\nc,", &[&["a", "b"], &["c", ""]]),
    ("blank lines", "\n\na,b\n\n\r\nc,d\n\n", &[&["a", "b"], &["c", "d"]]),
    ("a single quoted empty field is no blank line", "a\n\"\"\nb\n", &[&["a"], &[""], &["b"]]),
    ("a line with a blank is no blank line", "a\n \nb\n", &[&["a"], &[" "], &["b"]]),
    ("short rows are padded", "a,b,c\nd\ne,f\n", &[&["a", "b", "c"], &["d", "", ""], &["e", "f", ""]]),
    ("long rows are cut", "a,b\nc,d,e,f\n", &[&["a", "b"], &["c", "d"]]),
    ("an escaped quote in a field cut off", "a\nb,\"c\"\"d\"\n\"e\"\"f\"\n", &[&["a"], &["b"], &["e\"f"]]),
    ("words are text", "null,NaN,NA,None\n", &[&["null", "NaN", "NA", "None"]]),
    ("values are not trimmed", " a , b\n", &[&[" a ", " b"]]),
    ("a byte order mark is dropped", "\u{feff}a,b\n", &[&["a", "b"]]),
    ("a byte order mark before a quote", "\u{feff}\"a\",b\n", &[&["a", "b"]]),
    ("a byte order mark elsewhere is text", "a,\u{feff}b\n", &[&["a", "\u{feff}b"]]),
    ("other characters", "é,日本,🦀\n", &[&["é", "日本", "🦀"]]),
    ("other separators are text", "a;b\tc|d\n", &[&["a;b\tc|d"]]),
];

#[test]
fn rules() {
    for (rule, content, expected) in RULES {
        assert_eq!(rows(content), *expected, "{rule}: {content:?}");
    }
}

#[test]
fn rules_hold_behind_a_header() {
    for (rule, content, expected) in RULES.iter().filter(|(_, content, _)| !content.starts_with('\u{feff}')) {
        let header: Vec<String> = (0..expected[0].len()).map(|index| format!("column {index}")).collect();
        let table = read_text(format!("{}\n{content}", header.join(",")), &csv(true));
        assert_eq!(table.names, header, "{rule}");
        assert_eq!(table.texts(), *expected, "{rule}: {content:?}");
    }
}

#[test]
fn rules_hold_at_any_place_in_a_file() {
    // Sixty-four bytes are looked at together.
    for (rule, content, expected) in RULES.iter().filter(|(_, content, _)| !content.starts_with('\u{feff}')) {
        for length in 1..=64 {
            let padding = "x".repeat(length);
            let first = format!("{padding}{}", ",".repeat(expected[0].len() - 1));
            let found = rows(&format!("{first}\n{content}"));
            assert_eq!(found[0][0], padding);
            assert_eq!(found[1..], **expected, "{rule} behind {length} bytes: {content:?}");
        }
    }
}

#[test]
fn without_a_header_columns_are_numbered() {
    let table = read_text("a,b,c\n", &csv(false));
    assert_eq!(table.names, ["_c0", "_c1", "_c2"]);
    assert!(!table.has_own_names);
}

#[test]
fn a_header_names_columns() {
    let table = read_text("first,\"second, quoted\",\"the \"\"third\"\"\"\n1,2,3\n", &csv(true));
    assert_eq!(table.names, ["first", "second, quoted", "the \"third\""]);
    assert!(table.has_own_names);
    assert_eq!(table.texts(), [["1", "2", "3"]]);
}

#[test]
fn a_header_may_follow_blank_lines_and_a_byte_order_mark() {
    let table = read_text("\u{feff}\n\r\na,b\n1,2\n", &csv(true));
    assert_eq!(table.names, ["a", "b"]);
    assert_eq!(table.texts(), [["1", "2"]]);
}

#[test]
fn a_header_may_span_lines() {
    let table = read_text("\"a\nb\",c\n1,2\n", &csv(true));
    assert_eq!(table.names, ["a\nb", "c"]);
    assert_eq!(table.texts(), [["1", "2"]]);
}

#[test]
fn the_header_decides_how_many_columns_there_are() {
    let table = read_text("a,b\n1\n1,2,3\n1,2\n", &csv(true));
    assert_eq!(table.texts(), [["1", ""], ["1", "2"], ["1", "2"]]);
    assert_eq!(
        table.notes,
        [
            "1 row with fewer fields than there are columns: the rest taken as missing values",
            "1 row with more fields than there are columns: the surplus cut off (is there a comma in a field that is not \
             quoted?)",
        ]
    );
}

#[test]
fn text_behind_closing_quotes_is_told() {
    let table = read_text("\"a\"b,c\nd,\"e\" \n\"f\",g\n", &csv(false));
    assert_eq!(table.notes, ["2 rows with text behind a closing quote: the field taken as it stands, quotes and all"]);
    assert!(read_text("a,b\n", &csv(false)).notes.is_empty());
}

#[test]
fn a_path_that_ends_in_a_backslash_runs_on() {
    assert_eq!(
        refused("a,b\n\"C:\\dir\\\",x\n1,2\n", &csv(true)),
        "data, row 2: the quote that opens a field here is never closed: \"\\\"C:\\\\dir\\\\\\\",x\\n1,2\\n\"; close it, or \
         double it if it belongs to the text (a backslash before a quote makes the quote a part of the text)"
    );
}

#[test]
fn each_file_has_its_own_header() {
    let folder = Folder::with("1.csv", "a,b\n1,2\n");
    folder.write("2.csv", "\u{feff}a,b\n3,4\n");
    folder.write("3.csv", "a,b\n");
    folder.write("4.csv", "");
    folder.write("5.csv", "\na,b\n5,6");
    let table = folder.read(&csv(true)).unwrap();
    assert_eq!(table.names, ["a", "b"]);
    assert_eq!(table.texts(), [["1", "2"], ["3", "4"], ["5", "6"]]);
    assert!(table.notes.is_empty());
}

#[test]
fn rows_do_not_run_on_into_the_next_file() {
    let folder = Folder::with("1.csv", "a,b");
    folder.write("2.csv", "c,d");
    folder.write("3.csv", "e,f\r\n");
    assert_eq!(folder.read(&csv(false)).unwrap().texts(), [["a", "b"], ["c", "d"], ["e", "f"]]);
}
