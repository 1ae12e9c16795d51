//! JSON text in the layouts of Python's `json.dumps`: text in ASCII with escapes, floats as Python prints them.
//!
//! Clarify's container writes its files with `indent=4`; the Python SDK writes files and variables in one line.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter};

use crate::json::to_string_in;
use crate::number::python_float;

/// `json.dumps(document)`: one line, with a blank after commas and colons.
///
/// # Panics
///
/// If `document` holds a map whose keys are not texts, or its `Serialize` fails.
pub fn dumps<T: Serialize + ?Sized>(document: &T) -> String {
    to_string_in(OneLine, document)
}

/// `json.dumps(document, indent=4)`: every element on a line of its own, four spaces a level.
///
/// # Panics
///
/// As [`dumps`].
pub fn dumps_indented<T: Serialize + ?Sized>(document: &T) -> String {
    to_string_in(Indented(PrettyFormatter::with_indent(b"    ")), document)
}

fn write_float<W: ?Sized + io::Write>(writer: &mut W, value: f64) -> io::Result<()> {
    writer.write_all(python_float(value).as_bytes())
}

/// A part of a text that needs no escapes in JSON, but may need them in ASCII.
fn write_text<W: ?Sized + io::Write>(writer: &mut W, fragment: &str) -> io::Result<()> {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~');
    if fragment.bytes().all(is_plain) {
        return writer.write_all(fragment.as_bytes());
    }
    for character in fragment.chars() {
        match u8::try_from(character) {
            Ok(byte) if is_plain(byte) => writer.write_all(&[byte])?,
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
    }
    Ok(())
}

struct OneLine;

impl Formatter for OneLine {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write_float(writer, value)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_text(writer, fragment)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

struct Indented(PrettyFormatter<'static>);

impl Formatter for Indented {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        write_float(writer, value)
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        write_text(writer, fragment)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The expected texts are what Python 3.11 prints for the same values.
    #[test]
    fn text_is_that_of_python() {
        let cases = [
            (json!({}), "{}"),
            (json!([]), "[]"),
            (json!({ "a": [1, 2.0, null, true], "b": {} }), r#"{"a": [1, 2.0, null, true], "b": {}}"#),
            (json!([1e16, 1.5e300, 1e-5, 0.0001, 0.1, -0.0]), "[1e+16, 1.5e+300, 1e-05, 0.0001, 0.1, -0.0]"),
            (json!(u64::MAX), "18446744073709551615"),
            (json!("a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}"), r#""a\"\\/\b\f\n\r\t\u0001\u007f""#),
            (json!("é€😀"), r#""\u00e9\u20ac\ud83d\ude00""#),
        ];
        for (value, text) in cases {
            assert_eq!(dumps(&value), text);
        }
        let document = json!({ "a": [], "b": [1.0, { "é\u{7f}": {} }] });
        let text = "{\n    \"a\": [],\n    \"b\": [\n        1.0,\n        {\n            \"\\u00e9\\u007f\": {}\n        }\n    ]\n}";
        assert_eq!(dumps_indented(&document), text);
    }
}
