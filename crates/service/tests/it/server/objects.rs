//! S3 through the listener: what clients depend on, and what they may not do. The Python suites go through it with real
//! clients; here is what those cannot send.

use http::Method;
use jiff::Timestamp;
use watchkeeper_aws::signing::{Canonical, Payload, Signer, presign};

use super::Server;

#[tokio::test]
async fn the_default_bucket_and_the_sdk_defaults_are_there() {
    let server = Server::start().await;
    let buckets = server.s3(Method::GET, "/", &[], "").await;
    let text = String::from_utf8_lossy(buckets.body()).into_owned();
    assert!(text.contains("<Name>sagemaker-us-east-1-000000000000</Name>"), "{text}");
    assert!(text.contains("<CreationDate>"), "{text}");
    let defaults = server.s3(Method::GET, "/watchkeeper-system/sagemaker-config.yaml", &[], "").await;
    let text = String::from_utf8_lossy(defaults.body()).into_owned();
    let expected = "SchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    Modules:\n      TelemetryOptOut: true\n      \
                    Session:\n        DefaultS3Bucket: sagemaker-us-east-1-000000000000\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn keys_are_kept_as_they_are() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    // Dot segments, double slashes, a plus, a percent sign, a slash at the end, and letters of other alphabets.
    for key in ["a/../b", "./a", "a//b", "/a", "a+b", "100%25", "a/", "%C3%BC%20%E2%82%AC", "_watchkeeper/keys"] {
        let path = format!("/data-bucket/{key}");
        let put = server.s3(Method::PUT, &path, &[], key.to_owned()).await;
        assert_eq!(put.status(), 200, "{key}: {}", String::from_utf8_lossy(put.body()));
        let got = server.s3(Method::GET, &path, &[], "").await;
        assert_eq!(got.body(), key, "{key}");
    }
    let listed = server.s3(Method::GET, "/data-bucket?list-type=2", &[], "").await;
    let text = String::from_utf8_lossy(listed.body()).into_owned();
    for key in ["a/../b", "./a", "a//b", "/a", "a+b", "100%", "a/", "ü €", "_watchkeeper/keys"] {
        assert!(text.contains(&format!("<Key>{key}</Key>")), "{key}: {text}");
    }
    let encoded = server.s3(Method::GET, "/data-bucket?encoding-type=url&list-type=2&prefix=a%2Bb", &[], "").await;
    let text = String::from_utf8_lossy(encoded.body()).into_owned();
    assert!(text.contains("<Key>a%2Bb</Key>") && text.contains("<EncodingType>url</EncodingType>"), "{text}");
}

#[tokio::test]
async fn both_addressing_styles_reach_the_same_object() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    server.s3(Method::PUT, "/data-bucket/k", &[], "content").await;
    let port = server.address().port();
    for host in [
        format!("data-bucket.localhost:{port}"),
        "data-bucket.s3.eu-west-1.amazonaws.com".to_owned(),
        "DATA-BUCKET.s3.amazonaws.com".to_owned(),
    ] {
        let answer = signed_get(&server, &host, "/k").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "content"), "{host}");
    }
    let answer = signed_get(&server, &format!("localhost:{port}"), "/data-bucket/k").await;
    assert_eq!(answer.body, "content");
}

/// A presigned GET with a host of its own.
async fn signed_get(server: &Server, host: &str, path: &str) -> super::Answer {
    let credentials = server.credentials();
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: Timestamp::now() };
    let request = Canonical {
        method: "GET",
        path,
        query: "",
        headers: vec![("host", host.as_bytes())],
        payload: Payload::Unsigned,
    };
    let query = presign(&request, &signer, 60);
    server.raw(format!("GET {path}?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await
}

#[tokio::test]
async fn a_presigned_request_ends() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    server.s3(Method::PUT, "/data-bucket/k", &[], "content").await;
    let credentials = server.credentials();
    let an_hour_ago = Timestamp::now() - jiff::SignedDuration::from_hours(1);
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: an_hour_ago };
    let host = server.address().to_string();
    let request = Canonical {
        method: "GET",
        path: "/data-bucket/k",
        query: "",
        headers: vec![("host", host.as_bytes())],
        payload: Payload::Unsigned,
    };
    let query = presign(&request, &signer, 60);
    let answer = server.raw(format!("GET /data-bucket/k?{query} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<Message>Request has expired</Message>"), "{answer:?}");
    let changed = query.replace("X-Amz-Expires=60", "X-Amz-Expires=86400");
    let answer = server.raw(format!("GET /data-bucket/k?{changed} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
    assert!(answer.body.contains("<Code>SignatureDoesNotMatch</Code>"), "{answer:?}");
}

#[tokio::test]
async fn errors_have_text_and_ids_and_none_has_a_body_on_head() {
    let server = Server::start().await;
    let missing = server.s3(Method::GET, "/nobodys-bucket/k", &[], "").await;
    assert_eq!(missing.status(), 404);
    let text = String::from_utf8_lossy(missing.body()).into_owned();
    let id = missing.headers()["x-amz-request-id"].to_str().unwrap();
    assert!(text.contains("<Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message>"), "{text}");
    assert!(text.contains(&format!("<RequestId>{id}</RequestId><HostId>")), "{text}");
    let head = server.s3(Method::HEAD, "/nobodys-bucket", &[], "").await;
    assert_eq!((head.status().as_u16(), head.body().len()), (404, 0));
    assert!(!head.headers().contains_key("content-type"));
    let unknown = server.s3(Method::GET, "/watchkeeper-system?acl", &[], "").await;
    assert_eq!(unknown.status(), 501);
    assert!(String::from_utf8_lossy(unknown.body()).contains("<Code>NotImplemented</Code>"));
}

#[tokio::test]
async fn another_owner_is_denied() {
    let server = Server::start().await;
    for (owner, status) in [("000000000000", 200), ("111111111111", 403)] {
        let headers = [("x-amz-expected-bucket-owner", owner)];
        let answer = server.s3(Method::HEAD, "/watchkeeper-system", &headers, "").await;
        assert_eq!(answer.status(), status, "{owner}");
    }
}

#[tokio::test]
async fn checksums_are_checked_kept_and_left_out_of_parts() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    // Of `123456789`, from the catalogue of CRC algorithms: CRC-32/ISO-HDLC is cbf43926, CRC-32/ISCSI is e3069283.
    for (name, right, wrong) in [("crc32", "y/Q5Jg==", "y/Q5Jw=="), ("crc32c", "4waSgw==", "4waShA==")] {
        let name = format!("x-amz-checksum-{name}");
        let refused = server.s3(Method::PUT, "/data-bucket/k", &[(&name, wrong)], "123456789").await;
        assert_eq!(refused.status(), 400);
        assert!(String::from_utf8_lossy(refused.body()).contains("<Code>BadDigest</Code>"));
        assert_eq!(server.s3(Method::HEAD, "/data-bucket/k", &[], "").await.status(), 404, "nothing was stored");
        let put = server.s3(Method::PUT, "/data-bucket/k", &[(&name, right)], "123456789").await;
        assert_eq!(put.status(), 200);
        let mode = ("x-amz-checksum-mode", "ENABLED");
        let whole = server.s3(Method::GET, "/data-bucket/k", &[mode], "").await;
        assert_eq!(whole.headers()[name.as_str()], right);
        let part = server.s3(Method::GET, "/data-bucket/k", &[mode, ("range", "bytes=2-4")], "").await;
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, b"345".as_slice()));
        assert_eq!(part.headers()["content-range"], "bytes 2-4/9");
        assert!(!part.headers().contains_key(name.as_str()));
        server.s3(Method::DELETE, "/data-bucket/k", &[], "").await;
    }
}

