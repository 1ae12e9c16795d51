//! Tags of everything that has an ARN.

use serde_json::{Value, json};

use super::{Api, ROLE, cluster, embedded, endpoint_input, hourly, job_request, output_config};

fn tag(key: &str, value: &str) -> Value {
    json!({ "Key": key, "Value": value })
}

/// One resource of each kind, created with one tag.
async fn created(api: &Api) -> Vec<String> {
    let tags = json!([tag("team", "shop")]);
    let image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/analyzer";
    let definition = |kind: &str| {
        json!({
            "JobDefinitionName": "Definition",
            format!("{kind}AppSpecification"): { "ImageUri": image, "ConfigUri": "s3://bucket/config.json" },
            format!("{kind}JobInput"): {
                "EndpointInput": endpoint_input()["EndpointInput"],
                "GroundTruthS3Input": { "S3Uri": "s3://bucket/truth" },
            },
            format!("{kind}JobOutputConfig"): output_config(),
            "JobResources": cluster(),
            "RoleArn": ROLE,
        })
    };
    let requests = [
        ("CreateProcessingJob", job_request("Job")),
        (
            "CreateMonitoringSchedule",
            json!({ "MonitoringScheduleName": "Schedule", "MonitoringScheduleConfig": hourly(embedded()) }),
        ),
        ("CreateDataQualityJobDefinition", definition("DataQuality")),
        ("CreateModelQualityJobDefinition", definition("ModelQuality")),
        ("CreateModelBiasJobDefinition", definition("ModelBias")),
        ("CreateModelExplainabilityJobDefinition", definition("ModelExplainability")),
        ("CreateModel", json!({ "ModelName": "Model", "PrimaryContainer": { "Image": image } })),
        (
            "CreateEndpointConfig",
            json!({
                "EndpointConfigName": "Config",
                "ProductionVariants": [{ "VariantName": "AllTraffic", "ModelName": "Model" }],
            }),
        ),
        ("CreateEndpoint", json!({ "EndpointName": "Endpoint", "EndpointConfigName": "Config" })),
    ];
    let mut arns = Vec::new();
    for (operation, mut request) in requests {
        request["Tags"] = tags.clone();
        let answer = api.ok(operation, request).await;
        arns.push(answer.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned());
    }
    arns
}

#[tokio::test]
async fn every_resource_has_tags() {
    let api = Api::new().await;
    for arn in created(&api).await {
        let listed = api.ok("ListTags", json!({ "ResourceArn": arn, "MaxResults": 50 })).await;
        assert_eq!(listed, json!({ "Tags": [tag("team", "shop")] }), "{arn}");

        let added = json!({ "ResourceArn": arn, "Tags": [tag("stage", "test"), tag("team", "desk")] });
        let both = json!({ "Tags": [tag("team", "desk"), tag("stage", "test")] });
        assert_eq!(api.ok("AddTags", added).await, both, "{arn}");
        assert_eq!(api.ok("ListTags", json!({ "ResourceArn": arn })).await, both, "{arn}");

        for _ in 0..2 {
            let removed = json!({ "ResourceArn": arn, "TagKeys": ["team", "never"] });
            assert_eq!(api.ok("DeleteTags", removed).await, json!({}), "{arn}");
            let listed = api.ok("ListTags", json!({ "ResourceArn": arn })).await;
            assert_eq!(listed, json!({ "Tags": [tag("stage", "test")] }), "{arn}");
        }
    }
}

#[tokio::test]
async fn there_are_fifty_tags_at_most_in_one_page() {
    let api = Api::new().await;
    let arn = created(&api).await.swap_remove(0);
    let tags = |range: std::ops::Range<u32>| range.map(|index| tag(&format!("key-{index}"), "")).collect::<Vec<_>>();
    api.ok("AddTags", json!({ "ResourceArn": arn, "Tags": tags(0..49) })).await;
    let listed = api.ok("ListTags", json!({ "ResourceArn": arn })).await;
    assert_eq!(listed["Tags"].as_array().unwrap().len(), 50);
    assert!(listed.get("NextToken").is_none());
    let (code, _) = api.refused("AddTags", json!({ "ResourceArn": arn, "Tags": tags(49..50) })).await;
    assert_eq!(code, "ValidationException");
    api.ok("AddTags", json!({ "ResourceArn": arn, "Tags": tags(3..9) })).await;
}

#[tokio::test]
async fn arns_that_nothing_has_are_refused() {
    let api = Api::new().await;
    created(&api).await;
    let unknown = [
        "arn:aws:sagemaker:eu-central-1:111122223333:processing-job/other",
        "arn:aws:sagemaker:us-east-1:111122223333:processing-job/job",
        "arn:aws:sagemaker:eu-central-1:999999999999:processing-job/job",
        "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/job",
        "arn:aws:sagemaker:eu-central-1:111122223333:processing-job",
        "arn:aws:sagemaker:eu-central-1:111122223333:model/definition",
    ];
    for arn in unknown {
        assert_eq!(api.refused("ListTags", json!({ "ResourceArn": arn })).await.0, "ValidationException", "{arn}");
        let add = json!({ "ResourceArn": arn, "Tags": [tag("a", "b")] });
        assert_eq!(api.refused("AddTags", add).await.0, "ValidationException", "{arn}");
    }
}

#[tokio::test]
async fn there_is_no_second_page_of_tags() {
    let api = Api::new().await;
    let arn = created(&api).await.swap_remove(0);
    let (code, _) = api.refused("ListTags", json!({ "ResourceArn": arn, "NextToken": "00" })).await;
    assert_eq!(code, "ValidationException");
}

#[tokio::test]
async fn reserved_and_repeated_keys_are_refused() {
    let api = Api::new().await;
    let arn = created(&api).await.swap_remove(0);
    for tags in [json!([tag("aws:owner", "x")]), json!([tag("a", "1"), tag("a", "2")])] {
        let (code, _) = api.refused("AddTags", json!({ "ResourceArn": arn, "Tags": tags })).await;
        assert_eq!(code, "ValidationException", "{tags}");
    }
}
