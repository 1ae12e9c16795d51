//! What a monitor's job reads, whichever monitor it is: its dataset, and the files of a baseline.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use watchkeeper_data::Reading;
use watchkeeper_formats::{DatasetFormat, Settings};

use crate::Error;

/// How a job's dataset is read.
pub(crate) fn reading(
    format: &DatasetFormat,
    (start, end): (Option<Timestamp>, Option<Timestamp>),
    settings: &Settings,
) -> Reading {
    Reading {
        format: format.clone(),
        window: start.zip(end),
        flatten_json: settings.flatten_json,
        mixed_encoding: settings.mixed_encoding,
        strict_key_order: settings.strict_key_order,
    }
}

/// Says of a dataset of so many files that it has no record, and why records were skipped.
pub(crate) fn no_data(dataset: &Path, files: usize, notes: &[String]) -> Error {
    let dataset = dataset.display();
    let found = match files {
        0 => format!("There is no file in {dataset}."),
        1 => format!("There is no record in {dataset}."),
        files => format!("There is no record in the {files} files of {dataset}."),
    };
    Error::NoData { found: notes.iter().fold(found, |text, note| format!("{text} ({note})")) }
}

/// Reads a baseline's constraints.
pub(crate) fn read_constraints<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, watchkeeper_formats::Error>,
) -> Result<T, Error> {
    read(path, parse).map_err(|(path, problem)| Error::BaselineConstraints { path, problem })
}

/// Reads a baseline's statistics.
pub(crate) fn read_statistics<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, watchkeeper_formats::Error>,
) -> Result<T, Error> {
    read(path, parse).map_err(|(path, problem)| Error::BaselineStatistics { path, problem })
}

/// A document, or its path and what is wrong with it.
fn read<T>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<T, watchkeeper_formats::Error>,
) -> Result<T, (PathBuf, String)> {
    let failed = |problem: String| (path.to_owned(), problem);
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    parse(&text).map_err(|error| failed(error.to_string()))
}
