//! A swarm of dots for each of the most important features: a dot for a row, from left to right by its attribution, coloured by the
//! value of the feature.

use std::fmt::Write as _;

use super::local::Local;
use crate::report::distribution::position;
use crate::report::figures::{Figure, readable};

/// Rows that are drawn.
const MOST_ROWS: usize = 500;
/// Box of the drawing of a feature, what it leaves at its sides, and the width that one dot takes.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 40.0;
const MARGIN: f64 = 6.0;
const DOT: f64 = 3.0;
/// Dots that lie at the same place are so far apart where there is room.
const ROOM: f64 = 4.0;
/// Colours from low values to high ones.
const COLOURS: usize = 5;

/// The swarms of one label.
pub(super) struct Swarm {
    pub(super) rows: Vec<SwarmRow>,
    /// Names of the quantiles of the rows.
    pub(super) quantiles: [&'static str; QUANTILES.len()],
    pub(super) left: String,
    pub(super) right: String,
    /// Where zero lies, in per cent.
    pub(super) zero: String,
    pub(super) zero_line: String,
    /// Whether some dots have colours, and whether some have none.
    pub(super) is_coloured: bool,
    pub(super) has_unordered: bool,
    /// How many rows are drawn of how many.
    pub(super) drawn: usize,
    pub(super) of: usize,
}

/// One feature.
pub(super) struct SwarmRow {
    pub(super) feature: String,
    pub(super) name: String,
    /// Dots by class.
    pub(super) dots: Vec<(&'static str, String)>,
    pub(super) quantiles: Vec<Figure>,
}

/// Names of the classes of dots: values from low to high, and those without an order.
const CLASSES: [&str; COLOURS + 1] = ["value-1", "value-2", "value-3", "value-4", "value-5", "unordered"];
/// The quantiles of the table, in per cent.
const QUANTILES: [usize; 5] = [0, 25, 50, 75, 100];
/// And what they are called.
const QUANTILE_NAMES: [&str; 5] = ["Smallest", "25 %", "Median", "75 %", "Largest"];

impl Swarm {
    /// Of features by their places in `local`. None where there is nothing to draw.
    pub(super) fn new(local: Local<'_>, label: usize, features: &[usize]) -> Option<Self> {
        let rows = local.sample(MOST_ROWS);
        let of = |feature: usize| rows.iter().map(move |row| local.values(*row, label)[feature]);
        let finite = || features.iter().flat_map(|feature| of(*feature)).filter(|value| value.is_finite());
        let (lower, upper) = finite().fold((0.0_f64, 0.0_f64), |(low, high), it| (low.min(it), high.max(it)));
        if features.is_empty() || lower == upper {
            return None;
        }
        let place = |value: f64| MARGIN + position(value, lower, upper) * (WIDTH - 2.0 * MARGIN);
        let swarm = |feature: &usize| {
            let values: Vec<f64> = of(*feature).collect();
            let colours = colours(&rows.iter().map(|row| local.cell(*row, *feature)).collect::<Vec<_>>());
            let name = &local.features()[*feature];
            let all = (0..local.rows).map(|row| local.values(row, label)[*feature]);
            SwarmRow {
                feature: name.clone(),
                name: readable(name),
                dots: dots(&values, &colours, place),
                quantiles: quantiles(all),
            }
        };
        let swarms: Vec<SwarmRow> = features.iter().map(swarm).collect();
        let classes = || swarms.iter().flat_map(|row| row.dots.iter().map(|(class, _)| *class));
        let end = |value: f64| Figure::rounded(value, 3).as_str().to_owned();
        Some(Self {
            left: end(lower),
            right: end(upper),
            zero: format!("{:.2}", place(0.0) / WIDTH * 100.0),
            zero_line: format!("M{:.1} 0V{HEIGHT}", place(0.0)),
            is_coloured: classes().any(|class| class != CLASSES[COLOURS]),
            has_unordered: classes().any(|class| class == CLASSES[COLOURS]),
            drawn: rows.len(),
            of: local.rows,
            quantiles: QUANTILE_NAMES,
            rows: swarms,
        })
    }
}

/// A class for each cell. Numbers are coloured evenly between their fifth and ninety-fifth hundredth, so that outliers leave the
/// others their colours; a column with any text in it has no order.
fn colours(cells: &[Option<&str>]) -> Vec<usize> {
    let number = |cell: Option<&str>| cell.and_then(|cell| cell.trim().parse::<f64>().ok()).filter(|it| it.is_finite());
    let numbers: Vec<Option<f64>> = cells.iter().copied().map(number).collect();
    let is_text =
        cells.iter().zip(&numbers).any(|(cell, number)| number.is_none() && cell.is_some_and(|it| !it.is_empty()));
    let mut sorted: Vec<f64> = numbers.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else { return vec![COLOURS; cells.len()] };
    if is_text || first == last {
        return vec![COLOURS; cells.len()];
    }
    let (low, high) = (sorted[(sorted.len() - 1) / 20], sorted[(sorted.len() - 1) * 19 / 20]);
    let (low, high) = if low < high { (low, high) } else { (*first, *last) };
    let colour = |number: f64| ((position(number, low, high) * COLOURS as f64) as usize).min(COLOURS - 1);
    numbers.into_iter().map(|number| number.map_or(COLOURS, colour)).collect()
}

/// Paths of dots, a class each; dots of one place are stacked from the middle to either side.
fn dots(values: &[f64], colours: &[usize], place: impl Fn(f64) -> f64) -> Vec<(&'static str, String)> {
    let columns = (WIDTH / DOT) as usize + 1;
    let mut counts = vec![0_usize; columns];
    let column = |value: f64| (place(value) / DOT) as usize;
    let drawn = || values.iter().copied().zip(colours.iter().copied()).filter(|(value, _)| value.is_finite());
    drawn().for_each(|(value, _)| counts[column(value)] += 1);
    let mut stacked = vec![0_usize; columns];
    let mut paths = vec![String::new(); CLASSES.len()];
    for (value, colour) in drawn() {
        let column = column(value);
        let nth = stacked[column];
        stacked[column] += 1;
        let half = (counts[column] / 2).max(1) as f64;
        let room = ROOM.min((HEIGHT / 2.0 - DOT) / half);
        let steps = nth.div_ceil(2) as f64;
        let side = if nth.is_multiple_of(2) { 1.0 } else { -1.0 };
        let row = HEIGHT / 2.0 + side * steps * room;
        write!(paths[colour], "M{:.1} {row:.1}h0", place(value)).expect("a string takes any text");
    }
    CLASSES.into_iter().zip(paths).filter(|(_, path)| !path.is_empty()).collect()
}

/// Of all rows, nearest rank.
fn quantiles(values: impl Iterator<Item = f64>) -> Vec<Figure> {
    let mut sorted: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        return Vec::new();
    }
    let at = |percent: usize| sorted[((sorted.len() * percent).div_ceil(100)).saturating_sub(1)];
    QUANTILES.map(|percent| Figure::number(at(percent))).into()
}
