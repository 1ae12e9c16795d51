//! Executions: random histories, and what must be true of what is left of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{
    ExecutionStatus, MonitoringAlertStatus, MonitoringType, ProcessingJobStatus,
};
use watchkeeper_service::configuration::RetentionSettings;
use watchkeeper_service::control::alert::{Alert, AlertChange};
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger, Window};
use watchkeeper_service::control::merge::{Labels, Merge};
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::control::schedule::{MonitoringSchedule, Remerge, RemergedWindow};
use watchkeeper_service::resources::{Resource as _, Transaction};
use watchkeeper_store::metadata::Query;

use super::{job, keys, nothing, sweep_with};
use crate::scheduler::world::{World, embedded, moment};

const DAYS: u32 = 2;

/// What becomes of one tick.
#[derive(Clone, Debug)]
struct TickPlan {
    outcome: Outcome,
    status: ExecutionStatus,
    /// Hours from the tick to its end.
    lasts: i64,
    /// Whether it has a merge before its analysis.
    is_merged: bool,
    /// Remerges of its window, each so many hours after the tick, of the last one or of the first; and whether the remerge
    /// stands at the tick after this one, as one does whose window another execution looked at last.
    remerges: Vec<(i64, bool, bool)>,
}

/// A schedule and its life.
#[derive(Clone, Debug)]
struct SchedulePlan {
    ticks: Vec<TickPlan>,
    evaluation_period: i32,
    /// Hours after the start at which the alert changed.
    alert_changes: Vec<i64>,
    /// Ticks that an operator has asked to be merged again.
    asked: Vec<usize>,
    /// Whether the schedule is gone, or another has its name by now.
    fate: Fate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Lives,
    IsGone,
    IsAnother,
}

fn tick_plan() -> impl Strategy<Value = TickPlan> {
    let outcome = prop_oneof![
        6 => Just(Outcome::Started),
        1 => Just(Outcome::Skipped),
        1 => Just(Outcome::Missed),
        1 => Just(Outcome::Paused),
    ];
    let status = prop_oneof![
        4 => Just(ExecutionStatus::Completed),
        3 => Just(ExecutionStatus::CompletedWithViolations),
        2 => Just(ExecutionStatus::Failed),
        1 => Just(ExecutionStatus::Stopped),
        1 => Just(ExecutionStatus::Pending),
        1 => Just(ExecutionStatus::InProgress),
    ];
    let lasts = prop_oneof![4 => 0..2_i64, 1 => 0..100_i64];
    let remerges = prop::collection::vec((0..120_i64, any::<bool>(), prop::bool::weighted(0.2)), 0..3);
    (outcome, status, lasts, any::<bool>(), prop_oneof![3 => Just(Vec::new()), 1 => remerges]).prop_map(
        |(outcome, status, lasts, is_merged, remerges)| TickPlan { outcome, status, lasts, is_merged, remerges },
    )
}

fn schedule_plan() -> impl Strategy<Value = SchedulePlan> {
    let fate = prop_oneof![4 => Just(Fate::Lives), 1 => Just(Fate::IsGone), 1 => Just(Fate::IsAnother)];
    (
        prop::collection::vec(tick_plan(), 0..12),
        1..5_i32,
        prop::collection::vec(0..100_i64, 0..4),
        prop::collection::vec(0..12_usize, 0..2),
        fate,
    )
        .prop_map(|(ticks, evaluation_period, alert_changes, asked, fate)| SchedulePlan {
            ticks,
            evaluation_period,
            alert_changes,
            asked,
            fate,
        })
}

const START: &str = "2026-01-01T00:10:00Z";
/// Hours between two ticks: a plan of twelve lasts six days.
const STEP: i64 = 12;

fn hours_after(start: Timestamp, hours: i64) -> Timestamp {
    start + SignedDuration::from_hours(hours)
}

/// A world with the history of these plans; jobs of executions that have ended have ended.
async fn history(plans: &[SchedulePlan]) -> World {
    let world = World::at(START).await;
    let start = moment("2026-01-01T00:00:00Z");
    for (index, plan) in plans.iter().enumerate() {
        let name = format!("s{index}");
        world.set_text(START);
        world.schedule(&name, embedded("cron(0 0/12 ? * * *)")).await;
        let schedule = world.describe(&name).await;
        let mut rows: Vec<Execution> = Vec::new();
        for (number, tick_plan) in plan.ticks.iter().enumerate() {
            let tick = hours_after(start, (i64::try_from(number).unwrap() + 1) * STEP);
            write_tick(&world, &schedule, tick, tick_plan, &mut rows).await;
        }
        settle(&world, &schedule, plan, &rows).await;
    }
    world
}

