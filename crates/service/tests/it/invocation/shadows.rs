//! Shadow variants: asked as well, and heard by nobody.

use serde_json::json;

use super::{World, built_in, capturing, header, python, text, variant};

#[tokio::test]
async fn a_shadow_sees_the_same_requests_and_its_answers_are_captured_alone() {
    let world = World::start().await;
    world.ok("CreateModel", json!({ "ModelName": "dark", "PrimaryContainer": python() })).await;
    let mut more = capturing();
    more["ShadowProductionVariants"] = json!([variant("dark", "dark", 1.0)]);
    world.deploy("shop", &[("blue", built_in("constant", &json!({ "value": 3 })))], more).await;
    // The shadow fails, and nobody is told.
    let answer = world.invoke("shop", &[("content-type", "text/csv")], "status 500 x").await;
    assert_eq!((answer.status().as_u16(), text(&answer).trim()), (200, "3"));
    let answer = world.invoke("shop", &[("content-type", "text/csv")], "1,2").await;
    assert_eq!((header(&answer, "x-amzn-invoked-production-variant"), text(&answer).trim()), ("blue", "3"));
    let shadowed = world.captured("shop/dark", 1).await;
    assert_eq!(shadowed.len(), 1);
    assert_eq!(shadowed[0]["captureData"]["endpointInput"]["data"], "1,2");
    assert_eq!(shadowed[0]["captureData"]["endpointOutput"]["data"], "1,2");
    assert_eq!(world.captured("shop/blue", 2).await.len(), 2);
}
