//! `watchkeeper config`: the effective configuration and where it came from.

use serde_json::{Map, Value, json};
use watchkeeper_service::configuration::Setting;

use super::serve::load;
use crate::arguments::{ConfigArguments, OutputFormat};
use crate::{Ending, output};

pub(crate) fn run(arguments: &ConfigArguments) -> anyhow::Result<Ending> {
    let settings = load(&arguments.settings)?.settings;
    output::print(&match arguments.format {
        OutputFormat::Text => table(&settings),
        OutputFormat::Json => document(&settings),
    })?;
    Ok(Ending::Fine)
}

/// One line a setting, with its origin behind it.
fn table(settings: &[Setting]) -> String {
    let text = |setting: &Setting| match &setting.value {
        Value::Null => format!("{} is not set", setting.key),
        value => format!("{} = {value}", setting.key),
    };
    let lines: Vec<(String, String)> =
        settings.iter().map(|setting| (text(setting), setting.origin.to_string())).collect();
    let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0).min(60);
    let lines: Vec<String> = lines.iter().map(|(line, origin)| format!("{line:<width$}  # {origin}\n")).collect();
    lines.concat()
}

fn document(settings: &[Setting]) -> String {
    let entry = |setting: &Setting| {
        (setting.key.clone(), json!({ "value": setting.value, "origin": setting.origin.to_string() }))
    };
    let document: Map<String, Value> = settings.iter().map(entry).collect();
    format!("{}\n", serde_json::to_string_pretty(&document).expect("a map of JSON values is JSON"))
}
