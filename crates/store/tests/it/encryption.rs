//! Encrypted objects.

use std::collections::BTreeMap;

use watchkeeper_store::metadata::{Change, Columns, Document, Kind};
use watchkeeper_store::objects::{ByteRange, CompletedPart, ObjectAttributes, Precondition, Staging, body, read_all};
use watchkeeper_store::{Error, Store};

use crate::data_directory::below;
use crate::{bytes, document, new_store};

const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/1234";

pub(crate) fn encrypted() -> ObjectAttributes {
    ObjectAttributes {
        server_side_encryption: Some("aws:kms".into()),
        kms_key_id: Some(ARN.into()),
        ..ObjectAttributes::default()
    }
}

pub(crate) async fn create_key(store: &Store) {
    store.objects.create_bucket("b", "us-east-1", jiff::Timestamp::UNIX_EPOCH).await.unwrap();
    insert_key(store).await;
}

/// A KMS key that can be used.
pub(crate) async fn insert_key(store: &Store) {
    let columns = Columns { status: "Enabled".into(), ..Columns::default() };
    let key = Document { columns, ..document(Kind::EncryptionKey, "1234") };
    store.metadata.commit(vec![Change::Insert(key)]).await.unwrap();
}

async fn set_status(store: &Store, status: &str) {
    let mut key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    key.columns.status = status.into();
    store.metadata.commit(vec![Change::Update(key)]).await.unwrap();
}

pub(crate) async fn get(store: &Store, key: &str, range: Option<ByteRange>) -> Result<Vec<u8>, Error> {
    let (_, body) = store.objects.get("b", key, range).await?.unwrap();
    Ok(read_all(body).await.unwrap())
}

#[tokio::test]
async fn bodies_of_any_size_and_ranges_of_them() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    let mark = b"a plain text that must be nowhere on the disk".repeat(3);
    for size in [0_usize, 1, 200, 65_535, 65_536, 65_537, 131_072, 1_000_000] {
        let mut content = bytes(size as u64, size);
        if size > mark.len() {
            content[..mark.len()].copy_from_slice(&mark);
        }
        let key = size.to_string();
        let info = store.objects.put("b", &key, encrypted(), body(content.clone()), Precondition::None).await.unwrap();
        assert_eq!((info.size, info.attributes.kms_key_id.as_deref()), (size as u64, Some(ARN)));
        assert!(get(&store, &key, None).await.unwrap() == content, "{size}");
        for (first, last) in
            [(0, 0), (65_535, 65_536), (65_536, 65_536), (70_000, 200_000), (size.saturating_sub(3), size)]
        {
            let range = ByteRange::From { first: first as u64, last: Some(last as u64) };
            match range.resolve(size as u64) {
                None => assert!(matches!(get(&store, &key, Some(range)).await, Err(Error::InvalidRange { .. }))),
                Some((first, length)) => {
                    let expected = &content[first as usize..(first + length) as usize];
                    assert!(get(&store, &key, Some(range)).await.unwrap() == expected, "{range:?} of {size}");
                }
            }
        }
        let staged = folder.path().join(format!("staged-{size}"));
        store.objects.stage("b", &key, &staged, Staging::Link).await.unwrap();
        assert!(std::fs::read(&staged).unwrap() == content);
        std::fs::remove_file(staged).unwrap();
    }
    store.close().await;
    for path in below(folder.path()).into_iter().filter(|path| path.metadata().unwrap().is_file()) {
        let stored = std::fs::read(&path).unwrap();
        assert!(!stored.windows(mark.len()).any(|window| window == mark), "{}", path.display());
    }
    let store = Store::open(folder.path()).await.unwrap();
    assert!(get(&store, "1000000", None).await.unwrap()[..mark.len()] == mark);
}

