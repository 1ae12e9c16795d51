//! A backup of everything that the service keeps, while it runs.

#![allow(unused_qualifications, reason = "the macros of utoipa write them")]

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Query};
use axum::http::{HeaderName, HeaderValue, header};
use serde::Deserialize;

use super::shapes::Failure;
use super::{Error, State, read_query};

/// What the archive is to hold.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupQuery {
    #[serde(default)]
    without_master_key: bool,
}

/// Everything that was acknowledged until now, as a tar archive: databases, bodies of objects, journals of captures, the
/// master key and the authority of the proxy mode. What is not in the data directory is not in it. An answer that breaks
/// off is no backup. One backup is taken at a time.
#[utoipa::path(get, path = "/_watchkeeper/backup", params(
    ("without_master_key" = Option<bool>, Query, description = "Leave out the master key, and with it the proxy's authority")),
    responses((status = 200, body = Vec<u8>, content_type = "application/x-tar"), (status = 400, body = Failure),
    (status = 409, body = Failure)))]
pub(super) async fn backup(
    extract::State(state): extract::State<State>,
    query: Result<Query<BackupQuery>, QueryRejection>,
) -> Result<([(HeaderName, HeaderValue); 1], Body), Error> {
    let query = read_query(query)?;
    let context = &state.context;
    let begun = context.backups.begin(!query.without_master_key, env!("CARGO_PKG_VERSION"), context.now()).await;
    let backup = begun.map_err(|error| match error {
        watchkeeper_store::Error::BackupRunning => Error::conflict(error.to_string()),
        other => Error::internal(&other),
    })?;
    tracing::info!(without_master_key = query.without_master_key, "a backup is taken");
    let content_type = (header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    Ok(([content_type], Body::from_stream(backup.into_body())))
}
