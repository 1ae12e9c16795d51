//! Every bias metric of every sensitive group, as a dot with its interval against parity, and the baseline's.
//!
//! The metrics of a group share an axis that is as wide as those need that stay within 1 of parity: most of them cannot go further.
//! What lies beyond is an arrow at the end; its number is beside it.

use std::collections::{HashMap, HashSet};

use askama::Template;
use watchkeeper_engine::bias::{self, MetricSpread};
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, ClarifyViolation, FacetMetrics};

use super::{ClarifyReport, metric};
use crate::report::distance_plot::{self, BASELINE_ROW, CURRENT_ROW, MARGIN, WIDTH};
use crate::report::distribution::{position, rounded_up};
use crate::report::figures::{Figure, Prose, counted, readable};

/// Standard deviations on either side of a value that its interval of 95 % reaches.
const DEVIATIONS: f64 = 1.96;
/// Up to so many groups are all open.
const MOST_OPEN: usize = 4;

/// The metrics of predictions, or those of labels.
pub(super) struct Stage {
    /// `predictions` or `labels`.
    pub(super) name: &'static str,
    /// What is positive.
    pub(super) prose: Prose,
    pub(super) groups: Vec<Group>,
}

/// The metrics of one sensitive group.
#[derive(Template)]
#[template(path = "clarify/disparities.html")]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) facet: String,
    pub(super) value: String,
    pub(super) name: String,
    pub(super) shown_value: String,
    /// `=`, or `in` an interval.
    pub(super) relation: &'static str,
    pub(super) is_open: bool,
    pub(super) violated: Option<String>,
    pub(super) rows: Vec<Row>,
    pub(super) axis: Option<Axis>,
    pub(super) has_baseline: bool,
    pub(super) has_spread: bool,
}

/// What stands at the ends of the drawings.
pub(super) struct Axis {
    pub(super) left: String,
    pub(super) right: String,
}

pub(super) struct Row {
    pub(super) metric: String,
    pub(super) label: String,
    pub(super) meaning: &'static str,
    pub(super) value: Option<Figure>,
    pub(super) error: Option<String>,
    pub(super) interval: Option<(Figure, Figure)>,
    pub(super) baseline: Option<Figure>,
    /// Against the baseline.
    pub(super) verdict: Option<Prose>,
    pub(super) plot: Option<Plot>,
    pub(super) is_violated: bool,
}

/// The drawing of a row, parity in the middle.
pub(super) struct Plot {
    pub(super) parity: String,
    /// From parity to the value.
    pub(super) bar: String,
    pub(super) whisker: Option<String>,
    /// The value, or the arrow to it.
    pub(super) dot: Mark,
    pub(super) baseline: Option<Mark>,
}

pub(super) struct Mark {
    pub(super) path: String,
    pub(super) is_beyond: bool,
}

/// A metric and what it is compared with.
struct Compared<'a> {
    metric: &'a BiasMetric,
    spread: Option<f64>,
    baseline: Option<f64>,
    is_violated: bool,
}

fn name_of(is_post_training: bool) -> &'static str {
    if is_post_training { "predictions" } else { "labels" }
}

/// The id of the section of a group.
fn id(is_post_training: bool, number: usize) -> String {
    format!("{}-{number}", name_of(is_post_training))
}

