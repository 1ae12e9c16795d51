//! JSON objects as members: which column a key is, and what its value is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use watchkeeper_engine::column::CellKind;

/// The columns met so far.
#[derive(Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a column. `guess` is where it would stand if this record were like the last one.
    pub(crate) fn place(&mut self, name: &str, guess: usize) -> usize {
        if self.names.get(guess).is_some_and(|known| known == name) {
            return guess;
        }
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

/// A value of an object.
pub(crate) enum Scalar<'a> {
    Missing,
    Text(Cow<'a, str>),
    /// A number as it is written.
    Number(&'a str),
    Boolean(&'a str),
}

impl Scalar<'_> {
    /// What stands in its cell; `None` of a missing value.
    #[inline]
    pub(crate) fn text_and_kind(&self) -> Option<(&str, CellKind)> {
        match self {
            Self::Missing => None,
            Self::Text(text) => Some((text, CellKind::Text)),
            Self::Number(text) => Some((text, CellKind::Number)),
            Self::Boolean(text) => Some((text, CellKind::Boolean)),
        }
    }
}

/// Why a record cannot be made into rows.
#[derive(Debug)]
pub(crate) enum BadRecord {
    /// What is wrong with it.
    Malformed(String),
    /// This key holds an object or array.
    Nested(String),
    /// Its payload has this encoding.
    Encoding(String),
    /// Request and answer are encoded differently.
    EncodingMismatch { input: String, output: String },
}

/// Walks over the members of a JSON object. With `flatten`, members of objects and arrays within it are members of
/// it, with names joined by dots.
pub(crate) fn members<'a>(
    object: &'a str,
    flatten: bool,
    mut member: impl FnMut(&str, Scalar<'a>),
) -> Result<(), BadRecord> {
    walk(object.trim_ascii(), None, flatten, 0, &mut member)
}

/// Nesting that is followed when objects are flattened.
const DEEPEST: usize = 100;

fn walk<'a>(
    object: &'a str,
    prefix: Option<&str>,
    flatten: bool,
    depth: usize,
    member: &mut dyn FnMut(&str, Scalar<'a>),
) -> Result<(), BadRecord> {
    let mut nested = None;
    let parsed = each_member(object, |key, raw| {
        let name = match prefix {
            None => key,
            Some(prefix) => Cow::Owned(format!("{prefix}.{key}")),
        };
        if let Err(problem) = value(&name, raw, flatten, depth, member) {
            nested.get_or_insert(problem);
        }
    });
    match (parsed, nested) {
        (Err(error), _) => Err(BadRecord::Malformed(said(object, &error))),
        (Ok(()), Some(problem)) => Err(problem),
        (Ok(()), None) => Ok(()),
    }
}

fn value<'a>(
    name: &str,
    raw: &'a str,
    flatten: bool,
    depth: usize,
    member: &mut dyn FnMut(&str, Scalar<'a>),
) -> Result<(), BadRecord> {
    match raw.as_bytes()[0] {
        b'n' => member(name, Scalar::Missing),
        b't' | b'f' => member(name, Scalar::Boolean(raw)),
        b'"' => member(name, Scalar::Text(string(raw)?)),
        b'{' | b'[' if !flatten || depth >= DEEPEST => return Err(BadRecord::Nested(name.to_owned())),
        b'{' => walk(raw, Some(name), flatten, depth + 1, member)?,
        b'[' => {
            for (index, element) in elements(raw)?.into_iter().enumerate() {
                value(&format!("{name}.{index}"), element.get(), flatten, depth + 1, member)?;
            }
        }
        _ => member(name, Scalar::Number(raw)),
    }
    Ok(())
}

/// Walks over the members of a JSON object, unparsed.
pub(crate) fn raw_members<'a>(object: &'a str, mut member: impl FnMut(&str, &'a str)) -> Result<(), BadRecord> {
    let parsed = each_member(object, |key, raw| member(&key, raw));
    parsed.map_err(|error| BadRecord::Malformed(said(object, &error)))
}

/// As [`raw_members`], with the parser's own words for what is wrong.
pub(crate) fn each_member<'a>(
    object: &'a str,
    member: impl FnMut(Cow<'a, str>, &'a str),
) -> Result<(), serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(object);
    parser.deserialize_map(Members(member))?;
    parser.end()
}

/// The elements of a JSON array, unparsed.
pub(crate) fn elements(array: &str) -> Result<Vec<&RawValue>, BadRecord> {
    serde_json::from_str(array).map_err(|error| BadRecord::Malformed(said(array, &error)))
}

/// The value of a JSON scalar.
pub(crate) fn scalar<'a>(name: &str, raw: &'a str) -> Result<Scalar<'a>, BadRecord> {
    let mut found = Scalar::Missing;
    value(name, raw, false, 0, &mut |_, value| found = value)?;
    Ok(found)
}

/// A JSON string's text; a piece of the source unless something in it is escaped.
fn string(raw: &str) -> Result<Cow<'_, str>, BadRecord> {
    let inner = &raw[1..raw.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).map(Cow::Owned).map_err(|error| BadRecord::Malformed(said(raw, &error)))
}

/// The parser's words with the text they are about, and a place in the record in place of a line of its own count.
fn said(text: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let byte = lines_before.map(str::len).sum::<usize>() + error.column();
    let begin = &text[..text.floor_char_boundary(60)];
    format!("not a JSON object: {message}, at byte {byte} of the record, which begins {begin:?}")
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de str)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            (self.0)(key.0, map.next_value::<&'de RawValue>()?.get());
        }
        Ok(())
    }
}

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);
