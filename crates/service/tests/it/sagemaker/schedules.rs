//! Monitoring schedules: defaults, refusals, life cycle, alerts.

use jiff::SignedDuration;
use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::MonitoringAlertStatus;
use watchkeeper_service::control::alert::{Alert, AlertChange};
use watchkeeper_service::control::milliseconds;
use watchkeeper_service::control::schedule::MonitoringSchedule;
use watchkeeper_service::resources::Transaction;

use super::{Api, START, embedded, hourly, job_request, validation, with};

const ARN: &str = "arn:aws:sagemaker:eu-central-1:111122223333:monitoring-schedule/hourly";

fn request(name: &str, config: Value) -> Value {
    let mut request = named(name);
    request["MonitoringScheduleConfig"] = config;
    request
}

fn named(name: &str) -> Value {
    json!({ "MonitoringScheduleName": name })
}

async fn scheduled(name: &str) -> Api {
    let api = Api::new().await;
    api.ok("CreateMonitoringSchedule", request(name, hourly(embedded()))).await;
    api.settle(name).await;
    api
}

async fn next_tick(api: &Api, name: &str) -> Option<String> {
    let schedule = api.load::<MonitoringSchedule>(&MonitoringSchedule::key_of(name)).await.resource;
    schedule.next_tick.map(|tick| tick.0.to_string())
}

