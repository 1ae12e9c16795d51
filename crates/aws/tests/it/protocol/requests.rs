//! What botocore writes reaches an operation as what its caller meant.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use watchkeeper_aws::generated::{cloudwatch, ecr, iam, kms, logs, sagemaker, sts};
use watchkeeper_aws::protocol::{Request, decode, route};

use super::{bytes, headers, protocol, service};

/// Through the operation's input and back, so that moments and missing members are in one form.
fn through<T: DeserializeOwned + Serialize>(input: Value) -> Value {
    serde_json::to_value(serde_json::from_value::<T>(input).unwrap()).unwrap()
}

fn as_input_of(operation: &str, input: Value) -> Value {
    match operation {
        "CreateProcessingJob" => through::<sagemaker::CreateProcessingJobRequest>(input),
        "ListProcessingJobs" => through::<sagemaker::ListProcessingJobsRequest>(input),
        "StopProcessingJob" => through::<sagemaker::StopProcessingJobRequest>(input),
        "PutLogEvents" => through::<logs::PutLogEventsRequest>(input),
        "FilterLogEvents" => through::<logs::FilterLogEventsRequest>(input),
        "CreateKey" => through::<kms::CreateKeyRequest>(input),
        "ScheduleKeyDeletion" => through::<kms::ScheduleKeyDeletionRequest>(input),
        "DescribeRepositories" => through::<ecr::DescribeRepositoriesRequest>(input),
        "GetAuthorizationToken" => through::<ecr::GetAuthorizationTokenRequest>(input),
        "GetCallerIdentity" => through::<sts::GetCallerIdentityRequest>(input),
        "AssumeRole" => through::<sts::AssumeRoleRequest>(input),
        "SimulatePrincipalPolicy" => through::<iam::SimulatePrincipalPolicyRequest>(input),
        "CreateRole" => through::<iam::CreateRoleRequest>(input),
        "PutMetricData" => through::<cloudwatch::PutMetricDataInput>(input),
        "PutMetricAlarm" => through::<cloudwatch::PutMetricAlarmInput>(input),
        "GetMetricData" => through::<cloudwatch::GetMetricDataInput>(input),
        "ListMetrics" => through::<cloudwatch::ListMetricsInput>(input),
        "DeleteDashboards" => through::<cloudwatch::DeleteDashboardsInput>(input),
        "ListDashboards" => through::<cloudwatch::ListDashboardsInput>(input),
        _ => panic!("no input of {operation} here"),
    }
}

#[test]
fn requests_of_botocore_are_read_as_they_were_meant() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("requests.json")).unwrap();
    assert!(cases.len() > 30);
    for case in cases {
        let (name, operation) = (case["service"].as_str().unwrap(), case["operation"].as_str().unwrap());
        let what = format!("{name} {operation} by {}", case["protocol"]);
        let (method, uri) = (case["method"].as_str().unwrap(), case["path"].as_str().unwrap());
        let (headers, body) = (headers(&case["headers"]), bytes(&case["body"]));
        let request =
            Request { method: &method.parse().unwrap(), uri: &uri.parse().unwrap(), headers: &headers, body: &body };

        let route = route(&request, Some(service(name).signing_name())).unwrap();
        assert_eq!(route.service, service(name), "{what}");
        assert_eq!(route.operation, operation, "{what}");
        assert_eq!(route.protocol, protocol(name, case["protocol"].as_str().unwrap()), "{what}");

        let input = as_input_of(operation, decode(&route, &request).unwrap());
        assert_eq!(input, as_input_of(operation, case["input"].clone()), "{what}");
    }
}
