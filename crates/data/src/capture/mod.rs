//! Captured traffic as batches (section 3.5): one record a line, request and answer joined into rows.
//!
//! Payloads are cut into cells where they stand in the line; only those with escapes in them are copied.

mod joined;
mod layout;
pub(crate) mod payload;
pub(crate) mod unused;

use std::collections::VecDeque;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::CaptureRecord;

use crate::chunks::{Chunk, Chunks};
use crate::error::shown;
use crate::files::DatasetFile;
use crate::members::BadRecord;
use crate::rows::Rows;
use crate::scored::RecordCounts;
use crate::text::valid_text;
use crate::{Error, Source};
pub(crate) use joined::JoinedRows;

/// What a preprocessor made of one captured record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Preprocessed {
    /// It is left out.
    Skipped,
    /// A capture line, perhaps with other payloads, to be taken as without a preprocessor.
    Record(String),
    /// A JSON array of flat objects, one a row.
    Rows(String),
    /// A JSON array of scalars: one row in final column order.
    Row(String),
    /// Lines of CSV in final column order.
    Csv(String),
}

/// Why a preprocessor failed.
pub type ScriptFailure = Box<dyn std::error::Error + Send + Sync>;

/// A user's program that sees every captured record before it is analysed.
pub trait Preprocess {
    /// What becomes of each of these capture lines, in their order.
    fn process(&mut self, lines: &[&str]) -> Result<Vec<Preprocessed>, ScriptFailure>;
}

/// Records that a preprocessor is given at a time.
const PREPROCESSED_AT_ONCE: usize = 256;

/// Makes rows of captured records.
pub(crate) trait CaptureRows {
    /// What of a record is needed beside what a preprocessor makes of it.
    type Beside;

    /// That of this record.
    fn beside(&self, record: &CaptureRecord<'_>) -> Self::Beside;

    /// Adds the rows of a record.
    fn add(&mut self, record: &CaptureRecord<'_>, rows: &mut Rows<'_>) -> Result<(), BadRecord>;

    /// Adds the rows of what a preprocessor made of one.
    fn add_preprocessed(
        &mut self,
        result: &Preprocessed,
        beside: &Self::Beside,
        rows: &mut Rows<'_>,
    ) -> Result<(), BadRecord>;

    /// Names of the columns met so far.
    fn names(&self) -> &[String];

    /// True when the names are the data's own.
    fn has_own_names(&self) -> bool;

    /// Places of the columns in dataset order.
    fn order(&self) -> Vec<usize>;

    /// Records that gave no row, and why the first of them did not.
    fn without_rows(&self) -> (u64, Option<String>);

    /// What whoever reads the result should know of the rows.
    fn notes(&self) -> Vec<String>;

    /// What is wrong with the rows as a whole, after the last one.
    fn finish(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// Captured data.
pub(crate) struct CaptureSource<'a, R: CaptureRows> {
    chunks: Chunks,
    window: Option<(Timestamp, Timestamp)>,
    preprocessor: Option<&'a mut dyn Preprocess>,
    /// What the preprocessor made of records.
    pending: VecDeque<Pending<R>>,
    counts: CaptureCounts,
    records: R,
}

/// What a preprocessor made of a record.
struct Pending<R: CaptureRows> {
    /// The record's row in the file.
    row: u64,
    beside: R::Beside,
    result: Preprocessed,
}

/// What became of lines.
#[derive(Default)]
pub(crate) struct CaptureCounts {
    pub(crate) lines: u64,
    not_records: u64,
    first_not_record: Option<(std::path::PathBuf, u64, String)>,
    /// Records that the preprocessor left out.
    left_out: u64,
    pub(crate) outside_window: u64,
}

impl CaptureCounts {
    /// What is wrong with the first line that is no record.
    fn why_not_a_record(&self) -> Option<String> {
        let (path, row, problem) = self.first_not_record.as_ref()?;
        Some(format!("{}, row {row}: not a capture record: {problem}", shown(path)))
    }

    /// What is to be said of records that the preprocessor left out.
    fn why_left_out(&self) -> Option<String> {
        (self.left_out > 0).then(|| format!("the preprocessor left out {}", counted(self.left_out)))
    }
}

/// Records that a preprocessor is to see.
struct Waiting<'l, R: CaptureRows> {
    lines: Vec<&'l str>,
    /// Their rows in the file, and what is needed beside them.
    rows: Vec<(u64, R::Beside)>,
}

impl<'a, R: CaptureRows> CaptureSource<'a, R> {
    pub(crate) fn new(
        files: Vec<DatasetFile>,
        window: Option<(Timestamp, Timestamp)>,
        preprocessor: Option<&'a mut dyn Preprocess>,
        records: R,
    ) -> Self {
        Self {
            chunks: Chunks::new(files, true),
            window,
            preprocessor,
            pending: VecDeque::new(),
            counts: CaptureCounts::default(),
            records,
        }
    }

