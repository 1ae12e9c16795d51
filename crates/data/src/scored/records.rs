//! JSON records of any depth.

use watchkeeper_engine::quality::{GROUND_TRUTH, INFERENCE, PROBABILITY};

use super::values::{ListRules, Value};
use super::{RecordCounts, ScoredReading, ScoredSource, column_names, listed, not_found};
use crate::json::{JsonRecords, JsonSource};
use crate::locate::{Attribute, Found, list_of, locate};
use crate::members::{BadRecord, raw_members};
use crate::rows::Rows;

/// Makes rows of JSON records.
pub(super) struct ScoredRecords {
    attributes: [Option<Attribute>; 3],
    lists: ListRules,
    names: Vec<String>,
    seen: Seen,
    rows: u64,
}

/// Which attributes have been seen, and what there was to see.
#[derive(Default)]
pub(super) struct Seen {
    columns: [bool; 3],
    /// What the first record has.
    first: Option<String>,
}

impl Seen {
    /// Takes note of what was found in a record; `describe` says what the record has.
    pub(super) fn note(&mut self, found: [bool; 3], describe: impl FnOnce() -> String) {
        self.first.get_or_insert_with(describe);
        for (seen, found) in self.columns.iter_mut().zip(found) {
            *seen |= found;
        }
    }

    /// The problem of an attribute that no record had.
    pub(super) fn check(&self, attributes: [Option<&Attribute>; 3]) -> Result<(), String> {
        let Some(first) = &self.first else { return Ok(()) };
        for (column, attribute) in attributes.into_iter().enumerate() {
            if let (Some(attribute), false) = (attribute, self.columns[column]) {
                return Err(not_found(column, attribute, first));
            }
        }
        Ok(())
    }
}

/// What a record has, for a message.
pub(crate) fn described(record: &str) -> String {
    let record = record.trim_ascii();
    if let Some(list) = list_of(record) {
        return format!("the first one is a list of {}", list.len());
    }
    let mut names = Vec::new();
    if !record.starts_with('{') || raw_members(record, |name, _| names.push(name.to_owned())).is_err() {
        return "the first one is no object".to_owned();
    }
    if names.is_empty() {
        return "the first one has no members".to_owned();
    }
    format!("the first one has the members {}", listed(names.iter().map(String::as_str)))
}

impl ScoredRecords {
    pub(super) fn new(reading: &ScoredReading) -> Self {
        Self {
            attributes: [reading.inference.clone(), reading.probability.clone(), reading.ground_truth.clone()],
            lists: ListRules::new(reading),
            names: column_names(),
            seen: Seen::default(),
            rows: 0,
        }
    }

    fn add_row(&mut self, found: [Found<'_>; 3], rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let [inference, probability, label] = found.map(Value::Found);
        self.rows += 1;
        self.lists.add_row(inference, probability, label, rows)
    }
}

impl JsonRecords for ScoredRecords {
    fn add(&mut self, record: &str, is_document: bool, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let found = locate(record, self.attributes.each_ref().map(Option::as_ref))?;
        self.seen.note(found.each_ref().map(Found::is_there), || described(record));
        let given = |column: &usize| self.attributes[*column].is_some();
        if is_document && let Some(lists) = lists_of_one_length(&found, given) {
            let count = lists.iter().map(Vec::len).max().unwrap_or(0);
            for index in 0..count {
                let value = |column: usize| lists[column].get(index).cloned().unwrap_or(Found::Missing);
                self.add_row([value(INFERENCE), value(PROBABILITY), value(GROUND_TRUTH)], rows)?;
            }
            return Ok(());
        }
        self.add_row(found, rows)
    }

    fn names(&self) -> &[String] {
        &self.names
    }

    fn order(&self) -> Vec<usize> {
        (0..self.names.len()).collect()
    }

    fn takes_arrays(&self) -> bool {
        true
    }

    fn finish(&mut self) -> Result<(), String> {
        self.seen.check(self.attributes.each_ref().map(Option::as_ref))
    }
}

/// The elements of what was found for the given columns, when all are lists of one length; those of other columns are none.
fn lists_of_one_length<'a>(found: &[Found<'a>; 3], given: impl Fn(&usize) -> bool) -> Option<[Vec<Found<'a>>; 3]> {
    let mut lists = [const { Vec::new() }; 3];
    let mut length = None;
    for column in (0..3).filter(given) {
        lists[column] = found[column].as_elements()?;
        if *length.get_or_insert(lists[column].len()) != lists[column].len() {
            return None;
        }
    }
    length.map(|_| lists)
}

impl ScoredSource for JsonSource<ScoredRecords> {
    fn counts(&self) -> RecordCounts {
        RecordCounts { read: self.records().rows, ..RecordCounts::default() }
    }
}
