//! Endpoints: predictions, capture, deletion.

use serde_json::{Value, json};
use watchkeeper::Error;
use watchkeeper::model_monitor::{CaptureOption, DataCaptureConfig};
use watchkeeper::predictor::{EndpointMonitor, Predictor};

use crate::stub::{Answer, Stub};

/// A service with the endpoint `churn`, whose update ends in `status`.
fn service(status: &'static str) -> Stub {
    Stub::start(move |request| match request.operation().as_str() {
        "DescribeEndpoint" => Answer::json(&json!({
            "EndpointName": "churn",
            "EndpointConfigName": "old",
            "EndpointStatus": status,
            "FailureReason": "no such image",
        })),
        "DescribeEndpointConfig" => Answer::json(&json!({
            "EndpointConfigName": "old",
            "EndpointConfigArn": "arn:aws:sagemaker:eu-central-1:123456789012:endpoint-config/old",
            "ProductionVariants": [
                { "VariantName": "A", "ModelName": "one", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large" },
                { "VariantName": "B", "ModelName": "two", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large" },
            ],
            "DataCaptureConfig": { "EnableCapture": false },
            "KmsKeyId": "volume-key",
            "ExplainerConfig": { "ClarifyExplainerConfig": {} },
            "VpcConfig": { "Subnets": ["subnet"], "SecurityGroupIds": ["sg"] },
            "EnableNetworkIsolation": true,
            "AsyncInferenceConfig": null,
            "CreationTime": 1.7e9,
        })),
        "ListTags" => Answer::json(&json!({
            "Tags": [{ "Key": "aws:internal", "Value": "x" }, { "Key": "team", "Value": "churn" }],
        })),
        "CreateEndpointConfig" => Answer::json(&json!({ "EndpointConfigArn": "arn:new" })),
        "UpdateEndpoint" => Answer::json(&json!({ "EndpointArn": "arn:endpoint" })),
        operation if operation.starts_with("POST /endpoints/") => Answer::bytes("0.75")
            .with_header("content-type", "text/csv")
            .with_header("x-amzn-invoked-production-variant", "A")
            .with_header("x-amzn-sagemaker-custom-attributes", "trace=1"),
        operation if operation.starts_with("Delete") => Answer::empty(),
        operation => Answer::error(400, "UnknownOperationException", operation),
    })
}

#[tokio::test]
async fn a_prediction_is_bytes_both_ways_with_its_headers() {
    let stub = service("InService");
    let session = stub.session();
    let predictor = Predictor::new(&session, "churn").content_type("text/csv");
    let prediction = predictor
        .predict("1,2\n")
        .accept("text/csv")
        .inference_id("order 17")
        .custom_attributes("a=b")
        .target_model("m.tar.gz")
        .target_variant("A")
        .component_name("part")
        .await
        .unwrap();
    assert_eq!(&prediction.body[..], b"0.75");
    assert_eq!(prediction.content_type.as_deref(), Some("text/csv"));
    assert_eq!(prediction.invoked_production_variant.as_deref(), Some("A"));
    assert_eq!(prediction.custom_attributes.as_deref(), Some("trace=1"));
    let request = &stub.requests()[0];
    assert_eq!(request.operation(), "POST /endpoints/churn/invocations");
    assert_eq!(request.service(), "sagemaker");
    assert_eq!(request.text(), "1,2\n");
    // The headers' names are those of the service's public model.
    for (header, value) in [
        ("content-type", "text/csv"),
        ("accept", "text/csv"),
        ("x-amzn-sagemaker-inference-id", "order 17"),
        ("x-amzn-sagemaker-custom-attributes", "a=b"),
        ("x-amzn-sagemaker-target-model", "m.tar.gz"),
        ("x-amzn-sagemaker-target-variant", "A"),
        ("x-amzn-sagemaker-inference-component", "part"),
    ] {
        assert_eq!(request.header(header), value, "{header}");
    }
}

#[tokio::test]
async fn a_plain_prediction_has_the_headers_of_python_alone() {
    let stub = service("InService");
    Predictor::new(&stub.session(), "churn").predict(vec![1_u8, 2]).await.unwrap();
    let request = &stub.requests()[0];
    assert_eq!((request.header("content-type"), request.header("accept")), ("application/octet-stream", "*/*"));
    assert!(!request.headers.keys().any(|name| name.as_str().starts_with("x-amzn-sagemaker")));
}

#[tokio::test]
async fn what_cannot_be_a_header_is_refused_before_it_is_sent() {
    let stub = service("InService");
    let session = stub.session();
    let predictor = Predictor::new(&session, "churn");
    let error = predictor.predict("1").inference_id("a\r\nb: c").await.unwrap_err();
    assert!(matches!(error, Error::Argument { argument: "inference_id", .. }), "{error}");
    assert!(stub.requests().is_empty());
}

#[tokio::test]
async fn capture_is_changed_by_a_configuration_like_the_old_one() {
    let stub = service("InService");
    let mut predictor = Predictor::new(&stub.session(), "churn");
    let capture = DataCaptureConfig::new(true)
        .sampling_percentage(100)
        .destination_s3_uri("s3://bucket/captured".parse().unwrap())
        .kms_key_id("capture-key")
        .capture_options(["request", "Output"])
        .csv_content_types(["text/csv", "application/csv"]);
    predictor.update_data_capture_config(&capture).await.unwrap();
    assert_eq!(
        stub.operations(),
        [
            "DescribeEndpoint",
            "DescribeEndpointConfig",
            "ListTags",
            "CreateEndpointConfig",
            "DescribeEndpoint",
            "UpdateEndpoint",
            "DescribeEndpoint"
        ]
    );
    let created = stub.requests()[3].json();
    let new_name = created["EndpointConfigName"].as_str().unwrap().to_owned();
    assert!(new_name.starts_with("churn-20"), "{new_name}");
    assert_eq!(stub.requests()[5].json(), json!({ "EndpointName": "churn", "EndpointConfigName": new_name }));
    let expected = json!({
        "EndpointConfigName": new_name,
        "ProductionVariants": [
            { "VariantName": "A", "ModelName": "one", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large" },
            { "VariantName": "B", "ModelName": "two", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large" },
        ],
        "Tags": [{ "Key": "team", "Value": "churn" }],
        "KmsKeyId": "volume-key",
        "DataCaptureConfig": {
            "EnableCapture": true,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://bucket/captured",
            "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
            "KmsKeyId": "capture-key",
            "CaptureContentTypeHeader": {
                "CsvContentTypes": ["text/csv", "application/csv"],
                "JsonContentTypes": ["application/json"],
            },
        },
        "ExplainerConfig": { "ClarifyExplainerConfig": {} },
        "VpcConfig": { "Subnets": ["subnet"], "SecurityGroupIds": ["sg"] },
        "EnableNetworkIsolation": true,
    });
    assert_eq!(created, expected);
}

#[tokio::test]
async fn an_endpoint_that_does_not_come_back_says_why() {
    let stub = service("Failed");
    let mut predictor = Predictor::new(&stub.session(), "churn");
    let capture = DataCaptureConfig::new(true).destination_s3_uri("s3://bucket/captured".parse().unwrap());
    let error = predictor.update_data_capture_config(&capture).await.unwrap_err();
    assert_eq!(error.to_string(), "endpoint churn is Failed, not InService: no such image");
}

#[test]
fn options_are_read_in_any_case_and_others_pass() {
    assert_eq!(CaptureOption::from("Request"), CaptureOption::Request);
    assert_eq!(CaptureOption::from("response"), CaptureOption::Response);
    assert_eq!(CaptureOption::from("InputAndOutput").capture_mode(), "InputAndOutput");
    assert_eq!(DataCaptureConfig::API_MAPPING, [("REQUEST", "Input"), ("RESPONSE", "Output")]);
}

#[tokio::test]
async fn deletion_takes_models_configuration_and_endpoint() {
    let stub = service("InService");
    let mut predictor = Predictor::new(&stub.session(), "churn");
    predictor.delete_model().await.unwrap();
    predictor.delete_endpoint().await.unwrap();
    let sent: Vec<(String, Value)> =
        stub.requests().iter().map(|request| (request.operation(), request.json())).collect();
    assert_eq!(
        sent,
        [
            ("DescribeEndpoint".to_owned(), json!({ "EndpointName": "churn" })),
            ("DescribeEndpointConfig".to_owned(), json!({ "EndpointConfigName": "old" })),
            ("DeleteModel".to_owned(), json!({ "ModelName": "one" })),
            ("DeleteModel".to_owned(), json!({ "ModelName": "two" })),
            ("DeleteEndpointConfig".to_owned(), json!({ "EndpointConfigName": "old" })),
            ("DeleteEndpoint".to_owned(), json!({ "EndpointName": "churn" })),
        ]
    );
    let stub = service("InService");
    Predictor::new(&stub.session(), "churn").delete_endpoint().delete_endpoint_config(false).await.unwrap();
    assert_eq!(stub.operations(), ["DeleteEndpoint"]);
}

#[tokio::test]
async fn a_model_that_stays_does_not_keep_the_others() {
    let stub = Stub::start(|request| match (request.operation().as_str(), request.json()["ModelName"].as_str()) {
        ("DescribeEndpoint", _) => Answer::json(&json!({ "EndpointConfigName": "old" })),
        ("DescribeEndpointConfig", _) => {
            Answer::json(&json!({ "ProductionVariants": [{ "ModelName": "one" }, { "ModelName": "two" }] }))
        }
        ("DeleteModel", Some("one")) => Answer::error(400, "ValidationException", "in use"),
        _ => Answer::empty(),
    });
    let error = Predictor::new(&stub.session(), "churn").delete_model().await.unwrap_err();
    assert!(error.to_string().starts_with("DeleteModel of one: ValidationException: in use"), "{error}");
    assert_eq!(stub.requests().last().unwrap().json(), json!({ "ModelName": "two" }));
}

/// A service with a schedule of every kind, named after it; `plain` and `legacy` say themselves what their jobs are.
fn service_with_schedules() -> Stub {
    let cluster = json!({ "InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 20 });
    let embedded = {
        let cluster = cluster.clone();
        move |image: &str| {
            json!({ "MonitoringJobDefinition": {
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "MonitoringAppSpecification": { "ImageUri": image },
                "MonitoringResources": { "ClusterConfig": cluster },
                "MonitoringOutputConfig": { "MonitoringOutputs": [] },
                "Environment": {},
            } })
        }
    };
    Stub::start(move |request| {
        let asked = request.json();
        match (request.operation().as_str(), asked["MonitoringScheduleName"].as_str().unwrap_or_default()) {
            ("ListMonitoringSchedules", _) => {
                let is_second = asked["NextToken"] == "more";
                let kinds: &[(&str, Option<&str>)] = if is_second {
                    &[("plain", None), ("legacy", Some("DataQuality"))]
                } else {
                    &[
                        ("DataQuality", Some("DataQuality")),
                        ("ModelQuality", Some("ModelQuality")),
                        ("ModelBias", Some("ModelBias")),
                        ("ModelExplainability", Some("ModelExplainability")),
                    ]
                };
                let summaries: Vec<Value> = kinds
                    .iter()
                    .map(|(name, kind)| json!({ "MonitoringScheduleName": name, "MonitoringType": kind }))
                    .collect();
                let mut answer = json!({ "MonitoringScheduleSummaries": summaries });
                if !is_second {
                    answer["NextToken"] = "more".into();
                }
                Answer::json(&answer)
            }
            ("DescribeMonitoringSchedule", name) => {
                let config = match name {
                    "plain" => embedded("registry/own-analyzer"),
                    "legacy" => embedded("registry/sagemaker-model-monitor-analyzer"),
                    kind => json!({ "MonitoringType": kind, "MonitoringJobDefinitionName": "definition" }),
                };
                Answer::json(&json!({ "MonitoringScheduleArn": "arn:schedule", "MonitoringScheduleConfig": config }))
            }
            ("ListTags", _) => Answer::json(&json!({ "Tags": [] })),
            (operation, _) => {
                let kind =
                    operation.strip_prefix("Describe").and_then(|rest| rest.strip_suffix("JobDefinition")).unwrap();
                Answer::json(&json!({
                    "JobDefinitionName": "definition",
                    "RoleArn": "arn:aws:iam::123456789012:role/r",
                    "JobResources": { "ClusterConfig": cluster },
                    (format!("{kind}AppSpecification")): { "ImageUri": "registry/image", "Environment": {} },
                    (format!("{kind}JobOutputConfig")): { "MonitoringOutputs": [] },
                }))
            }
        }
    })
}

#[tokio::test]
async fn monitors_of_an_endpoint_are_of_their_kinds() {
    let stub = service_with_schedules();
    let monitors = Predictor::new(&stub.session(), "churn").list_monitors().await.unwrap();
    let seen: Vec<(&str, &str)> = monitors
        .iter()
        .map(|monitor| {
            let kind = match monitor {
                EndpointMonitor::Generic(_) => "own",
                EndpointMonitor::DataQuality(_) => "data quality",
                EndpointMonitor::ModelQuality(_) => "model quality",
                EndpointMonitor::ModelBias(_) => "bias",
                EndpointMonitor::ModelExplainability(_) => "explainability",
                _ => "unknown",
            };
            (monitor.monitoring_schedule_name().unwrap(), kind)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("DataQuality", "data quality"),
            ("ModelQuality", "model quality"),
            ("ModelBias", "bias"),
            ("ModelExplainability", "explainability"),
            ("plain", "own"),
            ("legacy", "data quality"),
        ]
    );
    let first = &stub.requests()[0];
    assert_eq!(
        first.json(),
        json!({ "EndpointName": "churn", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100 })
    );
}
