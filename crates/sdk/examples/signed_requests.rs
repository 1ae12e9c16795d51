//! Sends a request of every kind that is signed: JSON, forms, objects under odd keys, invocations.
//!
//! Where to and with which keys the environment says, as for every session: `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, ...
//! `tests/python/sdk_requests/test_signatures.py` lets botocore sign the same requests and compares.

use std::collections::HashMap;

use serde_json::json;
use watchkeeper::predictor::Predictor;
use watchkeeper::session::AwsService;
use watchkeeper::{Error, S3Uri, Session};

/// Keys that are written in more than one way by careless clients.
const KEYS: [&str; 12] = [
    "plain.json",
    "a b/c+d",
    "100%/q=1&r?s#t",
    "ä/日本/🦀.csv",
    "tilde~and*star'()!",
    "double//slash///",
    "dots/./and/../more",
    "year=2026/hour=07/part-0.jsonl",
    "%41%2f",
    "trailing ",
    "semi;colon:at@dollar$comma,",
    "back\\slash\"quote<>^`{|}",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let session = Session::from_env().await?;
    let input = json!({"MonitoringScheduleName": "churn ä \"quoted\""});
    session.call(AwsService::SageMaker, "DescribeMonitoringSchedule", "churn", &input).await?;
    session.call(AwsService::SageMaker, "ListMonitoringSchedules", "all", &HashMap::<String, String>::new()).await?;
    session.call(AwsService::CloudWatchLogs, "DescribeLogStreams", "a group", &json!({"logGroupName": "/a"})).await?;
    session.account_id().await?;
    session.expand_role("a-role+with@signs").await?;
    for key in KEYS {
        let object = S3Uri { bucket: "the-bucket".to_owned(), key: key.to_owned() };
        session.upload_string_as_file_body(format!("the body of {key}"), &object, None).await?;
        session.read_s3_file(&object).await?;
        session.list_s3_files(&object).await?;
    }
    let object: S3Uri = "s3://the-bucket/encrypted".parse().expect("an address");
    session.upload_string_as_file_body(vec![0_u8, 255, 10, 13], &object, Some("arn:aws:kms:x:1:key/k")).await?;
    let predictor = Predictor::new(&session, "churn-endpoint").content_type("text/csv");
    predictor.predict("1,2\n").custom_attributes("a=1;  b=two   blanks").inference_id("id-1").await?;
    Ok(())
}
