//! Captured traffic as batches (section 3.5): one record a line, request and answer joined into rows.
//!
//! Payloads are cut into cells where they stand in the line; only those with escapes in them are copied.

mod layout;
mod payload;

use std::collections::VecDeque;

use jiff::Timestamp;
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::{
    CaptureIndexName, CapturePart, CaptureRecord, DatasetFormat, Encoding, OutputColumnsPosition,
};

use crate::chunks::{Chunk, Chunks};
use crate::files::DatasetFile;
use crate::members::BadRecord;
use crate::rows::Rows;
use crate::text::valid_text;
use crate::{Error, Reading, Source};
use layout::Layout;
use payload::{Payload, Side, lines_in_place, payload_of};

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

/// Captured data.
pub(crate) struct CaptureSource<'a> {
    chunks: Chunks,
    rules: Rules,
    preprocessor: Option<&'a mut dyn Preprocess>,
    /// What the preprocessor made of records, and their rows in the file.
    pending: VecDeque<(u64, Preprocessed)>,
    layout: Layout,
    counts: Counts,
    sides: [Side; 2],
}

/// What is taken from a record.
struct Rules {
    /// Which sides; `None`: those that are there.
    sides: Option<Vec<CaptureIndexName>>,
    window: Option<(Timestamp, Timestamp)>,
    /// Whether the input's columns come first.
    input_first: bool,
    flatten: bool,
    mixed_encoding: bool,
}

/// What was left out.
#[derive(Default)]
struct Counts {
    lines: u64,
    not_records: u64,
    first_not_record: Option<(std::path::PathBuf, u64, String)>,
    outside_window: u64,
    without_payload: u64,
    mismatched: u64,
}

/// Records that a preprocessor is to see, and their rows in the file.
#[derive(Default)]
struct Waiting<'l> {
    lines: Vec<&'l str>,
    rows: Vec<u64>,
}

impl<'a> CaptureSource<'a> {
    pub(crate) fn new(
        files: Vec<DatasetFile>,
        reading: &Reading,
        preprocessor: Option<&'a mut dyn Preprocess>,
    ) -> Self {
        let (sides, position) = match &reading.format {
            DatasetFormat::CaptureJson { capture_index_names, output_columns_position } => {
                (capture_index_names.clone(), output_columns_position.unwrap_or_default())
            }
            _ => (None, OutputColumnsPosition::default()),
        };
        Self {
            chunks: Chunks::new(files, true),
            rules: Rules {
                sides,
                window: reading.window,
                input_first: position == OutputColumnsPosition::End,
                flatten: reading.flatten_json,
                mixed_encoding: reading.mixed_encoding,
            },
            preprocessor,
            pending: VecDeque::new(),
            layout: Layout::new(reading.strict_key_order),
            counts: Counts::default(),
            sides: Default::default(),
        }
    }

