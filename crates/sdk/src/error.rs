//! What can go wrong, told to the person who has to do something about it.

use std::path::PathBuf;
use std::time::Duration;

use watchkeeper_aws::types::{ImageUriError, S3UriError, ScheduleExpressionError, TimeOffsetError};

/// What every call of this crate gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call gave nothing: which call, about what, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A service refused.
    #[error("{operation} of {resource}: {code}: {message}")]
    Service {
        /// The call, such as `CreateMonitoringSchedule`.
        operation: &'static str,
        /// What it was about: the name of a job, a schedule, an endpoint, or the address of an object.
        resource: String,
        /// AWS's code, such as `ResourceNotFound`.
        code: String,
        /// What the service says.
        message: String,
        /// The HTTP status.
        status: u16,
        /// For the service's log; empty when the answer has none.
        request_id: String,
    },
    /// No answer: nobody listens, the connection broke, or it took too long; the call had been tried as often as it may.
    #[error("{operation} of {resource}: {reason} (tried {attempts} times)")]
    Connection {
        /// The call.
        operation: &'static str,
        /// What it was about.
        resource: String,
        /// What the system said.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// An answer that is not what the protocol says.
    #[error("{operation} of {resource}: {reason}")]
    Answer {
        /// The call.
        operation: &'static str,
        /// What it was about.
        resource: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// No credentials, or none that are valid.
    #[error("no usable credentials: {0}")]
    Credentials(String),
    /// The session cannot be made: region, profile, address.
    #[error("the session cannot be made: {0}")]
    Session(String),
    /// What was asked for contradicts itself or lacks something; nothing was sent.
    #[error("{argument}: {reason}")]
    Argument {
        /// The parameter.
        argument: &'static str,
        /// What is wrong with it, and what to give.
        reason: String,
    },
    /// A job, an endpoint or a schedule is in a state in which this cannot be done, or came into one while it was waited for.
    #[error("{resource} is {actual_status}, not {}{}", allowed_statuses.join(" or "), failure_reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}")))]
    UnexpectedStatus {
        /// What it is: `processing job nightly`.
        resource: String,
        /// The states that would do.
        allowed_statuses: Vec<&'static str>,
        /// The state it is in.
        actual_status: String,
        /// Why it failed, as the service says.
        failure_reason: Option<String>,
    },
    /// What was waited for did not come within the time.
    #[error("{resource} is still {status} after {} seconds", after.as_secs())]
    StillWaiting {
        /// What it is.
        resource: String,
        /// The state it is in.
        status: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// A file of this machine.
    #[error("{}: {reason}", path.display())]
    File {
        /// Where it is.
        path: PathBuf,
        /// What the system says; a part of the message, and so no `source` of it.
        reason: std::io::Error,
    },
    /// A document that is none of the kind expected.
    #[error("{place}: {reason}")]
    Document {
        /// Its address, its path, or what it was made of.
        place: String,
        /// What is wrong, and where in it.
        reason: String,
    },
    /// A text that is none of what it is read as: an address of S3, an image, an offset, when a schedule runs.
    #[error("{0}")]
    Parse(String),
    /// A call from code without a runtime, made from within one.
    #[error("`block` was called within an asynchronous runtime, which would stop its thread: await the call instead")]
    WithinRuntime,
}

impl Error {
    /// AWS's code, when a service refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Service { code, .. } => Some(code),
            _ => None,
        }
    }

    /// An argument that cannot be meant.
    pub(crate) fn argument(argument: &'static str, reason: impl Into<String>) -> Self {
        Self::Argument { argument, reason: reason.into() }
    }
}

/// Lets `?` stand behind what is read from a text.
macro_rules! from_what_parses {
    ($($error:ty),+) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::Parse(error.to_string())
            }
        })+
    };
}

from_what_parses! { ImageUriError, S3UriError, ScheduleExpressionError, TimeOffsetError }

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::error::Error as _;

    use watchkeeper_aws::types::{S3Uri, TimeOffset};

    use super::{Error, Result};

    #[test]
    fn what_the_system_says_of_a_file_is_said_once() {
        let reason = std::io::Error::other("the disk is full");
        let error = Error::File { path: "train.csv".into(), reason };
        assert_eq!(error.to_string(), "train.csv: the disk is full");
        assert!(error.source().is_none(), "printers of causes would say it again");
    }

    #[test]
    fn a_question_mark_may_stand_behind_what_is_read_from_a_text() {
        fn address(text: &str) -> Result<S3Uri> {
            Ok(text.parse()?)
        }
        fn offset(text: &str) -> Result<TimeOffset> {
            Ok(text.parse()?)
        }
        assert!(address("s3://bucket/key").is_ok());
        assert!(address("bucket/key").unwrap_err().to_string().starts_with("'bucket/key' is not an S3 address"));
        assert!(offset("1H").unwrap_err().to_string().starts_with("'1H' is not an ISO 8601 duration"));
    }
}
