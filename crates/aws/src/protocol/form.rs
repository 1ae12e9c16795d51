//! The query protocol's requests: a form whose fields name the members, `MetricData.member.1.Value=3`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Bound;

use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use super::{Request, Route};
use crate::model::{Member, Shape};
use crate::{Error, Time};

/// So many fields a form may have: twenty for each of a thousand metrics is the most that is asked for.
const MOST_FIELDS: usize = 100_000;

/// The names and values of a form, decoded one by one.
pub struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

/// The fields of a form.
pub fn fields(form: &[u8]) -> Fields<'_> {
    Fields { rest: Some(form) }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Cow<'a, str>, Cow<'a, str>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.rest?;
            let (field, after) = split_once(rest, b'&');
            self.rest = after;
            if !field.is_empty() {
                let (name, value) = split_once(field, b'=');
                return Some((decoded(name), decoded(value.unwrap_or_default())));
            }
        }
    }
}

fn split_once(bytes: &[u8], separator: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == separator) {
        Some(position) => (&bytes[..position], Some(&bytes[position + 1..])),
        None => (bytes, None),
    }
}

/// What is not UTF-8 becomes the replacement character, which no pattern lets through where it matters.
fn decoded(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.contains(&b'+') {
        let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        return Cow::Owned(percent_decode(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode(bytes).decode_utf8_lossy()
}

/// The input of the operation, built as its model says.
pub fn decode(route: &Route, request: &Request<'_>, body: &[u8]) -> Result<Value, Error> {
    let operation = route.service.model().and_then(|model| model.operation(&route.operation));
    let operation = operation.ok_or_else(|| Error::unknown_operation(&route.operation))?;
    let mut form = BTreeMap::new();
    for (name, value) in fields(request.uri.query().unwrap_or_default().as_bytes()).chain(fields(body)) {
        if form.len() == MOST_FIELDS {
            return Err(malformed(format!("the form has more than {MOST_FIELDS} fields")));
        }
        form.insert(name, value);
    }
    match operation.input {
        Some(Shape::Structure { members, .. }) => structure(members, "", &form),
        _ => Ok(Value::Object(Map::new())),
    }
}

type Form<'a> = BTreeMap<Cow<'a, str>, Cow<'a, str>>;

fn structure(members: &[Member], path: &str, form: &Form<'_>) -> Result<Value, Error> {
    let mut object = Map::new();
    for member in members {
        let path = if path.is_empty() { member.name.to_owned() } else { format!("{path}.{}", member.name) };
        if let Some(value) = value(member.shape, &path, form)? {
            object.insert(member.name.to_owned(), value);
        }
    }
    Ok(Value::Object(object))
}

/// The value at a path; none where the form says nothing of it. Every step down needs a longer name in the form, so the
/// form bounds the depth.
fn value(shape: &Shape, path: &str, form: &Form<'_>) -> Result<Option<Value>, Error> {
    let text = form.get(path);
    match shape {
        Shape::Structure { members, .. } => match below(path, form).next() {
            Some(_) => structure(members, path, form).map(Some),
            None => Ok(None),
        },
        Shape::List { member, .. } => {
            let items = numbered(&format!("{path}.member"), form)
                .into_iter()
                .map(|item| Ok(value(member, &item, form)?.unwrap_or(Value::Null)))
                .collect::<Result<Vec<_>, Error>>()?;
            // A list without items is sent as its bare name.
            Ok((!items.is_empty() || text.is_some_and(|text| text.is_empty())).then_some(Value::Array(items)))
        }
        Shape::Map { value: of_values, .. } => {
            let mut entries = Map::new();
            for entry in numbered(&format!("{path}.entry"), form) {
                let Some(key) = form.get(format!("{entry}.key").as_str()) else { continue };
                let value = value(of_values, &format!("{entry}.value"), form)?.unwrap_or(Value::Null);
                entries.insert(key.clone().into_owned(), value);
            }
            Ok((!entries.is_empty()).then_some(Value::Object(entries)))
        }
        _ => text.map(|text| plain(shape, path, text)).transpose(),
    }
}

/// The names in the form that continue a path.
fn below<'f, 'a>(path: &str, form: &'f Form<'a>) -> impl Iterator<Item = &'f Cow<'a, str>> + use<'f, 'a> {
    let head = format!("{path}.");
    let names = form.range::<str, _>((Bound::Included(head.as_str()), Bound::Unbounded)).map(|(name, _)| name);
    names.take_while(move |name| name.starts_with(&head))
}

/// The paths `<path>.1`, `<path>.2`, ... that the form has, in the order of their numbers.
fn numbered(path: &str, form: &Form<'_>) -> Vec<String> {
    let numbers: std::collections::BTreeSet<(u64, &str)> = below(path, form)
        .filter_map(|name| {
            let number = name[path.len() + 1..].split('.').next()?;
            Some((number.parse().ok()?, number))
        })
        .collect();
    numbers.into_iter().map(|(_, number)| format!("{path}.{number}")).collect()
}

fn plain(shape: &Shape, path: &str, text: &str) -> Result<Value, Error> {
    let wrong = |wanted: &str| malformed(format!("`{text}` at `{path}` is not {wanted}"));
    match shape {
        Shape::Integer(_) | Shape::Long(_) => {
            text.trim().parse::<i64>().map(Value::from).map_err(|_| wrong("a whole number"))
        }
        Shape::Double(_) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
            number.map(Value::from).ok_or_else(|| wrong("a number"))
        }
        Shape::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Bool(true)),
        Shape::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Bool(false)),
        Shape::Boolean => Err(wrong("true or false")),
        Shape::Time if Time::parse(text).is_none() => Err(wrong("a time")),
        _ => Ok(Value::String(text.to_owned())),
    }
}

fn malformed(message: String) -> Error {
    Error::new("MalformedInput", message)
}
