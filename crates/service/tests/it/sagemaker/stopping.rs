//! A request to stop a job that meets a runner taking the job up: whoever is faster, the request is not lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::ProcessingJobStatus;
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::resources::{Resources, Transaction};
use watchkeeper_store::Error;
use watchkeeper_store::metadata::{
    Change, CommitError, Datum, Document, Kind, MetadataStore, MetricFilter, MetricSeries, Query, SeriesQuery,
};

use super::{Api, job_request};

const RUNNER: &str = "runner";
/// A claim that outlasts the test.
const CLAIMED_UNTIL: i64 = i64::MAX / 2;

/// A store in which a runner takes up a job just before somebody else's change of it is committed.
struct TakenUpFirst {
    store: Arc<dyn MetadataStore>,
    is_taken_up: AtomicBool,
}

impl TakenUpFirst {
    async fn take_up(&self) {
        let resources = Resources::new(Arc::clone(&self.store));
        let claimed = resources.claim::<ProcessingJob>(&[], RUNNER, i64::MAX / 2, CLAIMED_UNTIL, 1).await.unwrap();
        let [job] = claimed.as_slice() else { panic!("{} jobs were claimed", claimed.len()) };
        let counted = ProcessingJob { attempts: job.resource.attempts + 1, ..job.resource.clone() };
        let transaction = Transaction::new().update_claimed(&counted, job.version, RUNNER, CLAIMED_UNTIL);
        resources.commit(transaction).await.unwrap();
    }
}

#[async_trait::async_trait]
impl MetadataStore for TakenUpFirst {
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
        let changes_job = changes
            .iter()
            .any(|change| matches!(change, Change::Update(document) if document.kind == Kind::ProcessingJob));
        if changes_job && !self.is_taken_up.swap(true, Ordering::SeqCst) {
            self.take_up().await;
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

    async fn changed_elsewhere(&self) -> Vec<Kind> {
        self.store.changed_elsewhere().await
    }
}

#[tokio::test]
async fn a_job_that_is_taken_up_meanwhile_is_asked_to_stop() {
    let api = Api::over(|store| Arc::new(TakenUpFirst { store, is_taken_up: AtomicBool::new(false) })).await;
    api.ok("CreateProcessingJob", job_request("Nightly")).await;
    api.ok("StopProcessingJob", json!({ "ProcessingJobName": "Nightly" })).await;
    let document = api.context.resources.store().get(Kind::ProcessingJob, "nightly").await.unwrap().unwrap();
    let job: ProcessingJob = serde_json::from_str(&document.body).unwrap();
    assert_eq!((job.status, job.attempts), (ProcessingJobStatus::Stopping, 1));
    assert_eq!((document.columns.claimed_by.as_str(), document.columns.claimed_until), (RUNNER, CLAIMED_UNTIL));
}