    /// Takes the records of a chunk; returns where the first one that was not taken begins, and how many were.
    fn take(&mut self, text: &str, chunk: Chunk, rows: &mut Rows<'_>) -> Result<(usize, u64), Error> {
        let mut consumed = chunk.start;
        let mut lines = 0;
        let mut waiting = Waiting::default();
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
                    Ok(record) if !self.rules.is_in_window(&record) => self.counts.outside_window += 1,
                    Ok(_) if self.preprocessor.is_some() => {
                        waiting.lines.push(line);
                        waiting.rows.push(row);
                    }
                    Ok(record) => {
                        self.add_record(&record, row, rows)?;
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
    fn preprocess(&mut self, waiting: &mut Waiting<'_>) -> Result<(), Error> {
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
        self.pending.extend(waiting.rows.drain(..).zip(results));
        Ok(())
    }

    /// Adds rows that a preprocessor made, as many as the batch takes.
    fn add_pending(&mut self, rows: &mut Rows<'_>) -> Result<(), Error> {
        while !rows.is_full() {
            let Some((row, result)) = self.pending.pop_front() else { break };
            self.add_preprocessed(&result, row, rows)?;
            if !rows.keep() {
                self.pending.push_front((row, result));
                break;
            }
        }
        Ok(())
    }

    fn add_preprocessed(&mut self, result: &Preprocessed, row: u64, rows: &mut Rows<'_>) -> Result<(), Error> {
        let added = match result {
            Preprocessed::Skipped => Ok(()),
            Preprocessed::Record(line) => match CaptureRecord::parse(line) {
                Ok(record) => return self.add_record(&record, row, rows),
                Err(error) => {
                    Err(BadRecord::Malformed(format!("the preprocessor returned a record that is none: {error}")))
                }
            },
            Preprocessed::Rows(objects) => self.layout.add_preprocessed(objects, rows),
            Preprocessed::Row(scalars) => self.layout.add_scalars(scalars, rows),
            Preprocessed::Csv(text) => {
                let [side, _] = &mut self.sides;
                side.cut(text, rows);
                self.layout.add_rows(&[side], rows).map(drop)
            }
        };
        added.map_err(|problem| self.chunks.record_error(row, problem))
    }

    /// Adds the rows of one record.
    fn add_record(&mut self, record: &CaptureRecord<'_>, row: u64, rows: &mut Rows<'_>) -> Result<(), Error> {
        let (input, output) = (self.rules.input(record), self.rules.output(record));
        let payload =
            |part, is_output| payload_of(part, is_output).map_err(|problem| self.chunks.record_error(row, problem));
        let input = input.map(|part| payload(part, false)).transpose()?;
        let output = output.map(|part| payload(part, true)).transpose()?;
        if let (Some(input), Some(output)) = (&input, &output)
            && input.encoding != output.encoding
            && !self.rules.mixed_encoding
        {
            return Err(Error::EncodingMismatch {
                input: input.encoding.to_string(),
                output: output.encoding.to_string(),
            });
        }
        let (first, second) = match (input, output) {
            (None, None) => {
                self.counts.without_payload += 1;
                return Ok(());
            }
            (Some(only), None) | (None, Some(only)) => (only, None),
            (Some(input), Some(output)) if self.rules.input_first => (input, Some(output)),
            (Some(input), Some(output)) => (output, Some(input)),
        };
        match self.add_payloads(&first, second.as_ref(), rows) {
            Ok(true) => {}
            Ok(false) if second.is_some() => self.counts.mismatched += 1,
            Ok(false) => self.counts.without_payload += 1,
            Err(problem) => return Err(self.chunks.record_error(row, problem)),
        }
        Ok(())
    }

    /// Adds the rows of one payload, or of two, the one whose columns come first before the other. False when they do
    /// not make rows.
    fn add_payloads(
        &mut self,
        first: &Payload<'_>,
        second: Option<&Payload<'_>>,
        rows: &mut Rows<'_>,
    ) -> Result<bool, BadRecord> {
        let [one, two] = &mut self.sides;
        if let Some(second) = second
            && first.encoding != second.encoding
        {
            return self.layout.add_mixed([first, second], one, self.rules.flatten, rows);
        }
        if first.encoding == Encoding::Json {
            // The input's member wins over one of the same name, whichever side's columns come first.
            let texts: &[&str] = match second {
                None => &[&first.text],
                Some(second) if first.is_output => &[&first.text, &second.text],
                Some(second) => &[&second.text, &first.text],
            };
            return self.layout.add_json(texts, self.rules.flatten, rows).map(|()| true);
        }
        if let Some(lines) = lines_in_place(&first.text, second.map(|second| &*second.text), rows) {
            return self.layout.add_lines(&lines, rows).map(|()| true);
        }
        one.cut(&first.text, rows);
        let Some(second) = second else { return self.layout.add_rows(&[one], rows) };
        two.cut(&second.text, rows);
        let (input, output) = if first.is_output { (&*two, &mut *one) } else { (&*one, &mut *two) };
        output.spread_over(input.rows());
        Ok(one.rows() == two.rows() && self.layout.add_rows(&[one, two], rows)?)
    }
}

impl Rules {
    fn wants(&self, side: CaptureIndexName) -> bool {
        self.sides.as_ref().is_none_or(|sides| sides.contains(&side))
    }

    fn input<'r, 'a>(&self, record: &'r CaptureRecord<'a>) -> Option<&'r CapturePart<'a>> {
        record.capture_data.endpoint_input.as_ref().filter(|_| self.wants(CaptureIndexName::EndpointInput))
    }

    fn output<'r, 'a>(&self, record: &'r CaptureRecord<'a>) -> Option<&'r CapturePart<'a>> {
        let endpoint =
            record.capture_data.endpoint_output.as_ref().filter(|_| self.wants(CaptureIndexName::EndpointOutput));
        endpoint.or_else(|| {
            let batch = record.capture_data.batch_transform_output.as_ref();
            batch.filter(|_| self.wants(CaptureIndexName::BatchTransformOutput))
        })
    }

    /// Records whose time cannot be read are kept.
    fn is_in_window(&self, record: &CaptureRecord<'_>) -> bool {
        let Some((start, end)) = self.window else { return true };
        let time = record.event_metadata.inference_time.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
        time.is_none_or(|time| start <= time && time < end)
    }
}

impl Source for CaptureSource<'_> {
    fn fill(&mut self, batch: &mut Batch) -> Result<bool, Error> {
        batch.reset();
        loop {
            let cells = std::mem::take(&mut batch.cells);
            if !self.pending.is_empty() {
                let mut rows = Rows::new(&[], cells, self.layout.width());
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
                let mut rows = Rows::new(filled, cells, self.layout.width());
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
        match self.counts.first_not_record.take() {
            Some((path, row, problem)) if self.counts.not_records == self.counts.lines => {
                Err(Error::NoCaptureRecord { lines: self.counts.lines, path, row, problem })
            }
            _ => Ok(false),
        }
    }

    fn names(&self) -> &[String] {
        self.layout.names()
    }

    fn has_own_names(&self) -> bool {
        self.layout.is_named()
    }

    fn order(&self) -> Vec<usize> {
        self.layout.order()
    }

    fn split(&self) -> u32 {
        self.chunks.split()
    }

    fn progress(&self) -> (u64, Option<u64>) {
        self.chunks.progress()
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.layout.notes();
        let records = |count: u64| if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
        if self.counts.not_records > 0 {
            notes.push(format!(
                "{} of {} lines skipped: not a capture record",
                self.counts.not_records, self.counts.lines
            ));
        }
        if self.counts.outside_window > 0 {
            notes.push(format!("{} outside the window skipped", records(self.counts.outside_window)));
        }
        if self.counts.without_payload > 0 {
            notes.push(format!("{} skipped: nothing was captured of them", records(self.counts.without_payload)));
        }
        if self.counts.mismatched > 0 {
            notes.push(format!(
                "{} skipped: request and answer have different numbers of lines",
                records(self.counts.mismatched)
            ));
        }
        notes
    }
}
