//! The texts of what breaks a model's limits, as the real services have them: those with a source are noted, the others
//! are put together from the same parts (specification, part C.2).

use serde_json::{Value, json};
use watchkeeper_aws::Error;
use watchkeeper_aws::generated::{cloudwatch, ecr, iam, kms, logs, sagemaker};

use super::generated::{call, finished};

struct Nothing;

impl sagemaker::SageMaker for Nothing {}
impl logs::Logs for Nothing {}
impl cloudwatch::CloudWatch for Nothing {}
impl iam::Iam for Nothing {}
impl kms::Kms for Nothing {}
impl ecr::Ecr for Nothing {}

/// What is answered before the operation is called; its own answer is that it is not there.
fn refused(operation: &str, input: Value) -> Option<Error> {
    let error = finished(sagemaker::dispatch(&Nothing, &call(), operation, input)).unwrap_err();
    (error.code != "UnknownOperationException").then_some(error)
}

fn message(operation: &str, input: Value) -> String {
    let error = refused(operation, input).unwrap();
    assert_eq!((error.code.as_str(), error.status), ("ValidationException", 400));
    error.message
}

/// A request that keeps to everything.
fn job() -> Value {
    json!({
        "ProcessingJobName": "job-1",
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.none.such", "VolumeSizeInGB": 30}},
        "AppSpecification": {"ImageUri": "i"},
        "RoleArn": "arn:aws:iam::123456789012:role/service-role/r",
    })
}

/// The same with one member, by its JSON pointer, replaced.
fn job_with(pointer: &str, value: Value) -> Value {
    let mut job = job();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    job.pointer_mut(parent).unwrap()[name] = value;
    job
}

const NAME: &str = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}";

#[test]
fn a_request_within_the_limits_passes() {
    assert_eq!(refused("CreateProcessingJob", job()), None);
}

#[test]
fn one_error_is_told_with_value_path_and_constraint() {
    let long = "a".repeat(64);
    for (operation, input, text) in [
        // Public records of the real service have this text.
        (
            "DescribeMonitoringSchedule",
            json!({"MonitoringScheduleName": long}),
            format!("Value '{long}' at 'monitoringScheduleName' failed to satisfy constraint: Member must have length less than or equal to 63"),
        ),
        (
            "CreateProcessingJob",
            job_with("/ProcessingJobName", json!("a_b")),
            format!("Value 'a_b' at 'processingJobName' failed to satisfy constraint: Member must satisfy regular expression pattern: {NAME}"),
        ),
        (
            "CreateProcessingJob",
            job_with("/ProcessingJobName", Value::Null),
            "Value null at 'processingJobName' failed to satisfy constraint: Member must not be null".to_owned(),
        ),
        (
            "CreateProcessingJob",
            job_with("/ProcessingResources/ClusterConfig/InstanceCount", json!(101)),
            "Value '101' at 'processingResources.clusterConfig.instanceCount' failed to satisfy constraint: Member must have value less than or equal to 100".to_owned(),
        ),
        (
            "CreateProcessingJob",
            job_with("/ProcessingResources/ClusterConfig/VolumeSizeInGB", json!(0)),
            "Value '0' at 'processingResources.clusterConfig.volumeSizeInGB' failed to satisfy constraint: Member must have value greater than or equal to 1".to_owned(),
        ),
        (
            "CreateProcessingJob",
            job_with("/AppSpecification/ContainerArguments", json!([])),
            "Value '[]' at 'appSpecification.containerArguments' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned(),
        ),
        (
            "ListMonitoringExecutions",
            json!({"SortOrder": "ascending"}),
            "Value 'ascending' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [Ascending, Descending]".to_owned(),
        ),
        (
            "CreateEndpointConfig",
            json!({"EndpointConfigName": "c", "ProductionVariants": [
                {"VariantName": "a", "ModelName": "m"}, {"VariantName": "b", "ModelName": "m!"}]}),
            "Value 'm!' at 'productionVariants.2.member.modelName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9]([\\-a-zA-Z0-9]*[a-zA-Z0-9])?".to_owned(),
        ),
    ] {
        assert_eq!(message(operation, input), format!("1 validation error detected: {text}"));
    }
}

/// The form of both is in public issues of the Python SDK (`hyperParameters` of training jobs) and of other services.
#[test]
fn items_of_maps_and_lists_are_told_once_with_all_their_limits() {
    let long = "v".repeat(257);
    let pattern = "[\\S\\s]*";
    let of_value = "Map value must satisfy constraint: [Member must have length less than or equal to 256";
    let told = message("CreateProcessingJob", job_with("/Environment", json!({"a": long, "b": long, "c": "short"})));
    let shown = format!("{{a={long}, b={long}, c=short}}");
    let head = format!(
        "1 validation error detected: Value '{shown}' at 'environment' failed to satisfy constraint: {of_value}"
    );
    assert!(told.starts_with(&head), "{told}");
    assert!(told.ends_with(&format!("pattern: {pattern}]")), "{told}");

    assert_eq!(
        message("CreateProcessingJob", job_with("/Environment", json!({"1a": ""}))),
        "1 validation error detected: Value '{1a=}' at 'environment' failed to satisfy constraint: Map keys must satisfy \
         constraint: [Member must have length less than or equal to 256, Member must have length greater than or equal to 0, \
         Member must satisfy regular expression pattern: [a-zA-Z_][a-zA-Z0-9_]*]"
    );
    assert_eq!(
        message(
            "DeleteTags",
            json!({"ResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m", "TagKeys": ["a", "", "b"]})
        ),
        "1 validation error detected: Value '[a, , b]' at 'tagKeys' failed to satisfy constraint: Member must satisfy \
         constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, \
         Member must satisfy regular expression pattern: ([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)]"
    );
}

