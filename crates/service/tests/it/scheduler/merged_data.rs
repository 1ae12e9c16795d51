//! What of the merged lines an analysis is given, and what a merge is given.

use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::{ExecutionStatus, ProcessingJobStatus};
use watchkeeper_service::control::processing_job::ProcessingJob;

use super::merges::{GOOD, batch, begin_merge, end, label, merged, merging, quality_world, running};
use super::operators::get;
use super::world::World;

/// The addresses of a job's data, and the folders that they go to.
fn data(job: &ProcessingJob) -> Vec<(&str, &str)> {
    let inputs = job.request.processing_inputs.iter().flatten();
    let data = inputs.filter(|input| input.input_name.starts_with("endpoint_input_"));
    data.filter_map(|input| input.s3_input.as_ref())
        .map(|input| (input.s3_uri.as_str(), input.local_path.as_deref().unwrap()))
        .collect()
}

/// A world whose ticks look at so many hours before them.
async fn looking_back(hours: u32, change: impl FnOnce(&mut Value)) -> World {
    quality_world(|definition| {
        change(definition);
        let input = &mut definition["ModelQualityJobInput"];
        let kind = if input["BatchTransformInput"].is_null() { "EndpointInput" } else { "BatchTransformInput" };
        input[kind]["StartTimeOffset"] = json!(format!("-PT{hours}H"));
        input[kind]["EndTimeOffset"] = json!("-PT0H");
    })
    .await
}

#[tokio::test]
async fn an_hour_that_matches_no_more_is_not_analysed_by_what_an_earlier_merge_left() {
    let world = looking_back(2, |_| {}).await;
    for hour in ["2026/01/01/00", "2026/01/01/01"] {
        world.capture(hour).await;
        label(&world, hour, "1").await;
    }
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    merged(&world, "2026/01/01/00", "{}\n", 6).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    // This time labels are there for captures of the second hour alone.
    merged(&world, "2026/01/01/01", "{}\n", 6).await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    assert_eq!(
        data(&analysis),
        [(
            "s3://b/reports/merge/churn/AllTraffic/2026/01/01/01",
            "/opt/ml/processing/input_data/churn/AllTraffic/2026/01/01/01"
        )]
    );
}

#[tokio::test]
async fn a_long_window_in_which_an_hour_matches_no_more_leaves_that_out() {
    let world = looking_back(20, |_| {}).await;
    world.set_text("2026-01-01T20:00:00Z");
    for hour in 0..20 {
        world.capture(&format!("2026/01/01/{hour:02}")).await;
    }
    label(&world, "2026/01/01/00", "1").await;
    merged(&world, "2026/01/01/07", "{}\n", 6).await;
    world.round().await;
    for hour in (0..20).filter(|&hour| hour != 7) {
        merged(&world, &format!("2026/01/01/{hour:02}"), "{}\n", 6).await;
    }
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    let data = data(&analysis);
    assert_eq!(data.len(), 19);
    assert!(!data.iter().any(|(uri, _)| "s3://b/reports/merge/churn/AllTraffic/2026/01/01/07".starts_with(uri)));
}

#[tokio::test]
async fn a_merge_that_writes_nothing_new_has_no_data() {
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    let window = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"});
    super::operators::call(&world, http::Method::POST, "/_watchkeeper/schedules/quality/run", window).await;
    world.round().await;
    end(&world, ProcessingJobStatus::Completed, "").await;
    let rows = world.rows("quality").await;
    assert_eq!(rows[1].status, ExecutionStatus::Failed);
    assert!(rows[1].failure_reason.as_deref().unwrap().starts_with("Job inputs had no data."));
}

#[tokio::test]
async fn merged_batches_whose_records_have_no_time_are_taken_by_the_hour_however_long_the_window() {
    let world = looking_back(12, batch).await;
    // Of an earlier window on the same day.
    world.put("reports/merge/quality/2026/01/01/01/part-00000-x.c000.jsonl", "{}\n").await;
    world.set_text("2026-01-01T14:00:00Z");
    label(&world, "2026/01/01/03", "1").await;
    for hour in 2..14 {
        world.put(&format!("batch/output/2026/01/01/{hour:02}/one.json"), "[]").await;
    }
    world.round().await;
    for hour in 2..14 {
        world.put(&format!("reports/merge/quality/2026/01/01/{hour:02}/part-00000-x.c000.jsonl"), "{}\n").await;
    }
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    let expected: Vec<(String, String)> = (2..14)
        .map(|hour| {
            let hour = format!("quality/2026/01/01/{hour:02}");
            (format!("s3://b/reports/merge/{hour}"), format!("/opt/ml/processing/input/{hour}"))
        })
        .collect();
    let expected: Vec<(&str, &str)> = expected.iter().map(|(uri, path)| (uri.as_str(), path.as_str())).collect();
    assert_eq!(data(&analysis), expected);
}

#[tokio::test]
async fn the_folder_of_all_variants_is_that_of_one_endpoint() {
    let world = quality_world(|_| {}).await;
    for variant in 0..11 {
        world.put(&format!("captured/churn/v{variant}/2026/01/01/00/x.jsonl"), "{}\n").await;
    }
    label(&world, "2026/01/01/00", "1").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let merge = running(&world).await.remove(0);
    // Without the slash that of an endpoint `churn-b` would be read as well.
    assert_eq!(data(&merge), [("s3://b/captured/churn/", "/opt/ml/processing/input_data/churn")]);
    for variant in 0..11 {
        world.put(&format!("reports/merge/churn/v{variant}/2026/01/01/00/part-x.jsonl"), "{}\n").await;
    }
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    assert_eq!(data(&analysis), [("s3://b/reports/merge/churn/", "/opt/ml/processing/input_data/churn")]);
}

#[tokio::test]
async fn a_merge_runs_on_one_instance() {
    let world = quality_world(|definition| {
        definition["JobResources"]["ClusterConfig"]["InstanceCount"] = json!(2);
        definition["ModelQualityJobInput"]["EndpointInput"]["S3DataDistributionType"] = json!("ShardedByS3Key");
    })
    .await;
    begin_merge(&world).await;
    let instances = |job: &ProcessingJob| job.request.processing_resources.cluster_config.instance_count;
    // Two would each write the hour's one file, with the captures of their own share.
    assert_eq!(instances(&running(&world).await[0]), Some(1));
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    assert_eq!(instances(&running(&world).await[0]), Some(2));
}

#[tokio::test]
async fn the_report_of_a_merge_is_found_among_those_of_many() {
    let world = merging().await;
    for first in 0..24 {
        for last in 0..45 {
            let key = format!("reports/merge/_reports/20251220{first:02}-20251221{last:02}.json");
            world.put(&key, "{}").await;
        }
    }
    merged(&world, "2026/01/01/00", "{}\n", 6).await;
    world.end_job("").await;
    let id = world.rows("quality").await[0].key.replace('/', "~");
    let execution = get(&world, &format!("/_watchkeeper/executions/{id}")).await;
    assert_eq!(execution["execution"]["merge"]["counts"]["matched"], 6, "{execution}");
}

#[tokio::test]
async fn a_batch_without_any_capture_says_where_there_is_none() {
    let world = quality_world(batch).await;
    label(&world, "2026/01/01/00", "1").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let row = world.rows("quality").await.remove(0);
    assert_eq!(
        row.failure_reason.as_deref(),
        Some("Job inputs had no data. No objects under s3://b/batch/output, hours 2026/01/01/00…2026/01/01/00.")
    );
}
