//! The whole of a merge: labels read, captures joined, and the report of both.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use watchkeeper_formats::{DatasetFormat, MergeReport};

use super::captures::{CaptureReader, Expected, FoundCaptures};
use super::hours::{HourFile, hour_files};
use super::in_order::in_order;
use super::label_lines::{FoundLabels, LabelLines, read_labels};
use super::labels::{IdHash, IndexCounts, LabelIndex, Labels, LookUps};
use super::pieces::{Piece, Pieces};
use super::samples::{Rejected, SAMPLES, add_samples, shown_bytes};
use super::spill::{Found, PartedJoin};
use super::window::Window;
use super::{Merge, MergeOutput, MergeProgress};
use crate::Error;

/// A merge under way.
pub(super) struct Join<'a> {
    merge: &'a Merge,
    progress: &'a dyn Fn(MergeProgress) -> bool,
    captures: Vec<HourFile>,
    labels: Vec<HourFile>,
    reader: CaptureReader,
    /// Bytes read.
    count: Arc<AtomicU64>,
    report: MergeReport,
    /// The first record of a batch transform without an inference id.
    first_without_id: Option<Error>,
}

/// Labels, wherever they are.
enum ReadLabels {
    InMemory(Labels),
    Parted(Box<PartedJoin>),
}

/// The captures of a piece, and the merged lines they give.
#[derive(Default)]
struct Joined<'a> {
    found: FoundCaptures,
    look_ups: LookUps<'a>,
    lines: Vec<u8>,
    tally: Tally,
}

/// Captures counted.
#[derive(Default)]
struct Tally {
    matched: u64,
    out_of_window: u64,
    unmatched: u64,
    unmatched_ids: Vec<String>,
}

impl<'a> Join<'a> {
    pub(super) fn new(merge: &'a Merge, progress: &'a dyn Fn(MergeProgress) -> bool) -> Result<Self, Error> {
        if merge.batch_format == Some(DatasetFormat::Parquet) {
            let problem =
                "a batch transform writes CSV or JSON, and captured data in Parquet cannot be merged; set the \
                           dataset format of the input to the one of the transform's output"
                    .to_owned();
            return Err(Error::File { path: merge.captures.clone(), problem });
        }
        let captures = hour_files(&merge.captures)?;
        let labels = hour_files(&merge.ground_truth)?;
        let batch = merge.batch_format.as_ref().and_then(Expected::of_batch);
        let by_place = |file: &HourFile| match merge.batch_format {
            // Below `<endpoint>/<variant>`.
            None if file.owners < 2 => Expected::Any,
            _ => Expected::Capture,
        };
        let expected = captures.iter().map(|file| batch.unwrap_or_else(|| by_place(file))).collect();
        let mut report = MergeReport::default();
        let hours: Vec<&String> = captures.iter().filter_map(|file| file.hour.as_ref()).collect();
        report.hours = hours.first().zip(hours.last()).map(|(&first, &last)| (first.clone(), last.clone()));
        report.captures.files = captures.len() as u64;
        report.ground_truth.files = labels.len() as u64;
        report.out_of_window = merge.window.map(|_| 0);
        let reader = CaptureReader { window: merge.window.map(Window::new), expected };
        let count = Arc::default();
        Ok(Self { merge, progress, captures, labels, reader, count, report, first_without_id: None })
    }

    pub(super) fn run(mut self, output: &mut dyn MergeOutput) -> Result<MergeReport, Error> {
        match self.read_labels()? {
            ReadLabels::InMemory(labels) => {
                let index = labels.into_index(self.merge.threads);
                self.join_in_memory(&index, output)?;
                self.count_labels(index.counts(), &|id| index.about(id))?;
            }
            ReadLabels::Parted(parted) => self.join_parted(*parted, output)?,
        }
        if self.report.captures.records == 0
            && let Some(error) = self.first_without_id
        {
            return Err(error);
        }
        Ok(self.report)
    }

