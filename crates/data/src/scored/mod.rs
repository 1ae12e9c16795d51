//! Records with predictions and labels, as batches of exactly the columns that model quality takes.
//!
//! Whatever the format, a batch has the three columns of `watchkeeper_engine::quality`: prediction, probability, label; a column
//! whose attribute is not given is missing in every row. Lists are resolved here: a batch knows of none.
//!
//! Tables (CSV, Parquet, captures without labels) are read as for data quality and cut down to the three columns. JSON records
//! and merged captures may be nested, so their values are found in the text of each record.

mod labels;
mod merged;
mod records;
mod table;
mod values;

use watchkeeper_formats::DatasetFormat;

use crate::capture::{CaptureSource, Preprocess};
use crate::files::DatasetFile;
use crate::json::JsonSource;
use crate::locate::Attribute;
use crate::{Reading, Source};
use merged::MergedRows;
use records::ScoredRecords;
use table::TableSource;

pub(crate) use labels::{unwrap_label, unwrap_output};
pub(crate) use records::described;

/// What a list stands for where the probability attribute yields one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListMeaning {
    /// Nothing: a list of more than one value is a missing value (regression).
    None,
    /// Probabilities of both classes: the second of exactly two is that of the positive class (binary).
    SecondOfTwo,
    /// Probabilities of the classes: the index of the largest is the prediction, where no prediction is given (multiclass).
    IndexOfLargest,
}

/// How to read scored records.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredReading {
    /// Format and window.
    pub reading: Reading,
    /// Where the prediction is. With neither this nor `probability`, the whole output of a merged capture is the probability of a
    /// binary problem ([`ListMeaning::SecondOfTwo`]), the prediction of any other.
    pub inference: Option<Attribute>,
    /// Where the probability is.
    pub probability: Option<Attribute>,
    /// Where the label is; of merged captures it is in their ground truth, and this is the path within a label that is an object.
    pub ground_truth: Option<Attribute>,
    /// What a list is.
    pub lists: ListMeaning,
}

/// What became of the records so far, for the message of a job that finds no usable row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordCounts {
    /// Records read: lines of merged captures, rows of other formats.
    pub read: u64,
    /// Of these, captures whose time is outside the window.
    pub outside_window: u64,
    /// Of these, records within the window that gave no row: as many predictions as labels are needed, say.
    pub dropped: u64,
    /// Why the first of those was dropped.
    pub first_reason: Option<String>,
}

/// A source of scored records.
pub trait ScoredSource: Source {
    /// What became of the records so far.
    fn counts(&self) -> RecordCounts;
}

/// Opens scored records: the files of [`crate::list`], in their order. A preprocessor applies to captured data alone.
///
/// An attribute that no record has is an error which lists the columns or members found: of tables with the first batch, of other
/// formats after the last record.
pub fn open<'a>(
    files: Vec<DatasetFile>,
    reading: &ScoredReading,
    preprocessor: Option<&'a mut dyn Preprocess>,
) -> Box<dyn ScoredSource + 'a> {
    match &reading.reading.format {
        DatasetFormat::Json { lines } => Box::new(JsonSource::new(files, *lines, ScoredRecords::new(reading))),
        DatasetFormat::MergeJson { capture_index_name } => {
            let rows = MergedRows::new(reading, *capture_index_name);
            Box::new(CaptureSource::new(files, reading.reading.window, preprocessor, rows))
        }
        DatasetFormat::Csv { .. } | DatasetFormat::Parquet | DatasetFormat::CaptureJson { .. } => {
            Box::new(TableSource::new(files, reading, preprocessor))
        }
    }
}

/// What the columns are called in messages: the variables that say where they are.
const ATTRIBUTES: [&str; 3] = ["inference_attribute", "probability_attribute", "ground_truth_attribute"];

/// The names of the columns.
fn column_names() -> Vec<String> {
    ["prediction", "probability", "label"].map(str::to_owned).to_vec()
}

/// What is wrong when an attribute is nowhere. `found` says what there is instead.
fn not_found(column: usize, attribute: &Attribute, found: &str) -> String {
    let mut problem = format!("no record has the {} `{}`; {found}", ATTRIBUTES[column], attribute.as_str());
    if let Some(reason) = attribute.not_a_path() {
        problem.push_str(" (it cannot be a path either: ");
        problem.push_str(reason);
        problem.push_str("; a path is like `predictions[*].score`)");
    }
    problem
}

/// Most names of a list in a message.
const MOST_NAMES: usize = 50;

/// Names in a message.
fn listed<'n>(names: impl ExactSizeIterator<Item = &'n str>) -> String {
    let count = names.len();
    let shown: Vec<String> = names.take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = if count > MOST_NAMES { format!(" and {} more", count - MOST_NAMES) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
