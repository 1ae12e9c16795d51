//! `InvokeEndpointWithResponseStream`: messages as the model's answer comes.

use http::Method;
use jiff::Timestamp;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use watchkeeper_aws::protocol::event_stream;
use watchkeeper_aws::signing::{Canonical, Payload, Signer, sign};

use super::{PATIENCE, World, capturing, error, header, python};

const PATH: &str = "/endpoints/shop/invocations-response-stream";

fn part(payload: &str) -> Vec<u8> {
    event_stream::event("PayloadPart", "application/octet-stream", payload.as_bytes())
}

/// A connection on which a signed request was sent.
async fn asked(world: &World, body: &str) -> TcpStream {
    let address = world.service().address().to_string();
    let credentials = world.credentials();
    let signer = Signer { credentials: &credentials, region: "us-east-1", service: "sagemaker", now: Timestamp::now() };
    let request = Canonical {
        method: Method::POST.as_str(),
        path: PATH,
        query: "",
        headers: vec![("host", address.as_bytes()), ("x-amzn-sagemaker-accept", b"application/jsonlines")],
        payload: Payload::Bytes(body.as_bytes()),
    };
    let mut head =
        format!("POST {PATH} HTTP/1.1\r\nhost: {address}\r\nx-amzn-sagemaker-accept: application/jsonlines\r\n");
    for (name, value) in sign(&request, &signer) {
        head = format!("{head}{name}: {value}\r\n");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
    stream
}

/// Reads until these bytes have come; gives all that has.
async fn read_until(stream: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let read = async {
        while !all.windows(bytes.len()).any(|window| window == bytes) {
            assert!(stream.read_buf(&mut all).await.unwrap() > 0, "{}", String::from_utf8_lossy(&all));
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("the bytes come in time");
    all
}

#[tokio::test]
async fn each_piece_is_a_message_as_soon_as_it_is_there_and_the_whole_is_captured() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], capturing()).await;
    let mut stream = asked(&world, "stream on").await;
    // The model sends no more until it is told to.
    let first = read_until(&mut stream, &part("first")).await;
    let head = String::from_utf8_lossy(&first).to_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
    assert!(head.contains("content-type: application/vnd.amazon.eventstream\r\n"), "{head}");
    assert!(head.contains("x-amzn-sagemaker-content-type: application/jsonlines\r\n"), "{head}");
    assert!(head.contains("x-amzn-invoked-production-variant: blue\r\n"), "{head}");
    world.python.go();
    read_until(&mut stream, &[part("second"), b"\r\n0\r\n\r\n".to_vec()].concat()).await;
    let lines = world.captured("shop", 1).await;
    let output = &lines[0]["captureData"]["endpointOutput"];
    assert_eq!((&output["data"], &output["encoding"]), (&json!("firstsecond"), &json!("JSON")));
    assert_eq!(output["observedContentType"], "application/jsonlines");
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_exception_and_is_not_captured() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", python())], capturing()).await;
    let mut stream = asked(&world, "stream broken").await;
    read_until(&mut stream, &part("first")).await;
    world.python.go();
    let rest = read_until(&mut stream, b"\r\n0\r\n\r\n").await;
    let text = String::from_utf8_lossy(&rest);
    assert!(text.contains("ModelStreamError") && text.contains(r#""ErrorCode":"StreamBroken""#), "{text}");
    // What passed after it is there, it is not.
    assert_eq!(world.invoke("shop", &[("content-type", "text/csv")], "whole").await.status(), 200);
    let lines = world.captured("shop", 1).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["captureData"]["endpointInput"]["data"], "whole");
}

#[tokio::test]
async fn a_model_that_falls_silent_is_told_of() {
    let world = World::start_with(|configuration| configuration.hosting.invocation_seconds = 1).await;
    world.deploy("shop", &[("blue", python())], json!({})).await;
    let mut stream = asked(&world, "stream on").await;
    let all = read_until(&mut stream, b"\r\n0\r\n\r\n").await;
    let text = String::from_utf8_lossy(&all);
    assert!(text.contains(r#""ErrorCode":"ModelInvocationTimeExceeded""#), "{text}");
    world.python.go();
}

#[tokio::test]
async fn whole_answers_and_errors_before_the_first_message() {
    let world = World::start().await;
    world.deploy("shop", &[("blue", super::built_in("constant", &json!({ "value": 2 })))], json!({})).await;
    let answer = world.post(PATH, &[("content-type", "text/csv")], "1\n").await;
    assert_eq!(header(&answer, "content-type"), "application/vnd.amazon.eventstream");
    let expected = [part("2\n"), part("2")];
    assert!(expected.iter().any(|expected| answer.body()[..] == expected[..]), "{answer:?}");
    let (status, code, _) = error(&world.post(PATH, &[("content-type", "image/png")], "1\n").await);
    assert_eq!((status, code.as_str()), (424, "ModelError"));
    let other = "/endpoints/nobody/invocations-response-stream";
    let (status, code, _) = error(&world.post(other, &[], "1\n").await);
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
}
