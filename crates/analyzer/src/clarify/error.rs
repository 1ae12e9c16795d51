//! Why an analysis cannot be carried out as it was asked for.

use std::path::PathBuf;

use watchkeeper_data::table::TableError;
use watchkeeper_engine::bias::BiasError;
use watchkeeper_engine::prediction::NotAPrediction;
use watchkeeper_engine::shap::BackgroundError;
use watchkeeper_formats::clarify::ConfigError;

use super::scoring::FailedRows;
use crate::predictor::PredictorError;

/// Why an analysis cannot be carried out. The texts stand behind `ClientError: ` in the exit message.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClarifyError {
    /// The configuration cannot be understood.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration's file cannot be read.
    #[error("Unable to load analysis configuration as JSON. {}: {source}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// The configuration asks for what does not go together with itself, the data or this machine.
    #[error("{0}")]
    Refused(String),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Bias cannot be measured.
    #[error(transparent)]
    Bias(#[from] BiasError),
    /// There can be no background rows.
    #[error(transparent)]
    Background(#[from] BackgroundError),
    /// Answers or given predictions are neither labels nor scores.
    #[error(transparent)]
    Prediction(#[from] NotAPrediction),
    /// The model cannot be asked.
    #[error(transparent)]
    Predictor(PredictorError),
    /// The model failed on some rows.
    #[error(transparent)]
    FailedRows(FailedRows),
}

impl From<PredictorError> for crate::Error {
    fn from(error: PredictorError) -> Self {
        match error {
            PredictorError::Stopped => Self::Stopped,
            error => Self::Clarify(ClarifyError::Predictor(error)),
        }
    }
}

/// An error in words.
pub(super) fn refused(text: impl Into<String>) -> crate::Error {
    ClarifyError::Refused(text.into()).into()
}
