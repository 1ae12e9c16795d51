//! Monitors where they do better than Python, or what no recording of Python can show: refusals half-way, waits that end without
//! what they waited for, and what is kept of a schedule that is changed.

use std::sync::Mutex;

use serde_json::{Value, json};
use watchkeeper::model_monitor::{
    CronExpressionGenerator, DefaultModelMonitor, ModelMonitor, ModelQualityMonitor, MonitoringAlertStatus,
    MonitoringOutput, MonitoringType,
};
use watchkeeper::{Error, S3Uri};

use crate::stub::{Answer, Request, Stub};

const ROLE: &str = "arn:aws:iam::123456789012:role/monitoring";

/// What `DescribeMonitoringSchedule` says of the schedule `nightly`.
fn schedule(status: &str, config: &Value) -> Answer {
    Answer::json(&json!({
        "MonitoringScheduleArn": "arn:aws:sagemaker:eu-central-1:123456789012:monitoring-schedule/nightly",
        "MonitoringScheduleName": "nightly",
        "MonitoringScheduleStatus": status,
        "CreationTime": 1_790_000_000.25,
        "LastModifiedTime": 1_790_000_000.5,
        "MonitoringScheduleConfig": config,
        "NewMember": {"Kept": true},
    }))
}

/// The configuration of a schedule whose jobs have a definition.
fn config_with_definition(kind: &str) -> Value {
    json!({
        "MonitoringJobDefinitionName": "the-definition",
        "MonitoringType": kind,
        "ScheduleConfig": {"ScheduleExpression": "cron(0 * ? * * *)"},
    })
}

/// What `DescribeModelQualityJobDefinition` and its sisters say.
fn definition(kind: &str) -> Value {
    let mut definition = json!({
        "JobDefinitionName": "the-definition",
        "RoleArn": ROLE,
        "JobResources": {"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 50}},
        "NetworkConfig": {"EnableNetworkIsolation": true, "VpcConfig": {"SecurityGroupIds": ["sg"], "Subnets": ["subnet"]}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
    });
    definition[format!("{kind}AppSpecification")] =
        json!({"ImageUri": "old/image", "ProblemType": "Regression", "Environment": {"own": "1"}});
    definition[format!("{kind}BaselineConfig")] = json!({"BaseliningJobName": "baseline"});
    definition[format!("{kind}JobInput")] = json!({
        "EndpointInput": {"EndpointName": "old", "LocalPath": "/opt/ml/processing/input/endpoint", "Unknown": "kept"},
        "GroundTruthS3Input": {"S3Uri": "s3://bucket/truth"},
    });
    definition[format!("{kind}JobOutputConfig")] = json!({
        "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://bucket/results", "LocalPath": "/opt/ml/processing/output"}}],
        "KmsKeyId": "output-key",
    });
    definition
}

/// A schedule that says itself what its jobs are.
fn embedded_config() -> Value {
    json!({"MonitoringJobDefinition": {
        "RoleArn": ROLE,
        "MonitoringInputs": [{"EndpointInput": {"EndpointName": "old", "LocalPath": "/opt/ml/processing/input/endpoint"}}],
        "MonitoringOutputConfig": {
            "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://bucket/results", "LocalPath": "/opt/ml/processing/output"}}],
            "KmsKeyId": "output-key",
        },
        "MonitoringResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 50}},
        "MonitoringAppSpecification": {"ImageUri": "own/image", "ContainerEntrypoint": ["run"]},
        "BaselineConfig": {
            "BaseliningJobName": "baseline",
            "ConstraintsResource": {"S3Uri": "s3://bucket/constraints.json"},
        },
    }})
}

fn not_found() -> Answer {
    Answer::error(400, "ResourceNotFound", "Monitoring Schedule nightly not found")
}

fn no_tags() -> Answer {
    Answer::json(&json!({"Tags": []}))
}

/// A service that answers operations as `answer` does; what that has no answer for has no tags and is an empty object.
fn service(answer: impl Fn(&str, &Request) -> Option<Answer> + Send + Sync + 'static) -> Stub {
    Stub::start(move |request| {
        let operation = request.operation();
        answer(&operation, request)
            .unwrap_or_else(|| if operation == "ListTags" { no_tags() } else { Answer::json(&json!({})) })
    })
}

/// The same with a schedule of a model quality monitor, in this status.
fn quality_service(
    status: &'static str,
    answer: impl Fn(&str, &Request) -> Option<Answer> + Send + Sync + 'static,
) -> Stub {
    service(move |operation, request| {
        answer(operation, request).or_else(|| match operation {
            "DescribeMonitoringSchedule" => Some(schedule(status, &config_with_definition("ModelQuality"))),
            "DescribeModelQualityJobDefinition" => Some(Answer::json(&definition("ModelQuality"))),
            _ => None,
        })
    })
}

