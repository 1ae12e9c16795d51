//! Tests of the engine through its public face.

#![allow(clippy::unwrap_used, missing_docs)]

mod categories;
mod distinct_count;
mod moments;
mod profile;
mod quality;
mod quantile_sketch;
mod samples;
