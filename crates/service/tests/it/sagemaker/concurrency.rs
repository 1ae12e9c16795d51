//! Many requests at once: one name has one owner, no change is lost, and nothing refers to what is gone.

use futures::future::join_all;
use serde_json::json;

use super::{Api, ROLE, cluster, endpoint_input, job_request, output_config};

const AT_ONCE: usize = 24;

fn definition(name: &str) -> serde_json::Value {
    json!({
        "JobDefinitionName": name,
        "DataQualityAppSpecification": { "ImageUri": "sagemaker-model-monitor-analyzer" },
        "DataQualityJobInput": endpoint_input(),
        "DataQualityJobOutputConfig": output_config(),
        "JobResources": cluster(),
        "RoleArn": ROLE,
    })
}

fn schedule(name: &str, definition: &str) -> serde_json::Value {
    json!({ "MonitoringScheduleName": name, "MonitoringScheduleConfig": {
        "MonitoringJobDefinitionName": definition, "MonitoringType": "DataQuality",
    } })
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_gets_the_name() {
    let api = Api::new().await;
    let answers = join_all((0..AT_ONCE).map(|_| api.call("CreateProcessingJob", job_request("Same")))).await;
    let refusals: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert_eq!(refusals.len(), AT_ONCE - 1);
    assert!(refusals.iter().all(|error| error.code == "ResourceInUse"), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_tag_is_lost() {
    let api = Api::new().await;
    let arn = api.ok("CreateProcessingJob", job_request("Tagged")).await["ProcessingJobArn"].clone();
    let add = |index| json!({ "ResourceArn": arn, "Tags": [{ "Key": format!("key-{index}"), "Value": "" }] });
    join_all((0..AT_ONCE).map(|index| api.ok("AddTags", add(index)))).await;
    let listed = api.ok("ListTags", json!({ "ResourceArn": arn })).await;
    assert_eq!(listed["Tags"].as_array().unwrap().len(), AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_schedules_of_one_definition() {
    let api = Api::new().await;
    api.ok("CreateDataQualityJobDefinition", definition("shared")).await;
    let names: Vec<String> = (0..AT_ONCE).map(|index| format!("schedule-{index}")).collect();
    join_all(names.iter().map(|name| api.ok("CreateMonitoringSchedule", schedule(name, "shared")))).await;
    let listed = api.ok("ListMonitoringSchedules", json!({ "MaxResults": 100 })).await;
    assert_eq!(listed["MonitoringScheduleSummaries"].as_array().unwrap().len(), AT_ONCE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_is_deleted_or_used_never_both() {
    let api = Api::new().await;
    for index in 0..AT_ONCE {
        let name = format!("d-{index}");
        api.ok("CreateDataQualityJobDefinition", definition(&name)).await;
        let (used, deleted) = tokio::join!(
            api.call("CreateMonitoringSchedule", schedule(&name, &name)),
            api.call("DeleteDataQualityJobDefinition", json!({ "JobDefinitionName": name })),
        );
        assert!(used.is_ok() != deleted.is_ok(), "{used:?} {deleted:?}");
        let is_there = api.call("DescribeDataQualityJobDefinition", json!({ "JobDefinitionName": name })).await.is_ok();
        assert_eq!(is_there, used.is_ok());
    }
}