/// What is found by place, so that many groups take no time.
struct Places<'a> {
    violated: HashSet<(&'a str, &'a str, &'a str)>,
    spreads: HashMap<(bool, &'a str, &'a str, &'a str), f64>,
}

impl<'a> Places<'a> {
    fn of(report: &'a ClarifyReport<'_>) -> Self {
        let violated = report.violations.unwrap_or_default().iter().filter_map(|violation| match violation {
            ClarifyViolation::Bias(it) => Some((it.facet.as_str(), it.facet_value.as_str(), it.metric_name.as_str())),
            ClarifyViolation::Attribution(_) => None,
        });
        let spreads = report.spreads.iter().filter_map(|it| {
            let MetricSpread { is_post_training, facet, value_or_threshold, metric, standard_deviation } = it;
            let key = (*is_post_training, facet.as_str(), value_or_threshold.as_str(), metric.as_str());
            standard_deviation.filter(|it| it.is_finite()).map(|deviation| (key, deviation))
        });
        Self { violated: violated.collect(), spreads: spreads.collect() }
    }
}

/// Both stages, predictions first, as far as they were analysed.
pub(super) fn stages(report: &ClarifyReport<'_>) -> Vec<Stage> {
    let places = Places::of(report);
    let stage = |is_post_training| {
        let baseline = report.baseline.and_then(|analysis| section(analysis, is_post_training));
        Some(Stage::new(section(report.analysis, is_post_training)?, baseline, is_post_training, &places))
    };
    [true, false].into_iter().filter_map(stage).collect()
}

/// The section of predictions, or that of labels.
fn section(analysis: &Analysis, is_post_training: bool) -> Option<&BiasSection> {
    if is_post_training { analysis.post_training_bias.as_ref() } else { analysis.pre_training_bias.as_ref() }
}

impl Stage {
    fn new(section: &BiasSection, baseline: Option<&BiasSection>, is_post_training: bool, places: &Places<'_>) -> Self {
        let entries = || section.facets.iter().flat_map(|(facet, entries)| entries.iter().map(move |it| (facet, it)));
        let opens_all = entries().count() <= MOST_OPEN;
        let group = |((facet, entry), number): ((&String, &FacetMetrics), usize)| {
            let value = entry.value_or_threshold.as_str();
            let before = baseline.and_then(|section| bias::counterpart(section, facet, value));
            let compared: Vec<Compared<'_>> = entry
                .metrics
                .iter()
                .map(|metric| Compared {
                    metric,
                    spread: places.spreads.get(&(is_post_training, facet, value, &metric.name)).copied(),
                    baseline: before.and_then(|entry| entry.metrics.iter().find(|it| it.name == metric.name)?.value),
                    is_violated: places.violated.contains(&(facet, value, &metric.name)),
                })
                .collect();
            Group::new(id(is_post_training, number), facet, value, &compared, opens_all)
        };
        let groups = entries().zip(1..).map(group).collect();
        let what = if is_post_training { "Positive is a prediction of " } else { "Positive is a label of " };
        let positive = &section.label_value_or_threshold;
        let prose =
            Prose::new(what).name(&section.label).words(" ").words(relation(positive)).words(" ").name(positive);
        Self { name: name_of(is_post_training), prose: prose.words("."), groups }
    }
}

/// Between a column and its values.
pub(super) fn relation(value: &str) -> &'static str {
    if bias::is_interval(value) { "in" } else { "=" }
}

impl Group {
    fn new(id: String, facet: &str, value: &str, compared: &[Compared<'_>], opens_all: bool) -> Self {
        let scale = Scale::over(compared);
        let violated = compared.iter().filter(|it| it.is_violated).count();
        let end = |sign: f64| Figure::number(sign * scale.map_or(1.0, |scale| scale.reach)).as_str().to_owned();
        Self {
            id,
            facet: facet.to_owned(),
            value: value.to_owned(),
            name: readable(facet),
            shown_value: readable(value),
            relation: relation(value),
            is_open: opens_all || violated > 0,
            violated: (violated > 0).then(|| counted(violated, "violation", "violations")),
            rows: compared.iter().map(|it| Row::new(it, scale)).collect(),
            axis: scale.map(|_| Axis { left: end(-1.0), right: end(1.0) }),
            has_baseline: compared.iter().any(|it| it.baseline.is_some()),
            has_spread: compared.iter().any(|it| it.interval().is_some()),
        }
    }
}

impl Compared<'_> {
    fn interval(&self) -> Option<(f64, f64)> {
        let value = self.metric.value.filter(|value| value.is_finite())?;
        let reach = DEVIATIONS * self.spread?;
        Some((value - reach, value + reach))
    }
}