async fn write_tick(
    world: &World,
    schedule: &MonitoringSchedule,
    tick: Timestamp,
    plan: &TickPlan,
    rows: &mut Vec<Execution>,
) {
    let window = Window { start: Time(tick - SignedDuration::from_hours(STEP)), end: Time(tick) };
    world.set(tick);
    let first = Execution {
        window: (plan.outcome == Outcome::Started).then_some(window),
        ..Execution::new(schedule, tick, Trigger::Tick, plan.outcome, tick)
    };
    let ended = hours_after(tick, plan.lasts);
    write(world, first, plan, ended, rows).await;
    if plan.outcome != Outcome::Started {
        return;
    }
    let of_tick = rows.len() - 1;
    for (number, (later, of_first, is_apart)) in plan.remerges.iter().enumerate() {
        let created = hours_after(ended, *later);
        let stands_at = if *is_apart { hours_after(tick, STEP) } else { tick };
        let unique = format!("r{:014}-{number}", created.as_millisecond());
        let earlier = if *of_first { &rows[of_tick] } else { rows.last().unwrap() };
        let remerge = Execution {
            key: Execution::key_of(&schedule.name, schedule.created.0, stands_at, Some(&unique)),
            window: Some(window),
            remerge_of: Some(earlier.key.clone()),
            ..Execution::new(schedule, stands_at, Trigger::Remerge, Outcome::Started, created)
        };
        world.set(created);
        let plan = TickPlan { status: ExecutionStatus::Completed, is_merged: true, ..plan.clone() };
        write(world, remerge, &plan, created, rows).await;
    }
}

/// Stores an execution with its jobs.
async fn write(world: &World, execution: Execution, plan: &TickPlan, ended: Timestamp, rows: &mut Vec<Execution>) {
    let context = &world.context;
    let is_ended = !matches!(plan.status, ExecutionStatus::Pending | ExecutionStatus::InProgress);
    let mut transaction = Transaction::new();
    let mut execution = Execution { monitoring_type: MonitoringType::ModelQuality, ..execution };
    if execution.outcome == Outcome::Started && plan.status != ExecutionStatus::Pending {
        let status = if is_ended { ProcessingJobStatus::Completed } else { ProcessingJobStatus::InProgress };
        let name = |kind: &str| format!("{kind}-{}-{}", execution.schedule_name, rows.len());
        if plan.is_merged {
            let merge = job(context, &name("merge"), "s3://b/m", ProcessingJobStatus::Completed, Some(&execution));
            transaction = transaction.insert(&merge);
            let window = execution.window.unwrap();
            execution.merge = Some(Merge {
                job_arn: merge.arn,
                analysis: None,
                has_variants: true,
                hours: window,
                left: Vec::new(),
                labels: Labels::default(),
                merged: None,
            });
        }
        let analysis = job(context, &name("analysis"), "s3://b/a", status, Some(&execution));
        transaction = transaction.insert(&analysis);
        execution = execution.in_progress(&analysis, context.now());
    }
    if is_ended && execution.outcome == Outcome::Started {
        execution = execution.ended(plan.status, None, ended);
    } else if plan.status == ExecutionStatus::Pending {
        execution.status = ExecutionStatus::Pending;
    }
    context.resources.commit(transaction.insert(&execution)).await.unwrap();
    rows.push(execution);
}

/// The schedule, its alert and the history of that as they are at the end.
async fn settle(world: &World, schedule: &MonitoringSchedule, plan: &SchedulePlan, rows: &[Execution]) {
    let resources = &world.context.resources;
    let alert = Alert::of_schedule(schedule);
    let version = resources.get::<Alert>(&alert.key()).await.unwrap().unwrap().version;
    let changed = Alert { evaluation_period: plan.evaluation_period, ..alert.clone() };
    let mut transaction = Transaction::new().update(&changed, version);
    for hours in plan.alert_changes.iter().collect::<BTreeSet<_>>() {
        let created = Time(hours_after(moment(START), *hours));
        let change = AlertChange {
            key: format!("{}/{:014}", alert.key(), created.0.as_millisecond()),
            alert_name: alert.name.clone(),
            schedule_name: schedule.name.clone(),
            created,
            status: MonitoringAlertStatus::Ok,
        };
        transaction = transaction.insert(&change);
    }
    let stored = resources.get::<MonitoringSchedule>(&schedule.key()).await.unwrap().unwrap();
    let mut after = stored.resource.clone();
    after.running =
        rows.iter().find(|row| row.outcome == Outcome::Started && !row.is_terminal()).map(|row| row.key.clone());
    let asked = plan.asked.iter().filter_map(|index| rows.get(*index)).filter_map(|row| {
        let (tick, window) = (row.scheduled, row.window?);
        Some(RemergedWindow { execution: format!("{}/x", row.key), tick, window, earlier: row.key.clone() })
    });
    let windows: Vec<RemergedWindow> = asked.collect();
    after.operator.remerge = (!windows.is_empty()).then_some(Remerge { windows, due: schedule.created });
    transaction = match plan.fate {
        Fate::Lives => transaction.update(&after, stored.version),
        Fate::IsGone => transaction.delete(&stored.resource, stored.version),
        Fate::IsAnother => {
            after.created = Time(hours_after(after.created.0, 1));
            (after.running, after.operator.remerge) = (None, None);
            transaction.update(&after, stored.version)
        }
    };
    resources.commit(transaction).await.unwrap();
}

