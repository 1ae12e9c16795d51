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

    pub(super) fn into_owned(self) -> LabelText<'static> {
        let encoding = self.encoding.map(|encoding| match encoding {
            Encoding::Csv => Encoding::Csv,
            Encoding::Json => Encoding::Json,
            Encoding::Base64 => Encoding::Base64,
            Encoding::Other(word) => Encoding::Other(word.into_owned().into()),
        });
        LabelText { data: self.data.into_owned().into(), encoding }
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
                unwrap_label(json, self.attribute.as_ref(), &mut labels);
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

/// The labels in ground truth that is JSON. An object stands for the member that `attribute` leads to, where it has it.
pub(crate) fn unwrap_label<'a>(json: &'a str, attribute: Option<&Attribute>, values: &mut Vec<Found<'a>>) {
    Unwrapping { attribute, except: None }.unwrap(json, 0, values);
}

/// As labels are unwrapped, for an output that no attribute leads into. The member `except` is not it.
pub(crate) fn unwrap_output<'a>(json: &'a str, except: Option<&Attribute>, values: &mut Vec<Found<'a>>) {
    Unwrapping { attribute: None, except }.unwrap(json, 0, values);
}

/// Follows lists and objects down to scalars.
#[derive(Clone, Copy)]
struct Unwrapping<'r> {
    /// An object stands for the member that this leads to, else for its only member, else for its member `label`.
    attribute: Option<&'r Attribute>,
    /// The member that is none of these two.
    except: Option<&'r Attribute>,
}

impl Unwrapping<'_> {
    /// Adds what a text comes to; so many levels are above it.
    fn unwrap<'a>(self, json: &'a str, level: usize, values: &mut Vec<Found<'a>>) {
        if level > DEEPEST {
            values.push(Found::Missing);
            return;
        }
        if let Some(list) = list_of(json) {
            for element in list {
                self.unwrap(element, level + 1, values);
            }
            return;
        }
        if !json.starts_with('{') {
            values.push(Found::Json(json));
            return;
        }
        if let Some(attribute) = self.attribute
            && let Ok([found]) = locate(json, [Some(attribute)])
            && found.is_there()
        {
            self.unwrap_found(&found, level + 1, values);
            return;
        }
        match only_member(json, self.except) {
            Some(value) => self.unwrap(value, level + 1, values),
            None => values.push(Found::Missing),
        }
    }

    fn unwrap_found<'a>(self, found: &Found<'a>, level: usize, values: &mut Vec<Found<'a>>) {
        match found {
            Found::Missing => values.push(Found::Missing),
            Found::Json(json) => self.unwrap(json, level, values),
            Found::Many(elements) => {
                for element in elements {
                    self.unwrap_found(element, level + 1, values);
                }
            }
        }
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
