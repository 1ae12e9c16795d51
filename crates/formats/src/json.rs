//! JSON text in the layout of Jackson's default pretty printer, which the files have to the byte.
//!
//! Two spaces per object level, ` : ` between key and value, arrays on the line of their key (`[ 1.0, 2.0 ]`,
//! `[ {`, `}, {`, `} ]`), `[ ]` and `{ }` when empty, no line end after the last brace. Doubles stand in Java's layout.

use std::io;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::ser::{CharEscape, Formatter, Serializer};

use crate::error::Error;
use crate::number::DoubleText;

/// The document as text.
///
/// Doubles that are not finite become `null` here, as in any serde JSON; the document types of this crate write them
/// as the strings `"NaN"`, `"Infinity"`, `"-Infinity"`.
///
/// # Panics
///
/// If `document` holds a map whose keys are not texts, or its `Serialize` fails; no type of this crate does.
pub fn to_string<T: Serialize>(document: &T) -> String {
    to_string_in(JacksonFormatter::default(), document)
}

/// The document as text in any layout; panics as [`to_string`] does.
pub(crate) fn to_string_in<F: Formatter, T: Serialize + ?Sized>(layout: F, document: &T) -> String {
    let mut bytes = Vec::with_capacity(4096);
    let mut serializer = Serializer::with_formatter(&mut bytes, layout);
    document.serialize(&mut serializer).expect("documents have text keys and are written to memory");
    String::from_utf8(bytes).expect("the serializer writes texts only")
}

/// The document in one line without spaces.
pub(crate) fn to_compact_string<T: Serialize>(document: &T) -> String {
    serde_json::to_string(document).expect("documents have text keys and are written to memory")
}

/// Reads a document; a byte order mark before it is accepted.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    parse_borrowed(text)
}

/// Reads a document that may borrow from the text; a byte order mark before it is accepted.
pub(crate) fn parse_borrowed<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Serde would take the elements of an array for the fields of a struct, in order.
    if text.trim_start().starts_with('[') {
        let message = "expected a JSON object, not an array".to_owned();
        return Err(Error::Document { path: String::new(), message });
    }
    serde_json::from_str(text).map_err(|error| Error::Document {
        path: path_at(text, offset_of(text, error.line(), error.column())),
        message: error.to_string(),
    })
}

/// Where arrays add no level and objects add two spaces.
#[derive(Default)]
struct JacksonFormatter {
    object_level: usize,
    object_has_entries: bool,
}

impl JacksonFormatter {
    fn new_line<W: ?Sized + io::Write>(&self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"\n")?;
        for _ in 0..self.object_level {
            writer.write_all(b"  ")?;
        }
        Ok(())
    }
}

impl Formatter for JacksonFormatter {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(DoubleText::new(value).as_str().as_bytes())
    }

    fn write_char_escape<W: ?Sized + io::Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let short = match escape {
            CharEscape::Quote => b"\\\"",
            CharEscape::ReverseSolidus => b"\\\\",
            CharEscape::Solidus => b"\\/",
            CharEscape::Backspace => b"\\b",
            CharEscape::FormFeed => b"\\f",
            CharEscape::LineFeed => b"\\n",
            CharEscape::CarriageReturn => b"\\r",
            CharEscape::Tab => b"\\t",
            CharEscape::AsciiControl(byte) => return write!(writer, "\\u{byte:04X}"),
        };
        writer.write_all(short)
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b" " } else { b", " })
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" ]")
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.object_level += 1;
        self.object_has_entries = false;
        writer.write_all(b"{")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.object_has_entries = true;
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.object_level -= 1;
        if self.object_has_entries {
            self.new_line(writer)?;
        } else {
            writer.write_all(b" ")?;
        }
        writer.write_all(b"}")
    }
}

/// The byte that an error's line and column (in bytes) point to.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let line_start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    (line_start + column).min(text.len())
}

/// An object with the key last seen in it, or an array with the index of the current element.
enum Container<'a> {
    Object { key: &'a str, key_is_next: bool },
    Array { index: usize },
}

/// The path of the value that ends at or spans `offset`: keys and indexes, such as `features[3].completeness`.
/// Only looks at brackets, commas and quotes, so it also serves for text that is not JSON further on.
fn path_at(text: &str, offset: usize) -> String {
    let bytes = text.as_bytes();
    let mut containers: Vec<Container> = Vec::new();
    let mut position = 0;
    while position < offset {
        match bytes[position] {
            b'{' => containers.push(Container::Object { key: "", key_is_next: true }),
            b'[' => containers.push(Container::Array { index: 0 }),
            b'}' | b']' => drop(containers.pop()),
            b',' => match containers.last_mut() {
                Some(Container::Object { key_is_next, .. }) => *key_is_next = true,
                Some(Container::Array { index }) => *index += 1,
                None => {}
            },
            b'"' => {
                let start = position + 1;
                position = end_of_string(bytes, start);
                if let Some(Container::Object { key, key_is_next: key_is_next @ true }) = containers.last_mut() {
                    *key = text.get(start..position).unwrap_or_default();
                    *key_is_next = false;
                }
            }
            _ => {}
        }
        position += 1;
    }
    path_of(&containers)
}

/// The position of the quote that closes the string whose first character is at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut position = start;
    while position < bytes.len() && bytes[position] != b'"' {
        position += if bytes[position] == b'\\' { 2 } else { 1 };
    }
    position.min(bytes.len())
}

fn path_of(containers: &[Container]) -> String {
    /// Deeper levels than any document has only make the message unreadable.
    const LEVELS_SHOWN: usize = 12;
    let mut path = String::new();
    for container in containers.iter().take(LEVELS_SHOWN) {
        match container {
            Container::Object { key: "", .. } => {}
            Container::Object { key, .. } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Container::Array { index } => {
                path.push('[');
                path.push_str(&index.to_string());
                path.push(']');
            }
        }
    }
    path
}
