//! The operators' calls about access keys, `/_watchkeeper/keys`.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::credentials::{AccessKey, AccessKeys, Error, KeyStatus};
use crate::Context;

/// The most characters of a description.
const MAX_DESCRIPTION: usize = 256;

#[derive(Clone)]
struct Keys {
    context: Arc<Context>,
    keys: Arc<AccessKeys>,
}

/// The routes; who calls them has signed already.
pub(super) fn router(context: Arc<Context>, keys: Arc<AccessKeys>) -> Router {
    Router::new()
        .route("/_watchkeeper/keys", get(list).post(create))
        .route("/_watchkeeper/keys/{id}", delete(forget))
        .route("/_watchkeeper/keys/{id}/disable", post(disable))
        .route("/_watchkeeper/keys/{id}/enable", post(enable))
        .with_state(Keys { context, keys })
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NewKey {
    description: String,
}

async fn list(State(keys): State<Keys>) -> Result<axum::Json<Value>, Refusal> {
    let keys: Vec<Value> = keys.keys.list().await?.iter().map(shape).collect();
    Ok(axum::Json(json!({ "keys": keys })))
}

async fn create(State(keys): State<Keys>, body: axum::body::Bytes) -> Result<axum::Json<Value>, Refusal> {
    let new: NewKey = if body.is_empty() {
        NewKey::default()
    } else {
        serde_json::from_slice(&body).map_err(|error| Refusal::invalid(format!("the body is wrong: {error}")))?
    };
    if new.description.chars().count() > MAX_DESCRIPTION {
        return Err(Refusal::invalid(format!("the description has more than {MAX_DESCRIPTION} characters")));
    }
    let (key, secret) = keys.keys.create(&new.description, keys.context.now()).await?;
    let mut shape = shape(&key);
    shape["secret_access_key"] = Value::from(secret);
    Ok(axum::Json(shape))
}

async fn disable(State(keys): State<Keys>, Path(id): Path<String>) -> Result<axum::Json<Value>, Refusal> {
    Ok(axum::Json(shape(&keys.keys.set_status(&id, KeyStatus::Inactive).await?)))
}

async fn enable(State(keys): State<Keys>, Path(id): Path<String>) -> Result<axum::Json<Value>, Refusal> {
    Ok(axum::Json(shape(&keys.keys.set_status(&id, KeyStatus::Active).await?)))
}

async fn forget(State(keys): State<Keys>, Path(id): Path<String>) -> Result<StatusCode, Refusal> {
    keys.keys.delete(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shape(key: &AccessKey) -> Value {
    json!({
        "access_key_id": key.access_key_id,
        "status": key.status,
        "origin": key.origin,
        "description": key.description,
        "created": key.created.0.to_string(),
    })
}

/// An answer that is an error.
struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    fn invalid(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Missing(_) => Self { status: StatusCode::NOT_FOUND, message },
            Error::Last(_) | Error::Own(_) | Error::TooMany(_) => Self { status: StatusCode::CONFLICT, message },
            error => {
                tracing::error!(error = &error as &dyn std::error::Error, "an access key could not be changed");
                let message = "the request could not be processed because of an internal failure".to_owned();
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, message }
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, axum::Json(json!({ "error": self.message }))).into_response()
    }
}
