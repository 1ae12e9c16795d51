//! `watchkeeper report`: documents that are there, as one HTML file; of data quality, of model quality, or of bias and attributions, as
//! the first folder is.

mod clarify;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use watchkeeper_analyzer::data_quality::{read_constraints, read_statistics};
use watchkeeper_analyzer::model_quality;
use watchkeeper_analyzer::report::{Documents, QualityDocuments, QualityReport, QualityRun, Report, Run};
use watchkeeper_engine::profile::compare_distributions;
use watchkeeper_formats::{ConstraintViolations, DocumentKind, Error, MetricViolations};

use crate::Ending;
use crate::arguments::ReportArguments;

/// Folders that a title names one by one.
const MOST_NAMED: usize = 3;

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<Ending> {
    let (last, _) = arguments.folders.split_last().context("no folder")?;
    let (first, others) = arguments.folders.split_first().context("no folder")?;
    let html = if clarify::is_analysis(first) {
        clarify::report(first, others)?
    } else if is_model_quality(first) {
        model_quality_report(first, others)?.to_html()
    } else {
        data_quality_report(first, others, arguments)?.to_html()
    };
    let path = arguments.output.clone().unwrap_or_else(|| last.join("report.html"));
    watchkeeper_analyzer::output::write(&path, html.as_bytes())?;
    crate::output::print(&format!("{}\n", path.display()))?;
    Ok(Ending::Fine)
}

/// Whether a folder holds statistics of model quality. What cannot be read is left to the reader of data quality, which says why.
fn is_model_quality(folder: &Path) -> bool {
    let text = std::fs::read_to_string(folder.join("statistics.json"));
    text.is_ok_and(|text| matches!(DocumentKind::of(&text), Ok(Some(DocumentKind::ModelQualityStatistics(_)))))
}

fn name_of(folder: &Path) -> String {
    folder.display().to_string()
}

/// The title of several folders.
fn against(baseline: &str, others: &[PathBuf]) -> String {
    let names: Vec<String> = others.iter().map(|folder| name_of(folder)).collect();
    match names.as_slice() {
        [first, .., last] if names.len() > MOST_NAMED => {
            format!("{} runs from {first} to {last} against {baseline}", names.len())
        }
        _ => format!("{} against {baseline}", names.join(", ")),
    }
}

fn data_quality_report(first: &Path, others: &[PathBuf], arguments: &ReportArguments) -> anyhow::Result<Report> {
    let documents = documents(first)?;
    if others.is_empty() {
        let violations = violations_of(first, ConstraintViolations::parse)?.unwrap_or_default().violations;
        let title = documents.name.clone();
        if violations.is_empty() {
            return Ok(Report { title, baseline: Some(documents), runs: Vec::new() });
        }
        let run = Run { documents, violations, drift: Vec::new(), notes: Vec::new() };
        return Ok(Report { title, baseline: None, runs: vec![run] });
    }
    let runs = others.iter().map(|folder| check(folder, &documents, arguments)).collect::<anyhow::Result<_>>()?;
    Ok(Report { title: against(&documents.name, others), baseline: Some(documents), runs })
}

fn model_quality_report(first: &Path, others: &[PathBuf]) -> anyhow::Result<QualityReport> {
    let run = quality_run(first)?;
    let title = run.documents.name.clone();
    if !others.is_empty() {
        let runs = others.iter().map(|folder| quality_run(folder)).collect::<anyhow::Result<_>>()?;
        return Ok(QualityReport { title: against(&title, others), baseline: Some(run.documents), runs });
    }
    if run.violations.is_empty() {
        return Ok(QualityReport { title, baseline: Some(run.documents), runs: Vec::new() });
    }
    Ok(QualityReport { title, baseline: None, runs: vec![run] })
}

/// A folder's documents of model quality. Residuals and notes are not among them.
fn quality_run(folder: &Path) -> anyhow::Result<QualityRun> {
    let statistics = model_quality::read_statistics(&folder.join("statistics.json"))?;
    let constraints = folder.join("constraints.json");
    let problem_type = statistics.metrics.problem_type();
    let read = || model_quality::read_constraints(&constraints, problem_type);
    let documents = QualityDocuments {
        name: name_of(folder),
        constraints: constraints.try_exists()?.then(read).transpose()?,
        statistics,
    };
    let violations = violations_of(folder, MetricViolations::parse)?.unwrap_or_default().violations;
    Ok(QualityRun { documents, violations, residuals: None, notes: Vec::new() })
}

fn documents(folder: &Path) -> anyhow::Result<Documents> {
    let statistics = read_statistics(&folder.join("statistics.json"))?;
    let constraints = folder.join("constraints.json");
    let constraints = constraints.try_exists()?.then(|| read_constraints(&constraints)).transpose()?;
    Ok(Documents { name: name_of(folder), statistics, constraints })
}

fn check(folder: &Path, baseline: &Documents, arguments: &ReportArguments) -> anyhow::Result<Run> {
    let documents = documents(folder)?;
    let drift = baseline.constraints.as_ref().map_or_else(Vec::new, |constraints| {
        compare_distributions(&documents.statistics, &baseline.statistics, constraints, arguments.drift.into())
    });
    Ok(Run {
        violations: violations_of(folder, ConstraintViolations::parse)?.unwrap_or_default().violations,
        documents,
        drift,
        notes: Vec::new(),
    })
}

/// A folder's document of violations; None where it has none.
fn violations_of<T>(folder: &Path, parse: impl FnOnce(&str) -> Result<T, Error>) -> anyhow::Result<Option<T>> {
    let path = folder.join("constraint_violations.json");
    if !path.try_exists()? {
        return Ok(None);
    }
    document(&path, parse).map(Some)
}

fn document<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, Error>) -> anyhow::Result<T> {
    let of_file = || path.display().to_string();
    parse(&std::fs::read_to_string(path).with_context(of_file)?).with_context(of_file)
}
