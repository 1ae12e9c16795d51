//! What an endpoint or a batch transform was asked and answered, as a table (section 5.2 of the bias, 5.1 of the explainability
//! specification): features of the request, predictions of the answer, and labels where records are merged.
//!
//! A record whose features, predictions and labels are not equally many gives no row and is counted.

mod outputs;
mod payloads;
mod rows;

use jiff::Timestamp;
use watchkeeper_engine::column::Batch;
use watchkeeper_engine::prediction::Answer;
use watchkeeper_engine::table::{Column, Table};
use watchkeeper_formats::DatasetFormat;

use super::{JsonPlaces, ReadTable, TableError, counted_as, headers_do_not_match, numbered};
use crate::Source as _;
use crate::capture::CaptureSource;
use crate::files::DatasetFile;
use crate::scored::RecordCounts;
use rows::TrafficRows;

/// How to read records.
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficReading {
    /// Captured, merged, or of a batch transform.
    pub format: DatasetFormat,
    /// Records outside are not looked at.
    pub window: Option<(Timestamp, Timestamp)>,
    /// `JMESPath` of the features of JSON requests.
    pub features: Option<String>,
    /// Where the prediction is.
    pub inference: Option<String>,
    /// Where the probability is.
    pub probability: Option<String>,
    /// `JMESPath` of the label within a label document; for merged records only.
    pub label: Option<String>,
    /// Names of the features, where given. With the label's among them where `label_header` is one of them: it is left out.
    pub headers: Option<Vec<String>>,
    /// Name of the label.
    pub label_header: Option<String>,
    /// Keep the cells as they were written, for a model.
    pub keeps_written: bool,
}

/// Records of traffic.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// The features.
    pub features: Table,
    /// The answers, one a row; empty where none are wanted (captures).
    pub answers: Vec<Answer>,
    /// The labels, where records are merged.
    pub labels: Option<Column>,
    /// Content types of the first request and the first answer.
    pub content_types: (Option<String>, Option<String>),
    /// Records read, outside the window, dropped, and why the first was.
    pub counts: RecordCounts,
    /// What the log should say.
    pub notes: Vec<String>,
}

impl TrafficReading {
    /// Names of the features.
    fn feature_headers(&self) -> Option<Vec<String>> {
        let mut names = self.headers.clone()?;
        let label = self.label_header.as_ref().and_then(|label| names.iter().position(|name| name == label));
        if let Some(label) = label {
            names.remove(label);
        }
        Some(names)
    }

    /// Names for so many features.
    ///
    /// Clients leave the label among the headers of a monitor's features where it is a path: they look for its name there. With JSON
    /// it is the last of them.
    fn names_of(&self, width: usize) -> Option<Vec<String>> {
        let mut names = self.feature_headers()?;
        let has_label = self.features.is_some() && self.label_header.is_none();
        if has_label && names.len() == width + 1 {
            names.pop();
        }
        Some(names)
    }

    /// Name of the label.
    fn label_name(&self) -> String {
        self.label_header.clone().or_else(|| self.label.clone()).unwrap_or_else(|| "label".to_owned())
    }
}

/// Reads records. Captured data gives features, merged data answers and labels too; CSV, JSON and Parquet are the inputs of batch
/// transforms, of which every column, or what `features` leads to, is a feature.
///
/// No usable record is no error: `features` has no row then, and `counts` say what became of the records.
///
/// # Errors
/// [`TableError::File`] of files that cannot be read, none of whose lines is a captured record, or whose payloads have an encoding that
/// cannot be read; [`TableError::Refused`] of headers that are not as many as the features.
pub fn read_traffic(files: Vec<DatasetFile>, reading: &TrafficReading) -> Result<Traffic, TableError> {
    match &reading.format {
        DatasetFormat::CaptureJson { .. } | DatasetFormat::MergeJson { .. } => captured(files, reading),
        DatasetFormat::Csv { header, .. } => {
            let rule = super::csv::HeaderRule::Told(*header);
            inputs(super::csv::read(&files, rule, reading.keeps_written)?, reading)
        }
        DatasetFormat::Json { lines } => {
            let places = JsonPlaces { features: reading.features.clone(), ..JsonPlaces::default() };
            inputs(super::json::read(&files, *lines, &places, None, reading.keeps_written)?, reading)
        }
        DatasetFormat::Parquet => inputs(super::parquet::read(files, None, reading.keeps_written)?, reading),
    }
}

/// The inputs of batch transforms.
fn inputs(read: ReadTable, reading: &TrafficReading) -> Result<Traffic, TableError> {
    let counts = RecordCounts { read: read.table.rows as u64, ..RecordCounts::default() };
    let mut features = read.table;
    if let (Some(names), true) = (reading.names_of(features.columns.len()), features.rows > 0) {
        rename(&mut features, names)?;
    }
    Ok(Traffic { features, counts, notes: read.notes, ..Traffic::default() })
}

/// Captured or merged records.
fn captured(files: Vec<DatasetFile>, reading: &TrafficReading) -> Result<Traffic, TableError> {
    let mut source = CaptureSource::new(files, reading.window, None, TrafficRows::new(reading));
    // The rows are put into columns on the way; no batch has any.
    while source.fill(&mut Batch::default())? {}
    let counts = source.record_counts();
    let notes = source.notes();
    let gathered = source.into_records();
    let rows = gathered.rows;
    let width = gathered.features.len();
    let mut features = Table { columns: super::finished(gathered.features, numbered(width)), rows };
    if let (Some(names), true) = (reading.names_of(width), rows > 0) {
        rename(&mut features, names)?;
    }
    Ok(Traffic {
        features,
        answers: gathered.answers,
        labels: gathered.labels.map(|labels| labels.finish(reading.label_name())),
        content_types: gathered.content_types,
        counts,
        notes,
    })
}

/// Gives the features their names.
fn rename(features: &mut Table, names: Vec<String>) -> Result<(), TableError> {
    let width = features.columns.len();
    if names.len() != width {
        return Err(headers_do_not_match(
            names.len(),
            &format!("the records have {} (a label is not among them)", counted_as(width, "feature")),
        ));
    }
    for (column, name) in features.columns.iter_mut().zip(names) {
        column.name = name;
    }
    Ok(())
}
