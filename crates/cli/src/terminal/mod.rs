//! How documents look in a terminal: aligned tables with small histograms.
//!
//! Every function here is pure, from a document to a text, so that what a user sees is what a test compares. Promises:
//! no line is wider than [`Style::width`] while that is at least 24; nothing of a document reaches the terminal raw (control
//! characters and what cannot be printed stand escaped); colours stress what the words say already; without
//! [`Style::unicode`] all is ASCII. A wrong document is shown as far as it makes sense, never a panic.
//!
//! Decided against: boxes around cells, which cost a quarter of a terminal's width and are copied with the text; and
//! wrapped cells, because a table is read down its columns: columns are left out where there is no room, and named.

mod attributions;
mod bias;
mod check;
mod clarify;
mod constraints;
mod dependence;
mod explanation;
mod figures;
mod histogram;
mod merge;
mod quality;
mod remerge;
mod service;
mod statistics;
mod steps;
mod table;
mod text;
mod violations;

pub use check::{CheckView, check};
pub use clarify::{ClarifyView, analysis, clarify, clarify_violations};
pub use constraints::constraints;
pub(crate) use figures::{count, counted};
pub use merge::merge_report;
pub use quality::{QualityView, quality, quality_constraints, quality_statistics, quality_violations};
pub use remerge::{Finding, RemergedWindow, remerge_plan, remerge_rest, remerged_window};
pub use service::{backfill, execution, executions, log_line, pause, run_started, status, why};
pub use statistics::statistics;
pub use steps::{Outcome, step};
pub(crate) use text::{readable, visible};
pub use violations::violations;

use owo_colors::{OwoColorize, Style as Paint};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences for colours are written.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Whether anything beyond ASCII is written.
    pub unicode: bool,
}

impl Style {
    fn paint(&self, text: &str, paint: Paint) -> String {
        if self.color && !text.is_empty() { text.style(paint).to_string() } else { text.to_owned() }
    }

    fn arrow(&self) -> &'static str {
        if self.unicode { "→" } else { "->" }
    }

    fn at_most(&self) -> &'static str {
        if self.unicode { "≤" } else { "<=" }
    }
}

/// What colours mean; each meaning has one.
mod paints {
    use super::Paint;

    pub(super) const TITLE: Paint = Paint::new().bold();
    pub(super) const QUIET: Paint = Paint::new().dimmed();
    pub(super) const GOOD: Paint = Paint::new().green().bold();
    pub(super) const BAD: Paint = Paint::new().red().bold();
    pub(super) const NOTICE: Paint = Paint::new().yellow();
    pub(super) const BASELINE: Paint = Paint::new().blue();
    pub(super) const CURRENT: Paint = Paint::new().yellow();
}

#[cfg(test)]
mod tests;
