//! Health and metrics, for whoever asks.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use watchkeeper_store::metadata::Kind;

use super::body::{Answer, whole};
use crate::Context;
use crate::telemetry::latest_metrics::LatestMetrics;
use crate::telemetry::prometheus;

/// The answer to a path of health and metrics; none for other paths.
pub(super) async fn answer(context: &Context, latest: &LatestMetrics, method: &Method, path: &str) -> Option<Answer> {
    let (status, content_type, text) = match path {
        "/_watchkeeper/health/live" => (StatusCode::OK, "application/json", "{\"status\":\"live\"}\n".to_owned()),
        "/_watchkeeper/health/ready" => {
            let (status, word) = readiness(context).await;
            (status, "application/json", format!("{{\"status\":\"{word}\"}}\n"))
        }
        "/_watchkeeper/metrics" => {
            (StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", prometheus::page(context, latest).await)
        }
        _ => return None,
    };
    if method != Method::GET && method != Method::HEAD {
        let mut answer = Answer::new(whole(""));
        *answer.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        return Some(answer);
    }
    let mut answer = Answer::new(whole(text));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Some(answer)
}

/// Ready is who can read the state and is not about to go.
async fn readiness(context: &Context) -> (StatusCode, &'static str) {
    if *context.stopping.borrow() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping");
    }
    if let Err(error) = context.resources.store().get(Kind::Setting, "readiness").await {
        tracing::error!(error = &error as &dyn std::error::Error, "the store does not answer");
        return (StatusCode::SERVICE_UNAVAILABLE, "store failed");
    }
    match context.objects.ready().await {
        Ok(()) => (StatusCode::OK, "ready"),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "objects cannot be reached");
            (StatusCode::SERVICE_UNAVAILABLE, "objects failed")
        }
    }
}
