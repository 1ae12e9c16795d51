//! What operators ask for, through their interface.

use std::sync::Arc;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::ExecutionStatus;
use watchkeeper_service::api::operators::router;
use watchkeeper_service::control::execution::{Outcome, Trigger};
use watchkeeper_service::control::schedule::OperatorWork;

use super::world::{World, embedded};

pub(super) async fn call(world: &World, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    send(world, method, path, body).await
}

/// A request whose body is any text.
pub(super) async fn send(world: &World, method: Method, path: &str, body: String) -> (StatusCode, Value) {
    let service = TowerToHyperService::new(router(Arc::clone(&world.context)));
    let request = Request::builder().method(method).uri(path).body(Full::new(bytes::Bytes::from(body))).unwrap();
    let response = service.call(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(super) async fn get(world: &World, path: &str) -> Value {
    let (status, body) = call(world, Method::GET, path, Value::Null).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

#[tokio::test]
async fn run_now_takes_the_last_period_or_any_window() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/04").await;
    world.set_text("2026-01-01T00:30:00.250Z");
    let run = "/_watchkeeper/schedules/nightly-check/run";
    let (status, started) = call(&world, Method::POST, run, Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(started["trigger"], "run");
    assert_eq!(started["window"], json!({"start": "2025-12-31T23:30:00Z", "end": "2026-01-01T00:30:01Z"}));
    world.round().await;
    let id = started["id"].as_str().unwrap();
    let ended = get(&world, &format!("/_watchkeeper/executions/{id}")).await;
    assert_eq!(ended["execution"]["status"], "Failed");
    assert_eq!(ended["execution"]["reason"], "Job inputs had no data");
    assert_eq!(ended["is_over"], true);

    let window = json!({"from": "2026-01-01T04:00:00Z", "to": "2026-01-01T05:00:00Z"});
    let (_, started) = call(&world, Method::POST, run, window).await;
    let (status, refused) = call(&world, Method::POST, run, Value::Null).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    world.round().await;
    let id = started["id"].as_str().unwrap();
    let running = get(&world, &format!("/_watchkeeper/executions/{id}")).await;
    assert_eq!((&running["execution"]["status"], &running["is_over"]), (&json!("InProgress"), &json!(false)));
    let job = world.jobs().await.remove(0).resource;
    let environment = job.request.environment.unwrap();
    assert_eq!(environment["start_time"], "2026-01-01T04:00:00Z");
    assert_eq!(environment["end_time"], "2026-01-01T05:00:00Z");
    // Its results are not written over those of the hour's tick.
    assert_eq!(
        job.request.processing_output_config.unwrap().outputs[0].s3_output.as_ref().unwrap().s3_uri,
        "s3://b/reports/churn/nightly-check/2026/01/01/00/30-00-250"
    );

    // A tick waits for an operator's run instead of being skipped.
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    assert_eq!(world.rows("nightly-check").await.len(), 2);
    world.end_job("Completed: Job completed successfully with no violations.").await;
    world.round().await;
    let tick = world.rows("nightly-check").await.remove(2);
    assert_eq!(
        (tick.trigger, tick.outcome, tick.status),
        (Trigger::Tick, Outcome::Started, ExecutionStatus::InProgress)
    );
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_in_words() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let of = |action: &str| format!("/_watchkeeper/schedules/{action}");
    let range = |from: &str, to: &str| json!({"from": from, "to": to});
    let cases = [
        (of("none/run"), json!({}), 404, "there is no monitoring schedule none"),
        (
            of("nightly-check/run"),
            json!({"from": "soon"}),
            400,
            "from: `soon` is no moment; write it as 2026-01-31T23:00:00Z",
        ),
        (
            of("nightly-check/run"),
            range("2026-01-01T02:00:00Z", "2026-01-01T01:00:00Z"),
            400,
            "the window of the tick 2026-01-01T00:10:01Z would start at 2026-01-01T02:00:00Z and end at 2026-01-01T01:00:00Z: the \
             start must be before the end, correct StartTimeOffset and EndTimeOffset (or DataAnalysisStartTime and \
             DataAnalysisEndTime)",
        ),
        (
            of("nightly-check/backfill"),
            range("2020-01-01", "2026-01-01"),
            400,
            "there are more than 1000 ticks from 2020-01-01T00:00:00Z to 2026-01-01T00:00:00Z; the 1000th is \
             2020-02-11T15:00:00Z, ask for less at once",
        ),
    ];
    for (path, body, status, message) in cases {
        let (answered, failure) = call(&world, Method::POST, &path, body).await;
        assert_eq!((answered.as_u16(), failure["error"].as_str().unwrap()), (status, message), "{path}");
    }
    let (status, _) = call(&world, Method::GET, "/_watchkeeper/nothing", Value::Null).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    for query in ["limit=0", "limit=many", "colour=red", "after=somewhere", "from=soon"] {
        let path = format!("/_watchkeeper/executions?{query}");
        let (status, failure) = call(&world, Method::GET, &path, Value::Null).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(failure["error"].is_string(), "{query}");
    }
}

#[tokio::test]
async fn a_backfill_runs_what_did_not_run_one_after_the_other() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    for hour in 0..5 {
        world.capture(&format!("2026/01/01/{hour:02}")).await;
    }
    world.set_text("2026-01-01T04:20:00Z");
    world.round().await;
    world.end_job("Completed: Job completed successfully with no violations.").await;
    // Ticks of 01, 02, 03 were missed; 23 and 00 were before the schedule was made.
    let backfill = "/_watchkeeper/schedules/nightly-check/backfill";
    let range = json!({"from": "2025-12-31T23:00:00Z", "to": "2026-01-02T00:00:00Z"});
    let (status, answer) = call(&world, Method::POST, backfill, range.clone()).await;
    assert_eq!((status, &answer["ticks"]), (StatusCode::ACCEPTED, &json!(5)));
    let (status, _) = call(&world, Method::POST, backfill, range.clone()).await;
    assert_eq!(status, StatusCode::CONFLICT);
    // The first two have no data and end at once.
    world.round().await;
    for _ in 0..3 {
        assert_eq!(world.jobs().await.iter().filter(|job| !job.resource.is_terminal()).count(), 1);
        world.end_job("CompletedWithViolations: 2").await;
        world.round().await;
    }
    let rows = world.rows("nightly-check").await;
    let found: Vec<(String, Trigger, ExecutionStatus)> =
        rows.iter().map(|row| (row.scheduled.to_string(), row.trigger, row.status)).collect();
    assert_eq!(
        found,
        [
            ("2025-12-31T23:00:00Z".to_owned(), Trigger::Backfill, ExecutionStatus::Failed),
            ("2026-01-01T00:00:00Z".to_owned(), Trigger::Backfill, ExecutionStatus::Failed),
            ("2026-01-01T01:00:00Z".to_owned(), Trigger::Backfill, ExecutionStatus::CompletedWithViolations),
            ("2026-01-01T02:00:00Z".to_owned(), Trigger::Backfill, ExecutionStatus::CompletedWithViolations),
            ("2026-01-01T03:00:00Z".to_owned(), Trigger::Backfill, ExecutionStatus::CompletedWithViolations),
            ("2026-01-01T04:00:00Z".to_owned(), Trigger::Tick, ExecutionStatus::Completed),
        ]
    );
    let schedule = world.describe("nightly-check").await;
    assert_eq!(schedule.operator, OperatorWork::default());
    assert_eq!(schedule.last_execution.unwrap().scheduled_time.to_string(), "2026-01-01T04:00:00Z");
    let alert = world.alert("nightly-check").await;
    assert_eq!(alert.status.as_str(), "OK", "what is older than the last execution raises no alert");
    let (_, answer) = call(&world, Method::POST, backfill, range).await;
    assert_eq!(answer["ticks"], 0);
}

#[tokio::test]
async fn why_tells_what_was_looked_for_and_what_is_nearest() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedule("fresh", embedded("cron(0 12 ? * * *)")).await;
    world.hourly().await;
    world.capture("2025/12/30/08").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let why = get(&world, "/_watchkeeper/schedules/nightly-check/why").await;
    let sentences: Vec<&str> = why["sentences"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(
        sentences,
        [
            "the execution of the last tick, 2026-01-01T01:00:00Z, is Failed: Job inputs had no data",
            "its window was 2026-01-01T00:00:00Z to 2026-01-01T01:00:00Z (UTC, the end excluded)",
            "no capture was found in s3://b/captured/churn/AllTraffic/2026/01/01/00; before the window there is \
             s3://b/captured/churn/AllTraffic/2025/12/30/08/00-00-000-x.jsonl, after it nothing",
            "run again at this moment, it would fail: Job inputs had no data",
            "the next tick of nightly-check is 2026-01-01T02:00:00Z",
        ]
    );
    assert_eq!(why["executions"][0]["looked"][0]["objects"], 0);
    let fresh = get(&world, "/_watchkeeper/schedules/fresh/why").await;
    assert_eq!(
        fresh["sentences"][0],
        "no tick has come since fresh was created at 2026-01-01T00:10:00Z: the first is 2026-01-01T12:00:00Z"
    );
}

#[tokio::test]
async fn status_pause_and_lists() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T03:00:00Z");
    world.round().await;
    let (_, paused) = call(&world, Method::POST, "/_watchkeeper/pause", Value::Null).await;
    assert_eq!(paused, json!({"is_paused": true, "since": "2026-01-01T03:00:00Z"}));
    let status = get(&world, "/_watchkeeper/status").await;
    assert_eq!(status["schedules"], json!({"Scheduled": 1}));
    assert_eq!(status["executions"], json!({"Failed": 1, "missed": 2}));
    assert_eq!(status["pause"]["is_paused"], true);
    assert_eq!(status["next_tick"], json!({"tick": "2026-01-01T04:00:00Z", "schedule": "nightly-check"}));
    // Pages hang together.
    let mut path = "/_watchkeeper/executions?schedule=nightly-check&limit=1".to_owned();
    let mut outcomes = Vec::new();
    loop {
        let page = get(&world, &path).await;
        outcomes.push(page["executions"][0]["outcome"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/_watchkeeper/executions?schedule=nightly-check&limit=1&after={next}");
    }
    assert_eq!(outcomes, ["started", "missed", "missed"]);
    let missed = get(&world, "/_watchkeeper/executions?status=missed").await;
    assert_eq!(missed["executions"].as_array().unwrap().len(), 2);
    let schedules = get(&world, "/_watchkeeper/schedules").await;
    assert_eq!(schedules["schedules"][0]["last_status"], "Failed");
    let (_, resumed) = call(&world, Method::POST, "/_watchkeeper/resume", Value::Null).await;
    assert_eq!(resumed["is_paused"], false);
}

#[tokio::test]
async fn the_description_names_every_route() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let description = get(&world, "/_watchkeeper/openapi.json").await;
    let paths: Vec<&String> = description["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths.len(), 17);
    // A backup is no JSON: its own tests take one.
    let described = description["paths"].as_object().unwrap().iter().filter(|(path, _)| !path.ends_with("/backup"));
    for (path, operations) in described {
        for method in operations.as_object().unwrap().keys() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = path.replace("{name}", "none").replace("{id}", "none");
            let (status, body) = call(&world, method.clone(), &path, Value::Null).await;
            assert_ne!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let unrouted = body["error"].as_str().is_some_and(|text| text.contains("no such path"));
            assert!(!unrouted, "{method} {path}");
        }
    }
}
