//! The listener: accepts connections up to a limit, and ends them in order when the service stops.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use http::{Method, StatusCode};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::body::Answer;
use super::certificates::Certificates;
use super::proxy;
use super::relay::Arriving;
use super::routing::Router;
use super::timed_stream::TimedStream;
use crate::Context;
use crate::api::s3::is_aws_host;
use crate::lanes::{Lanes, Raised};
use crate::patience::Patience;
use crate::pieces::READ_BYTES;

/// Headers of a request.
const MAX_HEADERS: usize = 128;
/// How long to wait when the machine has no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How many connections may wait to be accepted, if the system takes so many. A client of one more would be heard again after a second.
const WAITING_CONNECTIONS: i32 = 4096;

/// Listens on an address, for a runtime to accept from.
///
/// # Errors
/// The address is not this machine's, or is in use.
pub fn listen(address: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    // Again, as the library lets 128 wait.
    rustix::net::listen(&listener, WAITING_CONNECTIONS)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The place of a connection among those that are served; free when the last holder lets go.
pub(super) type Permit = Arc<OwnedSemaphorePermit>;

/// What serves connections.
pub(super) struct Front {
    pub(super) context: Arc<Context>,
    pub(super) certificates: Certificates,
    pub(super) router: Router,
    /// The service's own address, which a proxied request may name too.
    pub(super) address: SocketAddr,
    /// One permit for each connection that is served.
    connections: Arc<Semaphore>,
    lanes: Lanes,
    /// The runtime of the service, for what does not belong on a lane.
    runtime: Handle,
    /// True once no more is accepted.
    closing: watch::Receiver<bool>,
}

impl Front {
    pub(super) fn new(
        context: Arc<Context>,
        certificates: Certificates,
        router: Router,
        address: SocketAddr,
        closing: watch::Receiver<bool>,
    ) -> std::io::Result<Self> {
        let connections = Arc::new(Semaphore::new(context.configuration.server.max_connections as usize));
        let (lanes, runtime) = (Lanes::start()?, Handle::current());
        Ok(Self { context, certificates, router, address, connections, lanes, runtime, closing })
    }

    /// Accepts until the service stops, then waits for the connections to end.
    pub(super) async fn run(self: Arc<Self>, listener: TcpListener) {
        let mut closing = self.closing();
        loop {
            let permit = tokio::select! {
                biased;
                () = &mut closing => break,
                permit = Arc::clone(&self.connections).acquire_owned() => match permit {
                    Ok(permit) => Arc::new(permit),
                    Err(_) => break,
                },
            };
            let stream = tokio::select! {
                biased;
                () = &mut closing => break,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            // Answers are small and waited for.
            let _ = stream.set_nodelay(true);
            let patience = Duration::from_secs(self.context.configuration.server.idle_seconds);
            let (front, stopping) = (Arc::clone(&self), Raised::new(self.context.stopping.clone()));
            self.lanes.serve(stream, move |stream| async move {
                select(front.serve(TimedStream::new(stream, patience), None, permit), stopping).await;
            });
        }
        drop(listener);
        let all = self.context.configuration.server.max_connections;
        // Every permit back: every connection ended.
        let _ = self.connections.acquire_many(all).await;
    }

    /// Waits until no more is accepted.
    pub(super) fn closing(&self) -> Raised {
        Raised::new(self.closing.clone())
    }

    /// Runs what belongs to a connection, until everything ends: nothing of it outlives the service.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = Raised::new(self.context.stopping.clone());
        tokio::spawn(async move {
            select(pin!(task), stopping).await;
        });
    }

    /// Serves one connection. `host` is the name that a proxied client has asked for.
    ///
    /// Boxed, as a proxied connection is served within another.
    pub(super) fn serve<S>(self: &Arc<Self>, stream: S, host: Option<String>, permit: Permit) -> BoxFuture<'static, ()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let front = Arc::clone(self);
        Box::pin(async move { front.serve_unboxed(stream, host, permit).await })
    }

    async fn serve_unboxed<S>(self: Arc<Self>, stream: S, host: Option<String>, permit: Permit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let host: Option<Arc<str>> = host.map(Arc::from);
        let front = Arc::clone(&self);
        let service = service_fn(move |request| {
            let (front, host, permit) = (Arc::clone(&front), host.clone(), Arc::clone(&permit));
            let answer: BoxFuture<'static, Answer> =
                Box::pin(async move { front.answer(request, host.as_deref(), permit).await });
            answer.map(Ok::<_, Infallible>)
        });
        let connection = http1::Builder::new()
            .timer(Patience::default())
            .header_read_timeout(Duration::from_secs(self.context.configuration.server.header_seconds))
            // Of a request's line and headers, too.
            .max_buf_size(READ_BYTES)
            .max_headers(MAX_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        let ended = match select(connection.as_mut(), self.closing()).await {
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

    async fn answer(self: &Arc<Self>, mut request: Request<Incoming>, host: Option<&str>, permit: Permit) -> Answer {
        if request.method() == Method::CONNECT {
            // Each would be served within the last, as deep as the client likes.
            if host.is_some() {
                return proxy::refusal(StatusCode::FORBIDDEN, "CONNECT within a proxied connection is not answered");
            }
            return proxy::connect(self, request, permit);
        }
        // A request to a plain proxy names its host; what is ours is answered as if it had come directly.
        if host.is_none()
            && let Some(target) = request.uri().authority().cloned()
        {
            let own = target.as_str() == self.address.to_string();
            if !own && !is_aws_host(target.host()) {
                let idle = Duration::from_secs(self.context.configuration.server.idle_seconds);
                return Box::pin(proxy::pass(self, request, idle)).await;
            }
            let path = request.uri().path_and_query().cloned();
            *request.uri_mut() = path.map_or_else(|| http::Uri::from_static("/"), http::Uri::from);
            if let Ok(name) = http::HeaderValue::from_str(target.as_str()) {
                request.headers_mut().insert(http::header::HOST, name);
            }
        }
        if Router::is_quick(&request) {
            return self.router.answer(request.map(Arriving::from), host).await;
        }
        let request = request.map(Arriving::relayed);
        let (front, host) = (Arc::clone(self), host.map(str::to_owned));
        // In a set, so that it ends with the connection.
        let mut answering = JoinSet::new();
        answering.spawn_on(async move { front.router.answer(request, host.as_deref()).await }, &self.runtime);
        match answering.join_next().await {
            Some(Ok(answer)) => answer,
            // It panicked, or the service ends at once.
            _ => proxy::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the request failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpStream;

    use super::*;

    #[test]
    fn hundreds_of_clients_that_come_at_once_need_not_call_again() {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        // Nobody accepts.
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(900)).unwrap();
        let clients: Vec<TcpStream> = (0..300).map(|_| connect()).collect();
        let accepted: Vec<_> = (0..300).map(|_| listener.accept().unwrap()).collect();
        assert_eq!(accepted.len(), clients.len());
    }
}
