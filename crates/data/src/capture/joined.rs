//! Request and answer of a record joined into rows of all their columns.

use watchkeeper_formats::{
    CaptureIndexName, CapturePart, CaptureRecord, DatasetFormat, Encoding, OutputColumnsPosition,
};

use super::layout::Layout;
use super::payload::{Payload, Side, lines_in_place, payload_of};
use super::{CaptureRows, Preprocessed, counted, returned_record};
use crate::Reading;
use crate::members::BadRecord;
use crate::rows::Rows;

/// Rows that request and answer make together.
pub(crate) struct JoinedRows {
    rules: Rules,
    layout: Layout,
    sides: [Side; 2],
    without_payload: u64,
    mismatched: u64,
}

/// What is taken from a record.
struct Rules {
    /// Which sides; `None`: those that are there.
    sides: Option<Vec<CaptureIndexName>>,
    /// Whether the input's columns come first.
    input_first: bool,
    flatten: bool,
    mixed_encoding: bool,
}

impl JoinedRows {
    pub(crate) fn new(reading: &Reading) -> Self {
        let (sides, position) = match &reading.format {
            DatasetFormat::CaptureJson { capture_index_names, output_columns_position } => {
                (capture_index_names.clone(), output_columns_position.unwrap_or_default())
            }
            _ => (None, OutputColumnsPosition::default()),
        };
        Self {
            rules: Rules {
                sides,
                input_first: position == OutputColumnsPosition::End,
                flatten: reading.flatten_json,
                mixed_encoding: reading.mixed_encoding,
            },
            layout: Layout::new(reading.strict_key_order),
            sides: Default::default(),
            without_payload: 0,
            mismatched: 0,
        }
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

impl CaptureRows for JoinedRows {
    type Beside = ();

    fn beside(&self, _record: &CaptureRecord<'_>) {}

    fn add(&mut self, record: &CaptureRecord<'_>, rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let input = self.rules.input(record).map(|part| payload_of(part, false)).transpose()?;
        let output = self.rules.output(record).map(|part| payload_of(part, true)).transpose()?;
        if let (Some(input), Some(output)) = (&input, &output)
            && input.encoding != output.encoding
            && !self.rules.mixed_encoding
        {
            let (input, output) = (input.encoding.to_string(), output.encoding.to_string());
            return Err(BadRecord::EncodingMismatch { input, output });
        }
        let (first, second) = match (input, output) {
            (None, None) => {
                self.without_payload += 1;
                return Ok(());
            }
            (Some(only), None) | (None, Some(only)) => (only, None),
            (Some(input), Some(output)) if self.rules.input_first => (input, Some(output)),
            (Some(input), Some(output)) => (output, Some(input)),
        };
        if !self.add_payloads(&first, second.as_ref(), rows)? {
            let skipped = if second.is_some() { &mut self.mismatched } else { &mut self.without_payload };
            *skipped += 1;
        }
        Ok(())
    }

    fn add_preprocessed(
        &mut self,
        result: &Preprocessed,
        (): &Self::Beside,
        rows: &mut Rows<'_>,
    ) -> Result<(), BadRecord> {
        match result {
            Preprocessed::Skipped => Ok(()),
            Preprocessed::Record(line) => self.add(&returned_record(line)?, rows),
            Preprocessed::Rows(objects) => self.layout.add_preprocessed(objects, rows),
            Preprocessed::Row(scalars) => self.layout.add_scalars(scalars, rows),
            Preprocessed::Csv(text) => {
                let [side, _] = &mut self.sides;
                side.cut(text, rows);
                self.layout.add_rows(&[side], rows).map(drop)
            }
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

    fn without_rows(&self) -> (u64, Option<String>) {
        (self.without_payload + self.mismatched, self.skipped().into_iter().next())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.layout.notes();
        notes.extend(self.skipped());
        notes
    }
}

impl JoinedRows {
    /// Sentences about the records that were skipped.
    fn skipped(&self) -> Vec<String> {
        let reasons = [
            (self.without_payload, "nothing was captured of them"),
            (self.mismatched, "request and answer have different numbers of lines"),
        ];
        let skipped = reasons.into_iter().filter(|(count, _)| *count > 0);
        skipped.map(|(count, reason)| format!("{} skipped: {reason}", counted(count))).collect()
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
}
