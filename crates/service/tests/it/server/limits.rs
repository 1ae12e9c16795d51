//! What is bounded: bodies, headers, connections, and the time that either may take.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Server, answer};

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_and_the_client_sees_why() {
    let server = Server::start().await;
    let head = [("x-amz-target", "SageMaker.ListModels"), ("content-type", "application/x-amz-json-1.1")];
    let body = vec![b' '; (10 << 20) + 1];
    let answer = server.client().request(Method::POST, "/", &head, body, "sagemaker").await.unwrap();
    assert_eq!(answer.status(), 413);
    assert!(String::from_utf8_lossy(answer.body()).contains("RequestEntityTooLargeException"));
}

#[tokio::test]
async fn a_length_without_end_is_refused_before_it_has_come() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head =
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 99999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let piece = vec![b' '; 1 << 20];
    for _ in 0..11 {
        stream.write_all(&piece).await.unwrap();
    }
    assert_eq!(answer(&mut stream).await.status, 413);
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let server = Server::start().await;
    let long = server.raw(format!("GET / HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n", "a".repeat(300_000))).await;
    assert_eq!(long.status, 431);
    let many = "X-Many: a\r\n".repeat(500);
    assert_eq!(server.raw(format!("GET / HTTP/1.1\r\nHost: x\r\n{many}\r\n")).await.status, 431);
}

#[tokio::test]
async fn slow_headers_lose_their_connection() {
    let server = Server::start_with(|configuration| configuration.server.header_seconds = 1).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    // Closed, with or without a word.
    read.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up() {
    let server = Server::start_with(|configuration| configuration.server.idle_seconds = 1).await;
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 10\r\n\r\n{";
    assert_eq!(server.raw(head).await.status, 408);
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let server = Server::start_with(|configuration| configuration.server.max_connections = 1).await;
    let request = b"GET /_watchkeeper/health/live HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = TcpStream::connect(server.address()).await.unwrap();
    first.write_all(request).await.unwrap();
    assert_eq!(answer(&mut first).await.status, 200);
    let mut second = TcpStream::connect(server.address()).await.unwrap();
    second.write_all(request).await.unwrap();
    let mut byte = [0];
    let early = tokio::time::timeout(Duration::from_millis(300), second.peek(&mut byte)).await;
    assert!(early.is_err(), "the second connection was served beside the first");
    drop(first);
    assert_eq!(answer(&mut second).await.status, 200);
}

#[tokio::test]
async fn clients_that_ask_for_leave_to_send_get_it_at_once() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 100);
    stream.write_all(b"{}").await.unwrap();
    assert_eq!(answer(&mut stream).await.status, 400);
}

#[tokio::test]
async fn connections_are_kept_between_requests() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /data-bucket/k HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        assert_eq!(answer(&mut stream).await.status, 403);
    }
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let server = Server::start().await;
    for bad in ["NONSENSE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\u{1} HTTP/1.1\r\nHost: x\r\n\r\n"] {
        assert_eq!(server.raw(bad).await.status, 400, "{bad:?}");
    }
    // Two lengths: what one server takes for the end of a request, another does not.
    let smuggled = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x";
    assert_eq!(server.raw(smuggled).await.status, 400);
}