#[tokio::test]
async fn describe_is_the_configuration_with_the_defaults_filled_in() {
    let api = Api::new().await;
    let created = api.ok("CreateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    assert_eq!(created, json!({ "MonitoringScheduleArn": ARN }));

    let mut config = hourly(embedded());
    let filled = json!({
        "/MonitoringType": "DataQuality",
        "/MonitoringJobDefinition/StoppingCondition": { "MaxRuntimeInSeconds": 3600 },
        "/MonitoringJobDefinition/MonitoringInputs/0/EndpointInput/S3InputMode": "File",
        "/MonitoringJobDefinition/MonitoringInputs/0/EndpointInput/S3DataDistributionType": "FullyReplicated",
        "/MonitoringJobDefinition/MonitoringOutputConfig/MonitoringOutputs/0/S3Output/S3UploadMode": "Continuous",
    });
    for (pointer, value) in filled.as_object().unwrap() {
        config = with(config, pointer, value.clone());
    }
    let expected = json!({
        "MonitoringScheduleArn": ARN,
        "MonitoringScheduleName": "Hourly",
        "MonitoringScheduleStatus": "Pending",
        "MonitoringType": "DataQuality",
        "CreationTime": 1_772_360_430.25,
        "LastModifiedTime": 1_772_360_430.25,
        "MonitoringScheduleConfig": config,
        "EndpointName": "Shop",
    });
    assert_eq!(api.ok("DescribeMonitoringSchedule", named("HOURLY")).await, expected);
}

#[tokio::test]
async fn network_config_has_both_booleans_once_it_was_sent() {
    let api = Api::new().await;
    let definition = with(embedded(), "/NetworkConfig", json!({ "EnableInterContainerTrafficEncryption": true }));
    api.ok("CreateMonitoringSchedule", request("Hourly", hourly(definition))).await;
    let described = api.ok("DescribeMonitoringSchedule", named("Hourly")).await;
    assert_eq!(
        described["MonitoringScheduleConfig"]["MonitoringJobDefinition"]["NetworkConfig"],
        json!({ "EnableInterContainerTrafficEncryption": true, "EnableNetworkIsolation": false })
    );
}

#[tokio::test]
async fn without_an_expression_it_is_daily_at_an_hour_of_the_name() {
    let api = Api::new().await;
    let mut hours = Vec::new();
    for name in ["one", "two", "three", "four", "five", "six"] {
        api.ok("CreateMonitoringSchedule", request(name, json!({ "MonitoringJobDefinition": embedded() }))).await;
        let described = api.ok("DescribeMonitoringSchedule", named(name)).await;
        let config = &described["MonitoringScheduleConfig"]["ScheduleConfig"];
        let expression = config["ScheduleExpression"].as_str().unwrap().to_owned();
        let hour = expression.strip_prefix("cron(0 ").and_then(|rest| rest.strip_suffix(" ? * * *)")).unwrap();
        assert!(hour.parse::<u32>().unwrap() < 24);
        hours.push(expression);
    }
    hours.sort();
    hours.dedup();
    assert!(hours.len() > 1, "they are spread over the day");
}

#[tokio::test]
async fn configurations_are_refused_with_the_reason() {
    let api = Api::new().await;
    let good = hourly(embedded());
    let now = |start: &str, end: &str| json!({ "ScheduleExpression": "NOW", "DataAnalysisStartTime": start, "DataAnalysisEndTime": end });
    let input = "/MonitoringJobDefinition/MonitoringInputs/0/EndpointInput";
    let cases = [
        (with(good.clone(), "/MonitoringJobDefinitionName", json!("d")), "Only one of MonitoringJobDefinition and"),
        (with(good.clone(), "/MonitoringJobDefinition", Value::Null), "Either MonitoringJobDefinition or"),
        (
            with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("cron(5 * ? * * *)")),
            "scheduler.extended_expressions",
        ),
        (
            with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("rate(5 minutes)")),
            "scheduler.extended_expressions",
        ),
        (
            with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("NOW")),
            "DataAnalysisStartTime and DataAnalysisEndTime are required",
        ),
        (
            with(
                good.clone(),
                "/ScheduleConfig",
                json!({ "ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT1H" }),
            ),
            "are required",
        ),
        (with(good.clone(), "/ScheduleConfig", now("-PT25H", "-PT0H")), "24 hours"),
        (with(good.clone(), "/ScheduleConfig", now("-PT1H", "-PT1H")), "must be earlier"),
        (with(good.clone(), "/ScheduleConfig", now("yesterday", "-PT1H")), "DataAnalysisStartTime"),
        (with(good.clone(), &format!("{input}/StartTimeOffset"), json!("-P1M")), "StartTimeOffset"),
        (
            with(
                with(good.clone(), &format!("{input}/StartTimeOffset"), json!("-P1D")),
                &format!("{input}/EndTimeOffset"),
                json!("-P3D"),
            ),
            "must be earlier",
        ),
        (
            with(good.clone(), "/MonitoringJobDefinition/StoppingCondition", json!({ "MaxRuntimeInSeconds": 3601 })),
            "MaxRuntimeInSeconds 3601",
        ),
        (
            with(
                with(
                    good.clone(),
                    "/MonitoringJobDefinition/StoppingCondition",
                    json!({ "MaxRuntimeInSeconds": 1801 }),
                ),
                "/MonitoringType",
                json!("ModelQuality"),
            ),
            "less than or equal to 1800",
        ),
        (
            with(good.clone(), "/MonitoringJobDefinition/MonitoringInputs", json!([{}])),
            "Either EndpointInput or BatchTransformInput",
        ),
        (
            with(good.clone(), "/MonitoringJobDefinition/BaselineConfig", json!({ "BaseliningJobName": "gone" })),
            "Could not find requested job with name: gone",
        ),
        (
            json!({ "MonitoringJobDefinitionName": "gone", "MonitoringType": "DataQuality" }),
            "Could not find DataQuality monitoring job definition \"gone\".",
        ),
    ];
    for (config, part) in cases {
        let (code, text) = api.refused("CreateMonitoringSchedule", request("Hourly", config)).await;
        assert_eq!(code, "ValidationException", "{text}");
        assert!(text.contains(part), "{text} lacks {part}");
    }
    let (code, _) = api.refused("DescribeMonitoringSchedule", named("Hourly")).await;
    assert_eq!(code, "ResourceNotFound", "nothing is left behind");
}

#[tokio::test]
async fn configurations_of_real_scripts_are_taken_and_echoed() {
    let api = Api::new().await;
    let limit = |seconds| json!({ "MaxRuntimeInSeconds": seconds });
    let good = hourly(embedded());
    let cases = [
        with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("cron(0 * * * ? *)")),
        with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("cron(0 7 ? * * *)")),
        with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("cron(0 0/6 ? * * *)")),
        with(
            good.clone(),
            "/ScheduleConfig",
            json!({ "ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT24H", "DataAnalysisEndTime": "-PT0H" }),
        ),
        with(good.clone(), "/MonitoringJobDefinition/StoppingCondition", limit(1800)),
        with(
            with(good.clone(), "/ScheduleConfig/ScheduleExpression", json!("cron(0 7 ? * * *)")),
            "/MonitoringJobDefinition/StoppingCondition",
            limit(86400),
        ),
    ];
    for (index, config) in cases.into_iter().enumerate() {
        let name = format!("schedule-{index}");
        api.ok("CreateMonitoringSchedule", request(&name, config.clone())).await;
        let described = api.ok("DescribeMonitoringSchedule", named(&name)).await;
        assert_eq!(described["MonitoringScheduleConfig"]["ScheduleConfig"], config["ScheduleConfig"]);
    }
    let extended = Api::with(|configuration| configuration.scheduler.extended_expressions = true).await;
    let every_five = with(good, "/ScheduleConfig/ScheduleExpression", json!("rate(5 minutes)"));
    extended.ok("CreateMonitoringSchedule", request("often", every_five)).await;
    extended.settle("often").await;
    assert_eq!(next_tick(&extended, "often").await.as_deref(), Some("2026-03-01T10:25:00Z"));
}

