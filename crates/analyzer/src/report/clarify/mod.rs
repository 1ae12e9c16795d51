//! The report of a Clarify analysis: disparities with their intervals, attributions of features, dependence curves, and what has
//! changed since the baseline.

use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation};

use crate::clarify::LocalAttributions;

/// What a report is made of.
pub struct ClarifyReport<'a> {
    /// The title.
    pub title: String,
    /// What was found.
    pub analysis: &'a Analysis,
    /// What it is compared with.
    pub baseline: Option<&'a Analysis>,
    /// The violations, where it was judged.
    pub violations: Option<&'a [ClarifyViolation]>,
    /// Spreads of bias metrics.
    pub spreads: &'a [MetricSpread],
    /// Attributions of every row.
    pub local: Option<&'a LocalAttributions>,
    /// How it was analysed.
    pub parameters: &'a [(String, String)],
    /// What the reader should know.
    pub notes: &'a [String],
}

impl ClarifyReport<'_> {
    /// One HTML file.
    pub fn to_html(&self) -> String {
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
        format!(
            "<!doctype html><meta charset=\"utf-8\"><title>{0}</title><h1>{0}</h1><pre>{1}</pre>\n",
            escaped(&self.title),
            escaped(&self.analysis.to_json())
        )
    }

    /// The same as a notebook with the tables in it.
    pub fn to_notebook(&self) -> String {
        let source = format!("# {}", self.title);
        let cells = serde_json::json!([{"cell_type": "markdown", "metadata": {}, "source": [source]}]);
        serde_json::json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}).to_string()
    }
}
