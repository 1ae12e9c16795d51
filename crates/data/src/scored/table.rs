//! Tables cut down to the three columns.

use std::path::{Path, PathBuf};

use watchkeeper_engine::column::{Batch, Cell, CellKind};
use watchkeeper_engine::quality::{GROUND_TRUTH, INFERENCE, PROBABILITY};
use watchkeeper_formats::DatasetFormat;

use super::values::{ListRules, Probability};
use super::{RecordCounts, ScoredReading, ScoredSource, column_names, listed, not_found};
use crate::capture::{CaptureSource, JoinedRows, Preprocess};
use crate::csv::CsvSource;
use crate::files::DatasetFile;
use crate::locate::Attribute;
use crate::members::{BadRecord, Scalar};
use crate::parquet::ParquetSource;
use crate::{Error, Reading, Source};

/// The columns that attributes name.
pub(super) struct TableSource<'a> {
    table: Table<'a>,
    attributes: [Option<Attribute>; 3],
    /// Where each column stands in the table's batches.
    places: [Option<usize>; 3],
    /// Names of the table when the places were looked up.
    known_names: Vec<String>,
    lists: ListRules,
    names: Vec<String>,
    /// The table's own cells, or room for the three columns'.
    cells: Vec<Cell>,
    /// Rows so far, and those of the current file before its last batch.
    rows: u64,
    file: PathBuf,
    rows_in_file: u64,
}

/// What the columns are taken of.
enum Table<'a> {
    Csv { source: CsvSource, header: bool },
    Parquet(ParquetSource),
    Captures(Box<CaptureSource<'a, JoinedRows>>),
}

impl<'a> TableSource<'a> {
    pub(super) fn new(
        files: Vec<DatasetFile>,
        reading: &ScoredReading,
        preprocessor: Option<&'a mut dyn Preprocess>,
    ) -> Self {
        let attributes = [reading.inference.clone(), reading.probability.clone(), reading.ground_truth.clone()];
        let table = match &reading.reading.format {
            DatasetFormat::Csv { header, .. } => {
                Table::Csv { source: CsvSource::new(files, *header).with_own_columns(), header: *header }
            }
            DatasetFormat::Parquet => {
                let attributes = attributes.clone();
                Table::Parquet(ParquetSource::new(files).with_columns(move |names| wanted(&attributes, names)))
            }
            _ => {
                // A path can lead into what has been made flat.
                let flat = Reading { flatten_json: true, ..reading.reading.clone() };
                let rows = JoinedRows::new(&flat);
                Table::Captures(Box::new(CaptureSource::new(files, flat.window, preprocessor, rows)))
            }
        };
        Self {
            table,
            attributes,
            places: [None; 3],
            known_names: Vec::new(),
            lists: ListRules::new(reading),
            names: column_names(),
            cells: Vec::new(),
            rows: 0,
            file: PathBuf::new(),
            rows_in_file: 0,
        }
    }

    /// Looks up where the columns stand, again when they are others than before.
    fn find_columns(&mut self) {
        let names = self.table.source().names();
        // Captures only ever get more of them.
        let is_known = match &self.table {
            Table::Captures(_) => names.len() == self.known_names.len(),
            Table::Csv { .. } | Table::Parquet(_) => names == self.known_names,
        };
        if is_known {
            return;
        }
        names.clone_into(&mut self.known_names);
        self.places = match &self.table {
            Table::Parquet(_) => {
                let wanted = wanted(&self.attributes, names);
                columns(&self.attributes, names).map(|column| wanted.iter().position(|&wanted| Some(wanted) == column))
            }
            Table::Captures(source) if source.has_own_names() => self.attributes.each_ref().map(|attribute| {
                let attribute = attribute.as_ref()?;
                attribute.column_of(names, false).or_else(|| {
                    let flat = attribute.flat_name()?;
                    names.iter().position(|name| *name == flat)
                })
            }),
            Table::Csv { .. } | Table::Captures(_) => columns(&self.attributes, names),
        };
    }

    /// The error of an attribute that is nowhere.
    fn check_columns(&self) -> Result<(), Error> {
        for (column, attribute) in self.attributes.iter().enumerate() {
            let (Some(attribute), None) = (attribute, self.places[column]) else { continue };
            let source = self.table.source();
            let names = source.names();
            let found = if source.has_own_names() {
                format!("the columns are {}", listed(names.iter().map(String::as_str)))
            } else {
                let last = names.len().saturating_sub(1);
                format!("the columns have no names: they are `_c0` to `_c{last}`, or 0 to {last}")
            };
            let problem = not_found(column, attribute, &found);
            return Err(Error::File { path: self.table.path().to_owned(), problem });
        }
        Ok(())
    }

    /// Cuts a batch of the table down to the three columns.
    fn cut_down(&mut self, batch: &mut Batch) {
        self.cells.clear();
        self.cells.reserve(batch.rows * 3);
        if let ([Some(inference), Some(probability), Some(label)], true) = (self.places, batch.columns > 0) {
            for row in batch.cells.chunks_exact(batch.columns) {
                self.cells.extend_from_slice(&[row[inference], row[probability], row[label]]);
            }
        } else {
            for row in 0..batch.rows {
                let cells = &batch.cells[row * batch.columns..][..batch.columns];
                let cell = |place: Option<usize>| place.and_then(|place| cells.get(place)).copied();
                self.cells.extend(self.places.map(|place| cell(place).unwrap_or(Cell::MISSING)));
            }
        }
        std::mem::swap(&mut self.cells, &mut batch.cells);
        batch.columns = 3;
    }

