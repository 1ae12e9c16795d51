//! Predictions in the answers of a record: one a row (sections 2.3 and 5.2 of the bias specification).

use std::borrow::Cow;

use watchkeeper_engine::prediction::{Answer, Item, Scalar};
use watchkeeper_formats::Encoding;

use super::TrafficReading;
use crate::capture::payload::{Payload, documents};
use crate::locate::{Found, list_of};
use crate::members::{self, raw_members, scalar};
use crate::scored::{described, unwrap_output};
use crate::table::csv::CsvRows;
use crate::table::place::{Place, Places, Scratch};
use crate::table::{counted_as, kind_of};

const INFERENCE: usize = 0;
const PROBABILITY: usize = 1;
/// What the places are called where users set them.
const ATTRIBUTES: [&str; 2] = ["inference_attribute", "probability_attribute"];
/// The member of a joined record that holds the answer.
const OUTPUT: &str = "SageMakerOutput";

/// Takes predictions out of answers.
pub(super) struct OutputReader {
    places: Places<2>,
}

impl OutputReader {
    pub(super) fn new(reading: &TrafficReading) -> Self {
        Self { places: Places::new([reading.inference.as_deref(), reading.probability.as_deref()]) }
    }

    /// The answers of a record of so many rows. `joined`: the payload holds the request too, so many columns of it if it is CSV.
    pub(super) fn read(
        &self,
        payload: &Payload<'_>,
        rows: usize,
        joined: Option<usize>,
    ) -> Result<Vec<Answer>, String> {
        if payload.encoding == Encoding::Json {
            self.read_json(&payload.text, rows, joined.is_some())
        } else {
            self.read_csv(&payload.text, rows, joined.unwrap_or(0))
        }
    }

    fn place(&self, attribute: usize) -> Option<&Place> {
        self.places.get(attribute)
    }

    fn has_places(&self) -> bool {
        (0..2).any(|attribute| self.place(attribute).is_some())
    }

    fn read_csv(&self, text: &str, rows: usize, features: usize) -> Result<Vec<Answer>, String> {
        let mut csv = CsvRows::default();
        csv.cut(text)?;
        let indices = [INFERENCE, PROBABILITY].map(|attribute| match self.place(attribute) {
            None => Ok(None),
            Some(place) => place.attribute().index().map(Some).ok_or_else(|| {
                let (name, path) = (ATTRIBUTES[attribute], place.as_str());
                format!("its answer is CSV, where a column is named by its index, and the {name} is `{path}`")
            }),
        });
        let [inference, probability] = indices;
        let indices = [inference?, probability?];
        if indices.iter().flatten().all(|&index| index == 0) {
            // Some containers write the answers to all rows of a request on one line.
            csv.spread_over(rows);
        }
        if csv.rows() != rows {
            return Err(unequal(csv.rows(), rows));
        }
        let width = csv.width();
        if let Some(index) = indices.iter().flatten().find(|&&index| index >= width) {
            return Err(format!("its answer has no column {index}, but {}", counted_as(width, "column")));
        }
        if !self.has_places() && features >= width {
            return Err(
                "inference_attribute or probability_attribute has to say which column the prediction is".to_owned()
            );
        }
        (0..rows)
            .map(|row| {
                if self.has_places() {
                    let [label, probability] =
                        indices.map(|index| index.map(|index| item_of_cell(csv.cell(row, index))).transpose());
                    return Ok(Answer { label: label?, probability: probability? });
                }
                let cells = features..width;
                let probability = if cells.len() == 1 {
                    item_of_cell(csv.cell(row, features))?
                } else {
                    Item::List(cells.map(|cell| scalar_of_cell(csv.cell(row, cell))).collect::<Result<_, _>>()?)
                };
                Ok(Answer { label: None, probability: Some(probability) })
            })
            .collect()
    }

    fn read_json(&self, text: &str, rows: usize, is_joined: bool) -> Result<Vec<Answer>, String> {
        let lines = documents(text).ok_or("its answer is neither JSON nor JSON lines")?;
        let each_line = if lines.len() == 1 { rows } else { 1 };
        let mut answers = Vec::with_capacity(rows);
        for line in &lines {
            let [labels, probabilities] = self.items(line, each_line, is_joined)?;
            let count = labels.as_ref().or(probabilities.as_ref()).map_or(0, Vec::len);
            let (mut labels, mut probabilities) = (labels.into_iter().flatten(), probabilities.into_iter().flatten());
            answers.extend((0..count).map(|_| Answer { label: labels.next(), probability: probabilities.next() }));
        }
        if answers.len() == rows { Ok(answers) } else { Err(unequal(answers.len(), rows)) }
    }

