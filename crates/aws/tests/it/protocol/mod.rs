//! The protocols, with botocore's serializers and parsers as the referee.

mod answers;
mod event_stream;
mod limits;
mod requests;
mod routing;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use watchkeeper_aws::protocol::{Protocol, Service};

fn service(name: &str) -> Service {
    match name {
        "sagemaker" => Service::SageMaker,
        "sagemaker-runtime" => Service::Runtime,
        "logs" => Service::Logs,
        "cloudwatch" => Service::CloudWatch,
        "kms" => Service::Kms,
        "sts" => Service::Sts,
        "iam" => Service::Iam,
        "ecr" => Service::Ecr,
        _ => panic!("no service {name}"),
    }
}

/// botocore has one name for both versions of JSON.
fn protocol(service: &str, name: &str) -> Protocol {
    match (service, name) {
        ("cloudwatch", "json") => Protocol::Json10,
        (_, "json") => Protocol::Json11,
        (_, "query") => Protocol::Query,
        (_, "smithy-rpc-v2-cbor") => Protocol::Cbor,
        (_, "rest-json") => Protocol::RestJson,
        _ => panic!("no protocol {name}"),
    }
}

fn headers(pairs: &Value) -> HeaderMap {
    let pairs = pairs.as_object().unwrap().iter();
    pairs
        .map(|(name, value)| {
            let value = HeaderValue::from_str(value.as_str().unwrap()).unwrap();
            (name.parse::<HeaderName>().unwrap(), value)
        })
        .collect()
}

fn bytes(base64: &Value) -> Vec<u8> {
    STANDARD.decode(base64.as_str().unwrap()).unwrap()
}
