//! The metrics, from counts (sections 3.2 to 3.5).

use watchkeeper_formats::clarify::{PostTrainingMetric, PreTrainingMetric};

use super::counts::{Counts, Outcomes, Sides, Stage};

/// The library's words for why a metric has no value.
pub(super) type MetricError = &'static str;

const NO_GROUP: MetricError = "Group variable is empty or not provided";
const NO_POSITIVE: MetricError = "No positive labels in set";
const NO_NEGATIVE: MetricError = "No negative labels in set";
const NO_COMMON_OUTCOME: MetricError = "No instance of common facet found, dataset may be too small";
const ALL_FALSE_NEGATIVES: MetricError =
    "All predicted labels are false negatives. There should be at least one prediction that is not false negative.";

/// The texts of a metric for an empty facet, and for an empty complement.
pub(super) type EmptySides = (MetricError, MetricError);

const OF_IMBALANCE: EmptySides = (
    "CI: facet set is empty. Check that x[facet] has non-zero length.",
    "CI: negated facet set is empty. Check that x[~facet] has non-zero length.",
);
const OF_PROPORTIONS: EmptySides = ("Facet set is empty.", "Negative facet set is empty.");
const OF_IMPACT: EmptySides = ("Facet set is empty", "Negated facet set is empty");
const OF_OUTCOMES: EmptySides = ("DCO: Facet set is empty", "DCO: Negated Facet set is empty");
const OF_RATES: EmptySides = ("DLR: Facet set is empty", "DLR: Negated Facet set is empty");
const OF_ACCURACIES: EmptySides = ("DLA: Facet set is empty", "DLA: Negated Facet set is empty");
pub(super) const OF_OTHERS: EmptySides = ("Facet set is empty", "Negated Facet set is empty");

/// A metric of the observed labels.
pub(super) fn pre_training(metric: PreTrainingMetric, sides: &Sides<'_>) -> Result<f64, MetricError> {
    match metric {
        PreTrainingMetric::Cddl => conditional_disparity(sides, Stage::Observed),
        PreTrainingMetric::Ci => {
            let (facet, complement) = both(sides, OF_IMBALANCE)?;
            let (facet, complement) = (facet.rows() as f64, complement.rows() as f64);
            Ok((complement - facet) / (complement + facet))
        }
        PreTrainingMetric::Dpl => difference_of_proportions(sides, Stage::Observed),
        PreTrainingMetric::Js => Ok(common_outcomes(sides)?
            .map(|(complement, facet)| {
                let mean = 0.5 * (complement + facet);
                0.5 * (complement * (complement / mean).ln() + facet * (facet / mean).ln())
            })
            .sum()),
        PreTrainingMetric::Kl => {
            Ok(common_outcomes(sides)?.map(|(complement, facet)| complement * (complement / facet).ln()).sum())
        }
        PreTrainingMetric::Ks => Ok(distances(sides)?.fold(0.0, f64::max)),
        PreTrainingMetric::Lp => Ok(distances(sides)?.map(|distance| distance * distance).sum::<f64>().sqrt()),
        PreTrainingMetric::Tvd => Ok(0.5 * distances(sides)?.sum::<f64>()),
    }
}

/// A metric of the predictions; `flip_test` is that metric, which does not follow from counts.
pub(super) fn post_training(
    metric: PostTrainingMetric,
    sides: &Sides<'_>,
    flip_test: Result<f64, MetricError>,
) -> Result<f64, MetricError> {
    use Stage::{Observed, Predicted};
    // Quotients of a side's counts, complement less facet. Those that are defined the other way round are negated there.
    let between = |texts: EmptySides, quotient: fn(Outcomes) -> f64| {
        let (facet, complement) = both(sides, texts)?;
        Ok(difference(quotient(complement), quotient(facet)))
    };
    match metric {
        PostTrainingMetric::Ad => {
            between(OF_OTHERS, |side| quotient(side.true_positives + side.true_negatives, side.rows()))
        }
        PostTrainingMetric::Cddpl => conditional_disparity(sides, Predicted),
        PostTrainingMetric::Dar => between(OF_RATES, |side| quotient(side.true_positives, side.positives(Predicted))),
        PostTrainingMetric::Dca => {
            between(OF_OUTCOMES, |side| quotient(side.positives(Observed), side.positives(Predicted)))
        }
        PostTrainingMetric::Dcr => {
            between(OF_OUTCOMES, |side| quotient(side.negatives(Observed), side.negatives(Predicted))).map(negated)
        }
        PostTrainingMetric::Di => {
            let (facet, complement) = both(sides, OF_IMPACT)?;
            let share = |side: Outcomes| quotient(side.positives(Predicted), side.rows());
            Ok(divide(share(facet), share(complement)))
        }
        PostTrainingMetric::Dppl => difference_of_proportions(sides, Predicted),
        PostTrainingMetric::Drr => {
            between(OF_RATES, |side| quotient(side.true_negatives, side.negatives(Predicted))).map(negated)
        }
        PostTrainingMetric::Ft => flip_test,
        PostTrainingMetric::Ge => generalized_entropy(sides.counts().all()),
        PostTrainingMetric::Rd => {
            between(OF_ACCURACIES, |side| quotient(side.true_positives, side.positives(Observed)))
        }
        PostTrainingMetric::Sd => {
            between(OF_ACCURACIES, |side| quotient(side.true_negatives, side.negatives(Observed))).map(negated)
        }
        PostTrainingMetric::Te => {
            between(OF_OTHERS, |side| quotient(side.false_negatives, side.false_positives)).map(negated)
        }
    }
}

