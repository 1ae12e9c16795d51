//! Requests over HTTP/1.1, as they are: whoever sends them has signed them, and repeats them or not.
//!
//! Connections are kept and used again, one request at a time. An answer is read whole, or piece by piece as a [`Received`]
//! body. Decided against: the client of `hyper-util` with
//! `hyper-rustls`, which took a tenth of what every user of the SDK may compile, and knows no proxies without more.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, Uri};
use http_body_util::Full;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::bodies::{Counted, OutgoingBody, Progress, Received, in_memory};
#[cfg(feature = "tls")]
use super::tls::Tls;

/// The longest answer that is read: more than any document, report or result file.
const LONGEST_ANSWER: usize = 256 << 20;
/// Connections that were free for longer are not used again: the other end is about to close them.
const LONGEST_FREE: Duration = Duration::from_mins(1);

/// Connections to any number of servers, kept and shared by clones.
#[derive(Clone)]
pub struct Transport {
    connect_timeout: Duration,
    free: Arc<Mutex<HashMap<Key, Vec<Free>>>>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

/// Who a connection is to, and the runtime that moves its bytes: another one that runs while this one does not would wait for ever.
type Key = (tokio::runtime::Id, Origin);

/// Who a connection is to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub is_encrypted: bool,
    pub host: String,
    pub port: u16,
}

/// A connection, between two requests.
pub(super) type Connection = SendRequest<Counted>;

struct Free {
    connection: Connection,
    since: Instant,
}

impl Free {
    fn is_usable(&self) -> bool {
        !self.connection.is_closed() && self.since.elapsed() < LONGEST_FREE
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportError {
    /// Nobody was reached: the request was not sent.
    Unreachable(String),
    /// The connection broke, before the answer or within it: the request may have been carried out.
    Broken(String),
    /// The answer, or the next piece of it, did not come in time: the request may have been carried out.
    Timeout(Duration),
    /// The answer has more than so many bytes.
    TooLong(usize),
}

impl fmt::Display for TransportError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) | Self::Broken(reason) => formatter.write_str(reason),
            Self::Timeout(after) => write!(formatter, "no answer within {} seconds", after.as_secs_f64()),
            Self::TooLong(most) => write!(formatter, "the answer has more than {} MiB", most >> 20),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Transport").finish_non_exhaustive()
    }
}

