//! A model behind an endpoint of the service, asked with the credentials of the job.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};
use watchkeeper_aws::client::{Client, ClientError};
use watchkeeper_aws::signing::encode_path;
use watchkeeper_formats::ServiceAccess;

use super::{Failure, RequestHeaders, refusal};

/// Tells the service that a request is an analysis and no traffic; it believes that of jobs alone.
const NOT_CAPTURED: (&str, &str) = ("x-watchkeeper-capture", "off");

/// The client's own limit of a request; callers have shorter ones.
const CLIENT_TIMEOUT: Duration = Duration::from_hours(1);

/// The service's interface.
#[derive(Clone, Debug)]
pub(in crate::predictor) struct Service {
    client: Client,
}

/// A model behind an endpoint.
pub(in crate::predictor) struct ServiceModel {
    service: Service,
    path: String,
    headers: RequestHeaders,
}

impl Service {
    pub(in crate::predictor) fn new(access: &ServiceAccess) -> Result<Self, ClientError> {
        Ok(Self { client: crate::service::client(access)?.with_timeout(CLIENT_TIMEOUT) })
    }

    /// Calls an operation on resources.
    pub(in crate::predictor) async fn call(
        &self,
        operation: &str,
        input: &Value,
        within: Duration,
    ) -> Result<Value, ClientError> {
        self.client.clone().with_timeout(within).call("SageMaker", operation, input).await
    }

    /// The status of an endpoint, and why it failed if it says so.
    pub(in crate::predictor) async fn endpoint_status(
        &self,
        name: &str,
        within: Duration,
    ) -> Result<(String, Option<String>), ClientError> {
        let description = self.call("DescribeEndpoint", &json!({"EndpointName": name}), within).await?;
        let text = |member: &str| description.get(member).and_then(Value::as_str).map(str::to_owned);
        Ok((text("EndpointStatus").unwrap_or_default(), text("FailureReason")))
    }
}

impl ServiceModel {
    pub(in crate::predictor) fn new(service: Service, endpoint: &str, headers: &RequestHeaders) -> Self {
        let path = format!("/endpoints/{}/invocations", encode_path(endpoint));
        Self { service, path, headers: headers.clone() }
    }

    pub(super) async fn send(&self, body: Bytes) -> Result<Bytes, Failure> {
        let mut headers = self.headers.pairs();
        headers.push(NOT_CAPTURED);
        let sent = self.service.client.request(Method::POST, &self.path, &headers, body, "sagemaker").await;
        let response = sent.map_err(|error| match error {
            error @ ClientError::Connection { .. } => {
                let text = error.to_string();
                if text.contains("refused") { Failure::Unreachable(text) } else { Failure::Broken(text) }
            }
            ClientError::Timeout { .. } => Failure::TimedOut,
            error => Failure::Unusable(error.to_string()),
        })?;
        if response.status() == http::StatusCode::OK {
            return Ok(response.into_body());
        }
        Err(refusal_of_service(&response))
    }
}

/// What the service says: in the model's name with the status of the model, else in its own.
fn refusal_of_service(response: &Response<Bytes>) -> Failure {
    let status = response.status().as_u16();
    let body: Value = serde_json::from_slice(response.body()).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let code = response.headers().get("x-amzn-errortype").and_then(|value| value.to_str().ok());
    let code = code.or_else(|| text("__type")).or_else(|| text("Code")).unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().split(':').next().unwrap_or_default();
    let whole = String::from_utf8_lossy(response.body());
    let message = text("Message").or_else(|| text("message")).unwrap_or(&whole);
    if let Some(original) = body.get("OriginalStatusCode").and_then(Value::as_u64) {
        let words = text("OriginalMessage").filter(|words| !words.trim().is_empty()).unwrap_or(message);
        return match u16::try_from(original) {
            // The model said nothing: in time, or at all because there is none.
            Ok(0) if words.contains("timed out") => Failure::TimedOut,
            Ok(0) => Failure::Unusable(words.to_owned()),
            status => refusal(status.unwrap_or(500), words, None),
        };
    }
    match (status, code) {
        (424, _) => Failure::Model {
            words: format!("status 424: {}", crate::predictor::excerpt(message.as_bytes())),
            may_pass: true,
        },
        (400..=404, "ValidationError" | "ValidationException") if !super::says_too_large(message) => {
            Failure::Unusable(message.to_owned())
        }
        (403, _) => Failure::Unusable(message.to_owned()),
        (status, _) => refusal(status, message, None),
    }
}
