//! Finding out of which kind a column is, and its values.

use super::cell::{self, Cell};
use super::dictionary::Dictionary;
use super::{Column, Texts, Values, WrittenCells};
use crate::column::CellKind;

/// A column whose cells come one after the other; of which kind it is, is known at the end.
///
/// Invariant: cells are cheap to add while they stay of the kind they seem to have; the texts of cells are kept until that is sure.
#[derive(Debug)]
pub struct ColumnBuilder {
    seen: Seen,
    rows: usize,
    /// The rows without a value, as long as the values are no texts.
    missing: Vec<usize>,
    /// Whether every cell that is there is a whole number.
    is_whole: bool,
    /// The cells as they came. None while all are missing or whole numbers in plain form, and where the values are texts, unless they
    /// are to be kept.
    written: Option<WrittenCells>,
    keeps_written: bool,
}

/// The values so far, of the narrowest kind that takes them all. A missing one stands as 0, NaN or None.
#[derive(Debug)]
enum Seen {
    Nothing,
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Booleans(Vec<Option<bool>>),
    Texts(Vec<Option<u32>>, Dictionary),
}

impl ColumnBuilder {
    /// An empty column. `keeps_written`: the cells are kept as they were written, too.
    pub fn new(keeps_written: bool) -> Self {
        Self {
            seen: Seen::Nothing,
            rows: 0,
            missing: Vec::new(),
            is_whole: true,
            written: keeps_written.then(WrittenCells::default),
            keeps_written,
        }
    }

    /// Adds the cell of a CSV file: the words that pandas takes for missing values are missing, numbers and booleans are found in the
    /// text.
    #[inline]
    pub fn push_csv(&mut self, text: &str) {
        if let (Seen::Integers(values), None) = (&mut self.seen, &self.written)
            && let Some(value) = cell::plain_integer(text.as_bytes())
        {
            values.push(value);
            self.rows += 1;
            return;
        }
        let cell = cell::of_csv(text);
        self.add(cell, CellKind::Text, if cell == Cell::Missing { "" } else { text });
    }

    /// Adds a typed cell, as JSON and Parquet have them: its kind is what it says. A number that cannot be read as one is a text.
    #[inline]
    pub fn push(&mut self, kind: CellKind, text: &str) {
        let cell = match kind {
            CellKind::Text => Cell::Text,
            CellKind::Number => cell::number(text).unwrap_or(Cell::Text),
            CellKind::Boolean => Cell::Boolean(text.eq_ignore_ascii_case("true")),
        };
        self.add(cell, kind, text);
    }

    /// Adds a missing cell.
    pub fn push_missing(&mut self) {
        self.add(Cell::Missing, CellKind::Text, "");
    }

    fn add(&mut self, cell: Cell, kind: CellKind, text: &str) {
        self.remember(cell, kind, text);
        match (&mut self.seen, cell) {
            (Seen::Texts(codes, _), Cell::Missing) => codes.push(None),
            (Seen::Texts(codes, dictionary), _) => codes.push(Some(dictionary.code(as_text(kind, text)))),
            (seen, Cell::Missing) => {
                seen.push_missing();
                self.missing.push(self.rows);
            }
            (Seen::Integers(values), Cell::Integer(value)) => values.push(value),
            (Seen::Floats(values), Cell::Integer(value)) => values.push(value as f64),
            (Seen::Floats(values), Cell::Float(value)) => values.push(value),
            (Seen::Booleans(values), Cell::Boolean(value)) => values.push(Some(value)),
            _ => self.widen(cell, kind, text),
        }
        self.is_whole &= matches!(cell, Cell::Integer(_) | Cell::Missing);
        self.rows += 1;
    }

    /// Keeps a cell as it came, and those before it when it is the first that must be kept.
    fn remember(&mut self, cell: Cell, kind: CellKind, text: &str) {
        if self.written.is_none() {
            let is_plain = match cell {
                Cell::Missing => true,
                Cell::Integer(_) => cell::plain_integer(text.as_bytes()).is_some(),
                _ => false,
            };
            if is_plain || matches!(self.seen, Seen::Texts(..)) {
                return;
            }
            self.written = Some(self.plain_cells());
        }
        if let Some(written) = &mut self.written {
            written.push(kind, text);
        }
    }

