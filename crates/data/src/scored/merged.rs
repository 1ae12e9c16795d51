//! Merged captures: output rows paired with labels (section 7.2).
//!
//! What a record's output and labels are depends on each other: how many rows a JSON document is, on the number of labels; how
//! many labels a line of CSV is, on the number of rows. So the labels are read when the rows of CSV, or the lists of JSON, are known.

use serde_json::value::RawValue;
use watchkeeper_engine::column::Cell;
use watchkeeper_engine::quality::{INFERENCE, PROBABILITY};
use watchkeeper_formats::{CaptureIndexName, CapturePart, CaptureRecord, Encoding};

use super::labels::{LabelReader, LabelText, unwrap_output};
use super::records::{Seen, described};
use super::values::{ListRules, Value};
use super::{ListMeaning, RecordCounts, ScoredReading, ScoredSource, column_names};
use crate::capture::payload::{Side, documents, payload_of};
use crate::capture::unused::{Dropped, Unused, name_of};
use crate::capture::{CaptureRows, CaptureSource, Preprocessed, returned_record};
use crate::locate::{Attribute, Found, list_of, locate};
use crate::members::{BadRecord, elements};
use crate::rows::Rows;
use crate::text::counted_as;

/// Makes rows of merged captures.
pub(super) struct MergedRows {
    /// Which side holds the output; `None`: the endpoint's, or else a batch transform's.
    side: Option<CaptureIndexName>,
    /// Prediction and probability.
    attributes: [Option<Attribute>; 2],
    ground_truth: Option<Attribute>,
    /// The column of an output without attributes.
    whole_output: usize,
    lists: ListRules,
    names: Vec<String>,
    seen: Seen,
    output: Side,
    labels: LabelReader,
    dropped: Dropped,
}

/// A row of an output that is JSON: what the attributes lead to, and a label of its own, if it has one.
type OutputRow<'a> = ([Found<'a>; 2], Option<Found<'a>>);

impl MergedRows {
    pub(super) fn new(reading: &ScoredReading, side: Option<CaptureIndexName>) -> Self {
        Self {
            side,
            attributes: [reading.inference.clone(), reading.probability.clone()],
            ground_truth: reading.ground_truth.clone(),
            whole_output: if reading.lists == ListMeaning::SecondOfTwo { PROBABILITY } else { INFERENCE },
            lists: ListRules::new(reading),
            names: column_names(),
            seen: Seen::default(),
            output: Side::default(),
            labels: LabelReader::new(reading.ground_truth.clone()),
            dropped: Dropped::default(),
        }
    }

    fn has_attributes(&self) -> bool {
        self.attributes.iter().any(Option::is_some)
    }

    /// Takes note of what a record's output has.
    fn note(&mut self, found: [bool; 2], describe: impl FnOnce() -> String) {
        self.seen.note([found[INFERENCE], found[PROBABILITY], true], describe);
    }

    fn output_of<'r, 'a>(&self, record: &'r CaptureRecord<'a>) -> Option<&'r CapturePart<'a>> {
        let data = &record.capture_data;
        match self.side {
            Some(CaptureIndexName::EndpointInput) => data.endpoint_input.as_ref(),
            Some(CaptureIndexName::EndpointOutput) => data.endpoint_output.as_ref(),
            Some(CaptureIndexName::BatchTransformOutput) => data.batch_transform_output.as_ref(),
            None => data.endpoint_output.as_ref().or(data.batch_transform_output.as_ref()),
        }
    }

    /// Adds the rows of a record's output, each with its label.
    fn add_output(
        &mut self,
        record: &CaptureRecord<'_>,
        label: Option<&LabelText<'_>>,
        rows: &mut Rows<'_>,
    ) -> Result<(), Unused> {
        let part = self.output_of(record).ok_or_else(|| Unused::Dropped("it has no output".to_owned()))?;
        let label = label.ok_or_else(no_label)?;
        let payload = payload_of(part, true)?;
        if payload.encoding == Encoding::Json {
            return self.add_json(&payload.text, label, rows);
        }
        self.add_csv(&payload.text, Some(label), false, rows)
    }

