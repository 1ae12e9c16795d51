//! From the files of a dataset to its metrics, in three passes over rows of a few bytes.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use watchkeeper_data::locate::Attribute;
use watchkeeper_data::scored::{ListMeaning, RecordCounts, ScoredReading, ScoredSource};
use watchkeeper_data::spill::{RecordLog, Sorter};
use watchkeeper_data::{DatasetFile, Preprocess};
use watchkeeper_engine::column::Batch;
use watchkeeper_engine::quality::{
    Curves, Interpreter, MeasuredCurves, Measures, Problem, Residuals, Row, ScoredRow, Subsamples,
};
use watchkeeper_formats::{DatasetFormat, ModelQualityJob, ModelQualityMetrics, ProblemType};

use crate::output::scratch_folder;
use crate::scripts::{Script, unwrap_script_error};
use crate::{Error, Observer, Progress, inputs};

/// Bytes of rows, and of scores, that stay in memory.
const BUDGET: usize = 128 << 20;

/// Time between two calls of the observer.
const BETWEEN_PROGRESS: Duration = Duration::from_millis(50);

type RowLog = RecordLog<16>;
type Scores = Sorter<10>;

/// What a dataset is worth.
pub(super) struct Measured {
    pub(super) item_count: u64,
    pub(super) metrics: ModelQualityMetrics,
    pub(super) residuals: Option<Residuals>,
    pub(super) notes: Vec<String>,
}

pub(super) fn measure(job: &ModelQualityJob, observer: &dyn Observer) -> Result<Measured, Error> {
    let scratch = scratch_folder(&job.output_path);
    let mut rows = read(job, &scratch, observer)?;
    let mut measures = Measures::new(&rows.interpreter);
    let scores = add_rows(&mut rows, &mut measures, &scratch)?;
    stop_if_asked(observer)?;
    let curves = scores.map(|scores| curves(scores, &measures, observer)).transpose()?;
    let residuals = measures.residuals();
    let mut notes = rows.notes;
    notes.extend(rows.interpreter.notes());
    Ok(Measured { item_count: rows.interpreter.rows_used(), metrics: measures.finish(curves), residuals, notes })
}

/// All usable rows of a dataset.
struct Rows {
    interpreter: Interpreter,
    log: RowLog,
    notes: Vec<String>,
}

fn read(job: &ModelQualityJob, scratch: &Path, observer: &dyn Observer) -> Result<Rows, Error> {
    let files = watchkeeper_data::list(&job.dataset_source)?;
    let file_count = files.len();
    let mut rows =
        Rows { interpreter: Interpreter::new(problem(job)), log: RowLog::new(scratch, BUDGET), notes: Vec::new() };
    let mut preprocessor = Script::start(
        job.record_preprocessor_script.as_deref(),
        matches!(job.dataset_format, DatasetFormat::CaptureJson { .. } | DatasetFormat::MergeJson { .. }),
        (&job.variables, job.settings.script_time_limit),
        observer,
    )?;
    let counts = {
        let script = preprocessor.as_mut().map(|preprocessor| preprocessor as &mut dyn Preprocess);
        let mut source = open(job, files, script);
        fill(&mut rows, &mut *source, observer).map_err(unwrap_script_error)?;
        rows.notes.extend(source.notes());
        source.counts()
    };
    if let Some(preprocessor) = preprocessor {
        preprocessor.finish()?;
    }
    if rows.interpreter.rows_used() == 0 {
        return Err(no_rows(job, file_count, &counts, &rows));
    }
    let dropped = rows.interpreter.dropped();
    if dropped.count > 0 {
        let reason = dropped.first_reason.as_ref().map_or_else(String::new, |reason| format!(", the first: {reason}"));
        rows.notes.push(format!("{} of {} rows dropped{reason}", dropped.count, rows.interpreter.rows_read()));
    }
    Ok(rows)
}

fn open<'a>(
    job: &ModelQualityJob,
    files: Vec<DatasetFile>,
    script: Option<&'a mut dyn Preprocess>,
) -> Box<dyn ScoredSource + 'a> {
    let attribute = |text: &Option<String>| text.as_deref().map(Attribute::new);
    let reading = ScoredReading {
        reading: inputs::reading(&job.dataset_format, (job.start_time, job.end_time), &job.settings),
        inference: attribute(&job.inference_attribute),
        probability: attribute(&job.probability_attribute),
        ground_truth: attribute(&job.ground_truth_attribute),
        lists: match job.problem_type {
            ProblemType::Regression => ListMeaning::None,
            ProblemType::BinaryClassification => ListMeaning::SecondOfTwo,
            ProblemType::MulticlassClassification => ListMeaning::IndexOfLargest,
        },
    };
    watchkeeper_data::scored::open(files, &reading, script)
}

