//! What a signature does not cover, and bodies that are not whole, over the wire: no client sends such requests.

use http::Method;
use jiff::Timestamp;
use ring::hmac;
use sha2::{Digest as _, Sha256};
use watchkeeper_aws::signing::{Canonical, Payload, Signer, presign, sign};

use super::{Answer, Server};

/// A service with a bucket and an object that somebody wants to have copied.
async fn server() -> Server {
    let server = Server::start().await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    server.s3(Method::PUT, "/data-bucket/secret", &[], "content").await;
    server
}

const COPY: &str = "x-amz-copy-source: /data-bucket/secret\r\n";

/// The query of an address with which anybody may write `/data-bucket/k`.
fn address_to_write(server: &Server) -> String {
    let (credentials, host) = (server.credentials(), server.address().to_string());
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: Timestamp::now() };
    let headers = vec![("host", host.as_bytes())];
    let request = Canonical { method: "PUT", path: "/data-bucket/k", query: "", headers, payload: Payload::Unsigned };
    presign(&request, &signer, 60)
}

/// Writes `/data-bucket/k` with these header lines and this body.
async fn put(server: &Server, query: &str, lines: &str, body: &str) -> Answer {
    let (host, length) = (server.address(), body.len());
    let path = if query.is_empty() { "/data-bucket/k".to_owned() } else { format!("/data-bucket/k?{query}") };
    let head = format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\n{lines}Content-Length: {length}\r\n\r\n");
    server.raw(head + body).await
}

/// The header lines of a signed request to write an empty `/data-bucket/k`.
fn signed_lines(server: &Server) -> String {
    let (credentials, host) = (server.credentials(), server.address().to_string());
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: Timestamp::now() };
    let headers = vec![("host", host.as_bytes())];
    let request = Canonical { method: "PUT", path: "/data-bucket/k", query: "", headers, payload: Payload::Bytes(b"") };
    let lines: Vec<String> =
        sign(&request, &signer).iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    lines.concat()
}

async fn assert_nothing_is_stored(server: &Server) {
    assert_eq!(server.s3(Method::HEAD, "/data-bucket/k", &[], "").await.status(), 404);
}

#[tokio::test]
async fn a_presigned_address_gives_no_more_than_it_says() {
    let server = server().await;
    let query = address_to_write(&server);
    let encoded_name = query.replace("X-Amz-SignedHeaders", "%58-Amz-SignedHeaders");
    for query in [&query, &encoded_name] {
        let answer = put(&server, query, COPY, "").await;
        assert_eq!(answer.status, 403, "{answer:?}");
        assert!(answer.body.contains("which were not signed"), "{answer:?}");
    }
    assert_nothing_is_stored(&server).await;
    for query in [&query, &encoded_name] {
        assert_eq!(put(&server, query, "", "body").await.status, 200);
    }
}

#[tokio::test]
async fn a_request_has_one_signature() {
    let server = server().await;
    let query = address_to_write(&server);
    let encoded_name = query.replace("X-Amz-Signature", "X-Amz-Signatur%65");
    let other = "Authorization: x SignedHeaders=host;x-amz-copy-source\r\n";
    let refused = [
        (query.clone(), format!("{other}{COPY}")),
        (encoded_name, format!("{other}{COPY}")),
        (query, "Authorization: \u{fc}\r\n".to_owned()),
    ];
    for (query, lines) in refused {
        let answer = put(&server, &query, &lines, "").await;
        assert_eq!(answer.status, 400, "{lines}: {answer:?}");
        assert!(answer.body.contains("Only one auth mechanism allowed"), "{lines}: {answer:?}");
    }
    assert_nothing_is_stored(&server).await;
}

#[tokio::test]
async fn names_of_signed_headers_that_are_not_checked_do_not_count() {
    let server = server().await;
    let lines = signed_lines(&server);
    let names = "SignedHeaders=host;x-amz-content-sha256;x-amz-date,";
    assert!(lines.contains(names), "{lines}");
    let changes = [
        lines.replace("x-amz-date,", "x-amz-date;X-Amz-Copy-Source,"),
        lines.replace("x-amz-date,", "x-amz-date;x-amz-copy-source ,"),
        lines.replace("AWS4-HMAC-SHA256 ", "SignedHeaders=host;x-amz-date;x-amz-copy-source, "),
    ];
    for changed in changes {
        let answer = put(&server, "", &format!("{changed}{COPY}"), "").await;
        assert_eq!(answer.status, 403, "{changed}: {answer:?}");
    }
    assert_nothing_is_stored(&server).await;
    assert_eq!(put(&server, "", &lines, "").await.status, 200);
}

