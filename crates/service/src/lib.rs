//! The service: what answers as AWS does on one port and really does the work.
//!
//! A request goes `server` (listener, signature, routing) → `aws::protocol` (bytes to typed calls) → `api` (one file per
//! AWS trait: loads, asks `control`, commits) → `control` (pure: rules, wording, life cycles). What takes time happens
//! behind the store: `scheduler` makes executions of ticks, `runner` makes results of jobs, both by claiming documents, so
//! that a process that dies leaves work that another takes up; `hosting` serves models, captures what passes and carries
//! out transform jobs. Both run `program`s. `telemetry` carries logs, metrics and alerts.

pub mod api;
pub mod configuration;
pub mod context;
pub mod control;
pub mod hosting;
mod lanes;
mod named_objects;
mod own_wakes;
mod patience;
pub mod pieces;
pub mod processes;
pub mod program;
pub mod resources;
pub mod retention;
pub mod runner;
pub mod scheduler;
pub mod server;
pub mod telemetry;
mod watch;

pub use configuration::Configuration;
pub use context::Context;
pub use server::Service;
