//! Endpoints that do not start, and what others have to do with it.

use serde_json::json;

use super::{ModelServer, World, constant};

#[tokio::test]
async fn an_image_that_nobody_maps_fails_the_endpoint_naming_it_and_the_setting() {
    let world = World::start().await;
    world.configured("churn", json!({ "Image": "registry.example/team/xgboost:1.7-1" })).await;
    world.create("shop", "churn").await;
    let described = world.settled("shop").await;
    assert_eq!(described["EndpointStatus"], "Failed");
    assert_eq!(described["DataCaptureConfig"]["CaptureStatus"], "Stopped");
    let reason = described["FailureReason"].as_str().unwrap();
    assert!(reason.contains("registry.example/team/xgboost:1.7-1") && reason.contains("[[images]]"), "{reason}");
    assert_ne!(world.invoke("shop", "1").await.0, 200);
    world.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    world.gone("shop").await;
}

#[tokio::test]
async fn an_image_that_nobody_maps_may_be_let_pass_and_what_it_is_asked_is_captured() {
    let world = World::start_with(|configuration| configuration.hosting.accept_unmapped_images = true).await;
    world.configured("churn", json!({ "Image": "registry.example/team/xgboost:1.7-1" })).await;
    world.create("shop", "churn").await;
    world.in_service("shop").await;
    let (status, answer) = world.invoke("shop", "1,2").await;
    assert_eq!(status, 424, "{answer}");
    world.ok("DeleteEndpoint", json!({ "EndpointName": "shop" })).await;
    assert_eq!(world.objects("captured/shop/churn/").await.len(), 1);
}

#[tokio::test]
async fn a_model_that_never_gets_ready_delays_nobody_and_can_be_deleted() {
    let model = ModelServer::start().await;
    model.healthy.send_replace(false);
    let image = model.image("hopeless");
    let world = World::start_with(|configuration| configuration.images.push(image)).await;
    world.configured("hopeless", json!({ "Image": "registry.example/hopeless:1" })).await;
    world.configured("churn", constant(1.0)).await;
    world.create("waits", "hopeless").await;
    super::until("it is pinged", async || model.pings.load(std::sync::atomic::Ordering::Relaxed) > 0).await;
    world.create("shop", "churn").await;
    world.in_service("shop").await;
    assert_eq!(world.described("waits").await["EndpointStatus"], "Creating");
    assert_eq!(world.invoke("waits", "1").await.0, 429);

    // An update that hangs goes on being an update, and what is in service serves.
    world.update("shop", "hopeless").await;
    assert_eq!(world.invoke("shop", "1").await.0, 200);
    for name in ["waits", "shop"] {
        world.ok("DeleteEndpoint", json!({ "EndpointName": name })).await;
        world.gone(name).await;
    }
}

#[tokio::test]
async fn a_model_that_gets_ready_late_is_waited_for() {
    let model = ModelServer::start().await;
    model.healthy.send_replace(false);
    let image = model.image("late");
    let world = World::start_with(|configuration| configuration.images.push(image)).await;
    world.configured("late", json!({ "Image": "registry.example/late:1" })).await;
    world.create("shop", "late").await;
    super::until("it is pinged", async || model.pings.load(std::sync::atomic::Ordering::Relaxed) > 1).await;
    assert_eq!(world.described("shop").await["EndpointStatus"], "Creating");
    model.healthy.send_replace(true);
    world.in_service("shop").await;
    assert_eq!(world.invoke("shop", "1").await, (200, "elsewhere".to_owned()));
}

#[tokio::test]
async fn an_endpoint_that_does_not_come_back_says_so_until_it_does() {
    let model = ModelServer::start().await;
    let image = model.image("mapped");
    let mut world = World::start_with(|configuration| configuration.images.push(image.clone())).await;
    world.configured("mapped", json!({ "Image": "registry.example/mapped:1" })).await;
    world.create("shop", "mapped").await;
    world.in_service("shop").await;
    // The entry is lost from the configuration.
    world.restart(|configuration| configuration.images.clear()).await;
    super::until("it says why", async || world.described("shop").await.get("FailureReason").is_some()).await;
    let described = world.described("shop").await;
    assert_eq!(described["EndpointStatus"], "InService", "{described}");
    let reason = described["FailureReason"].as_str().unwrap();
    assert!(reason.contains("registry.example/mapped:1") && reason.contains("[[images]]"), "{reason}");
    assert_eq!(world.invoke("shop", "1").await.0, 429);

    world.restart(|configuration| configuration.images.push(image)).await;
    super::until("it answers", async || world.invoke("shop", "1").await.0 == 200).await;
    super::until("it is well", async || world.described("shop").await.get("FailureReason").is_none()).await;
}

#[tokio::test]
async fn an_update_does_not_wait_for_models_that_do_not_come_back() {
    let model = ModelServer::start().await;
    let image = model.image("mapped");
    let mut world = World::start_with(|configuration| configuration.images.push(image)).await;
    world.configured("mapped", json!({ "Image": "registry.example/mapped:1" })).await;
    world.configured("one", constant(1.0)).await;
    world.create("shop", "mapped").await;
    world.in_service("shop").await;
    model.healthy.send_replace(false);
    world.restart(|_| {}).await;
    let before = model.pings.load(std::sync::atomic::Ordering::Relaxed);
    super::until("it is pinged", async || model.pings.load(std::sync::atomic::Ordering::Relaxed) > before).await;
    assert_eq!(world.invoke("shop", "1").await.0, 429);

    world.update("shop", "one").await;
    assert_eq!(world.in_service("shop").await["EndpointConfigName"], "one");
    let (status, answer) = world.invoke("shop", "1").await;
    assert_eq!((status, answer.trim().parse()), (200, Ok(1.0)));
}
