//! JSON objects as rows: which column a key is, and where a value's text stands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use watchkeeper_engine::column::{Batch, Cell, CellKind};

/// The columns met so far.
#[derive(Default)]
pub(crate) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
}

impl Columns {
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of a column. `guess` is where it would stand if this record were like the last one.
    pub(crate) fn place(&mut self, name: &str, guess: usize) -> usize {
        if self.names.get(guess).is_some_and(|known| known == name) {
            return guess;
        }
        if let Some(&place) = self.places.get(name) {
            return place;
        }
        self.names.push(name.to_owned());
        self.places.insert(name.to_owned(), self.names.len() - 1);
        self.names.len() - 1
    }
}

/// A value of an object.
pub(crate) enum Scalar<'a> {
    Missing,
    Text(Cow<'a, str>),
    /// A number as it is written.
    Number(&'a str),
    Boolean(&'a str),
}

/// Why a record is not a flat object.
#[derive(Debug)]
pub(crate) enum NotFlat {
    /// Not JSON, or not an object: what is wrong.
    Malformed(String),
    /// This key holds an object or array.
    Nested(String),
}

/// Walks over the members of a JSON object. With `flatten`, members of objects and arrays within it are members of
/// it, with names joined by dots.
pub(crate) fn members<'a>(
    object: &'a str,
    flatten: bool,
    mut member: impl FnMut(&str, Scalar<'a>),
) -> Result<(), NotFlat> {
    let object = object.trim_ascii();
    walk(object, "", flatten, 0, &mut member)
}

/// Nesting that is followed when objects are flattened.
const DEEPEST: usize = 100;

fn walk<'a>(
    object: &'a str,
    prefix: &str,
    flatten: bool,
    depth: usize,
    member: &mut dyn FnMut(&str, Scalar<'a>),
) -> Result<(), NotFlat> {
    let mut nested = None;
    let visitor = Members(|key: Cow<'a, str>, raw: &'a RawValue| {
        let name = if prefix.is_empty() { key } else { Cow::Owned(format!("{prefix}.{key}")) };
        if let Err(problem) = value(&name, raw.get(), flatten, depth, member) {
            nested.get_or_insert(problem);
        }
    });
    let mut parser = serde_json::Deserializer::from_str(object);
    let parsed = parser.deserialize_map(visitor).and_then(|()| parser.end());
    match (parsed, nested) {
        (Err(error), _) => Err(NotFlat::Malformed(said(object, &error))),
        (Ok(()), Some(problem)) => Err(problem),
        (Ok(()), None) => Ok(()),
    }
}

fn value<'a>(
    name: &str,
    raw: &'a str,
    flatten: bool,
    depth: usize,
    member: &mut dyn FnMut(&str, Scalar<'a>),
) -> Result<(), NotFlat> {
    match raw.as_bytes()[0] {
        b'n' => member(name, Scalar::Missing),
        b't' | b'f' => member(name, Scalar::Boolean(raw)),
        b'"' => member(name, Scalar::Text(string(raw)?)),
        b'{' | b'[' if !flatten || depth >= DEEPEST => return Err(NotFlat::Nested(name.to_owned())),
        b'{' => walk(raw, name, flatten, depth + 1, member)?,
        b'[' => {
            for (index, element) in elements(raw)?.into_iter().enumerate() {
                value(&format!("{name}.{index}"), element.get(), flatten, depth + 1, member)?;
            }
        }
        _ => member(name, Scalar::Number(raw)),
    }
    Ok(())
}

/// The elements of a JSON array, unparsed.
pub(crate) fn elements(array: &str) -> Result<Vec<&RawValue>, NotFlat> {
    serde_json::from_str(array).map_err(|error| NotFlat::Malformed(said(array, &error)))
}

/// The value of a JSON scalar.
pub(crate) fn scalar<'a>(name: &str, raw: &'a str) -> Result<Scalar<'a>, NotFlat> {
    let mut found = Scalar::Missing;
    value(name, raw, false, 0, &mut |_, value| found = value)?;
    Ok(found)
}

/// A JSON string's text; a piece of the source unless something in it is escaped.
fn string(raw: &str) -> Result<Cow<'_, str>, NotFlat> {
    let inner = &raw[1..raw.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Ok(Cow::Borrowed(inner));
    }
    serde_json::from_str(raw).map(Cow::Owned).map_err(|error| NotFlat::Malformed(said(raw, &error)))
}

