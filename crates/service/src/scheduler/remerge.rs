//! Labels that come late: past windows are merged and analysed again, as far as labels have come for them since.
//!
//! What an operator asks for is a list of windows that is kept with the schedule and worked off one after the other, as a
//! backfill is. Each has an execution with the window of the one before it, its captures, and ground truth up to this moment.
//! Nothing is done twice: a window is taken up only while the objects with ground truth from its first hour to now differ from
//! those that were there when it was merged last, and is analysed only if the merged lines differ.
//!
//! Decided against comparing times of objects: those of hours that a window did not look at before may be older than those
//! that it did.

use std::collections::BTreeMap;

use jiff::Timestamp;
use watchkeeper_store::metadata::{Query, Range, SortBy};

use super::operator::{Refusal, load, refuse_deleted};
use super::ticks::PAUSED_WORK;
use super::{examine, look};
use crate::Context;
use crate::control::execution::{Execution, Outcome, Trigger, Window, schedule_after};
use crate::control::execution_plan::{ground_truth_hours, merged_hours};
use crate::control::merge::{Labels, MergeCounts};
use crate::control::milliseconds;
use crate::control::schedule::{MonitoringSchedule, Remerge, RemergedWindow};
use crate::resources::{Error, Transaction, Versioned};

/// How often a transaction is tried that meets others' changes.
const ATTEMPTS: usize = 20;
/// The most windows of a remerge.
pub const MOST_WINDOWS: usize = 500;
/// Executions that are read at once.
const PAGE: usize = 500;

/// What a remerge is going to do, or would.
#[derive(Clone, Debug, Default)]
pub struct RemergePlan {
    /// The windows to merge again, the oldest first.
    pub windows: Vec<PlannedWindow>,
    /// How many have no labels that their last merge did not have.
    pub unchanged: usize,
    /// How many have labels, but no captures.
    pub without_captures: usize,
}

/// A window to merge again.
#[derive(Clone, Debug)]
pub struct PlannedWindow {
    /// Key of the execution that will do it.
    pub execution: String,
    /// The tick of the window.
    pub tick: Timestamp,
    /// The window.
    pub window: Window,
    /// Key of the execution that it stands as left by.
    pub earlier: String,
    /// What the last merge of it found.
    pub before: Option<MergeCounts>,
    /// Objects with ground truth that there are.
    pub objects: u64,
    /// Of these, how many more than at the last merge.
    pub more: u64,
}

