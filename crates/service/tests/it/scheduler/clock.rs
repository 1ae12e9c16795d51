//! Clocks that are put forward and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use watchkeeper_service::control::execution::Outcome;
use watchkeeper_service::scheduler::Scheduler;

use super::world::{World, moment};

#[tokio::test]
async fn a_clock_that_ran_ahead_costs_no_tick() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let mut scheduler = Scheduler::new(Arc::clone(&world.context));
    world.set_text("2026-01-01T06:30:00Z");
    scheduler.round().await.unwrap();
    world.set_text("2026-01-01T00:40:00Z");
    scheduler.round().await.unwrap();
    let next = world.describe("nightly-check").await.next_tick.unwrap();
    assert_eq!(next.0, moment("2026-01-01T01:00:00Z"));
    for hour in 1..8 {
        world.set_text(&format!("2026-01-01T0{hour}:00:00Z"));
        scheduler.round().await.unwrap();
    }
    let rows = world.rows("nightly-check").await;
    let ticks: Vec<Timestamp> = rows.iter().map(|row| row.scheduled.0).collect();
    let expected: Vec<Timestamp> = (1..8).map(|hour| moment(&format!("2026-01-01T0{hour}:00:00Z"))).collect();
    assert_eq!(ticks, expected);
    assert!(
        rows.iter().all(|row| row.outcome == Outcome::Started),
        "those that were missed ahead of time run at their time"
    );
}

#[tokio::test]
async fn every_tick_of_a_week_has_one_row_whatever_clocks_and_processes_do() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let start = world.context.now();
    let mut scheduler = Scheduler::new(Arc::clone(&world.context));
    // A fixed sequence that looks random: steps of up to three hours forward, a fifth of them back, restarts between.
    let mut state = 1_u64;
    let (mut earliest, mut latest) = (start, start);
    let mut now = start;
    while latest < start + SignedDuration::from_hours(7 * 24) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let minutes = i64::try_from((state >> 33) % 180).unwrap();
        let is_back = (state >> 20).is_multiple_of(5);
        now += SignedDuration::from_mins(if is_back { -minutes } else { minutes });
        (earliest, latest) = (earliest.min(now), latest.max(now));
        if (state >> 25).is_multiple_of(7) {
            scheduler = Scheduler::new(world.another());
        }
        world.set(now);
        scheduler.round().await.unwrap();
    }
    let rows = world.rows("nightly-check").await;
    let mut ticks: BTreeMap<i64, usize> = BTreeMap::new();
    for row in &rows {
        *ticks.entry(row.scheduled.0.as_second()).or_default() += 1;
    }
    assert!(ticks.values().all(|number| *number == 1), "a tick has one row");
    // A clock that is put back to before the schedule was made has ticks there, too.
    let (first, last) = (earliest.as_second() / 3600 + 1, latest.as_second() / 3600);
    let expected: Vec<i64> = (first..=last).map(|hour| hour * 3600).collect();
    assert_eq!(ticks.into_keys().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn an_execution_that_waits_for_its_start_follows_the_clock() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/00").await;
    let mut configuration = watchkeeper_service::configuration::Configuration::default();
    configuration.scheduler.jitter_seconds = 600;
    world.set_text("2026-01-01T01:00:00Z");
    Scheduler::new(world.configured(configuration)).round().await.unwrap();
    assert_eq!(world.jobs().await.len(), 0);
    world.set_text("2025-06-01T00:00:00Z");
    world.round().await;
    assert_eq!(world.jobs().await.len(), 1);
}
