//! What a tick's job is told.

use serde_json::{Value, json};
use watchkeeper_aws::generated::sagemaker::{
    CreateDataQualityJobDefinitionRequest, CreateModelExplainabilityJobDefinitionRequest, ExecutionStatus,
    ProcessingJobStatus,
};
use watchkeeper_formats::DatasetFormat;
use watchkeeper_service::control::job_definition::{JobDefinition, Specification};
use watchkeeper_service::control::processing_job::ProcessingJob;
use watchkeeper_service::resources::Transaction;

use super::world::{IMAGE, REGION, ROLE, World, embedded, moment};

/// The request of the only job, its name's random digits replaced.
async fn request(world: &World) -> Value {
    let jobs = world.jobs().await;
    let monitoring: Vec<_> = jobs.iter().filter(|job| job.resource.execution.is_some()).collect();
    assert_eq!(monitoring.len(), 1);
    shown(&monitoring[0].resource).0
}

/// The request of a job with `X` for the random digits of its name, and the digits.
pub(super) fn shown(job: &ProcessingJob) -> (Value, String) {
    let mut request = serde_json::to_value(&job.request).unwrap();
    let name = job.name();
    let (start, digits) = name.rsplit_once('-').unwrap();
    // The longest of the four kinds leaves room for 18 digits only.
    assert_eq!(digits.len(), if start.starts_with("model-explainability") { 18 } else { 24 });
    assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert!(name.len() <= 63, "{name}");
    request["ProcessingJobName"] = json!(format!("{start}-X"));
    (request, digits.to_owned())
}

pub(super) fn input(name: &str, uri: &str, path: &str, data_type: &str) -> Value {
    json!({"InputName": name, "AppManaged": false, "S3Input": {
        "S3Uri": uri, "LocalPath": path, "S3DataType": data_type, "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated", "S3CompressionType": "None"}})
}

/// A named definition of data quality with everything that can be given.
async fn data_quality_definition(world: &World, change: impl FnOnce(&mut Value)) -> JobDefinition {
    let mut request = json!({
        "JobDefinitionName": "dq",
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": "s3://b/baseline/constraints.json"},
            "StatisticsResource": {"S3Uri": "s3://b/baseline/statistics.json"}},
        "DataQualityAppSpecification": {
            "ImageUri": IMAGE,
            "RecordPreprocessorSourceUri": "s3://b/code/before.py",
            "PostAnalyticsProcessorSourceUri": "s3://b/code/after.py",
            "Environment": {
                "publish_cloudwatch_metrics": "Disabled",
                "dataset_format": "{\"csv\": {\"header\": true}}",
                "mine": "1"}},
        "DataQualityJobInput": {"EndpointInput": {
            "EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint",
            "ExcludeFeaturesAttribute": "id"}},
        "DataQualityJobOutputConfig": {
            "KmsKeyId": "output-key",
            "MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/reports/", "LocalPath": "/opt/ml/processing/output"}}]},
        "JobResources": {"ClusterConfig": {
            "InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20, "VolumeKmsKeyId": "volume-key"}},
        "NetworkConfig": {"EnableNetworkIsolation": true},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
    });
    change(&mut request);
    let request: CreateDataQualityJobDefinitionRequest = serde_json::from_value(request).unwrap();
    define(world, Specification::DataQuality(request)).await
}

pub(super) async fn define(world: &World, specification: Specification) -> JobDefinition {
    let now = watchkeeper_aws::Time(world.context.now());
    let definition = json!({
        "specification": specification, "arn": "arn:aws:sagemaker:eu-west-1:000000000000:job-definition/x",
        "region": REGION, "tags": [], "created": now,
    });
    let definition: JobDefinition = serde_json::from_value(definition).unwrap();
    world.context.resources.commit(Transaction::new().insert(&definition)).await.unwrap();
    definition
}

pub(super) fn named(name: &str, kind: &str, expression: &str) -> Value {
    json!({"ScheduleConfig": {"ScheduleExpression": expression}, "MonitoringJobDefinitionName": name, "MonitoringType": kind})
}

async fn put_baseline_and_scripts(world: &World) {
    for key in ["baseline/constraints.json", "baseline/statistics.json", "code/before.py", "code/after.py"] {
        world.put(key, "{}").await;
    }
}

