//! What is checked of an input before an operation sees it: the types and limits of the model, in AWS's own words.
//!
//! A value of the wrong type ends the look with `SerializationException`, as the service cannot read such a body at all.
//! What breaks limits is collected in the model's order and told in one text, `N validation errors detected: …; …`.
//! Paths are those of the service: members with a small first letter, items of lists as `tags.1.member`. What is wrong
//! with a plain item of a list, or with a key or value of a map, is told once for the whole, with every limit of the
//! item in brackets. Members that the model does not know are ignored, and a member that is null counts as missing.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::model::{Limits, Member, Pattern, ServiceModel, Shape};
use crate::{Error, Time};

/// So many errors are told; a request with more is as wrong.
const MOST_ERRORS: usize = 100;
/// So many bytes of a value are shown.
const LONGEST_VALUE: usize = 4096;
/// So deep may nest what no model describes: it is stored inside of documents whose reader stops at 128.
const DEEPEST_OPAQUE: usize = 64;

/// Checks an input against the shape of its operation.
///
/// # Errors
/// `SerializationException` for a wrong type, the service's code for everything outside the limits.
pub fn validate(service: &ServiceModel, shape: &Shape, input: &Value) -> Result<(), Error> {
    let mut check = Check { path: String::new(), errors: Vec::new() };
    check.value(shape, input)?;
    match check.errors.len() {
        0 => Ok(()),
        1 => Err(Error::new(service.validation_code, format!("1 validation error detected: {}", check.errors[0]))),
        many => {
            let text = format!("{many} validation errors detected: {}", check.errors.join("; "));
            Err(Error::new(service.validation_code, text))
        }
    }
}

struct Check {
    /// Where the walk is.
    path: String,
    errors: Vec<String>,
}

impl Check {
    fn value(&mut self, shape: &Shape, value: &Value) -> Result<(), Error> {
        match shape {
            Shape::Structure { members, .. } => match value {
                Value::Object(object) => self.members(members, object),
                _ => Err(wrong_collection(value)),
            },
            Shape::List { member, size } => match value {
                Value::Array(items) => self.list(member, *size, value, items),
                _ => Err(wrong_collection(value)),
            },
            Shape::Map { key, value: of_values, size } => match value {
                Value::Object(entries) => self.map(key, of_values, *size, value, entries),
                _ => Err(wrong_collection(value)),
            },
            Shape::Opaque if nests_deeper(value, DEEPEST_OPAQUE) => {
                Err(Error::serialization(format!("`{}` nests deeper than {DEEPEST_OPAQUE} levels", self.path)))
            }
            _ => {
                check_type(shape, value)?;
                for constraint in broken(shape, value) {
                    self.broken(value, &constraint);
                }
                Ok(())
            }
        }
    }

    fn members(&mut self, members: &[Member], object: &Map<String, Value>) -> Result<(), Error> {
        for member in members {
            let given = object.get(member.name).filter(|value| !value.is_null());
            if given.is_none() && !member.required {
                continue;
            }
            let before = self.path.len();
            if before > 0 {
                self.path.push('.');
            }
            push_camel_case(&mut self.path, member.name);
            match given {
                Some(value) => self.value(member.shape, value)?,
                None => self.broken(&Value::Null, "Member must not be null"),
            }
            self.path.truncate(before);
        }
        Ok(())
    }

    fn list(&mut self, member: &Shape, size: Limits, list: &Value, items: &[Value]) -> Result<(), Error> {
        self.size(size, items.len(), list);
        if member.is_plain() {
            let mut fits = true;
            for item in items {
                fits &= fits_plain(member, item)?;
            }
            if !fits {
                self.broken(list, &format!("Member must satisfy constraint: [{}]", limits_of(member)));
            }
            return Ok(());
        }
        for (index, item) in items.iter().enumerate() {
            let before = self.path.len();
            let _ = write!(self.path, ".{}.member", index + 1);
            self.item(member, item)?;
            self.path.truncate(before);
        }
        Ok(())
    }

