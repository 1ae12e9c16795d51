//! The service's parts with a real store and real processes.

#![allow(clippy::unwrap_used, missing_docs)]

mod capture;
mod endpoints;
mod invocation;
mod models;
mod retention;
mod runner;
mod sagemaker;
mod scheduler;
mod server;
mod small_services;
mod transform;
