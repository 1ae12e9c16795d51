//! Takes up what is due of a schedule: its transition, its ticks, the next tick of a backfill.
//!
//! A tick has one row, whose key is the schedule and the tick: whoever inserts it first has taken it up, and a tick that was
//! missed, skipped or paused is started later by changing its row. With the row, the schedule moves on to its next tick
//! in the same transaction.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::ScheduleStatus;
use watchkeeper_aws::types::ScheduleExpression;
use watchkeeper_store::metadata::Kind;

use super::due::{DueTicks, at_or_after, due_ticks, jitter};
use super::{finish, remerge};
use crate::Context;
use crate::control::alert::Alert;
use crate::control::execution::{Execution, Outcome, Trigger, schedule_after, stop_after_last};
use crate::control::milliseconds;
use crate::control::names::name_in;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::{Backfill, MonitoringSchedule, Settled, Target, settle};
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// How often a transaction is tried that meets rows that are there.
const ATTEMPTS: usize = 5;
/// The most ticks of a backfill that are looked at in one go.
const MOST_BACKFILL_TICKS: usize = 200;
/// How long a backfill or a remerge waits while all schedules are paused.
pub(super) const PAUSED_WORK: SignedDuration = SignedDuration::from_secs(1);

/// Carries out what is due of a schedule at `now`. Whether anything was changed is returned; a change that somebody else
/// made at the same time is left to the next look.
///
/// # Errors
/// The store failed; nothing was changed.
pub(super) async fn take_up(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    is_paused: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    let result = if schedule.resource.transition.is_some() {
        transition(context, schedule, now).await
    } else {
        ticks(context, schedule, is_paused, now).await
    };
    match result {
        // Somebody else changed the schedule: it is due still, or it is not.
        Err(Error::Conflict { kind: Kind::MonitoringSchedule, .. }) => Ok(false),
        result => result,
    }
}

async fn transition(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    now: Timestamp,
) -> Result<bool, Error> {
    let due = schedule.resource.transition.as_ref().filter(|transition| transition.at.0 <= now);
    let Some(due) = due else { return Ok(false) };
    let transaction = match settle(&schedule.resource, now) {
        Settled::Updated(settled) => {
            let transaction = Transaction::new().update(&settled, schedule.version);
            match due.to {
                Target::Stopped => {
                    let left = ticks_before_stop(context, &schedule.resource, due.asked(), now).await?;
                    left.iter().fold(transaction, Transaction::insert)
                }
                Target::Scheduled | Target::Deleted => transaction,
            }
        }
        Settled::Gone => {
            let transaction = Transaction::new().delete(&schedule.resource, schedule.version);
            match context.resources.get::<Alert>(&Alert::of_schedule(&schedule.resource).key()).await? {
                Some(alert) => transaction.delete(&alert.resource, alert.version),
                None => transaction,
            }
        }
    };
    context.resources.commit(transaction).await?;
    Ok(true)
}

/// The rows of ticks that came due before a schedule was asked to stop, and that nobody had taken up: the last execution
/// still ran, or the service was down.
async fn ticks_before_stop(
    context: &Context,
    schedule: &MonitoringSchedule,
    asked: Timestamp,
    now: Timestamp,
) -> Result<Vec<Execution>, Error> {
    let (Some(next), Ok(expression)) = (schedule.next_tick, expression(schedule)) else { return Ok(Vec::new()) };
    let Some(due) = due_ticks(&expression, next.0, asked) else { return Ok(Vec::new()) };
    let outcome = if schedule.running.is_some() { Outcome::Skipped } else { Outcome::Missed };
    let mut rows = passed_over(schedule, &due, now);
    rows.push(Execution::new(schedule, due.newest, Trigger::Tick, outcome, now));
    let known = rows_of(context, &rows).await?;
    rows.retain(|row| !known.contains_key(&row.key));
    Ok(rows)
}

