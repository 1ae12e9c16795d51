//! Backups and what is made of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::StreamExt as _;
use tempfile::TempDir;
use watchkeeper_store::backup::{self, MasterKeyPlace};
use watchkeeper_store::metadata::Kind;
use watchkeeper_store::objects::{CompletedPart, ObjectAttributes, Precondition, body, read_all};
use watchkeeper_store::{Error, MasterKeySource, Store, StoreSettings};

use crate::data_directory::{below, body_files};
use crate::encryption::{create_key, encrypted, get};
use crate::{bytes, new_store};

const PROGRAM: &str = "1.2.3";

fn now() -> jiff::Timestamp {
    "2026-11-26T12:00:00Z".parse().unwrap()
}

async fn take(store: &Store, file: &Path, with_master_key: bool) {
    let backup = store.backups.begin(with_master_key, PROGRAM, now()).await.unwrap();
    std::fs::write(file, read_all(backup.into_body()).await.unwrap()).unwrap();
}

async fn put(store: &Store, key: &str, attributes: ObjectAttributes, content: &[u8]) {
    store.objects.put("b", key, attributes, body(content.to_vec()), Precondition::None).await.unwrap();
}

/// A store with everything that it can have.
async fn full_store() -> (TempDir, Store) {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    for (key, size) in [("small", 100), ("large", 300_000)] {
        put(&store, key, ObjectAttributes::default(), &bytes(1, size)).await;
        put(&store, &format!("{key} secret"), encrypted(), &bytes(2, size)).await;
    }
    let upload = store.objects.create_upload("b", "parts", encrypted()).await.unwrap();
    let part = store.objects.put_part("b", "parts", &upload, 1, body(bytes(3, 70_000))).await.unwrap();
    let parts = [CompletedPart { number: 1, etag: part.etag }];
    store.objects.complete_upload("b", "parts", &upload, &parts, BTreeMap::new(), Precondition::None).await.unwrap();
    let open = store.objects.create_upload("b", "open", encrypted()).await.unwrap();
    store.objects.put_part("b", "open", &open, 1, body(bytes(4, 70_000))).await.unwrap();
    store.logs.create_group("/g", 0).await.unwrap();
    std::fs::write(folder.path().join("ca-key.pem"), "authority").unwrap();
    std::fs::write(folder.path().join("credentials.json"), "a secret in the clear").unwrap();
    for journal in ["capture/one.journal", "proxies/front/two.journal"] {
        let path = folder.path().join(journal);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, journal).unwrap();
    }
    (folder, store)
}

async fn check(store: &Store) {
    for (key, seed, size) in [
        ("small", 1, 100),
        ("large", 1, 300_000),
        ("small secret", 2, 100),
        ("large secret", 2, 300_000),
        ("parts", 3, 70_000),
    ] {
        assert!(get(store, key, None).await.unwrap() == bytes(seed, size), "{key}");
    }
    assert!(store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().is_some());
}