impl Transport {
    /// Connections to `http://` addresses alone, each opened within a limit.
    pub fn plain(connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            free: Arc::default(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The same, and to `https://` addresses.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Sends a request with an absolute address and reads the whole answer, whatever its status. The answer has to begin within
    /// `patience`, and each further piece of it to come within the same time after the one before.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Bytes>, TransportError> {
        let (parts, body) = self.exchange(request.map(in_memory), patience).await?.into_parts();
        Ok(Response::from_parts(parts, body.whole(LONGEST_ANSWER).await?))
    }

    /// Sends a request with an absolute address, and gives the head of the answer and what its body is read from. The body of the
    /// request is sent as it comes: where it is not in memory, `content-length` must be among the headers. No byte may stand
    /// still for longer than `patience`, neither of the request nor of the answer.
    pub async fn exchange(
        &self,
        request: Request<OutgoingBody>,
        patience: Duration,
    ) -> Result<Response<Received>, TransportError> {
        let origin = Origin::of(request.uri())?;
        let progress = Progress::default();
        let request = in_origin_form(request)?.map(|body| Counted::new(body, progress.clone()));
        let (connection, response) = progress.in_time(patience, self.begin(&origin, request)).await?;
        let (parts, body) = response.into_parts();
        let keeper = (self.clone(), origin, connection);
        Ok(Response::from_parts(parts, Received::new(body, keeper, patience)))
    }

    /// Sends a request over a free connection or a new one; the head of the answer.
    async fn begin(
        &self,
        origin: &Origin,
        mut request: Request<Counted>,
    ) -> Result<(Connection, Response<hyper::body::Incoming>), TransportError> {
        while let Some(mut connection) = self.take_free(origin) {
            if connection.ready().await.is_err() {
                continue;
            }
            match connection.try_send_request(request).await {
                Ok(response) => return Ok((connection, response)),
                Err(mut error) => match error.take_message() {
                    // The other end had closed it, and nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.error())),
                },
            }
        }
        // Boxed, as a TLS handshake needs kilobytes that every other request would carry along.
        let mut connection = Box::pin(self.open(origin)).await?;
        let response = connection.send_request(request).await.map_err(|error| broken(&error))?;
        Ok((connection, response))
    }

    fn take_free(&self, origin: &Origin) -> Option<Connection> {
        let mut free = self.free.lock().expect("nobody panics while holding it");
        let free = free.get_mut(&(tokio::runtime::Handle::current().id(), origin.clone()))?;
        free.retain(Free::is_usable);
        free.pop().map(|free| free.connection)
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn keep(&self, origin: Origin, connection: Connection) {
        let mut free = self.free.lock().expect("nobody panics while holding it");
        free.retain(|_, connections| {
            connections.retain(Free::is_usable);
            !connections.is_empty()
        });
        if !connection.is_closed() {
            let key = (tokio::runtime::Handle::current().id(), origin);
            free.entry(key).or_default().push(Free { connection, since: Instant::now() });
        }
    }

    async fn open(&self, origin: &Origin) -> Result<Connection, TransportError> {
        #[cfg(feature = "tls")]
        if origin.is_encrypted
            && let Some(tls) = &self.tls
        {
            let stream = tokio::time::timeout(self.connect_timeout, tls.connect(origin, self.connect_timeout)).await;
            return driven(stream.unwrap_or_else(|_| Err(too_late(self.connect_timeout)))?).await;
        }
        if origin.is_encrypted {
            return Err(TransportError::Unreachable("this client speaks no TLS, use an http:// address".to_owned()));
        }
        driven(connected(&origin.host, origin.port, self.connect_timeout).await?).await
    }
}

impl Origin {
    fn of(uri: &Uri) -> Result<Self, TransportError> {
        let is_encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(TransportError::Unreachable(format!("{uri} is neither http:// nor https://"))),
        };
        let host = uri.host().ok_or_else(|| TransportError::Unreachable(format!("{uri} names no host")))?;
        // An IPv6 address stands in brackets in addresses alone.
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { is_encrypted, host, port: uri.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 }) })
    }
}

/// The request as HTTP/1.1 has it: a path alone, and the host as a header.
fn in_origin_form(mut request: Request<OutgoingBody>) -> Result<Request<OutgoingBody>, TransportError> {
    let unusable = |error: &dyn fmt::Display| TransportError::Unreachable(error.to_string());
    let uri = std::mem::take(request.uri_mut());
    if !request.headers().contains_key(HOST) {
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        request.headers_mut().insert(HOST, HeaderValue::from_str(authority).map_err(|error| unusable(&error))?);
    }
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error: http::uri::InvalidUri| unusable(&error))?;
    Ok(request)
}

/// A connection over a stream, whose bytes a task moves.
async fn driven<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S) -> Result<Connection, TransportError> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    tokio::spawn(async move {
        // Whoever waits for the answer is told.
        let _ = connection.await;
    });
    Ok(sender)
}

/// A connection to a host, the first of its addresses that answers within its share of the time.
pub(super) async fn connected(host: &str, port: u16, limit: Duration) -> Result<TcpStream, TransportError> {
    let unreachable = |error: std::io::Error| TransportError::Unreachable(error.to_string());
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(unreachable)?.collect();
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    let mut failure = TransportError::Unreachable(format!("{host} has no address"));
    for address in addresses {
        match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(unreachable)?;
                return Ok(stream);
            }
            Ok(Err(error)) => failure = unreachable(error),
            Err(_) => failure = too_late(limit),
        }
    }
    Err(failure)
}

fn too_late(limit: Duration) -> TransportError {
    TransportError::Unreachable(format!("no connection within {} seconds", limit.as_secs_f64()))
}

fn broken(error: &dyn std::error::Error) -> TransportError {
    TransportError::Broken(innermost(error))
}

/// The text of the error at the bottom: "connection refused" says more than "client error".
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
