//! What the service has and does, and the pause of all schedules.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract;
use watchkeeper_aws::Time;
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ProcessingJobStatus, ScheduleStatus};
use watchkeeper_store::metadata::{Kind, Query, SortBy};

use super::shapes::{JobView, NextTick, PauseView, ProcessView, StatusView};
use super::{Error, State};
use crate::Context;
use crate::control::pause::Pause;
use crate::control::processing_job::ProcessingJob;
use crate::processes::{self, Process};
use crate::scheduler::{next_tick, operator};

/// Jobs that have not ended and that are looked at.
const MOST_UNENDED_JOBS: usize = 10_000;
/// Running jobs that are shown.
const MOST_RUNNING_JOBS: usize = 100;

/// What the service has and does.
#[utoipa::path(get, path = "/_watchkeeper/status", responses((status = 200, body = StatusView)))]
pub(super) async fn status(extract::State(state): extract::State<State>) -> Result<Json<StatusView>, Error> {
    let context = state.context.as_ref();
    let now = context.now();
    let pause = context.resources.get::<Pause>(Pause::KEY).await?;
    let outcomes = ["skipped", "missed", "paused"];
    let executions = ExecutionStatus::ALL.iter().map(|status| status.as_str()).chain(outcomes);
    let query = Query {
        statuses: vec![ProcessingJobStatus::InProgress.to_string(), ProcessingJobStatus::Stopping.to_string()],
        sort_by: SortBy::Created,
        limit: MOST_UNENDED_JOBS,
        ..Query::default()
    };
    let jobs = context.resources.list::<ProcessingJob>(&query).await?;
    let running = jobs.iter().filter(|job| job.resource.started.is_some());
    let queued_jobs = jobs.iter().filter(|job| job.resource.started.is_none()).count() as u64;
    let running_jobs = running.take(MOST_RUNNING_JOBS).map(|job| JobView::of(&job.resource)).collect();
    let next = next_tick(context).await?;
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started: Time(state.started).to_string(),
        uptime_seconds: now.duration_since(state.started).as_secs_f64(),
        now: Time(now).to_string(),
        pause: PauseView::of(pause.as_ref().map(|pause| &pause.resource)),
        schedules: counts(context, Kind::MonitoringSchedule, ScheduleStatus::ALL.iter().map(|status| status.as_str()))
            .await?,
        executions: counts(context, Kind::Execution, executions).await?,
        jobs: counts(context, Kind::ProcessingJob, ProcessingJobStatus::ALL.iter().map(|status| status.as_str()))
            .await?,
        running_jobs,
        queued_jobs,
        next_tick: next.map(|(tick, schedule)| NextTick { tick: tick.to_string(), schedule }),
        processes: processes::counted(context).await?.into_iter().map(ProcessView::of).collect(),
    }))
}

impl ProcessView {
    fn of(process: Process) -> Self {
        Self {
            host: process.host,
            endpoint_url: process.endpoint_url,
            roles: process.roles.iter().map(|role| role.name().to_owned()).collect(),
            version: process.version,
            started: process.started.to_string(),
            seen: process.seen.to_string(),
        }
    }
}

async fn counts(
    context: &Context,
    kind: Kind,
    statuses: impl Iterator<Item = &str>,
) -> Result<BTreeMap<String, u64>, Error> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        let query = Query { status: Some(status.to_owned()), ..Query::default() };
        let count = context.resources.store().count(kind, &query).await?;
        if count > 0 {
            counts.insert(status.to_owned(), count);
        }
    }
    Ok(counts)
}

/// Lets no tick of any schedule start anything. What runs goes on.
#[utoipa::path(post, path = "/_watchkeeper/pause", responses((status = 200, body = PauseView)))]
pub(super) async fn pause(extract::State(state): extract::State<State>) -> Result<Json<PauseView>, Error> {
    Ok(Json(PauseView::of(Some(&operator::set_pause(&state.context, true).await?))))
}

/// Ends the pause. Ticks that were passed over are not made up for; a backfill does that.
#[utoipa::path(post, path = "/_watchkeeper/resume", responses((status = 200, body = PauseView)))]
pub(super) async fn resume(extract::State(state): extract::State<State>) -> Result<Json<PauseView>, Error> {
    Ok(Json(PauseView::of(Some(&operator::set_pause(&state.context, false).await?))))
}
