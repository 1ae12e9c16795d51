//! Who watches a job: where its log lines go, how far it has come, and whether it shall stop.
//!
//! The analyzer itself owns no process state, so the program around it says what becomes of a log line (standard
//! error of a job, a warning under a table) and of a signal.

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

/// Watches one job. Methods are called from the thread that runs the job and from those that read a script's output.
pub trait Observer: Sync {
    /// One line for the job's log, without a line end.
    fn log(&self, level: Level, line: &str);

    /// Called every few milliseconds of work at most.
    fn progress(&self, _progress: Progress) {}

    /// True when the job shall end at the next safe point, with nothing written.
    fn stopped(&self) -> bool {
        false
    }
}
