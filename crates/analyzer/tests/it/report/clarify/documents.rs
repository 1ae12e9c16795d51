//! Documents for reports: recorded ones, those of independent calculations, and small ones made by hand.

use std::path::Path;

use serde_json::{Value, json};
use watchkeeper_analyzer::clarify::LocalAttributions;
use watchkeeper_analyzer::report::ClarifyReport;
use watchkeeper_engine::bias::MetricSpread;
use watchkeeper_formats::clarify::{Analysis, ClarifyViolation, ClarifyViolations};

use crate::report::html::{Element, Page};

/// Everything a report is made of.
#[derive(Clone, Default)]
pub(super) struct Documents {
    pub(super) analysis: Analysis,
    pub(super) baseline: Option<Analysis>,
    pub(super) violations: Option<Vec<ClarifyViolation>>,
    pub(super) spreads: Vec<MetricSpread>,
    pub(super) local: Option<LocalAttributions>,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) notes: Vec<String>,
}

impl Documents {
    pub(super) fn report(&self) -> ClarifyReport<'_> {
        ClarifyReport {
            title: "title".to_owned(),
            analysis: &self.analysis,
            baseline: self.baseline.as_ref(),
            violations: self.violations.as_deref(),
            spreads: &self.spreads,
            local: self.local.as_ref(),
            parameters: &self.parameters,
            notes: &self.notes,
        }
    }

    pub(super) fn page(&self) -> Page {
        Page::parse(&self.report().to_html())
    }
}

pub(super) fn golden(path: &str) -> String {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    std::fs::read_to_string(goldens.join(path)).unwrap()
}

pub(super) fn golden_json(path: &str) -> Value {
    serde_json::from_str(&golden(path)).unwrap()
}

pub(super) fn analysis(document: &Value) -> Analysis {
    Analysis::parse(&document.to_string()).unwrap()
}

/// A recorded window against its recorded baseline, with the violations that the real monitor found.
pub(super) fn adult_window() -> Documents {
    let violations = golden("bias/adult-linear-live-jsonlines/observed_violations.json");
    Documents {
        analysis: Analysis::parse(&golden("bias/adult-linear-live-jsonlines/live_metrics.json")).unwrap(),
        baseline: Some(Analysis::parse(&golden("bias/adult-linear-baseline/expected_analysis.json")).unwrap()),
        violations: Some(ClarifyViolations::parse(&violations).unwrap().violations),
        ..Documents::default()
    }
}

/// Attributions of five features over six rows by exact calculation, with the local values, and the rows.
pub(super) fn interaction() -> (Documents, Vec<Vec<f64>>) {
    let case = golden_json("explainability/interaction-identity-link/case.json");
    let rows: Vec<Vec<f64>> = serde_json::from_value(case["rows"].clone()).unwrap();
    let features: Vec<String> = serde_json::from_value(case["features"].clone()).unwrap();
    let local: Vec<Vec<f64>> = serde_json::from_value(case["local"].clone()).unwrap();
    let values: Vec<f64> = serde_json::from_value(case["global"]["mean_abs"].clone()).unwrap();
    let global: serde_json::Map<String, Value> =
        features.iter().zip(values).map(|(feature, value)| (feature.clone(), json!(value))).collect();
    let document = json!({"version": "1.0", "explanations": {"kernel_shap": {
        "label0": {"global_shap_values": global, "expected_value": case["expected_value"]},
    }}});
    let local = LocalAttributions {
        features,
        labels: vec!["label0".to_owned()],
        values: local.concat(),
        cells: rows.iter().flatten().map(f64::to_string).collect(),
        predictions: rows.iter().map(|row| model(row)).collect(),
        join: None,
    };
    let documents = Documents { analysis: analysis(&document), local: Some(local), ..Documents::default() };
    (documents, rows)
}

/// The model of that case, as its file says it.
pub(super) fn model(row: &[f64]) -> f64 {
    0.3 * row[0] + 0.5 * row[1] * row[2] - 0.2 * row[3].powi(2) + 0.1 * row[0] * row[3] * row[4] - 0.4 * row[4].tanh()
}

/// One label's global values.
pub(super) fn attributions(values: &[(&str, f64)]) -> Analysis {
    let values: serde_json::Map<String, Value> =
        values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    analysis(&json!({"version": "1.0", "explanations": {"kernel_shap": {
        "label0": {"global_shap_values": values, "expected_value": 0.25},
    }}}))
}

/// The section of an element with these attributes.
pub(super) fn with<'a>(page: &'a Page, name: &str, attributes: &[(&str, &str)]) -> &'a Element {
    let is_wanted = |element: &&Element| {
        element.name == name && attributes.iter().all(|(attribute, value)| element.get(attribute) == Some(value))
    };
    page.elements.iter().find(is_wanted).unwrap_or_else(|| panic!("no {name} with {attributes:?}"))
}

/// The number of an element: the exact one where the pointer rests, else as shown.
pub(super) fn number(page: &Page, element: &Element) -> f64 {
    let exact = page.within(element, |inner| inner.get("title").is_some());
    let shown = || element.text.trim().replace('\u{2212}', "-").replace(',', "").replace('∞', "inf");
    let exact = exact.first().map(|inner| inner.get("title").unwrap().to_owned());
    exact.unwrap_or_else(shown).parse().unwrap_or_else(|_| panic!("no number in {:?}", element.text))
}

/// The text of an element with single blanks.
pub(super) fn text(element: &Element) -> String {
    element.text.split_whitespace().collect::<Vec<_>>().join(" ")
}
