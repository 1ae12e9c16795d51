//! The operators' interface: what AWS does not have. REST with JSON under `/_watchkeeper/`, described by
//! `/_watchkeeper/openapi.json`. Every request was authenticated before it came here.
//!
//! Moments are ISO 8601 texts in UTC. An execution's id is its key with `~` for each slash. Failures are
//! `{"error": "..."}`, with 400 for what cannot be done, 404 for what is not there, 409 for what cannot be done now.

mod backup;
mod captures;
mod endpoints;
mod executions;
mod ground_truth;
mod jobs;
mod lines;
mod openapi;
mod schedules;
mod shapes;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use jiff::Timestamp;
use watchkeeper_aws::Time;

pub use shapes::{
    BackfillAnswer, BackfillRequest, CaptureView, EndpointRegistration, EndpointView, ExecutionDetail, ExecutionList,
    ExecutionView, Failure, FindingsView, GroundTruthAnswer, IngestionAnswer, JobList, JobView, LogLine, LogPage,
    LookedView, MergeCountsView, MergeView, PauseView, ProcessView, RemergeAnswer, RemergeRequest, RemergedWindowView,
    RunRequest, ScheduleList, ScheduleView, StatusView, UsageView, WhyView, WindowView,
};

use crate::Context;
use crate::resources;
use crate::scheduler::operator::Refusal;

/// What every handler is handed.
#[derive(Clone)]
struct State {
    context: Arc<Context>,
    /// When the service was started.
    started: Timestamp,
}

/// The routes of the interface, with their full paths.
pub fn router(context: Arc<Context>) -> Router {
    let started = context.now();
    Router::new()
        .route("/_watchkeeper/openapi.json", get(openapi::document))
        .route("/_watchkeeper/status", get(status::status))
        .route("/_watchkeeper/backup", get(backup::backup))
        .route("/_watchkeeper/pause", post(status::pause))
        .route("/_watchkeeper/resume", post(status::resume))
        .route("/_watchkeeper/schedules", get(schedules::list))
        .route("/_watchkeeper/schedules/{name}/run", post(schedules::run))
        .route("/_watchkeeper/schedules/{name}/backfill", post(schedules::backfill))
        .route("/_watchkeeper/schedules/{name}/ground-truth", post(ground_truth::upload))
        .route("/_watchkeeper/schedules/{name}/remerge", post(schedules::remerge))
        .route("/_watchkeeper/schedules/{name}/why", get(schedules::why))
        .route("/_watchkeeper/endpoints/{name}", get(endpoints::describe).put(endpoints::register))
        .route("/_watchkeeper/endpoints/{name}/captures", post(captures::ingest))
        .route("/_watchkeeper/executions", get(executions::list))
        .route("/_watchkeeper/executions/{id}", get(executions::describe))
        .route("/_watchkeeper/jobs", get(jobs::list))
        .route("/_watchkeeper/jobs/{name}/logs", get(jobs::logs))
        .fallback(|| async { Error::not_found("there is no such path; see /_watchkeeper/openapi.json") })
        // What is too large was refused before it was read.
        .layer(DefaultBodyLimit::disable())
        .with_state(State { context, started })
}

/// Why a request is refused.
#[derive(Debug)]
struct Error {
    status: StatusCode,
    message: String,
}

impl Error {
    fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: message.into() }
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: message.into() }
    }

    fn conflict(message: impl Into<String>) -> Self {
        Self { status: StatusCode::CONFLICT, message: message.into() }
    }

    /// What went wrong is in the log; the caller is told that it did.
    fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request of an operator failed");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, message: "the service failed; its log says why".to_owned() }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        (self.status, axum::Json(Failure { error: self.message })).into_response()
    }
}

impl From<resources::Error> for Error {
    fn from(error: resources::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<watchkeeper_store::Error> for Error {
    fn from(error: watchkeeper_store::Error) -> Self {
        Self::internal(&error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::NoSuchSchedule(_) => StatusCode::NOT_FOUND,
            Refusal::NotNow(_) => StatusCode::CONFLICT,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::Failed(error) => return Self::internal(error),
        };
        Self { status, message: refusal.to_string() }
    }
}

/// The body of a request, whatever content type the client gave it; none at all is an empty object.
fn read_body<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))
}

/// What a request's query says.
fn read_query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Error> {
    query.map(|Query(query)| query).map_err(|rejection| Error::invalid(rejection.body_text()))
}

/// A moment of a request.
fn moment(member: &str, text: &str) -> Result<Timestamp, Error> {
    // A plus in a query is a blank.
    let moment = Time::parse(text).or_else(|| Time::parse(&text.replace(' ', "+")));
    moment
        .map(|time| time.0)
        .ok_or_else(|| Error::invalid(format!("{member}: `{text}` is no moment; write it as 2026-01-31T23:00:00Z")))
}
