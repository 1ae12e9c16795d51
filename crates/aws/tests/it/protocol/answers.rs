//! What we answer is what botocore reads.
//!
//! `answers.json` holds answers of ours together with what botocore's parsers made of them (`make_fixtures.py`). The
//! first test checks that we still write the same bytes and that botocore read what was meant; the ignored one prints
//! the answers anew for the script.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use watchkeeper_aws::Error;
use watchkeeper_aws::protocol::{Route, encode, encode_error};

use super::{protocol, service};

const REQUEST_ID: &str = "11111111-2222-3333-4444-555555555555";
const HOSTILE: &str =
    "ampersand & less < greater > quote \" apostrophe ' \u{fc}n\u{ef}c\u{f6}de \u{1f980}\ttab\r\nlines ]]>";

/// Service, operation and output; none where the operation has none.
fn outputs() -> Vec<(&'static str, &'static str, Option<Value>)> {
    vec![
        (
            "sagemaker",
            "CreateProcessingJob",
            Some(json!({"ProcessingJobArn": "arn:aws:sagemaker:eu-west-1:1:processing-job/a"})),
        ),
        ("sagemaker", "StopProcessingJob", None),
        ("sagemaker", "DeleteTags", Some(json!({}))),
        (
            "sagemaker",
            "DescribeProcessingJob",
            Some(json!({
            "ProcessingJobName": "a", "CreationTime": 1_769_903_999.25, "LastModifiedTime": 1_769_904_000.0,
            "Environment": {"a": HOSTILE}, "ExitMessage": "Completed: Job completed successfully with no violations."})),
        ),
        (
            "logs",
            "GetLogEvents",
            Some(json!({
            "events": [{"timestamp": 1_769_903_999_250_i64, "message": HOSTILE, "ingestionTime": 1_769_903_999_251_i64}],
            "nextForwardToken": "f/1", "nextBackwardToken": "b/1"})),
        ),
        (
            "kms",
            "DescribeKey",
            Some(json!({
            "KeyMetadata": {"KeyId": "k", "Enabled": true, "CreationDate": 1_769_903_999.25, "KeyState": "Enabled"}})),
        ),
        (
            "ecr",
            "GetAuthorizationToken",
            Some(json!({
            "authorizationData": [{"authorizationToken": "QVdTOng=", "expiresAt": 1_769_903_999.25}]})),
        ),
        (
            "sts",
            "GetCallerIdentity",
            Some(
                json!({"UserId": "u", "Account": "123456789012", "Arn": "arn:aws:sts::123456789012:assumed-role/r/s"}),
            ),
        ),
        (
            "sts",
            "AssumeRole",
            Some(json!({
            "Credentials": {"AccessKeyId": "a", "SecretAccessKey": "s", "SessionToken": HOSTILE, "Expiration": 1_769_904_000.0},
            "AssumedRoleUser": {"AssumedRoleId": "a:s", "Arn": "arn"}})),
        ),
        (
            "iam",
            "GetRole",
            Some(json!({"Role": {
            "Path": "/", "RoleName": "r", "RoleId": "AROA", "Arn": "arn:aws:iam::1:role/r", "CreateDate": 1_769_903_999.25,
            "MaxSessionDuration": 3600, "Tags": []}})),
        ),
        (
            "iam",
            "SimulatePrincipalPolicy",
            Some(json!({
            "EvaluationResults": [{"EvalActionName": "ecr:GetAuthorizationToken", "EvalResourceName": "*", "EvalDecision": "allowed"}],
            "IsTruncated": false})),
        ),
        ("iam", "AttachRolePolicy", None),
        ("cloudwatch", "PutMetricData", None),
        (
            "cloudwatch",
            "GetMetricStatistics",
            Some(json!({
            "Label": HOSTILE, "Datapoints": [{"Timestamp": 1_769_904_000.0, "Average": 0.1, "SampleCount": 3.0, "Unit": "None"}]})),
        ),
        (
            "cloudwatch",
            "GetMetricData",
            Some(json!({
            "MetricDataResults": [{"Id": "a", "Label": "l", "Timestamps": [1_769_903_999.25, 1_769_904_000.0], "Values": [1.0, 2.5e-7], "StatusCode": "Complete"}]})),
        ),
        (
            "cloudwatch",
            "ListDashboards",
            Some(json!({
            "DashboardEntries": [{"DashboardName": "d", "LastModified": 1_769_904_000.0, "Size": 5_000_000_000_i64}]})),
        ),
        (
            "cloudwatch",
            "DescribeAlarms",
            Some(json!({
            "CompositeAlarms": [], "MetricAlarms": [{"AlarmName": "a", "ActionsEnabled": true, "Threshold": 1.0, "Period": 60}]})),
        ),
    ]
}

