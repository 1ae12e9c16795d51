//! `watchkeeper quality baseline`: what a model's predictions are worth now.

use anyhow::Context as _;
use serde::Serialize;
use watchkeeper_analyzer::model_quality::{analyze, write_documents};
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_formats::{ModelQualityConstraints, ModelQualityStatistics};

use super::{QualityBaselineArguments, expected_problem_types, report_run};
use crate::Ending;
use crate::arguments::OutputFormat;
use crate::terminal::{self, QualityView};
use crate::watcher::Watcher;

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    statistics: &'a ModelQualityStatistics,
    constraints: &'a ModelQualityConstraints,
    notes: &'a [String],
}

pub(super) fn run(arguments: &QualityBaselineArguments) -> anyhow::Result<Ending> {
    let dataset = &arguments.scored.dataset;
    if let Some(script) = &dataset.dry_run_script {
        return crate::commands::dry_run::run(dataset, script);
    }
    let watcher = Watcher::for_person()?;
    arguments.output.as_deref().map(check_folder).transpose()?;
    let problem_type =
        arguments.scored.problem_type.with_context(|| format!("no --problem-type, {}", expected_problem_types()))?;
    let job = arguments.scored.job(problem_type, arguments.output.as_deref())?;
    let analysis = analyze(&job, None, &watcher);
    watcher.done();
    let analysis = analysis?;
    watcher.safe_point()?;
    let view = QualityView {
        statistics: &analysis.statistics,
        baseline: None,
        constraints: None,
        violations: None,
        notes: &analysis.notes,
    };
    let shown = match dataset.output_format() {
        OutputFormat::Json => {
            let printed = Printed {
                statistics: &analysis.statistics,
                constraints: &analysis.constraints,
                notes: &analysis.notes,
            };
            watchkeeper_formats::json::to_string(&printed) + "\n"
        }
        OutputFormat::Text => terminal::quality(&view, &crate::output::style()),
    };
    if let Some(folder) = &arguments.output {
        let name = dataset.source.display().to_string();
        let title = format!("Model quality of {name}");
        let html = report_run(name, &analysis).to_baseline_html(&title);
        write_documents(folder, &analysis, &[("report.html", html)])?;
        watcher.results_are_written();
    }
    crate::output::print(&shown)?;
    if dataset.output_format() == OutputFormat::Text {
        crate::commands::say_written(arguments.output.as_deref());
    }
    Ok(Ending::Fine)
}
