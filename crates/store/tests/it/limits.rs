//! What is bounded: objects by a quota, everything by what is free on the disk.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use watchkeeper_store::logs::LogEvent;
use watchkeeper_store::metadata::{Change, CommitError, Document, Kind};
use watchkeeper_store::objects::{CompletedPart, ListObjects, ObjectAttributes, Objects, Precondition, body, read_all};
use watchkeeper_store::{Error, StorageFault, Store, StoreSettings};

use crate::conformance::metrics::datum;
use crate::data_directory::body_files;
use crate::{bytes, document};

const QUOTA: u64 = 1_000_000;

async fn with_bucket(settings: &StoreSettings) -> Store {
    let store = Store::open_with(settings).await.unwrap();
    match store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await {
        Ok(()) | Err(Error::BucketExists(_)) => store,
        Err(error) => panic!("{error}"),
    }
}

async fn put(objects: &dyn Objects, key: &str, content: Vec<u8>) -> Result<(), Error> {
    objects.put("b", key, ObjectAttributes::default(), body(content), Precondition::None).await.map(drop)
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, usize),
    Delete(u8),
    /// The key, the sizes of its parts, and whether the upload is completed.
    Upload(u8, Vec<usize>, bool),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![0..70_000_usize, 70_000..600_000_usize];
    prop_oneof![
        5 => (0..5_u8, size.clone()).prop_map(|(key, size)| Step::Put(key, size)),
        2 => (0..5_u8).prop_map(Step::Delete),
        2 => (0..5_u8, prop::collection::vec(size, 1..2), any::<bool>())
            .prop_map(|(key, sizes, is_completed)| Step::Upload(key, sizes, is_completed)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// A put is refused exactly where all objects would have more bytes than the quota, and then nothing has changed.
    #[test]
    fn the_quota_is_kept_to_the_byte(steps in prop::collection::vec(step(), 1..25)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let settings = StoreSettings { quota_bytes: QUOTA, ..StoreSettings::in_directory(folder.path()) };
            let mut store = with_bucket(&settings).await;
            let mut model: BTreeMap<String, usize> = BTreeMap::new();
            for step in steps {
                let total = |model: &BTreeMap<String, usize>| model.values().sum::<usize>();
                match step {
                    Step::Put(key, size) => {
                        let key = key.to_string();
                        let result = put(&*store.objects, &key, bytes(1, size)).await;
                        let others = total(&model) - model.get(&key).copied().unwrap_or(0);
                        if (others + size) as u64 <= QUOTA {
                            result.unwrap();
                            model.insert(key, size);
                        } else {
                            let error = result.unwrap_err();
                            prop_assert!(matches!(error, Error::QuotaExceeded { .. }), "{}", error);
                            prop_assert_eq!(error.storage_fault(), Some(StorageFault::Full));
                        }
                    }
                    Step::Delete(key) => {
                        store.objects.delete("b", &[key.to_string()]).await.unwrap();
                        model.remove(&key.to_string());
                    }
                    Step::Upload(key, sizes, is_completed) => {
                        let key = key.to_string();
                        let upload = store.objects.create_upload("b", &key, ObjectAttributes::default()).await.unwrap();
                        let mut parts = Vec::new();
                        for (number, size) in (1..).zip(&sizes) {
                            match store.objects.put_part("b", &key, &upload, number, body(bytes(2, *size))).await {
                                Ok(part) => parts.push(CompletedPart { number, etag: part.etag }),
                                Err(Error::QuotaExceeded { .. }) => {
                                    prop_assert!((total(&model) + sizes.iter().sum::<usize>()) as u64 > QUOTA);
                                }
                                Err(error) => panic!("{error}"),
                            }
                        }
                        if is_completed && parts.len() == sizes.len() {
                            let completed =
                                store.objects.complete_upload("b", &key, &upload, &parts, BTreeMap::new(), Precondition::None);
                            let size = completed.await.unwrap().size as usize;
                            model.insert(key, size);
                        } else {
                            store.objects.abort_upload("b", &key, &upload).await.unwrap();
                        }
                    }
                    Step::Reopen => {
                        store.close().await;
                        store = with_bucket(&settings).await;
                    }
                }
                let list = ListObjects { bucket: "b".into(), limit: 100, ..ListObjects::default() };
                let listed = store.objects.list(&list).await.unwrap().objects;
                let listed: BTreeMap<String, usize> =
                    listed.into_iter().map(|object| (object.key, object.size as usize)).collect();
                prop_assert_eq!(&listed, &model);
                prop_assert_eq!(
                    body_files(folder.path()).len(),
                    model.values().filter(|size| **size > 64 << 10).count()
                        + of_small_parts(&*store.objects, &model).await,
                    "no file is left of what was refused"
                );
            }
            store.close().await;
            Ok(())
        })?;
    }
}

/// Objects of one small part: their bodies are files all the same.
async fn of_small_parts(objects: &dyn Objects, model: &BTreeMap<String, usize>) -> usize {
    let mut count = 0;
    for key in model.iter().filter(|(_, size)| **size <= 64 << 10).map(|(key, _)| key) {
        let info = objects.head("b", key).await.unwrap().unwrap();
        count += usize::from(info.etag.contains('-'));
    }
    count
}

