//! Parquet files as batches.
//!
//! The specification counts distinct values by their text, so every type has a text form:
//!
//! | type | cell | text |
//! |---|---|---|
//! | integers | number | decimal digits |
//! | decimals | number | digits with the type's scale, `1.50` |
//! | floats | number | widened to a double, in Java's layout, `0.5`, `1.0E-4`; NaN is a missing value |
//! | boolean | boolean | `true`, `false` |
//! | text, dictionaries of text | text | as it is |
//! | date, time, timestamp | text | `2026-01-31`, `12:30:00`, `2026-01-31 12:30:00`, a fraction without trailing zeros |
//!
//! Nested and binary columns are an error that names the column. Arrow is used in this file alone.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, DecimalType, Float16Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use arrow_array::{Array, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use watchkeeper_engine::column::{BATCH_BYTES, Batch, Cell, CellKind};
use watchkeeper_formats::number::write_java_double;

use crate::files::{DatasetFile, Files, SPLIT_BYTES};
use crate::text::{MAX_COLUMNS, MAX_RECORD_BYTES, too_many_columns};
use crate::{Error, Source};

/// How much text of long values is put into a batch. More than [`BATCH_BYTES`], as every batch costs a call for each
/// column.
const MOST_TEXT: usize = 4 * 1024 * 1024;

/// A dataset of Parquet files.
pub(crate) struct ParquetSource {
    files: Files,
    names: Vec<String>,
    /// Of the columns' names those to read; `None`: all.
    wanted: Option<ChooseColumns>,
    reader: Option<Reader>,
    /// Parts of the current file that follow, each a split's row groups.
    rest: Vec<Vec<usize>>,
    file: Option<DatasetFile>,
    /// Rows taken from the current file.
    rows: u64,
}

/// Which columns to read, of those of these names.
type ChooseColumns = Box<dyn Fn(&[String]) -> Vec<usize>>;

struct Reader {
    path: PathBuf,
    batches: ParquetRecordBatchReader,
    /// Rows that are read and were too much text for a batch.
    pending: Option<RecordBatch>,
    /// Bytes on disk a row, for the progress alone.
    bytes_per_row: f64,
}

impl ParquetSource {
    pub(crate) fn new(files: Vec<DatasetFile>) -> Self {
        Self {
            files: Files::new(files),
            names: Vec::new(),
            wanted: None,
            reader: None,
            rest: Vec::new(),
            file: None,
            rows: 0,
        }
    }

    /// Reads some columns alone: batches hold those that `wanted` gives, in ascending order. [`Source::names`] are still those of
    /// all columns.
    pub(crate) fn with_columns(mut self, wanted: impl Fn(&[String]) -> Vec<usize> + 'static) -> Self {
        self.wanted = Some(Box::new(wanted));
        self
    }

    /// The file that was read last.
    pub(crate) fn path(&self) -> &Path {
        self.file.as_ref().map_or(Path::new(""), |file| &file.path)
    }

    /// Opens the next part of a file; false after the last.
    fn open_next(&mut self) -> Result<bool, Error> {
        if let (Some(file), false) = (self.file.clone(), self.rest.is_empty()) {
            self.files.cut();
            let groups = self.rest.remove(0);
            self.open(&file, Some(groups))?;
            return Ok(true);
        }
        let Some(file) = self.files.next_listed() else { return Ok(false) };
        self.open(&file, None)?;
        self.file = Some(file);
        self.rows = 0;
        Ok(true)
    }

