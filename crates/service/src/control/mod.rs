//! The rules of every resource: names, defaults, life cycles, wording. Pure: no store, no clock, no HTTP.
//!
//! One file a resource: its document, `create` (a request and a [`Stamp`] become a document or an AWS error), what changes it,
//! and `describe`/`summary` (the document as AWS shows it). All wording of AWS's errors lives here.

pub mod addresses;
pub mod alert;
pub mod async_invocation;
pub mod endpoint;
pub mod endpoint_config;
pub mod execution;
pub mod execution_plan;
pub mod job_definition;
pub mod listing;
pub mod merge;
pub mod model;
pub mod monitoring_input;
pub mod names;
pub mod pause;
pub mod processing_job;
pub mod schedule;
pub mod tags;
pub mod transform_job;

use jiff::Timestamp;
use uuid::Uuid;
use watchkeeper_aws::Time;

/// Statuses of processing and transform jobs that somebody has to carry out.
pub const UNENDED_JOBS: [&str; 2] = ["InProgress", "Stopping"];

/// The moment, place and identity that a change of state is made with.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// When.
    pub now: Timestamp,
    /// The region of the ARNs.
    pub region: String,
    /// The account of the ARNs.
    pub account: String,
    /// Source of whatever has to be unique.
    pub unique: Uuid,
}

impl Stamp {
    /// When, in the milliseconds that documents keep.
    pub fn time(&self) -> Time {
        milliseconds(self.now)
    }
}

/// A moment in the milliseconds that documents keep, so that a document is the same before and after it was stored.
pub fn milliseconds(moment: Timestamp) -> Time {
    Time(Timestamp::from_millisecond(moment.as_millisecond()).unwrap_or(moment))
}

/// The `due` of work that may be taken up as soon as it is asked for: its place in the queue, in the order of creation. A moment
/// long past, so that work which was asked for before a clock was put back does not wait until the clock has caught up.
pub fn place_in_queue(created: Time) -> i64 {
    const TEN_YEARS: i64 = 3652 * 24 * 3600 * 1000;
    created.0.as_millisecond() - TEN_YEARS
}
