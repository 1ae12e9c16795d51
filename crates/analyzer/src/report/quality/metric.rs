//! Metrics as people read them: what they are called, what they say, and which way is worse.

use watchkeeper_formats::{ComparisonOperator, Metric, ModelQualityMetrics, ProblemType};

/// What the names of metrics of the best constant classifier end with.
const BEST_CONSTANT: &str = "_best_constant_classifier";

/// What a metric is called, and what it says in a few words.
const NAMES: &[(&str, &str, &str)] = &[
    ("mae", "MAE", "mean distance between truth and prediction"),
    ("mse", "MSE", "mean squared distance"),
    ("rmse", "RMSE", "root of the MSE, in the unit of the label"),
    ("r2", "R²", "share of the truth’s variance explained"),
    ("recall", "Recall", "of the true 1, predicted 1"),
    ("precision", "Precision", "of the predicted 1, truly 1"),
    ("accuracy", "Accuracy", "of all rows, predicted right"),
    ("true_positive_rate", "True positive rate", "of the true 1, predicted 1"),
    ("true_negative_rate", "True negative rate", "of the true 0, predicted 0"),
    ("false_positive_rate", "False positive rate", "of the true 0, predicted 1"),
    ("false_negative_rate", "False negative rate", "of the true 1, predicted 0"),
    ("auc", "AUC", "chance that a true 1 scores above a true 0"),
    ("f0_5", "F0.5", "precision and recall, precision first"),
    ("f1", "F1", "precision and recall in one"),
    ("f2", "F2", "precision and recall, recall first"),
    ("weighted_recall", "Weighted recall", "recall of the classes, by their rows"),
    ("weighted_precision", "Weighted precision", "precision of the classes, by their rows"),
    ("weighted_f0_5", "Weighted F0.5", "F0.5 of the classes, by their rows"),
    ("weighted_f1", "Weighted F1", "F1 of the classes, by their rows"),
    ("weighted_f2", "Weighted F2", "F2 of the classes, by their rows"),
];

/// What a metric is called.
pub(super) fn label(metric: &str) -> String {
    NAMES.iter().find(|(name, ..)| *name == metric).map_or_else(|| metric.replace('_', " "), |it| it.1.to_owned())
}

/// What a metric says.
pub(super) fn meaning(metric: &str) -> &'static str {
    NAMES.iter().find(|(name, ..)| *name == metric).map_or("", |it| it.2)
}

/// What a problem type is called.
pub(super) fn problem(problem_type: ProblemType) -> &'static str {
    match problem_type {
        ProblemType::Regression => "regression",
        ProblemType::BinaryClassification => "binary classification, 1 is the positive class",
        ProblemType::MulticlassClassification => "multiclass classification",
    }
}

/// The metrics of the model, without those of the best constant classifier.
pub(super) fn of_model(metrics: &ModelQualityMetrics) -> Vec<(&'static str, Metric)> {
    metrics.scalars().into_iter().filter(|(name, _)| !name.ends_with(BEST_CONSTANT)).collect()
}

/// A metric by its name.
pub(super) fn find(metrics: &ModelQualityMetrics, name: &str) -> Option<Metric> {
    metrics.scalars().into_iter().find(|(own, _)| *own == name).map(|(_, metric)| metric)
}

/// The same metric of the classifier that always answers the most frequent class.
pub(super) fn best_constant(metrics: &ModelQualityMetrics, name: &str) -> Option<Metric> {
    find(metrics, &format!("{name}{BEST_CONSTANT}"))
}

/// What a metric is held against, and which side of it is worse.
#[derive(Clone, Copy)]
pub(super) struct Reference {
    pub(super) value: f64,
    pub(super) is_lower_worse: bool,
    /// A limit; otherwise the baseline's value, which nothing was demanded of.
    pub(super) is_limit: bool,
}

impl Reference {
    pub(super) fn limit(operator: ComparisonOperator, threshold: f64) -> Self {
        Self { value: threshold, is_lower_worse: is_lower_worse(operator), is_limit: true }
    }

    pub(super) fn baseline(problem_type: ProblemType, name: &str, value: f64) -> Self {
        let operator = ComparisonOperator::usual(problem_type, name).unwrap_or(ComparisonOperator::LessThanThreshold);
        Self { value, is_lower_worse: is_lower_worse(operator), is_limit: false }
    }

    /// How much worse a value is; negative where it is better.
    pub(super) fn shortfall(self, value: f64) -> f64 {
        if self.is_lower_worse { self.value - value } else { value - self.value }
    }
}

fn is_lower_worse(operator: ComparisonOperator) -> bool {
    match operator {
        ComparisonOperator::LessThanThreshold | ComparisonOperator::LessThanOrEqualToThreshold => true,
        ComparisonOperator::GreaterThanThreshold | ComparisonOperator::GreaterThanOrEqualToThreshold => false,
    }
}

/// The unit in which distances from a reference are drawn, so that those of all metrics of a problem type share an axis: shares as
/// they are, errors of a regression as multiples of the reference. None where there is no multiple.
pub(super) fn unit(name: &str, reference: f64) -> Option<f64> {
    if !is_error(name) {
        return Some(1.0);
    }
    (reference > 0.0 && reference.is_finite()).then_some(reference)
}

/// Errors of a regression: from 0 up, without an upper end.
pub(super) fn is_error(name: &str) -> bool {
    matches!(name, "mae" | "mse" | "rmse")
}

/// How far a value has gone from its reference (0) to the worst possible value (1). The unbounded ones compare errors: what part of
/// the current error is beyond the allowed one; for `r2` the error is the share that is not explained.
pub(super) fn severity(name: &str, reference: Reference, value: f64) -> f64 {
    let beyond = |allowed: f64, error: f64| if error > 0.0 { 1.0 - allowed / error } else { 0.0 };
    let severity = match name {
        _ if is_error(name) => beyond(reference.value, value),
        "r2" => beyond(1.0 - reference.value, 1.0 - value),
        _ => {
            let room = if reference.is_lower_worse { reference.value } else { 1.0 - reference.value };
            let shortfall = reference.shortfall(value);
            if room > 0.0 { shortfall / room } else { shortfall.signum() }
        }
    };
    if severity.is_nan() { 0.0 } else { severity.clamp(-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_goes_from_the_limit_to_the_worst_value() {
        let at_least = |value| Reference { value, is_lower_worse: true, is_limit: true };
        let at_most = |value| Reference { value, is_lower_worse: false, is_limit: true };
        assert!((severity("recall", at_least(0.8), 0.8)).abs() < 1e-15);
        assert!((severity("recall", at_least(0.8), 0.0) - 1.0).abs() < 1e-15);
        assert!((severity("false_positive_rate", at_most(0.0), 1.0) - 1.0).abs() < 1e-15);
        assert!((severity("mse", at_most(2.0), 4.0) - severity("r2", at_least(0.8), 0.6)).abs() < 1e-12);
    }
}
