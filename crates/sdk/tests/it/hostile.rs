//! A world that means no good: answers that are none, addresses that lead elsewhere, secrets at the wrong place, callers that give
//! up in the middle.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use watchkeeper::model_monitor::{CronExpressionGenerator, DefaultModelMonitor, EndpointInput};
use watchkeeper::predictor::Predictor;
use watchkeeper::session::Credentials;
use watchkeeper::{Error, S3Uri, Session};

use crate::any_call::{describe, describe_at_once};
use crate::stub::{Answer, Request, Stub};
use crate::waiting::until;

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

#[tokio::test]
async fn no_bucket_leads_elsewhere() {
    let stub = Stub::start(|_| Answer::empty());
    for bucket in ["localhost?", "localhost#", "me@localhost", "a%2fb", "a:1", "..", "\u{fc}", "a\\b"] {
        let place = S3Uri { bucket: bucket.to_owned(), key: "k".to_owned() };
        for session in [
            stub.session(),
            Session::builder()
                .region("eu-central-1")
                .environment([("HTTPS_PROXY", stub.url())])
                .credentials(Credentials::new("A", "s"))
                .build()
                .unwrap(),
        ] {
            let error = session.read_s3_file(&place).await.unwrap_err();
            assert!(matches!(error, Error::Argument { argument: "bucket", .. }), "{error}");
        }
    }
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn secrets_are_in_no_error() {
    let stub = Stub::start(|_| Answer::json(&json!({})));
    let credentials = Credentials::new("AKIA", "hidden").with_session_token("hidden\n");
    let session = stub.builder().credentials(credentials.clone()).build().unwrap();
    let error = describe(&session).await.unwrap_err();
    assert!(error.to_string().contains("x-amz-security-token"), "{error}");
    let mut shown = vec![format!("{error} {error:?} {credentials:?} {session:?}")];
    for variables in [
        [("AWS_ENDPOINT_URL", "http://me:hidden@host"), ("AWS_REGION", "eu-central-1")],
        [("HTTPS_PROXY", "socks5://me:hidden@host"), ("AWS_REGION", "eu-central-1")],
    ] {
        let error = Session::builder().environment(variables).build().unwrap_err();
        shown.push(format!("{error} {error:?}"));
    }
    let home = tempfile::tempdir().unwrap();
    for command in
        ["false hidden", "echo '\"hidden\"'", "echo '{\"AccessKeyId\":\"a\",\"SecretAccessKey\":[\"hidden\"]}'"]
    {
        let path = home.path().join("config");
        std::fs::write(&path, format!("[default]\ncredential_process = {command}\n")).unwrap();
        let builder = Session::builder().region("eu-central-1").endpoint_url(stub.url());
        let session = builder.environment([("AWS_CONFIG_FILE", path.to_str().unwrap())]).build().unwrap();
        let error = describe(&session).await.unwrap_err();
        assert!(matches!(error, Error::Credentials(_)), "{error}");
        shown.push(format!("{error} {error:?}"));
    }
    for text in shown {
        assert!(!text.contains("hidden"), "{text}");
    }
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn profiles_are_read_as_the_official_sdks_read_them() {
    let sts = Stub::start(|_| Answer::query_error(403, "AccessDenied", "no"));
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    // A mark of Windows' editors, a name in quotes, and a source with keys and a role of its own, which lends its keys.
    let text = "\u{feff}[profile \"of ours\"]\r\nrole_arn = r\r\nsource_profile = source\r\n[profile source]\r\nrole_arn = q\r\n\
                source_profile = of ours\r\naws_access_key_id = SOURCE\r\naws_secret_access_key = s\r\n";
    std::fs::write(&config, text).unwrap();
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_PROFILE", "of ours")];
    let builder = || Session::builder().region("eu-central-1").endpoint_url(sts.url());
    describe(&builder().environment(variables).build().unwrap()).await.unwrap_err();
    let asked = sts.requests();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].header("authorization").contains("Credential=SOURCE/"));
    assert!(asked[0].text().contains("RoleArn=r&"), "{}", asked[0].text());
    // Homes that are none, as containers have them.
    for place in ["/dev/null", "/nonexistent"] {
        builder().environment([("HOME", place)]).build().unwrap();
    }
    // A file that is named must be one.
    let folder = home.path().to_str().unwrap();
    let error = builder().environment([("AWS_CONFIG_FILE", folder)]).build().unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
    // Who must use the validated addresses is not sent to others.
    let error = Session::builder().region("us-east-1").environment([("AWS_USE_FIPS_ENDPOINT", "true")]).build();
    assert!(error.unwrap_err().to_string().contains("AWS_USE_FIPS_ENDPOINT"));
    builder().environment([("AWS_USE_FIPS_ENDPOINT", "true")]).build().unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_hangs_is_ended_with_the_call() {
    let home = tempfile::tempdir().unwrap();
    let (config, number) = (home.path().join("config"), home.path().join("number"));
    let command = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600", number.display());
    std::fs::write(&config, format!("[default]\ncredential_process = {command}\n")).unwrap();
    let variables = [("AWS_CONFIG_FILE", config.to_str().unwrap())];
    let session = Session::builder().region("eu-central-1").environment(variables).build().unwrap();
    tokio::select! {
        _ = describe(&session) => panic!("nobody has answered"),
        () = until(|| std::fs::metadata(&number).is_ok()) => {}
    }
    let number = std::fs::read_to_string(number).unwrap();
    let runs =
        || std::process::Command::new("kill").args(["-0", number.trim()]).stderr(std::process::Stdio::null()).status();
    until(|| !runs().unwrap().success()).await;
}

#[tokio::test]
async fn a_page_of_a_gateway_is_no_empty_list() {
    let stub = Stub::start(|_| Answer::bytes("<html>Please sign in</html>"));
    let session = stub.session();
    let error = session.list_s3_files(&uri("s3://bucket/a")).await.unwrap_err();
    assert_eq!(error.to_string(), "ListObjects of s3://bucket/a: the answer is no list of objects");
    let folder = tempfile::tempdir().unwrap();
    let error = session.download(&uri("s3://bucket/a"), folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
    let error = describe(&session).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error}");
}

fn listing(keys: &[&str]) -> Answer {
    let contents = keys.iter().map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>"));
    Answer::bytes(format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>",
        contents.collect::<String>()
    ))
}

