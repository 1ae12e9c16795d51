//! JSON 1.0 and 1.1.

use serde_json::{Map, Value};

use super::Protocol;
use crate::Error;

pub fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Json10 => "application/x-amz-json-1.0",
        Protocol::Json11 => "application/x-amz-json-1.1",
        _ => "application/json",
    }
}

/// What the values of a body may weigh. The largest request, a thousand metrics of thirty dimensions and 150 values, keeps
/// within it. Eight bytes of a body can become an object of six hundred in memory, so that the length of a body bounds nothing.
pub const HEAVIEST: usize = 1_000_000;
/// What an object weighs beside a value of another kind.
pub const OBJECT: usize = 10;

/// The answer to a body of too many values.
pub fn too_heavy() -> Error {
    let message = format!("the body holds too many values: at most {HEAVIEST}, of which an object counts for {OBJECT}");
    Error::new("RequestEntityTooLargeException", message).with_status(413)
}

/// An empty body is an empty object. How deep a body nests is bounded by the reader (128).
pub fn decode(body: &[u8]) -> Result<Value, Error> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if body.len() > HEAVIEST / OBJECT && weight(body) > HEAVIEST {
        return Err(too_heavy());
    }
    serde_json::from_slice(body).map_err(|error| Error::serialization(format!("the body is not JSON: {error}")))
}

/// What values a body has, by what stands before each: a comma or an opening bracket that is in no text.
fn weight(body: &[u8]) -> usize {
    let (mut weight, mut in_text) = (0, false);
    let mut bytes = body.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_text = !in_text,
            b'\\' if in_text => _ = bytes.next(),
            b',' | b'[' if !in_text => weight += 1,
            b'{' if !in_text => weight += OBJECT,
            _ => {}
        }
    }
    weight
}

pub fn encode(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// The body of an error in JSON and CBOR.
pub fn error(code: &str, error: &Error) -> Value {
    let mut body = Map::new();
    body.insert("__type".to_owned(), code.into());
    body.insert("message".to_owned(), error.message.as_str().into());
    body.extend((*error.members).clone());
    Value::Object(body)
}
