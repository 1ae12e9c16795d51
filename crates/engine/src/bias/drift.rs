//! Whether a metric is further from zero than its baseline's (section 6.1).

use std::collections::HashMap;

use statrs::distribution::{ContinuousCDF as _, Normal};
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, BiasViolation, FacetMetrics};

use super::MetricSpread;
use super::interval::EntryKey;

/// What was found about metrics that both sides have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DriftedMetric {
    /// The violations, post-training first.
    pub violations: Vec<BiasViolation>,
    /// Entries that the baseline does not have, in sentences for the log.
    pub notes: Vec<String>,
}

/// Compares. With a `level` the interval of a metric (by its bootstrap's spread) must be disjoint from the allowed range,
/// else the value itself decides; it does so too for a metric without a spread.
pub fn drift(live: &Analysis, baseline: &Analysis, interval: Option<(f64, &[MetricSpread])>) -> DriftedMetric {
    let mut drifted = DriftedMetric::default();
    let stages = [
        (true, &live.post_training_bias, &baseline.post_training_bias),
        (false, &live.pre_training_bias, &baseline.pre_training_bias),
    ];
    for (is_post_training, live, baseline) in stages {
        let Some(live) = live else { continue };
        let stage = if is_post_training { "post-training" } else { "pre-training" };
        let Some(baseline) = baseline else {
            drifted
                .notes
                .push(format!("The baseline has no {stage} bias metrics, those of this analysis are not checked"));
            continue;
        };
        let half_widths = interval.map(|(level, spreads)| HalfWidths::new(level, is_post_training, spreads));
        for (facet, entries) in &live.facets {
            for entry in entries {
                let value = &entry.value_or_threshold;
                let Some(before) = counterpart(baseline, facet, value) else {
                    drifted.notes.push(format!(
                        "The baseline's {stage} bias metrics have no entry {value} of facet {facet}, it is not checked"
                    ));
                    continue;
                };
                let half_width = |metric: &str| half_widths.as_ref()?.of(facet, value, metric);
                let further = further_from_zero(entry, before, half_width);
                drifted.violations.extend(
                    further.map(|(metric, live, baseline)| BiasViolation::new(facet, value, metric, live, baseline)),
                );
            }
        }
    }
    drifted
}

/// The entry of a baseline that an entry of a facet is compared with, by its `value_or_threshold`: that of the same text, else of
/// the same number, else the interval with the same lower end.
pub fn counterpart<'a>(baseline: &'a BiasSection, facet: &str, value_or_threshold: &str) -> Option<&'a FacetMetrics> {
    let (_, entries) = baseline.facets.iter().find(|(name, _)| name == facet)?;
    let key = EntryKey::of(value_or_threshold);
    let is_same_text = |other: &&FacetMetrics| other.value_or_threshold == value_or_threshold;
    let is_same = |other: &&FacetMetrics| EntryKey::of(&other.value_or_threshold) == key;
    entries.iter().find(is_same_text).or_else(|| entries.iter().find(is_same))
}

/// Metrics of an entry, with their values now and before.
fn further_from_zero<'a>(
    live: &'a FacetMetrics,
    baseline: &'a FacetMetrics,
    half_width: impl Fn(&str) -> Option<f64>,
) -> impl Iterator<Item = (&'a str, f64, f64)> {
    let before = |name: &str| baseline.metrics.iter().find(|metric| metric.name == name)?.value;
    live.metrics.iter().filter_map(move |BiasMetric { name, value, .. }| {
        let (value, before) = ((*value)?, before(name)?);
        // The nearest to zero that the interval reaches; an infinite value has none.
        let nearest = value.abs() - half_width(name).unwrap_or(0.0);
        (nearest > before.abs()).then_some((name.as_str(), value, before))
    })
}

/// Half the widths of normal bootstrap intervals.
struct HalfWidths<'a> {
    /// Standard deviations on each side.
    deviations: f64,
    /// By facet, entry and metric.
    spreads: HashMap<(&'a str, &'a str, &'a str), f64>,
}

impl<'a> HalfWidths<'a> {
    fn new(level: f64, is_post_training: bool, spreads: &'a [MetricSpread]) -> Self {
        let deviations = Normal::standard().inverse_cdf(f64::midpoint(1.0, level.clamp(0.0, 1.0)));
        let of_stage = spreads.iter().filter(|spread| spread.is_post_training == is_post_training);
        let keyed = of_stage.filter_map(|spread| {
            let key = (spread.facet.as_str(), spread.value_or_threshold.as_str(), spread.metric.as_str());
            Some((key, spread.standard_deviation?))
        });
        Self { deviations, spreads: keyed.collect() }
    }

    fn of(&self, facet: &str, value_or_threshold: &str, metric: &str) -> Option<f64> {
        Some(self.deviations * self.spreads.get(&(facet, value_or_threshold, metric))?)
    }
}