/// The rows of the ticks before the newest.
fn passed_over(schedule: &MonitoringSchedule, due: &DueTicks, now: Timestamp) -> Vec<Execution> {
    let row = |tick| Execution::new(schedule, tick, Trigger::Tick, Outcome::Missed, now);
    let mut rows: Vec<Execution> = due.missed.iter().map(|tick| row(*tick)).collect();
    if let Some((first, last)) = due.summarised {
        let mut summary = row(first);
        summary.failure_reason = Some(format!("this row stands for all ticks from {first} to {last}"));
        rows.push(summary);
    }
    rows
}

async fn ticks(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    is_paused: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    let expression = match expression(&schedule.resource) {
        Ok(expression) => expression,
        Err(reason) => return fail(context, schedule, reason, now).await,
    };
    let due = schedule
        .resource
        .next_tick
        .filter(|_| schedule.resource.status == ScheduleStatus::Scheduled)
        .and_then(|next| due_ticks(&expression, next.0, now));
    let schedule = &without_ended_execution(context, schedule.clone()).await?;
    if let Some(due) = due {
        return take_up_ticks(context, schedule, &due, is_paused, now).await;
    }
    if schedule.resource.running.is_some() {
        return Ok(false);
    }
    let work = &schedule.resource.operator;
    match (&work.backfill, &work.remerge) {
        (Some(backfill), _) => take_up_backfill(context, schedule, &expression, backfill, is_paused, now).await,
        (None, Some(remerge)) => remerge::take_up(context, schedule, remerge, is_paused, now).await,
        (None, None) => Ok(false),
    }
}

/// The schedule's expression. What was accepted once is read with the extensions, whatever the setting is today.
///
/// # Errors
/// There is none, or it cannot be read; the text says so.
pub(super) fn expression(schedule: &MonitoringSchedule) -> Result<ScheduleExpression, String> {
    let config = schedule.config.schedule_config.as_ref();
    let config = config.ok_or_else(|| format!("monitoring schedule {} has no schedule expression", schedule.name))?;
    config
        .schedule_expression
        .parse()
        .map_err(|error: watchkeeper_aws::types::ScheduleExpressionError| error.to_string())
}

async fn fail(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    reason: String,
    now: Timestamp,
) -> Result<bool, Error> {
    tracing::error!(schedule = schedule.resource.name, reason, "schedule failed");
    let failed = MonitoringSchedule {
        status: ScheduleStatus::Failed,
        failure_reason: Some(reason),
        next_tick: None,
        modified: milliseconds(now),
        ..schedule.resource.clone()
    };
    context.resources.commit(Transaction::new().update(&failed, schedule.version)).await?;
    Ok(true)
}

/// The schedule, without what it says to be running where that has ended: by an end that was committed without the
/// execution, such as that of a job which was stopped before a runner had it.
pub(super) async fn without_ended_execution(
    context: &Context,
    schedule: Versioned<MonitoringSchedule>,
) -> Result<Versioned<MonitoringSchedule>, Error> {
    let Some(key) = &schedule.resource.running else { return Ok(schedule) };
    let execution = context.resources.get::<Execution>(key).await?;
    let Some(execution) = execution.filter(|execution| !execution.resource.is_terminal()) else {
        let mut resource = schedule.resource;
        resource.running = None;
        resource.operator.is_running = false;
        return Ok(Versioned { resource, version: schedule.version });
    };
    let Some(arn) = &execution.resource.processing_job_arn else { return Ok(schedule) };
    let Some(job) = context.resources.get::<ProcessingJob>(name_in(arn)).await? else { return Ok(schedule) };
    if !job.resource.is_terminal() {
        return Ok(schedule);
    }
    finish::follow_job(context, &execution, &job.resource).await?;
    let stored = context.resources.get::<MonitoringSchedule>(&schedule.resource.key()).await?;
    Ok(stored.unwrap_or(schedule))
}

