//! `watchkeeper quality check`: what a model's predictions are worth, against a baseline.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use watchkeeper_analyzer::model_quality::{
    ModelQualityAnalysis, analyze, read_constraints, read_constraints_of_any_type, read_statistics, write_documents,
};
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_analyzer::report::QualityReport;
use watchkeeper_formats::{MetricViolation, ModelQualityConstraints, ModelQualityStatistics, ProblemType};

use super::{QualityCheckArguments, documents, expected_problem_types, report_run};
use crate::Ending;
use crate::arguments::OutputFormat;
use crate::commands::{BaselineDocuments, of_baseline, say_baseline_notes};
use crate::terminal::{self, QualityView};
use crate::watcher::Watcher;

/// What predictions are judged by.
struct Baseline {
    constraints: ModelQualityConstraints,
    statistics: Option<ModelQualityStatistics>,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    message: String,
    statistics: &'a ModelQualityStatistics,
    violations: &'a [MetricViolation],
    notes: &'a [String],
}

pub(super) fn run(arguments: &QualityCheckArguments) -> anyhow::Result<Ending> {
    let dataset = &arguments.scored.dataset;
    if let Some(script) = &dataset.dry_run_script {
        return crate::commands::dry_run::run(dataset, script);
    }
    let watcher = Watcher::for_person()?;
    arguments.output.as_deref().map(check_folder).transpose()?;
    let path = arguments.baseline.as_deref().context("no --baseline")?;
    crate::commands::keep_baseline(path, arguments.output.as_deref(), "constraints.json")?;
    let found = judged(arguments, path, &watcher);
    watcher.done();
    let (baseline, analysis) = found?;
    watcher.safe_point()?;
    let violations = analysis.violations();
    let shown = match dataset.output_format() {
        OutputFormat::Json => {
            let printed = Printed {
                message: analysis.exit_message().to_string(),
                statistics: &analysis.statistics,
                violations,
                notes: &analysis.notes,
            };
            watchkeeper_formats::json::to_string(&printed) + "\n"
        }
        OutputFormat::Text => {
            let view = QualityView {
                statistics: &analysis.statistics,
                baseline: baseline.statistics.as_ref(),
                constraints: Some(&baseline.constraints),
                violations: Some(violations),
                notes: &analysis.notes,
            };
            terminal::quality(&view, &crate::output::style())
        }
    };
    if let Some(folder) = &arguments.output {
        let html = report(dataset.source.display().to_string(), path, &analysis, &baseline).to_html();
        write_documents(folder, &analysis, &[("report.html", html)])?;
        watcher.results_are_written();
    }
    crate::output::print(&shown)?;
    if dataset.output_format() == OutputFormat::Text {
        crate::commands::say_written(arguments.output.as_deref());
    }
    Ok(if violations.is_empty() { Ending::Fine } else { Ending::Violations })
}

fn judged(
    arguments: &QualityCheckArguments,
    path: &Path,
    watcher: &Watcher,
) -> anyhow::Result<(Baseline, ModelQualityAnalysis)> {
    let baseline = baseline(arguments, path, watcher)?;
    let problem_type = baseline.constraints.problem_type;
    let job = arguments.scored.job(problem_type, arguments.output.as_deref())?;
    let analysis = analyze(&job, Some(baseline.constraints.clone()), watcher)?;
    Ok((baseline, analysis))
}

/// The documents of a folder, or those made of a dataset.
fn baseline(arguments: &QualityCheckArguments, path: &Path, watcher: &Watcher) -> anyhow::Result<Baseline> {
    let said = arguments.scored.problem_type;
    if let Some(documents) = BaselineDocuments::of(path)? {
        let constraints = arguments.constraints.as_ref().unwrap_or(&documents.constraints);
        return Ok(Baseline {
            constraints: constraints_of(constraints, said)?,
            statistics: documents.statistics.as_deref().map(read_statistics).transpose()?,
        });
    }
    let edited = arguments.constraints.as_deref().map(|file| constraints_of(file, said)).transpose()?;
    let problem_type = said.or(edited.as_ref().map(|edited| edited.problem_type));
    let problem_type = problem_type.with_context(|| {
        let expected = expected_problem_types();
        format!("no --problem-type, and the baseline has no constraints.json that tells it; {expected}")
    })?;
    let job = arguments.scored.for_source(path).job(problem_type, None).with_context(|| of_baseline(path))?;
    let analysis = analyze(&job, None, watcher).with_context(|| of_baseline(path))?;
    watcher.done();
    say_baseline_notes(path, &analysis.notes);
    Ok(Baseline { constraints: edited.unwrap_or(analysis.constraints), statistics: Some(analysis.statistics) })
}

fn constraints_of(path: &Path, said: Option<ProblemType>) -> anyhow::Result<ModelQualityConstraints> {
    Ok(match said {
        Some(problem_type) => read_constraints(path, problem_type)?,
        None => read_constraints_of_any_type(path)?,
    })
}

fn report(name: String, path: &Path, analysis: &ModelQualityAnalysis, baseline: &Baseline) -> QualityReport {
    QualityReport {
        title: format!("Model quality of {name} against {}", path.display()),
        baseline: baseline
            .statistics
            .as_ref()
            .map(|statistics| documents(path.display().to_string(), statistics, Some(&baseline.constraints))),
        runs: vec![report_run(name, analysis)],
    }
}
