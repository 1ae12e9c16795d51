//! The errors of the services, as clients see them: a code, a text and a status.

use std::fmt;

use serde_json::{Map, Value};

/// An answer of a service that is an error.
///
/// The wording is that of AWS and is made where the rule is (in `service`); the protocols only write it down.
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    /// What clients test by name: `ResourceNotFound`, `ValidationException`, ...
    pub code: String,
    /// What people read.
    pub message: String,
    /// The HTTP status; 400 unless told otherwise.
    pub status: u16,
    /// Further members of the error's shape, by their names on the wire. Few errors have any, hence the box.
    pub members: Box<Map<String, Value>>,
}

impl Error {
    /// An error of the caller's making, status 400.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status: 400, members: Box::default() }
    }

    /// The same error under another HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// `ValidationException`: the request breaks a rule.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// `ResourceNotFound`: SageMaker's code for schedules and definitions that are not there.
    pub fn resource_not_found(message: impl Into<String>) -> Self {
        Self::new("ResourceNotFound", message)
    }

    /// `ResourceInUse`: the name is taken.
    pub fn resource_in_use(message: impl Into<String>) -> Self {
        Self::new("ResourceInUse", message)
    }

    /// `ResourceLimitExceeded`: more than is allowed.
    pub fn resource_limit_exceeded(message: impl Into<String>) -> Self {
        Self::new("ResourceLimitExceeded", message)
    }

    /// `ConflictException`: somebody else changed the resource at the same time.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new("ConflictException", message)
    }

    /// `UnknownOperationException`, naming the operation: clients show it, and nothing hangs.
    pub fn unknown_operation(operation: &str) -> Self {
        Self::new("UnknownOperationException", format!("the operation {operation} is not supported"))
    }

    /// `InternalFailure`, status 500. What went wrong belongs into the log, not into the answer.
    pub fn internal() -> Self {
        Self::new("InternalFailure", "the request could not be processed because of an internal failure")
            .with_status(500)
    }

    /// `ThrottlingException`: too much at once, try again.
    pub fn throttling(message: impl Into<String>) -> Self {
        Self::new("ThrottlingException", message)
    }

    /// `SerializationException`: the body cannot be read as the operation's input.
    #[cfg(feature = "operations")]
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}
