//! `smithy-rpc-v2-cbor`: moments are tag 1, bytes are bytes, the rest is as in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value};

use super::body::too_large;
use super::json::{HEAVIEST, OBJECT, too_heavy};
use crate::Error;
use crate::model::Shape;

/// The header `smithy-protocol` of requests and answers.
pub const PROTOCOL: &str = "rpc-v2-cbor";

/// One byte of CBOR becomes up to sixty-four in memory, so this is nearer to the largest request (one mebibyte) than the
/// limit of the other protocols.
const LARGEST: usize = 2 * 1024 * 1024;

const EPOCH_SECONDS: u64 = 1;

/// An empty body is an empty object. The reader bounds how deep a body nests (256).
pub fn decode(body: &[u8]) -> Result<Value, Error> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    if body.len() > LARGEST {
        return Err(too_large(LARGEST as u64));
    }
    let mut rest = body;
    let cbor = ciborium::from_reader(&mut rest).map_err(|_| Error::serialization("the body is not CBOR"))?;
    let mut left = HEAVIEST;
    if rest.is_empty() { json(cbor, &mut left) } else { Err(Error::serialization("the body is longer than its CBOR")) }
}

/// `left` is what the values may still weigh.
fn json(cbor: Cbor, left: &mut usize) -> Result<Value, Error> {
    let weight = if matches!(cbor, Cbor::Map(_)) { OBJECT } else { 1 };
    *left = left.checked_sub(weight).ok_or_else(too_heavy)?;
    Ok(match cbor {
        Cbor::Null => Value::Null,
        Cbor::Bool(value) => Value::Bool(value),
        Cbor::Integer(whole) => whole_number(i128::from(whole)),
        Cbor::Float(number) => floating(number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Bytes(bytes) => Value::String(STANDARD.encode(bytes)),
        Cbor::Array(items) => Value::Array(items.into_iter().map(|item| json(item, left)).collect::<Result<_, _>>()?),
        Cbor::Map(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let Cbor::Text(key) = key else {
                    return Err(Error::serialization("a key of a map is not a text"));
                };
                object.insert(key, json(value, left)?);
            }
            Value::Object(object)
        }
        Cbor::Tag(_, value) => json(*value, left)?,
        _ => return Err(Error::serialization("the body holds a value that has no meaning here")),
    })
}

fn whole_number(whole: i128) -> Value {
    i64::try_from(whole)
        .map(Value::from)
        .or_else(|_| u64::try_from(whole).map(Value::from))
        .unwrap_or_else(|_| floating(whole as f64))
}

/// JSON has no infinities and no NaN; there they are texts.
fn floating(number: f64) -> Value {
    let text = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Number::from_f64(number).map_or_else(|| text.into(), Value::Number)
}

/// An output by its shape, or without one as it is.
pub fn encode(shape: Option<&Shape>, value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = ciborium::into_writer(&cbor(shape.unwrap_or(&Shape::Opaque), value), &mut bytes);
    debug_assert!(written.is_ok(), "writing to memory does not fail");
    bytes
}

fn cbor(shape: &Shape, value: &Value) -> Cbor {
    match (shape, value) {
        (_, Value::Null) => Cbor::Null,
        (_, Value::Bool(value)) => Cbor::Bool(*value),
        (Shape::Structure { members, .. }, Value::Object(object)) => {
            let present = members.iter().filter_map(|member| Some((member, object.get(member.name)?)));
            let present = present.filter(|(_, value)| !value.is_null());
            Cbor::Map(present.map(|(member, value)| (member.name.into(), cbor(member.shape, value))).collect())
        }
        (Shape::Map { value: of_values, .. }, Value::Object(object)) => entries(of_values, object),
        (_, Value::Object(object)) => entries(&Shape::Opaque, object),
        (Shape::List { member, .. }, Value::Array(items)) => {
            Cbor::Array(items.iter().map(|item| cbor(member, item)).collect())
        }
        (_, Value::Array(items)) => Cbor::Array(items.iter().map(|item| cbor(&Shape::Opaque, item)).collect()),
        (Shape::Time, Value::Number(seconds)) => Cbor::Tag(EPOCH_SECONDS, Box::new(time(seconds))),
        (Shape::Double(_), Value::Number(number)) => Cbor::Float(number.as_f64().unwrap_or(f64::NAN)),
        (Shape::Blob(_), Value::String(text)) => STANDARD.decode(text).map_or(Cbor::Null, Cbor::Bytes),
        (_, Value::Number(number)) => plain_number(number),
        (_, Value::String(text)) => Cbor::Text(text.clone()),
    }
}

fn entries(shape: &Shape, object: &Map<String, Value>) -> Cbor {
    Cbor::Map(object.iter().map(|(name, value)| (name.as_str().into(), cbor(shape, value))).collect())
}

/// Whole seconds as a whole number.
fn time(seconds: &Number) -> Cbor {
    match seconds.as_f64() {
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => Cbor::Integer((number as i64).into()),
        _ => plain_number(seconds),
    }
}

fn plain_number(number: &Number) -> Cbor {
    if let Some(whole) = number.as_i64() {
        Cbor::Integer(whole.into())
    } else if let Some(whole) = number.as_u64() {
        Cbor::Integer(whole.into())
    } else {
        Cbor::Float(number.as_f64().unwrap_or(f64::NAN))
    }
}
