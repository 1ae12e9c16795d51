//! Records of a request, whatever its content type.

use std::fmt;

use serde_json::{Map, Value};

use super::Wrapping;

/// A content type that records come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
    JsonLines,
}

impl Format {
    pub(super) const NAMES: [&str; 3] = ["text/csv", "application/json", "application/jsonlines"];

    /// The format of a content type; its parameters and case mean nothing.
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "text/csv" => Some(Self::Csv),
            "application/json" => Some(Self::Json),
            "application/jsonlines" | "application/x-jsonlines" => Some(Self::JsonLines),
            _ => None,
        }
    }

    /// Its content type.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Csv => Self::NAMES[0],
            Self::Json => Self::NAMES[1],
            Self::JsonLines => Self::NAMES[2],
        }
    }
}

/// What a request holds.
pub(super) struct Records<'a> {
    pub(super) records: Vec<Record<'a>>,
    pub(super) wrapping: Wrapping,
}

/// One record. It is shown as its place: a line, or a number among the records.
pub(super) struct Record<'a> {
    place: Place,
    values: Values<'a>,
}

#[derive(Clone, Copy)]
enum Place {
    Line(usize),
    Number(usize),
}

enum Values<'a> {
    /// With commas between the values. Cut only where it is read: a value's place in memory is larger than most values.
    Line(&'a str),
    Array(Vec<Value>),
    Object(Map<String, Value>),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(number) => write!(f, "line {number}"),
            Self::Number(number) => write!(f, "record {number}"),
        }
    }
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

/// What a message shows of a value: its beginning, where it is long.
pub(super) fn shown(value: impl fmt::Display) -> String {
    const MOST: usize = 80;
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

impl Record<'_> {
    /// How many values it has.
    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Line(line) => line.split(',').count(),
            Values::Array(values) => values.len(),
            Values::Object(members) => members.len(),
        }
    }

    /// Its members, where they have names.
    pub(super) fn members(&self) -> Option<&Map<String, Value>> {
        match &self.values {
            Values::Object(members) => Some(members),
            Values::Line(_) | Values::Array(_) => None,
        }
    }

    /// The sum of its values, each times the coefficient of its column. There must be as many of both.
    pub(super) fn weighted(&self, coefficients: &[f64]) -> Result<f64, String> {
        let refused = |at: usize, text: String| format!("{self}, column {}: `{text}` is not a number", at + 1);
        let terms = coefficients.iter().enumerate();
        match &self.values {
            Values::Line(line) => {
                let terms = terms.zip(line.split(','));
                terms
                    .map(|((at, coefficient), text)| match finite(text) {
                        Some(value) => Ok(coefficient * value),
                        None => Err(refused(at, shown(text.trim()))),
                    })
                    .sum()
            }
            Values::Array(values) => {
                let terms = terms.zip(values);
                terms
                    .map(|((at, coefficient), value)| match value.as_f64() {
                        Some(value) => Ok(coefficient * value),
                        None => Err(refused(at, shown(value))),
                    })
                    .sum()
            }
            Values::Object(_) => Err(format!("{self}: it is an object, not values")),
        }
    }

    fn of_json(place: Place, value: Value) -> Result<Self, String> {
        let record = |values| Ok(Self { place, values });
        match value {
            Value::Array(values) => record(Values::Array(values)),
            Value::Object(members) => record(Values::Object(members)),
            other => Err(format!("{place}: `{}` is neither an array nor an object", shown(other))),
        }
    }
}

/// The number that a value of CSV is.
fn finite(text: &str) -> Option<f64> {
    let text = text.trim();
    let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    unquoted.parse().ok().filter(|number: &f64| number.is_finite())
}

impl<'a> Records<'a> {
    /// The records of a body.
    pub(super) fn read(format: Format, body: &'a [u8]) -> Result<Self, String> {
        match format {
            Format::Csv => csv(body),
            Format::Json => json(body),
            Format::JsonLines => json_lines(body),
        }
    }
}

/// Lines with their numbers; the last may have an end or none.
fn lines(body: &[u8]) -> Result<impl Iterator<Item = (usize, &str)>, String> {
    let text = std::str::from_utf8(body).map_err(|error| format!("the request is no UTF-8: {error}"))?;
    if text.trim().is_empty() {
        return Err("the request has no record".to_owned());
    }
    Ok(text.lines().enumerate().map(|(at, line)| (at + 1, line)))
}

fn csv(body: &[u8]) -> Result<Records<'_>, String> {
    let records = lines(body)?.map(|(number, line)| {
        if line.trim().is_empty() {
            return Err(format!("line {number}: it is empty"));
        }
        Ok(Record { place: Place::Line(number), values: Values::Line(line) })
    });
    Ok(Records { records: records.collect::<Result<_, String>>()?, wrapping: Wrapping::Array })
}

fn json_lines(body: &[u8]) -> Result<Records<'_>, String> {
    let records = lines(body)?.filter(|(_, line)| !line.trim().is_empty()).map(|(number, line)| {
        // The line that serde tells is always the first.
        let value = serde_json::from_str(line)
            .map_err(|error| format!("line {number}, column {}: it is no JSON: {error}", error.column()))?;
        Record::of_json(Place::Line(number), value)
    });
    Ok(Records { records: records.collect::<Result<_, String>>()?, wrapping: Wrapping::Array })
}

fn json(body: &[u8]) -> Result<Records<'_>, String> {
    let value = serde_json::from_slice(body)
        .map_err(|error| format!("line {}, column {}: it is no JSON: {error}", error.line(), error.column()))?;
    match value {
        Value::Object(mut members) => match members.remove("instances") {
            Some(Value::Array(instances)) => several(instances, Wrapping::Instances),
            Some(other) => Err(format!("`instances` is `{}`, not an array", shown(other))),
            None => one(Value::Object(members)),
        },
        Value::Array(values) if values.iter().any(|value| value.is_array() || value.is_object()) => {
            several(values, Wrapping::Array)
        }
        other => one(other),
    }
}

fn one<'a>(value: Value) -> Result<Records<'a>, String> {
    Ok(Records { records: vec![Record::of_json(Place::Number(1), value)?], wrapping: Wrapping::One })
}

fn several<'a>(values: Vec<Value>, wrapping: Wrapping) -> Result<Records<'a>, String> {
    let records = values.into_iter().enumerate().map(|(at, value)| Record::of_json(Place::Number(at + 1), value));
    Ok(Records { records: records.collect::<Result<_, String>>()?, wrapping })
}
