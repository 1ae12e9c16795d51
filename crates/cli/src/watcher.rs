//! Watches a run from the terminal: a progress bar, log lines, and the signal to stop.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use watchkeeper_analyzer::{Level, Observer, Progress};

/// Standard error as an observer.
pub(crate) struct Watcher {
    stopped: Arc<AtomicBool>,
    bar: OnceLock<ProgressBar>,
    /// Lines below this level are not shown.
    level: Level,
}

impl Watcher {
    /// For a person: a bar while it runs, warnings and errors. Warnings that are part of the result come with it.
    pub(crate) fn for_person() -> std::io::Result<Self> {
        Self::new(Level::Error)
    }

    /// For a job's log: every line, and no bar.
    pub(crate) fn for_log() -> std::io::Result<Self> {
        let watcher = Self::new(Level::Info)?;
        watcher.bar.get_or_init(ProgressBar::hidden);
        Ok(watcher)
    }

    /// For a dry run: what the script prints is in the output.
    pub(crate) fn new(level: Level) -> std::io::Result<Self> {
        Ok(Self { stopped: crate::signals::stop_flag()?, bar: OnceLock::new(), level })
    }

    /// The last moment at which a run can be stopped with nothing written.
    pub(crate) fn safe_point(&self) -> Result<(), watchkeeper_analyzer::Error> {
        if self.stopped() { Err(watchkeeper_analyzer::Error::Stopped) } else { Ok(()) }
    }

    /// Takes the bar away.
    pub(crate) fn done(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {bytes:>10} of {total_bytes}, {bytes_per_sec}, {eta} left, {msg} records",
        ),
        None => (ProgressBar::no_length(), "{spinner} {bytes:>10}, {bytes_per_sec}, {msg} records"),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

impl Observer for Watcher {
    fn log(&self, level: Level, line: &str) {
        if level < self.level {
            return;
        }
        let word = match level {
            Level::Info => "INFO ",
            Level::Warning => "WARN ",
            Level::Error => "ERROR",
        };
        let show = || crate::output::say(&format!("{word} {line}\n"));
        match self.bar.get() {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }

    fn progress(&self, progress: Progress) {
        let bar = self.bar.get_or_init(|| bar(progress.bytes_total));
        bar.set_position(progress.bytes_read);
        bar.set_message(progress.records.to_string());
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
