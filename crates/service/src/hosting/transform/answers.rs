//! From answers to what the output object has: joined to the input, filtered, given ids, and put together.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::Failure;
use super::json_path::{compact, print_object};
use super::plan::{Format, Plan};
use super::records::{Batch, parts, without_end};
use super::{csv_record, model};

const OUTPUT: &str = "SageMakerOutput";
const INPUT: &str = "SageMakerInput";
const INFERENCE_ID: &str = "SageMakerInferenceId";
const INFERENCE_TIME: &str = "SageMakerInferenceTime";

/// What a request's answer becomes; `time` is the one of inference ids.
pub(super) fn assemble(plan: &Plan, time: Timestamp, batch: &Batch, answer: &model::Answer) -> Result<Bytes, Failure> {
    if !plan.changes_answers() {
        return Ok(if plan.assemble_lines {
            [without_end(&answer.body), b"\n"].concat().into()
        } else {
            answer.body.clone()
        });
    }
    let format = format(plan, answer)?;
    let records = records(format, batch, answer)?;
    if plan.join && records.len() != batch.count {
        return Err(Failure(format!(
            "the model gave {} records in answer to {}, and JoinSource Input needs one for each",
            records.len(),
            batch.count
        )));
    }
    let mut ids =
        Ids { time: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), document: Uuid::new_v4(), lines: plan.lines };
    let mut assembled = Vec::with_capacity(answer.body.len());
    for (number, record) in records.iter().enumerate() {
        let input = plan.join.then(|| &batch.inputs[number]);
        let record = match format {
            Format::Csv => csv(plan, input, record, &mut ids),
            Format::Json => json(plan, input, record, &mut ids),
        };
        assembled.extend_from_slice(&record.map_err(Failure)?);
        // Without AssembleWith what was between the model's records stays.
        if plan.assemble_lines || number + 1 < records.len() || answer.body.ends_with(b"\n") {
            assembled.push(b'\n');
        }
    }
    Ok(assembled.into())
}

/// The format of an answer: what it says, else what it was asked in, else that of the input.
fn format(plan: &Plan, answer: &model::Answer) -> Result<Format, Failure> {
    let said = answer.content_type.as_deref().and_then(Format::of_content_type);
    let Some(format) = said.or(plan.accept_format).or(plan.input_format) else {
        return Err(Failure(format!(
            "the model answers with {}, and DataProcessing and GenerateInferenceId need text/csv, application/json or \
             application/jsonlines",
            answer.content_type.as_deref().unwrap_or("no content type")
        )));
    };
    match plan.input_format.filter(|input| plan.join && *input != format) {
        Some(Format::Csv) => {
            Err(Failure("the model answers with JSON, and JoinSource Input needs CSV as the input is".to_owned()))
        }
        Some(Format::Json) => {
            Err(Failure("the model answers with CSV, and JoinSource Input needs JSON as the input is".to_owned()))
        }
        None => Ok(format),
    }
}

fn records(format: Format, batch: &Batch, answer: &model::Answer) -> Result<Vec<Bytes>, Failure> {
    let records =
        parts(format, &answer.body).map_err(|Failure(reason)| Failure(format!("the model's answer: {reason}")))?;
    // Some model servers answer several records with one line.
    if let [line] = records.as_slice()
        && format == Format::Csv
        && batch.count > 1
    {
        let fields = csv_record::fields(line);
        if fields.len() == batch.count {
            return Ok(fields.into_iter().map(|field| line.slice_ref(field)).collect());
        }
    }
    Ok(records)
}

struct Ids {
    time: String,
    document: Uuid,
    lines: bool,
}

impl Ids {
    fn next(&mut self) -> String {
        if self.lines { Uuid::new_v4().to_string() } else { self.document.to_string() }
    }
}

fn csv(plan: &Plan, input: Option<&Bytes>, record: &[u8], ids: &mut Ids) -> Result<Vec<u8>, String> {
    let mut fields = input.map(|input| csv_record::fields(input)).unwrap_or_default();
    fields.extend(csv_record::fields(record));
    let mut fields = plan.output_filter.of_fields(&fields)?;
    let id = if plan.inference_id { ids.next() } else { String::new() };
    if plan.inference_id {
        fields.extend([id.as_bytes(), ids.time.as_bytes()]);
    }
    Ok(csv_record::line(&fields))
}

fn json(plan: &Plan, input: Option<&Bytes>, record: &[u8], ids: &mut Ids) -> Result<Vec<u8>, String> {
    let record = text(record)?;
    let joined = match input {
        Some(input) => join(text(input)?, record)?,
        None => record.to_owned(),
    };
    let filtered = if plan.output_filter.is_root() { compact(&joined) } else { plan.output_filter.of_json(&joined)? };
    if !plan.inference_id {
        return Ok(filtered.into_bytes());
    }
    let quoted = [ids.next(), ids.time.clone()].map(|text| format!("\"{text}\""));
    let mut members = members(&filtered).unwrap_or_else(|| BTreeMap::from([(OUTPUT.to_owned(), filtered.as_str())]));
    members.insert(INFERENCE_ID.to_owned(), &quoted[0]);
    members.insert(INFERENCE_TIME.to_owned(), &quoted[1]);
    Ok(print(&members).into_bytes())
}

/// The input's members with the answer among them, in the order of their names.
fn join(input: &str, answer: &str) -> Result<String, String> {
    let mut members = if let Some(members) = members(input) {
        members
    } else {
        serde_json::from_str::<&RawValue>(input).map_err(|error| format!("an input record is no JSON: {error}"))?;
        BTreeMap::from([(INPUT.to_owned(), input)])
    };
    members.insert(OUTPUT.to_owned(), answer);
    Ok(print(&members))
}

/// The members of a JSON object as they stand in the text; None for anything else.
fn members(json: &str) -> Option<BTreeMap<String, &str>> {
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.get())).collect())
}

fn print(members: &BTreeMap<String, &str>) -> String {
    print_object(members.iter().map(|(name, value)| (name.as_str(), *value)))
}

fn text(record: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(record).map_err(|error| format!("a record is not UTF-8: {error}"))
}
