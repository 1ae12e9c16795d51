//! The report as a notebook (nbformat 4): markdown cells with the tables, no code and no output.

use std::fmt::Write as _;

use serde::Serialize as _;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Value, json};

use super::Page;
use super::dependence::Dependence;
use super::disparities::{Group, Stage};
use super::label::Label;
use super::violations::ViolationView;
use crate::report::figures::Figure;

pub(super) fn of(page: &Page<'_>) -> String {
    let mut cells = vec![format!("# {}\n\n**{}**", escaped(page.title), escaped(&page.verdict.text))];
    if !page.violations.is_empty() {
        cells.push(violations(&page.violations));
    }
    cells.extend(page.stages.iter().flat_map(stage));
    if !page.labels.is_empty() {
        cells.push(format!("## Attributions of features\n\n{}", escaped(&page.global_value().to_text())));
    }
    cells.extend(page.labels.iter().map(label));
    if !page.dependences.is_empty() {
        cells.push("## Dependence of predictions on features".to_owned());
    }
    cells.extend(page.dependences.iter().map(dependence));
    if !page.notes.is_empty() {
        let notes: Vec<String> = page.notes.iter().map(|note| format!("- {}", escaped(note))).collect();
        cells.push(format!("## Notes\n\n{}", notes.join("\n")));
    }
    if !page.parameters.is_empty() {
        let rows = page.parameters.iter().map(|(name, value)| vec![name.clone(), value.clone()]);
        cells.push(format!("## Parameters\n\n{}", table(&["Parameter", "Value"], rows)));
    }
    let cells: Vec<Value> =
        cells.into_iter().map(|source| json!({"cell_type": "markdown", "metadata": {}, "source": source})).collect();
    written(&json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}))
}

/// As notebooks are written: indented by one.
fn written(notebook: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b" "));
    notebook.serialize(&mut serializer).expect("a value can be written to memory");
    bytes.push(b'\n');
    String::from_utf8(bytes).expect("JSON is written as UTF-8")
}

/// Text of the data as markdown shows it unchanged, on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '$' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            other => escaped.push(other),
        }
    }
    escaped
}

fn table(heads: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}", heads.join(" | "), " --- |".repeat(heads.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        write!(text, "\n| {} |", cells.join(" | ")).expect("a string takes any text");
    }
    text
}

/// All digits: a notebook has no place for a pointer to rest.
fn shown(figure: Option<&Figure>) -> String {
    figure.map(|figure| figure.exact().unwrap_or(figure.as_str()).to_owned()).unwrap_or_default()
}

fn violations(violations: &[ViolationView]) -> String {
    let row = |violation: &ViolationView| vec![violation.name.to_text(), violation.description.clone()];
    format!("## Violations, worst first\n\n{}", table(&["What", "Violation"], violations.iter().map(row)))
}

fn stage(stage: &Stage) -> impl Iterator<Item = String> {
    let head = format!("## Disparities in {}\n\n{}", stage.name, escaped(&stage.prose.to_text()));
    std::iter::once(head).chain(stage.groups.iter().map(group))
}

fn group(group: &Group) -> String {
    let interval = |bounds: &Option<(Figure, Figure)>| match bounds {
        Some((lower, upper)) => format!("{} to {}", lower.as_str(), upper.as_str()),
        None => String::new(),
    };
    let mut heads = vec!["Metric", "Name", "Value", "Interval of 95 %"];
    heads.extend(group.has_baseline.then_some(["Baseline", "Violation"]).into_iter().flatten());
    let rows = group.rows.iter().map(|row| {
        let value = row.error.clone().unwrap_or_else(|| shown(row.value.as_ref()));
        let mut cells = vec![row.metric.clone(), row.label.clone(), value, interval(&row.interval)];
        if group.has_baseline {
            cells.push(shown(row.baseline.as_ref()));
            cells.push(if row.is_violated { "yes" } else { "" }.to_owned());
        }
        cells
    });
    let (name, value) = (escaped(&group.name), escaped(&group.shown_value));
    format!("### {name} {} {value} against all others\n\n{}", group.relation, table(&heads, rows))
}

fn label(label: &Label) -> String {
    let mut heads = vec!["Rank", "Feature", "Global value"];
    heads.extend(label.has_baseline().then_some(["Baseline", "Rank against the baseline"]).into_iter().flatten());
    let rows = label.ranked.iter().map(|feature| {
        let mut cells = vec![feature.rank.to_string(), feature.name.clone(), shown(Some(&feature.value))];
        if label.has_baseline() {
            cells.push(shown(feature.before.as_ref().map(|before| &before.value)));
            cells.push(feature.movement.as_ref().map_or(String::new(), |it| it.words.clone()));
        }
        cells
    });
    let mut prose = label.expected.to_text();
    if let Some(agreement) = &label.agreement {
        write!(prose, " {}", agreement.to_text()).expect("a string takes any text");
    }
    format!("### {}\n\n{}\n\n{}", escaped(&label.name), escaped(&prose), table(&heads, rows))
}

fn dependence(dependence: &Dependence) -> String {
    let name = escaped(&dependence.name);
    let label = dependence.label.as_deref().map(|label| format!(", {}", escaped(label))).unwrap_or_default();
    if let Some(error) = &dependence.error {
        return format!("### {name}\n\n{}", escaped(error));
    }
    let mut heads = vec!["Value", "Rows", "Mean prediction"];
    heads.extend(dependence.has_baseline.then_some("Baseline"));
    let rows = dependence.rows.iter().map(|row| {
        let mut cells = vec![row.value.clone()];
        cells.push(row.share.as_ref().map(|share| share.as_str().to_owned()).unwrap_or_default());
        cells.push(shown(row.prediction.as_ref()));
        if dependence.has_baseline {
            cells.push(shown(row.baseline.as_ref()));
        }
        cells
    });
    format!("### {name}{label}\n\n{}", table(&heads, rows))
}
