//! Labels that come late.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, MonitoringAlertStatus, ProcessingJobStatus};
use watchkeeper_service::control::execution::{Execution, Outcome, Trigger};
use watchkeeper_service::control::schedule::OperatorWork;
use watchkeeper_service::scheduler::Scheduler;

use super::merges::{BAD, GOOD, end, label, merged, quality_world, running, sage_maker, uris};
use super::operators::{call, get};
use super::world::World;

const PATH: &str = "/_watchkeeper/schedules/quality/remerge";

async fn remerge(world: &World, body: Value) -> (StatusCode, Value) {
    call(world, Method::POST, PATH, body).await
}

/// A world at half past three whose windows of 00, 01 and 02 were merged and analysed, each with as many violations as said.
async fn analysed(messages: [&str; 3]) -> World {
    let world = quality_world(|_| {}).await;
    for (hour, message) in messages.into_iter().enumerate() {
        let folder = format!("2026/01/01/{hour:02}");
        world.capture(&folder).await;
        label(&world, &folder, "early").await;
        world.set_text(&format!("2026-01-01T{:02}:00:00Z", hour + 1));
        world.round().await;
        merged(&world, &folder, "{\"first\":1}\n", 2).await;
        world.end_job("").await;
        world.end_job(message).await;
    }
    world.set_text("2026-01-01T03:30:00Z");
    world.round().await;
    world
}

/// Takes up what is left of a remerge: the windows of these hours, in each of which more match.
async fn work_off(world: &World, hours: [u32; 2]) {
    for hour in hours {
        world.round().await;
        merged(world, &format!("2026/01/01/{hour:02}"), "{\"more\":1}\n", 5).await;
        world.end_job("").await;
        world.end_job(GOOD).await;
    }
}

/// The executions that remerges made, the oldest window first.
async fn remerges(world: &World) -> Vec<Execution> {
    let mut rows = world.rows("quality").await;
    rows.retain(|row| row.trigger == Trigger::Remerge);
    rows
}

#[tokio::test]
async fn nothing_new_is_nothing_to_do() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    let (status, answer) = remerge(&world, json!({})).await;
    // Labels of later hours came after the windows of 00 and 01 were merged, and might be theirs.
    assert_eq!(status, StatusCode::ACCEPTED);
    let ticks: Vec<&str> =
        answer["windows"].as_array().unwrap().iter().map(|window| window["scheduled"].as_str().unwrap()).collect();
    assert_eq!(ticks, ["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]);
    assert_eq!((&answer["unchanged"], &answer["without_captures"]), (&json!(1), &json!(0)));
    // Their merges find what was found before.
    for hour in ["2026/01/01/00", "2026/01/01/01"] {
        world.round().await;
        merged(&world, hour, "{\"first\":1}\n", 2).await;
        world.end_job("").await;
    }
    world.round().await;
    let rows = remerges(&world).await;
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(row.status, ExecutionStatus::Completed);
        assert_eq!(
            row.note.as_deref(),
            Some("labels that have come change nothing in this window, 2 matched as before: it was not analysed again")
        );
    }
    assert!(running(&world).await.is_empty());
    assert_eq!(world.describe("quality").await.operator, OperatorWork::default());
    let (status, answer) = remerge(&world, json!({})).await;
    assert_eq!((status, &answer["windows"], &answer["unchanged"]), (StatusCode::OK, &json!([]), &json!(3)));
}

