//! `watchkeeper baseline`: describe a dataset and suggest constraints.

use serde::Serialize;
use watchkeeper_analyzer::data_quality::{analyze, write_documents};
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_analyzer::report::{Documents, Report};
use watchkeeper_formats::{Constraints, Statistics};

use crate::Ending;
use crate::arguments::{BaselineArguments, OutputFormat};
use crate::terminal;
use crate::watcher::Watcher;

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    statistics: &'a Statistics,
    constraints: &'a Constraints,
    notes: &'a [String],
}

pub(crate) fn run(arguments: &BaselineArguments) -> anyhow::Result<Ending> {
    if let Some(script) = &arguments.dataset.dry_run_script {
        return super::dry_run::run(&arguments.dataset, script);
    }
    let watcher = Watcher::for_person()?;
    arguments.output.as_deref().map(check_folder).transpose()?;
    let mut job = arguments.dataset.job()?;
    job.categorical_drift_method = arguments.categorical_drift_method;
    let analysis = analyze(&job, None, arguments.run.threads(), &watcher);
    watcher.done();
    let analysis = analysis?;
    watcher.safe_point()?;
    let style = crate::output::style();
    let mut shown = match arguments.dataset.output_format() {
        OutputFormat::Json => watchkeeper_formats::json::to_string(&Printed {
            statistics: &analysis.statistics,
            constraints: &analysis.constraints,
            notes: &analysis.notes,
        }),
        OutputFormat::Text => terminal::statistics(&analysis.statistics, &style),
    };
    if !shown.ends_with('\n') {
        shown.push('\n');
    }
    if let Some(folder) = &arguments.output {
        let name = arguments.dataset.source.display().to_string();
        let report = Report {
            title: format!("Baseline {name}"),
            baseline: Some(Documents {
                name,
                statistics: analysis.statistics.clone(),
                constraints: Some(analysis.constraints.clone()),
            }),
            runs: Vec::new(),
        };
        write_documents(folder, &analysis, &[("report.html", report.to_html())])?;
        watcher.results_are_written();
    }
    crate::output::print(&shown)?;
    if arguments.dataset.output_format() == OutputFormat::Text {
        super::say_notes(&analysis.notes);
        super::say_written(arguments.output.as_deref());
    }
    Ok(Ending::Fine)
}
