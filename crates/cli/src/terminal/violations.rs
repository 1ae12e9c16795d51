//! `constraint_violations.json` as a table: a row and a sentence a violation, worst first.

use std::collections::{BTreeMap, BTreeSet};

use watchkeeper_analyzer::report::Finding;
use watchkeeper_formats::{CheckType, ConstraintViolations, Violation};

use super::explanation::Documents;
use super::figures::{count, counted};
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped, visible, wrap};
use super::{Paint, Style, paints};

/// By how much a sentence stands back.
const INDENT: usize = 4;

/// The document as a table, worst first, each violation with a sentence below it. Where the terminal is too narrow, the
/// columns required, observed and check are left out, in this order.
pub fn violations(document: &ConstraintViolations, style: &Style) -> String {
    let documents = Documents::default();
    let found = documents.worst_first(&document.violations);
    let features: BTreeSet<&str> =
        document.violations.iter().map(|violation| violation.feature_name.as_str()).collect();
    let mut text = String::new();
    if found.is_empty() {
        push_headline(&mut text, "no violations", paints::GOOD, style);
        return text;
    }
    let violations = counted(found.len() as u64, "violation");
    let headline = format!("{violations} of {}", counted(features.len() as u64, "feature"));
    push_headline(&mut text, &headline, paints::BAD, style);
    push_checks(&mut text, &document.violations, style);
    push_violations(&mut text, &found, &documents, style);
    text
}

/// One stressed line.
pub(super) fn push_headline(text: &mut String, headline: &str, paint: Paint, style: &Style) {
    for line in wrap(headline, style.width, style) {
        text.push_str(&style.paint(&line, paint));
        text.push('\n');
    }
}

/// How many violations there are of each check, where there are several.
pub(super) fn push_checks(text: &mut String, violations: &[Violation], style: &Style) {
    let mut checks: BTreeMap<&str, u64> = BTreeMap::new();
    for violation in violations {
        *checks.entry(violation.constraint_check_type.as_str()).or_default() += 1;
    }
    if checks.len() > 1 {
        let checks = checks.iter().map(|(check, number)| format!("{} {}", count(*number), check_name(check, style)));
        push_wrapped(text, &checks.collect::<Vec<_>>().join(", "), 0, style);
    }
}

/// The table of violations, after a blank line. With [`Documents`] of a check, drift shows both distributions.
pub(super) fn push_violations(
    text: &mut String,
    found: &[(&Violation, Finding)],
    documents: &Documents<'_>,
    style: &Style,
) {
    let columns = [
        Column::text("feature").cut(Cut::Middle(12)),
        Column::text("check").cut(Cut::End(12)).leaves(2),
        Column::number("observed").leaves(1),
        Column::number("required").leaves(0),
    ];
    let row = |(violation, finding): &(&Violation, Finding)| {
        let name = violation.feature_name.as_str();
        let sentence = documents.sentence(violation, finding, style);
        let (observed, required) = documents.observed_and_required(finding, style);
        let indented = |line| format!("{:INDENT$}{line}", "");
        let mut below: Vec<String> =
            wrap(&sentence, style.width.saturating_sub(INDENT), style).into_iter().map(indented).collect();
        if violation.constraint_check_type == CheckType::BaselineDrift {
            below.extend(documents.overlay(name, INDENT, style));
        }
        let cells = vec![
            Cell::of_document(name, style).paint(paints::BAD),
            Cell::new(check_name(violation.constraint_check_type.as_str(), style)),
            Cell::new(observed),
            Cell::new(required).paint(paints::QUIET),
        ];
        Row { cells, below }
    };
    let rows: Vec<Row> = found.iter().map(row).collect();
    let table = lay_out(&columns, &rows, style);
    text.push('\n');
    text.push_str(&table.text);
    push_left_out(text, &table.left_out, style);
}

/// `data_type_check` as `data type`.
fn check_name(check: &str, style: &Style) -> String {
    visible(check.strip_suffix("_check").unwrap_or(check), style).replace('_', " ")
}
