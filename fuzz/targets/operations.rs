//! Any request of any operation: found, read, held to its model, and answered with an error that its client can read. Behind
//! it is nobody, so that what is left of it are the readers, the checks and the writers.

#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use watchkeeper_aws::generated::{cloudwatch, ecr, iam, kms, logs, sagemaker, sts};
use watchkeeper_aws::protocol::{self, Protocol, Request, Route, Service, check, decode, encode_error};
use watchkeeper_aws::{Call, Error};
use watchkeeper_fuzz::request::{RawRequest, noon};

/// Implements no operation.
struct Nobody;

impl sagemaker::SageMaker for Nobody {}
impl logs::Logs for Nobody {}
impl cloudwatch::CloudWatch for Nobody {}
impl kms::Kms for Nobody {}
impl sts::Sts for Nobody {}
impl iam::Iam for Nobody {}
impl ecr::Ecr for Nobody {}

fuzz_target!(|content: &[u8]| {
    let Some(raw) = RawRequest::parse(content) else { return };
    let Some((method, uri, headers)) = raw.parts() else { return };
    let request = Request { method: &method, uri: &uri, headers: &headers, body: raw.body };
    let signed_for = headers.get("x-signed-for").and_then(|name| name.to_str().ok());
    let (route, answered) = match protocol::route(&request, signed_for) {
        Err(error) => (Route::of_error(&request), Err(error)),
        Ok(route) => {
            let answered = decode(&route, &request).and_then(|input| called(&route, input));
            (route, answered)
        }
    };
    match answered {
        Ok(()) => assert!(matches!(route.service, Service::Runtime | Service::S3), "nobody has answered {route:?}"),
        Err(error) => readable(&route, &error),
    }
});

/// What the service does behind the signature. S3 and the runtime carry their bodies elsewhere.
fn called(route: &Route, input: Value) -> Result<(), Error> {
    let call = Call {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        request_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        now: noon(),
    };
    let operation = route.operation.as_str();
    match route.service {
        Service::SageMaker => at_once(sagemaker::dispatch(&Nobody, &call, operation, input)),
        Service::Logs => at_once(logs::dispatch(&Nobody, &call, operation, input)),
        Service::CloudWatch => at_once(cloudwatch::dispatch(&Nobody, &call, operation, input)),
        Service::Kms => at_once(kms::dispatch(&Nobody, &call, operation, input)),
        Service::Sts => at_once(sts::dispatch(&Nobody, &call, operation, input)),
        Service::Iam => at_once(iam::dispatch(&Nobody, &call, operation, input)),
        Service::Ecr => at_once(ecr::dispatch(&Nobody, &call, operation, input)),
        Service::Runtime => check(route, input),
        Service::S3 => Ok(()),
    }
}

fn at_once(call: impl Future<Output = Result<Option<Value>, Error>>) -> Result<(), Error> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answered) => answered.map(drop),
        Poll::Pending => panic!("nobody takes no time"),
    }
}

/// The answer is whole: its status is an error's, and its body is what it says it is.
fn readable(route: &Route, error: &Error) {
    assert!(!error.code.is_empty(), "{error:?}");
    let answer = encode_error(route, "00000000-0000-0000-0000-000000000000", error);
    assert!(answer.status().is_client_error(), "{error:?} is {}", answer.status());
    let text = String::from_utf8_lossy(answer.body());
    match route.protocol {
        Protocol::Json10 | Protocol::Json11 | Protocol::RestJson => {
            serde_json::from_slice::<Value>(answer.body()).expect("the error is JSON");
        }
        Protocol::Query => assert_eq!(text.matches("<Message>").count(), 1, "{text}"),
        Protocol::RestXml if route.operation != "HEAD" => assert_eq!(text.matches("<Error>").count(), 1, "{text}"),
        Protocol::RestXml | Protocol::Cbor => {}
    }
}
