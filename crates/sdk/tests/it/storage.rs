//! Buckets, objects and roles: what is asked, and what comes of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use watchkeeper::session::Credentials;
use watchkeeper::{Error, S3Uri, Session};

use crate::stub::{Answer, Request, Stub};
use crate::waiting::until;

const MEBIBYTE: usize = 1 << 20;

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

/// A session whose default bucket nobody has named.
fn session_without_bucket(stub: &Stub, region: &str) -> Session {
    Session::builder()
        .region(region)
        .endpoint_url(stub.url())
        .credentials(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
        .longest_backoff(Duration::ZERO)
        .build()
        .unwrap()
}

fn buckets(names: &[&str]) -> Answer {
    let buckets: Vec<String> = names
        .iter()
        .map(|name| {
            format!("<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>")
        })
        .collect();
    Answer::bytes(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
         <Owner><ID>owner</ID></Owner><Buckets>{}</Buckets></ListAllMyBucketsResult>",
        buckets.concat()
    ))
}

/// Bytes in which no stretch is like another.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(length)
    .collect()
}

#[tokio::test]
async fn the_default_bucket_is_looked_at_once() {
    let stub = Stub::start(|request| match request.operation().as_str() {
        "GetCallerIdentity" => Answer::caller_identity(),
        "GET /" => buckets(&["other", "sagemaker-eu-central-1-123456789012"]),
        _ => Answer::empty(),
    });
    let session = session_without_bucket(&stub, "eu-central-1");
    let (one, other) = tokio::join!(session.default_bucket(), session.default_bucket());
    assert_eq!(one.unwrap(), "sagemaker-eu-central-1-123456789012");
    assert_eq!(other.unwrap(), "sagemaker-eu-central-1-123456789012");
    let expected = ["GetCallerIdentity", "GET /", "HEAD /sagemaker-eu-central-1-123456789012/"];
    assert_eq!(stub.operations(), expected);
    assert_eq!(stub.requests()[2].header("x-amz-expected-bucket-owner"), "123456789012");
    // Whoever has guessed the name gets nothing of what is written to it later either.
    let place = uri("s3://sagemaker-eu-central-1-123456789012/text");
    session.upload_string_as_file_body("text", &place, None).await.unwrap();
    session.upload_string_as_file_body("text", &uri("s3://elsewhere/text"), None).await.unwrap();
    let requests = stub.requests();
    assert_eq!(requests[3].header("x-amz-expected-bucket-owner"), "123456789012");
    assert_eq!(requests[4].header("x-amz-expected-bucket-owner"), "");
}

#[tokio::test]
async fn a_default_bucket_that_is_missing_is_made() {
    for (region, creation, body) in [
        ("us-east-1", Answer::empty(), ""),
        (
            "eu-central-1",
            Answer::empty(),
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-central-1\
             </LocationConstraint></CreateBucketConfiguration>",
        ),
        (
            "us-east-1",
            Answer::s3_error(409, "OperationAborted", "A conflicting conditional operation is in progress"),
            "",
        ),
        ("us-east-1", Answer::s3_error(409, "BucketAlreadyOwnedByYou", "It is yours"), ""),
    ] {
        let stub = Stub::answering([
            Answer::caller_identity(),
            buckets(&["other"]),
            Answer::empty().with_status(404),
            creation,
        ]);
        let bucket = session_without_bucket(&stub, region).default_bucket().await.unwrap();
        assert_eq!(bucket, format!("sagemaker-{region}-123456789012"));
        let requests = stub.requests();
        assert_eq!(requests.len(), 4);
        assert_eq!((requests[3].method.as_str(), requests[3].text().as_str()), ("PUT", body));
    }
}

#[tokio::test]
async fn a_default_bucket_of_somebody_else_is_not_used() {
    let stub = Stub::answering([Answer::caller_identity(), buckets(&[]), Answer::empty().with_status(403)]);
    let error = session_without_bucket(&stub, "us-east-1").default_bucket().await.unwrap_err();
    assert_eq!(error.to_string(), "HeadBucket of sagemaker-us-east-1-123456789012: 403: Forbidden");
    assert_eq!(stub.requests().len(), 3);
}

#[tokio::test]
async fn a_prefix_is_looked_at_in_place_of_the_bucket_and_nothing_is_made() {
    let stub = Stub::answering([buckets(&[]), Answer::s3_error(404, "NoSuchBucket", "There is none")]);
    let session = stub.builder().default_bucket_prefix("team a/risk").build().unwrap();
    let error = session.default_bucket().await.unwrap_err();
    assert_eq!(error.code(), Some("NoSuchBucket"));
    assert_eq!(stub.requests()[1].query, "list-type=2&prefix=team%20a%2Frisk&encoding-type=url");
    assert_eq!(session.default_bucket_prefix(), Some("team a/risk"));
}