    /// Reads all labels, into memory as far as the budget goes.
    fn read_labels(&mut self) -> Result<ReadLabels, Error> {
        let mut labels = ReadLabels::InMemory(Labels::default());
        let mut place = LinePlace::default();
        let pieces = Pieces::new(&self.labels, true, &self.count);
        in_order(
            pieces,
            self.merge.threads,
            |piece, found: &mut FoundLabels| found.read(piece),
            |piece, found| {
                for (id, label) in found.iter() {
                    labels.add(self.merge, id, label)?;
                }
                let side = &mut self.report.ground_truth;
                side.records += found.lines.records;
                place.reject(piece, &self.labels, found.lines.lines, &mut found.lines.rejected, side);
                report_progress(self.progress, &self.count, side.records)
            },
        )?;
        Ok(labels)
    }

    fn join_in_memory(&mut self, index: &LabelIndex, output: &mut dyn MergeOutput) -> Result<(), Error> {
        let mut writer = HourWriter::new(output, &self.captures);
        let mut place = LinePlace::default();
        let pieces = Pieces::new(&self.captures, self.has_documents(), &self.count);
        let (reader, report) = (&self.reader, &mut self.report);
        in_order(
            pieces,
            self.merge.threads,
            |piece, joined: &mut Joined<'_>| {
                reader.read(piece, &mut joined.found);
                joined.put_labels(piece, index);
            },
            |piece, joined| {
                let Joined { found, lines, tally, .. } = joined;
                writer.write(piece.file, lines)?;
                tally.add_to(report);
                take_found(piece, &self.captures, found, report, &mut place, &mut self.first_without_id);
                report_progress(self.progress, &self.count, report.ground_truth.records + report.captures.records)
            },
        )?;
        writer.finish()
    }

    /// Reads captures twice: for their ids, and when these are joined to be written.
    fn join_parted(&mut self, mut parted: PartedJoin, output: &mut dyn MergeOutput) -> Result<(), Error> {
        let documents = self.has_documents();
        let pieces = Pieces::new(&self.captures, documents, &self.count);
        let read = |piece: &Piece, found: &mut FoundCaptures| self.reader.read(piece, found);
        let mut numbered = 0;
        in_order(pieces, self.merge.threads, read, |_, found| {
            for capture in &found.captures {
                parted.add_capture(capture.id)?;
            }
            numbered += found.captures.len() as u64;
            report_progress(self.progress, &self.count, self.report.ground_truth.records + numbered)
        })?;
        let mut about: HashMap<u64, (bool, bool)> = HashMap::new();
        let (mut matches, counts) = parted.join(self.merge.threads, &mut |index| note_samples(&mut about, index))?;

        let mut writer = HourWriter::new(output, &self.captures);
        let mut place = LinePlace::default();
        let mut number = 0;
        let mut lines = Vec::new();
        let pieces = Pieces::new(&self.captures, documents, &self.count);
        let (report, first_without_id) = (&mut self.report, &mut self.first_without_id);
        in_order(pieces, self.merge.threads, read, |piece, found| {
            lines.clear();
            let mut tally = Tally::default();
            for capture in &found.captures {
                let write =
                    |label: super::labels::Label<'_>| write_merged(found.record(capture, piece), label, &mut lines);
                match matches.take(number, capture.id, write)? {
                    Found::Yes => tally.matched(capture.is_outside),
                    Found::No => tally.unmatched(|| shown_bytes(found.id(capture, piece))),
                    Found::Changed => return Err(changed(&self.captures[piece.file])),
                }
                number += 1;
            }
            writer.write(piece.file, &lines)?;
            tally.add_to(report);
            take_found(piece, &self.captures, found, report, &mut place, first_without_id);
            report_progress(self.progress, &self.count, report.ground_truth.records + numbered)
        })?;
        writer.finish()?;
        match self.captures.last() {
            Some(file) if number != numbered || !matches.is_over() => return Err(changed(file)),
            _ => {}
        }
        self.count_labels(counts, &|id| about.get(&id.kept()).copied().unwrap_or_default())
    }

    /// Whether files may be JSON texts over many lines.
    fn has_documents(&self) -> bool {
        self.reader.expected.iter().any(|&expected| matches!(expected, Expected::Json | Expected::Any))
    }

    /// Puts what became of labels into the report; `about` says of an id whether it has no capture and whether its labels
    /// differ. The ids' texts are in the files alone, which are read again for a few of them.
    fn count_labels(
        &mut self,
        counts: IndexCounts,
        about: &(dyn Fn(IdHash) -> (bool, bool) + Sync),
    ) -> Result<(), Error> {
        let report = &mut self.report;
        report.ground_truth.unmatched = counts.unmatched;
        report.duplicate_labels.replaced = counts.replaced;
        report.duplicate_labels.with_other_value = counts.with_other_value;
        let wanted = [counts.unmatched, counts.with_other_value].map(|count| count.min(SAMPLES as u64) as usize);
        let mut samples = [Vec::new(), Vec::new()];
        if wanted == [0, 0] {
            return Ok(());
        }
        let pieces = Pieces::new(&self.labels, true, &self.count);
        in_order(
            pieces,
            self.merge.threads,
            |piece, found: &mut [Vec<String>; 2]| find_samples(piece, about, found),
            |_, found| {
                for (samples, found) in samples.iter_mut().zip(found) {
                    for id in found.drain(..) {
                        if samples.len() < SAMPLES && !samples.contains(&id) {
                            samples.push(id);
                        }
                    }
                }
                Ok((0..2).any(|kind| samples[kind].len() < wanted[kind]))
            },
        )?;
        let [unmatched, with_other_value] = samples;
        report.ground_truth.unmatched_ids = unmatched;
        report.duplicate_labels.with_other_value_ids = with_other_value;
        Ok(())
    }
}

