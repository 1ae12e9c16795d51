//! Features and labels in the payloads of a record.

use watchkeeper_engine::table::ColumnBuilder;
use watchkeeper_formats::Encoding;

use super::TrafficReading;
use crate::capture::payload::{Payload, documents, is_json};
use crate::locate::{Attribute, DEEPEST, Found};
use crate::members::scalar;
use crate::scored::{described, unwrap_label};
use crate::table::csv::CsvRows;
use crate::table::json::feature_rows;
use crate::table::place::{Place, Places, Scratch};
use crate::table::{kind_of, push_found, unsuitable};

/// Rows of values in a payload.
pub(super) enum Cells<'a> {
    /// Some columns of CSV.
    Csv {
        rows: &'a CsvRows,
        columns: Vec<usize>,
    },
    Json(Vec<Vec<Found<'a>>>),
}

/// What the texts of rows are pieces of.
#[derive(Default)]
pub(super) struct Memory {
    csv: CsvRows,
    /// One for each line of JSON.
    scratch: Vec<Scratch<1>>,
}

impl Cells<'_> {
    pub(super) fn rows(&self) -> usize {
        match self {
            Self::Csv { rows, .. } => rows.rows(),
            Self::Json(rows) => rows.len(),
        }
    }

    pub(super) fn width(&self) -> usize {
        match self {
            Self::Csv { columns, .. } => columns.len(),
            Self::Json(rows) => rows.first().map_or(0, Vec::len),
        }
    }

    /// What is wrong with the values, if anything: rows are to be of one width and scalars.
    pub(super) fn check(&self) -> Result<(), String> {
        let Self::Json(rows) = self else { return Ok(()) };
        let width = self.width();
        for row in rows {
            if row.len() != width {
                return Err(format!("its records have {width} and {} values", row.len()));
            }
            let nested = |found: &&Found<'_>| match found {
                Found::Missing => false,
                Found::Json(json) => scalar("", json).is_err(),
                Found::Many(_) => true,
            };
            if let Some(found) = row.iter().find(nested) {
                return Err(format!("one of its values is {}", unsuitable(found)));
            }
        }
        Ok(())
    }

    /// Adds a value, which has been checked, to its column.
    pub(super) fn push(&self, row: usize, column: usize, to: &mut ColumnBuilder) {
        match self {
            Self::Csv { rows, columns } => to.push_csv(rows.cell(row, columns[column])),
            Self::Json(rows) => {
                if push_found(&rows[row][column], to).is_err() {
                    to.push_missing();
                }
            }
        }
    }
}

/// Takes features out of requests, or out of rows of a batch transform that hold request and answer.
pub(super) struct FeatureReader {
    places: Places<1>,
    /// The columns of the answer in such a row.
    outputs: Vec<usize>,
    has_places_of_outputs: bool,
    /// How many features there are, where their names are given.
    count: Option<usize>,
}

impl FeatureReader {
    pub(super) fn new(reading: &TrafficReading) -> Self {
        let attributes = [&reading.inference, &reading.probability];
        let attributes = attributes.into_iter().flatten();
        Self {
            places: Places::new([reading.features.as_deref()]),
            outputs: attributes.clone().filter_map(|text| Attribute::new(text).index()).collect(),
            has_places_of_outputs: attributes.count() > 0,
            count: reading.feature_headers().map(|names| names.len()),
        }
    }

    /// The features of a payload; `is_joined`: it holds the answer too. `Err` says why there are none.
    pub(super) fn read<'a>(
        &self,
        payload: &'a Payload<'_>,
        is_joined: bool,
        memory: &'a mut Memory,
    ) -> Result<Cells<'a>, String> {
        let cells = if payload.encoding == Encoding::Json {
            Cells::Json(self.json(&payload.text, &mut memory.scratch)?)
        } else {
            memory.csv.cut(&payload.text)?;
            let width = memory.csv.width();
            let columns = match self.count {
                _ if !is_joined => (0..width).collect(),
                Some(count) if !self.has_places_of_outputs => (0..width.min(count)).collect(),
                _ => (0..width).filter(|column| !self.outputs.contains(column)).collect(),
            };
            Cells::Csv { rows: &memory.csv, columns }
        };
        if cells.rows() == 0 || cells.width() == 0 {
            return Err("Data must contain features. Its request is empty".to_owned());
        }
        Ok(cells)
    }

    fn json<'a>(&self, text: &'a str, scratch: &'a mut Vec<Scratch<1>>) -> Result<Vec<Vec<Found<'a>>>, String> {
        let Some(place) = self.places.get(0) else {
            return Err(
                "Data must contain features. Its request is JSON, and no features_attribute says where the features \
                        are"
                .to_owned(),
            );
        };
        let lines = documents(text).ok_or("its request is neither JSON nor JSON lines")?;
        scratch.resize_with(lines.len(), Default::default);
        let mut rows = Vec::with_capacity(lines.len());
        for (line, scratch) in lines.into_iter().zip(scratch) {
            let [found] = self.places.find(line, scratch)?;
            let found = feature_rows(&found).ok_or_else(|| {
                let kind = if found.as_elements().is_some() { "an empty array" } else { kind_of(&found) };
                let (path, hint) = (place.as_str(), place.hint());
                format!("Data must contain features. `{path}` gives {kind}; {}{hint}", described(line))
            })?;
            rows.extend(found);
        }
        Ok(rows)
    }
}

/// Takes labels out of ground truth.
pub(super) struct LabelReader {
    places: Places<1>,
}

impl LabelReader {
    pub(super) fn new(path: Option<&str>) -> Self {
        Self { places: Places::new([path]) }
    }

    /// The labels of a record of so many rows, one a row.
    pub(super) fn read<'a>(
        &self,
        text: &'a str,
        is_json: bool,
        rows: usize,
        memory: &'a mut Memory,
    ) -> Result<Cells<'a>, String> {
        if is_json {
            memory.scratch.resize_with(1, Default::default);
            return self.json(text.trim_ascii(), &mut memory.scratch[0]).map(Cells::Json);
        }
        memory.csv.cut(text).map_err(|problem| format!("its ground truth: {problem}"))?;
        if memory.csv.rows() == 0 {
            // An empty label is a missing one.
            return Ok(Cells::Json(vec![vec![Found::Missing]]));
        }
        memory.csv.spread_over(rows);
        Ok(Cells::Csv { rows: &memory.csv, columns: vec![0] })
    }

    fn json<'a>(&self, text: &'a str, scratch: &'a mut Scratch<1>) -> Result<Vec<Vec<Found<'a>>>, String> {
        if !is_json(text) {
            return Err("its ground truth is not JSON".to_owned());
        }
        let mut found = Found::Missing;
        if text.starts_with(['{', '[']) {
            [found] = self.places.find(text, scratch)?;
        }
        let mut labels = Vec::new();
        if found.is_there() {
            flatten(&found, 0, &mut labels);
        } else {
            // As labels are unwrapped where the path leads nowhere.
            unwrap_label(text, self.places.get(0).map(Place::attribute), &mut labels);
        }
        Ok(labels.into_iter().map(|label| vec![label]).collect())
    }
}

/// The elements of lists within lists; what stands deeper than any label does is none, as it is to `unwrap_label`.
fn flatten<'a>(found: &Found<'a>, level: usize, to: &mut Vec<Found<'a>>) {
    match found.as_elements() {
        Some(_) if level > DEEPEST => to.push(Found::Missing),
        Some(elements) => elements.iter().for_each(|element| flatten(element, level + 1, to)),
        None => to.push(found.clone()),
    }
}
