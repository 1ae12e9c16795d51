//! Models at work: endpoints that are deployed and asked, what passes through them captured, and batch transform jobs.
//!
//! [`endpoints`] makes [`Deployment`]s of the endpoints in the store and keeps them; [`invocation`] takes a request to one
//! and its answer back; [`capture`] writes what passed into objects; [`transform`] asks a model about whole objects. All of
//! them ask a [`model::ModelServer`], whatever stands behind it.

pub mod capture;
mod deploying;
mod deployment;
mod endpoints;
pub mod front;
pub mod invocation;
pub mod model;
pub mod traffic;
pub mod transform;

pub use deployment::{Deployment, Origin, Variant};
pub use endpoints::{Found, Hosting};
pub use traffic::Traffic;
