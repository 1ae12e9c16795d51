//! The labels of a merged capture (section 7.2, "Labels").

use std::borrow::Cow;

use watchkeeper_formats::{CapturePart, Encoding};

use super::values::Value;
use crate::capture::payload::Side;
use crate::locate::{Attribute, DEEPEST, Found, list_of, locate};
use crate::members::raw_members;
use crate::rows::Rows;

/// Ground truth as it was uploaded.
pub(super) struct LabelText<'a> {
    pub(super) data: Cow<'a, str>,
    /// CSV, where it is not said.
    pub(super) encoding: Option<Encoding<'a>>,
}

impl<'a> LabelText<'a> {
    pub(super) fn of(part: &'a CapturePart<'_>) -> Self {
        Self { data: Cow::Borrowed(&part.data), encoding: part.encoding.clone() }
    }
}

/// Takes labels out of ground truth.
pub(super) struct LabelReader {
    /// Where the label is in an object.
    attribute: Option<Attribute>,
    side: Side,
}

impl LabelReader {
    pub(super) fn new(attribute: Option<Attribute>) -> Self {
        Self { attribute, side: Side::default() }
    }

    /// The labels in `text`, of an output of so many rows; or why there are none.
    pub(super) fn read<'l>(
        &mut self,
        text: &'l LabelText<'_>,
        output_rows: usize,
        rows: &mut Rows<'_>,
    ) -> Result<Vec<Value<'l>>, String> {
        match &text.encoding {
            None | Some(Encoding::Csv) => Ok(self.read_csv(&text.data, output_rows, rows)),
            Some(Encoding::Json) => {
                let mut labels = Vec::new();
                let json = text.data.trim_ascii();
                serde_json::from_str::<&serde_json::value::RawValue>(json)
                    .map_err(|error| format!("its ground truth is not JSON: {error}"))?;
                unwrap_label(json, self.attribute.as_ref(), 0, &mut labels);
                Ok(labels.into_iter().map(Value::Found).collect())
            }
            Some(other) => Err(format!("its ground truth is encoded as {other}, expected CSV or JSON")),
        }
    }

    /// The first cell of each line, or all cells of a single line that has as many as there are rows.
    fn read_csv<'l>(&mut self, text: &str, output_rows: usize, rows: &mut Rows<'_>) -> Vec<Value<'l>> {
        self.side.cut(text, rows);
        match self.side.rows() {
            // An empty label is a missing one.
            0 => vec![Value::Found(Found::Missing)],
            1 if output_rows > 1 && self.side.row(0).len() == output_rows => {
                self.side.row(0).iter().copied().map(Value::Cell).collect()
            }
            count => (0..count).map(|row| Value::Cell(self.side.row(row)[0])).collect(),
        }
    }
}

/// Follows lists and objects down to scalars. An object stands for the member that `attribute` leads to, else for its only member,
/// else for its member `label`. So many levels are above it.
fn unwrap_label<'a>(json: &'a str, attribute: Option<&Attribute>, level: usize, labels: &mut Vec<Found<'a>>) {
    if level > DEEPEST {
        labels.push(Found::Missing);
        return;
    }
    if let Some(list) = list_of(json) {
        for element in list {
            unwrap_label(element, attribute, level + 1, labels);
        }
        return;
    }
    if !json.starts_with('{') {
        labels.push(Found::Json(json));
        return;
    }
    if let Some(attribute) = attribute
        && let Ok([found]) = locate(json, [Some(attribute)])
        && found.is_there()
    {
        unwrap_found(&found, Some(attribute), level + 1, labels);
        return;
    }
    match only_member(json, None) {
        Some(value) => unwrap_label(value, attribute, level + 1, labels),
        None => labels.push(Found::Missing),
    }
}

fn unwrap_found<'a>(found: &Found<'a>, attribute: Option<&Attribute>, level: usize, labels: &mut Vec<Found<'a>>) {
    match found {
        Found::Missing => labels.push(Found::Missing),
        Found::Json(json) => unwrap_label(json, attribute, level, labels),
        Found::Many(elements) => {
            for element in elements {
                unwrap_found(element, attribute, level + 1, labels);
            }
        }
    }
}

/// As labels are unwrapped, for an output that no attribute leads into. The member `except` is not it.
pub(super) fn unwrap_output<'a>(json: &'a str, except: Option<&Attribute>, values: &mut Vec<Found<'a>>) {
    unwrap_output_below(json, except, 0, values);
}

fn unwrap_output_below<'a>(json: &'a str, except: Option<&Attribute>, level: usize, values: &mut Vec<Found<'a>>) {
    if level > DEEPEST {
        values.push(Found::Missing);
        return;
    }
    if let Some(list) = list_of(json) {
        for element in list {
            unwrap_output_below(element, except, level + 1, values);
        }
        return;
    }
    if !json.starts_with('{') {
        values.push(Found::Json(json));
        return;
    }
    match only_member(json, except) {
        Some(value) => unwrap_output_below(value, except, level + 1, values),
        None => values.push(Found::Missing),
    }
}

/// The value of an object's only member, or else of its member `label`; `except` is not counted.
fn only_member<'a>(object: &'a str, except: Option<&Attribute>) -> Option<&'a str> {
    let (mut count, mut last, mut label) = (0, None, None);
    raw_members(object, |name, value| {
        if except.is_some_and(|except| except.as_str() == name) {
            return;
        }
        count += 1;
        last = Some(value);
        if name == "label" {
            label = Some(value);
        }
    })
    .ok()?;
    if count == 1 { last } else { label }
}
