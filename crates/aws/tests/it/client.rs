//! The client against a server that checks its signatures, over a real connection.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use watchkeeper_aws::client::{Client, ClientError};
use watchkeeper_aws::signing::{Audience, Canonical, Codes, Credentials, Payload, Secret, scope_of, verify};

fn credentials(secret: &str) -> Credentials {
    Credentials { access_key_id: "AKIATEST".to_owned(), secret_access_key: secret.to_owned(), session_token: None }
}

/// A server that answers with what it got, when the signature is right; its address.
async fn server() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(connection);
        }
    });
    format!("http://{address}")
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let request = Canonical {
        method: parts.method.as_str(),
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        payload: Payload::Bytes(&body),
    };
    let scope = scope_of(&request.headers, request.query).unwrap();
    let audience = Audience { service: &scope.service, codes: Codes::Json };
    let verified = verify(&request, |_| Some(Secret::new("secret")), jiff::Timestamp::now(), audience);
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, text) = match verified {
        Err(error) => (
            error.status,
            json!({"__type": format!("com.amazon.coral#{}", error.code), "message": error.message}).to_string(),
        ),
        Ok(_) if target.ends_with(".Nothing") => (200, String::new()),
        Ok(_) if target.ends_with(".Nonsense") => (200, "<html>".to_owned()),
        Ok(_) if target.ends_with(".Never") => std::future::pending().await,
        Ok(_) => {
            let input = String::from_utf8_lossy(&body);
            (
                200,
                json!({"target": target, "service": scope.service, "uri": parts.uri.to_string(), "input": input})
                    .to_string(),
            )
        }
    };
    let response = Response::builder().status(StatusCode::from_u16(status).unwrap()).header("x-amzn-requestid", "id-1");
    Ok(response.body(Full::new(Bytes::from(text))).unwrap())
}

#[tokio::test]
async fn a_call_is_signed_and_its_answer_read() {
    let client = Client::new(&server().await, credentials("secret"), "eu-central-1").unwrap();
    for (target, service) in [
        ("SageMaker", "sagemaker"),
        ("Logs_20140328", "logs"),
        ("GraniteServiceVersion20100801", "monitoring"),
        ("TrentService", "kms"),
        ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
    ] {
        let output = client.call(target, "ListModels", &json!({"MaxResults": 5})).await.unwrap();
        assert_eq!(output["target"], format!("{target}.ListModels"));
        assert_eq!(output["service"], service);
        assert_eq!(output["input"], r#"{"MaxResults":5}"#);
    }
    assert_eq!(client.call("SageMaker", "Nothing", &json!({})).await.unwrap(), serde_json::Value::Null);
}

#[tokio::test]
async fn a_raw_request_goes_as_it_is() {
    let base = format!("{}/below/", server().await);
    let client = Client::new(&base, credentials("secret"), "eu-central-1").unwrap();
    let path = "/bucket/a%20b//%C3%A4?list-type=2&prefix=x%2Fy&delimiter";
    let response = client.request(Method::PUT, path, &[("content-type", "text/csv")], "1,2\n", "s3").await.unwrap();
    let output: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(output["uri"], format!("/below{path}"));
    assert_eq!(output["input"], "1,2\n");
}

#[tokio::test]
async fn a_refusal_has_code_and_message() {
    let client = Client::new(&server().await, credentials("other"), "eu-central-1").unwrap();
    let error = client.call("SageMaker", "ListModels", &json!({})).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidSignatureException"));
    assert!(error.to_string().starts_with("InvalidSignatureException: The request signature we calculated"), "{error}");
    assert!(matches!(error, ClientError::Service { status: 400, ref request_id, .. } if request_id == "id-1"));
    let response = client.request(Method::GET, "/bucket", &[], "", "s3").await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn what_is_no_answer_is_an_error() {
    let url = server().await;
    let client = Client::new(&url, credentials("secret"), "eu-central-1").unwrap();
    assert!(matches!(client.call("SageMaker", "Nonsense", &json!({})).await, Err(ClientError::Answer(_))));
    assert!(matches!(client.call("NoService", "List", &json!({})).await, Err(ClientError::Request(_))));
    assert!(matches!(client.request(Method::GET, "/a b", &[], "", "s3").await, Err(ClientError::Request(_))));
    assert!(matches!(client.request(Method::GET, "/", &[("x", "a\nb")], "", "s3").await, Err(ClientError::Request(_))));

    let hasty = client.with_timeout(Duration::from_millis(50));
    let error = hasty.call("SageMaker", "Never", &json!({})).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");

    // A port nobody listens on: bound, and closed again.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::new(&format!("http://{free}"), credentials("secret"), "eu-central-1").unwrap();
    let error = client.call("SageMaker", "ListModels", &json!({})).await.unwrap_err();
    assert!(error.to_string().contains(&format!("no answer from {free}")), "{error}");
}

#[test]
fn endpoints_are_plain_http() {
    for (url, reason) in [
        ("https://127.0.0.1:8080", "speaks no TLS"),
        ("ftp://127.0.0.1", "must begin with http://"),
        ("127.0.0.1:8080", "must begin with http://"),
        ("", "cannot be used"),
        ("http://user@host/", "neither user nor query"),
    ] {
        let error = Client::new(url, credentials("secret"), "eu-central-1").unwrap_err();
        assert!(error.to_string().contains(reason), "{url}: {error}");
    }
}
