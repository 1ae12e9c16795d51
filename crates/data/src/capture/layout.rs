//! Which columns captured rows have: numbered ones for CSV, named ones for JSON.

use watchkeeper_engine::column::Cell;
use watchkeeper_formats::Encoding;

use super::payload::{Payload, Side};
use crate::csv::tokenizer::cut_line;
use crate::json::sorted_by_name;
use crate::members::{Columns, NotFlat, Rows, Scalar, elements, members, scalar};

/// The columns of a captured dataset.
pub(super) struct Layout {
    kind: Kind,
    columns: Columns,
    /// Names of numbered columns, or of `columns`, for whoever asks.
    numbered: Vec<String>,
    strict_key_order: bool,
    /// All rows so far come from a preprocessor's dictionaries.
    preprocessed: bool,
    short: u64,
    long: u64,
    overwritten: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Unknown,
    Numbered,
    Named,
    /// One side named, one numbered: in the order of the sides.
    Mixed,
}

/// Why a record's rows do not fit in.
pub(super) enum NotFit {
    Nested(String),
    Other(String),
}

impl From<NotFlat> for NotFit {
    fn from(problem: NotFlat) -> Self {
        match problem {
            NotFlat::Nested(column) => Self::Nested(column),
            NotFlat::Malformed(problem) => Self::Other(problem),
        }
    }
}

