//! A model server as a test needs it: real HTTP, answers by a function.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Status and body for a request's path and body.
type Answering = dyn Fn(&str, &str) -> (u16, String) + Send + Sync;

pub(super) struct StubModel {
    pub(super) url: String,
    requests: Arc<AtomicUsize>,
}

impl StubModel {
    /// Answers bodies; the server ends with the test process.
    pub(super) fn of_bodies(answering: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        Self::of_requests(move |_, body| answering(body))
    }

    /// Answers paths and bodies, so that it can be another server than a model, too.
    pub(super) fn of_requests(answering: impl Fn(&str, &str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/invocations", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (answering, count): (Arc<Answering>, _) = (Arc::new(answering), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answering, count) = (Arc::clone(&answering), Arc::clone(&count));
                std::thread::spawn(move || serve(stream, &answering, &count));
            }
        });
        Self { url, requests }
    }

    /// Answers line by line: CSV rows, JSON lines.
    pub(super) fn of_lines(answering: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Self::of_bodies(move |body| {
            let lines: Vec<String> = body.lines().map(&answering).collect();
            (200, lines.join("\n"))
        })
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

fn serve(stream: TcpStream, answering: &Arc<Answering>, count: &AtomicUsize) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    loop {
        let (mut length, mut line, mut path) = (0, String::new(), None);
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            path = path.or_else(|| line.split(' ').nth(1).map(str::to_owned));
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        count.fetch_add(1, Ordering::Relaxed);
        let (status, answer) = answering(&path.unwrap(), &String::from_utf8(body).unwrap());
        let head = format!("HTTP/1.1 {status} Answer\r\ncontent-length: {}\r\n\r\n", answer.len());
        if writer.write_all((head + &answer).as_bytes()).is_err() {
            return;
        }
    }
}
