//! `PostgreSQL`, beyond what the conformance suites ask of every database: processes that share it, and what goes wrong.

mod cut_off;
mod database;
mod encryption;
mod opening;
mod plans;
mod restarts;
mod sharing;

pub(crate) use database::TestDatabase;

use crate::document;
