//! Who stands between a store and the server, and does to their requests what networks and servers do at times.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use watchkeeper_store::S3Settings;

/// What is done to a request.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It does not reach the server: this is the answer.
    Answer(String),
    /// It is carried out, and nobody is told.
    LoseAnswer,
    /// Of its answer so many bytes arrive.
    Cut(usize),
}

/// An answer that refuses.
pub(super) fn refusal(status: &str, code: &str, message: &str) -> Fault {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    let length = body.len();
    Fault::Answer(format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"))
}

#[derive(Clone)]
pub(super) struct Interposer {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is done to the next requests whose first line begins so.
    faults: VecDeque<(String, Fault)>,
    /// The heads of all requests.
    heads: Vec<String>,
}

impl Interposer {
    /// In front of a server.
    pub(super) async fn start(server: &S3Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self { address: listener.local_addr().unwrap().to_string(), state: Arc::default() };
        let behind = server.endpoint_url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
        let passing = this.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (passing, behind) = (passing.clone(), behind.clone());
                // Whose client goes away has lost nothing.
                tokio::spawn(async move { passing.pass(stream, &behind).await.unwrap_or(()) });
            }
        });
        this
    }

    pub(super) fn settings(&self, server: S3Settings) -> S3Settings {
        S3Settings { endpoint_url: format!("http://{}", self.address), ..server }
    }

    /// The next request whose first line begins so meets this fault.
    pub(super) fn fault(&self, request: &str, fault: Fault) {
        self.state.lock().unwrap().faults.push_back((request.to_owned(), fault));
    }

    /// How many requests had a first line that begins so; all faults have been met.
    pub(super) fn seen(&self, request: &str) -> usize {
        let state = self.state.lock().unwrap();
        assert!(state.faults.is_empty(), "{:?}", state.faults);
        state.heads.iter().filter(|head| head.starts_with(request)).count()
    }

    /// The head of the last request.
    pub(super) fn last(&self) -> String {
        self.state.lock().unwrap().heads.last().unwrap().clone()
    }

    async fn pass(&self, mut stream: TcpStream, behind: &str) -> std::io::Result<()> {
        let mut request = Vec::new();
        let head = loop {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
            if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let text = String::from_utf8_lossy(&request[..head]).into_owned();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let length: usize = length.parse().unwrap();
        while request.len() < head + length {
            if stream.read_buf(&mut request).await? == 0 {
                return Ok(());
            }
        }
        let fault = {
            let mut state = self.state.lock().unwrap();
            state.heads.push(text.clone());
            let met = state.faults.iter().position(|(request, _)| text.starts_with(request));
            met.and_then(|at| state.faults.remove(at)).map(|(_, fault)| fault)
        };
        if let Some(Fault::Answer(answer)) = fault {
            return stream.write_all(answer.as_bytes()).await;
        }
        let mut server = TcpStream::connect(behind).await?;
        // One request a connection, so that the answer ends where the connection does.
        let line = text.find("\r\n").unwrap() + 2;
        server.write_all(&[&request[..line], b"connection: close\r\n", &request[line..]].concat()).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        match fault {
            Some(Fault::LoseAnswer) => Ok(()),
            Some(Fault::Cut(bytes)) => stream.write_all(&answer[..bytes.min(answer.len())]).await,
            _ => stream.write_all(&answer).await,
        }
    }
}