    fn open(&mut self, file: &DatasetFile, groups: Option<Vec<usize>>) -> Result<(), Error> {
        let path = &file.path;
        if path.as_os_str() == "-" {
            let problem = "a Parquet file is read from its end and cannot come from standard input".to_owned();
            return Err(Error::File { path: path.clone(), problem });
        }
        let open = File::open(path).map_err(|error| Error::io(path, error))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(open).map_err(|error| failed(path, &error))?;
        let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
        if self.names.is_empty() {
            self.names.clone_from(&names);
        } else if self.names != names {
            let problem = format!(
                "its columns are not those of the first file: {}, expected {}",
                names.join(", "),
                self.names.join(", ")
            );
            return Err(Error::File { path: path.clone(), problem });
        }
        if names.len() > MAX_COLUMNS {
            return Err(Error::File { path: path.clone(), problem: too_many_columns() });
        }
        let wanted = self.wanted.as_ref().map(|wanted| wanted(&names));
        let is_wanted = |index: usize| wanted.as_ref().is_none_or(|wanted| wanted.contains(&index));
        let fields = builder.schema().fields().iter().enumerate();
        for (_, field) in fields.filter(|(index, _)| is_wanted(*index)) {
            if !is_flat(field.data_type()) {
                let problem = format!(
                    "column `{}` is of the type {}; only numbers, booleans, text, dates and times can be analysed",
                    field.name(),
                    field.data_type()
                );
                return Err(Error::File { path: path.clone(), problem });
            }
        }
        let total_rows = builder.metadata().file_metadata().num_rows();
        let disk_bytes_per_row = file.size.unwrap_or(0) as f64 / (total_rows.max(1) as f64);
        let groups = groups.unwrap_or_else(|| {
            let sizes = builder.metadata().row_groups().iter().map(|group| group.compressed_size().max(0) as u64);
            let mut parts = parts(sizes);
            let first = if parts.is_empty() { Vec::new() } else { parts.remove(0) };
            self.rest = parts;
            first
        });
        // Some text a value, so that a batch stays near the size that others have; less where values are long.
        let bytes = builder.metadata().row_groups().iter().map(|group| group.total_byte_size().max(0) as usize);
        let bytes_per_row = bytes.sum::<usize>() / (total_rows.max(1) as usize);
        let rows = (BATCH_BYTES / (16 * names.len().max(1))).clamp(16, 8192);
        let rows = rows.min(MOST_TEXT / bytes_per_row.max(1)).max(1);
        let columns = match &wanted {
            None => ProjectionMask::all(),
            Some(wanted) => ProjectionMask::roots(builder.parquet_schema(), wanted.iter().copied()),
        };
        let builder = builder.with_row_groups(groups).with_batch_size(rows).with_projection(columns);
        let batches = builder.build().map_err(|error| failed(path, &error))?;
        self.reader = Some(Reader { path: path.clone(), batches, pending: None, bytes_per_row: disk_bytes_per_row });
        Ok(())
    }
}

/// Row groups by split: cut where a group begins [`SPLIT_BYTES`] or more behind the start of its split.
fn parts(sizes: impl Iterator<Item = u64>) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut begins = 0;
    let mut in_split = u64::MAX;
    for (group, size) in sizes.enumerate() {
        let split = begins / SPLIT_BYTES;
        match parts.last_mut() {
            Some(part) if split == in_split => part.push(group),
            _ => parts.push(vec![group]),
        }
        in_split = split;
        begins += size;
    }
    parts
}

fn failed(path: &Path, error: &dyn std::error::Error) -> Error {
    Error::File { path: path.to_owned(), problem: format!("cannot be read as Parquet: {error}") }
}

impl Source for ParquetSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        loop {
            if self.reader.is_none() && !self.open_next()? {
                return Ok(false);
            }
            let reader = self.reader.as_mut().expect("opened above");
            match reader.pending.take().map(Ok).or_else(|| reader.batches.next()) {
                None => self.reader = None,
                Some(Err(error)) => return Err(failed(&reader.path, &error)),
                Some(Ok(rows)) if rows.num_rows() == 0 => {}
                Some(Ok(rows)) => {
                    let count = rows_that_fit(&rows).ok_or_else(|| {
                        let problem =
                            format!("the row is longer than {} MiB, the longest there may be", MAX_RECORD_BYTES >> 20);
                        Error::Row { path: reader.path.clone(), row: self.rows + 1, problem }
                    })?;
                    if count < rows.num_rows() {
                        reader.pending = Some(rows.slice(count, rows.num_rows() - count));
                    }
                    put(&rows.slice(0, count), batch);
                    self.rows += count as u64;
                    self.files.add_read((reader.bytes_per_row * batch.rows as f64) as u64);
                    return Ok(true);
                }
            }
        }
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn has_own_names(&self) -> bool {
        true
    }

    fn split(&self) -> u32 {
        self.files.split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.files.progress()
    }

    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

fn is_flat(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_flat(values),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => *scale >= 0,
        _ => {
            data_type.is_integer()
                || matches!(
                    data_type,
                    DataType::Null
                        | DataType::Boolean
                        | DataType::Float16
                        | DataType::Float32
                        | DataType::Float64
                        | DataType::Utf8
                        | DataType::LargeUtf8
                        | DataType::Utf8View
                        | DataType::Date32
                        | DataType::Date64
                        | DataType::Time32(_)
                        | DataType::Time64(_)
                        | DataType::Timestamp(_, _)
                )
        }
    }
}