#[tokio::test]
async fn folders_below_a_prefix_with_a_dot_are_kept() {
    for prefix in ["release-1.2", "release-1.2/"] {
        let stub = Stub::start(|request| match request.query.as_str() {
            "" => Answer::bytes(request.path.clone()),
            _ => listing(&["release-1.2/a/x.csv", "release-1.2/b/x.csv"]),
        });
        let folder = tempfile::tempdir().unwrap();
        let files = stub.session().download(&uri(&format!("s3://bucket/{prefix}")), folder.path()).await.unwrap();
        assert_eq!(files, ["a/x.csv", "b/x.csv"].map(|name| folder.path().join(name)));
        assert_eq!(std::fs::read_to_string(&files[1]).unwrap(), "/bucket/release-1.2/b/x.csv");
    }
}

#[tokio::test]
async fn objects_that_would_be_one_file_are_told() {
    let stub = Stub::start(|_| listing(&["out/a/b", "out/a//b"]));
    let folder = tempfile::tempdir().unwrap();
    let error = stub.session().download(&uri("s3://bucket/out"), folder.path()).await.unwrap_err().to_string();
    assert!(error.starts_with("from: the keys \"out/a/b\" and \"out/a//b\" would be the same file, "), "{error}");
    assert_eq!(stub.requests().len(), 1);
}

#[tokio::test]
async fn an_object_of_which_less_comes_than_it_has_is_none() {
    let stub = Stub::start(|request| match request.query.as_str() {
        "" => Answer::bytes("a").with_status(206).with_header("content-range", "bytes 0-0/2"),
        _ => listing(&["k"]),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = stub.session().download(&uri("s3://bucket/k"), folder.path()).await.unwrap_err();
    assert_eq!(error.to_string(), "GetObject of s3://bucket/k: 1 bytes came of 2");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(unix)]
#[tokio::test]
async fn pipes_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.path().join("pipe")).status().unwrap().success());
    let stub = Stub::start(|_| Answer::empty());
    let error = stub.session().upload(folder.path(), &uri("s3://bucket/data"), None).await.unwrap_err();
    assert!(error.to_string().ends_with("pipe: it is no file that ends, but a pipe, a socket or a device"), "{error}");
    assert_eq!(stub.requests().len(), 0);
}

#[tokio::test]
async fn an_upload_that_is_given_up_as_it_begins_is_aborted_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.bin");
    std::fs::write(&path, vec![0; 8 << 20]).unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let is_asked = Arc::clone(&asked);
    let (let_answer, may_answer) = std::sync::mpsc::channel::<()>();
    let may_answer = Mutex::new(may_answer);
    let stub = Stub::start(move |request| {
        if request.query == "uploads=" {
            is_asked.store(true, Ordering::SeqCst);
            may_answer.lock().unwrap().recv().unwrap();
            return Answer::bytes("<R><UploadId>U</UploadId></R>");
        }
        Answer::empty().with_status(204)
    });
    let session = stub.session();
    let place = uri("s3://bucket/data");
    tokio::select! {
        _ = session.upload(&path, &place, None) => panic!("nobody has answered"),
        () = until(|| asked.load(Ordering::SeqCst)) => {}
    }
    let_answer.send(()).unwrap();
    until(|| stub.requests().iter().any(|request| request.method == "DELETE" && request.query == "uploadId=U")).await;
}

