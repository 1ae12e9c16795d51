//! Executions with their jobs, and the history of alerts.
//!
//! The executions of one tick of a schedule go together: the later ones are remerges of the earlier. A tick stays while one
//! of them is young or under way, while the alert counts it, and while something under way or kept refers to one of them.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use watchkeeper_aws::generated::sagemaker::MonitoringType;
use watchkeeper_store::metadata::{Query, Range, SortBy};

use super::{Pace, committed, each, older, remove_all};
use crate::Context;
use crate::control::alert::{Alert, AlertChange};
use crate::control::execution::{Execution, Outcome};
use crate::control::names::name_in;
use crate::control::processing_job::ProcessingJob;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Resource as _, Transaction, Versioned};

/// Executions that are removed in one transaction.
const BATCH: usize = 32;

/// Removes executions that were made before a moment and that nothing holds, with their jobs.
pub(super) async fn sweep(context: &Context, before: Timestamp, pace: &mut Pace, jobs: &mut u64) -> Result<u64, Error> {
    let mut ticks = Ticks { context, before, pace, held: HashMap::new(), decided: HashMap::new() };
    let (mut removed, mut after) = (0, None);
    loop {
        let page = older::<Execution>(context, Query::default(), before, after).await?;
        let mut going = Vec::new();
        for execution in page.found {
            if ticks.may_go(&execution.resource).await? {
                going.push(execution);
            }
        }
        for batch in going.chunks(BATCH) {
            removed += remove(context, batch, jobs).await?;
        }
        // What of a tick comes later is asked again.
        ticks.decided.clear();
        after = page.next;
        if after.is_none() {
            return Ok(removed);
        }
        ticks.pace.rest().await;
    }
}

/// Removes changes of alerts that were made before a moment, except the newest of each, which says how it came to its state.
pub(super) async fn sweep_alert_changes(context: &Context, before: Timestamp, pace: &mut Pace) -> Result<u64, Error> {
    let mut newest: HashMap<String, Option<String>> = HashMap::new();
    let (mut removed, mut after) = (0, None);
    loop {
        let page = older::<AlertChange>(context, Query::default(), before, after).await?;
        for change in page.found {
            let AlertChange { key, schedule_name, .. } = &change.resource;
            if !newest.contains_key(schedule_name) {
                let query = Query {
                    schedule: Some(schedule_name.clone()),
                    sort_by: SortBy::Created,
                    descending: true,
                    limit: 1,
                    ..Query::default()
                };
                let found = context.resources.page::<AlertChange>(&query).await?.found.pop();
                newest.insert(schedule_name.clone(), found.map(|found| found.resource.key));
            }
            if newest.get(schedule_name).is_some_and(|newest| newest.as_ref() != Some(key)) {
                let delete = Transaction::new().delete(&change.resource, change.version);
                removed += u64::from(committed(context, delete).await?);
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(removed);
        }
        pace.rest().await;
    }
}

/// Which ticks may go.
struct Ticks<'a> {
    context: &'a Context,
    before: Timestamp,
    pace: &'a mut Pace,
    /// What is held of a schedule, by what the keys of its executions begin with.
    held: HashMap<String, Held>,
    /// Decisions by schedule and tick.
    decided: HashMap<(String, i64), bool>,
}

/// What of a schedule's executions has to stay.
#[derive(Default)]
struct Held {
    /// All of this tick and later.
    from: Option<i64>,
    keys: BTreeSet<String>,
    /// Whether executions that remerge others were looked through.
    knows_remerges: bool,
}

impl Ticks<'_> {
    async fn may_go(&mut self, execution: &Execution) -> Result<bool, Error> {
        let incarnation = incarnation_of(&execution.key);
        let tick = execution.scheduled.0.as_millisecond();
        let place = (incarnation.clone(), tick);
        if let Some(decided) = self.decided.get(&place) {
            return Ok(*decided);
        }
        let query = Query {
            schedule: Some(execution.schedule_name.clone()),
            key_prefix: Some(incarnation.clone()),
            scheduled: Range { after: Some(tick - 1), before: Some(tick + 1) },
            sort_by: SortBy::Scheduled,
            ..Query::default()
        };
        let rows: Vec<Execution> =
            self.context.resources.list::<Execution>(&query).await?.into_iter().map(|row| row.resource).collect();
        let is_done = |row: &Execution| row.outcome != Outcome::Started || row.is_terminal();
        let are_old = rows.iter().all(|row| is_done(row) && row.modified.0 < self.before);
        let may_go = are_old && {
            // One that had no labels, and so no merge, may have been merged since.
            let is_merged =
                matches!(execution.monitoring_type, MonitoringType::ModelQuality | MonitoringType::ModelBias);
            let held = self.held(&incarnation, &execution.schedule_name, is_merged).await?;
            held.from.is_none_or(|from| tick < from) && rows.iter().all(|row| !held.keys.contains(&row.key))
        };
        self.decided.insert(place, may_go);
        Ok(may_go)
    }

    async fn held(&mut self, incarnation: &str, schedule: &str, is_merged: bool) -> Result<&Held, Error> {
        if !self.held.contains_key(incarnation) {
            let held = held(self.context, incarnation, schedule).await?;
            self.held.insert(incarnation.to_owned(), held);
        }
        let held = self.held.entry(incarnation.to_owned()).or_default();
        if is_merged && !held.knows_remerges {
            held.keys.append(&mut remerged(self.context, incarnation, schedule, self.pace).await?);
            held.knows_remerges = true;
        }
        Ok(held)
    }
}