    /// What makes the rows, after the last one.
    pub(crate) fn into_records(self) -> R {
        self.records
    }

    /// What became of records so far, lines that are none among them.
    pub(crate) fn record_counts(&self) -> RecordCounts {
        let (dropped, first_reason) = self.without_rows();
        let (read, outside_window) = (self.counts.lines, self.counts.outside_window);
        RecordCounts { read, outside_window, dropped, first_reason }
    }

    /// What became of lines so far.
    pub(crate) fn counts(&self) -> &CaptureCounts {
        &self.counts
    }

    /// Lines within the window that gave no row, and why one of them did not.
    pub(crate) fn without_rows(&self) -> (u64, Option<String>) {
        let (count, reason) = self.records.without_rows();
        let reason = reason.or_else(|| self.counts.why_not_a_record()).or_else(|| self.counts.why_left_out());
        (count + self.counts.not_records + self.counts.left_out, reason)
    }

    /// The current file, or the last one.
    pub(crate) fn path(&self) -> &std::path::Path {
        self.chunks.path()
    }

    /// Records whose time cannot be read are kept.
    fn is_in_window(&self, record: &CaptureRecord<'_>) -> bool {
        let Some((start, end)) = self.window else { return true };
        let time = record.event_metadata.inference_time.as_ref().and_then(|time| time_of(time));
        time.is_none_or(|time| start <= time && time < end)
    }

    /// Takes the records of a chunk; returns where the first one that was not taken begins, and how many were.
    fn take(&mut self, text: &str, chunk: Chunk, rows: &mut Rows<'_>) -> Result<(usize, u64), Error> {
        let mut consumed = chunk.start;
        let mut lines = 0;
        let mut waiting = Waiting { lines: Vec::new(), rows: Vec::new() };
        while consumed < chunk.stop && !rows.is_full() && self.pending.is_empty() {
            let (line, next) = match memchr::memchr(b'\n', &text.as_bytes()[consumed..]) {
                Some(offset) => (&text[consumed..consumed + offset], consumed + offset + 1),
                None if chunk.whole && text.len() == chunk.filled && consumed < text.len() => {
                    (&text[consumed..], text.len())
                }
                None => break,
            };
            let row = self.chunks.rows() + lines + 1;
            if !line.trim_ascii().is_empty() {
                match CaptureRecord::parse(line) {
                    Err(problem) => {
                        self.counts.not_records += 1;
                        let path = self.chunks.path();
                        self.counts.first_not_record.get_or_insert_with(|| (path.to_owned(), row, problem.to_string()));
                    }
                    Ok(record) if !self.is_in_window(&record) => self.counts.outside_window += 1,
                    Ok(record) if self.preprocessor.is_some() => {
                        waiting.lines.push(line);
                        waiting.rows.push((row, self.records.beside(&record)));
                    }
                    Ok(record) => {
                        let added = self.records.add(&record, rows);
                        added.map_err(|problem| self.chunks.record_error(row, problem))?;
                        if !rows.keep() {
                            break;
                        }
                    }
                }
                self.counts.lines += 1;
            }
            consumed = next;
            lines += 1;
            if waiting.lines.len() == PREPROCESSED_AT_ONCE {
                self.preprocess(&mut waiting)?;
                self.add_pending(rows)?;
            }
        }
        self.preprocess(&mut waiting)?;
        self.add_pending(rows)?;
        Ok((consumed, lines))
    }

