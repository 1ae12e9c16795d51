//! The report of a Clarify analysis from its documents: `analysis.json`, `constraint_violations.json`, `explanations_shap/out.csv`.
//!
//! What is in no document is not in it: intervals of bias metrics, cells of rows, parameters.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use watchkeeper_analyzer::clarify::LocalAttributions;
use watchkeeper_analyzer::report::ClarifyReport;
use watchkeeper_data::table::{JsonPlaces, TableReading, read};
use watchkeeper_engine::bias::drift;
use watchkeeper_engine::shap::attribution_drift;
use watchkeeper_engine::table::{Table, Value};
use watchkeeper_formats::ClarifyJob;
use watchkeeper_formats::clarify::{
    Analysis, ClarifyViolation, ClarifyViolations, DatasetType, LabelAttributions, Reference,
};

use super::{against, document, name_of, violations_of};

/// Whether a folder holds an analysis of bias or attributions, and no statistics.
pub(super) fn is_analysis(folder: &Path) -> bool {
    let has = |name: &str| std::fs::metadata(folder.join(name)).is_ok_and(|metadata| metadata.is_file());
    has("analysis.json") && !has("statistics.json")
}

/// Of one folder, or of one against a baseline.
pub(super) fn report(first: &Path, others: &[PathBuf]) -> anyhow::Result<String> {
    anyhow::ensure!(
        others.len() <= 1,
        "a report of bias and attributions has one folder, or a baseline and another one; there are {}",
        others.len() + 1
    );
    let before = analysis_of(first)?;
    let Some(folder) = others.first() else {
        let found = violations_in(first)?.filter(|found| !found.is_empty());
        return page(name_of(first), first, (&before, None), found.as_deref(), &[]);
    };
    let now = analysis_of(folder)?;
    let (violations, notes) = match violations_in(folder)? {
        Some(found) => (found, Vec::new()),
        None => judged(&now, &before, folder),
    };
    page(against(&name_of(first), others), folder, (&now, Some(&before)), Some(&violations), &notes)
}

fn page(
    title: String,
    folder: &Path,
    (analysis, baseline): (&Analysis, Option<&Analysis>),
    violations: Option<&[ClarifyViolation]>,
    notes: &[String],
) -> anyhow::Result<String> {
    let local = local_attributions(folder, analysis)?;
    let report = ClarifyReport {
        title,
        analysis,
        baseline,
        violations,
        spreads: &[],
        local: local.as_ref(),
        parameters: &[],
        notes,
    };
    Ok(report.to_html())
}

fn analysis_of(folder: &Path) -> anyhow::Result<Analysis> {
    document(&folder.join("analysis.json"), Analysis::parse)
}

/// None where there is no document: there were no violations, or nothing was judged.
fn violations_in(folder: &Path) -> anyhow::Result<Option<Vec<ClarifyViolation>>> {
    Ok(violations_of(folder, ClarifyViolations::parse)?.map(|found| found.violations))
}

/// By the usual rules, where the folder does not say how it was judged.
fn judged(now: &Analysis, before: &Analysis, folder: &Path) -> (Vec<ClarifyViolation>, Vec<String>) {
    let bias = drift(now, before, None);
    let threshold = ClarifyJob::DEFAULT_NDCG_THRESHOLD;
    let (attributions, notes) = attribution_drift(now, before, threshold);
    let found = bias.violations.into_iter().map(ClarifyViolation::Bias);
    let found: Vec<_> = found.chain(attributions.into_iter().map(ClarifyViolation::Attribution)).collect();
    let judged = format!(
        "{} has no constraint_violations.json: this report has judged it itself, metrics by their values, orders of features by an \
         nDCG of {threshold}",
        folder.display()
    );
    let both = now.explanations.is_some() && before.explanations.is_some();
    let notes = bias.notes.into_iter().chain(notes.into_iter().filter(|_| both));
    (found, std::iter::once(judged).chain(notes).collect())
}

/// `explanations_shap/out.csv`; None where it is not there, or belongs to another analysis.
fn local_attributions(folder: &Path, analysis: &Analysis) -> anyhow::Result<Option<LocalAttributions>> {
    let labels = analysis.explanations.as_ref().and_then(|it| it.kernel_shap.as_deref()).unwrap_or_default();
    let path = folder.join("explanations_shap").join("out.csv");
    if labels.is_empty() || !path.try_exists()? {
        return Ok(None);
    }
    let column = |label: &str, (feature, _): &(String, f64)| format!("{feature}_{label}");
    let of_label = |(label, attributions): &(String, LabelAttributions)| -> Vec<String> {
        attributions.global_shap_values.iter().map(|feature| column(label, feature)).collect()
    };
    let columns: Vec<String> = labels.iter().flat_map(of_label).collect();
    let reading = TableReading {
        dataset_type: DatasetType::Csv,
        headers: None,
        places: JsonPlaces::default(),
        references: columns.iter().cloned().map(Reference::Name).collect(),
        possible_names: Vec::new(),
        keeps_written: false,
    };
    let files = watchkeeper_data::list(&path)?;
    let table = read(files, &reading).with_context(|| path.display().to_string())?.table;
    Ok(values(&table, &columns).map(|(values, join)| LocalAttributions {
        features: labels[0].1.global_shap_values.iter().map(|(name, _)| name.clone()).collect(),
        labels: labels.iter().map(|(name, _)| name.clone()).collect(),
        values,
        join,
        ..LocalAttributions::default()
    }))
}

/// Name and cells of the column that rows are joined by.
type Join = (String, Vec<String>);

/// The values row after row, and the column before them that rows are joined by. None where columns are others.
fn values(table: &Table, columns: &[String]) -> Option<(Vec<f64>, Option<Join>)> {
    let first = table.columns.len().checked_sub(columns.len()).filter(|first| *first <= 1)?;
    let (join, explained) = table.columns.split_at(first);
    if explained.iter().zip(columns).any(|(column, name)| column.name != *name) {
        return None;
    }
    let mut values = Vec::with_capacity(table.rows * columns.len());
    for row in 0..table.rows {
        for column in explained {
            values.push(match column.value(row) {
                Value::Integer(whole) => whole as f64,
                Value::Float(number) => number,
                _ => return None,
            });
        }
    }
    let join = join
        .first()
        .map(|column| (column.name.clone(), (0..table.rows).map(|row| column.value(row).printed()).collect()));
    Some((values, join))
}