/// Given up after any number of steps, a download leaves the whole file or nothing.
#[tokio::test]
async fn a_download_that_is_given_up_leaves_nothing_by_halves() {
    let stub = Stub::start(|request| match request.query.as_str() {
        "" => Answer::bytes("whole"),
        _ => listing(&["k"]),
    });
    let session = stub.session();
    let place = uri("s3://bucket/k");
    for steps in 0..200 {
        let folder = tempfile::tempdir().unwrap();
        let mut download = Box::pin(session.download(&place, folder.path()));
        let mut left = steps;
        let ended = std::future::poll_fn(|context| {
            if left == 0 {
                return std::task::Poll::Ready(false);
            }
            left -= 1;
            download.as_mut().poll(context).map(|files| files.is_ok())
        });
        let ended = ended.await;
        drop(download);
        let whole = || {
            std::fs::read_dir(folder.path()).unwrap().all(|entry| {
                entry.unwrap().file_name() == "k" && std::fs::read(folder.path().join("k")).unwrap() == b"whole"
            })
        };
        // What was on its way in a thread is removed there.
        until(whole).await;
        if ended {
            return;
        }
    }
    panic!("it takes more steps than these");
}

#[tokio::test]
async fn a_wrong_clock_is_set_right_for_all_calls_at_once() {
    let ahead = SignedDuration::from_hours(2);
    let stub = Stub::start(move |request| {
        let now = Timestamp::now() + ahead;
        let text = request.header("x-amz-date").trim_end_matches('Z');
        let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text).unwrap();
        let signed = signed.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        if signed.duration_since(now).abs() > SignedDuration::from_mins(15) {
            let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            return Answer::error(403, "InvalidSignatureException", "Signature expired").with_header("date", &date);
        }
        Answer::json(&json!({}))
    });
    let session = stub.session();
    describe_at_once(&session, 16).await;
}

/// A service with one schedule, whose first answer to its update is lost, and which refuses another while that one is under way.
fn service_that_loses_updates(refuses: bool) -> (Stub, Arc<Mutex<BTreeMap<String, Value>>>) {
    let definitions: Arc<Mutex<BTreeMap<String, Value>>> = Arc::default();
    let kept = Arc::clone(&definitions);
    let schedule: Mutex<Value> = Mutex::default();
    let updates = AtomicUsize::new(0);
    let stub = Stub::start(move |request: &Request| {
        let input = request.json();
        let name = input["JobDefinitionName"].as_str().unwrap_or_default().to_owned();
        let mut schedule = schedule.lock().unwrap();
        let mut definitions = kept.lock().unwrap();
        match request.operation().as_str() {
            "CreateDataQualityJobDefinition" => {
                definitions.insert(name, input);
                Answer::json(&json!({"JobDefinitionArn": "arn"}))
            }
            "DescribeDataQualityJobDefinition" => Answer::json(&definitions[&name]),
            "DeleteDataQualityJobDefinition" => {
                definitions.remove(&name);
                Answer::empty()
            }
            "CreateMonitoringSchedule" => {
                *schedule = input;
                schedule["MonitoringScheduleStatus"] = json!("Scheduled");
                schedule["CreationTime"] = json!(Timestamp::now().as_second());
                if refuses { Answer::json(&json!({"MonitoringScheduleArn": "arn"})) } else { Answer::broken() }
            }
            "UpdateMonitoringSchedule" if refuses && updates.fetch_add(1, Ordering::SeqCst) > 0 => {
                Answer::error(400, "ValidationException", "Cannot update a schedule that is Pending")
            }
            "UpdateMonitoringSchedule" => {
                schedule["MonitoringScheduleConfig"] = input["MonitoringScheduleConfig"].clone();
                Answer::broken()
            }
            "DescribeMonitoringSchedule" => Answer::json(&schedule),
            other => panic!("{other}"),
        }
    });
    (stub, definitions)
}

