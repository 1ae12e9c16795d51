//! Carrying an analysis out, and showing and writing what it found.

use std::path::Path;

use serde::Serialize;
use watchkeeper_analyzer::Error;
use watchkeeper_analyzer::clarify::{ClarifyAnalysis, ClarifyRequest, analyze, forget, read_baseline, write_documents};
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_analyzer::report::ClarifyReport;
use watchkeeper_formats::clarify::{Analysis, AnalysisConfig, ClarifyViolation};

use super::DatasetAndModel;
use crate::Ending;
use crate::arguments::OutputFormat;
use crate::terminal::{self, ClarifyView};
use crate::watcher::Watcher;

/// The folder in the results' one that keeps what an interrupted run has computed.
const RESUME_FOLDER: &str = ".resume";

/// What one of the two analyses is asked for beside its configuration.
pub(super) struct Asked<'a> {
    /// What is analysed, for a title.
    pub(super) what: &'static str,
    /// What it is judged by.
    pub(super) baseline: Option<&'a Path>,
    pub(super) bias_interval: Option<f64>,
    pub(super) ndcg_threshold: f64,
    pub(super) resamples: u32,
    /// Whether an interrupted run can go on from what it had computed.
    pub(super) can_resume: bool,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    analysis: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    violations: Option<&'a [ClarifyViolation]>,
    parameters: serde_json::Map<String, serde_json::Value>,
    notes: &'a [String],
}

pub(super) fn carry_out(
    dataset: &DatasetAndModel,
    config: AnalysisConfig,
    asked: &Asked<'_>,
) -> anyhow::Result<Ending> {
    let watcher = Watcher::for_person()?;
    dataset.output.as_deref().map(check_folder).transpose()?;
    if let Some(path) = asked.baseline {
        crate::commands::keep_baseline(folder_of(path), dataset.output.as_deref(), "analysis.json")?;
    }
    let resume = dataset.output.as_ref().filter(|_| asked.can_resume).map(|folder| folder.join(RESUME_FOLDER));
    let request = ClarifyRequest {
        model: dataset.model(&config)?,
        config,
        dataset: dataset.dataset()?.to_owned(),
        baseline: asked.baseline.map(read_baseline).transpose()?,
        bias_interval: asked.bias_interval,
        ndcg_threshold: asked.ndcg_threshold,
        resume: resume.clone(),
        resamples: asked.resamples,
    };
    let found = analyze(&request, dataset.run.threads(), &watcher);
    watcher.done();
    let found = found.map_err(|error| with_resumption(error, resume.as_deref()))?;
    watcher.safe_point()?;
    let shown = match dataset.format {
        OutputFormat::Json => printed(&found)?,
        OutputFormat::Text => terminal::clarify(&view(&found, request.baseline.as_ref()), &crate::output::style()),
    };
    if let Some(folder) = &dataset.output {
        write(folder, dataset, asked, &found, request.baseline.as_ref())?;
        watcher.results_are_written();
        resume.as_deref().map(forget).transpose()?;
    }
    crate::output::print(&shown)?;
    if dataset.format == OutputFormat::Text {
        crate::commands::say_written(dataset.output.as_deref());
    }
    let has_violations = found.violations.as_ref().is_some_and(|violations| !violations.is_empty());
    Ok(if has_violations { Ending::Violations } else { Ending::Fine })
}

/// The folder of a baseline that is named by its file or by its folder.
fn folder_of(baseline: &Path) -> &Path {
    let is_file = std::fs::metadata(baseline).is_ok_and(|metadata| metadata.is_file());
    match baseline.parent() {
        Some(parent) if is_file && parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) if is_file => parent,
        _ => baseline,
    }
}

/// An error, and that nothing is lost where that is so.
fn with_resumption(error: Error, resume: Option<&Path>) -> anyhow::Error {
    let is_kept = resume.is_some_and(|folder| std::fs::read_dir(folder).is_ok_and(|mut files| files.next().is_some()));
    let error = anyhow::Error::from(error);
    match resume {
        Some(folder) if is_kept => {
            let (error, folder) = (format!("{error:#}"), folder.display());
            let error = error.trim_end_matches('.');
            anyhow::anyhow!("{error}; what was computed is kept in {folder}, and the same command goes on from there")
        }
        _ => error,
    }
}

fn view<'a>(found: &'a ClarifyAnalysis, baseline: Option<&'a Analysis>) -> ClarifyView<'a> {
    ClarifyView {
        analysis: &found.analysis,
        baseline,
        violations: found.violations.as_deref(),
        spreads: &found.spreads,
        notes: &found.notes,
    }
}

fn printed(found: &ClarifyAnalysis) -> anyhow::Result<String> {
    let text = |(name, value): &(String, String)| (name.clone(), serde_json::Value::String(value.clone()));
    let printed = Printed {
        message: found.violations.is_some().then(|| found.exit_message().to_string()),
        analysis: serde_json::from_str(&found.analysis.to_json())?,
        violations: found.violations.as_deref(),
        parameters: found.parameters.iter().map(text).collect(),
        notes: &found.notes,
    };
    Ok(serde_json::to_string_pretty(&printed)? + "\n")
}

/// All documents and reports, or none.
fn write(
    folder: &Path,
    dataset: &DatasetAndModel,
    asked: &Asked<'_>,
    found: &ClarifyAnalysis,
    baseline: Option<&Analysis>,
) -> anyhow::Result<()> {
    let against = asked.baseline.map(|path| format!(" against {}", path.display())).unwrap_or_default();
    let title = format!("{} of {}{against}", asked.what, dataset.dataset()?.display());
    let report = ClarifyReport::of(title, found, baseline);
    let reports = [("report.html", report.to_html()), ("report.ipynb", report.to_notebook())];
    write_documents(folder, found, &reports)?;
    Ok(())
}
