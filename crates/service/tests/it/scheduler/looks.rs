//! What is found in folders by hour.

use futures::StreamExt as _;
use watchkeeper_aws::generated::sagemaker::ExecutionStatus;

use super::world::{World, embedded};

/// What the tick of an hour recorded about the captures.
async fn looked(world: &World, tick: &str) -> watchkeeper_service::control::execution::Looked {
    world.set_text(tick);
    world.round().await;
    let mut rows = world.rows("nightly-check").await;
    rows.pop().unwrap().looked.remove(0)
}

#[tokio::test]
async fn hours_with_more_objects_than_a_page_are_counted() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedule("nightly-check", embedded("cron(0 0/3 ? * * *)")).await;
    world.settle().await;
    let keys = (0..1_100).map(|number| format!("captured/churn/AllTraffic/2026/01/01/00/{number:05}.jsonl"));
    futures::stream::iter(keys)
        .for_each_concurrent(64, |key| {
            let world = &world;
            async move { world.put(&key, "{}\n").await }
        })
        .await;
    world.capture("2026/01/01/02").await;
    world.capture("2026/01/01/03").await;
    let looked = looked(&world, "2026-01-01T03:00:00Z").await;
    assert_eq!((looked.objects, looked.bytes), (1_101, 3_303));
    assert_eq!((looked.nearest_before, looked.nearest_after), (None, None));
    let inputs = world.jobs().await.remove(0).resource.request.processing_inputs.unwrap();
    let uris: Vec<String> = inputs.into_iter().map(|input| input.s3_input.unwrap().s3_uri).collect();
    assert_eq!(
        uris,
        ["s3://b/captured/churn/AllTraffic/2026/01/01/00", "s3://b/captured/churn/AllTraffic/2026/01/01/02"]
    );
}

#[tokio::test]
async fn the_nearest_data_is_found_across_years_and_variants() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    for key in [
        "captured/churn/AllTraffic/2024/02/29/07/a.jsonl",
        "captured/churn/AllTraffic/2024/02/29/07/b.jsonl",
        "captured/churn/Canary/2024/02/28/23/z.jsonl",
        "captured/churn/AllTraffic/2027/01/01/00/late.jsonl",
        "captured/churn/Canary/2026/01/01/01/soon.jsonl",
        // Neither folder markers nor what is no hour's folder is data.
        "captured/churn/AllTraffic/2026/01/01/00/",
        "captured/churn/AllTraffic/2025/12/31/23/",
        "captured/churn/AllTraffic/2025/notes.txt",
        "captured/churn/AllTraffic/9/x.jsonl",
    ] {
        world.put(key, "{}").await;
    }
    let looked = looked(&world, "2026-01-01T01:00:00Z").await;
    assert_eq!(looked.objects, 0);
    assert_eq!(looked.nearest_before.as_deref(), Some("s3://b/captured/churn/AllTraffic/2024/02/29/07/b.jsonl"));
    assert_eq!(looked.nearest_after.as_deref(), Some("s3://b/captured/churn/Canary/2026/01/01/01/soon.jsonl"));
    assert_eq!(
        looked.places,
        ["s3://b/captured/churn/AllTraffic/2026/01/01/00", "s3://b/captured/churn/Canary/2026/01/01/00"]
    );
    assert_eq!(world.rows("nightly-check").await[0].status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn an_endpoint_that_was_never_called_is_looked_for_under_any_variant() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let looked = looked(&world, "2026-01-01T01:00:00Z").await;
    assert_eq!(looked.places, ["s3://b/captured/churn/*/2026/01/01/00"]);
    assert_eq!((looked.nearest_before, looked.nearest_after), (None, None));
}

#[tokio::test]
async fn windows_of_many_years_are_looked_through_at_once() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let mut config = embedded("cron(0 * ? * * *)");
    let input = &mut config["MonitoringJobDefinition"]["MonitoringInputs"][0]["EndpointInput"];
    input["StartTimeOffset"] = "-P36500D".into();
    input["EndTimeOffset"] = "-PT1H".into();
    world.schedule("nightly-check", config).await;
    world.settle().await;
    world.capture("1999/12/31/23").await;
    world.capture("2025/12/31/23").await;
    let looked = looked(&world, "2026-01-01T01:00:00Z").await;
    assert_eq!(looked.objects, 2);
    assert_eq!(looked.places.len(), 24);
    let more = 36_500 * 24 - 1 - 23;
    assert_eq!(looked.places[22], format!("… {more} more …"));
    assert_eq!(looked.places[23], "s3://b/captured/churn/AllTraffic/2025/12/31/23");
}
