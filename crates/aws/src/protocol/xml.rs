//! Answers of the query protocol, and errors in XML.

use serde_json::Value;

use super::{Route, fault};
use crate::model::Shape;
use crate::xml::push_escaped;
use crate::{Error, Time};

/// `<GetRoleResponse xmlns="..."><GetRoleResult>...</GetRoleResult><ResponseMetadata>...`.
pub fn answer(route: &Route, request_id: &str, shape: Option<&Shape>, output: Option<&Value>) -> Vec<u8> {
    let mut xml = Xml::default();
    let operation = &route.operation;
    xml.open_with_namespace(&format!("{operation}Response"), namespace(route));
    if let (Some(shape), Some(output)) = (shape, output) {
        xml.value(&format!("{operation}Result"), shape, output);
    }
    xml.open("ResponseMetadata");
    xml.text("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&format!("{operation}Response"));
    xml.text.into_bytes()
}

/// `<ErrorResponse xmlns="..."><Error><Type>Sender</Type>...`.
pub fn error(route: &Route, request_id: &str, code: &str, status: u16, error: &Error) -> Vec<u8> {
    let mut xml = Xml::default();
    xml.open_with_namespace("ErrorResponse", namespace(route));
    xml.open("Error");
    xml.text("Type", fault(status));
    xml.text("Code", code);
    xml.text("Message", &error.message);
    xml.close("Error");
    xml.text("RequestId", request_id);
    xml.close("ErrorResponse");
    xml.text.into_bytes()
}

/// An error of S3, for what is refused before S3 sees it.
pub fn object_error(request_id: &str, error: &Error) -> Vec<u8> {
    let mut xml = Xml { text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned() };
    xml.open("Error");
    xml.text("Code", &error.code);
    xml.text("Message", &error.message);
    xml.text("RequestId", request_id);
    xml.text("HostId", request_id);
    xml.close("Error");
    xml.text.into_bytes()
}

fn namespace(route: &Route) -> &'static str {
    route.service.model().map_or("", |model| model.xml_namespace)
}

#[derive(Default)]
struct Xml {
    text: String,
}

impl Xml {
    fn open(&mut self, name: &str) {
        self.text.extend(["<", name, ">"]);
    }

    fn open_with_namespace(&mut self, name: &str, namespace: &str) {
        self.text.extend(["<", name, " xmlns=\"", namespace, "\">"]);
    }

    fn close(&mut self, name: &str) {
        self.text.extend(["</", name, ">"]);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        push_escaped(&mut self.text, text);
        self.close(name);
    }

    /// An element; a member that is null is left out.
    fn value(&mut self, name: &str, shape: &Shape, value: &Value) {
        match (shape, value) {
            (_, Value::Null) => {}
            (Shape::Structure { members, .. }, Value::Object(object)) => {
                self.open(name);
                for member in *members {
                    if let Some(value) = object.get(member.name) {
                        self.value(member.name, member.shape, value);
                    }
                }
                self.close(name);
            }
            (Shape::List { member, .. }, Value::Array(items)) => {
                self.open(name);
                for item in items {
                    self.value("member", member, item);
                }
                self.close(name);
            }
            (Shape::Map { value: of_values, .. }, Value::Object(entries)) => {
                self.open(name);
                for (key, value) in entries {
                    self.open("entry");
                    self.text("key", key);
                    self.value("value", of_values, value);
                    self.close("entry");
                }
                self.close(name);
            }
            (Shape::Time, Value::Number(seconds)) => {
                let time = seconds.as_f64().and_then(Time::from_epoch_seconds);
                self.text(name, &time.map_or_else(|| seconds.to_string(), |time| time.to_string()));
            }
            (_, Value::String(text)) => self.text(name, text),
            (_, other) => self.text(name, &other.to_string()),
        }
    }
}
