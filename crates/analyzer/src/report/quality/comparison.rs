//! Each metric of a run held against its limit and the baseline: by how much it is worse, and whether that is within its spread.
//!
//! All metrics of a run are drawn on one axis: distance from the limit, worse to the left. So small differences show where all are
//! small, and where whiskers cross the line in the middle the difference is within the spread.

use watchkeeper_formats::{ComparisonOperator, Metric, MetricViolation, ModelQualityConstraints, ProblemType};

use super::metric::{self, Reference};
use super::{QualityDocuments, QualityRun};
use crate::report::distance_plot::{self, BASELINE_ROW, CURRENT_ROW, MARGIN, WIDTH};
use crate::report::distribution::rounded_up;
use crate::report::figures::{Figure, Prose};

/// Differences of up to so many spreads are what chance alone makes now and then, see the page's hint.
const CONSPICUOUS: f64 = 4.0;

/// One metric and what it is held against.
pub(super) struct Comparison<'a> {
    pub(super) name: &'static str,
    pub(super) current: Metric,
    pub(super) baseline: Option<Metric>,
    /// The limit, else the baseline's value; none where there is neither, or it is no number.
    pub(super) reference: Option<Reference>,
    pub(super) violation: Option<&'a MetricViolation>,
}

/// A difference in spreads of the metric.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Spreads {
    /// At most one.
    Within,
    /// So many, more than one.
    Beyond(f64),
    /// The metric is the same in every subsample.
    Zero,
    /// Too few rows to tell.
    Unknown,
}

impl Comparison<'_> {
    /// How much worse the metric is than what it is held against; negative where it is better.
    pub(super) fn shortfall(&self) -> Option<f64> {
        self.reference.map(|reference| reference.shortfall(self.current.value)).filter(|it| it.is_finite())
    }

    pub(super) fn spreads(&self) -> Option<Spreads> {
        let distance = self.shortfall()?.abs();
        let spread = self.current.standard_deviation;
        Some(match distance / spread {
            _ if !spread.is_finite() => Spreads::Unknown,
            _ if distance <= spread => Spreads::Within,
            _ if spread == 0.0 => Spreads::Zero,
            ratio => Spreads::Beyond(ratio),
        })
    }

    pub(super) fn is_within_spread(&self) -> bool {
        self.spreads() == Some(Spreads::Within)
    }

    pub(super) fn severity(&self) -> f64 {
        self.reference.map_or(0.0, |reference| metric::severity(self.name, reference, self.current.value))
    }

    /// `0.1146 ± 0.0031, worse than its limit 0.5714 by 0.4569, 150 times its spread`.
    pub(super) fn sentence(&self, prose: Prose) -> Prose {
        let prose = prose.words(&metric::label(self.name)).words(" ");
        let (Some(reference), Some(shortfall)) = (self.reference, self.shortfall()) else {
            return with_spread(prose, Figure::number(self.current.value), self.current);
        };
        let (value, limit) = Figure::against_limit(self.current.value, reference.value);
        let what = if reference.is_limit { "its limit " } else { "the baseline " };
        if shortfall == 0.0 {
            return with_spread(prose, value, self.current).words(", equal to ").words(what).figure(limit);
        }
        let way = if shortfall > 0.0 { ", worse than " } else { ", better than " };
        let prose = with_spread(prose, value, self.current).words(way).words(what).figure(limit);
        let prose = prose.words(" by ").number(shortfall.abs());
        match self.spreads() {
            Some(Spreads::Within) => prose.words(", within its spread"),
            Some(Spreads::Beyond(ratio)) => prose.words(", ").figure(Figure::rounded(ratio, 2)).words(" × its spread"),
            Some(Spreads::Zero | Spreads::Unknown) | None => prose,
        }
    }
}

pub(super) fn with_spread(prose: Prose, value: Figure, metric: Metric) -> Prose {
    let prose = prose.figure(value);
    if metric.standard_deviation.is_finite() {
        return prose.words(" ± ").figure(Figure::rounded(metric.standard_deviation, 2));
    }
    prose
}

/// The metrics of a run, violations first, the worst before the others; then as in the file.
pub(super) fn comparisons<'a>(baseline: Option<&QualityDocuments>, run: &'a QualityRun) -> Vec<Comparison<'a>> {
    let metrics = &run.documents.statistics.metrics;
    let constraints = baseline.and_then(|documents| documents.constraints.as_ref());
    let before = baseline.map(|documents| &documents.statistics.metrics);
    let mut comparisons: Vec<Comparison<'a>> = metrics
        .scalars()
        .into_iter()
        .map(|(name, current)| {
            let violation = run.violations.iter().find(|violation| violation.is_of(name));
            let baseline = before.and_then(|metrics| metric::find(metrics, name));
            let reference = violation
                .and_then(limit_of)
                .or_else(|| limit_among(constraints, name))
                .or_else(|| baseline.map(|it| Reference::baseline(metrics.problem_type(), name, it.value)))
                .filter(|reference| reference.value.is_finite());
            Comparison { name, current, baseline, reference, violation }
        })
        .filter(|comparison| is_shown(comparison, metrics.problem_type()))
        .collect();
    comparisons.sort_by(|left, right| {
        let violated = |it: &Comparison<'_>| it.violation.is_some();
        let severity = |it: &Comparison<'_>| if violated(it) { it.severity() } else { 0.0 };
        violated(right).cmp(&violated(left)).then(severity(right).total_cmp(&severity(left)))
    });
    comparisons
}

