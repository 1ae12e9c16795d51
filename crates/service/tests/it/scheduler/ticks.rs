//! Which ticks start, and which do not.

use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ScheduleStatus};
use watchkeeper_service::control::execution::Outcome;
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;
use watchkeeper_service::scheduler::operator::set_pause;

use super::world::{World, embedded, moment};

#[tokio::test]
async fn a_new_schedule_waits_for_its_first_tick() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedule("nightly-check", embedded("cron(0 * ? * * *)")).await;
    world.round().await;
    assert_eq!(world.describe("nightly-check").await.status, ScheduleStatus::Pending);
    world.settle().await;
    let schedule = world.describe("nightly-check").await;
    assert_eq!(schedule.status, ScheduleStatus::Scheduled);
    assert_eq!(schedule.next_tick.unwrap().0, moment("2026-01-01T01:00:00Z"));
    world.set_text("2026-01-01T00:59:59.999Z");
    world.round().await;
    assert_eq!(world.rows("nightly-check").await.len(), 0);
}

#[tokio::test]
async fn without_data_an_execution_fails_at_once() {
    let world = World::at("2026-01-01T05:10:00Z").await;
    world.hourly().await;
    world.capture("2025/12/31/23").await;
    world.capture("2026/01/01/03").await;
    world.capture("2026/01/01/07").await;
    world.set_text("2026-01-01T06:00:00Z");
    world.round().await;
    let row = world.rows("nightly-check").await.remove(0);
    assert_eq!(row.status, ExecutionStatus::Failed);
    assert_eq!(row.failure_reason.as_deref(), Some("Job inputs had no data"));
    assert_eq!(row.processing_job_arn, None);
    let looked = &row.looked[0];
    assert_eq!(looked.places, ["s3://b/captured/churn/AllTraffic/2026/01/01/05"]);
    let file = "00-00-000-x.jsonl";
    assert_eq!(
        looked.nearest_before.as_deref(),
        Some(format!("s3://b/captured/churn/AllTraffic/2026/01/01/03/{file}").as_str())
    );
    assert_eq!(
        looked.nearest_after.as_deref(),
        Some(format!("s3://b/captured/churn/AllTraffic/2026/01/01/07/{file}").as_str())
    );
    assert_eq!(world.jobs().await.len(), 0);
    let schedule = world.describe("nightly-check").await;
    assert_eq!(schedule.running, None);
    let last = schedule.last_execution.unwrap();
    assert_eq!(last.monitoring_execution_status, ExecutionStatus::Failed);
    assert_eq!(last.failure_reason.as_deref(), Some("Job inputs had no data"));
}

#[tokio::test]
async fn a_tick_is_skipped_while_one_runs() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    world.set_text("2026-01-01T02:00:05Z");
    world.round().await;
    let outcomes: Vec<Outcome> = world.rows("nightly-check").await.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Started, Outcome::Skipped]);
    assert_eq!(world.jobs().await.len(), 1);
    world.end_job("Completed: Job completed successfully with no violations.").await;
    world.capture("2026/01/01/02").await;
    world.set_text("2026-01-01T03:00:00Z");
    world.round().await;
    let outcomes: Vec<Outcome> = world.rows("nightly-check").await.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Started, Outcome::Skipped, Outcome::Started]);
}

#[tokio::test]
async fn ticks_that_a_stop_finds_waiting_have_their_rows() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    // The service is down for three ticks, and a client asks for a stop before the scheduler has looked.
    world.set_text("2026-01-01T03:30:00Z");
    let key = MonitoringSchedule::key_of("nightly-check");
    let schedule = world.context.resources.get::<MonitoringSchedule>(&key).await.unwrap().unwrap();
    let stopping = schedule.resource.stop(moment("2026-01-01T03:30:00Z")).unwrap().unwrap();
    world.context.resources.commit(Transaction::new().update(&stopping, schedule.version)).await.unwrap();
    world.settle().await;
    let schedule = world.describe("nightly-check").await;
    assert_eq!((schedule.status, schedule.next_tick), (ScheduleStatus::Stopped, None));
    let rows: Vec<_> =
        world.rows("nightly-check").await.iter().map(|row| (row.scheduled.0.to_string(), row.outcome)).collect();
    let missed = ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z"];
    assert_eq!(rows, missed.map(|tick| (tick.to_owned(), Outcome::Missed)));
}

#[tokio::test]
async fn of_missed_ticks_the_newest_is_started() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/03").await;
    world.set_text("2026-01-01T04:20:00Z");
    world.round().await;
    let rows = world.rows("nightly-check").await;
    let outcomes: Vec<Outcome> = rows.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Missed, Outcome::Missed, Outcome::Missed, Outcome::Started]);
    assert_eq!(rows[3].window.unwrap().start.0, moment("2026-01-01T03:00:00Z"));
    let next = world.describe("nightly-check").await.next_tick.unwrap();
    assert_eq!(next.0, moment("2026-01-01T05:00:00Z"));
}