    /// Adds the rows of CSV. `own_labels`: they may hold the label themselves.
    fn add_csv(
        &mut self,
        text: &str,
        label: Option<&LabelText<'_>>,
        own_labels: bool,
        rows: &mut Rows<'_>,
    ) -> Result<(), Unused> {
        self.output.cut(text, rows);
        let own_label = self.ground_truth.as_ref().and_then(Attribute::index).filter(|_| own_labels);
        let has_own = |output: &Side| own_label.filter(|&index| output.rows() > 0 && index < output.row(0).len());
        let labels = match has_own(&self.output) {
            Some(_) => Vec::new(),
            None => self.labels.read(label.ok_or_else(no_label)?, self.output.rows(), rows).map_err(Unused::Dropped)?,
        };
        let places = self.attributes.each_ref().map(|attribute| attribute.as_ref().and_then(Attribute::index));
        let is_first_alone = places.iter().flatten().all(|&place| place == 0);
        if is_first_alone && self.attributes.iter().flatten().count() == places.iter().flatten().count() {
            // Some containers write the answers to all rows of a request on one line.
            self.output.spread_over(labels.len());
        }
        let count = self.output.rows();
        let own = has_own(&self.output);
        if count == 0 || (own.is_none() && labels.len() != count) {
            return Err(unequal(count, labels.len()));
        }
        let width = self.output.row(0).len();
        if !self.has_attributes() && width > 1 {
            return Err(Unused::Bad(no_attribute(&format!("the output has {width} columns"))));
        }
        let found = places.map(|place| place.is_some_and(|place| place < width));
        self.note(found, || match width {
            1 => "the first output has one column, 0".to_owned(),
            _ => format!("the first output has the columns 0 to {}", width - 1),
        });
        for (index, label) in (0..count).zip(labels.into_iter().map(Some).chain(std::iter::repeat(None))) {
            let row = self.output.row(index);
            let cell = |place: Option<usize>| place.and_then(|place| row.get(place)).copied().unwrap_or(Cell::MISSING);
            let mut values = places.map(|place| Value::Cell(cell(place)));
            if !self.has_attributes() {
                values[self.whole_output] = Value::Cell(cell(Some(0)));
            }
            let label = label.unwrap_or_else(|| Value::Cell(cell(own)));
            let [inference, probability] = values;
            self.lists.add_row(inference, probability, label, rows)?;
        }
        Ok(())
    }

    /// Adds the rows of JSON: of a document, or of lines.
    fn add_json(&mut self, text: &str, label: &LabelText<'_>, rows: &mut Rows<'_>) -> Result<(), Unused> {
        match documents(text).as_deref() {
            None => Err(Unused::Dropped("its output is neither JSON nor JSON lines".to_owned())),
            Some([document]) => self.add_document(document, label, rows),
            Some(lines) => self.add_records(lines, Some(label), rows),
        }
    }

    /// Adds a row for each of some records. Rows of a preprocessor, which come without a label beside them or with, may have their own.
    fn add_records(
        &mut self,
        records: &[&str],
        label: Option<&LabelText<'_>>,
        rows: &mut Rows<'_>,
    ) -> Result<(), Unused> {
        let found =
            records.iter().map(|record| Ok((self.find(record, None)?, None))).collect::<Result<_, BadRecord>>()?;
        self.add_found(found, label, rows)
    }

