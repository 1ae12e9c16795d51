//! `watchkeeper inspect`: a document as a table.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use watchkeeper_formats::clarify::{Analysis, ClarifyViolations};
use watchkeeper_formats::{
    ConstraintViolations, Constraints, DocumentKind, MergeReport, MetricViolations, ModelQualityConstraints,
    ModelQualityStatistics, Statistics,
};

use crate::Ending;
use crate::arguments::{InspectArguments, OutputFormat};
use crate::terminal;

pub(crate) fn run(arguments: &InspectArguments) -> anyhow::Result<Ending> {
    let shown = read(&arguments.file).map_err(Into::into).and_then(|text| shown(&text, arguments.format));
    crate::output::print(&shown.with_context(|| arguments.file.display().to_string())?)?;
    Ok(Ending::Fine)
}

/// The document as it is printed, its last line ended.
fn shown(text: &str, format: OutputFormat) -> anyhow::Result<String> {
    let as_json = format == OutputFormat::Json;
    let style = crate::output::style();
    let Some(kind) = DocumentKind::of(text).context("no JSON document, which `inspect` shows")? else {
        bail!(
            "neither statistics (`dataset`), nor constraints (`features`), nor violations (`violations`), nor those of model \
             quality, nor an analysis of bias or features, nor the report of a merge"
        )
    };
    let shown = match kind {
        DocumentKind::Statistics => {
            let document = Statistics::parse(text)?;
            if as_json { document.to_json() } else { terminal::statistics(&document, &style) }
        }
        DocumentKind::Constraints => {
            let document = Constraints::parse(text)?;
            if as_json { document.to_json() } else { terminal::constraints(&document, &style) }
        }
        DocumentKind::Violations => {
            let document = ConstraintViolations::parse(text)?;
            if as_json { document.to_json() } else { terminal::violations(&document, &style) }
        }
        DocumentKind::ModelQualityStatistics(_) => {
            let document = ModelQualityStatistics::parse(text)?;
            if as_json { document.to_json() } else { terminal::quality_statistics(&document, &style) }
        }
        DocumentKind::ModelQualityConstraints(problem_type) => {
            let document = ModelQualityConstraints::parse(text, problem_type)?;
            if as_json { document.to_json() } else { terminal::quality_constraints(&document, &style) }
        }
        DocumentKind::ModelQualityViolations => {
            let document = MetricViolations::parse(text)?;
            if as_json { document.to_json() } else { terminal::quality_violations(&document, &style) }
        }
        DocumentKind::Analysis => {
            let document = Analysis::parse(text)?;
            if as_json { document.to_json() } else { terminal::analysis(&document, &style) }
        }
        DocumentKind::ClarifyViolations => {
            let document = ClarifyViolations::parse(text)?;
            if as_json { document.to_json() } else { terminal::clarify_violations(&document, &style) }
        }
        DocumentKind::MergeReport => {
            let document = MergeReport::parse(text)?;
            if as_json { document.to_json() } else { terminal::merge_report(&document, &style) }
        }
    };
    Ok(if as_json { shown + "\n" } else { shown })
}

fn read(path: &Path) -> std::io::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(path)
}