/// How many rows at the head of some are not too much text for a batch, one at least; `None` when the first is longer
/// than a row may be.
fn rows_that_fit(rows: &RecordBatch) -> Option<usize> {
    let mut count = rows.num_rows();
    loop {
        let text: usize = rows.columns().iter().map(|array| text_bytes(&*array.slice(0, count))).sum();
        match count {
            _ if text <= MOST_TEXT => return Some(count),
            1 => return (text <= MAX_RECORD_BYTES).then_some(1),
            _ => count /= 2,
        }
    }
}

/// Bytes of a column's texts; other types have short ones.
fn text_bytes(array: &dyn Array) -> usize {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = dictionary.values();
        // Without a value that could be long, the keys need not be looked at.
        if text_bytes(values) <= MOST_TEXT / array.len().max(1) {
            return 0;
        }
        let keys = dictionary.normalized_keys();
        return keys
            .iter()
            .enumerate()
            .filter(|&(row, _)| array.is_valid(row))
            .map(|(_, &key)| text_bytes(&*values.slice(key, 1)))
            .sum();
    }
    match array.data_type() {
        DataType::Utf8 => {
            let offsets = array.as_string::<i32>().value_offsets();
            (offsets[array.len()] - offsets[0]) as usize
        }
        DataType::LargeUtf8 => {
            let offsets = array.as_string::<i64>().value_offsets();
            (offsets[array.len()] - offsets[0]) as usize
        }
        DataType::Utf8View => array.as_string_view().lengths().map(|length| length as usize).sum(),
        _ => 0,
    }
}

fn put(rows: &RecordBatch, batch: &mut Batch) {
    batch.rows = rows.num_rows();
    batch.columns = rows.num_columns();
    batch.text.clear();
    batch.cells.resize(batch.rows * batch.columns, Cell::MISSING);
    for (index, array) in rows.columns().iter().enumerate() {
        let mut column = Column { batch: &mut *batch, index, row: 0 };
        column.put(array.as_ref());
    }
}

/// Writes one column's cells.
struct Column<'a> {
    batch: &'a mut Batch,
    index: usize,
    row: usize,
}