    /// What the attributes lead to in a record; without any, what the whole of it comes to, the member `except` left out.
    fn find<'a>(&mut self, record: &'a str, except: Option<&Attribute>) -> Result<[Found<'a>; 2], BadRecord> {
        if !self.has_attributes() {
            let mut found = [const { Found::Missing }; 2];
            let mut values = Vec::new();
            unwrap_output(record, except, &mut values);
            found[self.whole_output] = if values.len() == 1 { values.remove(0) } else { Found::Many(values) };
            return Ok(found);
        }
        let is_container = record.starts_with(['{', '[']);
        let attributes = self.attributes.each_ref().map(Option::as_ref);
        let found = if is_container { locate(record, attributes)? } else { [const { Found::Missing }; 2] };
        self.note(found.each_ref().map(Found::is_there), || described(record));
        Ok(found)
    }

    /// Adds rows whose number is known.
    fn add_found(
        &mut self,
        found: Vec<OutputRow<'_>>,
        label: Option<&LabelText<'_>>,
        rows: &mut Rows<'_>,
    ) -> Result<(), Unused> {
        let count = found.len();
        let labels = if count > 0 && found.iter().all(|(_, own)| own.is_some()) {
            Vec::new()
        } else {
            let labels = self.labels.read(label.ok_or_else(no_label)?, count, rows).map_err(Unused::Dropped)?;
            if count == 0 || labels.len() != count {
                return Err(unequal(count, labels.len()));
            }
            labels
        };
        let mut labels = labels.into_iter();
        for ([inference, probability], own) in found {
            let merged = labels.next();
            let label = own.map(Value::Found).or(merged).unwrap_or(Value::Found(Found::Missing));
            self.lists.add_row(Value::Found(inference), Value::Found(probability), label, rows)?;
        }
        Ok(())
    }

    /// Adds the rows of one JSON document: lists with as many elements as there are labels are one row per element.
    fn add_document(&mut self, document: &str, label: &LabelText<'_>, rows: &mut Rows<'_>) -> Result<(), Unused> {
        if !self.has_attributes() {
            let mut values = Vec::new();
            unwrap_output(document, None, &mut values);
            let whole = self.whole_output;
            let row = |value| {
                let mut found = [const { Found::Missing }; 2];
                found[whole] = value;
                (found, None)
            };
            return self.add_found(values.into_iter().map(row).collect(), Some(label), rows);
        }
        let found = self.find(document, None)?;
        if !found.iter().any(Found::is_there)
            && let Some(records) = list_of(document).filter(|records| is_of_objects(records))
        {
            return self.add_records(&records, Some(label), rows);
        }
        let given: Vec<usize> = (0..2).filter(|&column| self.attributes[column].is_some()).collect();
        let listed = given.first().and_then(|&column| found[column].clone().unwrapped().as_elements());
        let output_rows = listed.map_or(1, |list| list.len());
        let labels = self.labels.read(label, output_rows, rows).map_err(Unused::Dropped)?;
        let count = labels.len();
        if count == 0 {
            return Err(unequal(output_rows, 0));
        }
        let labels = match <[Value<'_>; 1]>::try_from(labels) {
            Ok([label]) => {
                let [inference, probability] = found.map(Value::Found);
                return Ok(self.lists.add_row(inference, probability, label, rows)?);
            }
            Err(labels) => labels,
        };
        let mut lists = [const { Vec::new() }; 2];
        for column in given {
            let list = list_with(&found[column], count);
            lists[column] = list.map_err(|rows| unequal(rows, count))?;
        }
        for (index, label) in labels.into_iter().enumerate() {
            let [inference, probability] =
                lists.each_ref().map(|list| Value::Found(list.get(index).cloned().unwrap_or(Found::Missing)));
            self.lists.add_row(inference, probability, label, rows)?;
        }
        Ok(())
    }

    /// Adds the objects that a preprocessor made, a row each.
    fn add_objects(&mut self, objects: &str, label: Option<&LabelText<'_>>, rows: &mut Rows<'_>) -> Result<(), Unused> {
        let mut found = Vec::new();
        let ground_truth = self.ground_truth.clone();
        for object in elements(objects)?.into_iter().map(RawValue::get) {
            let [own] = locate(object, [ground_truth.as_ref()])?;
            found.push((self.find(object, ground_truth.as_ref())?, Some(own).filter(Found::is_there)));
        }
        self.add_found(found, label, rows)
    }

    /// Adds the row that a preprocessor gave as a list of scalars.
    fn add_scalars(&mut self, scalars: &str, label: Option<&LabelText<'_>>, rows: &mut Rows<'_>) -> Result<(), Unused> {
        let values: Vec<&str> = elements(scalars)?.into_iter().map(RawValue::get).collect();
        if values.is_empty() {
            return Ok(());
        }
        let value = |place: Option<usize>| place.and_then(|place| values.get(place)).map(|value| Found::Json(value));
        let place = |attribute: Option<&Attribute>| attribute.and_then(Attribute::index);
        let mut found = self.attributes.each_ref().map(|attribute| value(place(attribute.as_ref())));
        self.note(found.each_ref().map(Option::is_some), || described(scalars));
        if !self.has_attributes() {
            if values.len() > 1 {
                return Err(Unused::Bad(no_attribute(&format!("the preprocessor's row has {} values", values.len()))));
            }
            found[self.whole_output] = value(Some(0));
        }
        let own = value(place(self.ground_truth.as_ref()));
        self.add_found(vec![(found.map(|found| found.unwrap_or(Found::Missing)), own)], label, rows)
    }
}