#[tokio::test]
async fn a_body_that_is_not_the_signed_one_is_not_stored() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    let credentials = server.credentials();
    let host = server.address().to_string();
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: Timestamp::now() };
    let request = Canonical {
        method: "PUT",
        path: "/data-bucket/k",
        query: "",
        headers: vec![("host", host.as_bytes())],
        payload: Payload::Bytes(b"right"),
    };
    let added = watchkeeper_aws::signing::sign(&request, &signer);
    let added: Vec<String> = added.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let added = added.concat();
    let answer = server
        .raw(format!("PUT /data-bucket/k HTTP/1.1\r\nHost: {host}\r\n{added}Content-Length: 5\r\n\r\nwrong"))
        .await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{answer:?}");
    assert_eq!(server.s3(Method::HEAD, "/data-bucket/k", &[], "").await.status(), 404);
}

#[tokio::test]
async fn temporary_keys_need_their_token() {
    let server = Server::start().await;
    let role = "/?Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fx&RoleSessionName=test";
    let answer = server.client().request(Method::POST, role, &[], "", "sts").await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let part = |name: &str| {
        let rest = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{text}")).1;
        rest.split_once('<').unwrap().0.to_owned()
    };
    let right = watchkeeper_aws::signing::Credentials {
        access_key_id: part("AccessKeyId"),
        secret_access_key: part("SecretAccessKey"),
        session_token: Some(part("SessionToken")),
    };
    let mut wrong = right.clone();
    wrong.session_token = Some("wrong".to_owned());
    let mut without = right.clone();
    without.session_token = None;
    for (credentials, status) in [(right, 200), (wrong, 400), (without, 400)] {
        let answer = server.client_with(credentials).request(Method::GET, "/", &[], "", "s3").await.unwrap();
        assert_eq!(answer.status(), status, "{}", String::from_utf8_lossy(answer.body()));
    }
}

#[tokio::test]
async fn a_header_that_is_not_under_the_signature_is_refused() {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    server.s3(Method::PUT, "/data-bucket/source", &[], "content").await;
    let credentials = server.credentials();
    let host = server.address().to_string();
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: Timestamp::now() };
    let request = Canonical {
        method: "PUT",
        path: "/data-bucket/k",
        query: "",
        headers: vec![("host", host.as_bytes())],
        payload: Payload::Bytes(b""),
    };
    let added = watchkeeper_aws::signing::sign(&request, &signer);
    let added: Vec<String> = added.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // Whoever sees the request go by could make a copy of it.
    let slipped_in = "x-amz-copy-source: /data-bucket/source\r\n";
    let head = format!(
        "PUT /data-bucket/k HTTP/1.1\r\nHost: {host}\r\n{}{slipped_in}Content-Length: 0\r\n\r\n",
        added.concat()
    );
    let answer = server.raw(head).await;
    assert_eq!(answer.status, 403, "{answer:?}");
    assert!(answer.body.contains("which were not signed"), "{answer:?}");
    assert_eq!(server.s3(Method::HEAD, "/data-bucket/k", &[], "").await.status(), 404);
}

#[tokio::test]
async fn the_old_signature_is_taken_in_addresses_alone_and_forms_not_at_all() {
    let server = Server::start().await;
    let id = server.credentials().access_key_id;
    let head = format!(
        "GET /watchkeeper-system HTTP/1.1\r\nHost: x\r\nDate: Thu, 26 Nov 2026 00:00:00 GMT\r\nAuthorization: AWS {id}:c2ln\r\n\r\n"
    );
    assert_eq!(server.raw(head).await.status, 403);
    let form = "POST /watchkeeper-system HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999999999\r\n\r\n--b\r\n";
    let answer = server.raw(form).await;
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("<Code>NotImplemented</Code>"), "{answer:?}");
}
