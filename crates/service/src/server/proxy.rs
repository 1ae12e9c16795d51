//! Proxy mode: CONNECT for AWS's names ends here, with a certificate of ours; other names are refused, or passed through
//! when so configured.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, select, try_join};
use http::{Method, StatusCode, Uri};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::body::{Answer, TimedBody, whole};
use super::listener::{Front, Permit};
use super::timed_stream::TimedStream;
use crate::api::s3::is_aws_host;

/// How long a client may take to begin TLS, or another host to answer.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How many times as long as a body may stand still another host may take to answer, and a tunnel may be silent.
const PASSED_PATIENCE: u32 = 5;
/// Bytes that a tunnel takes at once, in each direction.
const TUNNEL_BYTES: usize = 16 << 10;

/// Answers CONNECT. The connection keeps its permit when it goes on as another.
pub(super) fn connect(front: &Arc<Front>, request: Request<Incoming>, permit: Permit) -> Answer {
    let Some(target) = request.uri().authority().cloned() else {
        return refusal(StatusCode::BAD_REQUEST, "CONNECT needs a host and a port");
    };
    let port = match target.port_u16() {
        Some(port) => port,
        None if target.as_str() == target.host() => 443,
        // A port that is none, or a user.
        None => return refusal(StatusCode::BAD_REQUEST, "CONNECT needs a host and a port"),
    };
    let host = target.host().to_ascii_lowercase();
    if is_aws_host(&host) {
        if port != 443 {
            return refusal(StatusCode::FORBIDDEN, &format!("{host} is answered on port 443 only, not on {port}"));
        }
        return match front.certificates.tls(&host, front.context.now()) {
            Ok(config) => {
                let front = Arc::clone(front);
                upgrade(&Arc::clone(&front), request, move |upgraded| serve_tls(front, host, config, upgraded, permit))
            }
            Err(error) => {
                tracing::warn!(host, error = &error as &dyn std::error::Error, "no certificate could be made");
                refusal(StatusCode::BAD_REQUEST, &format!("{host} is no name that a certificate can have"))
            }
        };
    }
    if !front.context.configuration.proxy.pass_through {
        return refused_host(&host);
    }
    let closing = front.closing();
    let patience = Duration::from_secs(front.context.configuration.server.idle_seconds).saturating_mul(PASSED_PATIENCE);
    upgrade(front, request, move |upgraded| async move {
        let _permit = permit;
        match select(Box::pin(tunnel(&host, port, upgraded, patience)), closing).await {
            Either::Left((ended, _)) => ended,
            Either::Right(_) => Ok(()),
        }
    })
}

/// Passes a plain request to another host, which its address names.
pub(super) async fn pass(front: &Front, request: Request<Incoming>, idle: Duration) -> Answer {
    let Some(target) = request.uri().authority().cloned() else {
        return refusal(StatusCode::BAD_REQUEST, "the request names no host");
    };
    if !front.context.configuration.proxy.pass_through {
        return refused_host(target.host());
    }
    match forward(front, request, target.host(), target.port_u16().unwrap_or(80), idle).await {
        Ok(answer) => answer,
        Err(error) => refusal(StatusCode::BAD_GATEWAY, &format!("no answer from {target}: {error}")),
    }
}

async fn forward(
    front: &Front,
    request: Request<Incoming>,
    host: &str,
    port: u16,
    idle: Duration,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = timeout(HANDSHAKE, TcpStream::connect((host, port))).await??;
    let stream = TimedStream::new(stream, idle);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    front.spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a passed connection broke");
        }
    });
    let (mut parts, body) = request.into_parts();
    parts.uri = Uri::from(parts.uri.path_and_query().cloned().ok_or("the request has no path")?);
    for name in ["connection", "proxy-connection", "proxy-authorization", "keep-alive", "te", "upgrade"] {
        parts.headers.remove(name);
    }
    let body = TimedBody::new(body, &parts.headers, idle);
    let answer =
        timeout(idle.saturating_mul(PASSED_PATIENCE), sender.send_request(Request::from_parts(parts, body))).await??;
    let (parts, body) = answer.into_parts();
    Ok(Answer::from_parts(parts, TimedBody::new(body, &http::HeaderMap::new(), idle).boxed_unsync()))
}

/// Answers 200 and goes on with the bare connection.
fn upgrade<F, R>(front: &Front, request: Request<Incoming>, serve: F) -> Answer
where
    F: FnOnce(Upgraded) -> R + Send + 'static,
    R: Future<Output = std::io::Result<()>> + Send + 'static,
{
    debug_assert_eq!(request.method(), Method::CONNECT, "only CONNECT is answered by a bare connection");
    front.spawn(async move {
        let ended = match hyper::upgrade::on(request).await {
            Ok(upgraded) => serve(upgraded).await,
            Err(error) => Err(std::io::Error::other(error)),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a proxied connection broke");
        }
    });
    Answer::new(whole(""))
}

async fn serve_tls(
    front: Arc<Front>,
    host: String,
    config: Arc<rustls::ServerConfig>,
    upgraded: Upgraded,
    permit: Permit,
) -> std::io::Result<()> {
    let stream = timeout(HANDSHAKE, TlsAcceptor::from(config).accept(TokioIo::new(upgraded)))
        .await
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "TLS was not begun"))??;
    front.serve(stream, Some(host), permit).await;
    Ok(())
}

/// Carries bytes both ways, until both sides have closed or neither has sent anything for too long.
async fn tunnel(host: &str, port: u16, upgraded: Upgraded, patience: Duration) -> std::io::Result<()> {
    let mut other = timeout(HANDSHAKE, TcpStream::connect((host, port)))
        .await
        .map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, format!("{host} does not answer")))??;
    let (mut client_reads, mut client_writes) = tokio::io::split(TokioIo::new(upgraded));
    let (mut other_reads, mut other_writes) = other.split();
    let carried = Notify::new();
    let both = try_join(
        carry(&mut client_reads, &mut other_writes, &carried),
        carry(&mut other_reads, &mut client_writes, &carried),
    );
    let silence = async { while timeout(patience, carried.notified()).await.is_ok() {} };
    match select(pin!(both), pin!(silence)).await {
        Either::Left((ended, _)) => ended.map(|_| ()),
        Either::Right(_) => {
            Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the tunnel was silent for too long"))
        }
    }
}

/// Carries bytes one way until they end, and says so of each piece.
async fn carry<R, W>(from: &mut R, to: &mut W, carried: &Notify) -> std::io::Result<()>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let mut buffer = vec![0; TUNNEL_BYTES];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
        carried.notify_one();
    }
}

fn refused_host(host: &str) -> Answer {
    refusal(
        StatusCode::FORBIDDEN,
        &format!(
            "this proxy answers for AWS's names only, and {host} is none: add it to NO_PROXY, or set \
             `proxy.pass_through = true` (WATCHKEEPER_PROXY_PASS_THROUGH=true) in the service's configuration"
        ),
    )
}

pub(super) fn refusal(status: StatusCode, message: &str) -> Answer {
    let mut answer = Answer::new(whole(format!("{message}\n")));
    *answer.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    answer
}
