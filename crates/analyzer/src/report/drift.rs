//! Where a drift distance comes from, in figures and in words.

use watchkeeper_engine::profile::{Distance, DriftComparison, DriftMethod, DriftOutcome, DriftSkip};
use watchkeeper_engine::sketch::Ranks;
use watchkeeper_formats::{ComparisonMethod, DriftRule};

use super::categories::{LargestChange, largest_change};
use super::distribution::{Gap, ranks};
use super::figures::{Figure, Prose};
use super::pairs::Pair;

/// Difference of two distribution functions that can be seen in a chart.
const VISIBLE: f64 = 0.02;

/// The distance of one feature, taken apart.
pub(super) struct Explanation<'a> {
    /// The rule in force first. Without a comparison there is the exact rule alone.
    pub(super) numeric: Vec<ByRule>,
    pub(super) category: Option<LargestChange<'a>>,
}

/// The numeric distance by one rule.
pub(super) struct ByRule {
    pub(super) rule: DriftRule,
    pub(super) baseline: Ranks,
    pub(super) current: Ranks,
    pub(super) gap: Gap,
    /// What chance explains of the gap; only for `Robust`.
    pub(super) allowance: Option<f64>,
    /// `None` where nothing was compared.
    pub(super) distance: Option<Distance>,
}

impl<'a> Explanation<'a> {
    pub(super) fn new(pair: &Pair<'a>) -> Self {
        let (baseline, current) = pair.texts();
        Self { numeric: numeric(pair), category: largest_change(baseline, current) }
    }

    /// What the distributions look like by a rule, if that is known.
    pub(super) fn by(&self, rule: DriftRule) -> Option<&ByRule> {
        self.numeric.iter().find(|by_rule| by_rule.rule == rule)
    }

    /// The rules whose curves deserve a chart: that in force, and the other one where it looks or judges differently.
    pub(super) fn charted(&self, rules_disagree: bool) -> &[ByRule] {
        match self.numeric.as_slice() {
            [in_force, other] => {
                let differs = |one: &Ranks, other: &Ranks| Gap::between(one, other).size() > VISIBLE;
                let both = rules_disagree
                    || differs(&in_force.baseline, &other.baseline)
                    || differs(&in_force.current, &other.current);
                if both { &self.numeric } else { &self.numeric[..1] }
            }
            others => others,
        }
    }
}

fn numeric(pair: &Pair<'_>) -> Vec<ByRule> {
    let (Some(baseline), Some(current)) = pair.numbers() else { return Vec::new() };
    let compared = pair.comparison.and_then(|comparison| match (comparison.method, &comparison.outcome) {
        (DriftMethod::Numeric(method), DriftOutcome::Compared { distance, by_other_rule }) => {
            Some((method, [(comparison.rule, Some(*distance)), (other(comparison.rule), *by_other_rule)]))
        }
        _ => None,
    });
    let method = compared.map(|(method, _)| method);
    let rules = compared.map_or(vec![(DriftRule::Exact, None)], |(_, rules)| rules.to_vec());
    let by_rule = |(rule, distance)| {
        let (baseline, current) = ranks(baseline, rule).zip(ranks(current, rule))?;
        let gap = Gap::between(&baseline, &current);
        let allowance =
            (method == Some(ComparisonMethod::Robust)).then(|| allowance(current.total(), baseline.total()));
        Some(ByRule { rule, baseline, current, gap, allowance, distance })
    };
    rules.into_iter().filter_map(by_rule).collect()
}

/// What the robust distance leaves to chance between samples of n and m values.
fn allowance(n: u64, m: u64) -> f64 {
    let (n, m) = (n as f64, m as f64);
    1.8 * ((n + m) / (n * m)).sqrt()
}

fn other(rule: DriftRule) -> DriftRule {
    match rule {
        DriftRule::Aws => DriftRule::Exact,
        DriftRule::Exact => DriftRule::Aws,
    }
}

impl ByRule {
    /// What the values are called that the rule counts.
    fn values(&self) -> &'static str {
        match self.rule {
            DriftRule::Aws => "values (a repeated one counts once)",
            DriftRule::Exact => "values",
        }
    }

    /// One sentence for a violation.
    pub(super) fn sentence(&self) -> Prose {
        let Gap { at, baseline, current } = self.gap;
        let lead = match current {
            0.0 => Prose::new("None"),
            1.0 => Prose::new("All"),
            _ => Prose::new("").share(current),
        };
        let prose = lead.words(" of the current ").words(self.values()).words(" are at most ").number(at);
        match baseline {
            0.0 => prose.words("; in the baseline none were."),
            1.0 => prose.words("; in the baseline all were."),
            _ => prose.words("; in the baseline ").share(baseline).words(" were."),
        }
    }

    /// How the number comes about.
    pub(super) fn derivation(&self, limit: Option<f64>) -> Prose {
        let Gap { at, baseline, current } = self.gap;
        let prose = if self.gap.size() == 0.0 {
            Prose::new("Both curves are the same.")
        } else {
            Prose::new("Farthest apart at ")
                .number(at)
                .words(": ")
                .share(baseline)
                .words(" of the baseline's ")
                .words(self.values())
                .words(" are at or below it and ")
                .share(current)
                .words(" of the current ones, a gap of ")
                .number(self.gap.size())
                .words(".")
        };
        let prose = match self.allowance {
            Some(allowance) => prose
                .words(" Less ")
                .number(allowance)
                .words(", which chance explains between ")
                .count(self.baseline.total())
                .words(" and ")
                .count(self.current.total())
                .words(if self.rule == DriftRule::Aws { " values so counted" } else { " values" }),
            None => prose,
        };
        let Some((distance, limit)) = self.distance.zip(limit) else {
            return if self.allowance.is_some() { prose.words(".") } else { prose };
        };
        let lead = if self.allowance.is_some() { ": distance " } else { " Distance " };
        verdict(prose.words(lead), distance, limit).words(".")
    }
}

