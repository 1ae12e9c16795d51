//! What labels that came late have changed.

use std::collections::BTreeMap;

use watchkeeper_service::api::operators::{
    ExecutionDetail, MergeCountsView, RemergeAnswer, RemergedWindowView, WindowView,
};

use super::figures::{count, counted, number};
use super::service::paint_of;
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible};
use super::{Style, paints};

/// A window before a remerge and after it.
#[derive(Clone, Debug)]
pub struct RemergedWindow {
    /// The window.
    pub window: WindowView,
    /// What was found before.
    pub before: Finding,
    /// What was found with the labels that came since.
    pub after: Finding,
}

/// What an execution found.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The execution.
    pub detail: ExecutionDetail,
    /// Its metrics, in the order of their file.
    pub metrics: Vec<(String, f64)>,
    /// How many constraints are violated; None where it came to no result.
    pub violated: Option<u64>,
}

/// What a remerge will do, or would.
pub fn remerge_plan(answer: &RemergeAnswer, schedule: &str, is_dry: bool, style: &Style) -> String {
    let mut text = String::new();
    if !answer.windows.is_empty() {
        let windows = counted(answer.windows.len() as u64, "window");
        let would = if is_dry { "would be" } else { "will be" };
        let line = format!("{windows} of {schedule} {would} merged again, one after the other");
        push_wrapped(&mut text, &visible(&line, style), 0, style);
        let columns = [
            Column::text("window").cut(Cut::End(20)),
            Column::number("matched before"),
            Column::number("label objects").leaves(0),
            Column::number("more"),
        ];
        let row = |window: &RemergedWindowView| Row {
            cells: vec![
                Cell::of_document(&format!("{} to {}", window.window.start, window.window.end), style),
                Cell::new(matched(window.before.as_ref())),
                Cell::new(count(window.label_objects)),
                Cell::new(count(window.more_label_objects)),
            ],
            below: Vec::new(),
        };
        let rows: Vec<Row> = answer.windows.iter().map(row).collect();
        let table = lay_out(&columns, &rows, style);
        text.push_str(&table.text);
        push_left_out(&mut text, &table.left_out, style);
    }
    text + &remerge_rest(answer, schedule, style)
}

/// Windows that a remerge leaves as they are.
pub fn remerge_rest(answer: &RemergeAnswer, schedule: &str, style: &Style) -> String {
    let mut text = String::new();
    let RemergeAnswer { windows, unchanged, without_captures } = answer;
    if *unchanged > 0 {
        let line = format!("{} without labels that have come since", counted(*unchanged, "window"));
        push_wrapped(&mut text, &line, 0, style);
    }
    if *without_captures > 0 {
        let line = format!("{} without captures", counted(*without_captures, "window"));
        push_wrapped(&mut text, &line, 0, style);
    }
    if windows.is_empty() && *unchanged == 0 && *without_captures == 0 {
        push_wrapped(&mut text, &visible(&format!("{schedule} has no past windows"), style), 0, style);
    }
    text
}

/// One window before and after.
pub fn remerged_window(remerged: &RemergedWindow, style: &Style) -> String {
    let RemergedWindow { window, before, after } = remerged;
    let execution = &after.detail.execution;
    let status = execution.status.as_deref().unwrap_or(&execution.outcome);
    let mut text =
        format!("{} to {}: {}\n", window.start, window.end, style.paint(&visible(status, style), paint_of(status)));
    for said in [&execution.note, &execution.reason].into_iter().flatten() {
        push_wrapped(&mut text, &visible(said, style), 2, style);
    }
    let counts = |finding: &Finding| finding.detail.execution.merge.as_ref().and_then(|merge| merge.counts);
    let (merged_before, merged_after) = (counts(before), counts(after));
    if let Some(now) = merged_after {
        let line = format!(
            "matched: {} {} {} of {}",
            matched(merged_before.as_ref()),
            style.arrow(),
            count(now.matched),
            counted(now.captures, "captured record")
        );
        push_wrapped(&mut text, &line, 2, style);
    }
    if execution.note.is_none() {
        let violated = |finding: &Finding| finding.violated.map_or_else(|| "none known".to_owned(), count);
        let line = format!("violations: {} {} {}", violated(before), style.arrow(), violated(after));
        push_wrapped(&mut text, &line, 2, style);
        push_metrics(&mut text, before, after, style);
    }
    text.push('\n');
    text
}

fn push_metrics(text: &mut String, before: &Finding, after: &Finding, style: &Style) {
    if after.metrics.is_empty() {
        return;
    }
    let earlier: BTreeMap<&str, f64> = before.metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let columns = [Column::text("metric").cut(Cut::Middle(12)), Column::number("before"), Column::number("after")];
    let row = |(name, value): &(String, f64)| {
        let was = earlier.get(name.as_str()).copied();
        let cell = Cell::new(number(*value));
        let is_other = was.is_none_or(|was| was.to_bits() != value.to_bits());
        Row {
            cells: vec![
                Cell::of_document(name, style),
                was.map(number).into(),
                if is_other { cell.paint(paints::CURRENT) } else { cell },
            ],
            below: Vec::new(),
        }
    };
    let rows: Vec<Row> = after.metrics.iter().map(row).collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
}

fn matched(counts: Option<&MergeCountsView>) -> String {
    counts.map_or_else(|| "nothing".to_owned(), |counts| count(counts.matched))
}
