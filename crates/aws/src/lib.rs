//! Everything of Watchkeeper that is on the wire.
//!
//! Names that parse (`types`), errors with AWS's codes, signatures (`signing`). Behind features, as a client needs few of them:
//! the operations of the services with their shapes and limits (`generated`, one trait a service) and what is checked before
//! an operation sees its input (`validation`), the moments at which schedules run, the server's side of every protocol
//! (`protocol`), a small client (`client`), and the XML that both need (`xml`).
//!
//! Promises: what reaches an implementation of a trait keeps to the model; no input, however broken, ends in a panic or
//! in memory without bound; an answer reads as AWS's does. Decided against: the official SDK's crates, which cost
//! minutes to compile and know only the client's side.

#[cfg(feature = "operations")]
pub mod generated;
#[cfg(feature = "operations")]
pub mod model;
#[cfg(feature = "protocol")]
pub mod protocol;
pub mod signing;
pub mod types;

#[cfg(feature = "client")]
pub mod client;
#[cfg(any(feature = "client", feature = "protocol"))]
pub mod xml;

#[cfg(feature = "operations")]
mod blob;
#[cfg(feature = "operations")]
mod call;
#[cfg(feature = "operations")]
mod dispatch;
#[cfg(feature = "operations")]
mod enumeration;
mod error;
mod time;
#[cfg(feature = "operations")]
mod validation;

#[cfg(feature = "operations")]
pub use call::Call;
pub use error::Error;
pub use time::Time;
