//! Objects as files.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;

use watchkeeper_store::Error;
use watchkeeper_store::objects::{CompletedPart, ObjectAttributes, Precondition, Staging, body};

use crate::data_directory::body_files;
use crate::{bytes, new_store};

#[tokio::test]
async fn staging() {
    let (folder, store) = new_store().await;
    let jobs = tempfile::tempdir_in(folder.path()).unwrap();
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    for size in [0, 10, 65_536, 65_537, 1_000_000] {
        let content = bytes(7, size);
        let put = store.objects.put("b", "k", ObjectAttributes::default(), body(content.clone()), Precondition::None);
        put.await.unwrap();
        for (staging, links) in [(Staging::Link, if size > 65_536 { 2 } else { 1 }), (Staging::Copy, 1)] {
            let path = jobs.path().join(format!("{size}-{staging:?}"));
            store.objects.stage("b", "k", &path, staging).await.unwrap();
            assert!(std::fs::read(&path).unwrap() == content);
            assert_eq!(path.metadata().unwrap().nlink(), links, "{size} {staging:?}");
            let again = store.objects.stage("b", "k", &path, staging).await;
            assert!(matches!(again, Err(Error::File { .. })), "a file that exists is not overwritten");
            if staging == Staging::Copy {
                std::fs::write(&path, "changed by a job").unwrap();
            }
        }
        let (_, stored) = store.objects.get("b", "k", None).await.unwrap().unwrap();
        assert!(watchkeeper_store::objects::read_all(stored).await.unwrap() == content);
    }
    let missing = store.objects.stage("b", "none", &jobs.path().join("none"), Staging::Link).await;
    assert!(matches!(missing, Err(Error::NoSuchKey { .. })));
    let no_folder = store.objects.stage("b", "k", &jobs.path().join("none/file"), Staging::Link).await;
    assert!(matches!(no_folder, Err(Error::File { .. })));
    // A link outlives the object.
    let linked = jobs.path().join("1000000-Link");
    store.objects.delete("b", &["k".into()]).await.unwrap();
    assert!(std::fs::read(linked).unwrap() == bytes(7, 1_000_000));
}

#[tokio::test]
async fn an_object_of_parts_is_joined_to_be_linked() {
    let (folder, store) = new_store().await;
    let jobs = tempfile::tempdir_in(folder.path()).unwrap();
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    let upload = store.objects.create_upload("b", "k", ObjectAttributes::default()).await.unwrap();
    let contents = [bytes(1, 5 << 20), bytes(2, 5 << 20), bytes(3, 5)];
    let mut parts = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        let part = store.objects.put_part("b", "k", &upload, number, body(content.clone())).await.unwrap();
        parts.push(CompletedPart { number, etag: part.etag });
    }
    let objects = &store.objects;
    let info = objects.complete_upload("b", "k", &upload, &parts, BTreeMap::new(), Precondition::None).await.unwrap();
    objects.stage("b", "k", &jobs.path().join("copy"), Staging::Copy).await.unwrap();
    assert_eq!(body_files(folder.path()).len(), 3);
    // Several jobs at once.
    let paths: Vec<_> = (0..4).map(|job| jobs.path().join(job.to_string())).collect();
    let stages = paths.iter().map(|path| objects.stage("b", "k", path, Staging::Link));
    for staged in futures::future::join_all(stages).await {
        staged.unwrap();
    }
    assert_eq!(body_files(folder.path()).len(), 1);
    for path in paths.iter().chain([&jobs.path().join("copy")]) {
        assert!(std::fs::read(path).unwrap() == contents.concat());
    }
    assert_eq!(paths[0].metadata().unwrap().nlink(), 5);
    assert_eq!(objects.head("b", "k").await.unwrap(), Some(info));
    let (_, stored) = objects.get("b", "k", None).await.unwrap().unwrap();
    assert!(watchkeeper_store::objects::read_all(stored).await.unwrap() == contents.concat());
}
