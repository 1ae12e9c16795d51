//! What the demo shows: what it is doing, while a terminal is watching, and a line for what is done.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;
use crate::terminal::{self, Outcome, Style};

const TURN: Duration = Duration::from_millis(100);

/// Standard output, and a line on standard error that comes and goes.
pub(super) struct Stage {
    style: Style,
    is_watched: bool,
    spinner: RefCell<Option<ProgressBar>>,
}

impl Stage {
    pub(super) fn new() -> Self {
        let is_watched = std::io::stderr().is_terminal();
        Self { style: output::style(), is_watched, spinner: RefCell::default() }
    }

    /// What the terminal can show.
    pub(super) fn style(&self) -> &Style {
        &self.style
    }

    /// What is under way.
    pub(super) fn doing(&self, what: impl Into<String>) {
        self.clear();
        if !self.is_watched {
            return;
        }
        let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let turning = ProgressStyle::with_template("{spinner} {wide_msg}");
        let turning = turning.unwrap_or_else(|_| ProgressStyle::default_spinner());
        spinner.set_style(turning.tick_chars(if self.style.unicode {
            "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "
        } else {
            "|/-\\ "
        }));
        spinner.set_message(what.into());
        spinner.enable_steady_tick(TURN);
        self.spinner.replace(Some(spinner));
    }

    /// What is done.
    pub(super) fn done(&self, word: &str, said: &str) -> anyhow::Result<()> {
        self.print(&terminal::step(Outcome::Good, word, said, &self.style))
    }

    /// What calls for a look.
    pub(super) fn found(&self, word: &str, said: &str) -> anyhow::Result<()> {
        self.print(&terminal::step(Outcome::Bad, word, said, &self.style))
    }

    /// A text of whole lines.
    pub(super) fn print(&self, text: &str) -> anyhow::Result<()> {
        self.clear();
        output::print(text)
    }

    /// Nothing is under way any more.
    pub(super) fn clear(&self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}
