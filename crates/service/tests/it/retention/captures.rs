//! Captures, and the schedules that have not looked at them yet.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;
use watchkeeper_service::configuration::RetentionSettings;
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger};
use watchkeeper_service::control::schedule::{MonitoringSchedule, OperatorWork};
use watchkeeper_service::resources::{Transaction, Versioned};
use watchkeeper_store::objects::ListObjects;

use super::{insert, nothing, sweep_with};
use crate::scheduler::world::{World, embedded, moment};

/// An object of captures of an endpoint in an hour.
async fn capture(world: &World, endpoint: &str, hour: &str) {
    world.put(&format!("captured/{endpoint}/AllTraffic/{hour}/12-34-567-{}.jsonl", Uuid::new_v4()), "{}\n").await;
}

/// The hours of an endpoint that have something.
async fn hours(world: &World, endpoint: &str) -> Vec<String> {
    let prefix = format!("captured/{endpoint}/AllTraffic/");
    let list = ListObjects { bucket: "b".into(), prefix: prefix.clone(), limit: 10_000, ..ListObjects::default() };
    let listing = world.context.objects.list(&list).await.unwrap();
    let mut hours: Vec<String> =
        listing.objects.iter().map(|object| object.key[prefix.len()..][..13].to_owned()).collect();
    hours.dedup();
    hours
}

/// The hours of a day.
fn day(date: &str) -> impl Iterator<Item = String> {
    (0..24).map(move |hour| format!("{date}/{hour:02}"))
}

fn settings() -> RetentionSettings {
    RetentionSettings { capture_days: 2, ..nothing() }
}

#[tokio::test]
async fn old_captures_go_and_nothing_else() {
    let world = World::at("2026-01-05T10:30:00Z").await;
    world.endpoint("no-captures", None).await;
    for hour in day("2026/01/02").chain(day("2026/01/03")) {
        capture(&world, "churn", &hour).await;
        // Of an endpoint that is gone, below the address of one that is there.
        capture(&world, "gone", &hour).await;
    }
    let others = [
        "captured/churn/AllTraffic/2025/01/01/00/labels.csv",
        "captured/churn/AllTraffic/2025/01/01/00/12-34-567-x.jsonl",
        "captured/notes.txt",
        "captured/a/b/2025/01/01/00/part-0.jsonl",
        "elsewhere/churn/AllTraffic/2025/01/01/00/12-34-567-0d1c7a0e-53ab-4b4e-9f3f-3f5a1ad4a0f7.jsonl",
    ];
    for other in others {
        world.put(other, "kept").await;
    }
    let swept = sweep_with(&world, settings()).await;
    assert_eq!(swept.captures, 2 * (24 + 10));
    for other in others {
        assert!(world.context.objects.head("b", other).await.unwrap().is_some(), "{other}");
    }
    for endpoint in ["churn", "gone"] {
        let left: Vec<String> =
            hours(&world, endpoint).await.into_iter().filter(|hour| hour.as_str() > "2026").collect();
        assert_eq!(left, day("2026/01/03").skip(10).collect::<Vec<_>>(), "the hour of the moment stays whole");
    }
}

/// The schedule `nightly-check` as it is stored.
async fn stored(world: &World) -> Versioned<MonitoringSchedule> {
    world.context.resources.get("nightly-check").await.unwrap().unwrap()
}

/// A world whose schedule `nightly-check` has a tick each hour from midnight of the first of January on, all of which have
/// run, save what the caller makes of one.
async fn analysed(until: &str, expression: &str) -> World {
    let world = World::at("2025-12-31T23:30:00Z").await;
    world.schedule("nightly-check", embedded(expression)).await;
    world.settle().await;
    let until = moment(until);
    let mut now = moment("2026-01-01T00:00:00Z");
    while now < until {
        world.set(now + SignedDuration::from_secs(1));
        world.round().await;
        now += SignedDuration::from_hours(1);
    }
    world.set(until);
    world
}

