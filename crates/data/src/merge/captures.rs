//! Captures of a piece of a file: their ids, and the text that becomes a merged line when a label and a brace are put behind it.

use std::ops::Range;

use watchkeeper_formats::DatasetFormat;

use super::batch::{self, BatchLine};
use super::labels::IdHash;
use super::lines::{line_end, line_text, too_long};
use super::object::{Members, id_text};
use super::pieces::{Kind, Piece};
use super::samples::Rejected;
use super::shape::CaptureScan;
use super::window::Window;

/// What lines of a file may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Captures of an endpoint.
    Capture,
    /// Output of a batch transform in CSV; with a header or without.
    Csv { header: bool },
    /// Output of a batch transform in JSON.
    Json,
    /// Captures of an endpoint, or output of a batch transform, by what each looks like.
    Any,
}

impl Expected {
    /// What a format says of the files of a transform; None where it is of an endpoint.
    pub(super) fn of_batch(format: &DatasetFormat) -> Option<Self> {
        match format {
            DatasetFormat::Csv { header, .. } => Some(Self::Csv { header: *header }),
            DatasetFormat::Json { .. } => Some(Self::Json),
            _ => None,
        }
    }
}

/// Reads captures.
pub(super) struct CaptureReader {
    pub(super) window: Option<Window>,
    /// For each file.
    pub(super) expected: Vec<Expected>,
}

/// One capture.
#[derive(Clone, Debug)]
pub(super) struct FoundCapture {
    pub(super) id: IdHash,
    /// Its record without the brace that closes it.
    record: Range<u32>,
    id_text: Range<u32>,
    /// Whether both are in the rewritten texts, and not in the piece.
    is_rewritten: bool,
    /// Whether its time is outside the window.
    pub(super) is_outside: bool,
}

/// The captures of a piece.
#[derive(Default)]
pub(super) struct FoundCaptures {
    pub(super) lines: u64,
    pub(super) captures: Vec<FoundCapture>,
    pub(super) rejected: Rejected,
    /// Of these, records of a batch transform without an inference id.
    pub(super) without_id: u64,
    rewritten: Vec<u8>,
    scan: CaptureScan,
}

impl FoundCaptures {
    /// The record of a capture of `piece`, without the brace that closes it.
    #[inline]
    pub(super) fn record<'a>(&'a self, capture: &FoundCapture, piece: &'a Piece) -> &'a [u8] {
        self.slice(capture, &capture.record, piece)
    }

    /// The id of a capture of `piece`.
    pub(super) fn id<'a>(&'a self, capture: &FoundCapture, piece: &'a Piece) -> &'a [u8] {
        self.slice(capture, &capture.id_text, piece)
    }

    #[inline]
    fn slice<'a>(&'a self, capture: &FoundCapture, range: &Range<u32>, piece: &'a Piece) -> &'a [u8] {
        let from = if capture.is_rewritten { &self.rewritten } else { piece.text() };
        &from[range.start as usize..range.end as usize]
    }

    /// Adds a capture whose record is not as it stands in the piece: `write` appends it.
    fn add_rewritten(&mut self, id: &str, is_outside: bool, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.rewritten.len();
        write(&mut self.rewritten);
        let end = self.rewritten.len();
        self.rewritten.extend_from_slice(id.as_bytes());
        self.captures.push(FoundCapture {
            id: IdHash::of(id.as_bytes()),
            record: start as u32..end as u32,
            id_text: end as u32..self.rewritten.len() as u32,
            is_rewritten: true,
            is_outside,
        });
    }
}

impl CaptureReader {
    /// Finds the captures of a piece.
    pub(super) fn read(&self, piece: &Piece, found: &mut FoundCaptures) {
        found.lines = 0;
        found.captures.clear();
        found.rejected.clear();
        found.without_id = 0;
        found.rewritten.clear();
        let expected = self.expected[piece.file];
        match piece.kind {
            Kind::Lines => self.read_lines(piece, expected, found),
            Kind::Document => self.read_document(piece, expected, found),
        }
        if piece.is_before_overlong {
            found.lines += 1;
            found.rejected.add(found.lines, too_long());
        }
    }

