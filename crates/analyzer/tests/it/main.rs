//! The analyzers as their callers see them.
#![allow(clippy::unwrap_used, missing_docs)]

mod clarify;
mod goldens;
mod merge;
mod model_quality;
mod predictor;
mod report;
mod scripts;
