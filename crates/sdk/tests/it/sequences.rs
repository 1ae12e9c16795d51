//! Calls one after another, some of which end half-way: against a service that keeps schedules and job definitions, and refuses
//! to delete a definition that a schedule uses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use watchkeeper::documents::ConstraintsBody;
use watchkeeper::model_monitor::{
    Constraints, CronExpressionGenerator, DatasetFormat, DefaultModelMonitor, ModelQualityMonitor, MonitoredInput,
    ProblemType,
};
use watchkeeper::predictor::{EndpointMonitor, Predictor};
use watchkeeper::processing::Wait;
use watchkeeper::{Error, S3Uri, Session};

use crate::stub::{Answer, Request, Stub};

const ROLE: &str = "arn:aws:iam::123456789012:role/monitoring";

/// What is done to a request in place of answering it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// It is done, and never answered.
    DoneAndSilent,
    /// It is not done, and never answered.
    Silent,
    /// It is not done, and its connection breaks.
    Broken,
}

#[derive(Default)]
struct State {
    definitions: BTreeMap<String, Value>,
    schedules: BTreeMap<String, Value>,
    jobs: Vec<String>,
    /// What happens to the next requests for an operation.
    trouble: BTreeMap<&'static str, Trouble>,
    /// The state that schedules have after a change.
    failure_reason: Option<&'static str>,
}

#[derive(Clone, Default)]
struct Service(Arc<Mutex<State>>);

impl Service {
    fn start(&self) -> Stub {
        let service = self.clone();
        Stub::start(move |request| service.answer(request))
    }

    fn trouble(&self, operation: &'static str, trouble: impl Into<Option<Trouble>>) {
        let mut state = self.0.lock().unwrap();
        match trouble.into() {
            Some(trouble) => drop(state.trouble.insert(operation, trouble)),
            None => drop(state.trouble.remove(operation)),
        }
    }

    fn definitions(&self) -> Vec<String> {
        self.0.lock().unwrap().definitions.keys().cloned().collect()
    }

    fn schedules(&self) -> Vec<String> {
        self.0.lock().unwrap().schedules.keys().cloned().collect()
    }

    fn answer(&self, request: &Request) -> Answer {
        let operation = request.operation();
        let trouble = self.0.lock().unwrap().trouble.get(operation.as_str()).copied();
        match trouble {
            Some(Trouble::DoneAndSilent) => {
                self.carry_out(&operation, &request.json());
                Answer::silent()
            }
            Some(Trouble::Silent) => Answer::silent(),
            Some(Trouble::Broken) => Answer::broken(),
            None => self.carry_out(&operation, &request.json()),
        }
    }

    fn carry_out(&self, operation: &str, input: &Value) -> Answer {
        let mut state = self.0.lock().unwrap();
        let definition = input["JobDefinitionName"].as_str().unwrap_or_default().to_owned();
        let schedule = input["MonitoringScheduleName"].as_str().unwrap_or_default().to_owned();
        match operation {
            "CreateProcessingJob" => {
                state.jobs.push(input["ProcessingJobName"].as_str().unwrap().to_owned());
                Answer::json(&json!({"ProcessingJobArn": "arn"}))
            }
            "CreateMonitoringSchedule" | "UpdateMonitoringSchedule" => {
                let mut described = json!({
                    "MonitoringScheduleName": schedule,
                    "MonitoringScheduleArn": format!("arn:aws:sagemaker:eu-central-1:123456789012:monitoring-schedule/{schedule}"),
                    "MonitoringScheduleStatus": if state.failure_reason.is_some() { "Failed" } else { "Scheduled" },
                    "MonitoringScheduleConfig": input["MonitoringScheduleConfig"],
                    "CreationTime": 1_790_000_000,
                    "LastModifiedTime": 1_790_000_000.0,
                });
                if let Some(reason) = state.failure_reason {
                    described["FailureReason"] = reason.into();
                }
                state.schedules.insert(schedule, described);
                Answer::json(&json!({"MonitoringScheduleArn": "arn"}))
            }
            "DescribeMonitoringSchedule" => state.schedules.get(&schedule).map_or_else(not_found, Answer::json),
            "DeleteMonitoringSchedule" => state.schedules.remove(&schedule).map_or_else(not_found, |_| Answer::empty()),
            "StartMonitoringSchedule" | "StopMonitoringSchedule" => Answer::empty(),
            "ListTags" => Answer::json(&json!({"Tags": null, "NextToken": ""})),
            operation if operation.ends_with("JobDefinition") && operation.starts_with("Create") => {
                state.definitions.insert(definition, input.clone());
                Answer::json(&json!({"JobDefinitionArn": "arn"}))
            }
            operation if operation.ends_with("JobDefinition") && operation.starts_with("Describe") => {
                state.definitions.get(&definition).map_or_else(not_found, Answer::json)
            }
            operation if operation.ends_with("JobDefinition") => {
                let uses = |schedule: &Value| {
                    schedule["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"] == definition.as_str()
                };
                if state.schedules.values().any(uses) {
                    return Answer::error(400, "ResourceInUse", "a schedule uses it");
                }
                state.definitions.remove(&definition).map_or_else(not_found, |_| Answer::empty())
            }
            other => panic!("{other}"),
        }
    }
}

