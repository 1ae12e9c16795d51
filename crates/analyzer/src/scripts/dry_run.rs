//! A preprocessor tried on captured data, with every record shown before and after.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};
use watchkeeper_data::Preprocessed;

use super::error::{ScriptError, Stage};
use super::preprocessor::{Session, record_name, shortened};
use crate::Observer;

/// How much of a payload is shown.
const LONGEST_PAYLOAD: usize = 1000;

/// The payloads of a record: where they stand, and what they are called.
const PAYLOADS: [(&str, &str); 4] = [
    ("/captureData/endpointInput", "endpoint input"),
    ("/captureData/endpointOutput", "endpoint output"),
    ("/captureData/batchTransformOutput", "batch transform output"),
    ("/groundTruthData", "ground truth"),
];

/// What a dry run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DryRunSummary {
    /// Captured records that the handler was called with.
    pub records: u64,
    /// Those for which it returned nothing.
    pub skipped: u64,
    /// Those it returned as they were.
    pub unchanged: u64,
    /// Rows it returned, CSV lines included; records that it returned whole are not counted.
    pub rows: u64,
    /// Lines that hold no captured record; the handler never saw them.
    pub unreadable: u64,
}

/// Runs a preprocessor on capture lines one by one and writes each record before and after to `out`, with what the
/// script printed in between. Ends at the first failure, as the job would, with the traceback in `out`. Blank lines
/// are passed over. What the script prints while it is loaded goes to the observer.
pub fn dry_run(
    script: &Path,
    capture_lines: impl Iterator<Item = io::Result<String>>,
    variables: &BTreeMap<String, String>,
    time_limit: Duration,
    observer: &dyn Observer,
    out: &mut dyn Write,
) -> Result<DryRunSummary, ScriptError> {
    let mut session = match Session::start(Stage::Preprocessor, script, variables, time_limit, observer) {
        Ok(session) => session,
        Err(failure) => {
            write_lines(out, "", &failure.details).map_err(ScriptError::Report)?;
            return Err(failure.error);
        }
    };
    let mut summary = DryRunSummary::default();
    for (index, line) in capture_lines.enumerate() {
        let line = line.map_err(ScriptError::Capture)?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Value>(&line) {
            Ok(record) if record.get("captureData").is_some_and(Value::is_object) => {
                summary.records += 1;
                show_record(&mut session, &line, &record, &mut summary, out)?;
            }
            other => {
                summary.unreadable += 1;
                let reason = other.map_or_else(|error| error.to_string(), |_| "no `captureData` object".to_owned());
                writeln!(out, "line {}: no captured record, the handler is not called: {reason}\n", index + 1)
                    .map_err(ScriptError::Report)?;
            }
        }
    }
    session.finish(observer, &mut |line| observer.log(crate::Level::Info, line))?;
    Ok(summary)
}

fn show_record(
    session: &mut Session<'_>,
    line: &str,
    record: &Value,
    summary: &mut DryRunSummary,
    out: &mut dyn Write,
) -> Result<(), ScriptError> {
    write_before(out, summary.records, line, record).map_err(ScriptError::Report)?;
    let mut written = Ok(());
    let result = session.process(&[line], &mut |printed| {
        if written.is_ok() {
            written = writeln!(out, "  | {printed}");
        }
    });
    written.map_err(ScriptError::Report)?;
    match result {
        Ok(results) => results.iter().try_for_each(|result| write_after(out, record, result, summary)),
        Err(failure) => {
            write_lines(out, "  ", &failure.details).map_err(ScriptError::Report)?;
            return Err(failure.error);
        }
    }
    .and_then(|()| writeln!(out))
    .map_err(ScriptError::Report)
}

fn write_lines(out: &mut dyn Write, indentation: &str, lines: &[String]) -> io::Result<()> {
    lines.iter().try_for_each(|line| writeln!(out, "{indentation}{line}"))?;
    out.flush()
}

fn write_before(out: &mut dyn Write, number: u64, line: &str, record: &Value) -> io::Result<()> {
    writeln!(out, "{}", record_name(number, line))?;
    write_payloads(out, "before", record)?;
    // What the script does may take a while.
    out.flush()
}

fn write_payloads(out: &mut dyn Write, title: &str, record: &Value) -> io::Result<()> {
    writeln!(out, "  {title}")?;
    for (pointer, name) in PAYLOADS {
        if let Some(payload) = record.pointer(pointer) {
            let encoding = payload.get("encoding").and_then(Value::as_str).unwrap_or("no encoding");
            let data = payload.get("data").and_then(Value::as_str).map_or("no data".to_owned(), one_line);
            writeln!(out, "    {name} ({encoding}): {data}")?;
        }
    }
    Ok(())
}

fn write_after(
    out: &mut dyn Write,
    before: &Value,
    result: &Preprocessed,
    summary: &mut DryRunSummary,
) -> io::Result<()> {
    match result {
        Preprocessed::Skipped => {
            summary.skipped += 1;
            writeln!(out, "  after: skipped")
        }
        Preprocessed::Record(line) => match serde_json::from_str::<Value>(line) {
            Ok(after) if after != *before => write_payloads(out, "after, the record changed", &after),
            _ => {
                summary.unchanged += 1;
                writeln!(out, "  after: unchanged")
            }
        },
        Preprocessed::Rows(text) => {
            let rows: Vec<Map<String, Value>> = serde_json::from_str(text)?;
            summary.rows += rows.len() as u64;
            for (index, row) in rows.iter().enumerate() {
                match rows.len() {
                    1 => writeln!(out, "  after")?,
                    count => writeln!(out, "  after, row {} of {count}", index + 1)?,
                }
                write_row(out, row.iter().map(|(key, value)| (key.clone(), value)))?;
            }
            Ok(())
        }
        Preprocessed::Row(text) => {
            let values: Vec<Value> = serde_json::from_str(text)?;
            summary.rows += 1;
            writeln!(out, "  after, values in column order")?;
            write_row(out, values.iter().enumerate().map(|(index, value)| (index.to_string(), value)))
        }
        Preprocessed::Csv(text) => {
            for line in text.lines() {
                summary.rows += 1;
                writeln!(out, "  after, csv row: {}", shortened(line, LONGEST_PAYLOAD))?;
            }
            if text.is_empty() { writeln!(out, "  after, csv row: (empty)") } else { Ok(()) }
        }
    }
}

/// Aligned `key = value` lines. Values are JSON, so that the text `"1"` and the number `1` look different.
fn write_row<'v>(out: &mut dyn Write, members: impl Iterator<Item = (String, &'v Value)>) -> io::Result<()> {
    let members: Vec<_> = members.collect();
    let width = members.iter().map(|(key, _)| key.chars().count()).max().unwrap_or_default();
    if members.is_empty() {
        return writeln!(out, "    (no values)");
    }
    for (key, value) in members {
        let value = if value.is_null() { "missing".to_owned() } else { shortened(&value.to_string(), LONGEST_PAYLOAD) };
        writeln!(out, "    {key:width$} = {value}")?;
    }
    Ok(())
}

fn one_line(payload: &str) -> String {
    let payload = payload.trim_end_matches(['\r', '\n']);
    shortened(payload, LONGEST_PAYLOAD).replace('\r', "\\r").replace('\n', "\\n")
}
