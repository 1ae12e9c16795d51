//! The stories of the Rust SDK's tests, told to a started `watchkeeper serve`: here analyzers are processes, as everywhere.

use std::collections::BTreeMap;
use std::time::Duration;

use watchkeeper::Session;

use crate::service::Service;

#[path = "../../../sdk/tests/it/scenarios/mod.rs"]
mod scenarios;

/// A service, and a session as `eval "$(watchkeeper env)"` makes one.
fn site() -> (Service, Session) {
    let service = Service::start();
    let variables = service.run(&["env", "--format", "json"]).ended(0).stdout;
    let variables: BTreeMap<String, String> = serde_json::from_str(&variables).unwrap();
    let session = Session::builder().environment(variables).poll_every(Duration::from_millis(100)).progress(|_| {});
    (service, session.build().unwrap())
}

#[tokio::test]
async fn data_quality_from_a_baseline_to_violations() {
    let (_service, session) = site();
    scenarios::data_quality::is_told(&session).await;
}

#[tokio::test]
async fn model_quality_from_a_baseline_to_violations() {
    let (_service, session) = site();
    scenarios::model_quality::is_told(&session).await;
}

#[tokio::test]
async fn model_bias_from_a_baseline_to_violations() {
    let (_service, session) = site();
    scenarios::model_bias::is_told(&session).await;
}

#[tokio::test]
async fn model_explainability_from_a_baseline_to_violations() {
    let (_service, session) = site();
    scenarios::model_explainability::is_told(&session).await;
}

#[tokio::test]
async fn batch_transform_jobs_are_monitored() {
    let (_service, session) = site();
    scenarios::batch_transform::is_told(&session).await;
}

#[tokio::test]
async fn an_image_of_ones_own() {
    let (_service, session) = site();
    scenarios::own_image::is_told(&session).await;
}

#[tokio::test]
async fn scripts_and_rules_of_ones_own() {
    let (_service, session) = site();
    scenarios::own_rules::is_told(&session).await;
}

#[tokio::test]
async fn jobs_of_clarify_without_a_monitor() {
    let (_service, session) = site();
    scenarios::clarify_processor::is_told(&session).await;
}
