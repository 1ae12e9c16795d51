//! Tests of the engine through its public face.

#![allow(clippy::unwrap_used, missing_docs)]

mod bias;
mod categories;
mod distinct_count;
mod moments;
mod prediction;
mod profile;
mod quality;
mod quantile_sketch;
mod samples;
mod shap;
mod table;
