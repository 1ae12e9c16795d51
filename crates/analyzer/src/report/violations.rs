//! The violations of a run, worst first, each with a sentence that says what it means.

use std::collections::{HashMap, HashSet};

use watchkeeper_engine::profile::DriftMethod;
use watchkeeper_formats::{CheckType, DriftRule, MonitoringConfig, Violation};

use super::categories::outside_domain;
use super::drift::{ByRule, Explanation};
use super::figures::{Figure, Prose, readable};
use super::pairs::{Pair, Side};
use super::severity::Finding;

/// Names that a sentence lists before it says how many more there are.
const MOST_NAMES: usize = 5;

/// A violation, the feature it is of, and what its description says.
pub(super) struct Ranked<'a> {
    pub(super) violation: &'a Violation,
    /// Index of the feature's pair; none for a violation of all columns.
    pub(super) pair: Option<usize>,
    pub(super) finding: Finding,
}

/// Worst first; equally bad ones in the document's order.
pub(super) fn ranked<'a>(
    violations: &'a [Violation],
    pairs: &[Pair<'_>],
    global: &MonitoringConfig,
) -> Vec<Ranked<'a>> {
    let places: HashMap<&str, usize> = pairs.iter().enumerate().rev().map(|(index, pair)| (pair.name, index)).collect();
    let mut ranked: Vec<Ranked<'a>> = violations
        .iter()
        .map(|violation| {
            let pair = places.get(violation.feature_name.as_str()).copied();
            let config = pair.map_or_else(|| global.clone(), |index| pairs[index].config(global));
            Ranked { violation, pair, finding: Finding::of(violation, &config) }
        })
        .collect();
    ranked.sort_by(|left, right| left.finding.compare(&right.finding));
    ranked
}

/// A violation as it is shown.
pub(super) struct ViolationView {
    /// Name of the feature as in the document.
    pub(super) feature: String,
    pub(super) name: String,
    /// Id of the feature's section, where it has one.
    pub(super) target: Option<String>,
    /// The check's name in the document.
    pub(super) check: String,
    pub(super) check_label: String,
    pub(super) severity: Option<Severity>,
    pub(super) sentence: Prose,
    pub(super) description: String,
}

/// How bad a violation is as it is shown.
pub(super) struct Severity {
    /// From 0 to 1.
    pub(super) measure: f64,
    pub(super) figure: Figure,
    /// Length of the bar in per cent.
    pub(super) bar: String,
}

impl Severity {
    pub(super) fn new(measure: f64) -> Self {
        Self { measure, figure: Figure::rounded_share(measure, 2), bar: format!("{:.1}", measure * 100.0) }
    }
}