    /// Resolves probabilities that are lists of JSON. What a list comes to is shorter than the list, and stands in its place.
    fn resolve_lists(&self, batch: &mut Batch) -> Result<(), Error> {
        for row in 0..batch.rows {
            let cells = &mut batch.cells[row * 3..][..3];
            let cell = cells[PROBABILITY];
            if cell.is_missing() || (!self.lists.predicts() && batch.text[cell.start()..].first() != Some(&b'[')) {
                continue;
            }
            let text = String::from_utf8_lossy(&batch.text[cell.start()..cell.start() + cell.length()]).into_owned();
            let probability = self.lists.probability_of_text(&text).map_err(|problem| self.error(row, problem))?;
            let mut digits = itoa::Buffer::new();
            let (column, scalar) = match probability {
                Probability::Is(Scalar::Text(own)) if own == text => continue,
                Probability::Is(scalar) => (PROBABILITY, scalar),
                Probability::Predicts(index) => (INFERENCE, Scalar::Number(digits.format(index))),
            };
            cells[PROBABILITY] = Cell::MISSING;
            if cells[GROUND_TRUTH] == cell {
                cells[GROUND_TRUTH] = Cell::MISSING;
            }
            cells[column] = scalar
                .text_and_kind()
                .map_or(Cell::MISSING, |(text, kind)| put_at(&mut batch.text, cell.start(), text, kind));
        }
        Ok(())
    }

    fn error(&self, row: usize, problem: BadRecord) -> Error {
        let BadRecord::Malformed(problem) = problem else { unreachable!("lists have no other problem") };
        let header = u64::from(matches!(self.table, Table::Csv { header: true, .. }));
        Error::Row { path: self.file.clone(), row: self.rows_in_file + header + row as u64 + 1, problem }
    }
}

fn put_at(text: &mut [u8], start: usize, value: &str, kind: CellKind) -> Cell {
    text[start..start + value.len()].copy_from_slice(value.as_bytes());
    Cell::new(start, value.len(), kind)
}

impl Source for TableSource<'_> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        let has_rows = self.table.source_mut().fill(batch)?;
        self.find_columns();
        // Later records of captures may have what the first lack; of other tables the first file tells.
        let is_to_check = match self.table {
            Table::Captures(_) => !has_rows && self.rows > 0,
            Table::Csv { .. } | Table::Parquet(_) => has_rows && self.rows == 0,
        };
        if is_to_check {
            self.check_columns()?;
        }
        if !has_rows {
            return Ok(false);
        }
        if self.table.path() != self.file {
            self.file = self.table.path().to_owned();
            self.rows_in_file = 0;
        }
        self.cut_down(batch);
        if self.attributes[PROBABILITY].is_some() {
            self.resolve_lists(batch)?;
        }
        self.rows += batch.rows as u64;
        self.rows_in_file += batch.rows as u64;
        Ok(true)
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn has_own_names(&self) -> bool {
        true
    }

    fn split(&self) -> u32 {
        self.table.source().split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.table.source().progress()
    }

    fn notes(&self) -> Vec<String> {
        self.table.source().notes()
    }
}

impl ScoredSource for TableSource<'_> {
    fn counts(&self) -> RecordCounts {
        match &self.table {
            Table::Captures(source) => {
                let (dropped, first_reason) = source.without_rows();
                RecordCounts {
                    read: self.rows + source.counts().outside_window + dropped,
                    outside_window: source.counts().outside_window,
                    dropped,
                    first_reason,
                }
            }
            _ => RecordCounts { read: self.rows, ..RecordCounts::default() },
        }
    }
}

impl<'a> Table<'a> {
    fn source(&self) -> &(dyn Source + 'a) {
        match self {
            Self::Csv { source, .. } => source,
            Self::Parquet(source) => source,
            Self::Captures(source) => &**source,
        }
    }

    fn source_mut(&mut self) -> &mut (dyn Source + 'a) {
        match self {
            Self::Csv { source, .. } => source,
            Self::Parquet(source) => source,
            Self::Captures(source) => &mut **source,
        }
    }

    /// The file that was read last.
    fn path(&self) -> &Path {
        match self {
            Self::Csv { source, .. } => source.path(),
            Self::Parquet(source) => source.path(),
            Self::Captures(source) => source.path(),
        }
    }
}

/// The columns of a table that attributes name.
fn columns(attributes: &[Option<Attribute>; 3], names: &[String]) -> [Option<usize>; 3] {
    attributes.each_ref().map(|attribute| attribute.as_ref()?.column_of(names, true))
}

/// These columns, in ascending order.
fn wanted(attributes: &[Option<Attribute>; 3], names: &[String]) -> Vec<usize> {
    let mut wanted: Vec<usize> = columns(attributes, names).into_iter().flatten().collect();
    wanted.sort_unstable();
    wanted.dedup();
    wanted
}