#[tokio::test]
async fn a_definition_that_a_schedule_came_to_use_is_not_taken_back() {
    for refuses in [true, false] {
        let (stub, definitions) = service_that_loses_updates(refuses);
        let session = stub.session();
        let mut monitor = DefaultModelMonitor::new(&session, "arn:aws:iam::123456789012:role/monitoring");
        let input = EndpointInput::new("endpoint", "/opt/ml/processing/input/endpoint");
        monitor
            .create_monitoring_schedule(input)
            .monitor_schedule_name("churn")
            .output_s3_uri(uri("s3://the-bucket/reports"))
            .schedule_cron_expression(CronExpressionGenerator::hourly())
            .await
            .unwrap();
        let before = monitor.job_definition_name().unwrap().to_owned();
        monitor.update_monitoring_schedule().instance_count(2).await.unwrap();
        let now = monitor.job_definition_name().unwrap();
        assert_ne!(now, before);
        assert!(definitions.lock().unwrap().contains_key(now));
    }
}

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn calls_can_move_between_threads() {
    let stub = Stub::start(|_| Answer::json(&json!({})));
    let session = stub.session();
    let place = uri("s3://bucket/k");
    let mut monitor = DefaultModelMonitor::new(&session, "arn:aws:iam::123456789012:role/monitoring");
    drop(assert_send(Session::from_env()));
    drop(assert_send(describe(&session)));
    drop(assert_send(session.upload(Path::new("x"), &place, None)));
    drop(assert_send(session.download(&place, Path::new("x"))));
    drop(assert_send(session.list_s3_files(&place)));
    drop(assert_send(session.default_bucket()));
    drop(assert_send(session.expand_role("r")));
    drop(assert_send(DefaultModelMonitor::attach(&session, "churn")));
    drop(assert_send(monitor.update_monitoring_schedule().into_future()));
    drop(assert_send(monitor.delete_monitoring_schedule()));
    drop(assert_send(Predictor::new(&session, "e").predict("1").into_future()));
}

/// A server that answers each connection with these bytes and ends it; how often it was asked.
fn raw(answer: &'static [u8]) -> (String, Arc<AtomicUsize>) {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            // Its body is the object `{"ProcessingJobName":"nightly"}`.
            while !request.ends_with(b"}") {
                let mut piece = [0; 4096];
                match stream.read(&mut piece) {
                    Ok(length) if length > 0 => request.extend_from_slice(&piece[..length]),
                    _ => break,
                }
            }
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(answer);
        }
    });
    (url, asked)
}

#[tokio::test]
async fn answers_at_the_edge_of_http_are_read_or_refused() {
    let head = |text: &str| -> &'static [u8] { Box::leak(text.replace('\n', "\r\n").into_bytes().into_boxed_slice()) };
    let many_headers = format!("HTTP/1.1 200 OK\n{}\n{{}}", "x: y\n".repeat(500));
    let cases = [
        ("HTTP/1.1 103 Early Hints\nlink: x\n\nHTTP/1.1 200 OK\ncontent-length: 2\n\n{}", "Ok", 1),
        ("HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\ncontent-length: 2\n\n{}", "Ok", 1),
        ("HTTP/1.1 204 No Content\n\n", "Ok", 1),
        ("HTTP/1.1 200 OK\ncontent-length: 0\n\n", "Ok", 1),
        ("HTTP/1.0 200 OK\n\n{}", "Ok", 1),
        ("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2\n{}\n0\n\n", "Ok", 1),
        ("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n2\n{}\n", "Connection", 3),
        ("HTTP/1.1 200 OK\ncontent-length: 3\n\n{}", "Connection", 3),
        ("HTTP/1.1 200 OK\ncontent-length: 2\ncontent-length: 3\n\n{}", "Connection", 3),
        ("SSH-2.0-OpenSSH_9.2\n", "Connection", 3),
        ("", "Connection", 3),
        (many_headers.as_str(), "Connection", 3),
        ("HTTP/1.1 301 Moved\nlocation: http://127.0.0.1:1/\ncontent-length: 0\n\n", "UnknownError", 1),
        ("HTTP/1.1 407 Proxy Authentication Required\ncontent-length: 6\n\n<html>", "UnknownError", 1),
        ("HTTP/1.1 502 Bad Gateway\ncontent-length: 6\n\n<html>", "UnknownError", 3),
    ];
    for (answer, expected, attempts) in cases {
        let (url, asked) = raw(head(answer));
        let builder = Session::builder().region("eu-central-1").endpoint_url(url).longest_backoff(Duration::ZERO);
        let session = builder.credentials(Credentials::new("AKIA", "s")).environment([("HOME", "/")]).build().unwrap();
        let told = match describe(&session).await {
            Ok(_) => "Ok".to_owned(),
            Err(Error::Connection { .. }) => "Connection".to_owned(),
            Err(error) => error.code().map_or_else(|| error.to_string(), str::to_owned),
        };
        assert_eq!((told.as_str(), asked.load(Ordering::SeqCst)), (expected, attempts), "{answer:?}");
    }
}