#[tokio::test]
async fn labels_late_by_hours_are_merged_and_analysed_once() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    world.set_text("2026-01-01T03:40:00Z");
    label(&world, "2026/01/01/03", "late").await;
    let (status, planned) = remerge(&world, json!({"dry_run": true, "since": "2026-01-01T02:00:00Z"})).await;
    assert_eq!(status, StatusCode::OK);
    let window = &planned["windows"][0];
    assert_eq!(planned["windows"].as_array().unwrap().len(), 1);
    assert_eq!(window["window"], json!({"start": "2026-01-01T02:00:00Z", "end": "2026-01-01T03:00:00Z"}));
    assert_eq!((&window["label_objects"], &window["more_label_objects"]), (&json!(2), &json!(1)));
    assert_eq!(window["before"]["matched"], 2);
    world.round().await;
    assert!(running(&world).await.is_empty(), "asking alone starts nothing");

    let (status, begun) = remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let (status, refused) = remerge(&world, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    world.round().await;
    let merge = running(&world).await.remove(0);
    assert!(merge.name().starts_with("groundtruth-merge-202601010300-"), "{}", merge.name());
    let expected = [
        "s3://b/labels/2026/01/01/02",
        "s3://b/labels/2026/01/01/03",
        "s3://b/captured/churn/AllTraffic/2026/01/01/02",
    ];
    assert_eq!(uris(&merge), expected);
    merged(&world, "2026/01/01/02", "{\"second\":1}\n", 9).await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    assert_eq!(analysis.first_output(), Some("s3://b/reports/churn/quality/2026/01/01/03/remerged-20260101T034000"));
    let environment = analysis.request.environment.as_ref().unwrap();
    assert_eq!(environment["start_time"], "2026-01-01T02:00:00Z");
    assert_eq!(environment["end_time"], "2026-01-01T03:00:00Z");
    world.end_job(BAD).await;
    world.round().await;
    let id = begun["windows"][0]["id"].as_str().unwrap();
    let after = get(&world, &format!("/_watchkeeper/executions/{id}")).await;
    assert_eq!(after["is_over"], true);
    let execution = &after["execution"];
    assert_eq!((&execution["trigger"], &execution["status"]), (&json!("remerge"), &json!("CompletedWithViolations")));
    assert_eq!(execution["merge"]["counts"]["matched"], 9);
    assert_eq!(execution["remerge_of"], begun["windows"][0]["earlier"]);
    let earlier = begun["windows"][0]["earlier"].as_str().unwrap();
    let before = get(&world, &format!("/_watchkeeper/executions/{earlier}")).await;
    assert_eq!(before["execution"]["merge"]["counts"]["matched"], 2);
    // Clients see the newest finding of the newest window.
    let last = world.describe("quality").await.last_execution.unwrap();
    assert_eq!(last.processing_job_arn.as_ref(), Some(&analysis.arn));
    assert_eq!(world.alert("quality").await.status, MonitoringAlertStatus::InAlert);

    let (status, answer) = remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    assert_eq!((status, &answer["unchanged"]), (StatusCode::OK, &json!(1)), "never twice the same");
}

#[tokio::test]
async fn a_label_that_is_corrected_is_analysed_though_no_more_match() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "corrected").await;
    remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    world.round().await;
    merged(&world, "2026/01/01/02", "{\"corrected\":1}\n", 2).await;
    world.end_job("").await;
    assert!(running(&world).await[0].name().starts_with("model-quality-monitoring-"));
}

#[tokio::test]
async fn a_window_by_which_nothing_changes_stands_as_it_was() {
    let world = analysed([GOOD, GOOD, BAD]).await;
    let first = world.rows("quality").await.remove(2);
    label(&world, "2026/01/01/03", "of another hour").await;
    remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    world.round().await;
    merged(&world, "2026/01/01/02", "{\"first\":1}\n", 2).await;
    world.end_job("").await;
    let row = remerges(&world).await.remove(0);
    assert_eq!(
        (row.status, &row.processing_job_arn),
        (ExecutionStatus::CompletedWithViolations, &first.processing_job_arn)
    );
    let last = world.describe("quality").await.last_execution.unwrap();
    assert_eq!(last.processing_job_arn, first.processing_job_arn, "results of the newest window can still be found");
    assert_eq!(world.alert("quality").await.status, MonitoringAlertStatus::InAlert);
}