    /// The cells so far as they came, all of them missing or whole numbers in plain form.
    fn plain_cells(&self) -> WrittenCells {
        let mut written = WrittenCells::default();
        let mut missing = self.missing.iter().copied().peekable();
        let values: &[i64] = if let Seen::Integers(values) = &self.seen { values } else { &[] };
        for row in 0..self.rows {
            match values.get(row) {
                Some(value) if missing.next_if_eq(&row).is_none() => written.push(CellKind::Number, &value.to_string()),
                _ => written.push(CellKind::Text, ""),
            }
        }
        written
    }

    /// Adds a cell that the values so far are too narrow for.
    fn widen(&mut self, cell: Cell, kind: CellKind, text: &str) {
        let rows = self.rows;
        let seen = std::mem::replace(&mut self.seen, Seen::Nothing);
        self.seen = match (seen, cell) {
            (Seen::Nothing, Cell::Integer(value)) => Seen::Integers(after_missing(rows, 0, value)),
            (Seen::Nothing, Cell::Float(value)) => Seen::Floats(after_missing(rows, f64::NAN, value)),
            (Seen::Nothing, Cell::Boolean(value)) => Seen::Booleans(after_missing(rows, None, Some(value))),
            (Seen::Integers(values), Cell::Float(value)) => {
                let mut floats = floats(&values, &self.missing);
                floats.push(value);
                Seen::Floats(floats)
            }
            _ => {
                let (mut codes, mut dictionary) = self.texts();
                codes.push(Some(dictionary.code(as_text(kind, text))));
                if !self.keeps_written {
                    self.written = None;
                }
                Seen::Texts(codes, dictionary)
            }
        };
    }

    /// The cells so far as texts.
    fn texts(&self) -> (Vec<Option<u32>>, Dictionary) {
        let written = self.written.as_ref().expect("a cell that is no whole number in plain form is kept as it came");
        let mut dictionary = Dictionary::default();
        let mut codes = Vec::with_capacity(self.rows + 1);
        let mut missing = self.missing.iter().copied().peekable();
        for row in 0..self.rows {
            let is_missing = missing.next_if_eq(&row).is_some();
            codes.push((!is_missing).then(|| dictionary.code(as_text(written.kinds[row], written.text(row)))));
        }
        (codes, dictionary)
    }

    /// The column. Numbers and booleans that were found in texts are cells of these kinds in `written`, too.
    pub fn finish(self, name: String) -> Column {
        let Self { seen, rows, missing, is_whole, written, keeps_written } = self;
        let mut written = written.filter(|_| keeps_written);
        let has_values = missing.len() < rows;
        let (values, kind) = match seen {
            Seen::Nothing => (Values::Float(vec![f64::NAN; rows]), CellKind::Number),
            Seen::Integers(values) if missing.is_empty() => (Values::Integer(values), CellKind::Number),
            Seen::Integers(values) => (Values::Float(floats(&values, &missing)), CellKind::Number),
            Seen::Floats(values) => (Values::Float(values), CellKind::Number),
            Seen::Booleans(values) => (Values::Boolean(values), CellKind::Boolean),
            Seen::Texts(codes, dictionary) => {
                (Values::Text(Texts { codes, distinct: dictionary.into_distinct() }), CellKind::Text)
            }
        };
        if let Some(written) = &mut written
            && kind != CellKind::Text
        {
            written.kinds.fill(kind);
        }
        Column { name, values, holds_whole_numbers: is_whole && has_values, written }
    }
}

impl Seen {
    fn push_missing(&mut self) {
        match self {
            Self::Nothing => {}
            Self::Integers(values) => values.push(0),
            Self::Floats(values) => values.push(f64::NAN),
            Self::Booleans(values) => values.push(None),
            Self::Texts(codes, _) => codes.push(None),
        }
    }
}

/// What a cell is in a column of texts: booleans of the source's own as Python prints them.
fn as_text(kind: CellKind, text: &str) -> &str {
    match kind {
        CellKind::Boolean if text.eq_ignore_ascii_case("true") => "True",
        CellKind::Boolean => "False",
        CellKind::Text | CellKind::Number => text,
    }
}

fn after_missing<T: Clone>(rows: usize, missing: T, value: T) -> Vec<T> {
    let mut values = vec![missing; rows];
    values.push(value);
    values
}

fn floats(values: &[i64], missing: &[usize]) -> Vec<f64> {
    let mut floats: Vec<f64> = values.iter().map(|&value| value as f64).collect();
    for &row in missing {
        floats[row] = f64::NAN;
    }
    floats
}
