//! What every implementation of the store's traits must do. Each suite is a function of the trait object; here they run
//! on the implementations that there are.

mod documents;
pub(crate) mod listing;
mod logs;
pub(crate) mod metrics;
pub(crate) mod objects;
pub(crate) mod uploads;

use std::time::Duration;

use watchkeeper_store::objects::ObjectInfo;

use crate::new_store;
use crate::postgresql::TestDatabase;

/// What implementations of `Objects` differ in, and their documentation says so. What is not named here all of them do alike.
#[derive(Clone, Copy)]
pub(crate) struct Differences {
    /// Times are those of this machine, in milliseconds; else those of another one, in whole seconds.
    pub(crate) exact_times: bool,
    /// A deletion tells whether there was an object; else only that there is none now.
    pub(crate) tells_what_was_deleted: bool,
    /// The checksums that a completion of an upload is given are kept.
    pub(crate) keeps_checksums_of_uploads: bool,
}

/// Objects in the data directory.
pub(crate) const EMBEDDED: Differences =
    Differences { exact_times: true, tells_what_was_deleted: true, keeps_checksums_of_uploads: true };
/// Objects in an outside S3.
pub(crate) const OUTSIDE: Differences =
    Differences { exact_times: false, tells_what_was_deleted: false, keeps_checksums_of_uploads: false };

impl Differences {
    /// Whether two answers are about the same object.
    pub(crate) fn assert_same(self, left: &ObjectInfo, right: &ObjectInfo) {
        if self.exact_times {
            return assert_eq!(left, right);
        }
        let apart = left.modified.duration_since(right.modified).unsigned_abs();
        assert!(apart <= Duration::from_secs(2), "{} {}", left.modified, right.modified);
        assert_eq!(left, &ObjectInfo { modified: left.modified, ..right.clone() });
    }

    /// Whether the answer to a deletion is this, where there were such objects and others.
    pub(crate) fn assert_deleted(self, told: &[bool], there_was: &[bool]) {
        let all = vec![true; there_was.len()];
        assert_eq!(told, if self.tells_what_was_deleted { there_was } else { all.as_slice() });
    }
}

#[tokio::test]
async fn metadata_of_sqlite() {
    let (_folder, store) = new_store().await;
    documents::all(&store.metadata).await;
    metrics::all(&store.metadata).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn metadata_of_postgresql() {
    let database = TestDatabase::create().await;
    let (_folder, store) = database.open().await;
    documents::all(&store.metadata).await;
    metrics::all(&store.metadata).await;
}

#[tokio::test]
async fn embedded_objects() {
    let (_folder, store) = new_store().await;
    objects::all(&store.objects, EMBEDDED).await;
    uploads::all(&store.objects, EMBEDDED).await;
}

#[test]
fn listings_of_embedded_objects() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_folder, store) = runtime.block_on(new_store());
    runtime.block_on(listing::of_many_entries(&store.objects));
    listing::agrees_with_a_naive_model(&runtime, &store.objects);
}

#[tokio::test]
async fn logs_of_sqlite() {
    let (_folder, store) = new_store().await;
    logs::all(&store.logs).await;
}

#[tokio::test]
#[ignore = "needs PostgreSQL: cargo xtask test --only backends"]
async fn logs_of_postgresql() {
    let database = TestDatabase::create().await;
    let (_folder, store) = database.open().await;
    logs::all(&store.logs).await;
}
