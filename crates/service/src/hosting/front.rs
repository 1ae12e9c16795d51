//! A reverse proxy in front of a model server of the user's own, which captures what passes: `watchkeeper proxy`.
//!
//! Any method and any path is passed on, as it is but for the headers that concern one connection alone. Small requests are
//! read whole first, and so are captured ones whose length nobody knows, up to a limit; everything else streams, and is copied
//! on its way where it is captured. The answer streams always, and is recorded once it has ended. Connections of other
//! protocols (`Upgrade`) are not passed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, FutureExt as _, select};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::capture::{CaptureStream, Exchange, Payload, Written};
use super::invocation::{CUSTOM_ATTRIBUTES, INFERENCE_ID};
use super::model::{BodyCopy, InvokeError, RequestBody, Upstream, UpstreamBody};
use crate::lanes::{Lanes, Raised};
use crate::patience::Patience;
use crate::pieces::{Gathering, Pieces};
use crate::server::body::{TimedBody, close_if_refused};
use crate::server::timed_stream::TimedStream;

/// Connections that are served at the same time; more wait.
const MAX_CONNECTIONS: usize = 1024;
/// How long the headers of a request may take; idle connections are closed then, too.
const HEADER_PATIENCE: Duration = Duration::from_mins(1);
/// How long a body may stand still.
const IDLE: Duration = Duration::from_mins(1);
/// How long the model server may take until its answer begins.
const ANSWER_PATIENCE: Duration = Duration::from_mins(5);
/// How long requests have to end when the proxy stops.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait when the machine has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The most bytes of either side of what is captured; larger ones pass and are not captured.
const MAX_CAPTURED_BYTES: usize = 16 << 20;
/// Requests up to this size are read whole whether they are captured or not: that is quicker than to stream them.
const SMALL_BYTES: u64 = 64 << 10;
/// The most bytes that a connection takes from a client at once, headers included: more than the service does, as a large body takes
/// a quarter of the wake-ups then, and goes on from the processor's cache still.
const READ_BYTES: usize = 256 << 10;
/// Pieces up to this size are copied for the capture: a piece of a connection's buffer keeps the whole buffer.
const COPIED_BYTES: usize = 16 << 10;

/// The headers that concern one connection alone.
const HOP_BY_HOP: [HeaderName; 9] = [
    http::header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    http::header::PROXY_AUTHENTICATE,
    http::header::PROXY_AUTHORIZATION,
    http::header::TE,
    http::header::TRAILER,
    http::header::TRANSFER_ENCODING,
    http::header::UPGRADE,
];
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// What a proxy passes to where, and what of it is captured.
pub struct Front {
    /// The model server.
    pub upstream: Upstream,
    /// The endpoint that it stands for, for the log.
    pub endpoint: String,
    /// The paths whose POSTs are captured; all where there is none.
    pub paths: Vec<String>,
    /// Where to.
    pub capture: Arc<CaptureStream>,
}

