//! Judging an analysis by a baseline.

use watchkeeper_engine::bias::{MetricSpread, drift};
use watchkeeper_engine::shap::attribution_drift;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation};

/// By what an analysis is judged.
pub(super) struct Baseline<'a> {
    pub(super) analysis: &'a Analysis,
    /// Level of the interval that a bias metric must leave; None: the value itself decides.
    pub(super) bias_interval: Option<f64>,
    /// Below it an order of features has drifted.
    pub(super) ndcg_threshold: f64,
}

/// The violations, bias before attributions, and sentences for the log.
pub(super) fn check(
    live: &Analysis,
    baseline: &Baseline<'_>,
    spreads: &[MetricSpread],
) -> (Vec<ClarifyViolation>, Vec<String>) {
    let interval = baseline.bias_interval.map(|level| (level, spreads));
    let drifted = drift(live, baseline.analysis, interval);
    let (attributions, notes) = attribution_drift(live, baseline.analysis, baseline.ndcg_threshold);
    // Nobody who asked for bias alone looks for it.
    let notes = notes.into_iter().filter(|_| live.explanations.is_some());
    let bias = drifted.violations.into_iter().map(ClarifyViolation::Bias);
    let violations = bias.chain(attributions.into_iter().map(ClarifyViolation::Attribution));
    (violations.collect(), drifted.notes.into_iter().chain(notes).collect())
}
