//! Values as cells: what lists stand for (section 2.2, "Lists as values").

use std::borrow::Cow;

use watchkeeper_engine::column::Cell;
use watchkeeper_engine::quality::{GROUND_TRUTH, INFERENCE, PROBABILITY};

use super::{ListMeaning, ScoredReading};
use crate::locate::{Found, list_of};
use crate::members::{BadRecord, Scalar, scalar};
use crate::rows::Rows;

/// A value on its way into a row.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// It is in the batch already.
    Cell(Cell),
    Found(Found<'a>),
}

/// What lists are.
#[derive(Clone, Copy, Debug)]
pub(super) struct ListRules {
    meaning: ListMeaning,
    /// Predictions are given.
    has_inference: bool,
}

/// What a probability is once lists are what they stand for.
pub(super) enum Probability<'a> {
    Is(Scalar<'a>),
    /// The prediction is the class of this number.
    Predicts(usize),
}

impl ListRules {
    pub(super) fn new(reading: &ScoredReading) -> Self {
        Self { meaning: reading.lists, has_inference: reading.inference.is_some() }
    }

    /// True when probabilities are there to make predictions of.
    pub(super) fn predicts(self) -> bool {
        self.meaning == ListMeaning::IndexOfLargest && !self.has_inference
    }

    /// Adds a row.
    pub(super) fn add_row(
        self,
        inference: Value<'_>,
        probability: Value<'_>,
        label: Value<'_>,
        rows: &mut Rows<'_>,
    ) -> Result<(), BadRecord> {
        rows.begin();
        let cell = plain_cell(inference, rows);
        rows.set_cell(INFERENCE, cell);
        let cell = plain_cell(label, rows);
        rows.set_cell(GROUND_TRUTH, cell);
        let probability = match probability {
            Value::Found(Found::Missing) => return Ok(()),
            Value::Found(found) => self.probability(found)?,
            Value::Cell(cell) if cell.is_missing() => return Ok(()),
            // The text is looked at only where it can matter.
            Value::Cell(cell) if !self.predicts() && rows.text_of(cell).first() != Some(&b'[') => {
                rows.set_cell(PROBABILITY, cell);
                return Ok(());
            }
            Value::Cell(cell) => {
                let text = String::from_utf8_lossy(rows.text_of(cell)).into_owned();
                let probability = self.probability_of_text(&text)?;
                set_probability(probability, rows);
                return Ok(());
            }
        };
        set_probability(probability, rows);
        Ok(())
    }

    /// What a probability found in JSON is.
    pub(super) fn probability(self, found: Found<'_>) -> Result<Probability<'_>, BadRecord> {
        let found = found.unwrapped();
        match found.as_elements() {
            Some(elements) => self.list(&elements),
            None => match scalar_of(&found) {
                Scalar::Text(Cow::Borrowed(text)) => self.probability_of_text(text),
                Scalar::Text(Cow::Owned(text)) => self.probability_of_text(&text).map(Probability::into_owned),
                Scalar::Missing if !matches!(found, Found::Json(json) if json.starts_with('{')) => {
                    Ok(Probability::Is(Scalar::Missing))
                }
                _ if self.predicts() => Err(not_a_list(&found)),
                scalar => Ok(Probability::Is(scalar)),
            },
        }
    }

    /// What a probability is that is a text: a list of JSON counts as a list.
    pub(super) fn probability_of_text(self, text: &str) -> Result<Probability<'_>, BadRecord> {
        if text.trim_ascii().is_empty() {
            return Ok(Probability::Is(Scalar::Missing));
        }
        if self.meaning != ListMeaning::None && list_of(text.trim_ascii()).is_some() {
            return self.probability(Found::Json(text.trim_ascii()));
        }
        if self.predicts() {
            return Err(not_a_list(&Found::Json(text)));
        }
        Ok(Probability::Is(Scalar::Text(text.into())))
    }

