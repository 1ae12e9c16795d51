//! Several schedulers, and schedulers that die.

use std::collections::BTreeSet;
use std::sync::Arc;

use watchkeeper_aws::generated::sagemaker::ExecutionStatus;
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger};
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;
use watchkeeper_service::scheduler::Scheduler;
use watchkeeper_store::metadata::Query;

use super::world::{World, embedded, moment};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn racing_schedulers_start_everything_once() {
    const SCHEDULES: usize = 60;
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedules(SCHEDULES, &embedded("cron(0 * ? * * *)")).await;
    world.settle().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    let racers = (0..4).map(|_| {
        let context = world.another();
        tokio::spawn(async move { Scheduler::new(context).round().await.unwrap() })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    // What a racer had claimed and lost is due still when its claim has run out.
    world.set_text("2026-01-01T01:02:00Z");
    world.round().await;
    let jobs = world.jobs().await;
    assert_eq!(jobs.len(), SCHEDULES);
    let schedules: BTreeSet<_> = jobs.iter().map(|job| job.resource.monitoring_schedule_arn.clone()).collect();
    assert_eq!(schedules.len(), SCHEDULES);
    for index in 0..SCHEDULES {
        let rows = world.rows(&format!("s{index}")).await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].status, ExecutionStatus::InProgress);
    }
}

#[tokio::test]
async fn an_execution_whose_scheduler_died_is_started_by_another() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    // All that a scheduler does before it looks for data.
    let stored = world.context.resources.get::<MonitoringSchedule>("nightly-check").await.unwrap().unwrap();
    let tick = moment("2026-01-01T01:00:00Z");
    let row = Execution::new(&stored.resource, tick, Trigger::Tick, Outcome::Started, tick);
    let mut after = stored.resource;
    after.running = Some(row.key.clone());
    after.next_tick = Some(moment("2026-01-01T02:00:00Z").into());
    let transaction = Transaction::new().insert(&row).update(&after, stored.version);
    world.context.resources.commit(transaction).await.unwrap();

    Scheduler::new(world.another()).round().await.unwrap();
    let rows = world.rows("nightly-check").await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].status, ExecutionStatus::InProgress);
    assert_eq!(world.jobs().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_schedules_of_one_second_run_once_each() {
    const SCHEDULES: usize = 1000;
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedules(SCHEDULES, &embedded("cron(0 * ? * * *)")).await;
    world.settle().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    let mut scheduler = Scheduler::new(Arc::clone(&world.context));
    scheduler.round().await.unwrap();
    let query = Query { status: Some("InProgress".to_owned()), ..Query::default() };
    let running = world.context.resources.list::<Execution>(&query).await.unwrap();
    let schedules: BTreeSet<String> = running.into_iter().map(|row| row.resource.schedule_name).collect();
    assert_eq!(schedules.len(), SCHEDULES);
    assert_eq!(world.jobs().await.len(), SCHEDULES);
    scheduler.round().await.unwrap();
    assert_eq!(world.jobs().await.len(), SCHEDULES);
}
