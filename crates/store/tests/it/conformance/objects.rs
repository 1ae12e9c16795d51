//! Buckets and objects.

use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;
use watchkeeper_store::Error;
use watchkeeper_store::objects::{
    Body, ByteRange, MAX_KEY_BYTES, ObjectAttributes, Objects, Precondition, body, read_all,
};

use super::Differences;
use crate::bytes;

type Store = Arc<dyn Objects>;

/// Sizes around those at which a body changes its place, its batch and its segment.
pub(crate) const SIZES: [usize; 12] =
    [0, 1, 4096, 65_535, 65_536, 65_537, 131_072, 524_288, 524_289, 600_000, 1_048_576, 3_000_001];

pub(crate) async fn all(store: &Store, differences: Differences) {
    buckets(store, differences).await;
    store.create_bucket("objects", "us-east-1", Timestamp::UNIX_EPOCH).await.unwrap();
    round_trip(store, differences).await;
    attributes(store).await;
    replacing(store).await;
    ranges(store).await;
    preconditions(store).await;
    broken_bodies(store).await;
    limits(store).await;
    readers_keep_reading(store).await;
    missing_buckets(store).await;
}

/// A body that arrives in pieces of this many bytes.
pub(crate) fn in_pieces(bytes: &[u8], length: usize) -> Body {
    let pieces: Vec<_> = bytes.chunks(length).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    futures::stream::iter(pieces).boxed()
}

pub(crate) async fn put(store: &Store, key: &str, content: &[u8]) {
    let put = store.put("objects", key, ObjectAttributes::default(), in_pieces(content, 10_000), Precondition::None);
    put.await.unwrap();
}

pub(crate) async fn get(store: &Store, key: &str, range: Option<ByteRange>) -> Option<Vec<u8>> {
    let (_, body) = store.get("objects", key, range).await.unwrap()?;
    Some(read_all(body).await.unwrap())
}

async fn buckets(store: &Store, differences: Differences) {
    let now = Timestamp::from_millisecond(1_700_000_000_123).unwrap();
    store.create_bucket("b-two", "eu-central-1", now).await.unwrap();
    store.create_bucket("b-one", "us-east-1", now).await.unwrap();
    assert!(
        matches!(store.create_bucket("b-two", "us-east-1", now).await, Err(Error::BucketExists(name)) if name == "b-two")
    );
    // There may be others where the store is not this test's alone.
    let names = store.buckets().await.unwrap().into_iter().map(|bucket| bucket.name);
    assert_eq!(names.filter(|name| name.starts_with("b-")).collect::<Vec<_>>(), ["b-one", "b-two"]);
    store.set_bucket_setting("b-two", "tagging", Some("<Tag/>".into())).await.unwrap();
    store.set_bucket_setting("b-two", "policy", Some("{}".into())).await.unwrap();
    store.set_bucket_setting("b-two", "policy", None).await.unwrap();
    let bucket = store.bucket("b-two").await.unwrap().unwrap();
    assert_eq!((bucket.region.as_str(), bucket.created), ("eu-central-1", now));
    assert_eq!(bucket.settings.into_iter().collect::<Vec<_>>(), [("tagging".to_owned(), "<Tag/>".to_owned())]);

    let attributes = ObjectAttributes::default();
    store.put("b-two", "k", attributes.clone(), body("x"), Precondition::None).await.unwrap();
    assert!(matches!(store.delete_bucket("b-two").await, Err(Error::BucketNotEmpty(_))));
    let deleted = store.delete("b-two", &["k".into(), "k".into(), "none".into()]).await.unwrap();
    differences.assert_deleted(&deleted, &[true, false, false]);
    let upload = store.create_upload("b-two", "k", attributes).await.unwrap();
    store.put_part("b-two", "k", &upload, 1, body("part")).await.unwrap();
    store.delete_bucket("b-two").await.unwrap();
    assert!(store.bucket("b-two").await.unwrap().is_none());
    store.delete_bucket("b-one").await.unwrap();
}

