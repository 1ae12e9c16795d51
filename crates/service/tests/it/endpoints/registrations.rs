//! Endpoints whose models are served elsewhere, as operators register them.

use http::Method;
use serde_json::{Value, json};

use super::{World, config, constant, until};

async fn operator(world: &World, method: Method, name: &str, body: Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let path = format!("/_watchkeeper/endpoints/{name}");
    let answer = world.client.request(method, &path, &[], body, "sagemaker").await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap())
}

#[tokio::test]
async fn an_endpoint_is_registered_once_and_told_as_it_is() {
    let world = World::start().await;
    assert_eq!(operator(&world, Method::GET, "Fraud", Value::Null).await.0, 404);
    let (status, registered) = operator(&world, Method::PUT, "Fraud", Value::Null).await;
    let destination = "s3://sagemaker-us-east-1-000000000000/captures";
    assert_eq!(status, 201, "{registered}");
    let expected = json!({
        "name": "Fraud",
        "arn": "arn:aws:sagemaker:us-east-1:000000000000:endpoint/fraud",
        "status": "InService",
        "is_hosted": false,
        "destination": destination,
        "capture": {
            "endpoint": "Fraud",
            "variant": "AllTraffic",
            "destination": destination,
            "sampling_percentage": 100,
            "input": true,
            "output": true,
            "csv_content_types": ["text/csv"],
            "json_content_types": ["application/json", "application/jsonlines"],
            "kms_key_id": null,
        },
    });
    assert_eq!(registered, expected);
    assert_eq!(
        operator(&world, Method::PUT, "fraud", json!({ "sampling_percentage": 3 })).await,
        (200, expected.clone())
    );
    assert_eq!(operator(&world, Method::GET, "FRAUD", Value::Null).await, (200, expected));
    // Clients of SageMaker see an endpoint as all others, whose monitors have what they need.
    let described = world.in_service("Fraud").await;
    assert_eq!(described["DataCaptureConfig"]["DestinationS3Uri"], destination);
    assert_eq!(described["DataCaptureConfig"]["CaptureStatus"], "Started");
    until("it is known that nobody answers here", async || {
        let (status, answer) = world.invoke("Fraud", "1").await;
        assert!(status == 429 || status == 400, "{status} {answer}");
        status == 400
    })
    .await;

    world.ok("DeleteEndpoint", json!({ "EndpointName": "Fraud" })).await;
    world.gone("Fraud").await;
    let request = json!({ "destination": "s3://sagemaker-us-east-1-000000000000/other", "sampling_percentage": 20 });
    let (status, again) = operator(&world, Method::PUT, "Fraud", request).await;
    assert_eq!((status, &again["capture"]["sampling_percentage"]), (201, &json!(20)), "{again}");
    assert_eq!(again["destination"], "s3://sagemaker-us-east-1-000000000000/other");
}

#[tokio::test]
async fn a_registration_takes_nobody_s_place_and_has_aws_s_limits() {
    let world = World::start().await;
    world.configured("churn", constant(1.0)).await;
    world.create("shop", "churn").await;
    world.in_service("shop").await;
    let (status, refused) = operator(&world, Method::PUT, "shop", Value::Null).await;
    assert_eq!(status, 409, "{refused}");
    assert_eq!(operator(&world, Method::GET, "shop", Value::Null).await.1["is_hosted"], true);
    // A model of that name, a configuration of that name.
    assert_eq!(operator(&world, Method::PUT, "churn", Value::Null).await.0, 409);
    world.ok("CreateEndpointConfig", config("taken", &[("churn", 1.0)])).await;
    assert_eq!(operator(&world, Method::PUT, "taken", Value::Null).await.0, 409);
    for (name, request) in [
        ("no_name", json!({})),
        ("much", json!({ "sampling_percentage": 101 })),
        ("nowhere", json!({ "destination": "/folder" })),
        ("unknown", json!({ "sampling": 1 })),
    ] {
        let (status, refused) = operator(&world, Method::PUT, name, request).await;
        assert_eq!(status, 400, "{name}: {refused}");
        assert!(!refused["error"].as_str().unwrap().is_empty());
        assert_eq!(operator(&world, Method::GET, name, Value::Null).await.0, 404);
    }
}

#[tokio::test]
async fn of_several_registrations_at_the_same_time_each_finds_the_one_endpoint() {
    let world = World::start().await;
    let registrations = (0..8).map(|_| operator(&world, Method::PUT, "fraud", Value::Null));
    let answers = futures::future::join_all(registrations).await;
    assert!(answers.iter().all(|(status, _)| [200, 201].contains(status)), "{answers:?}");
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1);
}
