//! Cells and records as requests have them.
//!
//! A column's cells are encoded once, and the records of a request are put together from pieces: a synthetic row of Kernel SHAP costs a
//! copy of its bytes and no formatting. Numbers stay as they were written, because model servers that read strictly take `1` and `1.0`
//! for different things.

use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::table::{Column, Table, Value, Values};
use watchkeeper_formats::number::python_float;

use super::Model;

/// How cells stand in a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CellStyle {
    /// Numbers bare, texts in double quotes, missing ones empty.
    Csv,
    /// JSON values, missing ones `null`.
    Json,
}

/// The cells of a column as the model's requests have them, ready to be put together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EncodedCells {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// Records for the model: each the cells of the features in order, encoded.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Cells separated by commas, record after record.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedCells {
    pub(super) fn of(column: &Column, style: CellStyle) -> Self {
        let mut cells = Self { bytes: Vec::new(), ends: Vec::with_capacity(column.len()) };
        for row in 0..column.len() {
            push_cell(&mut cells.bytes, column, row, style);
            cells.ends.push(cells.bytes.len());
        }
        cells
    }

    /// The cell of a row.
    pub fn cell(&self, row: usize) -> &[u8] {
        piece(&self.bytes, &self.ends, row)
    }

    /// Bytes that the cells of all rows are of records, each with what separates it from the next.
    pub fn bytes_in_records(&self) -> usize {
        self.bytes.len() + self.ends.len()
    }
}

impl Records {
    /// Adds a record of these cells.
    pub fn push<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) {
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                self.bytes.push(b',');
            }
            self.bytes.extend_from_slice(cell);
        }
        self.ends.push(self.bytes.len());
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of all their cells.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// All rows of a table.
    pub fn of_table(model: &Model, features: &Table) -> Self {
        let columns: Vec<EncodedCells> = features.columns.iter().map(|column| model.encode(column)).collect();
        let mut records = Self::default();
        for row in 0..features.rows {
            records.push(columns.iter().map(|column| column.cell(row)));
        }
        records
    }

    /// The cells of a record, separated by commas.
    pub(super) fn record(&self, place: usize) -> &[u8] {
        piece(&self.bytes, &self.ends, place)
    }
}

/// The cells of a record of JSON values, one by one.
pub(super) fn json_cells(record: &[u8]) -> Vec<&[u8]> {
    let (mut cells, mut start, mut in_text, mut is_escaped) = (Vec::new(), 0, false, false);
    for (place, byte) in record.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b',' if !in_text => {
                cells.push(&record[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    cells.push(&record[start..]);
    cells
}

fn piece<'a>(bytes: &'a [u8], ends: &[usize], place: usize) -> &'a [u8] {
    let start = place.checked_sub(1).map_or(0, |before| ends[before]);
    &bytes[start..ends[place]]
}

fn push_cell(bytes: &mut Vec<u8>, column: &Column, row: usize, style: CellStyle) {
    let value = column.value(row);
    if value == Value::Missing {
        if style == CellStyle::Json {
            bytes.extend_from_slice(b"null");
        }
        return;
    }
    let written = column.written.as_ref().map(|written| (written.text(row), written.kinds[row]));
    let kind = match (&column.values, written) {
        (Values::Integer(_) | Values::Float(_), _) => CellKind::Number,
        (Values::Boolean(_), _) => CellKind::Boolean,
        // JSON columns of several kinds are texts as columns, and each cell stays what it was.
        (Values::Text(_), Some((_, kind))) => kind,
        (Values::Text(_), None) => CellKind::Text,
    };
    match kind {
        CellKind::Number => push_number(bytes, written.map(|(text, _)| text), value, style),
        CellKind::Boolean => push_boolean(bytes, written.map(|(text, _)| text), value, style),
        CellKind::Text => {
            let Value::Text(text) = value else { return };
            push_text(bytes, text, style);
        }
    }
}

fn push_number(bytes: &mut Vec<u8>, written: Option<&str>, value: Value<'_>, style: CellStyle) {
    let written = written.or(if let Value::Text(text) = value { Some(text) } else { None });
    if let Some(written) = written.map(str::trim_ascii)
        && (style == CellStyle::Csv || is_json_number(written))
    {
        bytes.extend_from_slice(written.as_bytes());
        return;
    }
    let text = match (value, style) {
        (Value::Integer(value), _) => value.to_string(),
        // The numbers of JSON have no infinity; readers take what is beyond all doubles for it.
        (Value::Float(value), CellStyle::Json) if value.is_infinite() => {
            if value > 0.0 { "1e999" } else { "-1e999" }.to_owned()
        }
        (Value::Float(value), _) => python_float(value),
        (value, _) => value.printed(),
    };
    bytes.extend_from_slice(text.as_bytes());
}

fn push_boolean(bytes: &mut Vec<u8>, written: Option<&str>, value: Value<'_>, style: CellStyle) {
    let is_true = match value {
        Value::Boolean(value) => value,
        Value::Text(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let text = match (style, written) {
        (CellStyle::Csv, Some(written)) => written,
        (CellStyle::Csv, None) if is_true => "True",
        (CellStyle::Csv, None) => "False",
        (CellStyle::Json, _) if is_true => "true",
        (CellStyle::Json, _) => "false",
    };
    bytes.extend_from_slice(text.as_bytes());
}

fn push_text(bytes: &mut Vec<u8>, text: &str, style: CellStyle) {
    match style {
        CellStyle::Csv => {
            bytes.push(b'"');
            for byte in text.bytes() {
                if byte == b'"' {
                    bytes.push(b'"');
                }
                bytes.push(byte);
            }
            bytes.push(b'"');
        }
        CellStyle::Json => serde_json::to_writer(&mut *bytes, text).expect("a text is written to memory"),
    }
}

/// Whether a text is a number as JSON writes it: no sign but minus, no leading zeros, digits on both sides of a point.
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole.len() == 1 || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
