//! Removes what is older than the configuration lets it be, some at a time.
//!
//! What something that is kept refers to is kept as well, however old it is: the executions that an alert counts, those
//! that are under way or that a remerge takes up, with all of the same tick and their jobs; the jobs that made baselines;
//! captures that a schedule has not looked at yet. So a removal changes no judgement and takes nothing from under work.
//!
//! Decided against deleting by one statement for each table: what refers to a row stands in JSON, and a statement that
//! removes a year would keep all other writers waiting.

mod captures;
mod executions;
mod jobs;
mod uploads;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use watchkeeper_store::metadata::{Change, CommitError, Document, Kind, Position, Query, Range, SortBy};

use crate::Context;
use crate::resources::{Error, Page, Resource, Transaction};

/// How long entries of alarms' histories are kept, those of alarms that are gone too, as on AWS.
const ALARM_HISTORY: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The time between two sweeps.
const BETWEEN_SWEEPS: SignedDuration = SignedDuration::from_hours(1);
/// How often the clock is looked at meanwhile, which may be put forward.
const LOOK: Duration = Duration::from_secs(1);
/// Documents that are looked at in one step.
const PAGE: usize = 200;
/// The longest rest between two steps.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Log events, and streams without any.
    pub log_events: u64,
    /// Data of metrics.
    pub metric_data: u64,
    /// Executions.
    pub executions: u64,
    /// Changes of alerts.
    pub alert_changes: u64,
    /// Entries of alarms' histories.
    pub alarm_changes: u64,
    /// Processing and transform jobs and asynchronous invocations, those of executions included.
    pub jobs: u64,
    /// Objects with captures.
    pub captures: u64,
    /// Uploads that nobody completed.
    pub uploads: u64,
}

/// Sweeps once an hour until the service stops.
pub async fn run(context: Arc<Context>) {
    let mut stopping = context.stopping.clone();
    loop {
        let begun = context.now();
        tokio::select! {
            result = sweep(&context) => report(result),
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let next = begun.saturating_add(BETWEEN_SWEEPS).unwrap_or(Timestamp::MAX);
        // A clock that is put back is no reason to wait for longer.
        while context.now() < next && context.now() >= begun {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = stopping.wait_for(|stopping| *stopping) => return,
            }
        }
    }
}

fn report(result: Result<Swept, Error>) {
    match result {
        Ok(swept) if swept == Swept::default() => tracing::debug!("nothing is older than it may be"),
        Ok(swept) => tracing::info!(?swept, "removed what is older than it may be"),
        Err(error) => tracing::error!(%error, "what is too old could not all be removed, and is tried again"),
    }
}

/// Removes all that is too old at this moment.
///
/// # Errors
/// The store failed; what could be removed nevertheless was.
pub async fn sweep(context: &Context) -> Result<Swept, Error> {
    let settings = &context.configuration.retention;
    let mut pace = Pace::new();
    let mut swept = Swept::default();
    let mut failed = Ok(());
    let mut keep = |result: Result<u64, Error>, count: &mut u64| match result {
        Ok(removed) => *count += removed,
        Err(error) => failed = Err(error),
    };
    keep(logs(context, settings.log_days, &mut pace).await, &mut swept.log_events);
    keep(metrics(context, settings.metric_days, &mut pace).await, &mut swept.metric_data);
    // Before the ticks whose windows they keep.
    if let Some(before) = before(context, settings.capture_days) {
        keep(captures::sweep(context, before, &mut pace).await, &mut swept.captures);
    }
    if let Some(before) = before(context, settings.execution_days) {
        keep(executions::sweep(context, before, &mut pace, &mut swept.jobs).await, &mut swept.executions);
        keep(executions::sweep_alert_changes(context, before, &mut pace).await, &mut swept.alert_changes);
    }
    if let Some(before) = before(context, settings.job_days) {
        keep(jobs::sweep(context, before, &mut pace).await, &mut swept.jobs);
    }
    keep(alarm_history(context, &mut pace).await, &mut swept.alarm_changes);
    // What else is in an outside S3 is its owner's.
    if context.configuration.objects.endpoint_url.is_none() {
        keep(uploads::sweep(context, &mut pace).await, &mut swept.uploads);
    }
    failed.map(|()| swept)
}

