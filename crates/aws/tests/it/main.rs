//! What the crate promises, tested from outside: one binary, one module a subject.

#![allow(clippy::unwrap_used, missing_docs)]

#[cfg(feature = "client")]
mod client;
mod generated;
#[cfg(feature = "protocol")]
mod protocol;
mod signing;
mod types;
mod validation;
