//! From the expected value to the prediction of a row, a step for each feature.

use std::collections::BTreeMap;

use watchkeeper_engine::shap::Link;

use super::local::Local;
use crate::report::distribution::position;
use crate::report::figures::{Figure, Prose};

/// Steps that are drawn; what is left is one more.
const MOST_STEPS: usize = 10;
const WIDTH: f64 = 400.0;
/// Sums of attributions meet predictions to this, relatively.
const TOLERANCE: f64 = 1e-6;

/// The steps of one row.
pub(super) struct Waterfall {
    /// Why this row is shown, and which it is.
    pub(super) caption: Prose,
    pub(super) start: Figure,
    pub(super) start_name: &'static str,
    pub(super) end: Figure,
    /// The score itself, where its log-odds are explained.
    pub(super) score: Option<Figure>,
    pub(super) steps: Vec<Step>,
}

/// One feature's part.
pub(super) struct Step {
    pub(super) name: Prose,
    pub(super) value: Figure,
    pub(super) is_up: bool,
    /// Paths in a box of 400 by 20: the bar, and the line on to the next step.
    pub(super) bar: String,
    pub(super) next: String,
}

/// Of the rows with the largest prediction, the smallest one, and the largest sum of absolute attributions.
pub(super) fn waterfalls(local: Local<'_>, label: usize, expected: f64, explains_log_odds: bool) -> Vec<Waterfall> {
    let sum = |row: usize| local.values(row, label).iter().sum::<f64>();
    let prediction = |row: usize| local.prediction(row, label).unwrap_or_else(|| expected + sum(row));
    let moved = |row: usize| local.values(row, label).iter().map(|it| it.abs()).sum::<f64>();
    let lowered = |row: usize| -prediction(row);
    let first_largest = |measure: &dyn Fn(usize) -> f64| {
        let measured = (0..local.rows).map(|row| (row, measure(row))).filter(|(_, it)| it.is_finite());
        measured.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(row, _)| row)
    };
    let reasons: [(&str, &dyn Fn(usize) -> f64); 3] = [
        ("largest prediction", &prediction),
        ("smallest prediction", &lowered),
        ("largest sum of absolute attributions", &moved),
    ];
    let mut chosen: BTreeMap<usize, (usize, Vec<&str>)> = BTreeMap::new();
    for (place, (reason, measure)) in reasons.into_iter().enumerate() {
        if let Some(row) = first_largest(measure) {
            chosen.entry(row).or_insert((place, Vec::new())).1.push(reason);
        }
    }
    let mut chosen: Vec<_> = chosen.into_iter().collect();
    chosen.sort_by_key(|(_, (place, _))| *place);
    let waterfall = |(row, (_, reasons)): (usize, (usize, Vec<&str>))| {
        Waterfall::new(local, label, row, &reasons.join(", "), expected, explains_log_odds)
    };
    chosen.into_iter().filter_map(waterfall).collect()
}

impl Waterfall {
    /// None where a value is not finite.
    fn new(
        local: Local<'_>,
        label: usize,
        row: usize,
        reason: &str,
        expected: f64,
        explains_log_odds: bool,
    ) -> Option<Self> {
        let values = local.values(row, label);
        let sum: f64 = values.iter().sum();
        let link = if explains_log_odds { Link::Logit } else { Link::Identity };
        let prediction = local.prediction(row, label);
        let end = prediction.map_or(expected + sum, |score| link.of(score));
        // With some features explained alone, the start is the mean over the background with the others as in the row.
        let start = end - sum;
        let is_expected = (start - expected).abs() <= TOLERANCE * expected.abs().max(1.0);
        let start = if is_expected { expected } else { start };
        if !start.is_finite() || !end.is_finite() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        let mut reason = Prose::new(&capitalised(reason)).words(": ");
        reason = match local.join(row) {
            Some((name, cell)) => reason.name(name).words(" = ").name(cell),
            None => reason.words("row ").count(row as u64 + 1),
        };
        Some(Self {
            caption: reason,
            start: Figure::number(start),
            start_name: if is_expected { "Expected value" } else { "Expected value, other features as in the row" },
            end: Figure::number(end),
            score: prediction.filter(|_| explains_log_odds).map(Figure::number),
            steps: steps(local, row, values, start),
        })
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The largest steps first.
fn steps(local: Local<'_>, row: usize, values: &[f64], start: f64) -> Vec<Step> {
    let mut order: Vec<usize> = (0..values.len()).filter(|feature| values[*feature] != 0.0).collect();
    order.sort_by(|one, other| values[*other].abs().total_cmp(&values[*one].abs()));
    let rest = if order.len() > MOST_STEPS { order.split_off(MOST_STEPS - 1) } else { Vec::new() };
    let name = |feature: usize| {
        let prose = Prose::default().name(&local.features()[feature]);
        match local.cell(row, feature) {
            Some("") => prose.words(" missing"),
            Some(cell) => prose.words(" = ").name(cell),
            None => prose,
        }
    };
    let mut named: Vec<(Prose, f64)> = order.into_iter().map(|feature| (name(feature), values[feature])).collect();
    if !rest.is_empty() {
        let sum = rest.iter().map(|feature| values[*feature]).sum();
        named.push((Prose::default().count(rest.len() as u64).words(" other features"), sum));
    }
    let mut running = start;
    let mut bounds = vec![start];
    for (_, value) in &named {
        running += value;
        bounds.push(running);
    }
    let lower = bounds.iter().copied().fold(f64::INFINITY, f64::min);
    let upper = bounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let place = |value: f64| 2.0 + position(value, lower, upper) * (WIDTH - 4.0);
    let last = named.len().saturating_sub(1);
    let step = |(index, (name, value)): (usize, (Prose, f64))| {
        let (from, to) = (place(bounds[index]), place(bounds[index + 1]));
        Step {
            name,
            value: Figure::signed(value),
            is_up: value > 0.0,
            bar: format!("M{from:.1} 4H{to:.1}V16H{from:.1}z"),
            next: if index < last { format!("M{to:.1} 16V20") } else { String::new() },
        }
    };
    named.into_iter().enumerate().map(step).collect()
}

/// The name under which parameters say what is explained, and its value for log-odds.
pub(super) fn explains_log_odds(parameters: &[(String, String)]) -> bool {
    parameters.iter().any(|(name, value)| name == "Explained" && value == "log-odds")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clarify::LocalAttributions;

    #[test]
    fn one_row_that_is_all_three_is_shown_once() {
        let local = LocalAttributions {
            features: vec!["a".to_owned(), "b".to_owned()],
            labels: vec!["label0".to_owned()],
            values: vec![0.5, -0.25],
            ..LocalAttributions::default()
        };
        let made = waterfalls(Local::new(&local).expect("one row"), 0, 1.0, false);
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].end.as_str(), "1.25");
        assert_eq!(made[0].steps.iter().map(|step| step.value.as_str()).collect::<Vec<_>>(), ["+0.5", "−0.25"]);
    }
}
