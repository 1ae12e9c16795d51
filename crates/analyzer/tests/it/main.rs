//! The analyzers as their callers see them.
#![allow(clippy::unwrap_used, missing_docs)]

mod goldens;
mod merge;
mod model_quality;
mod report;
mod scripts;
