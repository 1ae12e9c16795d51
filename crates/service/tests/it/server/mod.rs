//! The listener over real sockets: who is refused, what is bounded, where requests go, and how it ends.

mod configuration;
mod keys;
mod limits;
mod objects;
mod objects_signed;
mod proxy;
mod refusals;
mod shutdown;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use watchkeeper_aws::client::Client;
use watchkeeper_aws::signing::Credentials;
use watchkeeper_service::configuration::Role;
use watchkeeper_service::server::DataDirectory;
use watchkeeper_service::{Configuration, Service};

/// A service on a port and in a folder of its own.
struct Server {
    service: Service,
    directory: tempfile::TempDir,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// One whose configuration is changed first.
    async fn start_with(change: impl FnOnce(&mut Configuration)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { service: start(directory.path(), change).await, directory }
    }

    fn address(&self) -> SocketAddr {
        self.service.address()
    }

    fn credentials(&self) -> Credentials {
        DataDirectory::of(Some(self.directory.path())).unwrap().credentials().unwrap()
    }

    fn client(&self) -> Client {
        self.client_with(self.credentials())
    }

    fn client_with(&self, credentials: Credentials) -> Client {
        Client::new(&format!("http://{}", self.address()), credentials, "eu-west-1").unwrap()
    }

    /// A signed request to S3.
    async fn s3(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        self.client().request(method, path, headers, body, "s3").await.unwrap()
    }

    /// What comes back for bytes that are sent as they are, until the server closes or has answered once.
    async fn raw(&self, request: impl AsRef<[u8]>) -> Answer {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request.as_ref()).await.unwrap();
        answer(&mut stream).await
    }
}

async fn start(directory: &Path, change: impl FnOnce(&mut Configuration)) -> Service {
    let mut configuration = Configuration {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: directory.to_owned(),
        roles: vec![Role::Api],
        ..Configuration::default()
    };
    change(&mut configuration);
    Service::start(configuration).await.unwrap()
}

/// An answer as text.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Reads one answer. Fails where none comes within ten seconds.
async fn answer(stream: &mut TcpStream) -> Answer {
    tokio::time::timeout(Duration::from_secs(10), read_answer(stream)).await.expect("an answer in time")
}

async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        let read = stream.read_buf(&mut bytes).await.unwrap();
        assert!(read > 0, "closed after {:?}", String::from_utf8_lossy(&bytes));
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or(0);
    while bytes.len() < head_end + length && stream.read_buf(&mut bytes).await.unwrap() > 0 {}
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        body: String::from_utf8(bytes[head_end..].to_vec()).unwrap(),
        head,
    }
}