/// The moment before which something is too old; none where it is kept for ever.
fn before(context: &Context, days: u32) -> Option<Timestamp> {
    let age = SignedDuration::from_hours(24 * i64::from(days));
    (days > 0).then(|| context.now().saturating_sub(age).unwrap_or(Timestamp::MIN))
}

async fn logs(context: &Context, days: u32, pace: &mut Pace) -> Result<u64, Error> {
    let mut removed = 0;
    loop {
        match context.logs.remove_expired(context.now().as_millisecond(), (days > 0).then_some(days)).await? {
            0 => return Ok(removed),
            some => removed += some,
        }
        pace.rest().await;
    }
}

async fn metrics(context: &Context, days: u32, pace: &mut Pace) -> Result<u64, Error> {
    let Some(before) = before(context, days) else { return Ok(0) };
    let mut removed = 0;
    loop {
        match context.resources.store().remove_metrics_before(before.as_millisecond()).await? {
            0 => return Ok(removed),
            some => removed += some,
        }
        pace.rest().await;
    }
}

async fn alarm_history(context: &Context, pace: &mut Pace) -> Result<u64, Error> {
    let before = context.now().saturating_sub(ALARM_HISTORY).unwrap_or(Timestamp::MIN).as_millisecond();
    let store = context.resources.store();
    let mut removed = 0;
    loop {
        let query = Query {
            created: Range { after: None, before: Some(before) },
            sort_by: SortBy::Created,
            limit: PAGE,
            ..Query::default()
        };
        let old = store.list(Kind::AlarmChange, &query).await?;
        let is_last = old.len() < PAGE;
        let delete = |entry: Document| Change::Delete { kind: entry.kind, key: entry.key, version: entry.version };
        let deletions: Vec<Change> = old.into_iter().map(delete).collect();
        let count = deletions.len() as u64;
        match store.commit(deletions).await {
            Ok(()) => removed += count,
            // Another process removes them as well.
            Err(CommitError::Conflict { .. }) => return Ok(removed),
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
        if is_last {
            return Ok(removed);
        }
        pace.rest().await;
    }
}

/// Rests after a step for as long as the step took: whatever else there is to do comes first.
struct Pace {
    begun: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { begun: Instant::now() }
    }

    async fn rest(&mut self) {
        tokio::time::sleep(self.begun.elapsed().min(LONGEST_REST)).await;
        self.begun = Instant::now();
    }
}

/// The next documents that were made before a moment, the oldest first, among those that a query asks for.
async fn older<T: Resource>(
    context: &Context,
    query: Query,
    before: Timestamp,
    after: Option<Position>,
) -> Result<Page<T>, Error> {
    let query = Query {
        created: Range { after: None, before: Some(before.as_millisecond()) },
        sort_by: SortBy::Created,
        after,
        limit: PAGE,
        ..query
    };
    context.resources.page(&query).await
}

/// Hands out all that a query asks for, page by page.
async fn each<T: Resource>(
    context: &Context,
    mut query: Query,
    pace: &mut Pace,
    mut take: impl FnMut(T),
) -> Result<(), Error> {
    query.limit = PAGE;
    loop {
        let page = context.resources.page::<T>(&query).await?;
        page.found.into_iter().for_each(|found| take(found.resource));
        query.after = page.next;
        if query.after.is_none() {
            return Ok(());
        }
        pace.rest().await;
    }
}

/// Removes all of some things, or, where somebody changes one at the same moment, each of them that nobody does; gives those
/// that went. What stays is looked at again in the next sweep.
async fn remove_all<'t, T>(
    context: &Context,
    things: &'t [T],
    delete: impl Fn(Transaction, &T) -> Transaction,
) -> Result<Vec<&'t T>, Error> {
    if committed(context, things.iter().fold(Transaction::new(), &delete)).await? {
        return Ok(things.iter().collect());
    }
    let mut removed = Vec::new();
    for thing in things {
        if committed(context, delete(Transaction::new(), thing)).await? {
            removed.push(thing);
        }
    }
    Ok(removed)
}

/// Whether a transaction became true, rather than met a change of somebody else's.
async fn committed(context: &Context, transaction: Transaction) -> Result<bool, Error> {
    match context.resources.commit(transaction).await {
        Ok(()) => Ok(true),
        Err(Error::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
