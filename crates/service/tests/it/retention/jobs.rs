//! Jobs of clients, and asynchronous invocations.

use serde_json::json;
use watchkeeper_aws::generated::sagemaker::{CreateDataQualityJobDefinitionRequest, ProcessingJobStatus};
use watchkeeper_service::configuration::RetentionSettings;
use watchkeeper_service::control::async_invocation::{AsyncInvocation, AsyncRequest};
use watchkeeper_service::control::job_definition::{JobDefinition, Specification};
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;

use super::{insert, job, keys, nothing, sweep_with};
use crate::scheduler::world::{IMAGE, REGION, ROLE, World, embedded};

const DONE: ProcessingJobStatus = ProcessingJobStatus::Completed;

/// A definition of data quality that compares with this baseline.
async fn define(world: &World, name: &str, baseline: serde_json::Value) {
    let request = json!({
        "JobDefinitionName": name,
        "DataQualityBaselineConfig": baseline,
        "DataQualityAppSpecification": {"ImageUri": IMAGE},
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": "churn", "LocalPath": "/opt/ml/processing/input"}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [
            {"S3Output": {"S3Uri": "s3://b/reports", "LocalPath": "/opt/ml/processing/output"}}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
        "RoleArn": ROLE,
    });
    let request: CreateDataQualityJobDefinitionRequest = serde_json::from_value(request).unwrap();
    let baselining = world.jobs().await.pop().map(|found| found.resource);
    let specification = Specification::DataQuality(request);
    let definition = JobDefinition::create(specification, baselining.as_ref(), &world.context.stamp(REGION)).unwrap();
    insert(&world.context, &definition).await;
}

#[tokio::test]
async fn a_job_that_made_a_baseline_stays_while_something_compares_with_it() {
    let world = World::at("2026-01-01T00:00:00Z").await;
    let context = &world.context;
    for (name, output) in [
        ("named-by-definition", "s3://b/one"),
        ("named-by-schedule", "s3://b/two"),
        ("wrote-for-definition", "s3://b/three"),
        ("wrote-for-schedule", "s3://b/four/"),
        ("other", "s3://b/three/deeper"),
        ("another", "s3://b/five"),
    ] {
        insert(context, &job(context, name, output, DONE, None)).await;
    }
    define(&world, "by-name", json!({"BaseliningJobName": "Named-By-Definition"})).await;
    define(&world, "by-address", json!({"ConstraintsResource": {"S3Uri": "s3://b/three/constraints.json"}})).await;
    for (name, baseline) in [
        ("by-name", json!({"BaseliningJobName": "named-by-schedule"})),
        ("by-address", json!({"ConstraintsResource": {"S3Uri": "s3://b/four/constraints.json"}})),
    ] {
        world.schedule(name, embedded("cron(0 * ? * * *)")).await;
        let stored = context.resources.get::<MonitoringSchedule>(name).await.unwrap().unwrap();
        let mut schedule = stored.resource;
        let definition = schedule.config.monitoring_job_definition.as_mut().unwrap();
        definition.baseline_config = Some(serde_json::from_value(baseline).unwrap());
        context.resources.commit(Transaction::new().update(&schedule, stored.version)).await.unwrap();
    }
    world.set_text("2026-06-01T00:00:00Z");
    let settings = RetentionSettings { job_days: 10, ..nothing() };
    assert_eq!(sweep_with(&world, settings).await.jobs, 2);
    let left = keys::<ProcessingJob>(context).await;
    let expected = ["named-by-definition", "named-by-schedule", "wrote-for-definition", "wrote-for-schedule"];
    assert!(left.iter().eq(expected.iter()), "{left:?}");
}

#[tokio::test]
async fn an_invocation_that_nobody_carried_out_goes_when_it_is_over_for_long() {
    let world = World::at("2026-01-01T00:00:00Z").await;
    let folder = "s3://b/out".parse().unwrap();
    let request = AsyncRequest { endpoint: "churn".to_owned(), ..AsyncRequest::default() };
    let stamp = world.context.stamp(REGION);
    let invocation = AsyncInvocation::create(request, b"1,2", &json!({}), &folder, &stamp).unwrap();
    insert(&world.context, &invocation).await;
    let settings = RetentionSettings { job_days: 1, ..nothing() };
    // It is over after six hours.
    world.set_text("2026-01-02T05:59:59Z");
    assert_eq!(sweep_with(&world, settings.clone()).await.jobs, 0);
    world.set_text("2026-01-02T06:00:00Z");
    assert_eq!(sweep_with(&world, settings).await.jobs, 1);
}
