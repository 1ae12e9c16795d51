//! Which columns captured rows have: numbered ones for CSV, named ones for JSON.

use watchkeeper_engine::column::Cell;
use watchkeeper_formats::Encoding;

use super::payload::{Payload, Side};
use crate::csv::tokenizer::{Ragged, cut_line};
use crate::json::sorted_by_name;
use crate::members::{BadRecord, Columns, Scalar, elements, members, scalar};
use crate::rows::Rows;
use crate::text::{MAX_COLUMNS, too_many_columns};

/// The columns of a captured dataset.
pub(super) struct Layout {
    kind: Kind,
    columns: Columns,
    /// Names of numbered columns, or of `columns`, for whoever asks.
    numbered: Vec<String>,
    strict_key_order: bool,
    /// All rows so far come from a preprocessor's dictionaries.
    preprocessed: bool,
    ragged: Ragged,
    overwritten: Overwritten,
}

/// Members of the answer that the request has too.
#[derive(Default)]
struct Overwritten {
    /// The first one.
    name: Option<String>,
    /// JSON rows so far, and for each column the last row in which the answer had it.
    row: u64,
    last_row: Vec<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Numbered,
    Named,
    /// One side named, one numbered: in the order of the sides.
    Mixed,
}

impl Layout {
    pub(super) fn new(strict_key_order: bool) -> Self {
        Self {
            kind: Kind::Unknown,
            columns: Columns::default(),
            numbered: Vec::new(),
            strict_key_order,
            preprocessed: false,
            ragged: Ragged::default(),
            overwritten: Overwritten::default(),
        }
    }

    pub(super) fn names(&self) -> &[String] {
        if self.kind == Kind::Numbered { &self.numbered } else { self.columns.names() }
    }

    pub(super) fn width(&self) -> usize {
        self.names().len()
    }

    pub(super) fn is_named(&self) -> bool {
        matches!(self.kind, Kind::Named | Kind::Mixed)
    }

    pub(super) fn order(&self) -> Vec<usize> {
        match self.kind {
            Kind::Named if self.keys_are_numbers() => {
                let mut order: Vec<usize> = (0..self.width()).collect();
                // Without padding, a longer number is a larger one.
                order.sort_by_key(|&place| (self.names()[place].len(), &self.names()[place]));
                order
            }
            Kind::Named => sorted_by_name(self.columns.names()),
            _ => (0..self.width()).collect(),
        }
    }

