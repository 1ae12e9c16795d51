//! The members of a JSON object, unparsed.

use std::borrow::Cow;

use super::lines::not_json;
use crate::members::each_member;

/// Keys and the texts of their values, in their order.
#[derive(Default)]
pub(super) struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Members<'a> {
    /// Takes an object apart.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        if !text.starts_with('{') {
            return Err("not a JSON object".to_owned());
        }
        let mut members = Vec::new();
        each_member(text, |key, value| members.push((key, value))).map_err(|error| not_json(&error))?;
        Ok(Self(members))
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