#[tokio::test]
async fn a_named_data_quality_definition() {
    let world = World::at("2021-05-06T22:10:00Z").await;
    let definition = data_quality_definition(&world, |_| {}).await;
    world.schedule_of("Hourly-DQ", named("dq", "DataQuality", "cron(0 * ? * * *)"), Some(&definition)).await;
    world.settle().await;
    put_baseline_and_scripts(&world).await;
    world.capture("2021/05/06/22").await;
    world.capture("2021/05/06/23").await;
    world.set_text("2021-05-06T23:00:00Z");
    world.round().await;

    let expected = json!({
        "ProcessingInputs": [
            input("baseline", "s3://b/baseline/statistics.json", "/opt/ml/processing/baseline/stats", "S3Prefix"),
            input("constraints", "s3://b/baseline/constraints.json", "/opt/ml/processing/baseline/constraints", "S3Prefix"),
            input("endpoint_input_1", "s3://b/captured/churn/AllTraffic/2021/05/06/22",
                "/opt/ml/processing/input/endpoint/churn/AllTraffic/2021/05/06/22", "S3Prefix"),
            input("preprocessor_script_input", "s3://b/code/before.py", "/opt/ml/processing/code/preprocessing", "S3Prefix"),
            input("post_processor_script_input", "s3://b/code/after.py", "/opt/ml/processing/code/postprocessing", "S3Prefix"),
        ],
        "ProcessingOutputConfig": {"KmsKeyId": "output-key", "Outputs": [{"OutputName": "result", "AppManaged": false, "S3Output": {
            "S3Uri": "s3://b/reports/churn/Hourly-DQ/2021/05/06/23", "LocalPath": "/opt/ml/processing/output",
            "S3UploadMode": "Continuous"}}]},
        "ProcessingJobName": "data-quality-monitoring-202105062300-X",
        "ProcessingResources": {"ClusterConfig": {
            "InstanceCount": 2, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20, "VolumeKmsKeyId": "volume-key"}},
        "StoppingCondition": {"MaxRuntimeInSeconds": 1800},
        "AppSpecification": {"ImageUri": IMAGE},
        "Environment": {
            "baseline_constraints": "/opt/ml/processing/baseline/constraints/constraints.json",
            "baseline_statistics": "/opt/ml/processing/baseline/stats/statistics.json",
            "dataset_format": "{\"sagemakerCaptureJson\":{\"captureIndexNames\":[\"endpointInput\",\"endpointOutput\"]}}",
            "dataset_source": "/opt/ml/processing/input/endpoint",
            "end_time": "2021-05-06T23:00:00Z",
            "exclude_features_attribute": "id",
            "metric_time": "2021-05-06T22:00:00Z",
            "mine": "1",
            "monitoring_input_type": "ENDPOINT_INPUT",
            "output_path": "/opt/ml/processing/output",
            "post_analytics_processor_script": "/opt/ml/processing/code/postprocessing/after.py",
            "publish_cloudwatch_metrics": "Disabled",
            "record_preprocessor_script": "/opt/ml/processing/code/preprocessing/before.py",
            "sagemaker_endpoint_datacapture_prefix": "s3://b/captured",
            "sagemaker_endpoint_name": "churn",
            "sagemaker_monitoring_schedule_name": "Hourly-DQ",
            "start_time": "2021-05-06T22:00:00Z",
        },
        "NetworkConfig": {"EnableInterContainerTrafficEncryption": false, "EnableNetworkIsolation": true},
        "RoleArn": ROLE,
    });
    assert_eq!(request(&world).await, expected);
    let job = &world.jobs().await[0].resource;
    assert_eq!(
        job.monitoring_schedule_arn.as_deref(),
        Some("arn:aws:sagemaker:eu-west-1:000000000000:monitoring-schedule/hourly-dq")
    );
    assert!(DatasetFormat::parse(&job.request.environment.as_ref().unwrap()["dataset_format"]).is_ok());
    let row = &world.rows("Hourly-DQ").await[0];
    assert_eq!((row.status, row.scheduled.0), (ExecutionStatus::InProgress, moment("2021-05-06T23:00:00Z")));
    assert_eq!(row.processing_job_arn.as_ref(), Some(&job.arn));
    let last = world.describe("hourly-dq").await.last_execution.unwrap();
    assert_eq!(
        (last.monitoring_execution_status, last.processing_job_arn),
        (ExecutionStatus::InProgress, Some(job.arn.clone()))
    );
}

