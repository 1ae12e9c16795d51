//! Everything of Watchkeeper that is on the wire.
//!
//! Names that parse (`types`), the operations of the services with their shapes and limits (`generated`, one trait a
//! service), what is checked before an operation sees its input (`validation`), errors with AWS's codes, signatures
//! (`signing`), and behind features the server's side of every protocol (`protocol`) and a small client (`client`).
//!
//! Promises: what reaches an implementation of a trait keeps to the model; no input, however broken, ends in a panic or
//! in memory without bound; an answer reads as AWS's does. Decided against: the official SDK's crates, which cost
//! minutes to compile and know only the client's side.

pub mod generated;
pub mod model;
#[cfg(feature = "protocol")]
pub mod protocol;
pub mod signing;
pub mod types;

#[cfg(feature = "client")]
pub mod client;

mod blob;
mod call;
mod dispatch;
mod enumeration;
mod error;
mod time;
mod validation;

pub use call::Call;
pub use error::Error;
pub use time::Time;
