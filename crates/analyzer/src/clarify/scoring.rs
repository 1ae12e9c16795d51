//! Asking the model for many records, and keeping account of it: how far it is, and which rows it fails on.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use watchkeeper_engine::prediction::{Answer, NotAPrediction, Scores, scores};

use super::ClarifyError;
use crate::predictor::{Answers, Model, Records};
use crate::{Asking, Error, Level, Observer};

/// Bytes of the records that are made at a time.
pub(super) const RECORD_BYTES: usize = 32 << 20;
/// Records that are made at a time, however short they are: an answer takes more memory than a short record.
pub(super) const RECORD_COUNT: usize = 1 << 17;
/// How often an observer is told, and a log.
const TOLD_EVERY: Duration = Duration::from_millis(250);
const LOGGED_EVERY: Duration = Duration::from_secs(10);

/// The rows that the model failed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRows {
    /// What rows they are: `row` of the dataset, `baseline row`.
    pub what: &'static str,
    /// Rows from 0, and the model's words about the first record of each.
    pub rows: BTreeMap<usize, String>,
    /// Rows that the model was asked about; None where it was given up.
    pub of: Option<usize>,
}

impl FailedRows {
    /// Rows that are named one by one.
    const SHOWN: usize = 20;

    /// One line a row, for a log.
    fn lines(&self) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().take(Self::SHOWN);
        rows.map(|(row, words)| format!("the model failed on {} {row}: {words}", self.what))
    }
}

impl fmt::Display for FailedRows {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, what) = (self.rows.len(), self.what);
        if let Some(of) = self.of {
            write!(formatter, "The model failed on {count} of {of} {what}s")?;
        } else {
            write!(formatter, "The model failed on {count} {what}s, and was asked no more after so many")?;
        }
        let rows: Vec<String> = self.rows.keys().take(Self::SHOWN).map(usize::to_string).collect();
        let more = if self.rows.len() > Self::SHOWN { ", …" } else { "" };
        write!(formatter, " (counted from 0): {}{more}", rows.join(", "))?;
        if let Some((row, words)) = self.rows.first_key_value() {
            write!(formatter, ". {}{} {row}: {words}", what[..1].to_uppercase(), &what[1..])?;
        }
        Ok(())
    }
}

impl std::error::Error for FailedRows {}

/// Asks one model for one purpose. May be used by several threads.
pub(super) struct Scoring<'a> {
    model: &'a Model,
    observer: &'a dyn Observer,
    purpose: &'static str,
    /// What rows the records are of.
    what: &'static str,
    begun: Instant,
    requests_before: u64,
    records_before: u64,
    total: u64,
    requests_total: u64,
    failed: Mutex<BTreeMap<usize, String>>,
    has_failures: AtomicBool,
    /// Whether the model is asked no more.
    gave_up: AtomicBool,
}

impl<'a> Scoring<'a> {
    /// Begins, and says how many records and requests there will be.
    pub(super) fn begin(
        model: &'a Model,
        observer: &'a dyn Observer,
        purpose: &'static str,
        (records, bytes): (u64, u64),
    ) -> Self {
        let asked = model.asked();
        let requests = model.requests_for(records, bytes);
        observer.log(
            Level::Info,
            &format!("{purpose}: about {records} model rows in about {requests} requests are to be asked"),
        );
        let scoring = Self {
            model,
            observer,
            purpose,
            what: "row",
            begun: Instant::now(),
            requests_before: asked.requests,
            records_before: asked.records,
            total: records,
            requests_total: requests,
            failed: Mutex::default(),
            has_failures: AtomicBool::new(false),
            gave_up: AtomicBool::new(false),
        };
        observer.asking(scoring.asking());
        scoring
    }

    /// The same about other rows than the dataset's.
    pub(super) fn of(mut self, what: &'static str) -> Self {
        self.what = what;
        self
    }

    /// Runs work that asks, and tells the observer now and then how far it is. An error if the model failed on any of so many rows,
    /// which then are all named, whichever worker heard of them.
    pub(super) fn told<T>(self, rows: usize, work: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let result = self.watched(|| work(&self));
        let gave_up = self.gave_up.into_inner();
        let result = match result {
            Err(error) if !gave_up => return Err(error),
            result => result,
        };
        let failed = self.failed.into_inner().unwrap_or_else(PoisonError::into_inner);
        if failed.is_empty() {
            return result;
        }
        let failed = FailedRows { what: self.what, rows: failed, of: (!gave_up).then_some(rows) };
        failed.lines().for_each(|line| self.observer.log(Level::Error, &line));
        Err(ClarifyError::FailedRows(failed).into())
    }

