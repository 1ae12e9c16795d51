//! Failures of what is below as answers: the log says what happened, the client that something did.

use watchkeeper_aws::Error;

use crate::resources;

/// The answer to a fault of our own.
pub(crate) fn internal(error: &dyn std::error::Error) -> Error {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    tracing::error!(error = text, "a request failed");
    Error::internal()
}

/// The answer to a failed load or commit.
pub(crate) fn of_resources(error: resources::Error) -> Error {
    match error {
        resources::Error::Conflict { key, .. } => {
            Error::conflict(format!("The resource {key} is being changed by another request, try again"))
        }
        error => internal(&error),
    }
}
