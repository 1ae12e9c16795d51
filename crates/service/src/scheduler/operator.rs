//! What operators ask of the scheduler: run now, run what did not run, pause all. AWS has none of it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::ExecutionStatus;
use watchkeeper_aws::types::ScheduleExpression;
use watchkeeper_store::metadata::{Query, Range, SortBy};

use super::due::at_or_after;
use super::ticks::{expression, without_ended_execution};
use crate::Context;
use crate::control::execution::{Execution, Outcome, Trigger, Window, schedule_after};
use crate::control::execution_plan::whole_seconds;
use crate::control::milliseconds;
use crate::control::pause::Pause;
use crate::control::schedule::{Backfill, MonitoringSchedule, Target};
use crate::resources::{Error, Transaction, Versioned};

/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;
/// The most ticks of a backfill.
pub const MOST_BACKFILL_TICKS: usize = 1000;

/// Why the scheduler does not do what an operator asks.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is no such schedule.
    #[error("there is no monitoring schedule {0}")]
    NoSuchSchedule(String),
    /// It cannot be done now.
    #[error("{0}")]
    NotNow(String),
    /// It can never be done.
    #[error("{0}")]
    Invalid(String),
    /// The store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

/// Takes up an execution at once, whatever the schedule's status. Its window ends now and is one period long, or for `NOW`
/// what its analysis times say, unless the caller gives ends.
pub async fn run_now(
    context: &Context,
    name: &str,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Execution, Refusal> {
    for _ in 0..ATTEMPTS {
        let schedule = without_ended_execution(context, load(context, name).await?).await?;
        refuse_deleted(&schedule.resource)?;
        if schedule.resource.running.is_some() {
            return Err(Refusal::NotNow(format!(
                "an execution of monitoring schedule {name} is running; try again when it has ended"
            )));
        }
        let now = context.now();
        let expression = expression(&schedule.resource).map_err(Refusal::Invalid)?;
        let unique = Uuid::new_v4().simple().to_string();
        let tick = milliseconds(now).0;
        let mut execution = Execution::new(&schedule.resource, tick, Trigger::Run, Outcome::Started, now);
        let incarnation = schedule.resource.created.0;
        execution.key = Execution::key_of(&schedule.resource.name, incarnation, tick, Some(&unique[..8]));
        execution.window = window(&expression, tick, from, to)?;
        let after = running(&schedule.resource, &execution, now);
        let transaction = Transaction::new().insert(&execution).update(&after, schedule.version);
        match context.resources.commit(transaction).await {
            Ok(()) => {
                tracing::info!(schedule = name, execution = execution.key, "run by an operator");
                context.scheduler_bell.notify_one();
                return Ok(execution);
            }
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::NotNow(format!("monitoring schedule {name} is being changed by others; try again")))
}

/// The window, where it is not the one that the schedule's own offsets make.
fn window(
    expression: &ScheduleExpression,
    tick: Timestamp,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
) -> Result<Option<Window>, Refusal> {
    if expression.is_now() {
        return match (from, to) {
            (None, None) => Ok(None),
            (Some(from), to) => whole_seconds(tick, from, to.unwrap_or(tick)).map(Some).map_err(invalid),
            (None, Some(_)) => Err(Refusal::Invalid(
                "a schedule with the expression NOW has no period: give the start of the window as well".to_owned(),
            )),
        };
    }
    let end = to.unwrap_or(tick);
    let start = from.unwrap_or_else(|| end.saturating_sub(expression.period()).unwrap_or(end));
    whole_seconds(tick, start, end).map(Some).map_err(invalid)
}

fn invalid(error: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid(error.to_string())
}

/// The schedule while an operator's execution runs.
fn running(schedule: &MonitoringSchedule, execution: &Execution, now: Timestamp) -> MonitoringSchedule {
    let mut after = schedule.clone();
    after.running = Some(execution.key.clone());
    after.operator.is_running = true;
    schedule_after(&after, execution, now).unwrap_or(after)
}

/// Runs the ticks from `from` to `to`, the end excluded, that no execution was started for, one after the other, the oldest
/// first. Ticks to come are left out. Returns how many there are.
pub async fn backfill(context: &Context, name: &str, from: Timestamp, to: Timestamp) -> Result<usize, Refusal> {
    for _ in 0..ATTEMPTS {
        let schedule = load(context, name).await?;
        refuse_deleted(&schedule.resource)?;
        let expression = expression(&schedule.resource).map_err(Refusal::Invalid)?;
        if expression.is_now() {
            return Err(Refusal::Invalid("a schedule with the expression NOW has no ticks to run again".to_owned()));
        }
        if let Some(backfill) = &schedule.resource.operator.backfill {
            return Err(Refusal::NotNow(format!(
                "a backfill of monitoring schedule {name} up to {} is in progress; try again when it has ended",
                backfill.until
            )));
        }
        let now = context.now();
        let ticks = ticks(&expression, from, to.min(now))?;
        let open = open_ticks(context, &schedule.resource, ticks).await?;
        let (Some(first), Some(last)) = (open.first(), open.last()) else { return Ok(0) };
        let mut after = schedule.resource.clone();
        let until = last.saturating_add(jiff::SignedDuration::from_millis(1)).unwrap_or(*last);
        let due = milliseconds(now);
        after.operator.backfill = Some(Backfill { next: Time(*first), until: Time(until), due });
        match context.resources.commit(Transaction::new().update(&after, schedule.version)).await {
            Ok(()) => {
                tracing::info!(schedule = name, %first, %last, number = open.len(), "backfill asked for");
                context.scheduler_bell.notify_one();
                return Ok(open.len());
            }
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::NotNow(format!("monitoring schedule {name} is being changed by others; try again")))
}

fn ticks(expression: &ScheduleExpression, from: Timestamp, to: Timestamp) -> Result<Vec<Timestamp>, Refusal> {
    let mut ticks = Vec::new();
    let mut next = at_or_after(expression, from).filter(|tick| *tick < to);
    while let Some(tick) = next {
        if ticks.len() == MOST_BACKFILL_TICKS {
            return Err(Refusal::Invalid(format!(
                "there are more than {MOST_BACKFILL_TICKS} ticks from {from} to {to}; the {MOST_BACKFILL_TICKS}th is {}, ask \
                 for less at once",
                ticks[MOST_BACKFILL_TICKS - 1]
            )));
        }
        ticks.push(tick);
        next = expression.next_after(tick).filter(|tick| *tick < to);
    }
    Ok(ticks)
}

/// The ticks for which nothing was started.
async fn open_ticks(
    context: &Context,
    schedule: &MonitoringSchedule,
    ticks: Vec<Timestamp>,
) -> Result<Vec<Timestamp>, Error> {
    let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Ok(ticks) };
    let query = Query {
        schedule: Some(schedule.name.clone()),
        key_prefix: Some(Execution::key_prefix(schedule)),
        statuses: ExecutionStatus::ALL.iter().map(|status| status.as_str().to_owned()).collect(),
        scheduled: Range { after: Some(first.as_millisecond() - 1), before: Some(last.as_millisecond() + 1) },
        sort_by: SortBy::Scheduled,
        ..Query::default()
    };
    let started = context.resources.list::<Execution>(&query).await?;
    let keys: BTreeSet<String> = started.into_iter().map(|execution| execution.resource.key).collect();
    let is_open =
        |tick: &Timestamp| !keys.contains(&Execution::key_of(&schedule.name, schedule.created.0, *tick, None));
    Ok(ticks.into_iter().filter(is_open).collect())
}

/// Pauses all schedules, or ends the pause.
pub async fn set_pause(context: &Context, is_paused: bool) -> Result<Pause, Error> {
    for _ in 0..ATTEMPTS {
        let stored = context.resources.get::<Pause>(Pause::KEY).await?;
        if let Some(stored) = &stored
            && stored.resource.is_paused == is_paused
        {
            return Ok(stored.resource.clone());
        }
        let pause = Pause { is_paused, since: milliseconds(context.now()) };
        let transaction = match stored {
            Some(stored) => Transaction::new().update(&pause, stored.version),
            None => Transaction::new().insert(&pause),
        };
        match context.resources.commit(transaction).await {
            Ok(()) => {
                tracing::info!(is_paused, "pause of all schedules");
                context.scheduler_bell.notify_one();
                return Ok(pause);
            }
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Conflict { kind: watchkeeper_store::metadata::Kind::Setting, key: Pause::KEY.to_owned() })
}

/// A schedule by its name.
pub(super) async fn load(context: &Context, name: &str) -> Result<Versioned<MonitoringSchedule>, Refusal> {
    let schedule = context.resources.get::<MonitoringSchedule>(&MonitoringSchedule::key_of(name)).await?;
    schedule.ok_or_else(|| Refusal::NoSuchSchedule(name.to_owned()))
}

pub(super) fn refuse_deleted(schedule: &MonitoringSchedule) -> Result<(), Refusal> {
    match &schedule.transition {
        Some(transition) if transition.to == Target::Deleted => {
            Err(Refusal::NotNow(format!("monitoring schedule {} is being deleted", schedule.name)))
        }
        _ => Ok(()),
    }
}
