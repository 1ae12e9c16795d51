//! CSV files as batches (section 3.2).
//!
//! A file is read straight into the batch's buffer and cut into cells there; only the piece of a record that a read
//! cuts off is moved, to the head of the next batch.

pub(crate) mod separators;
pub(crate) mod tokenizer;

use std::collections::HashMap;
use std::path::PathBuf;

use watchkeeper_engine::column::{Batch, Cell};

use crate::chunks::{Chunk, Chunks};
use crate::error::shown;
use crate::files::DatasetFile;
use crate::members::BadRecord;
use crate::text::{MOST_CELLS, too_many_columns};
use crate::{Error, Source};
use tokenizer::{Limits, Ragged, resolve, tokenize};

/// What headers had to be said about.
#[derive(Default)]
struct Headers {
    /// Columns of the first file without a name, and names that stand there more than once.
    without_name: usize,
    repeated: Vec<String>,
    /// Files whose header has the names of the first file in another order, and files with other names: how many there
    /// are, and the first.
    in_other_order: Option<(u64, PathBuf)>,
    with_other_names: Option<(u64, PathBuf)>,
}

/// A dataset of CSV files.
pub(crate) struct CsvSource {
    chunks: Chunks,
    header: bool,
    needs_header: bool,
    /// Columns of files with other names than the first one's are their own, not the first one's by position.
    keeps_own_columns: bool,
    /// Of the first file, or the numbers of its columns.
    names: Vec<String>,
    /// Of the current file, where they are its own.
    own_names: Option<Vec<String>>,
    /// Fields a row, once known.
    width: Option<usize>,
    /// For each column of the current file its place in the dataset; `None` while they are the same.
    places: Option<Vec<usize>>,
    ragged: Ragged,
    headers: Headers,
    /// Cells with quotes to resolve; empty between batches.
    escaped: Vec<usize>,
}

impl CsvSource {
    pub(crate) fn new(files: Vec<DatasetFile>, header: bool) -> Self {
        Self {
            chunks: Chunks::new(files, true),
            header,
            needs_header: false,
            keeps_own_columns: false,
            names: Vec::new(),
            own_names: None,
            width: None,
            places: None,
            ragged: Ragged::default(),
            headers: Headers::default(),
            escaped: Vec::new(),
        }
    }

    /// Files with other names than the first one's have columns of their own: names and number may change with every batch.
    pub(crate) fn with_own_columns(mut self) -> Self {
        self.keeps_own_columns = true;
        self
    }

    /// The current file, or the last one.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.chunks.path()
    }

    /// Takes the header of the current file; returns where it ends, `None` when the chunk does not hold it whole.
    fn take_header(&mut self, text: &[u8], chunk: Chunk) -> Result<Option<usize>, Error> {
        let limits = Limits { whole: chunk.whole, unclosed_is_text: false, rows: 1, stop: usize::MAX };
        let text = &text[..chunk.filled];
        let mut cells = Vec::new();
        let mut ragged = Ragged::default();
        let from = &text[chunk.start..];
        let done = tokenize(from, 0, limits, &mut None, &mut cells, &mut self.escaped, &mut ragged);
        if let Some(open) = done.unclosed {
            return Err(self.chunks.error(unclosed(&from[open..])));
        }
        if done.too_wide.is_some() {
            return Err(self.chunks.error(too_many_columns()));
        }
        if done.rows == 0 {
            return Ok(None);
        }
        let end = chunk.start + done.consumed;
        self.chunks.check(text, chunk.start, end, |_| 0)?;
        let mut header = from[..done.consumed].to_vec();
        resolve(&mut header, &mut cells, &mut self.escaped);
        let name = |(index, cell): (usize, &Cell)| {
            let name = &header[cell.start()..cell.start() + cell.length()];
            // Spark names a column without a name by its place.
            if name.is_empty() { format!("_c{index}") } else { String::from_utf8_lossy(name).into_owned() }
        };
        let names = cells.iter().enumerate().map(name).collect();
        if self.width.is_none() {
            self.headers.without_name = cells.iter().filter(|cell| cell.is_missing()).count();
        }
        self.learn_names(names);
        Ok(Some(end))
    }

    fn learn_names(&mut self, names: Vec<String>) {
        self.needs_header = false;
        self.places = None;
        self.own_names = None;
        if self.width.is_none() {
            self.width = Some(names.len());
            self.headers.repeated = repeated(&names);
            self.names = names;
            return;
        }
        self.width = Some(self.names.len());
        if names == self.names {
            return;
        }
        self.places = places(&self.names, &names);
        let files =
            if self.places.is_some() { &mut self.headers.in_other_order } else { &mut self.headers.with_other_names };
        files.get_or_insert_with(|| (0, self.chunks.path().to_owned())).0 += 1;
        if self.places.is_none() && self.keeps_own_columns {
            self.width = Some(names.len());
            self.own_names = Some(names);
        }
    }
}

