//! Why an invocation has no answer, in AWS's words as far as they are known.

use std::time::Duration;

use serde_json::Value;
use watchkeeper_aws::Error;

use crate::hosting::Deployment;
use crate::hosting::model::InvokeError;

/// The most characters of a model's answer that an error repeats.
const LONGEST_MESSAGE: usize = 16 << 10;

/// There is no such endpoint, or none that could be asked.
pub(super) fn not_found(name: &str, account: &str) -> Error {
    validation(format!("Endpoint {name} of account {account} not found."))
}

/// Its models are served elsewhere.
pub(super) fn external(name: &str) -> Error {
    validation(format!(
        "Endpoint {name} has no model here: its model is served elsewhere. Send requests to that model, through \
         `watchkeeper proxy` where they are to be captured"
    ))
}

/// The variant that the request names is none of the endpoint's.
pub(super) fn unknown_variant(variant: &str) -> Error {
    validation(format!("Variant {variant} not found for Request"))
}

/// The endpoint takes asynchronous invocations alone.
pub(super) fn is_asynchronous(name: &str) -> Error {
    validation(format!("Endpoint {name} is an asynchronous inference endpoint. Use InvokeEndpointAsync to invoke it."))
}

/// The endpoint takes no asynchronous invocations.
pub(super) fn is_synchronous(name: &str) -> Error {
    validation(format!(
        "Endpoint {name} is not an asynchronous inference endpoint: its configuration has no AsyncInferenceConfig. Use \
         InvokeEndpoint to invoke it."
    ))
}

/// What breaks a rule of the request.
pub(super) fn validation(message: impl Into<String>) -> Error {
    Error::new("ValidationError", message)
}

/// The model is not there yet, or again.
pub(super) fn not_ready(name: &str, reason: &str) -> Error {
    Error::new("ModelNotReadyException", format!("Endpoint {name}: {reason}. Wait and try your request again."))
        .with_status(429)
}

/// An answer of the model whose status says that it failed, or that cannot be passed on.
pub(super) fn model_error(deployment: &Deployment, account: &str, status: u16, text: &str) -> Error {
    let (name, region) = (&deployment.name, &deployment.region);
    let party = if (400..500).contains(&status) { "client" } else { "server" };
    let text = match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => &text[..end],
        None => text,
    };
    let message = format!(
        "Received {party} error ({status}) from primary with message \"{text}\". See \
         https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logEventViewer:\
         group=/aws/sagemaker/Endpoints/{name} in account {account} for more information."
    );
    let mut error = Error::new("ModelError", message).with_status(424);
    let arn = format!("arn:aws:logs:{region}:{account}:log-group:/aws/sagemaker/Endpoints/{name}");
    let members = [
        ("OriginalStatusCode", Value::from(status)),
        ("OriginalMessage", Value::from(text)),
        ("LogStreamArn", Value::from(arn)),
    ];
    error.members.extend(members.map(|(name, value)| (name.to_owned(), value)));
    error
}

/// The text of a model that took too long.
const TIMED_OUT: &str = "Your invocation timed out while waiting for a response from container primary. Review the \
                         latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again.";

/// Why the model gave no answer.
pub(super) fn unanswered(error: &InvokeError, deployment: &Deployment, account: &str) -> Error {
    match error {
        InvokeError::NotReady(_) => not_ready(&deployment.name, &error.to_string()),
        InvokeError::TimedOut(_) => model_error(deployment, account, 0, TIMED_OUT),
        InvokeError::Unreachable(reason) | InvokeError::Garbage(reason) => {
            let message = format!("The model of endpoint {} gave no answer: {reason}", deployment.name);
            Error::new("ServiceUnavailable", message).with_status(503)
        }
    }
}

/// The same without an endpoint, for the one who reads that a stream ended early.
pub(super) fn stream_error(error: &InvokeError) -> (&'static str, String) {
    let code = match error {
        InvokeError::TimedOut(_) => "ModelInvocationTimeExceeded",
        _ => "StreamBroken",
    };
    (code, error.to_string())
}

/// A model that sent nothing more for so long.
pub(super) fn stood_still(idle: Duration) -> InvokeError {
    InvokeError::TimedOut(idle)
}

/// An image that nothing is known of, and that the configuration lets pass.
pub(super) fn unmapped(deployment: &Deployment, account: &str, variant: &str) -> Error {
    let text = format!(
        "no model answers for variant {variant}: nothing is known of its image, and `hosting.accept_unmapped_images` lets \
         the endpoint be in service all the same. Map the image to a model by an entry of [[images]] in the configuration"
    );
    model_error(deployment, account, 0, &text)
}
