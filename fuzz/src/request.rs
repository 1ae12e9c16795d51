//! A request as the targets write it down: a line with method and address, lines of headers, an empty line, the body.

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use jiff::Timestamp;
use watchkeeper_aws::signing::{Canonical, Payload};

/// A request's parts, as they came.
#[derive(Clone, Debug)]
pub struct RawRequest<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: Vec<(&'a str, &'a [u8])>,
    pub body: &'a [u8],
}

impl<'a> RawRequest<'a> {
    /// Reads `POST /path?query`, `name: value` a line, an empty line and the body; none where that is not what it is.
    pub fn parse(content: &'a [u8]) -> Option<Self> {
        let (head, body) = match content.windows(2).position(|pair| pair == b"\n\n") {
            Some(place) => (&content[..place], &content[place + 2..]),
            None => (content, &[][..]),
        };
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            headers.push((std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()));
        }
        Some(Self { method, path, query, headers, body })
    }

    /// The request as its signature sees it.
    pub fn canonical(&self) -> Canonical<'a> {
        Canonical {
            method: self.method,
            path: self.path,
            query: self.query,
            headers: self.headers.clone(),
            payload: Payload::Bytes(self.body),
        }
    }

    /// Method, address and headers as an HTTP library holds them; none where it would not have let them in.
    pub fn parts(&self) -> Option<(Method, Uri, HeaderMap)> {
        let method = self.method.parse().ok()?;
        let target = if self.query.is_empty() { self.path.to_owned() } else { format!("{}?{}", self.path, self.query) };
        let uri = target.parse().ok()?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name.parse::<HeaderName>().ok()?, HeaderValue::from_bytes(value).ok()?);
        }
        Some((method, uri, headers))
    }
}

/// The moment at which all requests come in, and at which those among the seeds were signed.
pub fn noon() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().expect("it is a moment")
}
