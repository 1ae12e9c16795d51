//! The order of features by their global values, now and in the baseline.

use std::fmt::Write as _;

use watchkeeper_formats::clarify::LabelAttributions;

use super::bars::{Bar, BarScale};
use crate::report::figures::{Figure, readable};

/// Features that a chart shows.
pub(super) const MOST_DRAWN: usize = 10;

/// One feature in the order of now.
pub(super) struct RankedFeature {
    pub(super) feature: String,
    pub(super) name: String,
    pub(super) rank: usize,
    pub(super) value: Figure,
    pub(super) bar: Bar,
    pub(super) before: Option<Before>,
    pub(super) movement: Option<Movement>,
}

/// A feature in the baseline.
pub(super) struct Before {
    pub(super) value: Figure,
    pub(super) bar: Bar,
    pub(super) rank: usize,
}

/// What became of a rank.
pub(super) struct Movement {
    pub(super) arrow: &'static str,
    pub(super) words: String,
    pub(super) steps: Option<usize>,
}

/// Both orders side by side, a line from each feature's place to its other one.
pub(super) struct Slope {
    pub(super) left: Vec<SlopeEnd>,
    pub(super) right: Vec<SlopeEnd>,
    /// Lines in a box of 400 by `height`, those of features that rose, fell and stayed.
    pub(super) rising: String,
    pub(super) falling: String,
    pub(super) level: String,
    pub(super) height: usize,
}

pub(super) struct SlopeEnd {
    pub(super) rank: usize,
    pub(super) name: String,
    /// The rank on the other side, where that is not drawn.
    pub(super) elsewhere: Option<String>,
}

/// Indices of features, the largest value first whatever its sign; equal ones in their own order.
pub(super) fn order(attributions: &LabelAttributions) -> Vec<usize> {
    let values = &attributions.global_shap_values;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*other].1.abs().total_cmp(&values[*one].1.abs()));
    order
}

/// All features, the most important first.
pub(super) fn ranked(now: &LabelAttributions, before: Option<&LabelAttributions>) -> Vec<RankedFeature> {
    let values = |of: &LabelAttributions| of.global_shap_values.iter().map(|(_, value)| *value).collect::<Vec<_>>();
    let scale = BarScale::over(values(now).into_iter().chain(before.map(values).unwrap_or_default()));
    let order_before = before.map(order).unwrap_or_default();
    let place_before = |name: &str| {
        let values = &before?.global_shap_values;
        order_before
            .iter()
            .position(|place| values[*place].0 == name)
            .map(|rank| (rank + 1, values[order_before[rank]].1))
    };
    let feature = |(place, rank): (usize, usize)| {
        let (name, value) = &now.global_shap_values[place];
        let found = place_before(name);
        RankedFeature {
            feature: name.clone(),
            name: readable(name),
            rank,
            value: Figure::number(*value),
            bar: scale.bar(*value),
            before: found.map(|(rank, value)| Before { value: Figure::number(value), bar: scale.bar(value), rank }),
            movement: before.map(|_| Movement::new(found.map(|(rank, _)| rank), rank)),
        }
    };
    order(now).into_iter().zip(1..).map(feature).collect()
}

impl Movement {
    fn new(before: Option<usize>, now: usize) -> Self {
        let Some(before) = before else {
            return Self { arrow: "+", words: "new".to_owned(), steps: None };
        };
        let steps = Some(before.abs_diff(now)).filter(|steps| *steps > 0);
        let (arrow, words) = match before.cmp(&now) {
            std::cmp::Ordering::Greater => ("↑", format!("up from {before}")),
            std::cmp::Ordering::Less => ("↓", format!("down from {before}")),
            std::cmp::Ordering::Equal => ("=", "as before".to_owned()),
        };
        Self { arrow, words, steps }
    }
}

/// Height of a place in the box of the lines.
const STEP: usize = 20;

impl Slope {
    /// None where one side has no features, or nothing has moved.
    pub(super) fn new(now: &LabelAttributions, before: &LabelAttributions) -> Option<Self> {
        let names = |of: &LabelAttributions| -> Vec<String> {
            order(of).into_iter().map(|place| of.global_shap_values[place].0.clone()).collect()
        };
        let (left, right) = (names(before), names(now));
        let height = left.len().max(right.len()).min(MOST_DRAWN);
        if left.is_empty() || right.is_empty() || left == right {
            return None;
        }
        let mut slope = Self {
            left: ends(&left, &right),
            right: ends(&right, &left),
            rising: String::new(),
            falling: String::new(),
            level: String::new(),
            height: height * STEP,
        };
        let row = |place: usize| place * STEP + STEP / 2;
        for (from, name) in left.iter().enumerate() {
            let Some(to) = right.iter().position(|other| other == name) else { continue };
            // A line to a place that is not drawn ends at the edge.
            if from >= MOST_DRAWN && to >= MOST_DRAWN {
                continue;
            }
            let edge = height * STEP;
            let (start, end) = (row(from).min(edge), row(to).min(edge));
            let path = match from.cmp(&to) {
                std::cmp::Ordering::Greater => &mut slope.rising,
                std::cmp::Ordering::Less => &mut slope.falling,
                std::cmp::Ordering::Equal => &mut slope.level,
            };
            write!(path, "M0 {start}L400 {end}").expect("a string takes any text");
        }
        Some(slope)
    }
}

/// The first of `names`, each with where it is among the `others` if that is not drawn.
fn ends(names: &[String], others: &[String]) -> Vec<SlopeEnd> {
    let end = |(name, rank): (&String, usize)| SlopeEnd {
        rank,
        name: readable(name),
        elsewhere: match others.iter().position(|other| other == name) {
            Some(place) if place < MOST_DRAWN => None,
            Some(place) => Some(format!("rank {}", place + 1)),
            None => Some("absent".to_owned()),
        },
    };
    names.iter().take(MOST_DRAWN).zip(1..).map(end).collect()
}
