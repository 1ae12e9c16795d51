//! JSON lines and JSON documents as a table (section 2.4).

use std::path::Path;

use watchkeeper_engine::table::{ColumnBuilder, Table};

use super::place::{Place, Places, Scratch};
use super::{
    JsonPlaces, ReadTable, TableError, counted_as, finished, headers_do_not_match, kind_of, numbered, push_found,
    text_of,
};
use crate::Error;
use crate::error::shown;
use crate::files::DatasetFile;
use crate::locate::Found;
use crate::scored::described;
use crate::text::{MAX_COLUMNS, too_many_columns};

const FEATURES: usize = 0;
/// The label and the predicted label.
const OTHERS: [usize; 2] = [1, 2];
/// Their keys in the configuration.
const KEYS: [&str; 3] = ["features", "label", "predicted_label"];

/// Reads files as one table.
pub(super) fn read(
    files: &[DatasetFile],
    lines: bool,
    places: &JsonPlaces,
    headers: Option<&[String]>,
    keeps_written: bool,
) -> Result<ReadTable, TableError> {
    let paths = [&places.features, &places.label, &places.predicted_label].map(Option::as_deref);
    if paths[FEATURES].is_none_or(|path| path.trim_ascii().is_empty()) {
        let text =
            "Data must contain features. The configuration has no `features`, the JMESPath of the features in JSON";
        return Err(TableError::Refused(text.to_owned()));
    }
    let mut records = Records {
        places: Places::new(paths),
        keeps_written,
        features: Vec::new(),
        others: [const { None }; 2],
        seen: [false; 2],
        first: None,
        rows: 0,
    };
    for (index, others) in records.others.iter_mut().enumerate() {
        *others = paths[OTHERS[index]].map(|_| ColumnBuilder::new(keeps_written));
    }
    let mut rows_of_files = Vec::with_capacity(files.len());
    for file in files {
        let before = records.rows;
        let text = text_of(file)?;
        if lines {
            records.add_lines(&file.path, &text)?;
        } else if !text.trim_ascii().is_empty() {
            records.add_document(&file.path, &text)?;
        }
        rows_of_files.push(records.rows - before);
    }
    records.finish(headers, rows_of_files)
}

/// Puts records into columns.
struct Records {
    places: Places<3>,
    keeps_written: bool,
    features: Vec<ColumnBuilder>,
    others: [Option<ColumnBuilder>; 2],
    /// Which of the others some record has.
    seen: [bool; 2],
    /// What the first record has, for a message.
    first: Option<String>,
    rows: usize,
}

impl Records {
    fn add_lines(&mut self, path: &Path, text: &str) -> Result<(), TableError> {
        let mut scratch = Scratch::<3>::default();
        for (index, line) in text.split('\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            let row = index as u64 + 1;
            let [features, label, predicted] = self.find(path, row, line, &mut scratch)?;
            let Some(cells) = features.as_elements().filter(|cells| !cells.is_empty()) else {
                return Err(self.no_features(&format!("{}, row {row}", shown(path)), &features));
            };
            self.add(path, row, &cells, [label, predicted])?;
        }
        Ok(())
    }

    fn add_document(&mut self, path: &Path, text: &str) -> Result<(), TableError> {
        let mut scratch = Scratch::<3>::default();
        let [features, label, predicted] = self.find(path, 1, text.trim_ascii(), &mut scratch)?;
        let Some(rows) = feature_rows(&features) else {
            return Err(self.no_features(&shown(path), &features));
        };
        let mut lists = [Vec::new(), Vec::new()];
        for ((list, found), place) in lists.iter_mut().zip([label, predicted]).zip(OTHERS) {
            if self.places.get(place).is_none() || !found.is_there() {
                continue;
            }
            *list = match found.as_elements() {
                Some(list) if list.len() == rows.len() => list,
                None if rows.len() == 1 => vec![found],
                other => {
                    let count = other.map_or(1, |list| list.len());
                    let problem = format!(
                        "the {} `{}` gives {}, the features `{}` are {}",
                        KEYS[place],
                        self.path(place),
                        counted_as(count, "value"),
                        self.path(FEATURES),
                        counted_as(rows.len(), "record")
                    );
                    return Err(Error::File { path: path.to_owned(), problem }.into());
                }
            };
        }
        for (index, cells) in rows.iter().enumerate() {
            let others = lists.each_ref().map(|list| list.get(index).cloned().unwrap_or(Found::Missing));
            self.add(path, index as u64 + 1, cells, others)?;
        }
        Ok(())
    }