/// The parser's words with the text they are about, in place of a line that is always the first.
fn said(text: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or(&message);
    let around = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= 60).last().unwrap_or(0);
    let text = if text.len() <= 60 { text } else { &text[..around] };
    format!("not a JSON object: {message}, at character {}; the record begins {text:?}", error.column())
}

struct Members<F>(F);

impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key<'de>>()? {
            (self.0)(key.0, map.next_value()?);
        }
        Ok(())
    }
}

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Builds the rows of a batch whose cells point into `text`, or into what is put behind it.
pub(crate) struct Rows<'a> {
    /// The records, as they were read.
    text: &'a [u8],
    /// Text that does not stand in the records as it is: escapes resolved, payloads decoded.
    behind: Vec<u8>,
    pub(crate) cells: Vec<Cell>,
    pub(crate) columns: usize,
    pub(crate) count: usize,
}

impl<'a> Rows<'a> {
    /// Rows over the records in `text`, with the memory of an earlier batch's cells.
    pub(crate) fn new(text: &'a [u8], cells: Vec<Cell>, columns: usize) -> Self {
        Self { text, behind: Vec::new(), cells, columns, count: 0 }
    }

    /// Begins a row; its values are missing until they are set.
    pub(crate) fn begin(&mut self) {
        self.cells.resize(self.cells.len() + self.columns, Cell::MISSING);
        self.count += 1;
    }

    /// Sets a value of the row begun last, making room for a column that is new.
    pub(crate) fn set(&mut self, column: usize, value: &Scalar<'_>) {
        let cell = self.scalar_cell(value);
        self.set_cell(column, cell);
    }

    /// As [`Self::set`], for a cell that is there already.
    pub(crate) fn set_cell(&mut self, column: usize, cell: Cell) {
        if column >= self.columns {
            self.widen(column + 1);
        }
        let row = self.cells.len() - self.columns;
        self.cells[row + column] = cell;
    }

    pub(crate) fn scalar_cell(&mut self, value: &Scalar<'_>) -> Cell {
        match value {
            Scalar::Missing => Cell::MISSING,
            Scalar::Text(text) => self.cell(text, CellKind::Text),
            Scalar::Number(text) => self.cell(text, CellKind::Number),
            Scalar::Boolean(text) => self.cell(text, CellKind::Boolean),
        }
    }

    /// The cell of a text: where it stands, if it is a piece of the records, else a copy behind them.
    fn cell(&mut self, text: &str, kind: CellKind) -> Cell {
        let start = self.place_of(text).unwrap_or_else(|| self.put_behind(text.as_bytes()));
        Cell::new(start, text.len(), kind)
    }

    /// Where a text stands in the records, if it is a piece of them.
    pub(crate) fn place_of(&self, text: &str) -> Option<usize> {
        let offset = text.as_ptr().addr().wrapping_sub(self.text.as_ptr().addr());
        (offset <= self.text.len() && text.len() <= self.text.len() - offset).then_some(offset)
    }

    /// Copies a text behind the records; returns its place.
    pub(crate) fn put_behind(&mut self, text: &[u8]) -> usize {
        let start = self.text.len() + self.behind.len();
        self.behind.extend_from_slice(text);
        start
    }

    fn widen(&mut self, columns: usize) {
        let mut cells = Vec::with_capacity(self.count * columns);
        if self.columns == 0 {
            cells.resize(self.count * columns, Cell::MISSING);
        } else {
            for row in self.cells.chunks_exact(self.columns) {
                cells.extend_from_slice(row);
                cells.resize(cells.len() + columns - self.columns, Cell::MISSING);
            }
        }
        self.cells = cells;
        self.columns = columns;
    }

    /// Bytes and cells that the rows take beyond the records.
    pub(crate) fn is_full(&self) -> bool {
        self.behind.len() >= watchkeeper_engine::column::BATCH_BYTES || self.cells.len() >= crate::text::MOST_CELLS
    }

    /// What is to be put into the batch: everything but the records, which are there.
    pub(crate) fn finish(self) -> Built {
        Built { behind: self.behind, cells: self.cells, columns: self.columns, rows: self.count }
    }
}

/// Rows that have let go of their records.
pub(crate) struct Built {
    behind: Vec<u8>,
    cells: Vec<Cell>,
    columns: usize,
    pub(crate) rows: usize,
}

impl Built {
    /// Puts the rows into the batch whose text begins with their `records` bytes.
    pub(crate) fn put_into(self, batch: &mut Batch, records: usize) {
        batch.text.truncate(records);
        batch.text.extend_from_slice(&self.behind);
        batch.cells = self.cells;
        batch.columns = self.columns;
        batch.rows = self.rows;
    }
}