impl Column<'_> {
    /// Ends the cell of the current row, whose text begins at `start`.
    fn cell(&mut self, start: usize, kind: CellKind) {
        let cell = Cell::new(start, self.batch.text.len() - start, kind);
        let place = self.row * self.batch.columns + self.index;
        self.batch.cells[place] = cell;
    }

    fn put(&mut self, array: &dyn Array) {
        if let Some(dictionary) = array.as_any_dictionary_opt() {
            // Without any value, all rows are missing.
            if !dictionary.values().is_empty() {
                let keys = dictionary.normalized_keys();
                let start = self.row;
                // Each value is written where it is used: a batch has few rows, its dictionary may have many values.
                for (offset, &key) in keys.iter().enumerate() {
                    self.row = start + offset;
                    if array.is_valid(offset) {
                        self.put(&*dictionary.values().slice(key, 1));
                    }
                }
            }
            return;
        }
        match array.data_type() {
            DataType::Boolean => {
                let values = array.as_boolean();
                self.each(array, CellKind::Boolean, |text, row| {
                    text.extend_from_slice(if values.value(row) { b"true" } else { b"false" });
                });
            }
            DataType::Int8 => self.integers::<Int8Type>(array),
            DataType::Int16 => self.integers::<Int16Type>(array),
            DataType::Int32 => self.integers::<Int32Type>(array),
            DataType::Int64 => self.integers::<Int64Type>(array),
            DataType::UInt8 => self.integers::<UInt8Type>(array),
            DataType::UInt16 => self.integers::<UInt16Type>(array),
            DataType::UInt32 => self.integers::<UInt32Type>(array),
            DataType::UInt64 => self.integers::<UInt64Type>(array),
            DataType::Float16 => self.floats(array, |row| f64::from(array.as_primitive::<Float16Type>().value(row))),
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>();
                self.floats(array, |row| f64::from(values.value(row)));
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>();
                self.floats(array, |row| values.value(row));
            }
            DataType::Decimal32(..) => self.decimals::<Decimal32Type>(array),
            DataType::Decimal64(..) => self.decimals::<Decimal64Type>(array),
            DataType::Decimal128(..) => self.decimals::<Decimal128Type>(array),
            DataType::Decimal256(..) => self.decimals::<Decimal256Type>(array),
            DataType::Utf8 => {
                let values = array.as_string::<i32>();
                self.each(array, CellKind::Text, |text, row| text.extend_from_slice(values.value(row).as_bytes()));
            }
            DataType::LargeUtf8 => {
                let values = array.as_string::<i64>();
                self.each(array, CellKind::Text, |text, row| text.extend_from_slice(values.value(row).as_bytes()));
            }
            DataType::Utf8View => {
                let values = array.as_string_view();
                self.each(array, CellKind::Text, |text, row| text.extend_from_slice(values.value(row).as_bytes()));
            }
            _ => self.times(array),
        }
    }

    fn each(&mut self, array: &dyn Array, kind: CellKind, mut write: impl FnMut(&mut Vec<u8>, usize)) {
        self.each_some(array, kind, |text, row| {
            write(text, row);
            true
        });
    }

    /// As [`Self::each`], for values of which some have no text and are missing: `write` says which have one.
    fn each_some(&mut self, array: &dyn Array, kind: CellKind, mut write: impl FnMut(&mut Vec<u8>, usize) -> bool) {
        let first = self.row;
        for row in 0..array.len() {
            if array.is_valid(row) {
                self.row = first + row;
                let start = self.batch.text.len();
                if write(&mut self.batch.text, row) {
                    self.cell(start, kind);
                }
            }
        }
    }

    fn integers<T: ArrowPrimitiveType<Native: itoa::Integer>>(&mut self, array: &dyn Array) {
        let values = array.as_primitive::<T>();
        let mut digits = itoa::Buffer::new();
        self.each(array, CellKind::Number, |text, row| {
            text.extend_from_slice(digits.format(values.value(row)).as_bytes());
        });
    }

    fn decimals<T: DecimalType>(&mut self, array: &dyn Array) {
        let values = array.as_primitive::<T>();
        self.each(array, CellKind::Number, |text, row| text.extend_from_slice(values.value_as_string(row).as_bytes()));
    }

    fn floats(&mut self, array: &dyn Array, value: impl Fn(usize) -> f64) {
        let mut number = String::new();
        self.each_some(array, CellKind::Number, |text, row| {
            let value = value(row);
            number.clear();
            write_java_double(&mut number, value);
            text.extend_from_slice(number.as_bytes());
            !value.is_nan()
        });
    }

    fn times(&mut self, array: &dyn Array) {
        let moment = |row: usize| -> Option<DateTime> {
            let seconds = |seconds: i64| Timestamp::from_second(seconds).ok();
            let timestamp = match array.data_type() {
                DataType::Date32 => seconds(i64::from(array.as_primitive::<Date32Type>().value(row)) * 86_400),
                DataType::Date64 => Timestamp::from_millisecond(array.as_primitive::<Date64Type>().value(row)).ok(),
                DataType::Timestamp(TimeUnit::Second, _) => {
                    seconds(array.as_primitive::<TimestampSecondType>().value(row))
                }
                DataType::Timestamp(TimeUnit::Millisecond, _) => {
                    Timestamp::from_millisecond(array.as_primitive::<TimestampMillisecondType>().value(row)).ok()
                }
                DataType::Timestamp(TimeUnit::Microsecond, _) => {
                    Timestamp::from_microsecond(array.as_primitive::<TimestampMicrosecondType>().value(row)).ok()
                }
                DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                    let nanoseconds = array.as_primitive::<TimestampNanosecondType>().value(row);
                    Timestamp::from_duration(SignedDuration::from_nanos(nanoseconds)).ok()
                }
                data_type => {
                    let nanoseconds = time_of_day(array, data_type, row)?;
                    Timestamp::from_duration(SignedDuration::from_nanos(nanoseconds)).ok()
                }
            };
            Some(timestamp?.to_zoned(jiff::tz::TimeZone::UTC).datetime())
        };
        let data_type = array.data_type().clone();
        self.each_some(array, CellKind::Text, |text, row| {
            let Some(moment) = moment(row) else { return false };
            match data_type {
                DataType::Date32 | DataType::Date64 => write!(text, "{}", moment.date()),
                DataType::Time32(_) | DataType::Time64(_) => write!(text, "{}", moment.time()),
                _ => write!(text, "{} {}", moment.date(), moment.time()),
            }
            .expect("writing to memory does not fail");
            true
        });
    }
}

/// Nanoseconds since midnight.
fn time_of_day(array: &dyn Array, data_type: &DataType, row: usize) -> Option<i64> {
    use arrow_array::types::{Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType};
    Some(match data_type {
        DataType::Time32(TimeUnit::Second) => {
            i64::from(array.as_primitive::<Time32SecondType>().value(row)) * 1_000_000_000
        }
        DataType::Time32(_) => i64::from(array.as_primitive::<Time32MillisecondType>().value(row)) * 1_000_000,
        DataType::Time64(TimeUnit::Microsecond) => array.as_primitive::<Time64MicrosecondType>().value(row) * 1_000,
        DataType::Time64(_) => array.as_primitive::<Time64NanosecondType>().value(row),
        _ => return None,
    })
}