/// `0.3421, above the limit of 0.1`.
fn verdict(prose: Prose, distance: Distance, limit: f64) -> Prose {
    let (value, limit) = Figure::against_limit(distance.value, limit);
    let relation = if distance.exceeds { ", above the limit of " } else { ", within the limit of " };
    prose.figure(value).words(relation).figure(limit)
}

/// How the distance of categories comes about.
pub(super) fn category_derivation(change: &LargestChange<'_>, comparison: Option<&DriftComparison>) -> Prose {
    let (baseline, current) = change.totals;
    let prose = Prose::new("Largest change: ")
        .name(change.text)
        .words(" from ")
        .share(change.baseline)
        .words(" of ")
        .count(baseline)
        .words(" values in the baseline to ")
        .share(change.current)
        .words(" of ")
        .count(current)
        .words(" current ones.");
    let Some(comparison) = comparison else { return prose };
    let DriftOutcome::Compared { distance, .. } = comparison.outcome else { return prose };
    let prose = match comparison.method {
        DriftMethod::LInfinity(ComparisonMethod::Robust) => prose
            .words(" Less ")
            .number(allowance(current, baseline))
            .words(", which chance explains between so many values: distance "),
        DriftMethod::ChiSquared => prose
            .words(" The chi-squared test gives such counts a probability of ")
            .number(1.0 - distance.value)
            .words(" if nothing had changed: distance "),
        _ => prose.words(" Distance "),
    };
    verdict(prose, distance, comparison.threshold).words(".")
}

/// What both rules say of a feature that they judge differently, and why.
pub(super) fn disagreement(comparison: &DriftComparison, explanation: Option<&Explanation<'_>>) -> Prose {
    let (own, others) = match &comparison.outcome {
        DriftOutcome::Compared { distance, by_other_rule } => (Some(*distance), *by_other_rule),
        DriftOutcome::Skipped(_, by_other_rule) => (None, *by_other_rule),
    };
    let judged = |prose: Prose, distance: Option<Distance>| match distance {
        Some(distance) => verdict(prose.words("the distance is "), distance, comparison.threshold)
            .words(if distance.exceeds { " (a violation)" } else { " (no violation)" }),
        None => prose.words("there is no distance"),
    };
    let named = |rule| match rule {
        DriftRule::Aws => "AWS's rule",
        DriftRule::Exact => "the exact rule",
    };
    let prose = Prose::new("By ").words(named(comparison.rule)).words(", which is in force, ");
    let prose = judged(prose, own).words("; by ").words(named(other(comparison.rule))).words(" ");
    let prose = judged(prose, others).words(". ");
    let by_rules = explanation.and_then(|it| it.by(DriftRule::Aws).zip(it.by(DriftRule::Exact)));
    match (comparison.method, by_rules) {
        (DriftMethod::Numeric(_), Some((aws, exact))) => why_numeric(prose, aws, exact),
        (DriftMethod::Numeric(_), None) => {
            prose.words("AWS's rule counts a repeated value once, so it hardly sees features with few distinct values.")
        }
        (DriftMethod::LInfinity(_) | DriftMethod::ChiSquared, _) => prose.words(
            "No current record is in a category that the baseline knows. The chi-squared test has no result then, and \
             AWS reports nothing; the exact rule takes the distance for 1.",
        ),
    }
}

fn why_numeric(prose: Prose, aws: &ByRule, exact: &ByRule) -> Prose {
    let prose = prose
        .words("AWS's rule counts a repeated value once, here ")
        .count(aws.baseline.total())
        .words(" of the baseline's ")
        .count(exact.baseline.total())
        .words(" values and ")
        .count(aws.current.total())
        .words(" of the ")
        .count(exact.current.total())
        .words(" current ones: it sees which values occur, hardly how often");
    match aws.allowance {
        Some(allowance) => prose.words(", and takes ").number(allowance).words(" off the gap for so few values."),
        None => prose.words("."),
    }
}

/// Why a feature was not compared.
pub(super) fn skip_reason(skip: &DriftSkip) -> String {
    match skip {
        DriftSkip::TypesDiffer { baseline, current } => {
            format!("The type is {baseline} in the baseline's statistics and {current} now.")
        }
        DriftSkip::NoDistribution => {
            "A side has no values, or its statistics hold no distribution (a String feature with more than 120 \
             different values, a file without sketches)."
                .to_owned()
        }
        DriftSkip::TooFewCategories => {
            "Fewer than two categories remain for the chi-squared test after rare ones were put together.".to_owned()
        }
        DriftSkip::NoKnownCategory => {
            "No current record is in a category that the baseline knows: the chi-squared test has no result.".to_owned()
        }
    }
}
