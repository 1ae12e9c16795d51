//! What jobs ask endpoints is no traffic where they say so.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use watchkeeper_aws::client::Client;
use watchkeeper_service::api::sts::session_issuer;

use super::{World, built_in, capturing, python, variant};

const HEADERS: &[(&str, &str)] = &[("content-type", "text/csv"), ("x-watchkeeper-capture", "off")];

#[tokio::test]
async fn what_a_job_asks_is_neither_captured_nor_shadowed() {
    let world = World::start().await;
    world.ok("CreateModel", json!({ "ModelName": "dark", "PrimaryContainer": python() })).await;
    let mut more = capturing();
    more["ShadowProductionVariants"] = json!([variant("dark", "dark", 1.0)]);
    world.deploy("shop", &[("blue", built_in("constant", &json!({ "value": 3 })))], more).await;
    let context = world.service().context();
    let issuer = session_issuer(context).unwrap();
    let expires = Timestamp::now() + SignedDuration::from_hours(1);
    let ask = async |parent: &str, body: &'static str| {
        let credentials = issuer.issue(issuer.parent(parent), expires, [1, 2, 3, 4, 5]);
        let url = format!("http://{}", world.service().address());
        let client = Client::new(&url, credentials, "us-east-1").unwrap();
        let path = "/endpoints/shop/invocations";
        assert_eq!(client.request(Method::POST, path, HEADERS, body, "sagemaker").await.unwrap().status(), 200);
    };
    let (own, _) = context.job_credentials.get().unwrap();
    ask(own, "1,1").await;
    // Of people, and of sessions of theirs, the header means nothing.
    ask(&world.credentials().access_key_id, "2,2").await;
    assert_eq!(world.invoke("shop", HEADERS, "3,3").await.status(), 200);
    for (folder, what) in [("shop/blue", "captured"), ("shop/dark", "shadowed")] {
        let lines = world.captured(folder, 2).await;
        let mut asked: Vec<&str> =
            lines.iter().map(|line| line["captureData"]["endpointInput"]["data"].as_str().unwrap()).collect();
        asked.sort_unstable();
        assert_eq!(asked, ["2,2", "3,3"], "{what}");
    }
}
