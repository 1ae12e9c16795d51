//! Objects in an outside S3: a real server, whose address is in `WATCHKEEPER_TEST_S3` (and a key to it, where it wants a certain
//! one, in `WATCHKEEPER_TEST_S3_ACCESS_KEY_ID` and `WATCHKEEPER_TEST_S3_SECRET_ACCESS_KEY`).
//!
//! The tests share the server, so that each has buckets of its own.

mod faults;
mod interposer;
mod other_clients;
mod sealing;

use futures::StreamExt as _;
use tempfile::TempDir;
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::Credentials;
use watchkeeper_store::objects::{ObjectAttributes, Precondition, Staging, read_all};
use watchkeeper_store::{Error, S3Settings, Store, StoreSettings};

use crate::bytes;
use crate::conformance::{OUTSIDE, listing, objects, uploads};

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

/// The server of these tests.
pub(crate) fn server() -> S3Settings {
    S3Settings {
        endpoint_url: std::env::var("WATCHKEEPER_TEST_S3").expect("WATCHKEEPER_TEST_S3 has the address of a server"),
        region: "us-east-1".to_owned(),
        access_key_id: variable("WATCHKEEPER_TEST_S3_ACCESS_KEY_ID", "test"),
        secret_access_key: variable("WATCHKEEPER_TEST_S3_SECRET_ACCESS_KEY", "testtest"),
    }
}

/// A store whose objects are there.
async fn store_at(server: S3Settings) -> (TempDir, Store) {
    let (folder, store) = open(server).await;
    (folder, store.unwrap())
}

async fn open(server: S3Settings) -> (TempDir, Result<Store, Error>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings { outside_s3: Some(server), ..StoreSettings::in_directory(folder.path()) };
    let store = Store::open_with(&settings).await;
    (folder, store)
}

/// Another client of the server.
fn client() -> Client {
    let S3Settings { endpoint_url, region, access_key_id, secret_access_key } = server();
    let credentials = Credentials { access_key_id, secret_access_key, session_token: None };
    Client::new(&endpoint_url, credentials, &region).unwrap()
}

/// A new bucket.
async fn bucket(store: &Store, name: &str) {
    store.objects.create_bucket(name, "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn conformance_of_objects() {
    let (_folder, store) = store_at(server()).await;
    objects::all(&store.objects, OUTSIDE).await;
    uploads::all(&store.objects, OUTSIDE).await;
}

#[test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
fn conformance_of_listings() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_folder, store) = runtime.block_on(store_at(server()));
    runtime.block_on(listing::of_many_entries(&store.objects));
    listing::agrees_with_a_naive_model(&runtime, &store.objects);
}

/// What is too large for the memory is in the data directory on its way, and gone afterwards.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn large_bodies() {
    let (folder, store) = store_at(server()).await;
    bucket(&store, "large-bodies").await;
    let content = bytes(1, 40_000_001);
    let put = store.objects.put(
        "large-bodies",
        "k",
        ObjectAttributes::default(),
        objects::in_pieces(&content, 100_000),
        Precondition::None,
    );
    let info = put.await.unwrap();
    assert_eq!(info.size, 40_000_001);
    let (_, body) = store.objects.get("large-bodies", "k", None).await.unwrap().unwrap();
    assert!(read_all(body).await.unwrap() == content);
    assert_eq!(std::fs::read_dir(folder.path().join("outgoing")).unwrap().count(), 0);
    for staging in [Staging::Link, Staging::Copy] {
        let path = folder.path().join(format!("{staging:?}"));
        store.objects.stage("large-bodies", "k", &path, staging).await.unwrap();
        assert!(std::fs::read(&path).unwrap() == content);
        let again = store.objects.stage("large-bodies", "k", &path, staging).await;
        assert!(matches!(again, Err(Error::File { .. })), "a file that exists is not overwritten");
        assert!(std::fs::read(&path).unwrap() == content);
    }
    let missing = store.objects.stage("large-bodies", "none", &folder.path().join("none"), Staging::Link).await;
    assert!(matches!(missing, Err(Error::NoSuchKey { .. })));
    let no_folder = store.objects.stage("large-bodies", "k", &folder.path().join("none/file"), Staging::Link).await;
    assert!(matches!(no_folder, Err(Error::File { .. })));
    // A body that breaks off leaves nothing either.
    let broken = futures::stream::iter([Ok(::bytes::Bytes::from(content)), Err(std::io::Error::other("gone"))]).boxed();
    let put = store.objects.put("large-bodies", "k", ObjectAttributes::default(), broken, Precondition::None);
    assert!(matches!(put.await, Err(Error::Body(_))));
    assert_eq!(std::fs::read_dir(folder.path().join("outgoing")).unwrap().count(), 0);
    assert_eq!(store.objects.head("large-bodies", "k").await.unwrap().unwrap().etag, info.etag);
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn ready() {
    let (_folder, store) = store_at(server()).await;
    store.objects.ready().await.unwrap();
}
