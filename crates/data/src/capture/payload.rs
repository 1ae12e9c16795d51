//! Payloads of captured records: how they are encoded, and cut into cells.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use watchkeeper_engine::column::{Cell, CellKind};
use watchkeeper_formats::{CapturePart, Encoding};

use crate::csv::tokenizer::{Limits, Ragged, resolve, tokenize};
use crate::members::BadRecord;
use crate::rows::Rows;

/// A payload as text: `CSV` or `JSON`, decoded where it was not.
pub(crate) struct Payload<'a> {
    pub(crate) encoding: Encoding<'static>,
    pub(crate) text: Cow<'a, str>,
    /// It is the answer, not the request.
    pub(crate) is_output: bool,
}

/// The payload of one side of a record. Base 64 holds what its content type says; a payload without an encoding too.
pub(crate) fn payload_of<'a>(part: &'a CapturePart<'_>, is_output: bool) -> Result<Payload<'a>, BadRecord> {
    let content_type = part.observed_content_type.as_deref().unwrap_or_default();
    let by_content_type = if content_type.starts_with("text/csv") {
        Some(Encoding::Csv)
    } else if content_type.starts_with("application/json") {
        Some(Encoding::Json)
    } else {
        None
    };
    let text = Cow::Borrowed(&*part.data);
    match &part.encoding {
        Some(Encoding::Csv) => Ok(Payload { encoding: Encoding::Csv, text, is_output }),
        Some(Encoding::Json) => Ok(Payload { encoding: Encoding::Json, text, is_output }),
        None => Ok(Payload { encoding: by_content_type.unwrap_or(Encoding::Csv), text, is_output }),
        Some(Encoding::Base64) => {
            let Some(encoding) = by_content_type else { return Err(BadRecord::Encoding("BASE64".to_owned())) };
            Ok(Payload { encoding, text: Cow::Owned(from_base64(&part.data)?), is_output })
        }
        Some(Encoding::Other(word)) => Err(BadRecord::Encoding(word.clone().into_owned())),
    }
}

/// Whether a text is one JSON value.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The JSON texts of a payload: itself, or its lines. None where it is neither.
pub(crate) fn documents(text: &str) -> Option<Vec<&str>> {
    let text = text.trim_ascii();
    if is_json(text) {
        return Some(vec![text]);
    }
    let lines: Vec<&str> = text.lines().map(str::trim_ascii).filter(|line| !line.is_empty()).collect();
    (lines.len() > 1 && lines.iter().all(|line| is_json(line))).then_some(lines)
}

fn from_base64(data: &str) -> Result<String, BadRecord> {
    let bytes = STANDARD
        .decode(data.trim_ascii())
        .map_err(|error| BadRecord::Malformed(format!("a payload in base 64 is damaged: {error}")))?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        BadRecord::Malformed(format!("byte {at} of a payload in base 64 is not UTF-8"))
    })
}

/// Where payloads stand that are a piece of their record each: nothing in them is escaped, so they are one line
/// without quotes. `None` when one is not, or is empty.
pub(crate) fn lines_in_place<'p>(
    first: &'p str,
    second: Option<&'p str>,
    rows: &Rows<'_>,
) -> Option<[(usize, &'p str); 2]> {
    let place = |payload: &'p str| Some((rows.place_of(payload).filter(|_| !payload.is_empty())?, payload));
    // A side that was not captured is a line without any field.
    Some([place(first)?, second.map_or(Some((0, "")), place)?])
}

/// The rows of one CSV payload. Memory is kept from record to record.
#[derive(Default)]
pub(crate) struct Side {
    cells: Vec<Cell>,
    width: usize,
    rows: usize,
    escaped: Vec<usize>,
    ragged: Ragged,
}

impl Side {
    /// Cuts a payload into rows; line ends at its end do not make one.
    pub(crate) fn cut(&mut self, payload: &str, rows: &mut Rows<'_>) {
        self.cells.clear();
        self.ragged = Ragged::default();
        // A client's slip must not end a job: a quote that is never closed is text.
        let limits = Limits { whole: true, unclosed_is_text: true, rows: usize::MAX, stop: usize::MAX };
        let mut width = None;
        let payload = payload.trim_end_matches(['\n', '\r']);
        // What stands in the record has no quotes in it: they would have been escaped there.
        let place = rows.place_of(payload);
        let bytes = payload.as_bytes();
        let base = place.unwrap_or(0);
        let done = tokenize(bytes, base, limits, &mut width, &mut self.cells, &mut self.escaped, &mut self.ragged);
        if place.is_none() {
            let mut owned = bytes.to_vec();
            resolve(&mut owned, &mut self.cells, &mut self.escaped);
            let start = rows.put_behind(&owned);
            for cell in self.cells.iter_mut().filter(|cell| !cell.is_missing()) {
                *cell = Cell::new(start + cell.start(), cell.length(), CellKind::Text);
            }
        }
        self.width = width.unwrap_or(0);
        self.rows = done.rows;
    }

    /// A single row with as many fields as the other side has rows: each is a row of its own.
    pub(crate) fn spread_over(&mut self, rows: usize) {
        if self.rows == 1 && rows > 1 && self.width == rows {
            self.rows = rows;
            self.width = 1;
        }
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    pub(crate) fn row(&self, index: usize) -> &[Cell] {
        &self.cells[index * self.width..(index + 1) * self.width]
    }

    /// What was wrong with lines of the payload.
    pub(crate) fn ragged(&self) -> Ragged {
        self.ragged
    }
}
