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

/// An empty body is an empty object. How deep a body nests is bounded by the reader (128).
pub fn decode(body: &[u8]) -> Result<Value, Error> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(body).map_err(|error| Error::serialization(format!("the body is not JSON: {error}")))
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
