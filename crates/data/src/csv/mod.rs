//! CSV files as batches (section 3.2).
//!
//! A file is read straight into the batch's buffer and cut into cells there; only the piece of a record that a read
//! cuts off is moved, to the head of the next batch.

pub(crate) mod tokenizer;

use watchkeeper_engine::column::{Batch, Cell};

use crate::chunks::{Chunk, Chunks};
use crate::files::DatasetFile;
use crate::text::MOST_CELLS;
use crate::{Error, Source};
use tokenizer::{Limits, Ragged, resolve, tokenize};

/// A dataset of CSV files.
pub(crate) struct CsvSource {
    chunks: Chunks,
    header: bool,
    needs_header: bool,
    names: Vec<String>,
    /// Fields a row, once known.
    width: Option<usize>,
    /// For each column of the current file its place in the dataset; `None` while they are the same.
    places: Option<Vec<usize>>,
    ragged: Ragged,
    notes: Vec<String>,
    /// Cells with quotes to resolve; empty between batches.
    escaped: Vec<usize>,
}

impl CsvSource {
    pub(crate) fn new(files: Vec<DatasetFile>, header: bool) -> Self {
        Self {
            chunks: Chunks::new(files, true),
            header,
            needs_header: false,
            names: Vec::new(),
            width: None,
            places: None,
            ragged: Ragged::default(),
            notes: Vec::new(),
            escaped: Vec::new(),
        }
    }

    /// Takes the header of the current file; returns where it ends, `None` when the chunk does not hold it whole.
    fn take_header(&mut self, text: &[u8], chunk: Chunk) -> Result<Option<usize>, Error> {
        let limits = Limits { whole: chunk.whole, rows: 1, stop: usize::MAX };
        let text = &text[..chunk.filled];
        let mut cells = Vec::new();
        let mut ragged = Ragged::default();
        let from = &text[chunk.start..];
        let done = tokenize(from, 0, limits, &mut None, &mut cells, &mut self.escaped, &mut ragged);
        if let Some(open) = done.unclosed {
            return Err(self.chunks.error(unclosed(&from[open..])));
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
        self.learn_names(names);
        Ok(Some(end))
    }

    fn learn_names(&mut self, names: Vec<String>) {
        self.needs_header = false;
        self.places = None;
        if self.width.is_none() {
            self.width = Some(names.len());
            self.names = names;
        } else if names != self.names {
            let file = self.chunks.path().display();
            self.places = places(&self.names, &names);
            self.notes.push(if self.places.is_some() {
                format!("{file}: the header has the first file's names in another order; columns are taken by name")
            } else {
                format!("{file}: the header is not that of the first file; columns are taken by position")
            });
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
                rows: self.width.map_or(MOST_CELLS, |width| (MOST_CELLS / width.max(1)).max(1)),
                stop: chunk.stop.saturating_sub(start),
            };
            let text = &batch.text[start..chunk.filled];
            let done =
                tokenize(text, start, limits, &mut self.width, &mut batch.cells, &mut self.escaped, &mut self.ragged);
            if let (0, Some(open)) = (done.rows, done.unclosed) {
                return Err(self.chunks.error(unclosed(&text[open..])));
            }
            let width = self.width.unwrap_or(1);
            let consumed = start + done.consumed;
            self.chunks.check(&batch.text, start, consumed, |at| header_rows + rows_before(&batch.cells, width, at))?;
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
        &self.names
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
        let mut notes = self.notes.clone();
        notes.extend(self.ragged.notes());
        notes
    }
}

/// For each name of `found` its place in `known`, when both hold the same names and none twice.
fn places(known: &[String], found: &[String]) -> Option<Vec<usize>> {
    let places: Vec<usize> = found.iter().filter_map(|name| known.iter().position(|other| other == name)).collect();
    let mut sorted = places.clone();
    sorted.sort_unstable();
    sorted.dedup();
    (sorted.len() == known.len() && found.len() == known.len()).then_some(places)
}

impl Ragged {
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

/// How many rows end before the byte at `at`.
fn rows_before(cells: &[Cell], width: usize, at: usize) -> u64 {
    let begins_before = |row: &&[Cell]| row.iter().any(|cell| !cell.is_missing() && cell.start() <= at);
    (cells.chunks(width.max(1)).take_while(begins_before).count() as u64).saturating_sub(1)
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
