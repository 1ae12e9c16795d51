//! What each bias metric means, in a sentence. "The group" is the sensitive one, "the others" are all other rows.

/// The sentence under a metric's name.
pub(super) fn meaning(name: &str) -> &'static str {
    match name {
        "AD" => "Accuracy of the others minus that of the group",
        "CDDL" => {
            "The group's share of all negative labels minus its share of the positive ones, averaged over the groups of the \
             condition"
        }
        "CDDPL" => {
            "The group's share of all negative predictions minus its share of the positive ones, averaged over the groups of \
             the condition"
        }
        "CI" => "How many more rows are of the others than of the group, of all rows",
        "DAR" => "Share of positive predictions that are right, others minus group",
        "DCA" => "Positive labels for each positive prediction, others minus group",
        "DCR" => "Negative labels for each negative prediction, group minus others",
        "DI" => "Share of positive predictions in the group divided by that of the others; 1 is parity",
        "DPL" => "Share of positive labels, others minus group",
        "DPPL" => "Share of positive predictions, others minus group",
        "DRR" => "Share of negative predictions that are right, group minus others",
        "FT" => {
            "Of the group: predicted positive where the most similar others are predicted negative, minus the reverse"
        }
        "GE" => "How unequally predictions treat all rows, against their labels; it does not depend on the group",
        "JS" => "How far the labels of group and others are from their average",
        "KL" => "How far the labels of the others are from those of the group, in nats",
        "KS" => "Largest difference of the shares of a label between group and others",
        "LP" => "Euclidean distance of the shares of labels between group and others",
        "RD" => "Share of positive labels that are predicted so, others minus group",
        "SD" => "Share of negative labels that are predicted so, group minus others",
        "TE" => "False negatives for each false positive, group minus others",
        "TVD" => "Half the sum of the differences of the shares of labels",
        _ => "",
    }
}

/// The value at which group and others are alike.
pub(super) fn parity(name: &str) -> f64 {
    if name == "DI" { 1.0 } else { 0.0 }
}

/// How far a metric has gone from its baseline (0) to the worst possible distance from zero (1); where there is no worst one, what
/// part of the distance is beyond the baseline's.
pub(super) fn severity(name: &str, value: f64, baseline: f64) -> f64 {
    let (value, baseline) = (value.abs(), baseline.abs());
    let severity = match name {
        "KL" | "DCA" | "DCR" | "DI" | "GE" | "TE" if value.is_infinite() => 1.0,
        "KL" | "DCA" | "DCR" | "DI" | "GE" | "TE" => 1.0 - baseline / value,
        _ => (value - baseline) / (worst(name) - baseline),
    };
    if severity.is_nan() { 0.0 } else { severity.clamp(0.0, 1.0) }
}

/// The largest distance from zero of a metric that has one.
fn worst(name: &str) -> f64 {
    match name {
        "JS" => std::f64::consts::LN_2,
        "LP" => std::f64::consts::SQRT_2,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_goes_from_the_baseline_to_the_worst_value() {
        assert!(severity("DPL", -0.2, 0.2).abs() < 1e-15);
        assert!((severity("DPL", -1.0, 0.2) - 1.0).abs() < 1e-15);
        assert!((severity("LP", std::f64::consts::SQRT_2, 0.1) - 1.0).abs() < 1e-15);
        assert!((severity("DI", 2.0, 0.5) - 0.75).abs() < 1e-15);
        assert!((severity("TE", f64::NEG_INFINITY, f64::MAX) - 1.0).abs() < 1e-15);
    }
}
