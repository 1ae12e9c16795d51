//! The client of model servers: HTTP/1.1 over connections that are used again.
//!
//! A connection has no task of its own. Whoever waits for an answer, or for a piece of its body, drives the connection, so
//! that a request wakes nobody but the one who made it; an idle connection stands still in the pool, and is looked at
//! before it is used. A request that hyper says was not sent, because the server had closed the connection, is sent once
//! more on another; one that was sent is never sent twice.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderValue, Method, Request, Response, Uri, Version};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::coop::unconstrained;
use tokio::time::timeout;

use super::InvokeError;
use crate::lanes;
use crate::own_wakes::taking;
use crate::pieces::{Gathering, Pieces};
use crate::server::body::{BodyError, TimedBody};

/// How long a server may take to accept a connection.
const LONGEST_CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: shorter than servers keep theirs (Node and uvicorn close after 5 s), so that
/// hardly ever a request meets a connection that is just being closed.
const LONGEST_IDLE: Duration = Duration::from_secs(4);
/// The most idle connections to one server.
const MOST_IDLE: usize = 1024;

/// The body of a request: what was read of it already, and what comes.
#[derive(Debug)]
pub struct RequestBody {
    read: Pieces,
    /// In a box, as hardly any has it.
    rest: Option<Box<TimedBody>>,
    copy: Option<BodyCopy>,
}

/// A copy of a request's body, as far as it has been sent.
#[derive(Clone, Debug)]
pub(crate) struct BodyCopy(Arc<Mutex<Gathering>>);

impl RequestBody {
    pub(crate) fn streamed(read: Pieces, rest: TimedBody) -> Self {
        Self { read, rest: Some(Box::new(rest)), copy: None }
    }

    /// A body that is sent as it comes, and copied on its way.
    pub(crate) fn copied(body: TimedBody, copy: BodyCopy) -> Self {
        Self { read: Pieces::default(), rest: Some(Box::new(body)), copy: Some(copy) }
    }
}

impl BodyCopy {
    /// Of a body of which so many bytes are read at once.
    pub(crate) fn new(read_bytes: usize) -> Self {
        Self(Arc::new(Mutex::new(Gathering::new(read_bytes))))
    }

    fn push(&self, piece: Bytes) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(piece);
    }

    /// What has been sent.
    pub(crate) fn take(&self) -> Pieces {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).end()
    }
}

impl<B: Into<Pieces>> From<B> for RequestBody {
    fn from(read: B) -> Self {
        Self { read: read.into(), rest: None, copy: None }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let (true, Some(rest)) = (this.read.is_empty(), &mut this.rest) else {
            return Pin::new(&mut this.read).poll_frame(context).map_err(|never| match never {});
        };
        let polled = Pin::new(rest).poll_frame(context);
        if let (Some(copy), Poll::Ready(Some(Ok(frame)))) = (&this.copy, &polled)
            && let Some(piece) = frame.data_ref()
        {
            copy.push(piece.clone());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.len() as u64;
        let Some(rest) = &self.rest else { return SizeHint::with_exact(read) };
        match rest.size_hint().exact() {
            Some(rest) => SizeHint::with_exact(read + rest),
            None => SizeHint::default(),
        }
    }
}

/// An HTTP/1.1 server at one address, and the idle connections to it.
#[derive(Clone, Debug)]
pub struct Upstream {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    host: String,
    port: u16,
    /// `Host` of requests that have none.
    authority: HeaderValue,
    /// What paths begin with; without a slash at its end.
    base: String,
    /// For each place of [`lanes`], as a connection belongs to the runtime that made it; the one that was used last is at
    /// the back.
    idle: Box<[Mutex<VecDeque<Idle>>]>,
}

#[derive(Debug)]
struct Idle {
    channel: Channel,
    since: Instant,
}

/// The body of an answer as it comes. Its connection can be used again when it has ended; when this is dropped before, the
/// connection is closed.
pub struct UpstreamBody {
    body: Incoming,
    /// None once the connection is back in the pool, or has ended.
    channel: Option<Channel>,
    /// Whether the connection may still be sending when the body has ended, or ends with it.
    is_uncertain: bool,
    server: Arc<Server>,
}

type Open = Connection<TokioIo<TcpStream>, RequestBody>;

/// A connection, and what hands requests to it.
#[derive(Debug)]
struct Channel {
    sender: SendRequest<RequestBody>,
    /// Whoever holds the channel polls this; none when the connection has ended.
    connection: Option<Pin<Box<Open>>>,
}

impl Upstream {
    /// The server at an `http://` address, whose path is what all paths begin with.
    ///
    /// # Errors
    /// A text for the person who wrote the address.
    pub fn new(address: &str) -> Result<Self, String> {
        let refused = |reason: &str| format!("`{address}` is no address of a model server: {reason}");
        let uri: Uri = address.parse().map_err(|error| refused(&format!("{error}")))?;
        match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => {}
            Some(scheme) if *scheme == Scheme::HTTPS => {
                return Err(refused("models are asked over http://, put a proxy that speaks TLS in between"));
            }
            _ => return Err(refused("it does not begin with http://")),
        }
        let authority = uri.authority().filter(|authority| !authority.host().is_empty());
        let authority: &Authority = authority.ok_or_else(|| refused("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refused("it holds a user's name, which would be sent to nobody"));
        }
        if uri.query().is_some() {
            return Err(refused("it has a query"));
        }
        let host = authority.host();
        if authority.as_str() != host && authority.port_u16().is_none() {
            return Err(refused("its port is no number up to 65535"));
        }
        let server = Server {
            host: host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: HeaderValue::from_str(authority.as_str()).map_err(|error| refused(&error.to_string()))?,
            base: uri.path().trim_end_matches('/').to_owned(),
            idle: (0..lanes::places()).map(|_| Mutex::default()).collect(),
        };
        Ok(Self { server: Arc::new(server) })
    }

