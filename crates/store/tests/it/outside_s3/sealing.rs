//! Objects under a KMS key are unreadable for whoever has the outside S3.

use std::collections::BTreeMap;

use http::Method;
use watchkeeper_store::metadata::{Change, Kind};
use watchkeeper_store::objects::{
    ByteRange, CompletedPart, ListObjects, ObjectAttributes, Precondition, Staging, body, read_all,
};
use watchkeeper_store::{Error, Store};

use super::{bucket, client, server, store_at};
use crate::bytes;
use crate::encryption::insert_key;

const ARN: &str = "arn:aws:kms:us-east-1:123456789012:key/1234";
const PART: usize = 5 << 20;

fn encrypted() -> ObjectAttributes {
    ObjectAttributes {
        server_side_encryption: Some("aws:kms".into()),
        kms_key_id: Some(ARN.into()),
        metadata: [("owner".to_owned(), "me".to_owned())].into(),
        // Of the plain body, which the server could not check.
        checksums: [("CRC32".to_owned(), "AAAAAA==".to_owned())].into(),
        ..ObjectAttributes::default()
    }
}

async fn store_with_key(name: &str) -> (tempfile::TempDir, Store) {
    let (folder, store) = store_at(server()).await;
    bucket(&store, name).await;
    insert_key(&store).await;
    (folder, store)
}

async fn get(store: &Store, bucket: &str, key: &str, range: Option<ByteRange>) -> Result<Vec<u8>, Error> {
    let (_, body) = store.objects.get(bucket, key, range).await?.unwrap();
    read_all(body).await.map_err(Error::Body)
}

