//! Partial dependence in a terminal: a small curve of mean predictions for each feature and score.

use serde_json::Value;
use watchkeeper_formats::clarify::{Analysis, DataType, PartialDependence, PartialDependenceCurve};

use super::figures::{counted, number};
use super::histogram::blocks;
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, paints};

/// Points of a curve that are shown.
const MOST_POINTS: usize = 32;
/// How low a curve's lowest point is drawn: what is there is never blank.
const FLOOR: f64 = 0.1;

pub(super) fn push_features(text: &mut String, analysis: &Analysis, style: &Style) {
    let features = analysis.explanations.as_ref().and_then(|explanations| explanations.pdp.as_ref());
    let Some(features) = features else { return };
    text.push('\n');
    push_headline(text, "partial dependence: mean predictions over the values of a feature", paints::TITLE, style);
    let columns = [
        Column::text("feature").cut(Cut::Middle(12)),
        Column::text("score").cut(Cut::Middle(8)).leaves(0),
        Column::text("values").cut(Cut::Middle(12)).leaves(1),
        Column::number("lowest"),
        Column::number("highest"),
        Column::text("curve").leaves(2),
    ];
    let rows: Vec<Row> = features
        .iter()
        .filter_map(|feature| feature.curve.as_ref().ok().map(|curve| (feature, curve)))
        .flat_map(|(feature, curve)| rows_of(feature, curve, style))
        .collect();
    if !rows.is_empty() {
        let table = lay_out(&columns, &rows, style);
        text.push_str(&table.text);
        push_left_out(text, &table.left_out, style);
    }
    for feature in features {
        if let Err(reason) = &feature.curve {
            let (name, reason) = (visible(&feature.feature_name, style), visible(reason, style));
            push_wrapped(text, &format!("{name}: {reason}"), 0, style);
        }
    }
}

fn rows_of(feature: &PartialDependence, curve: &PartialDependenceCurve, style: &Style) -> Vec<Row> {
    let ends = [curve.feature_values.first(), curve.feature_values.last()].map(|value| value.map(shown));
    let values = match ends {
        _ if feature.data_type == DataType::Categorical => counted(curve.feature_values.len() as u64, "value"),
        [Some(first), Some(last)] if curve.feature_values.len() > 1 => format!("{first} {} {last}", style.arrow()),
        [Some(only), _] => only,
        _ => String::new(),
    };
    let row = |(score, predictions): (usize, &Vec<f64>)| {
        let lowest = predictions.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = predictions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = highest - lowest;
        let height = |value: &f64| if range > 0.0 { FLOOR + (1.0 - FLOOR) * (value - lowest) / range } else { FLOOR };
        let heights: Vec<f64> = predictions.iter().take(MOST_POINTS).map(height).collect();
        let label = curve.label_headers.get(score).map_or("", String::as_str);
        let cells = vec![
            Cell::of_document(&feature.feature_name, style),
            Cell::of_document(label, style).paint(paints::QUIET),
            Cell::of_document(&values, style),
            Cell::new(number(lowest)),
            Cell::new(number(highest)),
            Cell::new(blocks(&heights, 1.0, style)).paint(paints::CURRENT),
        ];
        Row { cells, below: Vec::new() }
    };
    curve.model_predictions.iter().enumerate().map(row).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        value => value.to_string(),
    }
}