    /// A preprocessor's keys `0`, `1`, ..., `10`: as text, 10 would come before 2, which nobody means.
    fn keys_are_numbers(&self) -> bool {
        let is_number = |name: &String| {
            name.bytes().all(|byte| byte.is_ascii_digit())
                && (name == "0" || !name.starts_with('0'))
                && !name.is_empty()
        };
        self.preprocessed && !self.strict_key_order && self.columns.names().iter().all(is_number)
    }

    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = self.ragged.notes();
        if let Some(name) = &self.overwritten.name {
            notes.push(format!("`{name}` is a member of both request and answer: the request's value is taken"));
        }
        if self.kind == Kind::Named && self.width() > 10 && self.keys_are_numbers() {
            notes.push("keys of the preprocessor's rows are numbers: sorted as numbers, where AWS sorts them as text (WATCHKEEPER_STRICT_KEY_ORDER=1 does too)".to_owned());
        }
        notes
    }

    fn become_kind(&mut self, kind: Kind) -> Result<(), BadRecord> {
        if self.kind == Kind::Unknown {
            self.kind = kind;
        }
        if self.kind == kind {
            return Ok(());
        }
        let word = |kind| match kind {
            Kind::Named => "named columns (JSON)",
            Kind::Mixed => "named and numbered columns",
            Kind::Numbered | Kind::Unknown => "numbered columns (CSV)",
        };
        Err(BadRecord::Malformed(format!("this record has {}, those before it have {}", word(kind), word(self.kind))))
    }

    /// Adds the rows that the sides make together; false when there is none.
    pub(super) fn add_rows(&mut self, sides: &[&Side], rows: &mut Rows<'_>) -> Result<bool, BadRecord> {
        let count = sides.iter().map(|side| side.rows()).min().unwrap_or(0);
        for index in 0..count {
            let cut = |cells: &mut Vec<Cell>| sides.iter().for_each(|side| cells.extend_from_slice(side.row(index)));
            rows.add(cut, |fields| self.numbered_columns(fields))?;
        }
        if count > 0 {
            for side in sides {
                self.ragged.add(side.ragged());
            }
        }
        Ok(count > 0)
    }

    /// Adds the row that two lines make together, cut where they stand.
    pub(super) fn add_lines(&mut self, lines: &[(usize, &str); 2], rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let cut =
            |cells: &mut Vec<Cell>| lines.iter().for_each(|(place, line)| cut_line(line.as_bytes(), *place, cells));
        rows.add(cut, |fields| self.numbered_columns(fields))
    }

    /// How many cells a row of these many fields gets: the first row decides.
    fn numbered_columns(&mut self, fields: usize) -> Result<usize, BadRecord> {
        if self.kind == Kind::Unknown {
            self.numbered = (0..fields.min(MAX_COLUMNS)).map(|index| format!("_c{index}")).collect();
        }
        self.become_kind(Kind::Numbered)?;
        if fields > MAX_COLUMNS {
            return Err(BadRecord::Malformed(too_many_columns()));
        }
        self.ragged.short += u64::from(fields < self.numbered.len());
        self.ragged.long += u64::from(fields > self.numbered.len());
        Ok(self.numbered.len())
    }

    /// Adds a row given as a JSON array of scalars; an empty one is none.
    pub(super) fn add_scalars(&mut self, array: &str, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let values = elements(array)?;
        if values.is_empty() {
            return Ok(());
        }
        let mut row = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            row.push(rows.scalar_cell(&scalar(&index.to_string(), value.get())?));
        }
        rows.add(|cells| cells.append(&mut row), |fields| self.numbered_columns(fields))
    }

    /// Adds a preprocessor's rows, a JSON array of objects.
    pub(super) fn add_preprocessed(&mut self, objects: &str, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        if self.kind == Kind::Unknown {
            self.preprocessed = true;
        }
        self.become_kind(Kind::Named)?;
        for object in elements(objects)? {
            self.add_object_row(&[object.get()], false, rows)?;
        }
        Ok(())
    }

    /// Adds the rows of JSON payloads: an object each, or arrays of as many objects. Members of the later ones win.
    pub(super) fn add_json(&mut self, payloads: &[&str], flatten: bool, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        self.become_kind(Kind::Named)?;
        self.preprocessed = false;
        if payloads.iter().all(|payload| payload.trim_ascii_start().starts_with('{')) {
            return self.add_object_row(payloads, flatten, rows);
        }
        let arrays: Vec<_> = payloads.iter().map(|payload| objects_of(payload)).collect::<Result<_, _>>()?;
        if arrays.iter().any(|array| array.len() != arrays[0].len()) {
            return Err(BadRecord::Malformed(
                "Only flat JSON is supported: request and answer are arrays of different lengths".to_owned(),
            ));
        }
        for index in 0..arrays[0].len() {
            let objects: Vec<&str> = arrays.iter().map(|array| array[index]).collect();
            self.add_object_row(&objects, flatten, rows)?;
        }
        Ok(())
    }

    fn add_object_row(&mut self, objects: &[&str], flatten: bool, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        rows.begin();
        self.overwritten.row += 1;
        let mut guess = 0;
        for (index, object) in objects.iter().enumerate() {
            let is_last = index + 1 == objects.len();
            let Overwritten { name: overwritten, row, last_row } = &mut self.overwritten;
            members(object, flatten, |name, value| {
                let column = self.columns.place(name, guess);
                guess = column + 1;
                rows.set(column, &value);
                if overwritten.is_some() || objects.len() == 1 {
                    return;
                }
                if last_row.len() <= column {
                    last_row.resize(column + 1, 0);
                }
                if !is_last {
                    last_row[column] = *row;
                } else if last_row[column] == *row {
                    *overwritten = Some(name.to_owned());
                }
            })?;
        }
        self.check_width()
    }

    fn check_width(&self) -> Result<(), BadRecord> {
        if self.width() > MAX_COLUMNS { Err(BadRecord::Malformed(too_many_columns())) } else { Ok(()) }
    }

    /// Adds the rows of two sides that are encoded differently: the CSV side's columns are numbered, the JSON side's
    /// named and sorted, and one side stands behind the other. False when there are not as many lines as objects.
    pub(super) fn add_mixed(
        &mut self,
        [first, second]: [&Payload<'_>; 2],
        side: &mut Side,
        flatten: bool,
        rows: &mut Rows<'_>,
    ) -> Result<bool, BadRecord> {
        self.become_kind(Kind::Mixed)?;
        let is_json_first = first.encoding == Encoding::Json;
        let (json, csv) = if is_json_first { (first, second) } else { (second, first) };
        let objects = objects_of(&json.text)?;
        side.cut(&csv.text, rows);
        if csv.is_output {
            side.spread_over(objects.len());
        }
        if side.rows() != objects.len() {
            return Ok(false);
        }
        for (index, object) in objects.iter().enumerate() {
            let mut values: Vec<(String, Scalar<'_>)> = Vec::new();
            members(object, flatten, |name, value| values.push((name.to_owned(), value)))?;
            values.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            rows.begin();
            let mut guess = 0;
            for is_json in [is_json_first, !is_json_first] {
                let mut place = |name: &str| {
                    let column = self.columns.place(name, guess);
                    guess = column + 1;
                    column
                };
                if is_json {
                    for (name, value) in &values {
                        rows.set(place(name), value);
                    }
                } else {
                    let cells = side.row(index).iter().enumerate();
                    cells.for_each(|(number, &cell)| rows.set_cell(place(&format!("_c{number}")), cell));
                }
            }
            self.check_width()?;
        }
        self.ragged.add(side.ragged());
        Ok(true)
    }
}

/// The objects of a payload that is an array of them, or one object.
fn objects_of(payload: &str) -> Result<Vec<&str>, BadRecord> {
    let payload = payload.trim_ascii();
    if payload.starts_with('{') {
        return Ok(vec![payload]);
    }
    let not_objects = || {
        BadRecord::Malformed(
            "Only flat JSON is supported: the payload is neither an object nor an array of objects".to_owned(),
        )
    };
    if !payload.starts_with('[') {
        return Err(not_objects());
    }
    let objects: Vec<&str> = elements(payload)?.into_iter().map(serde_json::value::RawValue::get).collect();
    if objects.iter().any(|object| !object.starts_with('{')) {
        return Err(not_objects());
    }
    Ok(objects)
}
