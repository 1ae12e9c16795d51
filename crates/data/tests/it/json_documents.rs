//! JSON documents: an object, or an array of objects.

use proptest::prelude::*;
use serde_json::Value as Json;

use crate::json_lines::{expected, records};
use crate::table::{Folder, json_document, read_text, refused};

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn an_array_of_records_is_rows(records in records()) {
        let (names, rows) = expected(&records);
        let document = Json::Array(records.into_iter().map(Json::Object).collect());
        for text in [serde_json::to_string(&document).unwrap(), serde_json::to_string_pretty(&document).unwrap()] {
            let table = read_text(format!("\u{feff} \r\n{text}\t\n"), &json_document());
            prop_assert_eq!(&table.names, &names);
            prop_assert_eq!(&table.rows, &rows);
        }
    }

    /// A document with a piece taken out is refused exactly where it is no longer JSON of that kind.
    #[test]
    fn a_damaged_document_is_refused(records in records(), from in any::<prop::sample::Index>(), length in 1..4_usize) {
        let text = serde_json::to_string_pretty(&records).unwrap();
        let characters: Vec<char> = text.chars().collect();
        let from = from.index(characters.len());
        let damaged: String =
            characters[..from].iter().chain(characters[from..].iter().skip(length)).collect();
        let folder = Folder::with("data", &damaged);
        let found = folder.read(&json_document());
        match serde_json::from_str::<Json>(&damaged) {
            Ok(Json::Array(elements)) if elements.iter().all(Json::is_object) => {
                let flat = elements.iter().all(|record| {
                    record.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array())
                });
                prop_assert_eq!(found.is_ok(), flat, "{}", damaged);
            }
            Ok(Json::Object(_)) => prop_assert!(found.is_ok() || damaged.contains('[')),
            // A number stays as it is written here; the referee makes a double of it.
            Err(error) if error.to_string().contains("number out of range") => {}
            _ => prop_assert!(damaged.trim().is_empty() || found.is_err(), "{}", damaged),
        }
    }
}

#[test]
fn an_object_is_one_row() {
    for text in ["{\"b\":1,\"a\":\"x\"}", " {\n  \"b\": 1,\n  \"a\": \"x\"\n}\n"] {
        let table = read_text(text, &json_document());
        assert_eq!(table.names, ["a", "b"]);
        assert_eq!(table.texts(), [["x", "1"]]);
    }
}

#[test]
fn an_empty_array_is_no_row() {
    for text in ["[]", " [ \n ] "] {
        assert!(read_text(text, &json_document()).rows.is_empty());
    }
    assert_eq!(read_text("[{}, {}]", &json_document()).rows.len(), 2);
}

#[test]
fn each_file_is_a_document() {
    let folder = Folder::with("1", "[{\"a\":1},{\"a\":2}]");
    folder.write("2", "{\"b\":3}");
    folder.write("3", "");
    folder.write("4", "[\n{\"a\":4}\n]");
    assert_eq!(folder.read(&json_document()).unwrap().texts(), [["1", ""], ["2", ""], ["", "3"], ["4", ""]]);
}

#[test]
fn brackets_and_quotes_within_texts_are_text() {
    let document = r#"[{"a":"}]{[\"\\"},{"a":"]"}]"#;
    assert_eq!(read_text(document, &json_document()).texts(), [["}]{[\"\\"], ["]"]]);
}

#[test]
fn what_is_not_a_document_is_refused() {
    for (text, message) in [
        ("[{\"a\":1},{\"a\":2}", "data, row 3: the document ends within its array: it is cut off"),
        ("[{\"a\":1},", "data, row 2: the document ends within its array: it is cut off"),
        ("[", "data, row 1: the document ends within its array: it is cut off"),
        ("[{\"a\":1},{\"a\":\"x", "data, row 2: the document ends within an object: it is cut off"),
        ("{\"a\":1", "data, row 1: the document ends within an object: it is cut off"),
        ("[{\"a\":1},]", "data, row 2: expected an object or an array of objects, found \"]\""),
        ("[{\"a\":1} {\"a\":2}]", "data, row 2: expected an object or an array of objects, found \"{\\\"a\\\":2}]\""),
        ("[1,2]", "data, row 1: expected an object or an array of objects, found \"1,2]\""),
        ("[[{\"a\":1}]]", "data, row 1: expected an object or an array of objects, found \"[{\\\"a\\\":1}]]\""),
        ("a,b\n1,2\n", "data, row 1: expected an object or an array of objects, found \"a,b\\n1,2\\n\""),
        (
            "{\"a\":1}\n{\"a\":2}\n",
            "data, row 2: more follows behind the document; one object a line is the dataset format {\"json\": \
             {\"lines\": true}}",
        ),
        (
            "[\n  {\n    \"a\": 1\n  },\n  {\n    \"a\": tru\n  }\n]",
            "data, row 2: not a JSON object: expected ident, at byte 15 of the record, which begins \"{\\n    \\\"a\\\": \
             tru\\n  }\"",
        ),
        ("[{\"a\":{}}]", "Only flat JSON is supported. Column a holds an object or array. (data, row 1)"),
    ] {
        assert_eq!(refused(text, &json_document()), message);
    }
}
