//! The reverse proxy: what passes, and what of it is captured.

use std::path::Path;
use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use watchkeeper_service::configuration::{CaptureSettings, Durability};
use watchkeeper_service::hosting::capture::{CapturePlan, CaptureWriter, FolderSink};
use watchkeeper_service::hosting::front::{Front, serve};
use watchkeeper_service::hosting::model::Upstream;

use super::{PATIENCE, Python};

struct Proxy {
    address: String,
    writer: Arc<CaptureWriter>,
    folder: tempfile::TempDir,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
}

/// An answer: status, head in lower case, body.
struct Answer(u16, String, Vec<u8>);

impl Proxy {
    async fn start(upstream: &str, paths: &[&str], durability: Durability) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sink = Arc::new(FolderSink::new(folder.path().join("out")));
        let settings = CaptureSettings { durability, ..CaptureSettings::default() };
        let writer = CaptureWriter::start(settings, folder.path().join("journal"), sink).unwrap();
        let capture = writer.stream(CapturePlan {
            endpoint: "shop".to_owned(),
            variant: "AllTraffic".to_owned(),
            destination: "s3://bucket/captures".to_owned(),
            sampling_percentage: 100,
            input: true,
            output: true,
            csv_content_types: vec!["text/csv".to_owned()],
            json_content_types: vec!["application/json".to_owned()],
            kms_key_id: None,
        });
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (stop, stops) = watch::channel(false);
        let front = Front {
            upstream: Upstream::new(upstream).unwrap(),
            endpoint: "shop".to_owned(),
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            capture,
        };
        let server = tokio::spawn(serve(listener, front, stops));
        Self { address, writer, folder, stop, server }
    }

    async fn ask(&self, method: &Method, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: models.example\r\nconnection: close\r\n");
        for (name, value) in headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        if *method != Method::GET && !head.contains("transfer-encoding") {
            head = format!("{head}content-length: {}\r\n", body.len());
        }
        let mut stream = TcpStream::connect(&self.address).await.unwrap();
        stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
        let _ = stream.write_all(body).await;
        let mut all = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut all)).await.expect("an answer in time").unwrap();
        let end = all.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(all[..end].to_vec()).unwrap().to_lowercase();
        Answer(head.split(' ').nth(1).unwrap().parse().unwrap(), head, all[end..].to_vec())
    }

    /// What is captured, once all that has passed is in its file.
    async fn captured(&self) -> Vec<Value> {
        self.writer.flush("shop").await;
        let mut lines = Vec::new();
        read(&self.folder.path().join("out"), &mut lines);
        lines
    }
}

fn read(folder: &Path, lines: &mut Vec<Value>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            read(&path, lines);
        } else {
            let text = std::fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
}

#[tokio::test]
async fn everything_passes_and_posts_that_succeed_are_captured() {
    let python = Python::start().await;
    for durability in [Durability::Fast, Durability::Durable] {
        let proxy = Proxy::start(&python.url(), &[], durability).await;
        let csv = ("content-type", "text/csv");
        let headers = [
            csv,
            ("x-mine", "1"),
            ("x-forwarded-for", "10.1.2.3"),
            ("te", "gzip"),
            ("connection", "x-gone"),
            ("x-gone", "1"),
        ];
        let Answer(status, _, body) = proxy.ask(&Method::POST, "/v2/models/a?b=c%20d", &headers, b"headers").await;
        let seen: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((status, &seen["path"]), (200, &json!("/v2/models/a?b=c%20d")));
        assert_eq!((&seen["headers"]["x-mine"], &seen["headers"]["content-type"]), (&json!("1"), &json!("text/csv")));
        assert_eq!(seen["headers"]["x-forwarded-for"], "10.1.2.3, 127.0.0.1");
        assert_eq!(seen["headers"]["x-forwarded-host"], "models.example");
        assert_eq!(seen["headers"]["host"], format!("127.0.0.1:{}", python.port));
        for gone in ["te", "connection", "x-gone"] {
            assert!(seen["headers"].get(gone).is_none(), "{gone}");
        }
        assert_eq!(proxy.ask(&Method::GET, "/ping", &[], b"").await.0, 200);
        let Answer(status, _, body) = proxy.ask(&Method::PUT, "/x", &[csv], b"put").await;
        assert_eq!((status, &body[..]), (200, &b"put"[..]));
        let Answer(status, head, body) = proxy.ask(&Method::POST, "/x", &[csv], b"status 422 no").await;
        assert_eq!((status, &body[..]), (422, &b"no"[..]));
        assert!(head.contains("content-length: 2\r\n"), "{head}");
        let Answer(status, head, body) = proxy.ask(&Method::POST, "/x", &[csv], b"attributes").await;
        assert_eq!((status, &body[..]), (200, &b"0.5\n"[..]));
        assert!(head.contains("x-private: stays here\r\n"), "{head}");
        assert_eq!(proxy.ask(&Method::POST, "/x", &[csv], b"empty").await.0, 200);
        let chunked = [csv, ("transfer-encoding", "chunked")];
        let Answer(status, _, body) =
            proxy.ask(&Method::POST, "/x", &chunked, b"3\r\n1,2\r\n3\r\n,3\n\r\n0\r\n\r\n").await;
        assert_eq!((status, &body[..]), (200, &b"1,2,3\n"[..]));
        let lines = proxy.captured().await;
        let mut passed: Vec<(&str, &str)> = lines
            .iter()
            .map(|line| &line["captureData"])
            .map(|data| (&data["endpointInput"]["data"], &data["endpointOutput"]["data"]))
            .map(|(input, output)| (input.as_str().unwrap(), output.as_str().unwrap()))
            .filter(|(input, _)| *input != "headers")
            .collect();
        passed.sort_unstable();
        assert_eq!(passed, [("1,2,3\n", "1,2,3\n"), ("attributes", "0.5\n"), ("empty", "")], "{durability:?}");
        assert_eq!(lines.len(), 4, "{lines:?}");
        proxy.stop.send_replace(true);
        tokio::time::timeout(PATIENCE, proxy.server).await.expect("it ends").unwrap().unwrap();
    }
}

