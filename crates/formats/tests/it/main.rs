//! What the documents and the contract look like from outside.
#![cfg(feature = "jobs")]
#![allow(clippy::unwrap_used, missing_docs)]

mod capture;
mod clarify;
mod dataset_format;
mod exit_message;
mod goldens;
mod ground_truth;
mod java_double;
mod job_contract;
mod json_layout;
mod lenient_reading;
mod metric_line;
mod model_quality;
mod model_quality_contract;
mod overrides;
mod validation;
