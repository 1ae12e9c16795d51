//! `watchkeeper proxy` in front of a model server that knows nothing of it.

use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;

use serde_json::Value;

use crate::program::Folder;
use crate::running::Running;
use crate::service::Service;

/// A model server that doubles the number it is asked about.
fn model() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || while answer(stream.as_ref().unwrap()).is_some() {});
        }
    });
    format!("http://{address}")
}

/// Answers a request of a connection; None once there is none.
fn answer(stream: &TcpStream) -> Option<()> {
    let (head, body) = message(&mut BufReader::new(stream))?;
    let (status, answer) = match body.trim().parse::<f64>() {
        Ok(number) => ("200 OK", (number * 2.0).to_string()),
        Err(_) if head.starts_with("GET /ping") => ("200 OK", String::new()),
        Err(error) => ("400 Bad Request", error.to_string()),
    };
    let length = answer.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n");
    let mut stream = stream;
    stream.write_all((head + &answer).as_bytes()).ok()
}

/// Head and body of a message.
pub(crate) fn message(reader: &mut impl std::io::BufRead) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}

/// A request and its answer, on a connection of its own.
fn ask(address: &str, method: &str, path: &str, body: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/csv\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).unwrap();
    message(&mut BufReader::new(stream)).unwrap()
}

fn start(folder: &Folder, arguments: &[&str], environment: &[(&str, &str)]) -> Running {
    Running::start(folder.command(arguments).envs(environment.iter().copied()).stderr(Stdio::piped()))
}

#[test]
fn captures_go_to_a_folder_that_can_be_checked() {
    let folder = Folder::new();
    let arguments =
        ["proxy", "--upstream", &model(), "--endpoint", "doubles", "--listen", "127.0.0.1:0", "--output", "captured"];
    let proxy = start(&folder, &arguments, &[]);
    for number in 0..20 {
        let (head, body) = ask(&proxy.address, "POST", "/invocations", &number.to_string());
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert_eq!(body, (2 * number).to_string());
    }
    // Neither is a prediction.
    assert!(ask(&proxy.address, "GET", "/ping", "").0.starts_with("HTTP/1.1 200"));
    assert!(ask(&proxy.address, "POST", "/invocations", "many").0.starts_with("HTTP/1.1 400"));
    let said = proxy.end();
    assert!(said.ends_with("\n20 captured, 0 dropped\n"), "{said}");

    let ran = folder
        .run(&[
            "baseline",
            "captured",
            "--dataset-format",
            "sagemakerCaptureJson",
            "-o",
            "baseline",
            "--format",
            "json",
        ])
        .ended(0);
    let described = folder.json("baseline/statistics.json");
    assert_eq!(described["dataset"]["item_count"], 20, "{}", ran.stdout);
    let mean = |column: usize| described["features"][column]["numerical_statistics"]["mean"].as_f64();
    // The answer and what was asked: of the numbers from 0 to 19 the mean is 9.5.
    assert_eq!([mean(0), mean(1)], [Some(19.0), Some(9.5)]);
    for name in folder.names("captured") {
        assert!(name.starts_with("doubles/AllTraffic/"), "{name}");
    }
}

#[test]
fn in_the_durable_mode_a_proxy_that_is_killed_has_lost_nothing() {
    let folder = Folder::new();
    let upstream = model();
    let arguments =
        ["proxy", "--upstream", &upstream, "--endpoint", "doubles", "--listen", "127.0.0.1:0", "--output", "captured"];
    // No flush comes while the test runs.
    let durable = [("WATCHKEEPER_CAPTURE_DURABILITY", "durable"), ("WATCHKEEPER_CAPTURE_FLUSH_SECONDS", "3600")];
    let mut proxy = start(&folder, &arguments, &durable);
    for number in 0..7 {
        assert_eq!(ask(&proxy.address, "POST", "/invocations", &number.to_string()).1, (2 * number).to_string());
    }
    proxy.process.kill().unwrap();
    proxy.process.wait().unwrap();
    let said = start(&folder, &arguments, &durable).end();
    assert!(said.ends_with("\n7 captured, 0 dropped\n"), "{said}");
    let captured = folder.contents("captured/doubles");
    let lines: usize = captured.values().map(|file| file.split(|&byte| byte == b'\n').count() - 1).sum();
    assert_eq!(lines, 7);
}

#[test]
fn captures_go_to_a_service_that_then_knows_the_endpoint() {
    let service = Service::start();
    let folder = &service.folder;
    let upstream = model();
    let proxy = [
        "proxy",
        "--upstream",
        &upstream,
        "--endpoint",
        "doubles",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        "data",
        "--path",
        "/invocations",
    ];
    let proxy = start(folder, &proxy, &[]);
    for path in ["/invocations", "/invocations", "/other"] {
        assert_eq!(ask(&proxy.address, "POST", path, "4").1, "8");
    }
    let said = proxy.end();
    assert!(said.contains("s3://sagemaker-us-east-1-000000000000/captures/doubles\n"), "{said}");
    assert!(said.ends_with("\n2 captured, 0 dropped\n"), "{said}");
    // The variables are what any client of AWS would be given; the metrics are told when the proxy ends.
    let metrics = ask(service.address(), "GET", "/_watchkeeper/metrics", "").1;
    let told = |line: &&str| line.contains("CapturedRecords") && line.contains("doubles") && line.ends_with(" 2");
    assert!(metrics.lines().any(|line| told(&line)), "{metrics}");
    // What was captured is as good as any capture.
    folder.write("one.jsonl", r#"{"input": "4", "output": "8"}"#);
    let ran = folder.run(&["ingest", "doubles", "one.jsonl", "--data-dir", "data", "--format", "json"]).ended(0);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["captured"], 1);
    service.running.end();
}

#[test]
fn what_cannot_be_a_proxy_is_refused() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 4] = [
        (&["--upstream", "https://model", "--endpoint", "a", "--output", "o"], "--upstream: "),
        (&["--upstream", "http://127.0.0.1:1", "--endpoint", "../a", "--output", "o"], "--endpoint: a name takes"),
        (&["--upstream", "http://127.0.0.1:1", "--endpoint", "a", "--output", "o", "--path", "b"], "--path: `b`"),
        (&["--upstream", "http://127.0.0.1:1", "--endpoint", "a", "--output", "o", "--listen", &taken], &taken),
    ];
    for (arguments, reason) in cases {
        let ran = folder.run(&[&["proxy"], arguments].concat()).ended(2);
        assert!(ran.stderr.contains(reason), "{arguments:?}: {}", ran.stderr);
    }
    let ran =
        folder.run(&["proxy", "--upstream", "http://127.0.0.1:1", "--endpoint", "a", "--data-dir", "none"]).ended(2);
    assert!(ran.stderr.contains("watchkeeper serve --data-dir none"), "{}", ran.stderr);
}