/// What the keys of a schedule's executions begin with: executions of an earlier schedule of the same name are none of it.
fn incarnation_of(key: &str) -> String {
    key.split_inclusive('/').take(2).collect()
}

/// What a schedule, and its alert, need of their executions; nothing where it is gone.
async fn held(context: &Context, incarnation: &str, name: &str) -> Result<Held, Error> {
    let found = context.resources.get::<MonitoringSchedule>(&MonitoringSchedule::key_of(name)).await?;
    let Some(schedule) =
        found.map(|found| found.resource).filter(|schedule| Execution::key_prefix(schedule) == incarnation)
    else {
        return Ok(Held::default());
    };
    let mut keys: BTreeSet<String> = schedule.running.iter().cloned().collect();
    for window in schedule.operator.remerge.iter().flat_map(|remerge| &remerge.windows) {
        keys.extend([window.execution.clone(), window.earlier.clone()]);
    }
    let alert = context.resources.get::<Alert>(&Alert::of_schedule(&schedule).key()).await?;
    let period = alert.map_or(1, |alert| usize::try_from(alert.resource.evaluation_period).unwrap_or(1).max(1));
    let counted = newest_ticks(context, &schedule, Execution::ended_statuses(), period).await?;
    // Also of a schedule that never ran to an end.
    let newest = newest_ticks(context, &schedule, Vec::new(), 1).await?;
    Ok(Held { from: counted.into_iter().chain(newest).min(), keys, knows_remerges: false })
}

/// The newest ticks with executions of these statuses, or of any.
async fn newest_ticks(
    context: &Context,
    schedule: &MonitoringSchedule,
    statuses: Vec<String>,
    most: usize,
) -> Result<BTreeSet<i64>, Error> {
    let mut ticks = BTreeSet::new();
    let mut after = None;
    loop {
        let query = Query {
            schedule: Some(schedule.name.clone()),
            key_prefix: Some(Execution::key_prefix(schedule)),
            statuses: statuses.clone(),
            sort_by: SortBy::Scheduled,
            descending: true,
            after,
            limit: most + 1,
            ..Query::default()
        };
        let page = context.resources.page::<Execution>(&query).await?;
        for row in page.found {
            if ticks.len() == most {
                return Ok(ticks);
            }
            ticks.insert(row.resource.scheduled.0.as_millisecond());
        }
        after = page.next;
        if after.is_none() {
            return Ok(ticks);
        }
    }
}

/// Keys of executions that those of other ticks have merged again.
async fn remerged(
    context: &Context,
    incarnation: &str,
    schedule: &str,
    pace: &mut Pace,
) -> Result<BTreeSet<String>, Error> {
    let mut keys = BTreeSet::new();
    let query = Query {
        schedule: Some(schedule.to_owned()),
        key_prefix: Some(incarnation.to_owned()),
        sort_by: SortBy::Scheduled,
        ..Query::default()
    };
    each::<Execution>(context, query, pace, |Execution { key, remerge_of, .. }| {
        keys.extend(remerge_of.filter(|earlier| tick_in(earlier) != tick_in(&key)));
    })
    .await?;
    Ok(keys)
}

fn tick_in(key: &str) -> Option<&str> {
    key.split('/').nth(2)
}

/// Removes executions with their jobs; what somebody changes at the same moment stays until the next sweep.
async fn remove(context: &Context, executions: &[Versioned<Execution>], jobs: &mut u64) -> Result<u64, Error> {
    let mut going = Vec::with_capacity(executions.len());
    for execution in executions {
        going.push((execution, jobs_of(context, &execution.resource).await?));
    }
    let removed = remove_all(context, &going, |transaction, (execution, jobs)| {
        let transaction = transaction.delete(&execution.resource, execution.version);
        jobs.iter().fold(transaction, |transaction, job| transaction.delete(&job.resource, job.version))
    });
    let removed = removed.await?;
    *jobs += removed.iter().map(|(_, jobs)| jobs.len() as u64).sum::<u64>();
    Ok(removed.len() as u64)
}

/// The jobs that carried an execution out. An unchanged remerge names that of another, which is not its own.
async fn jobs_of(context: &Context, execution: &Execution) -> Result<Vec<Versioned<ProcessingJob>>, Error> {
    let merge = execution.merge.as_ref().map(|merge| &merge.job_arn);
    let names: BTreeSet<&str> = execution.processing_job_arn.iter().chain(merge).map(|arn| name_in(arn)).collect();
    let mut jobs = Vec::new();
    for name in names {
        let job = context.resources.get::<ProcessingJob>(&name.to_lowercase()).await?;
        let is_own = |job: &Versioned<ProcessingJob>| {
            job.resource.execution.as_ref() == Some(&execution.key) && job.resource.is_terminal()
        };
        jobs.extend(job.filter(is_own));
    }
    Ok(jobs)
}
