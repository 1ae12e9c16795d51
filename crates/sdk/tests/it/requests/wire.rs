//! Requests in the form in which two programs can be compared: as `exchanges.py` writes them.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::stub::Request;

const LONGEST_BODY: usize = 16384;

/// A request as the recordings have one.
pub fn recorded(request: &Request) -> Value {
    let path = decoded(&request.path);
    let query = form(&request.query);
    match request.service() {
        "s3" => s3(request, &path, query),
        "sts" | "iam" => {
            let input = form(std::str::from_utf8(&request.body).unwrap());
            let input: Map<String, Value> =
                input.into_iter().filter(|(name, _)| name != "Action" && name != "Version").collect();
            json!({"service": request.service(), "operation": request.operation(), "input": input})
        }
        "sagemaker" if path.starts_with("/endpoints/") => {
            let mut made = json!({
                "service": "sagemaker-runtime",
                "operation": "InvokeEndpoint",
                "method": request.method,
                "path": path,
            });
            add(&mut made, query, headers(request, &["accept", "content-type"]), request.text());
            made
        }
        service => {
            let service = if service == "logs" { "cloudwatch-logs" } else { service };
            json!({"service": service, "operation": request.operation(), "input": request.json()})
        }
    }
}

fn s3(request: &Request, path: &str, query: Map<String, Value>) -> Value {
    let (bucket, key) = path[1..].split_once('/').unwrap_or((&path[1..], ""));
    let operation = match (request.method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("HEAD", _, true) => "HeadBucket",
        ("PUT", _, true) => "CreateBucket",
        ("GET", _, true) if query.contains_key("list-type") => "ListObjectsV2",
        ("GET", _, true) => "ListObjects",
        ("HEAD", ..) => "HeadObject",
        ("POST", ..) if query.contains_key("uploads") => "CreateMultipartUpload",
        ("POST", ..) => "CompleteMultipartUpload",
        ("DELETE", ..) if query.contains_key("uploadId") => "AbortMultipartUpload",
        ("PUT", ..) if query.contains_key("partNumber") => "UploadPart",
        ("PUT", ..) => "PutObject",
        ("GET", ..) => "GetObject",
        (method, ..) => method,
    };
    let mut made = json!({"service": "s3", "operation": operation, "method": request.method});
    if !bucket.is_empty() {
        made["bucket"] = bucket.into();
        made["key"] = key.into();
    }
    add(&mut made, query, headers(request, &["range"]), shown(&request.body));
    made
}

/// A body as it is recorded: a long one is told by its length and its sum.
fn shown(body: &[u8]) -> String {
    if body.len() <= LONGEST_BODY {
        return std::str::from_utf8(body).unwrap().to_owned();
    }
    let sum = ring::digest::digest(&ring::digest::SHA256, body);
    let digits = sum.as_ref().iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    });
    format!("{} bytes, SHA-256 {digits}", body.len())
}

/// With the parts of a file in their order: they are sent several at a time.
pub fn in_order_of_parts(requests: &mut [Value]) {
    let number = |request: &Value| request["query"]["partNumber"].as_str().map(|number| number.parse::<u32>().unwrap());
    for run in requests.chunk_by_mut(|one, other| number(one).is_some() && number(other).is_some()) {
        run.sort_by_key(number);
    }
}

/// Members that are there when there is something in them.
fn add(made: &mut Value, query: Map<String, Value>, headers: Map<String, Value>, body: String) {
    if !query.is_empty() {
        made["query"] = query.into();
    }
    if !headers.is_empty() {
        made["headers"] = headers.into();
    }
    if !body.is_empty() {
        made["body"] = body.into();
    }
}

/// The headers that a caller chooses: these, and those of encryption, copies and invocations.
fn headers(request: &Request, names: &[&str]) -> Map<String, Value> {
    let prefixes = ["x-amz-server-side-encryption", "x-amz-copy-source", "x-amzn-sagemaker-"];
    let is_meant = |name: &str| names.contains(&name) || prefixes.iter().any(|prefix| name.starts_with(prefix));
    let headers = request.headers.iter().filter(|(name, _)| is_meant(name.as_str()));
    headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into())).collect()
}