async fn round_trip(store: &Store, differences: Differences) {
    for (seed, size) in SIZES.into_iter().enumerate() {
        for piece in [1000, 65_536, 5_000_000] {
            let content = bytes(seed as u64, size);
            let key = format!("a//b c+ü/{size}/../{piece}");
            let put =
                store.put("objects", &key, ObjectAttributes::default(), in_pieces(&content, piece), Precondition::None);
            let info = put.await.unwrap();
            assert_eq!(info.size, size as u64);
            assert!(get(store, &key, None).await.unwrap() == content, "{size} bytes in pieces of {piece}");
            differences.assert_same(&store.head("objects", &key).await.unwrap().unwrap(), &info);
        }
    }
    // The MD5s are those of Python's hashlib.
    for (content, etag) in [
        (Vec::new(), "d41d8cd98f00b204e9800998ecf8427e"),
        (b"hello world".to_vec(), "5eb63bbbe01eeed093cb22bb8f5acdc3"),
        ((0..251).collect::<Vec<u8>>().repeat(4000), "e33290d87d3fc757c2ad01a35094acab"),
    ] {
        put(store, "etag", &content).await;
        assert_eq!(store.head("objects", "etag").await.unwrap().unwrap().etag, etag);
    }
    assert!(store.head("objects", "missing").await.unwrap().is_none());
    assert!(store.get("objects", "missing", None).await.unwrap().is_none());
}

/// Of the body `x`, by a program whose value of `123456789` is the published one (0xae8b14860a799888).
const CRC64NVME: &str = "Lb1nAmRU5LE=";

async fn attributes(store: &Store) {
    let text = |value: &str| Some(value.to_owned());
    let map = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    let attributes = ObjectAttributes {
        content_type: text("text/csv; charset=utf-8"),
        content_encoding: text("gzip"),
        cache_control: text("no-cache"),
        content_disposition: text("attachment; filename=\"ü\""),
        content_language: text("de"),
        expires: text("Thu, 01 Dec 1994 16:00:00 GMT"),
        metadata: map("owner", "ünïcode"),
        // From Python's zlib.crc32.
        checksums: map("CRC32", "jNwWgw=="),
        server_side_encryption: text("AES256"),
        kms_key_id: None,
        tags: map("a", ""),
    };
    let trailer = Box::new(|| Ok([("CRC64NVME".to_owned(), CRC64NVME.to_owned())].into()));
    let put = store.put_with_trailer("objects", "k", attributes.clone(), body("x"), Precondition::None, trailer);
    put.await.unwrap();
    let stored = store.head("objects", "k").await.unwrap().unwrap().attributes;
    let mut expected = attributes;
    expected.checksums.insert("CRC64NVME".into(), CRC64NVME.into());
    assert_eq!(stored, expected);
}

async fn replacing(store: &Store) {
    for (first, second) in [(10, 200_000), (200_000, 10), (200_000, 300_000), (10, 20)] {
        put(store, "replaced", &bytes(1, first)).await;
        put(store, "replaced", &bytes(2, second)).await;
        assert!(get(store, "replaced", None).await.unwrap() == bytes(2, second));
        assert_eq!(store.delete("objects", &["replaced".into()]).await.unwrap(), [true]);
        assert!(get(store, "replaced", None).await.is_none());
    }
}

async fn ranges(store: &Store) {
    for size in [10_usize, 65_536, 400_000] {
        let content = bytes(9, size);
        put(store, "ranged", &content).await;
        let end = size as u64;
        let from = |first: u64, last: Option<u64>| ByteRange::From { first, last };
        let cases = [
            (from(0, Some(0)), 0..1),
            (from(3, Some(7)), 3..8),
            (from(5, None), 5..size),
            (from(end - 1, Some(u64::MAX)), size - 1..size),
            (from(size as u64 / 2, Some(end + 50)), size / 2..size),
            (ByteRange::Last(4), size - 4..size),
            (ByteRange::Last(end + 1), 0..size),
        ];
        for (range, expected) in cases {
            assert!(get(store, "ranged", Some(range)).await.unwrap() == content[expected], "{range:?} of {size}");
        }
        for range in [from(end, None), from(end + 1, Some(end + 2)), from(5, Some(4)), ByteRange::Last(0)] {
            let refused = store.get("objects", "ranged", Some(range)).await;
            assert!(matches!(refused, Err(Error::InvalidRange { size }) if size == end), "{range:?} of {size}");
        }
    }
    put(store, "empty", b"").await;
    let refused = store.get("objects", "empty", Some(ByteRange::Last(1))).await;
    assert!(matches!(refused, Err(Error::InvalidRange { size: 0 })));
}

