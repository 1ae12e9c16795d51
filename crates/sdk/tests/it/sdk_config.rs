//! Sessions from the official SDK's configuration.

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_types::SdkConfig;
use aws_types::region::Region;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use watchkeeper::Session;
use watchkeeper::session::AwsService;

use crate::stub::{Answer, Stub};

#[tokio::test]
async fn region_endpoint_and_credentials_are_those_of_the_configuration() {
    let stub = Stub::start(|_| Answer::json(&json!({})));
    let end = SystemTime::from(Timestamp::now() + SignedDuration::from_hours(1));
    let keys = Credentials::new("OFFICIAL", "secret", Some("token".to_owned()), Some(end), "test");
    let config = SdkConfig::builder()
        .region(Region::new("ap-south-1"))
        .endpoint_url(stub.url())
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .build();
    let session = Session::from_sdk_config(&config).unwrap();
    assert_eq!(session.region(), "ap-south-1");
    session.call(AwsService::SageMaker, "ListModels", "all", &json!({})).await.unwrap();
    let request = &stub.requests()[0];
    let expected = "AWS4-HMAC-SHA256 Credential=OFFICIAL/";
    assert!(request.header("authorization").starts_with(expected), "{}", request.header("authorization"));
    assert!(request.header("authorization").contains("/ap-south-1/sagemaker/"), "{}", request.header("authorization"));
    assert_eq!(request.header("x-amz-security-token"), "token");
}