/// What is predicted, and by which of the columns.
fn problem(job: &ModelQualityJob) -> Problem {
    match job.problem_type {
        ProblemType::Regression => Problem::Regression,
        ProblemType::MulticlassClassification => Problem::Multiclass,
        ProblemType::BinaryClassification => Problem::Binary {
            threshold: job.probability_threshold,
            has_inference: job.inference_attribute.is_some(),
            // An answer without attributes is a probability.
            has_probability: job.probability_attribute.is_some() || job.inference_attribute.is_none(),
        },
    }
}

/// Reads all of a source into rows.
fn fill(rows: &mut Rows, source: &mut dyn ScoredSource, observer: &dyn Observer) -> Result<(), Error> {
    let mut batch = Batch::default();
    let mut last = Instant::now();
    while source.fill(&mut batch)? {
        let mut refused = None;
        let log = &mut rows.log;
        rows.interpreter.read(&batch, &mut |row| {
            if refused.is_none() {
                refused = log.push(row.to_bytes()).err();
            }
        })?;
        if let Some(refused) = refused {
            return Err(refused.into());
        }
        if last.elapsed() >= BETWEEN_PROGRESS {
            last = Instant::now();
            let (bytes_read, bytes_total) = source.progress();
            observer.progress(Progress { bytes_read, bytes_total, records: rows.interpreter.rows_read() });
        }
        stop_if_asked(observer)?;
    }
    Ok(())
}

/// Adds up everything but curves; the scores that those are made of, where there are any.
fn add_rows(rows: &mut Rows, measures: &mut Measures, scratch: &Path) -> Result<Option<Scores>, Error> {
    let problem = rows.interpreter.problem();
    let mut subsamples = Subsamples::new(rows.interpreter.rows_used(), rows.interpreter.seed());
    let has_scores = matches!(problem, Problem::Binary { has_probability: true, .. });
    let mut scores = has_scores.then(|| Scores::new(scratch, BUDGET));
    rows.log.for_each(&mut |bytes| {
        let row = Row::from_bytes(problem, bytes);
        let subsamples = subsamples.draw();
        measures.add(row, subsamples);
        match (&mut scores, row) {
            (Some(scores), Row::Binary { truth, score, .. }) => {
                scores.push(ScoredRow { score, is_positive: truth, subsamples }.to_bytes())
            }
            _ => Ok(()),
        }
    })?;
    Ok(scores)
}

/// The curves, from the highest score to the lowest.
fn curves(mut scores: Scores, measures: &Measures, observer: &dyn Observer) -> Result<MeasuredCurves, Error> {
    scores.sort()?;
    stop_if_asked(observer)?;
    let mut distinct = 0;
    let mut last = None;
    scores.for_each(&mut |bytes| {
        let score = ScoredRow::from_bytes(bytes).score;
        distinct += u64::from(last.replace(score) != Some(score));
        Ok(())
    })?;
    stop_if_asked(observer)?;
    let mut curves = Curves::new(measures.class_counts(), distinct);
    scores.for_each(&mut |bytes| {
        curves.add(ScoredRow::from_bytes(bytes));
        Ok(())
    })?;
    Ok(curves.finish())
}

fn stop_if_asked(observer: &dyn Observer) -> Result<(), Error> {
    if observer.stopped() { Err(Error::Stopped) } else { Ok(()) }
}

/// Why there is nothing to measure, in numbers.
fn no_rows(job: &ModelQualityJob, file_count: usize, counts: &RecordCounts, rows: &Rows) -> Error {
    if counts.read == 0 && rows.interpreter.rows_read() == 0 {
        return inputs::no_data(&job.dataset_source, file_count, &rows.notes);
    }
    let dropped = rows.interpreter.dropped();
    let first_reason = counts.first_reason.clone().or_else(|| dropped.first_reason.clone());
    let is_merged = matches!(job.dataset_format, DatasetFormat::MergeJson { .. });
    Error::NoUsableRows {
        read: if is_merged { format!("{} merged records", counts.read) } else { format!("{} read", counts.read) },
        outside: job.start_time.zip(job.end_time).map(|window| outside(counts.outside_window, window)),
        dropped: counts.dropped + dropped.count,
        // Every record but those outside has a reason.
        first_reason: first_reason.unwrap_or_else(|| "every record is outside the window".to_owned()),
    }
}

fn outside(count: u64, (start, end): (Timestamp, Timestamp)) -> String {
    format!("{count} outside {start}…{end}")
}
