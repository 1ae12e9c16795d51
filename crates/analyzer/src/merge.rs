//! The ground-truth merger: captures and labels in, merged lines and a report out (section 6 of model quality).
//!
//! The job's log says in sentences what the report says in numbers: how many records there were on both sides, how many found
//! each other, and of what is left over a few, for whoever asks where the rows are.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use watchkeeper_data::merge::{Merge, MergeOutput, MergeProgress, part_name};
use watchkeeper_formats::{MergeJob, MergeReport, SideOfMerge};

use crate::output::{Output, check_folder};
use crate::{Error, Level, Observer, Progress};

/// Memory for labels; what does not fit goes to files.
const LABELS_BUDGET: usize = 384 * 1024 * 1024;

/// The folder of reports, which readers of the merged lines skip for its first character.
const REPORTS: &str = "_reports";

/// Merges, and writes merged lines and `_reports/<first hour>-<last hour>.json` to the job's output: all or nothing. That nothing matches is an
/// error which says what was found.
pub fn merge(job: &MergeJob, threads: usize, observer: &dyn Observer) -> Result<MergeReport, Error> {
    check_folder(&job.output_path)?;
    let merge = Merge {
        captures: job.dataset_source.clone(),
        ground_truth: job.ground_truth_source.clone(),
        batch_format: job.dataset_format.clone(),
        window: job.window,
        scratch: crate::output::scratch_folder(&job.output_path),
        budget: LABELS_BUDGET,
        threads,
    };
    let total = bytes_of(&merge)?;
    let mut lines = MergedLines { folder: &job.output_path, output: Output::default(), failure: None };
    let progress = |now: MergeProgress| {
        observer.progress(Progress { bytes_read: now.bytes, bytes_total: total, records: now.records });
        !observer.stopped()
    };
    let merged = watchkeeper_data::merge::merge(&merge, &mut lines, &progress);
    let MergedLines { mut output, failure, .. } = lines;
    let report = match (merged, failure) {
        (Ok(report), _) => report,
        (Err(_), Some(failure)) => return Err(failure),
        (Err(watchkeeper_data::Error::Stopped), None) => return Err(Error::Stopped),
        (Err(error), None) => return Err(error.into()),
    };
    log_report(&report, observer);
    if report.matched == 0 {
        return Err(Error::NothingToMerge { found: nothing_matches(&report) });
    }
    if observer.stopped() {
        return Err(Error::Stopped);
    }
    output.add(&job.output_path.join(REPORTS).join(report_name(&report)), report.to_json().as_bytes())?;
    output.finish()?;
    Ok(report)
}

/// Bytes of all files of both sides, where that is known.
fn bytes_of(merge: &Merge) -> Result<Option<u64>, Error> {
    let mut files = watchkeeper_data::list(&merge.captures)?;
    files.extend(watchkeeper_data::list(&merge.ground_truth)?);
    Ok(files.iter().map(|file| file.size).sum())
}

/// `2021052600-2021052601.json`, or `merge.json` where captures lie in no hour folder.
fn report_name(report: &MergeReport) -> String {
    let Some((first, last)) = &report.hours else { return "merge.json".to_owned() };
    format!("{}-{}.json", first.replace('/', ""), last.replace('/', ""))
}

/// The job's output folder as the merge sees it.
struct MergedLines<'a> {
    folder: &'a Path,
    output: Output,
    /// What went wrong, in our own words.
    failure: Option<Error>,
}

impl MergedLines<'_> {
    fn path(&self, folder: &Path) -> PathBuf {
        self.folder.join(folder).join(part_name(folder))
    }

    fn note(&mut self, done: Result<(), Error>) -> std::io::Result<()> {
        done.map_err(|error| {
            self.failure = Some(error);
            std::io::Error::other("the results cannot be written")
        })
    }
}

impl MergeOutput for MergedLines<'_> {
    fn begin(&mut self, folder: &Path) -> std::io::Result<()> {
        let done = self.output.begin(&self.path(folder));
        self.note(done)
    }

    fn write(&mut self, lines: &[u8]) -> std::io::Result<()> {
        let done = self.output.append(lines);
        self.note(done)
    }

    fn nothing(&mut self, folder: &Path) -> std::io::Result<()> {
        self.output.remove(&self.path(folder));
        Ok(())
    }
}