/// Writes `/data-bucket/k` with a body of nine bytes in chunks, the CRC-32 announced to come behind it.
async fn put_chunks(server: &Server, chunks: &str) -> Answer {
    put_chunks_of(server, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 9, chunks).await
}

/// The same with another kind and length of the body.
async fn put_chunks_of(server: &Server, payload: &str, length: usize, chunks: &str) -> Answer {
    let (credentials, host) = (server.credentials(), server.address().to_string());
    let moment = Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let length = length.to_string();
    let all = [
        ("host", host.as_str()),
        ("x-amz-content-sha256", payload),
        ("x-amz-date", &moment),
        ("x-amz-decoded-content-length", &length),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let headers = if payload.ends_with("TRAILER") { &all[..] } else { &all[..4] };
    // The signature of AWS's documentation, for a payload that the signing of this project's own client does not know.
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let canonical = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect::<Vec<_>>().concat();
    let canonical = format!("PUT\n/data-bucket/k\n\n{canonical}\n{names}\n{payload}");
    let scope = format!("{}/eu-west-1/s3/aws4_request", &moment[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let keyed =
        |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec();
    let secret = format!("AWS4{}", credentials.secret_access_key).into_bytes();
    let key = scope.split('/').fold(secret, |key, part| keyed(&key, part));
    let signature = hex::encode(keyed(&key, &to_sign));
    let id = credentials.access_key_id;
    let lines: Vec<String> = headers[1..].iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let lines = lines.concat();
    let authorization = format!(
        "Authorization: AWS4-HMAC-SHA256 Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}\r\n"
    );
    put(server, "", &format!("{lines}{authorization}Content-Encoding: aws-chunked\r\n"), chunks).await
}

#[tokio::test]
async fn a_body_in_chunks_is_stored_only_when_it_is_whole() {
    let server = server().await;
    // The CRC-32 of `123456789`, from the catalogue of CRC algorithms: cbf43926.
    let trailer = "x-amz-checksum-crc32:y/Q5Jg==\r\n";
    let refused = [
        ("5\r\n12345\r\n".to_owned(), "IncompleteBody"),
        (format!("5\r\n12345\r\n0\r\n{trailer}\r\n"), "IncompleteBody"),
        (format!("9\r\n123456789\r\n1\r\n0\r\n0\r\n{trailer}\r\n"), "IncompleteBody"),
        ("9\r\n123456789\r\n".to_owned(), "MalformedTrailerError"),
        ("9\r\n123456789\r\n0\r\n\r\n".to_owned(), "MalformedTrailerError"),
        ("9\r\n123456789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n".to_owned(), "MalformedTrailerError"),
        (format!("9\r\n123456780\r\n0\r\n{trailer}\r\n"), "BadDigest"),
    ];
    for (chunks, code) in refused {
        let answer = put_chunks(&server, &chunks).await;
        assert_eq!(answer.status, 400, "{chunks}: {answer:?}");
        assert!(answer.body.contains(&format!("<Code>{code}</Code>")), "{chunks}: {answer:?}");
        assert_nothing_is_stored(&server).await;
    }
    let answer = put_chunks(&server, &format!("5\r\n12345\r\n4\r\n6789\r\n0\r\n{trailer}\r\n")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(server.s3(Method::GET, "/data-bucket/k", &[], "").await.body(), "123456789");
}

#[tokio::test]
async fn a_chunk_of_any_size_takes_little_memory() {
    let server = server().await;
    // Some SDKs make one chunk of a whole object.
    let long = "123456789".repeat(1 << 20);
    let mut checksum = flate2::Crc::new();
    checksum.update(long.as_bytes());
    let checksum = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, checksum.sum().to_be_bytes());
    let body = format!("{:x}\r\n{long}\r\n0\r\nx-amz-checksum-crc32:{checksum}\r\n\r\n", long.len());
    let answer = put_chunks_of(&server, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", long.len(), &body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(server.s3(Method::GET, "/data-bucket/k", &[], "").await.body() == long.as_bytes());
    // The signature of one that is signed is known at its end alone.
    let signature = "0".repeat(64);
    let chunk = format!("{:x};chunk-signature={signature}\r\n{}", 5 << 20, "x".repeat(1000));
    let answer = put_chunks_of(&server, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 5 << 20, &chunk).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("<Code>InvalidChunkSizeError</Code>"), "{answer:?}");
}
