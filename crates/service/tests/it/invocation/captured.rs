//! What is captured of invocations, and what is counted of them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{World, built_in, capturing, python};

#[tokio::test]
async fn what_passed_is_captured_as_it_was_and_failures_are_not() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], capturing()).await;
    let before = Timestamp::now();
    assert_eq!(world.invoke("shop", &[("content-type", "text/csv")], "status 500 broken").await.status(), 424);
    let attributes = [
        ("content-type", "text/csv"),
        ("x-amzn-sagemaker-inference-id", "order 7"),
        ("x-amzn-sagemaker-custom-attributes", "trace=1"),
    ];
    assert_eq!(world.invoke("shop", &attributes, "attributes").await.status(), 200);
    assert_eq!(world.invoke("shop", &[("content-type", "image/png")], vec![1_u8, 2, 255]).await.status(), 200);
    assert_eq!(world.invoke("shop", &[], "untyped").await.status(), 200);
    assert_eq!(world.invoke("shop", &[("content-type", "application/json")], "empty").await.status(), 200);
    let lines = world.captured("shop", 4).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    let line = |data: &str| {
        let found = lines.iter().find(|line| line["captureData"]["endpointInput"]["data"] == data);
        found.unwrap_or_else(|| panic!("{data} in {lines:?}"))
    };
    let whole = line("attributes");
    let payload = |content_type: Value, mode: &str, data: &str, encoding: &str| json!({ "observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding });
    let data = json!({
        "endpointInput": payload(json!("text/csv"), "INPUT", "attributes", "CSV"),
        "endpointOutput": payload(json!("text/csv; charset=utf-8"), "OUTPUT", "0.5\n", "CSV"),
    });
    assert_eq!(whole["captureData"], data);
    assert_eq!((&whole["eventVersion"], &whole["eventMetadata"]["inferenceId"]), (&json!("0"), &json!("order 7")));
    assert_eq!(whole["eventMetadata"]["customAttributes"], json!(["trace=1"]));
    let time: Timestamp = whole["eventMetadata"]["inferenceTime"].as_str().unwrap().parse().unwrap();
    assert!(time.as_second() >= before.as_second() && time <= Timestamp::now(), "{time}");
    // AQL/ is base64 of the three bytes, by Python's base64.
    let image = &line("AQL/")["captureData"];
    assert_eq!(image["endpointInput"], payload(json!("image/png"), "INPUT", "AQL/", "BASE64"));
    let empty = &line("empty")["captureData"]["endpointOutput"];
    assert_eq!(*empty, payload(json!("text/csv"), "OUTPUT", "", "CSV"));
}

#[tokio::test]
async fn two_megabytes_in_many_pieces_are_one_record() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], capturing()).await;
    let body = "0123456789,".repeat(200_000);
    let answer = world.invoke("shop", &[("content-type", "text/csv")], body.clone()).await;
    assert!(answer.body()[..] == *body.as_bytes());
    let data = &world.captured("shop", 1).await[0]["captureData"];
    for side in ["endpointInput", "endpointOutput"] {
        assert!(data[side]["data"] == body, "{side}");
    }
}

#[tokio::test]
async fn requests_are_counted_as_on_aws() {
    let world = World::start().await;
    let variants = [("blue", python()), ("green", built_in("constant", &json!({ "value": 1 })))];
    world.deploy("shop", &variants, json!({})).await;
    let blue = ("x-amzn-sagemaker-target-variant", "blue");
    for (body, times) in [("well", 3), ("status 400 no", 2), ("status 500 no", 1), ("garbage", 1)] {
        for _ in 0..times {
            world.invoke("shop", &[blue], body).await;
        }
    }
    let now = Timestamp::now();
    // What was counted is published every ten seconds, and once more at the end.
    let mut world = world;
    world.restart().await;
    let context = world.service().context();
    let sum = async |metric: &str, variant: &str| {
        let query = watchkeeper_store::metadata::SeriesQuery {
            namespace: "AWS/SageMaker".to_owned(),
            metric: metric.to_owned(),
            dimensions: vec![
                ("EndpointName".to_owned(), "shop".to_owned()),
                ("VariantName".to_owned(), variant.to_owned()),
            ],
            start: now.as_millisecond() - 3_600_000,
            end: now.as_millisecond() + 3_600_000,
            ..watchkeeper_store::metadata::SeriesQuery::default()
        };
        let data = context.resources.store().metric_data(&query).await.unwrap();
        data.iter().fold((0.0, 0.0), |(count, sum), datum| (count + datum.sample_count, sum + datum.sum))
    };
    assert_eq!(sum("Invocations", "blue").await, (7.0, 7.0));
    assert_eq!(sum("Invocation4XXErrors", "blue").await, (7.0, 2.0));
    assert_eq!(sum("Invocation5XXErrors", "blue").await, (7.0, 1.0));
    assert_eq!(sum("InvocationModelErrors", "blue").await, (7.0, 4.0));
    let (count, microseconds) = sum("ModelLatency", "blue").await;
    assert!(count == 7.0 && microseconds > 0.0);
    assert_eq!(sum("OverheadLatency", "blue").await.0, 7.0);
    assert_eq!(sum("Invocations", "green").await, (0.0, 0.0));
}
