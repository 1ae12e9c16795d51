//! What a merge of captures and labels found.

use watchkeeper_formats::{MergeReport, SideOfMerge};

use super::figures::{count, counted};
use super::table::{Cell, Column, Row, lay_out};
use super::text::{cut_middle, push_left_out, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, paints};

/// Room for one id.
const ID_WIDTH: usize = 40;
/// Ids and samples that are shown; the report has more.
const MOST_SAMPLES: usize = 5;

/// A headline, both sides in numbers, and where rows were lost, with the first ids or lines of each kind.
pub fn merge_report(report: &MergeReport, style: &Style) -> String {
    let mut text = String::new();
    let captures = counted(report.captures.records, "captured record");
    let paint = if report.matched == report.captures.records { paints::GOOD } else { paints::NOTICE };
    push_headline(&mut text, &format!("{} of {captures} got a label", count(report.matched)), paint, style);
    text.push('\n');
    push_sides(&mut text, report, style);
    text.push('\n');
    if let Some((first, last)) = &report.hours {
        let hours = if first == last { first.clone() } else { format!("{first} to {last}") };
        push_wrapped(&mut text, &format!("hours of the captures: {}", visible(&hours, style)), 0, style);
    }
    push_ids(&mut text, "captures without a label", &report.captures, style);
    push_ids(&mut text, "labels without a capture", &report.ground_truth, style);
    push_duplicates(&mut text, report, style);
    if let Some(outside) = report.out_of_window.filter(|outside| *outside > 0) {
        push_wrapped(&mut text, &format!("{} outside the window", counted(outside, "merged record")), 0, style);
    }
    push_rejected(&mut text, "captures", &report.captures, style);
    push_rejected(&mut text, "labels", &report.ground_truth, style);
    text
}

fn push_sides(text: &mut String, report: &MergeReport, style: &Style) {
    let columns = [
        Column::text("side"),
        Column::number("files").leaves(0),
        Column::number("records").leaves(2),
        Column::number("unmatched"),
        Column::number("rejected").leaves(1),
    ];
    let row = |name: &str, side: &SideOfMerge| {
        let figures = [side.files, side.records, side.unmatched, side.rejected];
        let cells = std::iter::once(Cell::new(name)).chain(figures.map(|figure| Cell::new(count(figure))));
        Row { cells: cells.collect(), below: Vec::new() }
    };
    let rows = [row("captures", &report.captures), row("labels", &report.ground_truth)];
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
}

fn push_ids(text: &mut String, what: &str, side: &SideOfMerge, style: &Style) {
    if side.unmatched > 0 {
        push_wrapped(text, &format!("{what}: {}", ids(side.unmatched, &side.unmatched_ids, style)), 0, style);
    }
}

/// The first ids, and how many there are more.
fn ids(total: u64, ids: &[String], style: &Style) -> String {
    let shown: Vec<String> =
        ids.iter().take(MOST_SAMPLES).map(|id| cut_middle(&visible(id, style), ID_WIDTH, style)).collect();
    let more = total.saturating_sub(shown.len() as u64);
    let more = if more == 0 { String::new() } else { format!(" and {} more", count(more)) };
    format!("{}{more}", shown.join(", "))
}

fn push_duplicates(text: &mut String, report: &MergeReport, style: &Style) {
    let duplicates = &report.duplicate_labels;
    if duplicates.replaced == 0 {
        return;
    }
    let replaced = counted(duplicates.replaced, "label");
    push_wrapped(text, &format!("{replaced} replaced by later ones of the same id"), 0, style);
    if duplicates.with_other_value > 0 {
        let other = counted(duplicates.with_other_value, "label");
        let ids = ids(duplicates.with_other_value, &duplicates.with_other_value_ids, style);
        push_wrapped(text, &format!("{other} replaced by another value: {ids}"), 0, style);
    }
}

fn push_rejected(text: &mut String, what: &str, side: &SideOfMerge, style: &Style) {
    if side.rejected == 0 {
        return;
    }
    let pieces = counted(side.rejected, "piece");
    push_wrapped(text, &format!("{pieces} of the {what} skipped, no records:"), 0, style);
    for sample in side.rejected_samples.iter().take(MOST_SAMPLES) {
        push_wrapped(text, &visible(sample, style), 2, style);
    }
}
