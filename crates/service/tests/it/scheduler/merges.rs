//! Executions of two jobs: a merge with ground truth, and the analysis of what it made.

use std::sync::Arc;

use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::{
    CreateModelBiasJobDefinitionRequest, CreateModelQualityJobDefinitionRequest, ExecutionStatus, ProcessingJobStatus,
    dispatch,
};
use watchkeeper_aws::{Call, Error};
use watchkeeper_formats::merge_report::{MergeReport, SideOfMerge};
use watchkeeper_service::api::sagemaker::SageMakerApi;
use watchkeeper_service::control::job_definition::{JobDefinition, Specification};
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::{Transaction, Versioned};
use watchkeeper_service::scheduler::Scheduler;
use watchkeeper_service::scheduler::finish::job_ended;

use super::operators::{call, get};
use super::plans::{define, input, named, shown};
use super::world::{IMAGE, REGION, ROLE, World, moment};

pub(super) const HOURLY: &str = "cron(0 * ? * * *)";
pub(super) const GOOD: &str = "Completed: Job completed successfully with no violations.";
pub(super) const BAD: &str = "CompletedWithViolations: Job completed successfully with 3 violations.";

/// A definition of model quality as the SDK makes it, changed.
pub(super) async fn model_quality(world: &World, change: impl FnOnce(&mut Value)) -> JobDefinition {
    let mut request = json!({
        "JobDefinitionName": "mq",
        "ModelQualityBaselineConfig": {"ConstraintsResource": {"S3Uri": "s3://b/baseline/constraints.json"}},
        "ModelQualityAppSpecification": {"ImageUri": IMAGE, "ProblemType": "BinaryClassification"},
        "ModelQualityJobInput": {
            "EndpointInput": {
                "EndpointName": "churn", "LocalPath": "/opt/ml/processing/input_data", "InferenceAttribute": "prediction",
                "ProbabilityAttribute": "0", "ProbabilityThresholdAttribute": 0.8},
            "GroundTruthS3Input": {"S3Uri": "s3://b/labels"}},
        "ModelQualityJobOutputConfig": {"KmsKeyId": "key", "MonitoringOutputs": [
            {"S3Output": {"S3Uri": "s3://b/reports/", "LocalPath": "/opt/ml/processing/output"}}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
    });
    change(&mut request);
    let request: CreateModelQualityJobDefinitionRequest = serde_json::from_value(request).unwrap();
    define(world, Specification::ModelQuality(request)).await
}

/// A world at ten past midnight with the hourly schedule `quality`.
pub(super) async fn quality_world(change: impl FnOnce(&mut Value)) -> World {
    quality_world_at(HOURLY, change).await
}

/// The same with another expression.
async fn quality_world_at(expression: &str, change: impl FnOnce(&mut Value)) -> World {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.put("baseline/constraints.json", "{}").await;
    let definition = model_quality(&world, change).await;
    world.schedule_of("quality", named("mq", "ModelQuality", expression), Some(&definition)).await;
    world.settle().await;
    world
}

/// Changes a definition to one that watches batch transform jobs.
pub(super) fn batch(definition: &mut Value) {
    definition["ModelQualityJobInput"] = json!({
        "BatchTransformInput": {
            "DataCapturedDestinationS3Uri": "s3://b/batch", "DatasetFormat": {"Csv": {"Header": false}},
            "LocalPath": "/opt/ml/processing/input", "ProbabilityAttribute": "69"},
        "GroundTruthS3Input": {"S3Uri": "s3://b/labels"}});
}

pub(super) async fn label(world: &World, hour: &str, content: &str) {
    let name = content.replace(|letter: char| !letter.is_ascii_alphanumeric(), "");
    world.put(&format!("labels/{hour}/{name}.jsonl"), content).await;
}

/// What a merge of one hour leaves in its output.
pub(super) async fn merged(world: &World, hour: &str, content: &str, matched: u64) {
    let key = format!("reports/merge/churn/AllTraffic/{hour}/part-00000-x.c000.jsonl");
    world.put(&key, content).await;
    let report = MergeReport {
        hours: Some((hour.to_owned(), hour.to_owned())),
        captures: SideOfMerge { files: 1, records: 10, unmatched: 10 - matched, ..SideOfMerge::default() },
        ground_truth: SideOfMerge { files: 1, records: 7, unmatched: 1, ..SideOfMerge::default() },
        matched,
        out_of_window: Some(0),
        ..MergeReport::default()
    };
    let hour = hour.replace('/', "");
    world.put(&format!("reports/merge/_reports/{hour}-{hour}.json"), &report.to_json()).await;
}

/// The jobs of the schedule that have not ended.
pub(super) async fn running(world: &World) -> Vec<ProcessingJob> {
    let jobs = world.jobs().await.into_iter().map(|job| job.resource);
    jobs.filter(|job| !job.is_terminal() && job.execution.is_some()).collect()
}

/// Ends the one job that runs as told.
pub(super) async fn end(world: &World, status: ProcessingJobStatus, reason: &str) {
    let mut job = world.running_job().await;
    job.resource.status = status;
    job.resource.failure_reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    job_ended(&world.context, &job, Vec::new()).await.unwrap();
}

/// The addresses of a job's inputs.
pub(super) fn uris(job: &ProcessingJob) -> Vec<&str> {
    let inputs = job.request.processing_inputs.as_ref().unwrap();
    inputs.iter().map(|input| input.s3_input.as_ref().unwrap().s3_uri.as_str()).collect()
}

/// The same with the names of the inputs.
fn named_uris(job: &ProcessingJob) -> Vec<(&str, &str)> {
    let names = job.request.processing_inputs.iter().flatten().map(|input| input.input_name.as_str());
    names.zip(uris(job)).collect()
}

#[tokio::test]
async fn a_merge_and_the_analysis_of_what_it_made() {
    let world = quality_world(|_| {}).await;
    world.capture("2026/01/01/00").await;
    world.capture("2026/01/01/01").await;
    label(&world, "2026/01/01/00", "1").await;
    label(&world, "2026/01/01/01", "2").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;

    let merge = running(&world).await.remove(0);
    let (request, digits) = shown(&merge);
    let resources =
        json!({"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}});
    let output = |uri: &str, mode: &str| {
        json!({"KmsKeyId": "key", "Outputs": [{"OutputName": "result", "AppManaged": false, "S3Output": {
            "S3Uri": uri, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": mode}}]})
    };
    let expected = json!({
        "ProcessingJobName": "groundtruth-merge-202601010100-X",
        "AppSpecification": {
            "ImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-groundtruth-merger"},
        "ProcessingInputs": [
            input("groundtruth_input_1", "s3://b/labels/2026/01/01/00", "/opt/ml/processing/groundtruth/2026/01/01/00", "S3Prefix"),
            input("endpoint_input_1", "s3://b/captured/churn/AllTraffic/2026/01/01/00",
                "/opt/ml/processing/input_data/churn/AllTraffic/2026/01/01/00", "S3Prefix"),
        ],
        "ProcessingOutputConfig": output("s3://b/reports/merge", "EndOfJob"),
        "ProcessingResources": resources,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "RoleArn": ROLE,
        "Environment": {
            "dataset_source": "/opt/ml/processing/input_data", "ground_truth_source": "/opt/ml/processing/groundtruth",
            "output_path": "/opt/ml/processing/output",
            "WATCHKEEPER_START_TIME": "2026-01-01T00:00:00Z", "WATCHKEEPER_END_TIME": "2026-01-01T01:00:00Z"},
    });
    assert_eq!(request, expected);
    let row = world.rows("quality").await.remove(0);
    assert_eq!((row.status, row.processing_job_arn.as_ref()), (ExecutionStatus::InProgress, Some(&merge.arn)));
    let looked: Vec<(&str, u64)> = row.looked.iter().map(|looked| (looked.what.as_str(), looked.objects)).collect();
    assert_eq!(looked, [("capture", 1), ("ground truth", 1), ("baseline constraints", 1)]);

    merged(&world, "2026/01/01/00", "{}\n", 6).await;
    merged(&world, "2026/01/01/01", "{}\n", 6).await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    let (request, same_digits) = shown(&analysis);
    assert_eq!(same_digits, digits, "the two jobs of an execution have the same digits");
    let expected = json!({
        "ProcessingJobName": "model-quality-monitoring-202601010100-X",
        "AppSpecification": {"ImageUri": IMAGE},
        "ProcessingInputs": [
            input("constraints", "s3://b/baseline/constraints.json", "/opt/ml/processing/baseline/constraints", "S3Prefix"),
            input("endpoint_input_1", "s3://b/reports/merge/churn/AllTraffic/2026/01/01/00",
                "/opt/ml/processing/input_data/churn/AllTraffic/2026/01/01/00", "S3Prefix"),
        ],
        "ProcessingOutputConfig": output("s3://b/reports/churn/quality/2026/01/01/01", "Continuous"),
        "ProcessingResources": resources,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "RoleArn": ROLE,
        "Environment": {
            "analysis_type": "MODEL_QUALITY", "problem_type": "BinaryClassification",
            "dataset_format": "{\"sagemakerMergeJson\":{\"captureIndexNames\":[\"endpointOutput\"]}}",
            "dataset_source": "/opt/ml/processing/input_data",
            "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
            "output_path": "/opt/ml/processing/output",
            "start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T01:00:00Z", "metric_time": "2026-01-01T00:00:00Z",
            "publish_cloudwatch_metrics": "Enabled",
            "sagemaker_endpoint_name": "churn", "sagemaker_monitoring_schedule_name": "quality",
            "monitoring_input_type": "ENDPOINT_INPUT",
            "inference_attribute": "prediction", "probability_attribute": "0", "probability_threshold_attribute": "0.8"},
    });
    assert_eq!(request, expected);
    let rows = world.rows("quality").await;
    assert_eq!(rows.len(), 1, "one execution, not two");
    assert_eq!(
        (rows[0].status, rows[0].processing_job_arn.as_ref()),
        (ExecutionStatus::InProgress, Some(&analysis.arn))
    );
    let last = world.describe("quality").await.last_execution.unwrap();
    assert_eq!(last.processing_job_arn.as_ref(), Some(&analysis.arn));

    let execution = get(&world, &format!("/_watchkeeper/executions/{}", rows[0].key.replace('/', "~"))).await;
    let counts = json!({"captures": 10, "labels": 7, "matched": 6, "labels_without_capture": 1, "out_of_window": 0});
    assert_eq!(execution["execution"]["merge"]["counts"], counts);
    assert_eq!(execution["execution"]["merge"]["job"], merge.name());
    world.end_job(BAD).await;
    let row = world.rows("quality").await.remove(0);
    assert_eq!(row.status, ExecutionStatus::CompletedWithViolations);
    assert_eq!(world.describe("quality").await.running, None);
    let why = get(&world, "/_watchkeeper/schedules/quality/why").await;
    let sentence = "its merge matched 6 of 10 captured records with 7 records of ground truth, see \
                    s3://b/reports/merge/_reports/2026010100-2026010100.json";
    assert!(why["sentences"].as_array().unwrap().contains(&json!(sentence)), "{why}");
}

#[tokio::test]
async fn a_side_without_objects_fails_before_any_job() {
    let world = quality_world(|_| {}).await;
    label(&world, "2026/01/01/00", "1").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    world.capture("2026/01/01/01").await;
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    let rows = world.rows("quality").await;
    let reasons: Vec<&str> = rows.iter().map(|row| row.failure_reason.as_deref().unwrap()).collect();
    assert_eq!(
        reasons,
        [
            "Job inputs had no data. No objects under s3://b/captured/churn, hours 2026/01/01/00…2026/01/01/00.",
            "Job inputs had no data. No objects under s3://b/labels, hours 2026/01/01/01…2026/01/01/01.",
        ]
    );
    assert!(rows.iter().all(|row| row.status == ExecutionStatus::Failed && row.processing_job_arn.is_none()));
    assert_eq!(rows[1].looked[1].nearest_before.as_deref(), Some("s3://b/labels/2026/01/01/00/1.jsonl"));
}

#[tokio::test]
async fn offsets_take_the_hour_of_the_end_and_labels_up_to_the_tick() {
    for (setting, label_hours) in [
        (None, vec!["05", "06", "07", "08"]),
        (Some("until_now"), vec!["05", "06", "07", "08"]),
        (Some("window"), vec!["05", "06"]),
    ] {
        let world = quality_world(|definition| {
            let input = &mut definition["ModelQualityJobInput"]["EndpointInput"];
            input["StartTimeOffset"] = json!("-PT3H");
            input["EndTimeOffset"] = json!("-PT2H");
            if let Some(setting) = setting {
                definition["ModelQualityAppSpecification"]["Environment"] =
                    json!({"watchkeeper_ground_truth_hours": setting});
            }
        })
        .await;
        for hour in 3..10 {
            world.capture(&format!("2026/01/01/{hour:02}")).await;
            label(&world, &format!("2026/01/01/{hour:02}"), "1").await;
        }
        world.set_text("2026-01-01T08:00:00Z");
        world.round().await;
        let merge = running(&world).await.remove(0);
        let mut expected: Vec<String> =
            label_hours.iter().map(|hour| format!("s3://b/labels/2026/01/01/{hour}")).collect();
        expected.extend(["05", "06"].map(|hour| format!("s3://b/captured/churn/AllTraffic/2026/01/01/{hour}")));
        assert_eq!(uris(&merge), expected);
        let environment = merge.request.environment.unwrap();
        assert_eq!(environment["WATCHKEEPER_START_TIME"], "2026-01-01T05:00:00Z");
        assert_eq!(environment["WATCHKEEPER_END_TIME"], "2026-01-01T06:00:00Z");
    }
    let world = quality_world(|definition| {
        definition["ModelQualityAppSpecification"]["Environment"] = json!({"watchkeeper_ground_truth_hours": "all"});
    })
    .await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let reason = world.rows("quality").await.remove(0).failure_reason.unwrap();
    assert!(reason.contains("watchkeeper_ground_truth_hours is `all`, write `until_now`"), "{reason}");
}

#[tokio::test]
async fn long_windows_share_the_room_for_inputs() {
    let world = quality_world_at("cron(0 0 ? * * *)", |definition| {
        definition["ModelQualityJobInput"]["EndpointInput"]["StartTimeOffset"] = json!("-P3D");
    })
    .await;
    for day in 1..4 {
        for hour in 0..24 {
            world.capture(&format!("2026/01/{day:02}/{hour:02}")).await;
            label(&world, &format!("2026/01/{day:02}/{hour:02}"), "1").await;
        }
    }
    world.set_text("2026-01-04T00:00:00Z");
    world.round().await;
    let merge = running(&world).await.remove(0);
    assert_eq!(
        named_uris(&merge),
        [
            ("groundtruth_input_1", "s3://b/labels/2026/01/01"),
            ("groundtruth_input_2", "s3://b/labels/2026/01/02"),
            ("groundtruth_input_3", "s3://b/labels/2026/01/03"),
            ("endpoint_input_1", "s3://b/captured/churn/AllTraffic/2026/01/01"),
            ("endpoint_input_2", "s3://b/captured/churn/AllTraffic/2026/01/02"),
            ("endpoint_input_3", "s3://b/captured/churn/AllTraffic/2026/01/03"),
        ]
    );
    for hour in 0..24 {
        merged(&world, &format!("2026/01/02/{hour:02}"), "{}\n", 1).await;
    }
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    assert_eq!(
        named_uris(&analysis),
        [
            ("constraints", "s3://b/baseline/constraints.json"),
            ("endpoint_input_1", "s3://b/reports/merge/churn/AllTraffic/2026/01/02"),
        ]
    );
}

#[tokio::test]
async fn batch_transforms_are_merged_by_the_manifests_of_their_output() {
    let world = quality_world(batch).await;
    world.put("batch/input/2026/01/01/00/one.json", "[]").await;
    world.put("batch/output/2026/01/01/00/one.json", "[]").await;
    label(&world, "2026/01/01/00", "1").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let merge = running(&world).await.remove(0);
    let inputs = serde_json::to_value(&merge.request.processing_inputs).unwrap();
    assert_eq!(
        inputs[1],
        input(
            "endpoint_input_1",
            "s3://b/batch/output/2026/01/01/00/one.json",
            "/opt/ml/processing/input/quality/2026/01/01/00",
            "ManifestFile"
        )
    );
    assert_eq!(merge.request.environment.unwrap()["dataset_format"], "{\"csv\":{\"header\":false}}");
    world.put("reports/merge/quality/2026/01/01/00/part-00000-x.c000.jsonl", "{}\n").await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    let inputs = serde_json::to_value(&analysis.request.processing_inputs).unwrap();
    assert_eq!(
        inputs[1],
        input(
            "endpoint_input_1",
            "s3://b/reports/merge/quality/2026/01/01/00",
            "/opt/ml/processing/input/quality/2026/01/01/00",
            "S3Prefix"
        )
    );
    let environment = analysis.request.environment.unwrap();
    assert_eq!(
        environment["dataset_format"],
        "{\"sagemakerMergeJson\":{\"captureIndexNames\":[\"batchTransformOutput\"]}}"
    );
    assert_eq!(environment["monitoring_input_type"], "BATCH_TRANSFORM_INPUT");
    assert_eq!(environment.get("sagemaker_endpoint_name"), None);
    let outputs = analysis.request.processing_output_config.unwrap().outputs;
    assert_eq!(outputs[0].s3_output.as_ref().unwrap().s3_uri, "s3://b/reports/quality/2026/01/01/01");
}

#[tokio::test]
async fn bias_is_merged_alike() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let definition: CreateModelBiasJobDefinitionRequest = serde_json::from_value(json!({
        "JobDefinitionName": "bias",
        "ModelBiasAppSpecification": {
            "ImageUri": "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-clarify-processing:1.0", "ConfigUri": "s3://b/bias/config.json"},
        "ModelBiasJobInput": {
            "EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint"},
            "GroundTruthS3Input": {"S3Uri": "s3://b/labels/"}},
        "ModelBiasJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/out", "LocalPath": "/opt/ml/processing/output"}}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
        "RoleArn": ROLE,
    }))
    .unwrap();
    let definition = define(&world, Specification::ModelBias(definition)).await;
    world.schedule_of("fair", named("bias", "ModelBias", HOURLY), Some(&definition)).await;
    world.settle().await;
    world.put("bias/config.json", "{}").await;
    begin_merge(&world).await;
    let merge = running(&world).await.remove(0);
    assert!(merge.name().starts_with("groundtruth-merge-202601010100-"));
    assert_eq!(
        merge.request.app_specification.image_uri,
        "1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-model-monitor-groundtruth-merger"
    );
    world.put("out/merge/churn/AllTraffic/2026/01/01/00/part-00000-x.c000.jsonl", "{}\n").await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0);
    assert!(analysis.name().starts_with("model-bias-monitoring-202601010100-"));
    assert_eq!(
        analysis.request.environment.unwrap()["dataset_format"],
        "{\"sagemakerMergeJson\":{\"captureIndexNames\":[\"endpointInput\",\"endpointOutput\"]}}"
    );
}

/// A world whose tick of 01:00 is merging.
pub(super) async fn merging() -> World {
    let world = quality_world(|_| {}).await;
    begin_merge(&world).await;
    world
}

/// Lets the tick of 01:00 find something on both sides.
pub(super) async fn begin_merge(world: &World) {
    world.capture("2026/01/01/00").await;
    label(world, "2026/01/01/00", "1").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
}

#[tokio::test]
async fn a_merge_that_fails_or_is_stopped_ends_the_execution() {
    let world = merging().await;
    let reason = "AlgorithmError: Error: Job inputs had no data. No captured record could be joined with ground truth: 9 \
                  captured records, 1 ground-truth records, 0 common ids, hours 2026/01/01/00…2026/01/01/00.";
    end(&world, ProcessingJobStatus::Failed, reason).await;
    let row = world.rows("quality").await.remove(0);
    assert_eq!((row.status, row.failure_reason.as_deref()), (ExecutionStatus::Failed, Some(reason)));
    assert!(running(&world).await.is_empty());
    assert_eq!(world.describe("quality").await.running, None);

    let world = merging().await;
    end(&world, ProcessingJobStatus::Stopped, "").await;
    assert_eq!(world.rows("quality").await[0].status, ExecutionStatus::Stopped);
    assert!(running(&world).await.is_empty());
}

#[tokio::test]
async fn a_stop_that_comes_as_the_merge_ends_well_keeps_the_analysis_from_starting() {
    let world = merging().await;
    let row = world.rows("quality").await.remove(0);
    let stored = world.context.resources.get(&row.key).await.unwrap().unwrap();
    let mut stopping: Versioned<watchkeeper_service::control::execution::Execution> = stored;
    stopping.resource.status = ExecutionStatus::Stopping;
    let transaction = Transaction::new().update(&stopping.resource, stopping.version);
    world.context.resources.commit(transaction).await.unwrap();
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    let row = world.rows("quality").await.remove(0);
    assert_eq!(row.status, ExecutionStatus::Stopped);
    assert!(row.merge.unwrap().analysis.is_none());
    assert!(running(&world).await.is_empty());
    assert_eq!(world.describe("quality").await.running, None);
}

/// What a client asks of `SageMaker`.
pub(super) async fn sage_maker(world: &World, operation: &str, input: Value) -> Result<Option<Value>, Error> {
    let service = SageMakerApi(Arc::clone(&world.context));
    let call = Call {
        region: REGION.to_owned(),
        account: world.context.configuration.account.clone(),
        access_key_id: "AKIAEXAMPLE".to_owned(),
        request_id: "request".to_owned(),
        now: world.context.now(),
    };
    dispatch(&service, &call, operation, input).await
}

#[tokio::test]
async fn a_client_stops_the_merge_or_the_analysis() {
    // No runner has it: it is stopped at once.
    let world = merging().await;
    let name = running(&world).await[0].name().to_owned();
    sage_maker(&world, "StopProcessingJob", json!({"ProcessingJobName": name})).await.unwrap();
    assert_eq!(world.rows("quality").await[0].status, ExecutionStatus::Stopped);
    assert!(running(&world).await.is_empty());
    let refusal = sage_maker(&world, "StopProcessingJob", json!({"ProcessingJobName": name})).await.unwrap_err();
    assert_eq!(refusal.code, "ValidationException");

    // A runner has it, and ends it.
    let world = merging().await;
    let now = world.context.now().as_millisecond();
    let resources = &world.context.resources;
    let claimed = resources.claim::<ProcessingJob>(&[], "runner", now, now + 60_000, 1).await.unwrap();
    let name = claimed[0].resource.name();
    sage_maker(&world, "StopProcessingJob", json!({"ProcessingJobName": name})).await.unwrap();
    assert_eq!(world.rows("quality").await[0].status, ExecutionStatus::Stopping);
    end(&world, ProcessingJobStatus::Stopped, "").await;
    assert_eq!(world.rows("quality").await[0].status, ExecutionStatus::Stopped);
    assert!(running(&world).await.is_empty());

    // The second job, by what the execution says to be its job.
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    let list = sage_maker(&world, "ListMonitoringExecutions", json!({"MonitoringScheduleName": "quality"})).await;
    let list = list.unwrap().unwrap();
    let arn = list["MonitoringExecutionSummaries"][0]["ProcessingJobArn"].as_str().unwrap();
    let name = arn.rsplit('/').next().unwrap();
    assert!(name.starts_with("model-quality-monitoring-"), "{name}");
    sage_maker(&world, "StopProcessingJob", json!({"ProcessingJobName": name})).await.unwrap();
    let row = world.rows("quality").await.remove(0);
    assert_eq!((row.status, row.labels_used()), (ExecutionStatus::Stopped, None));
}

#[tokio::test]
async fn the_end_of_a_merge_starts_one_analysis_however_often_it_is_told() {
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    let mut merge = world.running_job().await;
    merge.resource.status = ProcessingJobStatus::Completed;
    let others = [world.another(), world.another()];
    let calls = others.iter().map(|context| job_ended(context, &merge, Vec::new()));
    for result in futures::future::join_all(calls).await {
        result.unwrap();
    }
    job_ended(&world.context, &merge, Vec::new()).await.unwrap();
    assert_eq!(running(&world).await.len(), 1);
    assert_eq!(world.jobs().await.len(), 2);
}

#[tokio::test]
async fn a_service_that_starts_again_between_the_two_jobs_finds_the_second() {
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    // What the service does when it starts: nothing is due but the job, which waits for a runner.
    let again = world.another();
    Scheduler::new(again).round().await.unwrap();
    assert_eq!(running(&world).await.len(), 1);
    world.end_job(GOOD).await;
    let rows = world.rows("quality").await;
    assert_eq!((rows.len(), rows[0].status), (1, ExecutionStatus::Completed));
}

#[tokio::test]
async fn a_merge_whose_end_was_committed_alone_goes_on_at_the_next_tick() {
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    let merge = world.running_job().await;
    let done = ProcessingJob { status: ProcessingJobStatus::Completed, ..merge.resource };
    world.context.resources.commit(Transaction::new().update(&done, merge.version)).await.unwrap();
    world.set_text("2026-01-01T02:00:00Z");
    world.round().await;
    let running = running(&world).await;
    assert_eq!(running.len(), 1);
    assert!(running[0].name().starts_with("model-quality-monitoring-202601010100-"));
    let outcomes: Vec<_> = world.rows("quality").await.iter().map(|row| format!("{:?}", row.outcome)).collect();
    assert_eq!(outcomes, ["Started", "Skipped"]);
}

#[tokio::test]
async fn the_analysis_has_the_time_that_the_merge_left() {
    for (took, left) in [(600, 1200), (1790, 60), (5000, 60)] {
        let world = merging().await;
        let mut merge = world.running_job().await;
        let started = ProcessingJob { started: Some(moment("2026-01-01T01:00:00Z").into()), ..merge.resource.clone() };
        world.context.resources.commit(Transaction::new().update(&started, merge.version)).await.unwrap();
        merged(&world, "2026/01/01/00", "{}\n", 1).await;
        world.set(moment("2026-01-01T01:00:00Z") + jiff::SignedDuration::from_secs(took));
        merge = world.running_job().await;
        merge.resource.status = ProcessingJobStatus::Completed;
        merge.resource.ended = Some(world.context.now().into());
        job_ended(&world.context, &merge, Vec::new()).await.unwrap();
        let analysis = running(&world).await.remove(0);
        assert_eq!(analysis.request.stopping_condition.unwrap().max_runtime_in_seconds, left, "{took}");
    }
}

#[tokio::test]
async fn a_schedule_that_is_updated_while_it_merges_analyses_what_was_planned() {
    let world = merging().await;
    let other = model_quality(&world, |definition| {
        definition["JobDefinitionName"] = json!("other");
        definition["ModelQualityAppSpecification"]["ProblemType"] = json!("Regression");
        definition["ModelQualityJobOutputConfig"]["MonitoringOutputs"][0]["S3Output"]["S3Uri"] =
            json!("s3://b/elsewhere");
    })
    .await;
    let stored = world.context.resources.get::<MonitoringSchedule>("quality").await.unwrap().unwrap();
    let config = serde_json::from_value(named("other", "ModelQuality", HOURLY)).unwrap();
    let references = watchkeeper_service::control::schedule::config::References {
        definition: Some(&other),
        ..watchkeeper_service::control::schedule::config::References::default()
    };
    let updated = stored.resource.update(config, &references, world.context.now()).unwrap();
    world.context.resources.commit(Transaction::new().update(&updated, stored.version)).await.unwrap();
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    let analysis = running(&world).await.remove(0).request;
    assert_eq!(analysis.environment.unwrap()["problem_type"], "BinaryClassification");
    let outputs = analysis.processing_output_config.unwrap().outputs;
    assert_eq!(outputs[0].s3_output.as_ref().unwrap().s3_uri, "s3://b/reports/churn/quality/2026/01/01/01");
    world.end_job(GOOD).await;
    world.settle().await;
    assert_eq!(world.describe("quality").await.running, None);
}

#[tokio::test]
async fn a_schedule_cannot_be_deleted_while_it_merges_nor_between_the_two_jobs() {
    let world = merging().await;
    let refusal = world.describe("quality").await.delete(world.context.now()).unwrap_err();
    assert!(refusal.message.contains("cannot be deleted while a monitoring execution is in progress"));
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    assert!(world.describe("quality").await.delete(world.context.now()).is_err());
    world.end_job(GOOD).await;
    assert!(world.describe("quality").await.delete(world.context.now()).unwrap().is_some());
}

#[tokio::test]
async fn a_merge_that_leaves_nothing_in_the_window_is_said() {
    let world = merging().await;
    world.end_job("").await;
    let row = world.rows("quality").await.remove(0);
    assert_eq!(
        row.failure_reason.as_deref(),
        Some("Job inputs had no data. No objects under s3://b/reports/merge/churn, hours 2026/01/01/00…2026/01/01/00.")
    );
}

#[tokio::test]
async fn a_run_of_an_operator_takes_labels_up_to_now() {
    let world = merging().await;
    merged(&world, "2026/01/01/00", "{}\n", 1).await;
    world.end_job("").await;
    world.end_job(GOOD).await;
    label(&world, "2026/01/01/05", "2").await;
    world.set_text("2026-01-01T05:30:00Z");
    let window = json!({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z"});
    call(&world, http::Method::POST, "/_watchkeeper/schedules/quality/run", window).await;
    world.round().await;
    let merge = running(&world).await.remove(0);
    let expected = [
        "s3://b/labels/2026/01/01/00",
        "s3://b/labels/2026/01/01/05",
        "s3://b/captured/churn/AllTraffic/2026/01/01/00",
    ];
    assert_eq!(uris(&merge), expected);
}
