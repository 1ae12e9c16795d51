//! Failures of what is below as answers: the log says what happened, the client that something did.

use watchkeeper_aws::Error;
use watchkeeper_store::{Error as StoreError, StorageFault};

use crate::resources;

/// The answer to a fault of our own.
pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Error {
    match stored(error) {
        Some(failure) if failure.storage_fault().is_some() => of_store(failure),
        _ => {
            tracing::error!(error = text(error), "a request failed");
            Error::internal()
        }
    }
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

/// The answer to a failure of the store. What cannot be written for want of room is said to whoever asks, under a status
/// that SDKs do not try again; what may pass by itself under one that they do.
pub(crate) fn of_store(failure: &StoreError) -> Error {
    match (failure.storage_fault(), failure) {
        (Some(StorageFault::Full), StoreError::QuotaExceeded { .. } | StoreError::DiskFull { .. }) => {
            insufficient(failure.to_string())
        }
        (Some(StorageFault::Full), _) => {
            tracing::error!(error = text(failure), "the disk is full");
            insufficient("the disk of the data directory is full: make room on it".to_owned())
        }
        (Some(StorageFault::Unwritable), _) => {
            tracing::error!(error = text(failure), "the storage cannot be written");
            Error::new("ServiceUnavailable", "the storage of the service cannot be written: try again later")
                .with_status(503)
        }
        (None, failure) => {
            tracing::error!(error = text(failure), "the store failed");
            Error::internal()
        }
    }
}

fn insufficient(message: String) -> Error {
    Error::new("InsufficientStorage", message).with_status(507)
}

/// The store's own error in one that passes it on.
fn stored<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e StoreError> {
    if let Some(resources::Error::Store(failure)) = error.downcast_ref() {
        return Some(failure);
    }
    error.downcast_ref().or_else(|| error.source().and_then(stored))
}

fn text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
