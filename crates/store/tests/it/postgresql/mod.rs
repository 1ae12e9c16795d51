//! `PostgreSQL`, beyond what the conformance suites ask of every database: processes that share it, and what goes wrong.

mod cut_off;
mod database;
mod encryption;
mod opening;
mod plans;
mod restarts;
mod sharing;

pub(crate) use database::TestDatabase;

use watchkeeper_store::metadata::{Columns, Document, Kind};

fn document(kind: Kind, key: &str) -> Document {
    Document { kind, key: key.to_owned(), version: 0, columns: Columns::default(), body: "{}".into() }
}
