//! A server that answers what a test wants and keeps what it was asked, over real connections.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use watchkeeper::Session;
use watchkeeper::session::{Credentials, SessionBuilder};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// As it was sent, percent codes and all: with the bucket first where it is S3's.
    pub path: String,
    /// Without the question mark; empty when there is none.
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Request {
    /// A header's text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The service by its name in the signature: `sagemaker`, `s3`, `sts`, `iam`, `logs`.
    pub fn service(&self) -> &str {
        self.header("authorization").split('/').nth(3).unwrap_or_default()
    }

    /// The operation of a JSON or query service: `CreateProcessingJob`, `GetCallerIdentity`; for S3 and invocations
    /// `PUT /bucket/key`.
    pub fn operation(&self) -> String {
        if let Some((_, operation)) = self.header("x-amz-target").rsplit_once('.') {
            return operation.to_owned();
        }
        let body = std::str::from_utf8(&self.body).unwrap_or_default();
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
        action.map_or_else(|| format!("{} {}", self.method, self.path), str::to_owned)
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What is answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fault {
    #[default]
    None,
    /// The connection ends without an answer.
    Broken,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// There is never an answer.
    Silent,
}

impl Answer {
    /// 200 with these bytes.
    pub fn bytes(body: impl Into<Bytes>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    /// 200 with this JSON.
    pub fn json(body: &Value) -> Self {
        Self::bytes(body.to_string()).with_header("content-type", "application/x-amz-json-1.1")
    }

    /// 200 with nothing.
    pub fn empty() -> Self {
        Self::bytes("")
    }

    /// A refusal of a JSON service.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(&json!({"__type": code, "message": message})).with_status(status)
    }

    /// A refusal of S3.
    pub fn s3_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message><RequestId>S3ID</RequestId></Error>"
        );
        Self::bytes(body).with_status(status).with_header("content-type", "application/xml")
    }

    /// A refusal of STS or IAM.
    pub fn query_error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>QUERYID</RequestId></ErrorResponse>"
        );
        Self::bytes(body).with_status(status).with_header("content-type", "text/xml")
    }

    /// What STS says to `GetCallerIdentity`: account 123456789012.
    pub fn caller_identity() -> Self {
        Self::bytes(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::123456789012:user/tester</Arn><UserId>AIDATESTER</UserId><Account>123456789012</Account>\
             </GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>",
        )
        .with_header("content-type", "text/xml")
    }

    /// What IAM says to `GetRole`.
    pub fn role(name: &str) -> Self {
        Self::bytes(format!(
            "<GetRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetRoleResult><Role><Path>/</Path>\
             <RoleName>{name}</RoleName><RoleId>AROATESTER</RoleId><Arn>arn:aws:iam::123456789012:role/{name}</Arn>\
             <CreateDate>2026-01-01T00:00:00Z</CreateDate></Role></GetRoleResult><ResponseMetadata><RequestId>ID</RequestId>\
             </ResponseMetadata></GetRoleResponse>"
        ))
        .with_header("content-type", "text/xml")
    }

    /// No answer: the connection ends once the request has been read.
    pub fn broken() -> Self {
        Self { status: 200, fault: Fault::Broken, ..Self::default() }
    }

    /// No answer, and the connection stays open.
    pub fn silent() -> Self {
        Self { status: 200, fault: Fault::Silent, ..Self::default() }
    }

    /// This answer, whose connection ends after so many bytes of its body.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        Self { fault: Fault::Cut(bytes), ..self }
    }

    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// The server; ends with this value.
pub struct Stub {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    /// Connections that end as soon as they are made.
    refused: Arc<Mutex<usize>>,
    _end: tokio::sync::oneshot::Sender<Infallible>,
}

impl Stub {
    /// A server on a loopback port, in a thread of its own, that answers as `answer` says. Requests are kept before they are
    /// answered.
    pub fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let refused = Arc::new(Mutex::new(0));
        let (end, ended) = tokio::sync::oneshot::channel::<Infallible>();
        let serving = serve(listener, Arc::new(answer), Arc::clone(&requests), Arc::clone(&refused));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serving => {}
                    _ = ended => {}
                }
            });
        });
        Self { address, requests, refused, _end: end }
    }

    /// A server that gives these answers one after the other, and 500 when there are no more.
    pub fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Self::start(move |request| {
            let next = answers.lock().unwrap().pop_front();
            next.unwrap_or_else(|| {
                Answer::error(500, "InternalFailure", &format!("one {} too many", request.operation()))
            })
        })
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The operations it was asked for so far, in order.
    pub fn operations(&self) -> Vec<String> {
        self.requests().iter().map(Request::operation).collect()
    }

    /// The next connections end as soon as they are made.
    pub fn refuse_connections(&self, number: usize) {
        *self.refused.lock().unwrap() = number;
    }

    /// A session with fixed keys in eu-central-1 whose every endpoint is this server, without pauses.
    pub fn session(&self) -> Session {
        self.builder().build().unwrap()
    }

    /// The same before it is built.
    pub fn builder(&self) -> SessionBuilder {
        Session::builder()
            .region("eu-central-1")
            .endpoint_url(self.url())
            .credentials(Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
            .default_bucket("the-bucket")
            .poll_every(Duration::ZERO)
            .longest_backoff(Duration::ZERO)
    }
}

async fn serve(
    listener: std::net::TcpListener,
    handler: Handler,
    requests: Arc<Mutex<Vec<Request>>>,
    refused: Arc<Mutex<usize>>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        {
            let mut refused = refused.lock().unwrap();
            if *refused > 0 {
                *refused -= 1;
                continue;
            }
        }
        let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
        let service = service_fn(move |request| respond(request, Arc::clone(&handler), Arc::clone(&requests)));
        // A connection that the test breaks is an error here.
        tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn respond(
    request: hyper::Request<Incoming>,
    handler: Handler,
    requests: Arc<Mutex<Vec<Request>>>,
) -> Result<Response<StubBody>, std::io::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let request = Request {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body,
    };
    requests.lock().unwrap().push(request.clone());
    let answer = handler(&request);
    match answer.fault {
        Fault::Broken => return Err(std::io::Error::other("the test breaks the connection")),
        Fault::Silent => std::future::pending().await,
        Fault::None | Fault::Cut(_) => {}
    }
    let mut response = Response::builder().status(StatusCode::from_u16(answer.status).unwrap());
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    if !answer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("x-amzn-requestid")) {
        response = response.header("x-amzn-requestid", "stub-request");
    }
    let cut = if let Fault::Cut(bytes) = answer.fault { Some(bytes) } else { None };
    let length = answer.body.len() as u64;
    let sent = cut.map_or(answer.body.clone(), |bytes| answer.body.slice(..bytes.min(answer.body.len())));
    Ok(response.body(StubBody { length, sent: Some(sent), is_cut: cut.is_some() }).unwrap())
}

/// A body that may break off before the length it has announced.
struct StubBody {
    length: u64,
    sent: Option<Bytes>,
    is_cut: bool,
}

impl Body for StubBody {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        match self.sent.take() {
            Some(bytes) if !bytes.is_empty() => {
                // What was sent is to leave before the connection breaks.
                context.waker().wake_by_ref();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            _ if self.is_cut => Poll::Ready(Some(Err(std::io::Error::other("the test cuts the body")))),
            _ => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.is_cut && self.sent.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}
