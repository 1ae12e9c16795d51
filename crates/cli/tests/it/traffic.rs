//! Captured traffic as an endpoint leaves it.

use serde_json::{Value, json};

/// The time of records that are about something else.
pub(crate) const TIME: &str = "2026-05-18T01:30:00Z";

/// One line of a capture file: a request and its answer, both CSV.
pub(crate) fn record(number: usize, answer: &str, request: &str) -> String {
    record_at(TIME, number, answer, request)
}

pub(crate) fn record_at(time: &str, number: usize, answer: &str, request: &str) -> String {
    line(time, number, &part("OUTPUT", "CSV", answer), &part("INPUT", "CSV", request))
}

/// A record whose client gave it an id.
pub(crate) fn with_inference_id(record: &str, id: &str) -> String {
    let mut record: Value = serde_json::from_str(record).unwrap();
    record["eventMetadata"]["inferenceId"] = json!(id);
    format!("{record}\n")
}

/// One side of a record.
pub(crate) fn part(mode: &str, encoding: &str, data: &str) -> Value {
    let content_type = if encoding == "JSON" { "application/json" } else { "text/csv" };
    json!({"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding})
}

/// A record of two sides.
pub(crate) fn line(time: &str, number: usize, answer: &Value, request: &Value) -> String {
    let record = json!({
        "captureData": {"endpointInput": request, "endpointOutput": answer},
        "eventMetadata": {"eventId": format!("event-{number}"), "inferenceTime": time},
        "eventVersion": "0",
    });
    format!("{record}\n")
}