fn not_found() -> Answer {
    Answer::error(400, "ResourceNotFound", "no such thing")
}

fn uri(text: &str) -> S3Uri {
    text.parse().unwrap()
}

/// Makes a schedule; all addresses are given, so that S3 is not asked.
async fn schedule(monitor: &mut DefaultModelMonitor, name: &str) -> Result<(), Error> {
    monitor
        .create_monitoring_schedule("churn")
        .monitor_schedule_name(name)
        .output_s3_uri(uri("s3://bucket/results"))
        .schedule_cron_expression(CronExpressionGenerator::hourly())
        .await
}

async fn given_up<T>(call: impl IntoFuture<Output = T>) {
    let ended = tokio::time::timeout(Duration::from_millis(300), call.into_future()).await;
    assert!(ended.is_err(), "the call was not to end");
}

#[tokio::test]
async fn a_life_of_two_baselines_and_two_updates_ends_with_nothing_but_the_older_definitions() {
    let service = Service::default();
    let stub = service.start();
    let session = stub.session();
    let mut monitor = DefaultModelMonitor::new(&session, ROLE);
    for job in ["first", "second"] {
        let baseline = monitor.suggest_baseline(uri("s3://bucket/train.csv"), DatasetFormat::csv(true));
        baseline.output_s3_uri(uri("s3://bucket/baseline")).job_name(job).wait(Wait::No).await.unwrap();
    }
    schedule(&mut monitor, "nightly").await.unwrap();
    let first = monitor.job_definition_name().unwrap().to_owned();
    assert_eq!(
        service.0.lock().unwrap().definitions[&first]["DataQualityBaselineConfig"],
        json!({"BaseliningJobName": "second"})
    );
    let error = schedule(&mut monitor, "another").await.unwrap_err().to_string();
    assert!(error.contains("already used"), "{error}");

    monitor.update_monitoring_schedule().instance_count(2).await.unwrap();
    // The name of a definition ends in the millisecond of its making: the next one has to be of another.
    tokio::time::sleep(Duration::from_millis(2)).await;
    monitor.update_monitoring_schedule().volume_size_in_gb(60).await.unwrap();
    let last = monitor.job_definition_name().unwrap().to_owned();
    let cluster = service.0.lock().unwrap().definitions[&last]["JobResources"]["ClusterConfig"].clone();
    assert_eq!((&cluster["InstanceCount"], &cluster["VolumeSizeInGB"]), (&json!(2), &json!(60)));

    // Another value of the same schedule goes on from there.
    let mut attached = DefaultModelMonitor::attach(&session, "nightly").await.unwrap();
    assert_eq!(attached.job_definition_name(), Some(last.as_str()));
    assert_eq!((attached.settings().instance_count, attached.settings().volume_size_in_gb), (2, 60));
    attached.update_monitoring_schedule().max_runtime_in_seconds(900).await.unwrap();
    attached.delete_monitoring_schedule().await.unwrap();
    assert_eq!(service.schedules(), [] as [&str; 0]);
    assert!(service.definitions().contains(&last) && !service.definitions().is_empty());

    // The first value does not know, and comes to the same end.
    monitor.delete_monitoring_schedule().await.unwrap();
    assert!(!service.definitions().contains(&last));
    assert_eq!((monitor.monitoring_schedule_name(), monitor.job_definition_name()), (None, None));
    schedule(&mut monitor, "nightly").await.unwrap();
    assert_eq!(service.schedules(), ["nightly"]);
}

#[tokio::test]
async fn what_is_gone_already_is_deleted() {
    let service = Service::default();
    let stub = service.start();
    let mut monitor = DefaultModelMonitor::new(&stub.session(), ROLE);
    schedule(&mut monitor, "nightly").await.unwrap();
    service.0.lock().unwrap().schedules.clear();
    monitor.delete_monitoring_schedule().await.unwrap();
    assert_eq!(service.definitions(), [] as [&str; 0]);

    schedule(&mut monitor, "nightly").await.unwrap();
    service.0.lock().unwrap().definitions.clear();
    monitor.delete_monitoring_schedule().await.unwrap();
    assert_eq!((service.schedules(), monitor.job_definition_name()), (vec![], None));
}

