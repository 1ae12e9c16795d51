//! The built program as its users meet it: arguments and an environment in; files, texts and an exit status out.

#![allow(clippy::unwrap_used, missing_docs)]

mod bad_baselines;
mod bad_input;
mod clarify;
mod commands;
mod constraints;
mod contract;
mod datasets;
mod demo;
mod ingest;
mod job;
mod job_failures;
mod labels;
mod metrics;
mod operators;
mod output;
mod outside_s3;
mod processes;
mod program;
mod proxy;
mod quality;
mod quality_merge;
mod runner;
mod running;
mod scripts;
mod sdk;
mod serve;
mod service;
mod signals;
mod terminals;
mod traffic;