    fn list<'a>(self, elements: &[Found<'a>]) -> Result<Probability<'a>, BadRecord> {
        match (self.meaning, elements) {
            (ListMeaning::SecondOfTwo, [_, second]) => Ok(Probability::Is(scalar_of(&second.clone().unwrapped()))),
            (ListMeaning::SecondOfTwo, _) => Err(BadRecord::Malformed(format!(
                "the probability is a list of {} values; of a binary classification it is a number, or a list of two of which \
                 the second is the probability of class 1",
                elements.len()
            ))),
            (ListMeaning::IndexOfLargest, _) if self.predicts() => {
                let numbers: Option<Vec<f64>> = elements.iter().map(number_of).collect();
                let largest = numbers.and_then(|numbers| index_of_largest(&numbers));
                Ok(largest.map_or(Probability::Is(Scalar::Missing), Probability::Predicts))
            }
            _ => Ok(Probability::Is(Scalar::Missing)),
        }
    }
}

impl Probability<'_> {
    fn into_owned(self) -> Probability<'static> {
        match self {
            Self::Predicts(index) => Probability::Predicts(index),
            Self::Is(Scalar::Missing) => Probability::Is(Scalar::Missing),
            Self::Is(Scalar::Text(text)) => Probability::Is(Scalar::Text(text.into_owned().into())),
            Self::Is(Scalar::Number(text) | Scalar::Boolean(text)) => {
                Probability::Is(Scalar::Text(text.to_owned().into()))
            }
        }
    }
}

fn set_probability(probability: Probability<'_>, rows: &mut Rows<'_>) {
    match probability {
        Probability::Is(scalar) => rows.set(PROBABILITY, &scalar),
        Probability::Predicts(index) => {
            let mut digits = itoa::Buffer::new();
            rows.set(INFERENCE, &Scalar::Number(digits.format(index)));
        }
    }
}

/// The cell of a value that is no list but of one element.
fn plain_cell(value: Value<'_>, rows: &mut Rows<'_>) -> Cell {
    match value {
        Value::Cell(cell) => cell,
        Value::Found(Found::Missing) => Cell::MISSING,
        Value::Found(found) => {
            let found = found.unwrapped();
            rows.scalar_cell(&scalar_of(&found))
        }
    }
}

/// A scalar; anything else is a missing value.
fn scalar_of<'a>(found: &Found<'a>) -> Scalar<'a> {
    match found {
        Found::Json(json) => scalar("", json).unwrap_or(Scalar::Missing),
        Found::Missing | Found::Many(_) => Scalar::Missing,
    }
}

fn not_a_list(found: &Found<'_>) -> BadRecord {
    let shown = match found {
        Found::Json(json) => &json[..json.floor_char_boundary(60)],
        Found::Missing | Found::Many(_) => "",
    };
    BadRecord::Malformed(format!(
        "the probability `{shown}` is no list: of a multiclass classification without inference_attribute it is a list with the \
         probability of each class, the largest of which is the prediction"
    ))
}

/// A number, if it is one and finite.
fn number_of(found: &Found<'_>) -> Option<f64> {
    let parse = |text: &str| {
        let text = text.trim_ascii();
        let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        text.parse().ok().filter(|number: &f64| is_decimal && number.is_finite())
    };
    match scalar_of(&found.clone().unwrapped()) {
        Scalar::Missing => None,
        Scalar::Text(text) => parse(&text),
        Scalar::Number(text) => parse(text),
        Scalar::Boolean(text) => Some(if text == "true" { 1.0 } else { 0.0 }),
    }
}

/// The first of the largest.
fn index_of_largest(numbers: &[f64]) -> Option<usize> {
    let mut largest = 0;
    for (index, number) in numbers.iter().enumerate() {
        if *number > numbers[largest] {
            largest = index;
        }
    }
    (!numbers.is_empty()).then_some(largest)
}
