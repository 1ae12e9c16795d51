//! From ticks to executions.
//!
//! Any number of schedulers work on the same store. Each claims the schedules that are due, takes their ticks up (`ticks`;
//! which ticks are due is `due`, pure), then claims the executions that wait for their start and gives them a job
//! (`start`; what that is to be says `examine`, with `look` for the data). What a job's end means is `finish`; what follows a
//! merge of ground truth is `merging`, and `remerge` does it anew when labels come late. Between any two of these steps the
//! process may die: what is due stays due, and an execution without a job is claimed again.
//!
//! Promises: every tick has exactly one row with its outcome, whatever clocks and processes do; at most one execution of a
//! schedule runs at a time; nothing is started twice. Decided against: timers a schedule, which would have to follow every
//! change of a schedule and of the clock. Between rounds the loop sleeps until what is due next, or the bell; every second it
//! looks at the clock, which may have been put forward or back, and once a minute at the store.

mod due;
pub(crate) mod examine;
pub mod finish;
pub(crate) mod look;
mod merging;
pub mod operator;
pub mod remerge;
mod start;
mod ticks;
pub mod why;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ScheduleStatus};
use watchkeeper_store::metadata::{Position, Query, SortBy};

use crate::Context;
use crate::control::execution::Execution;
use crate::control::pause::Pause;
use crate::control::schedule::MonitoringSchedule;
use crate::resources::{Error, Resource as _, Versioned};

/// Documents that are claimed at once.
const BATCH: usize = 256;
/// How many of them are worked on at once: the store commits together what comes together.
const CONCURRENT: usize = 32;
/// How long a claim holds; the work on one takes milliseconds.
const CLAIM: SignedDuration = SignedDuration::from_secs(60);
/// How long the store is left alone when nothing is due.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_secs(60);
/// Schedules that are read at once when all are looked through.
const PAGE: usize = 500;

