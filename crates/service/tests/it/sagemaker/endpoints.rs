//! Models, endpoint configurations and endpoints: texts that clients test, echoes, and the life of an endpoint.

use serde_json::{Value, json};

use super::{Api, ROLE, validation};

const ACCOUNT: &str = "arn:aws:sagemaker:eu-central-1:111122223333";
const ECHO: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/watchkeeper-echo:1";

fn model(name: &str) -> Value {
    json!({
        "ModelName": name,
        "PrimaryContainer": {
            "Image": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:1.7-1",
            "ModelDataUrl": "https://bucket.s3-eu-central-1.amazonaws.com/model.tar.gz",
            "Environment": { "A": "b" },
        },
        "ExecutionRoleArn": ROLE,
    })
}

/// A model that can be served here.
fn echo(name: &str) -> Value {
    json!({ "ModelName": name, "PrimaryContainer": { "Image": ECHO } })
}

fn config(name: &str, model: &str) -> Value {
    json!({
        "EndpointConfigName": name,
        "ProductionVariants": [{
            "VariantName": "AllTraffic",
            "ModelName": model,
            "InitialInstanceCount": 2,
            "InstanceType": "ml.m5.large",
            "InitialVariantWeight": 1.0,
        }],
        "DataCaptureConfig": {
            "EnableCapture": true,
            "InitialSamplingPercentage": 50,
            "DestinationS3Uri": "s3://bucket/captured",
            "CaptureOptions": [{ "CaptureMode": "Input" }, { "CaptureMode": "Output" }],
            "CaptureContentTypeHeader": { "CsvContentTypes": ["text/csv"] },
        },
    })
}

fn endpoint(name: &str, config: &str) -> Value {
    json!({ "EndpointName": name, "EndpointConfigName": config })
}

async fn described(api: &Api, name: &str) -> Value {
    api.ok("DescribeEndpoint", json!({ "EndpointName": name })).await
}

#[tokio::test]
async fn models_and_configurations_are_echoed() {
    let api = Api::new().await;
    let arn = format!("{ACCOUNT}:model/churn");
    assert_eq!(api.ok("CreateModel", model("Churn")).await, json!({ "ModelArn": arn }));
    let mut expected = model("Churn");
    expected["ModelArn"] = json!(arn);
    expected["CreationTime"] = json!(1_772_360_430.25);
    assert_eq!(api.ok("DescribeModel", json!({ "ModelName": "CHURN" })).await, expected);

    let arn = format!("{ACCOUNT}:endpoint-config/config");
    assert_eq!(api.ok("CreateEndpointConfig", config("Config", "Churn")).await, json!({ "EndpointConfigArn": arn }));
    let mut expected = config("Config", "Churn");
    expected["EndpointConfigArn"] = json!(arn);
    expected["CreationTime"] = json!(1_772_360_430.25);
    assert_eq!(api.ok("DescribeEndpointConfig", json!({ "EndpointConfigName": "config" })).await, expected);
}

#[tokio::test]
async fn what_is_missing_or_taken_has_aws_s_texts() {
    let api = Api::new().await;
    let missing_model = validation(&format!("Could not find model \"{ACCOUNT}:model/churn\"."));
    let missing_config =
        validation(&format!("Could not find endpoint configuration \"{ACCOUNT}:endpoint-config/config\"."));
    let missing_endpoint = validation(&format!("Could not find endpoint \"{ACCOUNT}:endpoint/shop\"."));
    let desired = json!({ "EndpointName": "Shop", "DesiredWeightsAndCapacities": [{ "VariantName": "AllTraffic" }] });
    let cases = [
        ("DescribeModel", json!({ "ModelName": "Churn" }), &missing_model),
        ("DeleteModel", json!({ "ModelName": "Churn" }), &missing_model),
        ("CreateEndpointConfig", config("Config", "Churn"), &missing_model),
        ("DescribeEndpointConfig", json!({ "EndpointConfigName": "Config" }), &missing_config),
        ("DeleteEndpointConfig", json!({ "EndpointConfigName": "Config" }), &missing_config),
        ("CreateEndpoint", endpoint("Shop", "Config"), &missing_config),
        ("DescribeEndpoint", json!({ "EndpointName": "Shop" }), &missing_endpoint),
        ("UpdateEndpoint", endpoint("Shop", "Config"), &missing_endpoint),
        ("UpdateEndpointWeightsAndCapacities", desired, &missing_endpoint),
        ("DeleteEndpoint", json!({ "EndpointName": "Shop" }), &missing_endpoint),
    ];
    for (operation, input, expected) in cases {
        assert_eq!(&api.refused(operation, input).await, expected, "{operation}");
    }

    api.ok("CreateModel", model("Churn")).await;
    api.ok("CreateEndpointConfig", config("Config", "Churn")).await;
    api.ok("CreateEndpoint", endpoint("Shop", "Config")).await;
    let taken =
        |kind: &str, path: &str| validation(&format!("Cannot create already existing {kind} \"{ACCOUNT}:{path}\"."));
    assert_eq!(api.refused("CreateModel", model("CHURN")).await, taken("model", "model/churn"));
    assert_eq!(
        api.refused("CreateEndpointConfig", config("CONFIG", "Churn")).await,
        taken("endpoint configuration", "endpoint-config/config")
    );
    assert_eq!(api.refused("CreateEndpoint", endpoint("SHOP", "Config")).await, taken("endpoint", "endpoint/shop"));
}

