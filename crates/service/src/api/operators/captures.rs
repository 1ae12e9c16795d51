//! Captures of predictions that were made elsewhere: in batches, offline, or by a model that nothing fronts.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{self, Path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_formats::capture::{CaptureData, CapturePart, CaptureRecord, Encoding, EventMetadata};

use super::lines::{each_line, moment};
use super::shapes::{Failure, IngestionAnswer};
use super::{Error, State};
use crate::context::Context;
use crate::control::endpoint::Endpoint;
use crate::hosting::capture::{CaptureObject, CapturePlan, CaptureSink as _, StoreSink, hour_of};

/// A line that is no capture line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Prediction<'a> {
    #[serde(borrow)]
    input: &'a RawValue,
    #[serde(borrow)]
    output: &'a RawValue,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    output_content_type: Option<String>,
    #[serde(default)]
    inference_id: Option<String>,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    time: Option<String>,
    #[serde(default)]
    custom_attributes: Option<String>,
    #[serde(default)]
    variant: Option<String>,
}

/// What tells the two kinds of lines apart.
#[derive(Deserialize)]
struct Kind<'a> {
    #[serde(borrow, default, rename = "captureData")]
    capture_data: Option<&'a RawValue>,
}

/// Where captures of an endpoint go.
struct Target {
    plan: CapturePlan,
    variants: Vec<String>,
    now: Timestamp,
}

/// Lines of one object.
struct Lines {
    first: Timestamp,
    bytes: Vec<u8>,
}