fn names_of(archive: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let entries = archive.entries().unwrap();
    entries.map(|entry| entry.unwrap().path().unwrap().to_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everything_comes_back() {
    let (folder, store) = full_store().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.tar");
    take(&store, &file, true).await;
    assert!(!folder.path().join("backup").try_exists().unwrap(), "nothing is left of taking it");
    let names = names_of(&file);
    assert_eq!((names.first().unwrap().as_str(), names.last().unwrap().as_str()), ("manifest.json", "checksums.json"));
    assert!(!names.iter().any(|name| name.contains("credentials") || name == "lock"), "{names:?}");
    let manifest = backup::verify(&file).unwrap();
    assert_eq!((manifest.program.as_str(), manifest.created.as_str()), (PROGRAM, "2026-11-26T12:00:00Z"));
    assert_eq!((manifest.master_key, manifest.elsewhere.len()), (MasterKeyPlace::Included, 0));

    let target = elsewhere.path().join("restored/data");
    let restored = backup::restore(&file, &target).await.unwrap();
    assert_eq!(restored.bodies, body_files(folder.path()).len());
    let journal = std::fs::read_to_string(target.join("proxies/front/two.journal")).unwrap();
    assert_eq!(journal, "proxies/front/two.journal");
    for path in below(&target) {
        use std::os::unix::fs::PermissionsExt as _;
        let metadata = path.metadata().unwrap();
        let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.permissions().mode() & 0o777, expected, "{}", path.display());
    }
    let again = Store::open(&target).await.unwrap();
    check(&again).await;
    let groups = again.logs.groups("", None, 10).await.unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(body_files(&target).len(), restored.bodies, "no body is nobody's");
    // The restored one is a store of its own.
    put(&again, "small", ObjectAttributes::default(), b"changed").await;
    check(&store).await;
}

#[tokio::test]
async fn without_the_master_key_nothing_secret_is_in_it() {
    let (folder, store) = full_store().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let (file, target) = (elsewhere.path().join("backup.tar"), elsewhere.path().join("data"));
    take(&store, &file, false).await;
    let key = std::fs::read_to_string(folder.path().join("master.key")).unwrap();
    let archive = std::fs::read(&file).unwrap();
    for secret in [key.trim(), "authority", "a secret in the clear"] {
        assert!(!archive.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
    }
    for seed in [2, 3, 4] {
        let mark = &bytes(seed, 64)[..];
        assert!(!archive.windows(mark.len()).any(|window| window == mark), "what is encrypted is so in the archive");
    }
    assert!(archive.windows(64).any(|window| window == &bytes(1, 64)[..]));
    let restored = backup::restore(&file, &target).await.unwrap();
    assert_eq!(restored.manifest.master_key, MasterKeyPlace::LeftOut);
    assert!(matches!(Store::open(&target).await, Err(Error::MasterKeyMissing(_))));
    std::fs::write(target.join("master.key"), "0".repeat(64)).unwrap();
    assert!(matches!(Store::open(&target).await, Err(Error::OtherMasterKey)));
    std::fs::write(target.join("master.key"), key).unwrap();
    check(&Store::open(&target).await.unwrap()).await;
}

#[tokio::test]
async fn a_backup_of_a_store_that_is_written_to_is_whole() {
    let (folder, store) = full_store().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|writer: u64| {
            let (store, stop) = (store.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    let size = if round % 2 == 0 { 100_000 } else { 1000 };
                    put(&store, &format!("w{writer}-{}", round % 5), encrypted(), &bytes(round, size)).await;
                    if round % 7 == 0 {
                        store.objects.delete("b", &[format!("w{writer}-{}", (round + 2) % 5)]).await.unwrap();
                    }
                    round += 1;
                }
            })
        })
        .collect();
    let elsewhere = tempfile::tempdir().unwrap();
    for round in 0..5 {
        put(&store, "acknowledged", ObjectAttributes::default(), &bytes(round, 80_000)).await;
        let (file, target) = (elsewhere.path().join(format!("{round}.tar")), elsewhere.path().join(format!("{round}")));
        let backup = store.backups.begin(true, PROGRAM, now()).await.unwrap();
        // What comes after it is not in it, and what is deleted now is.
        put(&store, "acknowledged", ObjectAttributes::default(), b"later").await;
        std::fs::write(&file, read_all(backup.into_body()).await.unwrap()).unwrap();
        backup::restore(&file, &target).await.unwrap();
        let restored = Store::open(&target).await.unwrap();
        check(&restored).await;
        assert!(get(&restored, "acknowledged", None).await.unwrap() == bytes(round, 80_000));
        for writer in 0..4 {
            for key in 0..5 {
                let key = format!("w{writer}-{key}");
                if let Some(info) = restored.objects.head("b", &key).await.unwrap() {
                    assert_eq!(get(&restored, &key, None).await.unwrap().len() as u64, info.size);
                }
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    // Bodies that were held back are gone now: the next start finds nothing to remove.
    let held = body_files(folder.path());
    store.close().await;
    let store = Store::open(folder.path()).await.unwrap();
    assert_eq!(body_files(folder.path()), held);
    check(&store).await;
}

#[tokio::test]
async fn one_at_a_time_and_an_abandoned_one_ends() {
    let (folder, store) = full_store().await;
    put(&store, "big", ObjectAttributes::default(), &bytes(5, 8 << 20)).await;
    let mut slow = store.backups.begin(true, PROGRAM, now()).await.unwrap().into_body();
    slow.next().await.unwrap().unwrap();
    assert!(matches!(store.backups.begin(true, PROGRAM, now()).await, Err(Error::BackupRunning)));
    let bodies = body_files(folder.path()).len();
    store.objects.delete("b", &["big".into()]).await.unwrap();
    assert_eq!(body_files(folder.path()).len(), bodies, "what the backup holds stays");
    drop(slow);
    let ended = async {
        while matches!(store.backups.begin(true, PROGRAM, now()).await.map(drop), Err(Error::BackupRunning)) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), ended).await.unwrap();
    assert_eq!(body_files(folder.path()).len(), bodies - 1);
    assert!(!folder.path().join("backup").try_exists().unwrap());
}

async fn damaged(file: &Path, reason: &str) {
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("data");
    for result in [backup::verify(file).map(drop), backup::restore(file, &target).await.map(drop)] {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    }
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0, "whole or not at all");
}