#[tokio::test]
async fn labels_for_a_window_that_had_none() {
    let world = quality_world(|_| {}).await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    let statuses: Vec<ExecutionStatus> = world.rows("quality").await.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [ExecutionStatus::Failed, ExecutionStatus::Failed]);
    label(&world, "2026/01/01/02", "late").await;
    let (_, answer) = remerge(&world, json!({})).await;
    assert_eq!(answer["windows"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(answer["without_captures"], 1, "the window of 01 has no captures");
    world.round().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    assert_eq!(remerges(&world).await[0].status, ExecutionStatus::Completed);
    let (_, answer) = remerge(&world, json!({})).await;
    assert_eq!(answer["windows"], json!([]));
}

#[tokio::test]
async fn labels_without_a_common_id_are_not_merged_again_and_again() {
    let world = quality_world(|_| {}).await;
    world.capture("2026/01/01/00").await;
    label(&world, "2026/01/01/00", "of something else").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    end(&world, ProcessingJobStatus::Failed, "AlgorithmError: Error: Job inputs had no data.").await;
    let (_, answer) = remerge(&world, json!({})).await;
    assert_eq!((&answer["windows"], &answer["unchanged"]), (&json!([]), &json!(1)));
    // One that the service could not run, or that was stopped, is.
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    for status in [ProcessingJobStatus::Stopped, ProcessingJobStatus::Failed] {
        let (begun, answer) = remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
        assert_eq!(begun, StatusCode::ACCEPTED, "{answer}");
        world.round().await;
        end(&world, status, "the disk is full").await;
        world.set(world.context.now() + jiff::SignedDuration::from_secs(1));
    }
    let statuses: Vec<ExecutionStatus> = remerges(&world).await.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [ExecutionStatus::Stopped, ExecutionStatus::Failed]);
    let (begun, _) = remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    assert_eq!(begun, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_tick_that_comes_meanwhile_waits_and_is_run() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    world.capture("2026/01/01/03").await;
    let (_, answer) = remerge(&world, json!({})).await;
    assert_eq!(answer["windows"].as_array().unwrap().len(), 3);
    world.round().await;
    world.set_text("2026-01-01T04:00:00Z");
    world.round().await;
    assert_eq!(running(&world).await.len(), 1, "one execution at a time");
    assert!(world.rows("quality").await.iter().all(|row| row.outcome == Outcome::Started));
    merged(&world, "2026/01/01/00", "{\"more\":1}\n", 5).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    world.round().await;
    // The tick comes before what is left of the remerge.
    assert!(running(&world).await[0].name().starts_with("groundtruth-merge-202601010400-"));
    merged(&world, "2026/01/01/03", "{}\n", 1).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    work_off(&world, [1, 2]).await;
    world.round().await;
    assert!(running(&world).await.is_empty());
    let rows = world.rows("quality").await;
    assert!(rows.iter().all(|row| row.status == ExecutionStatus::Completed));
    assert_eq!(rows.iter().filter(|row| row.trigger == Trigger::Tick).count(), 4);
    assert_eq!(remerges(&world).await.len(), 3);
}

#[tokio::test]
async fn a_service_that_starts_again_goes_on_with_the_rest() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    remerge(&world, json!({})).await;
    for hour in 0..3 {
        // Each time another process, which knows nothing but what is in the store.
        Scheduler::new(world.another()).round().await.unwrap();
        merged(&world, &format!("2026/01/01/{hour:02}"), "{\"more\":1}\n", 5).await;
        world.end_job("").await;
        Scheduler::new(world.another()).round().await.unwrap();
        world.end_job(GOOD).await;
    }
    Scheduler::new(world.another()).round().await.unwrap();
    assert_eq!(remerges(&world).await.len(), 3);
    assert_eq!(world.describe("quality").await.operator, OperatorWork::default());
}