/// Makes executions of ticks until the service stops.
pub async fn run(context: Arc<Context>) {
    let mut stopping = context.stopping.clone();
    let mut scheduler = Scheduler::new(Arc::clone(&context));
    loop {
        let begun = Instant::now();
        let round = scheduler.round().await;
        metrics::histogram!("watchkeeper_scheduler_round_seconds").record(begun.elapsed().as_secs_f64());
        let next = match round {
            Ok(()) => scheduler.next_due().await,
            Err(error) => Err(error),
        };
        let next = next.unwrap_or_else(|error| {
            tracing::error!(%error, "the scheduler failed, and tries again");
            context.now()
        });
        tokio::select! {
            () = context.scheduler_bell.notified() => {}
            () = moment(&context, next) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Waits until the clock says `next`, or has been put back; a second at least when that moment is over already.
async fn moment(context: &Context, next: Timestamp) {
    let mut now = context.now();
    loop {
        let second = until_next_second(now);
        let rest = Duration::try_from(next.duration_since(now)).ok().filter(|rest| !rest.is_zero());
        tokio::time::sleep(rest.map_or(second, |rest| rest.min(second))).await;
        let later = context.now();
        if later >= next || later < now {
            return;
        }
        now = later;
    }
}

fn until_next_second(now: Timestamp) -> Duration {
    let nanoseconds = u64::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Duration::from_nanos(1_000_000_000 - nanoseconds.min(999_000_000))
}

/// One of the schedulers that work on a store.
pub struct Scheduler {
    context: Arc<Context>,
    /// The latest moment it has seen; None before its first round.
    latest: Option<Timestamp>,
}

impl Scheduler {
    /// One that has not looked at anything yet.
    pub fn new(context: Arc<Context>) -> Self {
        Self { context, latest: None }
    }

    /// Does everything that is due at this moment.
    ///
    /// # Errors
    /// The store failed; what is not done is due still.
    pub async fn round(&mut self) -> Result<(), Error> {
        let now = self.context.now();
        let went_back = self.latest.is_none_or(|latest| now < latest);
        if went_back {
            match self.follow_clock(now).await {
                // It must not keep the others from their ticks.
                Err(error @ Error::Unreadable { .. }) => tracing::error!(%error, "a document is left alone"),
                result => result?,
            }
        }
        self.latest = Some(now);
        loop {
            let schedules = self.take_up_schedules(now).await?;
            let executions = self.start_executions(now).await?;
            if !schedules && !executions {
                return Ok(());
            }
        }
    }

    /// When the next round is worth making: what is due next, or in a minute, as other processes may work on the store.
    async fn next_due(&self) -> Result<Timestamp, Error> {
        let resources = &self.context.resources;
        let due = [resources.next_due::<MonitoringSchedule>().await?, resources.next_due::<Execution>().await?];
        let latest = self.context.now().saturating_add(LONGEST_SLEEP).unwrap_or(Timestamp::MAX);
        let due = due.into_iter().flatten().filter_map(|due| Timestamp::from_millisecond(due).ok());
        Ok(due.min().map_or(latest, |due| due.min(latest)))
    }

    /// Takes up a batch of schedules; whether it changed any.
    async fn take_up_schedules(&self, now: Timestamp) -> Result<bool, Error> {
        let schedules: Vec<Versioned<MonitoringSchedule>> = self.claim(&[], now).await?;
        if schedules.is_empty() {
            return Ok(false);
        }
        let pause = self.context.resources.get::<Pause>(Pause::KEY).await?;
        let is_paused = pause.is_some_and(|pause| pause.resource.is_paused);
        let work = schedules.into_iter().map(|schedule| {
            let context = Arc::clone(&self.context);
            Box::pin(async move {
                let result = ticks::take_up(&context, &schedule, is_paused, now).await;
                result.unwrap_or_else(|error| {
                    tracing::error!(schedule = schedule.resource.name, %error, "a schedule could not be taken up");
                    false
                })
            })
        });
        Ok(side_by_side(work).await)
    }

    /// Starts a batch of executions; whether it started any.
    async fn start_executions(&self, now: Timestamp) -> Result<bool, Error> {
        let executions: Vec<Versioned<Execution>> = self.claim(&[ExecutionStatus::Pending.as_str()], now).await?;
        let work = executions.into_iter().map(|execution| {
            let context = Arc::clone(&self.context);
            Box::pin(async move {
                let key = execution.resource.key.clone();
                let result = Box::pin(start::start(&context, execution)).await;
                result
                    .inspect_err(|error| {
                        tracing::error!(execution = key, %error, "an execution could not be started");
                    })
                    .is_ok()
            })
        });
        Ok(side_by_side(work).await)
    }

    async fn claim<T: crate::resources::Resource>(
        &self,
        statuses: &[&str],
        now: Timestamp,
    ) -> Result<Vec<Versioned<T>>, Error> {
        let until = now.saturating_add(CLAIM).unwrap_or(now).as_millisecond();
        self.context.resources.claim(statuses, &self.context.owner, now.as_millisecond(), until, BATCH).await
    }

    /// Looks through all schedules and waiting executions for those that wait for a moment the clock has been put back
    /// before.
    async fn follow_clock(&self, now: Timestamp) -> Result<(), Error> {
        let query = Query { status: Some(ExecutionStatus::Pending.to_string()), ..Query::default() };
        for execution in self.context.resources.list::<Execution>(&query).await? {
            ticks::follow_clock_of_execution(&self.context, &execution, now).await?;
        }
        let mut after = None;
        loop {
            let query = Query { sort_by: SortBy::Key, after, limit: PAGE, ..Query::default() };
            let schedules = self.context.resources.list::<MonitoringSchedule>(&query).await?;
            for schedule in &schedules {
                ticks::follow_clock(&self.context, schedule, now).await?;
            }
            let Some(last) = schedules.last().filter(|_| schedules.len() == PAGE) else { return Ok(()) };
            let key = last.resource.key();
            after = Some(Position { value: key.clone(), key });
        }
    }
}

/// The schedule whose next tick comes first, of those that are Scheduled, and the tick.
///
/// # Errors
/// The store failed.
pub async fn next_tick(context: &Context) -> Result<Option<(Timestamp, String)>, Error> {
    let mut first: Option<(Timestamp, String)> = None;
    let mut after = None;
    loop {
        let query = Query {
            status: Some(ScheduleStatus::Scheduled.to_string()),
            sort_by: SortBy::Key,
            after,
            limit: PAGE,
            ..Query::default()
        };
        let schedules = context.resources.list::<MonitoringSchedule>(&query).await?;
        for schedule in &schedules {
            let Some(tick) = schedule.resource.next_tick else { continue };
            if first.as_ref().is_none_or(|(first, _)| tick.0 < *first) {
                first = Some((tick.0, schedule.resource.name.clone()));
            }
        }
        let Some(last) = schedules.last().filter(|_| schedules.len() == PAGE) else { return Ok(first) };
        let key = last.resource.key();
        after = Some(Position { value: key.clone(), key });
    }
}

/// Does work side by side; whether any of it changed something. Failures were logged, and what failed is due still.
async fn side_by_side<F>(work: impl Iterator<Item = F>) -> bool
where
    F: Future<Output = bool> + Send + 'static,
{
    let mut running = JoinSet::new();
    let mut has_changed = false;
    for piece in work {
        if running.len() >= CONCURRENT {
            has_changed |= matches!(running.join_next().await, Some(Ok(true)));
        }
        running.spawn(piece);
    }
    while let Some(result) = running.join_next().await {
        has_changed |= matches!(result, Ok(true));
    }
    has_changed
}
