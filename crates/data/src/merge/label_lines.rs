//! Labels of a piece of a file.

use watchkeeper_formats::ground_truth::{is_one_json_text, records};

use super::labels::{IdHash, Label};
use super::lines::{line_end, line_text, too_long};
use super::pieces::{Kind, Piece};
use super::samples::Rejected;
use super::shape::LabelScan;

/// What a piece held beside its labels.
#[derive(Default)]
pub(super) struct LabelLines {
    pub(super) lines: u64,
    pub(super) records: u64,
    pub(super) rejected: Rejected,
    scan: LabelScan,
}

/// Calls `take` with the id and the label of every record of a piece.
pub(super) fn read_labels(piece: &Piece, found: &mut LabelLines, mut take: impl FnMut(&[u8], Label<'_>)) {
    found.lines = 0;
    found.records = 0;
    found.rejected.clear();
    match piece.kind {
        Kind::Lines => read_lines(piece, found, &mut take),
        Kind::Document => match std::str::from_utf8(piece.text()) {
            Ok(text) if is_one_json_text(text) => read_records(text, 1, found, &mut take),
            _ => {
                read_lines(piece, found, &mut take);
                if found.records == 0 {
                    found.rejected.clear();
                    found.rejected.add(1, document_problem(piece.text()));
                }
            }
        },
    }
    if piece.is_before_overlong {
        found.lines += 1;
        found.rejected.add(found.lines, too_long());
    }
}

/// What is wrong with a file that is neither one JSON text nor lines of records.
pub(super) fn document_problem(text: &[u8]) -> String {
    match std::str::from_utf8(text) {
        Ok(text) => match serde_json::from_str::<serde::de::IgnoredAny>(text) {
            Err(error) => format!("the file is neither one JSON text ({error}) nor lines of records"),
            Ok(_) => "there is no record in the file".to_owned(),
        },
        Err(error) => format!("byte {} of the file is not UTF-8", error.valid_up_to() + 1),
    }
}

fn read_lines(piece: &Piece, found: &mut LabelLines, take: &mut impl FnMut(&[u8], Label<'_>)) {
    let (padded, text) = (piece.padded(), piece.text());
    let mut start = 0;
    while start < text.len() {
        found.lines += 1;
        if let Some(line) = found.scan.label(padded, start) {
            let kind = if line.is_json { super::labels::LabelKind::Json } else { super::labels::LabelKind::Csv };
            take(&padded[line.id], Label { kind, data: &padded[line.data] });
            found.records += 1;
            start = line.end + 1;
            continue;
        }
        let end = line_end(text, start);
        match line_text(&text[start..end]) {
            Ok("") => {}
            Ok(line) => read_records(line, found.lines, found, take),
            Err(problem) => found.rejected.add(found.lines, problem),
        }
        start = end + 1;
    }
}

fn read_records(text: &str, line: u64, found: &mut LabelLines, take: &mut impl FnMut(&[u8], Label<'_>)) {
    records(text, &mut |record| match record {
        Ok(record) => match Label::of_json(&record.ground_truth_data) {
            Some(label) => {
                take(record.event_id.as_bytes(), label);
                found.records += 1;
            }
            None => found.rejected.add(line, "groundTruthData has another form than data and encoding"),
        },
        Err(problem) => found.rejected.add(line, problem.problem),
    });
}

/// The labels of a piece, for another thread.
#[derive(Default)]
pub(super) struct FoundLabels {
    pub(super) lines: LabelLines,
    labels: Vec<(IdHash, super::labels::LabelKind, u32)>,
    texts: Vec<u8>,
}

impl FoundLabels {
    pub(super) fn read(&mut self, piece: &Piece) {
        self.labels.clear();
        self.texts.clear();
        let (labels, texts) = (&mut self.labels, &mut self.texts);
        read_labels(piece, &mut self.lines, |id, label| {
            labels.push((IdHash::of(id), label.kind, label.data.len() as u32));
            texts.extend_from_slice(label.data);
        });
    }

    /// Ids and labels, in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (IdHash, Label<'_>)> {
        let mut texts = self.texts.as_slice();
        self.labels.iter().map(move |&(id, kind, length)| {
            let (data, rest) = texts.split_at(length as usize);
            texts = rest;
            (id, Label { kind, data })
        })
    }
}