#[tokio::test]
async fn uploads_in_parts() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    let upload = store.objects.create_upload("b", "k", encrypted()).await.unwrap();
    let contents = [bytes(1, (5 << 20) + 1), bytes(2, 5 << 20), bytes(3, 100)];
    let mut parts = Vec::new();
    for (number, content) in (1..).zip(&contents) {
        let part = store.objects.put_part("b", "k", &upload, number, body(content.clone())).await.unwrap();
        parts.push(CompletedPart { number, etag: part.etag });
    }
    let checksums = BTreeMap::new();
    store.objects.complete_upload("b", "k", &upload, &parts, checksums, Precondition::None).await.unwrap();
    let whole = contents.concat();
    assert!(get(&store, "k", None).await.unwrap() == whole);
    let range = ByteRange::From { first: (5 << 20) - 10, last: Some((10 << 20) + 20) };
    assert!(get(&store, "k", Some(range)).await.unwrap() == whole[(5 << 20) - 10..=(10 << 20) + 20]);
    let staged = folder.path().join("staged");
    store.objects.stage("b", "k", &staged, Staging::Link).await.unwrap();
    assert!(std::fs::read(staged).unwrap() == whole);
}

#[tokio::test]
async fn a_key_that_cannot_be_used_refuses() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    let contents = [("small", bytes(1, 100)), ("large", bytes(2, 100_000))];
    for (key, content) in &contents {
        store.objects.put("b", key, encrypted(), body(content.clone()), Precondition::None).await.unwrap();
    }
    for status in ["Disabled", "PendingDeletion"] {
        set_status(&store, status).await;
        let refused = |error: Error| {
            assert!(
                matches!(&error, Error::KeyUnavailable { key, status: Some(found) } if key == "1234" && found == status),
                "{error}"
            );
        };
        for (key, _) in &contents {
            refused(get(&store, key, None).await.unwrap_err());
            refused(store.objects.stage("b", key, &folder.path().join("staged"), Staging::Copy).await.unwrap_err());
            assert!(store.objects.head("b", key).await.unwrap().is_some(), "what is known of it is not secret");
        }
        refused(store.objects.put("b", "new", encrypted(), body("x"), Precondition::None).await.unwrap_err());
        refused(store.objects.create_upload("b", "new", encrypted()).await.unwrap_err());
        assert!(store.objects.head("b", "new").await.unwrap().is_none());
    }
    set_status(&store, "Enabled").await;
    for (key, content) in &contents {
        assert!(get(&store, key, None).await.unwrap() == *content);
    }
    // With its key an object is gone for good, also if a key with the same id is made.
    let key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    let delete = Change::Delete { kind: key.kind, key: key.key.clone(), version: key.version };
    store.metadata.commit(vec![delete]).await.unwrap();
    assert!(matches!(get(&store, "small", None).await, Err(Error::KeyUnavailable { status: None, .. })));
    store.metadata.commit(vec![Change::Insert(key)]).await.unwrap();
    store.objects.put("b", "new", encrypted(), body("x"), Precondition::None).await.unwrap();
    assert!(matches!(get(&store, "small", None).await, Err(Error::Undecipherable(_))));
    store.objects.delete("b", &["small".into()]).await.unwrap();
}

#[tokio::test]
async fn a_changed_body_is_told() {
    let (folder, store) = new_store().await;
    create_key(&store).await;
    store.objects.put("b", "k", encrypted(), body(bytes(1, 200_000)), Precondition::None).await.unwrap();
    let file = crate::data_directory::body_files(folder.path()).remove(0);
    let mut sealed = std::fs::read(&file).unwrap();
    sealed[100_000] ^= 1;
    std::fs::write(&file, &sealed).unwrap();
    let (_, body) = store.objects.get("b", "k", None).await.unwrap().unwrap();
    assert!(read_all(body).await.is_err());
    let first_segment = ByteRange::From { first: 0, last: Some(65_535) };
    assert!(get(&store, "k", Some(first_segment)).await.unwrap() == bytes(1, 65_536));
}