impl Source for CsvSource {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        while let Some(chunk) = self.chunks.next(&mut batch.text)? {
            self.needs_header |= chunk.is_first && self.header;
            let mut start = chunk.start;
            let mut header_rows = 0;
            if self.needs_header {
                let Some(end) = self.take_header(&batch.text, chunk)? else {
                    self.chunks.used(&batch.text, chunk, chunk.start, 0)?;
                    continue;
                };
                start = end;
                header_rows = 1;
            }
            let limits = Limits {
                whole: chunk.whole,
                unclosed_is_text: false,
                rows: self.width.map_or(MOST_CELLS, |width| (MOST_CELLS / width.max(1)).max(1)),
                stop: chunk.stop.saturating_sub(start),
            };
            let text = &batch.text[start..chunk.filled];
            let done =
                tokenize(text, start, limits, &mut self.width, &mut batch.cells, &mut self.escaped, &mut self.ragged);
            let problem = match (done.rows, done.unclosed, done.too_wide) {
                (0, Some(open), _) => Some((0, unclosed(&text[open..]))),
                (_, _, Some(rows)) => Some((rows as u64, too_many_columns())),
                _ => None,
            };
            if let Some((rows_before, problem)) = problem {
                let row = self.chunks.rows() + header_rows + rows_before + 1;
                return Err(self.chunks.record_error(row, BadRecord::Malformed(problem)));
            }
            let width = self.width.unwrap_or(1);
            let consumed = start + done.consumed;
            self.chunks.check(&batch.text, start, consumed, |at| {
                header_rows + rows_that_end_before(&batch.text[start..consumed], at - start)
            })?;
            resolve(&mut batch.text, &mut batch.cells, &mut self.escaped);
            batch.rows = done.rows;
            self.chunks.used(&batch.text, chunk, consumed, header_rows + done.rows as u64)?;
            if batch.rows > 0 {
                if self.names.is_empty() {
                    self.names = (0..width).map(|index| format!("_c{index}")).collect();
                }
                batch.columns = width;
                if let Some(places) = &self.places {
                    reorder(batch, places);
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn names(&self) -> &[String] {
        self.own_names.as_ref().unwrap_or(&self.names)
    }

    fn has_own_names(&self) -> bool {
        self.header
    }

    fn split(&self) -> u32 {
        self.chunks.split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.chunks.progress()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.headers.notes(if self.keeps_own_columns { "name" } else { "position" });
        notes.extend(self.ragged.notes());
        notes
    }
}

/// For each name of `found` its place in `known`, when both hold the same names and none twice.
fn places(known: &[String], found: &[String]) -> Option<Vec<usize>> {
    let mut left: HashMap<&str, usize> = known.iter().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
    let places: Option<Vec<usize>> = found.iter().map(|name| left.remove(name.as_str())).collect();
    places.filter(|places| places.len() == known.len())
}

/// The names that stand there more than once.
fn repeated(names: &[String]) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut found = Vec::new();
    for name in names {
        let count = counts.entry(name).or_default();
        *count += 1;
        if *count == 2 {
            found.push(name.clone());
        }
    }
    found
}

impl Headers {
    /// `taken_by`: what columns of files with other names are taken by.
    fn notes(&self, taken_by: &str) -> Vec<String> {
        let mut notes = Vec::new();
        match self.without_name {
            0 => {}
            1 => notes.push("1 column has no name in the header: named by its place, `_c0` the first".to_owned()),
            count => {
                notes.push(format!(
                    "{count} columns have no name in the header: named by their places, `_c0` the first"
                ));
            }
        }
        if !self.repeated.is_empty() {
            let shown: Vec<String> = self.repeated.iter().take(10).map(|name| format!("`{name}`")).collect();
            let more = if self.repeated.len() > 10 { " and others" } else { "" };
            notes.push(format!(
                "more than one column is named {}{more}: they are told apart by their order alone",
                shown.join(", ")
            ));
        }
        let mut note = |files: &Option<(u64, PathBuf)>, text: &str| {
            let Some((count, first)) = files else { return };
            let others = match count - 1 {
                0 => String::new(),
                1 => " and 1 other file".to_owned(),
                others => format!(" and {others} other files"),
            };
            notes.push(format!("{}{others}: {text}", shown(first)));
        };
        note(&self.in_other_order, "the header has the first file's names in another order; columns are taken by name");
        let other_names = format!("the header is not that of the first file; columns are taken by {taken_by}");
        note(&self.with_other_names, &other_names);
        notes
    }
}

impl Ragged {
    /// Counts what another text had as well.
    pub(crate) fn add(&mut self, other: Self) {
        self.short += other.short;
        self.long += other.long;
        self.stray += other.stray;
    }