/// The archive again, with other entries.
fn rewritten(archive: &Path, change: impl Fn(&str, Vec<u8>) -> Vec<(String, Vec<u8>)>) -> PathBuf {
    let changed = archive.with_extension("changed");
    let mut reader = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let mut writer = tar::Builder::new(std::fs::File::create(&changed).unwrap());
    for entry in reader.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        for (name, content) in change(&name, content) {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            // Written as it is: the crate itself refuses names that lead out.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            writer.append(&header, content.as_slice()).unwrap();
        }
    }
    writer.finish().unwrap();
    changed
}

#[tokio::test]
async fn a_damaged_archive_is_refused_whole() {
    let (_folder, store) = full_store().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.tar");
    take(&store, &file, true).await;
    let whole = std::fs::read(&file).unwrap();
    let other = elsewhere.path().join("other");
    for length in [0, 100, 512, 5000, whole.len() / 2, whole.len() - 3000] {
        std::fs::write(&other, &whole[..length]).unwrap();
        damaged(&other, "cannot be restored").await;
    }
    for at in (1000..whole.len() - 4096).step_by(whole.len() / 23) {
        let mut changed = whole.clone();
        changed[at] ^= 4;
        std::fs::write(&other, &changed).unwrap();
        // A changed byte between files, which nobody reads, changes nothing.
        if let Err(error) = backup::verify(&other) {
            damaged(&other, &error.to_string()).await;
        }
    }
    std::fs::write(&other, "no archive".repeat(100)).unwrap();
    damaged(&other, "cannot be restored").await;
    let without = |left_out: &'static str| {
        rewritten(
            &file,
            move |name, content| {
                if name == left_out { Vec::new() } else { vec![(name.to_owned(), content)] }
            },
        )
    };
    damaged(&without("checksums.json"), "it was cut off").await;
    damaged(&without("manifest.json"), "does not begin with its manifest").await;
    damaged(&without("logs.db"), "logs.db is not what was written").await;
    let with = |added: &str| {
        rewritten(&file, |name, content| {
            let mut entries = vec![(name.to_owned(), content)];
            if name == "manifest.json" {
                entries.push((added.to_owned(), b"x".to_vec()));
            }
            entries
        })
    };
    for intruder in ["../outside", "/etc/passwd", "objects/blobs/../../../x", "capture/../x.journal", "jobs/x", "lock"]
    {
        damaged(&with(intruder), "it holds something that no backup holds").await;
    }
    damaged(&with("capture/more.journal"), "it holds files that were not written").await;
    let newer = rewritten(&file, |name, content| {
        let content = if name == "manifest.json" { br#"{"format": 2, "new": true}"#.to_vec() } else { content };
        vec![(name.to_owned(), content)]
    });
    damaged(&newer, "a newer version of the program has written it").await;
}

#[tokio::test]
async fn it_is_put_where_nothing_is() {
    let (folder, store) = full_store().await;
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.tar");
    take(&store, &file, true).await;
    let refused = backup::restore(&file, folder.path()).await.unwrap_err();
    assert!(matches!(&refused, Error::RestoreTarget(path) if path == folder.path()), "{refused}");
    check(&store).await;
    let target = elsewhere.path().join("empty");
    std::fs::create_dir(&target).unwrap();
    // What a restore that was killed has left is no obstacle.
    std::fs::create_dir(elsewhere.path().join(".empty.restoring")).unwrap();
    std::fs::write(elsewhere.path().join(".empty.restoring/metadata.db"), "half").unwrap();
    backup::restore(&file, &target).await.unwrap();
    check(&Store::open(&target).await.unwrap()).await;
    assert!(!elsewhere.path().join(".empty.restoring").try_exists().unwrap());
}

#[tokio::test]
async fn a_master_key_from_elsewhere_is_not_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let master_key = MasterKeySource::Text("ab".repeat(32));
    let settings = StoreSettings { master_key, ..StoreSettings::in_directory(folder.path()) };
    let store = Store::open_with(&settings).await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("backup.tar");
    take(&store, &file, true).await;
    let manifest = backup::verify(&file).unwrap();
    assert_eq!(manifest.master_key, MasterKeyPlace::Elsewhere);
    assert_eq!(manifest.elsewhere, ["the master key is where the settings say: keep a copy of it"]);
    assert!(!names_of(&file).contains(&"master.key".to_owned()));
    let target = elsewhere.path().join("data");
    backup::restore(&file, &target).await.unwrap();
    let restored = StoreSettings { data_directory: target, ..settings };
    Store::open_with(&restored).await.unwrap();
}
