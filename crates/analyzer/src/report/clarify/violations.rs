//! The violations, worst first.
//!
//! How bad one is, from 0 to 1: a bias metric, how far it has gone from the baseline's distance from zero to the worst possible one,
//! see [`metric::severity`]; an order of features, which part of the limit its agreement lacks. The numbers are read from the
//! descriptions, whose wording is a contract that others parse too.

use watchkeeper_formats::clarify::{AttributionViolation, BiasViolation, ClarifyViolation};

use super::disparities::{self, Stage};
use super::label::{Label, limit_of};
use super::metric;
use crate::report::figures::{Figure, Prose, readable};
use crate::report::violations::Severity;

/// A violation as it is shown.
pub(super) struct ViolationView {
    pub(super) check: String,
    pub(super) check_label: &'static str,
    /// The facet or the label, as in the document.
    pub(super) subject: String,
    pub(super) metric: String,
    pub(super) name: Prose,
    /// Id of what it is about.
    pub(super) target: Option<String>,
    pub(super) severity: Option<Severity>,
    pub(super) sentence: Prose,
    pub(super) description: String,
}

/// Worst first; equally bad ones in the document's order, those that cannot be read last.
pub(super) fn ranked(violations: &[ClarifyViolation], stages: &[Stage], labels: &[Label]) -> Vec<ViolationView> {
    let view = |violation: &ClarifyViolation| match violation {
        ClarifyViolation::Bias(violation) => of_bias(violation, stages),
        ClarifyViolation::Attribution(violation) => of_attribution(violation, labels),
    };
    let mut views: Vec<ViolationView> = violations.iter().map(view).collect();
    let measure = |view: &ViolationView| view.severity.as_ref().map_or(-1.0, |severity| severity.measure);
    views.sort_by(|one, other| measure(other).total_cmp(&measure(one)));
    views
}

fn of_bias(violation: &BiasViolation, stages: &[Stage]) -> ViolationView {
    let BiasViolation { facet, facet_value, metric_name, constraint_check_type, description } = violation;
    let group = stages
        .iter()
        .flat_map(|stage| &stage.groups)
        .filter(|group| group.facet == *facet && group.value == *facet_value)
        .find(|group| group.rows.iter().any(|row| row.metric == *metric_name));
    let row = group.and_then(|group| group.rows.iter().find(|row| row.metric == *metric_name));
    let read = numbers(description);
    let sentence = match read {
        Some((value, baseline)) => {
            let (value, baseline) = Figure::against_limit(value, baseline);
            let prose = Prose::default().figure(value).words(", further from zero than the baseline’s ");
            prose.figure(baseline).words(". ").words(metric::meaning(metric_name)).words(".")
        }
        None => Prose::default(),
    };
    let label = row.map_or_else(|| readable(metric_name), |row| row.label.clone());
    let name = Prose::new(&format!("{label}, ")).name(facet).words(" ").words(disparities::relation(facet_value));
    ViolationView {
        check: constraint_check_type.clone(),
        check_label: "Bias",
        subject: facet.clone(),
        metric: metric_name.clone(),
        name: name.words(" ").name(facet_value),
        target: group.map(|group| group.id.clone()),
        severity: read.map(|(value, baseline)| Severity::new(metric::severity(metric_name, value, baseline))),
        sentence,
        description: description.clone(),
    }
}

fn of_attribution(violation: &AttributionViolation, labels: &[Label]) -> ViolationView {
    let AttributionViolation { label, metric_name, constraint_check_type, description } = violation;
    let found = labels.iter().find(|other| other.header == *label);
    let read = score(description).zip(limit_of(violation));
    let measure =
        |(score, limit): (f64, f64)| if limit > 0.0 { ((limit - score) / limit).clamp(0.0, 1.0) } else { 0.0 };
    ViolationView {
        check: constraint_check_type.clone(),
        check_label: "Attributions",
        subject: label.clone(),
        metric: metric_name.clone(),
        name: Prose::new("Order of features for ").name(label),
        target: found.map(|label| label.id.clone()),
        severity: read.map(|read| Severity::new(measure(read))),
        sentence: found.map_or_else(Prose::default, moved),
        description: description.clone(),
    }
}

/// What has become of the first features.
fn moved(label: &Label) -> Prose {
    let prose = label.agreement.clone().unwrap_or_default();
    let Some(first) = label.ranked.first() else { return prose };
    let prose = prose.words(" Most important now: ").name(&first.name);
    match &first.before {
        Some(before) if before.rank == 1 => prose.words(", as before."),
        Some(before) => prose.words(", which was number ").count(before.rank as u64).words("."),
        None => prose.words(", which is new."),
    }
}

/// Value and requirement of a bias violation's description.
fn numbers(description: &str) -> Option<(f64, f64)> {
    let (value, rest) = description.strip_prefix("Metric value ")?.split_once(' ')?;
    let (_, baseline) = rest.rsplit_once(' ')?;
    let read = |text: &str| text.parse().ok().filter(|number: &f64| !number.is_nan());
    Some((read(value)?, read(baseline)?))
}

fn score(description: &str) -> Option<f64> {
    description
        .strip_prefix("Feature attribution drift ")?
        .split_once(' ')?
        .0
        .parse()
        .ok()
        .filter(|it: &f64| !it.is_nan())
}
