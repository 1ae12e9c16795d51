//! Connections to one server, each for one request at a time and kept for the next.
//!
//! The client of `hyper-util` opens another connection while one is just becoming free, and takes whichever is first. A server that
//! serves no second one would be silent to it; so a connection is opened here only where none is free, and one is free again before
//! its answer is handed out.

use std::net::TcpStream;
use std::os::fd::AsFd as _;
use std::os::linux::net::TcpStreamExt as _;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::service::Service as _;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinHandle;
use watchkeeper_aws::client::innermost;

use super::{Failure, LONGEST_ANSWER, Way, endless};

/// How long a connection may take to become free after its answer.
const TO_BE_FREE: Duration = Duration::from_millis(50);

/// The connections to a server.
pub(super) struct Connections {
    connector: TowerToHyperService<HttpsConnector<HttpConnector>>,
    server: Uri,
    free: Mutex<Vec<Connection>>,
}

struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// The same socket; None where it is encrypted.
    socket: Option<TcpStream>,
    _driver: Driver,
}

/// What moves a connection's bytes; ends it when dropped, whatever was under way.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connections {
    pub(super) fn new(connector: HttpsConnector<HttpConnector>, server: Uri) -> Self {
        Self { connector: TowerToHyperService::new(connector), server, free: Mutex::default() }
    }

    /// Sends a request and reads the answer. When it is dropped before that, the connection ends.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>, way: Way) -> Result<Response<Bytes>, Failure> {
        let mut request = request;
        while way == Way::Known
            && let Some(mut connection) = self.take_free()
        {
            match connection.sender.try_send_request(request).await {
                Ok(response) => return self.read(connection, response).await,
                Err(mut error) => match error.take_message() {
                    // The other end had closed it, and nothing was sent.
                    Some(unsent) => request = unsent,
                    None => return Err(broken(error.error())),
                },
            }
        }
        let mut connection = self.open().await?;
        let response = connection.sender.send_request(request).await.map_err(|error| broken(&error))?;
        self.read(connection, response).await
    }

    fn take_free(&self) -> Option<Connection> {
        let mut free = self.free();
        free.retain(|connection| !connection.sender.is_closed());
        free.pop()
    }

    async fn open(&self) -> Result<Connection, Failure> {
        let stream = self.connector.call(self.server.clone()).await.map_err(|error| {
            let authority = self.server.authority().map_or("", |authority| authority.as_str());
            Failure::Unreachable(format!("{authority}: {}", innermost(error.as_ref())))
        })?;
        let socket = match &stream {
            MaybeHttpsStream::Http(stream) => stream.inner().as_fd().try_clone_to_owned().ok().map(TcpStream::from),
            MaybeHttpsStream::Https(_) => None,
        };
        let (sender, connection) = handshake(stream).await.map_err(|error| broken(&error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for the answer is told.
            let _ = connection.await;
        });
        Ok(Connection { sender, socket, _driver: Driver(driver) })
    }

    async fn read(&self, mut connection: Connection, response: Response<Incoming>) -> Result<Response<Bytes>, Failure> {
        // A server that sends head and body apart, as Python's does, holds the body back until the head is acknowledged, which the
        // system else puts off for 40 ms.
        if let Some(socket) = &connection.socket {
            let _ = socket.set_quickack(true);
        }
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LONGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| if error.is::<LengthLimitError>() { endless() } else { broken(error.as_ref()) })?;
        let body = body.to_bytes();
        if let Ok(Ok(())) = tokio::time::timeout(TO_BE_FREE, connection.sender.ready()).await {
            self.free().push(connection);
        }
        Ok(Response::from_parts(parts, body))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().expect("nobody panics while holding it")
    }
}

fn broken(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::Broken(format!("the connection ended before the answer: {}", innermost(error)))
}
