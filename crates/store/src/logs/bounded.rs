//! Logs that stop growing before the disk is full.

use std::sync::Arc;

use super::{EventsPage, EventsQuery, FilterQuery, FilteredPage, LogEvent, LogGroup, LogStream, Logs, StreamsQuery};
use crate::disk::Disk;
use crate::error::Error;

/// Logs on the disk of the data directory.
pub(crate) struct BoundedLogs {
    logs: Arc<dyn Logs>,
    disk: Arc<Disk>,
}

impl BoundedLogs {
    pub(crate) fn new(logs: Arc<dyn Logs>, disk: Arc<Disk>) -> Self {
        Self { logs, disk }
    }
}

#[async_trait::async_trait]
impl Logs for BoundedLogs {
    async fn create_group(&self, group: &str, now: i64) -> Result<(), Error> {
        self.disk.check(0)?;
        self.logs.create_group(group, now).await
    }

    async fn delete_group(&self, group: &str) -> Result<(), Error> {
        self.logs.delete_group(group).await
    }

    async fn groups(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<LogGroup>, Error> {
        self.logs.groups(prefix, after, limit).await
    }

    async fn set_retention(&self, group: &str, days: Option<u32>) -> Result<(), Error> {
        self.logs.set_retention(group, days).await
    }

    async fn remove_expired(&self, now: i64, default_days: Option<u32>) -> Result<u64, Error> {
        self.logs.remove_expired(now, default_days).await
    }

    async fn create_stream(&self, group: &str, stream: &str, now: i64) -> Result<(), Error> {
        self.disk.check(0)?;
        self.logs.create_stream(group, stream, now).await
    }

    async fn streams(&self, query: &StreamsQuery) -> Result<Vec<LogStream>, Error> {
        self.logs.streams(query).await
    }

    async fn append(&self, group: &str, stream: &str, events: Vec<LogEvent>, ingestion: i64) -> Result<(), Error> {
        self.disk.check(events.iter().map(|event| event.message.len() as u64).sum())?;
        self.logs.append(group, stream, events, ingestion).await
    }

    async fn events(&self, group: &str, stream: &str, query: &EventsQuery) -> Result<EventsPage, Error> {
        self.logs.events(group, stream, query).await
    }

    async fn filter(&self, group: &str, query: FilterQuery) -> Result<FilteredPage, Error> {
        self.logs.filter(group, query).await
    }
}