/// Captures predictions of an endpoint's model. The body is JSON lines, each a line of a capture file, or
/// `{"input": ..., "output": ...}` with, where they are known, `content_type`, `output_content_type`, `inference_id`,
/// `event_id`, `time`, `custom_attributes` and `variant`. Texts are payloads as they are, anything else is a payload of JSON.
/// All lines are stored when it answers; where one cannot be read, none is. Sampling does not apply.
#[utoipa::path(post, path = "/_watchkeeper/endpoints/{name}/captures", params(
    ("name" = String, Path, description = "Name of the endpoint")),
    request_body(content = String, content_type = "application/jsonlines"), responses(
    (status = 200, body = IngestionAnswer), (status = 400, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn ingest(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Json<IngestionAnswer>, Error> {
    let context = &state.context;
    let target = target(context, &name).await?;
    let mut objects = BTreeMap::new();
    let captured = each_line(&body, |line| target.add(&mut objects, line))?;
    let sink = StoreSink::new(context.clone());
    for ((variant, _), Lines { first, bytes }) in objects {
        let CapturePlan { endpoint, destination, kms_key_id, .. } = target.plan.clone();
        let path = CaptureObject::path_of(&endpoint, &variant, first, Uuid::new_v4());
        let object = CaptureObject { destination, path, kms_key_id, lines: bytes.into() };
        sink.put(object).await.map_err(|reason| Error::internal(&reason))?;
    }
    Ok(Json(IngestionAnswer { captured }))
}

/// Where captures of an endpoint go; refused where it captures nothing, or its bucket is missing.
async fn target(context: &Context, name: &str) -> Result<Target, Error> {
    let endpoint = context.resources.get::<Endpoint>(&name.to_lowercase()).await?;
    let endpoint = endpoint.ok_or_else(|| Error::not_found(format!("there is no endpoint {name}")))?.resource;
    let Some(config) = &endpoint.config.data_capture_config else {
        let reason = "has no DataCaptureConfig, which says where captures go: update it with one";
        return Err(Error::conflict(format!("endpoint {name} {reason}")));
    };
    let shadows = endpoint.config.shadow_production_variants.as_ref();
    let variants = endpoint.config.production_variants.iter().chain(shadows.into_iter().flatten());
    let variants: Vec<String> = variants.map(|variant| variant.variant_name.clone()).collect();
    let Some(plan) = CapturePlan::of(config, &endpoint.name, variants.first().map_or("AllTraffic", String::as_str))
    else {
        return Err(Error::conflict(format!("data capture of endpoint {name} is switched off: switch it on")));
    };
    let destination: S3Uri = plan
        .destination
        .parse()
        .map_err(|error| Error::conflict(format!("endpoint {name}: DestinationS3Uri: {error}")))?;
    if context.objects.bucket(&destination.bucket).await?.is_none() {
        let bucket = destination.bucket;
        return Err(Error::conflict(format!(
            "there is no bucket `{bucket}` for the captures of endpoint {name}, create it"
        )));
    }
    Ok(Target { plan, variants, now: context.now() })
}

impl Target {
    fn add(&self, objects: &mut BTreeMap<(String, i64), Lines>, line: &str) -> Result<(), String> {
        let kind: Kind<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let (record, time, variant) = match kind.capture_data {
            Some(_) => self.capture_line(line)?,
            None => self.prediction(line)?,
        };
        let lines = objects.entry((variant, hour_of(time))).or_insert(Lines { first: time, bytes: Vec::new() });
        lines.first = lines.first.min(time);
        serde_json::to_writer(&mut lines.bytes, &record).map_err(|error| error.to_string())?;
        lines.bytes.push(b'\n');
        Ok(())
    }

    /// A line of a capture file: what it lacks is filled in.
    fn capture_line<'a>(&self, line: &'a str) -> Result<(CaptureRecord<'a>, Timestamp, String), String> {
        let mut record = CaptureRecord::parse(line).map_err(|error| error.to_string())?;
        let data = &mut record.capture_data;
        if data.endpoint_input.is_none() && data.endpoint_output.is_none() && data.batch_transform_output.is_none() {
            return Err("captureData holds neither endpointInput nor endpointOutput".to_owned());
        }
        let output = data.endpoint_output.iter_mut().chain(&mut data.batch_transform_output);
        output.for_each(|part| _ = part.mode.get_or_insert(Cow::Borrowed("OUTPUT")));
        data.endpoint_input.iter_mut().for_each(|part| _ = part.mode.get_or_insert(Cow::Borrowed("INPUT")));
        let time = match record.event_metadata.inference_time.as_deref() {
            Some(time) => moment("eventMetadata.inferenceTime", time)?,
            None => self.now,
        };
        record.event_metadata.inference_time.get_or_insert_with(|| Cow::Owned(in_seconds(time)));
        record.event_metadata.event_id.get_or_insert_with(|| Cow::Owned(Uuid::new_v4().to_string()));
        record.event_version.get_or_insert(Cow::Borrowed("0"));
        Ok((record, time, self.plan.variant.clone()))
    }

    fn prediction(&self, line: &str) -> Result<(CaptureRecord<'static>, Timestamp, String), String> {
        let prediction: Prediction<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let time = prediction.time.as_deref().map_or(Ok(self.now), |time| moment("time", time))?;
        let variant = match prediction.variant {
            Some(variant) if !self.variants.contains(&variant) => {
                let known = self.variants.join(", ");
                return Err(format!("variant: the endpoint has no `{variant}`, but {known}"));
            }
            Some(variant) => variant,
            None => self.plan.variant.clone(),
        };
        let event_id = prediction.event_id.unwrap_or_else(|| Uuid::new_v4().to_string());
        let record = CaptureRecord {
            capture_data: CaptureData {
                endpoint_input: Some(self.part(prediction.input, prediction.content_type, "INPUT")?),
                endpoint_output: Some(self.part(prediction.output, prediction.output_content_type, "OUTPUT")?),
                batch_transform_output: None,
            },
            ground_truth_data: None,
            event_metadata: EventMetadata {
                event_id: Some(Cow::Owned(event_id)),
                inference_id: prediction.inference_id.map(Cow::Owned),
                inference_time: Some(Cow::Owned(in_seconds(time))),
                custom_attributes: prediction.custom_attributes.map(|attributes| vec![attributes]),
            },
            event_version: Some(Cow::Borrowed("0")),
        };
        Ok((record, time, variant))
    }

    /// A payload: a text as it is, anything else as the JSON that it is.
    fn part(
        &self,
        given: &RawValue,
        content_type: Option<String>,
        mode: &'static str,
    ) -> Result<CapturePart<'static>, String> {
        let (data, usual) = if given.get().starts_with('"') {
            (serde_json::from_str(given.get()).map_err(|error| error.to_string())?, "text/csv")
        } else {
            (given.get().to_owned(), "application/json")
        };
        let content_type = content_type.unwrap_or_else(|| usual.to_owned());
        let encoding = self.encoding(&content_type);
        let data = if encoding == Encoding::Base64 { STANDARD.encode(data) } else { data };
        Ok(CapturePart {
            observed_content_type: Some(Cow::Owned(content_type)),
            mode: Some(Cow::Borrowed(mode)),
            data: Cow::Owned(data),
            encoding: Some(encoding),
        })
    }

    /// By the configuration's lists. One without any is for traffic that need not be read, and what is sent here is meant to
    /// be: then CSV and JSON are what they are.
    fn encoding(&self, content_type: &str) -> Encoding<'static> {
        if !self.plan.csv_content_types.is_empty() || !self.plan.json_content_types.is_empty() {
            return self.plan.encoding(Some(content_type));
        }
        let usual = CapturePlan {
            csv_content_types: vec!["text/csv".to_owned()],
            json_content_types: vec!["application/json".to_owned()],
            ..self.plan.clone()
        };
        usual.encoding(Some(content_type))
    }
}

fn in_seconds(time: Timestamp) -> String {
    let second = time.as_millisecond().div_euclid(1000);
    Timestamp::from_second(second).unwrap_or(time).to_string()
}
