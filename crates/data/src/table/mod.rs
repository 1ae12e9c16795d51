//! Whole datasets as tables in memory, as the Clarify monitors take them (sections 2.4 and 2.5 of the bias specification).
//!
//! What a place in a record is, is a `JMESPath` here, in full: records of a table are read once and kept, so a tree of values for each
//! costs little beside what follows. Plain paths, which nearly all are, go without.

mod csv;
mod excel;
mod expression;
mod join;
mod json;
mod parquet;
mod place;
mod traffic;

use std::path::PathBuf;

use watchkeeper_engine::table::{Column, ColumnBuilder, Table};
use watchkeeper_formats::clarify::{DatasetType, Reference};

use crate::error::shown;
use crate::files::DatasetFile;
use crate::locate::Found;
use crate::members::scalar;
use crate::text::{check_text, counted_as};

pub use expression::compile_path;
pub use join::join;
pub use traffic::{Traffic, TrafficReading, read_traffic};

/// How to read a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableReading {
    /// Format of the files.
    pub dataset_type: DatasetType,
    /// Names of the columns, where given.
    pub headers: Option<Vec<String>>,
    /// `JMESPath`s of JSON kinds.
    pub places: JsonPlaces,
    /// Every reference to a column that the configuration has: they tell whether a CSV file has a header.
    pub references: Vec<Reference>,
    /// Names that columns of a CSV file may have without being referred to: one of them in a first row says that it is a header, too.
    pub possible_names: Vec<String>,
    /// Keep the cells as they were written, for a model.
    pub keeps_written: bool,
}

/// Where the values of JSON records are.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct JsonPlaces {
    /// The features; required of JSON kinds.
    pub features: Option<String>,
    /// The label.
    pub label: Option<String>,
    /// The predicted label.
    pub predicted_label: Option<String>,
}

/// A table as read.
#[derive(Clone, Debug)]
pub struct ReadTable {
    /// The table. JSON kinds: features, then the label, then the predicted label, as far as there are paths of them.
    pub table: Table,
    /// Rows of each file, in order.
    pub rows_of_files: Vec<usize>,
    /// What the log should say.
    pub notes: Vec<String>,
}

/// Why a table cannot be read or used; the texts begin as the guide promises (section 2.1) and go behind `ClientError: `.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] crate::Error),
    /// The table is not what the configuration says.
    #[error("{0}")]
    Refused(String),
}

/// Reads files as one table of one row at least.
///
/// # Errors
/// [`TableError::File`] of a file that is not of its format, names file and row; [`TableError::Refused`] of headers, features or a label
/// that are not there, and of a dataset without any row.
pub fn read(files: Vec<DatasetFile>, reading: &TableReading) -> Result<ReadTable, TableError> {
    let (first, count) = (files.first().map(|file| file.path.clone()), files.len());
    let read = match reading.dataset_type {
        DatasetType::Csv => {
            let rule = match &reading.headers {
                Some(names) => csv::HeaderRule::Given(names),
                None => csv::HeaderRule::Found(&reading.references, &reading.possible_names),
            };
            csv::read(&files, rule, reading.keeps_written)
        }
        DatasetType::JsonLines | DatasetType::Json => {
            let lines = reading.dataset_type == DatasetType::JsonLines;
            json::read(&files, lines, &reading.places, reading.headers.as_deref(), reading.keeps_written)
        }
        DatasetType::Parquet => parquet::read(files, reading.headers.as_deref(), reading.keeps_written),
    }?;
    if read.table.rows == 0 {
        let place = match (first, count) {
            (None, _) => "there is no file".to_owned(),
            (Some(file), 1) => format!("{} holds none", shown(&file)),
            (Some(first), _) => format!("{count} files hold none, the first is {}", shown(&first)),
        };
        return Err(TableError::Refused(format!("The dataset has no rows: {place}")));
    }
    Ok(read)
}

/// The column that a reference means: by name, else by index (also a name that is a whole number). None where there is none.
pub fn column_of(table: &Table, reference: &Reference) -> Option<usize> {
    let index = match reference {
        Reference::Index(index) => Some(*index),
        Reference::Name(name) => {
            if let Some(place) = table.position(name) {
                return Some(place);
            }
            // Unlike `parse` alone, no `+1`.
            csv::is_whole_number(name).then(|| name.parse().ok()).flatten()
        }
    };
    index.filter(|&index| index < table.columns.len())
}

/// The text of a file, without a byte order mark.
fn text_of(file: &DatasetFile) -> Result<String, crate::Error> {
    let mut bytes = file.bytes()?;
    check_text(&file.path, &bytes, 0, |at| memchr::memchr_iter(b'\n', &bytes[..at]).count() as u64 + 1)?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(String::from_utf8(bytes).expect("it has just been found to be UTF-8"))
}

/// Names of columns without names.
fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("column_{index}")).collect()
}

/// The refusal of headers that are too few or too many; `found` says where there are how many columns.
fn headers_do_not_match(headers: usize, found: &str) -> TableError {
    let names = counted_as(headers, "name");
    TableError::Refused(format!(
        "Headers in config do not match with the number of columns in the dataset. `headers` has {names}, {found}"
    ))
}

/// What is wrong with a file whose columns have other names than those of the files before.
fn other_columns(path: PathBuf, names: &[String], known: &[String]) -> crate::Error {
    let problem = format!("its columns are {}, those of the files before {}", names.join(", "), known.join(", "));
    crate::Error::File { path, problem }
}

/// Adds a value of JSON to a column: what is not there, and null, is missing. `Err` says what it is if it is no scalar.
fn push_found(found: &Found<'_>, column: &mut ColumnBuilder) -> Result<(), &'static str> {
    match found {
        Found::Missing => column.push_missing(),
        Found::Json(json) => {
            let scalar = scalar("", json).map_err(|_| unsuitable(found))?;
            match scalar.text_and_kind() {
                None => column.push_missing(),
                Some((text, kind)) => column.push(kind, text),
            }
        }
        Found::Many(_) => return Err(kind_of(found)),
    }
    Ok(())
}

/// What a value that is no scalar is, for a message.
fn unsuitable(found: &Found<'_>) -> &'static str {
    match found {
        Found::Json(json) if json.starts_with('"') => "a text with an escape that stands for no character",
        _ => kind_of(found),
    }
}

/// What a value is, for a message.
fn kind_of(found: &Found<'_>) -> &'static str {
    match found {
        Found::Missing => "nothing",
        Found::Many(_) => "an array",
        Found::Json(json) => match json.as_bytes().first() {
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b'"') => "a text",
            Some(b'n') => "null",
            Some(b't' | b'f') => "a boolean",
            _ => "a number",
        },
    }
}

/// Columns of these names.
fn finished(columns: Vec<ColumnBuilder>, names: impl IntoIterator<Item = String>) -> Vec<Column> {
    columns.into_iter().zip(names).map(|(column, name)| column.finish(name)).collect()
}
