//! Attributions of features in a terminal: the features in order, with bars, and what has become of a baseline's order.

use watchkeeper_engine::shap::counterpart;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation, LabelAttributions};

use super::clarify::ClarifyView;
use super::figures::{count, number};
use super::histogram::bar;
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, paints};

/// Features that are shown of a score.
const MOST_FEATURES: usize = 20;
/// Cells of the longest bar.
const BAR: usize = 24;

fn labels(analysis: &Analysis) -> &[(String, LabelAttributions)] {
    analysis.explanations.as_ref().and_then(|explanations| explanations.kernel_shap.as_deref()).unwrap_or_default()
}

pub(super) fn push_scores(text: &mut String, view: &ClarifyView<'_>, style: &Style) {
    let found = labels(view.analysis);
    let before = view.baseline.map(labels).unwrap_or_default();
    for (label, attributions) in found {
        text.push('\n');
        let expected = number(attributions.expected_value);
        let title = format!("{}: expected value {expected}", visible(label, style));
        push_headline(text, &title, paints::TITLE, style);
        let baseline = counterpart(label, found, before).map(|(_, attributions)| attributions);
        push_features(text, attributions, baseline, style);
        push_verdict(text, view, label, baseline.is_some(), style);
    }
}

/// Whether a score of the analysis is in the baseline too.
pub(super) fn is_anything_judged(analysis: &Analysis, baseline: &Analysis) -> bool {
    let (found, before) = (labels(analysis), labels(baseline));
    found.iter().any(|(label, _)| counterpart(label, found, before).is_some())
}

/// Features from the largest value to the smallest, by size.
fn in_order(attributions: &LabelAttributions) -> Vec<(&str, f64)> {
    let mut features: Vec<(&str, f64)> =
        attributions.global_shap_values.iter().map(|(feature, value)| (feature.as_str(), *value)).collect();
    features.sort_by(|(_, one), (_, other)| other.abs().total_cmp(&one.abs()));
    features
}

fn push_features(
    text: &mut String,
    attributions: &LabelAttributions,
    baseline: Option<&LabelAttributions>,
    style: &Style,
) {
    let columns = [
        Column::number("rank"),
        Column::text("feature").cut(Cut::Middle(12)),
        Column::number("attribution"),
        Column::text("").leaves(0),
        Column::number("baseline").leaves(2),
        Column::text("rank there").leaves(1),
    ];
    let features = in_order(attributions);
    let before = baseline.map(in_order);
    let largest = features.first().map_or(0.0, |(_, value)| value.abs());
    let rows = features.iter().take(MOST_FEATURES).enumerate().map(|(rank, &(feature, value))| {
        let share = if largest > 0.0 { value.abs() / largest } else { 0.0 };
        let place = before.as_ref().map(|before| before.iter().position(|(name, _)| *name == feature));
        let there = place.flatten().and_then(|place| before.as_ref()?.get(place).map(|(_, value)| *value));
        let cells = vec![
            Cell::new(count(rank as u64 + 1)),
            Cell::of_document(feature, style),
            Cell::new(number(value)),
            Cell::new(bar(share, BAR, style)).paint(paints::CURRENT),
            Cell::from(there.map(number)).paint(paints::QUIET),
            place.map_or_else(Cell::default, |place| rank_there(rank, place, style)),
        ];
        Row { cells, below: Vec::new() }
    });
    let rows: Vec<Row> = rows.collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
    let more = features.len().saturating_sub(MOST_FEATURES);
    if more > 0 {
        push_wrapped(text, &format!("and {} more with smaller attributions", count(more as u64)), 0, style);
    }
}

/// The rank in the baseline, and how far the feature has moved up or down from it.
fn rank_there(rank: usize, place: Option<usize>, style: &Style) -> Cell {
    let Some(place) = place else { return Cell::new("new").paint(paints::NOTICE) };
    let (up, down) = if style.unicode { ("↑", "↓") } else { ("up ", "down ") };
    let there = count(place as u64 + 1);
    match rank.cmp(&place) {
        std::cmp::Ordering::Equal => Cell::new(there).paint(paints::QUIET),
        std::cmp::Ordering::Less => Cell::new(format!("{there} {up}{}", place - rank)).paint(paints::NOTICE),
        std::cmp::Ordering::Greater => Cell::new(format!("{there} {down}{}", rank - place)).paint(paints::NOTICE),
    }
}

fn push_verdict(text: &mut String, view: &ClarifyView<'_>, label: &str, is_judged: bool, style: &Style) {
    let Some(violations) = view.violations else { return };
    let found = violations.iter().find_map(|violation| match violation {
        ClarifyViolation::Attribution(found) if found.label == label => Some(found),
        _ => None,
    });
    match found {
        Some(violation) => push_headline(text, &visible(&violation.description, style), paints::BAD, style),
        None if is_judged => {
            let agreement = "the order of features is that of the baseline, or near it";
            push_headline(text, agreement, paints::GOOD, style);
        }
        None => push_wrapped(text, "not judged: the baseline has no such score", 0, style),
    }
}