#[tokio::test]
async fn the_baselining_job_of_an_embedded_definition_becomes_addresses() {
    let api = Api::new().await;
    api.ok("CreateProcessingJob", job_request("Baseline")).await;
    let cases = [
        (
            json!({ "BaseliningJobName": "Baseline" }),
            json!({
                "BaseliningJobName": "Baseline",
                "ConstraintsResource": { "S3Uri": "s3://bucket/baseline/constraints.json" },
                "StatisticsResource": { "S3Uri": "s3://bucket/baseline/statistics.json" },
            }),
        ),
        (
            json!({ "BaseliningJobName": "Baseline", "ConstraintsResource": { "S3Uri": "s3://own/c.json" } }),
            json!({
                "BaseliningJobName": "Baseline",
                "ConstraintsResource": { "S3Uri": "s3://own/c.json" },
                "StatisticsResource": { "S3Uri": "s3://bucket/baseline/statistics.json" },
            }),
        ),
        (
            json!({ "StatisticsResource": { "S3Uri": "s3://own/s.json" } }),
            json!({ "StatisticsResource": { "S3Uri": "s3://own/s.json" } }),
        ),
    ];
    for (index, (sent, shown)) in cases.into_iter().enumerate() {
        let name = format!("schedule-{index}");
        let definition = with(embedded(), "/BaselineConfig", sent);
        api.ok("CreateMonitoringSchedule", request(&name, hourly(definition))).await;
        let described = api.ok("DescribeMonitoringSchedule", named(&name)).await;
        assert_eq!(described["MonitoringScheduleConfig"]["MonitoringJobDefinition"]["BaselineConfig"], shown);
    }
}

#[tokio::test]
async fn names_are_unique_without_regard_to_case() {
    let api = scheduled("Hourly").await;
    let (code, text) = api.refused("CreateMonitoringSchedule", request("HOURLY", hourly(embedded()))).await;
    assert_eq!((code.as_str(), text), ("ResourceInUse", format!("Monitoring Schedule {ARN} already exists")));
}

