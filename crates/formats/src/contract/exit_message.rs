//! The one line that a job leaves behind, from which a service derives the status of an execution.

use std::fmt;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExitMessage {
    /// No violation, or nothing to compare with.
    Completed,
    /// The number of violations, from 1.
    CompletedWithViolations(u64),
    /// A Clarify processing job has ended well.
    XaiCompleted,
    /// Why the job failed, without the word `Error`.
    Error(String),
    /// Why a Clarify job failed, without the word `ClientError`.
    ClientError(String),
}

impl ExitMessage {
    /// Whether the job failed.
    pub const fn is_failure(&self) -> bool {
        matches!(self, Self::Error(_) | Self::ClientError(_))
    }

    /// Reads the content of a message file; None when it is none of them. Blank space around it is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, rest) = text.trim().split_once(':')?;
        match word {
            "Completed" if rest.contains("XAI") => Some(Self::XaiCompleted),
            "Completed" => Some(Self::Completed),
            "CompletedWithViolations" => {
                let mut words = rest.split_whitespace();
                let count = words.find_map(|word| word.parse().ok())?;
                Some(Self::CompletedWithViolations(count))
            }
            "Error" => Some(Self::Error(rest.trim_start().to_owned())),
            "ClientError" => Some(Self::ClientError(rest.trim_start().to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for ExitMessage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Completed => formatter.write_str("Completed: Job completed successfully with no violations."),
            Self::CompletedWithViolations(count) => {
                write!(formatter, "CompletedWithViolations: Job completed successfully with {count} violations.")
            }
            Self::XaiCompleted => formatter.write_str("Completed: SageMaker XAI Analyzer ran successfully"),
            Self::ClientError(reason) => write!(formatter, "ClientError: {reason}"),
            Self::Error(reason) => write!(formatter, "Error: {reason}"),
        }
    }
}