    fn find<'a>(
        &mut self,
        path: &Path,
        row: u64,
        record: &'a str,
        scratch: &'a mut Scratch<3>,
    ) -> Result<[Found<'a>; 3], TableError> {
        let found = self.places.find(record, scratch);
        let found = found.map_err(|problem| Error::Row { path: path.to_owned(), row, problem })?;
        self.first.get_or_insert_with(|| described(record));
        for (seen, place) in self.seen.iter_mut().zip(OTHERS) {
            *seen |= found[place].is_there();
        }
        Ok(found)
    }

    /// Adds a row.
    fn add(&mut self, path: &Path, row: u64, cells: &[Found<'_>], others: [Found<'_>; 2]) -> Result<(), TableError> {
        let refused = |problem| TableError::File(Error::Row { path: path.to_owned(), row, problem });
        if self.rows == 0 {
            if cells.len() > MAX_COLUMNS {
                return Err(refused(too_many_columns()));
            }
            self.features = cells.iter().map(|_| ColumnBuilder::new(self.keeps_written)).collect();
        }
        if cells.len() != self.features.len() {
            let known = self.features.len();
            let found = counted_as(cells.len(), "feature");
            return Err(refused(format!("it has {found}, the records before it have {known}")));
        }
        for (index, (cell, column)) in cells.iter().zip(&mut self.features).enumerate() {
            push_found(cell, column).map_err(|kind| {
                refused(format!("feature {index} is {kind}; only numbers, texts, booleans and null can be analysed"))
            })?;
        }
        for ((found, column), place) in others.into_iter().zip(&mut self.others).zip(OTHERS) {
            let Some(column) = column else { continue };
            push_found(&found.unwrapped(), column).map_err(|kind| {
                refused(format!(
                    "its {} is {kind}; only numbers, texts, booleans and null can be analysed",
                    KEYS[place]
                ))
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    fn path(&self, place: usize) -> &str {
        self.places.get(place).map_or("", Place::as_str)
    }

    fn hint(&self, place: usize) -> String {
        self.places.get(place).map(Place::hint).unwrap_or_default()
    }

    fn no_features(&self, place: &str, found: &Found<'_>) -> TableError {
        let kind = match found.as_elements() {
            Some(cells) if cells.is_empty() => "an empty array",
            Some(_) => "an array in which not every record is an array of its own with a value in it",
            None => kind_of(found),
        };
        let first = self.first.as_deref().unwrap_or_default();
        let hint = self.hint(FEATURES);
        TableError::Refused(format!(
            "Data must contain features. {place}: `{}` gives {kind}, expected an array; {first}{hint}",
            self.path(FEATURES)
        ))
    }

    fn finish(self, headers: Option<&[String]>, rows_of_files: Vec<usize>) -> Result<ReadTable, TableError> {
        for (place, (seen, column)) in OTHERS.into_iter().zip(self.seen.iter().zip(&self.others)) {
            if self.rows > 0 && column.is_some() && !seen {
                let begin = if place == OTHERS[0] { "Headers must contain label." } else { "Feature names not found." };
                let first = self.first.as_deref().unwrap_or_default();
                let hint = self.hint(place);
                return Err(TableError::Refused(format!(
                    "{begin} No record has the {} `{}`; {first}{hint}",
                    KEYS[place],
                    self.path(place)
                )));
            }
        }
        let features = self.features.len();
        let others: Vec<usize> = OTHERS.into_iter().filter(|&place| self.places.get(place).is_some()).collect();
        let width = features + others.len();
        let names = match headers {
            Some(headers) if self.rows > 0 && headers.len() != width => {
                let others = others.iter().fold(String::new(), |names, &place| names + " and a " + KEYS[place]);
                let found = format!("the records have {}{others}", counted_as(features, "feature"));
                return Err(headers_do_not_match(headers.len(), &found));
            }
            Some(headers) => headers.to_vec(),
            None => {
                let others = others.iter().map(|&place| self.path(place).to_owned());
                numbered(features).into_iter().chain(others).collect()
            }
        };
        let columns = self.features.into_iter().chain(self.others.into_iter().flatten()).collect();
        let table = Table { columns: finished(columns, names), rows: self.rows };
        Ok(ReadTable { table, rows_of_files, notes: Vec::new() })
    }
}

/// The records that features are: an array of arrays is one per element, an array of scalars is one. None of anything else, and of nothing.
pub(super) fn feature_rows<'a>(found: &Found<'a>) -> Option<Vec<Vec<Found<'a>>>> {
    let elements = found.as_elements()?;
    let first = elements.first()?;
    if first.as_elements().is_none() {
        return Some(vec![elements]);
    }
    elements.iter().map(|element| element.as_elements().filter(|cells| !cells.is_empty())).collect()
}