    /// A server of this machine.
    pub(super) fn local(port: u16) -> Self {
        Self::new(&format!("http://127.0.0.1:{port}")).expect("host and port are an address")
    }

    /// The server's address, as messages show it.
    pub fn address(&self) -> String {
        let Server { host, port, base, .. } = self.server.as_ref();
        if host.contains(':') { format!("http://[{host}]:{port}{base}") } else { format!("http://{host}:{port}{base}") }
    }

    /// What a request asks for: a path, with its query where there is one, behind the address's own.
    ///
    /// # Errors
    /// When that is no path.
    pub fn uri(&self, path_and_query: &str) -> Result<Uri, http::Error> {
        let path = format!("{}{path_and_query}", self.server.base);
        let path = PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(http::Error::from)?;
        Ok(Uri::from(path))
    }

    /// What a request that came asks for here. Where the address has no path of its own, it is what it was.
    ///
    /// # Errors
    /// As [`Upstream::uri`].
    pub(crate) fn uri_behind(&self, came: &Uri) -> Result<Uri, http::Error> {
        match came.path_and_query() {
            Some(path) if self.server.base.is_empty() => Ok(Uri::from(path.clone())),
            path => self.uri(path.map_or("/", PathAndQuery::as_str)),
        }
    }

    /// Sends a request whose URI is what [`Upstream::uri`] makes. Returns when the answer has begun; its body comes as it is
    /// polled. `Host` and `Content-Length` are added where they are missing.
    ///
    /// # Errors
    /// [`InvokeError::Unreachable`], [`InvokeError::Garbage`]. There is no time limit but that of connecting: dropping what
    /// this returns closes the connection.
    pub fn send(
        &self,
        mut request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<UpstreamBody>, InvokeError>> {
        *request.version_mut() = Version::HTTP_11;
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.server.authority.clone());
        }
        // Of an empty body hyper says nothing, and servers that look for the length of a POST find none.
        let may_have_body = !matches!(*request.method(), Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS);
        if may_have_body && request.body().is_end_stream() {
            request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // What waits for models holds no more than it has to: it is moved with each request.
        async move {
            loop {
                let kept = self.server.take();
                let is_new = kept.is_none();
                let mut channel = match kept {
                    Some(channel) => channel,
                    None => Box::pin(self.connect()).await?,
                };
                // The answer comes from the connection, which is polled here: nobody has to be woken for it. Without a
                // budget, or it could ask to be polled again.
                let may_be_sending = request.body().rest.is_some();
                let mut answer = pin!(unconstrained(channel.sender.try_send_request(request)));
                let connection = &mut channel.connection;
                let answered = poll_fn(|context| {
                    drive(connection, context);
                    answer.as_mut().poll(&mut Context::from_waker(Waker::noop()))
                });
                match answered.await {
                    Ok(answer) => {
                        let server = Arc::clone(&self.server);
                        let is_uncertain = may_be_sending || ends_connection(&answer);
                        let mut answer =
                            answer.map(|body| UpstreamBody { body, channel: Some(channel), is_uncertain, server });
                        answer.body_mut().release_at_end();
                        return Ok(answer);
                    }
                    Err(mut failed) => match failed.take_message() {
                        Some(unsent) if !is_new => request = unsent,
                        _ => return Err(broken(&self.server, &failed.into_error())),
                    },
                }
            }
        }
    }

