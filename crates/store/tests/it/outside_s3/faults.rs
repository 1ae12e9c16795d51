//! An outside S3 that is out of reach, fails, forgets to answer, or breaks off.

use std::collections::BTreeMap;

use futures::StreamExt as _;
use watchkeeper_store::objects::{ByteRange, CompletedPart, ObjectAttributes, Precondition, body, read_all};
use watchkeeper_store::{Error, S3Settings, Store};

use super::interposer::{Fault, Interposer, refusal};
use super::{bucket, open, server, store_at};
use crate::bytes;

async fn interposed() -> (tempfile::TempDir, Store, Interposer) {
    let interposer = Interposer::start(&server()).await;
    let (folder, store) = store_at(interposer.settings(server())).await;
    (folder, store, interposer)
}

async fn put(store: &Store, bucket: &str, key: &str, content: &[u8]) -> Result<(), Error> {
    let body = body(content.to_vec());
    store.objects.put(bucket, key, ObjectAttributes::default(), body, Precondition::None).await.map(drop)
}

fn out_of_order() -> Fault {
    refusal("503 Service Unavailable", "SlowDown", "Please reduce your request rate.")
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn an_outage_is_waited_for() {
    let (_folder, store, interposer) = interposed().await;
    bucket(&store, "outage").await;
    // Too large for the memory, so that its file is sent each time.
    let content = bytes(1, 2_000_000);
    for _ in 0..4 {
        interposer.fault("PUT /outage/k", out_of_order());
    }
    put(&store, "outage", "k", &content).await.unwrap();
    assert_eq!(interposer.seen("PUT /outage/k"), 5);
    for fault in [out_of_order(), refusal("500 Internal Server Error", "InternalError", ""), Fault::LoseAnswer] {
        interposer.fault("GET /outage/k", fault);
    }
    let (_, body) = store.objects.get("outage", "k", None).await.unwrap().unwrap();
    assert!(read_all(body).await.unwrap() == content);
    assert_eq!(interposer.seen("GET /outage/k"), 4);
    interposer.fault("GET /outage?list-type", out_of_order());
    interposer.fault("DELETE /outage/k", out_of_order());
    let list = watchkeeper_store::objects::ListObjects { bucket: "outage".into(), limit: 10, ..Default::default() };
    assert_eq!(store.objects.list(&list).await.unwrap().objects.len(), 1);
    store.objects.delete("outage", &["k".into()]).await.unwrap();
    assert_eq!(interposer.seen("DELETE /outage/k"), 2);
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn what_was_done_already_is_no_failure_when_it_is_asked_for_again() {
    let (_folder, store, interposer) = interposed().await;
    interposer.fault("PUT /lost-answers ", Fault::LoseAnswer);
    bucket(&store, "lost-answers").await;
    interposer.fault("PUT /lost-answers/k", Fault::LoseAnswer);
    put(&store, "lost-answers", "k", b"content").await.unwrap();
    assert_eq!(interposer.seen("PUT /lost-answers/k"), 2);

    let attributes = ObjectAttributes::default;
    let upload = store.objects.create_upload("lost-answers", "u", attributes()).await.unwrap();
    interposer.fault("PUT /lost-answers/u?partNumber=1", Fault::LoseAnswer);
    let part = store.objects.put_part("lost-answers", "u", &upload, 1, body("part")).await.unwrap();
    let parts = [CompletedPart { number: 1, etag: part.etag }];
    interposer.fault("POST /lost-answers/u?uploadId=", Fault::LoseAnswer);
    let complete =
        store.objects.complete_upload("lost-answers", "u", &upload, &parts, BTreeMap::new(), Precondition::None);
    assert_eq!(complete.await.unwrap().size, 4);
    assert_eq!(interposer.seen("POST /lost-answers/u?uploadId="), 2);
    assert!(matches!(
        store.objects.abort_upload("lost-answers", "u", &upload).await,
        Err(Error::NoSuchUpload(id)) if id == upload
    ));

    let upload = store.objects.create_upload("lost-answers", "u", attributes()).await.unwrap();
    interposer.fault("DELETE /lost-answers/u?uploadId=", Fault::LoseAnswer);
    store.objects.abort_upload("lost-answers", "u", &upload).await.unwrap();
}

/// Sent again, it would find what it has done itself, and say that somebody else was quicker.
#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn a_conditional_put_whose_answer_is_lost_is_not_repeated() {
    let (_folder, store, interposer) = interposed().await;
    bucket(&store, "conditional").await;
    let put = || store.objects.put("conditional", "k", ObjectAttributes::default(), body("x"), Precondition::Absent);
    interposer.fault("PUT /conditional/k", Fault::LoseAnswer);
    assert!(matches!(put().await, Err(Error::OutsideS3Unavailable { .. })));
    assert_eq!(interposer.seen("PUT /conditional/k"), 1);
    assert!(matches!(put().await, Err(Error::PreconditionFailed)));
    // Who says that he has done nothing is asked again.
    store.objects.delete("conditional", &["k".into()]).await.unwrap();
    interposer.fault("PUT /conditional/k", out_of_order());
    interposer.fault("PUT /conditional/k", refusal("409 Conflict", "ConditionalRequestConflict", "A conflict"));
    put().await.unwrap();
    assert_eq!(interposer.seen("PUT /conditional/k"), 4);
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn a_read_goes_on_where_it_broke_off() {
    let (_folder, store, interposer) = interposed().await;
    bucket(&store, "broken-reads").await;
    let content = bytes(7, 3_000_000);
    put(&store, "broken-reads", "k", &content).await.unwrap();
    for cut in [1_000_000, 500_000, 20, 0] {
        interposer.fault("GET /broken-reads/k", Fault::Cut(cut));
    }
    let (_, body) = store.objects.get("broken-reads", "k", None).await.unwrap().unwrap();
    assert!(read_all(body).await.unwrap() == content);
    assert!(interposer.seen("GET /broken-reads/k") >= 4);

    interposer.fault("GET /broken-reads/k", Fault::Cut(400_000));
    let range = ByteRange::From { first: 1_000_000, last: Some(1_999_999) };
    let (_, body) = store.objects.get("broken-reads", "k", Some(range)).await.unwrap().unwrap();
    assert!(read_all(body).await.unwrap() == content[1_000_000..2_000_000]);

    // Replaced meanwhile there is nothing to go on with, and half a body is none.
    interposer.fault("GET /broken-reads/k", Fault::Cut(1_000_000));
    let (_, mut body) = store.objects.get("broken-reads", "k", None).await.unwrap().unwrap();
    put(&store, "broken-reads", "k", &bytes(8, 3_000_000)).await.unwrap();
    let failure = loop {
        match body.next().await.expect("it does not end as if it were whole") {
            Ok(_) => {}
            Err(error) => break error.to_string(),
        }
    };
    assert!(failure.contains("replaced while it was read"), "{failure}");
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn refusals_are_told_in_the_words_of_the_server() {
    let (_folder, store, interposer) = interposed().await;
    bucket(&store, "refusals").await;
    interposer.fault("PUT /refusals/k", refusal("403 Forbidden", "AccessDenied", "You shall not put"));
    let error = put(&store, "refusals", "k", b"x").await.unwrap_err();
    let endpoint = interposer.settings(server()).endpoint_url;
    assert_eq!(
        error.to_string(),
        format!(
            "the outside S3 at {endpoint} refused to put the object s3://refusals/k: AccessDenied: You shall not put"
        )
    );
    assert_eq!(interposer.seen("PUT /refusals/k"), 1, "what is refused is not asked again");
    // A completion may fail after its answer has begun well.
    let upload = store.objects.create_upload("refusals", "u", ObjectAttributes::default()).await.unwrap();
    let part = store.objects.put_part("refusals", "u", &upload, 1, body("part")).await.unwrap();
    let parts = [CompletedPart { number: 1, etag: part.etag }];
    interposer.fault("POST /refusals/u?uploadId=", refusal("200 OK", "InvalidPart", "One part is not there"));
    let none = BTreeMap::new();
    let refused = store.objects.complete_upload("refusals", "u", &upload, &parts, none, Precondition::None).await;
    assert!(refused.unwrap_err().to_string().contains("InvalidPart: One part is not there"));
}

/// The server's clock is an hour ahead of ours: it says so, and is believed.
#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn the_clock_of_the_server_counts() {
    let (_folder, store, interposer) = interposed().await;
    bucket(&store, "clocks").await;
    let ahead = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(1)).unwrap();
    let date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT");
    let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let head = format!("HTTP/1.1 403 Forbidden\r\ndate: {date}\r\ncontent-length: {}\r\n", body.len());
    interposer.fault("PUT /clocks/k", Fault::Answer(format!("{head}connection: close\r\n\r\n{body}")));
    // A server that checks moments refuses the second attempt, whose moment is wrong in truth.
    let _ = put(&store, "clocks", "k", b"x").await;
    let last = interposer.last();
    assert!(last.contains(&format!("x-amz-date: {}", ahead.strftime("%Y%m%dT%H"))), "{last}");
}

#[tokio::test]
#[ignore = "needs an S3 server: cargo xtask test --only backends"]
async fn a_start_without_the_server_says_what_is_wrong() {
    // Nobody listens at the address of a listener that is gone.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint_url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (_folder, opened) = open(S3Settings { endpoint_url: endpoint_url.clone(), ..server() }).await;
    let message = opened.err().unwrap().to_string();
    assert!(message.starts_with(&format!("the outside S3 at {endpoint_url} did not ")), "{message}");

    // The answer of a HEAD has no words.
    let interposer = Interposer::start(&server()).await;
    let refused = || refusal("403 Forbidden", "InvalidAccessKeyId", "The key does not exist");
    interposer.fault("HEAD /watchkeeper-system", refused());
    interposer.fault("GET /watchkeeper-system?list-type", refused());
    let (_folder, opened) = open(interposer.settings(server())).await;
    let message = opened.err().unwrap().to_string();
    assert!(message.ends_with(": InvalidAccessKeyId: The key does not exist"), "{message}");

    for wrong in ["ftp://host", "host:9000", "http://user:secret@host", "http://host/?x=y"] {
        let (_folder, opened) = open(S3Settings { endpoint_url: wrong.to_owned(), ..server() }).await;
        let error = opened.err().unwrap();
        assert!(matches!(error, Error::OutsideS3Settings { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