/// The inputs of the requests for an operation.
fn inputs(stub: &Stub, operation: &str) -> Vec<Value> {
    let requests = stub.requests();
    requests.iter().filter(|request| request.operation() == operation).map(Request::json).collect()
}

async fn attached_quality_monitor(stub: &Stub) -> ModelQualityMonitor {
    ModelQualityMonitor::attach(&stub.session(), "nightly").await.unwrap()
}

#[tokio::test]
async fn a_deletion_that_ended_half_way_goes_on_from_there() {
    let looks = Mutex::new(0);
    let stub = quality_service("Pending", move |operation, _| {
        if operation != "DescribeMonitoringSchedule" {
            return None;
        }
        let mut looks = looks.lock().unwrap();
        *looks += 1;
        // The first look is that of `attach`, the next 36 are all that a deletion waits for.
        (*looks > 37).then(not_found)
    });
    let mut monitor = attached_quality_monitor(&stub).await;
    let error = monitor.delete_monitoring_schedule().await.unwrap_err();
    let Error::StillWaiting { resource, status, .. } = &error else { panic!("{error}") };
    assert_eq!((resource.as_str(), status.as_str()), ("monitoring schedule nightly", "Pending"));
    assert_eq!(monitor.monitoring_schedule_name(), Some("nightly"));
    assert_eq!(inputs(&stub, "DeleteModelQualityJobDefinition"), [] as [Value; 0]);

    monitor.delete_monitoring_schedule().await.unwrap();
    assert_eq!(inputs(&stub, "DeleteMonitoringSchedule"), [json!({"MonitoringScheduleName": "nightly"})]);
    assert_eq!(inputs(&stub, "DeleteModelQualityJobDefinition"), [json!({"JobDefinitionName": "the-definition"})]);
    assert_eq!((monitor.monitoring_schedule_name(), monitor.job_definition_name()), (None, None));
    let error = monitor.delete_monitoring_schedule().await.unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "monitoring_schedule_name", .. }), "{error}");
}

#[tokio::test]
async fn an_update_whose_wait_ends_without_result_keeps_the_definition_that_the_schedule_uses() {
    let stub = quality_service("Pending", |_, _| None);
    let mut monitor = attached_quality_monitor(&stub).await;
    let error = monitor.update_monitoring_schedule().instance_count(7).await.unwrap_err();
    assert!(matches!(error, Error::StillWaiting { .. }), "{error}");
    let created = inputs(&stub, "CreateModelQualityJobDefinition");
    assert_eq!(created[0]["JobDefinitionName"].as_str(), monitor.job_definition_name());
    assert_eq!(monitor.settings().instance_count, 7);
    assert_eq!(inputs(&stub, "DeleteModelQualityJobDefinition"), [] as [Value; 0]);
}

#[tokio::test]
async fn an_update_that_is_refused_leaves_the_monitor_as_it_was() {
    let stub = quality_service("Scheduled", |operation, _| match operation {
        "UpdateMonitoringSchedule" => Some(Answer::error(400, "ResourceLimitExceeded", "too many instances")),
        _ => None,
    });
    let mut monitor = attached_quality_monitor(&stub).await;
    let error = monitor.update_monitoring_schedule().instance_count(7).await.unwrap_err();
    assert_eq!(error.to_string(), "UpdateMonitoringSchedule of nightly: ResourceLimitExceeded: too many instances");
    let created = inputs(&stub, "CreateModelQualityJobDefinition");
    assert_eq!(
        inputs(&stub, "DeleteModelQualityJobDefinition"),
        [json!({"JobDefinitionName": created[0]["JobDefinitionName"]})]
    );
    assert_eq!(monitor.job_definition_name(), Some("the-definition"));
    assert_eq!(monitor.settings().instance_count, 2);
}

#[tokio::test]
async fn an_update_sends_back_what_it_does_not_change_as_it_came() {
    let stub = quality_service("Scheduled", |_, _| None);
    let mut monitor = attached_quality_monitor(&stub).await;
    monitor.update_monitoring_schedule().volume_size_in_gb(60).await.unwrap();
    let was = definition("ModelQuality");
    let created = &inputs(&stub, "CreateModelQualityJobDefinition")[0];
    for member in ["ModelQualityJobInput", "ModelQualityJobOutputConfig", "ModelQualityBaselineConfig", "NetworkConfig"]
    {
        assert_eq!(created[member], was[member], "{member}");
    }
    assert_eq!(
        created["JobResources"],
        json!({"ClusterConfig": {"InstanceCount": 2, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 60}})
    );

    monitor.update_monitoring_schedule().endpoint_input("new").await.unwrap();
    let created = &inputs(&stub, "CreateModelQualityJobDefinition")[1];
    assert_eq!(
        created["ModelQualityJobInput"],
        json!({
            "EndpointInput": {
                "EndpointName": "new",
                "LocalPath": "/opt/ml/processing/input/endpoint",
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
            },
            "GroundTruthS3Input": {"S3Uri": "s3://bucket/truth"},
        })
    );
}

