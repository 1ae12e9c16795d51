//! What can be wrong with a document or with the variables of a job.

/// Everything this crate refuses. The texts are for the operator of a job: they say what is wrong, where, and what is
/// expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text is not JSON, or a value in it has the wrong type. The message ends with line and column,
    /// unless it is about the document as a whole.
    #[error("{}{message}", if path.is_empty() { String::new() } else { format!("{path}: ") })]
    Document {
        /// Where in the document, such as `features[3].completeness`; empty for the document as a whole.
        path: String,
        /// What is wrong and what is expected, then `at line L column C` (columns in bytes).
        message: String,
    },
    /// The document reads well, but its numbers contradict each other or their limits.
    #[error("{place}: {problem}")]
    Invalid {
        /// The feature and the field, or the field of `monitoring_config`.
        place: String,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// A word that is not one of a fixed set.
    #[error("`{value}` is not one of {expected}")]
    UnknownName {
        /// The word as given.
        value: String,
        /// The accepted words, separated by commas.
        expected: String,
    },
    /// `dataset_format` is missing or not understood. The text is shown after `Error: Invalid dataset_format: `.
    #[error("{0}")]
    DatasetFormat(String),
    /// A variable of the job contract is not set but required.
    #[error("variable {name} is not set, expected {expected}")]
    MissingVariable {
        /// The variable.
        name: &'static str,
        /// What it must hold.
        expected: &'static str,
    },
    /// A variable of the job contract has a value that is not understood.
    #[error("variable {name} is `{value}`, expected {expected}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value as given.
        value: String,
        /// What it must hold.
        expected: String,
    },
    /// The processing job configuration file is not understood.
    #[error("processing job configuration: {0}")]
    ProcessingJobConfig(Box<Error>),
}
