//! CSV files as a table: which row is a header, how wide rows are (section 2.4).

use std::path::Path;

use watchkeeper_engine::table::{Column, ColumnBuilder, ColumnKind, Table, Value};
use watchkeeper_formats::clarify::Reference;

use super::excel::{Records, Unclosed};
use super::{ReadTable, TableError, counted_as, finished, headers_do_not_match, numbered, other_columns, text_of};
use crate::Error;
use crate::error::shown;
use crate::files::DatasetFile;
use crate::text::{MAX_COLUMNS, too_many_columns};

/// Which row of a file names the columns.
#[derive(Clone, Copy, Debug)]
pub(super) enum HeaderRule<'a> {
    /// The names are given: a first row of these names is left out.
    Given(&'a [String]),
    /// The first row is the header where one of these references or names, or the kinds of cells say so.
    Found(&'a [Reference], &'a [String]),
    /// The first row of every file, or none.
    Told(bool),
}

/// Reads files as one table.
pub(super) fn read(files: &[DatasetFile], rule: HeaderRule<'_>, keeps_written: bool) -> Result<ReadTable, TableError> {
    let mut reader = Reader { rule, keeps_written, columns: Vec::new(), names: None, first: None, notes: Vec::new() };
    let mut rows_of_files = Vec::with_capacity(files.len());
    let mut rows = 0;
    for file in files {
        let text = text_of(file)?;
        let count = reader.add(&file.path, &text)?;
        rows += count;
        rows_of_files.push(count);
    }
    let width = reader.columns.len();
    let names = match (rule, reader.names) {
        (HeaderRule::Given(names), _) => names.to_vec(),
        (_, Some(names)) => names,
        (_, None) => numbered(width),
    };
    if let Some(name) = names.iter().enumerate().find_map(|(index, name)| names[..index].contains(name).then_some(name))
    {
        reader.notes.push(format!("more than one column is named `{name}`: the first is meant where it is named"));
    }
    let table = Table { columns: finished(reader.columns, names), rows };
    Ok(ReadTable { table, rows_of_files, notes: reader.notes })
}

/// Puts the rows of files into columns.
struct Reader<'a> {
    rule: HeaderRule<'a>,
    keeps_written: bool,
    columns: Vec<ColumnBuilder>,
    /// As the first header has them.
    names: Option<Vec<String>>,
    /// The first file that has a row, which says how many columns there are.
    first: Option<std::path::PathBuf>,
    notes: Vec<String>,
}

impl Reader<'_> {
    /// Adds the rows of a file; returns how many there are.
    fn add(&mut self, path: &Path, text: &str) -> Result<usize, TableError> {
        let unclosed = |rows, Unclosed(at)| TableError::File(unclosed(path, rows, &text[at..]));
        let mut records = Records::new(text);
        let mut first_row = Vec::new();
        let fields = records.next(|_, field| first_row.push(field.to_owned()));
        if fields.map_err(|open| unclosed(0, open))?.is_none() {
            return Ok(0);
        }
        self.check_width(path, first_row.len())?;
        let width = self.columns.len();
        let is_header = self.is_header(&first_row, text).map_err(|(rows, open)| unclosed(rows, open))?;
        let mut places = None;
        let mut rows = 0;
        if is_header {
            places = self.learn_names(path, first_row)?;
        } else {
            for (column, cell) in self.columns.iter_mut().zip(&first_row) {
                column.push_csv(cell);
            }
            rows = 1;
        }
        let mut in_file = 1;
        loop {
            let columns = &mut self.columns;
            let fields = match &places {
                None => records.next(|index, field| {
                    if let Some(column) = columns.get_mut(index) {
                        column.push_csv(field);
                    }
                }),
                Some(places) => records.next(|index, field| {
                    if let Some(&place) = places.get(index) {
                        columns[place].push_csv(field);
                    }
                }),
            };
            let Some(fields) = fields.map_err(|open| unclosed(in_file, open))? else { return Ok(rows) };
            in_file += 1;
            if fields != width {
                return Err(uneven(path, in_file, fields, width).into());
            }
            rows += 1;
        }
    }

    /// Every file has as many columns as the first, and as there are names.
    fn check_width(&mut self, path: &Path, width: usize) -> Result<(), TableError> {
        if let Some(first) = &self.first {
            let known = self.columns.len();
            if width != known {
                let problem = format!("it has {}, {} has {known}", counted_as(width, "column"), shown(first));
                return Err(Error::File { path: path.to_owned(), problem }.into());
            }
            return Ok(());
        }
        if width > MAX_COLUMNS {
            return Err(Error::File { path: path.to_owned(), problem: too_many_columns() }.into());
        }
        if let HeaderRule::Given(names) = self.rule
            && names.len() != width
        {
            return Err(headers_do_not_match(
                names.len(),
                &format!("{} has {}", shown(path), counted_as(width, "column")),
            ));
        }
        self.first = Some(path.to_owned());
        self.columns = (0..width).map(|_| ColumnBuilder::new(self.keeps_written)).collect();
        Ok(())
    }

    fn is_header(&self, first_row: &[String], text: &str) -> Result<bool, (usize, Unclosed)> {
        let (references, possible_names) = match self.rule {
            HeaderRule::Told(header) => return Ok(header),
            HeaderRule::Given(names) => return Ok(names == first_row),
            HeaderRule::Found(references, possible_names) => (references, possible_names),
        };
        let names: Vec<&str> = references.iter().filter_map(name_of).collect();
        let mut header_names = names.iter().copied().chain(possible_names.iter().map(String::as_str));
        if header_names.any(|name| first_row.iter().any(|cell| cell == name) && can_be_name(name, first_row)) {
            return Ok(true);
        }
        if !names.iter().all(|name| is_whole_number(name)) || first_row.iter().any(|cell| is_number(cell)) {
            return Ok(false);
        }
        some_column_is_numeric(text)
    }

    /// Takes the names of a header; returns the place of each of its columns where they are not the known ones in order.
    fn learn_names(&mut self, path: &Path, header: Vec<String>) -> Result<Option<Vec<usize>>, TableError> {
        let names: Vec<String> = header
            .into_iter()
            .zip(numbered(self.columns.len()))
            .map(|(name, number)| if name.is_empty() { number } else { name })
            .collect();
        let Some(known) = &self.names else {
            if matches!(self.rule, HeaderRule::Found(..)) {
                self.notes.push(format!("{}: the first row is taken for the names of the columns", shown(path)));
            }
            self.names = Some(names);
            return Ok(None);
        };
        if *known == names {
            return Ok(None);
        }
        let mut free: Vec<bool> = vec![true; known.len()];
        let mut place_of = |name: &String| {
            let place = (0..known.len()).find(|&place| free[place] && known[place] == *name)?;
            free[place] = false;
            Some(place)
        };
        let places: Option<Vec<usize>> = names.iter().map(&mut place_of).collect();
        let Some(places) = places else { return Err(other_columns(path.to_owned(), &names, known).into()) };
        self.notes.push(format!("{}: its columns are in another order; they are taken by name", shown(path)));
        Ok(Some(places))
    }
}