#[tokio::test]
async fn what_a_schedule_has_not_looked_at_stays() {
    // Nothing is captured while it runs, so that every execution fails at once.
    let world = analysed("2026-01-05T10:30:00Z", "cron(0 * ? * * *)").await;
    for hour in day("2026/01/01").chain(day("2026/01/02")) {
        capture(&world, "churn", &hour).await;
    }
    // Ticks of which something is still to come: one that was paused, one that was skipped, one that is under way.
    let rows = world.rows("nightly-check").await;
    let change = async |tick: &str, change: fn(Execution) -> Execution| {
        let row = rows.iter().find(|row| row.scheduled.0 == moment(tick)).unwrap();
        let stored = world.context.resources.get::<Execution>(&row.key).await.unwrap().unwrap();
        let changed = change(stored.resource);
        world.context.resources.commit(Transaction::new().update(&changed, stored.version)).await.unwrap();
    };
    change("2026-01-01T06:00:00Z", |row| Execution { outcome: Outcome::Paused, window: None, ..row }).await;
    change("2026-01-01T09:00:00Z", |row| Execution { outcome: Outcome::Skipped, window: None, ..row }).await;
    change("2026-01-01T12:00:00Z", |row| Execution {
        status: watchkeeper_aws::generated::sagemaker::ExecutionStatus::InProgress,
        ..row
    })
    .await;
    sweep_with(&world, settings()).await;
    // The hour before each of them; that of the tick itself too, where offsets would make a merge look at it.
    let held = ["05", "06", "08", "09", "11", "12"].map(|hour| format!("2026/01/01/{hour}"));
    assert_eq!(hours(&world, "churn").await, held);
}

#[tokio::test]
async fn the_window_of_the_next_tick_stays_however_long_it_is() {
    let world = World::at("2026-01-01T00:30:00Z").await;
    let mut config = embedded("cron(0 0 ? * * *)");
    let input = &mut config["MonitoringJobDefinition"]["MonitoringInputs"][0]["EndpointInput"];
    input["StartTimeOffset"] = serde_json::json!("-P5D");
    world.schedule("nightly-check", config).await;
    world.settle().await;
    for hour in day("2025/12/26").chain(day("2025/12/27")).chain(day("2025/12/28")) {
        capture(&world, "churn", &hour).await;
    }
    // The tick of the second of January looks at five days before.
    sweep_with(&world, settings()).await;
    let left = hours(&world, "churn").await;
    assert_eq!(left, day("2025/12/28").collect::<Vec<_>>());

    // One that nobody can make sense of keeps everything, one that is stopped nothing.
    capture(&world, "churn", "2025/01/01/00").await;
    let stored = stored(&world).await;
    let mut broken = stored.resource.clone();
    broken.config.monitoring_job_definition = None;
    broken.config.monitoring_job_definition_name = Some("gone".to_owned());
    world.context.resources.commit(Transaction::new().update(&broken, stored.version)).await.unwrap();
    assert_eq!(sweep_with(&world, settings()).await.captures, 0);
    let mut stopped = stored.resource;
    (stopped.next_tick, stopped.transition) = (None, None);
    stopped.status = watchkeeper_aws::generated::sagemaker::ScheduleStatus::Stopped;
    world.context.resources.commit(Transaction::new().update(&stopped, stored.version + 1)).await.unwrap();
    assert_eq!(sweep_with(&world, settings()).await.captures, 25);
}

#[tokio::test]
async fn what_an_operator_asked_for_stays() {
    let world = World::at("2026-01-05T10:30:00Z").await;
    world.schedule("nightly-check", embedded("cron(0 * ? * * *)")).await;
    world.settle().await;
    for hour in day("2026/01/01") {
        capture(&world, "churn", &hour).await;
    }
    let asked = watchkeeper_service::scheduler::operator::backfill(
        &world.context,
        "nightly-check",
        moment("2026-01-01T20:00:00Z"),
        moment("2026-01-01T22:00:00Z"),
    );
    assert_eq!(asked.await.unwrap(), 2);
    sweep_with(&world, settings()).await;
    assert_eq!(hours(&world, "churn").await, day("2026/01/01").skip(19).collect::<Vec<_>>());
    let schedule = world.describe("nightly-check").await;
    // Once it has run there is nothing left to look at.
    let ticks: [Timestamp; 2] = [moment("2026-01-01T20:00:00Z"), moment("2026-01-01T21:00:00Z")];
    for tick in ticks {
        let row = Execution::new(&schedule, tick, Trigger::Backfill, Outcome::Started, world.context.now());
        let status = watchkeeper_aws::generated::sagemaker::ExecutionStatus::Completed;
        insert(&world.context, &row.ended(status, None, world.context.now())).await;
    }
    let stored = stored(&world).await;
    let mut done = stored.resource;
    done.operator = OperatorWork::default();
    world.context.resources.commit(Transaction::new().update(&done, stored.version)).await.unwrap();
    sweep_with(&world, settings()).await;
    assert!(hours(&world, "churn").await.is_empty());
}
