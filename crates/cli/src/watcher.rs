//! Watches a run from the terminal: a progress bar, log lines, and the signal to stop.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use watchkeeper_analyzer::{Asking, Error, Level, Observer, Progress, log_line};

use crate::terminal::{count, counted};

/// Standard error as an observer.
pub(crate) struct Watcher {
    stopped: Arc<AtomicBool>,
    /// Results are where they belong; only showing them is left.
    written: Arc<AtomicBool>,
    bar: Mutex<Bar>,
    /// What the model is being asked for, where that was told.
    told: Mutex<Option<&'static str>>,
    /// Lines below this level are not shown.
    level: Level,
}

/// The progress bar of the dataset that is being read.
enum Bar {
    /// There is to be none.
    Never,
    /// Not yet.
    None,
    Shown(ProgressBar),
}

impl Watcher {
    /// For a person: a bar while it runs, and errors. Warnings that are part of the result come with it.
    pub(crate) fn for_person() -> std::io::Result<Self> {
        let bar = if std::io::stderr().is_terminal() { Bar::None } else { Bar::Never };
        let written = Arc::new(AtomicBool::new(false));
        let is_written = Arc::clone(&written);
        let watcher = Self::new(Level::Error, bar, move || {
            if is_written.load(Ordering::Relaxed) {
                crate::output::say("Error: stopped before all was shown; the results are written\n");
            } else {
                crate::output::say(&format!("Error: {}\n", Error::Stopped));
            }
            2
        })?;
        Ok(Self { written, ..watcher })
    }

    /// For a dry run: no bar, as records are shown one by one.
    pub(crate) fn for_dry_run() -> std::io::Result<Self> {
        Self::new(Level::Info, Bar::Never, || {
            crate::output::say("Error: stopped\n");
            2
        })
    }

    /// For a job's log: every line, and no bar.
    pub(crate) fn for_log(last_words: impl Fn() -> i32 + Send + 'static) -> std::io::Result<Self> {
        Self::new(Level::Info, Bar::Never, last_words)
    }

    fn new(level: Level, bar: Bar, last_words: impl Fn() -> i32 + Send + 'static) -> std::io::Result<Self> {
        let stopped = crate::signals::stop_flag(last_words)?;
        Ok(Self { stopped, written: Arc::default(), bar: Mutex::new(bar), told: Mutex::default(), level })
    }

    /// The last moment at which a run can be stopped with nothing written.
    pub(crate) fn safe_point(&self) -> Result<(), Error> {
        if self.stopped() { Err(Error::Stopped) } else { Ok(()) }
    }

    /// From here on a signal finds the results written.
    pub(crate) fn results_are_written(&self) {
        self.written.store(true, Ordering::Relaxed);
    }

    /// Takes the bar away; another dataset will have another one.
    pub(crate) fn done(&self) {
        let mut bar = self.bar();
        if let Bar::Shown(shown) = &*bar {
            shown.finish_and_clear();
            *bar = Bar::None;
        }
    }

    fn bar(&self) -> std::sync::MutexGuard<'_, Bar> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{bar:30} {bytes:>10} of {total_bytes}, {bytes_per_sec}, {eta} left, {msg} records",
        ),
        None => (ProgressBar::no_length(), "{spinner} {bytes:>10}, {bytes_per_sec}, {msg} records"),
    };
    drawn(bar, template)
}

fn bar_of_asking(records: u64) -> ProgressBar {
    drawn(ProgressBar::new(records), "{bar:30} {human_pos} of {human_len} model rows{msg}")
}

fn drawn(bar: ProgressBar, template: &str) -> ProgressBar {
    bar.set_draw_target(ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// What is to come, said before it costs anything.
fn estimate(asking: &Asking) -> String {
    let rows = counted(asking.records_total, "model row");
    let requests = counted(asking.requests_total, "request");
    format!("{}: about {rows} in about {requests}\n", asking.purpose)
}

/// How fast it goes and how long it takes, once that is known.
fn pace(asking: &Asking) -> String {
    let Some((rate, left)) = asking.rate().zip(asking.time_left()) else { return String::new() };
    format!(", {} a second, {:#} left", count(rate as u64), HumanDuration(left))
}

impl Observer for Watcher {
    fn log(&self, level: Level, line: &str) {
        if level < self.level {
            return;
        }
        let show = || crate::output::say(&log_line(level, line));
        match &*self.bar() {
            Bar::Shown(bar) => bar.suspend(show),
            Bar::Never | Bar::None => show(),
        }
    }

    fn progress(&self, progress: Progress) {
        let mut current = self.bar();
        if matches!(*current, Bar::None) {
            *current = Bar::Shown(bar(progress.bytes_total));
        }
        if let Bar::Shown(bar) = &*current {
            bar.set_position(progress.bytes_read);
            bar.set_message(progress.records.to_string());
        }
    }

    fn asking(&self, asking: Asking) {
        if self.level < Level::Error {
            // The log says it.
            return;
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if *told != Some(asking.purpose) {
            *told = Some(asking.purpose);
            self.done();
            crate::output::say(&estimate(&asking));
            let mut current = self.bar();
            if matches!(*current, Bar::None) {
                *current = Bar::Shown(bar_of_asking(asking.records_total));
            }
        }
        if let Bar::Shown(bar) = &*self.bar() {
            bar.set_position(asking.records);
            bar.set_message(pace(&asking));
        }
    }

    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
