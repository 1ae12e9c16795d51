//! Uploads in parts.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{
    ByteRange, CompletedPart, ListUploads, ObjectAttributes, ObjectInfo, Objects, Precondition, body, read_all,
};

use super::Differences;
use super::objects::{get, put};

type Store = Arc<dyn Objects>;

const PART: usize = 5 << 20;

pub(crate) async fn all(store: &Store, differences: Differences) {
    whole_upload(store, differences).await;
    refusals(store).await;
    lists(store).await;
    readers_keep_reading(store).await;
}

async fn begin(store: &Store, key: &str) -> String {
    store.create_upload("objects", key, ObjectAttributes::default()).await.unwrap()
}

async fn part(store: &Store, key: &str, upload: &str, number: u32, content: Vec<u8>) -> CompletedPart {
    let info = store.put_part("objects", key, upload, number, body(content)).await.unwrap();
    CompletedPart { number, etag: info.etag }
}

async fn complete(store: &Store, key: &str, upload: &str, parts: &[CompletedPart]) -> Result<ObjectInfo, Error> {
    store.complete_upload("objects", key, upload, parts, BTreeMap::new(), Precondition::None).await
}

async fn whole_upload(store: &Store, differences: Differences) {
    let attributes = ObjectAttributes { content_type: Some("text/csv".into()), ..ObjectAttributes::default() };
    let upload = store.create_upload("objects", "parts", attributes).await.unwrap();
    put(store, "parts", b"what was there before").await;
    // In any order, one of them twice, and one that the completion does not name.
    let tail = part(store, "parts", &upload, 10_000, b"tail".to_vec()).await;
    part(store, "parts", &upload, 7, b"not named".to_vec()).await;
    let second = part(store, "parts", &upload, 9, vec![b'b'; PART]).await;
    part(store, "parts", &upload, 2, vec![b'x'; PART]).await;
    let first = part(store, "parts", &upload, 2, vec![b'a'; PART]).await;
    assert_eq!(get(store, "parts", None).await.unwrap(), b"what was there before");

    let checksums = BTreeMap::from([("CRC32".to_owned(), "abc-3".to_owned())]);
    let parts = [first, second, tail];
    let info = store.complete_upload("objects", "parts", &upload, &parts, checksums.clone(), Precondition::None);
    let info = info.await.unwrap();
    // From Python's hashlib: the MD5 of the parts' digests.
    assert_eq!(info.etag, "1af560d38fa58b7629ca9d6c912c720b-3");
    assert_eq!(info.size, 2 * PART as u64 + 4);
    assert_eq!(info.attributes.content_type.as_deref(), Some("text/csv"));
    if differences.keeps_checksums_of_uploads {
        assert_eq!(info.attributes.checksums, checksums);
    }
    differences.assert_same(&store.head("objects", "parts").await.unwrap().unwrap(), &info);

    let whole = [vec![b'a'; PART], vec![b'b'; PART], b"tail".to_vec()].concat();
    assert!(get(store, "parts", None).await.unwrap() == whole);
    let size = whole.len();
    for (first, last) in
        [(0, 0), (PART - 1, PART), (PART, PART), (2 * PART - 1, size - 1), (size - 1, size - 1), (1, size - 2)]
    {
        let range = ByteRange::From { first: first as u64, last: Some(last as u64) };
        assert!(get(store, "parts", Some(range)).await.unwrap() == whole[first..=last], "{first} to {last}");
    }
    assert!(matches!(complete(store, "parts", &upload, &parts).await, Err(Error::NoSuchUpload(_))));
}

