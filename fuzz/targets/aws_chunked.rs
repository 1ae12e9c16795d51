//! Bodies in chunks, cut anywhere and changed anywhere, before the protocol crate and the store's end: signed chunks are stored
//! as they were signed or not at all, unsigned ones by their announced length at most.

#![no_main]

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures::StreamExt as _;
use http_body_util::StreamBody;
use hyper::body::Frame;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use ring::{digest, hmac};
use s3s::auth::SimpleAuth;
use s3s::dto::{PutObjectInput, PutObjectOutput};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use watchkeeper_aws::signing::{Canonical, Credentials, Payload, Signer, sign};

const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const HOST: &str = "127.0.0.1:8470";
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// Keeps what was put last, where its body came to its end.
#[derive(Clone, Default)]
struct Shelf(Arc<Mutex<Option<Vec<u8>>>>);

#[async_trait::async_trait]
impl S3 for Shelf {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let mut content = Vec::new();
        if let Some(mut body) = request.input.body {
            while let Some(piece) = body.next().await {
                content.extend_from_slice(&piece.map_err(|_| s3_error!(IncompleteBody))?);
            }
        }
        *self.0.lock().expect("nobody panics with it") = Some(content);
        Ok(S3Response::new(PutObjectOutput::default()))
    }
}

fuzz_target!(|content: &[u8]| {
    // How the body is made: signed or not, chunk size, where it is changed and by what, how it arrives; then its bytes.
    let [is_signed, chunk, place_high, place_low, change, with, piece, content @ ..] = content else { return };
    let is_signed = is_signed % 2 == 0;
    let chunk = usize::from(*chunk).max(1);
    let moment = Timestamp::now();
    let (headers, seed) = head(content.len(), if is_signed { SIGNED } else { UNSIGNED }, moment);
    let mut body = if is_signed { signed_chunks(content, chunk, &seed, moment) } else { plain_chunks(content, chunk) };
    let place = (usize::from(*place_high) << 8 | usize::from(*place_low)) % body.len().max(1);
    let is_changed = match change % 5 {
        0 => false,
        1 => std::mem::replace(&mut body[place], *with) != *with,
        2 => {
            body.truncate(place);
            true
        }
        3 => {
            body.insert(place, *with);
            true
        }
        _ => {
            let end = (place + usize::from(*with)).min(body.len());
            let part: Vec<u8> = body[place..end].to_vec();
            let is_more = !part.is_empty();
            body.splice(place..place, part);
            is_more
        }
    };
    let stored = put(headers, &body, usize::from(*piece).max(1));
    match stored {
        Some(stored) if is_signed => assert!(content.starts_with(&stored), "what was stored was not signed"),
        Some(_) => {}
        None => assert!(is_changed, "a body that nobody changed is refused"),
    }
});

/// The headers of the upload, and its signature.
fn head(length: usize, payload: &str, moment: Timestamp) -> (Vec<(String, String)>, String) {
    let mut headers = vec![
        ("host".to_owned(), HOST.to_owned()),
        ("content-encoding".to_owned(), "aws-chunked".to_owned()),
        ("x-amz-decoded-content-length".to_owned(), length.to_string()),
    ];
    if payload == UNSIGNED {
        headers.push(("x-amz-trailer".to_owned(), "x-amz-checksum-crc32".to_owned()));
    }
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_access_key: SECRET.to_owned(), session_token: None };
    let signer = Signer { credentials: &credentials, region: "eu-west-1", service: "s3", now: moment };
    let request = Canonical {
        method: "PUT",
        path: "/bucket/key",
        query: "",
        headers: headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
        payload: Payload::Hashed(payload),
    };
    let added = sign(&request, &signer);
    headers.extend(added);
    let authorization = &headers.iter().find(|(name, _)| name == "authorization").expect("it was signed").1;
    let seed = authorization.rsplit('=').next().unwrap_or_default().to_owned();
    (headers, seed)
}

fn plain_chunks(content: &[u8], chunk: usize) -> Vec<u8> {
    let mut body = Vec::new();
    for piece in content.chunks(chunk) {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    body
}

/// As AWS's page "Transferring payload in multiple chunks" has it.
fn signed_chunks(content: &[u8], chunk: usize, seed: &str, moment: Timestamp) -> Vec<u8> {
    let stamp = moment.strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = format!("{}/eu-west-1/s3/aws4_request", &stamp[..8]);
    let keyed = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let secret = format!("AWS4{SECRET}").into_bytes();
    let key = scope.split('/').fold(secret, |key, part| keyed(&key, part).as_ref().to_vec());
    let hash = |bytes: &[u8]| hexadecimal(digest::digest(&digest::SHA256, bytes).as_ref());
    let (mut previous, mut body) = (seed.to_owned(), Vec::new());
    for piece in content.chunks(chunk).chain([&[][..]]) {
        let to_sign = format!("AWS4-HMAC-SHA256-PAYLOAD\n{stamp}\n{scope}\n{previous}\n{}\n{}", hash(b""), hash(piece));
        previous = hexadecimal(keyed(&key, &to_sign).as_ref());
        body.extend_from_slice(format!("{:x};chunk-signature={previous}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored of the body, if anything.
fn put(headers: Vec<(String, String)>, body: &[u8], piece: usize) -> Option<Vec<u8>> {
    let shelf = Shelf::default();
    let mut builder = S3ServiceBuilder::new(shelf.clone());
    builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service: S3Service = builder.build();
    let frames: Vec<Result<Frame<Bytes>, std::io::Error>> =
        body.chunks(piece).map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece)))).collect();
    let stream = s3s::Body::http_body(StreamBody::new(futures::stream::iter(frames)));
    let mut request = http::Request::builder().method("PUT").uri("/bucket/key");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let request = request.header("content-length", body.len()).body(stream).expect("its parts are right");
    let answer = futures::executor::block_on(service.call(request)).expect("the protocol crate answers");
    let stored = shelf.0.lock().expect("nobody panics with it").take();
    stored.filter(|_| answer.status().is_success())
}
