//! What other clients of the outside see of our objects, and we of theirs.

use http::{HeaderMap, Method};
use watchkeeper_store::objects::{ListUploads, ObjectAttributes, Precondition, SYSTEM_BUCKET, body, read_all};

use super::{bucket, client, server, store_at};

/// The head of an object, from another client.
async fn head(path: &str) -> HeaderMap {
    let answer = client().request(Method::HEAD, path, &[("x-amz-checksum-mode", "ENABLED")], "", "s3").await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.status());
    answer.headers().clone()
}

async fn ask(method: Method, path: &str, headers: &[(&str, &str)], content: &str) -> String {
    let answer = client().request(method, path, headers, content.to_owned(), "s3").await.unwrap();
    assert!(answer.status().is_success(), "{} {:?}", answer.status(), answer.body());
    String::from_utf8(answer.body().to_vec()).unwrap()
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn see_headers_as_headers() {
    let (_folder, store) = store_at(server()).await;
    bucket(&store, "seen-by-others").await;
    let text = |value: &str| Some(value.to_owned());
    let attributes = ObjectAttributes {
        content_type: text("text/csv"),
        cache_control: text("no-cache"),
        content_language: text("de"),
        metadata: [("owner", "me"), ("watchkeeper-owner", "me too")].map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        // From Python's zlib.crc32.
        checksums: [("CRC32".to_owned(), "jNwWgw==".to_owned())].into(),
        tags: [("team".to_owned(), "a + b".to_owned())].into(),
        ..ObjectAttributes::default()
    };
    store.objects.put("seen-by-others", "a b/ü", attributes.clone(), body("x"), Precondition::None).await.unwrap();
    let path = "/seen-by-others/a%20b/%C3%BC";
    let headers = head(path).await;
    for (name, value) in [
        ("content-type", "text/csv"),
        ("cache-control", "no-cache"),
        ("content-language", "de"),
        ("x-amz-meta-owner", "me"),
        ("x-amz-checksum-crc32", "jNwWgw=="),
        // From Python's hashlib.
        ("etag", "\"9dd4e461268c8034f5c8564e155c67a6\""),
        ("content-length", "1"),
    ] {
        assert_eq!(headers.get(name).map(|value| value.to_str().unwrap()), Some(value), "{name}");
    }
    assert_eq!(ask(Method::GET, path, &[], "").await, "x");
    let tags = ask(Method::GET, &format!("{path}?tagging"), &[], "").await;
    assert!(tags.contains("<Key>team</Key>") && tags.contains("<Value>a + b</Value>"), "{tags}");
    // Names that could be taken for ours come back as they were.
    let stored = store.objects.head("seen-by-others", "a b/ü").await.unwrap().unwrap().attributes;
    assert_eq!((stored.metadata, stored.tags), (attributes.metadata, attributes.tags));
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn and_we_see_theirs() {
    let (_folder, store) = store_at(server()).await;
    ask(Method::PUT, "/made-by-others", &[], "").await;
    let headers = [
        ("content-type", "text/plain"),
        ("x-amz-meta-origin", "elsewhere"),
        ("x-amz-tagging", "kind=raw&empty="),
        ("content-disposition", "inline"),
    ];
    ask(Method::PUT, "/made-by-others/k", &headers, "theirs").await;
    let (info, content) = store.objects.get("made-by-others", "k", None).await.unwrap().unwrap();
    assert_eq!(read_all(content).await.unwrap(), b"theirs");
    // From Python's hashlib.
    assert_eq!(info.etag, "ce97a90ef59e9c768263754682f68bd6");
    let attributes = info.attributes;
    assert_eq!(attributes.content_type.as_deref(), Some("text/plain"));
    assert_eq!(attributes.content_disposition.as_deref(), Some("inline"));
    assert_eq!(attributes.metadata.into_iter().collect::<Vec<_>>(), [("origin".into(), "elsewhere".into())]);
    let tags = [("kind", "raw"), ("empty", "")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(attributes.tags, tags.into());

    let known = store.objects.bucket("made-by-others").await.unwrap().unwrap();
    assert!(known.settings.is_empty());
    assert!(known.created.duration_since(jiff::Timestamp::now()).unsigned_abs().as_secs() < 600, "{}", known.created);
    store.objects.set_bucket_setting("made-by-others", "tagging", Some("{}".into())).await.unwrap();
    let known = store.objects.bucket("made-by-others").await.unwrap().unwrap();
    assert_eq!(known.settings.into_iter().collect::<Vec<_>>(), [("tagging".to_owned(), "{}".to_owned())]);

    // Their uploads as well.
    let begun = ask(Method::POST, "/made-by-others/u?uploads", &[], "").await;
    let list = ListUploads { bucket: "made-by-others".into(), limit: 10, ..ListUploads::default() };
    let upload = store.objects.list_uploads(&list).await.unwrap().uploads.remove(0);
    assert!(begun.contains(&format!("<UploadId>{}</UploadId>", upload.upload)), "{begun}");
    store.objects.put_part("made-by-others", "u", &upload.upload, 1, body("x")).await.unwrap();
    let parts = store.objects.list_parts("made-by-others", "u", &upload.upload, 0, 10).await.unwrap().parts;
    assert_eq!(parts.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>(), [(1, 1)]);
    store.objects.abort_upload("made-by-others", "u", &upload.upload).await.unwrap();
}

/// Other processes change the same settings, none of which is lost.
#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn settings_of_a_bucket_are_changed_by_several_at_once() {
    let (_folder, store) = store_at(server()).await;
    bucket(&store, "contended-settings").await;
    let names: Vec<String> = (0..8).map(|number| format!("setting-{number}")).collect();
    let sets =
        names.iter().map(|name| store.objects.set_bucket_setting("contended-settings", name, Some("value".to_owned())));
    for set in futures::future::join_all(sets).await {
        set.unwrap();
    }
    let settings = store.objects.bucket("contended-settings").await.unwrap().unwrap().settings;
    assert_eq!(settings.into_keys().collect::<Vec<_>>(), names);
    store.objects.delete_bucket("contended-settings").await.unwrap();
    let record = store.objects.head(SYSTEM_BUCKET, "bucket-settings/contended-settings.json").await.unwrap();
    assert!(record.is_none(), "what is kept of a bucket goes with it");
}
