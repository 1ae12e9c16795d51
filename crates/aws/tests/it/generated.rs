//! The traits and what calls them: input checked and read, output written, what is not there named.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};
use watchkeeper_aws::generated::{kms, sagemaker, sts};
use watchkeeper_aws::{Call, Error, Time};

/// Runs a future that never waits for anything.
pub fn finished<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

pub fn call() -> Call {
    Call {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        access_key_id: "AKIA".to_owned(),
        request_id: "id".to_owned(),
        now: "2026-01-31T23:59:59.25Z".parse().unwrap(),
    }
}

/// A service that knows three operations.
struct Few;

impl sagemaker::SageMaker for Few {
    async fn describe_model(
        &self,
        call: &Call,
        input: sagemaker::DescribeModelInput,
    ) -> Result<sagemaker::DescribeModelOutput, Error> {
        Ok(sagemaker::DescribeModelOutput {
            model_arn: format!("arn:aws:sagemaker:{}:{}:model/{}", call.region, call.account, input.model_name),
            model_name: input.model_name,
            creation_time: call.now.into(),
            primary_container: None,
            containers: None,
            inference_execution_config: Some(json!({"Mode": "Serial", "unknown": [1]})),
            execution_role_arn: None,
            vpc_config: None,
            enable_network_isolation: None,
            deployment_recommendation: None,
        })
    }

    async fn delete_model(&self, _: &Call, input: sagemaker::DeleteModelInput) -> Result<(), Error> {
        Err(Error::validation(format!("Could not find model \"{}\".", input.model_name)))
    }

    async fn stop_processing_job(&self, _: &Call, _: sagemaker::StopProcessingJobRequest) -> Result<(), Error> {
        Ok(())
    }
}

impl kms::Kms for Few {}
impl sts::Sts for Few {}

/// A server's threads hand these futures to each other.
fn asked(operation: &str, input: Value) -> Result<Option<Value>, Error> {
    fn sent<T: Future + Send>(future: T) -> T {
        future
    }
    finished(sent(sagemaker::dispatch(&Few, &call(), operation, input)))
}

#[test]
fn an_operation_gets_its_input_and_its_output_is_written_without_what_is_missing() {
    let output = asked("DescribeModel", json!({"ModelName": "m", "NotOfTheModel": {"a": 1}})).unwrap();
    assert_eq!(
        output,
        Some(json!({
            "ModelName": "m",
            "InferenceExecutionConfig": {"Mode": "Serial", "unknown": [1]},
            "CreationTime": 1_769_903_999.25,
            "ModelArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m",
        }))
    );
}

#[test]
fn an_operation_without_output_has_none() {
    assert_eq!(asked("StopProcessingJob", json!({"ProcessingJobName": "j"})), Ok(None));
}

#[test]
fn an_error_comes_through_as_it_is() {
    let error = asked("DeleteModel", json!({"ModelName": "m"})).unwrap_err();
    assert_eq!(error.to_string(), "ValidationException: Could not find model \"m\".");
}

#[test]
fn what_is_not_there_is_named() {
    for operation in ["DeleteTags", "CreateTrainingJob", "", "describe_model"] {
        let error = asked(
            operation,
            json!({"ResourceArn": "arn:aws:sagemaker:eu-west-1:123456789012:model/m", "TagKeys": ["a"]}),
        );
        let error = error.unwrap_err();
        assert_eq!((error.code.as_str(), error.status), ("UnknownOperationException", 400));
        assert!(error.message.contains(operation), "{error}");
    }
    let error = finished(kms::dispatch(&Few, &call(), "CreateKey", json!({}))).unwrap_err();
    assert_eq!(error.code, "UnknownOperationException");
    // No body at all is an empty input.
    let error = finished(sts::dispatch(&Few, &call(), "GetCallerIdentity", Value::Null)).unwrap_err();
    assert_eq!(error.code, "UnknownOperationException");
}

#[test]
fn enumerations_have_the_texts_of_the_wire() {
    use sagemaker::ExecutionStatus;
    assert_eq!(ExecutionStatus::CompletedWithViolations.to_string(), "CompletedWithViolations");
    assert_eq!("InProgress".parse(), Ok(ExecutionStatus::InProgress));
    assert!("inprogress".parse::<ExecutionStatus>().is_err());
    for value in ExecutionStatus::ALL {
        let written = serde_json::to_string(value).unwrap();
        assert_eq!(written, format!("\"{}\"", value.as_str()));
        assert_eq!(serde_json::from_str::<ExecutionStatus>(&written).unwrap(), *value);
    }
}

#[test]
fn moments_are_read_in_every_form_and_written_as_seconds() {
    for (text, written) in [
        ("1769904000", "1769904000.0"),
        ("1769903999.25", "1769903999.25"),
        ("1769903999.123456", "1769903999.123"),
        ("\"2026-01-31T23:59:59.25Z\"", "1769903999.25"),
        ("\"2026-02-01T01:00:00+01:00\"", "1769904000.0"),
        ("\"2026-02-01T00:00:00\"", "1769904000.0"),
        ("\"1769904000\"", "1769904000.0"),
        ("-1", "-1.0"),
    ] {
        let time: Time = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&time).unwrap(), written, "{text}");
    }
    for wrong in ["\"yesterday\"", "1e300", "-1e300", "18446744073709551615", "true", "[]", "\"\""] {
        assert!(serde_json::from_str::<Time>(wrong).is_err(), "{wrong}");
    }
}
