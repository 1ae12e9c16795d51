//! The SDK as its users have it, against a server that plays AWS.
#![allow(clippy::unwrap_used, missing_docs)]

mod addresses;
mod any_call;
#[cfg(feature = "blocking")]
mod blocking;
mod clarify;
mod credentials;
mod documents;
mod faults;
mod files;
mod hostile;
mod image_uris;
mod inventory;
mod jobs;
#[cfg(feature = "local")]
mod local;
#[cfg(feature = "local")]
mod local_example;
mod monitors;
mod predictor;
mod requests;
#[cfg(feature = "local")]
mod scenarios;
#[cfg(feature = "aws-config")]
mod sdk_config;
mod sequences;
mod storage;
#[cfg(feature = "local")]
mod storage_of_a_service;
mod stub;
mod waiting;
