//! A model server: HTTP/1.1 over a real socket, a thread a connection, the answers by a function of the request.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    pub method: String,
    pub path: String,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

impl Received {
    pub fn lines(&self) -> Vec<&str> {
        self.body.split('\n').collect()
    }
}

/// What the server does with a request.
pub enum Reply {
    /// Status, further headers, body.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// Ends the connection without an answer.
    Close,
    /// Neither answers nor ends the connection before the server ends.
    Silence,
}

/// An answer with status 200.
pub fn ok(body: impl Into<String>) -> Reply {
    Reply::Answer(200, Vec::new(), body.into())
}

/// A refusal.
pub fn refuse(status: u16, body: &str) -> Reply {
    Reply::Answer(status, Vec::new(), body.to_owned())
}

/// A server that runs until it is dropped.
pub struct Server {
    pub address: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// Of HTTP.
    version: &'static str,
    answer: Box<dyn Fn(&Received) -> Reply + Send + Sync>,
    received: Mutex<Vec<Received>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
    has_ended: AtomicBool,
}

impl Shared {
    fn new(version: &'static str, answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self {
            version,
            answer: Box::new(answer),
            received: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
            has_ended: AtomicBool::new(false),
        }
    }
}

impl Server {
    pub fn start(answer: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(None, answer)
    }

    /// One that speaks TLS.
    pub fn start_with(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::new("1.1", answer));
        let of_thread = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if of_thread.has_ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&of_thread);
                let connection = connection.unwrap();
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    Some(tls) => serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), connection), &shared),
                    None => serve(connection, &shared),
                });
            }
        });
        Self { address, shared }
    }

    /// One of so many threads, each of which serves a connection to its end before it takes another, as `http.server` of Python does
    /// with one: the connections beyond them are taken by the system and hear nothing. With HTTP/1.0 an answer is a connection's end.
    pub fn of_threads(
        threads: usize,
        version: &'static str,
        answer: impl Fn(&Received) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let shared = Arc::new(Shared::new(version, answer));
        for _ in 0..threads {
            let (listener, shared) = (listener.try_clone().unwrap(), Arc::clone(&shared));
            thread::spawn(move || {
                while let Ok((connection, _)) = listener.accept() {
                    if shared.has_ended.load(Ordering::SeqCst) {
                        return;
                    }
                    serve(connection, &shared);
                }
            });
        }
        Self { address, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/invocations?of=model", self.address)
    }

    /// What came so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The most requests that were under way at once.
    pub fn most_under_way(&self) -> usize {
        self.shared.most_under_way.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.has_ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(&self.address);
    }
}

/// A connection, encrypted or not.
trait Connection: Read + Write {}

impl<C: Read + Write> Connection for C {}

fn serve(connection: impl Connection, shared: &Shared) {
    let mut reader = BufReader::new(connection);
    while let Some(request) = read_request(&mut reader) {
        let under_way = shared.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_under_way.fetch_max(under_way, Ordering::SeqCst);
        shared.received.lock().unwrap().push(request.clone());
        let reply = (shared.answer)(&request);
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
        match reply {
            Reply::Answer(status, headers, body) => {
                let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let headers = headers.concat();
                let version = shared.version;
                let answer = format!(
                    "HTTP/{version} {status} Whatever\r\ncontent-length: {}\r\n{headers}\r\n{body}",
                    body.len()
                );
                if reader.get_mut().write_all(answer.as_bytes()).is_err() || version == "1.0" {
                    return;
                }
            }
            Reply::Close => return,
            Reply::Silence => {
                // Until the client has had enough.
                let _ = reader.read(&mut [0]);
                return;
            }
        }
    }
}

fn read_request(reader: &mut BufReader<impl Connection>) -> Option<Received> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let mut words = first.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { method, path, headers, body: String::from_utf8(body).unwrap() })
}
