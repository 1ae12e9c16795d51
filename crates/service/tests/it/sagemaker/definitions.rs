//! Job definitions of the four monitors: what Describe gives back, baselines, and what locks them.

use serde_json::{Value, json};

use super::{Api, ROLE, cluster, endpoint_input, job_request, output_config, with};

/// Kind, path of the ARN, and the file of a baselining job that its constraints come from.
const KINDS: [(&str, &str, &str); 4] = [
    ("DataQuality", "data-quality-job-definition", "constraints.json"),
    ("ModelQuality", "model-quality-job-definition", "constraints.json"),
    ("ModelBias", "model-bias-job-definition", "analysis.json"),
    ("ModelExplainability", "model-explainability-job-definition", "analysis.json"),
];

fn request(kind: &str, name: &str) -> Value {
    let mut app =
        json!({ "ImageUri": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-clarify-processing:1.0" });
    let mut input = endpoint_input();
    if kind == "ModelBias" || kind == "ModelExplainability" {
        app["ConfigUri"] = json!("s3://bucket/analysis_config.json");
    }
    if kind == "ModelBias" || kind == "ModelQuality" {
        input["GroundTruthS3Input"] = json!({ "S3Uri": "s3://bucket/ground-truth" });
        input["EndpointInput"]["StartTimeOffset"] = json!("-P3D");
        input["EndpointInput"]["EndTimeOffset"] = json!("-P1D");
        input["EndpointInput"]["ProbabilityThresholdAttribute"] = json!(0.5);
    }
    json!({
        "JobDefinitionName": name,
        format!("{kind}AppSpecification"): app,
        format!("{kind}JobInput"): input,
        format!("{kind}JobOutputConfig"): output_config(),
        "JobResources": cluster(),
        "RoleArn": ROLE,
        "Tags": []
    })
}

fn named(name: &str) -> Value {
    json!({ "JobDefinitionName": name })
}

fn operation(verb: &str, kind: &str) -> String {
    format!("{verb}{kind}JobDefinition")
}

#[tokio::test]
async fn describe_is_the_request_with_the_defaults_filled_in() {
    let api = Api::new().await;
    for (kind, path, _) in KINDS {
        let arn = format!("arn:aws:sagemaker:eu-central-1:111122223333:{path}/shop-monitor");
        let sent = with(request(kind, "Shop-Monitor"), "/NetworkConfig", json!({ "EnableNetworkIsolation": true }));
        let created = api.ok(&operation("Create", kind), sent.clone()).await;
        assert_eq!(created, json!({ "JobDefinitionArn": arn }));

        let mut expected = with(sent, "/Tags", Value::Null);
        let filled = json!({
            "/JobDefinitionArn": arn,
            "/CreationTime": 1_772_360_430.25,
            "/StoppingCondition": { "MaxRuntimeInSeconds": 3600 },
            "/NetworkConfig/EnableInterContainerTrafficEncryption": false,
            format!("/{kind}JobInput/EndpointInput/S3InputMode"): "File",
            format!("/{kind}JobInput/EndpointInput/S3DataDistributionType"): "FullyReplicated",
            format!("/{kind}JobOutputConfig/MonitoringOutputs/0/S3Output/S3UploadMode"): "Continuous",
        });
        for (pointer, value) in filled.as_object().unwrap() {
            expected = with(expected, pointer, value.clone());
        }
        assert_eq!(api.ok(&operation("Describe", kind), named("shop-MONITOR")).await, expected);

        let (code, _) = api.refused(&operation("Create", kind), request(kind, "SHOP-monitor")).await;
        assert_eq!(code, "ResourceInUse");
        let listed = api.ok(&format!("List{kind}JobDefinitions"), json!({ "EndpointName": "shop" })).await;
        assert_eq!(
            listed,
            json!({ "JobDefinitionSummaries": [{
                "MonitoringJobDefinitionName": "Shop-Monitor",
                "MonitoringJobDefinitionArn": arn,
                "CreationTime": 1_772_360_430.25,
                "EndpointName": "Shop",
            }] })
        );
    }
}

#[tokio::test]
async fn what_was_described_can_be_created_again() {
    let api = Api::new().await;
    for (kind, _, _) in KINDS {
        api.ok(&operation("Create", kind), request(kind, "first")).await;
        let mut described = api.ok(&operation("Describe", kind), named("first")).await;
        for member in ["JobDefinitionArn", "CreationTime"] {
            described.as_object_mut().unwrap().remove(member);
        }
        described["JobDefinitionName"] = json!("second");
        api.ok(&operation("Create", kind), described.clone()).await;
        let mut again = api.ok(&operation("Describe", kind), named("second")).await;
        for member in ["JobDefinitionArn", "CreationTime"] {
            again.as_object_mut().unwrap().remove(member);
        }
        assert_eq!(again, described);
    }
}

#[tokio::test]
async fn a_missing_definition_is_resource_not_found() {
    let api = Api::new().await;
    for (kind, path, _) in KINDS {
        for verb in ["Describe", "Delete"] {
            let (code, text) = api.refused(&operation(verb, kind), named("Gone")).await;
            assert_eq!(code, "ResourceNotFound");
            assert!(text.contains(&format!(":{path}/gone")), "{text}");
        }
    }
}

#[tokio::test]
async fn the_baselining_job_becomes_addresses() {
    let api = Api::new().await;
    let uri = "/ProcessingOutputConfig/Outputs/0/S3Output/S3Uri";
    api.ok("CreateProcessingJob", with(job_request("Baseline"), uri, json!("s3://bucket/results/"))).await;
    for (kind, _, file) in KINDS {
        let config = format!("{kind}BaselineConfig");
        let pointer = format!("/{config}");
        let mut resolved = json!({
            "BaseliningJobName": "baseline",
            "ConstraintsResource": { "S3Uri": format!("s3://bucket/results/{file}") },
        });
        if kind == "DataQuality" {
            resolved["StatisticsResource"] = json!({ "S3Uri": "s3://bucket/results/statistics.json" });
        }
        let own = json!({ "BaseliningJobName": "baseline", "ConstraintsResource": { "S3Uri": "s3://own/c.json" } });
        let mut own_resolved = resolved.clone();
        own_resolved["ConstraintsResource"] = own["ConstraintsResource"].clone();
        for (name, sent, shown) in
            [("a", json!({ "BaseliningJobName": "baseline" }), resolved), ("b", own, own_resolved)]
        {
            api.ok(&operation("Create", kind), with(request(kind, name), &pointer, sent)).await;
            assert_eq!(api.ok(&operation("Describe", kind), named(name)).await[&config], shown);
        }
        let missing = with(request(kind, "c"), &pointer, json!({ "BaseliningJobName": "gone" }));
        let (code, text) = api.refused(&operation("Create", kind), missing).await;
        assert_eq!(
            (code.as_str(), text.as_str()),
            ("ValidationException", "Could not find requested job with name: gone")
        );
    }
}

#[tokio::test]
async fn a_schedule_locks_its_definition_until_it_is_gone() {
    let api = Api::new().await;
    for (kind, _, _) in KINDS {
        api.ok(&operation("Create", kind), request(kind, "Monitor")).await;
        let config = json!({ "MonitoringJobDefinitionName": "monitor", "MonitoringType": kind });
        let schedule = json!({ "MonitoringScheduleName": kind, "MonitoringScheduleConfig": config });
        api.ok("CreateMonitoringSchedule", schedule).await;
        let described = api.ok("DescribeMonitoringSchedule", json!({ "MonitoringScheduleName": kind })).await;
        assert_eq!(described["MonitoringType"], kind);
        assert_eq!(described["MonitoringScheduleConfig"]["MonitoringType"], kind);
        assert_eq!(described["EndpointName"], "Shop");
        assert_eq!(described["MonitoringScheduleConfig"]["MonitoringJobDefinitionName"], "monitor");
    }
    for (kind, _, _) in KINDS {
        assert_eq!(api.refused(&operation("Delete", kind), named("Monitor")).await.0, "ValidationException");
        api.ok("DeleteMonitoringSchedule", json!({ "MonitoringScheduleName": kind })).await;
        assert_eq!(
            api.refused(&operation("Delete", kind), named("Monitor")).await.0,
            "ValidationException",
            "still Pending"
        );
        api.settle(kind).await;
        api.ok(&operation("Delete", kind), named("Monitor")).await;
        assert_eq!(api.refused(&operation("Describe", kind), named("Monitor")).await.0, "ResourceNotFound");
    }
}

#[tokio::test]
async fn the_type_of_a_named_definition_is_found_where_it_is_unambiguous() {
    let api = Api::new().await;
    api.ok("CreateModelBiasJobDefinition", request("ModelBias", "monitor")).await;
    let request_of = |name: &str| json!({ "MonitoringScheduleName": name, "MonitoringScheduleConfig": { "MonitoringJobDefinitionName": "monitor" } });
    api.ok("CreateMonitoringSchedule", request_of("one")).await;
    let described = api.ok("DescribeMonitoringSchedule", json!({ "MonitoringScheduleName": "one" })).await;
    assert_eq!(described["MonitoringType"], "ModelBias");

    api.ok("CreateDataQualityJobDefinition", request("DataQuality", "monitor")).await;
    let (code, text) = api.refused("CreateMonitoringSchedule", request_of("two")).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("MonitoringType is required"), "{text}");
    // An update says as much by the schedule that it is of.
    api.settle("one").await;
    api.ok("UpdateMonitoringSchedule", request_of("one")).await;
    let described = api.ok("DescribeMonitoringSchedule", json!({ "MonitoringScheduleName": "one" })).await;
    assert_eq!(described["MonitoringType"], "ModelBias");
}

#[tokio::test]
async fn an_hour_of_time_limit_that_was_filled_in_suits_every_schedule() {
    let api = Api::new().await;
    api.ok("CreateModelQualityJobDefinition", request("ModelQuality", "usual")).await;
    let limited = with(request("ModelQuality", "longer"), "/StoppingCondition", json!({ "MaxRuntimeInSeconds": 2000 }));
    api.ok("CreateModelQualityJobDefinition", limited).await;
    let schedule = |name: &str| {
        json!({ "MonitoringScheduleName": name, "MonitoringScheduleConfig": {
            "ScheduleConfig": { "ScheduleExpression": "cron(0 * ? * * *)" },
            "MonitoringJobDefinitionName": name,
            "MonitoringType": "ModelQuality",
        } })
    };
    api.ok("CreateMonitoringSchedule", schedule("usual")).await;
    let (code, text) = api.refused("CreateMonitoringSchedule", schedule("longer")).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("1800"), "{text}");
}

