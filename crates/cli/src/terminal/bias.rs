//! Bias metrics in a terminal: a table for each sensitive group, labels and predictions apart.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use watchkeeper_engine::bias::{counterpart, is_interval};
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, ClarifyViolation, FacetMetrics};
use watchkeeper_formats::number::python_float;

use super::clarify::ClarifyView;
use super::figures::number;
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible};
use super::violations::push_headline;
use super::{Style, paints};

/// Standard deviations on either side of a value that an interval of 95 % reaches.
const DEVIATIONS: f64 = 1.96;
/// `Conditional Demographic Disparity in Predicted Labels` is cut to this where there is no room.
const SHORTEST_DESCRIPTION: usize = 16;

/// A metric of an entry of a facet.
type MetricName<'a> = (&'a str, &'a str, &'a str);

/// What is known of metrics, found by their names, so that many groups take no time.
struct Findings<'a> {
    /// None where nothing was judged.
    violated: Option<HashSet<MetricName<'a>>>,
    /// Standard deviations, those of predictions under `true`.
    spreads: HashMap<(bool, MetricName<'a>), f64>,
}

impl<'a> Findings<'a> {
    fn of(view: &ClarifyView<'a>) -> Self {
        let name = |violation: &'a ClarifyViolation| match violation {
            ClarifyViolation::Bias(found) => {
                Some((found.facet.as_str(), found.facet_value.as_str(), found.metric_name.as_str()))
            }
            ClarifyViolation::Attribution(_) => None,
        };
        let spreads = view.spreads.iter().filter_map(|spread| {
            let metric = (spread.facet.as_str(), spread.value_or_threshold.as_str(), spread.metric.as_str());
            Some(((spread.is_post_training, metric), spread.standard_deviation?))
        });
        Self {
            violated: view.violations.map(|violations| violations.iter().filter_map(name).collect()),
            spreads: spreads.collect(),
        }
    }
}

/// Where metrics stand: an entry of a facet.
struct Place<'a> {
    is_post_training: bool,
    section: &'a BiasSection,
    facet: &'a str,
    entry: &'a FacetMetrics,
    /// The entry that it is judged by.
    baseline: Option<&'a FacetMetrics>,
}

impl Place<'_> {
    /// The value of a baseline's metric that a metric here is judged by.
    fn in_baseline(&self, metric: &BiasMetric) -> Option<f64> {
        self.baseline?.metrics.iter().find(|other| other.name == metric.name)?.value
    }
}

/// All places, those of predictions first.
fn places<'a>(analysis: &'a Analysis, baseline: Option<&'a Analysis>) -> impl Iterator<Item = Place<'a>> {
    let sections = |analysis: &'a Analysis| [&analysis.post_training_bias, &analysis.pre_training_bias];
    let before = baseline.map_or([&None; 2], sections);
    [true, false].into_iter().zip(sections(analysis)).zip(before).flat_map(|((is_post_training, section), before)| {
        let facets = section.iter().flat_map(|section| section.facets.iter().map(move |facet| (section, facet)));
        facets.flat_map(move |(section, (facet, entries))| {
            entries.iter().map(move |entry| {
                let baseline = before.as_ref().and_then(|before| counterpart(before, facet, &entry.value_or_threshold));
                Place { is_post_training, section, facet, entry, baseline }
            })
        })
    })
}

pub(super) fn push_sections(text: &mut String, view: &ClarifyView<'_>, style: &Style) {
    let findings = Findings::of(view);
    for place in places(view.analysis, view.baseline) {
        text.push('\n');
        push_headline(text, &title(&place, style), paints::TITLE, style);
        push_metrics(text, &findings, &place, style);
    }
}

/// Whether a metric of the analysis is in the baseline too.
pub(super) fn is_anything_judged(analysis: &Analysis, baseline: &Analysis) -> bool {
    places(analysis, Some(baseline)).any(|place| {
        let mut metrics = place.entry.metrics.iter();
        metrics.any(|metric| metric.value.is_some() && place.in_baseline(metric).is_some())
    })
}