#[tokio::test]
async fn an_own_image_gets_every_variable_and_its_arguments() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let mut config = embedded("cron(0 * ? * * *)");
    let definition = &mut config["MonitoringJobDefinition"];
    definition["MonitoringAppSpecification"] =
        json!({"ImageUri": "mine:latest", "ContainerEntrypoint": ["python3", "m.py"], "ContainerArguments": ["--x"]});
    definition["Environment"] = json!({"dataset_source": "wrong", "analysis_type": "MINE", "threshold": "3"});
    world.schedule("own", config).await;
    world.settle().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let request = request(&world).await;
    assert_eq!(
        request["AppSpecification"],
        json!({"ImageUri": "mine:latest", "ContainerEntrypoint": ["python3", "m.py"], "ContainerArguments": ["--x"]})
    );
    let environment = &request["Environment"];
    assert_eq!(environment["dataset_source"], "/opt/ml/processing/input/endpoint", "the service's value wins");
    assert_eq!(environment["analysis_type"], "MINE", "the definition's value wins");
    assert_eq!(environment["threshold"], "3");
    assert_eq!(environment["sagemaker_endpoint_name"], "churn");
    assert_eq!(environment["publish_cloudwatch_metrics"], "Enabled");
    assert_eq!(request["StoppingCondition"]["MaxRuntimeInSeconds"], 3600);
    assert_eq!(request.get("NetworkConfig"), None);
}

#[tokio::test]
async fn explainability_has_its_configuration_and_no_merge() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let definition: CreateModelExplainabilityJobDefinitionRequest = serde_json::from_value(json!({
        "JobDefinitionName": "ex",
        "ModelExplainabilityBaselineConfig": {"ConstraintsResource": {"S3Uri": "s3://b/shap/analysis.json"}},
        "ModelExplainabilityAppSpecification": {"ImageUri": "x/sagemaker-clarify-processing:1.0", "ConfigUri": "s3://b/shap/analysis_config.json"},
        "ModelExplainabilityJobInput": {"EndpointInput": {
            "EndpointName": "churn", "LocalPath": "/opt/ml/processing/input/endpoint",
            "FeaturesAttribute": "features", "InferenceAttribute": "0", "ProbabilityThresholdAttribute": 0.5}},
        "ModelExplainabilityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": {"S3Uri": "s3://b/out", "LocalPath": "/opt/ml/processing/output"}}]},
        "JobResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 20}},
        "RoleArn": ROLE,
    }))
    .unwrap();
    let definition = define(&world, Specification::ModelExplainability(definition)).await;
    world.schedule_of("why", named("ex", "ModelExplainability", "cron(0 * ? * * *)"), Some(&definition)).await;
    world.settle().await;
    world.put("shap/analysis.json", "{}").await;
    world.put("shap/analysis_config.json", "{}").await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let request = request(&world).await;
    assert_eq!(request["ProcessingJobName"], "model-explainability-monitoring-202601010100-X");
    assert_eq!(
        request["ProcessingInputs"],
        json!([
            input("constraints", "s3://b/shap/analysis.json", "/opt/ml/processing/baseline/constraints", "S3Prefix"),
            input(
                "endpoint_input_1",
                "s3://b/captured/churn/AllTraffic/2026/01/01/00",
                "/opt/ml/processing/input/endpoint/churn/AllTraffic/2026/01/01/00",
                "S3Prefix"
            ),
            input("analysis_config", "s3://b/shap/analysis_config.json", "/opt/ml/processing/input/config", "S3Prefix"),
        ])
    );
    let environment = &request["Environment"];
    assert_eq!(environment["analysis_type"], "MODEL_EXPLAINABILITY");
    assert_eq!(environment["baseline_constraints"], "/opt/ml/processing/baseline/constraints/analysis.json");
    assert_eq!(environment["features_attribute"], "features");
    assert_eq!(environment["probability_threshold_attribute"], "0.5");
}