async fn take_up_ticks(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    due: &DueTicks,
    is_paused: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    let newest = if is_paused {
        Outcome::Paused
    } else if schedule.resource.running.is_some() {
        Outcome::Skipped
    } else {
        Outcome::Started
    };
    let mut rows = passed_over(&schedule.resource, due, now);
    let newest_row = Execution::new(&schedule.resource, due.newest, Trigger::Tick, newest, now);
    // Who asks for a run now waits for it.
    rows.push(if due.next.is_none() { newest_row } else { delayed(newest_row, context, now) });
    let mut known = BTreeMap::new();
    for _ in 0..ATTEMPTS {
        let (transaction, started) = taken_up(&schedule.resource, schedule.version, due, &rows, &known, now);
        match context.resources.commit(transaction).await {
            Ok(()) => {
                report(&schedule.resource, due, newest, started);
                return Ok(true);
            }
            Err(Error::Conflict { kind: Kind::Execution, .. }) => known = rows_of(context, &rows).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// With the configured jitter.
fn delayed(execution: Execution, context: &Context, now: Timestamp) -> Execution {
    let jitter = jitter(&execution.schedule_arn, context.configuration.scheduler.jitter_seconds);
    let start = execution.scheduled.0.saturating_add(jitter).unwrap_or(now);
    Execution { earliest_start: milliseconds(start.max(now)), ..execution }
}

/// The transaction that takes up ticks, and whether one is started. Ticks that have a row keep it, except that the newest
/// is started if it was missed before: the clock had run ahead, and it is only now that it comes.
fn taken_up(
    schedule: &MonitoringSchedule,
    version: i64,
    due: &DueTicks,
    rows: &[Execution],
    known: &BTreeMap<String, Versioned<Execution>>,
    now: Timestamp,
) -> (Transaction, bool) {
    let mut after = MonitoringSchedule { next_tick: due.next.map(Time), ..schedule.clone() };
    let mut transaction = Transaction::new();
    let mut is_started = false;
    for row in rows {
        let starts = row.outcome == Outcome::Started;
        match known.get(&row.key) {
            None => transaction = transaction.insert(row),
            Some(missed) if starts && missed.resource.outcome == Outcome::Missed => {
                transaction = transaction.update(row, missed.version);
            }
            Some(_) => continue,
        }
        if starts {
            is_started = true;
            after.running = Some(row.key.clone());
            after = schedule_after(&after, row, now).unwrap_or(after);
        }
    }
    stop_after_last(&mut after);
    (transaction.update(&after, version), is_started)
}

/// The rows that are there already.
async fn rows_of(context: &Context, rows: &[Execution]) -> Result<BTreeMap<String, Versioned<Execution>>, Error> {
    let mut known = BTreeMap::new();
    for row in rows {
        if let Some(found) = context.resources.get::<Execution>(&row.key).await? {
            known.insert(row.key.clone(), found);
        }
    }
    Ok(known)
}

fn report(schedule: &MonitoringSchedule, due: &DueTicks, outcome: Outcome, is_started: bool) {
    let name = schedule.name.as_str();
    let tick = due.newest;
    let count = |outcome: &'static str, number: usize| {
        metrics::counter!("watchkeeper_ticks_total", "outcome" => outcome).increment(number as u64);
    };
    count("missed", due.missed.len());
    count(
        match outcome {
            Outcome::Started => "started",
            Outcome::Skipped => "skipped",
            Outcome::Missed => "missed",
            Outcome::Paused => "paused",
        },
        1,
    );
    match outcome {
        Outcome::Started if is_started => {
            tracing::info!(schedule = name, %tick, "tick started");
        }
        Outcome::Started => {
            tracing::info!(schedule = name, %tick, "tick was taken up before");
        }
        Outcome::Skipped => {
            tracing::warn!(schedule = name, %tick, "tick skipped: the execution before it runs still");
        }
        Outcome::Paused | Outcome::Missed => {
            tracing::warn!(schedule = name, %tick, "tick passed over: all schedules are paused");
        }
    }
    if let Some(first) = due.summarised.map(|(first, _)| first).or(due.missed.first().copied()) {
        let number = due.missed.len();
        tracing::warn!(schedule = name, %first, number, "ticks missed: no scheduler was running");
    }
}

/// Starts the next tick of a backfill that has not been started, or ends the backfill.
async fn take_up_backfill(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    expression: &ScheduleExpression,
    backfill: &Backfill,
    is_paused: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    if now < backfill.due.0 {
        return Ok(false);
    }
    let mut after = schedule.resource.clone();
    if is_paused {
        let due = milliseconds(now.saturating_add(PAUSED_WORK).unwrap_or(now));
        after.operator.backfill = Some(Backfill { due, ..backfill.clone() });
        context.resources.commit(Transaction::new().update(&after, schedule.version)).await?;
        return Ok(true);
    }
    let mut next = at_or_after(expression, backfill.next.0);
    let mut transaction = Transaction::new();
    for _ in 0..MOST_BACKFILL_TICKS {
        let Some(tick) = next.filter(|tick| *tick < backfill.until.0) else {
            next = None;
            break;
        };
        next = expression.next_after(tick);
        let row = Execution::new(&schedule.resource, tick, Trigger::Backfill, Outcome::Started, now);
        match context.resources.get::<Execution>(&row.key).await? {
            Some(known) if known.resource.outcome == Outcome::Started => continue,
            Some(known) => transaction = transaction.update(&row, known.version),
            None => transaction = transaction.insert(&row),
        }
        tracing::info!(schedule = row.schedule_name, %tick, "backfill started");
        after.running = Some(row.key.clone());
        after.operator.is_running = true;
        after = schedule_after(&after, &row, now).unwrap_or(after);
        break;
    }
    after.operator.backfill =
        next.filter(|tick| *tick < backfill.until.0).map(|tick| Backfill { next: Time(tick), ..backfill.clone() });
    match context.resources.commit(transaction.update(&after, schedule.version)).await {
        // Somebody else has taken up the tick.
        Err(Error::Conflict { kind: Kind::Execution, .. }) => Ok(false),
        result => result.map(|()| true),
    }
}

/// Puts a schedule right that waits for a later moment than it should, because the clock had run ahead and was put back.
///
/// # Errors
/// The store failed.
pub(super) async fn follow_clock(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    now: Timestamp,
) -> Result<(), Error> {
    /// No transition is that far away.
    const LONGEST_TRANSITION: SignedDuration = SignedDuration::from_secs(60);
    let mut after = schedule.resource.clone();
    if let Some(transition) = &mut after.transition
        && transition.at.0.duration_since(now) > LONGEST_TRANSITION
    {
        transition.at = milliseconds(now);
    }
    if let (Some(next), Ok(expression)) = (after.next_tick, expression(&after))
        && let Some(earlier) = super::due::earlier_next_tick(&expression, next.0, now)
    {
        tracing::warn!(schedule = after.name, waited_for = %next, tick = %earlier, "the clock was put back");
        after.next_tick = Some(Time(earlier));
    }
    if let Some(backfill) = &mut after.operator.backfill
        && backfill.due.0.duration_since(now) > PAUSED_WORK
    {
        backfill.due = milliseconds(now);
    }
    if let Some(remerge) = &mut after.operator.remerge
        && remerge.due.0.duration_since(now) > PAUSED_WORK
    {
        remerge.due = milliseconds(now);
    }
    let before = &schedule.resource;
    if (&after.transition, after.next_tick, &after.operator) == (&before.transition, before.next_tick, &before.operator)
    {
        return Ok(());
    }
    match context.resources.commit(Transaction::new().update(&after, schedule.version)).await {
        Err(Error::Conflict { .. }) => Ok(()),
        result => result,
    }
}

/// The same for an execution that waits for its start.
///
/// # Errors
/// The store failed.
pub(super) async fn follow_clock_of_execution(
    context: &Context,
    execution: &Versioned<Execution>,
    now: Timestamp,
) -> Result<(), Error> {
    let longest = SignedDuration::from_secs(i64::from(context.configuration.scheduler.jitter_seconds) + 1);
    if execution.resource.earliest_start.0.duration_since(now) <= longest {
        return Ok(());
    }
    let after = Execution { earliest_start: milliseconds(now), ..execution.resource.clone() };
    match context.resources.commit(Transaction::new().update(&after, execution.version)).await {
        Err(Error::Conflict { .. }) => Ok(()),
        result => result,
    }
}