impl Layout {
    pub(super) fn new(strict_key_order: bool) -> Self {
        Self {
            kind: Kind::Unknown,
            columns: Columns::default(),
            numbered: Vec::new(),
            strict_key_order,
            preprocessed: false,
            short: 0,
            long: 0,
            overwritten: None,
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
        let mut notes = Vec::new();
        if self.short > 0 {
            notes.push(format!(
                "{} rows with fewer fields than the first: the rest taken as missing values",
                self.short
            ));
        }
        if self.long > 0 {
            notes.push(format!("{} rows with more fields than the first: the surplus cut off", self.long));
        }
        if let Some(name) = &self.overwritten {
            notes.push(format!("`{name}` is a member of both request and answer: the request's value is taken"));
        }
        if self.kind == Kind::Named && self.width() > 10 && self.keys_are_numbers() {
            notes.push("keys of the preprocessor's rows are numbers: sorted as numbers, where AWS sorts them as text (WATCHKEEPER_STRICT_KEY_ORDER=1 does too)".to_owned());
        }
        notes
    }

    fn become_kind(&mut self, kind: Kind) -> Result<(), NotFit> {
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
        Err(NotFit::Other(format!("this record has {}, those before it have {}", word(kind), word(self.kind))))
    }

    /// Adds the rows that the sides make together; false when there is none.
    pub(super) fn add_rows(&mut self, sides: &[&Side], rows: &mut Rows<'_>) -> Result<bool, NotFit> {
        let count = sides.iter().map(|side| side.rows()).min().unwrap_or(0);
        for index in 0..count {
            let fields: usize = sides.iter().map(|side| side.width()).sum();
            self.begin_numbered(fields, rows)?;
            let cells = sides.iter().flat_map(|side| side.row(index)).copied();
            self.put_numbered(cells, rows);
        }
        Ok(count > 0)
    }

    /// Adds the row that two lines make together, cut where they stand.
    pub(super) fn add_lines(&mut self, lines: &[(usize, &str); 2], rows: &mut Rows<'_>) -> Result<(), NotFit> {
        let start = rows.cells.len();
        for (place, line) in lines {
            cut_line(line.as_bytes(), *place, &mut rows.cells);
        }
        let fields = rows.cells.len() - start;
        self.begin_numbered(fields, rows)?;
        rows.cells.resize(start + self.numbered.len(), Cell::MISSING);
        rows.count += 1;
        Ok(())
    }

    fn begin_numbered(&mut self, fields: usize, rows: &mut Rows<'_>) -> Result<(), NotFit> {
        if self.kind == Kind::Unknown {
            self.numbered = (0..fields).map(|index| format!("_c{index}")).collect();
            rows.columns = fields;
        }
        self.become_kind(Kind::Numbered)?;
        self.short += u64::from(fields < self.numbered.len());
        self.long += u64::from(fields > self.numbered.len());
        Ok(())
    }

    fn put_numbered(&self, cells: impl Iterator<Item = Cell>, rows: &mut Rows<'_>) {
        let end = rows.cells.len() + self.numbered.len();
        rows.cells.extend(cells.take(self.numbered.len()));
        rows.cells.resize(end, Cell::MISSING);
        rows.count += 1;
    }

    /// Adds a row given as a JSON array of scalars.
    pub(super) fn add_scalars(&mut self, array: &str, rows: &mut Rows<'_>) -> Result<(), NotFit> {
        let values = elements(array)?;
        self.begin_numbered(values.len(), rows)?;
        let mut cells = Vec::with_capacity(values.len());
        for (index, value) in values.iter().enumerate() {
            cells.push(rows.scalar_cell(&scalar(&index.to_string(), value.get())?));
        }
        self.put_numbered(cells.into_iter(), rows);
        Ok(())
    }

    /// Adds a preprocessor's rows, a JSON array of objects.
    pub(super) fn add_preprocessed(&mut self, objects: &str, rows: &mut Rows<'_>) -> Result<(), NotFit> {
        if self.kind == Kind::Unknown {
            self.preprocessed = true;
        }
        self.become_kind(Kind::Named)?;
        for object in elements(objects)? {
            rows.begin();
            self.set_members(object.get(), false, None, rows)?;
        }
        Ok(())
    }

    /// Adds the rows of JSON payloads: an object each, or arrays of as many objects. Members of the later ones win.
    pub(super) fn add_json(&mut self, payloads: &[&str], flatten: bool, rows: &mut Rows<'_>) -> Result<(), NotFit> {
        self.become_kind(Kind::Named)?;
        self.preprocessed = false;
        if payloads.iter().all(|payload| payload.trim_ascii_start().starts_with('{')) {
            return self.add_object_row(payloads, flatten, rows);
        }
        let arrays: Vec<_> = payloads.iter().map(|payload| objects_of(payload)).collect::<Result<_, _>>()?;
        if arrays.iter().any(|array| array.len() != arrays[0].len()) {
            return Err(NotFit::Other(
                "Only flat JSON is supported: request and answer are arrays of different lengths".to_owned(),
            ));
        }
        for index in 0..arrays[0].len() {
            let objects: Vec<&str> = arrays.iter().map(|array| array[index]).collect();
            self.add_object_row(&objects, flatten, rows)?;
        }
        Ok(())
    }

    fn add_object_row(&mut self, objects: &[&str], flatten: bool, rows: &mut Rows<'_>) -> Result<(), NotFit> {
        rows.begin();
        let mut seen = (objects.len() > 1).then(Vec::new);
        for (index, object) in objects.iter().enumerate() {
            let from = seen.as_ref().map_or(0, Vec::len);
            self.set_members(object, flatten, seen.as_mut(), rows)?;
            if let (1.., Some(seen), None) = (index, &seen, &self.overwritten) {
                let twice = seen[from..].iter().find(|place| seen[..from].contains(place));
                self.overwritten = twice.map(|&place| self.columns.names()[place].clone());
            }
        }
        Ok(())
    }

    fn set_members(
        &mut self,
        object: &str,
        flatten: bool,
        mut seen: Option<&mut Vec<usize>>,
        rows: &mut Rows<'_>,
    ) -> Result<(), NotFit> {
        let mut guess = seen.as_ref().and_then(|seen| seen.last()).map_or(0, |last| last + 1);
        members(object, flatten, |name, value| {
            let column = self.columns.place(name, guess);
            guess = column + 1;
            rows.set(column, &value);
            if let Some(seen) = &mut seen {
                seen.push(column);
            }
        })?;
        Ok(())
    }

    /// Adds one row of two sides that are encoded differently: the CSV side's columns are numbered, the JSON side's
    /// named and sorted, and one side stands behind the other.
    pub(super) fn add_mixed(
        &mut self,
        payloads: [&Payload<'_>; 2],
        sides: &mut [Side; 2],
        flatten: bool,
        rows: &mut Rows<'_>,
    ) -> Result<(), NotFit> {
        self.become_kind(Kind::Mixed)?;
        let [side, _] = sides;
        rows.begin();
        for payload in payloads {
            if payload.encoding == Encoding::Json {
                let mut values: Vec<(String, Scalar<'_>)> = Vec::new();
                members(&payload.text, flatten, |name, value| values.push((name.to_owned(), value)))?;
                values.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
                for (name, value) in values {
                    let column = self.columns.place(&name, usize::MAX);
                    rows.set(column, &value);
                }
                continue;
            }
            side.cut(&payload.text, rows);
            if side.rows() != 1 {
                return Err(NotFit::Other(format!(
                    "a CSV payload beside a JSON one must have one line, this one has {}",
                    side.rows()
                )));
            }
            for (index, &cell) in side.row(0).iter().enumerate() {
                let column = self.columns.place(&format!("_c{index}"), usize::MAX);
                rows.set_cell(column, cell);
            }
        }
        Ok(())
    }
}

/// The objects of a payload that is an array of them, or one object.
fn objects_of(payload: &str) -> Result<Vec<&str>, NotFit> {
    let payload = payload.trim_ascii();
    if payload.starts_with('{') {
        return Ok(vec![payload]);
    }
    let not_objects = || {
        NotFit::Other(
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
