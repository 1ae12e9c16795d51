//! Metrics against thresholds (section 4.3).

use watchkeeper_formats::{
    ComparisonOperator, MetricConstraint, MetricViolation, ModelQualityConstraints, ModelQualityMetrics,
};

/// The violations in the order of the specification, and sentences about constraints that could not be evaluated.
///
/// A value that equals its threshold is no violation, and the spread plays no part.
pub fn judge(
    metrics: &ModelQualityMetrics,
    constraints: &ModelQualityConstraints,
) -> (Vec<MetricViolation>, Vec<String>) {
    let scalars = metrics.scalars();
    let mut violations = Vec::new();
    let mut notes = Vec::new();
    for constraint in in_order(constraints) {
        let metric = constraint.metric.as_str();
        let mut skip = |reason: &str| notes.push(format!("the constraint on {metric} is not evaluated: {reason}"));
        let Some(threshold) = constraint.threshold else {
            skip("it has no threshold");
            continue;
        };
        let Some((_, measured)) = scalars.iter().find(|(name, _)| *name == metric) else {
            skip("this run has no such metric");
            continue;
        };
        if !measured.value.is_finite() {
            skip("the metric has no finite value in this run");
            continue;
        }
        let operator = constraint.comparison_operator;
        if operator.is_violated(measured.value, threshold) {
            violations.push(MetricViolation::new(metric, *measured, operator, threshold));
        }
    }
    (violations, notes)
}

/// Constraints on the usual metrics in the order of these, and then others in the order of the file.
fn in_order(constraints: &ModelQualityConstraints) -> Vec<&MetricConstraint> {
    let usual: Vec<&str> = ComparisonOperator::usual_metrics(constraints.problem_type).collect();
    let place = |constraint: &&MetricConstraint| {
        usual.iter().position(|metric| *metric == constraint.metric).unwrap_or(usual.len())
    };
    let mut ordered: Vec<&MetricConstraint> = constraints.constraints.iter().collect();
    ordered.sort_by_key(place);
    ordered
}