/// Serves connections until `stop` is true, then lets requests end for a while.
///
/// # Errors
/// When the machine has no more threads.
pub async fn serve(listener: TcpListener, front: Front, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let lanes = Lanes::start()?;
    let front = Arc::new(front);
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = async {
                let place = Arc::clone(&places).acquire_owned().await;
                listener.accept().await.map(|accepted| (accepted, place))
            } => accepted,
        };
        let ((stream, peer), place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (front, stop) = (Arc::clone(&front), stop.clone());
        lanes.serve(stream, move |stream| async move {
            front.connection(stream, peer, stop).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(MAX_CONNECTIONS).expect("a thousand is a small number");
    let endpoint = &front.endpoint;
    if timeout(GRACE, places.acquire_many(all)).await.is_err() {
        tracing::warn!(endpoint, "requests did not finish in time and are cut off");
    }
    Ok(())
}

/// A client, for as long as its connection lasts.
struct Client {
    /// As `X-Forwarded-For` has it.
    address: HeaderValue,
    patience: Patience,
}

impl Front {
    async fn connection(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, stop: watch::Receiver<bool>) {
        // Answers are small and waited for.
        let _ = stream.set_nodelay(true);
        let address = peer.ip().to_canonical().to_string();
        let address = HeaderValue::try_from(address).expect("an address is digits, letters, points and colons");
        let patience = Patience::default();
        let client = Arc::new(Client { address, patience: patience.clone() });
        let service =
            service_fn(move |request| Arc::clone(&self).answer(request, Arc::clone(&client)).map(Ok::<_, Infallible>));
        let connection = http1::Builder::new()
            .timer(patience)
            .header_read_timeout(HEADER_PATIENCE)
            .max_buf_size(READ_BYTES)
            .serve_connection(TokioIo::new(TimedStream::new(stream, IDLE)), service);
        let mut connection = pin!(connection);
        let ended = match select(connection.as_mut(), Raised::new(stop)).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(error = &error as &dyn std::error::Error, "a connection broke");
        }
    }

    /// Answers a request. What this gives is moved with each request; an `async fn` would make it larger by its arguments.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        client: Arc<Client>,
    ) -> impl Future<Output = Response<AnswerBody>> {
        let (mut parts, body) = request.into_parts();
        let is_passed = parts.method != Method::CONNECT && !parts.headers.contains_key(http::header::UPGRADE);
        let is_sampled = is_passed && self.is_captured(&parts) && self.capture.sample();
        let mut capturing = is_sampled.then(|| {
            let exchange = exchange(&parts.headers, Timestamp::now());
            Capturing { stream: Arc::clone(&self.capture), exchange, passing: None }
        });
        let waits = parts.headers.contains_key(EXPECT);
        let body = TimedBody::new(body, &parts.headers, IDLE);
        prepare(&mut parts.headers, &client.address);
        async move {
            if !is_passed {
                return refusal(StatusCode::NOT_IMPLEMENTED, "this proxy passes no connections of other protocols on");
            }
            let mut answer = match self.pass(parts, body, &mut capturing, &client.patience).await {
                Ok(answer) => match returned(answer, capturing) {
                    (answer, None) => answer,
                    (answer, Some(written)) => {
                        let answer = Box::new(answer);
                        written.await;
                        *answer
                    }
                },
                Err(Unpassed::Client(reason)) => refusal(StatusCode::BAD_REQUEST, &reason),
                Err(Unpassed::Upstream(reason)) => {
                    tracing::debug!(endpoint = self.endpoint, reason, "the model server gave no answer");
                    refusal(StatusCode::BAD_GATEWAY, &format!("no answer from {}: {reason}", self.upstream.address()))
                }
            };
            close_if_refused(waits, answer.status(), answer.headers_mut());
            answer
        }
    }

    /// Whether a request is one of those that are captured.
    fn is_captured(&self, parts: &Parts) -> bool {
        let paths = &self.paths;
        parts.method == Method::POST && (paths.is_empty() || paths.iter().any(|path| path == parts.uri.path()))
    }

    /// Passes a request on. What turns out to be too large is not captured.
    fn pass<'a>(
        &'a self,
        mut parts: Parts,
        body: TimedBody,
        capturing: &'a mut Option<Capturing>,
        patience: &'a Patience,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, Unpassed>> + 'a {
        let uri = self.upstream.uri_behind(&parts.uri).map_err(|error| Unpassed::Client(error.to_string()));
        // What is moved with each request is small only if it is not an `async fn`: that would hold its arguments twice.
        async move {
            parts.uri = uri?;
            let body = match (body.size_hint().exact(), &mut *capturing) {
                (Some(bytes), Some(capturing)) if (SMALL_BYTES + 1..=MAX_CAPTURED_BYTES as u64).contains(&bytes) => {
                    let copy = BodyCopy::new(READ_BYTES);
                    capturing.passing = Some((copy.clone(), bytes));
                    RequestBody::copied(body, copy)
                }
                (Some(bytes), _) if bytes > SMALL_BYTES => {
                    *capturing = None;
                    RequestBody::streamed(Pieces::default(), body)
                }
                (None, None) => RequestBody::streamed(Pieces::default(), body),
                (Some(_), _) | (None, Some(_)) => match read(body).await? {
                    (read, Some(rest)) => {
                        *capturing = None;
                        RequestBody::streamed(read, rest)
                    }
                    (read, None) => {
                        if let Some(Capturing { exchange, .. }) = capturing {
                            exchange.input.body.extend(read.iter().map(kept));
                        }
                        // The length is that of the bytes that are here.
                        parts.headers.remove(CONTENT_LENGTH);
                        RequestBody::from(read)
                    }
                },
            };
            let sent = pin!(self.upstream.send(Request::from_parts(parts, body)));
            let answer = patience.within(ANSWER_PATIENCE, sent).await;
            let answer = answer.unwrap_or(Err(InvokeError::TimedOut(ANSWER_PATIENCE)));
            answer.map_err(|error| Unpassed::Upstream(error.to_string()))
        }
    }
}