fn errors() -> Vec<(&'static str, &'static str, Error)> {
    let mut model_error = Error::new("ModelError", "the model failed").with_status(424);
    model_error.members.insert("OriginalStatusCode".to_owned(), json!(500));
    vec![
        ("sagemaker", "DescribeModel", Error::validation("Could not find model \"arn\".")),
        ("sagemaker", "DescribeModel", Error::internal()),
        ("logs", "GetLogEvents", Error::new("ResourceNotFoundException", "The specified log group does not exist.")),
        ("sagemaker-runtime", "InvokeEndpoint", model_error),
        ("sts", "GetCallerIdentity", Error::new("InvalidClientTokenId", HOSTILE).with_status(403)),
        ("iam", "GetRole", Error::new("NoSuchEntity", "The role with name r cannot be found.")),
        ("cloudwatch", "GetDashboard", Error::new("ResourceNotFound", "Dashboard d does not exist")),
        ("cloudwatch", "PutMetricData", Error::new("InvalidParameterValue", "The value is wrong")),
    ]
}

fn protocols(name: &str) -> &'static [&'static str] {
    match name {
        "sts" | "iam" => &["query"],
        "cloudwatch" => &["smithy-rpc-v2-cbor", "json", "query"],
        "sagemaker-runtime" => &["rest-json"],
        _ => &["json"],
    }
}

/// Every answer of ours, in every protocol of its service.
fn answers() -> Vec<Value> {
    let answers = outputs().into_iter().map(|(name, operation, output)| (name, operation, Ok(output)));
    let errors = errors().into_iter().map(|(name, operation, error)| (name, operation, Err(error)));
    let mut printed = Vec::new();
    for (name, operation, answer) in answers.chain(errors) {
        for by in protocols(name) {
            let route = Route { service: service(name), operation: operation.to_owned(), protocol: protocol(name, by) };
            let response = match &answer {
                Ok(output) => encode(&route, REQUEST_ID, output.clone()),
                Err(error) => encode_error(&route, REQUEST_ID, error),
            };
            let headers: serde_json::Map<String, Value> = response
                .headers()
                .iter()
                .map(|(header, value)| (header.to_string(), value.to_str().unwrap().into()))
                .collect();
            printed.push(json!({
                "service": name, "operation": operation, "protocol": by, "status": response.status().as_u16(),
                "headers": headers, "body": STANDARD.encode(response.body())}));
        }
    }
    printed
}

#[test]
#[ignore = "prints the answers that make_fixtures.py has botocore read"]
#[allow(clippy::print_stdout)]
fn answers_for_the_referee() {
    println!("ANSWERS{}", Value::Array(answers()));
}

#[test]
fn botocore_reads_our_answers_as_they_were_meant() {
    let read: Vec<Value> = serde_json::from_str(include_str!("answers.json")).unwrap();
    let written = answers();
    assert_eq!(read.len(), written.len());
    let of_outputs =
        outputs().into_iter().flat_map(|(name, _, output)| protocols(name).iter().map(move |_| output.clone()));
    let mut expected = of_outputs.map(Ok).collect::<Vec<_>>();
    expected.extend(
        errors().into_iter().flat_map(|(name, _, error)| protocols(name).iter().map(move |_| Err(error.clone()))),
    );
    for ((read, written), meant) in read.iter().zip(&written).zip(expected) {
        let what = format!("{} {} by {}", read["service"], read["operation"], read["protocol"]);
        for part in ["status", "headers", "body"] {
            assert_eq!(read[part], written[part], "{what}: {part} is not what botocore was shown");
        }
        // Of an empty CBOR answer botocore reads no headers.
        if read["body"] != "" || read["protocol"] != "smithy-rpc-v2-cbor" {
            assert_eq!(read["request_id"], REQUEST_ID, "{what}");
        }
        match meant {
            Ok(output) => {
                assert_eq!(read["parsed"], output.unwrap_or(json!({})), "{what}");
                assert!(read["error"].is_null(), "{what}");
            }
            Err(error) => {
                assert_eq!(read["error"]["Code"], error.code, "{what}");
                assert_eq!(read["error"]["Message"], error.message, "{what}");
            }
        }
    }
}

#[test]
fn operations_without_output_answer_an_empty_body() {
    for answer in answers().iter().filter(|answer| answer["operation"] == "StopProcessingJob") {
        assert_eq!(answer["body"], "");
        assert_eq!(answer["status"], 200);
    }
}
