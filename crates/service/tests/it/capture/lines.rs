//! What a line holds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use uuid::uuid;
use watchkeeper_data::{Reading, list, open};
use watchkeeper_engine::column::Batch;
use watchkeeper_formats::DatasetFormat;
use watchkeeper_service::configuration::Durability;
use watchkeeper_service::hosting::capture::{CapturePlan, Exchange, Payload};

use super::{NEVER, World, exchange, payload, plan, settings};

/// The lines of exchanges.
async fn lines(plan: CapturePlan, exchanges: Vec<Exchange>) -> String {
    let world = World::new();
    let writer = world.start(settings(Durability::Fast, NEVER));
    let stream = writer.stream(plan);
    for exchange in exchanges {
        assert!(stream.record(exchange).is_none());
    }
    writer.shutdown().await;
    world.files().into_values().collect()
}

async fn line(plan: CapturePlan, exchange: Exchange) -> Value {
    serde_json::from_str(&lines(plan, vec![exchange]).await).unwrap()
}

fn answered(content_type: Option<&str>, body: impl Into<Bytes>) -> Exchange {
    Exchange { output: payload(content_type, body), ..exchange("1", "2026-03-01T10:20:30Z") }
}

#[tokio::test]
async fn the_layout() {
    let exchange = Exchange {
        event_id: uuid!("57d02be9-3d76-4acb-a7cd-7d78ab70bd12"),
        time: "2020-02-19T06:00:00.987Z".parse().unwrap(),
        inference_id: Some("id-1".to_owned()),
        custom_attributes: Some("trace=1".to_owned()),
        input: payload(Some("text/csv"), "132,25,113.2"),
        output: payload(Some("application/json; charset=utf-8"), "{\"p\": [0.01]}\n"),
        is_answered: true,
    };
    // As in the example of AWS's developer guide.
    let expected = r#"{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"132,25,113.2","encoding":"CSV"},"endpointOutput":{"observedContentType":"application/json; charset=utf-8","mode":"OUTPUT","data":"{\"p\": [0.01]}\n","encoding":"JSON"}},"eventMetadata":{"eventId":"57d02be9-3d76-4acb-a7cd-7d78ab70bd12","inferenceId":"id-1","inferenceTime":"2020-02-19T06:00:00Z","customAttributes":["trace=1"]},"eventVersion":"0"}"#;
    assert_eq!(lines(plan("churn"), vec![exchange.clone()]).await, format!("{expected}\n"));
    assert_eq!(lines(plan("churn"), vec![exchange.clone(), exchange]).await, format!("{expected}\n{expected}\n"));
}

#[tokio::test]
async fn what_was_not_given_is_not_there_but_the_content_type_is_null() {
    let exchange = Exchange { inference_id: None, ..answered(None, "0.5") };
    let line = line(plan("churn"), exchange).await;
    assert_eq!(line["eventMetadata"].as_object().unwrap().keys().collect::<Vec<_>>(), ["eventId", "inferenceTime"]);
    let output = json!({"observedContentType": null, "mode": "OUTPUT", "data": "MC41", "encoding": "BASE64"});
    assert_eq!(line["captureData"]["endpointOutput"], output);
}

#[tokio::test]
async fn the_content_type_says_how_a_payload_is_encoded() {
    for (content_type, encoding, data) in [
        ("text/csv", "CSV", "a,\"b\""),
        ("Text/CSV; charset=utf-8", "CSV", "a,\"b\""),
        ("application/json", "JSON", "a,\"b\""),
        ("application/jsonlines;x", "JSON", "a,\"b\""),
        ("application/x-image", "BASE64", "YSwiYiI="),
        ("text/csvx", "BASE64", "YSwiYiI="),
        ("", "BASE64", "YSwiYiI="),
    ] {
        let line = line(plan("churn"), answered(Some(content_type), "a,\"b\"")).await;
        let expected = json!({
            "observedContentType": content_type, "mode": "OUTPUT", "data": data, "encoding": encoding,
        });
        assert_eq!(line["captureData"]["endpointOutput"], expected);
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_kept_in_base_64() {
    let bytes = b"1,\xff\xfe,3";
    let line = line(plan("churn"), answered(Some("text/csv"), &bytes[..])).await;
    let output = &line["captureData"]["endpointOutput"];
    assert_eq!((&output["encoding"], &output["observedContentType"]), (&json!("BASE64"), &json!("text/csv")));
    assert_eq!(STANDARD.decode(output["data"].as_str().unwrap()).unwrap(), bytes);
}

#[tokio::test]
async fn a_character_may_come_in_two_pieces() {
    let text = "naïve, 数字, \u{1f600}";
    let pieces = text.as_bytes().chunks(1).map(Bytes::copy_from_slice).collect();
    let output = Payload { content_type: Some("text/csv".to_owned()), body: pieces };
    let line = line(plan("churn"), Exchange { output, ..exchange("1", "2026-03-01T10:20:30Z") }).await;
    assert_eq!(line["captureData"]["endpointOutput"]["data"], json!(text));
    assert_eq!(line["captureData"]["endpointOutput"]["encoding"], json!("CSV"));
}

#[tokio::test]
async fn an_empty_payload_is_an_empty_text() {
    for content_type in ["text/csv", "image/png"] {
        let output = Payload { content_type: Some(content_type.to_owned()), body: Vec::new() };
        let line = line(plan("churn"), Exchange { output, ..exchange("1", "2026-03-01T10:20:30Z") }).await;
        assert_eq!(line["captureData"]["endpointOutput"]["data"], json!(""));
    }
}

#[tokio::test]
async fn the_options_say_which_sides_are_there() {
    for (input, output, sides) in [
        (true, true, vec!["endpointInput", "endpointOutput"]),
        (true, false, vec!["endpointInput"]),
        (false, true, vec!["endpointOutput"]),
    ] {
        let line = line(CapturePlan { input, output, ..plan("churn") }, answered(Some("text/csv"), "1")).await;
        assert_eq!(line["captureData"].as_object().unwrap().keys().collect::<Vec<_>>(), sides);
    }
}

/// Rows of the reader that the monitors read captures with.
#[tokio::test]
async fn every_line_is_a_row_for_the_monitors() {
    let world = World::new();
    let writer = world.start(settings(Durability::Durable, NEVER));
    let stream = writer.stream(plan("churn"));
    for number in 0..1000 {
        let exchange = Exchange {
            input: payload(Some("text/csv"), format!("{number},\"a, b\",{number}.5\n")),
            ..exchange(&number.to_string(), "2026-03-01T10:20:30Z")
        };
        assert!(stream.record(exchange).is_some());
    }
    writer.shutdown().await;
    let format = DatasetFormat::CaptureJson { capture_index_names: None, output_columns_position: None };
    let mut source = open(list(&world.objects()).unwrap(), &Reading::of(format), None);
    let (mut batch, mut rows) = (Batch::default(), Vec::new());
    while source.fill(&mut batch).unwrap() {
        rows.extend(batch.cells.chunks(batch.columns).map(|cells| {
            cells.iter().map(|&cell| String::from_utf8(batch.text_of(cell).to_vec()).unwrap()).collect::<Vec<_>>()
        }));
    }
    assert_eq!(source.notes(), Vec::<String>::new());
    let expected =
        (0..1000).map(|number| vec!["0.5".to_owned(), number.to_string(), "a, b".to_owned(), format!("{number}.5")]);
    assert_eq!(rows, expected.collect::<Vec<_>>());
}
