//! Documents: the state of every resource, with the metrics that belong to it.
//!
//! A document is a row: key columns that lists filter and sort by, and the resource itself as JSON text, which is opaque
//! here. There is one table for each kind. Every change is a compare-and-swap on the document's version, and any number
//! of changes are one transaction: what follows from a change of state (execution, job, alert, metric) is there together
//! with it or not at all.
//!
//! Leases are documents too: [`MetadataStore::claim`] hands out what is due to one owner for a while.

mod document;
mod metrics;
mod query;
pub(crate) mod tables;

pub use document::{Change, Columns, CommitError, Document, Kind};
pub use metrics::{Datum, MetricFilter, MetricSeries, SeriesQuery};
pub use query::{Position, Query, Range, SortBy};

use crate::Error;

/// Where documents and metrics are kept.
///
/// What a successful `commit` or `claim` wrote is durable when it returns, and every later read sees it.
#[async_trait::async_trait]
pub trait MetadataStore: Send + Sync {
    /// The document of this key.
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error>;

    /// The documents that meet every condition, in the query's order. The order is total: ties are broken by key.
    async fn list(&self, kind: Kind, query: &Query) -> Result<Vec<Document>, Error>;

    /// How many documents meet the conditions; `after` and `limit` do not count.
    async fn count(&self, kind: Kind, query: &Query) -> Result<u64, Error>;

    /// Makes all changes in one transaction, or none.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] names the first change that met another state than its caller had read.
    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommitError>;

    /// Claims documents for `owner` until `until`: those with `due <= now` and one of the statuses (none: any), that
    /// nobody has claimed, or whose claim ran out (`claimed_until <= now`), or that `owner` has already. The longest due
    /// come first. They are returned as they are stored now, with their new version.
    async fn claim(
        &self,
        kind: Kind,
        statuses: &[&str],
        owner: &str,
        until: i64,
        now: i64,
        limit: usize,
    ) -> Result<Vec<Document>, Error>;

    /// The earliest moment a document of this kind is due at, claimed or not: when it is worth claiming again.
    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, Error>;

    /// The series that there are data of, in the order in which they were first seen.
    async fn list_metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error>;

    /// The data of one series, in the order of time.
    async fn metric_data(&self, query: &SeriesQuery) -> Result<Vec<Datum>, Error>;

    /// Removes data of metrics that are older than `before`, some at a time, and series that have none left; gives how
    /// many data went. None went: there are no more.
    async fn remove_metrics_before(&self, before: i64) -> Result<u64, Error>;

    /// This moment, in milliseconds since 1970, by the clock that all who share the store go by; None where nobody shares it.
    async fn now(&self) -> Result<Option<i64>, Error> {
        Ok(None)
    }

    /// Waits until another process has changed documents of the same store, and says of which kinds; some of them may be
    /// this process's own changes. Where no other process can, this never returns.
    ///
    /// It is for one waiter, and for quick answers: a process that dies right after its commit has told nobody.
    async fn changed_elsewhere(&self) -> Vec<Kind>;
}
