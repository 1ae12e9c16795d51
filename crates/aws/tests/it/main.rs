//! What the crate promises, tested from outside: one binary, one module a subject.

#![allow(clippy::unwrap_used, missing_docs)]

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "operations")]
mod generated;
#[cfg(feature = "protocol")]
mod protocol;
mod signing;
#[cfg(feature = "schedules")]
mod types;
#[cfg(feature = "operations")]
mod validation;
