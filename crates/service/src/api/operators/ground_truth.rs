//! Ground truth for those who have no tool for buckets: records become objects where a schedule looks for them.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{self, Path};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use uuid::Uuid;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};

use super::lines::{each_line, moment};
use super::shapes::{Failure, GroundTruthAnswer};
use super::{Error, State};
use crate::context::Context;
use crate::control::execution_plan::hour_path;
use crate::control::schedule::MonitoringSchedule;
use crate::hosting::capture::hour_of;
use crate::scheduler::examine;

/// A line that is no record of AWS's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelLine<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    label: &'a RawValue,
    #[serde(default)]
    time: Option<String>,
}

/// What tells the two kinds of lines apart, and all that a record of AWS's needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow, default)]
    ground_truth_data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_metadata: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct GroundTruthData<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    encoding: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventMetadata<'a> {
    #[serde(borrow)]
    event_id: &'a RawValue,
}

/// Uploads labels for what a schedule watches. The body is JSON lines, each a ground-truth record as AWS has it, or
/// `{"id": "57", "label": 1}` with the `time` at which the label was collected, now unless given: the inference id, or the
/// event id of an inference without one, and the label, a text, a number, a boolean or any JSON. All lines are stored when it
/// answers; where one cannot be read, none is.
#[utoipa::path(post, path = "/_watchkeeper/schedules/{name}/ground-truth", params(
    ("name" = String, Path, description = "Name of the schedule")),
    request_body(content = String, content_type = "application/jsonlines"), responses(
    (status = 200, body = GroundTruthAnswer), (status = 400, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn upload(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    lines: Bytes,
) -> Result<Json<GroundTruthAnswer>, Error> {
    let context = state.context.as_ref();
    let folder = folder(context, &name).await?;
    let now = context.now();
    let mut hours: BTreeMap<i64, (Timestamp, Vec<u8>)> = BTreeMap::new();
    let uploaded = each_line(&lines, |line| {
        let (record, time) = record(line.trim_ascii(), now)?;
        let (_, content) = hours.entry(hour_of(time)).or_insert_with(|| (time, Vec::new()));
        content.extend_from_slice(record.as_bytes());
        content.push(b'\n');
        Ok(())
    })?;
    let mut objects = Vec::new();
    for (time, content) in hours.into_values() {
        // Of several labels for an id the one with the last key counts: that of the last upload.
        let name = format!("{}-{}.jsonl", now.strftime("%Y%m%dT%H%M%S%3f"), Uuid::new_v4());
        let address = folder.join(&format!("{}/{name}", hour_path(time)));
        let attributes =
            ObjectAttributes { content_type: Some("application/jsonlines".to_owned()), ..ObjectAttributes::default() };
        let put = context.objects.put(&address.bucket, &address.key, attributes, body(content), Precondition::None);
        put.await?;
        objects.push(address.to_string());
    }
    Ok(Json(GroundTruthAnswer { uploaded, objects }))
}

/// Where a schedule looks for ground truth.
async fn folder(context: &Context, name: &str) -> Result<S3Uri, Error> {
    let schedule = context.resources.get::<MonitoringSchedule>(&MonitoringSchedule::key_of(name)).await?;
    let schedule =
        schedule.ok_or_else(|| Error::not_found(format!("there is no monitoring schedule {name}")))?.resource;
    let refused = |reason: String| Error::conflict(format!("monitoring schedule {name}: {reason}"));
    let definition = examine::definition(context, &schedule).await?.map_err(refused)?;
    let folder = examine::ground_truth_folder(&definition).map_err(refused)?;
    if context.objects.bucket(&folder.bucket).await?.is_none() {
        let bucket = folder.bucket;
        return Err(refused(format!("there is no bucket `{bucket}` for its ground truth, create it")));
    }
    Ok(folder)
}

/// The record of a line, and when it was collected.
fn record(line: &str, now: Timestamp) -> Result<(String, Timestamp), String> {
    // A list would be taken for the members in their order.
    if !line.starts_with('{') {
        let example = r#"{"id": "57", "label": 1}"#;
        return Err(format!("it is no JSON object: write a line for each label, such as {example}"));
    }
    let kind: Record<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if let Some(data) = kind.ground_truth_data {
        check(data, kind.event_metadata)?;
        return Ok((line.to_owned(), now));
    }
    let given: LabelLine<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let time = given.time.as_deref().map_or(Ok(now), |time| moment("time", time))?;
    let (data, encoding) = data_of(given.label)?;
    let record = json!({
        "groundTruthData": {"data": data, "encoding": encoding},
        "eventMetadata": {"eventId": id_of("id", given.id)?},
        "eventVersion": "0",
    });
    Ok((record.to_string(), time))
}

/// What a merge would leave out is refused while somebody is there to hear of it.
fn check(data: &RawValue, metadata: Option<&RawValue>) -> Result<(), String> {
    let data: GroundTruthData<'_> =
        serde_json::from_str(data.get()).map_err(|error| format!("groundTruthData: {error}"))?;
    if data.data.get() == "null" {
        return Err("groundTruthData.data is null".to_owned());
    }
    let encoding = data.encoding.as_deref().unwrap_or("CSV");
    if !["CSV", "JSON"].iter().any(|known| encoding.eq_ignore_ascii_case(known)) {
        return Err(format!("groundTruthData.encoding is `{encoding}`, expected CSV or JSON"));
    }
    let metadata = metadata.ok_or("it has no eventMetadata")?;
    let metadata: EventMetadata<'_> =
        serde_json::from_str(metadata.get()).map_err(|error| format!("eventMetadata: {error}"))?;
    id_of("eventMetadata.eventId", metadata.event_id).map(drop)
}

/// A text, or the text of a number.
fn id_of(member: &str, id: &RawValue) -> Result<String, String> {
    let raw = id.get();
    if raw.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Ok(raw.to_owned());
    }
    let text = serde_json::from_str::<String>(raw).ok().filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("{member} is {raw}, expected a text or a number"))
}

/// A label as ground truth holds it. What would not be one cell of CSV is JSON.
fn data_of(label: &RawValue) -> Result<(String, &'static str), String> {
    let raw = label.get();
    match serde_json::from_str(raw).map_err(|error| format!("label: {error}"))? {
        Value::Null => Err("label is null, expected a text, a number, a boolean or any other JSON".to_owned()),
        Value::String(text) if text.trim().is_empty() => Err("label is empty".to_owned()),
        Value::String(text) if !text.contains([',', '"', '\n', '\r']) => Ok((text, "CSV")),
        Value::String(_) | Value::Array(_) | Value::Object(_) => Ok((raw.to_owned(), "JSON")),
        // The number's own text.
        Value::Number(_) | Value::Bool(_) => Ok((raw.to_owned(), "CSV")),
    }
}
