//! Captured traffic as batches (section 3.5): one record a line, request and answer joined into rows.
//!
//! Payloads are cut into cells where they stand in the line; only those with escapes in them are copied.

mod layout;
mod payload;

use jiff::Timestamp;
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::{
    CaptureIndexName, CapturePart, CaptureRecord, DatasetFormat, Encoding, OutputColumnsPosition,
};

use crate::chunks::{Chunk, Chunks};
use crate::files::DatasetFile;
use crate::members::Rows;
use crate::{Error, Reading, Source};
use layout::{Layout, NotFit};
use payload::{Side, encoding_of, lines_in_place};

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
    rows: u64,
    not_records: u64,
    first_not_record: Option<(std::path::PathBuf, u64, String)>,
    outside_window: u64,
    mismatched: u64,
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
            layout: Layout::new(reading.strict_key_order),
            counts: Counts::default(),
            sides: Default::default(),
        }
    }

    /// Takes the records of a chunk; returns where the first one that was not taken begins, and how many were.
    fn take(&mut self, text: &str, chunk: Chunk, rows: &mut Rows<'_>) -> Result<(usize, u64), Error> {
        let mut consumed = chunk.start;
        let mut lines = 0;
        let mut waiting: Vec<&str> = Vec::new();
        while consumed < chunk.stop && !rows.is_full() {
            let (line, next) = match memchr::memchr(b'\n', &text.as_bytes()[consumed..]) {
                Some(offset) => (&text[consumed..consumed + offset], consumed + offset + 1),
                None if chunk.whole && text.len() == chunk.filled && consumed < text.len() => {
                    (&text[consumed..], text.len())
                }
                None => break,
            };
            consumed = next;
            lines += 1;
            if line.trim_ascii().is_empty() {
                continue;
            }
            self.counts.lines += 1;
            let row = self.chunks.rows() + lines;
            let record = match CaptureRecord::parse(line) {
                Ok(record) => record,
                Err(problem) => {
                    self.counts.not_records += 1;
                    let path = self.chunks.path();
                    self.counts.first_not_record.get_or_insert_with(|| (path.to_owned(), row, problem.to_string()));
                    continue;
                }
            };
            if !self.rules.is_in_window(&record) {
                self.counts.outside_window += 1;
                continue;
            }
            if self.preprocessor.is_none() {
                self.add_record(&record, row, rows)?;
                continue;
            }
            waiting.push(line);
            if waiting.len() == PREPROCESSED_AT_ONCE {
                self.preprocess(&mut waiting, row, rows)?;
            }
        }
        self.preprocess(&mut waiting, self.chunks.rows() + lines, rows)?;
        Ok((consumed, lines))
    }

    fn preprocess(&mut self, lines: &mut Vec<&str>, row: u64, rows: &mut Rows<'_>) -> Result<(), Error> {
        let Some(preprocessor) = &mut self.preprocessor else { return Ok(()) };
        if lines.is_empty() {
            return Ok(());
        }
        let results = preprocessor.process(lines).map_err(Error::Preprocessor)?;
        lines.clear();
        for result in results {
            let added = match &result {
                Preprocessed::Skipped => Ok(()),
                Preprocessed::Record(line) => match CaptureRecord::parse(line) {
                    Ok(record) => {
                        self.add_record(&record, row, rows)?;
                        Ok(())
                    }
                    Err(error) => {
                        Err(NotFit::Other(format!("the preprocessor returned a record that is none: {error}")))
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
            added.map_err(|problem| self.not_fit(problem, row))?;
        }
        Ok(())
    }

    /// Adds the rows of one record.
    fn add_record(&mut self, record: &CaptureRecord<'_>, row: u64, rows: &mut Rows<'_>) -> Result<(), Error> {
        let input = self.rules.input(record);
        let output = self.rules.output(record);
        let encodings = (input.map(encoding_of).transpose()?, output.map(encoding_of).transpose()?);
        if let (Some(of_input), Some(of_output)) = &encodings
            && of_input.encoding != of_output.encoding
        {
            if !self.rules.mixed_encoding {
                return Err(Error::EncodingMismatch {
                    input: of_input.encoding.to_string(),
                    output: of_output.encoding.to_string(),
                });
            }
            let sides = if self.rules.input_first { [of_input, of_output] } else { [of_output, of_input] };
            let added = self.layout.add_mixed(sides, &mut self.sides, self.rules.flatten, rows);
            return added.map_err(|problem| self.not_fit(problem, row));
        }
        let (first, second) = match (encodings.0, encodings.1, self.rules.input_first) {
            (Some(input), Some(output), true) => (input, Some(output)),
            (Some(input), Some(output), false) => (output, Some(input)),
            (Some(only), None, _) | (None, Some(only), _) => (only, None),
            (None, None, _) => return Ok(()),
        };
        if first.encoding == Encoding::Json {
            // The input's member wins over one of the same name, whichever side's columns come first.
            let texts: Vec<&str> = match (&second, self.rules.input_first) {
                (None, _) => vec![&first.text],
                (Some(output), true) => vec![&output.text, &first.text],
                (Some(input), false) => vec![&first.text, &input.text],
            };
            let added = self.layout.add_json(&texts, self.rules.flatten, rows);
            return added.map_err(|problem| self.not_fit(problem, row));
        }
        let second_text = second.as_ref().map(|second| &*second.text);
        if let Some(lines) = lines_in_place(&first.text, second_text, rows) {
            return self.layout.add_lines(&lines, rows).map_err(|problem| self.not_fit(problem, row));
        }
        let [one, two] = &mut self.sides;
        one.cut(&first.text, rows);
        let fits = if let Some(second) = second {
            two.cut(&second.text, rows);
            let (input, output) = if self.rules.input_first { (&mut *one, &mut *two) } else { (&mut *two, &mut *one) };
            output.spread_over(input.rows());
            one.rows() == two.rows()
                && self.layout.add_rows(&[one, two], rows).map_err(|problem| self.chunks.error_in(row, problem))?
        } else {
            self.layout.add_rows(&[one], rows).map_err(|problem| self.chunks.error_in(row, problem))?
        };
        if !fits {
            self.counts.mismatched += 1;
        }
        Ok(())
    }

    fn not_fit(&self, problem: NotFit, row: u64) -> Error {
        self.chunks.error_in(row, problem)
    }
}

impl Chunks {
    fn error_in(&self, row: u64, problem: NotFit) -> Error {
        let path = self.path().to_owned();
        match problem {
            NotFit::Nested(column) => Error::NestedJson { path, row, column },
            NotFit::Other(problem) => Error::Row { path, row, problem },
        }
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
        while let Some(chunk) = self.chunks.next(&mut batch.text)? {
            let cells = std::mem::take(&mut batch.cells);
            let filled = &batch.text[..chunk.filled];
            // The chunk may end in the middle of a character, which comes again with the next one.
            let text = match std::str::from_utf8(filled) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&filled[..error.valid_up_to()]).unwrap_or_default(),
            };
            if text.len() < chunk.filled && (chunk.whole || chunk.filled - text.len() >= 4) {
                let to = memchr::memchr(b'\n', &filled[text.len()..]).map_or(chunk.filled, |end| text.len() + end);
                let done = memchr::memchr_iter(b'\n', text.as_bytes()).count() as u64;
                self.chunks.check(filled, chunk.start, to, |_| done)?;
            }
            let mut rows = Rows::new(filled, cells, self.layout.width());
            let (consumed, lines) = self.take(text, chunk, &mut rows)?;
            let built = rows.finish();
            self.chunks.used(&batch.text, chunk, consumed, lines)?;
            self.counts.rows += built.rows as u64;
            built.put_into(batch, chunk.filled);
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
        if self.counts.mismatched > 0 {
            notes.push(format!(
                "{} skipped: request and answer have different numbers of lines",
                records(self.counts.mismatched)
            ));
        }
        notes
    }
}