async fn refusals(store: &Store) {
    let upload = begin(store, "refused").await;
    let small = part(store, "refused", &upload, 1, vec![0; PART - 1]).await;
    let last = part(store, "refused", &upload, 2, vec![0; 1]).await;
    let parts = [small.clone(), last.clone()];
    let refused = complete(store, "refused", &upload, &parts).await;
    assert!(matches!(refused, Err(Error::EntityTooSmall { number: 1, size: 5_242_879, minimum: 5_242_880 })));
    let other = CompletedPart { etag: small.etag.clone(), ..last.clone() };
    assert!(matches!(complete(store, "refused", &upload, &[other]).await, Err(Error::InvalidPart(2))));
    let missing = CompletedPart { number: 3, ..last.clone() };
    assert!(matches!(complete(store, "refused", &upload, &[missing]).await, Err(Error::InvalidPart(3))));
    assert!(matches!(complete(store, "refused", &upload, &[]).await, Err(Error::InvalidPart(0))));
    for unordered in [[last.clone(), small.clone()], [small.clone(), small.clone()]] {
        assert!(matches!(complete(store, "refused", &upload, &unordered).await, Err(Error::InvalidPartOrder)));
    }
    for number in [0, 10_001] {
        let put = store.put_part("objects", "refused", &upload, number, body("x")).await;
        assert!(matches!(put, Err(Error::InvalidPart(_))));
    }
    let put = store.put_part("objects", "another key", &upload, 1, body("x")).await;
    assert!(matches!(put, Err(Error::NoSuchUpload(_))));
    let precondition = Precondition::Etag("e".into());
    let checksums = BTreeMap::new();
    let refused = store.complete_upload("objects", "refused", &upload, &[small], checksums, precondition).await;
    assert!(matches!(refused, Err(Error::NoSuchKey { .. })));
    // After all refusals the upload can still be completed.
    assert_eq!(complete(store, "refused", &upload, &[last]).await.unwrap().size, 1);

    let aborted = begin(store, "aborted").await;
    part(store, "aborted", &aborted, 1, b"x".to_vec()).await;
    store.abort_upload("objects", "aborted", &aborted).await.unwrap();
    let again = store.abort_upload("objects", "aborted", &aborted).await;
    assert!(matches!(again, Err(Error::NoSuchUpload(upload)) if upload == aborted));
    assert!(store.head("objects", "aborted").await.unwrap().is_none());
}

async fn lists(store: &Store) {
    let mut uploads = Vec::new();
    for key in ["listed/b", "listed/a", "listed/b", "other"] {
        uploads.push((key.to_owned(), begin(store, key).await));
    }
    let (key, upload) = &uploads[0];
    // Without gaps: moto takes the number to go on from for a place.
    for number in [3, 1, 2] {
        part(store, key, upload, number, vec![0; number as usize]).await;
    }
    let numbers = async |after, limit| {
        let listing = store.list_parts("objects", key, upload, after, limit).await.unwrap();
        let parts: Vec<(u32, u64)> = listing.parts.iter().map(|part| (part.number, part.size)).collect();
        (parts, listing.next)
    };
    assert_eq!(numbers(0, 10).await, (vec![(1, 1), (2, 2), (3, 3)], None));
    assert_eq!(numbers(0, 2).await, (vec![(1, 1), (2, 2)], Some(2)));
    assert_eq!(numbers(2, 1).await, (vec![(3, 3)], None));

    let list = ListUploads { bucket: "objects".into(), prefix: "listed/".into(), after: None, limit: 2 };
    let first = store.list_uploads(&list).await.unwrap();
    let names = |listing: &[watchkeeper_store::objects::UploadInfo]| {
        listing.iter().map(|upload| (upload.key.clone(), upload.upload.clone())).collect::<Vec<_>>()
    };
    assert_eq!(names(&first.uploads), [uploads[1].clone(), uploads[0].clone()]);
    assert!(first.truncated);
    let after = Some((uploads[0].0.clone(), Some(uploads[0].1.clone())));
    let rest = store.list_uploads(&ListUploads { after, ..list.clone() }).await.unwrap();
    assert_eq!((names(&rest.uploads), rest.truncated), (vec![uploads[2].clone()], false));
    let after = Some(("listed/b".to_owned(), None));
    assert!(store.list_uploads(&ListUploads { after, ..list }).await.unwrap().uploads.is_empty());
    for (key, upload) in uploads {
        store.abort_upload("objects", &key, &upload).await.unwrap();
    }
}

/// The files of a body in several are opened one after the other, and must all stay until the reader is done.
async fn readers_keep_reading(store: &Store) {
    let upload = begin(store, "read in parts").await;
    let mut parts = Vec::new();
    for number in 1..=3 {
        parts.push(part(store, "read in parts", &upload, number, vec![number as u8; PART]).await);
    }
    complete(store, "read in parts", &upload, &parts).await.unwrap();
    let (_, mut body) = store.get("objects", "read in parts", None).await.unwrap().unwrap();
    let first = body.next().await.unwrap().unwrap().len();
    store.delete("objects", &["read in parts".into()]).await.unwrap();
    let rest = read_all(body).await.unwrap();
    assert_eq!(first + rest.len(), 3 * PART);
    assert_eq!(rest.last(), Some(&3));
}
