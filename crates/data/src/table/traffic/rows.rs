//! Captured records as rows of columns.

use watchkeeper_engine::prediction::Answer;
use watchkeeper_engine::table::ColumnBuilder;
use watchkeeper_formats::{CaptureIndexName, CapturePart, CaptureRecord, DatasetFormat, Encoding};

use super::TrafficReading;
use super::outputs::OutputReader;
use super::payloads::{Cells, FeatureReader, LabelReader, Memory};
use crate::capture::payload::payload_of;
use crate::capture::unused::{Dropped, Unused, name_of};
use crate::capture::{CaptureRows, Preprocessed};
use crate::members::BadRecord;
use crate::rows::Rows;
use crate::table::counted_as;

/// Gathers the rows of captured records. Batches get none of them.
pub(super) struct TrafficRows {
    side: Option<CaptureIndexName>,
    feature_reader: FeatureReader,
    outputs: Option<OutputReader>,
    label_reader: LabelReader,
    pub(super) features: Vec<ColumnBuilder>,
    pub(super) answers: Vec<Answer>,
    pub(super) labels: Option<ColumnBuilder>,
    pub(super) content_types: (Option<String>, Option<String>),
    pub(super) rows: usize,
    keeps_written: bool,
    dropped: Dropped,
}

/// Why a payload that cannot be read gives no row.
fn unreadable(problem: BadRecord) -> Unused {
    match problem {
        // A client's slip must not end a job.
        BadRecord::Malformed(reason) => Unused::Dropped(reason),
        other => Unused::Bad(other),
    }
}

impl TrafficRows {
    pub(super) fn new(reading: &TrafficReading) -> Self {
        let (side, is_merged) = match &reading.format {
            DatasetFormat::MergeJson { capture_index_name } => (*capture_index_name, true),
            DatasetFormat::CaptureJson { capture_index_names: Some(names), .. } => (names.first().copied(), false),
            _ => (None, false),
        };
        Self {
            side,
            feature_reader: FeatureReader::new(reading),
            outputs: is_merged.then(|| OutputReader::new(reading)),
            label_reader: LabelReader::new(reading.label.as_deref()),
            features: Vec::new(),
            answers: Vec::new(),
            labels: is_merged.then(|| ColumnBuilder::new(false)),
            content_types: (None, None),
            rows: 0,
            keeps_written: reading.keeps_written,
            dropped: Dropped::default(),
        }
    }

    /// The request and the answer of a record; of a batch transform they are one.
    fn parts<'r, 'a>(&self, record: &'r CaptureRecord<'a>) -> [Option<&'r CapturePart<'a>>; 2] {
        let data = &record.capture_data;
        let batch = data.batch_transform_output.as_ref();
        if self.side == Some(CaptureIndexName::BatchTransformOutput) || data.endpoint_input.is_none() && batch.is_some()
        {
            return [batch, batch];
        }
        [data.endpoint_input.as_ref(), data.endpoint_output.as_ref()]
    }

    /// Adds the rows of a record.
    fn add_record(&mut self, record: &CaptureRecord<'_>) -> Result<(), Unused> {
        let parts = self.parts(record);
        let [request, answer] = parts;
        let request = request.ok_or_else(|| Unused::Dropped("it has no request".to_owned()))?;
        let is_joined = answer.is_some_and(|answer| std::ptr::eq(request, answer));
        let payload = payload_of(request, is_joined).map_err(unreadable)?;
        let mut memory = Memory::default();
        let features = self.feature_reader.read(&payload, is_joined, &mut memory).map_err(Unused::Dropped)?;
        let count = features.rows();
        let mut answers = Vec::new();
        if let Some(outputs) = &self.outputs {
            let answer = answer.ok_or_else(|| Unused::Dropped("it has no answer".to_owned()))?;
            let payload = payload_of(answer, true).map_err(unreadable)?;
            let joined = is_joined.then(|| features.width());
            answers = outputs.read(&payload, count, joined).map_err(Unused::Dropped)?;
        }
        let mut memory = Memory::default();
        let labels = match (&self.labels, &record.ground_truth_data) {
            (None, _) => None,
            (Some(_), None) => return Err(Unused::Dropped("it has no ground truth".to_owned())),
            (Some(_), Some(truth)) => {
                let is_json = match &truth.encoding {
                    None | Some(Encoding::Csv) => false,
                    Some(Encoding::Json) => true,
                    Some(other) => {
                        let reason = format!("its ground truth is encoded as {other}, expected CSV or JSON");
                        return Err(Unused::Dropped(reason));
                    }
                };
                Some(self.label_reader.read(&truth.data, is_json, count, &mut memory).map_err(Unused::Dropped)?)
            }
        };
        self.add_rows(&features, answers, labels.as_ref())?;
        let types = [
            request.observed_content_type.as_deref(),
            answer.and_then(|answer| answer.observed_content_type.as_deref()),
        ];
        let known = [&mut self.content_types.0, &mut self.content_types.1];
        for (known, found) in known.into_iter().zip(types) {
            if known.is_none() {
                *known = found.map(str::to_owned);
            }
        }
        Ok(())
    }

    /// Adds rows, all or none.
    fn add_rows(
        &mut self,
        features: &Cells<'_>,
        answers: Vec<Answer>,
        labels: Option<&Cells<'_>>,
    ) -> Result<(), Unused> {
        let count = features.rows();
        if let Some(labels) = labels
            && labels.rows() != count
        {
            let reason = format!(
                "its request is {}, its ground truth {}",
                counted_as(count, "row"),
                counted_as(labels.rows(), "label")
            );
            return Err(Unused::Dropped(reason));
        }
        let width = features.width();
        if self.rows > 0 && width != self.features.len() {
            let (found, known) = (counted_as(width, "feature"), self.features.len());
            let reason = format!("it has {found}, the records before it have {known}");
            return Err(Unused::Dropped(reason));
        }
        features.check().map_err(Unused::Dropped)?;
        labels.map_or(Ok(()), Cells::check).map_err(Unused::Dropped)?;
        if self.rows == 0 {
            self.features = (0..width).map(|_| ColumnBuilder::new(self.keeps_written)).collect();
        }
        for row in 0..count {
            for (index, column) in self.features.iter_mut().enumerate() {
                features.push(row, index, column);
            }
            if let (Some(labels), Some(column)) = (labels, &mut self.labels) {
                labels.push(row, 0, column);
            }
        }
        self.answers.extend(answers);
        self.rows += count;
        Ok(())
    }
}

impl CaptureRows for TrafficRows {
    type Beside = ();

    fn beside(&self, _record: &CaptureRecord<'_>) {}

    fn add(&mut self, record: &CaptureRecord<'_>, _rows: &mut Rows<'_>) -> Result<(), BadRecord> {
        let added = self.add_record(record);
        self.dropped.settle(added, || name_of(record))
    }

    fn add_preprocessed(&mut self, _: &Preprocessed, (): &(), _: &mut Rows<'_>) -> Result<(), BadRecord> {
        unreachable!("traffic is read without a preprocessor")
    }

    fn names(&self) -> &[String] {
        &[]
    }

    fn has_own_names(&self) -> bool {
        false
    }

    fn order(&self) -> Vec<usize> {
        Vec::new()
    }

    fn without_rows(&self) -> (u64, Option<String>) {
        self.dropped.count_and_reason()
    }

    fn notes(&self) -> Vec<String> {
        self.dropped.notes()
    }
}