impl ReadLabels {
    #[inline]
    fn add(&mut self, merge: &Merge, id: IdHash, label: super::labels::Label<'_>) -> Result<(), Error> {
        match self {
            Self::InMemory(labels) => {
                if labels.size() < merge.budget && labels.add(id, label) {
                    return Ok(());
                }
                let mut parted = PartedJoin::new(&merge.scratch)?;
                for (id, label) in std::mem::take(labels).iter() {
                    parted.add_label(id, label)?;
                }
                parted.add_label(id, label)?;
                *self = Self::Parted(Box::new(parted));
                Ok(())
            }
            Self::Parted(parted) => parted.add_label(id, label),
        }
    }
}

impl<'a> Joined<'a> {
    /// Looks every capture up and makes the merged lines.
    fn put_labels(&mut self, piece: &Piece, index: &'a LabelIndex) {
        self.lines.clear();
        self.tally = Tally::default();
        let found = &self.found;
        index.take_all(found.captures.iter().map(|capture| capture.id), &mut self.look_ups);
        for (capture, label) in found.captures.iter().zip(index.labels(&self.look_ups)) {
            match label {
                Some(label) => {
                    write_merged(found.record(capture, piece), label, &mut self.lines);
                    self.tally.matched(capture.is_outside);
                }
                None => self.tally.unmatched(|| shown_bytes(found.id(capture, piece))),
            }
        }
    }
}

impl Tally {
    fn matched(&mut self, is_outside: bool) {
        self.matched += 1;
        self.out_of_window += u64::from(is_outside);
    }

    fn unmatched(&mut self, id: impl FnOnce() -> String) {
        self.unmatched += 1;
        if self.unmatched_ids.len() < SAMPLES {
            self.unmatched_ids.push(id());
        }
    }

    fn add_to(&mut self, report: &mut MergeReport) {
        report.matched += self.matched;
        if let Some(out_of_window) = &mut report.out_of_window {
            *out_of_window += self.out_of_window;
        }
        report.captures.unmatched += self.unmatched;
        add_samples(&mut report.captures.unmatched_ids, self.unmatched_ids.drain(..));
    }
}