impl ViolationView {
    pub(super) fn new(
        ranked: &Ranked<'_>,
        pairs: &[Pair<'_>],
        explanation: Option<&Explanation<'_>>,
        target: Option<String>,
    ) -> Self {
        let violation = ranked.violation;
        let pair = ranked.pair.map(|index| &pairs[index]);
        Self {
            feature: violation.feature_name.clone(),
            name: readable(&violation.feature_name),
            target,
            check: violation.constraint_check_type.to_string(),
            check_label: check_label(&violation.constraint_check_type),
            severity: ranked.finding.severity().map(Severity::new),
            sentence: sentence(&ranked.finding, pairs, pair, explanation),
            description: violation.description.clone(),
        }
    }
}

/// What a check is called in the report.
pub(super) fn check_label(check: &CheckType) -> String {
    match check {
        CheckType::DataType => "Data type".to_owned(),
        CheckType::Completeness => "Completeness".to_owned(),
        CheckType::BaselineDrift => "Drift".to_owned(),
        CheckType::MissingColumn => "Missing columns".to_owned(),
        CheckType::ExtraColumn => "Extra columns".to_owned(),
        CheckType::CategoricalValues => "Categories".to_owned(),
        CheckType::Other(name) => name.replace('_', " "),
    }
}

fn sentence(
    finding: &Finding,
    pairs: &[Pair<'_>],
    pair: Option<&Pair<'_>>,
    explanation: Option<&Explanation<'_>>,
) -> Prose {
    match finding {
        Finding::Columns { current, baseline } => columns(*current, *baseline, pairs),
        Finding::DataType { expected, limit, observed } => data_type(expected, *limit, *observed),
        Finding::Completeness { limit, observed } => completeness(*limit, *observed, pair.and_then(|it| it.current)),
        Finding::Categories { limit, observed } => categories(*limit, *observed, pair),
        Finding::Drift { limit, distance } => drift(*limit, *distance, pair, explanation),
        Finding::Other => Prose::default(),
    }
}

fn columns(current: u64, baseline: u64, pairs: &[Pair<'_>]) -> Prose {
    let unit = if current == 1 { " column, the baseline " } else { " columns, the baseline " };
    let lead = Prose::new("The dataset has ").count(current).words(unit).count(baseline);
    let prose = lead.words("; nothing else was checked.");
    let names = |is_named: fn(&Pair<'_>) -> bool| -> Vec<&str> {
        pairs.iter().filter(|pair| is_named(pair)).map(|pair| pair.name).collect()
    };
    let only_before = names(|pair| pair.current.is_none());
    let only_now = names(|pair| pair.baseline.is_none());
    let listed = |prose: Prose, lead: &str, names: &[&str]| {
        if names.is_empty() { prose } else { prose.words(lead).names(names.iter().copied(), MOST_NAMES).words(".") }
    };
    // Without a baseline's statistics, or with columns that have no names, every name would be listed.
    if only_before.len() == pairs.len() || only_now.len() == pairs.len() {
        return prose;
    }
    listed(listed(prose, " Not there by name: ", &only_before), " New by name: ", &only_now)
}

fn data_type(expected: &str, limit: f64, observed: f64) -> Prose {
    let prose = if observed == 0.0 {
        Prose::new("No value is ")
    } else {
        Prose::new("Only ").share(observed).words(" of the values are ")
    };
    let prose = prose.words(expected).words("; the baseline expects ").share(limit).words(".");
    match expected {
        "Integral" => prose.words(" A whole number written with a decimal point is not Integral."),
        "Fractional" => prose.words(" A whole number written without a decimal point is not Fractional."),
        "String" => prose.words(" A text that reads as a number is not String."),
        _ => prose,
    }
}

fn completeness(limit: f64, observed: f64, current: Option<Side<'_>>) -> Prose {
    let prose = match current.and_then(Side::counts) {
        Some(counts) => Prose::new("")
            .count(counts.num_missing)
            .words(" of ")
            .count(counts.num_present.saturating_add(counts.num_missing))
            .words(" records have no value (")
            .share(1.0 - observed)
            .words(")"),
        None => Prose::new("").share(1.0 - observed).words(" of the records have no value"),
    };
    if limit == 1.0 {
        return prose.words("; in the baseline none was missing.");
    }
    prose.words("; the baseline allows ").share(1.0 - limit).words(".")
}

fn categories(limit: f64, observed: f64, pair: Option<&Pair<'_>>) -> Prose {
    let prose = Prose::new("").share(1.0 - observed).words(" of the values are in no category of the baseline; ");
    let prose = if limit == 1.0 {
        prose.words("none may be.")
    } else {
        prose.words("at most ").share(1.0 - limit).words(" may be.")
    };
    let domains = pair.and_then(|pair| pair.constraints?.string_constraints.as_ref()).map(|texts| &texts.domains);
    let current = pair.and_then(|pair| pair.current).and_then(Side::texts);
    let new = domains.map_or(Vec::new(), |domains| outside_domain(current, domains));
    if new.is_empty() { prose } else { prose.words(" New: ").names(new.iter().copied(), MOST_NAMES).words(".") }
}

fn drift(limit: f64, distance: f64, pair: Option<&Pair<'_>>, explanation: Option<&Explanation<'_>>) -> Prose {
    let method = pair.and_then(|pair| pair.comparison).map(|comparison| comparison.method);
    if method == Some(DriftMethod::ChiSquared) {
        return Prose::new("If nothing had changed, category counts that differ so much would have a probability of ")
            .number(1.0 - distance)
            .words("; the limit is ")
            .number(1.0 - limit)
            .words(".");
    }
    if let Some(change) = explanation.and_then(|it| it.category.as_ref()) {
        let prose = Prose::new("").name(change.text).words(" went from ").share(change.baseline).words(" to ");
        return prose.share(change.current).words(" of the values, the largest change of a category.");
    }
    // The true shares say more, as long as they tell the same story.
    let tells = |it: &&ByRule| it.distance.is_none_or(|distance| distance.exceeds);
    let by_rule = explanation.and_then(|it| it.by(DriftRule::Exact).filter(tells).or(it.numeric.first()));
    match by_rule {
        Some(by_rule) => by_rule.sentence(),
        None => Prose::new("The distribution is farther from the baseline's than the limit allows."),
    }
}

/// How many features have a violation.
pub(super) fn features_with_violations(violations: &[Violation]) -> usize {
    violations.iter().map(|violation| violation.feature_name.as_str()).collect::<HashSet<_>>().len()
}
