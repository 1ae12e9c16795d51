//! The data directory.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use watchkeeper_store::metadata::{Change, Columns, Document, Kind};
use watchkeeper_store::objects::{ObjectAttributes, Precondition, body};
use watchkeeper_store::{Error, Store};

use crate::{bytes, new_store};

/// Every file and folder below a folder.
pub(crate) fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// The files of bodies.
pub(crate) fn body_files(folder: &Path) -> Vec<PathBuf> {
    below(&folder.join("objects")).into_iter().filter(|path| path.metadata().unwrap().is_file()).collect()
}

#[tokio::test]
async fn nobody_else_can_read_it() {
    let (folder, store) = new_store().await;
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let large = body(bytes(1, 100_000));
    store.objects.put("b", "large", ObjectAttributes::default(), large, Precondition::None).await.unwrap();
    let found = below(folder.path());
    assert!(found.len() > 260);
    for path in found {
        let metadata = path.metadata().unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    }
    assert_eq!(body_files(folder.path()).len(), 1);
}

#[tokio::test]
async fn one_service_at_a_time_has_it() {
    let (folder, store) = new_store().await;
    let clone = store.clone();
    let message = Store::open(folder.path()).await.err().unwrap().to_string();
    let expected = format!(
        "the data directory {} is in use by another service (process {}); stop it, or choose another data directory",
        folder.path().display(),
        std::process::id()
    );
    assert_eq!(message, expected);
    store.close().await;
    assert!(matches!(clone.objects.buckets().await, Err(Error::Database(_))));
    let created = clone.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await;
    assert!(matches!(created, Err(Error::Closed)));
    Store::open(folder.path()).await.unwrap();
}

#[tokio::test]
async fn a_lost_or_damaged_master_key_is_told() {
    let (folder, store) = new_store().await;
    let sealed = store.keys.seal("secret", "access key AKIA").unwrap();
    assert!(!sealed.contains("secret"));
    store.close().await;
    let path = folder.path().join("master.key");
    let key = std::fs::read(&path).unwrap();

    std::fs::remove_file(&path).unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(Error::MasterKeyMissing(missing)) if missing == path));
    std::fs::write(&path, "0123").unwrap();
    assert!(matches!(Store::open(folder.path()).await, Err(Error::MasterKeyDamaged(damaged)) if damaged == path));
    std::fs::write(&path, &key).unwrap();
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(store.keys.open_sealed(&sealed, "access key AKIA").unwrap(), "secret");
    for (sealed, context) in [(&*sealed, "access key AKIB"), ("", "access key AKIA"), (&sealed[4..], "access key AKIA")]
    {
        assert!(matches!(store.keys.open_sealed(sealed, context), Err(Error::Undecipherable(_))));
    }
}

#[tokio::test]
async fn what_a_crash_left_is_removed_at_the_next_start() {
    let (folder, store) = new_store().await;
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let large = bytes(1, 100_000);
    let put = store.objects.put("b", "k", ObjectAttributes::default(), body(large), Precondition::None);
    put.await.unwrap();
    let upload = store.objects.create_upload("b", "u", ObjectAttributes::default()).await.unwrap();
    store.objects.put_part("b", "u", &upload, 1, body("part")).await.unwrap();
    store.close().await;
    let kept = body_files(folder.path());
    assert_eq!(kept.len(), 2);
    for orphan in ["blobs/ab/0123456789abcdef0123456789abcdab", "blobs/00/unknown", "incoming/unfinished"] {
        std::fs::write(folder.path().join("objects").join(orphan), "x").unwrap();
    }
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(body_files(folder.path()), kept);
    // Nothing that is replaced, deleted or refused leaves a file either.
    for seed in 0..3 {
        let again = body(bytes(seed, 200_000));
        store.objects.put("b", "k", ObjectAttributes::default(), again, Precondition::None).await.unwrap();
        let refused = body(bytes(seed, 200_000));
        store.objects.put("b", "k", ObjectAttributes::default(), refused, Precondition::Absent).await.unwrap_err();
    }
    assert_eq!(body_files(folder.path()).len(), 2);
    store.objects.delete("b", &["k".into()]).await.unwrap();
    store.objects.abort_upload("b", "u", &upload).await.unwrap();
    assert!(body_files(folder.path()).is_empty());
}

#[tokio::test]
async fn what_a_process_that_is_gone_had_claimed_is_free() {
    let (folder, store) = new_store().await;
    let columns = Columns { due: Some(1), ..Columns::default() };
    let job = Document { kind: Kind::ProcessingJob, key: "job".into(), version: 0, columns, body: "{}".into() };
    store.metadata.commit(vec![Change::Insert(job)]).await.unwrap();
    let claim = async |store: &Store, owner| {
        store.metadata.claim(Kind::ProcessingJob, &[], owner, i64::MAX, 1, 10).await.unwrap().len()
    };
    assert_eq!((claim(&store, "one").await, claim(&store, "two").await), (1, 0));
    store.close().await;
    let again = Store::open(folder.path()).await.unwrap();
    assert_eq!(claim(&again, "two").await, 1);
}