/// All that counts, by its keys.
struct Snapshot {
    executions: BTreeMap<String, Execution>,
    jobs: BTreeMap<String, ProcessingJob>,
    schedules: Vec<MonitoringSchedule>,
    alerts: BTreeMap<String, Alert>,
}

async fn snapshot(world: &World) -> Snapshot {
    let resources = &world.context.resources;
    let all = Query::default();
    let executions = resources.list::<Execution>(&all).await.unwrap().into_iter().map(|found| found.resource);
    let jobs = resources.list::<ProcessingJob>(&all).await.unwrap().into_iter().map(|found| found.resource);
    let schedules = resources.list::<MonitoringSchedule>(&all).await.unwrap().into_iter().map(|found| found.resource);
    let alerts = resources.list::<Alert>(&all).await.unwrap().into_iter().map(|found| found.resource);
    Snapshot {
        executions: executions.map(|execution| (execution.key.clone(), execution)).collect(),
        jobs: jobs.map(|job| (job.key(), job)).collect(),
        schedules: schedules.collect(),
        alerts: alerts.map(|alert| (alert.schedule_name.clone(), alert)).collect(),
    }
}

/// Whether an execution has ended, as its clients see it.
fn is_under_way(execution: &Execution) -> bool {
    execution.outcome == Outcome::Started
        && matches!(execution.status, ExecutionStatus::Pending | ExecutionStatus::InProgress)
}

impl Snapshot {
    fn of_schedule<'a>(&'a self, schedule: &MonitoringSchedule) -> impl Iterator<Item = &'a Execution> {
        let prefix = Execution::key_prefix(schedule);
        self.executions.values().filter(move |execution| execution.key.starts_with(&prefix))
    }

    /// The states that the alert counts: of each tick the last that has ended, the newest ticks first.
    fn counted(&self, schedule: &MonitoringSchedule) -> Vec<ExecutionStatus> {
        let mut ticks: BTreeMap<Time, &Execution> = BTreeMap::new();
        for execution in self.of_schedule(schedule).filter(|row| row.outcome == Outcome::Started && !is_under_way(row))
        {
            let newest = ticks.entry(execution.scheduled).or_insert(execution);
            if newest.created <= execution.created {
                *newest = execution;
            }
        }
        let period = usize::try_from(self.alerts[&schedule.name].evaluation_period).unwrap();
        ticks.into_values().rev().take(period).map(|execution| execution.status).collect()
    }
}

fn check(before: &Snapshot, after: &Snapshot, cutoff: Timestamp) -> Result<(), TestCaseError> {
    let gone = |key: &String| !after.executions.contains_key(key);
    for execution in before.executions.values().filter(|execution| gone(&execution.key)) {
        prop_assert!(!is_under_way(execution), "under way: {}", execution.key);
        prop_assert!(execution.modified.0 < cutoff, "young: {}", execution.key);
    }
    for kept in after.executions.values() {
        prop_assert!(kept.remerge_of.as_ref().is_none_or(|earlier| !gone(earlier)), "remerged by {}", kept.key);
        for (key, job) in before.jobs.iter().filter(|(_, job)| job.execution.as_ref() == Some(&kept.key)) {
            prop_assert!(after.jobs.contains_key(key), "the job {} of {}", job.name(), kept.key);
        }
    }
    for (key, job) in &after.jobs {
        let execution = job.execution.as_ref().unwrap();
        prop_assert!(!gone(execution), "the job {key} is left of {execution}");
    }
    for schedule in &before.schedules {
        let asked = schedule.operator.remerge.iter().flat_map(|remerge| &remerge.windows);
        let held = schedule.running.iter().chain(asked.map(|window| &window.earlier));
        for key in held {
            prop_assert!(!before.executions.contains_key(key) || !gone(key), "{key} is held");
        }
        prop_assert_eq!(
            before.counted(schedule),
            after.counted(schedule),
            "what the alert of {} counts",
            &schedule.name
        );
        let newest = before.of_schedule(schedule).max_by_key(|execution| execution.scheduled);
        prop_assert!(newest.is_none_or(|newest| !gone(&newest.key)), "the newest of {}", &schedule.name);
    }
    Ok(())
}

