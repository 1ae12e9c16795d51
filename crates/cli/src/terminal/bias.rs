//! Bias metrics in a terminal: a table for each sensitive group, labels and predictions apart.

use std::borrow::Cow;

use watchkeeper_engine::bias::counterpart;
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

/// A section of a document, and what it is about.
type Stage<'a> = (&'static str, bool, Option<&'a BiasSection>);

fn stages(analysis: &Analysis) -> [Stage<'_>; 2] {
    [
        ("predictions", true, analysis.post_training_bias.as_ref()),
        ("labels", false, analysis.pre_training_bias.as_ref()),
    ]
}

pub(super) fn push_sections(text: &mut String, view: &ClarifyView<'_>, style: &Style) {
    for (about, is_post_training, section) in stages(view.analysis) {
        let Some(section) = section else { continue };
        for (facet, entries) in &section.facets {
            for entry in entries {
                text.push('\n');
                let place = Place { facet, entry, is_post_training };
                push_headline(text, &title(about, section, &place, style), paints::TITLE, style);
                push_metrics(text, view, &place, style);
            }
        }
    }
}

/// Whether a metric of the analysis is in the baseline too.
pub(super) fn is_anything_judged(analysis: &Analysis, baseline: &Analysis) -> bool {
    stages(analysis).into_iter().any(|(_, is_post_training, section)| {
        section.into_iter().flat_map(|section| &section.facets).any(|(facet, entries)| {
            entries.iter().any(|entry| {
                let place = Place { facet, entry, is_post_training };
                entry
                    .metrics
                    .iter()
                    .any(|metric| metric.value.is_some() && place.in_baseline(baseline, metric).is_some())
            })
        })
    })
}

/// Where a metric stands.
struct Place<'a> {
    facet: &'a str,
    entry: &'a FacetMetrics,
    is_post_training: bool,
}

impl Place<'_> {
    /// The value of a baseline's metric that a metric here is judged by.
    fn in_baseline(&self, baseline: &Analysis, metric: &BiasMetric) -> Option<f64> {
        let section = if self.is_post_training { &baseline.post_training_bias } else { &baseline.pre_training_bias };
        let entry = counterpart(section.as_ref()?, self.facet, &self.entry.value_or_threshold)?;
        entry.metrics.iter().find(|other| other.name == metric.name)?.value
    }
}

/// Whether a text is like `(100, 225]`.
fn is_interval(text: &str) -> bool {
    let ends = text.strip_prefix('(').and_then(|text| text.strip_suffix(']')).and_then(|text| text.split_once(", "));
    ends.is_some_and(|(lower, upper)| lower.parse::<f64>().is_ok() && upper.parse::<f64>().is_ok())
}

/// `Sex = 0 against all others, in predictions of Target = 1`.
fn title(about: &str, section: &BiasSection, place: &Place<'_>, style: &Style) -> String {
    let is = |text: &str| {
        let relation = if is_interval(text) { "in" } else { "=" };
        format!("{relation} {}", visible(text, style))
    };
    format!(
        "{} {} against all others, in {about} of {} {}",
        visible(place.facet, style),
        is(&place.entry.value_or_threshold),
        visible(&section.label, style),
        is(&section.label_value_or_threshold)
    )
}

fn push_metrics(text: &mut String, view: &ClarifyView<'_>, place: &Place<'_>, style: &Style) {
    let columns = [
        Column::text("metric"),
        Column::text("name").cut(Cut::End(SHORTEST_DESCRIPTION)).leaves(0),
        Column::number("value"),
        Column::number("95% interval").leaves(1),
        Column::number("baseline").leaves(2),
        Column::text("verdict"),
        Column::text("why there is no value").cut(Cut::End(12)),
    ];
    let rows: Vec<Row> = place.entry.metrics.iter().map(|metric| row(view, place, metric, style)).collect();
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

fn row(view: &ClarifyView<'_>, place: &Place<'_>, metric: &BiasMetric, style: &Style) -> Row {
    let is_violated = view.violations.unwrap_or_default().iter().any(|violation| {
        matches!(violation, ClarifyViolation::Bias(found) if found.facet == place.facet
            && found.facet_value == place.entry.value_or_threshold && found.metric_name == metric.name)
    });
    let baseline = view.baseline.and_then(|baseline| place.in_baseline(baseline, metric));
    let verdict = match (view.violations, metric.value, baseline) {
        (Some(_), Some(_), Some(_)) if is_violated => Cell::new("violation").paint(paints::BAD),
        (Some(_), Some(_), Some(_)) => Cell::new("ok").paint(paints::GOOD),
        _ => Cell::default(),
    };
    // A difference in digits that are not shown would look like none.
    let looks_equal = metric.value.zip(baseline).is_some_and(|(value, baseline)| figure(value) == figure(baseline));
    let figure = |value: f64| if is_violated && looks_equal { python_float(value) } else { figure(value) };
    let value = Cell::from(metric.value.map(figure));
    let spread = view.spreads.iter().find(|spread| {
        spread.is_post_training == place.is_post_training
            && spread.facet == place.facet
            && spread.value_or_threshold == place.entry.value_or_threshold
            && spread.metric == metric.name
    });
    let deviation = spread.and_then(|spread| spread.standard_deviation);
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