    async fn connect(&self) -> Result<Channel, InvokeError> {
        let Server { host, port, .. } = self.server.as_ref();
        let unreachable = |reason: String| {
            InvokeError::Unreachable(format!("no connection to the model at {}: {reason}", self.address()))
        };
        let stream = match timeout(LONGEST_CONNECT, TcpStream::connect((host.as_str(), *port))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => return Err(unreachable(format!("not accepted within {LONGEST_CONNECT:?}"))),
        };
        // A stream without this is slow, but works.
        let _ = stream.set_nodelay(true);
        let (sender, connection) =
            handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(error.to_string()))?;
        Ok(Channel { sender, connection: Some(Box::pin(connection)) })
    }
}

/// Whether an answer says that its connection ends with it.
fn ends_connection(answer: &Response<Incoming>) -> bool {
    let is_close = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    answer.version() == Version::HTTP_10 || answer.headers().get_all(CONNECTION).iter().any(is_close)
}

/// What became of a request whose connection failed.
fn broken(server: &Server, error: &hyper::Error) -> InvokeError {
    let (host, port) = (&server.host, server.port);
    if error.is_parse() {
        return InvokeError::Garbage(format!("what the model at {host}:{port} answered is no HTTP/1.1: {error}"));
    }
    let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    InvokeError::Unreachable(format!("the connection to the model at {host}:{port} broke: {reason}"))
}

impl Server {
    /// The idle connections of this thread's runtime.
    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        self.idle[lanes::place()].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An idle connection that takes a request.
    fn take(&self) -> Option<Channel> {
        loop {
            let Idle { mut channel, since } = self.idle().pop_back()?;
            if since.elapsed() < LONGEST_IDLE && channel.is_ready() {
                return Some(channel);
            }
        }
    }

    /// Keeps a connection that has nothing to do. Those that nobody has taken for long are closed.
    fn keep(&self, channel: Channel) {
        let since = Instant::now();
        let mut idle = self.idle();
        while idle.front().is_some_and(|oldest| since.duration_since(oldest.since) >= LONGEST_IDLE) {
            idle.pop_front();
        }
        if idle.len() < MOST_IDLE {
            idle.push_back(Idle { channel, since });
        }
    }
}

impl Channel {
    /// Whether the connection is still there and takes a request. Nobody is woken for it until it is driven again: to hand it a request
    /// would wake whoever was.
    fn is_ready(&mut self) -> bool {
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.connection.is_some() && self.sender.is_ready()
    }
}

/// Lets a connection do what it can. How it ended is what the answer or the body says.
fn drive(connection: &mut Option<Pin<Box<Open>>>, context: &mut Context<'_>) {
    if let Some(open) = connection
        && open.as_mut().poll(context).is_ready()
    {
        // What still waits for an answer is told so.
        *connection = None;
    }
}

impl UpstreamBody {
    /// The body has ended: the connection goes back to the pool, unless it ends too.
    ///
    /// Whether it does is mostly seen when it is taken out: driven now, it would ask for memory to read into, while the answer,
    /// which is still to be passed on, holds what it has read into so far.
    fn release(&mut self) {
        if let Some(mut channel) = self.channel.take()
            && (!self.is_uncertain || channel.is_ready())
        {
            self.server.keep(channel);
        }
    }

    /// The same, if it has ended: nobody asks for more of it then.
    fn release_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.release();
        }
    }

    /// What has come. The connection is driven when more is asked for: nothing has to wake who asks.
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        taking(context, |_| Pin::new(&mut self.body).poll_frame(&mut Context::from_waker(Waker::noop()))).0
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = InvokeError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InvokeError>>> {
        let mut polled = self.poll_body(context);
        if polled.is_pending() {
            if let Some(channel) = &mut self.channel {
                drive(&mut channel.connection, context);
            }
            polled = self.poll_body(context);
        }
        match polled {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => {
                self.release_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.channel = None;
                Poll::Ready(Some(Err(broken(&self.server, &error))))
            }
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
