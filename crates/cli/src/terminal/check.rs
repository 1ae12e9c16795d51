//! What a check has found, for the person who started it.

use std::collections::BTreeMap;

use watchkeeper_engine::profile::{Distance, DriftComparison, DriftOutcome, DriftSkip};
use watchkeeper_formats::{Constraints, DriftRule, Statistics, Violation};

use super::explanation::{Documents, listed, short};
use super::figures::{count, counted, number};
use super::text::{push_notes, push_wrapped};
use super::violations::{push_checks, push_headline, push_violations};
use super::{Style, paints};

/// How many violations are shown. More than a few screens help nobody; the file has them all.
const MOST_VIOLATIONS: usize = 50;
/// How many features are named that the two drift rules judge differently.
const MOST_REMARKS: usize = 10;
/// By how much the lines below a heading stand back.
const INDENT: usize = 2;

/// Everything that a check has found.
#[derive(Clone, Copy, Debug)]
pub struct CheckView<'a> {
    /// Records of the current dataset.
    pub records: u64,
    /// Statistics of the baseline, if there are any.
    pub baseline: Option<&'a Statistics>,
    /// Statistics of the current dataset.
    pub current: &'a Statistics,
    /// Constraints of the baseline.
    pub constraints: &'a Constraints,
    /// Violations in the order of the document.
    pub violations: &'a [Violation],
    /// Drift comparisons, made and skipped.
    pub drift: &'a [DriftComparison],
    /// What else the person should know, a line each.
    pub notes: &'a [String],
}

/// A headline, the violations worst first (the worst 50), each with a sentence and for drift with both distributions
/// over each other; then what the two drift rules judge differently, what was not compared and why, and notes.
pub fn check(view: &CheckView<'_>, style: &Style) -> String {
    let mut text = String::new();
    let records = counted(view.records, "record");
    let place = format!("in {records} of {}", counted(view.current.features.len() as u64, "feature"));
    if view.violations.is_empty() {
        push_headline(&mut text, &format!("no violations {place}"), paints::GOOD, style);
    } else {
        let violations = counted(view.violations.len() as u64, "violation");
        push_headline(&mut text, &format!("{violations} {place}"), paints::BAD, style);
        push_checks(&mut text, view.violations, style);
        let documents = Documents::new(view.baseline, view.current, view.constraints);
        let found = documents.worst_first(view.violations);
        let shown = &found[..found.len().min(MOST_VIOLATIONS)];
        push_violations(&mut text, shown, &documents, style);
        let more = found.len() - shown.len();
        if more > 0 {
            push_wrapped(&mut text, &format!("and {} more, less severe", count(more as u64)), 0, style);
        }
    }
    push_disagreements(&mut text, view.drift, style);
    push_skipped(&mut text, view.drift, style);
    push_notes(&mut text, &notes(view), style);
    text
}

fn push_heading(text: &mut String, heading: &str, style: &Style) {
    text.push('\n');
    push_headline(text, heading, paints::TITLE, style);
}

/// Features that one drift rule calls drifted and the other does not.
fn push_disagreements(text: &mut String, drift: &[DriftComparison], style: &Style) {
    let disagreements: Vec<&DriftComparison> = drift.iter().filter(|comparison| comparison.rules_disagree()).collect();
    let Some(first) = disagreements.first() else { return };
    let other = match first.rule {
        DriftRule::Aws => DriftRule::Exact,
        DriftRule::Exact => DriftRule::Aws,
    };
    let features = counted(disagreements.len() as u64, "feature");
    let heading = format!("drift rule `{}` decides; rule `{other}` would judge {features} otherwise", first.rule);
    push_heading(text, &heading, style);
    for comparison in disagreements.iter().take(MOST_REMARKS) {
        let name = short(&comparison.feature, style);
        let (ours, theirs) = match &comparison.outcome {
            DriftOutcome::Compared { distance, by_other_rule } => (Some(distance), by_other_rule.as_ref()),
            DriftOutcome::Skipped(_, by_other_rule) => (None, by_other_rule.as_ref()),
        };
        let ours = distance_text(ours, comparison.rule);
        let theirs = distance_text(theirs, other);
        let threshold = number(comparison.threshold);
        push_wrapped(text, &format!("{name}: {ours}, {theirs}, threshold {threshold}"), INDENT, style);
    }
    let more = disagreements.len().saturating_sub(MOST_REMARKS);
    if more > 0 {
        push_wrapped(text, &format!("and {} more", count(more as u64)), INDENT, style);
    }
}

fn distance_text(distance: Option<&Distance>, rule: DriftRule) -> String {
    match distance {
        Some(distance) => {
            let judgement = if distance.exceeds { "drift" } else { "no drift" };
            format!("{judgement} by `{rule}` (distance {})", number(distance.value))
        }
        None => format!("no distance by `{rule}`"),
    }
}

/// Why features were not compared, each reason with the first of them.
fn push_skipped(text: &mut String, drift: &[DriftComparison], style: &Style) {
    let mut reasons: BTreeMap<(u8, String), Vec<&str>> = BTreeMap::new();
    let mut skipped = 0;
    for comparison in drift {
        let DriftOutcome::Skipped(skip, _) = &comparison.outcome else { continue };
        reasons.entry(reason(skip, style)).or_default().push(&comparison.feature);
        skipped += 1;
    }
    if skipped == 0 {
        return;
    }
    let features = counted(drift.len() as u64, "feature");
    push_heading(text, &format!("drift was not compared for {} of {features}", count(skipped)), style);
    for ((_, reason), features) in &reasons {
        push_wrapped(text, &format!("{reason}: {}", listed(features, style)), INDENT, style);
    }
}

/// A reason in words, after a number that puts those first that call for a look.
fn reason(skip: &DriftSkip, style: &Style) -> (u8, String) {
    match skip {
        DriftSkip::NoKnownCategory => (0, "no current value is in a category of the baseline".to_owned()),
        DriftSkip::TypesDiffer { baseline, current } => (1, format!("type {baseline} {} {current}", style.arrow())),
        DriftSkip::TooFewCategories => (2, "too few categories for a chi-squared test".to_owned()),
        DriftSkip::NoDistribution => (3, "no values, or too many different texts, on one side".to_owned()),
    }
}

fn notes<'a>(view: &CheckView<'a>) -> Vec<&'a str> {
    let unjudged = "drift was not compared, as there are no statistics of the baseline";
    let unjudged = view.baseline.is_none().then_some(unjudged);
    unjudged.into_iter().chain(view.notes.iter().map(String::as_str)).collect()
}
