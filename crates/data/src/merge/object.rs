//! The members of a JSON object, unparsed.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::not_json;

/// Keys and the texts of their values, in their order.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// Takes an object apart.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if !text.starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        let mut parser = serde_json::Deserializer::from_str(text);
        let members = parser.deserialize_map(Collect).and_then(|members| parser.end().map(|()| members));
        members.map(Self).map_err(|error| not_json(&error))
    }

    /// The text of a member's value; of several the last, and none where it is null.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|&(_, value)| value).filter(|&value| value != "null")
    }

    /// Appends the object without a member and without the brace that closes it.
    pub(super) fn write_without(&self, name: &str, to: &mut Vec<u8>) {
        self.write(&[name], to);
    }

    /// The object without some members and without blanks, numbers as they are written.
    pub(super) fn compact_without(&self, names: &[&str]) -> String {
        let mut text = Vec::new();
        self.write(names, &mut text);
        text.push(b'}');
        String::from_utf8(text).expect("made of texts, of which only blanks were left out")
    }

    fn write(&self, without: &[&str], to: &mut Vec<u8>) {
        to.push(b'{');
        let others = self.0.iter().filter(|(key, _)| !without.contains(&&**key));
        for (number, (key, value)) in others.enumerate() {
            if number > 0 {
                to.push(b',');
            }
            to.extend_from_slice(quoted(key).as_bytes());
            to.push(b':');
            compact(value, to);
        }
    }
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text is written to memory")
}

/// Appends a JSON text without the blanks between its tokens.
fn compact(json: &str, to: &mut Vec<u8>) {
    let (mut in_string, mut is_escaped) = (false, false);
    for &byte in json.as_bytes() {
        if in_string {
            in_string = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
        } else if byte.is_ascii_whitespace() {
            continue;
        } else {
            in_string = byte == b'"';
        }
        to.push(byte);
    }
}

/// An id: a text that is not empty.
///
/// # Errors
/// It is something else than a text.
pub(super) fn id_text(value: &str) -> Result<Option<String>, String> {
    if !value.starts_with('"') {
        return Err("the id is no text".to_owned());
    }
    let id: String = serde_json::from_str(value).map_err(|error| format!("the id is no text: {error}"))?;
    Ok(Some(id).filter(|id| !id.is_empty()))
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Vec<(Cow<'de, str>, &'de str)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<Key<'de>>()? {
            members.push((key.0, map.next_value::<&'de RawValue>()?.get()));
        }
        Ok(members)
    }
}
