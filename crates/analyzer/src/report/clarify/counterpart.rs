//! What in a baseline belongs to a part of an analysis, by the rules of the drift check.

use watchkeeper_engine::shap::ndcg;
use watchkeeper_formats::clarify::{Analysis, BiasMetric, BiasSection, FacetMetrics, LabelAttributions};

/// The section of predictions, or that of labels.
pub(super) fn section(analysis: &Analysis, is_post_training: bool) -> Option<&BiasSection> {
    if is_post_training { analysis.post_training_bias.as_ref() } else { analysis.pre_training_bias.as_ref() }
}

/// Whether a text is like `(100, 225]`.
pub(super) fn is_interval(text: &str) -> bool {
    let ends = text.strip_prefix('(').and_then(|text| text.strip_suffix(']')).and_then(|text| text.split_once(", "));
    ends.is_some_and(|(lower, upper)| lower.parse::<f64>().is_ok() && upper.parse::<f64>().is_ok())
}

pub(super) fn metric<'a>(entry: &'a FacetMetrics, name: &str) -> Option<&'a BiasMetric> {
    entry.metrics.iter().find(|metric| metric.name == name)
}

/// The labels of an analysis with their attributions; none where there are no SHAP values.
pub(super) fn labels(analysis: &Analysis) -> &[(String, LabelAttributions)] {
    analysis.explanations.as_ref().and_then(|it| it.kernel_shap.as_deref()).unwrap_or_default()
}

/// The baseline's label of the same name; two labels that are the only ones of their side belong together.
pub(super) fn label<'a>(
    name: &str,
    live: &[(String, LabelAttributions)],
    baseline: &'a [(String, LabelAttributions)],
) -> Option<&'a LabelAttributions> {
    let same = baseline.iter().find(|(other, _)| other == name);
    let only = || baseline.first().filter(|_| live.len() == 1 && baseline.len() == 1);
    same.or_else(only).map(|(_, attributions)| attributions)
}

/// How much of the baseline's order of features is kept.
pub(super) fn agreement(live: &LabelAttributions, baseline: &LabelAttributions) -> f64 {
    let value_now = |name: &str| live.global_shap_values.iter().find(|(other, _)| other == name).map(|(_, it)| *it);
    let pairs: Vec<(f64, f64)> =
        baseline.global_shap_values.iter().map(|(name, value)| (*value, value_now(name).unwrap_or(0.0))).collect();
    ndcg(&pairs)
}