/// Metrics of the best constant classifier are shown where someone has set them a limit.
fn is_shown(comparison: &Comparison<'_>, problem_type: ProblemType) -> bool {
    let is_usual = ComparisonOperator::usual(problem_type, comparison.name).is_some();
    is_usual || comparison.reference.is_some_and(|reference| reference.is_limit)
}

fn limit_among(constraints: Option<&ModelQualityConstraints>, name: &str) -> Option<Reference> {
    let constraint = constraints?.constraints.iter().find(|constraint| constraint.metric == name)?;
    Some(Reference::limit(constraint.comparison_operator, constraint.threshold?))
}

/// The limit that a violation's sentence names: it is what the metric was held against, whatever the constraints say by now.
fn limit_of(violation: &MetricViolation) -> Option<Reference> {
    let operator: ComparisonOperator = violation.constraint_check_type.parse().ok()?;
    let (_, rest) = violation.description.rsplit_once(" '")?;
    let threshold = rest.strip_suffix('\'')?.parse().ok()?;
    Some(Reference::limit(operator, threshold))
}

/// The table of metrics.
pub(super) struct MetricTable {
    pub(super) rows: Vec<MetricRow>,
    /// The axis of the drawings; none where nothing can be drawn.
    pub(super) axis: Option<PlotAxis>,
    pub(super) has_limits: bool,
    pub(super) has_spread: bool,
}

/// What stands above the drawings.
pub(super) struct PlotAxis {
    pub(super) worse: String,
    pub(super) better: String,
    pub(super) middle: &'static str,
    /// Where the middle stands, in per cent from the left.
    pub(super) place: String,
    pub(super) is_relative: bool,
}

pub(super) struct MetricRow {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) meaning: &'static str,
    pub(super) current: Measured,
    pub(super) baseline: Option<Measured>,
    pub(super) limit: Option<Figure>,
    pub(super) difference: Option<Difference>,
    pub(super) plot: Option<Plot>,
    pub(super) is_violated: bool,
}

/// A value and its spread.
pub(super) struct Measured {
    pub(super) value: Figure,
    pub(super) spread: Option<Figure>,
}

impl Measured {
    pub(super) fn new(metric: Metric) -> Self {
        Self::shown(Figure::number(metric.value), metric)
    }

    fn shown(value: Figure, metric: Metric) -> Self {
        let spread = metric.standard_deviation;
        Self { value, spread: spread.is_finite().then(|| Figure::rounded(spread, 2)) }
    }
}

pub(super) struct Difference {
    pub(super) figure: Figure,
    /// `worse`, `better`, `equal`.
    pub(super) way: &'static str,
    /// The difference in spreads.
    pub(super) spreads: Option<Prose>,
    /// More than chance explains.
    pub(super) is_conspicuous: bool,
}

impl Difference {
    fn of(comparison: &Comparison<'_>) -> Option<Self> {
        let shortfall = comparison.shortfall()?;
        let way = match shortfall {
            0.0 => "equal",
            worse if worse > 0.0 => "worse",
            _ => "better",
        };
        let spreads = comparison.spreads()?;
        let prose = match spreads {
            _ if shortfall == 0.0 => None,
            Spreads::Within => Some(Prose::new("within its spread")),
            Spreads::Beyond(ratio) => Some(Prose::default().figure(Figure::rounded(ratio, 2)).words(" × its spread")),
            Spreads::Zero => Some(Prose::new("its spread is 0")),
            Spreads::Unknown => Some(Prose::new("spread unknown")),
        };
        let is_conspicuous = match spreads {
            Spreads::Within | Spreads::Unknown => false,
            Spreads::Beyond(ratio) => ratio > CONSPICUOUS,
            Spreads::Zero => true,
        };
        Some(Self { figure: Figure::number(shortfall.abs()), way, spreads: prose, is_conspicuous })
    }
}

