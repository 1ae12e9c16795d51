//! What every answer of S3 has, and its errors in full: text, request id, host id; no body on HEAD and 304.

use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};

use super::body::{Answer, whole};
use crate::api::s3;

/// The most bytes of an error's document.
const MAX_ERROR_BYTES: usize = 64 << 10;
/// What stands where AWS names the machine that answered.
const HOST_ID: &str = "watchkeeper";

/// Finishes an answer of S3.
pub(super) async fn finish(answer: Answer, is_head: bool, request_id: &str) -> Answer {
    let failed = answer.status().is_client_error() || answer.status().is_server_error();
    let mut answer = if is_head && failed || answer.status() == StatusCode::NOT_MODIFIED {
        let mut answer = answer.map(|_| whole(""));
        answer.headers_mut().remove(header::CONTENT_TYPE);
        answer.headers_mut().remove(header::CONTENT_LENGTH);
        answer
    } else if failed {
        explained(answer, request_id).await
    } else {
        answer
    };
    let headers = answer.headers_mut();
    for (name, text) in [("x-amz-request-id", request_id), ("x-amz-id-2", HOST_ID)] {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::SERVER, HeaderValue::from_static("Watchkeeper"));
    answer
}

/// The document of an error with the parts that are not in it yet.
async fn explained(answer: Answer, request_id: &str) -> Answer {
    let (mut parts, body) = answer.into_parts();
    let document = match Limited::new(body, MAX_ERROR_BYTES).collect().await {
        Ok(collected) => String::from_utf8_lossy(&collected.to_bytes()).into_owned(),
        Err(_) => String::new(),
    };
    let Some(inside) = document.strip_suffix("</Error>") else {
        return Answer::from_parts(parts, whole(document));
    };
    let mut document = inside.to_owned();
    if !document.contains("<Message>")
        && let Some(message) = code_of(inside).and_then(s3::message_of)
    {
        document.extend(["<Message>", &message.replace('<', "&lt;"), "</Message>"]);
    }
    if !document.contains("<RequestId>") {
        document.extend(["<RequestId>", request_id, "</RequestId>"]);
    }
    document.extend(["<HostId>", HOST_ID, "</HostId></Error>"]);
    parts.headers.remove(header::CONTENT_LENGTH);
    Answer::from_parts(parts, whole(document))
}

fn code_of(document: &str) -> Option<&str> {
    document.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code)
}
