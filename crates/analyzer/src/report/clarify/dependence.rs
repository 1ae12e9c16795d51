//! Partial dependence: the mean prediction over the values of a feature, a curve over the distribution of numbers, a bar a category.

use std::fmt::Write as _;

use askama::Template;
use serde_json::Value;
use watchkeeper_formats::clarify::{Analysis, DataType, PartialDependence, PartialDependenceCurve};

use super::bars::{Bar, BarScale};
use crate::report::charts::path;
use crate::report::distribution::position;
use crate::report::figures::{Figure, digits_for_step, readable};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 120.0;
/// How much of the height the distribution takes.
const OF_DISTRIBUTION: f64 = 0.3;
/// Categories that are drawn.
const MOST_CATEGORIES: usize = 30;

/// The dependence of one score on one feature, or why there is none.
#[derive(Template)]
#[template(path = "clarify/dependence.html")]
pub(super) struct Dependence {
    pub(super) feature: String,
    pub(super) name: String,
    /// The score, where there are several.
    pub(super) label: Option<String>,
    pub(super) error: Option<String>,
    pub(super) curve: Option<Curve>,
    pub(super) categories: Option<Categories>,
    pub(super) rows: Vec<Point>,
    pub(super) has_baseline: bool,
}

/// Paths in a box of 400 by 120.
pub(super) struct Curve {
    pub(super) distribution: String,
    pub(super) line: String,
    pub(super) dots: String,
    pub(super) baseline: Option<String>,
    pub(super) top: Figure,
    pub(super) bottom: Figure,
    pub(super) ends: (Figure, Figure),
}

pub(super) struct Categories {
    pub(super) bars: Vec<(String, Figure, Bar, Option<Bar>)>,
    pub(super) left_out: usize,
}

/// A line of the table of numbers.
pub(super) struct Point {
    pub(super) value: String,
    pub(super) share: Option<Figure>,
    pub(super) prediction: Option<Figure>,
    pub(super) baseline: Option<Figure>,
}

/// All of them: features in order, scores within.
pub(super) fn dependences(analysis: &Analysis, baseline: Option<&Analysis>) -> Vec<Dependence> {
    let before = baseline.map(features).unwrap_or_default();
    let mut made = Vec::new();
    for feature in features(analysis) {
        let curve = match &feature.curve {
            Ok(curve) => curve,
            Err(reason) => {
                made.push(Dependence { error: Some(readable(reason)), ..Dependence::blank(feature) });
                continue;
            }
        };
        let counterpart = before.iter().find(|it| it.feature_name == feature.feature_name);
        let counterpart = counterpart.filter(|it| it.data_type == feature.data_type);
        let counterpart = counterpart.and_then(|it| it.curve.as_ref().ok());
        for score in 0..curve.model_predictions.len() {
            made.push(Dependence::new(feature, curve, score, counterpart));
        }
    }
    made
}

fn features(analysis: &Analysis) -> &[PartialDependence] {
    analysis.explanations.as_ref().and_then(|it| it.pdp.as_deref()).unwrap_or_default()
}

/// One side of a curve: value, share and prediction.
type Points<'a> = Vec<(&'a Value, f64, f64)>;

fn points(curve: &PartialDependenceCurve, score: usize) -> Points<'_> {
    let predictions = curve.model_predictions.get(score).map_or(&[][..], Vec::as_slice);
    let shares = curve.data_distribution.iter().copied().chain(std::iter::repeat(f64::NAN));
    curve.feature_values.iter().zip(shares).zip(predictions).map(|((value, share), it)| (value, share, *it)).collect()
}

fn label_of(curve: &PartialDependenceCurve, score: usize) -> Option<&str> {
    curve.label_headers.get(score).map(String::as_str)
}

impl Dependence {
    fn blank(feature: &PartialDependence) -> Self {
        Self {
            feature: feature.feature_name.clone(),
            name: readable(&feature.feature_name),
            label: None,
            error: None,
            curve: None,
            categories: None,
            rows: Vec::new(),
            has_baseline: false,
        }
    }

    fn new(
        feature: &PartialDependence,
        curve: &PartialDependenceCurve,
        score: usize,
        baseline: Option<&PartialDependenceCurve>,
    ) -> Self {
        let label = label_of(curve, score);
        let now = points(curve, score);
        let before = baseline.map(|curve| {
            let same = curve.label_headers.iter().position(|other| Some(other.as_str()) == label);
            points(curve, same.unwrap_or(score))
        });
        let before = before.filter(|points| !points.is_empty());
        let drawn = (feature.data_type == DataType::Numerical).then(|| Curve::new(&now, before.as_ref())).flatten();
        let is_categorical = feature.data_type == DataType::Categorical && !now.is_empty();
        let row = |(value, share, prediction): &(&Value, f64, f64)| Point {
            value: shown(value),
            share: share.is_finite().then(|| Figure::share(*share)),
            prediction: prediction.is_finite().then(|| Figure::number(*prediction)),
            baseline: before.as_ref().and_then(|points| at(points, value)).map(Figure::number),
        };
        Self {
            label: (curve.model_predictions.len() > 1).then(|| readable(label.unwrap_or_default())),
            rows: now.iter().map(row).collect(),
            has_baseline: before.is_some(),
            categories: is_categorical.then(|| Categories::new(&now, before.as_ref())),
            curve: drawn,
            ..Self::blank(feature)
        }
    }
}

