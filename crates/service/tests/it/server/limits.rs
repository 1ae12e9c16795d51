//! What is bounded: bodies, headers, connections, and the time that either may take.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::{Canonical, Credentials, Payload, Signer, presign};

use super::{Server, answer, read_answer, start};

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

const LIST_MODELS: [(&str, &str); 2] =
    [("x-amz-target", "SageMaker.ListModels"), ("content-type", "application/x-amz-json-1.1")];

/// The status and text of a call of `SageMaker`.
async fn list_models(client: &Client) -> (u16, String) {
    let answer = client.request(Method::POST, "/", &LIST_MODELS, "{}", "sagemaker").await.unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

#[tokio::test]
async fn a_key_that_asks_too_much_is_told_so_in_the_words_of_each_service() {
    let server = Server::start_with(|configuration| {
        configuration.server.requests_per_second = 1;
        configuration.server.request_burst = 20;
    })
    .await;
    let client = server.client();
    let ask = async |method: Method, path: &str, headers: &[(&str, &str)], body: String, service: &str| {
        client.request(method, path, headers, body, service).await.unwrap()
    };
    let key = json!({"description": "other"}).to_string();
    let key = ask(Method::POST, "/_watchkeeper/keys", &[], key, "sagemaker").await;
    let key: serde_json::Value = serde_json::from_slice(key.body()).unwrap();
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let other = Credentials {
        access_key_id: text("access_key_id"),
        secret_access_key: text("secret_access_key"),
        session_token: None,
    };
    let session = session(&server).await;
    // Whoever claims to be somebody takes nothing of theirs.
    let mut liar = server.credentials();
    liar.secret_access_key = "x".repeat(40);
    for _ in 0..40 {
        assert!(!list_models(&server.client_with(liar.clone())).await.1.contains("Throttling"));
    }
    let mut answered = 0;
    let refused = loop {
        match list_models(&client).await {
            (200, _) => answered += 1,
            refused => break refused,
        }
        assert!(answered < 100);
    };
    assert!((10..60).contains(&answered), "{answered}");
    assert_eq!(refused.0, 400);
    assert!(refused.1.contains("ThrottlingException") && refused.1.contains("Rate exceeded"), "{refused:?}");
    // Something comes back each second, so that one of a few is refused.
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    let json = "{}".to_owned();
    for (method, path, headers, body, service, status, word) in [
        (Method::GET, "/no-bucket/k", &[][..], String::new(), "s3", 503, "<Code>SlowDown</Code>"),
        (Method::POST, "/", &form[..], query.to_owned(), "sts", 400, "<Code>Throttling</Code>"),
        (Method::POST, "/endpoints/e/invocations", &[][..], json, "sagemaker", 429, "Rate exceeded"),
        (Method::GET, "/_watchkeeper/status", &[][..], String::new(), "sagemaker", 429, "Rate exceeded"),
    ] {
        let mut tries = 0;
        let answer = loop {
            let answer = ask(method.clone(), path, headers, body.clone(), service).await;
            if answer.status().as_u16() == status {
                break answer;
            }
            tries += 1;
            assert!(tries < 10, "{path} {service}: {answer:?}");
        };
        assert!(String::from_utf8_lossy(answer.body()).contains(word), "{path} {service}: {answer:?}");
    }
    // A key that comes from it counts for it.
    let temporary = server.client_with(session);
    let mut tries = 0;
    while list_models(&temporary).await.0 == 200 {
        tries += 1;
        assert!(tries < 10);
    }
    // Another key has what it had.
    assert_eq!(list_models(&server.client_with(other)).await.0, 200);
}

#[tokio::test]
async fn an_object_that_trickles_is_given_up() {
    let server = Server::start_with(|configuration| configuration.server.idle_seconds = 1).await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    let (credentials, host) = (server.credentials(), server.address().to_string());
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: jiff::Timestamp::now() };
    let headers = vec![("host", host.as_bytes())];
    let request = Canonical { method: "PUT", path: "/data-bucket/k", query: "", headers, payload: Payload::Unsigned };
    let query = presign(&request, &signer, 60);
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!("PUT /data-bucket/k?{query} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 99999\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reads, mut writes) = stream.split();
    let trickle = async {
        let mut pieces = tokio::time::interval(Duration::from_millis(200));
        loop {
            pieces.tick().await;
            // The service may have closed its side.
            if writes.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let mut first = [0; 12];
    tokio::select! {
        read = reads.read_exact(&mut first) => assert_eq!(read.unwrap(), first.len()),
        () = trickle => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("it may trickle for ever"),
    }
    assert_eq!(&first, b"HTTP/1.1 400");
    assert_eq!(server.s3(Method::HEAD, "/data-bucket/k", &[], "").await.status(), 404);
}

/// The code of an error of S3.
fn code(answer: &http::Response<bytes::Bytes>) -> (u16, String) {
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    let code =
        text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code.to_owned());
    (answer.status().as_u16(), code.unwrap_or(text))
}

#[tokio::test]
async fn objects_have_a_quota() {
    let server = Server::start_with(|configuration| configuration.objects.quota_bytes = 300_000).await;
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    let put = async |key: &str, bytes: usize| {
        code(&server.s3(Method::PUT, &format!("/data-bucket/{key}"), &[], vec![b'x'; bytes]).await)
    };
    assert_eq!(put("a", 200_000).await.0, 200);
    assert_eq!(put("b", 100_000).await, (507, "QuotaExceeded".to_owned()), "beside what the service itself has put");
    assert_eq!(put("a", 250_000).await.0, 200, "what it takes the place of does not count");
    assert_eq!(put("b", 10).await.0, 200, "small ones still have room");
    assert_eq!(server.s3(Method::DELETE, "/data-bucket/a", &[], "").await.status(), 204);
    assert_eq!(put("b", 100_000).await.0, 200);
    // All else goes on.
    assert_eq!(list_models(&server.client()).await.0, 200);
}

#[tokio::test]
async fn what_would_fill_the_disk_is_refused_and_the_rest_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let service = start(directory.path(), |_| {}).await;
    let server = Server { service, directory };
    server.s3(Method::PUT, "/data-bucket", &[], "").await;
    server.s3(Method::PUT, "/data-bucket/k", &[], "content").await;
    let Server { service, directory } = server;
    service.shutdown().await;
    // No disk has so much room: all of it has to stay free.
    let service = start(directory.path(), |configuration| configuration.objects.reserve_bytes = u64::MAX / 2).await;
    let server = Server { service, directory };
    let put = server.s3(Method::PUT, "/data-bucket/other", &[], "content").await;
    assert_eq!(code(&put), (507, "InsufficientStorage".to_owned()));
    assert!(String::from_utf8_lossy(put.body()).contains("objects.reserve_bytes"), "{put:?}");
    let large = server.s3(Method::PUT, "/data-bucket/other", &[], vec![b'x'; 2 << 20]).await;
    assert_eq!(code(&large), (507, "InsufficientStorage".to_owned()));
    let role = "arn:aws:iam::000000000000:role/r";
    let repository =
        ("AmazonEC2ContainerRegistry_V20150921.CreateRepository", json!({"repositoryName": "models"}), "ecr");
    let model = (
        "SageMaker.CreateModel",
        json!({"ModelName": "m", "ExecutionRoleArn": role, "PrimaryContainer": {"Image": "watchkeeper-echo"}}),
        "sagemaker",
    );
    let group = ("Logs_20140328.CreateLogGroup", json!({"logGroupName": "g"}), "logs");
    for (target, input, service) in [repository, model, group] {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        let answer = server.client().request(Method::POST, "/", &headers, input.to_string(), service).await.unwrap();
        assert_eq!(answer.status(), 507, "{target}: {answer:?}");
        assert!(String::from_utf8_lossy(answer.body()).contains("InsufficientStorage"), "{target}: {answer:?}");
    }
    assert_eq!(server.s3(Method::GET, "/data-bucket/k", &[], "").await.body(), "content");
    assert_eq!(server.s3(Method::DELETE, "/data-bucket/k", &[], "").await.status(), 204);
    assert_eq!(list_models(&server.client()).await.0, 200);
    let ready = server.raw("GET /_watchkeeper/health/ready HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(ready.status, 200);
}
