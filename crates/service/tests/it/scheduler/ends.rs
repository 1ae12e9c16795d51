//! What follows from a job's end.

use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, MonitoringAlertStatus, ProcessingJobStatus, Tag};
use watchkeeper_service::control::alert::AlertChange;
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::resources::{Transaction, Versioned};
use watchkeeper_service::scheduler::finish::job_ended;
use watchkeeper_store::metadata::{Datum, Query, SeriesQuery, SortBy};

use super::world::World;

/// A world whose tick of 01:00 has a job.
async fn with_a_job() -> World {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.hourly().await;
    for hour in 0..6 {
        world.capture(&format!("2026/01/01/{hour:02}")).await;
    }
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    world
}

async fn changes(world: &World) -> Vec<MonitoringAlertStatus> {
    let query = Query { sort_by: SortBy::Created, ..Query::default() };
    let changes = world.context.resources.list::<AlertChange>(&query).await.unwrap();
    changes.into_iter().map(|change| change.resource.status).collect()
}

#[tokio::test]
async fn violations_raise_the_alert_and_a_good_run_lowers_it() {
    let world = with_a_job().await;
    world.end_job("CompletedWithViolations: Job completed successfully with 60 violations.").await;
    let row = world.rows("nightly-check").await.remove(0);
    assert_eq!((row.status, row.failure_reason), (ExecutionStatus::CompletedWithViolations, None));
    let schedule = world.describe("nightly-check").await;
    assert_eq!(schedule.running, None);
    assert_eq!(schedule.last_execution.unwrap().monitoring_execution_status, ExecutionStatus::CompletedWithViolations);
    assert_eq!(world.alert("nightly-check").await.status, MonitoringAlertStatus::InAlert);
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    world.end_job("Completed: Job completed successfully with no violations.").await;
    assert_eq!(world.rows("nightly-check").await[1].status, ExecutionStatus::Completed);
    assert_eq!(world.alert("nightly-check").await.status, MonitoringAlertStatus::Ok);
    assert_eq!(changes(&world).await, [MonitoringAlertStatus::InAlert, MonitoringAlertStatus::Ok]);
}

#[tokio::test]
async fn the_alert_counts_over_its_period() {
    let world = with_a_job().await;
    let alert = world.alert("nightly-check").await;
    let stored = world.context.resources.get(&watchkeeper_service::resources::Resource::key(&alert)).await.unwrap();
    let stored: Versioned<watchkeeper_service::control::alert::Alert> = stored.unwrap();
    let mut patient = stored.resource;
    (patient.datapoints_to_alert, patient.evaluation_period) = (2, 3);
    world.context.resources.commit(Transaction::new().update(&patient, stored.version)).await.unwrap();
    // Bad, good, bad, good, good: at least two of the last three are bad after the third alone.
    let messages =
        ["CompletedWithViolations: 1", "Completed: 0", "CompletedWithViolations: 1", "Completed: 0", "Completed: 0"];
    let mut states = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            world.set_text(&format!("2026-01-01T0{}:00:00Z", index + 1));
            world.round().await;
        }
        world.end_job(message).await;
        states.push(world.alert("nightly-check").await.status);
    }
    let (raised, fine) = (MonitoringAlertStatus::InAlert, MonitoringAlertStatus::Ok);
    assert_eq!(states, [fine, fine, raised, fine, fine]);
    assert_eq!(changes(&world).await, [raised, fine]);
}

#[tokio::test]
async fn a_job_s_end_counts_once_and_keeps_what_others_changed() {
    let world = with_a_job().await;
    let mut job = world.jobs().await.remove(0);
    let tag = Tag { key: "team".to_owned(), value: "risk".to_owned() };
    let tagged = ProcessingJob { tags: vec![tag.clone()], ..job.resource.clone() };
    world.context.resources.commit(Transaction::new().update(&tagged, job.version)).await.unwrap();

    job.resource.status = ProcessingJobStatus::Failed;
    job.resource.failure_reason = Some("AlgorithmError: it broke".to_owned());
    let datum = Datum {
        namespace: "aws/sagemaker/Endpoints/data-metrics".to_owned(),
        metric: "feature_data_x".to_owned(),
        dimensions: vec![("Endpoint".to_owned(), "churn".to_owned())],
        time: 1,
        unit: "Count".to_owned(),
        sample_count: 1.0,
        sum: 2.0,
        minimum: 2.0,
        maximum: 2.0,
    };
    for _ in 0..3 {
        job_ended(&world.context, &job, vec![datum.clone()]).await.unwrap();
    }
    let stored = world.jobs().await.remove(0).resource;
    assert_eq!((stored.status, stored.tags), (ProcessingJobStatus::Failed, vec![tag]));
    let row = world.rows("nightly-check").await.remove(0);
    assert_eq!(row.status, ExecutionStatus::Failed);
    assert_eq!(row.failure_reason.as_deref(), Some("AlgorithmError: it broke"));
    assert_eq!(changes(&world).await, [MonitoringAlertStatus::InAlert]);
    let series = SeriesQuery {
        namespace: datum.namespace.clone(),
        metric: datum.metric.clone(),
        dimensions: datum.dimensions.clone(),
        start: 0,
        end: 10,
        ..SeriesQuery::default()
    };
    assert_eq!(world.context.resources.store().metric_data(&series).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_end_of_an_attempt_that_was_taken_over_counts_for_nothing() {
    let world = with_a_job().await;
    let mut job = world.jobs().await.remove(0);
    let anew = ProcessingJob { attempts: 2, ..job.resource.clone() };
    world.context.resources.commit(Transaction::new().update(&anew, job.version)).await.unwrap();
    job.resource.status = ProcessingJobStatus::Completed;
    job_ended(&world.context, &job, Vec::new()).await.unwrap();
    assert_eq!(world.jobs().await[0].resource.status, ProcessingJobStatus::InProgress);
    assert_eq!(world.rows("nightly-check").await[0].status, ExecutionStatus::InProgress);
}

#[tokio::test]
async fn a_stopped_job_stops_its_execution() {
    let world = with_a_job().await;
    let mut job = world.jobs().await.remove(0);
    job.resource.status = ProcessingJobStatus::Stopped;
    job_ended(&world.context, &job, Vec::new()).await.unwrap();
    assert_eq!(world.rows("nightly-check").await[0].status, ExecutionStatus::Stopped);
    assert_eq!(world.alert("nightly-check").await.status, MonitoringAlertStatus::Ok);
}

#[tokio::test]
async fn an_execution_whose_job_ended_without_it_is_ended_at_the_next_tick() {
    let world = with_a_job().await;
    let job = world.jobs().await.remove(0);
    let stopped = ProcessingJob { status: ProcessingJobStatus::Stopped, ..job.resource };
    world.context.resources.commit(Transaction::new().update(&stopped, job.version)).await.unwrap();
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    let rows = world.rows("nightly-check").await;
    let states: Vec<ExecutionStatus> = rows.iter().map(|row| row.status).collect();
    assert_eq!(states, [ExecutionStatus::Stopped, ExecutionStatus::InProgress]);
}