#[test]
fn several_errors_are_told_in_the_order_of_the_model() {
    let mut input = job();
    input["ProcessingJobName"] = json!("");
    input["AppSpecification"] = json!({});
    assert_eq!(
        message("CreateProcessingJob", input),
        format!(
            "3 validation errors detected: Value '' at 'processingJobName' failed to satisfy constraint: Member must have \
             length greater than or equal to 1; Value '' at 'processingJobName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: {NAME}; Value null at 'appSpecification.imageUri' failed to satisfy \
             constraint: Member must not be null"
        )
    );
}

#[test]
fn the_number_of_errors_and_the_size_of_values_are_bounded() {
    let variants = vec![json!({}); 100_000];
    let told = message("CreateEndpointConfig", json!({"EndpointConfigName": "c", "ProductionVariants": variants}));
    assert!(told.starts_with("100 validation errors detected: "));
    assert!(told.len() < 64 * 1024, "{}", told.len());
}

#[test]
fn a_wrong_type_is_no_serialized_input() {
    for (value, text) in [
        (json!(1), "class java.lang.Integer can not be converted to a String"),
        (json!(true), "class java.lang.Boolean can not be converted to a String"),
        (json!([]), "Start of list found where not expected."),
        (json!({}), "Start of structure or map found where not expected."),
    ] {
        let error = refused("CreateProcessingJob", job_with("/ProcessingJobName", value)).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("SerializationException", text));
    }
    for (pointer, value, text) in [
        (
            "/ProcessingResources/ClusterConfig/InstanceCount",
            json!("1"),
            "class java.lang.String can not be converted to an Integer",
        ),
        (
            "/ProcessingResources/ClusterConfig/InstanceCount",
            json!(1.5),
            "class java.lang.Double can not be converted to an Integer",
        ),
        (
            "/ProcessingResources/ClusterConfig/InstanceCount",
            json!(1_i64 << 40),
            "class java.lang.Long can not be converted to an Integer",
        ),
        ("/ProcessingResources", json!("x"), "Unrecognized collection type class java.lang.String"),
        ("/Environment", json!({"a": 1}), "class java.lang.Integer can not be converted to a String"),
        ("/Tags", json!({}), "Start of structure or map found where not expected."),
    ] {
        let error = refused("CreateProcessingJob", job_with(pointer, value)).unwrap();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("SerializationException", text), "{pointer}");
    }
    let error = refused("ListModels", json!({"CreationTimeAfter": "yesterday"})).unwrap();
    assert_eq!(error.message, "class java.lang.String can not be converted to milliseconds since epoch");
    assert_eq!(refused("ListModels", json!([])).unwrap().code, "SerializationException");
}

#[test]
fn null_counts_as_missing_and_what_no_model_describes_is_not_looked_into() {
    assert_eq!(refused("CreateProcessingJob", job_with("/Environment", Value::Null)), None);
    assert_eq!(refused("CreateProcessingJob", job_with("/ExperimentConfig", json!({"a": [1, "b", null]}))), None);
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let error = refused("CreateProcessingJob", job_with("/ExperimentConfig", deep)).unwrap();
    assert_eq!(error.code, "SerializationException");
}

#[test]
fn patterns_hold_for_the_whole_text_and_let_through_what_scripts_send() {
    let config = |destination: &str| {
        json!({"EndpointConfigName": "c", "ProductionVariants": [{"VariantName": "v", "ModelName": "m"}],
            "DataCaptureConfig": {"InitialSamplingPercentage": 100, "DestinationS3Uri": destination,
                "CaptureOptions": [{"CaptureMode": "Input"}],
                "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]}}})
    };
    for fine in ["s3://bucket/prefix", "s3://b", "https://bucket.s3.amazonaws.com/p"] {
        assert_eq!(refused("CreateEndpointConfig", config(fine)), None, "{fine}");
    }
    for wrong in ["bucket/prefix", "s3:///x", "x s3://bucket"] {
        assert!(refused("CreateEndpointConfig", config(wrong)).is_some(), "{wrong}");
    }
    for wrong in ["job-", "-job", "job\n", "j\u{f6}b", "job job"] {
        assert!(refused("CreateProcessingJob", job_with("/ProcessingJobName", json!(wrong))).is_some(), "{wrong:?}");
    }
    // A model package may not end in a hyphen: the model says so with a look behind.
    let model = |package: &str| json!({"ModelName": "m", "PrimaryContainer": {"ModelPackageName": package}});
    for (package, fine) in [("group", true), ("group/12", true), ("g-r", true), ("group-", false), ("group-/1", false)]
    {
        assert_eq!(refused("CreateModel", model(package)).is_none(), fine, "{package}");
    }
}

#[test]
fn each_service_has_its_own_code() {
    let input =
        || json!({"KeyId": "", "RoleName": "!", "logGroupName": "?", "DashboardName": 1, "repositoryName": "!"});
    let codes = [
        finished(kms::dispatch(&Nothing, &call(), "DescribeKey", input())).unwrap_err().code,
        finished(iam::dispatch(&Nothing, &call(), "GetRole", input())).unwrap_err().code,
        finished(logs::dispatch(&Nothing, &call(), "CreateLogGroup", input())).unwrap_err().code,
        finished(cloudwatch::dispatch(&Nothing, &call(), "DeleteAlarms", input())).unwrap_err().code,
        finished(ecr::dispatch(&Nothing, &call(), "CreateRepository", input())).unwrap_err().code,
    ];
    let expected = [
        "ValidationException",
        "ValidationError",
        "InvalidParameterException",
        "ValidationError",
        "InvalidParameterException",
    ];
    assert_eq!(codes, expected);
}