/// The facet and its complement, neither of which is empty.
pub(super) fn both(sides: &Sides<'_>, texts: EmptySides) -> Result<(Outcomes, Outcomes), MetricError> {
    if sides.facet.rows() == 0 {
        return Err(texts.0);
    }
    if sides.complement.rows() == 0 {
        return Err(texts.1);
    }
    Ok((sides.facet, sides.complement))
}

/// Of nothing it is nothing, of something by nothing infinite.
fn divide(dividend: f64, divisor: f64) -> f64 {
    if divisor != 0.0 {
        dividend / divisor
    } else if dividend == 0.0 {
        0.0
    } else {
        f64::INFINITY.copysign(dividend)
    }
}

fn quotient(part: u64, whole: u64) -> f64 {
    divide(part as f64, whole as f64)
}

/// That of two equal infinities is 0, as of all that is equal.
fn difference(minuend: f64, subtrahend: f64) -> f64 {
    #[allow(clippy::float_cmp)] // equal infinities are meant
    if minuend == subtrahend { 0.0 } else { minuend - subtrahend }
}

/// Zero stays positive.
fn negated(value: f64) -> f64 {
    0.0 - value
}

fn difference_of_proportions(sides: &Sides<'_>, stage: Stage) -> Result<f64, MetricError> {
    let (facet, complement) = both(sides, OF_PROPORTIONS)?;
    Ok(quotient(complement.positives(stage), complement.rows()) - quotient(facet.positives(stage), facet.rows()))
}

fn conditional_disparity(sides: &Sides<'_>, stage: Stage) -> Result<f64, MetricError> {
    let counts: &Counts = sides.counts();
    if !counts.has_groups() {
        return Err(NO_GROUP);
    }
    if counts.all().positives(stage) == 0 {
        return Err(NO_POSITIVE);
    }
    if counts.all().negatives(stage) == 0 {
        return Err(NO_NEGATIVE);
    }
    Ok(sides.conditional_disparity(stage))
}

/// The probabilities of an observed outcome in the complement and in the facet, of those outcomes that both have.
fn common_outcomes(sides: &Sides<'_>) -> Result<impl Iterator<Item = (f64, f64)> + use<>, MetricError> {
    let shares = |count: fn(Outcomes, Stage) -> u64| {
        let share = |side: Outcomes| quotient(count(side, Stage::Observed), side.rows());
        (share(sides.complement), share(sides.facet))
    };
    let outcomes = [shares(Outcomes::negatives), shares(Outcomes::positives)];
    let is_common = |(complement, facet): &(f64, f64)| *complement > 0.0 && *facet > 0.0;
    if !outcomes.iter().any(is_common) {
        return Err(NO_COMMON_OUTCOME);
    }
    Ok(outcomes.into_iter().filter(is_common))
}

fn distances(sides: &Sides<'_>) -> Result<impl Iterator<Item = f64> + use<>, MetricError> {
    Ok(common_outcomes(sides)?.map(|(complement, facet)| (complement - facet).abs()))
}

/// With alpha 2. The benefit of a row is 0 for a false negative, 2 for a false positive and 1 for all others.
fn generalized_entropy(all: Outcomes) -> Result<f64, MetricError> {
    let right = all.true_negatives + all.true_positives;
    let benefits = (right + 2 * all.false_positives) as f64;
    let squares = (right + 4 * all.false_positives) as f64;
    if benefits == 0.0 {
        return Err(ALL_FALSE_NEGATIVES);
    }
    Ok(0.5 * (all.rows() as f64 * squares / (benefits * benefits) - 1.0))
}
