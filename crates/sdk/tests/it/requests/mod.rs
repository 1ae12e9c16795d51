//! The same requests as Python: what the SageMaker Python SDK was recorded to send (`tests/python/sdk_requests` records it, and
//! checks that the recordings are genuine), this SDK sends too, member by member.
//!
//! Each case is played against a server that gives the recorded answers. Generated times and UUIDs become placeholders on both
//! sides; JSON is compared by value, the bodies of objects that are JSON with the order of their members.

mod differences;
mod play;
mod recording;
mod server;
mod values;
mod wire;

use std::fmt::Write as _;

use differences::{Difference, How, difference};
use play::{Played, Player};
use recording::{Case, Recording, Step};
use serde_json::Value;
use server::Server;

macro_rules! suites {
    ($($test:ident = $name:literal,)+) => {
        const SUITES: &[&str] = &[$($name),+];

        $(#[test]
        fn $test() {
            check($name);
        })+
    };
}

suites! {
    alerts = "alerts",
    baselines = "baselines",
    clarify_configurations = "clarify_processor.configurations",
    clarify_processors = "clarify_processor.constructor",
    clarify_forecasts = "clarify_processor.forecasts",
    clarify_runs = "clarify_processor.runs",
    default_model_monitor_attach = "default_model_monitor.attach",
    default_model_monitor_settings = "default_model_monitor.constructor",
    default_model_monitor_create = "default_model_monitor.create_monitoring_schedule",
    default_model_monitor_inputs = "default_model_monitor.inputs",
    default_model_monitor_life = "default_model_monitor.life",
    default_model_monitor_suggest = "default_model_monitor.suggest_baseline",
    default_model_monitor_update = "default_model_monitor.update_monitoring_schedule",
    default_model_monitor_update_embedded = "default_model_monitor.update_of_embedded_schedule",
    executions = "executions",
    files_of_executions = "executions.files",
    files_that_are_missing = "executions.files_that_are_missing",
    logs_of_executions = "executions.logs",
    model_bias_monitor_attach = "model_bias_monitor.attach",
    model_bias_monitor_settings = "model_bias_monitor.constructor",
    model_bias_monitor_create = "model_bias_monitor.create_monitoring_schedule",
    model_bias_monitor_life = "model_bias_monitor.life",
    model_bias_monitor_suggest = "model_bias_monitor.suggest_baseline",
    model_bias_monitor_update = "model_bias_monitor.update_monitoring_schedule",
    model_explainability_monitor_attach = "model_explainability_monitor.attach",
    model_explainability_monitor_settings = "model_explainability_monitor.constructor",
    model_explainability_monitor_create = "model_explainability_monitor.create_monitoring_schedule",
    model_explainability_monitor_life = "model_explainability_monitor.life",
    model_explainability_monitor_suggest = "model_explainability_monitor.suggest_baseline",
    model_explainability_monitor_update = "model_explainability_monitor.update_monitoring_schedule",
    model_monitor_attach = "model_monitor.attach",
    model_monitor_settings = "model_monitor.constructor",
    model_monitor_create = "model_monitor.create_monitoring_schedule",
    model_monitor_inputs = "model_monitor.inputs",
    model_monitor_run_baseline = "model_monitor.run_baseline",
    model_monitor_update = "model_monitor.update_monitoring_schedule",
    model_quality_monitor_attach = "model_quality_monitor.attach",
    model_quality_monitor_settings = "model_quality_monitor.constructor",
    model_quality_monitor_create = "model_quality_monitor.create_monitoring_schedule",
    model_quality_monitor_life = "model_quality_monitor.life",
    model_quality_monitor_suggest = "model_quality_monitor.suggest_baseline",
    model_quality_monitor_update = "model_quality_monitor.update_monitoring_schedule",
    monitoring_files = "monitoring_files",
    batch_data_capture = "batch_data_capture_config",
    set_monitoring = "monitoring_files.set_monitoring",
    network_configs = "network_config",
    data_capture = "predictor.data_capture",
    deletion_of_endpoints = "predictor.deletion",
    monitors_of_endpoints = "predictor.list_monitors",
    predictions = "predictor.predict",
    processing_jobs = "processing_job",
    buckets = "session.buckets",
    objects = "session.objects",
    roles = "session.roles",
}

#[test]
fn every_recording_is_played() {
    let mut recorded = recording::names();
    let mut played = SUITES.to_vec();
    recorded.sort_unstable();
    played.sort_unstable();
    assert_eq!(played, recorded);
}

#[test]
fn every_known_difference_is_of_a_case() {
    for (suite, case) in differences::cases() {
        let recording = Recording::read(suite);
        assert!(recording.cases.iter().any(|it| it.name == case), "{suite} has no case {case:?}");
    }
}

/// Plays the cases of a recording; fails with all that is different.
fn check(suite: &str) {
    let recording = Recording::read(suite);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut complaints = String::new();
    let mut wrong = 0;
    for case in &recording.cases {
        let complaint = runtime.block_on(complaint(suite, case, &recording));
        if let Some(complaint) = complaint {
            wrong += 1;
            writeln!(complaints, "--- {suite} | {}\n{complaint}", case.name).unwrap();
        }
    }
    assert!(wrong == 0, "{wrong} of {} cases are different\n{complaints}", recording.cases.len());
}

/// What is different, if anything is.
async fn complaint(suite: &str, case: &Case, recording: &Recording) -> Option<String> {
    let known = difference(suite, &case.name);
    if known.is_some_and(|it| matches!(it.how, How::CannotBeSaid)) {
        return None;
    }
    let expected = match known {
        Some(Difference { how: How::Like(other, _), .. }) => recording.case(other),
        _ => case,
    };
    let server = Server::start(recording, expected);
    let mut player = Player::new(&server, &case.session);
    for (number, (step, expected)) in case.steps.iter().zip(&expected.steps).enumerate() {
        let known = known.filter(|it| it.step.unwrap_or(case.steps.len() - 1) == number);
        let before = server.sent().len();
        let played = player.play(step).await;
        let sent = server.sent().split_off(before);
        if let Some(complaint) = complaint_of_step(expected, &played, &sent, known.map(|it| &it.how)) {
            return Some(format!("{} {}\n{complaint}", step.call, Value::from(step.arguments.clone())));
        }
        if known.is_some() {
            break;
        }
    }
    None
}

fn complaint_of_step(expected: &Step, played: &Played, sent: &[Value], known: Option<&How>) -> Option<String> {
    let mut requests: Vec<Value> = expected.exchanges.iter().map(|exchange| exchange.request.clone()).collect();
    let mut fails = expected.raises.is_some();
    match known {
        Some(How::Edited(edit) | How::Like(_, edit)) => edit(&mut requests),
        Some(How::NothingSent) => requests.clear(),
        Some(How::WeRefuse) => fails = true,
        Some(How::WeSucceed) => fails = false,
        Some(How::CannotBeSaid) | None => {}
    }
    let requests: Vec<Value> = requests.iter().map(wire::canonical).collect();
    let mut complaint = String::new();
    if fails != played.is_err() {
        let python = expected.raises.as_deref().unwrap_or("nothing");
        writeln!(complaint, "Python raises {python}, we get {played:?}").unwrap();
    }
    if requests != sent {
        complaint.push_str(&wire::difference(&requests, sent));
    }
    (!complaint.is_empty()).then_some(complaint)
}
