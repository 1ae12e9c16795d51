//! Who watches a job: where its log lines go, how far it has come, and whether it shall stop.
//!
//! The analyzer itself owns no process state, so the program around it says what becomes of a log line (standard
//! error of a job, a warning under a table) and of a signal.

use std::fmt;
use std::time::Duration;

/// How serious a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What the job is doing.
    Info,
    /// Something the reader should know about the result: rows cut, records skipped, names mapped by position.
    Warning,
    /// Why the job failed, in detail.
    Error,
}

/// A line of a job's log as it is written, with its line end.
pub fn log_line(level: Level, line: &str) -> String {
    let word = match level {
        Level::Info => "INFO ",
        Level::Warning => "WARN ",
        Level::Error => "ERROR",
    };
    format!("{word} {line}\n")
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the dataset's files read so far, compressed where they are compressed.
    pub bytes_read: u64,
    /// Bytes of all files of the dataset, `None` where that is unknown (standard input).
    pub bytes_total: Option<u64>,
    /// Records read so far.
    pub records: u64,
}

/// How far the asking of a model has come. Printed, it is the line for a log or a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// What it is asked for, such as `attributions`.
    pub purpose: &'static str,
    /// Records answered so far.
    pub records: u64,
    /// Records to be asked in all.
    pub records_total: u64,
    /// Requests sent so far.
    pub requests: u64,
    /// Requests that will be sent in all, by estimate.
    pub requests_total: u64,
    /// Time since the first was asked.
    pub elapsed: Duration,
}

impl Asking {
    /// Records a second; None at the very beginning.
    pub fn rate(&self) -> Option<f64> {
        let seconds = self.elapsed.as_secs_f64();
        (self.records > 0 && seconds > 0.0).then(|| self.records as f64 / seconds)
    }

    /// How long the rest takes at this rate; None at the very beginning.
    pub fn time_left(&self) -> Option<Duration> {
        let left = self.records_total.saturating_sub(self.records) as f64;
        self.rate().and_then(|rate| Duration::try_from_secs_f64(left / rate).ok())
    }
}

impl fmt::Display for Asking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = 100 * self.records / self.records_total.max(1);
        let Self { purpose, records, records_total, .. } = self;
        write!(formatter, "{purpose}: {records} of {records_total} model rows ({share} %)")?;
        if let (Some(rate), Some(left)) = (self.rate(), self.time_left()) {
            write!(formatter, ", {rate:.0} a second, {} left", duration(left))?;
        }
        Ok(())
    }
}

fn duration(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Watches one job. Methods are called from any of the threads that work on the job.
pub trait Observer: Sync {
    /// One line for the job's log, without a line end.
    fn log(&self, level: Level, line: &str);

    /// Called every few milliseconds of work at most.
    fn progress(&self, _progress: Progress) {}

    /// Called a few times a second while a model is asked, and before the first request.
    fn asking(&self, _asking: Asking) {}

    /// True when the job shall end at the next safe point, with nothing written.
    fn stopped(&self) -> bool {
        false
    }
}