    fn map(
        &mut self,
        key: &Shape,
        of_values: &Shape,
        size: Limits,
        map: &Value,
        entries: &Map<String, Value>,
    ) -> Result<(), Error> {
        self.size(size, entries.len(), map);
        if entries.keys().any(|name| !broken_text(key, name).is_empty()) {
            self.broken(map, &format!("Map keys must satisfy constraint: [{}]", limits_of(key)));
        }
        if of_values.is_plain() {
            let mut fits = true;
            for value in entries.values() {
                fits &= fits_plain(of_values, value)?;
            }
            if !fits {
                self.broken(map, &format!("Map value must satisfy constraint: [{}]", limits_of(of_values)));
            }
            return Ok(());
        }
        for (name, value) in entries {
            let before = self.path.len();
            let _ = write!(self.path, ".{name}.member");
            self.item(of_values, value)?;
            self.path.truncate(before);
        }
        Ok(())
    }

    /// An item or a map's value that is a structure, a list or a map itself.
    fn item(&mut self, shape: &Shape, item: &Value) -> Result<(), Error> {
        if item.is_null() && !matches!(shape, Shape::Opaque) {
            self.broken(item, "Member must not be null");
            return Ok(());
        }
        self.value(shape, item)
    }

    fn size(&mut self, size: Limits, found: usize, value: &Value) {
        if let Some(constraint) = broken_length(size, found) {
            self.broken(value, &constraint);
        }
    }

    fn broken(&mut self, value: &Value, constraint: &str) {
        if self.errors.len() == MOST_ERRORS {
            return;
        }
        let path = &self.path;
        self.errors.push(match value {
            Value::Null => format!("Value null at '{path}' failed to satisfy constraint: {constraint}"),
            _ => format!("Value '{}' at '{path}' failed to satisfy constraint: {constraint}", shown(value)),
        });
    }
}

impl Shape {
    /// Whether it holds no other shape, as far as the model knows.
    fn is_plain(&self) -> bool {
        !matches!(self, Self::Structure { .. } | Self::List { .. } | Self::Map { .. } | Self::Opaque)
    }
}

/// Whether an item keeps to its limits; a wrong type is an error.
fn fits_plain(shape: &Shape, item: &Value) -> Result<bool, Error> {
    if item.is_null() {
        return Ok(false);
    }
    check_type(shape, item)?;
    Ok(broken(shape, item).is_empty())
}

fn check_type(shape: &Shape, value: &Value) -> Result<(), Error> {
    let (fits, wanted) = match shape {
        Shape::Text { .. } | Shape::Blob(_) => (value.is_string(), "a String"),
        Shape::Integer(_) => (value.as_i64().is_some_and(|number| i32::try_from(number).is_ok()), "an Integer"),
        Shape::Long(_) => (value.as_i64().is_some(), "a Long"),
        Shape::Double(_) => (value.is_number(), "a Double"),
        Shape::Boolean => (value.is_boolean(), "a Boolean"),
        Shape::Time => (is_time(value), "milliseconds since epoch"),
        Shape::Structure { .. } | Shape::List { .. } | Shape::Map { .. } | Shape::Opaque => (true, ""),
    };
    if fits {
        return Ok(());
    }
    let found = match value {
        Value::Object(_) => return Err(Error::serialization("Start of structure or map found where not expected.")),
        Value::Array(_) => return Err(Error::serialization("Start of list found where not expected.")),
        _ => java_class(value),
    };
    Err(Error::serialization(format!("class {found} can not be converted to {wanted}")))
}

/// For a structure, a list or a map something else was sent.
fn wrong_collection(found: &Value) -> Error {
    Error::serialization(match found {
        Value::Object(_) => "Start of structure or map found where not expected.".to_owned(),
        Value::Array(_) => "Start of list found where not expected.".to_owned(),
        _ => format!("Unrecognized collection type class {}", java_class(found)),
    })
}

fn java_class(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "java.lang.String",
        Value::Bool(_) => "java.lang.Boolean",
        Value::Number(number) => match number.as_i64() {
            Some(whole) if i32::try_from(whole).is_ok() => "java.lang.Integer",
            Some(_) => "java.lang.Long",
            None => "java.lang.Double",
        },
        Value::Null | Value::Array(_) | Value::Object(_) => "java.lang.Object",
    }
}

fn nests_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| nests_deeper(item, levels - 1)),
        Value::Object(entries) => levels == 0 || entries.values().any(|entry| nests_deeper(entry, levels - 1)),
        _ => false,
    }
}

fn is_time(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().and_then(Time::from_epoch_seconds).is_some(),
        Value::String(text) => Time::parse(text).is_some(),
        _ => false,
    }
}

