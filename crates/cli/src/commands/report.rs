//! `watchkeeper report`: documents that are there, as one HTML file.

use std::path::Path;

use anyhow::Context as _;
use watchkeeper_analyzer::data_quality::{read_constraints, read_statistics};
use watchkeeper_analyzer::report::{Documents, Report, Run};
use watchkeeper_engine::profile::compare_distributions;
use watchkeeper_formats::{ConstraintViolations, Violation};

use crate::Ending;
use crate::arguments::ReportArguments;

pub(crate) fn run(arguments: &ReportArguments) -> anyhow::Result<Ending> {
    let (last, _) = arguments.folders.split_last().context("no folder")?;
    let (first, others) = arguments.folders.split_first().context("no folder")?;
    let first = documents(first)?;
    let report = if others.is_empty() {
        let violations = violations(last)?;
        if violations.is_empty() {
            Report { title: first.name.clone(), baseline: Some(first), runs: Vec::new() }
        } else {
            let title = first.name.clone();
            let run = Run { documents: first, violations, drift: Vec::new(), notes: Vec::new() };
            Report { title, baseline: None, runs: vec![run] }
        }
    } else {
        let runs = others.iter().map(|folder| check(folder, &first, arguments)).collect::<anyhow::Result<_>>()?;
        let names: Vec<String> = others.iter().map(|folder| folder.display().to_string()).collect();
        Report { title: format!("{} against {}", names.join(", "), first.name), baseline: Some(first), runs }
    };
    let path = arguments.output.clone().unwrap_or_else(|| last.join("report.html"));
    watchkeeper_analyzer::output::write(&path, report.to_html().as_bytes())?;
    crate::output::print(&format!("{}\n", path.display()))?;
    Ok(Ending::Fine)
}

fn documents(folder: &Path) -> anyhow::Result<Documents> {
    let statistics = read_statistics(&folder.join("statistics.json"))?;
    let constraints = folder.join("constraints.json");
    let constraints = constraints.try_exists()?.then(|| read_constraints(&constraints)).transpose()?;
    Ok(Documents { name: folder.display().to_string(), statistics, constraints })
}

fn check(folder: &Path, baseline: &Documents, arguments: &ReportArguments) -> anyhow::Result<Run> {
    let documents = documents(folder)?;
    let drift = baseline.constraints.as_ref().map_or_else(Vec::new, |constraints| {
        compare_distributions(&documents.statistics, &baseline.statistics, constraints, arguments.drift.into())
    });
    Ok(Run { violations: violations(folder)?, documents, drift, notes: Vec::new() })
}

fn violations(folder: &Path) -> anyhow::Result<Vec<Violation>> {
    let path = folder.join("constraint_violations.json");
    if !path.try_exists()? {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(ConstraintViolations::parse(&text).with_context(|| path.display().to_string())?.violations)
}