/// What is old and that nothing needs goes: of a schedule that is gone, of each tick whose executions are all old.
fn check_completeness(after: &Snapshot, cutoff: Timestamp) -> Result<(), TestCaseError> {
    let is_needed =
        |key: &str| after.executions.values().any(|other| other.remerge_of.as_deref() == Some(key) && other.key != key);
    let alive: Vec<String> = after.schedules.iter().map(Execution::key_prefix).collect();
    for execution in after.executions.values() {
        let tick = |other: &&Execution| {
            other.scheduled == execution.scheduled && other.key.split('/').take(2).eq(execution.key.split('/').take(2))
        };
        let mut of_tick = after.executions.values().filter(tick);
        let is_held = of_tick.any(|other| is_under_way(other) || other.modified.0 >= cutoff || is_needed(&other.key));
        let lives = alive.iter().any(|prefix| execution.key.starts_with(prefix));
        prop_assert!(is_held || lives, "{} could go", execution.key);
    }
    for schedule in &after.schedules {
        let newest = after.of_schedule(schedule).max_by_key(|execution| execution.scheduled).map(|row| row.scheduled);
        let counted = after.counted(schedule).len();
        let old = after.of_schedule(schedule).filter(|row| {
            let of_tick: Vec<&Execution> =
                after.of_schedule(schedule).filter(|other| other.scheduled == row.scheduled).collect();
            Some(row.scheduled) != newest
                && of_tick.iter().all(|other| {
                    !is_under_way(other)
                        && other.modified.0 < cutoff
                        && !is_needed(&other.key)
                        && schedule.operator.remerge.is_none()
                })
        });
        let ended: BTreeSet<Time> = after
            .of_schedule(schedule)
            .filter(|row| row.outcome == Outcome::Started && !is_under_way(row))
            .map(|row| row.scheduled)
            .collect();
        // What is older than the last tick that the alert counts.
        let last_counted = ended.iter().rev().nth(counted.saturating_sub(1)).copied();
        for row in old {
            prop_assert!(last_counted.is_some_and(|last| row.scheduled >= last), "{} could go", row.key);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever has happened, and whenever it is swept: what is left judges as before, and nothing of it points nowhere.
    #[test]
    fn nothing_that_is_needed_goes(
        plans in prop::collection::vec(schedule_plan(), 1..4),
        looks in prop::collection::vec(0..260_i64, 1..3),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let world = history(&plans).await;
            let looks: BTreeSet<i64> = looks.into_iter().collect();
            for hours in looks {
                let now = hours_after(moment(START), hours);
                world.set(now);
                let before = snapshot(&world).await;
                let settings = RetentionSettings { execution_days: DAYS, ..nothing() };
                let swept = sweep_with(&world, settings).await;
                let after = snapshot(&world).await;
                let cutoff = hours_after(now, -24 * i64::from(DAYS));
                check(&before, &after, cutoff)?;
                check_completeness(&after, cutoff)?;
                prop_assert_eq!(swept.executions as usize, before.executions.len() - after.executions.len());
                prop_assert_eq!(swept.jobs as usize, before.jobs.len() - after.jobs.len());
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn the_newest_change_of_an_alert_stays() {
    let plan = SchedulePlan {
        ticks: Vec::new(),
        evaluation_period: 1,
        alert_changes: vec![1, 2, 50],
        asked: Vec::new(),
        fate: Fate::Lives,
    };
    let world = history(&[plan.clone(), SchedulePlan { alert_changes: vec![3], ..plan }]).await;
    world.set(hours_after(moment(START), 60));
    let settings = RetentionSettings { execution_days: DAYS, ..nothing() };
    assert_eq!(sweep_with(&world, settings.clone()).await.alert_changes, 2);
    world.set(hours_after(moment(START), 600));
    assert_eq!(sweep_with(&world, settings).await.alert_changes, 0);
    assert_eq!(keys::<AlertChange>(&world.context).await.len(), 2);
}