/// Which hours captures were read from, behind a number of something.
fn hours(report: &MergeReport) -> String {
    report.hours.as_ref().map_or_else(String::new, |(first, last)| format!(", hours {first}…{last}"))
}

/// What is said of a merge without a match; its first sentence is the specification's.
fn nothing_matches(report: &MergeReport) -> String {
    let hours = hours(report);
    let (captures, labels) = (&report.captures, &report.ground_truth);
    let mut text = format!(
        "No captured record could be joined with ground truth: {} captured records, {} ground-truth records, 0 common ids{hours}.",
        captures.records, labels.records
    );
    for (side, name) in [(captures, "captured data"), (labels, "ground truth")] {
        if side.rejected > 0 {
            let first = side.rejected_samples.first().map_or_else(String::new, |first| format!("; the first: {first}"));
            let _ = write!(text, " {} of {name} rejected{first}.", counted(side.rejected, "record"));
        } else if side.files == 0 {
            let _ = write!(text, " There is no file of {name}.");
        }
    }
    for (side, name) in [(captures, "captured record"), (labels, "label")] {
        if let Some(id) = side.unmatched_ids.first() {
            let _ = write!(text, " First id of a {name}: {id:?}.");
        }
    }
    text
}

/// One line a fact.
fn log_report(report: &MergeReport, observer: &dyn Observer) {
    let (captures, labels) = (&report.captures, &report.ground_truth);
    let hours = hours(report);
    let info = |line: String| observer.log(Level::Info, &line);
    let warn = |line: String| observer.log(Level::Warning, &line);
    info(format!(
        "captured data: {} in {}{hours}",
        counted(captures.records, "record"),
        counted(captures.files, "file")
    ));
    info(format!("ground truth: {} in {}", counted(labels.records, "record"), counted(labels.files, "file")));
    info(format!("{} of {} joined with ground truth", report.matched, counted(captures.records, "captured record")));
    if captures.unmatched > 0 {
        let ids = shown(&captures.unmatched_ids, captures.unmatched);
        info(format!("{} without ground truth left out, ids: {ids}", counted(captures.unmatched, "captured record")));
    }
    if labels.unmatched > 0 {
        let ids = shown(&labels.unmatched_ids, labels.unmatched);
        info(format!("{} of ground truth without a captured record: {ids}", counted(labels.unmatched, "id")));
    }
    let duplicates = &report.duplicate_labels;
    if duplicates.replaced > 0 {
        info(format!("{} replaced by a later one for the same id", counted(duplicates.replaced, "label")));
    }
    if duplicates.with_other_value > 0 {
        let ids = listed(&duplicates.with_other_value_ids);
        warn(format!("{} of these had another value, among the ids: {ids}", duplicates.with_other_value));
    }
    if let Some(outside) = report.out_of_window.filter(|&outside| outside > 0) {
        info(format!("{} outside the window of the analysis", counted(outside, "merged record")));
    }
    log_rejected(captures, "captured data", observer);
    log_rejected(labels, "ground truth", observer);
}

fn log_rejected(side: &SideOfMerge, name: &str, observer: &dyn Observer) {
    if side.rejected == 0 {
        return;
    }
    observer.log(Level::Warning, &format!("{} of {name} skipped that are none:", counted(side.rejected, "record")));
    for sample in &side.rejected_samples {
        observer.log(Level::Warning, &format!("  {sample}"));
    }
    let more = side.rejected - side.rejected_samples.len() as u64;
    if more > 0 {
        observer.log(Level::Warning, &format!("  and {more} more"));
    }
}

/// Ids, and how many there are beside them.
fn shown(ids: &[String], count: u64) -> String {
    let listed = listed(ids);
    match count.saturating_sub(ids.len() as u64) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

fn listed(ids: &[String]) -> String {
    ids.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ")
}

fn counted(count: u64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
