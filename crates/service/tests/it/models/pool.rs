//! The client of model servers: which connections it uses again, and what it makes of those that end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use watchkeeper_service::hosting::model::{InvokeError, RequestBody, StartError, Upstream};

use super::bench::{Bench, FOREVER, Start, ask, command, error, image, request, server};

/// A server in this process that answers the method, the path and the body, and counts its connections.
struct Server {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&connections);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
            }
        });
        Self { address, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let status = if head.uri.path().ends_with("/ping") { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let text = format!("{} {} {}", head.method, head.uri, String::from_utf8_lossy(&body));
    let text = if head.method == Method::HEAD || body == "nothing" { String::new() } else { text };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    Ok(response)
}

async fn send(upstream: &Upstream, method: Method, path: &str, body: &str) -> String {
    let mut request = Request::new(RequestBody::from(Bytes::from(body.to_owned())));
    *request.method_mut() = method;
    *request.uri_mut() = upstream.uri(path).unwrap();
    let body = upstream.send(request).await.unwrap().into_body();
    String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_one_after_another_use_one_connection() {
    let server = Server::start().await;
    let upstream = Upstream::new(&format!("{}/base/", server.address)).unwrap();
    for number in 0..50 {
        let said = send(&upstream, Method::PUT, &format!("/a/b?c={number}"), "body").await;
        assert_eq!(said, format!("PUT /base/a/b?c={number} body"));
        // Answers without a body end at once.
        assert_eq!(send(&upstream, Method::HEAD, "/x", "").await, "");
        assert_eq!(send(&upstream, Method::POST, "/x", "nothing").await, "");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_both_ways() {
    let server = Server::start().await;
    let upstream = Upstream::new(&server.address).unwrap();
    let large = "0123456789abcdef".repeat(400_000);
    for _ in 0..3 {
        let said = send(&upstream, Method::POST, "/", &large).await;
        assert!(said == format!("POST / {large}"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_use_as_many_connections_and_no_more() {
    let server = Server::start().await;
    let upstream = Upstream::new(&server.address).unwrap();
    for _ in 0..20 {
        let requests = (0..16).map(|number| {
            let upstream = upstream.clone();
            tokio::spawn(async move {
                let text = number.to_string();
                assert_eq!(send(&upstream, Method::POST, "/", &text).await, format!("POST / {text}"));
            })
        });
        join_all(requests).await.into_iter().for_each(|done| done.unwrap());
    }
    assert!((1..=16).contains(&server.connections()), "{}", server.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_dropped_closes_its_connection() {
    let server = Server::start().await;
    let upstream = Upstream::new(&server.address).unwrap();
    let large = RequestBody::from(Bytes::from("x".repeat(8 << 20)));
    drop(upstream.send(Request::post("/").body(large).unwrap()).await.unwrap());
    assert_eq!(send(&upstream, Method::GET, "/", "").await, "GET / ");
    assert_eq!(server.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_with_its_answer_does_not_stay_open() {
    for head in ["HTTP/1.1 200 OK\r\nConnection: close", "HTTP/1.0 200 OK"] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let upstream = Upstream::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let ended = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            stream.write_all(format!("{head}\r\nContent-Length: 2\r\n\r\nok").as_bytes()).await.unwrap();
            stream.read(&mut buffer).await.unwrap()
        });
        assert_eq!(send(&upstream, Method::POST, "/", "a").await, "ok");
        let read = tokio::time::timeout(FOREVER, ended).await.expect("it is closed").unwrap();
        assert_eq!(read, 0, "{head}");
    }
}

/// A server that closes each connection after its answer, without a word in the answer about it.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_the_server_closed_are_not_used_again() {
    let bench = Bench::new().await;
    let model = bench.server(json!({})).await;
    let before: usize = command(&model, "connections").await.parse().unwrap();
    for _ in 0..20 {
        assert_eq!(command(&model, "close").await, "closing");
        assert_eq!(command(&model, "close-silently").await, "closing");
        // Until the end has come here, the connection looks as good as any.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let after: usize = command(&model, "connections").await.parse().unwrap();
    assert!(after - before >= 40, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_keeps_its_connection() {
    let bench = Bench::new().await;
    let model = bench.server(json!({})).await;
    let before: usize = command(&model, "connections").await.parse().unwrap();
    for _ in 0..100 {
        assert_eq!(command(&model, "echo again").await, "again");
    }
    let after: usize = command(&model, "connections").await.parse().unwrap();
    assert_eq!(after, before);
}

/// An answer that nobody asked for, behind one that was: it must not be taken for the answer to what is asked next.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_an_answer_is_the_answer_to_nothing() {
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let upstream = Upstream::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let answers = format!("{first}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let answers = answers.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                        let _ = stream.write_all(answers.as_bytes()).await;
                    }
                });
            }
        });
        for _ in 0..5 {
            assert_eq!(send(&upstream, Method::POST, "/", "a").await, "ok", "{first}");
        }
    }
}

/// What was sent may have been carried out, so it is not sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_sent_is_not_sent_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = Upstream::new(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 4096];
            // The first request of a connection is answered, the second is read and nothing more.
            assert!(stream.read(&mut buffer).await.unwrap() > 0);
            counted.fetch_add(1, Ordering::SeqCst);
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            if stream.read(&mut buffer).await.unwrap() > 0 {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    assert_eq!(send(&upstream, Method::POST, "/", "a").await, "ok");
    let second = upstream.send(Request::post("/").body(RequestBody::from(Bytes::from("b"))).unwrap()).await;
    assert!(matches!(second.map(|_| ()), Err(InvokeError::Unreachable(_))));
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_pinged_and_asked_where_it_is() {
    let upstream = Server::start().await;
    let mut entry = image("*server*");
    entry.url = Some(format!("{}/v1/churn", upstream.address));
    let bench = Bench::with(vec![entry]).await;
    let model = bench.server(json!({})).await;
    let (status, _, answer) = ask(&model, request("text/csv", "1,2")).await;
    assert_eq!((status, answer.as_str()), (200, "POST /v1/churn/invocations 1,2"));
    bench.until_logged("ready after", 1).await;
    model.stop().await;
    let refused = error(&model, "x", FOREVER).await;
    assert!(matches!(refused, InvokeError::NotReady(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_where_nobody_is() {
    let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let mut entry = image("*server*");
    entry.url = Some(format!("http://{free}"));
    let bench = Bench::with(vec![entry]).await;
    let mut start = Start::of(server(json!({})));
    start.startup = Duration::from_millis(300);
    let Err(StartError::Failed(reason)) = bench.start(start).await else { panic!("it has started") };
    assert!(reason.contains(&free.to_string()) && reason.contains("/ping within 300ms"), "{reason}");
}

#[test]
fn addresses_that_are_none() {
    for (address, part) in [
        ("https://models.example/", "TLS"),
        ("models.example:8080", "http://"),
        ("/invocations", "http://"),
        ("http://", ""),
        ("http://user:secret@models.example", "user"),
        ("http://models.example/?a=b", "query"),
        ("http://models.example:81000", "port"),
        ("http://models.example:", "port"),
    ] {
        let reason = Upstream::new(address).unwrap_err();
        assert!(reason.contains(&format!("`{address}`")) && reason.contains(part), "{reason}");
    }
    assert_eq!(Upstream::new("http://[::1]:81/a/").unwrap().address(), "http://[::1]:81/a");
    assert_eq!(Upstream::new("http://models.example").unwrap().address(), "http://models.example:80");
}