#[tokio::test]
async fn a_change_after_which_the_schedule_is_failed_is_an_error_that_says_why() {
    let service = Service::default();
    let stub = service.start();
    let mut monitor = DefaultModelMonitor::new(&stub.session(), ROLE);
    schedule(&mut monitor, "nightly").await.unwrap();
    service.0.lock().unwrap().failure_reason = Some("the role cannot be taken");
    let error = monitor.update_monitoring_schedule().instance_count(3).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "monitoring schedule nightly is Failed, not Scheduled or Stopped: the role cannot be taken"
    );
    // The service took the change: the definition is the schedule's.
    let definition = monitor.job_definition_name().unwrap().to_owned();
    assert_eq!(
        service.0.lock().unwrap().schedules["nightly"]["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"],
        definition.as_str()
    );
    let error = monitor.stop_monitoring_schedule().await.unwrap_err();
    assert!(matches!(error, Error::UnexpectedStatus { .. }), "{error}");
    monitor.delete_monitoring_schedule().await.unwrap();
    assert_eq!(service.schedules(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_call_that_is_given_up_leaves_no_definition_behind() {
    for trouble in [Trouble::Silent, Trouble::DoneAndSilent] {
        // Given up while the definition is made.
        let service = Service::default();
        let stub = service.start();
        let mut monitor = DefaultModelMonitor::new(&stub.session(), ROLE);
        service.trouble("CreateDataQualityJobDefinition", trouble);
        given_up(schedule(&mut monitor, "nightly")).await;
        service.trouble("CreateDataQualityJobDefinition", None);
        schedule(&mut monitor, "nightly").await.unwrap();
        assert_eq!(service.definitions(), [monitor.job_definition_name().unwrap()], "{trouble:?}");

        // Given up while the schedule is changed.
        let before = monitor.job_definition_name().unwrap().to_owned();
        service.trouble("UpdateMonitoringSchedule", trouble);
        given_up(monitor.update_monitoring_schedule().instance_count(2)).await;
        assert_eq!(service.definitions().len(), 2);
        service.trouble("UpdateMonitoringSchedule", None);
        monitor.delete_monitoring_schedule().await.unwrap();
        // As after any update, the older definition stays when the newer was taken.
        let left = if trouble == Trouble::Silent { vec![] } else { vec![before] };
        assert_eq!(service.definitions(), left, "{trouble:?}");
        assert_eq!(service.schedules(), [] as [&str; 0]);
    }
}

#[tokio::test]
async fn a_creation_that_is_given_up_is_found_again() {
    let service = Service::default();
    let stub = service.start();
    let mut monitor = DefaultModelMonitor::new(&stub.session(), ROLE);
    service.trouble("CreateMonitoringSchedule", Trouble::Silent);
    given_up(schedule(&mut monitor, "nightly")).await;
    assert_eq!(service.definitions().len(), 1);
    service.trouble("CreateMonitoringSchedule", Trouble::DoneAndSilent);
    given_up(schedule(&mut monitor, "nightly")).await;
    assert_eq!((service.definitions().len(), service.schedules().len()), (1, 1));
    service.trouble("CreateMonitoringSchedule", None);
    monitor.delete_monitoring_schedule().await.unwrap();
    assert_eq!((service.definitions().len(), service.schedules().len()), (0, 0));
}

#[tokio::test]
async fn a_definition_that_cannot_be_taken_back_is_by_the_next_call() {
    let service = Service::default();
    let stub = service.start();
    let mut monitor = DefaultModelMonitor::new(&stub.session(), ROLE);
    service.trouble("CreateMonitoringSchedule", Trouble::Broken);
    let error = schedule(&mut monitor, "nightly").await.unwrap_err();
    assert!(matches!(error, Error::Connection { .. }), "{error}");
    service.trouble("CreateMonitoringSchedule", None);
    schedule(&mut monitor, "nightly").await.unwrap();
    assert_eq!(service.definitions(), [monitor.job_definition_name().unwrap()]);
}

/// A service that describes what there will be in years.
fn service_of_the_future() -> Stub {
    let schedule = json!({
        "MonitoringScheduleName": "nightly", "MonitoringScheduleArn": "arn", "MonitoringScheduleStatus": "Dreaming",
        "CreationTime": 1_790_000_000, "LastModifiedTime": "2026-09-21T10:13:20Z", "MonitoringType": "ModelVibes",
        "EndpointName": null, "FailureReason": null,
        "MonitoringScheduleConfig": {
            "ScheduleConfig": {"ScheduleExpression": "at(full moon)", "TimeZone": "CET"},
            "MonitoringJobDefinition": {
                "MonitoringInputs": [
                    {"StreamInput": {"StreamArn": "arn"}},
                    {"EndpointInput": {"EndpointName": "churn", "LocalPath": "/in", "S3InputMode": null, "Lens": 1}, "BatchTransformInput": null},
                ],
                "MonitoringOutputConfig": {"MonitoringOutputs": [
                    {"TableOutput": {"Table": "t"}},
                    {"S3Output": {"S3Uri": "s3://bucket/results", "LocalPath": "/out", "S3UploadMode": "Sometimes", "Storage": "cold"}},
                ], "KmsKeyId": null},
                "MonitoringResources": {"ClusterConfig": {"InstanceCount": 2.0, "InstanceType": "ml.q1", "VolumeSizeInGB": 30.0}},
                "MonitoringAppSpecification": {"ImageUri": "image", "ContainerArguments": null},
                "StoppingCondition": {"MaxRuntimeInSeconds": 60.0, "MaxWait": 1},
                "NetworkConfig": {"EnableNetworkIsolation": null, "VpcConfig": {"Subnets": ["s"], "SecurityGroupIds": null, "Ipv6": true}},
                "Environment": null, "BaselineConfig": {"StatisticsResource": {"S3Uri": null, "Version": 2}}, "RoleArn": ROLE,
            },
        },
        "LastMonitoringExecutionSummary": {
            "MonitoringScheduleName": "nightly", "ScheduledTime": 1_790_000_000.5, "CreationTime": 1_790_000_000,
            "LastModifiedTime": 1_790_000_000, "MonitoringExecutionStatus": "Postponed", "ProcessingJobArn": null, "Mood": "calm",
        },
    });
    Stub::start(move |request| match request.operation().as_str() {
        "DescribeMonitoringSchedule" => Answer::json(&schedule),
        "ListTags" => Answer::json(&json!({"Tags": [], "NextToken": null})),
        "ListMonitoringSchedules" => Answer::json(&json!({"MonitoringScheduleSummaries": [
            {"MonitoringScheduleName": "other", "MonitoringType": "ModelVibes"},
        ], "NextToken": ""})),
        "ListMonitoringExecutions" => Answer::json(&json!({"MonitoringExecutionSummaries": [
            {"MonitoringScheduleName": "nightly", "ProcessingJobArn": null},
            {"MonitoringScheduleName": "nightly"},
        ], "NextToken": "more"})),
        "ListMonitoringAlerts" => Answer::json(&json!({"MonitoringAlertSummaries": [{
            "MonitoringAlertName": "alert", "CreationTime": 1.0, "LastModifiedTime": 1, "AlertStatus": "Snoozed",
            "DatapointsToAlert": 1.0, "EvaluationPeriod": 2, "Actions": {"Pager": {"Number": 1}},
        }], "NextToken": ""})),
        "UpdateMonitoringSchedule" => Answer::empty(),
        other => panic!("{other}"),
    })
}

#[tokio::test]
async fn what_services_add_and_leave_out_is_read() {
    let stub = service_of_the_future();
    let session = stub.session();
    let mut monitor = DefaultModelMonitor::attach(&session, "nightly").await.unwrap();
    assert_eq!((monitor.settings().instance_count, monitor.settings().max_runtime_in_seconds), (2, Some(60)));
    let described = monitor.describe_schedule().await.unwrap();
    assert_eq!(described.monitoring_schedule_status.as_str(), "Dreaming");
    assert_eq!(described.last_monitoring_execution_summary.unwrap().monitoring_execution_status.as_str(), "Postponed");
    let config = described.monitoring_schedule_config;
    let schedule = config.schedule_config.unwrap();
    assert_eq!((schedule.schedule_expression.as_str(), &schedule.other["TimeZone"]), ("at(full moon)", &json!("CET")));
    let definition = config.monitoring_job_definition.unwrap();
    let [MonitoredInput::Other(stream), MonitoredInput::Endpoint(endpoint)] = &definition.monitoring_inputs[..] else {
        panic!("{:?}", definition.monitoring_inputs)
    };
    assert_eq!((&stream["StreamInput"]["StreamArn"], &endpoint.other["Lens"]), (&json!("arn"), &json!(1)));
    let outputs = &definition.monitoring_output_config.monitoring_outputs;
    assert_eq!((&outputs[0].s3_output, &outputs[0].other["TableOutput"]["Table"]), (&None, &json!("t")));
    assert_eq!(outputs[1].s3_output.as_ref().unwrap().other["Storage"], "cold");
    assert_eq!(definition.stopping_condition.unwrap().other["MaxWait"], 1);

    assert!(monitor.list_executions().await.unwrap().is_empty());
    let (alerts, token) = monitor.list_monitoring_alerts().await.unwrap();
    assert_eq!((alerts[0].data_points_to_alert, alerts[0].alert_status.as_str(), token), (1, "Snoozed", None));

    // What is not changed goes back as it came, what is null apart.
    monitor.update_monitoring_schedule().instance_count(3).await.unwrap();
    let requests = stub.requests();
    let update = requests.iter().find(|request| request.operation() == "UpdateMonitoringSchedule").unwrap().json();
    let config = &update["MonitoringScheduleConfig"];
    assert_eq!(config["ScheduleConfig"], json!({"ScheduleExpression": "at(full moon)", "TimeZone": "CET"}));
    let definition = &config["MonitoringJobDefinition"];
    assert_eq!(definition["MonitoringInputs"][0], json!({"StreamInput": {"StreamArn": "arn"}}));
    assert_eq!(definition["NetworkConfig"]["VpcConfig"], json!({"Subnets": ["s"], "Ipv6": true}));
    assert_eq!(definition["MonitoringResources"]["ClusterConfig"]["InstanceCount"], 3);
    assert_eq!(definition["BaselineConfig"], json!({"StatisticsResource": {"Version": 2}}));
}

#[tokio::test]
async fn a_schedule_of_an_unknown_type_is_listed_as_such() {
    let stub = Stub::start(|request| match request.operation().as_str() {
        "ListMonitoringSchedules" => Answer::json(&json!({"MonitoringScheduleSummaries": [
            {"MonitoringScheduleName": "new", "MonitoringType": "ModelVibes"},
        ]})),
        _ => Answer::json(&json!({"MonitoringScheduleConfig": {"MonitoringJobDefinitionName": "definition"}})),
    });
    let monitors = Predictor::new(&stub.session(), "churn").list_monitors().await.unwrap();
    let [EndpointMonitor::Other { monitoring_schedule_name, monitoring_type }] = &monitors[..] else {
        panic!("{monitors:?}")
    };
    assert_eq!((monitoring_schedule_name.as_str(), monitoring_type.as_deref()), ("new", Some("ModelVibes")));
}

#[tokio::test]
async fn constraints_that_were_changed_and_not_saved_are_refused() {
    let stub = Stub::start(|request| match request.operation().as_str() {
        "PUT /bucket/elsewhere.json" => Answer::s3_error(403, "AccessDenied", "no"),
        "PUT /bucket/constraints.json" => Answer::empty(),
        "CreateModelQualityJobDefinition" | "CreateMonitoringSchedule" => Answer::json(&json!({})),
        other => panic!("{other}"),
    });
    let session: Session = stub.session();
    let document = json!({"version": 0.0, "binary_classification_constraints": {
        "recall": {"threshold": 0.5, "comparison_operator": "LessThanThreshold"}}});
    let mut constraints = Constraints::new(&session, document, uri("s3://bucket/constraints.json"));
    let ConstraintsBody::ModelQuality(_) = constraints.body_mut() else { panic!("{:?}", constraints.body()) };

    let mut monitor = ModelQualityMonitor::new(&session, ROLE);
    let mut create = async |constraints: &Constraints| {
        monitor
            .create_monitoring_schedule("churn", uri("s3://bucket/truth"), ProblemType::BinaryClassification)
            .output_s3_uri(uri("s3://bucket/results"))
            .constraints(constraints)
            .await
    };
    let error = create(&constraints).await.unwrap_err().to_string();
    assert!(error.contains("s3://bucket/constraints.json was changed and not saved"), "{error}");

    // A file that could not be saved elsewhere is where it was.
    let error = constraints.save().new_save_location_s3_uri(uri("s3://bucket/elsewhere.json")).await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    assert_eq!(constraints.file_s3_uri(), &uri("s3://bucket/constraints.json"));
    assert!(create(&constraints).await.is_err());

    constraints.save().await.unwrap();
    // Asked for as what it is not, it is not handed out, and not changed.
    assert!(constraints.data_quality_mut().is_err());
    create(&constraints).await.unwrap();
}