/// The prediction at the same value.
fn at(points: &Points<'_>, value: &Value) -> Option<f64> {
    points.iter().find(|(other, ..)| *other == value).map(|(.., prediction)| *prediction).filter(|it| it.is_finite())
}

/// A value in its own kind.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => readable(text),
        Value::Number(number) => {
            number.as_f64().map_or_else(|| number.to_string(), |it| Figure::number(it).as_str().to_owned())
        }
        other => other.to_string(),
    }
}

impl Categories {
    fn new(now: &Points<'_>, before: Option<&Points<'_>>) -> Self {
        let values = now.iter().chain(before.into_iter().flatten()).map(|(.., prediction)| *prediction);
        let scale = BarScale::over(values);
        let bar = |(value, _, prediction): &(&Value, f64, f64)| {
            let before = before.and_then(|points| at(points, value)).map(|it| scale.bar(it));
            (shown(value), Figure::number(*prediction), scale.bar(*prediction), before)
        };
        Self {
            bars: now.iter().take(MOST_CATEGORIES).map(bar).collect(),
            left_out: now.len().saturating_sub(MOST_CATEGORIES),
        }
    }
}

impl Curve {
    /// None where there is no finite point.
    fn new(now: &Points<'_>, before: Option<&Points<'_>>) -> Option<Self> {
        let finite = |points: &Points<'_>| -> Vec<(f64, f64, f64)> {
            let numbers = points.iter().filter_map(|(value, share, it)| Some((value.as_f64()?, *share, *it)));
            numbers.filter(|(value, _, prediction)| value.is_finite() && prediction.is_finite()).collect()
        };
        let now = finite(now);
        let before = before.map(finite).unwrap_or_default();
        let all = || now.iter().chain(&before);
        let range = |of: fn(&(f64, f64, f64)) -> f64| {
            all().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)))
        };
        let (horizontal, vertical) = (range(|it| it.0), range(|it| it.2));
        if now.is_empty() {
            return None;
        }
        let column = |value: f64| position(value, horizontal.0, horizontal.1) * WIDTH;
        let row = |value: f64| HEIGHT - 4.0 - position(value, vertical.0, vertical.1) * (HEIGHT - 8.0);
        let line = |points: &[(f64, f64, f64)]| {
            path(points.iter().enumerate(), |path, (index, (value, _, prediction))| {
                let command = if index > 0 { 'L' } else { 'M' };
                write!(path, "{command}{:.1} {:.1}", column(*value), row(*prediction))
            })
        };
        let digits = digits_for_step(vertical.0.abs().max(vertical.1.abs()), (vertical.1 - vertical.0) / 10.0).min(6);
        Some(Self {
            distribution: distribution(&now, column),
            dots: path(now.iter(), |path, (value, _, prediction)| {
                write!(path, "M{:.1} {:.1}h0", column(*value), row(*prediction))
            }),
            line: line(&now),
            baseline: (!before.is_empty()).then(|| line(&before)),
            top: Figure::rounded(vertical.1, digits),
            bottom: Figure::rounded(vertical.0, digits),
            ends: (Figure::number(horizontal.0), Figure::number(horizontal.1)),
        })
    }
}

/// Columns at the bottom, the highest share the highest.
fn distribution(points: &[(f64, f64, f64)], column: impl Fn(f64) -> f64) -> String {
    let shares = || points.iter().map(|(_, share, _)| share).copied().filter(|it| it.is_finite());
    let highest = shares().fold(0.0, f64::max);
    let half = match points {
        [first, second, ..] => ((column(second.0) - column(first.0)) / 2.0).abs(),
        _ => WIDTH / 2.0,
    };
    let drawn = points.iter().filter(|(_, share, _)| *share > 0.0 && share.is_finite());
    path(drawn, |path, (value, share, _)| {
        let top = HEIGHT - share / highest * HEIGHT * OF_DISTRIBUTION;
        let (left, right) = ((column(*value) - half).max(0.0), (column(*value) + half).min(WIDTH));
        write!(path, "M{left:.1} {HEIGHT}V{top:.1}H{right:.1}V{HEIGHT}z")
    })
}