/// What is captured of a request, on its way.
struct Capturing {
    stream: Arc<CaptureStream>,
    exchange: Exchange,
    /// Where the body of the request is sent while it comes, what has been sent of it, and how much there is.
    passing: Option<(BodyCopy, u64)>,
}

impl Capturing {
    /// The record, unless the model server has answered before it had all of the request.
    fn record(mut self) -> Option<Written> {
        if let Some((copy, bytes)) = self.passing {
            let sent = copy.take();
            if sent.len() as u64 != bytes {
                tracing::warn!("a request whose answer ended before it had come is not captured");
                return None;
            }
            self.exchange.input.body.extend(sent.iter().cloned());
        }
        self.stream.record(self.exchange)
    }
}

/// Why a request was not answered.
enum Unpassed {
    /// The client broke off, or asks for what cannot be asked for.
    Client(String),
    /// The model server gave no answer.
    Upstream(String),
}

/// A body up to the most that is captured, with what follows where it is longer.
async fn read(mut body: TimedBody) -> Result<(Pieces, Option<TimedBody>), Unpassed> {
    let mut gathering = Gathering::new(READ_BYTES);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Unpassed::Client(format!("the request broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        gathering.push(data);
        if gathering.len() > MAX_CAPTURED_BYTES {
            return Ok((gathering.end(), Some(body)));
        }
    }
    Ok((gathering.end(), None))
}

/// The record of a request that is captured, without its bodies.
fn exchange(headers: &HeaderMap, time: Timestamp) -> Exchange {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    Exchange {
        event_id: Uuid::new_v4(),
        time,
        inference_id: text(INFERENCE_ID),
        custom_attributes: text(CUSTOM_ATTRIBUTES),
        input: Payload { content_type: text(CONTENT_TYPE), body: Vec::new() },
        output: Payload::default(),
        is_answered: true,
    }
}

/// The headers as the model server gets them.
fn prepare(headers: &mut HeaderMap, client: &HeaderValue) {
    remove_hop_by_hop(headers);
    // The client was told to go on when its body was first asked for.
    headers.remove(EXPECT);
    if let Some(host) = headers.remove(HOST) {
        headers.entry(FORWARDED_HOST).or_insert(host);
    }
    if !headers.contains_key(FORWARDED_FOR) {
        headers.insert(FORWARDED_FOR, client.clone());
        return;
    }
    let chain = headers.get_all(FORWARDED_FOR).iter().chain([client]);
    let chain: Vec<&str> = chain.filter_map(|value| value.to_str().ok()).collect();
    if let Ok(chain) = HeaderValue::try_from(chain.join(", ")) {
        headers.insert(FORWARDED_FOR, chain);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    // Many have none or one, and to look each of them up takes longer.
    let found: Vec<HeaderName> = headers.keys().filter(|name| HOP_BY_HOP.contains(name)).cloned().collect();
    if found.contains(&http::header::CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(http::header::CONNECTION)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(',').map(str::trim))
            .filter(|name| !name.eq_ignore_ascii_case("keep-alive") && !name.eq_ignore_ascii_case("close"))
            .filter_map(|name| name.parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in found {
        headers.remove(name);
    }
}

/// The answer as the client gets it, recorded where it says that the model did not fail. Where there is a record of an empty
/// one, the answer is to wait for it.
fn returned(answer: Response<UpstreamBody>, capturing: Option<Capturing>) -> (Response<AnswerBody>, Option<Written>) {
    let (mut parts, body) = answer.into_parts();
    remove_hop_by_hop(&mut parts.headers);
    let mut capturing = capturing.filter(|_| parts.status.is_success());
    if let Some(Capturing { exchange, .. }) = &mut capturing {
        let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        exchange.output.content_type = content_type.map(str::to_owned);
    }
    let mut body = AnswerBody::new(Source::Model(body), capturing);
    // Nobody asks for the end of an answer that is empty.
    if body.is_complete() {
        body.record();
    }
    let written = body.written.take();
    (Response::from_parts(parts, body), written)
}

fn refusal(status: StatusCode, message: &str) -> Response<AnswerBody> {
    let text = Bytes::from(json!({ "message": message }).to_string());
    let mut answer = Response::new(AnswerBody::new(Source::Text(Some(text)), None));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}

fn kept(piece: &Bytes) -> Bytes {
    if piece.len() <= COPIED_BYTES { Bytes::copy_from_slice(piece) } else { piece.clone() }
}

/// Where an answer comes from.
enum Source {
    Model(UpstreamBody),
    Text(Option<Bytes>),
}

impl Source {
    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Model(body) => body.size_hint(),
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        match self {
            Self::Model(body) => Pin::new(body).poll_frame(context).map_err(|error| BrokenAnswer(error.to_string())),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }
}

/// An answer that broke off: so does what the client gets of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct BrokenAnswer(String);

/// The body of an answer, on its way to client and record.
struct AnswerBody {
    /// None once it has ended.
    source: Option<Source>,
    size: SizeHint,
    capturing: Option<Capturing>,
    kept: usize,
    /// The record, which the answer does not end before.
    written: Option<Written>,
    /// What is left to be sent when that is done.
    last: Option<Frame<Bytes>>,
    /// How it broke off.
    broken: Option<BrokenAnswer>,
}

impl AnswerBody {
    fn new(source: Source, capturing: Option<Capturing>) -> Self {
        let size = source.size_hint();
        Self { source: Some(source), size, capturing, kept: 0, written: None, last: None, broken: None }
    }

    fn keep(&mut self, piece: &Bytes) {
        let Some(Capturing { exchange, .. }) = &mut self.capturing else { return };
        self.kept += piece.len();
        if self.kept > MAX_CAPTURED_BYTES {
            tracing::warn!("an answer of more than {MAX_CAPTURED_BYTES} bytes is not captured");
            self.capturing = None;
        } else {
            exchange.output.body.push(kept(piece));
        }
    }

    /// Whether all that was announced has come.
    fn is_complete(&self) -> bool {
        match &self.source {
            Some(Source::Model(body)) => body.is_end_stream(),
            Some(Source::Text(text)) => text.is_none(),
            None => true,
        }
    }

    fn record(&mut self) {
        self.source = None;
        self.written = self.capturing.take().and_then(Capturing::record);
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokenAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenAnswer>>> {
        let this = &mut *self;
        loop {
            if let Some(written) = &mut this.written {
                ready!(written.as_mut().poll(context));
                this.written = None;
            }
            if let Some(last) = this.last.take() {
                return Poll::Ready(Some(Ok(last)));
            }
            if let Some(error) = this.broken.take() {
                return Poll::Ready(Some(Err(error)));
            }
            let Some(source) = &mut this.source else { return Poll::Ready(None) };
            match ready!(source.poll(context)) {
                Some(Ok(frame)) => {
                    if let Some(piece) = frame.data_ref() {
                        let piece = piece.clone();
                        this.keep(&piece);
                    }
                    // Nobody asks for more once all bytes that were announced are there.
                    if this.is_complete() {
                        this.record();
                    }
                    this.last = Some(frame);
                }
                Some(Err(error)) => {
                    this.capturing = None;
                    this.source = None;
                    // What came before is sent first: an error would throw it away.
                    this.broken = Some(error);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                None => this.record(),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        // As long as there is something to record, the end has to be asked for.
        self.capturing.is_none()
            && self.written.is_none()
            && self.last.is_none()
            && self.broken.is_none()
            && self.is_complete()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