    /// What the reader of the result should know.
    pub(crate) fn notes(self) -> Vec<String> {
        let mut notes = Vec::new();
        let mut note = |count: u64, text: &str| {
            if count > 0 {
                notes.push(format!("{count} {} {text}", if count == 1 { "row" } else { "rows" }));
            }
        };
        note(self.short, "with fewer fields than there are columns: the rest taken as missing values");
        note(
            self.long,
            "with more fields than there are columns: the surplus cut off (is there a comma in a field that is not quoted?)",
        );
        note(self.stray, "with text behind a closing quote: the field taken as it stands, quotes and all");
        notes
    }
}

/// Puts each cell of a row to its place in the dataset.
fn reorder(batch: &mut Batch, places: &[usize]) {
    let mut row = vec![Cell::MISSING; places.len()];
    for cells in batch.cells.chunks_exact_mut(places.len()) {
        for (cell, &place) in cells.iter().zip(places) {
            row[place] = *cell;
        }
        cells.copy_from_slice(&row);
    }
}

/// How many rows of a text end before the byte at `at`. They are cut once more: this is for an error.
fn rows_that_end_before(text: &[u8], at: usize) -> u64 {
    let limits = Limits { whole: true, unclosed_is_text: false, rows: usize::MAX, stop: at + 1 };
    let (mut cells, mut escaped, mut ragged) = (Vec::new(), Vec::new(), Ragged::default());
    let begun = tokenize(text, 0, limits, &mut Some(1), &mut cells, &mut escaped, &mut ragged);
    (begun.rows as u64).saturating_sub(1)
}

fn unclosed(text: &[u8]) -> String {
    let start = String::from_utf8_lossy(&text[..text.len().min(40)]).into_owned();
    let mut problem = format!(
        "the quote that opens a field here is never closed: {start:?}; close it, or double it if it belongs to the text"
    );
    if text.windows(2).any(|pair| pair == b"\\\"") {
        problem.push_str(" (a backslash before a quote makes the quote a part of the text)");
    }
    problem
}
