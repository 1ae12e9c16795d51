//! Charts as SVG: only lines and areas, stretched to the width there is. Every label is HTML beside the drawing, so
//! that it keeps its size on a telephone, and every number of a chart stands in a table as well.
//!
//! Coordinates are whole numbers in a box of [`WIDTH`] by [`HEIGHT`], which keeps a path of 400 steps below 2 kB.

use std::fmt::Write;

use watchkeeper_engine::sketch::Ranks;

use super::distribution::{Distribution, Gap, position};
use super::figures::{Figure, digits_for_step};

/// Width of the box that charts are drawn in.
const WIDTH: i32 = 400;
/// Its height.
const HEIGHT: i32 = 120;
/// Bins of a histogram of numbers that are not counted one by one.
const BINS: usize = 30;
/// Range of whole numbers up to which each has a bin to itself.
const MOST_WHOLE_NUMBERS: f64 = 40.0;
/// Bins that have their label right below them.
const MOST_LABELLED_BINS: usize = 12;
/// How many times wider than the bulk of the values their range may be before the outermost go into the end bins.
const WIDEST_TAILS: f64 = 4.0;

/// What a bin holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BinKind {
    /// One whole number, in its middle.
    Number,
    /// Whole numbers; the edges lie between them.
    WholeNumbers,
    /// Any numbers.
    Interval,
}

/// The bins on a common axis of one or two distributions.
pub(super) struct Bins {
    edges: Vec<f64>,
    kind: BinKind,
    /// Values beyond the axis are in the end bins.
    has_values_below: bool,
    has_values_above: bool,
    /// Significant digits that tell one edge from the next.
    digits: usize,
}

impl Bins {
    /// `None` when no distribution has a finite value.
    pub(super) fn over(distributions: &[&Distribution]) -> Option<Self> {
        let extents: Vec<_> = distributions.iter().filter_map(|distribution| distribution.extent()).collect();
        let smallest = |ends: &dyn Fn(usize) -> f64| (0..extents.len()).map(ends).reduce(f64::min);
        let largest = |ends: &dyn Fn(usize) -> f64| (0..extents.len()).map(ends).reduce(f64::max);
        let all = (smallest(&|index| extents[index].all.0)?, largest(&|index| extents[index].all.1)?);
        let bulk = (smallest(&|index| extents[index].bulk.0)?, largest(&|index| extents[index].bulk.1)?);
        let is_whole = distributions.iter().all(|distribution| distribution.is_whole());
        if is_whole && all.1 - all.0 <= MOST_WHOLE_NUMBERS {
            let edges = (0..=(all.1 - all.0) as usize + 1).map(|index| all.0 - 0.5 + index as f64).collect();
            return Some(Self::new(edges, BinKind::Number, all));
        }
        let has_long_tails =
            all.1 / 2.0 - all.0 / 2.0 > WIDEST_TAILS * (bulk.1 / 2.0 - bulk.0 / 2.0) && bulk.0 < bulk.1;
        let (lower, upper) = if has_long_tails { bulk } else { all };
        let edges = if is_whole { whole_number_edges(lower, upper) } else { even_edges(lower, upper) };
        Some(Self::new(edges, if is_whole { BinKind::WholeNumbers } else { BinKind::Interval }, all))
    }

    fn new(edges: Vec<f64>, kind: BinKind, all: (f64, f64)) -> Self {
        let (lower, upper) = (edges[0], edges[edges.len() - 1]);
        let step = if kind == BinKind::Number { 1.0 } else { upper / BINS as f64 - lower / BINS as f64 };
        let digits = digits_for_step(lower.abs().max(upper.abs()), step);
        Self { edges, kind, has_values_below: all.0 < lower, has_values_above: all.1 > upper, digits }
    }

    fn len(&self) -> usize {
        self.edges.len() - 1
    }

    fn place(&self, value: f64) -> f64 {
        position(value, self.edges[0], self.edges[self.len()])
    }

    /// Share of the values in each bin; values beyond the axis count in the bins at its ends.
    fn shares(&self, distribution: &Distribution) -> Vec<f64> {
        let total = distribution.total();
        let up_to = |edge: usize| match edge {
            0 => 0.0,
            last if last == self.len() => total,
            inner => distribution.below(self.edges[inner]),
        };
        (0..self.len()).map(|bin| (up_to(bin + 1) - up_to(bin)) / total).collect()
    }

    fn figure(&self, value: f64) -> Figure {
        Figure::rounded(value, self.digits)
    }

    /// How far the first whole number of a bin is from its edge.
    fn inset(&self) -> f64 {
        if self.kind == BinKind::Interval { 0.0 } else { 0.5 }
    }

