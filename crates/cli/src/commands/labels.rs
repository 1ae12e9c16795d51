//! `watchkeeper labels`: ground truth for what a schedule watches, from files or from the command line.
//!
//! Of several batches those before a failure stay uploaded: the message says how many labels that were. To upload a label again
//! does no harm, as the last one counts.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use watchkeeper_service::api::operators::GroundTruthAnswer;

use crate::Ending;
use crate::batches::send_lines;
use crate::operators::{Operators, ServiceArguments};
use crate::terminal::counted;

/// The longest line that is read.
const LONGEST_LINE: usize = 4 << 20;

/// Arguments of the command.
#[derive(Args)]
pub(crate) struct LabelsArguments {
    /// The schedule.
    #[arg(value_name = "SCHEDULE")]
    schedule: String,
    /// Files; - is standard input. JSON lines, each `{"id": ..., "label": ...}` or a ground-truth record of AWS, or CSV with
    /// the columns `id` and `label`, and `time` if they like.
    #[arg(value_name = "FILE", required_unless_present = "id", conflicts_with = "id")]
    files: Vec<PathBuf>,
    /// The inference id of the one label to upload, or the event id of an inference without one.
    #[arg(long, value_name = "ID", requires = "label")]
    id: Option<String>,
    /// The one label.
    #[arg(long, value_name = "LABEL", requires = "id", allow_hyphen_values = true)]
    label: Option<String>,
    #[command(flatten)]
    service: ServiceArguments,
}

/// The lines of a file, as the service takes them.
enum Form {
    /// As they are.
    JsonLines,
    /// Cells of these columns.
    Csv { id: usize, label: usize, time: Option<usize> },
}

/// Uploads labels to a schedule.
struct Uploader<'a> {
    operators: &'a Operators,
    schedule: &'a str,
    uploaded: GroundTruthAnswer,
}

pub(crate) fn run(arguments: &LabelsArguments) -> anyhow::Result<Ending> {
    let operators = arguments.service.open()?;
    let uploaded = GroundTruthAnswer { uploaded: 0, objects: Vec::new() };
    let mut uploader = Uploader { operators: &operators, schedule: &arguments.schedule, uploaded };
    if let (Some(id), Some(label)) = (&arguments.id, &arguments.label) {
        uploader.send(label_line(id, label, None).into_bytes()).context("--label")?;
    }
    for file in &arguments.files {
        let mut form = None;
        let converted = |number, line: &[u8], batch: &mut Vec<u8>| convert(&mut form, number, line, batch);
        let result = send_lines(file, LONGEST_LINE, converted, |lines| uploader.send(lines));
        match uploader.uploaded.uploaded {
            0 => result?,
            before => result.with_context(|| format!("{} uploaded before this", counted(before, "label")))?,
        }
    }
    arguments.service.print(&uploader.uploaded, |answer| {
        format!("{} uploaded for {}\n", counted(answer.uploaded, "label"), arguments.schedule)
    })?;
    Ok(Ending::Fine)
}

impl Uploader<'_> {
    fn send(&mut self, lines: Vec<u8>) -> anyhow::Result<()> {
        let path = ["schedules", self.schedule, "ground-truth"];
        let answer: GroundTruthAnswer = self.operators.post_lines(&path, lines)?;
        self.uploaded.uploaded += answer.uploaded;
        self.uploaded.objects.extend(answer.objects);
        Ok(())
    }
}

/// Appends what becomes of a line, whose file's first line tells its form.
fn convert(form: &mut Option<Form>, number: u64, line: &[u8], batch: &mut Vec<u8>) -> Result<(), String> {
    let text = std::str::from_utf8(line).map_err(|_| format!("line {number} is not UTF-8"))?;
    let text = if number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text }.trim();
    let place = |reason: String| format!("line {number}: {reason}");
    match form {
        _ if text.is_empty() => {}
        None if text.starts_with('{') => {
            *form = Some(Form::JsonLines);
            batch.extend_from_slice(text.as_bytes());
        }
        None => *form = Some(Form::of_header(text).map_err(place)?),
        Some(Form::JsonLines) => batch.extend_from_slice(text.as_bytes()),
        Some(csv) => batch.extend_from_slice(csv.label(text).map_err(place)?.as_bytes()),
    }
    // Each line has its place in the batch, so that the service's numbers are those of the file.
    batch.push(b'\n');
    Ok(())
}

impl Form {
    fn of_header(text: &str) -> Result<Self, String> {
        let names = cells(text)?;
        let column = |name: &str| names.iter().position(|cell| cell.trim().eq_ignore_ascii_case(name));
        match (column("id"), column("label")) {
            (Some(id), Some(label)) => Ok(Self::Csv { id, label, time: column("time") }),
            _ => Err(format!(
                "it is neither JSON nor the header of CSV with the columns `id` and `label`, but has {}: write a header, or \
                 lines such as {{\"id\": \"57\", \"label\": 1}}",
                names.join(", ")
            )),
        }
    }

    fn label(&self, text: &str) -> Result<String, String> {
        let Self::Csv { id, label, time } = self else { return Ok(text.to_owned()) };
        let cells = cells(text)?;
        let cell = |index: usize| {
            let missing = || format!("it has {} cells, and {} are needed", cells.len(), index + 1);
            cells.get(index).map(String::as_str).ok_or_else(missing)
        };
        let time = time.map(&cell).transpose()?.map(str::trim).filter(|time| !time.is_empty());
        Ok(label_line(cell(*id)?, cell(*label)?, time))
    }
}

/// The line of a label that was text. One that is an object or a list of JSON stays that.
fn label_line(id: &str, label: &str, time: Option<&str>) -> String {
    let parsed = Some(label).filter(|label| label.starts_with(['{', '[']));
    let label = parsed.and_then(|label| serde_json::from_str(label).ok()).unwrap_or_else(|| json!(label));
    let mut line = json!({"id": id, "label": label});
    if let Some(time) = time {
        line["time"] = json!(time);
    }
    line.to_string()
}

/// The cells of a line of CSV; quotes stand around cells that hold commas, and are doubled within.
fn cells(line: &str) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut cell = String::new();
            let mut tail = quoted;
            loop {
                let end = tail.find('"').ok_or("a quote is not closed on its line")?;
                cell.push_str(&tail[..end]);
                tail = &tail[end + 1..];
                let Some(after) = tail.strip_prefix('"') else { break };
                cell.push('"');
                tail = after;
            }
            cells.push(cell);
            match tail.strip_prefix(',') {
                Some(next) => rest = next,
                None if tail.is_empty() => return Ok(cells),
                None => return Err(format!("`{tail}` follows a closing quote")),
            }
        } else {
            let Some((cell, next)) = rest.split_once(',') else {
                cells.push(rest.to_owned());
                return Ok(cells);
            };
            cells.push(cell.to_owned());
            rest = next;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn cells_of_csv() {
        for (line, expected) in [
            ("57,1", vec!["57", "1"]),
            ("", vec![""]),
            (",", vec!["", ""]),
            (r#""a,b",c"#, vec!["a,b", "c"]),
            (r#"x,"say ""hi""""#, vec!["x", r#"say "hi""#]),
            (r#""",1"#, vec!["", "1"]),
            (r#"a"b,c"#, vec![r#"a"b"#, "c"]),
        ] {
            assert_eq!(cells(line).unwrap(), expected, "{line}");
        }
        assert_eq!(cells(r#"1,"open"#).unwrap_err(), "a quote is not closed on its line");
        assert_eq!(cells(r#""a"b,c"#).unwrap_err(), "`b,c` follows a closing quote");
    }
}