impl MetricTable {
    pub(super) fn new(comparisons: &[Comparison<'_>], problem_type: ProblemType) -> Self {
        let scale = Scale::over(comparisons);
        let is_relative = problem_type == ProblemType::Regression;
        let has_limits = comparisons.iter().any(|it| it.reference.is_some_and(|reference| reference.is_limit));
        let axis = scale.map(|scale| {
            let end = |reach| if is_relative { Figure::share(reach) } else { Figure::number(reach) };
            PlotAxis {
                worse: format!("worse by {}", end(scale.worse).as_str()),
                better: format!("better by {}", end(scale.better).as_str()),
                middle: if has_limits { "limit" } else { "baseline" },
                place: format!("{:.2}", scale.place(0.0) / WIDTH * 100.0),
                is_relative,
            }
        });
        Self {
            rows: comparisons.iter().map(|comparison| row(comparison, scale)).collect(),
            axis,
            has_limits,
            has_spread: comparisons.iter().any(|it| it.current.standard_deviation.is_finite()),
        }
    }
}

fn row(comparison: &Comparison<'_>, scale: Option<Scale>) -> MetricRow {
    let limit = comparison.reference.filter(|reference| reference.is_limit);
    let (value, limit) = match limit {
        Some(limit) => {
            let (value, limit) = Figure::against_limit(comparison.current.value, limit.value);
            (value, Some(limit))
        }
        None => (Figure::number(comparison.current.value), None),
    };
    MetricRow {
        name: comparison.name,
        label: metric::label(comparison.name),
        meaning: metric::meaning(comparison.name),
        current: Measured::shown(value, comparison.current),
        baseline: comparison.baseline.map(Measured::new),
        limit,
        difference: Difference::of(comparison),
        plot: scale.and_then(|scale| Plot::new(comparison, scale)),
        is_violated: comparison.violation.is_some(),
    }
}

/// The distances of a comparison in the unit of the axis, worse to the right; the baseline's and the current one, each with its spread.
struct Distances {
    current: Interval,
    baseline: Option<Interval>,
}

#[derive(Clone, Copy)]
struct Interval {
    middle: f64,
    reach: f64,
}

/// What is farther away is not drawn: both sides of the axis together must be a number.
const FARTHEST: f64 = f64::MAX / 4.0;

fn distances(comparison: &Comparison<'_>) -> Option<Distances> {
    let reference = comparison.reference?;
    let unit = metric::unit(comparison.name, reference.value)?;
    let interval = |metric: Metric| {
        let spread = if metric.standard_deviation.is_finite() { metric.standard_deviation } else { 0.0 };
        let interval = Interval { middle: reference.shortfall(metric.value) / unit, reach: spread / unit };
        (interval.middle.abs() + interval.reach <= FARTHEST).then_some(interval)
    };
    Some(Distances { current: interval(comparison.current)?, baseline: comparison.baseline.and_then(interval) })
}

/// The axis of all drawings: so far it goes to the worse side and to the better one.
#[derive(Clone, Copy)]
struct Scale {
    worse: f64,
    better: f64,
}

/// What the shorter side of the axis has at least of the longer one: labels need room.
const SHORTER_SIDE: f64 = 0.4;

impl Scale {
    /// The smallest round numbers that hold every dot and whisker. None where there is nothing to draw.
    fn over(comparisons: &[Comparison<'_>]) -> Option<Self> {
        let drawn: Vec<Distances> = comparisons.iter().filter_map(distances).collect();
        let intervals = || drawn.iter().flat_map(|it| [Some(it.current), it.baseline]).flatten();
        let worse = intervals().map(|it| it.middle + it.reach).reduce(f64::max)?.max(0.0);
        let better = intervals().map(|it| it.reach - it.middle).reduce(f64::max)?.max(0.0);
        if worse == 0.0 && better == 0.0 {
            // All are as they were.
            return Some(Self { worse: 0.01, better: 0.01 });
        }
        let side = |own: f64, other: f64| rounded_up(own.max(other * SHORTER_SIDE));
        Some(Self { worse: side(worse, better), better: side(better, worse) })
    }

    /// Where a distance is drawn.
    fn place(self, distance: f64) -> f64 {
        let share = (self.worse - distance) / (self.worse + self.better);
        MARGIN + share.clamp(0.0, 1.0) * (WIDTH - 2.0 * MARGIN)
    }
}

/// The drawing of a row, the limit in the middle.
pub(super) struct Plot {
    /// From the limit to the current value.
    pub(super) bar: String,
    /// The line of the limit.
    pub(super) middle: String,
    pub(super) whisker: Option<String>,
    pub(super) dot: String,
    pub(super) baseline_whisker: Option<String>,
    pub(super) baseline_dot: Option<String>,
}

impl Plot {
    fn new(comparison: &Comparison<'_>, scale: Scale) -> Option<Self> {
        let Distances { current, baseline } = distances(comparison)?;
        let place = |distance: f64| scale.place(distance);
        let dot = |interval: Interval, row| distance_plot::dot(place(interval.middle), row);
        let whisker = |interval: Interval, row: i32| {
            let (left, right) = (place(interval.middle + interval.reach), place(interval.middle - interval.reach));
            (interval.reach > 0.0).then(|| distance_plot::whisker(left, right, row))
        };
        Some(Self {
            bar: distance_plot::bar(place(0.0), place(current.middle)),
            middle: distance_plot::line(place(0.0)),
            whisker: whisker(current, CURRENT_ROW),
            dot: dot(current, CURRENT_ROW),
            baseline_whisker: baseline.and_then(|it| whisker(it, BASELINE_ROW)),
            baseline_dot: baseline.map(|it| dot(it, BASELINE_ROW)),
        })
    }
}