/// The elements of a list of so many, single-element lists around it left out; otherwise how many rows it would be.
fn list_with<'a>(found: &Found<'a>, count: usize) -> Result<Vec<Found<'a>>, usize> {
    match found.as_elements() {
        Some(elements) if elements.len() == count => Ok(elements),
        Some(elements) if elements.len() == 1 => list_with(&elements[0], count).map_err(|_| 1),
        Some(elements) => Err(elements.len()),
        None => Err(1),
    }
}

fn is_of_objects(records: &[&str]) -> bool {
    !records.is_empty() && records.iter().all(|record| record.starts_with('{'))
}

fn no_label() -> Unused {
    Unused::Dropped("it has no ground truth".to_owned())
}

fn unequal(rows: usize, labels: usize) -> Unused {
    let (rows, labels) = (counted_as(rows, "row"), counted_as(labels, "label"));
    Unused::Dropped(format!("its output is {rows}, its ground truth {labels}"))
}

fn no_attribute(output: &str) -> BadRecord {
    BadRecord::Malformed(format!(
        "{output}: inference_attribute or probability_attribute has to say which of them the prediction is"
    ))
}

/// What of a record is needed beside its preprocessed rows: its name, and its label.
pub(super) struct Beside {
    name: String,
    label: Option<LabelText<'static>>,
}

fn label_of<'a>(record: &'a CaptureRecord<'_>) -> Option<LabelText<'a>> {
    record.ground_truth_data.as_ref().map(LabelText::of)
}

impl CaptureRows for MergedRows {
    type Beside = Beside;

    fn beside(&self, record: &CaptureRecord<'_>) -> Beside {
        Beside { name: name_of(record), label: label_of(record).map(LabelText::into_owned) }
    }

    fn add(&mut self, record: &CaptureRecord<'_>, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let added = self.add_output(record, label_of(record).as_ref(), rows);
        self.dropped.settle(added, || name_of(record))
    }

    fn add_preprocessed(
        &mut self,
        result: &Preprocessed,
        beside: &Beside,
        rows: &mut Rows<'_>,
    ) -> Result<(), BadRecord> {
        let label = beside.label.as_ref();
        let added = match result {
            Preprocessed::Skipped => Ok(()),
            Preprocessed::Record(line) => {
                let record = returned_record(line)?;
                self.add_output(&record, label_of(&record).as_ref().or(label), rows)
            }
            Preprocessed::Rows(objects) => self.add_objects(objects, label, rows),
            Preprocessed::Row(scalars) => self.add_scalars(scalars, label, rows),
            Preprocessed::Csv(text) => self.add_csv(text, label, true, rows),
        };
        self.dropped.settle(added, || beside.name.clone())
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn has_own_names(&self) -> bool {
        true
    }

    fn order(&self) -> Vec<usize> {
        (0..self.names.len()).collect()
    }

    fn without_rows(&self) -> (u64, Option<String>) {
        self.dropped.count_and_reason()
    }

    fn notes(&self) -> Vec<String> {
        self.dropped.notes()
    }

    fn finish(&mut self) -> Result<(), String> {
        let [inference, probability] = self.attributes.each_ref().map(Option::as_ref);
        self.seen.check([inference, probability, None])
    }
}

impl ScoredSource for CaptureSource<'_, MergedRows> {
    fn counts(&self) -> RecordCounts {
        self.record_counts()
    }
}
