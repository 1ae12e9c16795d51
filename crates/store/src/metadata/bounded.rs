//! Documents and metrics that stop growing before the disk is full.

use std::sync::Arc;

use super::{
    Change, CommitError, Datum, Document, Kind, MetadataStore, MetricFilter, MetricSeries, Query, SeriesQuery,
};
use crate::Error;
use crate::disk::Disk;

/// Documents and metrics on the disk of the data directory. What only adds is refused where there is no room for it; what
/// changes or removes something, and what the service itself has to note down, is not.
pub(crate) struct BoundedMetadata {
    store: Arc<dyn MetadataStore>,
    disk: Arc<Disk>,
}

impl BoundedMetadata {
    pub(crate) fn new(store: Arc<dyn MetadataStore>, disk: Arc<Disk>) -> Self {
        Self { store, disk }
    }
}

/// Whether a change adds something that is asked for, and not noted down.
fn only_adds(change: &Change) -> bool {
    match change {
        Change::Insert(document) => !matches!(document.kind, Kind::Execution | Kind::Setting | Kind::AccessKey),
        Change::PutMetrics(_) => true,
        Change::Update(_) | Change::Delete { .. } => false,
    }
}

#[async_trait::async_trait]
impl MetadataStore for BoundedMetadata {
    async fn get(&self, kind: Kind, key: &str) -> Result<Option<Document>, Error> {
        self.store.get(kind, key).await
    }

    async fn list(&self, kind: Kind, query: &Query) -> Result<Vec<Document>, Error> {
        self.store.list(kind, query).await
    }

    async fn count(&self, kind: Kind, query: &Query) -> Result<u64, Error> {
        self.store.count(kind, query).await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<(), CommitError> {
        if changes.iter().all(only_adds) {
            self.disk.check(0)?;
        }
        self.store.commit(changes).await
    }

    async fn claim(
        &self,
        kind: Kind,
        statuses: &[&str],
        owner: &str,
        until: i64,
        now: i64,
        limit: usize,
    ) -> Result<Vec<Document>, Error> {
        self.store.claim(kind, statuses, owner, until, now, limit).await
    }

    async fn next_due(&self, kind: Kind) -> Result<Option<i64>, Error> {
        self.store.next_due(kind).await
    }

    async fn list_metrics(&self, filter: &MetricFilter) -> Result<Vec<MetricSeries>, Error> {
        self.store.list_metrics(filter).await
    }

    async fn metric_data(&self, query: &SeriesQuery) -> Result<Vec<Datum>, Error> {
        self.store.metric_data(query).await
    }

    async fn remove_metrics_before(&self, before: i64) -> Result<u64, Error> {
        self.store.remove_metrics_before(before).await
    }

    async fn now(&self) -> Result<Option<i64>, Error> {
        self.store.now().await
    }

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        self.store.changed_elsewhere().await
    }
}