    fn read_lines(&self, piece: &Piece, expected: Expected, found: &mut FoundCaptures) {
        let (padded, text) = (piece.padded(), piece.text());
        let mut start = 0;
        while start < text.len() {
            found.lines += 1;
            if let Some(line) = found.scan.capture(padded, start) {
                let is_outside = self.window.as_ref().is_some_and(|window| !window.has(&padded[line.time]));
                found.captures.push(FoundCapture {
                    id: IdHash::of(&padded[line.id.clone()]),
                    record: start as u32..line.close as u32,
                    id_text: line.id.start as u32..line.id.end as u32,
                    is_rewritten: false,
                    is_outside,
                });
                start = line.end + 1;
                continue;
            }
            let end = line_end(text, start);
            match line_text(&text[start..end]) {
                Ok("") => {}
                Ok(line) => self.read_line(line, expected, piece.begins_file && found.lines == 1, found),
                Err(problem) => found.rejected.add(found.lines, problem),
            }
            start = end + 1;
        }
    }

    /// A line that is not of the usual shape.
    fn read_line(&self, line: &str, expected: Expected, is_first: bool, found: &mut FoundCaptures) {
        let number = found.lines;
        let looks_like_json = line.starts_with(['{', '[']);
        let problem = match expected {
            Expected::Csv { header } => {
                if header && is_first && batch::csv_line(line).is_none() {
                    return;
                }
                add_csv(line, found)
            }
            Expected::Any if !looks_like_json => add_csv(line, found),
            _ => self.add_json(line, expected, found),
        };
        if let Err(problem) = problem {
            found.rejected.add(number, problem);
        }
    }

    /// A JSON text: a record, or for a batch transform an array of them.
    fn add_json(&self, text: &str, expected: Expected, found: &mut FoundCaptures) -> Result<(), String> {
        if expected != Expected::Capture && text.starts_with('[') {
            return self.add_array(text, expected, found);
        }
        let members = Members::parse(text)?;
        if let Some(data) = members.get("captureData") {
            if !data.starts_with('{') {
                return Err("captureData is no object".to_owned());
            }
            return self.add_capture(&members, found);
        }
        if expected == Expected::Capture {
            return Err("there is no captureData".to_owned());
        }
        let Some(id) = members.get(batch::INFERENCE_ID).map(id_text).transpose()?.flatten() else {
            found.without_id += 1;
            return Err(format!("there is neither captureData nor {}", batch::INFERENCE_ID));
        };
        let data = members.compact_without(&[batch::INFERENCE_ID, batch::INFERENCE_TIME]);
        found.add_rewritten(&id, false, |to| batch::write_record(&id, &data, "JSON", to));
        Ok(())
    }

    fn add_array(&self, text: &str, expected: Expected, found: &mut FoundCaptures) -> Result<(), String> {
        let elements: Vec<&serde_json::value::RawValue> =
            serde_json::from_str(text).map_err(|error| super::lines::not_json(&error))?;
        let number = found.lines;
        for (index, element) in elements.into_iter().enumerate() {
            if let Err(problem) = self.add_json(element.get(), expected, found) {
                found.rejected.add(number, format!("element {index}: {problem}"));
            }
        }
        Ok(())
    }

    fn add_capture(&self, members: &Members<'_>, found: &mut FoundCaptures) -> Result<(), String> {
        let metadata = members.get("eventMetadata").map(Members::parse).transpose()?.unwrap_or_default();
        let id = |name| metadata.get(name).map(id_text).transpose().map(Option::flatten);
        let id = match id("inferenceId")? {
            Some(id) => id,
            None => id("eventId")?.ok_or("eventMetadata has neither inferenceId nor eventId")?,
        };
        let time = metadata.get("inferenceTime").and_then(|time| serde_json::from_str::<String>(time).ok());
        let is_outside = self.window.as_ref().is_some_and(|window| !window.has(time.unwrap_or_default().as_bytes()));
        found.add_rewritten(&id, is_outside, |to| members.write_without("groundTruthData", to));
        Ok(())
    }

    fn read_document(&self, piece: &Piece, expected: Expected, found: &mut FoundCaptures) {
        if let Ok(text) = std::str::from_utf8(piece.text())
            && watchkeeper_formats::ground_truth::is_one_json_text(text)
        {
            found.lines = 1;
            if let Err(problem) = self.add_json(text.trim(), expected, found) {
                found.rejected.add(1, problem);
            }
            return;
        }
        self.read_lines(piece, expected, found);
        if found.captures.is_empty() && found.without_id == 0 {
            found.rejected.clear();
            found.rejected.add(1, super::label_lines::document_problem(piece.text()));
        }
    }
}

/// A line of CSV that a batch transform wrote.
fn add_csv(line: &str, found: &mut FoundCaptures) -> Result<(), String> {
    let Some(BatchLine { id, data }) = batch::csv_line(line) else {
        found.without_id += 1;
        return Err("the last two columns are no inference id and inference time".to_owned());
    };
    found.add_rewritten(id, false, |to| batch::write_record(id, data, "CSV", to));
    Ok(())
}
