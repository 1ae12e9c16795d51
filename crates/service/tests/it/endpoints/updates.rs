//! Updates: nobody is refused while they go on, and one that does not start changes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::task::JoinSet;

use super::{ModelServer, World, config, constant, invoke};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_models_weights_and_captures_change() {
    let world = World::start().await;
    for (name, value) in [("one", 1.0), ("two", 2.0)] {
        world.configured(name, constant(value)).await;
    }
    world.ok("CreateEndpointConfig", config("both", &[("one", 1.0), ("two", 1.0)])).await;
    let mut off = config("off", &[("one", 1.0)]);
    off["DataCaptureConfig"]["EnableCapture"] = json!(false);
    world.ok("CreateEndpointConfig", off).await;
    world.create("shop", "one").await;
    world.in_service("shop").await;

    let over = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (client, over) = (world.client.clone(), Arc::clone(&over));
        clients.spawn(async move {
            let mut requests = 0;
            while !over.load(Ordering::Relaxed) {
                let (status, answer) = invoke(&client, "shop", &[], "1,2,3").await;
                assert_eq!(status, 200, "{answer}");
                assert!([1.0, 2.0].contains(&answer.trim().parse().unwrap()), "{answer}");
                requests += 1;
            }
            requests
        });
    }
    for config in ["two", "both", "off", "one", "two", "off", "both", "one", "two"] {
        world.update("shop", config).await;
        let described = world.in_service("shop").await;
        assert_eq!(described["EndpointConfigName"], config);
        let (status, answer) = world.invoke("shop", "1").await;
        assert_eq!(status, 200);
        match config {
            "one" | "off" => assert_eq!(answer.trim().parse(), Ok(1.0)),
            "two" => assert_eq!(answer.trim().parse(), Ok(2.0)),
            _ => {}
        }
    }
    over.store(true, Ordering::Relaxed);
    let requests: usize = clients.join_all().await.into_iter().sum();
    assert!(requests > 50, "{requests}");
}

#[tokio::test]
async fn a_request_under_way_is_answered_by_the_model_it_began_with() {
    let model = ModelServer::start().await;
    let image = model.image("slow");
    let world = World::start_with(|configuration| configuration.images.push(image)).await;
    world.configured("slow", json!({ "Image": "registry.example/slow:1" })).await;
    world.configured("one", constant(1.0)).await;
    world.create("shop", "slow").await;
    world.in_service("shop").await;
    model.open.send_replace(false);
    let client = world.client.clone();
    let waiting = tokio::spawn(async move { invoke(&client, "shop", &[], "early").await });
    super::until("the model is asked", async || model.asked.lock().unwrap().len() == 1).await;

    world.update("shop", "one").await;
    world.in_service("shop").await;
    let (status, answer) = world.invoke("shop", "late").await;
    assert_eq!((status, answer.trim().parse()), (200, Ok(1.0)));
    model.open.send_replace(true);
    assert_eq!(waiting.await.unwrap(), (200, "elsewhere".to_owned()));
}

#[tokio::test]
async fn an_update_that_does_not_start_changes_nothing_and_says_why() {
    let world = World::start().await;
    world.configured("good", constant(1.0)).await;
    world.configured("better", constant(2.0)).await;
    world.configured("unknown", json!({ "Image": "registry.example/unknown:3" })).await;
    world.create("shop", "good").await;
    world.in_service("shop").await;
    world.update("shop", "unknown").await;
    let described = world.in_service("shop").await;
    assert_eq!(described["EndpointConfigName"], "good");
    assert_eq!(described["DataCaptureConfig"]["CaptureStatus"], "Started");
    let reason = described["FailureReason"].as_str().unwrap();
    for part in ["registry.example/unknown:3", "[[images]]", "`unknown`", "`good`"] {
        assert!(reason.contains(part.trim_matches('`')), "{part}: {reason}");
    }
    let (status, answer) = world.invoke("shop", "1").await;
    assert_eq!((status, answer.trim().parse()), (200, Ok(1.0)));

    world.update("shop", "better").await;
    let described = world.in_service("shop").await;
    assert_eq!(described.get("FailureReason"), None, "it is true no longer");
    let (_, answer) = world.invoke("shop", "1").await;
    assert_eq!(answer.trim().parse(), Ok(2.0));
}

#[tokio::test]
async fn what_was_in_service_serves_again_when_the_service_is_restarted_during_an_update() {
    let model = ModelServer::start().await;
    model.healthy.send_replace(false);
    let image = model.image("hopeless");
    let mut world = World::start_with(|configuration| configuration.images.push(image)).await;
    world.configured("hopeless", json!({ "Image": "registry.example/hopeless:1" })).await;
    world.configured("one", constant(1.0)).await;
    world.create("shop", "one").await;
    world.in_service("shop").await;
    world.update("shop", "hopeless").await;
    world.restart(|_| {}).await;
    super::until("it answers", async || world.invoke("shop", "1").await.0 == 200).await;
    assert_eq!(world.described("shop").await["EndpointStatus"], "Updating");

    model.healthy.send_replace(true);
    assert_eq!(world.in_service("shop").await["EndpointConfigName"], "hopeless");
    assert_eq!(world.invoke("shop", "1").await, (200, "elsewhere".to_owned()));
}