#[tokio::test]
async fn batch_transform_inputs_are_manifests() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let mut config = embedded("cron(0 * ? * * *)");
    config["MonitoringJobDefinition"]["MonitoringInputs"] = json!([{"BatchTransformInput": {
        "DataCapturedDestinationS3Uri": "s3://b/batch", "DatasetFormat": {"Json": {"Line": true}},
        "LocalPath": "/opt/ml/processing/input"}}]);
    world.schedule("batch", config).await;
    world.settle().await;
    world.put("batch/input/2026/01/01/00/one.json", "[]").await;
    world.put("batch/input/2026/01/01/00/two.json", "[]").await;
    world.put("batch/output/2026/01/01/00/three.json", "[]").await;
    world.put("batch/input/2026/01/01/01/four.json", "[]").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let request = request(&world).await;
    assert_eq!(
        request["ProcessingInputs"],
        json!([
            input(
                "endpoint_input_1",
                "s3://b/batch/input/2026/01/01/00/one.json",
                "/opt/ml/processing/input/batch/2026/01/01/00",
                "ManifestFile"
            ),
            input(
                "endpoint_input_2",
                "s3://b/batch/input/2026/01/01/00/two.json",
                "/opt/ml/processing/input/batch/2026/01/01/00/two",
                "ManifestFile"
            ),
        ])
    );
    let output = &request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"];
    assert_eq!(*output, "s3://b/reports/batch/2026/01/01/01");
    let environment = &request["Environment"];
    assert_eq!(environment["dataset_format"], "{\"json\":{\"line\":true}}");
    assert_eq!(
        DatasetFormat::parse(environment["dataset_format"].as_str().unwrap()).unwrap(),
        DatasetFormat::Json { lines: true }
    );
    assert_eq!(environment["monitoring_input_type"], "BATCH_TRANSFORM_INPUT");
    assert_eq!(environment.get("sagemaker_endpoint_name"), None);
    assert_eq!(environment.get("sagemaker_endpoint_datacapture_prefix"), None);
}

#[tokio::test]
async fn long_windows_take_one_input_a_variant() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.schedule("daily", embedded("cron(0 0 ? * * *)")).await;
    world.settle().await;
    for hour in 0..24 {
        world.capture(&format!("2026/01/01/{hour:02}")).await;
    }
    for hour in 5..7 {
        world.put(&format!("captured/churn/Canary/2026/01/01/{hour:02}/x.jsonl"), "{}\n").await;
    }
    world.set_text("2026-01-02T00:00:00Z");
    world.round().await;
    let request = request(&world).await;
    assert_eq!(
        request["ProcessingInputs"],
        json!([
            input(
                "endpoint_input_1",
                "s3://b/captured/churn/AllTraffic/2026/01/01",
                "/opt/ml/processing/input/endpoint/churn/AllTraffic/2026/01/01",
                "S3Prefix"
            ),
            input(
                "endpoint_input_2",
                "s3://b/captured/churn/Canary/2026/01/01",
                "/opt/ml/processing/input/endpoint/churn/Canary/2026/01/01",
                "S3Prefix"
            ),
        ])
    );
    assert_eq!(request["Environment"]["start_time"], "2026-01-01T00:00:00Z");
    let looked = &world.rows("daily").await[0].looked[0];
    assert_eq!((looked.objects, looked.bytes), (26, 26 * 3));
}

#[tokio::test]
async fn offsets_replace_the_ends_of_the_window() {
    let world = World::at("2020-01-09T12:30:00Z").await;
    let mut config = embedded("cron(0 * ? * * *)");
    let input = &mut config["MonitoringJobDefinition"]["MonitoringInputs"][0]["EndpointInput"];
    input["StartTimeOffset"] = json!("-P8D");
    input["EndTimeOffset"] = json!("-P1D");
    world.schedule("late", config).await;
    world.settle().await;
    world.capture("2020/01/01/12").await;
    world.capture("2020/01/01/13").await;
    world.capture("2020/01/08/12").await;
    world.capture("2020/01/08/13").await;
    world.set_text("2020-01-09T13:00:00Z");
    world.round().await;
    let request = request(&world).await;
    // The guide's example.
    assert_eq!(request["Environment"]["start_time"], "2020-01-01T13:00:00Z");
    assert_eq!(request["Environment"]["end_time"], "2020-01-08T13:00:00Z");
    let inputs: Vec<&Value> =
        request["ProcessingInputs"].as_array().unwrap().iter().map(|input| &input["S3Input"]["S3Uri"]).collect();
    assert_eq!(
        inputs,
        ["s3://b/captured/churn/AllTraffic/2020/01/01/13", "s3://b/captured/churn/AllTraffic/2020/01/08/12"]
    );
}