fn name_of(reference: &Reference) -> Option<&str> {
    match reference {
        Reference::Name(name) => Some(name),
        Reference::Index(_) => None,
    }
}

pub(super) fn is_whole_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the row that has this name can be the header that it is from. A name like `0` may be an index, and the cell a value: it is
/// believed only of a row whose cells all could be names, no two alike.
fn can_be_name(name: &str, row: &[String]) -> bool {
    let could_be_name = |(index, cell): (usize, &String)| {
        !cell.is_empty() && (is_whole_number(cell) || !is_number(cell)) && !row[..index].contains(cell)
    };
    !is_whole_number(name) || row.iter().enumerate().all(could_be_name)
}

/// Whether a cell is a number, as the column of it alone would be.
fn is_number(cell: &str) -> bool {
    let mut column = ColumnBuilder::new(false);
    column.push_csv(cell);
    has_numbers(&column.finish(String::new()))
}

/// Whether a column is numeric and not all missing.
fn has_numbers(column: &Column) -> bool {
    matches!(column.kind(), ColumnKind::Integer | ColumnKind::Float)
        && (0..column.len()).any(|row| column.value(row) != Value::Missing)
}

/// Whether some column is numeric in all rows but the first.
fn some_column_is_numeric(text: &str) -> Result<bool, (usize, Unclosed)> {
    let mut columns: Vec<ColumnBuilder> = Vec::new();
    let mut records = Records::new(text);
    let mut rows = 0;
    loop {
        let fields = records.next(|index, field| {
            if rows == 0 {
                columns.push(ColumnBuilder::new(false));
            } else if let Some(column) = columns.get_mut(index) {
                column.push_csv(field);
            }
        });
        if fields.map_err(|open| (rows, open))?.is_none() {
            return Ok(columns.into_iter().any(|column| has_numbers(&column.finish(String::new()))));
        }
        rows += 1;
    }
}

fn uneven(path: &Path, row: usize, fields: usize, width: usize) -> Error {
    let cells = counted_as(fields, "cell");
    let hint = if fields > width { " (is there a comma in a cell that is not quoted?)" } else { "" };
    let problem = format!("the row has {cells}, the rows before it have {width}{hint}");
    Error::Row { path: path.to_owned(), row: row as u64, problem }
}

fn unclosed(path: &Path, rows: usize, from: &str) -> Error {
    let begin = &from[..from.floor_char_boundary(40)];
    let problem = format!(
        "the quote that opens a cell here is never closed: {begin:?}; close it, or double it if it belongs to the text"
    );
    Error::Row { path: path.to_owned(), row: rows as u64 + 1, problem }
}

/// The cells of a payload of CSV: rows of one width, or why it has none. A quote that is never closed is text there.
#[derive(Debug, Default)]
pub(super) struct CsvRows {
    text: String,
    /// Where each cell ends.
    ends: Vec<usize>,
    width: usize,
}

impl CsvRows {
    /// Cuts a payload; `Err` says what is wrong with it.
    pub(super) fn cut(&mut self, payload: &str) -> Result<(), String> {
        self.text.clear();
        self.ends.clear();
        self.width = 0;
        let mut records = Records::new(payload);
        loop {
            let (text, ends) = (&mut self.text, &mut self.ends);
            let fields = records.next(|_, field| {
                text.push_str(field);
                ends.push(text.len());
            });
            match fields {
                Ok(None) => return Ok(()),
                Ok(Some(fields)) if self.width == 0 || self.width == fields => self.width = fields,
                Ok(Some(fields)) => return Err(format!("its lines have {} and {fields} cells", self.width)),
                Err(_) => return Err("it has a quote that is never closed".to_owned()),
            }
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.len().checked_div(self.width).unwrap_or(0)
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// A row with as many cells as there are rows: each is a row of its own.
    pub(super) fn spread_over(&mut self, rows: usize) {
        if rows > 1 && self.rows() == 1 && self.width == rows {
            self.width = 1;
        }
    }

    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let index = row * self.width + column;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.text[start..self.ends[index]]
    }
}