#[tokio::test]
async fn a_one_time_schedule_without_times_is_refused_before_anything_is_sent() {
    let stub = quality_service("Scheduled", |_, _| None);
    let mut monitor = attached_quality_monitor(&stub).await;
    let sent = stub.requests().len();
    let request = monitor.update_monitoring_schedule().schedule_cron_expression(CronExpressionGenerator::now());
    let error = request.instance_count(3).await.unwrap_err();
    assert!(error.to_string().contains("Both data_analysis_start_time and data_analysis_end_time"), "{error}");
    assert_eq!(stub.requests().len(), sent);
}

#[tokio::test]
async fn an_embedded_definition_keeps_its_key_its_constraints_and_its_baseline() {
    let stub = service(|operation, _| match operation {
        "DescribeMonitoringSchedule" => Some(schedule("Scheduled", &embedded_config())),
        _ => None,
    });
    let mut monitor = ModelMonitor::attach(&stub.session(), "nightly").await.unwrap();
    assert_eq!(monitor.image_uri(), "own/image");
    let output = MonitoringOutput::new("/opt/output").destination("s3://bucket/new".parse::<S3Uri>().unwrap());
    monitor
        .update_monitoring_schedule()
        .output(output)
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .await
        .unwrap();
    monitor.update_monitoring_schedule().output_kms_key("new-key").await.unwrap();

    let updates = inputs(&stub, "UpdateMonitoringSchedule");
    let mut expected = embedded_config();
    expected["ScheduleConfig"] = json!({"ScheduleExpression": "cron(0 * ? * * *)"});
    expected["MonitoringJobDefinition"]["MonitoringOutputConfig"]["MonitoringOutputs"] = json!([{"S3Output": {
        "S3Uri": "s3://bucket/new", "LocalPath": "/opt/output", "S3UploadMode": "Continuous",
    }}]);
    assert_eq!(updates[0]["MonitoringScheduleConfig"], expected);
    let mut expected = embedded_config();
    expected["MonitoringJobDefinition"]["MonitoringOutputConfig"]["KmsKeyId"] = json!("new-key");
    assert_eq!(updates[1]["MonitoringScheduleConfig"], expected);
    assert_eq!(monitor.settings().output_kms_key.as_deref(), Some("new-key"));
}

#[tokio::test]
async fn settings_of_an_embedded_definition_count_once_the_service_took_them() {
    let stub = service(|operation, _| match operation {
        "DescribeMonitoringSchedule" => Some(schedule("Scheduled", &embedded_config())),
        "UpdateMonitoringSchedule" => Some(Answer::error(400, "ValidationException", "no")),
        _ => None,
    });
    let mut monitor = ModelMonitor::attach(&stub.session(), "nightly").await.unwrap();
    let error = monitor.update_monitoring_schedule().instance_count(9).image_uri("other/image").await.unwrap_err();
    assert_eq!(error.code(), Some("ValidationException"));
    assert_eq!((monitor.settings().instance_count, monitor.image_uri()), (1, "own/image"));
}

#[tokio::test]
async fn attaching_reads_all_of_the_settings_and_all_pages_of_tags() {
    let stub = service(|operation, request| match operation {
        "DescribeMonitoringSchedule" => Some(schedule("Scheduled", &config_with_definition("DataQuality"))),
        "DescribeDataQualityJobDefinition" => Some(Answer::json(&definition("DataQuality"))),
        "ListTags" if request.json().get("NextToken").is_none() => {
            let tags = json!([{"Key": "team", "Value": "churn"}, {"Key": "aws:createdBy", "Value": "root"}]);
            Some(Answer::json(&json!({"Tags": tags, "NextToken": "more"})))
        }
        "ListTags" => Some(Answer::json(&json!({"Tags": [{"Key": "stage", "Value": "test"}]}))),
        _ => None,
    });
    let monitor = DefaultModelMonitor::attach(&stub.session(), "nightly").await.unwrap();
    let settings = monitor.settings();
    assert_eq!(settings.role, ROLE);
    assert_eq!((settings.instance_count, settings.instance_type.as_str()), (2, "ml.m5.large"));
    assert_eq!((settings.volume_size_in_gb, settings.max_runtime_in_seconds), (50, Some(1800)));
    assert_eq!(settings.output_kms_key.as_deref(), Some("output-key"));
    assert_eq!(settings.env.as_ref().unwrap()["own"], "1");
    let network = settings.network_config.as_ref().unwrap();
    assert!(network.enable_network_isolation);
    assert_eq!(network.encrypt_inter_container_traffic, None);
    let tags: Vec<_> = settings.tags.iter().flatten().map(|tag| (tag.key.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("team", "churn"), ("stage", "test")]);

    let description = monitor.describe_schedule().await.unwrap();
    assert_eq!(description.monitoring_schedule_config.monitoring_type, Some(MonitoringType::DataQuality));
    assert_eq!(description.creation_time.epoch_seconds(), 1_790_000_000.25);
    assert_eq!(description.other["NewMember"], json!({"Kept": true}));
}