#[tokio::test]
async fn roles_are_looked_up_by_name() {
    let stub = Stub::answering([
        Answer::role("monitoring"),
        Answer::query_error(404, "NoSuchEntity", "The role with name a&amp;b cannot be found."),
    ]);
    let session = stub.session();
    let arn = "arn:aws:iam::123456789012:role/monitoring";
    assert_eq!(session.expand_role(arn).await.unwrap(), arn);
    assert_eq!(session.expand_role("monitoring").await.unwrap(), arn);
    let error = session.expand_role("a&b").await.unwrap_err().to_string();
    assert_eq!(error, "GetRole of a&b: NoSuchEntity: The role with name a&b cannot be found.");
    let sent: Vec<String> = stub.requests().iter().map(Request::text).collect();
    let expected =
        ["Action=GetRole&Version=2010-05-08&RoleName=monitoring", "Action=GetRole&Version=2010-05-08&RoleName=a%26b"];
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn a_folder_goes_up_with_the_folders_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("deep/er")).unwrap();
    for name in ["b.csv", "a ü+%.csv", "deep/c.csv", "deep/er/d.csv"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("round")).unwrap();
    let stub = Stub::start(|_| Answer::empty());
    let place = stub.session().upload(folder.path(), &uri("s3://bucket/data"), Some("alias/key")).await.unwrap();
    assert_eq!(place, uri("s3://bucket/data"));
    let sent: BTreeMap<String, String> =
        stub.requests().iter().map(|request| (request.operation(), request.text())).collect();
    let expected = [
        ("PUT /bucket/data/a%20%C3%BC%2B%25.csv", "a ü+%.csv"),
        ("PUT /bucket/data/b.csv", "b.csv"),
        ("PUT /bucket/data/deep/c.csv", "deep/c.csv"),
        ("PUT /bucket/data/deep/er/d.csv", "deep/er/d.csv"),
    ];
    assert!(sent.iter().map(|(path, body)| (path.as_str(), body.as_str())).eq(expected), "{sent:?}");
    for request in stub.requests() {
        assert_eq!(request.header("x-amz-server-side-encryption"), "aws:kms");
        assert_eq!(request.header("x-amz-server-side-encryption-aws-kms-key-id"), "alias/key");
    }
}

#[tokio::test]
async fn what_cannot_be_uploaded_is_told_before_anything_is_sent() {
    let stub = Stub::start(|_| Answer::empty());
    let session = stub.session();
    let error = session.upload(Path::new("/nothing/here.csv"), &uri("s3://bucket/data"), None).await.unwrap_err();
    assert!(error.to_string().starts_with("/nothing/here.csv: "), "{error}");
    let error = session.upload_string_as_file_body("text", &uri("s3://bucket"), None).await.unwrap_err();
    assert_eq!(error.to_string(), "uri: s3://bucket names a bucket and no object in it");
    assert!(stub.requests().is_empty());
}

/// What S3 does with uploads in parts.
#[derive(Default)]
struct Parts {
    arrived: BTreeMap<u32, Vec<u8>>,
    object: Option<Vec<u8>>,
    is_aborted: bool,
}

