//! Executions, with the ticks that did not start one.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Path};
use serde::Deserialize;
use utoipa::IntoParams;
use watchkeeper_aws::types::S3Uri;
use watchkeeper_store::metadata::{Position, Query, Range, SortBy};

use super::shapes::{ExecutionDetail, ExecutionList, ExecutionView, Failure, UsageView, execution_key, result_file};
use super::{Error, State, moment, read_query};
use crate::control::execution::{Execution, Outcome};
use crate::control::names::name_in;
use crate::control::processing_job::ProcessingJob;
use crate::resources::Versioned;

/// Entries on a page when the request does not say.
const USUAL_PAGE: usize = 100;
/// The most entries on a page.
const LARGEST_PAGE: usize = 1000;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Entries on the page, 1 to 1000; 100 unless given.
    #[serde(default)]
    pub(super) limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    pub(super) after: Option<String>,
}

/// Which executions.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ExecutionQuery {
    /// Name of the schedule.
    #[serde(default)]
    schedule: Option<String>,
    /// Status of those that were started, or `skipped`, `missed`, `paused`.
    #[serde(default)]
    status: Option<String>,
    /// Ticks at this moment or later.
    #[serde(default)]
    from: Option<String>,
    /// Ticks before this moment.
    #[serde(default)]
    to: Option<String>,
    /// Entries on the page, 1 to 1000; 100 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// The size of a page.
pub(super) fn limit(limit: Option<usize>) -> Result<usize, Error> {
    match limit.unwrap_or(USUAL_PAGE) {
        limit if (1..=LARGEST_PAGE).contains(&limit) => Ok(limit),
        limit => Err(Error::invalid(format!("limit {limit} is not within 1 to {LARGEST_PAGE}"))),
    }
}

/// The place behind the last entry of a page, as text.
pub(super) fn next_of(time: i64, key: &str) -> String {
    format!("{time}:{}", key.replace('/', "~"))
}

/// The place that a page begins behind.
pub(super) fn after(text: &str) -> Result<Position, Error> {
    let (value, key) = text
        .split_once(':')
        .filter(|(value, _)| value.parse::<i64>().is_ok())
        .ok_or_else(|| Error::invalid("after: it must be `next` of the page before"))?;
    Ok(Position { value: value.to_owned(), key: key.replace('~', "/") })
}

/// Executions, and ticks that started none, the newest tick first.
#[utoipa::path(get, path = "/_watchkeeper/executions", params(ExecutionQuery), responses(
    (status = 200, body = ExecutionList), (status = 400, body = Failure)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    query: Result<extract::Query<ExecutionQuery>, QueryRejection>,
) -> Result<Json<ExecutionList>, Error> {
    let wanted = read_query(query)?;
    let limit = limit(wanted.limit)?;
    let milliseconds = |member, text: &Option<String>| {
        text.as_deref().map(|text| moment(member, text).map(jiff::Timestamp::as_millisecond)).transpose()
    };
    let from = milliseconds("from", &wanted.from)?;
    let query = Query {
        schedule: wanted.schedule,
        status: wanted.status,
        scheduled: Range { after: from.map(|from| from - 1), before: milliseconds("to", &wanted.to)? },
        sort_by: SortBy::Scheduled,
        descending: true,
        after: wanted.after.as_deref().map(after).transpose()?,
        limit: limit + 1,
        ..Query::default()
    };
    let mut executions = state.context.resources.list::<Execution>(&query).await?;
    let has_more = executions.len() > limit;
    executions.truncate(limit);
    let next = |last: &Versioned<Execution>| next_of(last.resource.scheduled.0.as_millisecond(), &last.resource.key);
    Ok(Json(ExecutionList {
        next: executions.last().filter(|_| has_more).map(next),
        executions: executions.iter().map(|execution| ExecutionView::of(&execution.resource)).collect(),
    }))
}

/// An execution with what its job made.
#[utoipa::path(get, path = "/_watchkeeper/executions/{id}",
    params(("id" = String, Path, description = "Id of the execution")), responses(
    (status = 200, body = ExecutionDetail), (status = 404, body = Failure)))]
pub(super) async fn describe(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
) -> Result<Json<ExecutionDetail>, Error> {
    let context = state.context.as_ref();
    let execution = context.resources.get::<Execution>(&execution_key(&id)).await?;
    let execution = execution.ok_or_else(|| Error::not_found(format!("there is no execution {id}")))?.resource;
    let name = execution.processing_job_arn.as_deref().map(name_in);
    let job = match name {
        Some(name) => context.resources.get::<ProcessingJob>(name).await?.map(|job| job.resource),
        None => None,
    };
    // What a merge makes are no results yet.
    let merge = execution.merge.as_ref().map(|merge| &merge.job_arn);
    let analysis = job.as_ref().filter(|job| merge != Some(&job.arn));
    let results = analysis.and_then(ProcessingJob::first_output).map(str::to_owned);
    let violations = results.as_deref().and_then(|folder| result_file(folder, "constraint_violations.json"));
    let violations = match violations {
        Some(address) if execution.is_terminal() && exists(&state, &address).await? => Some(address.to_string()),
        _ => None,
    };
    Ok(Json(ExecutionDetail {
        is_over: execution.outcome != Outcome::Started || execution.is_terminal(),
        execution: ExecutionView::of(&execution),
        usage: job.as_ref().and_then(|job| job.usage.as_ref()).map(UsageView::of),
        exit_message: job.and_then(|job| job.exit_message),
        results,
        violations,
    }))
}

async fn exists(state: &State, address: &S3Uri) -> Result<bool, Error> {
    match state.context.objects.head(&address.bucket, &address.key).await {
        Ok(found) => Ok(found.is_some()),
        Err(watchkeeper_store::Error::NoSuchBucket(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