/// What is really there.
async fn raw(path: &str) -> http::Response<::bytes::Bytes> {
    let answer = client().request(Method::GET, path, &[], "", "s3").await.unwrap();
    assert!(answer.status().is_success());
    answer
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn bodies_of_any_size_and_ranges_of_them() {
    let (folder, store) = store_with_key("sealed-bodies").await;
    let mark = b"a plain text that must be nowhere outside".repeat(3);
    for size in [0_usize, 1, 200, 65_535, 65_536, 65_537, 131_072, 1_000_000, 3_000_001] {
        let mut content = bytes(size as u64, size);
        if size > mark.len() {
            content[..mark.len()].copy_from_slice(&mark);
        }
        let key = size.to_string();
        let body = crate::conformance::objects::in_pieces(&content, 70_000);
        let info = store.objects.put("sealed-bodies", &key, encrypted(), body, Precondition::None).await.unwrap();
        assert_eq!((info.size, info.attributes.kms_key_id.as_deref()), (size as u64, Some(ARN)));
        let head = store.objects.head("sealed-bodies", &key).await.unwrap().unwrap();
        assert_eq!((head.size, &head.etag, &head.attributes), (size as u64, &info.etag, &encrypted()));
        assert!(get(&store, "sealed-bodies", &key, None).await.unwrap() == content, "{size}");
        for (first, last) in
            [(0, 0), (65_535, 65_536), (65_536, 65_536), (70_000, 200_000), (size.saturating_sub(3), size)]
        {
            let range = ByteRange::From { first: first as u64, last: Some(last as u64) };
            let read = get(&store, "sealed-bodies", &key, Some(range)).await;
            match range.resolve(size as u64) {
                None => assert!(matches!(read, Err(Error::InvalidRange { .. }))),
                Some((first, length)) => {
                    let expected = &content[first as usize..(first + length) as usize];
                    assert!(read.unwrap() == expected, "{range:?} of {size}");
                }
            }
        }
        let staged = folder.path().join(format!("staged-{size}"));
        store.objects.stage("sealed-bodies", &key, &staged, Staging::Link).await.unwrap();
        assert!(std::fs::read(&staged).unwrap() == content);
        let there = raw(&format!("/sealed-bodies/{size}")).await;
        assert!(!there.body().windows(mark.len()).any(|window| window == mark));
        // A checksum would tell who guesses the content whether it is that.
        let told = there.headers().values().any(|value| value.to_str().is_ok_and(|value| value.contains("AAAAAA==")));
        assert!(!told, "{:?}", there.headers());
        // A listing tells what is there.
        let prefix = key.clone();
        let list = ListObjects { bucket: "sealed-bodies".into(), prefix, limit: 1, ..ListObjects::default() };
        let listed = store.objects.list(&list).await.unwrap().objects.remove(0);
        assert_eq!(listed.size, (size + size.div_ceil(65_536).max(1) * 24) as u64);
        assert_eq!((listed.size, listed.etag), (there.body().len() as u64, info.etag));
    }
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn uploads_in_parts() {
    let (folder, store) = store_with_key("sealed-parts").await;
    let begin = || store.objects.create_upload("sealed-parts", "k", encrypted());
    let upload = begin().await.unwrap();
    // The second twice: what was sent first is not what is kept.
    let contents = [bytes(1, PART + 65_536), bytes(9, PART), bytes(2, PART), bytes(3, 100_000)];
    let mut parts = BTreeMap::new();
    for (number, content) in [1, 3, 3, 7].into_iter().zip(&contents) {
        let put = store.objects.put_part("sealed-parts", "k", &upload, number, body(content.clone())).await.unwrap();
        assert_eq!(put.size, content.len() as u64);
        parts.insert(number, CompletedPart { number, etag: put.etag });
    }
    let known = store.objects.upload("sealed-parts", "k", &upload).await.unwrap();
    assert_eq!(known.attributes.kms_key_id.as_deref(), Some(ARN));
    let listed = store.objects.list_parts("sealed-parts", "k", &upload, 0, 10).await.unwrap().parts;
    let sizes: Vec<_> = listed.iter().map(|part| (part.number, part.size as usize)).collect();
    assert_eq!(sizes, [(1, PART + 65_536), (3, PART), (7, 100_000)]);
    let complete = |upload: String, parts: Vec<CompletedPart>| {
        let objects = store.objects.clone();
        async move {
            let none = BTreeMap::new();
            objects.complete_upload("sealed-parts", "k", &upload, &parts, none, Precondition::None).await
        }
    };
    let whole = [contents[0].as_slice(), &contents[2], &contents[3]].concat();
    let info = complete(upload, parts.into_values().collect()).await.unwrap();
    assert_eq!(info.size, whole.len() as u64);
    assert!(get(&store, "sealed-parts", "k", None).await.unwrap() == whole);
    let end = whole.len() - 1;
    for (first, last) in [(PART + 65_530, PART + 65_540), (0, 10), (2 * PART, 2 * PART + 100_000), (end, end)] {
        let range = ByteRange::From { first: first as u64, last: Some(last as u64) };
        assert!(get(&store, "sealed-parts", "k", Some(range)).await.unwrap() == whole[first..=last], "{range:?}");
    }
    let staged = folder.path().join("staged");
    store.objects.stage("sealed-parts", "k", &staged, Staging::Link).await.unwrap();
    assert!(std::fs::read(staged).unwrap() == whole);

    // Where a part ended in the middle of a segment, nobody could tell where the next one begins.
    let upload = begin().await.unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(1, PART + 1), (2, 5)] {
        let put = store.objects.put_part("sealed-parts", "k", &upload, number, body(bytes(4, size))).await.unwrap();
        parts.push(CompletedPart { number, etag: put.etag });
    }
    let refused = complete(upload.clone(), parts).await;
    assert!(matches!(refused, Err(Error::PartSize { number: 1, size: 5_242_881, multiple: 65_536 })));
    store.objects.abort_upload("sealed-parts", "k", &upload).await.unwrap();
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn a_key_that_is_switched_off_refuses() {
    let (_folder, store) = store_with_key("sealed-and-off").await;
    let put =
        |key: &'static str| store.objects.put("sealed-and-off", key, encrypted(), body("content"), Precondition::None);
    put("k").await.unwrap();
    let upload = store.objects.create_upload("sealed-and-off", "u", encrypted()).await.unwrap();
    let mut key = store.metadata.get(Kind::EncryptionKey, "1234").await.unwrap().unwrap();
    key.columns.status = "Disabled".into();
    store.metadata.commit(vec![Change::Update(key)]).await.unwrap();
    let refused = |error: Error| assert!(matches!(error, Error::KeyUnavailable { .. }), "{error}");
    refused(get(&store, "sealed-and-off", "k", None).await.unwrap_err());
    refused(put("new").await.unwrap_err());
    refused(store.objects.put_part("sealed-and-off", "u", &upload, 1, body("x")).await.unwrap_err());
    refused(store.objects.create_upload("sealed-and-off", "v", encrypted()).await.unwrap_err());
    assert!(store.objects.head("sealed-and-off", "k").await.unwrap().is_some(), "what is known of it is not secret");
    assert!(store.objects.head("sealed-and-off", "new").await.unwrap().is_none());
}

/// Bytes of a sealed segment.
const SEALED: usize = 65_536 + 24;

/// Who has the outside can destroy what is there, and not change it unseen.
#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn what_was_changed_outside_is_told() {
    let (_folder, store) = store_with_key("sealed-and-changed").await;
    let content = bytes(1, 200_000);
    store.objects.put("sealed-and-changed", "k", encrypted(), body(content.clone()), Precondition::None).await.unwrap();
    let there = raw("/sealed-and-changed/k").await;
    let headers: Vec<(String, String)> = there
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-meta-"))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let sealed = there.body().to_vec();
    let flipped = |at: usize| {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        changed
    };
    let swapped = [&sealed[SEALED..2 * SEALED], &sealed[..SEALED], &sealed[2 * SEALED..]].concat();
    let left_out = [&sealed[..SEALED], &sealed[2 * SEALED..]].concat();
    let without_start = sealed[SEALED..].to_vec();
    let twice = [&sealed[..SEALED], &sealed[..SEALED]].concat();
    let untouched = sealed.clone();
    for (name, changed, is_told) in [
        ("untouched", untouched, false),
        ("a bit of a text", flipped(70_000), true),
        ("a bit of a number", flipped(7), true),
        ("the last tag", flipped(sealed.len() - 1), true),
        ("swapped", swapped, true),
        ("one left out", left_out, true),
        ("the first left out", without_start, true),
        ("one twice", twice, true),
        ("cut within a segment", sealed[..SEALED + 100].to_vec(), true),
        ("the last left out", sealed[..3 * SEALED].to_vec(), true),
        ("all left out", Vec::new(), true),
        ("cut within a tag", sealed[..SEALED + 10].to_vec(), true),
    ] {
        let put = client().request(Method::PUT, "/sealed-and-changed/k", &headers, changed, "s3").await.unwrap();
        assert!(put.status().is_success());
        match get(&store, "sealed-and-changed", "k", None).await {
            Ok(read) => assert!(!is_told && read == content, "{name}"),
            Err(error) => assert!(is_told, "{name}: {error}"),
        }
    }
}