/// `Sex = 0 against all others, in predictions of Target = 1`.
fn title(place: &Place<'_>, style: &Style) -> String {
    let about = if place.is_post_training { "predictions" } else { "labels" };
    let is = |text: &str| {
        let relation = if is_interval(text) { "in" } else { "=" };
        format!("{relation} {}", visible(text, style))
    };
    format!(
        "{} {} against all others, in {about} of {} {}",
        visible(place.facet, style),
        is(&place.entry.value_or_threshold),
        visible(&place.section.label, style),
        is(&place.section.label_value_or_threshold)
    )
}

fn push_metrics(text: &mut String, findings: &Findings<'_>, place: &Place<'_>, style: &Style) {
    let columns = [
        Column::text("metric"),
        Column::text("name").cut(Cut::End(SHORTEST_DESCRIPTION)).leaves(0),
        Column::number("value"),
        Column::number("95% interval").leaves(1),
        Column::number("baseline").leaves(2),
        Column::text("verdict"),
        Column::text("why there is no value").cut(Cut::End(12)),
    ];
    let rows: Vec<Row> = place.entry.metrics.iter().map(|metric| row(findings, place, metric, style)).collect();
    let table = lay_out(&columns, &rows, style);
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
    push_cut_reasons(text, &place.entry.metrics, &table.text, style);
}

/// Why there are no values, below a table that had no room to say it in full; metrics with the same reason together.
fn push_cut_reasons(text: &mut String, metrics: &[BiasMetric], table: &str, style: &Style) {
    let mut reasons: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    for metric in metrics {
        let Some(reason) = metric.error.as_ref().map(|error| visible(error, style)) else { continue };
        if table.contains(&*reason) {
            continue;
        }
        let name = visible(&metric.name, style);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    for (reason, names) in reasons {
        push_wrapped(text, &format!("no {}: {reason}", names.join(", ")), 0, style);
    }
}

fn row(findings: &Findings<'_>, place: &Place<'_>, metric: &BiasMetric, style: &Style) -> Row {
    let name = (place.facet, place.entry.value_or_threshold.as_str(), metric.name.as_str());
    let is_violated = findings.violated.as_ref().is_some_and(|violated| violated.contains(&name));
    let baseline = place.in_baseline(metric);
    let verdict = match (&findings.violated, metric.value, baseline) {
        (Some(_), Some(_), Some(_)) if is_violated => Cell::new("violation").paint(paints::BAD),
        (Some(_), Some(_), Some(_)) => Cell::new("ok").paint(paints::GOOD),
        _ => Cell::default(),
    };
    // A difference in digits that are not shown would look like none.
    let looks_equal = metric.value.zip(baseline).is_some_and(|(value, baseline)| figure(value) == figure(baseline));
    let figure = |value: f64| if is_violated && looks_equal { python_float(value) } else { figure(value) };
    let value = Cell::from(metric.value.map(figure));
    let deviation = findings.spreads.get(&(place.is_post_training, name)).copied();
    let interval = metric.value.filter(|value| value.is_finite()).zip(deviation).map(|(value, deviation)| {
        format!("{} to {}", number(value - DEVIATIONS * deviation), number(value + DEVIATIONS * deviation))
    });
    let description = metric.description.strip_suffix(&format!(" ({})", metric.name)).unwrap_or(&metric.description);
    let cells = vec![
        Cell::of_document(&metric.name, style),
        Cell::of_document(description, style).paint(paints::QUIET),
        if is_violated { value.paint(paints::BAD) } else { value },
        Cell::from(interval).paint(paints::QUIET),
        Cell::from(baseline.map(figure)),
        verdict,
        Cell::from(metric.error.as_ref().map(|error| visible(error, style))).paint(paints::NOTICE),
    ];
    Row { cells, below: Vec::new() }
}

/// A number; infinite ones by the name that the document has.
fn figure(value: f64) -> String {
    match value {
        f64::INFINITY => "Infinity".to_owned(),
        f64::NEG_INFINITY => "-Infinity".to_owned(),
        value => number(value),
    }
}