    fn watched<T>(&self, work: impl FnOnce() -> T) -> T {
        std::thread::scope(|scope| {
            let (ended, end) = mpsc::channel::<()>();
            scope.spawn(move || {
                let mut logged = Instant::now();
                while end.recv_timeout(TOLD_EVERY) == Err(RecvTimeoutError::Timeout) {
                    let asking = self.asking();
                    self.observer.asking(asking);
                    if logged.elapsed() >= LOGGED_EVERY {
                        logged = Instant::now();
                        self.observer.log(Level::Info, &asking.to_string());
                    }
                }
            });
            let result = work();
            drop(ended);
            result
        })
    }

    /// Asks for all records; `row_of` says which row of the data a record is of. None for a record that the model failed on.
    pub(super) fn ask(&self, records: &Records, row_of: impl Fn(usize) -> usize) -> Result<Vec<Option<Answer>>, Error> {
        if self.observer.stopped() {
            return Err(Error::Stopped);
        }
        let asked = self.model.ask(records, self.observer)?;
        self.note_failures(&asked, row_of);
        if asked.gave_up {
            // No worker is to go on; what is said in the end names all rows.
            self.gave_up.store(true, Ordering::Relaxed);
            return Err(Error::Stopped);
        }
        Ok(asked.answers)
    }

    /// The scores of all records, with NaN for those that the model failed on. `outputs`: how many scores a record must have, where known.
    pub(super) fn scores(
        &self,
        records: &Records,
        outputs: Option<usize>,
        row_of: impl Fn(usize) -> usize,
    ) -> Result<Scores, Error> {
        let answers = self.ask(records, &row_of)?;
        let (places, answers): (Vec<usize>, Vec<Answer>) =
            answers.into_iter().enumerate().filter_map(|(place, answer)| answer.map(|answer| (place, answer))).unzip();
        if answers.is_empty() {
            let outputs = outputs.unwrap_or(1);
            return Ok(Scores { values: vec![f64::NAN; outputs * records.len()], outputs });
        }
        let read = scores(&answers).map_err(|problem| self.refused(&problem, |answer| row_of(places[answer])))?;
        if let Some(expected) = outputs.filter(|outputs| *outputs != read.outputs) {
            return Err(super::error::refused(format!(
                "The model gives {} scores for a record, but gave {expected} before",
                read.outputs
            )));
        }
        if places.len() == records.len() {
            return Ok(read);
        }
        let outputs = read.outputs;
        let mut values = vec![f64::NAN; outputs * records.len()];
        for (place, scores) in places.into_iter().zip(read.values.chunks_exact(outputs)) {
            values[place * outputs..][..outputs].copy_from_slice(scores);
        }
        Ok(Scores { values, outputs })
    }

    /// Whether the model has failed on a row.
    pub(super) fn has_failures(&self) -> bool {
        self.has_failures.load(Ordering::Relaxed)
    }

    /// Why an answer is no score: the row that it is about, where it is a certain one.
    pub(super) fn refused(&self, problem: &NotAPrediction, row_of: impl Fn(usize) -> usize) -> Error {
        match problem.record {
            Some(answer) => super::error::refused(format!("{} {}: {}", self.what, row_of(answer), problem.problem)),
            None => ClarifyError::from(problem.clone()).into(),
        }
    }

    fn note_failures(&self, asked: &Answers, row_of: impl Fn(usize) -> usize) {
        if asked.failures.is_empty() {
            return;
        }
        self.has_failures.store(true, Ordering::Relaxed);
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        for (record, words) in &asked.failures {
            failed.entry(row_of(*record)).or_insert_with(|| words.clone());
        }
    }

    fn asking(&self) -> Asking {
        let asked = self.model.asked();
        Asking {
            purpose: self.purpose,
            records: asked.records.saturating_sub(self.records_before).min(self.total),
            records_total: self.total,
            requests: asked.requests.saturating_sub(self.requests_before),
            requests_total: self.requests_total,
            elapsed: self.begun.elapsed(),
        }
    }
}

/// Whether there are as many records as are asked at a time.
pub(super) fn is_full(records: &Records) -> bool {
    records.bytes() >= RECORD_BYTES || records.len() >= RECORD_COUNT
}