#[tokio::test]
async fn a_missing_schedule_is_resource_not_found_with_its_arn() {
    let api = Api::new().await;
    for operation in ["Describe", "Start", "Stop", "Delete"] {
        let (code, text) = api.refused(&format!("{operation}MonitoringSchedule"), named("Hourly")).await;
        assert_eq!((code.as_str(), text), ("ResourceNotFound", format!("Monitoring Schedule {ARN} not found")));
    }
    let (code, _) = api.refused("UpdateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    assert_eq!(code, "ResourceNotFound");
    let (code, _) = api.refused("ListMonitoringAlerts", named("Hourly")).await;
    assert_eq!(code, "ResourceNotFound");
    let executions = api.ok("ListMonitoringExecutions", named("Hourly")).await;
    assert_eq!(executions, json!({ "MonitoringExecutionSummaries": [] }));
}

#[tokio::test]
async fn the_life_of_a_schedule() {
    let api = Api::new().await;
    api.ok("CreateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    assert_eq!(api.schedule_status("Hourly").await, "Pending");
    let (code, _) = api.refused("StopMonitoringSchedule", named("Hourly")).await;
    assert_eq!(code, "ValidationException");
    // What it is on its way to be may be asked for again.
    api.ok("StartMonitoringSchedule", named("Hourly")).await;
    let (code, _) = api.refused("UpdateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    assert_eq!(code, "ValidationException");

    api.settle("Hourly").await;
    assert_eq!(api.schedule_status("Hourly").await, "Scheduled");
    assert_eq!(next_tick(&api, "Hourly").await.as_deref(), Some("2026-03-01T11:00:00Z"));
    api.ok("StartMonitoringSchedule", named("Hourly")).await;
    assert_eq!(api.schedule_status("Hourly").await, "Scheduled", "it is started already");

    for _ in 0..2 {
        api.ok("StopMonitoringSchedule", named("Hourly")).await;
        assert_eq!(api.schedule_status("Hourly").await, "Pending");
    }
    api.settle("Hourly").await;
    assert_eq!(api.schedule_status("Hourly").await, "Stopped");
    assert_eq!(next_tick(&api, "Hourly").await, None);
    for _ in 0..2 {
        api.ok("StopMonitoringSchedule", named("Hourly")).await;
        assert_eq!(api.schedule_status("Hourly").await, "Stopped", "it is stopped already");
    }

    let daily = with(hourly(embedded()), "/ScheduleConfig/ScheduleExpression", json!("cron(0 7 ? * * *)"));
    api.ok("UpdateMonitoringSchedule", request("Hourly", daily)).await;
    assert_eq!(api.schedule_status("Hourly").await, "Pending");
    api.settle("Hourly").await;
    assert_eq!(api.schedule_status("Hourly").await, "Scheduled", "an update starts a stopped schedule");
    assert_eq!(next_tick(&api, "Hourly").await.as_deref(), Some("2026-03-02T07:00:00Z"));

    api.ok("UpdateMonitoringSchedule", request("Hourly", json!({ "MonitoringJobDefinition": embedded() }))).await;
    let described = api.ok("DescribeMonitoringSchedule", named("Hourly")).await;
    let expression = &described["MonitoringScheduleConfig"]["ScheduleConfig"]["ScheduleExpression"];
    assert_ne!(expression, "cron(0 7 ? * * *)", "an update without ScheduleConfig drops the cron");

    for _ in 0..2 {
        api.ok("DeleteMonitoringSchedule", named("Hourly")).await;
        assert_eq!(api.schedule_status("Hourly").await, "Pending", "it stays visible for a moment");
    }
    let (code, _) = api.refused("CreateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    assert_eq!(code, "ResourceInUse");
    api.settle("Hourly").await;
    let (code, _) = api.refused("DescribeMonitoringSchedule", named("Hourly")).await;
    assert_eq!(code, "ResourceNotFound");
    api.ok("CreateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
}

#[tokio::test]
async fn a_change_at_the_moment_of_a_tick_loses_none() {
    // Created half a second before eleven, settled half a second after.
    let api = Api::new().await;
    api.advance(SignedDuration::from_millis(2_369_250));
    assert_eq!(api.now().to_string(), "2026-03-01T10:59:59.5Z");
    api.ok("CreateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    api.settle("Hourly").await;
    assert_eq!(next_tick(&api, "Hourly").await.as_deref(), Some("2026-03-01T11:00:00Z"));

    // Updated after the tick had come and before anybody took it up.
    api.ok("UpdateMonitoringSchedule", request("Hourly", hourly(embedded()))).await;
    api.settle("Hourly").await;
    assert_eq!(next_tick(&api, "Hourly").await.as_deref(), Some("2026-03-01T11:00:00Z"));
}

#[tokio::test]
async fn now_runs_at_the_moment_of_its_creation() {
    let api = Api::new().await;
    let config = with(
        hourly(embedded()),
        "/ScheduleConfig",
        json!({ "ScheduleExpression": "NOW", "DataAnalysisStartTime": "-PT1H", "DataAnalysisEndTime": "-PT0H" }),
    );
    api.ok("CreateMonitoringSchedule", request("Once", config)).await;
    api.settle("Once").await;
    assert_eq!(next_tick(&api, "Once").await.as_deref(), Some(START));
}

#[tokio::test]
async fn a_schedule_has_an_alert_from_its_creation() {
    let api = scheduled("Hourly").await;
    let listed = api.ok("ListMonitoringAlerts", named("hourly")).await;
    let created = 1_772_360_430.25;
    assert_eq!(
        listed,
        json!({ "MonitoringAlertSummaries": [{
            "MonitoringAlertName": "Hourly-alert",
            "CreationTime": created,
            "LastModifiedTime": created,
            "AlertStatus": "OK",
            "DatapointsToAlert": 1,
            "EvaluationPeriod": 1,
            "Actions": { "ModelDashboardIndicator": { "Enabled": true } },
        }] })
    );

    let update = |alert: &str, points: i32, period: i32| {
        json!({
            "MonitoringScheduleName": "HOURLY", "MonitoringAlertName": alert,
            "DatapointsToAlert": points, "EvaluationPeriod": period,
        })
    };
    let updated = api.ok("UpdateMonitoringAlert", update("hourly-ALERT", 2, 3)).await;
    assert_eq!(updated, json!({ "MonitoringScheduleArn": ARN, "MonitoringAlertName": "Hourly-alert" }));
    let listed = api.ok("ListMonitoringAlerts", named("Hourly")).await;
    let alert = &listed["MonitoringAlertSummaries"][0];
    assert_eq!((&alert["DatapointsToAlert"], &alert["EvaluationPeriod"]), (&json!(2), &json!(3)));
    assert_ne!(alert["LastModifiedTime"], json!(created));
    assert_eq!(api.refused("UpdateMonitoringAlert", update("Hourly-alert", 3, 2)).await.0, "ValidationException");
    assert_eq!(api.refused("UpdateMonitoringAlert", update("other", 1, 1)).await.0, "ResourceNotFound");
}

#[tokio::test]
async fn the_names_of_alerts_keep_to_the_limits_of_names() {
    let api = Api::new().await;
    for length in 50..=63 {
        let name = "s".repeat(length);
        api.ok("CreateMonitoringSchedule", request(&name, hourly(embedded()))).await;
        // The answer is held against the model's pattern and length.
        api.ok("ListMonitoringAlerts", named(&name)).await;
    }
}

#[tokio::test]
async fn the_history_of_an_alert() {
    let api = scheduled("Hourly").await;
    api.ok("CreateMonitoringSchedule", request("Other-Hourly", hourly(embedded()))).await;
    let mut transaction = Transaction::new();
    for (schedule, index, status) in [
        ("Hourly", 0, MonitoringAlertStatus::InAlert),
        ("Hourly", 1, MonitoringAlertStatus::Ok),
        ("Other-Hourly", 2, MonitoringAlertStatus::InAlert),
    ] {
        api.advance(SignedDuration::from_hours(1));
        let alert = api.load::<Alert>(&Alert::key_of(schedule, &format!("{schedule}-alert"))).await.resource;
        transaction = transaction.insert(&AlertChange {
            key: format!("{schedule}/{index}"),
            alert_name: alert.name,
            schedule_name: alert.schedule_name,
            created: milliseconds(api.now()),
            status,
        });
    }
    api.context.resources.commit(transaction).await.unwrap();

    let history = async |input: Value| {
        let listed = api.ok("ListMonitoringAlertHistory", input).await;
        let entries = listed["MonitoringAlertHistory"].as_array().unwrap().iter();
        entries
            .map(|entry| {
                format!("{} {}", entry["MonitoringAlertName"].as_str().unwrap(), entry["AlertStatus"].as_str().unwrap())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(history(json!({})).await, ["Other-Hourly-alert InAlert", "Hourly-alert OK", "Hourly-alert InAlert"]);
    assert_eq!(history(named("hourly")).await, ["Hourly-alert OK", "Hourly-alert InAlert"]);
    assert_eq!(
        history(json!({ "MonitoringAlertName": "hourly-alert" })).await,
        ["Hourly-alert OK", "Hourly-alert InAlert"]
    );
    assert_eq!(history(json!({ "StatusEquals": "OK" })).await, ["Hourly-alert OK"]);
    let ascending = json!({ "MonitoringScheduleName": "Hourly", "SortOrder": "Ascending" });
    assert_eq!(history(ascending).await, ["Hourly-alert InAlert", "Hourly-alert OK"]);
    assert_eq!(api.refused("ListMonitoringAlertHistory", named("gone")).await.0, "ResourceNotFound");
    let unknown = json!({ "MonitoringAlertName": "gone" });
    assert_eq!(api.refused("ListMonitoringAlertHistory", unknown).await.0, "ResourceNotFound");
}

#[tokio::test]
async fn a_name_that_is_too_long_leaves_nothing_behind() {
    let api = Api::new().await;
    let name = "s".repeat(64);
    let (code, text) = api.refused("CreateMonitoringSchedule", request(&name, hourly(embedded()))).await;
    assert_eq!(
        (code, text),
        validation(&format!(
            "1 validation error detected: Value '{name}' at 'monitoringScheduleName' failed to satisfy constraint: \
             Member must have length less than or equal to 63"
        ))
    );
    let listed = api.ok("ListMonitoringSchedules", json!({})).await;
    assert_eq!(listed, json!({ "MonitoringScheduleSummaries": [] }));
}