#[tokio::test]
async fn the_life_of_an_endpoint() {
    let api = Api::new().await;
    api.ok("CreateModel", echo("Churn")).await;
    api.ok("CreateEndpointConfig", config("Config", "Churn")).await;
    let mut off = config("Off", "Churn");
    off["DataCaptureConfig"]["EnableCapture"] = json!(false);
    off["DataCaptureConfig"]["KmsKeyId"] = json!("alias/key");
    api.ok("CreateEndpointConfig", off).await;

    api.ok("CreateEndpoint", endpoint("Shop", "Config")).await;
    let creating = described(&api, "Shop").await;
    assert_eq!(creating["EndpointStatus"], "Creating");
    assert_eq!(creating["DataCaptureConfig"]["CaptureStatus"], "Stopped");
    let in_progress = validation(&format!("Cannot update in-progress endpoint \"{ACCOUNT}:endpoint/shop\"."));
    assert_eq!(api.refused("UpdateEndpoint", endpoint("Shop", "Off")).await, in_progress);

    api.host().await;
    let serving = described(&api, "shop").await;
    assert_eq!(
        serving,
        json!({
            "EndpointName": "Shop",
            "EndpointArn": format!("{ACCOUNT}:endpoint/shop"),
            "EndpointConfigName": "Config",
            "ProductionVariants": [{
                "VariantName": "AllTraffic",
                "DeployedImages": [{ "SpecifiedImage": ECHO }],
                "CurrentWeight": 1.0,
                "DesiredWeight": 1.0,
                "CurrentInstanceCount": 2,
                "DesiredInstanceCount": 2,
            }],
            "DataCaptureConfig": {
                "EnableCapture": true,
                "CaptureStatus": "Started",
                "CurrentSamplingPercentage": 50,
                "DestinationS3Uri": "s3://bucket/captured",
                "KmsKeyId": "",
            },
            "EndpointStatus": "InService",
            "CreationTime": 1_772_360_430.25,
            "LastModifiedTime": 1_772_360_431.25,
        })
    );

    let updated = api.ok("UpdateEndpoint", endpoint("Shop", "Off")).await;
    assert_eq!(updated, json!({ "EndpointArn": format!("{ACCOUNT}:endpoint/shop") }));
    let updating = described(&api, "Shop").await;
    assert_eq!(updating["EndpointStatus"], "Updating");
    assert_eq!(updating["EndpointConfigName"], "Config", "it is what serves");
    assert_eq!(updating["DataCaptureConfig"]["CaptureStatus"], "Started");
    assert_eq!(updating["PendingDeploymentSummary"]["EndpointConfigName"], "Off");
    assert_eq!(api.refused("UpdateEndpoint", endpoint("Shop", "Config")).await, in_progress);
    api.host().await;
    let updated = described(&api, "Shop").await;
    assert_eq!((&updated["EndpointStatus"], &updated["EndpointConfigName"]), (&json!("InService"), &json!("Off")));
    assert_eq!(updated["DataCaptureConfig"]["CaptureStatus"], "Stopped");
    assert_eq!(updated["DataCaptureConfig"]["KmsKeyId"], "alias/key");

    let desired = |variant: &str| {
        json!({ "EndpointName": "Shop", "DesiredWeightsAndCapacities": [
            { "VariantName": variant, "DesiredWeight": 0.5, "DesiredInstanceCount": 4 }
        ] })
    };
    assert_eq!(api.refused("UpdateEndpointWeightsAndCapacities", desired("Other")).await.0, "ValidationException");
    api.ok("UpdateEndpointWeightsAndCapacities", desired("AllTraffic")).await;
    let variant = described(&api, "Shop").await["ProductionVariants"][0].clone();
    assert_eq!((&variant["CurrentWeight"], &variant["DesiredWeight"]), (&json!(1.0), &json!(0.5)));
    api.host().await;
    let listed = api.ok("ListEndpoints", json!({ "StatusEquals": "InService" })).await;
    assert_eq!(listed["Endpoints"][0]["EndpointName"], "Shop", "lists see it arrive too");
    let variant = described(&api, "Shop").await["ProductionVariants"][0].clone();
    assert_eq!((&variant["CurrentWeight"], &variant["CurrentInstanceCount"]), (&json!(0.5), &json!(4)));

    // Weights and numbers of instances outlive an update that retains them, and no other.
    for (retain, count) in [(true, 4), (false, 2)] {
        let mut request = endpoint("Shop", "Config");
        request["RetainAllVariantProperties"] = json!(retain);
        api.ok("UpdateEndpoint", request).await;
        api.host().await;
        assert_eq!(described(&api, "Shop").await["ProductionVariants"][0]["CurrentInstanceCount"], count);
    }

    // The configuration and the model may go while the endpoint lives.
    api.ok("DeleteEndpointConfig", json!({ "EndpointConfigName": "Config" })).await;
    api.ok("DeleteModel", json!({ "ModelName": "Churn" })).await;
    assert_eq!(described(&api, "Shop").await["EndpointStatus"], "InService");
    api.ok("DeleteEndpoint", json!({ "EndpointName": "Shop" })).await;
    assert_eq!(described(&api, "Shop").await["EndpointStatus"], "Deleting");
    assert_eq!(api.refused("UpdateEndpoint", endpoint("Shop", "Off")).await, in_progress);
    api.ok("DeleteEndpoint", json!({ "EndpointName": "Shop" })).await;
    api.host().await;
    assert_eq!(api.refused("DescribeEndpoint", json!({ "EndpointName": "Shop" })).await.0, "ValidationException");
}

