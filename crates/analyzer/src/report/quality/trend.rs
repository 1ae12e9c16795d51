//! Every metric over the runs of a report, beside the baseline.

use std::fmt::Write;

use watchkeeper_formats::Metric;

use super::comparison::{Comparison, Measured, comparisons};
use super::metric::{self, Reference};
use super::{QualityDocuments, QualityRun};
use crate::report::charts::path;
use crate::report::distribution::position;
use crate::report::figures::{Figure, counted, digits_for_step};

/// Size of the box of a drawing.
const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 110.0;

/// One metric over the runs.
pub(super) struct Trend {
    pub(super) name: &'static str,
    pub(super) label: String,
    /// Of the last run that has it.
    pub(super) last: Measured,
    /// In how many runs it is violated, in words.
    pub(super) violated: Option<String>,
    pub(super) top: Figure,
    pub(super) bottom: Figure,
    /// Area of the baseline's spread and the line of its value.
    pub(super) baseline_band: Option<String>,
    pub(super) baseline: Option<String>,
    /// The limit, where it is not the baseline's value.
    pub(super) limit: Option<String>,
    pub(super) line: String,
    pub(super) whiskers: String,
    pub(super) dots: String,
    pub(super) violations: String,
}

/// A metric in one run.
#[derive(Clone, Copy)]
struct Point {
    metric: Metric,
    is_violated: bool,
}

/// The metrics of any run, in the order of the file: those with a violation first.
pub(super) fn trends(baseline: Option<&QualityDocuments>, runs: &[QualityRun]) -> Vec<Trend> {
    let compared: Vec<Vec<Comparison<'_>>> = runs.iter().map(|run| comparisons(baseline, run)).collect();
    let mut names: Vec<&'static str> = Vec::new();
    for run in runs {
        for (name, _) in metric::of_model(&run.documents.statistics.metrics) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let mut trends: Vec<(usize, Trend)> =
        names.into_iter().filter_map(|name| Trend::new(name, baseline, &compared)).collect();
    trends.sort_by_key(|(violated, _)| std::cmp::Reverse(*violated));
    trends.into_iter().map(|(_, trend)| trend).collect()
}

impl Trend {
    /// With the number of runs that violate it; none where no run has a number.
    fn new(
        name: &'static str,
        baseline: Option<&QualityDocuments>,
        runs: &[Vec<Comparison<'_>>],
    ) -> Option<(usize, Self)> {
        let of_run = |run: &Vec<Comparison<'_>>| run.iter().find(|it| it.name == name).map(point);
        let points: Vec<Option<Point>> = runs.iter().map(|run| of_run(run).filter(Point::is_drawn)).collect();
        let last = points.iter().flatten().next_back()?.metric;
        let before = baseline.and_then(|it| metric::find(&it.statistics.metrics, name));
        let before = before.filter(|metric| metric.value.is_finite());
        let limit = runs.iter().flatten().filter(|it| it.name == name).find_map(|it| it.reference);
        let limit = limit.filter(|it| it.is_limit && before.is_none_or(|before| before.value != it.value));
        let scale = Scale::over(&points, before, limit);
        let violated = points.iter().flatten().filter(|point| point.is_violated).count();
        let place = |index: usize| WIDTH * (index as f64 + 0.5) / runs.len() as f64;
        let placed = || points.iter().enumerate().filter_map(|(index, point)| point.map(|point| (place(index), point)));
        let dots = |wanted: bool| {
            let chosen = placed().filter(|(_, point)| point.is_violated == wanted);
            path(chosen, |path, (x, point)| write!(path, "M{x:.1} {:.1}h0", scale.row(point.metric.value)))
        };
        let across = |value: f64| format!("M0 {:.1}H{WIDTH}", scale.row(value));
        let trend = Self {
            name,
            label: metric::label(name),
            last: Measured::new(last),
            violated: (violated > 0).then(|| counted(violated, "violation", "violations")),
            top: scale.figure(scale.upper),
            bottom: scale.figure(scale.lower),
            baseline_band: before.filter(|it| it.standard_deviation > 0.0).map(|it| scale.band(it)),
            baseline: before.map(|it| across(it.value)),
            limit: limit.map(|it| across(it.value)),
            line: line(&points, &scale, place),
            whiskers: path(placed().filter(|(_, point)| point.metric.standard_deviation > 0.0), |path, (x, point)| {
                let Metric { value, standard_deviation } = point.metric;
                let (top, bottom) = (scale.row(value + standard_deviation), scale.row(value - standard_deviation));
                write!(path, "M{x:.1} {top:.1}V{bottom:.1}")
            }),
            dots: dots(false),
            violations: dots(true),
        };
        Some((violated, trend))
    }
}

fn point(comparison: &Comparison<'_>) -> Point {
    Point { metric: comparison.current, is_violated: comparison.violation.is_some() }
}

impl Point {
    fn is_drawn(&self) -> bool {
        self.metric.value.is_finite()
    }
}

/// From run to run; it breaks where one has no number.
fn line(points: &[Option<Point>], scale: &Scale, place: impl Fn(usize) -> f64) -> String {
    path(points.iter().enumerate(), |path, (index, point)| {
        if point.is_none() {
            return Ok(());
        }
        let is_going_on = index > 0 && points[index - 1].is_some();
        let command = if is_going_on { 'L' } else { 'M' };
        write!(path, "{command}{:.1} {:.1}", place(index), scale.row(point.map_or(0.0, |it| it.metric.value)))
    })
}

/// The vertical axis.
struct Scale {
    lower: f64,
    upper: f64,
}

impl Scale {
    fn over(points: &[Option<Point>], baseline: Option<Metric>, limit: Option<Reference>) -> Self {
        let ends = |metric: Metric| {
            let spread = if metric.standard_deviation.is_finite() { metric.standard_deviation } else { 0.0 };
            [metric.value - spread, metric.value + spread].map(|end| end.clamp(f64::MIN, f64::MAX))
        };
        let metrics = points.iter().flatten().map(|point| point.metric).chain(baseline);
        let values: Vec<f64> = metrics.flat_map(ends).chain(limit.map(|it| it.value)).collect();
        let lower = values.iter().copied().fold(f64::INFINITY, f64::min);
        let upper = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if lower < upper {
            return Self { lower, upper };
        }
        // One value: a line in the middle.
        let room = if lower == 0.0 { 1.0 } else { lower.abs() * 0.1 };
        Self { lower: (lower - room).max(f64::MIN), upper: (upper + room).min(f64::MAX) }
    }

    fn row(&self, value: f64) -> f64 {
        HEIGHT - position(value, self.lower, self.upper) * HEIGHT
    }

    fn band(&self, metric: Metric) -> String {
        let Metric { value, standard_deviation } = metric;
        let (top, bottom) = (self.row(value + standard_deviation), self.row(value - standard_deviation));
        format!("M0 {top:.1}H{WIDTH}V{bottom:.1}H0z")
    }

    fn figure(&self, value: f64) -> Figure {
        let digits = digits_for_step(value.abs(), (self.upper - self.lower) / 10.0);
        Figure::rounded(value, digits.min(6))
    }
}
