//! Schedules: run now, backfill, why.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Path};
use axum::http::StatusCode;
use watchkeeper_store::metadata::{Position, Query, SortBy};

use super::executions::{PageQuery, limit};
use super::shapes::{
    BackfillAnswer, BackfillRequest, ExecutionView, Failure, FindingsView, LookedView, MergeCountsView, PauseView,
    RemergeAnswer, RemergeRequest, RemergedWindowView, RunRequest, ScheduleList, ScheduleView, WhyView, WindowView,
    execution_id,
};
use super::{Error, State, moment, read_body, read_query};
use crate::control::schedule::MonitoringSchedule;
use crate::resources::Resource as _;
use crate::scheduler::{operator, remerge, why};

/// Schedules in the order of their names.
#[utoipa::path(get, path = "/_watchkeeper/schedules", params(PageQuery), responses(
    (status = 200, body = ScheduleList), (status = 400, body = Failure)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    query: Result<extract::Query<PageQuery>, QueryRejection>,
) -> Result<Json<ScheduleList>, Error> {
    let page = read_query(query)?;
    let limit = limit(page.limit)?;
    let after = page.after.map(|key| Position { value: key.clone(), key });
    let query = Query { sort_by: SortBy::Key, after, limit: limit + 1, ..Query::default() };
    let mut schedules = state.context.resources.list::<MonitoringSchedule>(&query).await?;
    let has_more = schedules.len() > limit;
    schedules.truncate(limit);
    Ok(Json(ScheduleList {
        next: schedules.last().filter(|_| has_more).map(|schedule| schedule.resource.key()),
        schedules: schedules.iter().map(|schedule| ScheduleView::of(&schedule.resource)).collect(),
    }))
}

/// Runs a schedule now, whatever its status, for any window.
#[utoipa::path(post, path = "/_watchkeeper/schedules/{name}/run", request_body = RunRequest,
    params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 202, body = ExecutionView), (status = 400, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn run(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<ExecutionView>), Error> {
    let request: RunRequest = read_body(&body)?;
    let from = request.from.as_deref().map(|text| moment("from", text)).transpose()?;
    let to = request.to.as_deref().map(|text| moment("to", text)).transpose()?;
    let execution = operator::run_now(&state.context, &name, from, to).await?;
    Ok((StatusCode::ACCEPTED, Json(ExecutionView::of(&execution))))
}

/// Runs the ticks of a range for which nothing was started, one after the other.
#[utoipa::path(post, path = "/_watchkeeper/schedules/{name}/backfill", request_body = BackfillRequest,
    params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 202, body = BackfillAnswer), (status = 400, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn backfill(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<BackfillAnswer>), Error> {
    let request: BackfillRequest = read_body(&body)?;
    let (from, to) = (moment("from", &request.from)?, moment("to", &request.to)?);
    if from >= to {
        return Err(Error::invalid(format!("from {from} must be before to {to}")));
    }
    let ticks = operator::backfill(&state.context, &name, from, to).await? as u64;
    Ok((StatusCode::ACCEPTED, Json(BackfillAnswer { ticks })))
}

/// Merges and analyses past windows again for which labels have come since, one after the other.
#[utoipa::path(post, path = "/_watchkeeper/schedules/{name}/remerge", request_body = RemergeRequest,
    params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 200, body = RemergeAnswer, description = "nothing is to be done, or it was asked only"),
    (status = 202, body = RemergeAnswer), (status = 400, body = Failure), (status = 404, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn remerge(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<(StatusCode, Json<RemergeAnswer>), Error> {
    let request: RemergeRequest = read_body(&body)?;
    let since = request.since.as_deref().map(|text| moment("since", text)).transpose()?;
    let plan = remerge::remerge(&state.context, &name, since, request.dry_run).await?;
    let is_begun = !request.dry_run && !plan.windows.is_empty();
    let window = |planned: &remerge::PlannedWindow| RemergedWindowView {
        id: execution_id(&planned.execution),
        scheduled: watchkeeper_aws::Time(planned.tick).to_string(),
        window: WindowView::of(planned.window),
        earlier: execution_id(&planned.earlier),
        before: planned.before.map(MergeCountsView::of),
        label_objects: planned.objects,
        more_label_objects: planned.more,
    };
    let answer = RemergeAnswer {
        windows: plan.windows.iter().map(window).collect(),
        unchanged: plan.unchanged as u64,
        without_captures: plan.without_captures as u64,
    };
    Ok((if is_begun { StatusCode::ACCEPTED } else { StatusCode::OK }, Json(answer)))
}

/// Says why a schedule did not run: its ticks and their outcomes, what was looked for and found, what is there now.
#[utoipa::path(get, path = "/_watchkeeper/schedules/{name}/why",
    params(("name" = String, Path, description = "Name of the schedule")), responses(
    (status = 200, body = WhyView), (status = 404, body = Failure)))]
pub(super) async fn why(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
) -> Result<Json<WhyView>, Error> {
    let why = why::why(&state.context, &name).await?;
    let findings = |findings: &why::Findings| FindingsView {
        tick: findings.tick.to_string(),
        window: findings.window.map(WindowView::of),
        looked: findings.looked.iter().map(LookedView::of).collect(),
        reason: findings.reason.clone(),
    };
    Ok(Json(WhyView {
        schedule: ScheduleView::of(&why.schedule),
        pause: PauseView::of(why.pause.as_ref()),
        now: why.now.as_ref().map(findings),
        executions: why.rows.iter().map(ExecutionView::of).collect(),
        sentences: why.sentences,
    }))
}