impl Row {
    fn new(compared: &Compared<'_>, scale: Option<Scale>) -> Self {
        let BiasMetric { name, description, value, error } = compared.metric;
        let (value, baseline) = match (*value, compared.baseline) {
            (Some(value), Some(baseline)) if compared.is_violated => {
                let (value, baseline) = Figure::against_limit(value, baseline);
                (Some(value), Some(baseline))
            }
            (value, baseline) => (value.map(Figure::number), baseline.map(Figure::number)),
        };
        Self {
            label: readable(description.strip_suffix(&format!(" ({name})")).unwrap_or(description)),
            metric: name.clone(),
            meaning: metric::meaning(name),
            value,
            error: error.as_deref().map(readable),
            interval: compared.interval().map(|(lower, upper)| (Figure::number(lower), Figure::number(upper))),
            baseline,
            verdict: verdict(compared),
            plot: scale.and_then(|scale| Plot::new(compared, scale)),
            is_violated: compared.is_violated,
        }
    }
}

fn verdict(compared: &Compared<'_>) -> Option<Prose> {
    let (value, baseline) = (compared.metric.value?, compared.baseline?);
    let further = value.abs() - baseline.abs();
    let prose = match further {
        _ if value.abs() == baseline.abs() => Prose::new("as far from zero"),
        further if further > 0.0 => Prose::default().number(further).words(" further from zero"),
        nearer => Prose::default().number(-nearer).words(" nearer to zero"),
    };
    // Zero is what the drift check looks at, also where parity is elsewhere.
    let parity = metric::parity(&compared.metric.name);
    let from_parity = (value - parity).abs() - (baseline - parity).abs();
    Some(match from_parity {
        _ if parity == 0.0 => prose,
        further if further > 0.0 => prose.words(", further from parity"),
        nearer if nearer < 0.0 => prose.words(", nearer to parity"),
        _ => prose,
    })
}

/// The axis of the drawings of a group, which reaches as far to either side of parity.
#[derive(Clone, Copy)]
struct Scale {
    reach: f64,
}

/// Most metrics cannot be further from parity than this.
const FARTHEST: f64 = 1.0;

impl Scale {
    /// None where there is nothing to draw.
    fn over(compared: &[Compared<'_>]) -> Option<Self> {
        let drawn = |it: &Compared<'_>| {
            let parity = metric::parity(&it.metric.name);
            let ends = it.interval().map_or([None, None], |(lower, upper)| [Some(lower), Some(upper)]);
            let [lower, upper] = ends;
            [it.metric.value, it.baseline, lower, upper].map(|it| it.map(|it| (it - parity).abs()))
        };
        let distances: Vec<f64> = compared.iter().flat_map(drawn).flatten().collect();
        if distances.is_empty() {
            return None;
        }
        let near = distances.iter().copied().filter(|it| *it <= FARTHEST).fold(0.0, f64::max);
        Some(Self { reach: if near > 0.0 { rounded_up(near) } else { FARTHEST } })
    }

    fn place(self, distance: f64) -> f64 {
        MARGIN + position(distance, -self.reach, self.reach) * (WIDTH - 2.0 * MARGIN)
    }

    fn mark(self, distance: f64, row: i32) -> Mark {
        if distance.abs() <= self.reach {
            return Mark { path: distance_plot::dot(self.place(distance), row), is_beyond: false };
        }
        let (tip, back) = if distance > 0.0 { (WIDTH, WIDTH - MARGIN) } else { (0.0, MARGIN) };
        Mark { path: format!("M{back} {}L{tip} {row}L{back} {}", row - 6, row + 6), is_beyond: true }
    }
}

impl Plot {
    fn new(compared: &Compared<'_>, scale: Scale) -> Option<Self> {
        let parity = metric::parity(&compared.metric.name);
        let distance = |value: f64| value - parity;
        let drawn = |value: &f64| !value.is_nan();
        let value = distance(compared.metric.value.filter(drawn)?);
        let whisker = compared.interval().map(|(lower, upper)| {
            let (left, right) = (scale.place(distance(lower)), scale.place(distance(upper)));
            distance_plot::whisker(left, right, CURRENT_ROW)
        });
        Some(Self {
            parity: distance_plot::line(scale.place(0.0)),
            bar: distance_plot::bar(scale.place(0.0), scale.place(value)),
            whisker,
            dot: scale.mark(value, CURRENT_ROW),
            baseline: compared.baseline.filter(drawn).map(|it| scale.mark(distance(it), BASELINE_ROW)),
        })
    }
}