/// The constraints that a value of the right type breaks.
fn broken(shape: &Shape, value: &Value) -> Vec<String> {
    match (shape, value) {
        (Shape::Text { .. }, Value::String(text)) => broken_text(shape, text),
        // Three bytes are four characters.
        (Shape::Blob(size), Value::String(text)) => broken_length(*size, text.len() / 4 * 3).into_iter().collect(),
        (Shape::Integer(range) | Shape::Long(range) | Shape::Double(range), Value::Number(number)) => {
            let number = number.as_f64().unwrap_or_default();
            if let Some(maximum) = range.maximum.filter(|maximum| number > *maximum as f64) {
                vec![format!("Member must have value less than or equal to {maximum}")]
            } else if let Some(minimum) = range.minimum.filter(|minimum| number < *minimum as f64) {
                vec![format!("Member must have value greater than or equal to {minimum}")]
            } else {
                Vec::new()
            }
        }
        _ => Vec::new(),
    }
}

fn broken_text(shape: &Shape, text: &str) -> Vec<String> {
    let Shape::Text { length, pattern, values } = shape else { return Vec::new() };
    let mut broken: Vec<String> = broken_length(*length, text.chars().count()).into_iter().collect();
    let too_long = length.maximum.is_some_and(|maximum| text.chars().count() as i64 > maximum);
    // The model's patterns repeat the longest length, those of the service do not: too long is told once.
    if let Some(pattern) = pattern.filter(|pattern| !too_long && !pattern.matches(text)) {
        broken.push(pattern_constraint(pattern));
    }
    if !values.is_empty() && !values.contains(&text) {
        broken.push(enumeration_constraint(values));
    }
    broken
}

fn broken_length(size: Limits, found: usize) -> Option<String> {
    let found = i64::try_from(found).unwrap_or(i64::MAX);
    if let Some(maximum) = size.maximum.filter(|maximum| found > *maximum) {
        return Some(format!("Member must have length less than or equal to {maximum}"));
    }
    let minimum = size.minimum.filter(|minimum| found < *minimum)?;
    Some(format!("Member must have length greater than or equal to {minimum}"))
}

fn pattern_constraint(pattern: &Pattern) -> String {
    format!("Member must satisfy regular expression pattern: {}", pattern.text)
}

fn enumeration_constraint(values: &[&str]) -> String {
    format!("Member must satisfy enum value set: [{}]", values.join(", "))
}

/// All limits of an item, as they stand in the brackets.
fn limits_of(shape: &Shape) -> String {
    let both = |limits: &Limits, what: &str| {
        let maximum = limits.maximum.map(|maximum| format!("Member must have {what} less than or equal to {maximum}"));
        let minimum =
            limits.minimum.map(|minimum| format!("Member must have {what} greater than or equal to {minimum}"));
        maximum.into_iter().chain(minimum)
    };
    let mut limits: Vec<String> = match shape {
        Shape::Text { length, pattern, values } => {
            let texts = both(length, "length").chain(pattern.map(pattern_constraint));
            texts.chain((!values.is_empty()).then(|| enumeration_constraint(values))).collect()
        }
        Shape::Integer(range) | Shape::Long(range) | Shape::Double(range) => both(range, "value").collect(),
        Shape::Blob(size) => both(size, "length").collect(),
        _ => Vec::new(),
    };
    if limits.is_empty() {
        limits.push("Member must not be null".to_owned());
    }
    limits.join(", ")
}

/// `S3Uri` as `s3Uri`.
fn push_camel_case(path: &mut String, name: &str) {
    let mut characters = name.chars();
    path.extend(characters.next().map(|first| first.to_ascii_lowercase()));
    path.push_str(characters.as_str());
}

/// A value as a message shows it: texts as they are, lists as `[a, b]`, maps and structures as `{a=b}`.
fn shown(value: &Value) -> String {
    let mut text = String::new();
    show(&mut text, value);
    if text.len() > LONGEST_VALUE {
        text.truncate(text.floor_char_boundary(LONGEST_VALUE));
        text.push_str("...");
    }
    text
}

fn show(text: &mut String, value: &Value) {
    if text.len() > LONGEST_VALUE {
        return;
    }
    match value {
        Value::String(string) => text.push_str(string),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate().take(LONGEST_VALUE) {
                text.push_str(if index == 0 { "" } else { ", " });
                show(text, item);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            text.push('{');
            for (index, (name, entry)) in entries.iter().enumerate().take(LONGEST_VALUE) {
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(name);
                text.push('=');
                show(text, entry);
            }
            text.push('}');
        }
        plain => {
            let _ = write!(text, "{plain}");
        }
    }
}
