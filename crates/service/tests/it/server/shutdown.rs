//! How the service ends: requests under way finish, nothing new begins, and what was acknowledged is there again.

use std::time::Duration;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use watchkeeper_aws::client::Client;
use watchkeeper_service::server::DataDirectory;

use super::{Server, answer, start};

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let server = Server::start().await;
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server has begun with it.
    assert_eq!(answer(&mut stream).await.status, 100);
    let shutdown = tokio::spawn(server.service.shutdown());
    // It no longer accepts: connections are refused once the listener is closed.
    tokio::time::timeout(Duration::from_secs(10), async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("no more connections are accepted");
    stream.write_all(b"{}").await.unwrap();
    let last = answer(&mut stream).await;
    assert!(last.body.contains("MissingAuthenticationTokenException"), "{last:?}");
    tokio::time::timeout(Duration::from_secs(10), shutdown).await.expect("the service ends").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"", "the connection is closed behind the answer");
}

#[tokio::test]
async fn idle_connections_hold_nothing_up_and_slow_requests_only_so_long() {
    let server = Server::start_with(|configuration| configuration.server.shutdown_seconds = 1).await;
    let _idle = TcpStream::connect(server.address()).await.unwrap();
    let mut slow = TcpStream::connect(server.address()).await.unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: SageMaker.ListModels\r\nContent-Length: 9\r\n\r\n")
        .await
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), server.service.shutdown()).await.expect("the service ends");
    // Nothing goes on with it behind the service's back: it is closed, in order or by force.
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await.expect("it was cut off");
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_the_directory_belongs_to_one() {
    let directory = tempfile::tempdir().unwrap();
    let first = start(directory.path(), |_| {}).await;
    let credentials = DataDirectory::of(Some(directory.path())).unwrap().credentials().unwrap();
    let client = |service: &watchkeeper_service::Service| {
        Client::new(&format!("http://{}", service.address()), credentials.clone(), "us-east-1").unwrap()
    };
    client(&first).request(Method::PUT, "/data-bucket", &[], "", "s3").await.unwrap();
    client(&first).request(Method::PUT, "/data-bucket/k", &[], "content", "s3").await.unwrap();

    let configuration = watchkeeper_service::Configuration {
        listen: std::net::SocketAddr::from(([127, 0, 0, 1], 0)),
        data_dir: directory.path().to_owned(),
        ..watchkeeper_service::Configuration::default()
    };
    let refusal = watchkeeper_service::Service::start(configuration).await.err().expect("a second one is refused");
    assert!(refusal.to_string().contains("in use"), "{refusal}");

    first.shutdown().await;
    let second = start(directory.path(), |_| {}).await;
    let read = client(&second).request(Method::GET, "/data-bucket/k", &[], "", "s3").await.unwrap();
    assert_eq!(read.body().as_ref(), b"content");
}
