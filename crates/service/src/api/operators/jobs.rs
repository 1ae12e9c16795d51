//! Jobs and their logs.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Path};
use serde::Deserialize;
use utoipa::IntoParams;
use watchkeeper_store::logs::{EventsQuery, StreamsQuery};
use watchkeeper_store::metadata::{Query, SortBy};

use super::executions::{after, limit, next_of};
use super::shapes::{Failure, JobList, JobView, LogLine, LogPage};
use super::{Error, State, read_query};
use crate::control::processing_job::ProcessingJob;
use crate::resources::{Resource as _, Versioned};
use crate::telemetry::program_log::PROCESSING_JOBS;

/// The most streams of a job that are read.
const MOST_STREAMS: usize = 100;
/// Lines of a stream on a page.
const LINES: usize = 1000;

/// Which jobs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct JobQuery {
    /// Where they stand.
    #[serde(default)]
    status: Option<String>,
    /// A part of their names.
    #[serde(default)]
    name_contains: Option<String>,
    /// Entries on the page, 1 to 1000; 100 unless given.
    #[serde(default)]
    limit: Option<usize>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
}

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// `next` of the page before; from the first line unless given.
    #[serde(default)]
    after: Option<String>,
}

/// Processing jobs, the newest first.
#[utoipa::path(get, path = "/_watchkeeper/jobs", params(JobQuery), responses(
    (status = 200, body = JobList), (status = 400, body = Failure)))]
pub(super) async fn list(
    extract::State(state): extract::State<State>,
    query: Result<extract::Query<JobQuery>, QueryRejection>,
) -> Result<Json<JobList>, Error> {
    let wanted = read_query(query)?;
    let limit = limit(wanted.limit)?;
    let query = Query {
        status: wanted.status,
        name_contains: wanted.name_contains,
        sort_by: SortBy::Created,
        descending: true,
        after: wanted.after.as_deref().map(after).transpose()?,
        limit: limit + 1,
        ..Query::default()
    };
    let mut jobs = state.context.resources.list::<ProcessingJob>(&query).await?;
    let has_more = jobs.len() > limit;
    jobs.truncate(limit);
    let next =
        |last: &Versioned<ProcessingJob>| next_of(last.resource.created.0.as_millisecond(), &last.resource.key());
    Ok(Json(JobList {
        next: jobs.last().filter(|_| has_more).map(next),
        jobs: jobs.iter().map(|job| JobView::of(&job.resource)).collect(),
    }))
}

/// Lines of a job's log, those of all its instances in the order of their times.
#[utoipa::path(get, path = "/_watchkeeper/jobs/{name}/logs", params(LogQuery,
    ("name" = String, Path, description = "Name of the job")), responses(
    (status = 200, body = LogPage), (status = 400, body = Failure), (status = 404, body = Failure)))]
pub(super) async fn logs(
    extract::State(state): extract::State<State>,
    Path(name): Path<String>,
    query: Result<extract::Query<LogQuery>, QueryRejection>,
) -> Result<Json<LogPage>, Error> {
    let wanted = read_query(query)?;
    let context = state.context.as_ref();
    // Before the log is read: what a job says is stored before its end is.
    let job = context.resources.get::<ProcessingJob>(&name.to_lowercase()).await?;
    let job = job.ok_or_else(|| Error::not_found(format!("there is no processing job {name}")))?.resource;
    let mut tokens = wanted.after.as_deref().map(tokens).transpose()?.unwrap_or_default();
    let streams = StreamsQuery {
        group: PROCESSING_JOBS.to_owned(),
        prefix: format!("{}/", job.name()),
        limit: MOST_STREAMS,
        ..StreamsQuery::default()
    };
    let streams = match context.logs.streams(&streams).await {
        Err(watchkeeper_store::Error::NoSuchLogGroup(_)) => Vec::new(),
        result => result?,
    };
    let mut lines = Vec::new();
    for stream in streams {
        let token = tokens.remove(&stream.name);
        let query = EventsQuery { from_head: true, limit: LINES, token, ..EventsQuery::default() };
        let page = match context.logs.events(PROCESSING_JOBS, &stream.name, &query).await {
            Err(watchkeeper_store::Error::InvalidToken) => return Err(foreign_place()),
            result => result?,
        };
        lines.extend(page.events);
        tokens.insert(stream.name, page.forward);
    }
    lines.sort_by_key(|event| event.timestamp);
    let line = |event: watchkeeper_store::logs::StoredEvent| LogLine {
        time: jiff::Timestamp::from_millisecond(event.timestamp).unwrap_or_default().to_string(),
        instance: event.stream.rsplit('/').next().unwrap_or_default().to_owned(),
        message: event.message,
    };
    Ok(Json(LogPage {
        is_over: lines.is_empty() && job.is_terminal(),
        lines: lines.into_iter().map(line).collect(),
        next: hex::encode(serde_json::to_vec(&tokens).unwrap_or_default()),
    }))
}

/// The place in each stream.
fn tokens(text: &str) -> Result<BTreeMap<String, String>, Error> {
    let bytes = hex::decode(text).map_err(|_| foreign_place())?;
    serde_json::from_slice(&bytes).map_err(|_| foreign_place())
}

fn foreign_place() -> Error {
    Error::invalid("after: it must be `next` of the page before")
}
