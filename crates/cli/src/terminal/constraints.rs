//! `constraints.json` as a table: a row a feature, and the settings of the comparison.

use watchkeeper_formats::{Constraints, FeatureConstraints, MonitoringConfig};

use super::figures::{counted, number, percent};
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{cut_end, cut_middle, push_left_out, push_wrapped, visible, width};
use super::{Style, paints};

/// Room for the values of a domain.
const DOMAIN_WIDTH: usize = 40;
/// How much of one value a domain shows.
const VALUE_WIDTH: usize = 16;

/// The document as a table, in the order of the dataset, with what a feature's own settings change, and below it the
/// settings for all features. Where the terminal is too narrow, columns are left out in this order: non-negative, own
/// settings, domain, completeness, type.
pub fn constraints(document: &Constraints, style: &Style) -> String {
    let columns = [
        Column::text("feature").cut(Cut::Middle(12)),
        Column::text("type").leaves(4),
        Column::number("completeness").leaves(3),
        Column::text("non-negative").leaves(0),
        Column::text("domain").cut(Cut::End(12)).leaves(2),
        Column::text("own settings").cut(Cut::End(16)).leaves(1),
    ];
    let global = &document.monitoring_config;
    let rows: Vec<Row> = document.features.iter().map(|feature| row(feature, global, style)).collect();
    let table = lay_out(&columns, &rows, style);
    let mut text = table.text;
    text.push('\n');
    push_wrapped(&mut text, &counted(document.features.len() as u64, "feature"), 0, style);
    push_left_out(&mut text, &table.left_out, style);
    text.push('\n');
    text.push_str(&style.paint(&cut_end("settings for all features", style.width, style), paints::TITLE));
    text.push('\n');
    for (key, value) in settings(global) {
        push_wrapped(&mut text, &format!("{key}: {value}"), 2, style);
    }
    text
}

fn row(feature: &FeatureConstraints, global: &MonitoringConfig, style: &Style) -> Row {
    let domain = feature.string_constraints.as_ref().filter(|strings| !strings.domains.is_empty());
    let is_non_negative = feature.num_constraints.as_ref().map(|numbers| numbers.is_non_negative);
    let cells = vec![
        Cell::of_document(&feature.name, style),
        Cell::new(feature.inferred_type.as_str()).paint(paints::QUIET),
        feature.completeness.map(percent).into(),
        is_non_negative.map(|holds| if holds { "yes" } else { "no" }).into(),
        domain.map(|strings| values(&strings.domains, style)).into(),
        Cell::new(own_settings(feature, global)).paint(paints::NOTICE),
    ];
    Row { cells, below: Vec::new() }
}

/// The accepted values, as many as there is room for, and how many there are more.
fn values(domain: &[String], style: &Style) -> String {
    let mut line = String::new();
    for (shown, value) in domain.iter().enumerate() {
        let value = cut_middle(&visible(value, style), VALUE_WIDTH, style);
        let separator = if shown == 0 { "" } else { ", " };
        if shown > 0 && width(&line) + width(&value) + 2 > DOMAIN_WIDTH {
            return format!("{line} +{}", domain.len() - shown);
        }
        line.push_str(separator);
        line.push_str(&value);
    }
    line
}

/// What is set otherwise for this feature than for all.
fn own_settings(feature: &FeatureConstraints, global: &MonitoringConfig) -> String {
    let own = settings(&feature.monitoring_config(global));
    let others = settings(global);
    let differing = own.iter().zip(&others).filter(|(own, other)| own != other);
    let differing: Vec<String> = differing.map(|((key, value), _)| format!("{key} {value}")).collect();
    differing.join(", ")
}

/// Every setting by its key in the file, with its value; those that the file lacks with what holds instead.
fn settings(config: &MonitoringConfig) -> Vec<(&'static str, String)> {
    let distribution = &config.distribution_constraints;
    let categorical_threshold =
        distribution.categorical_comparison_threshold.unwrap_or(distribution.comparison_threshold);
    let categorical_method =
        distribution.categorical_drift_method.unwrap_or(watchkeeper_formats::CategoricalDriftMethod::LInfinity);
    vec![
        ("evaluate_constraints", config.evaluate_constraints.to_string()),
        ("emit_metrics", config.emit_metrics.to_string()),
        ("datatype_check_threshold", number(config.datatype_check_threshold)),
        ("domain_content_threshold", number(config.domain_content_threshold)),
        ("perform_comparison", distribution.perform_comparison.to_string()),
        ("comparison_threshold", number(distribution.comparison_threshold)),
        ("comparison_method", distribution.comparison_method.to_string()),
        ("categorical_comparison_threshold", number(categorical_threshold)),
        ("categorical_drift_method", categorical_method.to_string()),
    ]
}
