//! Programs that end, hang and are ended: what becomes of them, and what their logs say.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use watchkeeper_service::hosting::model::{InvokeError, sweep};

use super::bench::{Bench, FOREVER, SUPERVISION, command, error, server, until_answers};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_dies_is_started_again_after_a_pause_that_grows() {
    let bench = Bench::new().await;
    let (model, other) = (bench.server(json!({})).await, bench.server(json!({})).await);
    let before = command(&model, "pid").await;
    for number in 1..=4 {
        let broken = error(&model, "die", FOREVER).await;
        assert!(matches!(broken, InvokeError::Unreachable(_)), "{broken:?}");
        assert_eq!(command(&other, "echo unharmed").await, "unharmed");
        let text = "the program ended with exit status 7 (its last line: I am dying); it starts again in ";
        bench.until_logged(text, number).await;
        until_answers(&model).await;
    }
    assert_ne!(command(&model, "pid").await, before);
    let log = bench.until_logged("ready after", 6).await;
    let pauses: Vec<&str> =
        log.iter().filter_map(|line| line.split_once("it starts again in ")).map(|(_, pause)| pause).collect();
    assert_eq!(pauses, ["0.05 s", "0.1 s", "0.2 s", "0.2 s"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_refused_while_a_program_is_down() {
    let bench = Bench::new().await;
    let model = bench.server(json!({"SLOW_START": "1"})).await;
    let broken = error(&model, "killed", FOREVER).await;
    assert!(matches!(broken, InvokeError::Unreachable(_)), "{broken:?}");
    bench.until_logged("the program was ended by signal 11", 1).await;
    let since = Instant::now();
    let InvokeError::NotReady(reason) = error(&model, "echo", FOREVER).await else { panic!("it is ready") };
    assert!(since.elapsed() < Duration::from_millis(500));
    assert!(reason.contains("signal 11"), "{reason}");
    until_answers(&model).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_answers_no_pings_is_started_again() {
    let bench = Bench::new().await;
    let model = bench.server(json!({})).await;
    let before = command(&model, "pid").await;
    command(&model, "sick").await;
    let log = bench.until_logged("ready after", 2).await;
    let missed = format!("{} pings in a row had no answer 200", SUPERVISION.misses);
    assert!(log.iter().any(|line| line.contains(&missed)), "{log:?}");
    assert_ne!(command(&model, "pid").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_another_took_meanwhile_is_exchanged_once() {
    let bench = Bench::new().await;
    let model = bench.server(json!({"PORT_IS_TAKEN_ONCE": "1"})).await;
    assert_eq!(command(&model, "echo here").await, "here");
    let log = bench.until_logged("another program has taken the port", 1).await;
    let ports: Vec<&String> = log.iter().filter(|line| line.starts_with("starting")).collect();
    assert_eq!(ports.len(), 2, "{log:?}");
    assert_ne!(ports[0], ports[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_model_says_goodbye_and_leaves_nothing() {
    let bench = Bench::new().await;
    let model = bench.server(json!({})).await;
    assert_eq!(bench.folders().len(), 1);
    model.stop().await;
    assert!(bench.folders().is_empty());
    let log = bench.until_logged("goodbye", 1).await;
    assert_eq!(log.last().unwrap(), "goodbye");
    let refused = error(&model, "echo", FOREVER).await;
    assert!(matches!(refused, InvokeError::NotReady(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_ignores_being_stopped_is_killed_after_a_grace() {
    let bench = Bench::new().await;
    let model = bench.server(json!({"IGNORE_TERM": "1"})).await;
    let process = command(&model, "pid").await;
    let since = Instant::now();
    model.stop().await;
    assert!(since.elapsed() >= SUPERVISION.grace);
    assert!(!is_running(&process));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_nobody_holds_any_more_ends() {
    let bench = Bench::new().await;
    let model = bench.server(json!({"IGNORE_TERM": "1"})).await;
    let process = command(&model, "pid").await;
    assert!(is_running(&process));
    drop(model);
    bench.until_no_folders().await;
    assert!(!is_running(&process));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_given_up_ends_its_program() {
    let bench = Bench::new().await;
    let start = super::bench::Start::of(server(json!({"SLOW_START": "100"})));
    tokio::select! {
        _ = bench.start(start) => panic!("it has started"),
        _ = bench.until_logged("model server with serve", 1) => {}
    }
    bench.until_no_folders().await;
    bench.until_logged("stopping", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_that_an_earlier_process_left_are_swept() {
    let bench = Bench::new().await;
    std::fs::create_dir_all(bench.folder.path().join("models/churn-old/opt/ml/model")).unwrap();
    sweep(&bench.context).await;
    assert!(bench.folders().is_empty());
}

fn is_running(process: &str) -> bool {
    // A process that has ended and was not waited for is in the state Z.
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
}
