//! Logs, metrics and alerts.

pub mod job_log;
pub mod latest_metrics;
pub mod metric_lines;
pub mod prometheus;
pub mod tracing_setup;