async fn preconditions(store: &Store) {
    let put = |precondition| store.put("objects", "conditional", ObjectAttributes::default(), body("x"), precondition);
    assert!(matches!(put(Precondition::Etag("e".into())).await, Err(Error::NoSuchKey { .. })));
    let info = put(Precondition::Absent).await.unwrap();
    assert!(matches!(put(Precondition::Absent).await, Err(Error::PreconditionFailed)));
    assert!(matches!(put(Precondition::Etag("e".into())).await, Err(Error::PreconditionFailed)));
    put(Precondition::Etag(info.etag)).await.unwrap();

    // Of all who find no object at the same time, one puts it.
    let large = bytes(3, 100_000);
    let puts = (0..16).map(|_| {
        store.put("objects", "rivals", ObjectAttributes::default(), body(large.clone()), Precondition::Absent)
    });
    let outcomes = futures::future::join_all(puts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

async fn broken_bodies(store: &Store) {
    put(store, "kept", b"before").await;
    for size in [10, 700_000] {
        let pieces = vec![Ok(Bytes::from(bytes(4, size))), Err(std::io::Error::other("the sender went away"))];
        let broken: Body = futures::stream::iter(pieces).boxed();
        let put = store.put("objects", "kept", ObjectAttributes::default(), broken, Precondition::None);
        assert!(matches!(put.await, Err(Error::Body(error)) if error.to_string() == "the sender went away"));
        let trailer = Box::new(|| Err(std::io::Error::other("the checksum does not agree")));
        let body = body(bytes(4, size));
        let put =
            store.put_with_trailer("objects", "kept", ObjectAttributes::default(), body, Precondition::None, trailer);
        assert!(matches!(put.await, Err(Error::Body(_))));
        assert_eq!(get(store, "kept", None).await.unwrap(), b"before");
    }
}

async fn limits(store: &Store) {
    let longest = "ü".repeat(MAX_KEY_BYTES / 2);
    put(store, &longest, b"x").await;
    assert_eq!(get(store, &longest, None).await.unwrap(), b"x");
    for key in ["", &format!("{longest}x")] {
        let put = store.put("objects", key, ObjectAttributes::default(), body("x"), Precondition::None);
        assert!(matches!(put.await, Err(Error::KeyLength { .. })));
    }
    let mut attributes = ObjectAttributes::default();
    attributes.metadata.insert("name".into(), "v".repeat(2044));
    store.put("objects", "k", attributes.clone(), body("x"), Precondition::None).await.unwrap();
    attributes.metadata.insert("n".into(), String::new());
    let put = store.put("objects", "k", attributes, body("x"), Precondition::None);
    assert!(matches!(put.await, Err(Error::MetadataTooLarge { size: 2049, limit: 2048 })));
}

/// A read ends with the body that it began with.
async fn readers_keep_reading(store: &Store) {
    let before = bytes(5, 2_000_000);
    put(store, "read", &before).await;
    let (_, mut body) = store.get("objects", "read", None).await.unwrap().unwrap();
    let first = body.next().await.unwrap().unwrap();
    put(store, "read", &bytes(6, 2_000_000)).await;
    store.delete("objects", &["read".into()]).await.unwrap();
    let rest = read_all(body).await.unwrap();
    assert!([first.to_vec(), rest].concat() == before);

    // However often an object is replaced, a read gives one of the bodies, whole.
    let writes = async {
        for version in 0..30 {
            put(store, "contended", &vec![version; 150_000]).await;
        }
    };
    let reads = async {
        for _ in 0..100 {
            if let Some(read) = get(store, "contended", None).await {
                assert_eq!(read.len(), 150_000);
                assert!(read.iter().all(|byte| *byte == read[0]));
            }
        }
    };
    futures::future::join3(writes, reads, async {
        for _ in 0..10 {
            store.delete("objects", &["contended".into()]).await.unwrap();
        }
    })
    .await;
}

async fn missing_buckets(store: &Store) {
    let missing = |error: Error| matches!(error, Error::NoSuchBucket(name) if name == "missing");
    let attributes = ObjectAttributes::default;
    assert!(missing(store.put("missing", "k", attributes(), body("x"), Precondition::None).await.unwrap_err()));
    assert!(missing(store.head("missing", "k").await.unwrap_err()));
    assert!(missing(store.get("missing", "k", None).await.err().unwrap()));
    assert!(missing(store.delete("missing", &["k".into()]).await.unwrap_err()));
    assert!(missing(store.delete_bucket("missing").await.unwrap_err()));
    assert!(missing(store.set_bucket_setting("missing", "s", None).await.unwrap_err()));
    assert!(missing(store.create_upload("missing", "k", attributes()).await.unwrap_err()));
    assert!(missing(store.abort_upload("missing", "k", "u").await.unwrap_err()));
}
