//! Data directories of earlier versions, each as the program left it at one number of its migrations: made by
//! `fixtures/data-directories/make.py`.

use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use tempfile::TempDir;
use watchkeeper_store::keys::access_key_context;
use watchkeeper_store::keys::rotation::rotate_master_key;
use watchkeeper_store::metadata::{Change, Kind, MetricFilter, Query};
use watchkeeper_store::objects::{ListObjects, ObjectAttributes, Precondition, body, read_all};
use watchkeeper_store::{Error, Store, StoreSettings, backup};

/// The number before which there was not yet what is looked for.
const METRICS: u32 = 2;
const OBJECTS: u32 = 4;

fn fixtures() -> Vec<(u32, PathBuf)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/data-directories");
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let number = path.file_name()?.to_str()?.strip_suffix(".tar.gz")?.parse().ok()?;
            Some((number, path))
        })
        .collect();
    found.sort();
    found
}

fn unpacked(archive: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let content = flate2::read::GzDecoder::new(std::fs::File::open(archive).unwrap());
    tar::Archive::new(content).unpack(folder.path()).unwrap();
    folder
}

async fn object(store: &Store, key: &str) -> Vec<u8> {
    let (_, body) = store.objects.get("fixture", key, None).await.unwrap().unwrap();
    read_all(body).await.unwrap()
}

/// Everything that the script has made is there.
async fn check(store: &Store, number: u32) {
    for kind in [Kind::Model, Kind::EndpointConfig, Kind::MonitoringSchedule] {
        assert_eq!(store.metadata.count(kind, &Query::default()).await.unwrap(), 1, "{kind:?}");
    }
    assert_eq!(store.metadata.count(Kind::EncryptionKey, &Query::default()).await.unwrap(), 2);
    for document in store.metadata.list(Kind::AccessKey, &Query::default()).await.unwrap() {
        let body: serde_json::Value = serde_json::from_str(&document.body).unwrap();
        let sealed = body["sealed_secret"].as_str().unwrap();
        let secret = store.keys.open_sealed(sealed, &access_key_context(&document.key)).unwrap();
        assert_eq!(secret.len(), 40, "as long as AWS's");
    }
    let groups = store.logs.groups("/fixture", None, 10).await.unwrap();
    assert_eq!((groups.len(), groups[0].retention_days), (1, None));
    if number >= METRICS {
        let listed = store.metadata.list_metrics(&MetricFilter::default()).await.unwrap();
        assert!(listed.iter().any(|series| series.namespace == "Fixture"), "{listed:?}");
    }
    if number >= OBJECTS {
        assert_eq!(object(store, "small").await, b"small ".repeat(20));
        assert_eq!(object(store, "small secret").await, b"small ".repeat(20));
        assert!(object(store, "large").await == b"large ".repeat(12_000));
        assert!(object(store, "large secret").await == b"large ".repeat(12_000));
        let head = store.objects.head("fixture", "small").await.unwrap().unwrap();
        assert_eq!(head.attributes.metadata.get("made").map(String::as_str), Some("by the fixture"));
        let uploads = store.objects.list_uploads(&uploads()).await.unwrap().uploads;
        assert_eq!(uploads.len(), 1);
    }
}

fn uploads() -> watchkeeper_store::objects::ListUploads {
    watchkeeper_store::objects::ListUploads { bucket: "fixture".to_owned(), limit: 10, ..Default::default() }
}

/// What is there can be worked with: keys have further materials, and what is new is beside what is old.
async fn work(store: &Store, number: u32) {
    let mut keys = store.metadata.list(Kind::EncryptionKey, &Query::default()).await.unwrap();
    let leaving = keys.iter().position(|key| key.columns.status == "PendingDeletion").unwrap();
    let due = keys.remove(leaving).columns.due;
    assert!(due.is_some_and(|due| due > 1_700_000_000_000), "its deletion is due by itself: {due:?}");
    let mut key = keys.remove(0);
    let mut body_of_key: serde_json::Value = serde_json::from_str(&key.body).unwrap();
    assert_eq!(body_of_key.get("material").and_then(serde_json::Value::as_i64).unwrap_or(1), 1);
    body_of_key["material"] = 2.into();
    key.body = body_of_key.to_string();
    let id = key.key.clone();
    store.metadata.commit(vec![Change::Update(key)]).await.unwrap();
    if number < OBJECTS {
        store.objects.create_bucket("fixture", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    }
    let attributes = ObjectAttributes { kms_key_id: Some(id), ..ObjectAttributes::default() };
    for size in [100, 100_000] {
        let content = crate::bytes(7, size);
        let name = format!("new {size}");
        let put = store.objects.put("fixture", &name, attributes.clone(), body(content.clone()), Precondition::None);
        put.await.unwrap();
        assert!(object(store, &name).await == content);
    }
    let list = ListObjects { bucket: "fixture".to_owned(), limit: 10, ..Default::default() };
    assert_eq!(store.objects.list(&list).await.unwrap().objects.len(), if number < OBJECTS { 2 } else { 6 });
}

#[tokio::test]
async fn every_earlier_version_is_taken_over() {
    let fixtures = fixtures();
    let numbers: Vec<u32> = fixtures.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (1..=newest_migration()).collect::<Vec<_>>(), "each migration has its fixture");
    for (number, archive) in fixtures {
        let folder = unpacked(&archive);
        let store = Store::open(folder.path()).await.unwrap_or_else(|error| panic!("{number}: {error}"));
        check(&store, number).await;
        work(&store, number).await;
        store.close().await;
        // Once taken over it is one of today's.
        let store = Store::open(folder.path()).await.unwrap();
        check(&store, number).await;
        let elsewhere = tempfile::tempdir().unwrap();
        let (file, target) = (elsewhere.path().join("backup.tar"), elsewhere.path().join("data"));
        let taken = store.backups.begin(true, "test", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
        std::fs::write(&file, read_all(taken.into_body()).await.unwrap()).unwrap();
        store.close().await;
        backup::restore(&file, &target).await.unwrap();
        rotate_master_key(&StoreSettings::in_directory(&target), None).await.unwrap();
        check(&Store::open(&target).await.unwrap(), number).await;
    }
}

fn newest_migration() -> u32 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/metadata");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.map(|name| name[..4].parse().unwrap()).max().unwrap()
}

#[tokio::test]
async fn another_master_key_is_told_before_an_earlier_version_is_written_to() {
    for (number, archive) in fixtures().into_iter().filter(|(number, _)| *number >= 3) {
        let folder = unpacked(&archive);
        let path = folder.path().join("master.key");
        let key = std::fs::read(&path).unwrap();
        std::fs::write(&path, "0".repeat(64)).unwrap();
        assert!(matches!(Store::open(folder.path()).await, Err(Error::OtherMasterKey)), "{number}");
        std::fs::write(&path, key).unwrap();
        check(&Store::open(folder.path()).await.unwrap(), number).await;
    }
}

#[tokio::test]
async fn a_newer_version_is_left_alone() {
    let (number, archive) = fixtures().pop().unwrap();
    let folder = unpacked(&archive);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("metadata.db"));
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (9999, 'of tomorrow', 1, x'00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let message = Store::open(folder.path()).await.err().unwrap().to_string();
    assert!(message.contains("cannot be used by this version of the program"), "{number}: {message}");
}
