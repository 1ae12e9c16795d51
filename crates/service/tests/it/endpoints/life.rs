//! From creation to deletion, and over a restart of the service.

use serde_json::json;

use super::{World, config, constant, invoke};

#[tokio::test]
async fn an_endpoint_comes_answers_and_goes_without_a_trace_but_its_captures_and_its_log() {
    let world = World::start().await;
    let (status, unknown) = world.invoke("shop", "1,2").await;
    assert_eq!(status, 400);
    assert!(unknown.contains("Endpoint shop of account 000000000000 not found."), "{unknown}");

    world.configured("churn", constant(0.25)).await;
    world.create("Shop", "churn").await;
    let described = world.in_service("Shop").await;
    assert_eq!(described["ProductionVariants"][0]["DeployedImages"][0]["SpecifiedImage"], constant(0.25)["Image"]);
    assert_eq!(described["DataCaptureConfig"]["CaptureStatus"], "Started");
    for name in ["Shop", "shop", "SHOP"] {
        let (status, answer) = world.invoke(name, "1,2\n3,4\n").await;
        assert_eq!((status, answer.trim_end()), (200, "0.25\n0.25"), "{name}");
    }
    let streams = world.streams("Shop").await;
    let instance = streams[0].strip_prefix("churn/i-").unwrap_or_else(|| panic!("{streams:?}"));
    assert_eq!(instance.len(), 17);
    assert!(instance.bytes().all(|byte| byte.is_ascii_hexdigit()), "{instance}");

    world.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    // Scripts list what was captured as soon as the deletion has answered.
    let captured = world.objects("captured/").await;
    assert_eq!(captured.len(), 1, "{captured:?}");
    assert!(captured[0].starts_with("captured/Shop/churn/"), "{captured:?}");
    world.gone("Shop").await;
    assert_eq!(world.invoke("Shop", "1,2").await.0, 400);
    assert_eq!(world.streams("Shop").await, streams, "the log stays");
    // The name is free again.
    world.create("shop", "churn").await;
    world.in_service("shop").await;
}

#[tokio::test]
async fn an_endpoint_outlives_its_configuration_its_model_and_the_service() {
    let mut world = World::start().await;
    world.configured("churn", constant(0.5)).await;
    world.create("shop", "churn").await;
    world.in_service("shop").await;
    world.ok("DeleteEndpointConfig", json!({ "EndpointConfigName": "churn" })).await;
    world.ok("DeleteModel", json!({ "ModelName": "churn" })).await;
    for _ in 0..2 {
        world.restart(|_| {}).await;
        let described = world.described("shop").await;
        assert_eq!(described["EndpointStatus"], "InService");
        assert_eq!(described["DataCaptureConfig"]["CaptureStatus"], "Started");
        super::until("the endpoint answers", async || {
            let (status, answer) = world.invoke("shop", "1").await;
            // From the first request on it is known: until its model is there again, it is not ready.
            assert!(status == 200 || status == 429, "{status} {answer}");
            status == 200
        })
        .await;
    }
}

#[tokio::test]
async fn requests_are_shared_out_by_weight_or_go_to_the_variant_they_name() {
    let world = World::start().await;
    for (name, value) in [("one", 1.0), ("two", 2.0), ("three", 3.0)] {
        world.configured(name, constant(value)).await;
    }
    world.ok("CreateEndpointConfig", config("all", &[("one", 3.0), ("two", 1.0), ("three", 0.0)])).await;
    world.create("shop", "all").await;
    world.in_service("shop").await;
    let shares = async || {
        let mut shares = [0_u32; 3];
        for _ in 0..40 {
            let (status, answer) = world.invoke("shop", "1").await;
            assert_eq!(status, 200, "{answer}");
            let value: f64 = answer.trim().parse().unwrap();
            shares[value as usize - 1] += 1;
        }
        shares
    };
    let [one, two, three] = shares().await;
    assert!((28..=32).contains(&one) && one + two == 40 && three == 0, "{one} {two} {three}");
    let target = [("x-amzn-sagemaker-target-variant", "three")];
    let (status, answer) = invoke(&world.client, "shop", &target, "1").await;
    assert_eq!((status, answer.trim().parse()), (200, Ok(3.0)), "a weight of 0 keeps nobody from asking for it");
    let target = [("x-amzn-sagemaker-target-variant", "four")];
    assert_eq!(invoke(&world.client, "shop", &target, "1").await.0, 400);

    let desired = json!([
        { "VariantName": "one", "DesiredWeight": 0.0 },
        { "VariantName": "three", "DesiredWeight": 1.0 },
    ]);
    world
        .ok(
            "UpdateEndpointWeightsAndCapacities",
            json!({ "EndpointName": "shop", "DesiredWeightsAndCapacities": desired }),
        )
        .await;
    let described = world.in_service("shop").await;
    assert_eq!(described["ProductionVariants"][2]["CurrentWeight"], 1.0);
    let [one, two, three] = shares().await;
    assert!(one == 0 && two.abs_diff(three) <= 4, "{one} {two} {three}");
    assert_eq!(world.streams("shop").await.len(), 3, "no model was started anew");
}

#[tokio::test]
async fn what_was_counted_last_is_published_when_the_service_stops() {
    let mut world = World::start_with(|configuration| configuration.capture.flush_seconds = 600).await;
    world.configured("churn", constant(1.0)).await;
    world.create("shop", "churn").await;
    world.in_service("shop").await;
    for _ in 0..3 {
        assert_eq!(world.invoke("shop", "1").await.0, 200);
    }
    world.restart(|_| {}).await;
    for (namespace, metric) in [("AWS/SageMaker", "Invocations"), ("Watchkeeper/DataCapture", "CapturedRecords")] {
        assert_eq!(world.total(namespace, metric, "shop", "churn").await, 3.0, "{metric}");
    }
}