/// Takes up all windows that end after `since` and for which labels have come since they were merged last; with `is_dry` only
/// says which these are.
pub async fn remerge(
    context: &Context,
    name: &str,
    since: Option<Timestamp>,
    is_dry: bool,
) -> Result<RemergePlan, Refusal> {
    for _ in 0..ATTEMPTS {
        let schedule = load(context, name).await?;
        refuse_deleted(&schedule.resource)?;
        if let Some(remerge) = schedule.resource.operator.remerge.as_ref().filter(|_| !is_dry) {
            return Err(Refusal::NotNow(format!(
                "a remerge of monitoring schedule {name} is in progress, {} windows are left; try again when it has ended",
                remerge.windows.len()
            )));
        }
        let now = context.now();
        let plan = plan(context, &schedule.resource, since, now).await?;
        if is_dry || plan.windows.is_empty() {
            return Ok(plan);
        }
        let windows = plan.windows.iter().map(|window| RemergedWindow {
            execution: window.execution.clone(),
            tick: milliseconds(window.tick),
            window: window.window,
            earlier: window.earlier.clone(),
        });
        let mut after = schedule.resource.clone();
        after.operator.remerge = Some(Remerge { windows: windows.collect(), due: milliseconds(now) });
        match context.resources.commit(Transaction::new().update(&after, schedule.version)).await {
            Ok(()) => {
                tracing::info!(schedule = name, number = plan.windows.len(), "remerge asked for");
                context.scheduler_bell.notify_one();
                return Ok(plan);
            }
            Err(Error::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Refusal::NotNow(format!("monitoring schedule {name} is being changed by others; try again")))
}

async fn plan(
    context: &Context,
    schedule: &MonitoringSchedule,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<RemergePlan, Refusal> {
    let name = &schedule.name;
    let refused = |reason| Refusal::Invalid(format!("monitoring schedule {name}: {reason}"));
    let definition = examine::definition(context, schedule).await?.map_err(refused)?;
    let folder = examine::ground_truth_folder(&definition).map_err(refused)?;
    examine::has_files(context, schedule, &definition).await?.map_err(refused)?;
    let windows = past_windows(context, schedule, since).await?;
    let mut plan = RemergePlan::default();
    let Some(first) = windows.iter().map(|past| past.window.start).min() else { return Ok(plan) };
    let all = Window { start: first, end: windows.iter().map(|past| past.window.end).max().unwrap_or(first) };
    let hours = ground_truth_hours(merged_hours(all, false), Some(now));
    let labels = look::ground_truth_by_hour(context.objects.as_ref(), &folder, hours).await.map_err(Error::from)?;
    for (index, past) in windows.into_iter().enumerate() {
        let there = labels_of(&labels, past.window, now);
        let used = past.used.as_ref().and_then(Execution::labels_used);
        if there.objects == 0 || used.is_some_and(|used| used.are_those_of(&there)) {
            plan.unchanged += 1;
            continue;
        }
        // What could not be merged for want of captures is not tried again and again.
        if used.is_none() && !examine::has_captures(context, schedule, &definition, past.window).await? {
            plan.without_captures += 1;
            continue;
        }
        if plan.windows.len() == MOST_WINDOWS {
            return Err(Refusal::Invalid(format!(
                "labels have come for more than {MOST_WINDOWS} windows of monitoring schedule {name}, the {MOST_WINDOWS}th \
                 ends at {}: ask for less at once, by `since`",
                plan.windows[MOST_WINDOWS - 1].window.end
            )));
        }
        let unique = format!("r{:014}-{index}", now.as_millisecond());
        let earlier = past.used.as_ref().unwrap_or(&past.newest);
        let merged = earlier.merge.as_ref().and_then(|merge| merge.merged.as_ref());
        plan.windows.push(PlannedWindow {
            execution: Execution::key_of(name, schedule.created.0, past.tick, Some(&unique)),
            tick: past.tick,
            window: past.window,
            earlier: earlier.key.clone(),
            before: merged.and_then(|merged| merged.counts),
            objects: there.objects,
            more: there.objects.saturating_sub(used.map_or(0, |used| used.objects)),
        });
    }
    Ok(plan)
}

/// A window that executions have looked at, all of which have ended.
struct PastWindow {
    tick: Timestamp,
    window: Window,
    newest: Execution,
    /// The newest that made use of labels.
    used: Option<Execution>,
}

/// The windows of the executions that have ended, in the order of their ticks.
async fn past_windows(
    context: &Context,
    schedule: &MonitoringSchedule,
    since: Option<Timestamp>,
) -> Result<Vec<PastWindow>, Error> {
    let mut windows: BTreeMap<(Timestamp, Timestamp), PastWindow> = BTreeMap::new();
    let mut after = None;
    loop {
        let query = Query {
            schedule: Some(schedule.name.clone()),
            key_prefix: Some(Execution::key_prefix(schedule)),
            statuses: Execution::ended_statuses(),
            // No window ends after its tick.
            scheduled: Range { after: since.map(Timestamp::as_millisecond), before: None },
            sort_by: SortBy::Scheduled,
            after,
            limit: PAGE,
            ..Query::default()
        };
        let page = context.resources.list::<Execution>(&query).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|last| last.resource.position());
        for execution in page.into_iter().map(|found| found.resource) {
            let Some(window) = execution.window else { continue };
            if since.is_some_and(|since| window.end.0 <= since) {
                continue;
            }
            let past = windows.entry((window.start.0, window.end.0)).or_insert_with(|| PastWindow {
                tick: execution.scheduled.0,
                window,
                newest: execution.clone(),
                used: None,
            });
            past.add(execution);
        }
        if is_last {
            break;
        }
    }
    let mut windows: Vec<PastWindow> = windows.into_values().collect();
    windows.sort_by_key(|past| (past.tick, past.window.start));
    Ok(windows)
}

impl PastWindow {
    fn add(&mut self, execution: Execution) {
        if execution.labels_used().is_some() && self.used.as_ref().is_none_or(|used| used.created <= execution.created)
        {
            self.used = Some(execution.clone());
        }
        if self.newest.created <= execution.created {
            (self.tick, self.newest) = (execution.scheduled.0, execution);
        }
    }
}

/// The labels that a window's merge would take up at this moment.
fn labels_of(labels: &BTreeMap<Timestamp, Labels>, window: Window, now: Timestamp) -> Labels {
    let hours = ground_truth_hours(merged_hours(window, false), Some(now));
    let mut all = Labels::default();
    labels.range(hours.start.0..hours.end.0).for_each(|(_, labels)| all += *labels);
    all
}

/// The newest execution of the same window that has made use of labels and has ended: of its tick, or the one that was known
/// when the remerge was asked for.
///
/// # Errors
/// The store failed.
pub(super) async fn earlier(context: &Context, execution: &Execution) -> Result<Option<Execution>, Error> {
    let tick = execution.scheduled.0.as_millisecond();
    let query = Query {
        schedule: Some(execution.schedule_name.clone()),
        statuses: Execution::ended_statuses(),
        scheduled: Range { after: Some(tick - 1), before: Some(tick + 1) },
        sort_by: SortBy::Scheduled,
        ..Query::default()
    };
    let mut found = context.resources.list::<Execution>(&query).await?;
    if let Some(key) = &execution.remerge_of {
        found.extend(context.resources.get::<Execution>(key).await?);
    }
    // What a key begins with tells schedules of one name apart that there were one after the other.
    let incarnation = |key: &str| key.split('/').take(2).map(str::to_owned).collect::<Vec<_>>();
    let is_earlier = |other: &Execution| {
        other.window == execution.window
            && other.key != execution.key
            && incarnation(&other.key) == incarnation(&execution.key)
            && other.is_terminal()
            && other.labels_used().is_some()
    };
    Ok(found.into_iter().map(|found| found.resource).filter(is_earlier).max_by_key(|other| other.created))
}

/// Starts the next window of a remerge.
///
/// # Errors
/// The store failed; nothing was changed.
pub(super) async fn take_up(
    context: &Context,
    schedule: &Versioned<MonitoringSchedule>,
    remerge: &Remerge,
    is_paused: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    if now < remerge.due.0 {
        return Ok(false);
    }
    let mut after = schedule.resource.clone();
    if is_paused {
        let due = milliseconds(now.saturating_add(PAUSED_WORK).unwrap_or(now));
        after.operator.remerge = Some(Remerge { due, ..remerge.clone() });
        context.resources.commit(Transaction::new().update(&after, schedule.version)).await?;
        return Ok(true);
    }
    let mut left = remerge.windows.clone();
    let mut transaction = Transaction::new();
    if !left.is_empty() {
        let next = left.remove(0);
        // A key that is there was taken up before this was heard of.
        if context.resources.get::<Execution>(&next.execution).await?.is_none() {
            let row = Execution {
                key: next.execution,
                window: Some(next.window),
                remerge_of: Some(next.earlier),
                ..Execution::new(&schedule.resource, next.tick.0, Trigger::Remerge, Outcome::Started, now)
            };
            tracing::info!(schedule = row.schedule_name, tick = %next.tick, "remerge started");
            transaction = transaction.insert(&row);
            after.running = Some(row.key.clone());
            after.operator.is_running = true;
            after = schedule_after(&after, &row, now).unwrap_or(after);
        }
    }
    after.operator.remerge = (!left.is_empty()).then(|| Remerge { windows: left, ..remerge.clone() });
    match context.resources.commit(transaction.update(&after, schedule.version)).await {
        Err(Error::Conflict { .. }) => Ok(false),
        result => result.map(|()| true),
    }
}