#[tokio::test]
async fn what_only_adds_is_refused_where_less_than_the_reserve_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let settings = StoreSettings::in_directory(folder.path());
    let store = with_bucket(&settings).await;
    put(&*store.objects, "k", bytes(1, 100_000)).await.unwrap();
    store.logs.create_group("g", 1).await.unwrap();
    store.logs.create_stream("g", "s", 1).await.unwrap();
    store.metadata.commit(vec![Change::Insert(document(Kind::Model, "m"))]).await.unwrap();
    store.close().await;

    // No disk has so much room.
    let store = with_bucket(&StoreSettings { reserve_bytes: u64::MAX / 2, ..settings }).await;
    for size in [0, 10, 100_000, 3 << 20] {
        assert!(matches!(put(&*store.objects, "new", bytes(1, size)).await, Err(Error::DiskFull { .. })), "{size}");
    }
    let upload = store.objects.create_upload("b", "new", ObjectAttributes::default()).await.unwrap();
    let part = store.objects.put_part("b", "new", &upload, 1, body("x")).await;
    assert!(matches!(part, Err(Error::DiskFull { .. })));
    let staged =
        store.objects.stage("b", "k", &folder.path().join("copy"), watchkeeper_store::objects::Staging::Copy).await;
    assert!(matches!(staged, Err(Error::DiskFull { .. })) && !folder.path().join("copy").try_exists().unwrap());
    let event = LogEvent { timestamp: 1, message: "m".into() };
    assert!(matches!(store.logs.append("g", "s", vec![event], 1).await, Err(Error::DiskFull { .. })));
    assert!(matches!(store.logs.create_group("other", 1).await, Err(Error::DiskFull { .. })));
    let datum = datum("n", "m", &[], 1, 1.0);
    for change in [Change::Insert(document(Kind::ProcessingJob, "j")), Change::PutMetrics(vec![datum.clone()])] {
        let refused = store.metadata.commit(vec![change]).await;
        assert!(matches!(refused, Err(CommitError::Failed(Error::DiskFull { .. }))));
    }

    // What changes something, or what the service notes down, goes on, and what makes room does.
    let changed = Document { version: 1, ..document(Kind::Model, "m") };
    store.metadata.commit(vec![Change::Update(changed), Change::PutMetrics(vec![datum])]).await.unwrap();
    store.metadata.commit(vec![Change::Insert(document(Kind::Execution, "e"))]).await.unwrap();
    let delete = Change::Delete { kind: Kind::Model, key: "m".into(), version: 2 };
    store.metadata.commit(vec![delete]).await.unwrap();
    assert_eq!(store.objects.delete("b", &["k".into()]).await.unwrap(), [true]);
    store.objects.abort_upload("b", "new", &upload).await.unwrap();
    store.logs.delete_group("g").await.unwrap();
    assert!(body_files(folder.path()).is_empty());
}

/// A small disk, until it is dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this user may not mount one.
    fn mount(bytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).status();
        mounted.is_ok_and(|status| status.success()).then(|| Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "says why it does nothing")]
async fn a_disk_that_is_full_loses_nothing_and_is_used_again_when_there_is_room() {
    let Some(disk) = SmallDisk::mount(24 << 20) else {
        eprintln!("skipped: only root may mount a small disk");
        return;
    };
    let filler = disk.path().join("filler");
    std::fs::write(&filler, vec![0; 8 << 20]).unwrap();
    let data = disk.path().join("data");
    let store = with_bucket(&StoreSettings::in_directory(&data)).await;
    let mut stored = BTreeMap::new();
    // Large bodies until the disk is full, then small ones until the database cannot grow either.
    for size in [900_000, 30_000] {
        let mut refused = 0;
        for number in 0..2000 {
            let key = format!("{size}-{number}");
            match put(&*store.objects, &key, bytes(number, size)).await {
                Ok(()) => {
                    stored.insert(key, bytes(number, size));
                }
                Err(error) => {
                    assert_eq!(error.storage_fault(), Some(StorageFault::Full), "{error}");
                    refused += 1;
                    if refused == 3 {
                        break;
                    }
                }
            }
        }
        assert_eq!(refused, 3, "the disk is never full");
    }
    let large = stored.values().filter(|content| content.len() > 64 << 10).count();
    assert_eq!(body_files(&data).len(), large, "no file is left of what was refused");
    let commit = store.metadata.commit(vec![Change::Insert(document(Kind::Model, "m"))]).await;
    if let Err(CommitError::Failed(error)) = &commit {
        assert_eq!(error.storage_fault(), Some(StorageFault::Full), "{error}");
    }
    let all_is_there = async |store: &Store| {
        for (key, content) in &stored {
            let (_, found) = store.objects.get("b", key, None).await.unwrap().unwrap();
            assert!(read_all(found).await.unwrap() == *content, "{key}");
        }
    };
    all_is_there(&store).await;

    std::fs::remove_file(&filler).unwrap();
    put(&*store.objects, "again", bytes(7, 900_000)).await.unwrap();
    put(&*store.objects, "again-small", bytes(7, 900)).await.unwrap();
    store.metadata.commit(vec![Change::Insert(document(Kind::Model, "other"))]).await.unwrap();
    all_is_there(&store).await;
    store.close().await;
    let store = with_bucket(&StoreSettings::in_directory(&data)).await;
    all_is_there(&store).await;
    assert_eq!(store.objects.head("b", "again").await.unwrap().unwrap().size, 900_000);
    store.close().await;
}
