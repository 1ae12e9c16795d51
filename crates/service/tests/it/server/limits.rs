//! What is bounded: bodies, headers, connections, and the time that either may take.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use watchkeeper_aws::signing::Credentials;

use super::{Server, answer, read_answer};

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
async fn a_body_that_trickles_is_given_up_though_it_never_stands_still() {
    let server = Server::start_with(|configuration| configuration.server.idle_seconds = 1).await;
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 9999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = stream.split();
    let mut first = [0; 12];
    let trickle = async {
        let mut pieces = tokio::time::interval(Duration::from_millis(200));
        loop {
            pieces.tick().await;
            writes.write_all(b" ").await.unwrap();
        }
    };
    tokio::select! {
        read = reads.read_exact(&mut first) => assert_eq!(read.unwrap(), first.len()),
        () = trickle => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it may trickle for ever"),
    }
    assert_eq!(&first, b"HTTP/1.1 408");
}

#[tokio::test]
async fn who_has_no_key_sends_little() {
    let server = Server::start().await;
    let session = session(&server).await;
    let body = " ".repeat(100_000);
    let send = async |credential: &str, token: &str, query: &str| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={credential}/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, \
             Signature=00"
        );
        let head = format!(
            "POST /{query} HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nAuthorization: \
             {authorization}\r\n{token}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        server.raw(head).await.status
    };
    let (id, token) = (session.access_key_id.as_str(), session.session_token.as_deref().unwrap());
    let header = |token: &str| format!("X-Amz-Security-Token: {token}\r\n");
    assert_eq!(send("ASIAABCDEFGHIJKLMNOP", "", "").await, 413);
    assert_eq!(send(id, "", "").await, 413);
    assert_eq!(send(id, &header("made-up"), "").await, 413);
    assert_eq!(send(id, "", "?X-Amz-Security-Token=made-up").await, 413);
    // Those are read, and refused for what is wrong with them.
    assert_ne!(send(id, &header(token), "").await, 413);
    assert_ne!(send(id, "", &format!("?X-Amz-Security-Token={token}")).await, 413);
    assert_ne!(send(&server.credentials().access_key_id, "", "").await, 413);
}

#[tokio::test]
async fn all_bodies_together_take_up_so_much_and_room_comes_back() {
    const LENGTH: usize = 10 << 20;
    let server = Server::start().await;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential={}/20260101/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00\r\nContent-Length: \
         {LENGTH}\r\n\r\n",
        server.credentials().access_key_id
    );
    let piece = vec![b' '; LENGTH - 1];
    let mut unfinished = Vec::new();
    // 25 of them leave 6 MiB.
    for _ in 0..25 {
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&piece).await.unwrap();
        unfinished.push(stream);
    }
    let mut one_more = TcpStream::connect(server.address()).await.unwrap();
    one_more.write_all(head.as_bytes()).await.unwrap();
    one_more.write_all(&piece).await.unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(30), read_answer(&mut one_more)).await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.body.contains("ThrottlingException"), "{refused:?}");

    drop(unfinished);
    let mut later = TcpStream::connect(server.address()).await.unwrap();
    later.write_all(head.as_bytes()).await.unwrap();
    later.write_all(&piece).await.unwrap();
    later.write_all(b" ").await.unwrap();
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), read_answer(&mut later)).await.unwrap().status, 400);
}

/// Temporary credentials.
async fn session(server: &Server) -> Credentials {
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let body = "Action=GetSessionToken&Version=2011-06-15";
    let answer = server.client().request(Method::POST, "/", &form, body, "sts").await.unwrap();
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let part = |name: &str| {
        let inside = text.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{name} in {text}")).1;
        inside.split_once('<').unwrap().0.to_owned()
    };
    Credentials {
        access_key_id: part("AccessKeyId"),
        secret_access_key: part("SecretAccessKey"),
        session_token: Some(part("SessionToken")),
    }
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
