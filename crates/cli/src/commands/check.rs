//! `watchkeeper check`: a dataset against a baseline.

use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;
use watchkeeper_analyzer::data_quality::{
    Analysis, Baseline, analyze, read_constraints, read_statistics, write_documents,
};
use watchkeeper_analyzer::output::check_folder;
use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::profile::{DriftComparison, DriftOutcome, Judgement};
use watchkeeper_formats::Violation;

use super::{BaselineDocuments, of_baseline};
use crate::Ending;
use crate::arguments::{CheckArguments, OutputFormat};
use crate::terminal::{self, CheckView};
use crate::watcher::Watcher;

pub(crate) fn run(arguments: &CheckArguments) -> anyhow::Result<Ending> {
    if let Some(script) = &arguments.dataset.dry_run_script {
        return super::dry_run::run(&arguments.dataset, script);
    }
    let watcher = Watcher::for_person()?;
    arguments.output.as_deref().map(check_folder).transpose()?;
    let path = arguments.baseline.as_deref().context("no --baseline")?;
    super::keep_baseline(path, arguments.output.as_deref(), "constraints.json")?;
    let mut job = arguments.dataset.job()?;
    if let Some(rule) = arguments.drift {
        job.settings.drift = rule.into();
    }
    let analysis = baseline(arguments, path, &watcher)
        .and_then(|baseline| Ok(analyze(&job, Some(baseline), arguments.run.threads(), &watcher)?));
    watcher.done();
    let analysis = analysis?;
    watcher.safe_point()?;
    let (baseline, judgement) = analysis.judged.as_ref().context("a check has a judgement")?;
    let shown = match arguments.dataset.output_format() {
        OutputFormat::Json => as_json(&analysis, judgement),
        OutputFormat::Text => terminal::check(
            &CheckView {
                records: analysis.statistics.dataset.item_count,
                baseline: baseline.statistics.as_ref(),
                current: &analysis.statistics,
                constraints: &baseline.constraints,
                violations: &judgement.violations,
                drift: &judgement.drift,
                notes: &analysis.notes,
            },
            &crate::output::style(),
        ),
    };
    if let Some(folder) = &arguments.output {
        let html = report(arguments, path, &analysis, baseline, judgement).to_html();
        write_documents(folder, &analysis, &[("report.html", html)])?;
        watcher.results_are_written();
    }
    crate::output::print(&shown)?;
    if arguments.dataset.output_format() == OutputFormat::Text {
        super::say_written(arguments.output.as_deref());
    }
    Ok(if judgement.violations.is_empty() { Ending::Fine } else { Ending::Violations })
}

/// The documents of a folder, or those made of a dataset.
fn baseline(arguments: &CheckArguments, path: &Path, watcher: &Watcher) -> anyhow::Result<Baseline> {
    let mut baseline = if let Some(documents) = BaselineDocuments::of(path)? {
        Baseline {
            constraints: read_constraints(&documents.constraints)?,
            statistics: documents.statistics.as_deref().map(read_statistics).transpose()?,
        }
    } else {
        let job = arguments.dataset.for_source(path).job().with_context(|| of_baseline(path))?;
        let analysis = analyze(&job, None, arguments.run.threads(), watcher).with_context(|| of_baseline(path))?;
        watcher.done();
        super::say_baseline_notes(path, &analysis.notes);
        Baseline { constraints: analysis.constraints, statistics: Some(analysis.statistics) }
    };
    if let Some(path) = &arguments.constraints {
        baseline.constraints = read_constraints(path)?;
    }
    Ok(baseline)
}

fn report(
    arguments: &CheckArguments,
    path: &Path,
    analysis: &Analysis,
    baseline: &Baseline,
    judgement: &Judgement,
) -> Report {
    let name = arguments.dataset.source.display().to_string();
    Report {
        title: format!("{name} against {}", path.display()),
        baseline: baseline.statistics.as_ref().map(|statistics| Documents {
            name: path.display().to_string(),
            statistics: statistics.clone(),
            constraints: Some(baseline.constraints.clone()),
        }),
        runs: vec![Run {
            documents: Documents {
                name,
                statistics: analysis.statistics.clone(),
                constraints: Some(analysis.constraints.clone()),
            },
            violations: judgement.violations.clone(),
            drift: judgement.drift.clone(),
            notes: analysis.notes.clone(),
        }],
    }
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Printed<'a> {
    message: String,
    records: u64,
    violations: &'a [Violation],
    drift: Vec<PrintedDrift<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct PrintedDrift<'a> {
    feature_name: &'a str,
    threshold: f64,
    /// Absent where the feature was not compared.
    distance: Option<f64>,
    /// By the rule that was not in force.
    distance_by_other_rule: Option<f64>,
    rules_disagree: bool,
}

fn as_json(analysis: &Analysis, judgement: &Judgement) -> String {
    let drift = judgement.drift.iter().map(|comparison: &DriftComparison| PrintedDrift {
        feature_name: &comparison.feature,
        threshold: comparison.threshold,
        distance: comparison.distance(),
        distance_by_other_rule: match &comparison.outcome {
            DriftOutcome::Compared { by_other_rule, .. } | DriftOutcome::Skipped(_, by_other_rule) => {
                by_other_rule.map(|distance| distance.value)
            }
        },
        rules_disagree: comparison.rules_disagree(),
    });
    let mut json = watchkeeper_formats::json::to_string(&Printed {
        message: analysis.exit_message().to_string(),
        records: analysis.statistics.dataset.item_count,
        violations: &judgement.violations,
        drift: drift.collect(),
        notes: &analysis.notes,
    });
    json.push('\n');
    json
}