    /// Which values are in a bin.
    fn label(&self, bin: usize) -> String {
        let (lower, upper) = (self.edges[bin], self.edges[bin + 1]);
        if self.kind == BinKind::Number {
            return self.figure(lower + 0.5).as_str().to_owned();
        }
        let inset = self.inset();
        let (lower, upper) = (self.figure(lower + inset), self.figure(upper - inset));
        if bin == 0 && self.has_values_below {
            format!("to {}", upper.as_str())
        } else if bin + 1 == self.len() && self.has_values_above {
            format!("from {}", lower.as_str())
        } else {
            format!("{} to {}", lower.as_str(), upper.as_str())
        }
    }

    /// Labels below the axis, evenly spread.
    pub(super) fn axis(&self) -> Axis {
        if self.kind == BinKind::Number && self.len() <= MOST_LABELLED_BINS {
            return Axis { is_per_bin: true, labels: (0..self.len()).map(|bin| self.label(bin)).collect() };
        }
        let inset = self.inset();
        let (lower, upper) = (self.edges[0] + inset, self.edges[self.len()] - inset);
        let number = |value| self.figure(value).as_str().to_owned();
        let (below, above) =
            (if self.has_values_below { "≤ " } else { "" }, if self.has_values_above { "≥ " } else { "" });
        let labels = vec![
            below.to_owned() + &number(lower),
            number(lower / 2.0 + upper / 2.0),
            above.to_owned() + &number(upper),
        ];
        Axis { is_per_bin: false, labels }
    }
}

/// Edges between whole numbers, as many of them in each bin: otherwise some bins would hold more than their neighbours.
fn whole_number_edges(lower: f64, upper: f64) -> Vec<f64> {
    let width = ((upper - lower + 1.0) / BINS as f64).ceil();
    let bins = ((upper - lower + 1.0) / width).ceil() as usize;
    (0..=bins).map(|index| lower - 0.5 + width * index as f64).collect()
}

fn even_edges(lower: f64, upper: f64) -> Vec<f64> {
    if lower == upper {
        let around = (lower.abs() / 20.0).max(0.5);
        return vec![(lower - around).max(f64::MIN), (upper + around).min(f64::MAX)];
    }
    let edge = |index: usize| {
        let along = index as f64 / BINS as f64;
        lower * (1.0 - along) + upper * along
    };
    (0..=BINS).map(edge).collect()
}

/// What stands below the horizontal axis.
pub(super) struct Axis {
    /// A label for each bin, rather than for both ends and the middle.
    pub(super) is_per_bin: bool,
    pub(super) labels: Vec<String>,
}

/// A histogram of one or two distributions: shares of the values, so that datasets of any size compare.
pub(super) struct Histogram {
    /// Path of the baseline's bars or area.
    pub(super) baseline: Option<String>,
    /// Path of the current bars or outline.
    pub(super) current: Option<String>,
    /// Bars side by side rather than areas over each other.
    pub(super) has_bars: bool,
    /// The share at the top of the chart.
    pub(super) top: Figure,
    pub(super) axis: Axis,
    /// The numbers of the chart.
    pub(super) rows: Vec<HistogramRow>,
}

/// The numbers of a bin.
pub(super) struct HistogramRow {
    pub(super) label: String,
    pub(super) baseline: Option<Figure>,
    pub(super) current: Option<Figure>,
}

impl Histogram {
    pub(super) fn new(bins: &Bins, baseline: Option<&Distribution>, current: Option<&Distribution>) -> Self {
        let baseline = baseline.map(|distribution| bins.shares(distribution));
        let current = current.map(|distribution| bins.shares(distribution));
        let top = baseline.iter().chain(&current).flatten().copied().fold(f64::MIN_POSITIVE, f64::max);
        let is_paired = baseline.is_some() && current.is_some();
        let path = |shares: &Vec<f64>, is_second: bool| {
            let heights: Vec<i32> =
                shares.iter().map(|share| (share / top * f64::from(HEIGHT)).round() as i32).collect();
            if bins.kind == BinKind::Number { bars(&heights, is_paired, is_second) } else { outline(&heights) }
        };
        let share = |shares: &Option<Vec<f64>>, bin: usize| shares.as_ref().map(|shares| Figure::share(shares[bin]));
        let row = |bin| HistogramRow {
            label: bins.label(bin),
            baseline: share(&baseline, bin),
            current: share(&current, bin),
        };
        Self {
            baseline: baseline.as_ref().map(|shares| path(shares, false)),
            current: current.as_ref().map(|shares| path(shares, is_paired)),
            has_bars: bins.kind == BinKind::Number,
            top: Figure::share(top),
            axis: bins.axis(),
            rows: (0..bins.len()).map(row).collect(),
        }
    }
}

