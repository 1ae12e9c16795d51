//! Lines of capture files.

use std::borrow::Cow;

use watchkeeper_formats::{CaptureRecord, Encoding};

/// The layout of the developer guide's example.
const ENDPOINT: &str = r#"{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"132,25,113.2","encoding":"CSV"},"endpointOutput":{"observedContentType":"application/json; charset=utf-8","mode":"OUTPUT","data":"{\"p\": [0.01]}\n","encoding":"JSON"}},"eventMetadata":{"eventId":"57d02be9-3d76-4acb-a7cd-7d78ab70bd12","inferenceId":"id-1","inferenceTime":"2020-02-19T06:00:00Z","customAttributes":["trace=1","b"]},"eventVersion":"0"}"#;

#[test]
fn endpoint_capture() {
    let record = CaptureRecord::parse(ENDPOINT).unwrap();
    let input = record.capture_data.endpoint_input.as_ref().unwrap();
    assert_eq!(input.observed_content_type.as_deref(), Some("text/csv"));
    assert_eq!(input.mode.as_deref(), Some("INPUT"));
    assert_eq!(input.data, "132,25,113.2");
    assert_eq!(input.encoding, Some(Encoding::Csv));
    let output = record.capture_data.endpoint_output.as_ref().unwrap();
    assert_eq!(output.data, "{\"p\": [0.01]}\n");
    assert_eq!(output.encoding, Some(Encoding::Json));
    assert_eq!(record.capture_data.batch_transform_output, None);
    assert_eq!(record.event_metadata.event_id.as_deref(), Some("57d02be9-3d76-4acb-a7cd-7d78ab70bd12"));
    assert_eq!(record.event_metadata.inference_id.as_deref(), Some("id-1"));
    assert_eq!(record.event_metadata.inference_time.as_deref(), Some("2020-02-19T06:00:00Z"));
    assert_eq!(record.event_metadata.custom_attributes, Some(vec!["trace=1".to_owned(), "b".to_owned()]));
    assert_eq!(record.event_version.as_deref(), Some("0"));
}

#[test]
fn texts_without_escapes_borrow_from_the_line() {
    let record = CaptureRecord::parse(ENDPOINT).unwrap();
    let input = record.capture_data.endpoint_input.unwrap();
    assert!(matches!(input.data, Cow::Borrowed(_)));
    assert!(matches!(input.observed_content_type, Some(Cow::Borrowed(_))));
    assert!(matches!(record.event_metadata.inference_time, Some(Cow::Borrowed(_))));
    assert!(matches!(record.capture_data.endpoint_output.unwrap().data, Cow::Owned(_)));
}

#[test]
fn a_record_is_written_as_captured() {
    assert_eq!(serde_json::to_string(&CaptureRecord::parse(ENDPOINT).unwrap()).unwrap(), ENDPOINT);
}

/// The schemas of published monitors demand the member of both sides.
#[test]
fn a_side_without_a_content_type_says_so() {
    let line = ENDPOINT.replace(r#""application/json; charset=utf-8""#, "null");
    assert_eq!(serde_json::to_string(&CaptureRecord::parse(&line).unwrap()).unwrap(), line);
    // What is no side of an inference has none.
    let merged = r#"{"captureData":{},"groundTruthData":{"data":"1","encoding":"CSV"},"eventMetadata":{}}"#;
    assert_eq!(serde_json::to_string(&CaptureRecord::parse(merged).unwrap()).unwrap(), merged);
}

#[test]
fn merged_and_sparse_records() {
    let merged = CaptureRecord::parse(
        r#"{"captureData": {"batchTransformOutput": {"data": "AAE=", "encoding": "base64", "mode": null}},
            "groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": null, "region": {"name": ["x"]}}"#,
    )
    .unwrap();
    assert_eq!(merged.ground_truth_data.unwrap().data, "1");
    assert_eq!(merged.capture_data.batch_transform_output.unwrap().encoding, Some(Encoding::Base64));
    assert_eq!((merged.event_metadata.inference_time, merged.event_version), (None, None));
    let unknown =
        CaptureRecord::parse(r#"{"captureData": {"endpointInput": {"data": "", "encoding": "AVRO"}}}"#).unwrap();
    let encoding = unknown.capture_data.endpoint_input.unwrap().encoding.unwrap();
    assert_eq!(encoding, Encoding::Other(Cow::Borrowed("AVRO")));
    assert_eq!(encoding.to_string(), "AVRO");
    assert!(CaptureRecord::parse(r#"{"captureData": {}}"#).is_ok());
}

#[test]
fn bad_lines_are_refused() {
    for (line, expected) in [
        ("", "EOF while parsing a value at line 1 column 0"),
        ("{}", "missing field `captureData` at line 1 column 2"),
        (
            r#"{"captureData": {"endpointInput": {}}}"#,
            "captureData.endpointInput: missing field `data` at line 1 column 36",
        ),
        (
            r#"{"captureData": {"endpointInput": {"data": 1}}}"#,
            "captureData.endpointInput.data: invalid type: integer `1`, expected a string at line 1 column 44",
        ),
    ] {
        assert_eq!(CaptureRecord::parse(line).unwrap_err().to_string(), expected, "{line}");
    }
}
