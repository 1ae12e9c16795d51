//! The files that an analysis leaves behind (sections 2.1 of the bias, 4 of the explainability specification).

use std::fmt::Write as _;
use std::path::Path;

use watchkeeper_formats::clarify::{Analysis, ClarifyViolations};
use watchkeeper_formats::number::python_float;

use super::{ClarifyAnalysis, LocalAttributions};
use crate::Error;
use crate::output::Output;

/// Folder of the files about single rows.
const EXPLANATIONS: &str = "explanations_shap";

/// Reads a baseline: the `analysis.json` of an earlier job, or the folder it is in.
pub fn read_baseline(path: &Path) -> Result<Analysis, Error> {
    let is_folder = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    let path = if is_folder { path.join("analysis.json") } else { path.to_owned() };
    let baseline = crate::inputs::read_constraints(&path, Analysis::parse)?;
    let has_bias = baseline.post_training_bias.is_some() || baseline.pre_training_bias.is_some();
    if !has_bias && baseline.explanations.is_none() {
        // The document of another monitor, likely: nothing would ever be violated.
        let problem = "neither bias metrics nor explanations are in it, as they are in an analysis.json".to_owned();
        return Err(Error::BaselineConstraints { path, problem });
    }
    Ok(baseline)
}

/// Writes the documents of an analysis to a folder, with `further` files beside them: all or none.
pub fn write_documents(folder: &Path, analysis: &ClarifyAnalysis, further: &[(&str, String)]) -> Result<(), Error> {
    let mut output = Output::default();
    add_to(&mut output, folder, analysis, further.iter().map(|(name, text)| (*name, text.as_str())))?;
    output.finish()
}

/// Adds the documents to others that are to appear with them.
pub(super) fn add_to<'a>(
    output: &mut Output,
    folder: &Path,
    analysis: &ClarifyAnalysis,
    further: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<(), Error> {
    output.add(&folder.join("analysis.json"), analysis.analysis.to_json().as_bytes())?;
    let violations = analysis.violations.as_deref().unwrap_or_default();
    let violations = (!violations.is_empty()).then(|| ClarifyViolations { violations: violations.to_vec() }.to_json());
    let explanations = folder.join(EXPLANATIONS);
    let local = analysis.local.as_ref().filter(|_| analysis.saves_local);
    let optional = [
        (folder.join("constraint_violations.json"), violations),
        (explanations.join("out.csv"), local.map(local_values)),
        (explanations.join("baseline.csv"), analysis.background.as_ref().map(|(names, rows)| csv(names, rows))),
    ];
    for (path, content) in optional {
        output.add_or_remove(&path, content.as_deref())?;
    }
    for (name, content) in further {
        output.add(&folder.join(name), content.as_bytes())?;
    }
    Ok(())
}

/// `out.csv`: a line a row, a column for each feature of each label.
fn local_values(local: &LocalAttributions) -> String {
    let columns =
        local.labels.iter().flat_map(|label| local.features.iter().map(move |feature| format!("{feature}_{label}")));
    let mut text = String::new();
    let join = local.join.as_ref();
    let header: Vec<String> = join.map(|(name, _)| name.clone()).into_iter().chain(columns).collect();
    push_line(&mut text, &header);
    let width = local.labels.len() * local.features.len();
    for (row, values) in local.values.chunks_exact(width.max(1)).enumerate() {
        if let Some((_, cells)) = join {
            push_cell(&mut text, &cells[row]);
            text.push(',');
        }
        for (place, value) in values.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(text, "{comma}{}", python_float(*value)).expect("a string takes every text");
        }
        text.push('\n');
    }
    text
}

fn csv(header: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    std::iter::once(header).chain(rows.iter().map(Vec::as_slice)).for_each(|line| push_line(&mut text, line));
    text
}

fn push_line(text: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        push_cell(text, cell);
    }
    text.push('\n');
}

fn push_cell(text: &mut String, cell: &str) {
    if cell.contains([',', '"', '\n', '\r']) {
        text.push('"');
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(cell);
    }
}