    /// Lets the preprocessor see the records that wait for it; what it makes of them is pending.
    fn preprocess(&mut self, waiting: &mut Waiting<'_, R>) -> Result<(), Error> {
        let Some(preprocessor) = &mut self.preprocessor else { return Ok(()) };
        if waiting.lines.is_empty() {
            return Ok(());
        }
        let results = preprocessor.process(&waiting.lines).map_err(Error::Preprocessor)?;
        if results.len() != waiting.lines.len() {
            let problem =
                format!("the preprocessor returned {} results for {} records", results.len(), waiting.lines.len());
            return Err(Error::Preprocessor(problem.into()));
        }
        waiting.lines.clear();
        let left_out = results.iter().filter(|result| matches!(result, Preprocessed::Skipped)).count();
        self.counts.left_out += left_out as u64;
        let made = waiting.rows.drain(..).zip(results);
        self.pending.extend(made.map(|((row, beside), result)| Pending { row, beside, result }));
        Ok(())
    }

    /// Adds rows that a preprocessor made, as many as the batch takes.
    fn add_pending(&mut self, rows: &mut Rows<'_>) -> Result<(), Error> {
        while !rows.is_full() {
            let Some(pending) = self.pending.pop_front() else { break };
            let added = self.records.add_preprocessed(&pending.result, &pending.beside, rows);
            added.map_err(|problem| self.chunks.record_error(pending.row, problem))?;
            if !rows.keep() {
                self.pending.push_front(pending);
                break;
            }
        }
        Ok(())
    }
}

/// The capture line that a preprocessor returned.
pub(crate) fn returned_record(line: &str) -> Result<CaptureRecord<'_>, BadRecord> {
    CaptureRecord::parse(line)
        .map_err(|error| BadRecord::Malformed(format!("the preprocessor returned a record that is none: {error}")))
}

/// A time in ISO form; without a zone it is UTC.
pub(crate) fn time_of(text: &str) -> Option<Timestamp> {
    let without_zone = || text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    text.parse().ok().or_else(without_zone)
}

impl<R: CaptureRows> Source for CaptureSource<'_, R> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        loop {
            let cells = std::mem::take(&mut batch.cells);
            if !self.pending.is_empty() {
                let mut rows = Rows::new(&[], cells, self.records.names().len());
                self.add_pending(&mut rows)?;
                rows.finish().put_into(batch, 0);
            } else if let Some(chunk) = self.chunks.next(&mut batch.text)? {
                let filled = &batch.text[..chunk.filled];
                // The chunk may end in the middle of a character, which comes again with the next one.
                let (text, is_broken) = valid_text(filled, chunk.whole);
                if is_broken {
                    let valid = text.len();
                    let to = memchr::memchr(b'\n', &filled[valid..]).map_or(chunk.filled, |end| valid + end);
                    let done = memchr::memchr_iter(b'\n', &filled[..valid]).count() as u64;
                    self.chunks.check(filled, chunk.start, to, |_| done)?;
                }
                let mut rows = Rows::new(filled, cells, self.records.names().len());
                let (consumed, lines) = self.take(text, chunk, &mut rows)?;
                let built = rows.finish();
                self.chunks.used(&batch.text, chunk, consumed, lines)?;
                built.put_into(batch, chunk.filled);
            } else {
                break;
            }
            if batch.rows > 0 {
                return Ok(true);
            }
        }
        match self.counts.first_not_record.clone() {
            Some((path, row, problem)) if self.counts.not_records == self.counts.lines => {
                Err(Error::NoCaptureRecord { lines: self.counts.lines, path, row, problem })
            }
            _ => {
                let problem = |problem| Error::File { path: self.chunks.path().to_owned(), problem };
                self.records.finish().map_err(problem)?;
                Ok(false)
            }
        }
    }

    fn names(&self) -> &[String] {
        self.records.names()
    }

    fn has_own_names(&self) -> bool {
        self.records.has_own_names()
    }

    fn order(&self) -> Vec<usize> {
        self.records.order()
    }

    fn split(&self) -> u32 {
        self.chunks.split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.chunks.progress()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.records.notes();
        if self.counts.not_records > 0 {
            notes.push(format!(
                "{} of {} lines skipped: not a capture record",
                self.counts.not_records, self.counts.lines
            ));
        }
        notes.extend(self.counts.why_left_out());
        if self.counts.outside_window > 0 {
            notes.push(format!("{} outside the window skipped", counted(self.counts.outside_window)));
        }
        notes
    }
}

/// `1 record`, `2 records`.
pub(crate) fn counted(records: u64) -> String {
    if records == 1 { "1 record".to_owned() } else { format!("{records} records") }
}
