//! `watchkeeper inspect`: a document as a table.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use watchkeeper_formats::{ConstraintViolations, Constraints, Statistics};

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
    let shown = match kind(text)? {
        Kind::Statistics => {
            let document = Statistics::parse(text)?;
            if as_json { document.to_json() } else { terminal::statistics(&document, &style) }
        }
        Kind::Constraints => {
            let document = Constraints::parse(text)?;
            if as_json { document.to_json() } else { terminal::constraints(&document, &style) }
        }
        Kind::Violations => {
            let document = ConstraintViolations::parse(text)?;
            if as_json { document.to_json() } else { terminal::violations(&document, &style) }
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

enum Kind {
    Statistics,
    Constraints,
    Violations,
}

/// Which document a text is, by the keys that only it has.
fn kind(text: &str) -> anyhow::Result<Kind> {
    let document: serde_json::Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))?;
    let first_feature_has = |key: &str| document["features"][0].get(key).is_some();
    if document.get("violations").is_some() {
        Ok(Kind::Violations)
    } else if document.get("dataset").is_some()
        || first_feature_has("numerical_statistics")
        || first_feature_has("string_statistics")
    {
        Ok(Kind::Statistics)
    } else if document.get("features").is_some() || document.get("monitoring_config").is_some() {
        Ok(Kind::Constraints)
    } else {
        bail!("neither statistics (`dataset`), nor constraints (`features`), nor violations (`violations`)")
    }
}