/// Appends a merged line.
#[inline]
fn write_merged(record: &[u8], label: super::labels::Label<'_>, lines: &mut Vec<u8>) {
    lines.extend_from_slice(record);
    lines.extend_from_slice(br#","groundTruthData":"#);
    label.write(lines);
    lines.extend_from_slice(b"}\n");
}

fn report_progress(progress: &dyn Fn(MergeProgress) -> bool, count: &AtomicU64, records: u64) -> Result<bool, Error> {
    let now = MergeProgress { bytes: count.load(Ordering::Relaxed), records };
    if progress(now) { Ok(true) } else { Err(Error::Stopped) }
}

/// Puts into the report what a piece held beside its matches.
fn take_found(
    piece: &Piece,
    files: &[HourFile],
    found: &mut FoundCaptures,
    report: &mut MergeReport,
    place: &mut LinePlace,
    first_without_id: &mut Option<Error>,
) {
    let side = &mut report.captures;
    side.records += found.captures.len() as u64;
    if found.without_id > 0 {
        first_without_id.get_or_insert_with(|| Error::File {
            path: files[piece.file].file.path.clone(),
            problem: "the transform's output has no inference ids to join labels by: the last two columns of CSV, or the members \
                      SageMakerInferenceId and SageMakerInferenceTime of JSON; create the transform job with \
                      generate_inference_id=True in its data capture configuration"
                .to_owned(),
        });
    }
    place.reject(piece, files, found.lines, &mut found.rejected, side);
}

fn changed(file: &HourFile) -> Error {
    let problem = "captured data changed while it was merged; merge again".to_owned();
    Error::File { path: file.file.path.clone(), problem }
}

/// Notes, of a few ids without a capture and a few whose labels differ, that they are such.
fn note_samples(about: &mut HashMap<u64, (bool, bool)>, index: &LabelIndex) {
    let mut noted = [0, 0];
    for (unmatched, differing) in about.values() {
        noted[0] += usize::from(*unmatched);
        noted[1] += usize::from(*differing);
    }
    for (id, (unmatched, differing)) in index.ids() {
        if noted.iter().all(|&count| count >= SAMPLES) {
            break;
        }
        if (unmatched && noted[0] < SAMPLES) || (differing && noted[1] < SAMPLES) {
            about.insert(id, (unmatched, differing));
            noted[0] += usize::from(unmatched);
            noted[1] += usize::from(differing);
        }
    }
}

/// Ids of a piece without a capture, and ids whose labels differ.
fn find_samples(piece: &Piece, about: &(dyn Fn(IdHash) -> (bool, bool) + Sync), found: &mut [Vec<String>; 2]) {
    found.iter_mut().for_each(Vec::clear);
    read_labels(piece, &mut LabelLines::default(), |id, _| {
        let (unmatched, differing) = about(IdHash::of(id));
        for (is_such, samples) in [unmatched, differing].into_iter().zip(found.iter_mut()) {
            if is_such && samples.len() < 2 * SAMPLES {
                samples.push(shown_bytes(id));
            }
        }
    });
}

/// Where in a file the lines of a piece are.
#[derive(Default)]
struct LinePlace {
    before: u64,
}

impl LinePlace {
    /// Counts the lines of the next piece, and puts those that are no record into the report.
    fn reject(
        &mut self,
        piece: &Piece,
        files: &[HourFile],
        lines: u64,
        rejected: &mut Rejected,
        side: &mut watchkeeper_formats::SideOfMerge,
    ) {
        if piece.begins_file {
            self.before = 0;
        }
        side.rejected += rejected.count;
        let file = &files[piece.file].file.path;
        let sample = |(line, problem): (u64, String)| format!("{}:{}: {problem}", file.display(), self.before + line);
        add_samples(&mut side.rejected_samples, rejected.samples.drain(..).map(sample));
        self.before += lines;
    }
}

/// Writes merged lines by hour folder.
struct HourWriter<'a> {
    output: &'a mut dyn MergeOutput,
    files: &'a [HourFile],
    current: Option<usize>,
    has_lines: bool,
}

impl<'a> HourWriter<'a> {
    fn new(output: &'a mut dyn MergeOutput, files: &'a [HourFile]) -> Self {
        Self { output, files, current: None, has_lines: false }
    }

    /// Lines of a file; files come in their order.
    fn write(&mut self, file: usize, lines: &[u8]) -> Result<(), Error> {
        if self.current.is_none_or(|current| self.files[current].folder != self.files[file].folder) {
            self.end_folder()?;
        }
        self.current = Some(file);
        if lines.is_empty() {
            return Ok(());
        }
        let folder = &self.files[file].folder;
        if !std::mem::replace(&mut self.has_lines, true) {
            self.output.begin(folder).map_err(|source| failed(folder, source))?;
        }
        self.output.write(lines).map_err(|source| failed(folder, source))
    }

    fn end_folder(&mut self) -> Result<(), Error> {
        if let Some(current) = self.current
            && !self.has_lines
        {
            let folder = &self.files[current].folder;
            self.output.nothing(folder).map_err(|source| failed(folder, source))?;
        }
        self.has_lines = false;
        Ok(())
    }

    fn finish(mut self) -> Result<(), Error> {
        self.end_folder()
    }
}

fn failed(folder: &Path, source: std::io::Error) -> Error {
    Error::Io { path: folder.to_owned(), source }
}
