//! The runtime's REST: what path and headers say, and its errors.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{Request, Route};
use crate::Error;
use crate::model::{Location, Shape};

/// The members of the input that are in path and headers. The body stays where it is.
pub fn decode(route: &Route, request: &Request<'_>) -> Result<Value, Error> {
    let operation = route.service.model().and_then(|model| model.operation(&route.operation));
    let Some(Shape::Structure { members, .. }) = operation.and_then(|operation| operation.input) else {
        return Err(Error::unknown_operation(&route.operation));
    };
    let mut input = Map::new();
    for member in *members {
        let text = match member.location {
            Location::Header(name) => request.header(name).map(ToOwned::to_owned),
            // `/endpoints/{EndpointName}/invocations` and its siblings: the only label.
            Location::Path => endpoint_name(request.uri.path()),
            Location::Body | Location::Status => None,
        };
        if let Some(text) = text {
            input.insert(member.name.to_owned(), typed(member.shape, text));
        }
    }
    Ok(Value::Object(input))
}

fn endpoint_name(path: &str) -> Option<String> {
    let label = path.strip_prefix("/endpoints/")?.split('/').next()?;
    percent_decode_str(label).decode_utf8().ok().map(String::from)
}

/// A number where the model wants one; what cannot be read as one stays a text and is refused as such.
fn typed(shape: &Shape, text: String) -> Value {
    match shape {
        Shape::Integer(_) | Shape::Long(_) => text.trim().parse::<i64>().map_or(Value::String(text), Value::from),
        _ => Value::String(text),
    }
}

/// The body of an error: its text is called `Message` here, its code is in a header.
pub fn error(error: &Error) -> Value {
    let mut body = Map::new();
    body.insert("Message".to_owned(), error.message.as_str().into());
    body.extend((*error.members).clone());
    Value::Object(body)
}
