//! Logs, metrics and alerts.

pub mod latest_metrics;
pub mod metric_lines;
pub mod program_log;
pub mod prometheus;
pub mod tracing_setup;