#[tokio::test]
async fn a_monitor_attaches_to_schedules_of_its_kind_alone() {
    let stub = service(|operation, request| match (operation, request.json()["MonitoringScheduleName"].as_str()) {
        ("DescribeMonitoringSchedule", Some("embedded")) => Some(schedule("Scheduled", &embedded_config())),
        ("DescribeMonitoringSchedule", _) => Some(schedule("Scheduled", &config_with_definition("ModelBias"))),
        _ => None,
    });
    let session = stub.session();
    let told = |error: Error| error.to_string();
    assert_eq!(
        told(DefaultModelMonitor::attach(&session, "nightly").await.unwrap_err()),
        "monitor_schedule_name: DefaultModelMonitor can only attach to Data quality monitoring schedule: nightly watches ModelBias"
    );
    assert_eq!(
        told(ModelQualityMonitor::attach(&session, "embedded").await.unwrap_err()),
        "monitor_schedule_name: ModelQualityMonitor can only attach to ModelQuality monitoring schedule: embedded says itself what its jobs are"
    );
    let error = told(ModelMonitor::attach(&session, "nightly").await.unwrap_err());
    assert!(error.contains("nightly uses job definition the-definition"), "{error}");
    let monitor = DefaultModelMonitor::attach(&session, "embedded").await.unwrap();
    assert_eq!((monitor.monitoring_schedule_name(), monitor.job_definition_name()), (Some("embedded"), None));
}

#[tokio::test]
async fn calls_without_a_schedule_are_refused_before_anything_is_sent() {
    let stub = service(|_, _| None);
    let session = stub.session();
    let mut monitor = DefaultModelMonitor::new(&session, ROLE);
    let refused = [
        monitor.start_monitoring_schedule().await.unwrap_err(),
        monitor.stop_monitoring_schedule().await.unwrap_err(),
        monitor.describe_schedule().await.unwrap_err(),
        monitor.list_executions().await.unwrap_err(),
        monitor.latest_monitoring_statistics().await.unwrap_err(),
        monitor.get_latest_execution_logs().await.unwrap_err(),
        monitor.update_monitoring_alert("alert", 1, 1).await.unwrap_err(),
        monitor.update_monitoring_schedule().instance_count(2).await.unwrap_err(),
        monitor.delete_monitoring_schedule().await.unwrap_err(),
        monitor.baseline_statistics().await.unwrap_err(),
        monitor.describe_latest_baselining_job().await.unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, Error::Argument { .. }), "{error}");
    }
    assert_eq!(monitor.list_monitoring_alerts().await.unwrap(), (vec![], None));
    assert_eq!(stub.operations(), [] as [String; 0]);
    let error = DefaultModelMonitor::new(&session, "")
        .create_monitoring_schedule("churn")
        .output_s3_uri("s3://b/o".parse::<S3Uri>().unwrap())
        .await;
    assert!(error.unwrap_err().to_string().contains("An AWS IAM role is required"));
    assert_eq!(stub.operations(), [] as [String; 0]);
}

#[tokio::test]
async fn alerts_come_in_pages() {
    let stub = quality_service("Scheduled", |operation, request| match operation {
        "ListMonitoringAlertHistory" => {
            let is_last = request.json().get("NextToken").is_some();
            let change = json!({
                "MonitoringScheduleName": "nightly",
                "MonitoringAlertName": "alert",
                "CreationTime": 1_790_000_000,
                "AlertStatus": if is_last { "OK" } else { "InAlert" },
            });
            let mut page = json!({"MonitoringAlertHistory": [change]});
            if !is_last {
                page["NextToken"] = json!("second");
            }
            Some(Answer::json(&page))
        }
        _ => None,
    });
    let monitor = attached_quality_monitor(&stub).await;
    let (first, token) = monitor.list_monitoring_alert_history().max_results(1).await.unwrap();
    assert_eq!(first[0].alert_status, MonitoringAlertStatus::InAlert);
    let (second, end) =
        monitor.list_monitoring_alert_history().max_results(1).next_token(token.unwrap()).await.unwrap();
    assert_eq!((second[0].alert_status.clone(), end), (MonitoringAlertStatus::Ok, None));
    assert_eq!(inputs(&stub, "ListMonitoringAlertHistory")[1]["NextToken"], "second");
}
