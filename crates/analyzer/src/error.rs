//! Why a job failed, in the words of its exit message.

use std::path::PathBuf;

/// Why a job failed. Its text is what stands behind `Error: ` in the exit message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The dataset has no records.
    #[error("No data found in dataset_source. {found}")]
    NoData {
        /// What was found instead.
        found: String,
    },
    /// The dataset cannot be read.
    #[error(transparent)]
    Data(#[from] watchkeeper_data::Error),
    /// None of the records can be measured.
    #[error(
        "No usable rows: {read}, {}{dropped} dropped, first reason: {first_reason}",
        outside.as_ref().map_or_else(String::new, |outside| format!("{outside}, "))
    )]
    NoUsableRows {
        /// How many records there were.
        read: String,
        /// How many were outside which window, if there is one.
        outside: Option<String>,
        /// How many were dropped.
        dropped: u64,
        /// Why the first one was.
        first_reason: String,
    },
    /// A label or a prediction that the problem cannot have.
    #[error(transparent)]
    Label(#[from] watchkeeper_engine::quality::LabelError),
    /// No captured record has a label.
    #[error("Job inputs had no data. {found}")]
    NothingToMerge {
        /// What was found instead.
        found: String,
    },
    /// A variable of the contract cannot be understood.
    #[error("{}", contract(.0))]
    Contract(#[from] watchkeeper_formats::Error),
    /// A baseline's constraints cannot be read.
    #[error("Could not read baseline constraints. {}: {problem}", path.display())]
    BaselineConstraints {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A baseline's statistics cannot be read.
    #[error("Could not read baseline statistics. {}: {problem}", path.display())]
    BaselineStatistics {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A bias or explainability analysis cannot be carried out as it was asked for.
    #[error(transparent)]
    Clarify(#[from] crate::clarify::ClarifyError),
    /// A user's script failed.
    #[error(transparent)]
    Script(#[from] crate::ScriptError),
    /// Results cannot be written.
    #[error("Could not write results to {}: {source}", path.display())]
    Output {
        /// Folder or file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Someone asked the job to stop.
    #[error("Stopped before the end; nothing was written.")]
    Stopped,
}

fn contract(error: &watchkeeper_formats::Error) -> String {
    match error {
        watchkeeper_formats::Error::DatasetFormat(problem) => format!("Invalid dataset_format: {problem}"),
        error => error.to_string(),
    }
}
