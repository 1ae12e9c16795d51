//! Logs: groups of streams of events.
//!
//! Events are kept in chunks, apart from documents: a talkative job delays no change of state. The events of
//! a stream have the order in which they were appended; an event keeps its number, so that reading on from a place is
//! exact. Appended events outlive the process when `append` returns; the latest may not outlive a power failure.

mod events;
pub(crate) mod tables;

pub use events::{
    EventsPage, EventsQuery, FilterQuery, FilteredPage, LogEvent, LogGroup, LogStream, Predicate, StoredEvent,
    StreamOrder, StreamPosition, StreamSelection, StreamsQuery,
};

use crate::Error;

/// The most bytes of an event's message (256 KiB).
pub const MAX_MESSAGE_BYTES: usize = 256 << 10;

/// Where logs are kept. Times are milliseconds since 1970 in UTC.
#[async_trait::async_trait]
pub trait Logs: Send + Sync {
    /// Makes a group.
    ///
    /// # Errors
    /// [`Error::LogGroupExists`].
    async fn create_group(&self, group: &str, now: i64) -> Result<(), Error>;

    /// Deletes a group with all that is in it.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`].
    async fn delete_group(&self, group: &str) -> Result<(), Error>;

    /// Groups in the order of their names: those that begin with `prefix` and are greater than `after`.
    async fn groups(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<LogGroup>, Error>;

    /// Says after how many days events of a group are removed; none: never.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`].
    async fn set_retention(&self, group: &str, days: Option<u32>) -> Result<(), Error>;

    /// Removes events that are older than the retention of their group, or than `default_days` where the group has none,
    /// some at a time, and streams that have had none for as long; gives how many of both went. None went: there are no
    /// more. What was appended together with younger events may stay until those go, an hour at most.
    async fn remove_expired(&self, now: i64, default_days: Option<u32>) -> Result<u64, Error>;

    /// Makes a stream.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`], [`Error::LogStreamExists`].
    async fn create_stream(&self, group: &str, stream: &str, now: i64) -> Result<(), Error>;

    /// Streams of a group.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`].
    async fn streams(&self, query: &StreamsQuery) -> Result<Vec<LogStream>, Error>;

    /// Appends events to a stream. `ingestion` is the time at which they came in.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`], [`Error::NoSuchLogStream`]; [`Error::LogEventTooLarge`], and nothing was appended.
    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>, ingestion: i64) -> Result<(), Error>;

    /// Events of one stream.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`], [`Error::NoSuchLogStream`], [`Error::InvalidToken`].
    async fn events(&self, group: &str, stream: &str, query: &EventsQuery) -> Result<EventsPage, Error>;

    /// Events of several streams of a group in the order of their times.
    ///
    /// # Errors
    /// [`Error::NoSuchLogGroup`], [`Error::InvalidToken`].
    async fn filter(&self, group: &str, query: FilterQuery) -> Result<FilteredPage, Error>;
}
