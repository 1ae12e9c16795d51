//! Datasets as batches of columns: CSV, JSON lines, JSON documents, Parquet and captured traffic.
//!
//! A [`Source`] reads the files of a dataset in the order of their keys, once, and fills one [`Batch`] after the other. It promises
//! bounded memory whatever the number of rows, cells that are UTF-8, and splits that depend on the data alone. What is
//! wrong with a file is an [`Error`] that names file, row and byte.
//!
//! Reading is pulled, not pushed: whoever drives the fold decides when the next batch is read and where it goes.
//!
//! The Clarify monitors look at whole columns in pairs, and get whole tables in memory: [`table`].

mod capture;
mod chunks;
mod csv;
mod error;
mod files;
mod json;
pub mod locate;
mod members;
pub mod merge;
mod parquet;
mod rows;
pub mod scored;
pub mod spill;
pub mod table;
mod text;

use std::path::Path;

use jiff::Timestamp;
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::{DatasetFormat, OutputColumnsPosition};

pub use capture::{Preprocess, Preprocessed, ScriptFailure};
pub use error::Error;
pub use files::{DatasetFile, SPLIT_BYTES, list};

/// Reads a dataset.
pub trait Source {
    /// Puts the next rows into `batch`, in place of what it held; false after the last row. A batch never holds rows
    /// of two splits.
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error>;

    /// Names of the columns met so far; a column keeps its place in batches.
    fn names(&self) -> &[String];

    /// True when the names are the dataset's own (a header, keys), false when they only number the columns.
    fn has_own_names(&self) -> bool;

    /// Places of the columns in dataset order, after the last batch. CSV and Parquet keep the order they are read in;
    /// keys of JSON are sorted.
    fn order(&self) -> Vec<usize> {
        (0..self.names().len()).collect()
    }

    /// The split that the last filled batch belongs to.
    fn split(&self) -> u32;

    /// Bytes read from disk so far, and of all files where that is known.
    fn progress(&self) -> (u64, Option<u64>);

    /// What whoever reads the result should know: rows cut, records skipped.
    fn notes(&self) -> Vec<String>;
}

/// How to read a dataset.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// What the files hold.
    pub format: DatasetFormat,
    /// Captured records outside this half-open window are skipped.
    pub window: Option<(Timestamp, Timestamp)>,
    /// Objects and arrays in JSON become columns `parent.child`, `parent.0` instead of an error.
    pub flatten_json: bool,
    /// Request and answer of a captured record may be encoded differently.
    pub mixed_encoding: bool,
    /// Keys of a preprocessor's rows are sorted as text even where all are numbers.
    pub strict_key_order: bool,
}

impl Reading {
    /// Reads files of one format, with nothing else out of the ordinary.
    pub fn of(format: DatasetFormat) -> Self {
        Self { format, window: None, flatten_json: false, mixed_encoding: false, strict_key_order: false }
    }
}

/// Opens a dataset: the files of [`list`], in their order. A preprocessor applies to captured data alone.
pub fn open<'a>(
    files: Vec<DatasetFile>,
    reading: &Reading,
    preprocessor: Option<&'a mut dyn Preprocess>,
) -> Box<dyn Source + 'a> {
    match &reading.format {
        DatasetFormat::Csv { header, .. } => Box::new(csv::CsvSource::new(files, *header)),
        DatasetFormat::Json { lines } => {
            Box::new(json::JsonSource::new(files, *lines, json::FlatRecords::new(reading.flatten_json)))
        }
        DatasetFormat::Parquet => Box::new(parquet::ParquetSource::new(files)),
        // Merged captures are captures: their labels are no columns of the data.
        DatasetFormat::CaptureJson { .. } | DatasetFormat::MergeJson { .. } => {
            let rows = capture::JoinedRows::new(reading);
            Box::new(capture::CaptureSource::new(files, reading.window, preprocessor, rows))
        }
    }
}

/// Guesses a dataset's format from the name of its first file, `None` when the name says nothing.
pub fn format_of(files: &[DatasetFile]) -> Option<DatasetFormat> {
    let name = files.first()?.path.file_name()?.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    match Path::new(name).extension()?.to_str()? {
        "csv" => Some(DatasetFormat::Csv { header: true, output_columns_position: OutputColumnsPosition::default() }),
        "json" => Some(DatasetFormat::Json { lines: false }),
        "jsonl" | "ndjson" => Some(DatasetFormat::Json { lines: true }),
        "parquet" => Some(DatasetFormat::Parquet),
        _ => None,
    }
}