fn form(text: &str) -> Map<String, Value> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(name, value)| (decoded(name), decoded(&value.replace('+', " ")).into())).collect()
}

fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}

/// Whether this asks again whose a bucket is: Python does so before each use, we once.
pub fn is_repeated_account_check(request: &Value, kept: &[Value]) -> bool {
    match request["operation"].as_str().unwrap() {
        "GetCallerIdentity" => kept.contains(request),
        "HeadBucket" | "ListObjectsV2" => kept.last() == Some(request),
        _ => false,
    }
}

/// With JSON that is text in the same spelling on both sides: the body of an object in the order of its members, a member
/// such as `dataset_format` of an environment by its value.
pub fn canonical(value: &Value) -> Value {
    match value {
        Value::String(text) if text.starts_with(['{', '[']) => match serde_json::from_str::<Value>(text) {
            Ok(parsed) => format!("JSON {parsed}").into(),
            Err(_) => value.clone(),
        },
        // In XML a quotation mark may be written either way.
        Value::String(text) if text.starts_with('<') => text.replace("&quot;", "\"").into(),
        Value::Array(elements) => elements.iter().map(canonical).collect(),
        Value::Object(members) => members.iter().map(|(name, member)| (name.clone(), canonical(member))).collect(),
        _ => value.clone(),
    }
}

/// What is different, for whoever has to mend it: the first requests that differ, and all operations.
pub fn difference(expected: &[Value], sent: &[Value]) -> String {
    let mut text = String::new();
    for (number, (expected, sent)) in expected.iter().zip(sent).enumerate() {
        if expected != sent {
            members(&mut text, &format!("request {}", number + 1), expected, sent);
            break;
        }
    }
    let operations = |requests: &[Value]| {
        requests.iter().map(|it| it["operation"].as_str().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    };
    if operations(expected) != operations(sent) {
        writeln!(text, "Python: {}\nwe:     {}", operations(expected), operations(sent)).unwrap();
    }
    text
}

fn members(text: &mut String, place: &str, expected: &Value, sent: &Value) {
    if let (Value::Object(one), Value::Object(other)) = (expected, sent) {
        for name in one.keys().chain(other.keys().filter(|name| !one.contains_key(*name))) {
            let (expected, sent) = (one.get(name), other.get(name));
            match (expected, sent) {
                (Some(expected), Some(sent)) if expected != sent => {
                    members(text, &format!("{place}.{name}"), expected, sent);
                }
                (Some(expected), None) => writeln!(text, "{place}.{name}: Python {expected}, we nothing").unwrap(),
                (None, Some(sent)) => writeln!(text, "{place}.{name}: Python nothing, we {sent}").unwrap(),
                _ => {}
            }
        }
    } else {
        writeln!(text, "{place}:\n  Python {expected}\n  we     {sent}").unwrap();
    }
}

/// A text with placeholders for generated times and UUIDs.
pub fn normalised(text: &str) -> String {
    let mut made = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (placeholder, length) = if let Some(length) = timestamp(rest) {
            ("<time>", length)
        } else if let Some(length) = uuid(rest) {
            ("<uuid>", length)
        } else {
            made.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        made.push_str(placeholder);
        rest = &rest[length..];
    }
    made
}

/// The length of `2026-01-01-00-00-00-123` at the beginning of a text.
fn timestamp(text: &str) -> Option<usize> {
    let length = prefix(text, "dddd-dd-dd-dd-dd-dd-d")?;
    let more = text[length..].bytes().take(2).take_while(u8::is_ascii_digit).count();
    Some(length + more)
}

fn uuid(text: &str) -> Option<usize> {
    prefix(text, "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh")
}

/// The length of a pattern of digits (d), lower hexadecimal digits (h) and dashes, when a text begins with it.
fn prefix(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..pattern.len())?;
    let matches = |(byte, wanted): (&u8, u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        b'h' => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        dash => *byte == dash,
    };
    bytes.iter().zip(pattern.bytes()).all(matches).then_some(pattern.len())
}
