//! `InvokeEndpointAsync`: accepted at once, carried out in time, lost never.

use http::Response;
use serde_json::{Value, json};

use super::{BUCKET, Headers, World, error, header, python, until};

fn configured() -> Value {
    let output = json!({
        "S3OutputPath": format!("s3://{BUCKET}/out"),
        "S3FailurePath": format!("s3://{BUCKET}/failed/"),
    });
    let client = json!({ "MaxConcurrentInvocationsPerInstance": 2 });
    json!({ "AsyncInferenceConfig": { "OutputConfig": output, "ClientConfig": client } })
}

async fn ask(world: &World, headers: &[(&str, &str)], body: &str) -> Response<bytes::Bytes> {
    world.post("/endpoints/later/async-invocations", headers, body.to_owned()).await
}

/// The key of an address in the default bucket.
fn key(uri: &str) -> String {
    uri.strip_prefix(&format!("s3://{BUCKET}/")).unwrap_or_else(|| panic!("{uri}")).to_owned()
}

async fn stored(world: &World, uri: &str) -> Response<bytes::Bytes> {
    let key = key(uri);
    until(async || world.object(&key).await).await
}

#[tokio::test]
async fn an_input_object_becomes_an_output_object() {
    let world = World::start().await;
    world.deploy("later", &[("blue", python())], configured()).await;
    world.put("in/1.csv", "headers of mine").await;
    let input = format!("s3://{BUCKET}/in/1.csv");
    let headers = [
        ("x-amzn-sagemaker-inputlocation", input.as_str()),
        ("x-amzn-sagemaker-content-type", "text/csv"),
        ("x-amzn-sagemaker-accept", "application/json"),
        ("x-amzn-sagemaker-custom-attributes", "trace=1"),
        ("x-amzn-sagemaker-inference-id", "order-7"),
    ];
    let answer = ask(&world, &headers, "").await;
    assert_eq!(answer.status(), 202, "{answer:?}");
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body, json!({ "InferenceId": "order-7" }));
    let output = header(&answer, "x-amzn-sagemaker-outputlocation").to_owned();
    let name = output.strip_prefix(&format!("s3://{BUCKET}/out/")).unwrap().strip_suffix(".out").unwrap();
    assert_eq!(name.len(), 36, "{output}");
    let failure = header(&answer, "x-amzn-sagemaker-failurelocation");
    assert_eq!(failure, format!("s3://{BUCKET}/failed/{name}-error.out"));
    let object = stored(&world, &output).await;
    assert_eq!(header(&object, "content-type"), "application/json");
    let seen: Value = serde_json::from_slice(object.body()).unwrap();
    let expected = [
        ("content-type", "text/csv"),
        ("accept", "application/json"),
        ("x-amzn-sagemaker-custom-attributes", "trace=1"),
        ("x-amzn-sagemaker-inference-id", "order-7"),
    ];
    for (name, value) in expected {
        assert_eq!(seen["headers"][name], value, "{name}");
    }
}

#[tokio::test]
async fn what_fails_leaves_its_reason() {
    let world = World::start().await;
    world.deploy("later", &[("blue", python())], configured()).await;
    let answer = ask(&world, &[], "status 400 bad input").await;
    assert_eq!(answer.status(), 202, "{answer:?}");
    let object = stored(&world, header(&answer, "x-amzn-sagemaker-failurelocation")).await;
    let text = String::from_utf8(object.body().to_vec()).unwrap();
    assert!(text.starts_with("Received client error (400) from primary with message \"bad input\"."), "{text}");
    assert!(world.object(&key(header(&answer, "x-amzn-sagemaker-outputlocation"))).await.is_none());

    let input = format!("s3://{BUCKET}/in/missing.csv");
    let answer = ask(&world, &[("x-amzn-sagemaker-inputlocation", &input)], "").await;
    let object = stored(&world, header(&answer, "x-amzn-sagemaker-failurelocation")).await;
    let text = String::from_utf8(object.body().to_vec()).unwrap();
    assert!(text.contains(&input) && text.contains("there is no such object"), "{text}");
}

#[tokio::test]
async fn names_of_outputs_and_what_is_refused() {
    let world = World::start().await;
    world.deploy("later", &[("blue", python())], configured()).await;
    let named = [("x-amzn-sagemaker-s3outputpathextension", "day/1"), ("x-amzn-sagemaker-filename", "a.json")];
    let answer = ask(&world, &named, "x").await;
    assert_eq!(header(&answer, "x-amzn-sagemaker-outputlocation"), format!("s3://{BUCKET}/out/day/1/a.json"));
    assert_eq!(&stored(&world, &format!("s3://{BUCKET}/out/day/1/a.json")).await.body()[..], b"x");

    let input = format!("s3://{BUCKET}/in/1.csv");
    let location = [("x-amzn-sagemaker-inputlocation", input.as_str())];
    let large = "x".repeat(128_001);
    let refused: [(Headers, &str, &str); 5] = [
        (&[], "", "Either Body or InputLocation"),
        (&location, "x", "Only one of Body and InputLocation"),
        (&[("x-amzn-sagemaker-inputlocation", "ftp://a/b")], "", "regular expression pattern: ^(https|s3)://"),
        (&[("x-amzn-sagemaker-requestttlseconds", "5")], "x", "greater than or equal to 60"),
        (&[], &large, "less than or equal to 128000"),
    ];
    for (headers, body, expected) in refused {
        let (status, code, body) = error(&ask(&world, headers, body).await);
        assert_eq!((status, code.as_str()), (400, "ValidationError"), "{body}");
        assert!(body["Message"].as_str().unwrap().contains(expected), "{body}");
    }
    let (status, code, body) = error(&world.invoke("later", &[], "x").await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert!(body["Message"].as_str().unwrap().contains("InvokeEndpointAsync"), "{body}");
    world.deploy("now", &[("blue", python())], json!({})).await;
    let (status, code, body) = error(&world.post("/endpoints/now/async-invocations", &[], "x").await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
    assert!(body["Message"].as_str().unwrap().contains("AsyncInferenceConfig"), "{body}");
}

#[tokio::test]
async fn a_restart_loses_none() {
    let mut world = World::start().await;
    world.deploy("later", &[("blue", python())], configured()).await;
    // Two of these are under way at a time, and none ends before it is told to.
    let mut outputs = Vec::new();
    for _ in 0..6 {
        let answer = ask(&world, &[], "stream on").await;
        assert_eq!(answer.status(), 202);
        outputs.push(header(&answer, "x-amzn-sagemaker-outputlocation").to_owned());
    }
    world.restart().await;
    for output in &outputs {
        assert!(world.object(&key(output)).await.is_none());
    }
    world.python.go();
    for output in &outputs {
        assert_eq!(&stored(&world, output).await.body()[..], b"firstsecond");
    }
}