    /// The items of so many records in a JSON text, at each place that is given; without any, the whole of it is the probability.
    fn items(&self, json: &str, records: usize, is_joined: bool) -> Result<[Option<Vec<Item>>; 2], String> {
        if !self.has_places() {
            let whole = if is_joined { member(json, OUTPUT).unwrap_or(json) } else { json };
            return Ok([None, Some(whole_items(whole, records)?)]);
        }
        let mut scratch = Scratch::<2>::default();
        let found = if json.starts_with(['{', '[']) {
            self.places.find(json, &mut scratch)?
        } else {
            [Found::Missing, Found::Missing]
        };
        let mut items = [None, None];
        for (attribute, found) in found.into_iter().enumerate() {
            let Some(place) = self.place(attribute) else { continue };
            let at_place =
                |problem| format!("its answer at the {} `{}`: {problem}", ATTRIBUTES[attribute], place.as_str());
            if !found.is_there() {
                return Err(at_place(format!("there is nothing; {}{}", described(json), place.hint())));
            }
            let list = one_each(found, records).map_err(|count| at_place(unequal(count, records)))?;
            let list = list.iter().map(item_of).collect::<Result<_, _>>().map_err(at_place)?;
            items[attribute] = Some(list);
        }
        Ok(items)
    }
}

/// The items of an answer that nothing leads into: lists stay, objects stand for their only member or their `label`.
fn whole_items(json: &str, records: usize) -> Result<Vec<Item>, String> {
    let list = one_each(Found::Json(json), records);
    if let Ok(list) = &list
        && let Ok(items) = list.iter().map(item_of).collect()
    {
        return Ok(items);
    }
    let mut values = Vec::new();
    unwrap_output(json, None, &mut values);
    if values.len() != records {
        return Err(unequal(values.len(), records));
    }
    values.iter().map(item_of).collect()
}

/// What was found as one value for each of some records; `Err`: for how many it is.
fn one_each(found: Found<'_>, records: usize) -> Result<Vec<Found<'_>>, usize> {
    match found.as_elements() {
        Some(mut elements) if elements.len() == 1 && records == 1 => Ok(vec![elements.remove(0)]),
        _ if records == 1 => Ok(vec![found]),
        Some(elements) if elements.len() == records => Ok(elements),
        Some(mut elements) if elements.len() == 1 => one_each(elements.remove(0), records),
        other => Err(other.map_or(1, |elements| elements.len())),
    }
}

/// The value of a member of an object.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let mut found = None;
    raw_members(json, |key, value| {
        if key == name {
            found = Some(value);
        }
    })
    .ok()?;
    found
}

/// A number, a text, a boolean, or a list of those.
fn item_of(found: &Found<'_>) -> Result<Item, String> {
    match found.as_elements() {
        Some(elements) if !elements.is_empty() => {
            elements.iter().map(scalar_of).collect::<Result<_, _>>().map(Item::List)
        }
        Some(_) => Err("it is an empty list".to_owned()),
        None => scalar_of(found).map(Item::One),
    }
}

fn scalar_of(found: &Found<'_>) -> Result<Scalar, String> {
    let not_a_scalar = || format!("a number, a text or a list of those is expected, and there is {}", kind_of(found));
    let Found::Json(json) = found else { return Err(not_a_scalar()) };
    match scalar("", json).map_err(|_| not_a_scalar())? {
        members::Scalar::Missing => Err(not_a_scalar()),
        members::Scalar::Text(text) => Ok(Scalar::Text(text.into_owned())),
        members::Scalar::Number(text) => Scalar::number(text).ok_or_else(not_a_scalar),
        members::Scalar::Boolean(text) => Ok(Scalar::Boolean(text == "true")),
    }
}

/// The item of a cell: a number, a text, or a list of JSON, or of Python as `['no', 'yes']`, in it.
fn item_of_cell(cell: &str) -> Result<Item, String> {
    let trimmed = cell.trim_ascii();
    if trimmed.starts_with('[') && trimmed.ends_with(']') {
        let json = if trimmed.contains('"') { Cow::Borrowed(trimmed) } else { trimmed.replace('\'', "\"").into() };
        if list_of(&json).is_some() {
            return item_of(&Found::Json(&json));
        }
    }
    scalar_of_cell(cell).map(Item::One)
}

fn scalar_of_cell(cell: &str) -> Result<Scalar, String> {
    let trimmed = cell.trim_ascii();
    if trimmed.is_empty() {
        return Err("its answer has an empty cell where the prediction should be".to_owned());
    }
    Ok(Scalar::number(trimmed).unwrap_or_else(|| Scalar::Text(cell.to_owned())))
}

fn unequal(answers: usize, rows: usize) -> String {
    format!("its answer is {}, its request {}", counted_as(answers, "row"), counted_as(rows, "row"))
}