#[tokio::test]
async fn a_baseline_with_its_label_last_is_compared_with_rows_put_together_alike() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    let format = r#"{"csv": {"header": true, "output_columns_position": "END"}}"#;
    world.baselining_job("baseline-1", format, ProcessingJobStatus::Completed).await;
    let definition = data_quality_definition(&world, |_| {}).await;
    world.schedule_of("s", named("dq", "DataQuality", "cron(0 * ? * * *)"), Some(&definition)).await;
    world.settle().await;
    put_baseline_and_scripts(&world).await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let text = request(&world).await["Environment"]["dataset_format"].as_str().unwrap().to_owned();
    let DatasetFormat::CaptureJson { output_columns_position, .. } = DatasetFormat::parse(&text).unwrap() else {
        panic!("{text}");
    };
    assert_eq!(output_columns_position.unwrap().to_string(), "END");
}

#[tokio::test]
async fn what_is_missing_is_said_with_what_to_do() {
    let world = World::at("2026-01-01T00:10:00Z").await;
    world.endpoint("silent", None).await;
    let mut gone = embedded("cron(0 * ? * * *)");
    gone["MonitoringJobDefinition"]["MonitoringInputs"][0]["EndpointInput"]["EndpointName"] = json!("gone");
    world.schedule("gone", gone).await;
    let mut silent = embedded("cron(0 * ? * * *)");
    silent["MonitoringJobDefinition"]["MonitoringInputs"][0]["EndpointInput"]["EndpointName"] = json!("silent");
    world.schedule("silent", silent).await;
    let mut batch = embedded("cron(0 * ? * * *)");
    batch["MonitoringJobDefinition"]["MonitoringInputs"] = json!([{"BatchTransformInput": {
        "DataCapturedDestinationS3Uri": "s3://nowhere/batch", "DatasetFormat": {"Parquet": {}},
        "LocalPath": "/opt/ml/processing/input"}}]);
    world.schedule("batch", batch).await;
    world.baselining_job("baseline-1", "{}", ProcessingJobStatus::InProgress).await;
    let mut baseline = embedded("cron(0 * ? * * *)");
    baseline["MonitoringJobDefinition"]["BaselineConfig"] = json!({
        "BaseliningJobName": "baseline-1",
        "ConstraintsResource": {"S3Uri": "s3://b/baseline/constraints.json"},
        "StatisticsResource": {"S3Uri": "s3://b/baseline/statistics.json"}});
    world.schedule("baseline", baseline).await;
    world.settle().await;
    world.capture("2026/01/01/00").await;
    world.set_text("2026-01-01T01:00:00Z");
    world.round().await;
    let cases = [
        ("gone", "there is no endpoint gone: create it with a DataCaptureConfig, or delete this schedule"),
        ("silent", "endpoint silent captures no data: update it to an endpoint configuration with a DataCaptureConfig"),
        (
            "batch",
            "No S3 objects found under S3 URL \"s3://nowhere/batch\" given in input data source. Please ensure that the bucket \
             exists in the selected region (eu-west-1), that objects exist under that S3 prefix, and that the role \
             \"arn:aws:iam::000000000000:role/monitor\" has \"s3:ListBucket\" permissions on bucket \"nowhere\".",
        ),
        (
            "baseline",
            "the baseline statistics s3://b/baseline/statistics.json are not there: the baselining job baseline-1 is InProgress",
        ),
    ];
    for (schedule, reason) in cases {
        let rows = world.rows(schedule).await;
        assert_eq!(rows.len(), 1, "{schedule}");
        assert_eq!(rows[0].status, ExecutionStatus::Failed, "{schedule}");
        assert_eq!(rows[0].failure_reason.as_deref(), Some(reason), "{schedule}");
        assert_eq!(rows[0].processing_job_arn, None, "{schedule}");
    }
}