#[tokio::test]
async fn long_absences_have_bounded_rows() {
    let world = World::at("2024-01-01T00:10:00Z").await;
    world.hourly().await;
    world.set_text("2026-01-01T00:20:00Z");
    world.round().await;
    let rows = world.rows("nightly-check").await;
    assert_eq!(rows.len(), 1002);
    assert_eq!(
        rows[0].failure_reason.as_deref(),
        Some("this row stands for all ticks from 2024-01-01T01:00:00Z to 2025-11-20T07:00:00Z")
    );
    assert_eq!(rows[1].scheduled.0, moment("2025-11-20T08:00:00Z"));
    assert_eq!(rows[1001].outcome, Outcome::Started);
}

#[tokio::test]
async fn ticks_are_passed_over_in_a_pause() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    set_pause(&world.context, true).await.unwrap();
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    set_pause(&world.context, false).await.unwrap();
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    let outcomes: Vec<Outcome> = world.rows("nightly-check").await.iter().map(|row| row.outcome).collect();
    assert_eq!(outcomes, [Outcome::Paused, Outcome::Started]);
}

#[tokio::test]
async fn now_runs_once_and_is_stopped() {
    let world = World::at("2026-01-01T12:34:56.789Z").await;
    let mut config = embedded("NOW");
    config["ScheduleConfig"]["DataAnalysisStartTime"] = "-PT1H".into();
    config["ScheduleConfig"]["DataAnalysisEndTime"] = "-PT0H".into();
    world.schedule("once", config).await;
    world.capture("2026/01/01/12").await;
    world.settle().await;
    let schedule = world.describe("once").await;
    assert_eq!((schedule.status, schedule.next_tick), (ScheduleStatus::Scheduled, None));
    let row = world.rows("once").await.remove(0);
    assert_eq!(row.status, ExecutionStatus::InProgress);
    assert_eq!(row.scheduled.0, moment("2026-01-01T12:34:56.789Z"), "the tick is the moment of creation");
    let window = row.window.unwrap();
    assert_eq!((window.start.0, window.end.0), (moment("2026-01-01T11:34:56Z"), moment("2026-01-01T12:34:57Z")));
    world.end_job("Completed: Job completed successfully with no violations.").await;
    world.set_text("2026-01-03T00:00:00Z");
    world.round().await;
    assert_eq!(world.describe("once").await.status, ScheduleStatus::Stopped);
    assert_eq!(world.rows("once").await.len(), 1);
}

#[tokio::test]
async fn now_without_data_is_stopped_at_once() {
    let world = World::at("2026-01-01T12:34:56Z").await;
    let mut config = embedded("NOW");
    config["ScheduleConfig"]["DataAnalysisStartTime"] = "-PT1H".into();
    config["ScheduleConfig"]["DataAnalysisEndTime"] = "-PT0H".into();
    world.schedule("once", config).await;
    world.settle().await;
    let schedule = world.describe("once").await;
    assert_eq!((schedule.status, schedule.running), (ScheduleStatus::Stopped, None));
    assert_eq!(world.rows("once").await[0].status, ExecutionStatus::Failed);
}

#[tokio::test]
async fn a_deleted_schedule_goes_with_its_alert_and_its_executions_stay() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let stored = world.context.resources.get::<MonitoringSchedule>("nightly-check").await.unwrap().unwrap();
    let going = stored.resource.delete(world.context.now()).unwrap().unwrap();
    world.context.resources.commit(Transaction::new().update(&going, stored.version)).await.unwrap();
    world.settle().await;
    assert!(world.context.resources.get::<MonitoringSchedule>("nightly-check").await.unwrap().is_none());
    let query = watchkeeper_store::metadata::Query::default();
    assert!(
        world.context.resources.list::<watchkeeper_service::control::alert::Alert>(&query).await.unwrap().is_empty()
    );
    assert_eq!(world.rows("nightly-check").await.len(), 1);

    // One of the same name has ticks of its own.
    world.hourly().await;
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    assert_eq!(world.rows("nightly-check").await.len(), 2);
}

#[tokio::test]
async fn jitter_delays_the_start_and_not_the_tick() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    world.capture("2026/01/01/00").await;
    let mut configuration = watchkeeper_service::configuration::Configuration::default();
    configuration.scheduler.jitter_seconds = 600;
    let context = world.configured(configuration);
    let round = || async { watchkeeper_service::scheduler::Scheduler::new(context.clone()).round().await.unwrap() };
    world.set_text("2026-01-01T01:00:00Z");
    round().await;
    let row = world.rows("nightly-check").await.remove(0);
    assert_eq!((row.status, row.scheduled.0), (ExecutionStatus::Pending, moment("2026-01-01T01:00:00Z")));
    let start = row.earliest_start.0;
    assert!(moment("2026-01-01T01:00:00.001Z") < start && start <= moment("2026-01-01T01:10:00Z"), "{start}");
    world.set(start - jiff::SignedDuration::from_millis(1));
    round().await;
    assert_eq!(world.jobs().await.len(), 0);
    world.set(start);
    round().await;
    assert_eq!(world.jobs().await.len(), 1);
    assert_eq!(world.rows("nightly-check").await[0].window.unwrap().end.0, moment("2026-01-01T01:00:00Z"));
}
