//! A table in memory, column by column, each of the kind that pandas would read it as (section 2.4 of the bias specification).
//!
//! The Clarify monitors look at all rows of a column at once, several times and in pairs; a column is therefore typed and compact:
//! eight bytes a number, four bytes and a dictionary for text. Where a model is to be asked, the cells are kept as they were written
//! too, so that what a model server gets is what the data has.

mod builder;
mod cell;
mod dictionary;
mod distinct;

use watchkeeper_formats::number::python_float;

use crate::column::CellKind;

pub use builder::ColumnBuilder;
pub(crate) use distinct::{Distinct, MISSING};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers, none missing.
    Integer,
    /// Numbers.
    Float,
    /// True or false.
    Boolean,
    /// Texts.
    Text,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Whole numbers, none missing.
    Integer(Vec<i64>),
    /// Numbers; a missing one is NaN.
    Float(Vec<f64>),
    /// True or false.
    Boolean(Vec<Option<bool>>),
    /// Texts.
    Text(Texts),
}

/// Texts, each distinct one kept once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Which of the distinct texts each row has.
    pub codes: Vec<Option<u32>>,
    /// The distinct texts in order of appearance.
    pub distinct: Vec<String>,
}

/// Cells as they were written. A missing one is an empty text here; that it is missing, the values say. A number of a CSV file may be
/// written as JSON does not have it (`007`, `+5`, `.5`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WrittenCells {
    /// The texts, one after the other; JSON texts without quotes and escapes.
    pub text: Vec<u8>,
    /// Where each ends.
    pub ends: Vec<u64>,
    /// How each stood in its source.
    pub kinds: Vec<CellKind>,
}

/// A column.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values.
    pub values: Values,
    /// Whether every cell that is there is written as a whole number: true of integer columns, and of float ones that are that only
    /// because cells are missing.
    pub holds_whole_numbers: bool,
    /// The cells as they were written, where that was asked for.
    pub written: Option<WrittenCells>,
}

/// One value.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Value<'a> {
    Missing,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Text(&'a str),
}

/// Columns of equal length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// Rows of each.
    pub rows: usize,
}

impl Table {
    /// The place of the first column of this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Column {
    /// What it holds.
    pub fn kind(&self) -> ColumnKind {
        match &self.values {
            Values::Integer(_) => ColumnKind::Integer,
            Values::Float(_) => ColumnKind::Float,
            Values::Boolean(_) => ColumnKind::Boolean,
            Values::Text(_) => ColumnKind::Text,
        }
    }

    /// Rows.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Integer(values) => values.len(),
            Values::Float(values) => values.len(),
            Values::Boolean(values) => values.len(),
            Values::Text(texts) => texts.codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a row.
    pub fn value(&self, row: usize) -> Value<'_> {
        match &self.values {
            Values::Integer(values) => Value::Integer(values[row]),
            Values::Float(values) if values[row].is_nan() => Value::Missing,
            Values::Float(values) => Value::Float(values[row]),
            Values::Boolean(values) => values[row].map_or(Value::Missing, Value::Boolean),
            Values::Text(texts) => {
                texts.codes[row].map_or(Value::Missing, |code| Value::Text(&texts.distinct[code as usize]))
            }
        }
    }

    /// These rows alone, in this order.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn rows_at(&self, rows: &[usize]) -> Self {
        let values = match &self.values {
            Values::Integer(values) => Values::Integer(rows.iter().map(|&row| values[row]).collect()),
            Values::Float(values) => Values::Float(rows.iter().map(|&row| values[row]).collect()),
            Values::Boolean(values) => Values::Boolean(rows.iter().map(|&row| values[row]).collect()),
            Values::Text(texts) => Values::Text(texts.rows_at(rows.iter().copied().map(Some))),
        };
        let written = self.written.as_ref().map(|written| {
            let mut chosen = WrittenCells::default();
            for &row in rows {
                chosen.push(written.kinds[row], written.text(row));
            }
            chosen
        });
        Self { name: self.name.clone(), values, holds_whole_numbers: self.holds_whole_numbers, written }
    }
}

impl Texts {
    /// These rows alone, a missing cell for None; distinct texts that no row has any more are gone, and their order is that of their
    /// appearance.
    pub(crate) fn rows_at(&self, rows: impl Iterator<Item = Option<usize>>) -> Self {
        let mut distinct = Vec::new();
        let mut new_codes = vec![None; self.distinct.len()];
        let mut new_code = |code: u32| {
            *new_codes[code as usize].get_or_insert_with(|| {
                distinct.push(self.distinct[code as usize].clone());
                distinct.len() as u32 - 1
            })
        };
        let codes = rows.map(|row| self.codes[row?].map(&mut new_code)).collect();
        Self { codes, distinct }
    }
}

impl Value<'_> {
    /// As Python prints it: `1`, `1.0`, `True`, the text; empty for a missing one.
    pub fn printed(self) -> String {
        match self {
            Self::Missing => String::new(),
            Self::Integer(value) => value.to_string(),
            Self::Float(value) => python_float(value),
            Self::Boolean(true) => "True".to_owned(),
            Self::Boolean(false) => "False".to_owned(),
            Self::Text(text) => text.to_owned(),
        }
    }
}

impl WrittenCells {
    /// Adds the cell of the next row.
    pub fn push(&mut self, kind: CellKind, text: &str) {
        self.text.extend_from_slice(text.as_bytes());
        self.ends.push(self.text.len() as u64);
        self.kinds.push(kind);
    }

    /// The text of a row's cell; empty for a missing one.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn text(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = &self.text[start as usize..self.ends[row] as usize];
        str::from_utf8(bytes).expect("cells are added as whole texts")
    }
}
