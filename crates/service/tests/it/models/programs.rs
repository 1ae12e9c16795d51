//! Programs as models: what they are told, how they start, and what they answer.

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};
use watchkeeper_service::hosting::model::{BatchSpecification, InvokeError, ModelBody, StartError};

use super::bench::{Bench, FOREVER, STREAM, Start, ask, command, error, image, request, server, with_header};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_slowly_is_asked_when_it_is_ready() {
    let bench = Bench::new().await;
    let since = Instant::now();
    let model = bench.server(json!({"SLOW_START": "0.7"})).await;
    assert!(since.elapsed() >= Duration::from_millis(700));
    assert_eq!(command(&model, "echo at once").await, "at once");
    let log = bench.until_logged("ready after", 1).await;
    assert!(log[0].contains("starting `python3 -u") && log[0].contains("serve` on port "), "{log:?}");
    assert!(log.contains(&"model server with serve".to_owned()), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_is_told() {
    let bench = Bench::new().await;
    let batch =
        BatchSpecification { max_concurrent_transforms: 4, max_payload_in_mb: 6, strategy: "MULTI_RECORD".to_owned() };
    let mut start = Start::of(server(json!({"MINE": "1", "AWS_REGION": "eu-north-1"})));
    (start.batch, start.isolated) = (Some(batch), true);
    let model = bench.start(start).await.unwrap();
    let asked = with_header(request("text/plain", "told"), "x-amzn-sagemaker-custom-attributes", "trace=7");
    let (_, _, answer) = ask(&model, with_header(asked, "accept", "application/json")).await;
    let told: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(told["arguments"], json!(["serve"]));
    assert_eq!(told["path"], "/invocations");
    for (name, value) in [
        ("accept", "application/json"),
        ("content-type", "text/plain"),
        ("content-length", "4"),
        ("x-amzn-sagemaker-custom-attributes", "trace=7"),
    ] {
        assert_eq!(told["headers"][name], value, "{told}");
    }
    let variables = &told["environment"];
    for (name, value) in [
        ("MINE", "1"),
        ("OF_THE_IMAGE", "yes"),
        ("AWS_REGION", "eu-north-1"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8470"),
        ("SAGEMAKER_BATCH", "true"),
        ("SAGEMAKER_MAX_CONCURRENT_TRANSFORMS", "4"),
        ("SAGEMAKER_MAX_PAYLOAD_IN_MB", "6"),
        ("SAGEMAKER_BATCH_STRATEGY", "MULTI_RECORD"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    assert!(variables["AWS_ACCESS_KEY_ID"].as_str().unwrap().starts_with("ASIA"));
    assert!(variables["AWS_SESSION_TOKEN"].is_string());
    assert_eq!(variables["CARGO"], Value::Null, "nothing else of this process's variables");
    assert_eq!(told["headers"]["host"], format!("127.0.0.1:{}", variables["SAGEMAKER_BIND_TO_PORT"].as_str().unwrap()));
    let log = bench.log(STREAM).await;
    assert!(log.iter().any(|line| line.contains("EnableNetworkIsolation is not honoured")), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_before_it_is_ready() {
    let bench = Bench::new().await;
    let reason = bench.failure(server(json!({"FAIL": "1"}))).await;
    for part in ["exit status 3", "No module named 'xgboost'", "before GET /ping", STREAM] {
        assert!(reason.contains(part), "{reason}");
    }
    bench.until_no_folders().await;
    let log = bench.log(STREAM).await;
    assert!(log.contains(&"ModuleNotFoundError: No module named 'xgboost'".to_owned()), "{log:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_never_ready() {
    let bench = Bench::new().await;
    let mut start = Start::of(server(json!({"PING_STATUS": "503"})));
    start.startup = Duration::from_secs(2);
    let Err(StartError::Failed(reason)) = bench.start(start).await else { panic!("it has started") };
    assert!(reason.contains("within 2s (status 503)"), "{reason}");
    bench.until_logged("goodbye", 1).await;
    bench.until_no_folders().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_not_there() {
    let mut entry = image("*server*");
    entry.command = vec!["no-such-program".to_owned()];
    let bench = Bench::with(vec![entry]).await;
    let reason = bench.failure(server(json!({}))).await;
    assert!(reason.contains("`no-such-program` could not be started"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_nobody_knows() {
    let bench = Bench::new().await;
    let unknown = Start::of(json!({"Image": "1.dkr.ecr.eu-west-1.amazonaws.com/xgboost:1.7"}));
    let Err(StartError::Unmapped(reason)) = bench.start(unknown).await else { panic!("it has started") };
    assert!(reason.contains("xgboost:1.7") && reason.contains("[[images]]"), "{reason}");
    let external = Start::of(json!({"Image": "watchkeeper-external"}));
    assert_eq!(bench.start(external).await.err(), Some(StartError::External));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_engine_that_is_not_there_says_what_to_do() {
    let mut entry = image("*server*");
    entry.container = Some("*".to_owned());
    let mut bench = Bench::with(vec![entry]).await;
    let context = std::sync::Arc::get_mut(&mut bench.context).unwrap();
    context.configuration.hosting.container_engine = "false".to_owned();
    let reason = bench.failure(server(json!({}))).await;
    assert!(reason.contains("`host.example/server:1`") && reason.contains("hosting.container_engine"), "{reason}");
}

/// The engine is a stand-in, which does what the arguments say without a container.
#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_run_watched_over_and_removed() {
    let engine = tempfile::tempdir().unwrap();
    for name in ["engine.py", "server.py"] {
        let script = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/models")).join(name);
        let copy = engine.path().join(name);
        std::fs::copy(script, &copy).unwrap();
        std::fs::set_permissions(&copy, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut entry = image("*server*");
    entry.container = Some("*".to_owned());
    let mut bench = Bench::with(vec![entry]).await;
    let settings = &mut std::sync::Arc::get_mut(&mut bench.context).unwrap().configuration.hosting;
    settings.container_engine = engine.path().join("engine.py").display().to_string();
    let url = bench.put("plain/weights", b"w".to_vec()).await;
    let mut container = server(json!({"MINE": "value"}));
    let source = json!({"S3Uri": url, "S3DataType": "S3Object", "CompressionType": "None"});
    container["ModelDataSource"] = json!({"S3DataSource": source});
    let model = bench.start(Start::of(container)).await.unwrap();
    let told: Value = serde_json::from_str(&command(&model, "told").await).unwrap();
    assert_eq!(told["arguments"], json!(["host.example/server:1", "serve"]));
    assert_eq!(told["files"], json!([["weights", "file", "w"]]));
    assert_eq!(told["environment"]["MINE"], "value");
    assert_eq!(told["environment"]["AWS_ENDPOINT_URL"], "http://host.docker.internal:8470");
    model.stop().await;
    bench.until_logged("goodbye", 1).await;
    assert!(bench.folders().is_empty());
    let told = std::fs::read_to_string(engine.path().join("told")).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "info"), "{told}");
    assert!(lines[1].contains("--memory 8589934592") && !lines[1].contains("value"), "{told}");
    let name = lines[1].split("--name ").nth(1).unwrap().split(' ').next().unwrap();
    assert_eq!(lines[2], format!("rm --force {name}"));
}

/// Each model is asked for something bad; the other, and other requests to the same, are answered meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn models_that_hang_dawdle_and_talk_garbage_are_told_apart_and_harm_no_other() {
    let bench = Bench::new().await;
    let bad = bench.server(json!({})).await;
    let good = bench.server(json!({})).await;
    let short = Duration::from_millis(300);
    let hanging = async {
        let error = error(&bad, "hang", short).await;
        assert!(matches!(error, InvokeError::TimedOut(limit) if limit == short), "{error:?}");
    };
    let meanwhile = async {
        for _ in 0..20 {
            assert_eq!(command(&bad, "echo same").await, "same");
            assert_eq!(command(&good, "echo other").await, "other");
        }
    };
    tokio::join!(hanging, meanwhile);
    assert_eq!(command(&bad, "slow 0.5").await, "at last");
    let garbage = error(&bad, "garbage", FOREVER).await;
    assert!(matches!(garbage, InvokeError::Garbage(_)), "{garbage:?}");
    let nothing = error(&bad, "nothing", FOREVER).await;
    assert!(matches!(nothing, InvokeError::Unreachable(_)), "{nothing:?}");
    let answer = bad.invoke(request("text/plain", "half"), FOREVER).await.unwrap();
    let broken = answer.body.collect().await.unwrap_err();
    assert!(matches!(broken, InvokeError::Unreachable(_)), "{broken:?}");
    let (status, _, text) = ask(&bad, request("text/plain", "error 500")).await;
    assert_eq!((status, text.as_str()), (500, "the model is angry"));
    assert_eq!(command(&bad, "echo still here").await, "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_passes_as_it_comes() {
    let bench = Bench::new().await;
    let model = bench.server(json!({})).await;
    let answer = model.invoke(request("text/plain", "stream"), FOREVER).await.unwrap();
    let ModelBody::Stream(mut body) = answer.body else { panic!("it is no stream") };
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "first");
    // The second piece does not exist yet.
    assert!(timeout(Duration::from_millis(200), body.frame()).await.is_err());
    assert_eq!(command(&model, "release").await, "released");
    let rest = body.collect().await.unwrap().to_bytes();
    assert_eq!(rest, "second");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_two_hands_on_answers() {
    let bench = Bench::new().await;
    let logistic = json!({
        "Image": "watchkeeper-logistic", "ContainerHostname": "model",
        "Environment": {"WATCHKEEPER_MODEL": r#"{"intercept": 0, "coefficients": [1], "output": "label"}"#},
    });
    let mut first = server(json!({}));
    first["ContainerHostname"] = json!("features");
    let model = bench.start(Start::chain(vec![first.clone(), logistic.clone()])).await.unwrap();
    let asked = with_header(request("text/csv", "echo 3\n-3\n"), "accept", "application/json");
    let (status, content_type, answer) = ask(&model, asked).await;
    assert_eq!((status, content_type.as_str(), answer.as_str()), (200, "application/json", "[1,0]"));
    // What the first refuses, the second is not asked.
    let (status, _, answer) = ask(&model, request("text/csv", "error 418")).await;
    assert_eq!((status, answer.as_str()), (418, "the model is angry"));
    // Nor is it handed what would fill the memory.
    let error = error(&model, "flood", FOREVER).await;
    assert!(matches!(&error, InvokeError::Garbage(reason) if reason.contains("container features")), "{error:?}");
    assert!(bench.log(&format!("{STREAM}/features")).await.iter().any(|line| line.starts_with("ready after")));
    assert!(!bench.log(&format!("{STREAM}/model")).await.is_empty());

    let mut direct = Start::chain(vec![first, logistic]);
    direct.execution = Some(json!({"Mode": "Direct"}));
    let model = bench.start(direct).await.unwrap();
    let target = "x-amzn-sagemaker-target-container-hostname";
    let (_, _, answer) = ask(&model, with_header(request("text/csv", "-3"), target, "model")).await;
    assert_eq!(answer, "0");
    let (status, _, answer) = ask(&model, request("text/csv", "-3")).await;
    assert_eq!(status, 400);
    assert!(answer.contains("features, model"), "{answer}");
}