#[tokio::test]
async fn weights_of_an_endpoint_that_is_not_in_service_stay() {
    let api = Api::new().await;
    api.ok("CreateModel", model("Churn")).await;
    api.ok("CreateEndpointConfig", config("Config", "Churn")).await;
    api.ok("CreateEndpoint", endpoint("Shop", "Config")).await;
    api.host().await;
    let failed = described(&api, "Shop").await;
    assert_eq!(failed["EndpointStatus"], "Failed");
    let reason = failed["FailureReason"].as_str().unwrap();
    assert!(reason.contains("sagemaker-xgboost:1.7-1") && reason.contains("[[images]]"), "{reason}");
    let desired = json!({ "EndpointName": "Shop", "DesiredWeightsAndCapacities": [
        { "VariantName": "AllTraffic", "DesiredWeight": 0.5 }
    ] });
    let (code, text) = api.refused("UpdateEndpointWeightsAndCapacities", desired).await;
    assert_eq!(code, "ValidationException");
    assert!(text.contains("Failed"), "{text}");

    // It can still be brought into service by another configuration.
    api.ok("CreateModel", echo("Echo")).await;
    api.ok("CreateEndpointConfig", config("Good", "Echo")).await;
    api.ok("UpdateEndpoint", endpoint("Shop", "Good")).await;
    assert_eq!(described(&api, "Shop").await["DataCaptureConfig"]["CaptureStatus"], "Stopped");
    api.host().await;
    let serving = described(&api, "Shop").await;
    assert_eq!((&serving["EndpointStatus"], &serving["EndpointConfigName"]), (&json!("InService"), &json!("Good")));
    assert_eq!(serving.get("FailureReason"), None);
}

#[tokio::test]
async fn an_endpoint_that_should_explain_fails_and_says_why() {
    let api = Api::new().await;
    api.ok("CreateModel", echo("Churn")).await;
    let mut explaining = config("Config", "Churn");
    explaining["ExplainerConfig"] = json!({ "ClarifyExplainerConfig": { "ShapConfig": {} } });
    api.ok("CreateEndpointConfig", explaining).await;
    api.ok("CreateEndpoint", endpoint("Shop", "Config")).await;
    api.host().await;
    let failed = described(&api, "Shop").await;
    assert_eq!(failed["EndpointStatus"], "Failed");
    assert!(failed["FailureReason"].as_str().unwrap().contains("ExplainerConfig"), "{failed}");
}

#[tokio::test]
async fn a_model_has_one_container_or_a_chain() {
    let api = Api::new().await;
    let container = model("m")["PrimaryContainer"].clone();
    let mut both = model("Both");
    both["Containers"] = json!([container.clone()]);
    assert_eq!(api.refused("CreateModel", both).await.0, "ValidationException");
    assert_eq!(api.refused("CreateModel", json!({ "ModelName": "None" })).await.0, "ValidationException");
    api.ok("CreateModel", json!({ "ModelName": "Chain", "Containers": [container.clone(), container] })).await;
}