#[tokio::test]
async fn a_schedule_that_is_deleted_takes_what_is_left_of_its_remerge_along() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    remerge(&world, json!({})).await;
    world.round().await;
    let delete = || sage_maker(&world, "DeleteMonitoringSchedule", json!({"MonitoringScheduleName": "quality"}));
    assert!(delete().await.unwrap_err().message.contains("while a monitoring execution is in progress"));
    merged(&world, "2026/01/01/00", "{\"more\":1}\n", 5).await;
    world.end_job("").await;
    assert!(delete().await.is_err(), "the analysis runs");
    world.end_job(GOOD).await;
    // Two windows are left.
    delete().await.unwrap();
    let (status, refused) = remerge(&world, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{refused}");
    world.settle().await;
    world.round().await;
    assert!(running(&world).await.is_empty());
    assert_eq!(remerge(&world, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(remerges(&world).await.len(), 1);
}

#[tokio::test]
async fn a_schedule_that_is_stopped_or_updated_goes_on_with_its_remerge() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    remerge(&world, json!({})).await;
    world.round().await;
    sage_maker(&world, "StopMonitoringSchedule", json!({"MonitoringScheduleName": "quality"})).await.unwrap();
    world.settle().await;
    assert_eq!(world.describe("quality").await.status.as_str(), "Stopped");
    merged(&world, "2026/01/01/00", "{\"more\":1}\n", 5).await;
    world.end_job("").await;
    let config = json!({"ScheduleConfig": {"ScheduleExpression": "cron(0 12 ? * * *)"},
        "MonitoringJobDefinitionName": "mq", "MonitoringType": "ModelQuality"});
    let update = json!({"MonitoringScheduleName": "quality", "MonitoringScheduleConfig": config});
    sage_maker(&world, "UpdateMonitoringSchedule", update).await.unwrap();
    world.settle().await;
    world.end_job(GOOD).await;
    work_off(&world, [1, 2]).await;
    let windows: Vec<String> = remerges(&world).await.iter().map(|row| row.window.unwrap().start.to_string()).collect();
    assert_eq!(windows, ["2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"]);
}

#[tokio::test]
async fn a_remerge_waits_while_all_is_paused() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    call(&world, Method::POST, "/_watchkeeper/pause", Value::Null).await;
    remerge(&world, json!({})).await;
    world.round().await;
    assert!(running(&world).await.is_empty());
    call(&world, Method::POST, "/_watchkeeper/resume", Value::Null).await;
    world.settle().await;
    assert_eq!(running(&world).await.len(), 1);
}

#[tokio::test]
async fn what_is_new_when_a_window_s_turn_comes_decides() {
    let world = analysed([GOOD, GOOD, GOOD]).await;
    label(&world, "2026/01/01/03", "late").await;
    remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    // The label is withdrawn before its turn.
    world.context.objects.delete("b", &["labels/2026/01/01/03/late.jsonl".to_owned()]).await.unwrap();
    world.round().await;
    let row = remerges(&world).await.remove(0);
    assert_eq!(row.status, ExecutionStatus::Completed);
    assert_eq!(row.note.as_deref(), Some("no labels have come since the window was merged last"));
    assert!(running(&world).await.is_empty());
}

#[tokio::test]
async fn violations_of_a_window_count_once_for_the_alert() {
    let world = analysed([GOOD, GOOD, BAD]).await;
    let alert = world.alert("quality").await;
    let stored = world.context.resources.get(&watchkeeper_service::resources::Resource::key(&alert)).await.unwrap();
    let stored: watchkeeper_service::resources::Versioned<watchkeeper_service::control::alert::Alert> = stored.unwrap();
    let mut patient = stored.resource;
    (patient.datapoints_to_alert, patient.evaluation_period) = (2, 3);
    let transaction = watchkeeper_service::resources::Transaction::new().update(&patient, stored.version);
    world.context.resources.commit(transaction).await.unwrap();
    label(&world, "2026/01/01/03", "late").await;
    remerge(&world, json!({"since": "2026-01-01T02:00:00Z"})).await;
    world.round().await;
    merged(&world, "2026/01/01/02", "{\"more\":1}\n", 5).await;
    world.end_job("").await;
    world.end_job(BAD).await;
    assert_eq!(world.alert("quality").await.status, MonitoringAlertStatus::Ok, "one window of three is bad");
}

#[tokio::test]
async fn a_monitor_without_labels_has_nothing_to_merge() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    let (status, answer) =
        call(&world, Method::POST, "/_watchkeeper/schedules/nightly-check/remerge", Value::Null).await;
    let message = "monitoring schedule nightly-check: DataQuality monitoring needs no labels";
    assert_eq!((status, answer["error"].as_str().unwrap()), (StatusCode::BAD_REQUEST, message));
}