impl Parts {
    fn answer(&mut self, request: &Request) -> Answer {
        let number = request.query.strip_prefix("partNumber=").and_then(|rest| rest.split_once('&'));
        match (request.method.as_str(), request.query.as_str()) {
            ("POST", "uploads=") => Answer::bytes(
                "<InitiateMultipartUploadResult><UploadId>up/1</UploadId></InitiateMultipartUploadResult>",
            ),
            ("PUT", _) => {
                let (number, rest) = number.unwrap();
                assert_eq!(rest, "uploadId=up%2F1");
                self.arrived.insert(number.parse().unwrap(), request.body.to_vec());
                Answer::empty().with_header("etag", &format!("\"tag-{number}\""))
            }
            ("POST", "uploadId=up%2F1") => {
                for number in 1..=self.arrived.len() {
                    let part =
                        format!("<Part><ETag>&quot;tag-{number}&quot;</ETag><PartNumber>{number}</PartNumber></Part>");
                    assert!(request.text().contains(&part), "{}", request.text());
                }
                self.object = Some(std::mem::take(&mut self.arrived).into_values().flatten().collect());
                Answer::bytes("<CompleteMultipartUploadResult/>")
            }
            ("DELETE", "uploadId=up%2F1") => {
                self.is_aborted = true;
                Answer::empty().with_status(204)
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.bin");
    let body = bytes(20 * MEBIBYTE + 7);
    std::fs::write(&path, &body).unwrap();
    let parts = Arc::new(Mutex::new(Parts::default()));
    let stub = Stub::start({
        let parts = Arc::clone(&parts);
        move |request| parts.lock().unwrap().answer(request)
    });
    let place = stub.session().upload(&path, &uri("s3://bucket/data"), Some("key")).await.unwrap();
    assert_eq!(place, uri("s3://bucket/data/large.bin"));
    assert!(parts.lock().unwrap().object.as_deref() == Some(&body));
    let requests = stub.requests();
    let mut lengths: Vec<usize> = requests[1..4].iter().map(|request| request.body.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [4 * MEBIBYTE + 7, 8 * MEBIBYTE, 8 * MEBIBYTE]);
    assert_eq!(requests.len(), 5);
    assert_eq!(requests[0].header("x-amz-server-side-encryption-aws-kms-key-id"), "key");
    // The upload as a whole is encrypted; a part cannot say so again.
    assert_eq!(requests[1].header("x-amz-server-side-encryption"), "");
}

#[tokio::test]
async fn an_upload_that_fails_or_is_given_up_is_aborted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.bin");
    std::fs::write(&path, vec![0; 9 * MEBIBYTE]).unwrap();
    for is_given_up in [false, true] {
        let parts = Arc::new(Mutex::new(Parts::default()));
        let stub = Stub::start({
            let parts = Arc::clone(&parts);
            move |request| match request.method.as_str() {
                "PUT" if is_given_up => Answer::silent(),
                "PUT" => Answer::s3_error(403, "AccessDenied", "Access Denied"),
                _ => parts.lock().unwrap().answer(request),
            }
        });
        let session = stub.session();
        let place = uri("s3://bucket/data");
        let upload = session.upload(&path, &place, None);
        if is_given_up {
            tokio::select! {
                _ = upload => panic!("nobody has answered"),
                () = until(|| stub.requests().iter().any(|request| request.method == "PUT")) => {}
            }
        } else {
            let error = upload.await.unwrap_err().to_string();
            assert_eq!(error, "UploadPart of s3://bucket/data/large.bin: AccessDenied: Access Denied");
        }
        until(|| parts.lock().unwrap().is_aborted).await;
        assert!(parts.lock().unwrap().object.is_none());
    }
}

#[tokio::test]
async fn an_upload_whose_completion_got_no_answer_is_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.bin");
    std::fs::write(&path, vec![0; 8 * MEBIBYTE]).unwrap();
    for (tag, is_ours) in [("\"0123-1\"", true), ("\"0123-2\"", false)] {
        let completions = Mutex::new(0);
        let parts = Mutex::new(Parts::default());
        let stub = Stub::start(move |request| match (request.method.as_str(), request.query.as_str()) {
            ("POST", "uploadId=up%2F1") => {
                let mut completions = completions.lock().unwrap();
                *completions += 1;
                if *completions == 1 {
                    Answer::broken()
                } else {
                    Answer::s3_error(404, "NoSuchUpload", "There is none")
                }
            }
            // Its body is not sent, its length is told.
            ("HEAD", "") => Answer::bytes(vec![0; 8 * MEBIBYTE]).with_header("etag", tag),
            _ => parts.lock().unwrap().answer(request),
        });
        let outcome = stub.session().upload(&path, &uri("s3://bucket/data"), None).await;
        if is_ours {
            assert_eq!(outcome.unwrap(), uri("s3://bucket/data/large.bin"));
        } else {
            assert_eq!(outcome.unwrap_err().code(), Some("NoSuchUpload"));
        }
    }
}

/// A page of a list, as S3 writes it.
fn listing(keys: &[(&str, u64)], rest: &str) -> Answer {
    let contents: Vec<String> = keys
        .iter()
        .map(|(key, size)| {
            format!("<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag><Size>{size}</Size></Contents>")
        })
        .collect();
    Answer::bytes(format!(
        "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>bucket</Name><EncodingType>url</EncodingType>\
         {rest}{}</ListBucketResult>",
        contents.concat()
    ))
}

#[tokio::test]
async fn lists_are_read_to_their_end() {
    let stub = Stub::answering([
        listing(&[("data/a+b%2Bc", 1), ("data/%C3%BC%26%3C", 1)], "<IsTruncated>true</IsTruncated>"),
        listing(&[("data/z", 1)], "<IsTruncated>false</IsTruncated>"),
    ]);
    let found = stub.session().list_s3_files(&uri("s3://bucket/data/")).await.unwrap();
    let found: Vec<&str> = found.iter().map(|uri| uri.key.as_str()).collect();
    assert_eq!(found, ["data/a b+c", "data/ü&<", "data/z"]);
    let queries: Vec<String> = stub.requests().iter().map(|request| request.query.clone()).collect();
    let expected = ["prefix=data%2F&encoding-type=url", "prefix=data%2F&encoding-type=url&marker=data%2F%C3%BC%26%3C"];
    assert_eq!(queries, expected);
}

/// Gives parts of an object as S3 does.
fn ranged(request: &Request, body: &[u8]) -> Answer {
    let range = request.header("range").strip_prefix("bytes=").unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let (start, end) = (start.parse::<usize>().unwrap(), end.parse::<usize>().unwrap().min(body.len() - 1));
    Answer::bytes(body[start..=end].to_vec())
        .with_status(206)
        .with_header("content-range", &format!("bytes {start}-{end}/{}", body.len()))
        .with_header("etag", "\"e\"")
}

#[tokio::test]
async fn objects_come_down_below_the_folder() {
    let large = bytes(25 * MEBIBYTE + 1);
    let served = large.clone();
    let stub = Stub::start(move |request| match request.operation().as_str() {
        "GET /bucket/" if request.query.ends_with("continuation-token=next%2F1") => {
            listing(&[("out/empty", 0), ("out/shown/", 0)], "<IsTruncated>false</IsTruncated>")
        }
        "GET /bucket/" => listing(
            &[("out/deep/er.json", 2), ("out/large.bin", 9)],
            "<IsTruncated>true</IsTruncated><NextContinuationToken>next/1</NextContinuationToken>",
        ),
        "GET /bucket/out/deep/er.json" => ranged(request, b"{}"),
        "GET /bucket/out/empty" => Answer::empty(),
        "GET /bucket/out/large.bin" => ranged(request, &served),
        other => panic!("{other}"),
    });
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("new");
    let files = stub.session().download(&uri("s3://bucket/out"), &wanted).await.unwrap();
    assert_eq!(files, ["deep/er.json", "large.bin", "empty"].map(|name| wanted.join(name)));
    assert_eq!(std::fs::read(&files[0]).unwrap(), b"{}");
    assert!(std::fs::read(&files[1]).unwrap() == large);
    assert_eq!(std::fs::read(&files[2]).unwrap(), b"");
    let parts: Vec<Request> =
        stub.requests().into_iter().filter(|request| request.path.ends_with("large.bin")).collect();
    assert_eq!(parts.len(), 4);
    assert!(parts[1..].iter().all(|request| request.header("if-match") == "\"e\""));
    let names: Vec<_> = std::fs::read_dir(&wanted).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[tokio::test]
async fn an_object_that_changes_on_its_way_leaves_the_file_that_was_there() {
    let body = bytes(9 * MEBIBYTE);
    let stub = Stub::start(move |request| match request.operation().as_str() {
        "GET /bucket/" => listing(&[("out/large.bin", 9)], ""),
        _ if request.header("if-match").is_empty() => ranged(request, &body),
        _ => Answer::s3_error(412, "PreconditionFailed", "At least one of the preconditions did not hold"),
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("large.bin"), "as it was").unwrap();
    let error = stub.session().download(&uri("s3://bucket/out/large.bin"), folder.path()).await.unwrap_err();
    assert_eq!(error.code(), Some("PreconditionFailed"));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [folder.path().join("large.bin")]);
    assert_eq!(std::fs::read(&left[0]).unwrap(), b"as it was");
}

#[tokio::test]
async fn no_key_leads_out_of_the_folder() {
    for key in ["out/../../etc/passwd", "out/a/../../b", "out/.."] {
        let stub = Stub::answering([listing(&[("out/fine", 1), (key, 1)], "")]);
        let folder = tempfile::tempdir().unwrap();
        let error = stub.session().download(&uri("s3://bucket/out"), folder.path()).await.unwrap_err();
        assert!(matches!(error, Error::Argument { argument: "from", .. }), "{error}");
        assert_eq!(stub.requests().len(), 1);
    }
}

#[tokio::test]
async fn objects_that_are_no_texts_are_told() {
    let stub = Stub::answering([
        Answer::bytes("ü"),
        Answer::bytes(vec![b'a', 0xff]),
        Answer::s3_error(404, "NoSuchKey", "The specified key does not exist."),
    ]);
    let session = stub.session();
    let place = uri("s3://bucket/file");
    assert_eq!(session.read_s3_file(&place).await.unwrap(), "ü");
    let error = session.read_s3_file(&place).await.unwrap_err().to_string();
    assert_eq!(error, "s3://bucket/file: it is no text in UTF-8: byte 1 is none of it");
    let error = session.read_s3_file(&place).await.unwrap_err();
    assert_eq!(error.to_string(), "GetObject of s3://bucket/file: NoSuchKey: The specified key does not exist.");
    assert_eq!(error.code(), Some("NoSuchKey"));
}