/// Bars in the middle of each bin, the left or right one of a pair.
fn bars(heights: &[i32], is_paired: bool, is_second: bool) -> String {
    let slot = f64::from(WIDTH) / heights.len() as f64;
    let width = if is_paired { slot * 0.4 } else { slot * 0.7 }.clamp(1.0, 40.0);
    let mut path = String::new();
    for (bin, &height) in heights.iter().enumerate().filter(|(_, height)| **height > 0) {
        let middle = slot * (bin as f64 + 0.5);
        let left = match (is_paired, is_second) {
            (false, _) => middle - width / 2.0,
            (true, false) => middle - width,
            (true, true) => middle,
        };
        write!(path, "M{left:.1} {HEIGHT}v-{height}h{width:.1}v{height}z").expect("a string takes any text");
    }
    path
}

/// The upper edge of bars without gaps, from the axis to the axis.
fn outline(heights: &[i32]) -> String {
    let edge = |bin: usize| (f64::from(WIDTH) * bin as f64 / heights.len() as f64).round() as i32;
    let mut path = format!("M0 {HEIGHT}");
    for (bin, height) in heights.iter().enumerate() {
        write!(path, "V{}H{}", HEIGHT - height, edge(bin + 1)).expect("a string takes any text");
    }
    write!(path, "V{HEIGHT}").expect("a string takes any text");
    path
}

/// Both distribution functions, and where they are farthest apart.
pub(super) struct Cumulative {
    pub(super) baseline: String,
    pub(super) current: String,
    pub(super) gap: GapMark,
    pub(super) axis: Axis,
}

/// The line from one curve to the other, in the coordinates of the drawing.
pub(super) struct GapMark {
    pub(super) x: i32,
    pub(super) upper: i32,
    pub(super) lower: i32,
    /// Where the label goes, in per cent: both curves rise, so there is room to the right of the lower end and to the
    /// left of the upper one.
    pub(super) left: i32,
    pub(super) top: i32,
    /// The label is to the left of the line, where the right-hand edge is near.
    pub(super) is_label_left: bool,
    /// There is a gap at all.
    pub(super) is_open: bool,
}

impl Cumulative {
    pub(super) fn new(bins: &Bins, baseline: &Ranks, current: &Ranks, gap: &Gap) -> Self {
        Self { baseline: steps(bins, baseline), current: steps(bins, current), gap: mark(bins, gap), axis: bins.axis() }
    }
}

/// A path of what is written for each item.
pub(super) fn path<T>(items: impl Iterator<Item = T>, write: impl Fn(&mut String, T) -> std::fmt::Result) -> String {
    let mut path = String::new();
    for item in items {
        write(&mut path, item).expect("a string takes any text");
    }
    path
}

/// Where a value stands in the box of a chart, from the left.
pub(super) fn column(bins: &Bins, value: f64) -> i32 {
    (bins.place(value) * f64::from(WIDTH)).round() as i32
}

fn row(share: f64) -> i32 {
    HEIGHT - (share * f64::from(HEIGHT)).round() as i32
}

/// The steps of a distribution function, one at most per column of the drawing.
fn steps(bins: &Bins, ranks: &Ranks) -> String {
    let mut points: Vec<(i32, i32)> = Vec::new();
    for (value, through) in ranks.iter() {
        let point = (column(bins, value), row(through as f64 / ranks.total() as f64));
        if points.last().is_some_and(|last| last.0 == point.0) {
            points.pop();
        }
        points.push(point);
    }
    let (mut x, mut y) = (0, HEIGHT);
    let mut path = format!("M0 {HEIGHT}");
    for (next_x, next_y) in points.into_iter().filter(|point| point.1 != HEIGHT) {
        if next_y != y {
            write!(path, "h{}v{}", next_x - x, next_y - y).expect("a string takes any text");
            (x, y) = (next_x, next_y);
        }
    }
    write!(path, "H{WIDTH}").expect("a string takes any text");
    path
}

fn mark(bins: &Bins, gap: &Gap) -> GapMark {
    let (x, one, other) = (column(bins, gap.at), row(gap.baseline), row(gap.current));
    let (upper, lower) = (one.min(other), one.max(other));
    let is_label_left = x > WIDTH * 3 / 5;
    GapMark {
        x,
        upper,
        lower,
        left: x * 100 / WIDTH,
        top: (if is_label_left { upper } else { lower } * 100 / HEIGHT).clamp(12, 84),
        is_label_left,
        is_open: gap.size() > 0.0,
    }
}