#[tokio::test]
async fn paths_are_chosen_and_large_bodies_pass_uncaptured() {
    let python = Python::start().await;
    let proxy = Proxy::start(&python.url(), &["/invocations"], Durability::Fast).await;
    let csv = ("content-type", "text/csv");
    for length in [100_000, (16 << 20) + 1] {
        for path in ["/invocations", "/other"] {
            let body = vec![b'7'; length];
            let Answer(status, _, answer) = proxy.ask(&Method::POST, path, &[csv], &body).await;
            assert_eq!(status, 200);
            assert!(answer == body, "{length} bytes came back otherwise from {path}");
        }
    }
    let lines = proxy.captured().await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["captureData"]["endpointOutput"]["data"].as_str().unwrap().len(), 100_000);
}

/// What a model server has answered that did not wait for the request nobody can say.
#[tokio::test]
async fn a_request_that_is_answered_before_it_has_come_is_not_captured() {
    let hasty = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = hasty.local_addr().unwrap();
    let answered = tokio::spawn(async move {
        let (mut stream, _) = hasty.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n0.5\n").await.unwrap();
        stream
    });
    let proxy = Proxy::start(&format!("http://{address}"), &[], Durability::Fast).await;
    // More than the buffers of two connections hold.
    let body = vec![b'1'; 16 << 20];
    let Answer(status, _, answer) = proxy.ask(&Method::POST, "/invocations", &[], &body).await;
    assert_eq!((status, &answer[..]), (200, &b"0.5\n"[..]));
    assert!(proxy.captured().await.is_empty());
    drop(answered.await.unwrap());
}

#[tokio::test]
async fn a_model_server_that_is_not_there_or_breaks_off_is_told_of() {
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let gone = Proxy::start(&format!("http://127.0.0.1:{port}"), &[], Durability::Fast).await;
    for length in [10, 100_000, (16 << 20) + 1] {
        let Answer(status, head, body) = gone.ask(&Method::POST, "/invocations", &[], &vec![b'1'; length]).await;
        assert_eq!(status, 502);
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        let message: Value = serde_json::from_slice(&body).unwrap();
        assert!(message["message"].as_str().unwrap().contains(&format!("http://127.0.0.1:{port}")), "{message}");
    }
    let python = Python::start().await;
    let proxy = Proxy::start(&python.url(), &[], Durability::Fast).await;
    assert_eq!(proxy.ask(&Method::POST, "/invocations", &[], b"garbage").await.0, 502);
    let Answer(status, _, body) = proxy.ask(&Method::POST, "/invocations", &[], b"half").await;
    assert_eq!((status, &body[..]), (200, &b"0.5,"[..]), "what came, and then the end of the connection");
    let upgrade = [("upgrade", "websocket"), ("connection", "upgrade")];
    assert_eq!(proxy.ask(&Method::GET, "/ws", &upgrade, b"").await.0, 501);
    assert!(proxy.captured().await.is_empty());
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_and_is_refused_is_told_that_its_connection_ends() {
    let port = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let gone = Proxy::start(&format!("http://127.0.0.1:{port}"), &[], Durability::Fast).await;
    let mut stream = TcpStream::connect(&gone.address).await.unwrap();
    let head = "POST /x HTTP/1.1\r\nhost: models.example\r\nexpect: 100-continue\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("it ends").unwrap();
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close\r\n"), "{answer}");
}