#[tokio::test]
async fn a_definition_has_one_input() {
    let api = Api::new().await;
    let batch = json!({
        "DataCapturedDestinationS3Uri": "s3://bucket/captured",
        "DatasetFormat": { "Csv": { "Header": true } },
        "LocalPath": "/opt/ml/processing/input",
    });
    let pointer = "/DataQualityJobInput/BatchTransformInput";
    let both = with(request("DataQuality", "both"), pointer, batch.clone());
    assert_eq!(api.refused("CreateDataQualityJobDefinition", both.clone()).await.0, "ValidationException");
    let none = with(request("DataQuality", "none"), "/DataQualityJobInput/EndpointInput", Value::Null);
    assert_eq!(api.refused("CreateDataQualityJobDefinition", none).await.0, "ValidationException");

    let only_batch = with(both, "/DataQualityJobInput/EndpointInput", Value::Null);
    api.ok("CreateDataQualityJobDefinition", only_batch).await;
    let described = api.ok("DescribeDataQualityJobDefinition", named("both")).await;
    let mut filled = batch;
    filled["S3InputMode"] = json!("File");
    filled["S3DataDistributionType"] = json!("FullyReplicated");
    assert_eq!(described["DataQualityJobInput"], json!({ "BatchTransformInput": filled }));
}
